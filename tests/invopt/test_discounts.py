"""A mapping written by hand whose discount is the share of the price that is paid: told."""

import pandas as pd
import pytest

from invopt.sources import Mapping, read_dataset

DAYS = pd.date_range("2024-01-01", periods=40)


def told_of(tmp_path, value, **given):
    """Return the notes on sales whose discount is a value of the number of the row."""
    rows = [f"{day:%Y-%m-%d},A,3,{value(n)}" for n, day in enumerate(DAYS)]
    (tmp_path / "lines.csv").write_text("\n".join(["day,sku,qty,rate", *rows]) + "\n")
    mapping = Mapping.model_validate({
        "name": "t", "frequency": "D", "unique_id": "sku", "sources": {"lines": "lines.csv"},
        "sales": {"from": "lines", "ds": "day",
                  "columns": {"y": "qty", "discount": "rate"} | given},
    })  # fmt: skip
    report = read_dataset(mapping, tmp_path, tmp_path / "out")
    return [note for note in report.notes if "discount" in note]


@pytest.mark.parametrize(("whole", "low"), [(1, 0.8), (100, 85)])
def test_a_discount_that_is_mostly_whole_is_told_as_the_share_that_is_paid(tmp_path, whole, low):
    assert told_of(tmp_path, lambda n: low if n % 4 == 0 else whole) == [
        f"discount is {whole} in 75% of 40 values, as the share of the price that is paid is: it "
        "is read as what is taken off, and 0 after the last record, so map it as "
        f"{{expr: {whole} - …}} where {whole} means no discount"
    ]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda n: 0.2 if n % 4 == 0 else 0, id="none is 0"),
        pytest.param(lambda n: 20 if n % 4 == 0 else 1, id="amounts of money"),
        pytest.param(lambda n: [0, 1, 0.5][n % 3], id="goods given away among others"),
        pytest.param(lambda n: 0.9, id="always the same"),
    ],
)
def test_other_discounts_are_not_told(tmp_path, value):
    assert told_of(tmp_path, value) == []


def test_what_is_paid_taken_from_a_whole_is_not_told(tmp_path):
    expression = {"discount": {"expr": "1 - rate::DOUBLE"}}
    assert told_of(tmp_path, lambda n: 0.8 if n % 4 == 0 else 1, **expression) == []
