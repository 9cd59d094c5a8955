"""The serial scenarios of gym-invmgmt (PyPI), ordered for by the network's review.

`invopt bench invmgmt` needs `pip install gym-invmgmt` beside invopt. A retailer, a distributor and
a factory in a row, lead times 4, 4 and 0, 30 periods, ten seeds: those of the package's published
results (github.com/r2barati/gym-invmgmt-paper, results/benchmark_final_merged.csv), whose rewards
and seconds for an episode stand beside ours, the best that does not know the demand to come among
them: MSSP-I, a stochastic programme solved every period that knows the law of demand, as we do
here. Its scenarios of several sources for one place do not fit: ours are trees.
"""

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import poisson

from invopt.config import InventoryConfig
from invopt.contracts import StockRecords, TermsTables
from invopt.errors import InvalidInputError
from invopt.forecasts import ForecastArrays
from invopt.inventory.decision import ReviewRules
from invopt.inventory.network import NetworkReview
from invopt.panel import Panel
from invopt.timeline import Timeline
from invopt.types import FloatArray

SEEDS = (42, 123, 456, 789, 1011, 2022, 3033, 4044, 5055, 6066)
PERIODS, HORIZON = 30, 24
LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
DEMANDS: dict[str, dict[str, Any]] = {
    "stationary": {"type": "stationary"},
    "trend+seasonal": {"type": "combined_chaos", "effects": ["trend", "seasonal"]},
    "trend+seasonal+shock": {"type": "combined_chaos", "effects": ["trend", "seasonal", "shock"]},
}
# Published means of ten seeds: of the bound that knows all, of MSSP-I, of MSSP, which learns the
# law from what was sold; and seconds of an episode of MSSP-I.
PUBLISHED = {
    ("stationary", False): (1023.8, 986.5, 911.8, 2.515),
    ("stationary", True): (1023.9, 1006.3, 975.2, 2.624),
    ("trend+seasonal", False): (1406.8, 1364.6, 999.2, 2.662),
    ("trend+seasonal", True): (1529.9, 1502.4, 1197.7, 2.535),
    ("trend+seasonal+shock", False): (2013.6, 1965.7, 1364.6, 2.884),
    ("trend+seasonal+shock", True): (2136.8, 2104.5, 1675.5, 2.966),
}
LANES = pd.DataFrame(
    {"source": ["D", "F", "raw"], "location": ["R", "D", "F"], "lead_time": [4.0, 4.0, 0.0]}
)
HOLDING = {"R": 0.03, "D": 0.02, "F": 0.01}
LOST, WAITS = 2.0 + 0.1 - 0.5 - 0.01, 0.1  # margin and penalty; penalty of a period


def main(rest: list[str]) -> None:
    """Print rewards beside those published."""
    parser = argparse.ArgumentParser(prog="invopt bench invmgmt")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    seeds = SEEDS[: parser.parse_args(rest).seeds]
    try:
        from gym_invmgmt import CoreEnv  # noqa: PLC0415  (a peer, not a dependency)
    except ModuleNotFoundError as err:
        raise InvalidInputError(
            "gym-invmgmt is not installed: pip install gym-invmgmt in this environment."
        ) from err
    print(f"{'demand':22s} {'unmet':6s} {'ours':>8s} {'MSSP-I':>8s} {'MSSP':>8s} {'oracle':>8s} "
          f"{'fill':>7s} {'ms/decision':>12s} {'MSSP-I':>7s}")  # fmt: skip
    for backlog in (False, True):
        keys = [(demand, seed) for demand in DEMANDS for seed in seeds]
        envs = [_env(CoreEnv, demand, seed, backlog=backlog) for demand, seed in keys]
        seconds = play(envs, backlog=backlog) / (len(envs) * PERIODS)
        for number, demand in enumerate(DEMANDS):
            own = envs[number * len(seeds) : (number + 1) * len(seeds)]
            reward = np.mean([e.P.sum() for e in own])
            sold = own[0].network.network_map[1, 0]
            fill = np.mean([e.S[:, sold].sum() / e.D.sum() for e in own])
            bound, informed, blind, episode = PUBLISHED[demand, backlog]
            print(f"{demand:22s} {'waits' if backlog else 'lost':6s} {reward:8.1f} {informed:8.1f} "
                  f"{blind:8.1f} {bound:8.1f} {fill:7.1%} {1000 * seconds:12.2f} "
                  f"{1000 * episode / PERIODS:7.1f}", flush=True)  # fmt: skip


