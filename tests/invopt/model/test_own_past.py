from dataclasses import replace

import numpy as np
import pytest
import torch

from invopt.features import FeatureEncoder, model_inputs
from invopt.model import Forecaster, export_onnx
from invopt.model.own_past import NEVER, OwnColumns, OwnPast, PastHorizon, past_horizons, settle
from invopt.model.windows import WindowSource
from tests.builders import make_config, make_forecaster, make_panel, with_derived

# Two weeks a window, a week a step: seven sales, the share seen, one average (14 days), the time
# since a sale, the age.
COLUMNS = OwnColumns(patch=7, long=8, age=10, longest=14, is_daily=True)
SATURDAYS = [0.0, 0.0, 0.0, 0.0, 0.0, 14.0, 0.0]


def steps(weeks, mean=2.0, age=14.0, seen=1.0) -> torch.Tensor:
    """Return (1, S, 11) features of weeks of sales."""
    rest = [seen, np.log1p(mean), 0.0, np.log1p(age)]
    rows = [[*np.log1p(week), *rest] for week in weeks]
    return torch.tensor([rows], dtype=torch.float32)


def moved(own, step, mean, usual=None, level=2.0):
    mean = torch.tensor(mean, dtype=torch.float32)[None, None]
    usual = mean if usual is None else torch.tensor(usual, dtype=torch.float32)[None, None]
    offset = torch.log(torch.tensor([[level + 0.05]]))
    planned = torch.zeros(1, 1, mean.shape[2], 0)
    found = own(mean, usual, planned, step, offset, torch.tensor([step.shape[1] - 1]))
    return found[0, 0].tolist()


def own_past(strength=NEVER, share=0.0, horizon=7) -> OwnPast:
    own = OwnPast(COLUMNS, horizon)
    own.strength, own.share = strength, share
    return own


def test_a_series_that_sells_on_one_weekday_gets_it_and_keeps_its_mean():
    # 28 sold on two Saturdays, 4 expected of each weekday, a prior of 7:
    # (7 + 28) / (7 + 4) there and 7 / (7 + 4) elsewhere, which come to seven.
    found = moved(own_past(7.0), steps([SATURDAYS, SATURDAYS]), [2.0] * 7)
    assert found == pytest.approx([2 * 7 / 11] * 5 + [2 * 35 / 11] + [2 * 7 / 11])
    assert sum(found) == pytest.approx(14.0)


def test_weekdays_that_the_network_knows_are_left_alone():
    known = [0.5, 0.5, 0.5, 0.5, 0.5, 7.0, 0.5]
    found = moved(own_past(7.0), steps([known, known]), known)
    assert found == pytest.approx(known, rel=1e-5)


def test_a_promotion_ahead_is_no_weekday():
    flat, promoted = [2.0] * 7, [2.0, 2.0, 6.0, 2.0, 2.0, 2.0, 2.0]
    found = moved(own_past(7.0), steps([flat, flat]), promoted, usual=flat)
    assert found == pytest.approx(promoted)


def test_weeks_that_were_not_seen_whole_say_nothing_of_weekdays():
    found = moved(own_past(7.0), steps([SATURDAYS, SATURDAYS], seen=0.9), [2.0] * 7)
    assert found == pytest.approx([2.0] * 7)


def test_the_level_moves_a_part_of_the_way_to_the_long_average():
    # 8.15 on average, and the forecast starts from 2: half of the way in logs is a factor of 2.
    step = steps([[8.15] * 7] * 2, mean=8.15)
    assert moved(own_past(share=0.5), step, [3.0] * 7) == pytest.approx([6.0] * 7, rel=1e-5)
    assert moved(own_past(), step, [3.0] * 7) == pytest.approx([3.0] * 7)


def test_a_young_series_has_no_long_average_of_before_its_launch():
    step = steps([[4.0] * 7] * 2, mean=4.0, age=3.0)
    step[0, 0, COLUMNS.long], step[0, 0, COLUMNS.age] = np.log1p(100.0), 0.0
    level = own_past().long_level(step, torch.tensor([1]))
    assert float(level) == pytest.approx(4.0, rel=1e-5)


def past(actual, mean, step, promoted=None) -> PastHorizon:
    shape = (1, 1, len(mean))
    flat = torch.tensor(mean, dtype=torch.float32).view(shape)
    offset = torch.log(torch.tensor([[2.05]]))
    planned = torch.zeros(*shape, 0)
    if promoted is not None:
        planned = torch.tensor(promoted, dtype=torch.float32).view(*shape, 1)
    seen = np.ones((1, len(mean)), bool)
    return PastHorizon(flat, flat, planned, step, offset, np.array([actual]), seen)


def test_the_own_past_is_used_where_it_says_more_than_the_network():
    own, step = own_past(), steps([SATURDAYS, SATURDAYS])
    gain = settle(own, [past(SATURDAYS, [2.0] * 7, step)] * 3)
    assert (own.strength, own.share) == (3.0, 0.0)
    assert gain > 0.5


def test_the_own_past_is_left_out_where_it_says_nothing_or_one_horizon_says_it():
    own, flat = own_past(strength=3.0, share=0.5), [2.0] * 7
    assert settle(own, [past(flat, flat, steps([flat, flat]))] * 3) == 0.0
    assert not own.is_used
    assert settle(own, [past(SATURDAYS, flat, steps([SATURDAYS, SATURDAYS]))]) == 0.0
    assert not own.is_used


