from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt.config import InventoryConfig
from invopt.forecasts import ForecastArrays
from invopt.inventory import terms_of
from invopt.monitoring.overridden import total_of, values_added
from invopt.monitoring.performance import Scoring
from invopt.monitoring.subject import Subject
from invopt.panel import Flag, Panel
from invopt.timeline import Timeline

DAYS = 60  # 2024-01-01 to 2024-02-29; the last week is judged
DAY = "2024-02-20"  # of a review whose orders are over


class TwoADay:
    """Forecasts 2 a day of every series, sums of half and half as much again at 0.1 and 0.9."""

    def predict(self, panel, cutoff=None):
        mean = np.full((panel.num_series, 14), 2.0, np.float32)
        spread = np.array([0.5, 1.0, 1.5], np.float32)
        return ForecastArrays(
            mean, mean[..., None] * spread, mean.cumsum(axis=1)[..., None] * spread,
            (0.1, 0.5, 0.9), (0.1, 0.5, 0.9), is_count=False,
        )  # fmt: skip


@pytest.fixture
def panel() -> Panel:
    """Two products that sell 3 a day."""
    y = np.full((2, DAYS), 3.0, np.float32)
    series = pd.DataFrame({"unique_id": ["a", "b"], "product": ["a", "b"], "range": ["x", "x"]})
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", DAYS)
    return Panel(timeline, series, y, np.zeros(y.shape, np.uint8))


def subject(panel: Panel) -> Subject:
    # 7 h = p: the level is the median of nine days, 18 of 2 a day.
    config = InventoryConfig(lead_time=2, review_period=7, holding_cost=1.0, stockout_cost=7.0)
    terms = terms_of(panel.series, None, config)
    return Subject(TwoADay(), lambda *_: ((), np.zeros(0)), Scoring(7, terms, False), (), 20, DAYS)


def override(**line) -> pd.DataFrame:
    usual = {"scope": "a", "from": "2024-01-01", "to": "2024-12-31", "kind": "factor", "value": 1.5,
             "who": "anna", "why": "fair", "made_at": "2024-01-02"}  # fmt: skip
    frame = pd.DataFrame([usual | line])
    return frame.assign(**{c: pd.to_datetime(frame[c]) for c in ("from", "to", "made_at")})


def plan_of(ids) -> pd.DataFrame:
    return pd.DataFrame(
        {"unique_id": ids, "review_date": DAY, "order_quantity": 30.0, "order_up_to_level": 18.0,
         "on_hand": 3.0, "on_order": 0.0, "backorders": 0.0}
    )  # fmt: skip


def test_an_override_that_was_right_saves_the_error_and_the_sales_that_would_have_been_lost(panel):
    [found] = values_added(override(), subject(panel), panel)
    assert (found.start, found.end, found.num_series) == ("2024-02-23", "2024-02-29", 1)
    assert (found.actual, found.forecast, found.planned) == (21.0, 14.0, 21.0)
    assert (found.error, found.error_with) == (7.0, 0.0)
    # Nine days after 20 February sold 27; ordered up to 18 nine sales are lost, to 27 none.
    assert (found.decided, found.cost, found.cost_with) == ("2024-02-20", 63.0, 0.0)
    told = found.as_dict()
    assert (told["error_saved"], told["money_saved"]) == (7.0, 63.0)
    assert (told["scope"], told["who"], told["why"]) == ("a", "anna", "fair")


def test_an_override_that_was_wrong_is_told_as_harm(panel):
    [found] = values_added(override(value=3.0), subject(panel), panel)
    assert found.as_dict()["error_saved"] == 7.0 - 21.0
    assert found.as_dict()["money_saved"] == 63.0 - 27 * 7  # 54 for 27: 27 held for a review


def test_only_the_days_that_it_is_for_are_judged(panel):
    days = {"from": "2024-02-26", "to": "2024-02-27", "kind": "demand", "value": 10.0}
    [found] = values_added(override(**days), subject(panel), panel)
    assert (found.start, found.end, found.actual) == ("2024-02-26", "2024-02-27", 6.0)
    assert (found.planned, found.error, found.error_with) == (10.0, 2.0, 4.0)


