"""What planners do with the latest review: decisions, overrides of forecasts, what if.

What they do is kept by review and series; two who look at the same order are told of each other,
and nothing is lost. Nothing here knows HTTP.
"""

import errno
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd

from invopt.errors import InvalidInputError
from invopt.files import read_csv, write_csv
from invopt.report.drafts import DRAFTS, draft_lines
from invopt.report.plan import read_plan
from invopt.steps.what_if import Predict, SideBySide, review_files_of, what_if
from invopt.types import Json
from serving.settings import Settings
from serving.stores.order_plans import KeptReview, latest_review
from serving.stores.planner_desk import (
    CHANGED,
    OPEN,
    REJECTED,
    SNOOZED,
    DecidedMeanwhileError,
    ForecastOverride,
    PlannedScenario,
    PlannerDecision,
    PlannerDesk,
    desk_file,
)
from serving.stores.registry import number_of
from serving.workbench.bodies import (
    AssumptionsBody,
    DecisionBody,
    KeptScenarioBody,
    OverrideBody,
    ScenarioBody,
    UndoBody,
    WithdrawalBody,
)

Forecasters = Callable[[str, str], Predict | None]
_MOST_CHANGES = 200  # rows of an answer; totals are of all
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Download:
    """A file to be downloaded.

    Attributes:
        name: Of the file.
        kind: Media type.
        content: Of the file.
    """

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True)
class ShownReview:
    """The review that is served.

    Attributes:
        kept: Its files.
        unique_ids: Series it plans.
    """

    kept: KeptReview
    unique_ids: frozenset[str] = field(repr=False)

    @property
    def review_date(self) -> str:
        """ISO."""
        return self.kept.review_date

    @property
    def folder(self) -> Path:
        """Of its files."""
        return self.kept.folder

    @classmethod
    def latest(cls, plans: Path, name: str | None = None) -> "ShownReview":
        """Return the latest review that is kept, of one model or of all.

        Raises:
            InvalidInputError: If there is none.
        """
        kept = latest_review(plans, name)
        plan = read_csv(kept.folder / "orders.csv", dtype=str, usecols=["unique_id"])
        return cls(kept, frozenset(plan["unique_id"]))


