"""Products that are counted in another unit from some period on: pieces where cases were.

Demand that rises twelvefold makes quantities of all sizes. Cases that are counted in pieces make
multiples of twelve, sold as often as before. What tells the two apart is looked for in what was
sent: the grid that quantities lie on, prices that move against them, quantities that vary less
than those of customers can, and factors that no demand reaches. Without one of these nothing is
said: a wrong finding would hold back the training that a real rise needs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.feeds import locations_of
from invopt.monitoring.signals import DATA, Signal
from invopt.monitoring.unit_proofs import Quantities, proof_of
from invopt.panel import SERIES_LEVEL, Flag, Panel, group_names
from invopt.types import Float32Array, FloatArray, IntArray

PRODUCT_UNIT = "product_unit_changed"
_PATIENCE = 8  # monitoring periods after which what does not pass is believed
_USUAL, _FEWEST = 26, 8  # monitoring periods before those that the usual is read from; at least
_LEAST_FACTOR = 2.4  # a smaller jump of the level is not looked at: factors begin at 4
_LINES = (8, 3)  # lines with a quantity before and since the jump, without which nothing is said
_AS_OFTEN = 1.5  # times more or less often that a product may sell for it to be the same demand
_PAGES = 0.05  # share of the company's usual units from which on somebody is woken
_ROWS = 4096
_NAMED = 5
_OFF = Flag.MISSING | Flag.BEFORE_LAUNCH | Flag.CLOSED


@dataclass(frozen=True)
class UnitChange:
    """Series that are counted in another unit.

    Attributes:
        level: location, category, product, or unique_id for a single series.
        name: Of the group of that level.
        rows: Of the panel.
        factor: Quantities since over those before: 12, or 1/12.
        first: Period of the panel from which on.
        proof: What tells it from demand.
    """

    level: str
    name: str
    rows: IntArray = field(repr=False)
    factor: float
    first: int
    proof: str


def unit_changes(panel: Panel, period: int) -> list[UnitChange]:
    """Return which series are counted in another unit since one of the latest eight periods.

    Looked at are locations, categories, products and series, the widest that changed as a whole
    first. Faulty days count: what was sent twice is even, and so is what is counted in dozens.

    Args:
        panel: Cleaned; the period is its last `period` periods.
        period: Periods of a monitoring period.
    """
    num = min(panel.num_periods // period, _PATIENCE + _USUAL + 1)
    if num < _FEWEST + 2:
        return []
    window = _Window(panel, panel.num_periods - num * period, period, num)
    found: list[UnitChange] = []
    taken = np.zeros(panel.num_series, bool)
    for level, names, codes in _levels(panel):
        jumps = [jump for jump in window.jumps(codes) if not taken[jump.rows].all()]
        for jump in jumps:
            proof = window.proof(jump, len(jumps))
            if proof is not None:
                name, first = str(names[jump.group]), window.first + jump.at
                found.append(UnitChange(level, name, jump.rows, proof[0], first, proof[1]))
        for change in found:
            taken[change.rows] = True
    return found


def without_series(panel: Panel, changes: list[UnitChange]) -> Panel:
    """Return the panel without the series of changes that are not those of whole locations."""
    kept = np.ones(panel.num_series, bool)
    for change in changes:
        kept[change.rows] = change.level == "location"
    return panel if kept.all() else panel.select(kept)


def unit_signal(panel: Panel, period: int, changes: list[UnitChange]) -> Signal | None:
    """Return `product_unit_changed` with what changed, where, since when and by what factor.

    It pages for a whole location, and where what changed usually makes a twentieth of the units
    sold, and holds a retraining back wherever it is.

    Args:
        panel: That the changes are of.
        period: Periods of a monitoring period.
        changes: As unit_changes returns them; none gives None.
    """
    if not changes:
        return None
    merged = sorted(_merged(panel, period, changes), key=lambda told: -told.share)
    more = f"; and {len(merged) - _NAMED} more" if len(merged) > _NAMED else ""
    rows = np.unique(np.concatenate([change.rows for change in changes]))
    since = panel.timeline.date(min(change.first for change in changes))
    text = (
        f"another unit of measure, and no demand: {'; '.join(t.text for t in merged[:_NAMED])}"
        f"{more}; correct it at the source and judge the period again"
    )
    places = locations_of(panel).astype(str)
    of_location = any(change.level == "location" for change in changes)
    return Signal(
        name=PRODUCT_UNIT, kind=DATA, value=changes[0].factor, expected=1.0, limit=4.0,
        p_value=float("nan"), fires=True, text=text,
        pages=of_location or sum(told.share for told in merged) >= _PAGES, spoils=True,
        places=tuple(sorted({str(name) for name in places[rows]})), since=f"{since:%Y-%m-%d}",
        series=tuple(str(name) for name in panel.unique_ids[rows]),
    )  # fmt: skip


@dataclass(frozen=True)
class _Told:
    """A sentence, and the share of the company's usual units that it is about."""

    text: str
    share: float


