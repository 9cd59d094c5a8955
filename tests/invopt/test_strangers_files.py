"""Files of strangers: a till's journal, a shop's export, an ERP's list, in several languages."""

import numpy as np
import pandas as pd
import pytest
import yaml

from invopt.config import Config
from invopt.errors import InvalidInputError
from invopt.sources.formats import PLAIN, NumberStyle, date_formats, number_style
from invopt.sources.proposal import write_mapping
from invopt.sources.vocabulary import plain
from invopt.sources.words import SpokenNames
from tests.builders import write_files

COMMAS = "fractions of three digits (1,350 is 1.35)"
DOTS = "fractions of three digits (1.350 is 1.35)"


def guessed(tmp_path, asked=None, **files):
    """Return the mapping, the configuration and what was told."""
    data = write_files(tmp_path / "data", **files)
    told = write_mapping(data, tmp_path / "first.yaml", asked)
    config = Config.model_validate(yaml.safe_load((tmp_path / "config.yaml").read_text()))
    return yaml.safe_load((tmp_path / "first.yaml").read_text()), config, "\n".join(told)


def lines(header, *rows):
    return "\n".join([header, *rows]) + "\n"


def days(number, start="2024-01-01"):
    return pd.date_range(start, periods=number)


def test_a_tills_journal_with_times_is_a_table_of_lines(tmp_path):
    stamps = days(40).repeat(3) + pd.to_timedelta(np.tile([9, 12, 17], 40), unit="h")
    rows = [f"{s:%Y-%m-%d %H:%M:%S},A{n % 2},S1,1" for n, s in enumerate(stamps)]
    mapping, _, told = guessed(tmp_path, journal_csv=lines("sold_at,sku,store,quantity", *rows))
    assert mapping["sales"]["layout"] == "transactions"
    assert "sales: 120 of 120 rows used" in told


def test_a_shops_export_of_stock_codes_is_read_with_its_returns(tmp_path):
    rows = [
        f"5363{n},{85123 + n % 3}A,HOLDER,{-1 if n == 7 else 6},"
        f"{1 + n % 9}/{13 + n % 9}/2010 8:26,2.55"
        for n in range(60)
    ]
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice"
    mapping, _, _ = guessed(tmp_path, online_retail_csv=lines(header, *rows))
    assert mapping["unique_id"] == "StockCode"
    assert mapping["sales"]["ds"] == {"expr": "InvoiceDate", "format": "%m/%d/%Y %H:%M"}
    assert mapping["sales"]["columns"] == {"y": "Quantity", "price": "UnitPrice"}
    assert (mapping["sales"]["layout"], mapping["sales"]["returns"]) == ("transactions", "net")


def test_an_erps_list_of_series_values_and_plants_is_read(tmp_path):
    rows = [
        f"{plant};{series};{day:%Y%m%d};{n + 1}"
        for plant in ("1000", "2000") for series in ("M-1", "M-2") for n, day in enumerate(days(30))
    ]  # fmt: skip
    mapping, _, _ = guessed(tmp_path, extract_csv=lines("plant;series_id;date;value", *rows))
    assert mapping["unique_id"] == "series_id || '_' || plant"
    assert mapping["products"]["columns"] == {"product": "series_id", "location": "plant"}
    assert mapping["sales"]["ds"] == {"expr": "date", "format": "%Y%m%d"}
    assert mapping["sales"]["columns"] == {"y": "value"}


