"""Whether data that could be read should be believed: age, volume, references, jumps.

Every check has a number, a limit and a sentence. Limits are wide: a check that fails means that
an extract was cut, sent twice, mixed up or is old, not that trade was good or bad.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from invopt.config import DataConfig
from invopt.panel import Flag, Panel
from invopt.sources.dataset import DatasetReport, table_limits
from invopt.sources.joins import JoinMisses
from invopt.sources.ledger import ORPHAN
from invopt.timeline import Timeline, frequency_unit
from invopt.types import FloatArray

# Periods that count as the latest ones, and the season at whose distance they are compared.
_RECENT = {"D": 7, "W": 4, "2W": 3, "MS": 3, "QS": 2}
_STRIDE = {"D": 7, "W": 1, "2W": 1, "MS": 1, "QS": 1}
_NUM_BEFORE = 8
_CLOSED = 2  # of the latest days: a public holiday, and not a file of zeros
_MOST = 2.0  # times the usual: an extract sent twice
_SPELLS, _APART = 2, 4  # times a year, so many periods apart, from which on volumes are lumpy
_YEAR_SLACK = 3  # periods around the same date of last year: public holidays move
_MIN_STEPS, _MIN_FALLS = 28, 0.05  # steps of units, and the share that falls
_MIN_SPREAD = 0.02  # of the usual value: a steady price is no reason to call 3 % a jump


@dataclass(frozen=True)
class DataCheck:
    """One rule about the data and what was found.

    Attributes:
        name: freshness, volume, faulty, usable, frequency, references, completeness or jump.
        about: Table or channel.
        value: What was found; None where there is too little to compare with.
        limit: What the rule compares it with.
        passed: True when it holds.
        rule: In words.
    """

    name: str
    about: str
    value: float | None
    limit: float | None
    passed: bool
    rule: str

    @property
    def sentence(self) -> str:
        """What was found beside the limit, and the rule."""
        if self.value is None:
            return f"{self.name} of {self.about}: too little to compare with ({self.rule})"
        limit = "no limit set" if self.limit is None else f"{self.limit:.3g}"
        return f"{self.name} of {self.about} is {self.value:.3g} against {limit} ({self.rule})"


@dataclass
class DataProfile:
    """What a data set holds by period, all partitions together; (T,) arrays.

    Attributes:
        timeline: Of the panel.
        records: Series with a record of sales.
        units: Sales.
        sums: Sum of a channel's values by name.
        counts: Number of values by name.
        sizes: Groups by name.
    """

    timeline: Timeline
    records: FloatArray
    units: FloatArray
    sums: dict[str, FloatArray]
    counts: dict[str, FloatArray]
    sizes: dict[str, int]

    @classmethod
    def of(cls, panels: Iterable[Panel]) -> "DataProfile":
        """Return the profile of a data set from its partitions, one at a time."""
        found: DataProfile | None = None
        for panel in panels:
            part = cls._of_one(panel)
            found = part if found is None else found._plus(part)
        assert found is not None
        return found

    def by_date(self, num: int = 400) -> dict[str, list[str] | list[float]]:
        """Return rows and units per period over at most `num` stretches of equal length."""
        width = -(-len(self.records) // num)
        first = len(self.records) % width
        dates = self.timeline.dates()[first::width]
        return {
            "date": [f"{date:%Y-%m-%d}" for date in dates],
            "rows": self.records[first:].reshape(-1, width).mean(axis=1).tolist(),
            "units": self.units[first:].reshape(-1, width).mean(axis=1).tolist(),
        }

    @classmethod
    def _of_one(cls, panel: Panel) -> "DataProfile":
        flags = np.asarray(panel.flags)
        present = (flags & (Flag.MISSING | Flag.FILLED)) == 0
        sums: dict[str, FloatArray] = {}
        counts: dict[str, FloatArray] = {}
        sizes: dict[str, int] = {}
        for name, channel in panel.channels.items():
            if channel.known and name != "price":
                continue
            values = np.asarray(channel.values[:, : panel.num_periods], np.float32)
            sums[name] = np.asarray(np.nansum(values, axis=0, dtype=np.float64))
            counts[name] = np.asarray(np.sum(~np.isnan(values), axis=0, dtype=np.float64))
            sizes[name] = len(values)
        return cls(
            panel.timeline,
            np.sum(present, axis=0, dtype=np.float64),
            np.sum(panel.y, axis=0, dtype=np.float64),
            sums=sums,
            counts=counts,
            sizes=sizes,
        )

    def _plus(self, other: "DataProfile") -> "DataProfile":
        return DataProfile(
            self.timeline,
            self.records + other.records,
            self.units + other.units,
            sums={n: v + other.sums[n] for n, v in self.sums.items()},
            counts={n: v + other.counts[n] for n, v in self.counts.items()},
            sizes={n: v + other.sizes[n] for n, v in self.sizes.items()},
        )


def check_data(
    profile: DataProfile, report: DatasetReport, config: DataConfig, today: pd.Timestamp
) -> list[DataCheck]:
    """Return every check of a data set that was read.

    Args:
        profile: Of its partitions.
        report: Of the reader.
        config: Limits.
        today: Date of the review.
    """
    checks = [_freshness(report, config, profile.timeline.freq, today)]
    checks += [
        _volume("rows", profile.records, profile.timeline, config.min_volume),
        # A holiday may close the shops: units fall further than rows before they are suspect.
        _volume(
            "units", profile.units, profile.timeline, config.min_volume**2, _closed(profile, config)
        ),
    ]
    checks += _faulty(report, config)
    checks += _usable(report)
    checks += [_frequency(report), _sign(report), _units(report), _running(profile)]
    checks += _references(report, config)
    for name in profile.sums:
        share = profile.counts[name] / profile.sizes[name]
        checks.append(_completeness(name, share, profile.timeline, config))
        with np.errstate(invalid="ignore"):
            mean = profile.sums[name] / profile.counts[name]
        checks.append(_jump(name, mean, profile.timeline, config))
    return checks


def age_in_periods(last: pd.Timestamp, freq: str, today: pd.Timestamp) -> int:
    """Return how many periods have ended after the period `last` and before the day `today`."""
    line = Timeline(last, freq, 1)
    return max(0, int(line.index_of(pd.DatetimeIndex([today]))[0]) - 1)


def _freshness(
    report: DatasetReport, config: DataConfig, freq: str, today: pd.Timestamp
) -> DataCheck:
    limit = config.max_age_periods
    age = age_in_periods(pd.Timestamp(report.last), freq, today)
    passed = limit is None or age <= limit
    rule = f"periods that ended since the last sales ({report.last}) may not exceed the limit"
    return DataCheck("freshness", "sales", age, limit=limit, passed=passed, rule=rule)


def _closed(profile: DataProfile, config: DataConfig) -> list[int]:
    """Return the latest days whose records came as usual and all say that nothing was sold.

    Good Friday is not at last year's date. More such days than a public holiday has are a fault.
    """
    line = profile.timeline
    if line.freq != "D":
        return []
    days = [t for t in _latest(line) if profile.units[t] == 0 and profile.records[t] > 0]
    ratios = [_volume_ratio(profile.records, t, line) for t in days]
    usual = all(ratio is None or ratio >= config.min_volume for ratio in ratios)
    return days if usual and len(days) <= _CLOSED else []


def _volume(
    about: str, values: FloatArray, line: Timeline, limit: float, but: Collection[int] = ()
) -> DataCheck:
    rule = (
        f"{about} of each of the latest periods over the usual number may not fall below "
        f"{limit:g}, nor rise above {_MOST:g}, or above what the past year has shown several times"
    )
    ratios = [
        ratio
        for t in _latest(line)
        if t not in but and (ratio := _volume_ratio(values, t, line)) is not None
    ]
    if not ratios:
        return DataCheck("volume", about, None, limit, passed=True, rule=rule)
    high = _highest_usual(values, line)
    worst = min(ratios, key=lambda r: min(r / limit, high / r) if r else 0)
    broken = high if worst > high else limit
    passed = limit <= worst <= high
    return DataCheck("volume", about, worst, limit=broken, passed=passed, rule=rule)


def _highest_usual(values: FloatArray, line: Timeline) -> float:
    """Return the highest ratio that a company's volumes may have.

    Where a customer orders half a year's units at once, volumes are far above the usual several
    times a year; then what the year has shown is no fault. One old fault widens nothing.
    """
    first = _latest(line)[0]
    past = [
        (t, ratio)
        for t in range(max(0, first - round(line.periods_per_year)), first)
        if (ratio := _volume_ratio(values, t, line)) is not None and ratio > _MOST
    ]
    return max(r for _, r in past) if _spells([t for t, _ in past]) >= _SPELLS else _MOST


def _spells(at: list[int]) -> int:
    """Return in how many stretches, some periods apart, periods in order of time lie."""
    return sum(not n or t - at[n - 1] > _APART for n, t in enumerate(at))


def _volume_ratio(values: FloatArray, t: int, line: Timeline) -> float | None:
    """Return the period's value over the nearest usual one: of late, or a year ago."""
    stride = _STRIDE[frequency_unit(line.freq)]
    before = [t - stride * k for k in range(1, _NUM_BEFORE + 1) if t >= stride * k]
    if len(before) < _NUM_BEFORE // 2:
        return None
    usual = float(np.median(values[before]))
    year = t - round(line.periods_per_year)
    around = values[max(0, year - _YEAR_SLACK) : max(0, year + _YEAR_SLACK + 1)].tolist()
    low = min([usual, *around])
    high = max([usual, *around])
    if low <= values[t] <= high:
        return 1.0
    bound = low if values[t] < low else high
    return float(values[t] / bound) if bound > 0 else None


