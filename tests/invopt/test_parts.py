import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt.errors import ContractError
from invopt.model_files import read_head
from invopt.parts import MAIN, PartRule, Parts, SeriesFacts, answers_of, facts_of, rows_of
from tests.builders import make_panel

NAMES = (MAIN, "lightgbm", "moving-average")


def facts(ids, locations=None, launched="2024-01-01"):
    return SeriesFacts(
        ids=np.array(ids, object),
        columns={} if locations is None else {"location": np.array(locations, object)},
        launched=np.full(len(ids), np.datetime64(launched)),
    )


def said_by(name, rows):
    """Return what a part says of rows: a number for each part, row and place in them."""
    base = 1000.0 * NAMES.index(name) + np.asarray(rows, np.float32)
    shapes = ((3,), (3, 2), (3, 4))
    return [
        (base.reshape(-1, *[1] * len(s)) + np.arange(np.prod(s)).reshape(s) / 7).astype(np.float32)
        for s in shapes
    ]


makers = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).map(tuple)


@settings(max_examples=200, deadline=None)
@given(st.lists(makers, max_size=4), st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_answers_of_a_composed_model_are_each_parts_own_in_order(rules, drawn):
    parts = Parts(tuple(PartRule(group=f"g{n}", makers=m) for n, m in enumerate(rules)))
    places = np.minimum(np.array(drawn), len(rules))
    asked = []

    def ask(name, rows):
        asked.append(name)
        return said_by(name, rows)

    found = answers_of(parts, places, ask)
    assert len(asked) == len(set(asked))  # each part once, however many rules name it
    for row, place in enumerate(places):
        own = [said_by(name, [row]) for name in parts.makers(place)]
        for number, array in enumerate(found):
            wanted = np.mean([arrays[number][0] for arrays in own], axis=0)
            np.testing.assert_allclose(array[row], wanted, rtol=1e-6)
            if len(own) == 1:
                np.testing.assert_array_equal(array[row], own[0][number][0])


def test_the_first_rule_that_holds_counts_and_who_follows_none_is_the_main_models():
    first = PartRule(group="a", makers=("lightgbm",), series=("a",))
    second = PartRule(group="S1", makers=("moving-average",), column="location", values=("S1",))
    parts = Parts((first, second))
    found = parts.places(facts(["a", "b", "c"], ["S1", "S1", "S2"]))
    assert found.tolist() == [0, 1, 2]
    assert [parts.makers(place) for place in found] == [
        ("lightgbm",), ("moving-average",), (MAIN,),
    ]  # fmt: skip
    assert {name: rows.tolist() for name, rows in rows_of(parts, found).items()} == {
        MAIN: [2], "lightgbm": [0], "moving-average": [1],
    }  # fmt: skip


def test_a_series_that_nobody_knew_follows_its_place_or_that_it_is_new():
    of_place = PartRule(group="sells=Mon-Fri", makers=("lightgbm",), series=("a",),
                        column="location", values=("S1",))  # fmt: skip
    new = PartRule(group="new", makers=("moving-average",), since="2026-01-01")
    parts = Parts((of_place, new))
    assert parts.places(facts(["x"], ["S1"])).tolist() == [0]
    assert parts.places(facts(["x"], ["S2"], "2026-01-01")).tolist() == [1]
    assert parts.places(facts(["x"], ["S2"], "2025-12-31")).tolist() == [2]
    assert parts.places(facts(["a"])).tolist() == [0]  # a panel without places knows names


def test_launches_of_a_panel_are_the_first_days_of_their_periods():
    panel = make_panel(num_series=4, num_periods=60)
    found = facts_of(panel, ("location", "nobody_has_it"))
    dates = panel.timeline.dates(0, 61).to_numpy("datetime64[D]")
    assert found.launched.tolist() == dates[panel.launch()].tolist()
    assert list(found.columns) == ["location"]


def saved(folder, found=3, rules=True, parts=("lightgbm",)):
    """Write a model's folder with a head of a format, with or without rules and parts."""
    for name in parts:
        (folder / "parts" / name).mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"format": found}))
    if rules:
        Parts(
            (PartRule(group="S1", makers=("lightgbm",), column="location", values=("S1",)),)
        ).save(folder)
    return folder


def test_rules_are_read_as_they_were_written(tmp_path):
    rule = PartRule(group="S1", makers=("lightgbm",), column="location", values=("S1",))
    assert Parts.load(saved(tmp_path)) == Parts((rule,))
    assert read_head(tmp_path) == {"format": 3}


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"found": 2}, r"parts\.json must not exist beside a model of format 2"),
        ({"rules": False}, r"parts\.json must exist beside a model of format 3"),
        ({"found": 4}, "A newer invopt made it"),
    ],
)
def test_a_folder_whose_format_and_rules_do_not_agree_is_refused(tmp_path, kwargs, message):
    with pytest.raises(ContractError, match=message):
        read_head(saved(tmp_path, **kwargs))


def test_rules_that_name_a_part_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(ContractError, match=r"parts/lightgbm must exist in"):
        Parts.load(saved(tmp_path, parts=()))
    (tmp_path / "parts.json").write_text('{"rules": [{"group": 1}]}')
    with pytest.raises(ContractError, match=r"parts\.json must be readable in"):
        Parts.load(tmp_path)


@pytest.mark.parametrize("name", ["../lightgbm", "/etc", "a/b", ".."])
def test_a_part_outside_the_models_folder_is_refused(tmp_path, name):
    rule = PartRule(group="S1", makers=(name,), everything=True)
    saved(tmp_path / "model", parts=("lightgbm", "a/b"))
    (tmp_path / "lightgbm").mkdir()
    Parts((rule,)).save(tmp_path / "model")
    with pytest.raises(ContractError, match="must exist in"):
        Parts.load(tmp_path / "model")
