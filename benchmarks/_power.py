"""How soon a lasting change of demand is found: put into the panel at many weeks, looked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks._log_linear import LogLinear
from benchmarks._replay import MONITORING, WEEK, Remembered
from benchmarks._scenarios import scaled
from invopt.monitoring.changes import performance_signals
from invopt.monitoring.performance import Scoring, performance_records
from invopt.panel import Panel

SHIFT = 1.1
_FOUND = "demand_shift up"


@dataclass(frozen=True)
class Power:
    """Of one panel, or of one place of it.

    Attributes:
        starts: Weeks that a shift was put at.
        first: Of these, found within one week.
        second: Found within two.
        clean: Weeks looked at without a shift.
        false: Of these, found all the same.
    """

    starts: int
    first: int
    second: int
    clean: int
    false: int

    def __add__(self, other: "Power") -> "Power":
        """Return both together."""
        return Power(*(a + b for a, b in zip(_numbers(self), _numbers(other), strict=True)))

    def row(self, name: str) -> tuple[object, ...]:
        """Return a row of the table, with the interval of the share found within two weeks."""
        low, high = wilson(self.second, self.starts)
        return (
            name, self.starts, f"{self.first / self.starts:.1%}",
            f"{self.second / self.starts:.1%}", f"{low:.1%} to {high:.1%}",
            f"{self.false / self.clean:.1%}",
        )  # fmt: skip


HEAD = ("panel", "weeks shifted", "found within one", "within two (goal 90 %)",
        "95 % interval", "found where nothing was")  # fmt: skip


def power_of(
    panel: Panel, model: LogLinear, scoring: Scoring, judged: Sequence[int], seed: int
) -> tuple[Power, Power]:
    """Return how often a rise of a tenth is found: at the company, and at each location alone.

    Customers come a tenth more often from a week on, and forecasts are made anew of what they
    then buy.

    Args:
        panel: All of it.
        model: Trained before.
        scoring: Without terms: money is not looked at.
        judged: Cutoffs of the weeks that are shifted, a week apart; history goes before.
        seed: Of the added customers.
    """
    first = judged[0] - MONITORING.history * WEEK
    cutoffs = [c for c in range(judged[-1] + WEEK, first - 1, -WEEK) if c >= 140][::-1]
    clean = performance_records(Remembered(model, panel), panel, cutoffs, scoring)
    rng = np.random.default_rng(seed)
    whole, local = Power(0, 0, 0, 0, 0), Power(0, 0, 0, 0, 0)
    places = sorted(set(clean["location"]))
    for start in judged:
        shifted = performance_records(
            model, _shifted(panel, start, rng), [start, start + WEEK], scoring
        )
        known = pd.concat([clean[clean["cutoff"] < start], shifted])
        calm = clean[clean["cutoff"] <= start]
        whole += _found(known, calm, start)
        for place in places if len(places) > 1 else []:
            own = known["location"] == place
            local += _found(known[own], calm[calm["location"] == place], start)
    return whole, local


def _shifted(panel: Panel, start: int, rng: np.random.Generator) -> Panel:
    past = panel.truncate(start + 1 + 2 * WEEK)
    y = np.array(past.y)
    y[:, start + 1 :] = scaled(y[:, start + 1 :], SHIFT, rng)
    return replace(past, y=y)


def _found(known: pd.DataFrame, calm: pd.DataFrame, start: int) -> Power:
    one = _fires(known[known["cutoff"] <= start])
    two = one or _fires(known)
    return Power(1, int(one), int(two), 1, int(_fires(calm)))


def _fires(records: pd.DataFrame) -> bool:
    return any(s.fires and s.cause == _FOUND for s in performance_signals(records, MONITORING))


def _numbers(power: Power) -> tuple[int, ...]:
    return power.starts, power.first, power.second, power.clean, power.false


def wilson(found: int, number: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927), as if weeks were independent."""
    share, z = found / number, 1.96
    centre = (share + z * z / (2 * number)) / (1 + z * z / number)
    half = z * np.sqrt(share * (1 - share) / number + z * z / (4 * number**2))
    return centre - float(half) / (1 + z * z / number), centre + float(half) / (1 + z * z / number)
