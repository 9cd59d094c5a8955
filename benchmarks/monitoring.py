"""Monitoring replayed: false alarms on clean history, delays on injected shifts, size.

    invopt bench monitoring --data ../shared/data/m5     clean history of M5, peers beside it
    invopt bench monitoring --part shifts                injected shifts on the made-up retailer
    invopt bench monitoring --part power                 a lasting shift of a tenth at many weeks
    invopt bench monitoring --part watchers --data ../shared/data/m5   one store, ours and peers
    invopt bench monitoring --part fresh --data ../shared/data/freshretailnet
    invopt bench monitoring --part scale                 10 M rows x 30 columns

The forecaster is `_log_linear`: trained in a second, because retraining is what is measured.
"""

import argparse
import functools
import multiprocessing
import operator
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from benchmarks._fresh import HEAD as FRESH_HEAD
from benchmarks._fresh import fresh_rows
from benchmarks._log_linear import LogLinear
from benchmarks._power import HEAD, power_of
from benchmarks._replay import (
    EVEN,
    HORIZON,
    NEWEST,
    WEEK,
    Diary,
    Remembered,
    decision_cost,
    features,
    fitted,
    monitored,
    scoring_of,
)  # fmt: skip
from benchmarks._scenarios import NUM_DAYS, SHIFT_DAY, Scenario, retailer_panel, scenarios
from benchmarks._watchers import HEAD as WATCHERS_HEAD
from benchmarks._watchers import borrowing, curve_rows, m5_stores, watcher_rows
from invopt.baselines import Baseline
from invopt.cleaning import clean
from invopt.config import CleaningConfig, InventoryConfig, ModelConfig, MonitoringConfig
from invopt.errors import InvalidInputError
from invopt.files import write_json
from invopt.monitoring.changes import totals
from invopt.monitoring.evidence import gather_evidence
from invopt.monitoring.evidently_report import write_evidently
from invopt.monitoring.governor import AGE
from invopt.monitoring.performance import Scoring, performance_records
from invopt.monitoring.sampling import sample_series
from invopt.monitoring.subject import Subject
from invopt.panel import SERIES_LEVEL, Channel, Panel, load_panel
from invopt.sources import load_mapping, read_dataset
from invopt.timeline import Timeline
from invopt.types import BoolArray, Float32Array, FloatArray

T, R = TypeVar("T"), TypeVar("R")
_CLEAN_WEEKS, _POWER_WEEKS = 110, 40
_PER_STORE = 600
_TRAINED = SHIFT_DAY - 8 * WEEK
# As long as orders can be priced: a later one's protection interval has not passed.
_ENDS = list(range(SHIFT_DAY - 4 * WEEK, NUM_DAYS - HORIZON + 1, WEEK))
_AFTER = [end for end in _ENDS if end > SHIFT_DAY]
_RUN_PRICE = 0.05  # of a training, in weeks of orders' cost
_SCENARIO_COSTS = InventoryConfig(review_period=7, holding_rate=0.004, stockout_margin=0.35)
_M5_COSTS = InventoryConfig(lead_time=3, review_period=7)


def main(rest: list[str]) -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(prog="invopt bench monitoring")
    parts = ("clean", "shifts", "power", "watchers", "fresh", "scale")
    parser.add_argument("--part", choices=parts, default="clean")
    parser.add_argument("--data", type=Path, help="folder of M5; part fresh: its own")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3], help="made-up retailers")
    parser.add_argument("--weeks", type=int, default=_CLEAN_WEEKS, help="weeks of clean history")
    parser.add_argument("--peer-every", type=int, default=4, help="weeks between peer reports")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows (part scale)")
    parsed = parser.parse_args(rest)
    if parsed.part == "clean":
        _clean(parsed.data, parsed.weeks, parsed.peer_every)
    elif parsed.part == "shifts":
        _shifts(parsed.seeds)
    elif parsed.part == "fresh":
        _print(FRESH_HEAD, fresh_rows(_folder(parsed.data, "FreshRetailNet")))
    elif parsed.part == "watchers":
        _watchers(_folder(parsed.data, "M5"))
    elif parsed.part == "power":
        _power(parsed.data, parsed.seeds)
    else:
        _scale(parsed.rows)


@dataclass(frozen=True)
class _Replayed:
    """One history, watched.

    Attributes:
        diary: Of the governed monitor.
        cost: Of orders, by policy.
    """

    diary: Diary
    cost: dict[str, float]


def _side_by_side(replay: Callable[[T], R], histories: Sequence[T]) -> list[R]:
    """Return the replay of each history, on all cores; the number done is told."""
    found = []
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        for replayed in pool.map(replay, histories):
            found.append(replayed)
            print(f"  {len(found)} of {len(histories)} replayed", file=sys.stderr, flush=True)
    return found