def _merged(panel: Panel, period: int, changes: list[UnitChange]) -> list[_Told]:
    """Return a sentence for each product, category or location: one for all places of a product."""
    groups: dict[tuple[str, str, str], list[UnitChange]] = {}
    for change in changes:
        level, name = change.level, change.name
        if level == SERIES_LEVEL and "product" in panel.series:
            level, name = "series", str(panel.series["product"].iloc[int(change.rows[0])])
        groups.setdefault((level, name, _times(change.factor)), []).append(change)
    first = min(change.first for change in changes)
    usual = np.asarray(panel.y[:, max(0, first - _FEWEST * period) : first], np.float64).mean(
        axis=1
    )
    whole = max(float(np.maximum(usual, 0).sum()), 1e-9)
    told = []
    for (level, name, times), own in groups.items():
        rows = np.concatenate([change.rows for change in own])
        since = panel.timeline.date(min(change.first for change in own))
        text = (
            f"{_subject(panel, level, name, rows)} since {since:%Y-%m-%d}: quantities are {times} "
            f"those before ({own[0].proof})"
        )
        told.append(_Told(text, float(usual[rows].sum()) / whole))
    return told


def _subject(panel: Panel, level: str, name: str, rows: IntArray) -> str:
    """Return who a change is of, and where: "product P7 at all its 4 locations"."""
    places = sorted(set(locations_of(panel)[rows].astype(str)))
    if level == "location":
        return f"all products of {name}"
    if level == "category":
        products = panel.series["product"].iloc[rows].nunique() if "product" in panel.series else 0
        return f"category {name}" + (f" ({products} products)" if products else "")
    if level == "product" and len(places) > 1:
        return f"product {name} at all its {len(places)} locations"
    where = ", ".join(places[:_NAMED])
    more = f" and {len(places) - _NAMED} more locations" if len(places) > _NAMED else ""
    return f"product {name}" + (f" at {where}{more}" if "location" in panel.series else "")


def _times(factor: float) -> str:
    return f"{factor:g} times" if factor >= 1 else f"1/{1 / factor:g} of"


def _levels(
    panel: Panel,
) -> Iterator[tuple[str, npt.NDArray[np.object_], npt.NDArray[np.intp]]]:
    """Yield levels, the widest first: name, group names, code of each series."""
    given = [c for c in ("location", "category", "product") if c in panel.series]
    for column in given:
        names, codes = np.unique(group_names(panel.series, column).astype(str), return_inverse=True)
        if len(names) < panel.num_series:
            yield column, names.astype(object), codes
    yield SERIES_LEVEL, panel.unique_ids, np.arange(panel.num_series)


@dataclass(frozen=True)
class _Jump:
    """A group whose level jumps at a period of the window and stays there."""

    group: int
    rows: IntArray
    at: int
    ratio: float


