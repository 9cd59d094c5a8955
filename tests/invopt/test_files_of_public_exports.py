"""Files of the kinds that shops, tills, ERPs and competitions publish: each counted again."""

import pytest

from invopt.errors import ConfigError, InvalidInputError
from invopt.sources import Mapping, read_dataset
from tests.invopt.test_account import sold
from tests.invopt.test_odd_exports import DAYS, daily, lines, sales_of, tried

UNITS = 2 * sum(range(1, 31))


def german(day):
    return f"{day[8:]}.{day[5:7]}.{day[:4]}"


def test_a_file_without_a_header_loses_no_first_row(tmp_path):
    text = "".join(f"{d} 01:00:00,{n}.5,client_{k}\n" for n, d in enumerate(DAYS) for k in "AB")
    report, panel, told = tried(tmp_path, demand__csv=text)
    assert sales_of(report).rows_in == 60
    assert panel.y.sum() == 2 * (sum(range(30)) + 15)
    assert "its first line is a row and no header" in told


def test_days_that_name_columns_of_numbers_are_a_header(tmp_path):
    head = ",".join(["sku", *DAYS])
    text = lines(head, *(",".join([k, *map(str, range(1, 31))]) for k in "AB"))
    report, panel, _ = tried(tmp_path, wide__csv=text)
    assert (report.first, panel.y.sum()) == (DAYS[0], UNITS)


def test_lines_of_receipts_without_a_quantity_are_one_unit_each(tmp_path):
    rows = [
        f"{d},{10 * n + k},{item}"
        for n, d in enumerate(DAYS)
        for k in (1, 2)
        for item in ("Bread", "Bread", "Tea")
    ]
    report, panel, told = tried(tmp_path, basket__csv=lines("Date,Transaction,Item", *rows))
    assert sold(panel)["Bread", "01-01"] == 4
    assert panel.y.sum() == len(rows) == sales_of(report).rows_used
    assert "each of its lines is read as one unit that was sold" in told


def test_lines_of_one_amount_are_units_and_lines_of_many_are_none(tmp_path):
    head = "Date,Order ID,Item SKU,Item Revenue"
    rows = [
        f"{d},{n // 2},{k},{4.5 if k == 'A' else 7}" for n, d in enumerate(DAYS * 2) for k in "AB"
    ]
    _, panel, _ = tried(tmp_path, lines__csv=lines(head, *rows))
    assert panel.y.sum() == 120
    varied = [f"{d},{n // 2},{k},{4.5 * (n % 3 + 1)}" for n, d in enumerate(DAYS * 2) for k in "AB"]
    again = tmp_path / "again"
    again.mkdir()
    _, panel, told = tried(again, lines__csv=lines(head, *varied))
    assert panel.y.sum() == pytest.approx(4.5 * 2 * 120)
    assert "Item Revenue sounds like money" in told


def test_a_product_that_is_called_none_is_told(tmp_path):
    text = lines("date;sku;qty", *(f"{d};{k};1" for d in DAYS for k in ("A", "B", "NONE")))
    _, _, told = tried(tmp_path, sales__csv=text)
    assert "1 products may be no goods by their sku (NONE)" in told


def test_the_number_of_a_document_is_never_what_was_sold(tmp_path):
    rows = [f"{d},{1000 + n},{'AB'[n % 2]}" for n, d in enumerate(DAYS)]
    with pytest.raises(InvalidInputError, match="lacks quantity"):
        tried(tmp_path, till__csv=lines("date,receipt,sku", *rows))


@pytest.mark.parametrize("column", ["pizza_id", "BakedGoodID", "game_id"])
def test_the_only_id_that_is_of_nobody_else_names_the_product(tmp_path, column):
    rows = [f"{n // 2},{d},C{n % 7},{k},2" for n, d in enumerate(DAYS) for k in ("x_m", "y_l")]
    head = f"order_id,order_date,customer_id,{column},quantity"
    goods = lines(f"{column},price", "x_m,3", "y_l,4")
    _, panel, _ = tried(tmp_path, orders__csv=lines(head, *rows), goods__csv=goods)
    assert list(panel.unique_ids) == ["x_m", "y_l"]
    assert panel.y.sum() == 120


def test_two_ids_are_left_to_a_person(tmp_path):
    rows = [f"{d},{k},{k}9,2" for d in DAYS for k in "AB"]
    with pytest.raises(InvalidInputError, match="lacks product"):
        tried(tmp_path, orders__csv=lines("date,alpha_id,beta_id,quantity", *rows))