# Clean history: M5's ten stores


def _clean(data: Path | None, weeks: int, peer_every: int) -> None:
    panel = _m5(_folder(data, "M5"))
    num = panel.num_periods
    first = num - 1 - WEEK * weeks
    trained = first + 1 - 8 * WEEK
    model = fitted(panel, trained)
    print(
        f"M5: {panel.num_series} series of 10 stores, {weeks} weeks from "
        f"{panel.timeline.date(first + 1):%Y-%m-%d}; first model trained until 8 weeks before"
    )
    place = panel.series["location"].to_numpy()
    stores, ends = sorted(set(place)), list(range(first + WEEK, num, WEEK))
    replay = functools.partial(_store_replayed, model=model, trained=trained, ends=ends)
    found = _side_by_side(replay, [panel.select(place == store) for store in stores])
    _print(
        ("store", "ignore", "alert", "page", "runs", "governed", f"weekly, {len(ends)} runs"),
        [(store, *_store_row(r)) for store, r in zip(stores, found, strict=True)],
    )
    _print_clean_totals(found, len(ends))
    _clean_peers(panel, first, peer_every)


def _store_replayed(panel: Panel, model: LogLinear, trained: int, ends: list[int]) -> _Replayed:
    """Return what a monitor of one store did and what its orders cost."""
    diary, governed = monitored(panel, model, trained, ends, _M5_COSTS)
    weekly = [(0, model), *((end, fitted(panel.truncate(end), end)) for end in ends)]
    policies = {"never": [(0, model)], "governed": governed, "weekly": weekly}
    cost = {n: decision_cost(panel, m, ends, _M5_COSTS) for n, m in policies.items()}
    return _Replayed(diary, cost)


def _store_row(replayed: _Replayed) -> tuple[object, ...]:
    cost = replayed.cost
    return (
        *(replayed.diary.count(a) for a in ("ignore", "alert", "page")),
        replayed.diary.runs,
        *(f"{cost[n] / cost['never'] - 1:+.1%}" for n in ("governed", "weekly")),
    )


def _print_clean_totals(found: list[_Replayed], num_weeks: int) -> None:
    years = len(found) * num_weeks / 52
    quarters = num_weeks / 13
    counts = {a: sum(r.diary.count(a) for r in found) for a in ("ignore", "alert", "page")}
    cost = {n: sum(r.cost[n] for r in found) for n in found[0].cost}
    runs = [r.diary.runs / quarters for r in found]
    aged = sum(c == AGE for r in found for c in r.diary.causes)
    print(
        f"pages per store-year {counts['page'] / years:.2f} (goal 1); runs per store-quarter "
        f"{np.mean(runs):.2f}, at most {max(runs):.2f} (goal 1), {aged} of "
        f"{sum(r.diary.runs for r in found)} for age; weeks with any alarm "
        f"{1 - counts['ignore'] / (years * 52):.1%}; all stores' cost against never retraining: "
        f"governed {cost['governed'] / cost['never'] - 1:+.2%}, weekly "
        f"{cost['weekly'] / cost['never'] - 1:+.2%}"
    )


def _clean_peers(panel: Panel, first: int, every: int) -> None:
    """Print what peers flag; their reference is the year before the weeks judged."""
    last, year = panel.num_periods - 1 - WEEK, first - 52 * WEEK
    cutoffs = list(range(last, year - 1, -WEEK))[::-1]
    model = LogLinear(horizon=HORIZON, config=ModelConfig()).fit(panel, year + 1, 1092)
    remembered = Remembered(model, panel)
    records = performance_records(remembered, panel, cutoffs, scoring_of(panel, _M5_COSTS))
    table = _weekly_table(panel, remembered, cutoffs)
    _peers(panel, table, records, [c for c in cutoffs if c >= first][::every])


def _folder(data: Path | None, name: str) -> Path:
    if data is None or not data.is_dir():
        raise InvalidInputError(f"give the folder of {name} with --data DIR.")
    return data


def _m5(data: Path) -> Panel:
    """Return a stratified sample of M5's series: the same number from each store."""

    mapping = Path(__file__).parent.parent / "pipelines" / "configs" / "datasets" / "m5.yaml"
    with tempfile.TemporaryDirectory() as folder:
        read_dataset(load_mapping(mapping), data, Path(folder) / "m5")
        whole = load_panel(Path(folder) / "m5")
        panel = whole.select(sample_series(whole, 10 * _PER_STORE, 0))
        return clean(panel, CleaningConfig())[0]


