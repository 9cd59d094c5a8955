"""Who looks at what was paged, and until when its alert is quiet."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

_DAY = 86_400.0  # seconds
UNTIL_NEXT_RUN = "the next run"


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """Somebody's word that causes of a run are looked at.

    Attributes:
        run: Monitoring run that paged.
        causes: Causes it paged for; no other is quiet.
        who: Name of the person.
        at: When, aware.
        until: Last day on which later runs are quiet about these causes too; None for this run
            alone, whose alert the next run ends or raises anew.
        reason: What is being done, "" where it was not said.
    """

    run: str
    causes: tuple[str, ...]
    who: str
    at: datetime
    until: date | None = None
    reason: str = ""

    @property
    def ends(self) -> float:
        """End of the last quiet day (UTC), seconds since 1970; infinite for until the next run."""
        if self.until is None:
            return math.inf
        # Of seconds, not of dates: after the last day of the calendar there is none.
        return datetime.combine(self.until, time(), UTC).timestamp() + _DAY

    def in_force(self, run: str, now: datetime) -> bool:
        """Return whether the causes are quiet while a run is the latest one."""
        if self.until is None:
            return run == self.run
        return now.timestamp() < self.ends

    def as_dict(self, run: str, now: datetime) -> dict[str, Any]:
        """Return plain data, as seen while a run is the latest one."""
        return {
            "run": self.run,
            "causes": list(self.causes),
            "who": self.who,
            "at": f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
            "until": self.until.isoformat() if self.until else UNTIL_NEXT_RUN,
            "reason": self.reason,
            "ends": None if self.until is None else self.ends,
            "in_force": self.in_force(run, now),
        }


def told(row: Mapping[str, Any]) -> str:
    """Return an acknowledgement (as_dict) as a sentence without a full stop."""
    about = f"{', '.join(row['causes'])} of {row['run']}"
    reason = f": {row['reason']}" if row["reason"] else ""
    return f"{about} acknowledged by {row['who']} at {row['at']}, until {row['until']}{reason}"
