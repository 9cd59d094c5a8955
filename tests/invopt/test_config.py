import pytest

from invopt.config import CleaningConfig, Config, load_config
from invopt.errors import ConfigError
from invopt.sources.mapping import load_mapping
from tests.builders import CONFIGS

GOOD = "name: x\ndata: {mapping: m.yaml}\n"


def write(tmp_path, text):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_configuration_is_valid_and_its_mapping_exists(file):
    config = load_config(file)
    assert (file.parent / config.data.mapping).is_file()


def test_a_key_that_does_not_exist_is_named_with_the_closest_one(tmp_path):
    file = write(tmp_path, GOOD + "training: {learning_rat: 0.1}\n")
    with pytest.raises(ConfigError, match=r"training\.learning_rat does not exist.*learning_rate"):
        load_config(file)


def test_a_field_without_its_section_is_told_where_it_belongs(tmp_path):
    with pytest.raises(ConfigError, match=r"max_steps does not exist.*training\.max_steps"):
        load_config(write(tmp_path, GOOD + "max_steps: 3\n"))


def test_a_key_is_never_said_to_mean_itself(tmp_path):
    file = tmp_path / "mapping.yaml"
    file.write_text("name: x\ndata: {}\ntraining: {}\n")  # a configuration in a mapping's place
    with pytest.raises(ConfigError, match="key training does not exist") as told:
        load_mapping(file)
    assert "did you mean" not in str(told.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [("", "EUR"), ("inventory: {lead_time: 1}\n", "EUR"), ("inventory: {currency: SEK}\n", "SEK")],
)
def test_orders_are_told_in_the_currency_of_the_data_unless_they_have_their_own(
    tmp_path, more, told
):
    file = write(tmp_path, "name: x\ndata: {mapping: m.yaml, currency: EUR}\n" + more)
    assert load_config(file).inventory.currency == told


def test_every_fault_is_named_at_once(tmp_path):
    file = write(tmp_path, GOOD + "model: {hidden_size: 1}\ngate: {max_bias: -1}\n")
    with pytest.raises(ConfigError, match=r"model\.hidden_size.*gate\.max_bias"):
        load_config(file)


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "\tx"])
def test_a_file_that_holds_no_sections_is_refused(tmp_path, text):
    with pytest.raises(ConfigError):
        load_config(write(tmp_path, text))


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "no.yaml")


def test_overrides_replace_values_and_are_checked(tmp_path):
    file = write(tmp_path, GOOD)
    assert load_config(file, ["features.horizon=14"]).features.horizon == 14
    with pytest.raises(ConfigError, match="features.horizont does not exist"):
        load_config(file, ["features.horizont=7"])
    with pytest.raises(ConfigError, match="--set must be"):
        load_config(file, ["features.horizon"])


def test_a_configuration_survives_a_crossing_that_turns_whole_numbers_into_floats():
    config = load_config(CONFIGS / "demo.yaml")

    def floats(value):
        if isinstance(value, dict):
            return {k: floats(v) for k, v in value.items()}
        if isinstance(value, list):
            return [floats(v) for v in value]
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    back = Config.model_validate(floats(config.as_parameter()))
    assert back.model_dump(exclude={"tuning"}) == config.model_dump(exclude={"tuning"})


def test_a_retraining_proves_its_recipe_before_the_change_and_ends_in_a_refit_that_learns_it():
    config = load_config(CONFIGS / "demo.yaml")
    asked = config.for_retraining(lasting=2)
    assert not config.training.refit
    assert asked.training.refit
    assert asked.evaluation.unjudged_periods == 2 * config.monitoring.period == 14
    assert asked.gate.benefit_of_doubt
    assert asked.gate.max_cost_increase == config.retraining.max_cost_increase == 0.02
    names = ("gate", "evaluation", "training", "retraining")
    assert asked.model_copy(update={name: getattr(config, name) for name in names}) == config
    long_ago = config.for_retraining(lasting=50)
    assert long_ago.evaluation.unjudged_periods == config.evaluation.gate_periods


def test_the_canary_of_a_retraining_may_differ_by_the_change_that_it_learned():
    config = load_config(CONFIGS / "demo.yaml", ["deployment.max_prediction_shift=0.5"])
    for shift, most in ((0.75, 1.25), (-0.4, 0.9), (0.0, 0.5)):
        asked = config.for_retraining(lasting=2, shift=shift)
        assert asked.deployment.max_prediction_shift == pytest.approx(most)
    # a model that is only old has no change to learn
    assert config.for_retraining(shift=0.75).deployment == config.deployment