def _faulty(report: DatasetReport, config: DataConfig) -> list[DataCheck]:
    limits = table_limits(report, config.max_quarantine_share)
    rule = "share of faulty rows, set aside with a reason, may not exceed the limit"
    checks = []
    for table in report.accounting:
        share, limit = table.bad / max(1, table.rows_in), limits[table.table]
        checks.append(
            DataCheck("faulty", table.table, share, limit=limit, passed=share <= limit, rule=rule)
        )
    return checks


def _usable(report: DatasetReport) -> list[DataCheck]:
    """Judge that something is left of products and stock, also where their files came empty.

    Other tables may have nothing to say of this time: no orders under way, no plans.
    """
    rule = "rows that can be used, of a table that is mapped, may not be none"
    return [
        DataCheck(
            "usable", table.table, table.rows_used, limit=1, passed=table.rows_used > 0, rule=rule
        )
        for table in report.accounting
        if table.table in ("products", "position")
    ]


def _sign(report: DatasetReport) -> DataCheck:
    """Judge that more was sold than came back."""
    rule = (
        "units sold, all together, may not be below the limit; a ledger that writes what left as "
        "negative needs scale: -1, and one that has it leaves what came in out by where"
    )
    sold = report.sums.get("sales.y", 0.0)
    return DataCheck("sign", "sales", sold, limit=0, passed=sold >= 0, rule=rule)


