#!/bin/sh
# inventory-optimizer 0.1.0: the "fill_rate" of simulate_inventory is the share of periods without a
# shortage, which is the cycle service level; a fill rate is the share of the demand that is served. An
# order of the mean is said to fill 50 % where it fills 92 %, and the order for a fill rate of 95 % is 133
# instead of 107. RobustNewsboyOptimizer, a "minimax-regret proxy" by range and mean, takes both costs and
# orders the mean whatever they are: at costs of 1 and 9 its worst regret is five times the least.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet uv
VIRTUAL_ENV=$place/venv "$place/venv/bin/uv" pip install --quiet \
    inventory-optimizer==0.1.0 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
"$place/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from inventory_optimizer.robust_newsboy import RobustNewsboyOptimizer
from inventory_optimizer.simulation import simulate_inventory

demand = np.random.default_rng(0).normal(100, 20, 100_000).clip(0)


def fill_rates(order):
    said = simulate_inventory(order, demand, 1.0, 9.0)["fill_rate"]
    return float(said), float(np.minimum(demand, order).sum() / demand.sum())


orders = np.arange(80, 160)
first = [int(orders[np.argmax([fill_rates(order)[kind] >= 0.95 for order in orders])]) for kind in (0, 1)]
seen = [round(rate, 2) for rate in fill_rates(100)]
print("fill rate of an order of 100, said and real:", seen, "| order for 0.95 by each:", first)
# Seen: fill rate of an order of 100, said and real: [0.5, 0.92] | order for 0.95 by each: [133, 107]
assert (seen, first) == ([0.5, 0.92], [133, 107]), (seen, first)


def worst_regret(order, holding, shortage):
    """Return the largest regret over all demands of mean 100 between 50 and 150 (two points are enough)."""
    low, high = np.meshgrid(np.arange(50.0, 100), np.arange(101.0, 151))
    share = (high - 100) / (high - low)

    def cost(units):
        over = share * np.maximum(units - low, 0) + (1 - share) * np.maximum(units - high, 0)
        under = share * np.maximum(low - units, 0) + (1 - share) * np.maximum(high - units, 0)
        return holding * over + shortage * under

    return float((cost(order) - np.minimum(cost(low), cost(high))).max())


robust = {}
for holding, shortage in ((1.0, 9.0), (1.0, 1.0), (9.0, 1.0)):
    given = RobustNewsboyOptimizer(holding, shortage, 50, 150, 100).optimal_order_robust()
    regrets = {order: worst_regret(order, holding, shortage) for order in range(50, 151)}
    least = min(regrets, key=regrets.get)
    robust[holding, shortage] = [round(given), least, round(regrets[round(given)]), round(regrets[least])]
print("by costs of holding and shortage: order given and best, worst regret of each:", robust)
# Seen: {(1.0, 9.0): [100, 140, 200, 40], (1.0, 1.0): [100, 100, 9, 9], (9.0, 1.0): [100, 60, 200, 40]}
assert [found[:2] for found in robust.values()] == [[100, 140], [100, 100], [100, 60]], robust
PY