@pytest.mark.parametrize(
    ("header", "day", "number", "columns"),
    [
        ("Buchungsdatum;Artikelnummer;Filiale;Verkaufsmenge;Einzelpreis", "%d.%m.%Y", "1.234,5",
         ("Artikelnummer", "Filiale", "Verkaufsmenge", "Einzelpreis")),
        ("Date de vente;Référence;Magasin;Quantité;Prix unitaire", "%d/%m/%Y", "1 234,5",
         ("Référence", "Magasin", "Quantité", "Prix unitaire")),
        ("Fecha;Código;Tienda;Cantidad;Precio unitario", "%d/%m/%Y", "1.234,5",
         ("Código", "Tienda", "Cantidad", "Precio unitario")),
    ],
)  # fmt: skip
def test_german_french_and_spanish_files_are_read(tmp_path, header, day, number, columns):
    rows = [f"{d:{day}};P{p};S1;{number};2,50" for d in days(31) for p in (1, 2)]
    mapping, _, told = guessed(tmp_path, extract_csv=lines(header, *rows))
    product, place, quantity, price = columns
    assert mapping["products"]["columns"]["product"].strip('"') == product
    assert mapping["products"]["columns"]["location"].strip('"') == place
    assert mapping["sales"]["ds"]["format"] == day
    y = mapping["sales"]["columns"]["y"]
    assert y["expr"].strip('"') == quantity
    assert (y["decimal"], y["thousands"]) == (",", number[1])
    assert mapping["sales"]["columns"]["price"]["expr"].strip('"') == price
    assert "sales: 62 of 62 rows used" in told


@pytest.mark.parametrize(
    ("values", "style"),
    [
        (["1,350", "900", "12"], NumberStyle(",", ".", other=COMMAS)),
        (["1.350", "900"], NumberStyle(".", ",", other=DOTS)),
        (["1.350", "2.125"], NumberStyle(other="thousands (1.350 is 1350)")),
        (["0.125", "1.350"], PLAIN),
        (["1.350", "1200"], PLAIN),
        (["1,350", "2,5"], NumberStyle(".", ",")),
        (["1.234,50", "2"], NumberStyle(".", ",")),
        (["1,234.50", "2"], NumberStyle(",", ".")),
        (["1 234,5", "2"], NumberStyle(" ", ",")),
        (["1'234.5", "2"], NumberStyle("'", ".")),
        (["€ 3,50", "€ 12,00"], NumberStyle(".", ",", unit="€")),
        (["12 pcs", "3 pcs"], NumberStyle(unit="pcs")),
        (["12 pcs", "3 boxes"], None),
        (["12-", "3"], NumberStyle(trailing=True)),
        (["A12", "B3"], None),
        (["12", "1e3"], PLAIN),
    ],
)  # fmt: skip
def test_how_numbers_are_written_is_seen_in_all_of_them(values, style):
    assert number_style(dict.fromkeys(values, 1)) == style


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2024-01-31", None), ("2024/01/31 08:00", None), ("31.01.2024", "%d.%m.%Y"),
        ("31/01/2024", "%d/%m/%Y"), ("01/31/2024", "%m/%d/%Y"), ("31.01.24", "%d.%m.%y"),
        ("1/31/2024 4:30 PM", "%m/%d/%Y %I:%M %p"), ("31-Jan-24", "%d-%b-%y"),
        ("2024-01", "%Y-%m"), ("01/2024", "%m/%Y"), ("Jan 2024", "%b %Y"), ("2024-W05", "%G-W%V"),
    ],
)  # fmt: skip
def test_every_usual_form_of_a_date_is_known(value, form):
    assert date_formats({value: 1}, digits=False)[0] == form


def test_names_are_compared_without_accents_and_case():
    assert [plain(n) for n in ("StockCode", "Stück", "Quantité HT", "Artikel-Nr.")] == [
        "stock_code", "stuck", "quantite_ht", "artikel_nr"
    ]  # fmt: skip


def test_thousands_are_read_as_such_and_said(tmp_path):
    rows = [
        f'{d:%Y-%m-%d},A,"{q}"'
        for d, q in zip(days(4), ("1,350", "900", "2,100", "7"), strict=True)
    ]
    mapping, _, told = guessed(tmp_path, sales_csv=lines("date,sku,quantity", *rows))
    assert mapping["sales"]["columns"]["y"] == {"expr": "quantity", "thousands": ","}
    assert "quantity: its numbers are read as thousands (1,350 is 1350)" in told


