"""Exports as shops, tills and ERPs make them: each through init-mapping, every row used or told."""

import gzip
import io
import re
import zipfile
from datetime import datetime

import openpyxl
import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.panel import load_panel
from invopt.sources import Mapping, load_mapping, read_dataset
from invopt.sources.proposal import write_mapping

DAYS = [f"{d:%Y-%m-%d}" for d in pd.date_range("2024-01-01", periods=30)]


def tried(tmp_path, asked=None, **files):
    """Write files (text or bytes), map and read them; return report, panel and what was told."""
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    for name, content in files.items():
        content = content.encode() if isinstance(content, str) else content
        (data / name.replace("__", ".")).write_bytes(content)
    told = "\n".join(write_mapping(data, tmp_path / "m.yaml", asked))
    mapping = load_mapping(tmp_path / "m.yaml")
    report = read_dataset(mapping, data, tmp_path / "out", max_bad_share=1.0)
    for a in report.accounting:
        assert a.rows_in == a.rows_used + a.rows_filtered + sum(a.quarantined.values())
    return report, load_panel(tmp_path / "out"), told + "\n".join(report.notes)


def sales_of(report):
    [found] = [a for a in report.accounting if a.table == "sales"]
    return found


def lines(header, *rows, end="\n"):
    return end.join([header, *rows]) + end


def daily(write, header="date;sku;qty", end="\n"):
    """Return a file with a row a day and product, written by a function of day and number."""
    rows = [write(d, k, n) for n, d in enumerate(DAYS, start=1) for k in ("A", "B")]
    return lines(header, *rows, end=end)


UNITS = 2 * sum(range(1, 31))


@pytest.mark.parametrize(
    ("text", "units"),
    [
        pytest.param(daily(lambda d, k, n: f"{d};{k};{n}"), UNITS, id="plain"),
        pytest.param("\ufeff" + daily(lambda d, k, n: f"{d};{k};{n}"), UNITS, id="a BOM"),
        pytest.param(
            daily(lambda d, k, n: f"{d};{k};{n}").encode("utf-16"), UNITS, id="UTF-16"
        ),
        pytest.param(
            gzip.compress(daily(lambda d, k, n: f"{d};{k};{n}").encode()), UNITS, id="gz"
        ),
        pytest.param("Sales list\nprinted 2024-02-01\n\n" + daily(
            lambda d, k, n: f"{d};{k};{n}"), UNITS, id="a title above"),
        pytest.param("sep=;\n" + daily(lambda d, k, n: f"{d};{k};{n}"), UNITS, id="sep="),
        pytest.param(daily(lambda d, k, n: f"{d};{k};{n},50"), UNITS + 30, id="decimal commas"),
        pytest.param(daily(lambda d, k, n: f"{d};{k};{n}\u00a0"), UNITS, id="a hidden blank"),
        pytest.param(
            daily(lambda d, k, n: f"{d};{k};{n}\u2009000"), UNITS * 1000, id="thin blanks"
        ),
        pytest.param(daily(lambda d, k, n: f"{d};{k};{n} Stk"), UNITS, id="units in the cell"),
        pytest.param(daily(lambda d, k, n: f"{d};'{k};'{n}"), UNITS, id="apostrophes"),
        pytest.param(daily(lambda d, k, n: f"{d};{k};{n}", end="\r\n"), UNITS, id="CRLF"),
        pytest.param(daily(lambda d, k, n: f"{d};{k};{n}", end="\r"), UNITS, id="CR"),
        pytest.param(
            daily(lambda d, k, n: f'{d};{k};{n};"a ""note"",\nwith a break"',
                  header="date;sku;qty;memo"), UNITS, id="quoted breaks"),
        pytest.param(daily(lambda d, k, n: f"{d};{k};{n};0", header="date;sku;qty;qty"), UNITS,
                     id="a head twice"),
        pytest.param(daily(lambda d, k, n: f"{d};{k};{n};", header="date;sku;qty;"), UNITS,
                     id="a head without a name"),
    ],
)  # fmt: skip
def test_every_unit_of_an_odd_csv_arrives(tmp_path, text, units):
    name = "sales__csv__gz" if isinstance(text, bytes) and text[:2] == b"\x1f\x8b" else "sales__csv"
    report, _, _ = tried(tmp_path, **{name: text})
    assert report.sums["sales.y"] == units
    assert sales_of(report).rows_used == 60
    assert report.num_series == 2


