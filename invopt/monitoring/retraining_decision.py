"""What the governor is told, what it remembers, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from invopt.monitoring.signals import LATE, UNREADABLE, Signal, present_name

IGNORE, ALERT, RETRAIN, PAGE = "ignore", "alert", "retrain", "page"
ACTIONS = (IGNORE, ALERT, RETRAIN, PAGE)
# How a retraining ends; None while it runs.
PROMOTED, KEPT, FAILED, EXPIRED = "promoted", "kept", "failed", "expired"
OUTCOMES = (PROMOTED, KEPT, FAILED, EXPIRED)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a decision is about.

    Attributes:
        model: Registered name.
        version: Of the champion.
        start: First day of the period judged (ISO date).
        end: First day of its last period, by which it is known.
        conclusive: False when too little is known to conclude anything.
        why_not: Why not, "" when it is conclusive.
        signals: Of the period.
        new_periods: Periods of data since those the champion was trained on.
        age_days: Days of them.
        last_day: Of the period, "" where it was not told; weeks and months go on after `end`.
        avoidable_cost: Money a period that a model which had learned what is seen would save; None
            where it is not known.
    """

    model: str
    version: str
    start: str
    end: str
    conclusive: bool
    why_not: str
    signals: tuple[Signal, ...]
    new_periods: int
    age_days: int = 0
    last_day: str = ""
    avoidable_cost: float | None = None

    @property
    def window(self) -> str:
        """The period as text."""
        return f"{self.start}..{self.end}"


@dataclass(frozen=True)
class Retraining:
    """One retraining that was asked for.

    Attributes:
        key: Of model, window and cause; never used twice.
        claimed_at: When it was decided.
        lease_until: Until when nobody else may start one.
        started_at: None while it was only claimed.
        outcome: promoted, kept, failed, expired; None while it runs.
        cause: What it was for.
        promised: Money a period that was avoidable when it was decided; None where unknown.
        saved: Money a period that it saved; None while unknown.
    """

    key: str
    claimed_at: datetime
    lease_until: datetime
    started_at: datetime | None
    outcome: str | None
    cause: str = ""
    promised: float | None = None
    saved: float | None = None


@dataclass(frozen=True)
class Memory:
    """What was decided before.

    Attributes:
        causes: By end of period (ISO date): the causes that fired in it, judged last.
        paged: By cause: end of the period it was last paged for.
        retrainings: Of the model, oldest first.
        switched_off: Why somebody turned retraining off, "" while it is on.
        reset_at: When somebody last turned it on; failures before do not count.
        last_decision: When the last decision was taken; None for the first.
        urgent: Ends of the periods whose change was urgent.
    """

    causes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    paged: Mapping[str, str] = field(default_factory=dict)
    retrainings: Sequence[Retraining] = ()
    switched_off: str = ""
    reset_at: datetime | None = None
    last_decision: datetime | None = None
    urgent: frozenset[str] = frozenset()

    @property
    def judged(self) -> dict[str, frozenset[str]]:
        """Causes by end of period, those left out whose data have not come or cannot be read."""
        return {
            end: found
            for end, found in self.causes.items()
            if found != {UNREADABLE} and LATE not in found
        }


@dataclass(frozen=True)
class Brake:
    """One condition of a retraining.

    Attributes:
        name: Of the condition.
        rule: In words.
        value: What was found.
        limit: What it is compared with.
        blocks: True when it stops the retraining.
    """

    name: str
    rule: str
    value: float | str
    limit: float | str
    blocks: bool

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Brake":
        """Read a brake as it was written down; `blocks` was `holds` before 0.2."""
        former = {"blocks": content["holds"]} if "holds" in content else {}
        return cls(**({k: v for k, v in content.items() if k != "holds"} | former))


@dataclass(frozen=True, kw_only=True)
class RetrainingDecision:
    """The governor's answer.

    Attributes:
        action: ignore, alert, retrain or page.
        reasons: Why, most important first.
        cause: What a retraining is for, "" without one.
        key: Idempotency key of the retraining the evidence asks for, "" without one.
        brakes: Every condition, when the evidence asks for a retraining.
        streaks: By cause that fires: periods in a row, this one included.
        dry_run: True when nothing may follow from it.
        paged: Causes this decision pages for.
        urgent: True when what a retraining is for is far beyond its limit.
    """

    action: str
    reasons: list[str]
    cause: str = ""
    key: str = ""
    brakes: list[Brake] = field(default_factory=list)
    streaks: dict[str, int] = field(default_factory=dict)
    dry_run: bool = False
    paged: list[str] = field(default_factory=list)
    urgent: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "RetrainingDecision":
        """Read what as_dict wrote; former names of signals and brakes are read as the present."""
        present = {
            "cause": present_name(content["cause"]),
            "brakes": [Brake.from_dict(b) for b in content["brakes"]],
            "streaks": {present_name(c): n for c, n in content["streaks"].items()},
            "paged": [present_name(c) for c in content["paged"]],
        }
        return cls(**(dict(content) | present))