def test_the_number_of_a_line_is_no_product_beside_a_code(tmp_path):
    rows = [
        f"{70000 + n},{d},{10 * at},M{(n + at) % 3},{n + 1}"
        for n, d in enumerate(DAYS)
        for at in (1, 2)
    ]
    head = "Sales Document,Order Date,Item Number,Material Number,Quantity"
    _, panel, told = tried(tmp_path, orders__csv=lines(head, *rows))
    assert list(panel.unique_ids) == ["M0", "M1", "M2"]
    assert "Sales Document of orders is" not in told


def test_articles_without_a_code_are_read_by_their_name(tmp_path):
    rows = [
        f"#{n},{d},{n % 3 + 1},{'Mug' if n % 2 else 'Tip jar'},{'MUG-1' if n % 2 else ''},{place}"
        for n, d in enumerate(DAYS)
        for place in ["", ""]
    ]
    head = "Name,Created at,Lineitem quantity,Lineitem name,Lineitem sku,Location"
    _, panel, told = tried(tmp_path, orders__csv=lines(head, *rows))
    assert list(panel.unique_ids) == ["MUG-1", "Tip jar"]
    assert panel.y.sum() == 120
    assert (
        "30 of 60 rows of orders.csv have no Lineitem sku: they are read by their Lineitem name"
        in told
    )


def test_a_place_that_half_the_lines_lack_is_no_place_and_told(tmp_path):
    rows = [
        f"{d},{k},{n + 1},{'Hamburg' if n % 2 else ''}" for n, d in enumerate(DAYS) for k in "AB"
    ]
    _, panel, told = tried(tmp_path, orders__csv=lines("date,sku,qty,store", *rows))
    assert list(panel.unique_ids) == ["A", "B"]
    assert panel.y.sum() == UNITS
    assert "30 of 60 rows of orders.csv have no store" in told


@pytest.mark.parametrize(
    ("head", "sign"),
    [
        ("product_quantity,product_quantity_refunded,product_quantity_return", 1),
        ("Quantity ordered,Quantity returned,Quantity refunded", -1),
        ("qty_ordered,qty_canceled,qty_refunded", 1),
    ],
    ids=["PrestaShop", "below zero", "Magento"],
)
def test_what_was_refunded_or_came_back_is_taken_off(tmp_path, head, sign):
    rows = [
        f"{d},{k},{n + 2},{sign if n == 4 else 0},{sign if n == 9 else 0}"
        for n, d in enumerate(DAYS)
        for k in "AB"
    ]
    _, panel, told = tried(tmp_path, orders__csv=lines(f"date_add,sku,{head}", *rows))
    assert panel.y.sum() == UNITS + 60 - 4
    assert "taken off" in told


def test_a_number_that_is_more_than_the_quantity_is_no_part_of_it(tmp_path):
    rows = [f"{d},{k},{n + 1},{50 * n}" for n, d in enumerate(DAYS) for k in "AB"]
    _, panel, told = tried(tmp_path, orders__csv=lines("date,sku,qty,qty_returned", *rows))
    assert panel.y.sum() == UNITS
    assert "holds what came back and is not read" in told


def test_orders_that_are_not_valid_are_left_out(tmp_path):
    orders = lines(
        "id_order,valid,date_add", *(f"{n},{int(n % 5 > 0)},{d}" for n, d in enumerate(DAYS))
    )
    items = lines(
        "id_order,product_reference,product_quantity",
        *(f"{n},{k},3" for n in range(30) for k in "AB"),
    )
    report, panel, told = tried(tmp_path, orders__csv=orders, order_detail__csv=items)
    assert panel.y.sum() == 6 * 24
    assert sales_of(report).rows_filtered == 12
    assert "that valid marks are left out" in told


def reports(head, day, total, end="\n"):
    """Return a Z-report of each day below each other."""
    blocks = [
        end.join(
            [
                f"Report No. {n}",
                day(d),
                head,
                f"Bread;{n};{n * 2},50",
                f"Tea;{n};{n},00",
                f"{total};{2 * n};{n * 3},50",
                "",
            ]
        )
        for n, d in enumerate(DAYS, start=1)
    ]
    return end.join(blocks)


