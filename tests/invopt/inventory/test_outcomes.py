"""What past plans came to: numbers that can be checked by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt.config import InventoryConfig
from invopt.inventory.outcomes import PastReview, plan_outcomes
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.timeline import Timeline, floor_dates

CONFIG = InventoryConfig(lead_time=1, review_period=7, holding_cost=0.5, stockout_cost=2.0)
TODAY = 27  # periods before today


def panel_of(y, flags=None, on_hand=None):
    """Return series "a", "b", ... of days from 2024-01-01."""
    y = np.array(y, np.int16)
    ids = [chr(97 + row) for row in range(len(y))]
    marks = np.zeros(y.shape, np.uint8)
    for (row, at), flag in (flags or {}).items():
        marks[row, at] = flag
    channels = {}
    if on_hand is not None:
        stock = np.array(on_hand, np.float32)
        channels["on_hand"] = Channel(
            "on_hand", "stock", SERIES_LEVEL, groups=tuple(ids), known=False, values=stock
        )
    line = Timeline(pd.Timestamp("2024-01-01"), "D", y.shape[1])
    return Panel(line, pd.DataFrame({"unique_id": ids}), y, marks, channels)


def review(date, ids=("a",), mean=4.0, lead_time=1, horizon=14, **columns):
    plan = pd.DataFrame({
        "unique_id": list(ids), "lead_time": lead_time, "order_quantity": 10.0,
        "expected_stockout_cost": 1.5, "expected_holding_cost": 3.0,
    } | columns)  # fmt: skip
    return PastReview(pd.Timestamp(date), plan, np.array(ids), np.full((len(ids), horizon), mean))


def test_an_order_answers_for_the_days_from_its_arrival_to_the_next_ones():
    # Reviewed on the 7th day, on the shelf on the 9th, the next one on the 16th.
    y = np.zeros((1, TODAY), int)
    y[0, :8] = 3  # before it can arrive, and the season before
    y[0, 8:15] = 5
    y[0, 15:] = 100  # the next order's
    [found] = plan_outcomes(panel_of(y), [review("2024-01-07")], CONFIG).to_dict("records")
    assert found["periods"] == 7
    assert found["sold"] == 35
    assert found["expected"] == 28
    assert found["error"] == 7  # 5 sold, 4 expected, seven times
    assert found["naive_error"] == 14  # 3 a day the week before
    assert found["planned_holding_cost"] == 3.0
    assert np.isnan(found["holding_cost"])  # nobody counted the stock
    assert np.isnan(found["stockout_cost"])  # nobody recorded an empty shelf


def test_an_empty_shelf_is_missed_sales_at_the_forecast_and_no_error():
    y = np.full((1, TODAY), 4)
    y[0, 10], y[0, 11] = 1, 0
    flags = {(0, 10): Flag.CENSORED, (0, 11): Flag.CENSORED}
    stock = np.full((1, TODAY), 6.0)
    stock[0, 10:12] = 0
    [found] = plan_outcomes(panel_of(y, flags, stock), [review("2024-01-07")], CONFIG).to_dict(
        "records"
    )
    assert found["lost"] == 3 + 4
    assert found["stockout_cost"] == 14.0  # 2 a unit
    assert found["planned_stockout_cost"] == 1.5
    assert found["holding_cost"] == 5 * 6 * 0.5
    assert found["sold"] == 5 * 4 + 1
    assert found["error"] == 0
    assert found["judged"] == 20


def test_reviews_nearer_than_a_review_period_count_once_and_what_is_not_over_does_not_count():
    y = np.full((1, TODAY), 4)
    near = [review(f"2024-01-{day:02d}") for day in (5, 6, 7, 14)]
    [found] = plan_outcomes(panel_of(y), near, CONFIG).to_dict("records")
    assert found["reviews"] == 2  # of the 14th and of the 7th
    assert found["periods"] == 14
    late = [review("2024-01-20")]  # its interval ends on the 28th; today is the 27th
    assert plan_outcomes(panel_of(y), late, CONFIG).empty
    assert plan_outcomes(panel_of(y), [review("2024-03-01")], CONFIG).empty


def test_no_day_counts_twice_for_a_series_with_a_review_period_of_its_own():
    panel = panel_of(np.full((2, 60), 4))
    panel = replace(panel, series=panel.series.assign(review_period=[14.0, np.nan]))
    made = [review(f"2024-02-{day:02d}", ids=("a", "b"), horizon=28) for day in (5, 12, 14)]
    found = plan_outcomes(panel, made, CONFIG)
    # "a" by the review of the 14th alone; "b" by it and, from the 7th to the 13th, by the 5th's.
    assert found["reviews"].tolist() == [1, 2]
    assert found["periods"].tolist() == [14, 14]
    assert found["sold"].tolist() == [56, 56]


@pytest.mark.parametrize(
    ("freq", "periods"), [("W-MON", 4), ("2W-MON", 2), ("MS", 1), ("QS", 1), ("2W-SUN+1", 2)]
)
def test_about_a_month_of_any_frequency_is_looked_at(freq, periods):
    line = Timeline(floor_dates(pd.DatetimeIndex(["2020-01-01"]), freq)[0], freq, 40)
    panel = replace(panel_of(np.full((1, 40), 4)), timeline=line)
    config = CONFIG.model_copy(update={"review_period": 1})
    made = [review(line.date(at)) for at in range(20, 39)]
    [found] = plan_outcomes(panel, made, config).to_dict("records")
    assert found["periods"] == periods


def test_a_series_that_the_plan_did_not_know_is_left_out():
    y = np.full((2, TODAY), 4)
    found = plan_outcomes(panel_of(y), [review("2024-01-07")], CONFIG)
    assert found["unique_id"].tolist() == ["a"]
    unknown = review("2024-01-07", lead_time=np.nan)
    assert plan_outcomes(panel_of(y), [unknown], CONFIG).empty


@pytest.mark.parametrize("lead_time", [0, 3])
def test_the_days_follow_the_lead_time(lead_time):
    y = np.arange(TODAY)[None, :]
    made = [review("2024-01-07", lead_time=lead_time)]
    [found] = plan_outcomes(panel_of(y), made, CONFIG).to_dict("records")
    first = 7 + lead_time  # the day number that is on the shelf first
    assert found["sold"] == sum(range(first, first + 7))