def test_a_week_that_is_named_by_its_last_day_begins_six_days_before(tmp_path):
    sundays = pd.date_range("2024-01-07", periods=30, freq="7D")
    rows = [f"{d:%Y-%m-%d},A,{n}" for n, d in enumerate(sundays)]
    mapping, config, told = guessed(tmp_path, sales_csv=lines("week_ending,sku,quantity", *rows))
    assert mapping["frequency"] == "W-MON"
    assert "1 series, 2024-01-01 to" in told
    assert "names the last day of a week" in told
    assert (config.features.patch, config.inventory.review_period) == (1, 1)


def test_weeks_that_begin_on_a_weekend_are_said_to_be_a_guess(tmp_path):
    sundays = pd.date_range("2024-01-07", periods=30, freq="7D")
    rows = [f"{d:%Y-%m-%d},A,{n}" for n, d in enumerate(sundays)]
    mapping, _, told = guessed(tmp_path, sales_csv=lines("week,sku,quantity", *rows))
    assert mapping["frequency"] == "W-SUN"
    assert "if that is the week's last day, write frequency: W-MON" in told


def test_a_plans_words_become_flags_and_its_blanks_and_zeros_none(tmp_path):
    sales = lines("date,sku,quantity", *[f"{d:%Y-%m-%d},A,{n}" for n, d in enumerate(days(20))])
    kinds = ["TPR", "", "0", "none", "BOGO"] * 4
    plan = lines(
        "date,sku,promo", *[f"{d:%Y-%m-%d},A,{k}" for d, k in zip(days(20), kinds, strict=True)]
    )
    mapping, _, _ = guessed(tmp_path, sales_csv=sales, promo_plan_csv=plan)
    assert mapping["promotions"][0]["one_hot"] == {"promo": ["promo"]}
    from invopt.panel import load_panel
    from invopt.sources import load_mapping, read_dataset

    read_dataset(load_mapping(tmp_path / "first.yaml"), tmp_path / "data", tmp_path / "out")
    channels = load_panel(tmp_path / "out").channels
    assert sorted(channels) == ["promo=BOGO", "promo=TPR"]
    assert channels["promo=TPR"].values[0, :5].tolist() == [1, 0, 0, 0, 0]


def test_columns_that_a_person_named_are_taken_and_not_asked_about_again(tmp_path):
    header = "created,order_date,code,family,pieces,volume"
    rows = [f"{d:%Y-%m-%d},{d:%Y-%m-%d},X{n % 2},F,{n},{n}" for n, d in enumerate(days(30))]
    asked = SpokenNames(product="code", date="order_date", quantity="volume")
    mapping, _, told = guessed(tmp_path, asked, extract_csv=lines(header, *rows))
    assert mapping["unique_id"] == "code"
    assert mapping["sales"]["columns"] == {"y": "volume"}
    assert "would fit as well" not in told


def test_a_name_that_no_file_has_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(InvalidInputError, match="--product colour: no file has a column .*sku"):
        guessed(
            tmp_path, SpokenNames(product="colour"), sales_csv="date,sku,quantity\n2024-01-01,a,1\n"
        )


@pytest.mark.parametrize(
    ("header", "row", "lacks"),
    [
        ("when,sku,quantity", "soon,a,1", "it lacks date"),
        ("date,sku,colour", "2024-01-01,a,red", "it lacks quantity"),
        ("date,thing,quantity", "2024-01-01,a,1", "it lacks product"),
        ("when,sku,colour", "soon,a,red", "it lacks date and quantity"),
    ],
)
def test_what_is_missing_of_date_quantity_and_product_is_named(tmp_path, header, row, lacks):
    with pytest.raises(InvalidInputError, match=lacks):
        guessed(tmp_path, sales_csv=lines(header, row))
    assert not (tmp_path / "first.yaml").exists()
    assert not (tmp_path / "config.yaml").exists()


def test_sales_that_a_run_would_refuse_leave_no_mapping(tmp_path):
    rows = [f"2024-01-{1 + n % 28:02d},{'' if n % 5 == 0 else 'a'},{n}" for n in range(200)]
    with pytest.raises(InvalidInputError, match="too many of their rows cannot be used"):
        guessed(tmp_path, sales_csv=lines("date,sku,quantity", *rows))
    assert not (tmp_path / "first.yaml").exists()