@pytest.mark.parametrize(
    ("head", "day", "total"),
    [
        ("Warengruppe;Menge;Umsatz", lambda d: f"Datum: {german(d)};Kasse 1", "Summe"),
        ("Department;Qty;Net Sales", lambda d: f"Business Date:;{d}", "Total"),
        ("Produit;Quantité;Montant", lambda d: f"Journée du {german(d)}", "Total général"),
    ],
    ids=["German", "English", "French"],
)
def test_reports_below_each_other_are_of_the_day_above_them(tmp_path, head, day, total):
    report, panel, told = tried(tmp_path, z__csv=reports(head, day, total))
    assert (report.first, report.last) == (DAYS[0], DAYS[-1])
    assert sold(panel)["Bread", "01-07"] == 7
    assert panel.y.sum() == UNITS
    assert (sales_of(report).rows_in, sales_of(report).rows_filtered) == (90, 30)
    assert "30 days stand in lines of their own above their rows" in told


def test_days_among_the_rows_are_of_the_rows_below(tmp_path):
    rows = [
        line
        for n, d in enumerate(DAYS, start=1)
        for line in (f"{german(d)};;", f"Brot;{n};{n},10", f"Tee;{n};2,00")
    ]
    _, panel, _ = tried(tmp_path, liste__csv=lines("Produkt;Menge;Betrag", *rows))
    assert panel.y.sum() == UNITS


def test_days_of_a_title_are_of_no_rows(tmp_path):
    text = "Zeitraum von 01.01.2024;\nbis 31.12.2024;\n" + lines(
        "Artikel;Monat;Menge", *(f"{k};2024-{m:02d};{m}" for m in range(1, 13) for k in "AB")
    )
    report, panel, _ = tried(tmp_path, sales__csv=text)
    assert (report.first, report.last) == ("2024-01-01", "2024-12-01")
    assert panel.y.sum() == 156


def test_a_text_over_several_lines_makes_no_blocks(tmp_path):
    rows = [
        f'{german(d)},{k},"seen on,\n{german(d)} more",{n}'
        for n, d in enumerate(DAYS, 1)
        for k in "AB"
    ]
    report, panel, _ = tried(tmp_path, sales__csv=lines("day,sku,memo,qty", *rows))
    assert (report.last, panel.y.sum()) == (DAYS[-1], UNITS)


def test_rows_that_have_their_day_are_no_blocks(tmp_path):
    text = "Printed 05.01.2024\n\n" + daily(lambda d, k, n: f"{german(d)};{k};{n}")
    report, panel, _ = tried(tmp_path, sales__csv=text)
    assert (report.last, panel.y.sum()) == (DAYS[-1], UNITS)


@pytest.mark.parametrize(
    ("head", "sizes"),
    [
        ("Date;Style;Colour", ("XS", "S", "M", "L", "XL")),
        ("Datum;Artikelnummer;Bezeichnung", ("36", "37", "38", "39")),
    ],
    ids=["letters", "figures"],
)
def test_a_column_for_each_size_is_a_row_for_each(tmp_path, head, sizes):
    rows = [
        ";".join([d, k, "navy", *([str(n)] * len(sizes)), str(n * len(sizes)), f"{n},90"])
        for n, d in enumerate(DAYS, start=1)
        for k in ("P1", "P2")
    ]
    text = lines(";".join([head, *sizes, "Total", "Amount"]), *rows)
    _, panel, told = tried(tmp_path, sales__csv=text)
    assert len(panel.unique_ids) == 2 * len(sizes)
    assert panel.y.sum() == UNITS * len(sizes)
    assert f"has a column for each of {len(sizes)} sizes" in told


def test_a_column_for_each_product_is_a_row_for_each(tmp_path):
    rows = [f"{d},{n},{n / 2},{2 * n},{d[:4]},Monday" for n, d in enumerate(DAYS, start=1)]
    _, panel, told = tried(
        tmp_path, daily__csv=lines("datum,M01AB,N02BE,R06,Year,Weekday Name", *rows)
    )
    assert list(panel.unique_ids) == ["M01AB", "N02BE", "R06"]
    assert panel.y.sum() == pytest.approx(3.5 * UNITS / 2)
    assert "is read as a product, and each cell as a row" in told


def test_numbers_beside_a_file_of_sales_are_no_products(tmp_path):
    weather = lines("Datum,Bewoelkung,Sonne,Regen", *(f"{d},{n},2,1" for n, d in enumerate(DAYS)))
    sales = lines(
        "id,Datum,Warengruppe,Umsatz",
        *(f"{n}{k},{d},{k},{n + 1}.5" for n, d in enumerate(DAYS) for k in "12"),
    )
    _, panel, told = tried(tmp_path, umsatz__csv=sales, wetter__csv=weather)
    assert list(panel.unique_ids) == ["1", "2"]
    assert panel.y.sum() == UNITS + 30
    assert "a series is a Warengruppe" in told