@dataclass(frozen=True)
class _Window:
    """The periods that are looked at: `num` monitoring periods from period `first` on."""

    panel: Panel
    first: int
    period: int
    num: int

    def jumps(self, codes: IntArray) -> list[_Jump]:
        """Return the groups of series with a jump that began in the latest eight periods."""
        order = np.argsort(codes, kind="stable")
        groups, starts = np.unique(codes[order], return_index=True)
        stops = np.append(starts[1:], len(order))
        found, begin = [], 0
        while begin < len(groups):
            stop = int(np.searchsorted(stops, starts[begin] + _ROWS, side="right"))
            stop = max(stop, begin + 1)
            rows = order[starts[begin] : stops[stop - 1]]
            parts = starts[begin:stop] - starts[begin]
            units, lines, on = (np.add.reduceat(v, parts, axis=0) for v in self._read(rows))
            for number, at, ratio in _level_jumps(units, lines, on, self.period):
                own = order[starts[begin + number] : stops[begin + number]]
                found.append(_Jump(int(groups[begin + number]), own, at, ratio))
            begin = stop
        return found

    def proof(self, jump: _Jump, tried: int) -> tuple[float, str] | None:
        """Return factor and proof that a jump is one of the unit; None where it may be demand."""
        units, _, on = self._read(jump.rows)
        cells = Quantities(
            before=units[:, : jump.at], after=units[:, jump.at :],
            on_before=on[:, : jump.at] > 0, on_after=on[:, jump.at :] > 0,
            prices=self._prices(jump),
        )  # fmt: skip
        return proof_of(cells, jump.ratio, tried, self.period)

    def _read(self, rows: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (series, period) units, whether there are any, and whether some could be."""
        flags = np.asarray(self.panel.flags[rows, self.first :])
        on = (flags & np.uint8(_OFF)) == 0
        units = np.where(on, np.asarray(self.panel.y[rows, self.first :], np.float64), 0.0)
        units = np.maximum(units, 0)
        return units, (units > 0).astype(np.float64), on.astype(np.float64)

    def _prices(self, jump: _Jump) -> tuple[Float32Array, Float32Array] | None:
        """Return the series' prices before and since a jump, None where none are recorded."""
        price = self.panel.channels.get("price")
        if price is None or price.level != SERIES_LEVEL:
            return None
        values = price.until(self.panel.num_periods)[jump.rows, self.first :]
        early = max(0, jump.at - _PATIENCE * self.period)
        return values[:, early : jump.at], values[:, jump.at :]


def _level_jumps(
    units: FloatArray, lines: FloatArray, on: FloatArray, period: int
) -> Iterator[tuple[int, int, float]]:
    """Yield groups whose level jumped lately, while they sell as often: number, period, ratio.

    The moment is the likeliest one for counts with a mean before and another since.
    """
    sums, sold, open_ = (np.cumsum(np.pad(v, ((0, 0), (1, 0))), axis=1) for v in (units, lines, on))
    length = units.shape[1]
    at = np.arange(_FEWEST * period, length)
    before, since = sums[:, at], sums[:, -1:] - sums[:, at]
    over = open_[:, at], open_[:, -1:] - open_[:, at]
    means = [s / np.maximum(e, 1) for s, e in zip((before, since), over, strict=True)]
    gain = sum(
        s * np.log(np.maximum(m, 1e-12)) for s, m in zip((before, since), means, strict=True)
    )
    best = np.argmax(gain, axis=1)
    for number in np.flatnonzero(at[best] >= length - _PATIENCE * period):
        where = int(best[number])
        low, high = float(means[0][number, where]), float(means[1][number, where])
        first = int(at[where])
        if low <= 0 or high <= 0 or abs(np.log(high / low)) < np.log(_LEAST_FACTOR):
            continue
        old, new = float(sold[number, first]), float(sold[number, -1] - sold[number, first])
        if old < _LINES[0] or new < _LINES[1]:
            continue
        if _sells_as_often(old, float(over[0][number, where]), new, float(over[1][number, where])):
            yield int(number), first, high / low


def _sells_as_often(old: float, before: float, new: float, since: float) -> bool:
    """Return whether lines come about as often as before, as far as so few can tell."""
    usual, now = old / before, new / since
    apart = 2 * np.sqrt(usual * (1 - usual) / since)
    return bool(usual / _AS_OFTEN - apart <= now <= usual * _AS_OFTEN + apart)
