"""M5: a forecast of the 28 days after a history, and its WRMSSE where the days are known.

Two models of one recipe: the series, and the 154 sums above the product; their forecasts are
reconciled, and each state then grows over the year before halfway as it did in the last four weeks.
A member of the series is trained for a few thousand steps, not longer: seven times as many cost
0.036 (ADR 0017); minutes go into more members. The default fits 60 minutes on two cores; --full
trains more members.

--metrics fev judges the quantiles per day instead, by fev-bench's formulas: the recipe is m5.yaml
as it is, with the levels that are judged; no sums.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import _fev
from invopt.cleaning import clean
from invopt.config import Config, load_config
from invopt.contracts import quantile_column
from invopt.errors import InvalidInputError
from invopt.features import derived_channels
from invopt.files import replacing_file
from invopt.hierarchy import Hierarchy
from invopt.model import Forecaster
from invopt.panel import Panel, load_panel
from invopt.reconciliation import Aggregation, aggregate_panel, reconcile, with_growth
from invopt.sources import load_mapping, read_dataset
from invopt.training import fit
from invopt.types import AnyFloatArray

_CONFIGS = Path(__file__).resolve().parent.parent / "pipelines" / "configs"
_HORIZON = 28
# Shares of the minutes at most: the rest is reading, forecasting and writing.
_SERIES_SHARE, _SUMS_SHARE = 0.65, 0.2
_MEMBERS, _FULL_MEMBERS, _SUMS_MEMBERS = 16, 48, 4
_SERIES_STEPS, _SUMS_STEPS = 5000, 8000
_TELL_SECONDS = 60.0


def main(rest: list[str]) -> None:
    """Train from scratch, write the forecast, print scores of known windows."""
    parser = argparse.ArgumentParser(prog="invopt bench m5")
    parser.add_argument("--data", type=Path, required=True, help="folder of M5")
    parser.add_argument("--out", type=Path, required=True, help="forecast (parquet)")
    parser.add_argument("--minutes", type=float, default=55.0, help="of the whole run")
    parser.add_argument("--full", action="store_true", help="48 members, four times the minutes")
    parser.add_argument("--until", type=int, help="days of history to train on; all by default")
    parser.add_argument("--members", type=int, help="networks of the series; 16, of fev m5.yaml's")
    parser.add_argument("--metrics", choices=("wrmsse", "fev"), default="wrmsse")
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args(rest)
    if parsed.metrics == "fev":
        _judge_quantiles(parsed)
        return
    minutes = parsed.minutes * (4 if parsed.full else 1)
    members = parsed.members or (_FULL_MEMBERS if parsed.full else _MEMBERS)
    series = _configured("m5.yaml", parsed.seed, members, _SERIES_STEPS, _SERIES_SHARE * minutes)
    sums = _configured(
        "m5-sums.yaml", parsed.seed, _SUMS_MEMBERS, _SUMS_STEPS, _SUMS_SHARE * minutes
    )
    with tempfile.TemporaryDirectory(prefix="invopt-m5-") as scratch:
        panel = _read(parsed.data, series, Path(scratch))
        until = _until(parsed, panel)
        aggregation = Aggregation.of(panel.series, sums.evaluation.hierarchy)
        totals = aggregate_panel(panel, aggregation)
        own = _fit(panel, series, until, Path(scratch) / "series")
        above = _fit(totals, sums, until, Path(scratch) / "sums")
    models = _Models(panel, totals, aggregation, own, above)
    cutoffs = range(until - 1, panel.num_periods - _HORIZON, _HORIZON)
    forecasts = {cutoff: models.forecast(cutoff) for cutoff in sorted({until - 1, *cutoffs})}
    _print_scores(panel, series, {cutoff: forecasts[cutoff] for cutoff in cutoffs})
    _write(panel, until, parsed.out, {"mean": forecasts[until - 1].grown})


def _judge_quantiles(parsed: argparse.Namespace) -> None:
    """Train the recipe, write means and quantiles, print fev-bench's scores of known windows."""
    changes = [f"training.seed={parsed.seed}", f"model.quantile_levels={list(_fev.LEVELS)}"]
    if parsed.members:
        changes.append(f"training.num_members={parsed.members}")
    config = load_config(_CONFIGS / "m5.yaml", changes)
    with tempfile.TemporaryDirectory(prefix="invopt-m5-") as scratch:
        panel = _read(parsed.data, config, Path(scratch))
        until = _until(parsed, panel)
        model = _fit(panel, config, until, Path(scratch) / "series")
        cutoffs = range(until - 1, panel.num_periods - _HORIZON, _HORIZON)
        for cutoff in cutoffs:
            _fev.print_window(panel, model.predict(panel, cutoff), cutoff)
        found = model.predict(panel, until - 1)
        told = found.quantiles
        columns = {quantile_column(q): told[:, :, n] for n, q in enumerate(_fev.LEVELS)}
        _write(panel, until, parsed.out, {"mean": found.mean} | columns)


