"""Pivots of ERPs and spreadsheets: headers of three and four lines, shops by products."""

import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.sources.header_levels import head_of_levels
from tests.invopt.test_odd_exports import lines, sales_of, tried
from tests.invopt.test_workbooks import book

MONTHS = pd.date_range("2024-01-01", periods=18, freq="MS")
DAYS = pd.date_range("2025-01-06", periods=40)
CODES = ("0071", "0072", "0073")


def units(code, month, place=0):
    return 10 * int(code[-1]) + month.month + 100 * place


def by_year(*, repeated=False):
    """Return a pivot of quantity and amount below months below years, with sums of each."""
    years, months, measures = ["", ""], ["", ""], ["Code", "Name"]
    for at, month in enumerate(MONTHS):
        for measure in ("Quantity", "Amount"):
            is_first = measure == "Quantity"
            years.append(str(month.year) if repeated or (not at % 12 and is_first) else "")
            months.append(f"{month:%B}" if repeated or is_first else "")
            measures.append(measure)
    rows = [[code, f"Lamp {code}", *(cell for m in MONTHS for cell in (units(code, m), 2.5))]
            for code in CODES]  # fmt: skip
    if not repeated:
        years, months = [*years, "Total", ""], [*months, "", ""]
        measures += ["Quantity", "Amount"]
        rows = [[*row, sum(row[2::2]), 2.5] for row in rows]
        rows.append(["Total", "", *map(sum, zip(*(row[2:] for row in rows), strict=True))])
    return [years, months, measures], rows


def as_lines(rows, sep=";"):
    return lines(*(sep.join(map(str, row)) for row in rows))


def blank(rows):
    return [[cell if cell != "" else None for cell in row] for row in rows]


SOLD = sum(units(code, month) for code in CODES for month in MONTHS)


@pytest.mark.parametrize("end", ["csv", "xlsx"])
def test_measures_below_months_below_years_are_read_without_their_sums(tmp_path, end):
    head, rows = by_year()
    if end == "csv":
        report, panel, _ = tried(tmp_path, pivot__csv=as_lines([*head, *rows]))
    else:
        sheet = blank([["Sales by product"], [], *head, *rows])
        book(tmp_path / "data" / "pivot.xlsx", Sheet1=sheet)
        report, panel, _ = tried(tmp_path)
    assert panel.unique_ids.tolist() == list(CODES)
    assert (str(report.first), str(report.last)) == ("2024-01-01", "2025-06-01")
    assert report.sums["sales.y"] == SOLD
    assert sales_of(report).rows_filtered == 18


def test_labels_repeated_in_each_column_above_names_of_the_rows_levels(tmp_path):
    head, rows = by_year(repeated=True)
    head[2][:2] = ["", ""]
    names = ["sku", "name", *[""] * (len(head[2]) - 2)]
    report, panel, _ = tried(tmp_path, pivot__csv=as_lines([*head, names, *rows], ","))
    assert panel.unique_ids.tolist() == list(CODES)
    assert report.sums["sales.y"] == SOLD


def test_the_four_lines_of_odoos_pivot_are_one_header(tmp_path):
    head = [["", "Total"], [""], [""], [""]]
    for month in MONTHS:
        head[1] += [str(month.year) if month.month == 1 else "", ""]
        head[2] += [f"{month:%B %Y}", ""]
        head[3] += ["Untaxed Total", "Qty Ordered"]
    head[3] += ["Untaxed Total", "Qty Ordered"]
    rows = [[f"[{code}] Lamp", *(cell for m in MONTHS for cell in (9.5, units(code, m))), 1.5,
             sum(units(code, m) for m in MONTHS)] for code in CODES]  # fmt: skip
    total = ["Total", *map(sum, zip(*(row[1:] for row in rows), strict=True))]
    book(tmp_path / "data" / "sale.report.xlsx", Sales=blank([*head, total, *rows]))
    report, panel, _ = tried(tmp_path)
    assert panel.unique_ids.tolist() == [f"[{code}] Lamp" for code in CODES]
    assert report.sums["sales.y"] == SOLD


def by_place(*, is_place_above, places=("Berlin", "Köln")):
    """Return a pivot of two measures, below months and places in either order."""
    head = [[""], [""], ["Artikel"]]
    pairs = [(p, m) for p in range(2) for m in MONTHS[:6]]
    pairs = pairs if is_place_above else sorted(pairs, key=lambda pair: (pair[1], pair[0]))
    for place, month in pairs:
        names = (places[place], f"{month:%b %Y}")
        above, below = names if is_place_above else names[::-1]
        head[0] += [above, ""] if [above] != [c for c in head[0] if c][-1:] else ["", ""]
        head[1] += [below, ""]
        head[2] += ["Menge", "Umsatz"]
    rows = [[code, *(cell for p, m in pairs for cell in (units(code, m, p), 3.5))]
            for code in CODES]  # fmt: skip
    return [*head, *rows]


