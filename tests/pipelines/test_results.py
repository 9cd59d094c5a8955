"""Orders never take the place of a planner's own files."""

import pytest

from invopt.errors import InvalidInputError
from pipelines.results import BESIDE, put_orders, refuse_to_overwrite


def test_a_planners_own_file_of_the_same_name_is_not_overwritten(tmp_path):
    own = tmp_path / "purchase_orders.csv"
    own.write_text("sku,store,due,ordered\nA,S,2025-04-01,7\n")
    with pytest.raises(InvalidInputError, match=r"purchase_orders\.csv is not a file that a plan"):
        refuse_to_overwrite(tmp_path / "orders.csv")
    assert own.read_text().startswith("sku,store")


def test_a_file_of_another_kind_is_not_taken_for_orders(tmp_path):
    (tmp_path / "sales.csv").write_text("date,sku\n")
    with pytest.raises(InvalidInputError, match=r"sales\.csv is not a file"):
        refuse_to_overwrite(tmp_path / "sales.csv")
    with pytest.raises(InvalidInputError, match="is a folder"):
        refuse_to_overwrite(tmp_path)


def test_the_last_plan_is_replaced_by_the_next_one(tmp_path):
    run, out = tmp_path / "run", tmp_path / "plan" / "orders.csv"
    run.mkdir()
    for turn in ("first", "second"):
        (run / "orders.csv").write_bytes(b"unique_id,product\n" + turn.encode())
        for name, begins in BESIDE.items():
            (run / name).write_bytes(begins + turn.encode())
        refuse_to_overwrite(out)
        put_orders(run, out)
        assert out.read_text().endswith(turn)
