"""A review from files to files: orders, what a planner reads, and the page about them."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from invopt.files import read_json, write_json
from invopt.report.replenishment_page import write_replenishment_report
from invopt.steps.replenish import ReviewFiles, plan_all_orders, review_date
from tests.builders import make_config, make_panel

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
CONFIG = make_config(
    inventory={"lead_time": 2, "review_period": 1, "holding_cost": 0.2, "stockout_cost": 1.0}
)


@pytest.fixture
def review(tmp_path):
    """Write a panel in two partitions, a forecast and a snapshot; return their folders."""
    panel = make_panel(num_series=6, num_periods=120)
    for number, rows in enumerate((np.arange(3), np.arange(3, 6))):
        panel.select(rows).save(tmp_path / "derived" / f"part-{number:04d}")
    mean = np.repeat(panel.y[:, -28:].mean(axis=1, keepdims=True), 5, axis=1).astype(np.float32)
    knots = norm.ppf(np.array(LEVELS))
    per_period = np.maximum(mean[:, :, None] + np.sqrt(mean)[:, :, None] * knots, 0)
    total = mean.cumsum(axis=1)
    sums = np.maximum(total[:, :, None] + np.sqrt(total)[:, :, None] * knots, 0)
    forecast = tmp_path / "forecast"
    forecast.mkdir()
    for number, rows in enumerate((slice(0, 3), slice(3, 6))):
        np.savez(
            forecast / f"part-{number:04d}.npz",
            mean=mean[rows], smooth_quantiles=per_period[rows], smooth_levels=sums[rows],
        )  # fmt: skip
    head = {"quantile_levels": LEVELS, "level_quantiles": LEVELS, "is_count": True}
    head["model"] = "neural network"
    write_json(forecast / "forecast.json", head)
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    position = pd.DataFrame(
        {"unique_id": panel.unique_ids.astype(str), "on_hand": 3.0, "on_order": 2.0}
    )
    position.drop(index=4).to_parquet(snapshot / "position.parquet", index=False)
    return tmp_path


def plan(review, last=None, config=CONFIG):
    names = ("orders", "purchase_orders", "exceptions")
    out = {name: str(review / f"{name}.csv") for name in names}
    told = []
    files = ReviewFiles(
        source=review / "derived", forecast=review / "forecast", snapshot=review / "snapshot",
        last=last,
    )  # fmt: skip
    plan_all_orders(files, config.inventory, "m-1", out, told.append)
    return pd.read_csv(out["orders"]), told


def test_each_order_names_the_part_that_forecast_its_series(review):
    head = read_json(review / "forecast" / "forecast.json")
    several = {"model": "LSTM network", "makers": ["lightgbm", "LSTM network"]}
    write_json(review / "forecast" / "forecast.json", head | several)
    for number, made_by in enumerate(([1, 0, 1], [0, 0, 1])):
        np.save(review / "forecast" / f"makers-{number:04d}.npy", np.array(made_by, np.int16))
    found = plan(review)[0].set_index("unique_id").sort_index()["model"]
    assert found.tolist() == [
        "LSTM network", "lightgbm", "LSTM network", "lightgbm", "lightgbm", "LSTM network",
    ]  # fmt: skip


def test_every_series_of_every_partition_has_one_row_with_reason_and_segment(review):
    found, told = plan(review)
    assert len(found) == 6
    assert found["unique_id"].is_unique
    assert found["segment"].str.fullmatch("[ABC][XYZ]").all()
    assert found["order_quantity"].isna().sum() == 1
    assert found.loc[4, "exception"].startswith("no_stock_record")
    assert "1 series without an order" in told[-1]
    assert set(found["review_date"]) == {review_date(str(review / "derived"))}


def test_planning_a_review_twice_gives_the_same_orders(review):
    first, _ = plan(review)
    again, _ = plan(review)
    pd.testing.assert_frame_equal(first, again)


@pytest.mark.parametrize("policy", ["auto", "lost_sales"])
def test_orders_are_what_the_position_lacks_of_the_level(review, policy):
    inventory = CONFIG.inventory.model_copy(update={"policy": policy})
    config = CONFIG.model_copy(update={"inventory": inventory})
    found, _ = plan(review, config=config)
    lacks = found["order_up_to_level"] - found["on_hand"] - found["on_order"]
    known = found["order_quantity"].notna()
    np.testing.assert_allclose(found["order_quantity"][known], lacks[known].clip(lower=0))


def test_purchase_orders_and_exceptions_stand_beside_the_orders(review):
    found, _ = plan(review)
    bought = pd.read_csv(review / "purchase_orders.csv")
    assert bought["order_quantity"].sum() == found["order_quantity"].sum()
    assert set(bought["order_date"]) == {"2024-04-29"}
    assert set(bought["arrival_date"]) == {"2024-05-02"}
    told = pd.read_csv(review / "exceptions.csv")
    words = found["exception"].dropna().str.split(";").explode()
    assert sorted(told["exception"]) == sorted(words)
    assert told["advice"].notna().all()


def test_a_level_far_from_the_last_reviews_is_flagged(review):
    first, _ = plan(review)
    last = review / "last.csv"
    first.assign(order_up_to_level=first["order_up_to_level"] * 3).to_csv(last, index=False)
    found, _ = plan(review, last)
    assert found["exception"][[0, 1, 2, 3, 5]].str.contains("level_changed").all()


def test_the_page_shows_orders_frontier_and_exceptions(review):
    plan(review)
    out = review / "report.html"
    write_replenishment_report(
        str(review / "derived"), str(review / "forecast"), str(review / "orders.csv"), CONFIG,
        str(out), lambda _: None,
    )  # fmt: skip
    page = out.read_text()
    for words in ("What service costs", "What if", "lead time +1", "No stock record", "p0_s0"):
        assert words in page
    assert page.count("<svg") == 3
    assert "nan" not in page.lower().replace("finance", "")
