"""A million series planned: levels given, orders with reasons, exceptions and segments out."""

import argparse
import resource
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from invopt.config import InventoryConfig
from invopt.forecasts import ForecastArrays, forecast_of
from invopt.inventory import plan_orders, segments_of, stock_of
from invopt.inventory.decision import ReviewRules
from invopt.inventory.exceptions import recent_sales
from invopt.panel import Panel
from invopt.timeline import Timeline

PERIODS, HORIZON = 28, 3
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)


def main(rest: list[str]) -> None:
    """Print the time of every part of a review."""
    parser = argparse.ArgumentParser(prog="invopt bench planning")
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--policy", choices=("auto", "order_up_to", "lost_sales"), default="auto")
    parser.add_argument("--partition", type=int, default=100_000, help="series planned at once")
    parser.add_argument("--horizon", type=int, default=HORIZON, help="periods forecast")
    parsed = parser.parse_args(rest)
    panel, forecast = make_forecast(parsed.series, parsed.horizon)
    before = peak()
    rng = np.random.default_rng(1)
    position = pd.DataFrame(
        {
            "unique_id": panel.unique_ids.astype(str),
            "on_hand": rng.poisson(6, parsed.series).astype(float),
            "on_order": rng.poisson(2, parsed.series).astype(float),
        }
    )
    config = InventoryConfig(
        lead_time=2, review_period=1, holding_cost=0.2, stockout_cost=1.0, policy=parsed.policy
    )
    wall, busy = time.perf_counter(), time.process_time()
    marks = [("", wall, busy)]

    def mark(name: str) -> None:
        marks.append((name, time.perf_counter(), time.process_time()))

    plans = []
    rules = ReviewRules(config=config, model_version="bench", is_count=True)
    for first in range(0, parsed.series, parsed.partition):
        rows = np.arange(first, min(first + parsed.partition, parsed.series))
        part = panel.select(rows)
        own = forecast_of(forecast, rows)
        stock = stock_of(part.unique_ids, position.iloc[rows])
        plans.append(plan_orders(part, own, stock, rules).orders)
    plan = pd.concat(plans, ignore_index=True)
    mark("orders, costs, exceptions")
    plan["segment"] = segments_of(recent_sales(panel), np.ones(parsed.series))
    mark("segments")
    with tempfile.TemporaryDirectory() as scratch:
        plan.to_csv(Path(scratch) / "orders.csv", index=False)
    mark("orders.csv")
    print(f"{parsed.series:,} series, {parsed.policy}")
    for (_, since, used), (name, now, by) in pairwise(marks):
        print(f"{name:28s} {now - since:7.1f} s  ({by - used:.1f} processor seconds)")
    print(f"{'all':28s} {marks[-1][1] - wall:7.1f} s  ({marks[-1][2] - busy:.1f})")
    print(
        f"{'peak memory':28s} {peak():7,.0f} MB  ({before:,.0f} before, panel and forecast in it)"
    )


def peak() -> float:
    """Return the largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make_forecast(num_series: int, horizon: int = HORIZON) -> tuple[Panel, ForecastArrays]:
    """Return a panel of slow sellers and a forecast of each."""
    rng = np.random.default_rng(0)
    level = rng.lognormal(0.3, 0.8, (num_series, 1)).astype(np.float32)
    y = rng.poisson(level, (num_series, PERIODS)).astype(np.int16)
    y[:, 0] += y.sum(axis=1) == 0
    series = pd.DataFrame({"unique_id": [f"s{i:07d}" for i in range(num_series)]})
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", PERIODS)
    mean = np.repeat(level, horizon, axis=1)
    spread = np.linspace(0, 3, len(LEVELS), dtype=np.float32)
    per_period = mean[:, :, None] * spread
    sums = mean.cumsum(axis=1)[:, :, None] * spread
    panel = Panel(timeline, series, y, np.zeros(y.shape, np.uint8))
    return panel, ForecastArrays(mean, per_period, sums, LEVELS, LEVELS, is_count=True)