def _until(parsed: argparse.Namespace, panel: Panel) -> int:
    until = int(parsed.until or panel.num_periods)
    if not _HORIZON < until <= panel.num_periods:
        raise InvalidInputError(f"--until must be in 29..{panel.num_periods}, not {until}.")
    return until


def _configured(file: str, seed: int, members: int, steps: int, minutes: float) -> Config:
    """Return a configuration that trains means only: the score needs no quantiles."""
    training = {
        "seed": seed, "num_members": members, "max_steps": steps, "max_minutes": minutes,
        "heads_share": 0.01,
    }  # fmt: skip
    return load_config(_CONFIGS / file, [f"training.{k}={v}" for k, v in training.items()])


@dataclass(frozen=True)
class _Forecast:
    """Means of every series, (series, horizon): their own model's, reconciled, and grown."""

    alone: AnyFloatArray
    reconciled: AnyFloatArray
    grown: AnyFloatArray


@dataclass(frozen=True)
class _Models:
    """Both models with the panels they read."""

    panel: Panel
    totals: Panel
    aggregation: Aggregation
    own: Forecaster
    above: Forecaster

    def forecast(self, cutoff: int) -> _Forecast:
        """Return the forecast of the horizon after a cutoff."""
        alone = self.own.predict(self.panel, cutoff).mean
        rows = pd.Index(self.totals.unique_ids).get_indexer(pd.Index(self.aggregation.names))
        sums = self.above.predict(self.totals, cutoff).mean[rows]
        seen = self.panel.y[:, : cutoff + 1]
        both = reconcile(alone, sums, self.aggregation.add_up(seen), self.aggregation)
        state = pd.factorize(self.panel.series["region"])[0].astype(np.int64)
        return _Forecast(alone, both, with_growth(both, seen, state))


def _read(data: Path, config: Config, scratch: Path) -> Panel:
    read_dataset(load_mapping(_CONFIGS / config.data.mapping), data, scratch / "raw")
    panel, _ = clean(load_panel(scratch / "raw"), config.cleaning)
    panel.save(scratch / "clean")
    panel = load_panel(scratch / "clean")
    return panel.with_channels(derived_channels([panel], config.features))


@dataclass
class _Tell:
    """Prints a line of progress a minute; a class, so that it reaches worker processes."""

    name: str
    last: float = float("-inf")

    def __call__(self, line: str) -> None:
        if time.monotonic() - self.last > _TELL_SECONDS:
            self.last = time.monotonic()
            print(f"{self.name}: {line}", flush=True)


def _fit(panel: Panel, config: Config, until: int, folder: Path) -> Forecaster:
    return fit(panel, config, until, folder, clock=time.monotonic, notify=_Tell(config.name))


def _print_scores(panel: Panel, config: Config, forecasts: dict[int, _Forecast]) -> None:
    """Print WRMSSE by window: bottom up, reconciled, with growth, and the seasonal naive's."""
    if not forecasts:
        return
    print(
        f"{'days':<12} {'series only':>12} {'reconciled':>12} {'with growth':>12} "
        f"{'level 12':>9} {'naive':>8}"
    )
    found = []
    for cutoff, forecast in forecasts.items():
        actual = panel.y[:, cutoff + 1 : cutoff + 1 + _HORIZON]
        hierarchy = Hierarchy.of(panel, cutoff, config.evaluation.hierarchy)
        alone, _ = hierarchy.wrmsse(forecast.alone, actual)
        both, _ = hierarchy.wrmsse(forecast.reconciled, actual)
        score, levels = hierarchy.wrmsse(forecast.grown, actual)
        naive, _ = hierarchy.wrmsse(np.tile(panel.y[:, cutoff - 6 : cutoff + 1], (1, 4)), actual)
        found.append((alone, both, score, levels[-1], naive))
        _print_row(f"{cutoff + 2}..{cutoff + 1 + _HORIZON}", *found[-1])
    _print_row("mean", *np.mean(found, axis=0))


def _print_row(
    days: str, alone: float, both: float, grown: float, bottom: float, naive: float
) -> None:
    scores = f"{alone:>12.4f} {both:>12.4f} {grown:>12.4f}"
    print(f"{days:<12} {scores} {bottom:>9.4f} {naive:>8.4f}")


def _write(panel: Panel, until: int, out: Path, columns: dict[str, AnyFloatArray]) -> None:
    dates = panel.timeline.dates(until, until + _HORIZON)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(panel.unique_ids, _HORIZON),
            "ds": np.tile(dates, panel.num_series),
        }
        | {name: values.ravel() for name, values in columns.items()}
    )
    with replacing_file(out) as partial:
        frame.to_parquet(partial, index=False)
    print(f"wrote {out}: {panel.num_series:,} series x {_HORIZON} days")