def test_a_promotion_that_the_network_has_not_learned_works_as_it_did():
    # Sold 200 a day and 500 on promoted days, where the network says 200: a factor of 2.5.
    own = OwnPast(COLUMNS, 7, 1)
    promoted, flat = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0], [200.0] * 7
    sold = [500.0 if p else 200.0 for p in promoted]
    step = steps([flat, flat], mean=200.0)
    assert settle(own, [past(sold, flat, step, promoted)] * 4) > 0.5
    assert np.exp(own.plans) == pytest.approx([1.0, 2.5], rel=0.01)
    planned = torch.tensor([[[[0.0], [1.0]]]])
    assert torch.exp(own.effect(planned))[0, 0].tolist() == pytest.approx([1.0, 2.5], rel=0.01)
    # A plan ten times as large as any seen does not sell a thousand times as much.
    assert float(own.effect(torch.tensor([[[[10.0]]]]))) == pytest.approx(1.5, abs=0.01)


def test_sales_that_stopped_lower_no_forecast_by_more_than_plans_may():
    own, flat = OwnPast(COLUMNS, 7, 1), [2.0] * 7
    step = steps([flat, flat])
    settle(own, [past([0.0] * 7, flat, step, [0.0] * 7)] * 4)
    effect = own.effect(torch.zeros(1, 1, 7, 1))
    assert torch.exp(effect)[0, 0].tolist() == pytest.approx([1 / 4.48] * 7, rel=0.01)


@pytest.mark.parametrize("blind", [1, 2, 4])
def test_cutoffs_without_any_known_sale_say_nothing(blind):
    own, step = own_past(), steps([SATURDAYS, SATURDAYS])
    one = past(SATURDAYS, [2.0] * 7, step)
    unseen = replace(one, seen=np.zeros((1, 7), bool))
    alone = settle(own, [one] * 3)
    assert settle(own, [one, unseen, one, *[unseen] * (blind - 1), one]) == alone > 0.5
    assert settle(own, [unseen] * blind) == 0.0
    assert not own.is_used


@pytest.fixture(scope="module")
def trained():
    """A network that uses the past of its series, its panel encoded, and inputs of a cutoff."""
    config = make_config()
    panel = with_derived(make_panel(num_series=8, num_periods=150), config)
    forecaster = make_forecaster(panel, config)
    for member in forecaster.members:
        member.eval().trunk.own.strength, member.trunk.own.share = 5.0, 0.5
        member.trunk.own.plans = [0.1] * len(member.trunk.own.plans)
    encoded = FeatureEncoder(forecaster.spec).encode(panel)
    ends = np.full(8, 149)
    return forecaster, encoded, model_inputs(forecaster.spec, encoded, np.arange(8), ends)


def test_every_origin_of_a_window_is_moved_as_a_window_of_its_own(trained):
    forecaster, encoded, inputs = trained
    member = forecaster.members[0]
    last = forecaster.spec.config.context_steps - 1
    panel = encoded.map(lambda a: torch.from_numpy(np.asarray(a)))
    source = WindowSource(forecaster.spec, panel, [last - 1, last])
    with torch.inference_mode():
        windows = source.gather(torch.arange(8), torch.full((8,), 149))
        forked, _ = source.mean(member.trunk, windows)
        alone = member(*(torch.from_numpy(a) for a in inputs))[0]
        state = member.trunk.own.get_extra_state()
        member.trunk.own.set_extra_state(torch.tensor([NEVER, 0.0, *[0.0] * (len(state) - 2)]))
        plain = member(*(torch.from_numpy(a) for a in inputs))[0]
        member.trunk.own.set_extra_state(state)
    torch.testing.assert_close(forked[:, 1], alone, rtol=1e-4, atol=1e-4)
    assert (alone - plain).abs().max() > 0.01


def test_files_and_graph_forecast_as_the_network_does(trained, tmp_path):
    forecaster, encoded, inputs = trained
    forecaster.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model")
    own = again.members[0].trunk.own
    assert (own.strength, own.share) == (5.0, 0.5)
    np.testing.assert_array_equal(
        again.predict_encoded(encoded, 149).mean, forecaster.predict_encoded(encoded, 149).mean
    )
    assert export_onnx(forecaster, tmp_path / "model.onnx", inputs) <= 1e-5


def test_a_model_of_before_forecasts_as_it_did(trained, tmp_path):
    forecaster, *_ = trained
    forecaster.save(tmp_path / "model")
    file = tmp_path / "model" / "member-00.npz"
    with np.load(file) as arrays:
        kept = {k: arrays[k] for k in arrays.files if not k.endswith("_extra_state")}
    np.savez(file, **kept)
    assert not Forecaster.load(tmp_path / "model").members[0].trunk.own.is_used


def test_past_horizons_see_nothing_after_the_training_range(trained):
    forecaster, encoded, _ = trained
    found = past_horizons(forecaster.members[0], forecaster.spec, encoded, 120)
    horizon = forecaster.spec.config.horizon
    later = encoded.y.copy()
    later[:, 120:] = 0
    other = replace(encoded, y=later)
    spoilt = past_horizons(forecaster.members[0], forecaster.spec, other, 120)
    assert len(found) == len(spoilt) > 1
    assert found[0].actual.shape[1] == horizon
    for one, two in zip(found, spoilt, strict=True):
        np.testing.assert_array_equal(one.actual, two.actual)
        torch.testing.assert_close(one.mean, two.mean)