def _running(profile: DataProfile) -> DataCheck:
    """Judge that units of days or weeks are not running totals, which fall at a new year alone."""
    rule = (
        "share of periods in which all units together fall may not be below the limit: units that "
        "never fall are running totals (sold since January), of which each day is the difference"
    )
    steps = np.diff(profile.units[profile.records > 0])
    if frequency_unit(profile.timeline.freq) not in ("D", "W") or len(steps) < _MIN_STEPS:
        return DataCheck("running", "sales", None, _MIN_FALLS, passed=True, rule=rule)
    falls = float(np.mean(steps < 0))
    is_flat = float(np.mean(steps == 0)) > 1 / 2  # slow sellers, or made-up data
    passed = falls >= _MIN_FALLS or is_flat
    return DataCheck("running", "sales", falls, limit=_MIN_FALLS, passed=passed, rule=rule)


def _units(report: DatasetReport) -> DataCheck:
    """Judge that no series adds up pieces and cases."""
    rule = (
        "series whose sales are in several units of measure may not be more than the limit: pieces "
        "and cases do not add up"
    )
    mixed = report.mixed_units
    return DataCheck("units", "sales", mixed, limit=0, passed=mixed == 0, rule=rule)


def _references(report: DatasetReport, config: DataConfig) -> list[DataCheck]:
    rule = "share of rows whose key names no series may not exceed the limit"
    limit = config.max_orphan_share
    checks = []
    for table in report.accounting:
        share = table.quarantined.get(ORPHAN, 0) / max(1, table.rows_in)
        checks.append(
            DataCheck(
                "references", table.table, share, limit=limit, passed=share <= limit, rule=rule
            )
        )
    checks += [_join(misses, limit) for misses in report.joins]
    share = report.num_without_product / report.num_series
    rule = "share of series that no product row names may not exceed the limit"
    return [
        *checks,
        DataCheck("references", "series", share, limit=limit, passed=share <= limit, rule=rule),
    ]


