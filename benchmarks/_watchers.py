"""Watchers side by side: a lasting shift at one store of ten, ours and the peers, on M5's stores.

Each store sells what 600 of its products sell; its forecast is a log-linear one of the whole
store (weekdays, events, SNAP, waves of the year, over the mean of four weeks), learned until a
year before the weeks that are judged. What is watched is the week's log of sales over forecast. A
shift stays for six weeks, and forecasts follow it as they would.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._power import wilson
from invopt.monitoring.shift import ShiftRules, normed_wasserstein, recent_shift
from invopt.types import Float32Array, FloatArray

WEEK, _LEVEL, _YEAR, _HISTORY = 7, 28, 52, 78
_PRODUCTS, _STARTS, _LASTS, _BEFORE = 600, 52, 6, 12
_RULES = ShiftRules(_YEAR, 8, 200, 0)
HEAD = ("watcher", "limit", "false findings per store-year", "found within two weeks",
        "95 % interval", "within six weeks", "median week")  # fmt: skip


@dataclass(frozen=True)
class Stores:
    """Ten stores by day.

    Attributes:
        products: (store, product, day) units.
        factors: (store, day) forecast over the level of four weeks.
        cutoffs: Of the weeks, ascending.
        judged: Those at which a shift is put.
    """

    products: Float32Array = field(repr=False)
    factors: FloatArray = field(repr=False)
    cutoffs: list[int]
    judged: list[int]

    def residuals(self, store: int, start: int | None = None, factor: float = 1.0) -> FloatArray:
        """Return log of sales over forecast by week; shifted by a factor from after `start` on."""
        y = np.array(self.products[store].sum(axis=0), np.float64)
        if start is not None:
            y[start + 1 :] *= factor
        total = np.concatenate([[0.0], np.cumsum(y)])
        return np.array(
            [
                np.log(
                    (total[c + 1 + WEEK] - total[c + 1])
                    / (self.factors[store, c + 1 : c + 1 + WEEK].sum()
                       * (total[c + 1] - total[c + 1 - _LEVEL]) / _LEVEL)
                )
                for c in self.cutoffs
            ]
        )  # fmt: skip


def m5_stores(data: Path) -> Stores:
    """Return M5's stores, read from its own files (days 1 to 1941)."""
    sales = pd.read_parquet(data / "sales_train_evaluation.parquet")
    calendar = pd.read_parquet(data / "calendar.parquet")
    days = [c for c in sales.columns if c.startswith("d_")]
    calendar = calendar.iloc[: len(days)]
    rng = np.random.default_rng(0)
    products, states = [], []
    for _, rows in sales.groupby("store_id"):
        chosen = rows.iloc[rng.permutation(len(rows))[:_PRODUCTS]]
        products.append(chosen[days].to_numpy(np.float32))
        states.append(str(rows["state_id"].iloc[0]))
    num = len(days)
    judged = list(range(num - 1 - WEEK * _LASTS, 0, -2 * WEEK))[:_STARTS][::-1]
    first = judged[0] - _HISTORY * WEEK
    cutoffs = list(range(judged[-1] + WEEK * (_LASTS - 1), first - 1, -WEEK))[::-1]
    whole = np.stack(products)
    stop = judged[0] - _YEAR * WEEK
    factors = [_factors(y, calendar, state, stop)
               for y, state in zip(whole.sum(axis=1), states, strict=True)]  # fmt: skip
    return Stores(whole, np.stack(factors), cutoffs, judged)


def _factors(y: Float32Array, calendar: pd.DataFrame, state: str, stop: int) -> FloatArray:
    dates = pd.DatetimeIndex(calendar["date"])
    events = pd.get_dummies(calendar["event_name_1"]).to_numpy(np.float64)
    angle = 2 * np.pi * np.outer(dates.dayofyear, np.arange(1, 4)) / 365.25
    x = np.column_stack(
        [np.eye(7)[dates.weekday], events, np.roll(events, -1, axis=0), np.sin(angle),
         np.cos(angle), calendar[f"snap_{state}"].to_numpy(np.float64)]
    )  # fmt: skip
    level = pd.Series(y.astype(np.float64)).rolling(_LEVEL).mean().to_numpy()
    at = np.arange(200, stop)
    before = level[at - 1 - np.random.default_rng(0).integers(0, WEEK, len(at))]
    usable = y[at] > 0.2 * before  # a day on which all are closed is no sale to learn from
    a, b = x[at[usable]], np.log(y[at[usable]] / before[usable])
    weights = np.linalg.solve(a.T @ a + 3 * np.eye(a.shape[1]), a.T @ b)
    found: FloatArray = np.exp(x @ weights)
    return found


