import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invopt.monitoring.shift import ShiftRules, normed_wasserstein, recent_shift
from invopt.monitoring.signals import (
    DATA,
    DRIFT,
    PERFORMANCE,
    Signal,
    control_false_discoveries,
    rejected,
)


def signal(p: float, *, fires=True, name="x") -> Signal:
    return Signal(
        name=name,
        kind=DRIFT,
        value=1.0,
        expected=0.0,
        limit=0.5,
        p_value=p,
        fires=fires,
        text="text",
    )


def test_benjamini_and_hochbergs_own_example():
    # Benjamini and Hochberg (1995), section 3.2: four of fifteen at 5 %.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
         0.4262, 0.5719, 0.6528, 0.7590, 1.0000]  # fmt: skip
    assert sum(rejected(p, 0.05)) == 4


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.01, 0.5))
def test_a_smaller_p_value_is_never_rejected_less(p_values, rate):
    kept = rejected(p_values, rate)
    assert len(kept) == len(p_values)
    worst = max((p for p, k in zip(p_values, kept, strict=True) if k), default=-1)
    assert all(k for p, k in zip(p_values, kept, strict=True) if p <= worst)


def test_one_chance_finding_among_thirty_columns_is_silenced():
    signals = [signal(0.03)] + [signal(0.5, fires=False)] * 29
    assert not control_false_discoveries(signals, 0.05)[0].fires
    assert control_false_discoveries([signal(0.03)], 0.05)[0].fires


def test_rules_without_a_p_value_are_left_alone():
    rule = Signal(
        name="silent_feed",
        kind=DATA,
        value=1.0,
        expected=0.0,
        limit=0.0,
        p_value=float("nan"),
        fires=True,
        text="text",
    )
    assert control_false_discoveries([rule, signal(0.9)], 0.05)[0].fires


def test_a_signal_survives_json_even_with_unknown_numbers():
    import json

    from invopt.files import plain

    one = Signal(
        name="demand_shift",
        kind=PERFORMANCE,
        value=float("nan"),
        expected=0.0,
        limit=0.1,
        p_value=0.2,
        fires=False,
        text="text",
    )
    back = Signal.from_dict(json.loads(json.dumps(plain(one.as_dict()))))
    assert np.isnan(back.value)
    assert back.cause == "demand_shift down"
    assert back == Signal.from_dict(plain(one.as_dict())) or np.isnan(back.value)


def noise(num=60, sd=0.04, seed=0):
    return np.random.default_rng(seed).normal(0, sd, num)


def rules(num_bootstrap=100):
    return ShiftRules(year=52, min_history=8, num_bootstrap=num_bootstrap, seed=0)


def test_a_shift_over_two_periods_is_surer_than_over_one():
    values = noise()
    values[-2:] = 0.10
    one = values.copy()
    one[-2] = 0.0
    both, single = (recent_shift(v, rules(500)) for v in (values, one))
    assert both.periods == 2
    assert both.p_value < single.p_value
    assert both.value == pytest.approx(0.10)


def test_false_alarms_are_as_rare_as_the_p_value_says():
    p = [recent_shift(noise(60, seed=s), rules()).p_value for s in range(300)]
    assert np.mean(np.array(p) < 0.05) < 0.07
    assert np.mean(np.array(p) < 0.01) < 0.025


def test_a_lasting_shift_of_two_and_a_half_deviations_is_found():
    found = []
    for seed in range(200):
        values = noise(60, seed=seed)
        values[-2:] += 0.1
        found.append(recent_shift(values, rules(200)).p_value < 0.05)
    assert np.mean(found) > 0.9


def test_what_the_history_has_shown_several_times_is_no_surprise():
    values = noise(120, sd=0.1)
    values[-1] = 2.0
    assert recent_shift(values, rules()).p_value < 1e-6
    once = values.copy()
    once[70:73] = 2.5  # one old alarm of three periods does not hide the next
    assert recent_shift(once, rules()).p_value < 1e-6
    often = once.copy()
    often[[85, 100]] = 2.5
    shift = recent_shift(often, rules())
    assert shift.p_value > 0.05
    assert shift.limit >= shift.value - shift.expected
    often[-1] = -2.0  # so far down it never was
    assert recent_shift(often, rules()).p_value < 1e-6