class Workbench:
    """What planners do with the latest review: each method is an answer of the page's API.

    Args:
        settings: Where plans, snapshots and models are.
        predict: Makes the forecaster of a model's version, for other prices; None for no model.
        name: Model whose orders are shown; None for whichever was planned last.

    Raises:
        InvalidInputError: If nothing was planned yet; of its methods, if what is asked cannot be.
        DecidedMeanwhileError: Of its methods: somebody else was first.
        FileNotFoundError: Of its methods: the plan was replaced, or a file of it is gone.
    """

    def __init__(
        self, settings: Settings, predict: Forecasters | None, name: str | None = None
    ) -> None:
        self.settings, self.predict, self.name = settings, predict, name
        self._desks: dict[str, PlannerDesk] = {}
        self.review = self._latest()
        self._planning = Lock()  # planning takes a whole core: one after another

    @property
    def desk(self) -> PlannerDesk:
        """What planners decide about the model of the review that is shown."""
        return self._desks[self.review.kept.name]

    def _latest(self) -> ShownReview:
        """Return the latest review, the desk of its model open."""
        found = ShownReview.latest(self.settings.plans, self.name)
        name = found.kept.name
        if name not in self._desks:
            self._desks[name] = PlannerDesk(desk_file(self.settings.plans, name))
        return found

    def page(self) -> str:
        """Return the page of the latest review, with the address of its answers in it."""
        self.review = self._latest()
        text = (self.review.folder / "plan.html").read_text(encoding="utf-8")
        return text.replace("<head>", '<head><meta name="invopt-api" content="api">', 1)

    def state(self) -> Json:
        """Return what stands: the review, decisions and overrides."""
        decisions = self.desk.decisions(self.review.review_date).values()
        return {
            "review_date": self.review.review_date,
            "latest": latest_review(self.settings.plans, self.name).review_date,
            "decisions": [d.as_dict() for d in decisions],
            "scenarios": self.desk.scenarios(self.review.review_date),
            "overrides": self.desk.overrides().to_dict("records"),
        }

    def decide(self, body: DecisionBody) -> Json:
        """Keep a decision."""
        self._known(body)
        wish = PlannerDecision(
            unique_id=body.unique_id,
            version=body.version,
            state=body.state,
            quantity=body.quantity,
            who=body.who,
            why=body.why,
        )
        return self.desk.decide(body.review_date, wish).as_dict()

    def undo(self, body: UndoBody) -> Json:
        """Bring back what stood before."""
        self._known(body)
        return self.desk.undo(body.review_date, body.unique_id, body.version, body.who).as_dict()

    def override(self, body: OverrideBody) -> Json:
        """Keep an override; the next replenishment run plans with it."""
        self._known(body)
        wish = ForecastOverride(body.unique_id, body.first, body.last, body.kind, body.value)
        return {"id": self.desk.override(wish, body.who, body.why)}

    def withdraw(self, body: WithdrawalBody) -> Json:
        """Take an override back."""
        if not self.desk.withdraw(body.id, body.who):
            raise InvalidInputError(f"override {body.id} does not stand any more.")
        return {"id": body.id}

    def what_if(self, body: AssumptionsBody) -> Json:
        """Plan again under assumptions; nothing is kept."""
        return self._outlook(body).as_dict(_MOST_CHANGES)

    def _outlook(self, body: AssumptionsBody) -> SideBySide:
        self._of_review(body.review_date)
        review = self.review
        said = self.desk.overrides().drop(columns="id") if body.with_overrides else None
        overrides = review.kept.overrides() if said is None else said
        snapshot = self.settings.snapshots / review.kept.snapshot
        for place in (snapshot, review.folder / "derived", review.folder / "forecast"):
            if not place.is_dir():  # tables that are not there would be read as "nothing known"
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))
        files = review_files_of(review.folder, snapshot, overrides)
        plan = read_plan(review.folder / "orders.csv")
        predict = None
        if self.predict is not None and body.assumptions.changes_price:
            predict = self.predict(review.kept.name, number_of(str(plan["model_version"].iloc[0])))
        with self._planning:
            return what_if(files, plan, review.kept.config.inventory, body.assumptions, predict)

    def save_scenario(self, body: ScenarioBody) -> Json:
        """Plan again under assumptions, and keep what came out under a name."""
        found = self._outlook(body)
        after = found.changes.set_index("unique_id")["after"].dropna()
        orders = {str(name): float(quantity) for name, quantity in after.items()}
        assumed = body.model_dump(exclude={"review_date", "name", "who", "why"})
        kept = PlannedScenario(body.name, assumed, found.as_dict(_MOST_CHANGES), orders)
        number = self.desk.save_scenario(body.review_date, kept, body.who, body.why)
        return {"id": number, "scenarios": self.desk.scenarios(body.review_date)}

    def remove_scenario(self, body: KeptScenarioBody) -> Json:
        """Take a scenario off the list."""
        return self._removed(body, back=False)

    def restore_scenario(self, body: KeptScenarioBody) -> Json:
        """Undo a removal."""
        return self._removed(body, back=True)

    def _removed(self, body: KeptScenarioBody, *, back: bool) -> Json:
        if not self.desk.remove_scenario(body.id, body.who, back=back):
            raise InvalidInputError(f"scenario {body.id} is {'there' if back else 'gone'} already.")
        return {"scenarios": self.desk.scenarios(self.review.review_date)}

    def take_scenario(self, body: KeptScenarioBody) -> Json:
        """Take a scenario's orders: each that differs becomes a planner's change."""
        name, orders = self._scenario(body)
        stands = self.desk.decisions(body.review_date)
        kept = []
        for unique_id, quantity in orders.items():
            before = stands.get(unique_id)
            if before is not None and before.state != OPEN:
                kept.append(unique_id)  # somebody decided: that is not overruled by a list
                continue
            wish = PlannerDecision(
                unique_id=unique_id,
                version=before.version if before else 0,
                state=CHANGED,
                quantity=quantity,
                who=body.who,
                why=_reason(body.id, name),
            )
            try:
                self.desk.decide(body.review_date, wish)
            except DecidedMeanwhileError:
                kept.append(unique_id)
        return {"taken": len(orders) - len(kept), "kept": kept[:_MOST_CHANGES],
                "num_kept": len(kept)}  # fmt: skip

    def give_back_scenario(self, body: KeptScenarioBody) -> Json:
        """Undo a taking: orders that still stand as the scenario left them are open again."""
        name, _ = self._scenario(body)
        done = 0
        for unique_id, decision in self.desk.decisions(body.review_date).items():
            if decision.why != _reason(body.id, name) or decision.state != CHANGED:
                continue
            with suppress(DecidedMeanwhileError):
                self.desk.undo(body.review_date, unique_id, decision.version, body.who)
                done += 1
        return {"given_back": done}

    def _scenario(self, body: KeptScenarioBody) -> tuple[str, dict[str, float]]:
        self._of_review(body.review_date)
        found = self.desk.scenario_orders(body.id)
        if found is None or found[0] != body.review_date:
            raise InvalidInputError(f"there is no scenario {body.id} of this plan.")
        return found[1], found[2]

    def orders(self) -> Download:
        """Return orders.csv with the decisions in it."""
        return _as_csv(self._decided(), "orders.csv")

    def standing_overrides(self) -> Download:
        """Return the overrides that stand, in the columns that a mapping reads."""
        return _as_csv(self.desk.overrides().drop(columns="id"), "overrides.csv")

    def draft(self, kind: str) -> Download:
        """Return the decided orders as the importer of an ERP takes them.

        Args:
            kind: One of DRAFTS.
        """
        texts = {"unique_id": str, "supplier": str}
        bought = read_csv(self.review.folder / "purchase_orders.csv", dtype=texts)
        lines = draft_lines(bought, self._decided())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "draft.xlsx"
            DRAFTS[kind](lines, self.review.kept.config.currency, file)
            content = file.read_bytes()
        return Download(f"{kind}-{self.review.review_date}.xlsx", _XLSX, content)

    def _decided(self) -> pd.DataFrame:
        plan = read_plan(self.review.folder / "orders.csv")
        return with_decisions(plan, self.desk.decisions(self.review.review_date))

    def _of_review(self, review_date: str) -> None:
        if review_date != self.review.review_date:
            raise InvalidInputError(
                f"the plan of {review_date} was replaced by that of "
                f"{self.review.review_date}: load the page again; what was decided is kept."
            )

    def _known(self, body: DecisionBody | UndoBody | OverrideBody) -> None:
        self._of_review(body.review_date)
        if body.unique_id not in self.review.unique_ids:
            raise InvalidInputError(f"the plan has no series {body.unique_id!r}.")


