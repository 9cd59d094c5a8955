"""A column for each product or place, and what stands beside them: weather, plans, sums, notes."""

import pytest

from tests.invopt.test_odd_exports import DAYS, lines, sales_of, tried

BREAD, ROLLS, CAKE = (
    [(7 * n + 3) % 11 + 20 for n in range(30)],
    [(5 * n + 1) % 13 + 40 for n in range(30)],
    [n % 4 for n in range(30)],
)
UNITS = sum(BREAD) + sum(ROLLS) + sum(CAKE)


def wide(head, *columns, days=DAYS, delimiter=","):
    """Return a file with a row for each day, of the cells of columns."""
    rows = [delimiter.join(map(str, row)) for row in zip(days, *columns, strict=True)]
    return lines(head, *rows)


def flags(panel):
    return {name: (c.domain, c.level, c.known) for name, c in panel.channels.items()}


def test_weather_plans_and_words_of_a_day_are_channels_of_all(tmp_path):
    text = wide(
        "Date,Bread,Rolls,Cake,Tmax,Promotion,Event",
        BREAD, ROLLS, CAKE,
        [f"{8 + n / 4}" for n in range(30)], [int(n % 5 == 0) for n in range(30)],
        ["fair" if n in (4, 9) else "" for n in range(30)],
    )  # fmt: skip
    report, panel, told = tried(tmp_path, till__csv=text)
    assert list(panel.unique_ids) == ["Bread", "Cake", "Rolls"]
    assert panel.y.sum() == UNITS == report.sums["sales.y"]
    assert flags(panel) == {
        "Promotion": ("promotions", "all", False),
        "Tmax": ("external", "all", False),
        "Event=fair": ("external", "all", False),
    }
    assert panel.channels["Event=fair"].values.sum() == 2
    assert panel.channels["Tmax"].values[0, 29] == pytest.approx(15.25)
    assert "read of till.csv beside what was sold: Event, Promotion, Tmax" in told


def test_plans_that_reach_beyond_the_last_sale_are_known_ahead(tmp_path):
    sold = wide("Date,Bread,Rolls,Cake,Promotion", BREAD, ROLLS, CAKE, [0, 1] * 15)
    more = "".join(f"2024-02-{day:02d},,,,1\n" for day in range(1, 22))
    report, panel, told = tried(tmp_path, till__csv=sold + more)
    assert (report.last, panel.y.sum()) == (DAYS[-1], UNITS)
    assert panel.channels["Promotion"].known
    assert panel.channels["Promotion"].values.shape[1] > 30
    assert sales_of(report).rows_in == 90
    assert "Promotion of till reaches beyond the last sales" in told


def test_what_is_not_read_beside_products_is_named(tmp_path):
    money = [f"{a * 3 + b + 9 * c}.50" for a, b, c in zip(BREAD, ROLLS, CAKE, strict=True)]
    text = wide(
        "Date,Bread,Rolls,Cake,Revenue,Bread price,Remark",
        BREAD, ROLLS, CAKE, money, [f"{3 + n % 3}.1" for n in range(30)],
        [f"told on day {n}" * 2 for n in range(30)],
    )  # fmt: skip
    _, panel, told = tried(tmp_path, till__csv=text)
    assert panel.y.sum() == UNITS
    assert panel.channels == {}
    assert "not read of till (till.csv): Revenue, Bread price" in told


@pytest.mark.parametrize("name", ["Total", "Gesamt Stück", "Sum of units", "Everything"])
@pytest.mark.parametrize("place", [1, 4])
def test_a_column_that_adds_the_products_up_is_no_product(tmp_path, name, place):
    total = [sum(row) for row in zip(BREAD, ROLLS, CAKE, strict=True)]
    names, columns = ["Date", "Bread", "Rolls", "Cake"], [BREAD, ROLLS, CAKE]
    names.insert(place, name)
    columns.insert(place - 1, total)
    _, panel, told = tried(tmp_path, till__csv=wide(",".join(names), *columns))
    assert list(panel.unique_ids) == ["Bread", "Cake", "Rolls"]
    assert panel.y.sum() == UNITS
    assert f"{name} of till.csv adds up other columns: not read" in told


def test_sums_of_some_products_are_no_products(tmp_path):
    tea = [n % 7 + 5 for n in range(30)]
    both = [a + b for a, b in zip(BREAD, ROLLS, strict=True)]
    every = [sum(row) for row in zip(BREAD, ROLLS, CAKE, tea, strict=True)]
    text = wide("Date,Bread,Rolls,Baked,Cake,Tea,All sold", BREAD, ROLLS, both, CAKE, tea, every)
    _, panel, told = tried(tmp_path, till__csv=text)
    assert list(panel.unique_ids) == ["Bread", "Cake", "Rolls", "Tea"]
    assert "Baked, All sold of till.csv adds up other columns" in told


