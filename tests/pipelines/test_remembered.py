import pytest

from invopt.errors import ConfigError
from pipelines.launch import _tell_changed
from pipelines.parameters import REMEMBERED, Parameters
from serving.stores.order_plans import keep_plan, last_plan
from tests.builders import CONFIGS


def test_a_workspace_remembers_what_it_was_trained_with(tmp_path):
    first = Parameters.load(CONFIGS / "vn2.yaml", ["training.max_steps=7"], code_version="one")
    first.remember(tmp_path)
    found = Parameters.remembered(tmp_path, (), "two")
    assert found.typed == first.typed
    assert found.mapping == first.mapping
    assert found.code_version == "two"


def test_without_a_training_the_configuration_has_to_be_named(tmp_path):
    with pytest.raises(ConfigError, match="nothing was trained in .* name a configuration"):
        Parameters.remembered(tmp_path, (), "one")


def test_overrides_need_a_configuration_to_change(tmp_path):
    with pytest.raises(ConfigError, match="name it with --config"):
        Parameters.remembered(tmp_path, ("training.seed=1",), "one")


def test_the_last_plan_is_that_of_an_earlier_review_and_planning_twice_keeps_one(
    tmp_path,
):
    plans = tmp_path / "orders"
    plan = tmp_path / "orders.csv"
    assert last_plan(plans, "vn2", "2024-04-08") is None
    for date, text in (("2024-04-08", "one"), ("2024-04-15", "two"), ("2024-04-15", "three")):
        plan.write_text(text)
        keep_plan(plans, "vn2", date, str(plan))
    assert last_plan(plans, "vn2", "2024-04-15").read_text() == "one"
    assert last_plan(plans, "vn2", "2024-04-22").read_text() == "three"
    assert len(list((tmp_path / "orders" / "vn2").iterdir())) == 2


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"config": {"nme": "x"}, "mapping": ""}']
)
def test_a_record_that_cannot_be_read_says_so_and_what_to_do(tmp_path, content):
    (tmp_path / REMEMBERED).write_text(content)
    with pytest.raises(ConfigError, match="is damaged or was written by another .* --config"):
        Parameters.remembered(tmp_path, (), "one")


def test_a_mapping_too_long_for_a_step_is_refused_with_what_to_do(tmp_path):
    columns = ", ".join(f'"{n:05d}" AS "{n:05d}"' for n in range(4000))
    (tmp_path / "m.yaml").write_text(
        "name: t\nfrequency: D\nunique_id: sku\nsources:\n  raw: raw.csv\n"
        f"  lines:\n    sql: 'SELECT sku, day, {columns} FROM raw'\n"
        "sales: {from: lines, ds: day, columns: {y: qty}}\n"
    )
    (tmp_path / "config.yaml").write_text("name: t\ndata: {mapping: m.yaml}\n")
    with pytest.raises(ConfigError, match="as a step is given it, and 100,000 are the most"):
        Parameters.load(tmp_path / "config.yaml")


def test_a_mapping_that_was_edited_since_the_training_is_told(tmp_path, capsys):
    for name in ("vn2.yaml", "datasets/vn2.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((CONFIGS / name).read_text())
    config, mapping = tmp_path / "vn2.yaml", tmp_path / "datasets" / "vn2.yaml"
    Parameters.load(config).remember(tmp_path)
    again = Parameters.remembered(tmp_path, (), "two")
    _tell_changed(again)
    assert capsys.readouterr().out == ""
    mapping.write_text(mapping.read_text() + "# a minimum\n")
    _tell_changed(again)
    assert capsys.readouterr().out == (
        f"invopt: {mapping.resolve()} changed since the training, and this run goes by what stood "
        f"there then; --config {config.resolve()} takes what stands there now\n"
    )
    mapping.unlink()
    assert again.changed_files == []
