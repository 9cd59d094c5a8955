"""Data in: time and memory of reading, validating, cleaning and features, and what censoring costs.

Each row of the first table is a process of its own. The peer is pandas: melt, merge, groupby and
rolling means, on a tenth of M5, beside us on the same tenth. The second table is the error that
treating stock-outs as censored removes against reading sales as demand.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from invopt.cleaning import clean, estimate_demand
from invopt.config import CleaningConfig, Config, DataConfig, FeaturesConfig, load_config
from invopt.errors import InvalidInputError
from invopt.features import FeatureEncoder, FeatureSpec, derived_channels
from invopt.panel import Flag, Panel, iter_panels, load_panel
from invopt.sources import DataProfile, check_data, load_mapping, read_dataset
from invopt.steps.prepare import build_feature_panel, clean_partitions
from invopt.synthetic import make_retailer, write_retailer
from invopt.types import AnyFloatArray, BoolArray

_ROOT = Path(__file__).resolve().parent.parent
_SHARED = _ROOT.parent / "shared" / "data"
_CONFIGS = _ROOT / "pipelines" / "configs"
_STAGES = ("read", "validate", "clean", "features")
_WINDOW = 28
_LAST = 14  # days forecast on FreshRetailNet
_STARTS = (500, 600, 700)  # days the synthetic retailer is forecast from


def data_folder(name: str) -> Path:
    """Return the folder of a data set beside the project.

    Raises:
        InvalidInputError: If it is not there.
    """
    folder = _SHARED / name
    if not folder.is_dir():
        raise InvalidInputError(
            f"the data set {name} is not at {folder}: name its folder with --data."
        )
    return folder


def read_panel(folder: Path, config: Config) -> Panel:
    """Return a data set as the pipelines read it: cleaned, with derived channels."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "snapshot"
        mapping = load_mapping(_CONFIGS / config.data.mapping)
        share = config.data.max_quarantine_share
        read_dataset(mapping, folder, place, variables={}, max_bad_share=share)
        raw = load_panel(place)
        raw = Panel(raw.timeline, raw.series, np.array(raw.y), np.array(raw.flags), raw.channels)
        panel, _ = clean(raw, config.cleaning)
    return panel.with_channels(derived_channels([panel], config.features))