class _Weekly:
    """Weekly columns of every series: (week, series, column), by cutoff."""

    def __init__(self, cutoffs: list[int], names: tuple[str, ...], values: Float32Array):
        self.cutoffs, self.names, self.values = cutoffs, names, values

    def select(self, rows: BoolArray) -> "_Weekly":
        return _Weekly(self.cutoffs, self.names, self.values[:, rows])

    def at(self, cutoff: int, back: list[int]) -> Float32Array:
        return self.values[[self.cutoffs.index(cutoff) - k for k in back]]


def _weekly_table(panel: Panel, model: Remembered, cutoffs: list[int]) -> _Weekly:
    names, inputs = features(panel, cutoffs)
    outcome = []
    for cutoff in cutoffs:
        week = slice(cutoff + 1, cutoff + 1 + WEEK)
        sales = np.asarray(panel.y[:, week], np.float64).mean(axis=1)
        mean = model.predict(panel, cutoff).mean[:, :WEEK].mean(axis=1)
        outcome.append(np.log1p(np.column_stack([sales, mean])))
    values = np.concatenate([inputs, np.stack(outcome)], axis=2).astype(np.float32)
    return _Weekly(cutoffs, (*names, "sales", "forecast"), values)


_PEERS = (
    "Evidently's preset, the data set (half of its columns)",
    "Evidently's preset, any column",
    "NannyML-style bands, WAPE only",
    "NannyML-style bands, WAPE, bias or any column's mean",
)


def _peers(panel: Panel, table: _Weekly, records: pd.DataFrame, judged: list[int]) -> None:
    """Print how often Evidently's default preset and NannyML's bands flag the same store-weeks."""
    flagged = dict.fromkeys(_PEERS, 0)
    count = 0
    for store in sorted(set(records["location"])):
        own = table.select(panel.series["location"].to_numpy() == store)
        part = totals(records[records["location"] == store]).set_index("cutoff")
        reference = part.loc[: judged[0] - 1]
        for cutoff in judged:
            count += 1
            current = own.at(cutoff, [0])[0]
            before = own.at(cutoff, list(range(1, 13))).reshape(-1, len(own.names))
            found = (
                *_evidently_default(before, current, own.names),
                *_outside_bands(reference, part.loc[cutoff], own, cutoff, judged[0]),
            )
            for name, flag in zip(_PEERS, found, strict=True):
                flagged[name] += flag
    _print(
        ("peer, same weeks", "store-weeks", "flagged", "share"),
        [(name, count, n, f"{n / count:.1%}") for name, n in flagged.items()],
    )


def _evidently_default(
    reference: Float32Array, current: Float32Array, names: tuple[str, ...]
) -> tuple[bool, bool]:
    """Return whether Evidently's preset, as it comes, finds the data set, or a column, drifted."""
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  (eight seconds)
    from evidently.presets import DataDriftPreset  # noqa: PLC0415

    definition = DataDefinition(numerical_columns=list(names))
    frames = [
        Dataset.from_pandas(pd.DataFrame(v.astype(np.float64), columns=names).dropna(), definition)
        for v in (current, reference)
    ]
    with np.errstate(invalid="ignore"):  # Evidently correlates columns that are constant
        metrics = Report([DataDriftPreset()]).run(*frames).dict()["metrics"]
    drifted = metrics[0]["value"]
    return bool(drifted["share"] >= 0.5), bool(drifted["count"] > 0)


def _outside_bands(
    reference: pd.DataFrame, row: pd.Series, table: _Weekly, cutoff: int, first: int
) -> tuple[bool, bool]:
    """Return whether WAPE, and whether any of WAPE, bias or the columns' means, leave 3 sd."""
    wape = reference["error"] / reference["actual"]
    bias = reference["forecast"] / reference["actual"]
    bad = _outside(wape.to_numpy(), row["error"] / row["actual"])
    any_ = bad or _outside(bias.to_numpy(), row["forecast"] / row["actual"])
    at = [i for i, c in enumerate(table.cutoffs) if c < first]
    means = np.nanmean(table.values[at], axis=1)
    now = np.nanmean(table.at(cutoff, [0])[0], axis=0)
    return bad, any_ or any(_outside(means[:, i], now[i]) for i in range(len(now)))


def _outside(history: FloatArray, value: float) -> bool:
    return bool(abs(value - history.mean()) > 3 * history.std())


# Injected shifts: the made-up retailer