@pytest.mark.parametrize(
    ("form", "head"),
    [
        (lambda d: str((d - pd.Timestamp("1899-12-30")).days), "Datum"),
        (lambda d: f"{d.day}. {['Januar', 'Februar'][d.month - 1]} {d.year}", "Datum"),
        (lambda d: f"{d.day} {['janvier', 'février'][d.month - 1]} {d.year}", "Date"),
        (lambda d: f"{d.day} de {['enero', 'febrero'][d.month - 1]} de {d.year}", "Fecha"),
        (lambda d: str(int(d.timestamp())), "timestamp"),
        (lambda d: f"{d:%a %b %d %Y}", "day"),
    ],
    ids=["serial", "German", "French", "Spanish", "epoch", "weekday"],
)
def test_days_that_no_format_says_are_found_as_the_reader_reads_them(tmp_path, form, head):
    rows = [f"{form(pd.Timestamp(d))};A;{n}" for n, d in enumerate(DAYS, start=1)]
    report, panel, _ = tried(tmp_path, sales__csv=lines(f"{head};sku;qty", *rows))
    assert (report.first, report.last) == ("2024-01-01", "2024-01-30")
    assert panel.y.tolist() == [list(range(1, 31))]


@pytest.mark.parametrize("form", ["KW {0}/{1}", "{1}-W{0:02d}", "Week {0} {1}", "{1} KW{0:02d}"])
def test_weeks_written_as_labels_begin_on_their_monday(tmp_path, form):
    rows = [f"{form.format(week, 2024)};A;{week}" for week in range(2, 20)]
    report, panel, _ = tried(tmp_path, sales__csv=lines("Woche;Artikel;Menge", *rows))
    assert (report.frequency, report.first) == ("W-MON", "2024-01-08")
    assert panel.y.tolist() == [list(range(2, 20))]


@pytest.mark.parametrize(
    ("head", "part", "frequency", "first"),
    [
        ("Jahr;KW;Artikel;Menge", lambda n: n + 1, "W-MON", "2024-01-08"),
        ("year;month;sku;qty", lambda n: n, "MS", "2024-01-01"),
        ("Jahr;Monat;Artikel;Menge", lambda n: f"{n:02d}", "MS", "2024-01-01"),
    ],
)
def test_a_year_and_its_week_or_month_in_two_columns_are_a_date(
    tmp_path, head, part, frequency, first
):
    rows = [f"2024;{part(n)};A;{n}" for n in range(1, 13)]
    report, panel, _ = tried(tmp_path, sales__csv=lines(head, *rows))
    assert (report.frequency, report.first) == (frequency, first)
    assert panel.y.tolist() == [list(range(1, 13))]


@pytest.mark.parametrize(
    "names",
    [
        ["Januar 2024", "Februar 2024", "März 2024", "April 2024", "Mai 2024", "Juni 2024",
         "Juli 2024", "August 2024", "September 2024"],
        [f"Menge {m} 2024" for m in ("Jan", "Feb", "Mrz", "Apr", "Mai", "Jun", "Jul", "Aug")],
        [f"{m}-24" for m in ("janv", "févr", "mars", "avr", "mai", "juin", "juil", "août")],
    ],
)  # fmt: skip
def test_months_in_words_as_columns_are_periods(tmp_path, names):
    rows = [";".join([key, *(str(n) for n, _ in enumerate(names))]) for key in ("A", "B")]
    report, panel, _ = tried(tmp_path, sales__csv=lines(";".join(["Artikel", *names]), *rows))
    assert (report.frequency, report.first) == ("MS", "2024-01-01")
    assert panel.y.tolist() == [list(range(len(names)))] * 2


def test_a_thousand_days_as_columns_with_a_row_of_totals_count_once(tmp_path):
    days = [f"{d:%Y-%m-%d}" for d in pd.date_range("2021-01-01", periods=1000)]
    rows = [",".join([key, *["2"] * 1000]) for key in ("A", "B")]
    total = ",".join(["Total", *["4"] * 1000])
    report, _, told = tried(tmp_path, sales__csv=lines(",".join(["sku", *days]), *rows, total))
    assert report.sums["sales.y"] == 4000
    assert "whose sku is Total are left out as sums" in told