@pytest.mark.parametrize("is_place_above", [True, False])
def test_places_and_months_above_measures_are_read_by_place(tmp_path, is_place_above):
    text = as_lines(by_place(is_place_above=is_place_above))
    report, panel, told = tried(tmp_path, auswertung__csv=text)
    assert panel.unique_ids.tolist() == [f"{c}_{p}" for c in CODES for p in ("Berlin", "Köln")]
    assert panel.y.sum(axis=1).tolist() == [81.0, 681.0, 141.0, 741.0, 201.0, 801.0]
    assert "(Berlin, Köln): each is read as a place, and each cell of Menge as a row" in told


def test_months_below_places_are_read_by_place(tmp_path):
    head = [["", *(["Berlin"] + [""] * 5), *(["Köln"] + [""] * 5)],
            ["Artikel", *(f"{m:%m.%Y}" for _ in range(2) for m in MONTHS[:6])]]  # fmt: skip
    rows = [[c, *(units(c, m, p) for p in range(2) for m in MONTHS[:6])] for c in CODES]
    report, panel, _ = tried(tmp_path, auswertung__csv=as_lines([*head, *rows]))
    assert panel.y.sum(axis=1).tolist() == [81.0, 681.0, 141.0, 741.0, 201.0, 801.0]


def test_channels_above_months_are_no_places(tmp_path):
    text = as_lines(by_place(is_place_above=True, places=("Online", "Export")))
    with pytest.raises(InvalidInputError, match="no file looks like sales"):
        tried(tmp_path, auswertung__csv=text)


def test_rows_of_texts_below_a_header_are_no_levels():
    rows = [["sku", "date", "qty", "x", "y"], *[["a", "b", "c", "d", "e"]] * 2]
    assert head_of_levels(rows, 0) is None
    titled = [["Sales by product", *[""] * 8],
              ["", *(c for m in MONTHS[:4] for c in (f"{m:%B %Y}", ""))],
              ["Product", *["Qty", "Sum"] * 4]]  # fmt: skip
    head = head_of_levels(titled, 2)
    assert (head.first, head.last, head.names[:3]) == (
        1, 2, ["Product", "January 2024 Qty", "January 2024 Sum"])  # fmt: skip


def crossed(above, below, *, total=False):
    head = [[""], ["Date"]]
    for name in above:
        head[0] += [name, *[""] * (len(below) - 1 + total)]
        head[1] += [*below, *(["Total"] if total else [])]
    rows = []
    for n, day in enumerate(DAYS):
        row = [f"{day:%Y-%m-%d}"]
        for at in range(len(above)):
            cells = [100 * at + 10 * k + n % 7 for k in range(len(below))]
            row += [*cells, *([sum(cells)] if total else [])]
        rows.append(row)
    return as_lines([*head, *rows], ",")


@pytest.mark.parametrize("is_place_above", [True, False])
def test_of_shops_and_products_the_fewer_are_shops(tmp_path, is_place_above):
    shops, products = ("New Leith", "Gorgie"), ("Flat White", "Mocha", "Chai")
    sides = (shops, products) if is_place_above else (products, shops)
    text = crossed(*sides, total=not is_place_above)
    report, panel, told = tried(tmp_path, cups__csv=text)
    ids = sorted(f"{product}_{shop}" for product in products for shop in shops)
    assert panel.unique_ids.tolist() == ids
    assert "the fewer ones are taken for the places" in told


@pytest.mark.parametrize(
    ("name", "head", "of"),
    [("menu", "item,price", ("Espresso", "Mocha")), ("shops", "store,street", ("Leith", "Gorgie"))],
)
def test_another_file_says_which_are_products_and_which_are_shops(tmp_path, name, head, of):
    text = crossed(("Espresso", "Mocha"), ("Leith", "Gorgie"))
    other = lines(head, *(f"{label},{n}" for n, label in enumerate(of, start=2)))
    _, panel, told = tried(tmp_path, cups__csv=text, **{f"{name}__csv": other})
    assert panel.unique_ids.tolist() == [
        "Espresso_Gorgie", "Espresso_Leith", "Mocha_Gorgie", "Mocha_Leith"]  # fmt: skip
    assert "another file names 2 of these" in told


def test_as_many_shops_as_products_are_refused_with_what_to_write(tmp_path):
    text = crossed(("Espresso", "Mocha"), ("Leith", "Gorgie"))
    with pytest.raises(InvalidInputError, match="nothing says which are products") as told:
        tried(tmp_path, cups__csv=text)
    assert ("SELECT \"Date\", 'Espresso' AS product, 'Leith' AS location, \"Espresso Leith\" AS "
            "quantity FROM cups UNION ALL") in str(told.value)  # fmt: skip


def test_measures_of_the_weather_by_city_are_no_products_in_shops(tmp_path):
    text = crossed(("Leith", "Gorgie"), ("temperature", "rain", "wind"))
    with pytest.raises(InvalidInputError, match="no file looks like sales"):
        tried(tmp_path, weather__csv=text)


def test_products_of_two_words_in_one_line_are_no_shops(tmp_path):
    names = ["Rye roll", "Rye tart", "Rye bun", "Oat roll", "Oat tart"]
    rows = [f"{d:%Y-%m-%d},{','.join(str(n + k) for k in range(5))}" for n, d in enumerate(DAYS)]
    _, panel, _ = tried(tmp_path, sold__csv=lines(f"Date,{','.join(names)}", *rows))
    assert sorted(panel.unique_ids) == sorted(names)