def _shifts(seeds: list[int]) -> None:
    replays = _side_by_side(_retailer_replayed, seeds)
    found = {s.name: [replayed[s.name] for replayed in replays] for s in scenarios()}
    print(f"{len(seeds)} made-up retailers, {len(_AFTER)} weeks after the shift; counts are means")
    _print(
        ("scenario", "alarm weeks", "pages", "runs", "promoted", "delay, weeks", "first finding",
         "governed", "weekly", "weekly, dwelling on the newest", "governed and its runs",
         "weekly and its runs", "a governed run is worth", "a further weekly run is worth"),
        [_scenario_row(s, found[s.name]) for s in scenarios()],
    )  # fmt: skip
    print(
        f"cost against never retraining; worth in weeks of orders' cost; a run costs {_RUN_PRICE}"
    )


def _retailer_replayed(seed: int) -> dict[str, _Replayed]:
    """Return a retailer's replays by name of the scenario."""
    truth = retailer_panel(seed=seed)
    model = fitted(truth, _TRAINED)
    return {s.name: _replayed(s, truth, model) for s in scenarios()}


def _replayed(scenario: Scenario, truth: Panel, model: LogLinear) -> _Replayed:
    """Return a scenario's replay: cleaning looks back only, so once cleaned is cleaned weekly."""
    changed = scenario.change(truth, np.random.default_rng(0))
    panel = clean(changed, CleaningConfig())[0]
    diary, governed = monitored(panel, model, _TRAINED, _ENDS, _SCENARIO_COSTS)
    policies = {"never": [(0, model)], "governed": governed}
    for name, recipe in (("weekly", EVEN), ("dwelling", NEWEST)):
        later = [(end, fitted(panel.truncate(end), end, recipe)) for end in _AFTER]
        policies[name] = [(0, model), *later]
    demand = truth if scenario.faulty else panel
    return _Replayed(diary, {n: _cost(panel, demand, m) for n, m in policies.items()})


def _cost(panel: Panel, truth: Panel, models: list[tuple[int, LogLinear]]) -> float:
    """Return what orders cost: forecasts see the panel, demand is the truth."""
    if truth is panel:
        return decision_cost(panel, models, _AFTER, _SCENARIO_COSTS)
    total = 0.0
    scoring = scoring_of(panel, _SCENARIO_COSTS)
    for end in _AFTER:
        made = _Fixed([m for since, m in models if since <= end][-1].predict(panel, end - 1))
        total += float(performance_records(made, truth, [end - 1], scoring)["cost"].sum())
    return total


class _Fixed:
    """One forecast, whatever panel is shown."""

    def __init__(self, forecast: object) -> None:
        self.forecast = forecast

    def predict(self, panel: Panel, cutoff: int | None = None) -> object:
        return self.forecast


def _scenario_row(scenario: Scenario, found: list[_Replayed]) -> tuple[object, ...]:
    after = [[a for a in r.diary.actions if a[0] >= SHIFT_DAY] for r in found]
    firsts = [f for f in (_first_right(actions, scenario) for actions in after) if f]
    cost = {n: sum(r.cost[n] for r in found) for n in found[0].cost}
    runs = sum(r.diary.runs for r in found)
    week = cost["never"] / len(_AFTER)
    gained, more = cost["never"] - cost["governed"], cost["governed"] - cost["weekly"]
    all_runs = len(_AFTER) * len(found)
    further = all_runs - runs
    price = _RUN_PRICE * week / len(found)
    with_runs = cost["governed"] + runs * price, cost["weekly"] + all_runs * price
    return (
        scenario.name,
        *(f"{np.mean([sum(map(test, actions)) for actions in after]):.1f}" for test in _COUNTED),
        f"{runs / len(found):.1f}",
        f"{np.mean([len(r.diary.trained) - 1 for r in found]):.1f}",
        ", ".join(str(delay) for delay, _ in firsts) or "-",
        firsts[0][1] if firsts else "-",
        *(f"{cost[n] / cost['never'] - 1:+.1%}" for n in ("governed", "weekly", "dwelling")),
        *(f"{c / cost['never'] - 1:+.1%}" for c in with_runs),
        f"{gained / runs / week * len(found):.3f}" if runs else "-",
        f"{more / further / week * len(found):.3f}",
    )


_COUNTED = (lambda a: a[1] != "ignore", lambda a: a[1] == "page")


def _first_right(
    actions: list[tuple[int, str, frozenset[str]]], scenario: Scenario
) -> tuple[int, str] | None:
    """Return the week (1 is the first) and name of the first finding that names the scenario."""
    for cutoff, action, causes in actions:
        right = sorted(n for n in causes if n.startswith(scenario.expected))
        if scenario.expected and action != "ignore" and right:
            return (cutoff - SHIFT_DAY) // WEEK + 1, right[0]
    return None