def main(rest: list[str]) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="invopt bench data")
    parser.add_argument("--data", type=Path, default=_SHARED, help="folder of the data sets")
    parser.add_argument("--scratch", type=Path, help="folder for large files")
    parser.add_argument(
        "--ten", action="store_true", help="M5 ten times over, by partitions, alone"
    )
    parser.add_argument("--only", choices=["time", "censoring"], help="one of the tables")
    parser.add_argument("--one", nargs=2, metavar=("MAPPING", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--pandas", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    parsed = parser.parse_args(rest)
    if parsed.one:
        print(json.dumps(_stages(*parsed.one)))
    elif parsed.pandas:
        print(json.dumps(_pandas(parsed.pandas)))
    else:
        with tempfile.TemporaryDirectory(prefix="invopt-data-", dir=parsed.scratch) as scratch:
            if parsed.ten or parsed.only != "censoring":
                _print_times(parsed.data, Path(scratch), ten=parsed.ten)
            if not parsed.ten and parsed.only != "time":
                _print_censoring(parsed.data, Path(scratch))


def _print_times(data: Path, scratch: Path, *, ten: bool) -> None:
    runs = [
        ("freshretailnet", "freshretailnet", data / "freshretailnet"),
        ("M5", "m5", data / "m5"),
    ]
    copies = [("M5 / 10", 0.1), ("M5 x 2", 2.0)]
    if ten:
        runs, copies = [], [("M5 x 10", 10.0)]
    print(f"{'data':<16} {'series':>8} {'rows':>12}", *(f"{s:>9}" for s in _STAGES), end="")
    print(f" {'seconds':>8} {'cpu':>8} {'GB':>6}")
    for label, mapping, folder in runs:
        _print_run(label, _alone("--one", mapping, str(folder)))
    for label, times in copies:
        folder = scratch / "m5"
        _copy_m5(data / "m5", folder, times)
        _print_run(label, _alone("--one", "m5", str(folder)))
        if times < 1:
            _print_run(f"{label} pandas", _alone("--pandas", str(folder)))


def _print_run(label: str, found: dict[str, float]) -> None:
    stages = (f"{found[s]:>9.1f}" if s in found else f"{'':>9}" for s in _STAGES)
    print(f"{label:<16} {found['series']:>8,.0f} {found['rows']:>12,.0f}", *stages, end="")
    print(
        f" {found['seconds']:>8.1f} {found['cpu']:>8.1f} {found['bytes'] / 1e9:>6.2f}", flush=True
    )


def _alone(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.data", *arguments]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _stages(name: str, data: str) -> dict[str, float]:
    """Take a data set through every stage, as the pipeline's steps do, and encode it."""
    mapping = load_mapping(_CONFIGS / "datasets" / f"{name}.yaml")
    config = load_config(_CONFIGS / "m5.yaml")
    features, evaluation = config.features, config.evaluation
    if name != "m5":
        features = FeaturesConfig(horizon=14, context_steps=6, aggregates=(("location",),))
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="invopt-stages-") as folder:
        raw, cleaned, built = (Path(folder) / part for part in ("raw", "clean", "features"))
        with _timed(seconds, "read"):
            report = read_dataset(mapping, Path(data), raw)
        with _timed(seconds, "validate"):
            today = pd.Timestamp(report.last)
            profile = DataProfile.of(iter_panels(raw))
            check_data(profile, report, DataConfig(mapping=name), today)
        with _timed(seconds, "clean"):
            clean_partitions(raw, config.cleaning, str(cleaned), f"{folder}/counts.json", _quiet)
        with _timed(seconds, "features"):
            build_feature_panel(str(cleaned), features, evaluation, str(built), _quiet)
            encoder = FeatureEncoder(FeatureSpec.load(built / "features.json"))
            for panel in iter_panels(built):
                encoder.encode(panel)
    return _with_totals(seconds, report.num_series, report.num_series * report.num_periods)


def _pandas(data: Path) -> dict[str, float]:
    """Do the usual: melt, merge calendar and prices, drop leading zeros, lags and rolling means."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "read"):
        wide = pd.read_parquet(data / "sales_train_evaluation.parquet")
        keys = [c for c in wide if not c.startswith("d_")]
        long = wide.melt(keys, var_name="d", value_name="y")
        calendar = pd.read_parquet(data / "calendar.parquet")
        long = long.merge(calendar[["d", "date", "wm_yr_wk", "event_name_1"]], on="d")
        prices = pd.read_parquet(data / "sell_prices.parquet")
        long = long.merge(prices, on=["store_id", "item_id", "wm_yr_wk"], how="left")
    with _timed(seconds, "clean"):
        long = long.sort_values(["item_id", "store_id", "date"], ignore_index=True)
        groups = long.groupby(["item_id", "store_id"], sort=False)["y"]
        long = long[groups.cumsum() > 0]
    with _timed(seconds, "features"):
        groups = long.groupby(["item_id", "store_id"], sort=False)["y"]
        for lag in range(1, 8):
            long[f"lag_{lag}"] = groups.shift(lag)
        for window in (7, 28, 112):
            shifted = groups.shift(1)
            by_series = shifted.groupby([long["item_id"], long["store_id"]], sort=False)
            long[f"mean_{window}"] = by_series.rolling(window, 1).mean().to_numpy()
    return _with_totals(seconds, len(wide), len(wide) * (wide.shape[1] - len(keys)))


def _with_totals(seconds: dict[str, float], series: int, rows: int) -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    totals = {
        "seconds": sum(seconds.values()),
        "cpu": used.ru_utime + used.ru_stime,
        "bytes": used.ru_maxrss * 1024,
        "series": series,
        "rows": rows,
    }
    return seconds | totals


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[stage] = time.monotonic() - started


def _quiet(_: str) -> None:
    pass


def _copy_m5(source: Path, folder: Path, times: float) -> None:
    """Write M5 several times over under new item names, or a part of it."""
    folder.mkdir(exist_ok=True)
    calendar = pq.read_table(source / "calendar.parquet")
    pq.write_table(calendar, folder / "calendar.parquet")
    for name in ("sales_train_evaluation", "sell_prices"):
        table = pq.read_table(source / f"{name}.parquet")
        if times < 1:
            items = sorted(pa.compute.unique(table["item_id"]).to_pylist())
            kept = pa.array(items[: int(len(items) * times)])
            table = table.filter(pa.compute.is_in(table["item_id"], kept))
        at = table.column_names.index("item_id")
        table = table.set_column(at, "item_id", table["item_id"].cast(pa.string()))
        with pq.ParquetWriter(folder / f"{name}.parquet", table.schema) as writer:
            for number in range(max(1, int(times))):
                copy = f"_{number}" if number else ""
                names = pa.compute.binary_join_element_wise(table["item_id"], copy, "")
                writer.write_table(table.set_column(at, table.schema.field(at), names))


def _print_censoring(data: Path, scratch: Path) -> None:
    """Print what reading sales as demand costs, against leaving stock-outs out or estimating."""
    print(f"\n{'censoring':<52} {'as demand':>10} {'left out':>10} {'estimated':>10}")
    retailer = make_retailer(50, 10, 730, seed=0)
    write_retailer(retailer, scratch / "demo")
    panel = _cleaned("demo", scratch / "demo", scratch)
    truth = retailer.demand.astype(float)
    out = (panel.flags & Flag.CENSORED) != 0
    lost = _wape(estimate_demand(panel)[out], truth[out])
    _print_effect(
        "synthetic: demand of days out of stock, WAPE", _wape(panel.y[out], truth[out]), None, lost
    )
    found = [_against_truth(panel, truth, start) for start in _STARTS]
    for number, name in enumerate(("distance", "bias")):
        arms = np.mean([each[number] for each in found], axis=0)
        _print_effect(f"synthetic: forecast to that of true demand, {name}", *arms)
    panel = _cleaned("freshretailnet", data / "freshretailnet", scratch)
    start = panel.num_periods - _LAST
    actual, scored = np.asarray(panel.y[:, start:], float), panel.is_observed[:, start:]
    arms = _forecasts(panel, start, _LAST)
    for name, measure in (("WAPE", _wape), ("bias", _bias)):
        _print_effect(
            f"FreshRetailNet: forecast of days in stock, {name}",
            *(measure(arm[scored], actual[scored]) for arm in arms),
        )


def _cleaned(name: str, data: Path, scratch: Path) -> Panel:
    raw = scratch / f"{name}-raw"
    read_dataset(load_mapping(_CONFIGS / "datasets" / f"{name}.yaml"), data, raw)
    return clean(load_panel(raw), CleaningConfig())[0]


def _against_truth(
    panel: Panel, truth: AnyFloatArray, start: int
) -> tuple[list[float], list[float]]:
    """Return distance and bias of every arm's forecast to the one made from true demand."""
    best = _weekday_means(truth, _on_sale(panel), start, _WINDOW)
    arms = _forecasts(panel, start, _WINDOW)
    return [_wape(arm, best) for arm in arms], [_bias(arm, best) for arm in arms]


def _forecasts(panel: Panel, start: int, periods: int) -> list[AnyFloatArray]:
    """Return forecasts from sales as demand, without stock-outs, and from estimated demand."""
    y = np.asarray(panel.y, float)
    estimate = y.copy()
    estimate[:, :start] = np.nan_to_num(estimate_demand(panel.truncate(start)))
    return [
        _weekday_means(y, _on_sale(panel), start, periods),
        _weekday_means(y, panel.is_observed, start, periods),
        _weekday_means(estimate, _on_sale(panel), start, periods),
    ]


def _on_sale(panel: Panel) -> BoolArray:
    return (np.asarray(panel.flags) & (Flag.MISSING | Flag.BEFORE_LAUNCH)) == 0


def _weekday_means(y: AnyFloatArray, used: BoolArray, start: int, periods: int) -> AnyFloatArray:
    """Return the mean of the used days of the last eight weeks, by weekday, shrunk to the mean."""
    past = slice(max(0, start - 2 * _WINDOW), start)
    value, number = np.where(used, y, 0)[:, past], used[:, past].astype(float)
    mean = (value.sum(axis=1) + 1e-9) / (number.sum(axis=1) + 1e-9)
    forecast = np.empty((len(y), periods))
    for weekday in range(7):
        at = np.arange(past.start, past.stop) % 7 == weekday
        own = value[:, at].sum(axis=1) + 4 * mean
        ahead = np.arange(start, start + periods) % 7 == weekday
        forecast[:, ahead] = (own / (number[:, at].sum(axis=1) + 4))[:, None]
    return forecast


def _wape(forecast: AnyFloatArray, actual: AnyFloatArray) -> float:
    return float(np.abs(forecast - actual).sum() / actual.sum())


def _bias(forecast: AnyFloatArray, actual: AnyFloatArray) -> float:
    return float(forecast.sum() / actual.sum() - 1)


def _print_effect(label: str, naive: float, left_out: float | None, estimated: float) -> None:
    cells = (f"{'':>10}" if v is None else f"{v:>10.1%}" for v in (naive, left_out, estimated))
    print(f"{label:<52}", *cells, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
