"""Data frames go the way of files: checked, counted, cleaned, and answered with frames."""

import numpy as np
import pandas as pd
import pytest

import invopt

IDS = ["a", "b"]
DAYS = pd.date_range("2025-01-01", periods=120)


def sales_of(num_days: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.concat(
        pd.DataFrame({"unique_id": name, "ds": DAYS[:num_days], "y": rng.poisson(mean, num_days)})
        for name, mean in (("a", 5), ("b", 1))
    )


def products() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unique_id": IDS,
            "product": ["tea", "cup"],
            "location": "shop",
            "unit_cost": 2.0,
            "list_price": [4.0, 5.0],
            "pack_size": [6, 1],
            "lead_time": 2,
            "steep minutes": [3.0, 0.0],
        }
    )


def test_every_row_of_a_frame_is_used_or_set_aside_with_its_reason():
    bad = pd.DataFrame({"unique_id": ["a"], "ds": [DAYS[5]], "y": [-3.0]})
    data = invopt.read_frames(pd.concat([sales_of(), bad]), "D")
    assert data.panel.y.shape == (2, 120)
    assert data.panel.y.sum() == sales_of()["y"].sum()
    assert data.quarantine["reason"].tolist() == ["y is negative"]
    assert [(a.table, a.rows_in, a.rows_used) for a in data.report.accounting] == [
        ("sales", 241, 240)
    ]


def test_dates_as_text_and_as_stamps_may_share_a_column():
    late = pd.DataFrame({"unique_id": ["a"], "ds": ["2025-05-01"], "y": [4.0]})
    data = invopt.read_frames(pd.concat([sales_of(), late]), "D")
    assert str(data.panel.timeline.date(data.panel.num_periods - 1).date()) == "2025-05-01"
    assert data.panel.y[0, -1] == 4


def test_attributes_keep_their_names_and_kinds():
    data = invopt.read_frames(sales_of(), "D", products=products())
    assert data.panel.series["steep minutes"].tolist() == [3.0, 0.0]
    assert data.panel.series["product"].tolist() == ["tea", "cup"]
    assert data.panel.series["pack_size"].tolist() == [6.0, 1.0]


def test_planned_promotions_may_be_looked_at_ahead_and_stock_may_not():
    plan = pd.DataFrame({"unique_id": "a", "ds": [DAYS[10], DAYS[-1] + pd.Timedelta(3, "D")],
                         "promotion": 1})  # fmt: skip
    stock = pd.DataFrame({"unique_id": "a", "ds": DAYS, "on_hand": 4.0})
    data = invopt.read_frames(sales_of(), "D", promotions=plan, stock=stock)
    promotion, on_hand = data.panel.channels["promotion"], data.panel.channels["on_hand"]
    assert promotion.known
    assert promotion.values.sum() == 2
    assert not on_hand.known


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({"sales": sales_of().drop(columns="y")}, "sales.y must be a column of the frame"),
        ({"sales": sales_of().drop(columns="unique_id")}, "sales.unique_id must be a column"),
        ({"sales": sales_of(), "stok": products()}, "knows no table stok"),
        (
            {"sales": sales_of(), "position": products().drop(columns="unique_id")},
            "position.unique_id must be a column",
        ),
    ],
)
def test_a_frame_that_cannot_be_read_is_refused_by_name(frames, message):
    with pytest.raises(invopt.InvalidInputError, match=message):
        invopt.read_frames(freq="D", **frames)


def test_a_frequency_that_is_not_known_is_refused():
    with pytest.raises(invopt.ConfigError, match="frequency must be one of D, W-MON"):
        invopt.read_frames(sales_of(), "hourly")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_trained_model_forecasts_and_plans_frames_and_repeats_itself():
    position = pd.DataFrame({"unique_id": IDS, "on_hand": [0, 500]})
    data = invopt.read_frames(sales_of(), "D", products=products(), position=position)
    model = invopt.train(data, steps=12, features={"horizon": 14})
    ahead = invopt.forecast(model, data)
    assert ahead.groupby("unique_id").size().to_dict() == {"a": 14, "b": 14}
    assert ahead["ds"].min() == DAYS[-1] + pd.Timedelta(1, "D")
    orders = invopt.plan(model, data, review_period=7).orders.set_index("unique_id")
    assert orders.loc["a", "order_quantity"] > 0
    assert orders.loc["a", "order_quantity"] % 6 == 0
    assert orders.loc["b", "order_quantity"] == 0
    again = invopt.train(data, steps=12, features={"horizon": 14})
    pd.testing.assert_frame_equal(invopt.forecast(again, data), ahead)


def test_a_field_that_does_not_exist_is_refused_before_training():
    data = invopt.read_frames(sales_of(), "D")
    with pytest.raises(invopt.ConfigError, match=r"did you mean horizon\?"):
        invopt.train(data, features={"horizn": 14})
