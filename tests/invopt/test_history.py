import pandas as pd
import pytest

from invopt.config import Config, EvaluationConfig, FeaturesConfig
from invopt.crossvalidation import folds_of
from invopt.errors import ConfigError, InvalidInputError
from invopt.evaluation import ranges_of
from invopt.history import fit_config, fit_sections, refuse_unusable, season_of
from invopt.panel import Flag
from invopt.timeline import Timeline
from tests.builders import make_config, make_panel

WEEKLY = FeaturesConfig(horizon=5, patch=1, context_steps=40, windows=(4, 13, 26))
MONTHLY = FeaturesConfig(horizon=3, patch=1, context_steps=18, windows=(3, 6, 12))
DAILY = FeaturesConfig(horizon=9, patch=7, context_steps=20, windows=(7, 28, 112))
LENGTHS = [("W-MON", n, WEEKLY) for n in (12, 22, 26, 50, 62)] + [
    *(("MS", n, MONTHLY) for n in (12, 13, 24)),
    *(("D", n, DAILY) for n in (30, 70)),
]


def timeline(num_periods, freq="W-MON"):
    start = {"W-MON": "2024-01-01", "MS": "2024-01-01", "D": "2024-01-01"}[freq]
    return Timeline(pd.Timestamp(start), freq, num_periods)


@pytest.mark.parametrize(("freq", "length", "features"), LENGTHS)
def test_what_is_fitted_leaves_ranges_to_learn_from_to_search_and_to_judge(freq, length, features):
    asked = EvaluationConfig(gate_periods=28, selection_periods=28, step_size=1, num_folds=4)
    found = fit_sections(features, asked, timeline(length, freq))
    ranges = ranges_of(length, found.evaluation)
    assert ranges.train_stop >= features.horizon + 2
    assert ranges.selection_stop >= 1
    assert len(ranges.gate) >= min(features.horizon, length // 4)
    assert max(found.features.windows) <= ranges.train_stop
    assert sum(found.features.offset_weights) == pytest.approx(sum(features.offset_weights))
    panel = make_panel(num_series=2, num_periods=length, freq=freq)
    folds = folds_of(panel, found.evaluation)
    assert all(fold.start >= features.horizon + 2 for fold in folds)
    again = fit_sections(found.features, found.evaluation, timeline(length, freq))
    assert again.notes == ()


def test_every_change_is_told_with_its_key_and_what_the_data_hold():
    asked = EvaluationConfig(gate_periods=8, selection_periods=8)
    notes = fit_sections(WEEKLY, asked, timeline(26)).notes
    assert notes[0] == "evaluation.gate_periods is 6 instead of 8: the data hold 26 weeks"
    changed = {note.split()[0] for note in notes}
    assert {"features.context_steps", "features.windows", "features.year_harmonics"} <= changed


def test_a_long_history_changes_nothing():
    found = fit_sections(FeaturesConfig(), EvaluationConfig(num_folds=3), timeline(730, "D"))
    assert found.notes == ()
    assert found.features == FeaturesConfig()


@pytest.mark.parametrize(
    ("features", "length", "freq", "said"),
    [
        (WEEKLY, 11, "W-MON", "the data hold 11 weeks of sales, and a model that is judged takes"),
        (WEEKLY, 1, "W-MON", "the data hold 1 week of sales"),
        (MONTHLY, 10, "MS", "the data hold 10 months of sales"),
        (FeaturesConfig(), 150, "W-MON", "features.patch is 7, which turns days into weeks"),
        (FeaturesConfig(horizon=28), 40, "D", "features.horizon is 28 days, but the data hold 40"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence_that_names_the_key(
    features, length, freq, said
):
    with pytest.raises(ConfigError, match=said) as found:
        fit_sections(features, EvaluationConfig(), timeline(length, freq))
    assert "\n" not in str(found.value)


def test_a_sweep_is_left_out_where_no_horizon_can_be_held_back():
    config = make_config(
        features={"horizon": 9}, tuning={"num_trials": 3}, inventory={"lead_time": 2}
    )
    short, notes = fit_config(config, timeline(26, "D"))
    assert short.tuning.num_trials == 0
    assert any("nothing is searched" in note for note in notes)
    assert Config.model_validate(short.model_dump(mode="json")) == short
    assert fit_config(config, timeline(300, "D"))[0].tuning.num_trials == 3


@pytest.mark.parametrize(
    ("length", "freq", "season"),
    [(13, "D", 1), (14, "D", 7), (62, "W-MON", 1), (104, "W-MON", 52), (24, "MS", 12)],
)
def test_a_season_counts_when_the_history_shows_it_twice(length, freq, season):
    assert season_of(timeline(length, freq), length) == season


def unusable(case):
    panel = make_panel(num_series=3, num_periods=60)
    if case == "zeros":
        panel.y[:] = 0
    elif case == "missing":
        panel.flags[:] = Flag.MISSING
    elif case == "late":
        panel.y[:, :46] = 0
    else:
        panel.flags[:, 46:] = Flag.MISSING
    return panel


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("zeros", "nothing was ever sold: every known period of 3 series is 0"),
        ("missing", "no period of any of 3 series holds sales that are known"),
        ("late", "nothing was sold before 2024-02-16"),
        ("silent", "no sales are known from 2024-02-16 on"),
    ],
)
def test_data_that_teach_or_judge_nothing_are_refused_in_one_sentence(case, said):
    evaluation = EvaluationConfig(gate_periods=14, selection_periods=14)
    with pytest.raises(InvalidInputError, match=said):
        refuse_unusable(unusable(case), evaluation)


def test_usable_data_are_not_refused():
    refuse_unusable(make_panel(num_periods=60), EvaluationConfig(gate_periods=14))