def _join(misses: JoinMisses, limit: float) -> DataCheck:
    """Judge a join by the side that is joined to, and by a partner of whom nobody matched.

    That some articles of a master were never sold is as it should be, that none was is not.
    """
    left, right = (n / max(1, rows) for n, rows in zip(misses.missing, misses.rows, strict=True))
    found = max(left, right if right == 1 else 0.0)
    about = f"{misses.source} ({misses.left} with {misses.right})"
    rule = "share of rows joined to that have no partner, or of all that were joined, has a limit"
    return DataCheck("references", about, found, limit=limit, passed=found <= limit, rule=rule)


def _frequency(report: DatasetReport) -> DataCheck:
    rule = "sales may not come only every so many periods: that is another frequency"
    return DataCheck("frequency", "sales", report.step, limit=1, passed=report.step <= 1, rule=rule)


def _completeness(name: str, share: FloatArray, line: Timeline, config: DataConfig) -> DataCheck:
    rule = "share of values there in the latest periods over the usual share must reach the limit"
    windows = _window_means(share, _recent(line))
    usual = float(np.median(windows[:-1])) if len(windows) > _NUM_BEFORE // 2 else 0.0
    if usual <= 0:
        return DataCheck("completeness", name, None, config.min_volume, passed=True, rule=rule)
    # A table of changes is sparse by nature; only a feed that dries up is a failure.
    found = float(windows[-1] / usual)
    passed = found >= config.min_volume or usual < config.min_volume
    return DataCheck("completeness", name, found, limit=config.min_volume, passed=passed, rule=rule)


def _jump(name: str, mean: FloatArray, line: Timeline, config: DataConfig) -> DataCheck:
    rule = "robust deviations of the latest mean from those before may not exceed the limit"
    windows = _window_means(mean, _recent(line))
    windows = windows[np.isfinite(windows)][-1 - round(line.periods_per_year) :]
    if len(windows) < _NUM_BEFORE:
        return DataCheck("jump", name, None, config.max_jump, passed=True, rule=rule)
    before, last = windows[:-1], float(windows[-1])
    middle = float(np.median(before))
    spread = 1.4826 * float(np.median(np.abs(before - middle)))
    spread = max(spread, _MIN_SPREAD * abs(middle), 1e-9)
    # Weather and seasons stay inside what a year has shown.
    rule = f"the latest mean is {last:.3g}, usually {middle:.3g}; {rule}"
    beyond = max(float(before.min()) - last, last - float(before.max()), 0.0)
    found = abs(last - middle) / spread if beyond > 0 else 0.0
    return DataCheck(
        "jump", name, found, limit=config.max_jump, passed=found <= config.max_jump, rule=rule
    )


def _latest(line: Timeline) -> range:
    return range(max(0, line.num_periods - _recent(line)), line.num_periods)


def _recent(line: Timeline) -> int:
    return _RECENT[frequency_unit(line.freq)]


def _window_means(values: FloatArray, width: int) -> FloatArray:
    """Return the means of consecutive windows that end at the last period; NaN where all are."""
    number = len(values) // width
    cut = values[len(values) - number * width :].reshape(number, width)
    there = np.isfinite(cut)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, cut, 0).sum(axis=1) / there.sum(axis=1))