def _env(make: Any, demand: str, seed: int, *, backlog: bool) -> Any:
    config = DEMANDS[demand] | {"base_mu": 20, "use_goodwill": False}
    env = make(scenario="serial", demand_config=config, num_periods=PERIODS, backlog=backlog)
    env.reset(seed=seed)
    return env


def play(envs: list[Any], *, backlog: bool) -> float:
    """Play all episodes side by side, each a product; return processor seconds of planning."""
    config = InventoryConfig(
        review_period=1, lead_time=4, lost_sales=not backlog,
        stockout_cost=WAITS if backlog else LOST, holding_cost=HOLDING["R"],
    )  # fmt: skip
    rules = ReviewRules(config=config, model_version="bench", is_count=True)
    panel, tables = shops(len(envs))
    seconds = 0.0
    for period in range(PERIODS):
        forecast, recorded = known_law(envs, period), stock(envs, period, backlog=backlog)
        begun = time.process_time()
        desk = NetworkReview(tables, recorded, rules)
        found = desk.settled([desk.plan(panel, forecast)])
        seconds += time.process_time() - begun
        orders = pd.concat([r.orders for r in found]).set_index("unique_id")["order_quantity"]
        for number, env in enumerate(envs):
            asked = {(2, 1): "R", (3, 2): "D", (4, 3): "F"}
            env.step({link: float(orders[f"{number}_{at}"]) for link, at in asked.items()})
    return seconds


def shops(num: int) -> tuple[Panel, TermsTables]:
    """Return a retailer's series for each episode, and the network above them."""
    product = np.arange(num).astype(str).astype(object)
    series = pd.DataFrame({"unique_id": product + "_R", "product": product, "location": "R",
                           "unit_cost": 0.5})  # fmt: skip
    y = np.random.default_rng(0).poisson(20, (num, 60)).astype(np.int16)
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", 60)
    nodes = pd.DataFrame({
        "unique_id": np.concatenate([product + "_D", product + "_F"]),
        "product": np.tile(product, 2), "location": ["D"] * num + ["F"] * num,
        "unit_cost": 0.5, "holding_cost": [HOLDING["D"]] * num + [HOLDING["F"]] * num,
    })  # fmt: skip
    panel = Panel(timeline, series, y, np.zeros(y.shape, np.uint8))
    return panel, TermsTables(lanes=LANES, nodes=nodes)


def known_law(envs: list[Any], period: int) -> ForecastArrays:
    """Return the law of demand from a period on; nothing is asked for after the last one."""
    ahead = np.arange(period, period + HORIZON)
    mean = np.array([
        [e.demand_engine.get_current_mu(t) if t < PERIODS else 0.0 for t in ahead] for e in envs
    ])  # fmt: skip

    def quantiles(means: FloatArray) -> FloatArray:
        found = poisson.ppf(np.array(LEVELS), means[:, :, None])
        return np.where(means[:, :, None] > 0, found, 0.0).astype(np.float32)

    return ForecastArrays(
        mean.astype(np.float32), quantiles(mean), quantiles(mean.cumsum(axis=1)), LEVELS, LEVELS,
        is_count=True,
    )  # fmt: skip


def stock(envs: list[Any], period: int, *, backlog: bool) -> StockRecords:
    """Return what lies at each place before a period's orders, and what is under way to it."""
    rows, due = [], []
    for number, env in enumerate(envs):
        for at, place in ((1, "R"), (2, "D"), (3, "F")):
            name = f"{number}_{place}"
            waiting = env.U[period - 1, 0] if backlog and place == "R" and period else 0.0
            on_hand = env.X[period, env.network.node_map[at]]
            rows.append((name, float(on_hand), float(waiting)))
            link = env.network.reorder_map[(at + 1, at)]
            lead = env.network.lead_times[(at + 1, at)]
            for sent in range(max(period - lead, 0), period):
                due.append((name, sent + lead - period + 1, float(env.R[sent, link])))
    position = pd.DataFrame(rows, columns=["unique_id", "on_hand", "backorders"])
    under_way = pd.DataFrame(due, columns=["unique_id", "due_in", "quantity"])
    return StockRecords(position, under_way)