def test_what_is_off_every_year_is_expected_a_year_later():
    found = []
    for seed in range(50):
        year = noise(52, sd=0.08, seed=seed)
        values = np.tile(year, 2)[:80] + noise(80, sd=0.03, seed=seed + 1000)
        values[-1] += 0.15
        apart = values.copy()
        apart[:-2] = np.random.default_rng(seed).permutation(values[:-2])
        found.append([recent_shift(v, rules()).p_value < 0.05 for v in (values, apart)])
    known, unknown = np.mean(found, axis=0)
    assert known > unknown + 0.25


def test_one_odd_week_that_fades_is_told_once():
    rng = np.random.default_rng(2)
    values = np.zeros(300)
    for t in range(1, 300):
        values[t] = 0.6 * values[t - 1] + rng.normal(0, 0.02)
    values[-2], values[-1] = 0.1, 0.05
    assert recent_shift(values[:-1], rules()).p_value < 0.01
    assert recent_shift(values, rules()).p_value > 0.1


def test_false_alarms_stay_rare_where_periods_hang_together():
    p = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        values = np.zeros(120)
        for t in range(1, 120):
            values[t] = 0.4 * values[t - 1] + rng.normal(0, 0.03)
        p.append(recent_shift(values[-80:], rules()).p_value)
    # Two shares and a centre are learned from 78 periods: a little more often than said.
    assert np.mean(np.array(p) < 0.05) < 0.08


def test_too_short_or_unknown_is_no_finding():
    assert recent_shift(noise(6), rules()) is None
    assert recent_shift(np.array([]), rules()) is None
    late = noise()
    late[-1] = np.nan
    assert recent_shift(late, rules()) is None


@pytest.mark.slow
def test_the_effect_size_is_evidentlys_own():
    from evidently.legacy.calculations.stattests.wasserstein_distance_norm import (
        _wasserstein_distance_norm,
    )

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=500), rng.normal(0.3, 1.2, size=300)
    expected, _ = _wasserstein_distance_norm(a, b, None, 0.1)
    assert normed_wasserstein(a, b) == pytest.approx(expected)
    assert np.isnan(normed_wasserstein(a, np.array([np.nan])))


def stores(common: float, own: float, seed: int = 0, num: int = 10, weeks: int = 80):
    """Weeks of several stores that are off together and by themselves."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, common, weeks) + rng.normal(0, own, (num, weeks))


def test_a_store_that_shifts_alone_is_found_by_what_its_sisters_do():
    alone = beside = 0
    for seed in range(40):
        values = stores(0.06, 0.02, seed)
        values[0, -2:] += 0.095
        sisters = np.median(values[1:], axis=0)
        alone += recent_shift(values[0], rules()).p_value < 0.05
        beside += recent_shift(values[0], rules(), sisters).p_value < 0.05
    assert (alone < 28, beside > 36) == (True, True)


def test_what_all_stores_do_is_no_finding_at_each_and_sisters_do_not_fall_beside_one_that_rises():
    values = stores(0.06, 0.02)
    values[:, -2:] += 0.3
    sisters = np.median(values[1:], axis=0)
    assert recent_shift(values[0], rules(), sisters).p_value > 0.05
    values = stores(0.06, 0.02)
    values[0, -2:] += 0.5
    for row in range(1, 10):
        sisters = np.median(np.delete(values, row, axis=0), axis=0)
        shift = recent_shift(values[row], rules(), sisters)
        assert abs(shift.value - shift.expected) < 0.06


def test_sisters_that_say_nothing_change_nothing():
    values = stores(0.0, 0.05)
    unknown = np.full(80, np.nan)
    assert recent_shift(values[0], rules(), unknown) == recent_shift(values[0], rules())
