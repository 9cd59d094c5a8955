"""Monitors replayed week by week on one panel: what they saw, decided and paid."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from benchmarks._log_linear import LogLinear
from invopt.cleaning import estimate_demand
from invopt.config import (
    GateConfig,
    GovernorConfig,
    InventoryConfig,
    ModelConfig,
    MonitoringConfig,
    RetrainingConfig,
)
from invopt.evaluation import Forecasts
from invopt.forecasts import ForecastArrays
from invopt.gate import compare_costs
from invopt.inventory import terms_of
from invopt.monitoring.evidence import Evidence, Reports, gather_evidence
from invopt.monitoring.performance import Scoring, performance_records, series_outcomes
from invopt.monitoring.retraining_decision import KEPT, PROMOTED, RetrainingDecision, Situation
from invopt.monitoring.subject import Subject
from invopt.panel import Panel
from invopt.types import Float32Array
from serving.stores.governor_store import GovernorStore

WEEK, HORIZON, GATE_WEEKS = 7, 14, 4
FIRST_CUTOFF = 140
MONITORING = MonitoringConfig(num_bootstrap=200)
GOVERNOR, RETRAINING = GovernorConfig(), RetrainingConfig()
# Share of a training sample that ends in the newest weeks, and how many these are.
Recipe = tuple[float, int]
EVEN, NEWEST, RECENT = (0.0, 1), (RETRAINING.urgent_share, 1), (RETRAINING.recent_share, 4)


class Remembered:
    """Forecasts of one panel, each cutoff made once: the past does not change."""

    def __init__(self, forecasts: Forecasts, panel: Panel) -> None:
        self.forecasts, self.panel = forecasts, panel
        self.made: dict[int, ForecastArrays] = {}

    def predict(self, panel: Panel, cutoff: int | None = None) -> ForecastArrays:
        """Return forecasts of every series after period `cutoff`."""
        cutoff = panel.num_periods - 1 if cutoff is None else cutoff
        if panel.num_series != self.panel.num_series:
            return self.forecasts.predict(panel, cutoff)
        if cutoff not in self.made:
            self.made[cutoff] = self.forecasts.predict(self.panel, cutoff)
        return self.made[cutoff]


def features(panel: Panel, cutoffs: list[int]) -> tuple[tuple[str, ...], Float32Array]:
    """Return price, discount and the level of sales as a model would see them."""
    used = ("price", "promotion_discount", "discount", "snap", "temperature")
    names = [n for n in used if n in panel.channels]
    blocks = []
    for cutoff in cutoffs:
        ahead = slice(cutoff + 1, cutoff + 1 + WEEK)
        columns = []
        for name in names:
            channel = panel.channels[name]
            rows = panel.group_index(channel.level, channel.groups)
            values = channel.until(cutoff + 1 + WEEK)[rows, ahead].astype(np.float64).mean(axis=1)
            columns.append(np.log(values) if name == "price" else values)
        past = np.asarray(panel.y[:, max(0, cutoff - 27) : cutoff + 1], np.float64)
        columns.append(np.log1p(past.mean(axis=1)))
        blocks.append(np.column_stack(columns))
    return (*names, "level"), np.stack(blocks).astype(np.float32)


def scoring_of(panel: Panel, inventory: InventoryConfig) -> Scoring:
    """Return the scoring of a panel whose prices are those of its last period."""
    price = panel.channels["price"].until(panel.num_periods)[:, -1].astype(np.float64)
    return Scoring(WEEK, terms_of(panel.series, price, inventory), is_count=True)


@dataclass
class Diary:
    """What a monitor did.

    Attributes:
        actions: By week: cutoff of the period judged, action and causes that fired.
        trained: Periods of the panel after which a model was trained, the first one included.
        causes: Of the trainings that were started, those whose model was not promoted too.
    """

    actions: list[tuple[int, str, frozenset[str]]] = field(default_factory=list)
    trained: list[int] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)

    @property
    def runs(self) -> int:
        """Trainings that were started."""
        return len(self.causes)

    def count(self, action: str) -> int:
        """Return how often an action was taken."""
        return sum(a == action for _, a, _ in self.actions)


def monitored(
    panel: Panel, model: LogLinear, trained_stop: int, ends: list[int], inventory: InventoryConfig
) -> tuple[Diary, list[tuple[int, LogLinear]]]:
    """Return the diary of a governed monitor and the models it used, each from when on.

    Args:
        panel: All of it; every week sees only its past.
        model: The first champion.
        trained_stop: Periods it learned from.
        ends: Numbers of periods known at each week's review.
        inventory: Costs.
    """
    diary, models = Diary(trained=[trained_stop]), [(0, model)]
    store = GovernorStore("sqlite://")
    known: pd.DataFrame | None = earlier_records(panel, trained_stop, ends[0], inventory)
    current: Forecasts = Remembered(model, panel)
    judged = challenger_of(panel.truncate(trained_stop), inventory)
    for end in ends:
        past = panel.truncate(end)
        scoring = scoring_of(past, inventory)
        subject = Subject(
            current,
            features,
            scoring,
            channels=(),
            first_cutoff=FIRST_CUTOFF,
            trained_stop=diary.trained[-1],
        )
        evidence = gather_evidence(subject, past, MONITORING, Reports(known=known))
        known = evidence.records
        now = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=end)
        decision, claim = store.decide(situation(evidence), GOVERNOR, now, str(end))
        causes = frozenset(s.cause for s in evidence.signals if s.fires)
        diary.actions.append((end - WEEK, decision.action, causes))
        if claim is not None:
            store.begin(claim, "run", GOVERNOR, now)
            diary.causes.append(decision.cause)
            lasting = decision.streaks.get(decision.cause, 0)
            calm = past.truncate(end - WEEK * min(lasting, GATE_WEEKS))
            challenger = challenger_of(calm, inventory)
            better = passes_gate(calm, challenger, judged, inventory)
            store.finish(claim, PROMOTED if better else KEPT, now)
            if better:
                diary.trained.append(end)
                models.append((end, fitted(past, end, recipe_of(decision))))
                current, judged = Remembered(models[-1][1], panel), challenger
    store.close()
    return diary, models


def earlier_records(
    panel: Panel, trained_stop: int, end: int, inventory: InventoryConfig
) -> pd.DataFrame:
    """Return what the champion before, a year older, made of the weeks it had not seen."""
    past, first = panel.truncate(end), trained_stop - 364
    cutoffs = [c for c in range(end - 1 - WEEK, first, -WEEK) if c < trained_stop][::-1]
    before = Remembered(fitted(panel, first), past)
    records = performance_records(before, past, cutoffs, scoring_of(past, inventory))
    return records.assign(in_sample=False)


def fitted(panel: Panel, stop: int, recipe: Recipe = EVEN) -> LogLinear:
    """Return a model of the year before a period."""
    model = LogLinear(
        horizon=HORIZON,
        config=ModelConfig(),
        num_cutoffs=26,
        newest_share=recipe[0],
        newest_weeks=recipe[1],
    )
    return model.fit(panel, stop, 364)


def recipe_of(decision: RetrainingDecision) -> Recipe:
    """Return how the training that a decision starts draws its sample (Config.for_retraining)."""
    if decision.urgent:
        return NEWEST
    return RECENT if decision.cause in decision.streaks else EVEN


def challenger_of(calm: Panel, inventory: InventoryConfig) -> LogLinear:
    """Return the model of everything before the gate's weeks: the one that is judged."""
    return fitted(calm, min(_gate_ends(calm, inventory)))


