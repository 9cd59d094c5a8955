import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt.inventory import Opening, order_up_to, simulate
from invopt.model.replay_cost import ReplayTerms, replay_cost
from tests.invopt.inventory.test_simulation import make_terms


def setting(seed, lead_time=2, num=5, periods=20):
    rng = np.random.default_rng(seed)
    demand = rng.poisson(3, (num, periods)).astype(float)
    levels = rng.uniform(2, 20, (num, periods))
    opening = Opening(rng.uniform(0, 9, num), rng.uniform(0, 4, (num, 2)))
    return demand, levels, opening, make_terms(num, lead_time)


def in_torch(demand, levels, opening, lead_time=2, **kwargs):
    terms = ReplayTerms(
        torch.full((len(demand),), 0.2).double(), torch.ones(len(demand)).double(), lead_time,
        **{k: kwargs.pop(k) for k in ("review_period", "lost_sales") if k in kwargs},
    )  # fmt: skip
    return replay_cost(
        torch.from_numpy(demand), levels, terms, torch.from_numpy(opening.on_hand),
        torch.from_numpy(opening.arrivals), **kwargs,
    )  # fmt: skip


@given(
    seed=st.integers(0, 9999), lead_time=st.integers(0, 4), review=st.integers(1, 3),
    lost_sales=st.booleans(), warmup=st.integers(0, 3),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_torch_and_numpy_replay_alike(seed, lead_time, review, lost_sales, warmup):
    demand, levels, opening, _ = setting(seed)
    terms = make_terms(len(demand), lead_time, review)
    ours = simulate(
        demand, order_up_to(levels, terms), terms, opening, lost_sales=lost_sales, warmup=warmup
    )
    held, short = in_torch(
        demand, torch.from_numpy(levels), opening, lead_time,
        review_period=review, lost_sales=lost_sales, warmup=warmup,
    )  # fmt: skip
    np.testing.assert_allclose(held.numpy(), ours.holding_cost, atol=1e-9)
    np.testing.assert_allclose(short.numpy(), ours.stockout_cost, atol=1e-9)


def test_the_gradient_of_the_levels_is_that_of_finite_differences():
    demand, levels, opening, _ = setting(3)
    free = torch.from_numpy(levels).requires_grad_()
    sum(part.sum() for part in in_torch(demand, free, opening)).backward()
    for at in ((0, 0), (2, 5), (4, 11)):
        step = np.zeros_like(levels)
        step[at] = 1e-6
        more, less = (
            sum(float(p.sum()) for p in in_torch(demand, torch.from_numpy(levels + s), opening))
            for s in (step, -step)
        )
        assert free.grad[at].item() == pytest.approx((more - less) / 2e-6, abs=1e-4)


@pytest.mark.slow
def test_descending_the_gradient_finds_cheaper_levels():
    demand, _, opening, _ = setting(1, num=40, periods=60)
    level = torch.full((40, 1), 4.0, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([level], lr=0.3)
    costs = []
    for _ in range(40):
        cost = sum(p.sum() for p in in_torch(demand, level.expand(-1, 60), opening))
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        costs.append(cost.item())
    assert costs[-1] < 0.6 * costs[0]
