"""Sheets of spreadsheets, headers that stand below a title, archives: read whole, or told."""

import tempfile
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

from invopt.errors import InvalidInputError
from invopt.panel import load_panel
from invopt.sources import Mapping, read_dataset
from invopt.sources.duck import Reader
from invopt.sources.headers import header_row, names_of
from invopt.sources.mapping import Source
from invopt.sources.workbooks import read_sheet

LINES = {
    "name": "t", "frequency": "D", "unique_id": "sku",
    "sources": {"lines": "lines.csv"},
    "sales": {"from": "lines", "layout": "transactions", "ds": "day", "columns": {"y": "qty"}},
}  # fmt: skip


def book(path, formats=None, **sheets):
    """Write a workbook: rows by sheet."""
    found = openpyxl.Workbook()
    found.remove(found.active)
    for name, rows in sheets.items():
        sheet = found.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cell, form in (formats or {}).items():
            sheet[cell].number_format = form
    path.parent.mkdir(parents=True, exist_ok=True)
    found.save(path)


def rows_of(tmp_path, source):
    """Return the rows of a source as Python values, and the notes."""
    scratch = Path(tempfile.mkdtemp(dir=tmp_path, prefix=".scratch"))
    with Reader(tmp_path, scratch, {}) as reader:
        reader.add("t", Source.model_validate(source))
        return reader.fetch('SELECT * FROM "t"', "t").to_pylist(), reader.notes


def test_cells_of_a_sheet_keep_their_values_and_types(tmp_path):
    rows = [["day", "sku", "qty", "open"], [datetime(2024, 1, 5), "0071", 12.7, True],
            [datetime(2024, 1, 6), "71", 3, False]]  # fmt: skip
    book(tmp_path / "b.xlsx", lines=rows)
    found = read_sheet(tmp_path / "b.xlsx", None).table
    assert [str(field.type) for field in found.schema] == ["timestamp[us]", "string", "double",
                                                           "bool"]  # fmt: skip
    assert found.to_pylist()[0] == {
        "day": datetime(2024, 1, 5), "sku": "0071", "qty": 12.7, "open": True
    }  # fmt: skip


def test_a_code_of_numbers_and_texts_is_text_and_a_format_of_zeros_is_kept(tmp_path):
    rows = [["sku", "ean"], [71, 8700012345678], ["A1", None], [71.0, 5]]
    book(tmp_path / "b.xlsx", formats={"A2": "00000"}, lines=rows)
    found = read_sheet(tmp_path / "b.xlsx", None).table
    assert found["sku"].to_pylist() == ["00071", "A1", "71"]
    assert found["ean"].type == pa.int64()
    assert found["ean"].to_pylist() == [8700012345678, None, 5]


def test_a_title_above_the_header_is_told_and_a_second_sheet_too(tmp_path):
    rows = [["Sales of January"], [], ["sku", "qty", "qty", None], ["a", 1, 2, 3]]
    book(tmp_path / "b.xlsx", lines=rows, stock=[["sku", "on_hand"], ["a", 7]])
    found, notes = rows_of(tmp_path, {"path": "b.xlsx"})
    assert found == [{"sku": "a", "qty": 1, "qty_2": 2, "column_4": 3}]
    told = " ".join(notes)
    assert "has 2 sheets and lines is read; stock are not" in told
    assert "1 lines above the header are not read (Sales of January)" in told
    assert "a second column qty is named qty_2" in told
    assert rows_of(tmp_path, {"path": "b.xlsx", "sheet": "stock"})[0] == [
        {"sku": "a", "on_hand": 7}
    ]