# Power: a shift of a tenth at many weeks


def _power(data: Path | None, seeds: list[int]) -> None:
    rows, whole, local = [], [], []
    for seed in seeds:
        panel = retailer_panel(seed=seed)
        judged = list(range(panel.num_periods - 1 - 2 * WEEK, 0, -WEEK))[:_POWER_WEEKS][::-1]
        found = power_of(
            panel, fitted(panel, judged[0] - 8 * WEEK), Scoring(WEEK, None, True), judged, seed
        )
        whole.append(found[0])
        local.append(found[1])
    rows += [
        functools.reduce(operator.add, whole).row(f"{len(seeds)} made-up retailers"),
        functools.reduce(operator.add, local).row("one of their stores alone"),
    ]
    if data is not None:
        panel = _m5(data)
        judged = list(range(panel.num_periods - 1 - 2 * WEEK, 0, -2 * WEEK))[:52][::-1]
        model = LogLinear(horizon=HORIZON, config=ModelConfig()).fit(
            panel, judged[0] - 52 * WEEK, 1092
        )
        company, store = power_of(panel, model, Scoring(WEEK, None, True), judged, 0)
        rows += [company.row("M5, ten stores together"), store.row("M5, one store alone")]
    _print(HEAD, rows)


# One store: ours and the peers


def _watchers(data: Path) -> None:
    stores = m5_stores(data)
    print("a lasting rise of a tenth at one of M5's ten stores, 52 weeks x 10 stores")
    _print(WATCHERS_HEAD, watcher_rows(stores))
    print("its size, at one false finding per store-year: borrowing from its sisters")
    _print(WATCHERS_HEAD, curve_rows(stores, borrowing, (0.8, 0.9, 1.05, 1.1, 1.15, 1.2, 1.3)))


# Size


def _scale(rows: int) -> None:
    """Print time and memory of a whole report on a panel of `rows` rows and 30 columns."""

    weeks = 80
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: what it takes to make the data is not the report's memory.
        maker = multiprocessing.get_context("spawn").Process(
            target=_write_wide_panel, args=(folder / "panel", rows // weeks, weeks, 28)
        )
        maker.start()
        maker.join()
        panel = Panel.load(folder / "panel")
        config = MonitoringConfig(period=1)
        subject = Subject(
            Baseline(2, 1, ModelConfig(), 4),
            _columns,
            Scoring(1, None, True),
            channels=(),
            first_cutoff=8,
            trained_stop=weeks // 2,
        )
        started, used = time.monotonic(), time.process_time()
        found = gather_evidence(subject, panel, config)
        gathered = time.monotonic() - started
        write_evidently(found.drift, folder / "e.html", folder / "e.json")
        write_json(folder / "evidence.json", found.as_dict())
        seconds, used = time.monotonic() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert found.drift is not None
    num = len(found.drift.columns) + len(found.drift.unusable)
    _print(
        ("rows", "columns", "sampled series", "evidence s", "with Evidently s", "processor s",
         "peak MB"),
        [(f"{panel.num_series * weeks:,}", num, found.num_sampled, f"{gathered:.0f}",
          f"{seconds:.0f}", f"{used:.0f}", f"{peak:.0f}")],
    )  # fmt: skip


def _write_wide_panel(folder: Path, num_series: int, weeks: int, num_columns: int) -> None:
    """Write a weekly panel with random columns by series, block by block."""
    rng = np.random.default_rng(0)
    ids = np.array([f"s{i:06d}" for i in range(num_series)], object)
    series = pd.DataFrame(
        {"unique_id": ids, "location": [f"L{i % 40:02d}" for i in range(num_series)]}
    )
    y = rng.poisson(6, (num_series, weeks)).astype(np.int16)
    channels = [
        Channel(f"x{i:02d}", "external", SERIES_LEVEL, groups=tuple(ids), known=False,
                values=rng.standard_normal((num_series, weeks), np.float32))
        for i in range(num_columns)
    ]  # fmt: skip
    line = Timeline(pd.Timestamp("2023-01-02"), "W-MON", weeks)
    Panel(line, series, y, np.zeros(y.shape, np.uint8)).with_channels(channels).save(folder)


def _columns(panel: Panel, cutoffs: list[int]) -> tuple[tuple[str, ...], Float32Array]:
    values = [np.asarray(c.values[:, cutoffs], np.float32) for c in panel.channels.values()]
    return tuple(panel.channels), np.stack(values).transpose(2, 1, 0)


def _print(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    table = [tuple(map(str, row)) for row in [head, *rows]]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for number, row in enumerate(table):
        print("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