def test_a_line_of_totals_at_the_end_is_left_out_and_told(tmp_path):
    text = daily(lambda d, k, n: f"{d};{k};{n}") + f"Summe;;{UNITS}\n"
    report, _, told = tried(tmp_path, sales__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert sales_of(report).rows_filtered == 1
    assert "whose date is Summe are left out as sums" in told


def test_a_series_called_a_total_is_told_where_a_mapping_of_ones_own_keeps_it(tmp_path):
    (tmp_path / "lines.csv").write_text("day,sku,qty\n2024-01-01,a,2\n2024-01-01,Gesamt,2\n")
    mapping = {
        "name": "t", "frequency": "D", "unique_id": "sku", "sources": {"lines": "lines.csv"},
        "sales": {"from": "lines", "ds": "day", "columns": {"y": "qty"}},
    }  # fmt: skip
    report = read_dataset(Mapping.model_validate(mapping), tmp_path, tmp_path / "out")
    assert "1 series are called like a sum of others (e.g. Gesamt)" in " ".join(report.notes)


def test_codes_that_a_spreadsheet_cut_are_set_aside_and_not_made_one_product(tmp_path):
    rows = [f"{d};{k};{n}" for n, d in enumerate(DAYS) for k in ("A", "B")]
    rows += ["2024-01-05;8.70001E+12;5", "2024-01-05;8,70001E+12;7", "2024-01-06;8.70001E+12;9"]
    text = lines("date;sku;qty", *rows)
    reason = "its key is a code that a spreadsheet cut (as 8.70001E+12)"
    with pytest.raises(InvalidInputError, match=re.escape(f"3 rows: {reason}")):
        tried(tmp_path, sales__csv=text)
    mapping = {
        "name": "t", "frequency": "D", "unique_id": "sku", "sources": {"s": "sales.csv"},
        "sales": {"from": "s", "ds": "date", "columns": {"y": "qty"}},
    }  # fmt: skip
    report = read_dataset(
        Mapping.model_validate(mapping), tmp_path / "data", tmp_path / "own", max_bad_share=1.0
    )
    assert report.num_series == 2
    assert sales_of(report).quarantined == {reason: 3}


def test_a_workbook_of_sales_and_stock_is_two_tables_with_dates_and_zeros_kept(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Verkauf"
    sheet.append(["Verkaufsliste Januar"])
    sheet.append(["Datum", "Artikel", "Menge"])
    for n, day in enumerate(DAYS, start=1):
        sheet.append([datetime.fromisoformat(day), "0071", n])
    stock = book.create_sheet("Bestand")
    stock.append(["Artikel", "Bestand"])
    stock.append([71, 12])
    stock["A2"].number_format = "0000"
    content = io.BytesIO()
    book.save(content)
    report, panel, _ = tried(tmp_path, erp__xlsx=content.getvalue())
    assert list(panel.unique_ids) == ["0071"]
    assert panel.y.tolist() == [list(range(1, 31))]
    assert report.sums["position.on_hand"] == 12


def test_files_that_cannot_be_read_are_named_and_the_others_are(tmp_path):
    _, _, told = tried(
        tmp_path, sales__csv=daily(lambda d, k, n: f"{d};{k};{n}"), old__xlsb=b"PK",
        broken__parquet=b"PAR1 no", broken__xlsx=b"PK no", empty__csv=b"", broken__xls=b"\xd0\xcf",
    )  # fmt: skip
    assert "1 files are not read (e.g. old.xlsb)" in told
    for name in ("broken.parquet", "broken.xlsx", "broken.xls", "empty.csv"):
        assert f"{name} is left out: " in told


def test_an_archive_of_a_year_each_is_read(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("sales_1.csv", lines("date,sku,qty", *[f"{d},A,1" for d in DAYS[:15]]))
        archive.writestr("sales_2.csv", lines("date,sku,qty", *[f"{d},A,2" for d in DAYS[15:]]))
    report, _, _ = tried(tmp_path, sales__zip=content.getvalue())
    assert report.sums["sales.y"] == 45


def test_returns_in_brackets_and_with_a_long_minus_are_below_zero(tmp_path):
    rows = [f"{d};A;{n}" for n, d in enumerate(DAYS, start=1)]
    rows += ["2024-01-05;A;(2)", "2024-01-06;A;−3", "2024-01-07;A;4-"]
    report, panel, _ = tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))
    assert panel.y[0, 4:7].tolist() == [3, 3, 3]
    assert sales_of(report).rows_used == 33


def test_nothing_that_looks_like_sales_is_told_with_what_was_seen(tmp_path):
    with pytest.raises(InvalidInputError, match=r"it lacks .*quantity"):
        tried(tmp_path, notes__csv="day,text\n2024-01-01,hello\n")