def with_decisions(plan: pd.DataFrame, decided: Mapping[str, PlannerDecision]) -> pd.DataFrame:
    """Return a plan as it was decided: quantities, values, and by whom and why.

    Args:
        plan: Of the review, a row per series; filled in place.
        decided: What stands, by series; series that the plan has not are passed over.

    Returns:
        The plan with the columns planned_quantity, decision, decided_by and decided_why; rejected
        and snoozed orders are 0, and money follows the units.
    """
    plan["planned_quantity"] = plan["order_quantity"]
    for column in ("decision", "decided_by", "decided_why"):
        plan[column] = ""
    place = {name: row for row, name in enumerate(plan["unique_id"])}
    quantity = plan["order_quantity"].to_numpy(np.float64).copy()
    for name, decision in decided.items():
        row = place.get(name)
        if row is None:
            continue
        plan.loc[row, ["decision", "decided_by", "decided_why"]] = [
            decision.state, decision.who, decision.why,
        ]  # fmt: skip
        if decision.quantity is not None:
            quantity[row] = decision.quantity
        elif decision.state in (REJECTED, SNOOZED):
            quantity[row] = 0
    before = plan["order_quantity"].to_numpy(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = plan["order_value"].to_numpy(np.float64) / before
    moved = np.nan_to_num(quantity, nan=-1) != np.nan_to_num(before, nan=-1)
    value = np.where(quantity == 0, 0, unit * quantity).round(2)
    plan["order_quantity"] = quantity
    plan["order_value"] = np.where(moved, value, plan["order_value"])
    return plan


def _reason(number: int, name: str) -> str:
    return f"scenario {number}: {name}"


def _as_csv(frame: pd.DataFrame, name: str) -> Download:
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder) / name, frame)
        content = (Path(folder) / name).read_bytes()
    return Download(name, "text/csv; charset=utf-8", content)