def test_a_group_shares_its_override_and_is_judged_whole(panel):
    group = {"scope": "range=x", "kind": "demand", "value": 84.0, "from": "2024-02-23",
             "to": "2024-02-29"}  # fmt: skip
    [found] = values_added(override(**group), subject(panel), panel)
    assert (found.num_series, found.planned, found.error, found.error_with) == (2, 84.0, 14.0, 42.0)


def test_days_without_stock_say_nothing_of_demand(panel):
    flags = panel.flags.copy()
    flags[0, -7:] = Flag.CENSORED
    dry = replace(panel, flags=flags)
    [found] = values_added(override(), subject(dry), dry)
    assert found.error is None
    assert found.cost is not None


def test_what_was_said_after_the_review_did_not_change_it(panel):
    assert values_added(override(made_at="2024-02-26"), subject(panel), panel) == []
    assert values_added(None, subject(panel), panel) == []
    past = override(**{"from": "2023-01-01", "to": "2023-02-01"})
    assert values_added(past, subject(panel), panel) == []


def test_an_order_set_by_hand_is_priced_beside_the_order_up_to_the_level(panel):
    said = override(kind="order", value=30.0, **dict.fromkeys(("from", "to"), DAY))
    [found] = values_added(said, subject(panel), panel, plan_of(["a"]))
    # 27 are asked for: up to 18 nine are lost for 7 each, with 33 six are held for a week.
    assert (found.error, found.decided, found.cost, found.cost_with) == (
        None, "2024-02-20", 63.0, 42.0
    )  # fmt: skip
    assert values_added(said, subject(panel), panel) == []  # without the plan nothing is known


@pytest.mark.parametrize("column", ["on_hand", "order_quantity", "order_up_to_level"])
def test_an_order_of_which_a_part_is_not_known_has_no_money(panel, column):
    said = override(scope="range=x", kind="order", value=30.0, **dict.fromkeys(("from", "to"), DAY))
    plan = plan_of(["a", "b"])
    both = values_added(said, subject(panel), panel, plan)[0]
    plan.loc[1, column] = np.nan
    [found] = values_added(said, subject(panel), panel, plan)
    assert (found.cost, found.cost_with) == (63.0, 42.0)  # of "a" alone
    assert (both.cost, both.cost_with) == (126.0, 84.0)
    plan.loc[0, column] = np.nan
    assert values_added(said, subject(panel), panel, plan) == []


def test_the_total_adds_up_what_is_known(panel):
    both = pd.concat([override(), override(scope="b", value=3.0)])
    assert total_of(values_added(both, subject(panel), panel)) == {
        "number": 2, "error": 14.0, "error_with": 21.0, "cost": 126.0, "cost_with": 189.0,
        "error_saved": -7.0, "money_saved": -63.0,
    }  # fmt: skip


class Counted(TwoADay):
    """Writes down the evenings that it is asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def predict(self, panel, cutoff=None):
        self.asked.append(cutoff)
        return super().predict(panel, cutoff)


@pytest.mark.parametrize(
    ("first", "last", "asked"),
    [
        ("2024-01-05", "2024-01-10", []),  # long over
        ("2024-02-01", "2024-02-03", [29]),  # 0: Monday, 1 January; the review of 30 January
        ("2024-01-01", "2024-12-31", [50, 52]),  # now: the last week's eve, and its money's
    ],
)
def test_only_evenings_that_an_override_concerned_are_forecast_and_each_once(
    panel, first, last, asked
):
    judged = replace(subject(panel), forecasts=Counted())
    lines = pd.concat([override(**{"from": first, "to": last}, value=v) for v in (1.5, 2.0)])
    values_added(lines, judged, panel)
    assert sorted(judged.forecasts.asked) == asked


def test_an_override_beyond_the_horizon_costs_one_forecast_at_most(panel):
    judged = replace(subject(panel), forecasts=Counted())
    assert values_added(override(**{"from": "2024-06-01"}), judged, panel) == []
    assert len(judged.forecasts.asked) <= 1