@dataclass(frozen=True)
class Week:
    """What a watcher sees of a store.

    Attributes:
        own: Its residuals to this week.
        others: (store, week) of its sisters.
        products: Log sales by product of the week, and of the twelve weeks before.
    """

    own: FloatArray
    others: FloatArray = field(repr=False)
    products: Callable[[], tuple[FloatArray, FloatArray]] | None = field(default=None, repr=False)


# A watcher returns how far a week is from its limit: a finding from 1 on.
Watcher = Callable[[Week], float]


def alone(week: Week) -> float:
    """The store's own history (recent_shift), a chance of one in twenty."""
    return _surety(recent_shift(week.own[-_HISTORY - 2 :], _RULES))


def difference(week: Week) -> float:
    """Its difference from the median of its sisters, in the same way."""
    apart = week.own - np.median(week.others, axis=0)
    return _surety(recent_shift(apart[-_HISTORY - 2 :], _RULES))


def borrowing(week: Week) -> float:
    """Its own history, the median of its sisters taken into account as far as it ever told."""
    beside = np.median(week.others, axis=0)[-_HISTORY - 2 :]
    return _surety(recent_shift(week.own[-_HISTORY - 2 :], _RULES, beside))


def _surety(shift: object) -> float:
    p = max(shift.p_value, 1e-12) if shift is not None else 1.0  # type: ignore[attr-defined]
    return float(np.log(p) / np.log(0.05))


def _scaled(week: Week, unsaid: int = 2) -> FloatArray:
    past = week.own[:-unsaid][-_HISTORY:]
    centre = np.median(past)
    return (week.own[-_HISTORY:] - centre) / (1.4826 * np.median(np.abs(past - centre)) + 1e-9)


def bands(week: Week) -> float:
    """NannyML-like: outside mean and three standard deviations of the year before."""
    past = week.own[:-2][-_YEAR:]
    return float(abs(week.own[-1] - past.mean()) / (3 * past.std()))


def cusum(week: Week) -> float:
    """Tabular CUSUM of scaled residuals, k 0.5 and h 4 (Montgomery), begun anew after an alarm."""
    return _cusum(np.clip(_scaled(week), -4, 4))


def cusum_apart(week: Week) -> float:
    """The same of its difference from its sisters."""
    apart = Week(week.own - np.median(week.others, axis=0), week.others)
    return _cusum(np.clip(_scaled(apart), -4, 4))


def _cusum(scaled: FloatArray, k: float = 0.5, h: float = 4.0) -> float:
    up = down = 0.0
    for value in scaled:
        if max(up, down) >= h:
            up = down = 0.0
        up, down = max(0.0, up + value - k), max(0.0, down - value - k)
    return max(up, down) / h


def e_values(week: Week) -> float:
    """E-detector (Shiryaev-Roberts sum) of normal likelihood ratios of shifts by 1 to 3 deviations.

    Restarted after an alarm; its limit is that of one false alarm in two years.
    """
    apart = Week(week.own - np.median(week.others, axis=0), week.others)
    scaled, sums = np.clip(_scaled(apart), -4, 4), np.zeros(6)
    shifts = np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])
    for value in scaled:
        if sums.mean() >= 2 * _YEAR:
            sums[:] = 0
        sums = (1 + sums) * np.exp(shifts * value - shifts**2 / 2)
    return float(np.log(max(sums.mean(), 1e-9)) / np.log(2 * _YEAR))


def page_hinkley(week: Week) -> float:
    """River's Page-Hinkley as it comes, fed scaled residuals in percent of a deviation."""
    from river.drift import PageHinkley  # noqa: PLC0415  (only this table needs it)

    return _streamed(PageHinkley(), 100 * _scaled(week))


def adwin(week: Week) -> float:
    """River's ADWIN with `clock=1`, else as it comes, fed scaled residuals in percent."""
    from river.drift import ADWIN  # noqa: PLC0415  (only this table needs it)

    detector = ADWIN(clock=1)  # type: ignore[no-untyped-call]
    return _streamed(detector, 100 * _scaled(week))


def _streamed(detector: object, values: FloatArray) -> float:
    for value in values:
        detector.update(float(value))  # type: ignore[attr-defined]
    return float(detector.drift_detected)  # type: ignore[attr-defined]


def evidently(week: Week) -> float:
    """Evidently's default for large numeric columns: Wasserstein over deviation, from 0.1."""
    if week.products is None:
        return 0.0
    now, before = week.products()
    return normed_wasserstein(before, now) / 0.1


