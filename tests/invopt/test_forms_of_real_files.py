"""Forms of companies' files: measures beside each other, periods of accounting, two heads."""

import openpyxl
import pytest

from invopt.errors import InvalidInputError
from invopt.sources.formats import number_style
from invopt.sources.headers import two_lines
from invopt.sources.measures import measured_periods
from tests.invopt.test_odd_exports import lines, sales_of, tried

MONTHS = [f"{m:02d}/{y}" for y in (2024, 2025) for m in range(1, 13)]
UNITS = 2 * sum(range(1, 25))


def side_by_side(head, write):
    """Return a wide file of two products; write gives the cells of a month's number."""
    rows = [f"{p};01;" + ";".join(write(n) for n in range(1, 25)) for p in ("A1", "B2")]
    return lines("Artikel;Filiale;" + ";".join(head(m) for m in MONTHS), *rows)


@pytest.mark.parametrize(
    "head",
    [
        lambda m: f"Menge {m};Umsatz {m}",
        lambda m: f"{m} Qty;{m} Revenue",
        lambda m: f"units_{m[3:]}_{m[:2]};revenue_{m[3:]}_{m[:2]}",
        lambda m: f"Absatz (0{m[:2]}.{m[3:]});EUR (0{m[:2]}.{m[3:]})",
        lambda m: f"Ist {m};Plan {m}",
        lambda m: f"Verkauf {m};Bestand {m}",
        lambda m: f"Stück Mrz {m[3:]};Wert Mrz {m[3:]}".replace("Mrz", _month(m)),
    ],
)
def test_of_several_measures_of_each_period_the_units_are_read_and_the_others_told(tmp_path, head):
    text = side_by_side(head, lambda n: f"{n};{n * 3},50")
    report, panel, told = tried(tmp_path, absatz__csv=text)
    assert panel.y.sum() == UNITS
    assert (report.frequency, report.first, report.last) == ("MS", "2024-01-01", "2025-12-01")
    assert "is read as what was sold" in told
    assert "(24 columns) are left out" in told


def _month(label):
    names = ["Jan", "Feb", "Mrz", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"]
    return names[int(label[:2]) - 1]


def test_measures_that_nobody_knows_are_refused_by_name(tmp_path):
    text = side_by_side(lambda m: f"Berlin {m};Hamburg {m}", lambda n: f"{n};{n}")
    with pytest.raises(InvalidInputError, match="for each of Berlin, Hamburg, and none is known"):
        tried(tmp_path, absatz__csv=text)


def test_a_measure_of_calendar_weeks_is_told_from_its_period():
    weeks = [f"KW {n}/2025" for n in range(1, 10)]
    found = measured_periods(f"{what} {week}" for week in weeks for what in ("Stück", "EUR"))
    assert found is not None
    assert found.name == "Stück"
    assert found.labels["Stück KW 1/2025"] == "KW 1/2025"
    assert found.others == ("EUR",)


def test_cells_of_periods_write_thousands_as_other_columns_do(tmp_path):
    text = lines(
        "Artikel;" + ";".join(MONTHS),
        "A1;" + ";".join(["1.350"] * 24),
        "B2;" + ";".join(["900"] * 24),
    )
    _, panel, told = tried(tmp_path, absatz__csv=text)
    assert panel.y.sum() == 24 * 2250
    assert "1.350 is 1350" in told


@pytest.mark.parametrize(
    ("head", "form"),
    [
        ("Periode", "{m:03d}.{y}"),
        ("Buchungsperiode", "{m:03d}/{y}"),
        ("Geschäftsjahr/Periode", "{y}{m:03d}"),
        ("Posting period", "{y}/{m:03d}"),
        ("Fiscal period", "{y}.{m:03d}"),
        ("Geschäftsjahr;Periode", "{y};{m:03d}"),
        ("GJAHR;POPER", "{y};{m}"),
    ],
)
def test_periods_of_accounting_are_months_and_it_is_said(tmp_path, head, form):
    rows = [
        f"{form.format(m=int(label[:2]), y=label[3:])};A1;{n}"
        for n, label in enumerate(MONTHS, start=1)
    ]
    report, panel, told = tried(tmp_path, verbrauch__csv=lines(f"{head};Material;Menge", *rows))
    assert panel.y.tolist() == [list(range(1, 25))]
    assert (report.frequency, report.first) == ("MS", "2024-01-01")
    assert "period 001 is January" in told


def test_closing_periods_of_accounting_have_no_month_and_are_left_out(tmp_path):
    rows = [f"0{label[:2]}.{label[3:]};{p};5" for label in MONTHS for p in ("A1", "B2")]
    rows += ["013.2024;A1;7", "016.2025;A1;1"]
    report, panel, told = tried(tmp_path, verbrauch__csv=lines("Periode;Material;Menge", *rows))
    assert panel.y.sum() == 240
    assert sales_of(report).rows_filtered == 2
    assert "2 rows of verbrauch are of periods 013 to 016" in told


def test_three_figures_above_16_beside_a_year_are_days_of_it(tmp_path):
    rows = [f"2025{n:03d};A1;{n}" for n in range(1, 41)]
    report, panel, _ = tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))
    assert (report.first, report.last) == ("2025-01-01", "2025-02-09")
    assert panel.y.tolist() == [list(range(1, 41))]


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_labels_that_come_back_are_told_apart_by_the_line_above(tmp_path, kind):
    over = [cell for month in MONTHS for cell in (month, None)]
    values = [value for n in range(1, 25) for value in (n, n * 2.5)]
    head = [["Artikel", *over], [None, *["Menge", "Umsatz"] * 24]]
    body = [["A1", *values], ["B2", *values]]
    if kind == "xlsx":
        book = openpyxl.Workbook()
        for row in (["Absatz"], *head, *body):
            book.active.append(row)
        (tmp_path / "data").mkdir()
        book.save(tmp_path / "data" / "absatz.xlsx")
        _, panel, _ = tried(tmp_path)
    else:
        rows = [";".join("" if c is None else str(c) for c in row) for row in (*head, *body)]
        _, panel, _ = tried(tmp_path, absatz__csv="\n".join(rows) + "\n")
    assert panel.y.sum() == UNITS


def test_one_line_of_a_header_stays_one():
    assert two_lines([["Umsätze 2025", ""], ["qty", "qty"], ["1", "2"]], 1) is None
    assert two_lines([["date", "sku", "a", "b", "c"], ["-", "-", "-", "-", "-"]], 0) is None
    texts = ["TEA", "yes", "no", "yes", "no", "yes"]
    assert two_lines([["sku", "vegan", "bio", "new", "old", "big"], texts], 0) is None


@pytest.mark.parametrize("rare", ["5-", "(5)", "−5"])
def test_a_few_numbers_with_a_minus_in_another_place_are_numbers(rare):
    style = number_style({"10": 990, rare: 10})
    assert style is not None
    assert style.trailing
    assert style.declared