@pytest.mark.parametrize("prefix", ["MT", "UC", "ZZ"])
def test_fields_of_an_erp_are_known_behind_the_letters_of_their_table(tmp_path, prefix):
    fields = ("ITNO", "WHLO", "IVDT", "IVQT")
    rows = [f"{k};001;{d.replace('-', '')};{n}" for n, d in enumerate(DAYS, start=1) for k in "AB"]
    head = ";".join(prefix + field for field in fields)
    _, panel, _ = tried(tmp_path, OSBSTD__csv=lines(head, *rows))
    assert list(panel.unique_ids) == ["A_001", "B_001"]
    assert panel.y.sum() == UNITS


def test_stock_transactions_of_customers_are_sold_and_receipts_are_none(tmp_path):
    rows = [
        f"{k};001;{d.replace('-', '')};{kind};{units}"
        for n, d in enumerate(DAYS, start=1)
        for k in "AB"
        for kind, units in ((31, -n), (25, 40))
    ]
    _, panel, told = tried(tmp_path, MITTRA__csv=lines("MTITNO;MTWHLO;MTTRDT;MTTTYP;MTTRQT", *rows))
    assert panel.y.sum() == UNITS
    assert "whose MTTTYP is 25 are left out" in told


def test_moves_to_customers_are_sold_and_other_moves_are_none(tmp_path):
    moves = [
        ("WH/Stock", "Partners/Customers", 5),
        ("Partners/Vendors", "WH/Stock", 80),
        ("Partners/Customers", "WH/Stock", 1),
        ("WH/Stock", "Virtual/Adjustment", 3),
    ]
    rows = [f"{d},[{k}] Mug,{a},{b},{q}" for d in DAYS for k in "AB" for a, b, q in moves]
    report, panel, told = tried(tmp_path, moves__csv=lines("Date,Product,From,To,Quantity", *rows))
    assert panel.y.sum() == 60 * 4
    assert sales_of(report).rows_filtered == 120
    assert "go neither to customers nor come from them" in told


def test_movements_of_which_none_is_a_sale_are_refused(tmp_path):
    rows = [
        f"{d},{k},{code},{n + 1}" for n, d in enumerate(DAYS) for k in "AB" for code in (101, 321)
    ]
    text = lines("Posting Date,Material,Movement type,Quantity", *rows)
    with pytest.raises(InvalidInputError, match="holds no sale: its Movement type is 101, 321"):
        tried(tmp_path, MB51__csv=text)


def test_files_named_by_month_are_one_table_though_some_lines_run_over(tmp_path):
    months = {"January": 1, "February": 2, "March": 3}
    files = {}
    for name, month in months.items():
        rows = [
            f"{month:02d}/{day:02d}/24 08:{k:02d},{item},1"
            for day in range(1, 29)
            for k in range(4)
            for item in ("Cable", "Phone")
        ]
        rows.append(f"{month + 1:02d}/01/24 00:05,Cable,1")
        files[f"Sales_{name}_2024__csv"] = lines("Order Date,Product,Quantity Ordered", *rows)
    _, panel, told = tried(tmp_path, **files)
    assert list(panel.unique_ids) == ["Cable", "Phone"]
    assert panel.y.sum() == 3 * 28 * 8 + 2  # the last line begins a day that has not ended
    assert "they follow one another in time" in told


def test_a_plan_beside_the_sales_is_not_what_was_sold(tmp_path):
    rows = [f"{d},{k},99,{n + 1}" for n, d in enumerate(DAYS) for k in "AB"]
    _, panel, _ = tried(tmp_path, facts__csv=lines("Date,ProductId,Budget Sales,Sales", *rows))
    assert panel.y.sum() == UNITS


@pytest.mark.parametrize("name", ["Итого", "合计", "Alle Filialen zusammen"])
def test_a_row_that_is_the_sum_of_all_others_is_left_out(tmp_path, name):
    rows = [
        f"{d};{k};{n}"
        for n, d in enumerate(DAYS, start=1)
        for k, n in (("A", n), ("B", n), ("C", 1), (name, 2 * n + 1))
    ]
    report, panel, told = tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))
    assert panel.y.sum() == UNITS + 30
    assert sales_of(report).rows_filtered == 30
    assert f"whose sku is {name} are left out as sums of the others" in told