@pytest.mark.parametrize("form", ["sales_{}", "{} (pcs)", "{} qty", "Qty {}"])
def test_a_word_for_pieces_in_each_name_makes_the_rest_a_product(tmp_path, form):
    names = [form.format(name) for name in ("bread", "rolls", "cake")]
    text = wide(",".join(["Date", *names, "Visitors"]), BREAD, ROLLS, CAKE, range(90, 120))
    _, panel, told = tried(tmp_path, till__csv=text)
    assert list(panel.unique_ids) == ["bread", "cake", "rolls"]
    assert panel.y.sum() == UNITS
    assert flags(panel) == {"Visitors": ("customers", "all", False)}
    assert "has a column for each of 3 products" in told


@pytest.mark.parametrize("form", ["qty {}", "{} (pcs)", "Sold_{}"])
@pytest.mark.parametrize("code", ["AX-{}", "Tea_{} (loose)", "00{}.B"])
def test_codes_in_names_of_columns_stay_as_they_are_written(tmp_path, form, code):
    codes = [code.format(n) for n in (7, 8, 9)]
    text = wide(",".join(["Date", *map(form.format, codes)]), BREAD, ROLLS, CAKE)
    _, panel, _ = tried(tmp_path, till__csv=text)
    assert sorted(panel.unique_ids) == sorted(codes)


def test_what_became_of_an_order_names_no_products(tmp_path):
    text = wide("Date,qty_ordered,qty_shipped,qty_returned", ROLLS, BREAD, CAKE)
    _, panel, _ = tried(tmp_path, orders__csv=text)
    assert len(panel.unique_ids) == 1
    assert panel.y.sum() == sum(ROLLS) - sum(CAKE)


def test_of_units_and_money_by_product_the_units_are_sold(tmp_path):
    worth = [[f"{n * price:.2f}" for n in column] for column, price in ((BREAD, 3.3), (ROLLS, 0.7))]
    text = wide("Date,Q-P1,Q-P2,S-P1,S-P2,Q-P3,S-P3", BREAD, ROLLS, *worth, CAKE,
                [f"{n * 9.99:.2f}" for n in CAKE])  # fmt: skip
    _, panel, told = tried(tmp_path, till__csv=text)
    assert list(panel.unique_ids) == ["P1", "P2", "P3"]
    assert panel.y.sum() == UNITS
    assert "not read of till (till.csv): S-P1, S-P2, S-P3" in told


def test_a_column_for_each_place_is_read_by_place(tmp_path):
    total = [sum(row) for row in zip(BREAD, ROLLS, CAKE, strict=True)]
    text = wide("Datum;Filiale Ost;Filiale West;Filiale 3;Summe;Regen", BREAD, ROLLS, CAKE, total,
                [f"{n % 5},5" for n in range(30)], delimiter=";")  # fmt: skip
    _, panel, told = tried(tmp_path, umsatz__csv=text)
    assert sorted(panel.series["location"]) == ["Filiale 3", "Filiale Ost", "Filiale West"]
    assert panel.y.sum() == UNITS
    assert flags(panel) == {"Regen": ("external", "all", False)}
    assert "has a column for each of 3 places" in told


def test_rows_of_a_place_and_day_have_a_column_for_each_product(tmp_path):
    rows = [
        f"{day},{shop},{a},{b},{c},{n % 6 + (shop == 'North') / 2}"
        for n, (day, a, b, c) in enumerate(zip(DAYS, BREAD, ROLLS, CAKE, strict=True))
        for shop in ("North", "South")
    ]
    _, panel, _ = tried(tmp_path, till__csv=lines("Date,Store,Bread,Rolls,Cake,Rain", *rows))
    assert len(panel.unique_ids) == 6
    assert panel.y.sum() == 2 * UNITS
    assert flags(panel) == {"Rain": ("external", "location", False)}


def test_fractions_among_whole_numbers_are_told_and_no_product(tmp_path):
    cold, flour = [f"{n / 3 - 4:.1f}" for n in range(30)], [f"{n}.25" for n in range(30)]
    text = wide("Date,Bread,Rolls,Cake,Outside,Flour kg", BREAD, ROLLS, CAKE, cold, flour)
    _, panel, told = tried(tmp_path, till__csv=text)
    assert list(panel.unique_ids) == ["Bread", "Cake", "Flour kg", "Rolls"]
    assert "Outside of till.csv has fractions or numbers below 0" in told
    assert "Outside" in panel.channels


def test_sums_beside_periods_as_columns_are_named(tmp_path):
    text = lines(
        ",".join(["sku", *DAYS, "Total", "Average"]),
        *(
            ",".join([k, *map(str, column), str(sum(column)), f"{sum(column) / 30:.2f}"])
            for k, column in (("A", BREAD), ("B", ROLLS))
        ),
    )
    _, panel, told = tried(tmp_path, wide__csv=text)
    assert panel.y.sum() == sum(BREAD) + sum(ROLLS)
    assert "not read of wide (wide.csv): Total, Average" in told
