import numpy as np
import pandas as pd

from invopt.synthetic import make_retailer, write_retailer


def test_sales_never_exceed_demand_or_stock_and_units_are_conserved():
    r = make_retailer(num_products=10, num_stores=3, num_days=200, seed=1)
    assert (r.sales <= r.demand).all()
    assert (r.on_hand >= 0).all()
    assert (r.on_order >= 0).all()
    lost = r.demand > r.sales
    assert (r.on_hand[lost] == 0).all()
    assert 0.005 < 1 - r.sales.sum() / r.demand.sum() < 0.2


def test_the_same_seed_makes_the_same_retailer():
    a, b = (make_retailer(5, 2, 150, seed=3) for _ in range(2))
    assert np.array_equal(a.demand, b.demand)
    assert not np.array_equal(a.demand, make_retailer(5, 2, 150, seed=4).demand)


def test_nothing_sells_before_its_launch():
    r = make_retailer(num_products=40, num_stores=2, num_days=400, seed=0)
    launch = r.series["launch_day"].to_numpy()
    late = np.flatnonzero((launch > 0) & (launch < 400))
    assert len(late)
    for row in late:
        assert r.sales[row, : launch[row]].sum() == 0


def test_a_level_shift_raises_demand_from_its_day_on():
    calm = make_retailer(20, 3, 300, seed=5)
    shifted = make_retailer(20, 3, 300, seed=5, shift=(1.5, 250))
    before = shifted.demand[:, :250].sum() / calm.demand[:, :250].sum()
    after = shifted.demand[:, 250:].sum() / calm.demand[:, 250:].sum()
    assert abs(before - 1) < 0.02
    assert abs(after - 1.5) < 0.1


def test_the_files_hold_every_sale_and_the_truth_stands_apart(tmp_path):
    r = make_retailer(8, 2, 150, seed=2)
    write_retailer(r, tmp_path / "data")
    lines = pd.read_csv(tmp_path / "data" / "sales_lines.csv", keep_default_na=False)
    good = pd.to_numeric(lines["quantity"], errors="coerce")
    assert (good[good > 0].sum()) <= r.sales.sum()
    assert (lines["quantity"] == "n/a").any()
    truth = pd.read_parquet(tmp_path / "data" / "truth" / "demand.parquet")
    assert truth["demand"].sum() == r.demand.sum()