def test_without_a_refit_what_is_judged_is_what_serves_and_the_gate_stays_strict():
    config = load_config(CONFIGS / "demo.yaml", ["retraining.refit=false"])
    assert config.for_retraining(lasting=2, urgent=True) == config


def test_the_refit_of_a_retraining_dwells_on_the_newest_periods_as_its_cause_asks():
    config = load_config(CONFIGS / "demo.yaml")
    newest, recent = config.retraining.urgent_share, config.retraining.recent_share
    shares = {
        0.0: config.for_retraining(),
        recent: config.for_retraining(lasting=1),
        newest: config.for_retraining(lasting=1, urgent=True),
    }
    assert 0 < recent < newest
    for share, asked in shares.items():
        assert asked.training.newest_share == config.training.newest_share == 0
        assert asked.for_refit().training.newest_share == share


def test_a_retraining_dwells_no_less_than_its_configuration_trains():
    more = load_config(CONFIGS / "demo.yaml", ["training.newest_share=0.5"])
    assert more.for_retraining(lasting=1, urgent=True).for_refit().training.newest_share == 0.5
    refit = load_config(CONFIGS / "demo.yaml", ["retraining.newest_share=0.4"])
    assert refit.for_retraining().for_refit().training.newest_share == 0.4


def test_a_horizon_that_an_order_outlasts_is_refused_before_anything_runs(tmp_path):
    file = write(tmp_path, GOOD + "features: {horizon: 8}\ninventory: {lead_time: 7}\n")
    with pytest.raises(ConfigError, match=r"features\.horizon is 8 periods.*review_period = 14"):
        load_config(file)


def test_a_step_whose_parameter_is_of_another_version_says_so():
    with pytest.raises(ConfigError, match="no CleaningConfig: key outlier_windows does not exist"):
        CleaningConfig.of({"outlier_windows": 3})


def test_keys_of_the_former_release_are_read_with_a_warning():
    former = {
        "governor": {"refit": False, "newest_share": 0.5, "recent_share": 0.2, "urgent": 3.0,
                     "max_cost_increase": 0.04},
        "training": {"refit_newest_share": 0.1, "max_steps": 7},
    }  # fmt: skip
    head = {"name": "x", "data": {"mapping": "m.yaml"}}
    with pytest.warns(FutureWarning) as told:
        found = Config.model_validate(head | former)
    assert [str(w.message).partition(";")[0] for w in told] == [
        "governor.refit is retraining.refit now",
        "governor.newest_share is retraining.urgent_share now",
        "governor.recent_share is retraining.recent_share now",
        "governor.max_cost_increase is retraining.max_cost_increase now",
        "training.refit_newest_share is retraining.newest_share now",
    ]
    assert found.retraining.model_dump() == {
        "refit": False, "newest_share": 0.1, "recent_share": 0.2, "urgent_share": 0.5,
        "max_cost_increase": 0.04,
    }  # fmt: skip
    assert (found.governor.urgent, found.training.max_steps) == (3.0, 7)
    assert former["governor"]["refit"] is False


def test_a_key_and_its_former_name_together_are_refused(tmp_path):
    text = GOOD + "governor: {refit: false}\nretraining: {refit: true}\n"
    with pytest.raises(ConfigError, match=r"governor\.refit is retraining\.refit now: name only"):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name: [1,\n", "line 2, column 1: expected the node content, but found '<stream end>'"),
        ("name: x\n\tdata: 1\n", "line 2, column 1: found character '\\t'"),
        ("name: 2024-99-99\n", "month must be in 1..12"),
    ],
)
def test_a_file_that_is_no_yaml_is_told_in_one_line_with_the_place(tmp_path, text, place):
    for read in (load_config, load_mapping):
        with pytest.raises(ConfigError, match="is not valid YAML") as caught:
            read(write(tmp_path, text))
        assert place in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_value_that_no_date_can_be_is_refused_with_its_field(tmp_path):
    file = write(tmp_path, GOOD)
    with pytest.raises(ConfigError, match=r"--set name: '2024-99-99' is not a YAML value"):
        load_config(file, ["name=2024-99-99"])
