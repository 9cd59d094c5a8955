"""Situations played by the library with the law of demand as forecast: orders alone are judged.

The files are read, cleaned and planned as the pipeline does it; in place of the network stands a
forecast that knows the law, in the form a network gives.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from benchmarks._optimum import demand_law
from benchmarks._planner_files import lines_of, write_batch
from benchmarks._situations import DAYS, WEEKS, Case, Line, laws
from invopt.config import Config
from invopt.forecasts import ForecastArrays
from invopt.inventory.decision import ReviewRules
from invopt.inventory.review import plan_review
from invopt.panel import Panel, iter_panels
from invopt.sources import Mapping, read_dataset, read_position
from invopt.sources.terms import read_terms
from invopt.steps.prepare import clean_partitions
from invopt.types import FloatArray

_LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
_SUMS = (0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_SILENT = 50  # latest periods without a sale after which nothing is forecast


def plan_known(folder: Path, cases: list[Case]) -> pd.DataFrame:
    """Return orders.csv of one set of files.

    Args:
        folder: Files are kept in it.
        cases: That share the files.
    """
    write_batch(folder, cases, short=False)
    mapping = Mapping.model_validate(yaml.safe_load((folder / "mapping.yaml").read_text()))
    config = Config.model_validate(yaml.safe_load((folder / "config.yaml").read_text()))
    snapshot, cleaned = folder / "snapshot", folder / "cleaned"
    read_dataset(mapping, folder, snapshot)
    clean_partitions(
        snapshot, config.cleaning, str(cleaned), str(folder / "counts.json"),
        lambda _: None,
    )  # fmt: skip
    [panel] = iter_panels(cleaned)
    forecast = known_forecast(panel, lines_of(cases), config.features.horizon)
    rules = ReviewRules(config=config.inventory, model_version="law", is_count=True)
    review = plan_review(panel, forecast, read_position(snapshot), read_terms(snapshot), rules)
    return review.orders


def known_forecast(panel: Panel, lines: list[Line], horizon: int) -> ForecastArrays:
    """Return the forecast that knows the law of every line; one a period for other articles."""
    by_name = {line.unique_id: line for line in lines}
    num = panel.num_series
    mean, daily = np.zeros((num, horizon)), np.zeros((num, horizon, len(_LEVELS)))
    sums = np.zeros((num, horizon, len(_SUMS)))
    for row, name in enumerate(panel.unique_ids):
        whole = np.ones(1)
        for period, law in enumerate(_laws(by_name.get(str(name)), horizon)):
            mean[row, period] = law @ np.arange(len(law))
            daily[row, period] = _quantiles(law, _LEVELS)
            whole = np.convolve(whole, law)
            sums[row, period] = _quantiles(whole, _SUMS)
    single = np.float32
    return ForecastArrays(
        mean.astype(single), daily.astype(single), sums.astype(single), _LEVELS, _SUMS,
        is_count=True,
    )  # fmt: skip


def _laws(line: Line | None, horizon: int) -> tuple[FloatArray, ...]:
    if line is None:
        return (demand_law(1.0),) * horizon
    if line.sold is not None and not line.sold_late:
        latest = line.sold(np.ones(WEEKS if line.week is None else DAYS))[-_SILENT:]
        if not latest.any():
            return (np.ones(1),) * horizon
    return laws(line, horizon)


def _quantiles(law: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """Return quantiles of a count with the jitter that forecasts of counts carry."""
    counts = np.arange(len(law))
    return np.interp(levels, np.r_[0.0, law.cumsum()], np.r_[-0.5, counts + 0.5])