def passes_gate(
    calm: Panel, challenger: LogLinear, judged: LogLinear, inventory: InventoryConfig
) -> bool:
    """Return whether a challenger's orders cost about what the champion's did before the change.

    As in the training pipeline: what stands in for a champion that learned from these weeks is
    the model that was judged in its place; what is not clearly more expensive by more than
    retraining.max_cost_increase passes, and is trained again on all weeks.

    Args:
        calm: What was known before the change.
        challenger: Trained before the gate's weeks.
        judged: Stands in for the champion.
        inventory: Costs.
    """
    scoring, demand = scoring_of(calm, inventory), estimate_demand(calm)
    costs = [
        sum(
            series_outcomes(m.predict(calm, end - 1), calm, demand, end - 1, scoring)["cost"]
            .to_numpy()
            for end in _gate_ends(calm, inventory)
        )
        for m in (challenger, judged)
    ]  # fmt: skip
    found = compare_costs(costs[0], costs[1], GateConfig(num_bootstrap=300))
    return found.low < RETRAINING.max_cost_increase


def _gate_ends(calm: Panel, inventory: InventoryConfig) -> list[int]:
    longest = scoring_of(calm, inventory).cost_stop(0) - 1
    return [calm.num_periods - longest - WEEK * k for k in range(GATE_WEEKS)]


def situation(evidence: Evidence, model: str = "replay") -> Situation:
    """Return what the governor looks at."""
    return Situation(
        model=model, version=f"{model}-1", start=evidence.start, end=evidence.end,
        conclusive=evidence.conclusive, why_not=evidence.why_not, signals=tuple(evidence.signals),
        new_periods=evidence.new_periods, age_days=evidence.age_days,
        avoidable_cost=evidence.avoidable_cost,
    )  # fmt: skip


def decision_cost(
    panel: Panel, models: list[tuple[int, LogLinear]], ends: list[int], inventory: InventoryConfig
) -> float:
    """Return the cost of each week's orders by the model in use that week.

    Demand is the panel's own: the newsvendor cost over each order's protection interval.
    """
    total = 0.0
    scoring = scoring_of(panel, inventory)
    for end in ends:
        model = [m for since, m in models if since <= end][-1]
        if scoring.cost_stop(end - 1) > panel.num_periods:
            continue
        total += float(performance_records(model, panel, [end - 1], scoring)["cost"].sum())
    return total
