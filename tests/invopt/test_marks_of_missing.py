"""Marks for what is not known (N/A, k.A., #NV): missing whatever their share, and told."""

import pytest

from invopt.errors import InvalidInputError
from invopt.sources import Mapping, read_dataset
from tests.invopt.test_odd_exports import DAYS, lines, sales_of, tried

MARKS = ["N/A", "n/a", "#N/A", "#NV", "keine", "k.A.", "NULL", "null", "nan", "None", "n.d.",
         "\\N", "s/d", "brak", "#DIV/0!", "нет данных", "无", "なし", "?", "..."]  # fmt: skip


@pytest.mark.parametrize("mark", MARKS)
def test_a_fifth_of_marks_is_set_aside_and_nothing_else(tmp_path, mark):
    rows = [f"{d};A;{mark if n % 5 == 0 else n}" for n, d in enumerate(DAYS, start=1)]
    report, panel, told = tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))
    assert panel.y.sum() == sum(n for n in range(1, 31) if n % 5)
    assert sales_of(report).rows_used == 24
    assert sales_of(report).quarantined == {"y is not known (a mark, as N/A)": 6}
    assert sales_of(report).bad == 0
    assert report.cells["unknown"] == 5  # the thirtieth day is the last, and none of the panel
    assert f"6 values of y are marks for what is not known ({mark} (6))" in told


def test_texts_that_nobody_knows_are_refused_with_their_number(tmp_path):
    rows = [f"{d};A;{'see note' if n % 5 == 0 else n}" for n, d in enumerate(DAYS, start=1)]
    with pytest.raises(InvalidInputError, match="no numbers of one form .see note: 6 rows"):
        tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))


def test_a_few_texts_are_told_with_their_number(tmp_path):
    rows = [f"{d};{k};{n}" for n, d in enumerate(DAYS, start=1) for k in "ABCDE"]
    rows[7] = f"{DAYS[1]};C;see note"
    report, _, told = tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))
    assert sales_of(report).faulty == {"y is not a number": 1}
    assert "1 values of y are texts and no numbers (see note (1))" in told


def test_a_stock_that_is_not_known_is_not_the_series_lost(tmp_path):
    sales = lines("date;sku;qty", *(f"{d};{k};3" for d in DAYS for k in "ABCD"))
    stock = lines("sku;on_hand;unit_cost", "A;5;2", "B;N/A;3", "C;7;n/a", "D;N/A;4")
    report, _, told = tried(tmp_path, sales__csv=sales, stock__csv=stock)
    assert report.sums["position.on_hand"] == 12
    assert "2 values of on_hand are marks for what is not known (N/A (2))" in told
    assert "1 values of unit_cost are marks for what is not known (n/a (1)): read as not given" in (
        told
    )


def test_marks_in_the_cells_of_periods_are_not_known_and_not_zero(tmp_path):
    months = [f"2025-{m:02d}" for m in range(1, 13)]
    text = lines(
        "sku;" + ";".join(months),
        "A;" + ";".join("N/A" if m % 3 == 0 else str(m) for m in range(1, 13)),
        "B;" + ";".join(str(m) for m in range(1, 13)),
    )
    report, panel, _ = tried(tmp_path, sales__csv=text)
    assert panel.y.sum() == 78 + 78 - 30
    assert sales_of(report).quarantined == {"cell is not known (a mark, as N/A)": 4}
    assert report.cells["unknown"] == 4


def test_a_mapping_by_hand_may_have_any_share_of_marks(tmp_path):
    rows = [f"{d};A;{'-' if n % 2 else n}" for n, d in enumerate(DAYS, start=1)]
    (tmp_path / "sales.csv").write_text(lines("date;sku;qty", *rows))
    mapping = Mapping.model_validate(
        {"name": "m", "frequency": "D", "unique_id": "sku", "sources": {"s": "sales.csv"},
         "sales": {"from": "s", "ds": "date", "columns": {"y": "qty"}}}
    )  # fmt: skip
    report = read_dataset(mapping, tmp_path, tmp_path / "out", max_bad_share=0.01)
    assert report.sums["sales.y"] == sum(range(2, 31, 2))