WATCHERS: dict[str, Watcher] = {
    "the store alone (invopt until now)": alone,
    "difference from its sisters": difference,
    "borrowing from its sisters (invopt)": borrowing,
    "CUSUM of scaled residuals": cusum,
    "CUSUM of the difference": cusum_apart,
    "e-detector of the difference": e_values,
    "NannyML-like bands": bands,
    "Page-Hinkley (river)": page_hinkley,
    "ADWIN (river)": adwin,
    "Evidently's default, sales by product": evidently,
}


def watcher_rows(stores: Stores, factor: float = 1.1) -> list[tuple[object, ...]]:
    """Return a row per watcher at its own limit, and one where it may be false once a year.

    A watcher that only says yes or no has no second row.
    """
    clean = np.stack([stores.residuals(s) for s in range(len(stores.products))])
    rows = []
    for name, watch in WATCHERS.items():
        quiet = _clean_scores(stores, clean, watch)
        found = _shifted_scores(stores, clean, watch, factor)
        rows.append(_row(name, "as it comes", quiet, found, 1.0))
        fair = float(np.sort(quiet.ravel())[::-1][quiet.size // _YEAR])
        if len(np.unique(quiet)) > 2:
            rows.append(_row(name, f"{fair:.2f} of it", quiet, found, np.nextafter(fair, np.inf)))
    return rows


def curve_rows(
    stores: Stores, watch: Watcher, factors: Sequence[float]
) -> list[tuple[object, ...]]:
    """Return a row per size of shift, at one false finding a store-year."""
    clean = np.stack([stores.residuals(s) for s in range(len(stores.products))])
    quiet = _clean_scores(stores, clean, watch)
    fair = np.nextafter(float(np.sort(quiet.ravel())[::-1][quiet.size // _YEAR]), np.inf)
    return [
        _row(f"{factor - 1:+.0%}", f"{fair:.2f} of it", quiet,
             _shifted_scores(stores, clean, watch, factor), fair)
        for factor in factors
    ]  # fmt: skip


def _clean_scores(stores: Stores, clean: FloatArray, watch: Watcher) -> FloatArray:
    """Return (store, week) scores of all weeks from the first judged one on."""
    weeks = [i for i, c in enumerate(stores.cutoffs) if c >= stores.judged[0]]
    return np.array(
        [[watch(_week(stores, s, i, clean[s], clean)) for i in weeks] for s in range(len(clean))]
    )


def _shifted_scores(stores: Stores, clean: FloatArray, watch: Watcher, factor: float) -> FloatArray:
    """Return (shift, week after it) scores: each store shifted alone at each judged week."""
    found = []
    for store in range(len(clean)):
        for start in stores.judged:
            own = stores.residuals(store, start, factor)
            at = stores.cutoffs.index(start)
            found.append(
                [watch(_week(stores, store, at + k, own, clean, shift=(start, factor)))
                 for k in range(_LASTS)]
            )  # fmt: skip
    return np.array(found)


def _week(
    stores: Stores,
    store: int,
    at: int,
    own: FloatArray,
    clean: FloatArray,
    shift: tuple[int, float] | None = None,
) -> Week:
    others = np.delete(clean, store, axis=0)[:, : at + 1]
    first = stores.cutoffs[at] + 1 - _BEFORE * WEEK

    def by_product() -> tuple[FloatArray, FloatArray]:
        units = stores.products[store][:, first : first + (_BEFORE + 1) * WEEK].copy()
        if shift is not None:
            units[:, max(0, shift[0] + 1 - first) :] *= shift[1]
        weekly = np.log1p(units).reshape(len(units), -1, WEEK).mean(axis=2).astype(np.float64)
        return weekly[:, -1], weekly[:, :-1].ravel()

    return Week(own[: at + 1], others, by_product)


def _row(
    name: str, limit: str, quiet: FloatArray, found: FloatArray, least: float
) -> tuple[object, ...]:
    over = found >= least
    second, last = np.asarray(over[:, :2].any(axis=1)), np.asarray(over.any(axis=1))
    low, high = wilson(int(second.sum()), len(second))
    week = np.where(last, over.argmax(axis=1) + 1, 99)
    median = "-" if last.mean() < 0.5 else str(int(np.median(week)))
    return (
        name, limit, f"{(quiet >= least).sum() / quiet.size * _YEAR:.1f}", f"{second.mean():.1%}",
        f"{low:.1%} to {high:.1%}", f"{last.mean():.1%}", median,
    )  # fmt: skip