def test_a_flag_and_a_word_inside_another_are_no_place(tmp_path):
    rows = [
        f"{d},{k},{'true' if n % 2 else 'false'},{n + 1},A{n % 2}"
        for n, d in enumerate(DAYS)
        for k in "AB"
    ]
    head = "purchase-date,sku,is-business-order,quantity,account"
    _, panel, _ = tried(tmp_path, orders__csv=lines(head, *rows))
    assert list(panel.unique_ids) == ["A", "B"]


def test_months_in_cyrillic_are_periods_and_words_are_known_in_every_case(tmp_path):
    months = ["Январь 2024", "Февраль 2024", "Март 2024", "Апрель 2024"]
    text = lines(";".join(["Название товара", *months]), "Молоко;1;2;3;4", "Хлеб;5;6;7;8")
    report, panel, _ = tried(tmp_path, sales__csv=text)
    assert (report.first, report.last) == ("2024-01-01", "2024-04-01")
    assert panel.y.sum() == 36


def test_a_time_with_a_word_for_hours_behind_it_is_read(tmp_path):
    rows = [
        f"{int(d[8:])} de enero de 2024 10:{n:02d} hs.;{k};{n}"
        for n, d in enumerate(DAYS, start=1)
        for k in "AB"
    ]
    report, panel, _ = tried(tmp_path, ventas__csv=lines("Fecha de venta;SKU;Unidades", *rows))
    assert (report.first, panel.y.sum()) == (DAYS[0], UNITS)


def test_columns_that_differ_from_a_key_by_capitals_only_are_no_traceback(tmp_path):
    sales = daily(lambda d, k, n: f"{d};{k};{n}", header="Date;ProductId;Sales")
    goods = lines("Product;ProductId;Type", "Mocha;A;Regular", "Latte;B;Decaf")
    _, panel, _ = tried(tmp_path, facts__csv=sales, Product__csv=goods)
    assert panel.y.sum() == UNITS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (lines("Year,Product,Sales", "2015,Socks,10", "2016,Socks,20"), "Year is a year alone"),
        (lines("DAY,PRODUCT_ID,QUANTITY", "1,7,2", "2,7,3", "2,8,1"), "DAY may count the days"),
        (
            lines(
                "Product_Code," + ",".join(f"W{n}" for n in range(52)) + ",MIN,column_9",
                "P1," + ",".join(["3"] * 54),
            ),
            "no file says their dates",
        ),
    ],
    ids=["years", "numbered days", "numbered weeks"],
)
def test_periods_without_a_date_are_refused_with_what_to_do(tmp_path, text, says):
    with pytest.raises(InvalidInputError, match=says):
        tried(tmp_path, sales__csv=text)


def test_orders_that_are_malformed_are_named_where_their_dates_are_missed(tmp_path):
    orders = lines(
        "orderID,orderDate,shipAddress",
        *(f"{n},{d},{'24, place X' if n % 3 else 'Main St'}" for n, d in enumerate(DAYS)),
    )
    items = lines("orderID,productID,quantity", *(f"{n},{k},2" for n in range(30) for k in "12"))
    with pytest.raises(InvalidInputError, match="Lines are malformed .20 of orders from line 3 on"):
        tried(tmp_path, orders__csv=orders, items__csv=items)


def test_a_fault_in_where_is_told_under_its_name(tmp_path):
    (tmp_path / "s.csv").write_text(daily(lambda d, k, n: f"{d};{k};{n}"))
    mapping = Mapping.model_validate(
        {
            "name": "m",
            "frequency": "D",
            "unique_id": "sku",
            "sources": {"s": "s.csv"},
            "sales": {"from": "s", "ds": "date", "where": "status <> 'x'", "columns": {"y": "qty"}},
        }
    )
    with pytest.raises(
        (InvalidInputError, ConfigError), match="sales.where: there is no column status"
    ):
        read_dataset(mapping, tmp_path, tmp_path / "out")


def test_weather_and_flags_beside_a_column_for_each_dish_are_no_dishes(tmp_path):
    text = lines(
        "date,weekday,is_holiday,is_closed,clouds,sunshine,temperature,fish,lamb,steak",
        *(
            f"2024-03-{day:02d},{'MON' if day % 7 else 'SUN'},0,{int(day == 9)},{day % 9}.5,"
            f"{day * 11},{day / 2},{day % 5},{day % 4 + 3},{day % 6 + 9}"
            for day in range(1, 31)
        ),
    )
    _, panel, told = tried(tmp_path, yaz__csv=text)
    assert sorted(panel.series["product"]) == ["fish", "lamb", "steak"]
    assert "each of its 3 other numbers (fish, lamb, steak) is read as a product" in told
