"""A signal: one number beside what it should be, how sure that is, and what it argues for."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from invopt.types import BoolArray

# What a signal is about. Training can improve performance; it cannot help the others.
PERFORMANCE, DRIFT, SUPPLY, DATA, SERVING = "performance", "drift", "supply", "data", "serving"
SUPPLIERS = "suppliers"
# The one signal of a period whose data could not be read: nothing else was judged.
UNREADABLE = "unreadable_data"
# Data end where they ended before: what is due is estimated, nothing is concluded.
LATE = "no_new_data"
# The last days of one place have not come, and those of others have.
LATE_FILE = "late_file"
# Sales over forecast. Its opposite, forecast over sales, is the metric "bias".
DEMAND_SHIFT = "demand_shift"
_FORMER_NAMES = {"bias": DEMAND_SHIFT}


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One finding of one period.

    Attributes:
        name: What was looked at; stable, because persistence is counted by it.
        kind: performance, drift, supply, suppliers, data or serving.
        value: What was found; NaN where it could not be.
        expected: What the reference says.
        limit: Distance from expected from which on it fires.
        p_value: Chance of a distance like this when nothing changed; NaN for a rule, which is no
            test.
        fires: True when it does.
        pages: True when it is worth waking somebody by itself.
        text: The finding as a sentence, with its numbers.
        effect: Money per period it concerns, 0 where unknown; causes are ranked by it.
        estimated: True when actuals are not in and this is what the forecast implies.
        spoils: True when nothing may be trained on such data, though nobody is woken.
        places: Locations a fault of the data is about.
        series: Series it is about, where it is not all of the places'.
        part_of: Name of the signal that explains this one, "" where it stands for itself.
        explained: What was planned and explains it, "" where nothing does; then it does not fire.
        since: First day of what was found, YYYY-MM-DD: of a fault that is seen day by day, or of
            the periods that were judged together; "" where it is the period's own.
    """

    name: str
    kind: str
    value: float
    expected: float
    limit: float
    p_value: float
    fires: bool
    text: str
    pages: bool = False
    effect: float = 0.0
    estimated: bool = False
    spoils: bool = False
    explained: str = ""
    places: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    part_of: str = ""
    since: str = ""

    @property
    def direction(self) -> int:
        """1 above what was expected, -1 below."""
        return 1 if self.value >= self.expected else -1

    @property
    def cause(self) -> str:
        """Name and direction: what persists over periods."""
        if self.kind != PERFORMANCE:
            return self.name
        return f"{self.name} {'up' if self.direction > 0 else 'down'}"

    @property
    def strength(self) -> float:
        """Distance from what was expected, in limits; NaN where either is unknown."""
        return abs(self.value - self.expected) / self.limit if self.limit > 0 else float("nan")

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, the cause included."""
        return asdict(self) | {"cause": self.cause}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Signal":
        """Read what as_dict wrote; null numbers are NaN."""
        numbers = ("value", "expected", "limit", "p_value", "effect")
        plain = {k: v for k, v in content.items() if k != "cause"}
        plain["name"] = present_name(plain["name"])
        plain["places"] = tuple(plain.get("places", ()))
        plain["series"] = tuple(plain.get("series", ()))
        return cls(**(plain | {n: float("nan") if plain[n] is None else plain[n] for n in numbers}))


def present_name(name: str) -> str:
    """Return the present name of a signal or a cause that was written down under a former one.

    "bias", "bias up" and "bias at S01" are "demand_shift", "demand_shift up" and so on.
    """
    word, space, rest = name.partition(" ")
    return _FORMER_NAMES.get(word, word) + space + rest


def control_false_discoveries(signals: Sequence[Signal], rate: float) -> list[Signal]:
    """Return the signals with those silenced that the false-discovery rate does not allow.

    Benjamini and Hochberg (1995) over the p-values of all signals given, fired or not: looking
    at thirty columns must not find one by chance. Rules, which have no p-value, are left as they
    are.
    """
    tested = [i for i, s in enumerate(signals) if np.isfinite(s.p_value)]
    kept = rejected([signals[i].p_value for i in tested], rate)
    silenced = {i for i, keep in zip(tested, kept, strict=True) if not keep}
    return [replace(s, fires=s.fires and i not in silenced) for i, s in enumerate(signals)]


def rejected(p_values: Iterable[float], rate: float) -> list[bool]:
    """Return which null hypotheses Benjamini and Hochberg's step-up procedure rejects."""
    p = np.asarray(list(p_values), np.float64)
    if not len(p):
        return []
    order = np.argsort(p, kind="stable")
    passed = p[order] <= rate * np.arange(1, len(p) + 1) / len(p)
    cut = int(np.flatnonzero(passed).max()) + 1 if passed.any() else 0
    found = np.zeros(len(p), bool)
    found[order[:cut]] = True
    return [bool(f) for f in found]


def lasting(fires: BoolArray) -> int:
    """Return the monitoring periods up to the latest in which something fires without a break.

    Args:
        fires: (monitoring period,), the latest last.

    Example:
        >>> lasting(np.array([True, False, True, True]))
        2
    """
    return int(np.argmin(np.append(fires[::-1], False)))
