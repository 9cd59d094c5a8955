"""Workbooks of Excel before 2007 and of OpenDocument, whatever their files are called.

garten.xls and garten.ods were saved by LibreOffice 7.4: 28 days of three products, their codes by a
format of zeros, days and times of their own, prices in euros, a stock whose cost is an error, and a
hidden sheet.
"""

import shutil
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from invopt.errors import InvalidInputError
from invopt.panel import load_panel
from invopt.sources import load_mapping, read_dataset
from invopt.sources.proposal import write_mapping
from invopt.sources.vocabulary import by_word
from invopt.sources.workbooks import read_sheet, sheets_of

FILES = Path(__file__).parent / "spreadsheets"
HEAD = """<?xml version="1.0" encoding="UTF-8"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:automatic-styles>
 <style:style style:name="h"><style:table-properties table:display="false"/></style:style>
 </office:automatic-styles><office:body><office:spreadsheet>"""


def document(path, *tables):
    """Write a spreadsheet of OpenDocument: (attributes, rows) of each table, as XML."""
    body = "".join(f"<table:table {given}>{rows}</table:table>" for given, rows in tables)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f"{HEAD}{body}</office:spreadsheet></office:body></office:document-content>",
        )
    return path


def cell(inner="", **given):
    attributes = "".join(f' {key.replace("__", ":").replace("_", "-")}="{value}"'
                         for key, value in given.items())  # fmt: skip
    return f"<table:table-cell{attributes}>{inner}</table:table-cell>"


def text(words):
    return cell(f"<text:p>{words}</text:p>", office__value_type="string")


def row(*cells, **given):
    attributes = "".join(f' table:{key.replace("_", "-")}="{v}"' for key, v in given.items())
    return f"<table:table-row{attributes}>{''.join(cells)}</table:table-row>"


def rows_of(path):
    """Return the rows below the header of the first sheet."""
    return [tuple(found.values()) for found in read_sheet(path, None).table.to_pylist()]


@pytest.mark.parametrize("name", ["garten.xls", "garten.ods"])
def test_cells_keep_codes_days_times_and_numbers(name):
    sheet = read_sheet(FILES / name, "Tickets")
    assert sheet.table.column_names == [
        "Datum", "Uhrzeit", "Artikel", "Bezeichnung", "Menge", "Preis"
    ]  # fmt: skip
    assert [str(field.type) for field in sheet.table.schema] == [
        "timestamp[us]", "string", "string", "string", "int64", "double"
    ]  # fmt: skip
    rows = sheet.table.to_pylist()
    assert len(rows) == 84
    assert list(rows[0].values()) == [
        datetime(2025, 3, 3), "09:00:00", "00071", "Tulpen", 1, 2.5
    ]  # fmt: skip
    assert list(rows[-1].values()) == [
        datetime(2025, 3, 30), "11:15:00", "00305", "Dünger", 1, 4.0
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["garten.xls", "garten.ods"])
def test_an_error_of_a_formula_is_no_empty_cell(name):
    rows = read_sheet(FILES / name, "Bestand").table.to_pylist()
    assert [found["Einstandspreis"] for found in rows] == ["1.2", "#DIV/0!", "2.1"]


@pytest.mark.parametrize("name", ["garten.xls", "garten.ods"])
def test_sheets_that_people_see_are_found(name):
    assert list(sheets_of(FILES / name)) == ["Tickets", "Bestand"]


@pytest.mark.parametrize("name", ["garten.xls", "garten.ods"])
def test_a_shop_is_mapped_and_every_unit_arrives(tmp_path, name):
    (tmp_path / "data").mkdir()
    shutil.copy(FILES / name, tmp_path / "data")
    told = "\n".join(write_mapping(tmp_path / "data", tmp_path / "m.yaml"))
    report = read_dataset(load_mapping(tmp_path / "m.yaml"), tmp_path / "data", tmp_path / "out")
    sales = next(a for a in report.accounting if a.table == "sales")
    assert (sales.rows_in, sales.rows_used) == (84, 84)
    panel = load_panel(tmp_path / "out")
    assert float(panel.y.sum()) == sum(
        1 + (day * (n + 2) + day % 7) % 6 for day in range(28) for n in range(3)
    )
    assert list(panel.series["unique_id"]) == ["00071", "00305", "04711"]
    assert "#DIV/0!" in told