@pytest.mark.parametrize(
    ("sheet", "words"), [("gone", "has no sheet 'gone'; there are lines"), (None, "workbook")]
)
def test_a_sheet_that_is_not_there_and_a_file_that_is_none_are_told(tmp_path, sheet, words):
    if sheet is None:
        (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04 broken")
    else:
        book(tmp_path / "b.xlsx", lines=[["sku"], ["a"]])
    with pytest.raises(InvalidInputError, match=words):
        rows_of(tmp_path, {"path": "b.xlsx", "sheet": sheet})


def test_formulas_that_were_never_worked_out_are_told(tmp_path):
    book(tmp_path / "b.xlsx", lines=[["sku", "qty"], ["a", "=1+1"], ["b", 3]])
    _, notes = rows_of(tmp_path, {"path": "b.xlsx"})
    assert "1 formulas of lines have no stored value and read as empty" in " ".join(notes)


def test_workbooks_of_two_years_unite_by_the_names_of_their_columns(tmp_path):
    book(tmp_path / "books" / "1.xlsx", lines=[["sku", "qty"], [71, 1]])
    book(tmp_path / "books" / "2.xlsx", lines=[["qty", "sku", "price"], [2.5, "0071", 9]])
    found, notes = rows_of(tmp_path, {"path": "books"})
    assert found == [
        {"sku": "71", "qty": 1.0, "price": None}, {"sku": "0071", "qty": 2.5, "price": 9}
    ]  # fmt: skip
    assert "price (in 1 of 2)" in " ".join(notes)


@pytest.mark.parametrize(
    ("text", "columns", "rows", "told"),
    [
        ("Umsatz 2024;;\n\nday;sku;qty\n2024-01-05;a;1\n2024-01-06;a;2\n",
         ["day", "sku", "qty"], 2, "1 lines above the header are not read (Umsatz 2024;;)"),
        ("sep=;\nday;sku;qty\n2024-01-05;a;1,5\n", ["day", "sku", "qty"], 1, "(sep=;)"),
        ("Sales, of all shops\nday;sku;qty\n2024-01-05;a;1\n2024-01-06;a;2\n",
         ["day", "sku", "qty"], 2, "1 lines above"),
        ("day,sku,qty,\n2024-01-05,a,1,\n", ["day", "sku", "qty", "column_4"], 1, "has no name"),
        ("day,sku,QTY,qty\n2024-01-05,a,1,2\n", ["day", "sku", "QTY", "qty_2"], 1, "second column"),
        ("day,sku,qty\n2024-01-05,a,1\n", ["day", "sku", "qty"], 1, ""),
        ("1,2,3\n4,5,6\n", ["1", "2", "3"], 1, ""),
        ("sku\na\nb\n", ["sku"], 2, ""),
    ],
)  # fmt: skip
def test_the_header_of_a_csv_is_found_below_titles_and_every_column_named(
    tmp_path, text, columns, rows, told
):
    (tmp_path / "t.csv").write_text(text)
    found, notes = rows_of(tmp_path, {"path": "t.csv"})
    assert list(found[0]) == columns
    assert len(found) == rows
    assert told in " ".join(notes)
    assert bool(notes) == bool(told)


def test_a_malformed_line_below_a_title_keeps_its_number(tmp_path):
    text = "Report\n\nday,sku,qty\n2024-01-05,a,1\n2024-01-06,a,2,x\n2024-01-07,a,3\n"
    (tmp_path / "lines.csv").write_text(text)
    report = read_dataset(
        Mapping.model_validate(LINES), tmp_path, tmp_path / "out", max_bad_share=1
    )
    [table] = report.accounting
    assert (table.rows_in, table.rows_used) == (3, 2)
    aside = pd.read_parquet(tmp_path / "out" / "quarantine.parquet")
    assert aside["row"].tolist() == [5]


def test_header_row_and_names_follow_the_rows_below():
    assert header_row([["Report", ""], ["", ""], ["a", "b"], ["1", "2"]]) == 2
    assert header_row([["a", "b"], ["1", ""], ["2", ""]]) == 0
    assert header_row([["", ""]]) is None
    assert names_of(["a", "A", "", "a_2"])[0] == ["a", "A_3", "column_3", "a_2"]


def test_files_in_an_archive_are_one_table_and_what_else_is_there_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "lines.zip", "w") as archive:
        archive.writestr("jan.csv", "day,sku,qty\n2024-01-05,a,1\n")
        archive.writestr("feb.csv", "sku,day,qty\na,2024-01-06,2\n")
        archive.writestr("readme.pdf", "?")
    mapping = LINES | {"sources": {"lines": "lines.zip"}}
    report = read_dataset(Mapping.model_validate(mapping), tmp_path, tmp_path / "out")
    assert load_panel(tmp_path / "out").y.tolist() == [[1, 2]]
    assert "1 other files of lines.zip are not read" in " ".join(report.notes)


@pytest.mark.parametrize("content", [b"no archive", None])
def test_an_archive_of_nothing_is_told(tmp_path, content):
    if content is None:
        with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
            archive.writestr("readme.pdf", "?")
    else:
        (tmp_path / "t.zip").write_bytes(content)
    with pytest.raises(InvalidInputError, match="holds no file that ends|cannot be read"):
        rows_of(tmp_path, {"path": "t.zip"})
