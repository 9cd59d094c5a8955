"""What planners decide about orders and say instead of the forecast: kept, with who and why.

Rows are only added. A decision has a version by review and series, unique in the database: of two
planners who start from the same version one is told what the other did, and nothing is lost.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from invopt.errors import InvalidInputError

OPEN, ACCEPTED, CHANGED, SNOOZED, REJECTED = STATES = (
    "open", "accepted", "changed", "snoozed", "rejected",
)  # fmt: skip
_META = sa.MetaData()
_DECISIONS = sa.Table(
    "decisions",
    _META,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("review_date", sa.Text, nullable=False),
    sa.Column("unique_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("quantity", sa.Float),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("made_at", sa.Text, nullable=False),
    sa.UniqueConstraint("review_date", "unique_id", "version"),
)
_OVERRIDES = sa.Table(
    "overrides",
    _META,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("unique_id", sa.Text, nullable=False),
    sa.Column("from", sa.Text, nullable=False),
    sa.Column("to", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("made_at", sa.Text, nullable=False),
    sa.Column("withdrawn_by", sa.Text),
    sa.Column("withdrawn_at", sa.Text),
)
_SCENARIOS = sa.Table(
    "scenarios",
    _META,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("review_date", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("assumptions", sa.JSON, nullable=False),
    sa.Column("outlook", sa.JSON, nullable=False),
    sa.Column("orders", sa.JSON, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("made_at", sa.Text, nullable=False),
    sa.Column("removed_by", sa.Text),
    sa.Column("removed_at", sa.Text),
)
_OVERRIDE_COLUMNS = ("unique_id", "from", "to", "kind", "value", "who", "why", "made_at")


@dataclass(frozen=True)
class PlannerDecision:
    """What stands for one order now.

    Attributes:
        unique_id: Series.
        version: 0 where nobody has decided.
        state: One of STATES.
        quantity: Units in place of the plan's where `changed`; None elsewhere.
        who: Planner.
        why: Their reason, "" for none.
        made_at: UTC, ISO.
    """

    unique_id: str
    version: int = 0
    state: str = OPEN
    quantity: float | None = None
    who: str = ""
    why: str = ""
    made_at: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class ForecastOverride:
    """What a planner says instead of the forecast of a series.

    Attributes:
        unique_id: Series.
        first: Date from which it is said.
        last: Last date.
        kind: What `value` is: "demand" or "factor".
        value: Units over the dates in all, or times the forecast.
    """

    unique_id: str
    first: str
    last: str
    kind: str
    value: float


@dataclass(frozen=True)
class PlannedScenario:
    """A plan under assumptions, as it is kept.

    Attributes:
        name: Planners' own.
        assumptions: As plain data.
        outlook: What came out, as plain data.
        orders: Units of each series whose order differs from the plan's.
    """

    name: str
    assumptions: dict[str, Any]
    outlook: dict[str, Any]
    orders: dict[str, float]


class DecidedMeanwhileError(Exception):
    """Somebody else was first; `now` is what they decided."""

    def __init__(self, now: PlannerDecision) -> None:
        super().__init__(f"{now.unique_id} was decided meanwhile")
        self.now = now


class PlannerDesk:
    """Decisions and overrides of one model's reviews.

    Args:
        file: SQLite database; made where it is not there.

    Raises:
        InvalidInputError: If it is there and cannot be read, or cannot be made.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._engine = sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})
        try:
            _META.create_all(self._engine)
        except sa.exc.DatabaseError as err:
            raise _unreadable(file, err) from err

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    @contextmanager
    def _session(self) -> Iterator[sa.Connection]:
        """Yield a connection; what it does is kept when all of it went well.

        Raises:
            InvalidInputError: If the disk is full, the file is read-only, locked or damaged.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.IntegrityError:  # somebody else was first: the caller says so
            raise
        except sa.exc.DatabaseError as err:
            raise InvalidInputError(
                f"nothing was saved: {self._file} cannot be used ({err.orig}). Is the disk full, "
                "the folder read-only, or does another program hold the file? Then try again."
            ) from err

    def decisions(self, review_date: str) -> dict[str, PlannerDecision]:
        """Return what stands for each series that anybody has decided about."""
        table = _DECISIONS
        query = sa.select(table).where(table.c.review_date == review_date).order_by(table.c.version)
        with self._session() as connection:
            return {row.unique_id: _decision(row) for row in connection.execute(query)}

    def history(self, review_date: str, unique_id: str) -> list[PlannerDecision]:
        """Return every decision about an order, the first one first."""
        table = _DECISIONS
        query = (
            sa.select(table)
            .where(table.c.review_date == review_date, table.c.unique_id == unique_id)
            .order_by(table.c.version)
        )
        with self._session() as connection:
            return [_decision(row) for row in connection.execute(query)]

    def decide(self, review_date: str, wish: PlannerDecision) -> PlannerDecision:
        """Add a decision, and return it with the version it has.

        Args:
            review_date: Of the order's review.
            wish: What is decided; its version is the one it was made looking at.

        Raises:
            DecidedMeanwhileError: If that version is no longer the latest.
        """
        unique_id = wish.unique_id
        made = replace(wish, version=wish.version + 1, made_at=_now())
        before = self.history(review_date, unique_id)
        if (before[-1].version if before else 0) != wish.version:
            raise DecidedMeanwhileError(before[-1] if before else PlannerDecision(unique_id))
        try:
            with self._session() as connection:
                connection.execute(
                    sa.insert(_DECISIONS).values(review_date=review_date, **made.as_dict())
                )
        except sa.exc.IntegrityError as err:
            raise DecidedMeanwhileError(self.history(review_date, unique_id)[-1]) from err
        return made

    def undo(self, review_date: str, unique_id: str, version: int, who: str) -> PlannerDecision:
        """Bring back what stood before a version, as a decision of its own; see decide."""
        before = self.history(review_date, unique_id)[: max(version - 1, 0)]
        last = before[-1] if before else PlannerDecision(unique_id)
        wish = replace(last, version=version, who=who, why=f"undid {version}")
        return self.decide(review_date, wish)

    def override(self, wish: ForecastOverride, who: str, why: str) -> int:
        """Keep what a planner says instead of a forecast, and return its id."""
        values = {
            "unique_id": wish.unique_id, "from": wish.first, "to": wish.last, "kind": wish.kind,
            "value": wish.value, "who": who, "why": why, "made_at": _now(),
        }  # fmt: skip
        with self._session() as connection:
            found = connection.execute(sa.insert(_OVERRIDES).values(values))
        assert found.inserted_primary_key is not None
        return int(found.inserted_primary_key[0])

    def withdraw(self, number: int, who: str) -> bool:
        """Take an override back; False where somebody has already, or it never was."""
        table = _OVERRIDES
        query = (
            sa.update(table)
            .where(table.c.id == number, table.c.withdrawn_by.is_(None))
            .values(withdrawn_by=who, withdrawn_at=_now())
        )
        with self._session() as connection:
            return connection.execute(query).rowcount == 1

    def save_scenario(self, review_date: str, scenario: PlannedScenario, who: str, why: str) -> int:
        """Keep a scenario with what came out, and return its id.

        Args:
            review_date: Of the plan that it is beside.
            scenario: What was assumed, and what came out.
            who: Planner.
            why: Their reason, "" for none.
        """
        kept = {"review_date": review_date, **asdict(scenario), "who": who, "why": why,
                "made_at": _now()}  # fmt: skip
        with self._session() as connection:
            found = connection.execute(sa.insert(_SCENARIOS).values(kept))
        assert found.inserted_primary_key is not None
        return int(found.inserted_primary_key[0])

    def scenarios(self, review_date: str) -> list[dict[str, Any]]:
        """Return the scenarios of a review that were not removed, the first one first."""
        table = _SCENARIOS
        columns = [c for c in table.c if c.name not in ("orders", "removed_by", "removed_at")]
        query = (
            sa.select(*columns)
            .where(table.c.review_date == review_date, table.c.removed_by.is_(None))
            .order_by(table.c.id)
        )
        with self._session() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def scenario_orders(self, number: int) -> tuple[str, str, dict[str, float]] | None:
        """Return review date, name and differing orders of a scenario; None where there is none."""
        query = sa.select(_SCENARIOS).where(_SCENARIOS.c.id == number)
        with self._session() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.review_date, row.name, row.orders)

    def remove_scenario(self, number: int, who: str, *, back: bool = False) -> bool:
        """Remove a scenario, or bring a removed one back; False where that was done already."""
        column = _SCENARIOS.c.removed_by
        query = (
            sa.update(_SCENARIOS)
            .where(_SCENARIOS.c.id == number, column.is_not(None) if back else column.is_(None))
            .values(removed_by=None if back else who, removed_at=None if back else _now())
        )
        with self._session() as connection:
            return connection.execute(query).rowcount == 1

    def overrides(self) -> pd.DataFrame:
        """Return the overrides that stand, with their id, in the columns that planning reads."""
        table = _OVERRIDES
        query = sa.select(table).where(table.c.withdrawn_by.is_(None)).order_by(table.c.id)
        with self._session() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        return pd.DataFrame(rows, columns=["id", *_OVERRIDE_COLUMNS])


def desk_file(plans: Path, name: str) -> Path:
    """Return where a model's planners keep what they decide."""
    return plans / name / "desk.db"


def planners_overrides(plans: Path, name: str) -> pd.DataFrame | None:
    """Return what planners say instead of the forecast; None where nobody says anything.

    Raises:
        InvalidInputError: If it is there and cannot be read.
    """
    file = desk_file(plans, name)
    if not file.is_file():
        return None
    try:
        desk = PlannerDesk(file)
        found = desk.overrides().drop(columns="id")
        desk.close()
    except sa.exc.DatabaseError as err:
        raise _unreadable(file, err) from err
    return found if len(found) else None


def _unreadable(file: Path, err: sa.exc.DatabaseError) -> InvalidInputError:
    return InvalidInputError(
        f"what planners decided cannot be read from {file}: {err.orig}. Bring back a copy of "
        "it, or move it away to plan without their overrides."
    )


def _decision(row: Any) -> PlannerDecision:
    return PlannerDecision(
        row.unique_id,
        row.version,
        row.state,
        quantity=row.quantity,
        who=row.who,
        why=row.why,
        made_at=row.made_at,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
