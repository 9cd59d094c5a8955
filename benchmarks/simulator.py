"""The inventory simulator: SKU-days per second, alone, in torch, and beside public libraries.

Peers live in an environment of their own (`pip install stockpyl inventorize`), whose interpreter
--peers names; they replay one SKU at a time, so they get a share of the same demand, and their
costs are shown beside ours of the same SKUs.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from invopt.inventory import Opening, Terms, order_up_to, simulate
from invopt.model.replay_cost import ReplayTerms, replay_cost

FloatArray = npt.NDArray[np.float64]
LEAD_TIME, LEVEL, HOLDING, STOCKOUT = 3, 14.0, 0.1, 1.0

# Run by the peers' interpreter: the same base stock, one SKU after the other. An order at the end
# of t is sold from in t + L + 1 here; both peers call that a lead time of L + 1. stockpyl knows
# backorders alone, inventorize lost sales alone, which also counts the stock before day one.
_STOCKPYL = """
import json, sys, time
import numpy as np
from stockpyl.supply_chain_network import single_stage_system
from stockpyl.sim import simulation
demand = np.load(sys.argv[1]); lead, level, holding, stockout = json.loads(sys.argv[2])
started, cost = time.perf_counter(), 0.0
for row in demand:
    network = single_stage_system(local_holding_cost=holding, stockout_cost=stockout,
        demand_type='D', demand_list=[float(v) for v in row], shipment_lead_time=lead,
        policy_type='BS', base_stock_level=level)
    cost += simulation(network, len(row), progress_bar=False)
print(json.dumps([demand.size / (time.perf_counter() - started), float(cost)]))
"""
_INVENTORIZE = """
import json, sys, time
import numpy as np
import inventorize as inv
demand = np.load(sys.argv[1]); lead, level, holding, stockout = json.loads(sys.argv[2])
started, cost = time.perf_counter(), 0.0
for row in demand:
    _, found = inv.sim_base_normal(row, mean=float(row.mean()), sd=float(row.std()), leadtime=lead,
        service_level=0.95, Base=level, ordering_delay=False, shortage_cost=stockout,
        inventory_cost=holding, ordering_cost=0)
    cost += found["shortage_cost"] + found["inventory_cost"] - level * holding
print(json.dumps([demand.size / (time.perf_counter() - started), float(cost)]))
"""


def main(rest: list[str]) -> None:
    """Print SKU-days per second of every simulator at hand."""
    parser = argparse.ArgumentParser(prog="invopt bench simulator")
    parser.add_argument("--series", type=int, default=30_490)
    parser.add_argument("--days", type=int, default=364)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", type=Path, help="interpreter with stockpyl and inventorize")
    parsed = parser.parse_args(rest)
    demand = make_demand(parsed.series, parsed.days)
    print(f"{parsed.series:,} series x {parsed.days} days, base stock, lead time {LEAD_TIME}")
    for lost_sales in (True, False):
        name = "lost sales" if lost_sales else "backorders"
        for threads in sorted({1, parsed.threads}):
            wall, busy = ours(demand, threads, lost_sales=lost_sales)
            tell(f"invopt, {threads} thread(s), {name}", demand.size, wall, busy)
    wall, busy = in_torch(demand[:4096])
    tell("invopt in torch, forward and backward", demand[:4096].size, wall, busy)
    if parsed.peers is not None:
        beside_peers(parsed.peers, demand[:20])


def make_demand(num_series: int, num_days: int) -> npt.NDArray[np.float32]:
    """Return Poisson demand at retail rates."""
    rng = np.random.default_rng(0)
    level = rng.lognormal(0.3, 0.8, (num_series, 1))
    return rng.poisson(level, (num_series, num_days)).astype(np.float32)


def ours(demand: npt.NDArray[np.float32], threads: int, *, lost_sales: bool) -> tuple[float, float]:
    """Return wall and processor seconds of the numpy simulator, the best of three."""
    terms = make_terms(len(demand))
    rule = order_up_to(np.full(demand.shape, LEVEL), terms)
    opening = Opening(np.full(len(demand), LEVEL), np.zeros((len(demand), 0)))
    return best(
        lambda: simulate(demand, rule, terms, opening, lost_sales=lost_sales, num_threads=threads)
    )


def in_torch(demand: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Return wall and processor seconds of cost and gradient in torch."""
    asked = torch.from_numpy(demand)
    terms = ReplayTerms(
        torch.full((len(demand),), HOLDING), torch.full((len(demand),), STOCKOUT), LEAD_TIME
    )

    def step() -> None:
        levels = torch.full(asked.shape, LEVEL, requires_grad=True)
        held, short = replay_cost(
            asked, levels, terms, torch.full((len(demand),), LEVEL), torch.zeros(len(demand), 1)
        )
        (held.sum() + short.sum()).backward()  # type: ignore[no-untyped-call]

    return best(step)


def beside_peers(interpreter: Path, demand: npt.NDArray[np.float32]) -> None:
    """Print what other libraries do with the same demand, and that costs agree."""
    terms = make_terms(len(demand))
    rule = order_up_to(np.full(demand.shape, LEVEL), terms)
    opening = Opening(np.full(len(demand), LEVEL), np.zeros((len(demand), 0)))
    rules = json.dumps([LEAD_TIME + 1, LEVEL, HOLDING, STOCKOUT])
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "demand.npy"
        np.save(file, demand)
        for name, script, lost_sales in (
            ("stockpyl, backorders", _STOCKPYL, False),
            ("inventorize, lost sales", _INVENTORIZE, True),
        ):
            cost = simulate(demand, rule, terms, opening, lost_sales=lost_sales).cost.sum()
            done = subprocess.run(
                [str(interpreter), "-c", script, str(file), rules],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                print(f"{name:45s} not measured: {done.stderr.strip().splitlines()[-1:]}")
                continue
            rate, theirs = json.loads(done.stdout.strip().splitlines()[-1])
            print(f"{name:45s} {rate:14,.0f} SKU-days/s, cost {theirs:,.1f}, ours {cost:,.1f}")


def best(run: Callable[[], object]) -> tuple[float, float]:
    """Return the shortest wall and processor time of three runs, seconds."""
    times = []
    for _ in range(3):
        wall, busy = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - wall, time.process_time() - busy))
    return min(t[0] for t in times), min(t[1] for t in times)


def make_terms(num: int) -> Terms:
    """Return the same costs for every series."""
    one = np.ones(num)
    return Terms(
        holding_cost=one * HOLDING,
        stockout_cost=one * STOCKOUT,
        lead_time=np.full(num, LEAD_TIME),
        review_period=1,
        pack_size=one,
        min_order=one * 0,
        unit_cost=one * 5,
    )


def tell(name: str, size: int, wall: float, busy: float) -> None:
    """Print one line: per second of wall clock, and per second of one processor."""
    print(f"{name:45s} {size / wall:14,.0f} SKU-days/s  ({size / busy:,.0f} per processor second)")
