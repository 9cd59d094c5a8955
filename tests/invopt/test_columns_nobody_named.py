"""Files whose words tell nobody's product, place, date or quantity: what is left tells it."""

import pytest

from invopt.errors import InvalidInputError
from tests.invopt.test_odd_exports import DAYS, daily, lines, tried

UNITS = 2 * sum(range(1, 31))


@pytest.mark.parametrize("column", ["portions", "packs", "Schachteln", "jars"])
def test_the_only_number_of_a_file_is_what_was_sold(tmp_path, column):
    text = daily(lambda d, k, n: f"{d};{k};{n}", header=f"date;sku;{column}")
    _, panel, told = tried(tmp_path, till__csv=text)
    assert panel.y.sum() == UNITS
    assert f"{column} is read as the units sold: no other number of till can be" in told


@pytest.mark.parametrize("column", ["price", "on_hand", "temperature", "customers", "unit_cost"])
def test_a_number_of_something_else_is_never_what_was_sold(tmp_path, column):
    text = daily(lambda d, k, n: f"{d};{k};{n}", header=f"date;sku;{column}")
    with pytest.raises(InvalidInputError, match="lacks quantity"):
        tried(tmp_path, till__csv=text)


def test_two_numbers_without_words_are_left_to_a_person(tmp_path):
    text = daily(lambda d, k, n: f"{d};{k};{n};{n + 1}", header="date;sku;alpha;beta")
    with pytest.raises(InvalidInputError, match="lacks quantity"):
        tried(tmp_path, till__csv=text)


def test_a_file_beside_the_sales_is_never_taken_by_its_only_number(tmp_path):
    sold = daily(lambda d, k, n: f"{d};{k};{n}")
    other = daily(lambda d, k, n: f"{d};{k};{100 * n}", header="date;sku;score")
    _, panel, _ = tried(tmp_path, sold__csv=sold, scores__csv=other)
    assert panel.y.sum() == UNITS


def test_the_only_text_names_the_product_and_a_stock_beside_it_is_found_by_the_name(tmp_path):
    text = daily(lambda d, k, n: f"{d};{k};{n}", header="date;Geraet;qty")
    stock = lines("Geraet;on_hand", "A;5", "B;7")
    report, panel, _ = tried(tmp_path, sales__csv=text, stock__csv=stock)
    assert sorted(panel.series["product"]) == ["A", "B"]
    [position] = [a for a in report.accounting if a.table == "position"]
    assert position.rows_used == 2


def test_columns_of_quarters_name_their_machines(tmp_path):
    quarters = [f"{year}Q{q}" for year in (2022, 2023, 2024) for q in (1, 2, 3, 4)]
    rows = [f"{m};" + ";".join(str(n) for n in range(12)) for m in ("PX1", "PX2")]
    text = lines("Machine;" + ";".join(quarters), *rows)
    _, panel, _ = tried(tmp_path, sales_by_quarter__csv=text)
    assert panel.timeline.freq == "QS"
    assert panel.y.sum() == 2 * sum(range(12))


@pytest.mark.parametrize("header", ["date;sold", "date;weekday;sold"])
def test_dates_and_a_number_alone_are_one_series(tmp_path, header):
    word = "x;" if "weekday" in header else ""
    text = lines(header, *(f"{d};{word}{n}" for n, d in enumerate(DAYS, start=1)))
    _, panel, told = tried(tmp_path, sales__csv=text)
    assert panel.num_series == 1
    assert panel.y.sum() == UNITS // 2
    assert "names no product: all of it is one series, called sales" in told


def test_several_rows_a_day_that_name_nothing_are_left_to_a_person(tmp_path):
    text = lines("date;sold", *(f"{d};{n}" for n, d in enumerate(DAYS) for _ in range(2)))
    with pytest.raises(InvalidInputError, match="lacks product.*unique_id: \"'all'\""):
        tried(tmp_path, sales__csv=text)