def test_a_table_that_a_run_would_refuse_is_left_out_and_told(tmp_path):
    sales = lines("date,sku,quantity", *[f"{d:%Y-%m-%d},A,{n}" for n, d in enumerate(days(20))])
    stock = lines("sku,on_hand", "other,5")
    mapping, _, told = guessed(tmp_path, sales_csv=sales, stock_csv=stock)
    assert "position" not in mapping
    assert "stock is not mapped as position: its key names no series" in told


def test_stock_by_lot_adds_up_and_the_latest_count_is_the_position(tmp_path):
    sales = lines("date,sku,quantity", *[f"{d:%Y-%m-%d},A,{n}" for n, d in enumerate(days(20))])
    lots = lines("sku,lot,on_hand", "A,1,10", "A,2,20")
    mapping, _, told = guessed(tmp_path / "lots", sales_csv=sales, stock_csv=lots)
    assert mapping["position"]["columns"] == {"on_hand": {"expr": "on_hand", "aggregate": "sum"}}
    assert "(lots, bins): they are added up" in told
    counts = lines("sku,snapshot_date,on_hand", "A,2024-01-10,4", "A,2024-01-21,9")
    mapping, _, told = guessed(tmp_path / "counts", sales_csv=sales, stock_csv=counts)
    assert mapping["position"] == {
        "from": "stock", "ds": "snapshot_date", "columns": {"on_hand": "on_hand"}
    }  # fmt: skip
    assert "the latest count of stock is taken as the stock of today" in told


def test_a_master_that_lost_its_zeros_is_joined_without_them_and_told(tmp_path):
    skus = [f"{n:05d}" for n in range(1, 6)]
    sales = lines("date,sku,quantity", *[f"{d:%Y-%m-%d},{s},1" for d in days(20) for s in skus])
    master = lines("sku,category", *[f"{n},c{n % 2}" for n in range(1, 6)])
    mapping, _, told = guessed(tmp_path, sales_csv=sales, products_csv=master)
    assert "products: 5 of 5 rows used" in told
    if mapping["products"]["from"] == "products":
        pytest.fail("the master's keys are not those of the sales as they are written")


def test_the_tables_of_planning_are_recognised(tmp_path):
    sales = lines("date,sku,quantity", *[f"{d:%Y-%m-%d},A,{n}" for n, d in enumerate(days(20))])
    suppliers = lines("Lieferant,Lieferzeit,min_value", "L1,5,100", "L2,3,0")
    mapping, _, _ = guessed(tmp_path, sales_csv=sales, lieferanten_csv=suppliers)
    assert mapping["suppliers"]["columns"] == {
        "supplier": "Lieferant", "lead_time": "Lieferzeit", "min_value": "min_value"
    }  # fmt: skip


def test_the_configuration_fits_lead_times_and_length(tmp_path):
    sales = lines("date,sku,quantity", *[f"{d:%Y-%m-%d},A,{n}" for n, d in enumerate(days(400))])
    master = lines("sku,lead_time", "A,40")
    _, config, _ = guessed(tmp_path, sales_csv=sales, products_csv=master)
    assert config.inventory.lead_time == 40
    assert config.features.horizon == 47
    assert config.data.mapping == "first.yaml"


def test_no_file_is_written_over_another(tmp_path):
    (tmp_path / "config.yaml").write_text("mine: yes\n")
    data = write_files(tmp_path / "data", sales_csv="date,sku,quantity\n2024-01-01,a,1\n")
    told = write_mapping(data, tmp_path / "first.yaml")
    assert (tmp_path / "config.yaml").read_text() == "mine: yes\n"
    config = tmp_path / "first.config.yaml"
    assert yaml.safe_load(config.read_text())["data"]["mapping"] == "first.yaml"
    assert told[-1] == f"next: invopt check-data --config {config} --data {data}"
    with pytest.raises(InvalidInputError, match=r"first\.yaml exists"):
        write_mapping(data, tmp_path / "first.yaml")
