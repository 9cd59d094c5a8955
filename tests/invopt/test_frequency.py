from dataclasses import replace

import pytest

from invopt.config import Config
from invopt.frequency import with_defaults
from invopt.history import fit_config
from invopt.sources.first_config import Extent, first_config
from tests.builders import make_panel

BARE = {"name": "shop", "data": {"mapping": "shop.yaml"}}


@pytest.mark.parametrize(
    ("frequency", "horizon", "windows", "rate"),
    [
        ("W-MON", 8, (4, 13, 26), 0.014),
        ("2W-MON", 6, (2, 6, 13), 0.028),
        ("MS", 3, (3, 6, 12), 0.06),
        ("QS", 2, (2, 4, 8), 0.182),
    ],
)
def test_what_a_configuration_leaves_out_follows_from_the_frequency(
    frequency, horizon, windows, rate
):
    found = Config.model_validate(with_defaults(BARE, frequency))
    assert found.features.horizon == horizon
    assert found.evaluation.gate_periods == {"MS": 4, "QS": 4}.get(frequency, horizon)
    assert found.features.windows == windows
    assert (found.features.patch, found.inventory.review_period) == (1, 1)
    assert found.inventory.holding_rate == pytest.approx(rate)
    assert found.monitoring.period == 1


def test_days_keep_the_defaults_of_the_configuration():
    assert with_defaults(BARE, "D") == BARE


def test_what_a_configuration_says_stands():
    asked = BARE | {
        "features": {"horizon": 4, "windows": [2, 5], "offset_weights": [1, 1]},
        "inventory": {"lead_time": 3, "holding_rate": 0.001},
    }
    found = Config.model_validate(with_defaults(asked, "W-SUN"))
    assert (found.features.horizon, found.features.windows) == (4, (2, 5))
    assert (found.inventory.lead_time, found.inventory.holding_rate) == (3, 0.001)


@pytest.mark.parametrize(
    ("sections", "horizon", "lead_time"),
    [
        ({"inventory": {"lead_time": 12}}, 13, 12),
        ({"features": {"horizon": 2}}, 2, 1),
        ({"features": {"horizon": 1}}, 1, 0),
    ],
)
def test_horizon_and_lead_time_that_are_not_given_fit_the_one_that_is(sections, horizon, lead_time):
    found = Config.model_validate(with_defaults(BARE | sections, "W-MON"))
    assert (found.features.horizon, found.inventory.lead_time) == (horizon, lead_time)


def test_a_section_that_is_none_is_left_to_the_checks():
    found = with_defaults(BARE | {"features": 5, "inventory": {"lead_time": "long"}}, "MS")
    assert found["features"] == 5
    assert found["inventory"]["lead_time"] == "long"


@pytest.mark.parametrize(
    ("frequency", "length"),
    [("W-MON", n) for n in (12, 22, 26, 50, 62)]
    + [("MS", n) for n in (12, 13, 24)]
    + [("D", n) for n in (30, 70)]
    + [("QS", n) for n in (12, 20)]
    + [("2W-MON", n) for n in (12, 26, 40)],
)
def test_a_first_configuration_is_one_that_a_training_takes(frequency, length):
    content, _ = first_config(
        "shop", "shop.yaml", Extent(frequency, length, None, True, False, 20), ()
    )
    config = Config.model_validate(content)
    timeline = make_panel(num_series=1, num_periods=length, freq=frequency).timeline
    fitted, _ = fit_config(config, timeline)
    assert fitted.features.horizon == config.features.horizon
    assert fitted.evaluation.gate_periods >= 1


def test_the_few_steps_of_days_learn_at_a_higher_rate_and_those_of_longer_periods_do_not():
    rates = {}
    for frequency in ("D", "W-MON", "MS"):
        extent = Extent(frequency, 70, None, True, False, 5_000)
        content, _ = first_config("shop", "shop.yaml", extent, ())
        rates[frequency] = Config.model_validate(content).training.learning_rate
    assert rates == {"D": 0.008, "W-MON": 0.002, "MS": 0.002}


@pytest.mark.parametrize(
    ("series", "periods", "steps", "members"),
    [(40, 240, 200, 4), (180, 400, 800, 2), (3_000, 700, 800, 1)],
)
def test_few_data_are_learnt_by_several_networks_of_few_steps(series, periods, steps, members):
    content, _ = first_config("s", "s.yaml", Extent("D", periods, None, True, False, series), ())
    training = Config.model_validate(content).training
    assert (training.max_steps, training.num_members) == (steps, members)


@pytest.mark.parametrize(("lead_time", "gate"), [(1, 4), (2, 5), (6, 9)])
def test_the_gate_of_months_sees_three_orders_from_arrival_to_end(lead_time, gate):
    content, _ = first_config("s", "s.yaml", Extent("MS", 60, lead_time, True, False, 9), ())
    assert content["evaluation"]["gate_periods"] == gate


@pytest.mark.parametrize(
    ("lead_time", "life", "review", "lead"),
    [(None, 1.0, 1, 0), (None, 2.0, 1, 0), (1, 2.0, 1, 1), (None, 30.0, 7, 7), (None, None, 7, 7)],
)
def test_what_spoils_before_the_next_order_comes_is_ordered_every_day(
    lead_time, life, review, lead
):
    extent = Extent("D", 200, lead_time, True, False, 20, shelf_life=life)
    # Holidays are known: nothing else is to be said of such data.
    extent = replace(extent, ahead=("public_holiday=Easter",))
    content, notes = first_config("s", "s.yaml", extent, ())
    config = Config.model_validate(content)
    assert (config.inventory.review_period, config.inventory.lead_time) == (review, lead)
    assert bool(notes) == (review == 1)