@pytest.mark.parametrize(
    "week",
    [
        lambda y, w: f"{y}-S{w:02d}",
        lambda y, w: f"S{w:02d} {y}",
        lambda y, w: f"Sem. {w}-{y}" if False else f"Sem {w} {y}",
        lambda y, w: f"Settimana {w} {y}",
        lambda y, w: f"Vecka {w} {y}",
    ],
)
def test_weeks_of_french_italian_and_swedish_files_are_dates(tmp_path, week):
    pairs = [(2024, w) for w in range(30, 53)] + [(2025, w) for w in range(1, 20)]
    text = lines("semaine;article;qte", *(f"{week(y, w)};A;{w}" for y, w in pairs))
    _, panel, _ = tried(tmp_path, ventes__csv=text)
    assert panel.timeline.freq == "W-MON"
    assert str(panel.timeline.date(0).date()) == "2024-07-22"
    assert panel.y.sum() == sum(w for _, w in pairs)


def test_halves_of_a_year_are_no_weeks(tmp_path):
    pairs = [(year, half) for year in range(2015, 2026) for half in (1, 2)]
    text = lines("periode;article;qte", *(f"{y}-S{h};A;{h}" for y, h in pairs))
    with pytest.raises(InvalidInputError, match="lacks date"):
        tried(tmp_path, ventes__csv=text)


def _regional(price=""):
    return daily(
        lambda d, k, n: "\n".join(f"{d};{r};{k};{n}" for r in ("North", "South")),
        header="date;region;product_name;qty",
    )


def test_a_region_in_which_each_product_is_sold_apart_is_its_place(tmp_path):
    stock = lines("product_name;region;stock", "A;North;1", "A;South;2", "B;North;3", "B;South;4")
    report, panel, _ = tried(tmp_path, sales__csv=_regional(), inventory__csv=stock)
    assert sorted(set(panel.series["location"])) == ["North", "South"]
    assert panel.num_series == 4
    [position] = [a for a in report.accounting if a.table == "position"]
    assert position.rows_used == 4


def test_a_region_is_no_place_where_stock_is_kept_for_all_of_them(tmp_path):
    stock = lines("product_name;stock", "A;3", "B;7")
    _, panel, _ = tried(tmp_path, sales__csv=_regional(), inventory__csv=stock)
    assert panel.num_series == 2


def test_a_region_of_customers_is_no_place(tmp_path):
    rows = [
        f"{d};{'North' if (n + k) % 5 else 'South'};{p};1"
        for n, d in enumerate(DAYS)
        for p in ("A", "B")
        for k in range(3)
    ]
    text = lines("order date;region;sku;qty", *rows)
    _, panel, _ = tried(tmp_path, orders__csv=text)
    assert panel.num_series == 2


def pairs(header):
    return daily(
        lambda d, k, n: "\n".join(f"{d};{m};{k};{n}" for m in ("VM1", "VM2", "VM3")), header=header
    )


@pytest.mark.parametrize("header", ["date;machine;slot;vends", "date;ward;supply;used"])
def test_two_texts_that_tell_rows_apart_together_are_place_and_product(tmp_path, header):
    _, panel, _ = tried(tmp_path, vends__csv=pairs(header))
    assert panel.num_series == 6
    assert panel.y.sum() == 3 * UNITS


def test_a_remark_beside_a_place_is_no_product(tmp_path):
    text = daily(
        lambda d, k, n: f"{d};{k};{'busy' if n % 3 else 'calm'};{n}",
        header="date;store;mood;qty",
    )
    _, panel, told = tried(tmp_path, sales__csv=text)
    assert panel.num_series == 2
    assert "no column of sales is known to name a product" in told


@pytest.mark.parametrize("column", ["Maand", "Måned", "Miesiąc", "mese"])
def test_months_in_figures_are_dates_in_columns_of_other_languages(tmp_path, column):
    months = [(2023 + m // 12, m % 12 + 1) for m in range(4, 34)]
    text = lines(f"Bier;{column};aantal", *(f"Blond;{m:02d}-{y};{m}" for y, m in months))
    _, panel, _ = tried(tmp_path, afzet__csv=text)
    assert panel.timeline.freq == "MS"
    assert panel.num_periods == 30
