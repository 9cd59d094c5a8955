"""Instances of a body: as many as are allowed, read some at a time, each fault at its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api.contract import MAX_INSTANCES, PredictRequest
from serving.api.failures import RequestFailedError
from serving.endpoint.protocols import instances_of, is_long

NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
ASKED = NAMES | st.fixed_dictionaries(
    {"unique_id": NAMES},
    optional={"position": st.fixed_dictionaries({"on_hand": st.integers(0, 9)})},
)


def refusal(body):
    with pytest.raises(RequestFailedError) as caught:
        instances_of(body)
    return str(caught.value)


@given(st.lists(ASKED, min_size=1, max_size=120))
def test_instances_read_in_parts_are_those_read_at_once(asked):
    at_once = PredictRequest.model_validate({"instances": asked}).instances
    names = [i if isinstance(i, str) else i.unique_id for i in at_once]
    found = instances_of({"instances": asked})
    assert [i.unique_id for i in found] == names
    assert [i.position for i in found] == [getattr(i, "position", None) for i in at_once]


def test_a_fault_far_behind_is_told_at_its_place():
    asked = [{"unique_id": f"s{n}"} for n in range(600)]
    asked[523] = {"unique_id": "s523", "position": {"on_hand": -1}}
    asked[77] = 7
    assert refusal({"instances": asked}) == (
        "instances.77 must be the name of a series, or an object with unique_id; "
        "instances.523.position.on_hand must be at least 0."
    )


def test_a_fault_of_the_body_is_told_once_however_many_parts_it_is_read_in():
    assert refusal({"instances": ["a"] * 200, "parameter": 1}) == (
        "parameter is not known; there is instances."
    )


def test_of_thousands_of_faults_five_are_told_and_the_others_counted():
    asked = [{"unique_id": f"s{n}", "lead": 3} for n in range(MAX_INSTANCES)]
    said = refusal({"instances": asked})
    assert said.count("did you mean what_if.lead_time?") == 5
    assert said.endswith(
        "instances.4.lead is not known; did you mean what_if.lead_time? (and 995 more)."
    )


def test_more_instances_than_allowed_are_refused_with_their_number():
    said = refusal({"instances": ["a"] * (MAX_INSTANCES + 1)})
    assert said.startswith("instances may hold 1000 at most, got 1001")


def test_a_short_body_is_read_at_once_and_a_long_one_beside_the_loop():
    assert not is_long({"instances": ["a"] * 50})
    assert is_long({"instances": ["a"] * 51})
    assert not is_long({"instances": "a"})
