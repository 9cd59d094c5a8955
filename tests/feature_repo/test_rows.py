"""The online stores' rows: what goes in comes out, whoever reads."""

import numpy as np
import pytest

from feature_repo.rows import decode_rows, encode_row, micros_of

VALUES = {
    "sales": np.array([1.0, -1.0, 2.5], np.float32),
    "price": 1.25,
    "age": 7,
    "new": True,
    "name": "a|\u00e9",
    "kind": "",
    "gone": None,
}


def test_a_row_comes_back_as_it_was_written():
    row = encode_row(-5, VALUES)
    assert micros_of(row) == -5
    [block] = decode_rows([row])
    found = block.row(0)
    np.testing.assert_array_equal(found.pop("sales"), VALUES["sales"])
    assert found == {name: value for name, value in VALUES.items() if name != "sales"}
    assert list(block.kinds.values()) == [
        "float_list_val", "double_val", "int64_val", "bool_val", "string_val", "string_val", "null",
    ]  # fmt: skip


def test_numbers_that_are_not_numbers_are_kept_apart_from_nothing():
    [nan], [none] = (
        [block.row(0)["price"] for block in decode_rows([encode_row(0, {"price": value})])]
        for value in (float("nan"), None)
    )
    assert np.isnan(nan)
    assert none is None


def test_rows_of_one_form_and_time_are_one_block_and_others_blocks_of_their_own():
    rows = [
        encode_row(2, {"a": 1.0, "t": "x"}), None, encode_row(1, {"a": 2.0, "t": "y"}),
        encode_row(2, {"a": 3.0, "t": "z"}), encode_row(2, {"a": None, "t": "w"}),
    ]  # fmt: skip
    found = [(block.micros, block.at, block.columns["t"]) for block in decode_rows(rows)]
    assert found == [(1, [2], ["y"]), (2, [0, 3], ["x", "z"]), (2, [4], ["w"])]


def test_bytes_of_another_format_read_as_not_there():
    assert decode_rows([b"", b"\x0a\x05older", None]) == []


def test_a_value_a_row_cannot_hold_is_told_by_column():
    with pytest.raises(TypeError, match="column a is a dict"):
        encode_row(0, {"a": {}})
    with pytest.raises(TypeError, match="column b is an array of int8"):
        encode_row(0, {"b": np.zeros(2, np.int8)})


@pytest.mark.slow  # importing Feast takes seconds
def test_keys_are_those_feast_would_make():
    pytest.importorskip("feast")
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    from feature_repo.row_store import text_keys

    names = ["p0_s0", "", "caf\u00e9"]
    theirs = [
        serialize_entity_key(EntityKey(join_keys=["k"], entity_values=[Value(string_val=name)]), 3)
        for name in names
    ]
    assert text_keys("k", names) == theirs