def test_a_purchase_price_is_a_cost_and_no_price_that_is_asked():
    for name in ("Einstandspreis", "Prix de revient", "Preço de custo", "Inkoopprijs", "Cost price",
                 "Cena zakupu"):  # fmt: skip
        assert by_word([name], "unit_cost") == name
        assert by_word([name], "list_price") is None
        assert by_word([name], "price") is None


def test_a_workbook_is_read_by_what_it_is_and_not_by_its_name(tmp_path):
    shutil.copy(FILES / "garten.ods", tmp_path / "a.xls")
    shutil.copy(FILES / "garten.xls", tmp_path / "b.xlsx")
    for name in ("a.xls", "b.xlsx"):
        assert read_sheet(tmp_path / name, "Bestand").table.num_rows == 3


@pytest.mark.parametrize("name", ["garten.xls", "garten.ods"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_damaged_workbook_is_refused_in_a_sentence(tmp_path, name, share):
    whole = (FILES / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InvalidInputError, match="cannot be read as a workbook"):
        read_sheet(tmp_path / name, None)


def test_a_locked_document_is_refused_with_what_to_do(tmp_path):
    with zipfile.ZipFile(tmp_path / "l.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", bytes(range(256)))
    with pytest.raises(InvalidInputError, match="save it without one"):
        read_sheet(tmp_path / "l.ods", None)


def test_repeated_cells_and_rows_are_as_many_as_they_stand_for(tmp_path):
    number = cell("<text:p>3</text:p>", office__value_type="float", office__value="3",
                  table__number_columns_repeated="2")  # fmt: skip
    path = document(
        tmp_path / "r.ods",
        ("table:name='S'",
         row(text("a"), text("b"), text("c"), cell(table__number_columns_repeated="16381"))
         + row(number, text("x"), number_rows_repeated="3")
         + row(cell(table__number_columns_repeated="16384"), number_rows_repeated="5")
         + row(number, text("y"))
         + row(cell(table__number_columns_repeated="16384"), number_rows_repeated="1048000")),
    )  # fmt: skip
    assert rows_of(path) == [*[(3, 3, "x")] * 3, (3, 3, "y")]


def test_kinds_of_cells_of_a_document(tmp_path):
    cells = (
        cell("<text:p>WAHR</text:p>", office__value_type="boolean", office__boolean_value="true"),
        cell("<text:p>12 %</text:p>", office__value_type="percentage", office__value="0.125"),
        cell("<text:p>1.234,50 kr</text:p>", office__value_type="currency", office__value="1234.5"),
        cell("<text:p>5. März</text:p>", office__value_type="date",
             office__date_value="2025-03-05T14:30:00"),
        cell("<text:p>14:30</text:p>", office__value_type="time",
             office__time_value="PT14H30M00S"),
        cell("<text:p>14:30</text:p>", office__value_type="time",
             office__time_value="PT1097366H29M59.999999162S"),
        cell("<text:p>a<text:s text:c='2'/>b</text:p><text:p>c</text:p>",
             office__value_type="string"),
        cell("<office:annotation><text:p>a remark</text:p></office:annotation><text:p>7</text:p>",
             office__value_type="float", office__value="7"),
        cell("<text:p>0</text:p>", office__value_type="float", office__value="0"),
        cell(table__formula="of:=[.A1]"),
    )  # fmt: skip
    head = row(*(text(f"c{k}") for k in range(len(cells))))
    sheet = read_sheet(document(tmp_path / "k.ods", ("table:name='S'", head + row(*cells))), None)
    assert list(sheet.table.to_pylist()[0].values()) == [
        True, 0.125, 1234.5, datetime(2025, 3, 5, 14, 30), "14:30:00",
        datetime(2025, 3, 7, 14, 30), "a  b\nc", 7, 0, None
    ]  # fmt: skip
    assert any("1 formulas of S have no stored value" in note for note in sheet.notes)


def test_a_document_of_too_many_cells_is_refused(tmp_path):
    many = row(text("a"), cell("<text:p>1</text:p>", office__value_type="float", office__value="1",
                               table__number_columns_repeated="90000000"))  # fmt: skip
    with pytest.raises(InvalidInputError, match="more than 33,554,432 cells"):
        read_sheet(document(tmp_path / "m.ods", ("table:name='S'", many)), None)


def test_a_hidden_table_of_a_document_is_not_offered(tmp_path):
    path = document(
        tmp_path / "h.ods",
        ("table:name='Old' table:style-name='h'", row(text("a")) + row(text("1"))),
        ("table:name='New'", row(text("b")) + row(text("2"))),
    )
    assert sheets_of(path) == {"New": ("b",)}
    assert read_sheet(path, "Old").table.num_rows == 1
