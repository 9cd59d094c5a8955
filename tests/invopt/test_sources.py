import gzip
import json

import numpy as np
import pandas as pd
import pytest

from invopt.errors import ConfigError, InvalidInputError
from invopt.panel import Flag, load_panel
from invopt.sources import Mapping, load_mapping, read_dataset, read_position
from tests.builders import CONFIGS, write_files

LONG = {
    "name": "t",
    "frequency": "D",
    "unique_id": "sku || '_' || store",
    "sources": {"lines": "lines.csv"},
    "sales": {"from": "lines", "ds": "date", "columns": {"y": "qty", "price": "price"}},
}
LINES = """date,store,sku,qty,price
2024-01-01,s1,a,3,1.5
2024-01-02,s1,a,1,1.5
2024-01-04,s1,a,2,1.4
2024-01-01,s2,a,5,1.5
"""


def read(tmp_path, mapping, max_bad_share=1.0, **files):
    data = write_files(tmp_path / "data", **files)
    report = read_dataset(
        Mapping.model_validate(mapping), data, tmp_path / "out", max_bad_share=max_bad_share
    )
    return report, load_panel(tmp_path / "out")


def quarantine(tmp_path):
    return pd.read_parquet(tmp_path / "out" / "quarantine.parquet")


def table(report, name):
    return next(a for a in report.accounting if a.table == name)


def changed(base, **updates):
    return json.loads(json.dumps(base)) | updates


def test_long_rows_become_a_dense_panel_with_gaps_read_as_zero(tmp_path):
    report, panel = read(tmp_path, LONG, lines_csv=LINES)
    assert list(panel.unique_ids) == ["a_s1", "a_s2"]
    assert panel.y.tolist() == [[3, 1, 0, 2], [5, 0, 0, 0]]
    assert panel.flags.tolist() == [[0, 0, Flag.FILLED, 0], [0, 16, 16, 16]]
    price = panel.channels["price"].values
    np.testing.assert_allclose(price[0], [1.5, 1.5, np.nan, 1.4])
    assert (table(report, "sales").rows_in, table(report, "sales").rows_used) == (4, 4)


def test_gaps_may_mean_unobserved_instead(tmp_path):
    mapping = changed(LONG)
    mapping["sales"]["missing"] = "unobserved"
    _, panel = read(tmp_path, mapping, lines_csv=LINES)
    assert panel.flags[0].tolist() == [0, 0, Flag.MISSING, 0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2024-13-40,s1,a,3,1.5", "ds is not a date"),
        (",s1,a,3,1.5", "ds is empty"),
        ("2024-01-03,s1,a,many,1.5", "y is not a number"),
        ("2024-01-03,s1,a,inf,1.5", "y is not finite"),
        ("2024-01-03,s1,a,,1.5", "y is empty"),
        ("2024-01-03,s1,a,-2,1.5", "y is negative"),
        ("2024-01-03,s1,a,2,-1", "price is negative"),
        ("2024-01-03,s1,,2,1", "its key is empty"),
        ("2024-01-02,s1,a,9,1.5", "another row has the same key and period"),
        ("2024-01-03,s1", "line is malformed: MISSING COLUMNS"),
        ("2024-01-03,s1,a,2,1,7,8", "line is malformed: TOO MANY COLUMNS"),
        ('2024-01-03,"s1"x,a,2,1', "line is malformed: UNQUOTED VALUE"),
    ],
)
def test_a_faulty_row_is_set_aside_with_its_reason_and_its_record(tmp_path, line, reason):
    report, panel = read(tmp_path, LONG, lines_csv=LINES + line + "\n")
    sales = table(report, "sales")
    assert sales.quarantined == {reason: 1}
    assert sales.rows_in == 5
    assert sales.rows_used == 4
    [row] = quarantine(tmp_path).to_dict("records")
    assert row["reason"] == reason
    for value in [v for v in line.split(",") if len(v) > 4][:1]:
        assert value.strip('"')[:5] in row["record"]
    assert panel.y[0, 1] == 1  # the first of two rows stays


def test_one_mistyped_year_does_not_stretch_the_panel(tmp_path):
    lines = LINES + "".join(f"2024-02-{1 + d % 28:02d},s{d},a,1,1\n" for d in range(200))
    wrong = "2104-01-01,s1,a,3,1.5\n1914-01-01,s1,a,3,1.5\n"
    report, panel = read(tmp_path, LONG, lines_csv=lines + wrong)
    assert table(report, "sales").quarantined == {"its date is far from all others": 2}
    assert panel.timeline.num_periods == 59


@pytest.mark.parametrize("ds", ["infinity", "-infinity", "0001-01-01", "9999-12-31"])
def test_a_date_without_end_is_no_date(tmp_path, ds):
    report, _ = read(tmp_path, LONG, lines_csv=LINES + f"{ds},s1,a,3,1.5\n")
    assert table(report, "sales").quarantined == {"ds is not a date": 1}


def test_a_quote_that_never_closes_costs_its_own_line_only(tmp_path):
    lines = LINES + '2024-01-03,s1,"a,3,1.5\n' + "2024-01-03,s2,a,4,1.5\n2024-01-04,s2,a,1,1\n"
    report, panel = read(tmp_path, LONG, lines_csv=lines + "2024-01-05,s2\n")
    assert table(report, "sales").quarantined == {
        "line is malformed: UNCLOSED QUOTE": 1,
        "line is malformed: MISSING COLUMNS": 1,
    }
    assert panel.y[1].tolist() == [5, 0, 4, 1]
    rows = quarantine(tmp_path)
    assert sorted(rows["row"]) == [6, 9]  # lines of the file, the header's is 1


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_file_of_another_encoding_is_read_by_its_name(tmp_path, encoding):
    data = write_files(tmp_path / "data")
    (data / "lines.csv").write_bytes(LINES.replace("s2", "Köln").encode(encoding))
    mapping = changed(LONG, sources={"lines": {"path": "lines.csv", "encoding": encoding}})
    read_dataset(Mapping.model_validate(mapping), data, tmp_path / "out")
    assert list(load_panel(tmp_path / "out").unique_ids) == ["a_Köln", "a_s1"]


def test_an_unknown_encoding_is_refused(tmp_path):
    mapping = changed(LONG, sources={"lines": {"path": "lines.csv", "encoding": "klingon"}})
    with pytest.raises(InvalidInputError, match="encoding 'klingon' is unknown"):
        read(tmp_path, mapping, lines_csv=LINES)


def test_lines_may_end_in_different_ways(tmp_path):
    lines = LINES.replace("1.5\n", "1.5\r\n", 1)
    report, panel = read(tmp_path, LONG, lines_csv=lines)
    assert table(report, "sales").rows_used == 4
    assert panel.y.tolist() == [[3, 1, 0, 2], [5, 0, 0, 0]]


def test_a_key_with_a_line_break_is_refused(tmp_path):
    report, _ = read(tmp_path, LONG, lines_csv=LINES + '2024-01-03,s1,"a\n2024-01-04,s1,a",3,1\n')
    assert table(report, "sales").quarantined == {"its key holds a line break": 1}


def test_a_period_whose_record_was_refused_is_unknown_not_zero(tmp_path):
    _, panel = read(tmp_path, LONG, lines_csv=LINES + "2024-01-03,s1,a,many,1.5\n")
    assert panel.flags[0, 2] == Flag.MISSING


def test_too_many_faulty_rows_fail_and_leave_nothing_behind(tmp_path):
    bad = LINES + "x,s1,a,3,1.5\n" * 3
    with pytest.raises(InvalidInputError, match=r"42\.9% of the rows.*ds is not a date"):
        read(tmp_path, LONG, 0.1, lines_csv=bad)
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no file .*lines.csv"),
        ({"lines_csv": ""}, "is empty; expected a header"),
        ({"lines_csv": "date,store,sku,qty,price\n"}, "no usable row: it is empty"),
        ({"lines_csv": "date,store,sku,qty,price\nx,s,a,1,1\n"}, "no usable row .1 rows: ds is"),
        ({"lines_csv": "date,store,sku,qty,qty\n"}, "no column price.*qty, qty_2"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_clear_sentence(tmp_path, files, message):
    with pytest.raises(InvalidInputError, match=message):
        read(tmp_path, LONG, **files)


def test_an_unknown_column_is_named_with_its_place(tmp_path):
    mapping = changed(LONG)
    mapping["sales"]["columns"]["y"] = "quantity"
    with pytest.raises(InvalidInputError, match=r"sales\.columns\.y.*quantity"):
        read(tmp_path, mapping, lines_csv=LINES)
    mapping["sales"]["columns"]["y"] = "sum(quantity) + 1"
    with pytest.raises(InvalidInputError, match=r"no column quantity.* has date, store, sku, qty"):
        read(tmp_path, mapping, lines_csv=LINES)


@pytest.mark.parametrize("damage", ["another format", "cut off"])
def test_a_damaged_archive_is_one_clear_sentence(tmp_path, damage):
    # No bytes in the parameters: gzip writes the time into its header, and with it into the id.
    content = b"no gzip" if damage == "another format" else gzip.compress(LINES.encode())[:40]
    mapping = changed(LONG, sources={"lines": "lines.csv.gz"})
    write_files(tmp_path / "data")
    (tmp_path / "data" / "lines.csv.gz").write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"sources\.lines.*lines\.csv\.gz"):
        read(tmp_path, mapping)


def test_transactions_add_up_and_returns_are_netted(tmp_path):
    mapping = changed(LONG)
    mapping["sales"] |= {"layout": "transactions", "returns": "net", "where": "qty <> 'void'"}
    lines = LINES + "2024-01-01,s1,a,4,1.1\n2024-01-02,s1,a,-3,1.5\n2024-01-02,s1,a,void,1\n"
    report, panel = read(tmp_path, mapping, lines_csv=lines)
    assert panel.y[0].tolist() == [7, -2, 0, 2]
    assert panel.channels["price"].values[0, 0] == pytest.approx(1.3)
    sales = table(report, "sales")
    assert (sales.rows_in, sales.rows_used, sales.rows_filtered) == (7, 6, 1)


@pytest.mark.parametrize(
    ("layout", "known", "expected"),
    [
        ("long", None, True),
        ("transactions", None, False),
        ("transactions", ["price"], True),
        ("long", [], False),
    ],
)
def test_what_a_line_charged_is_not_known_ahead_unless_the_mapping_says_so(
    tmp_path, layout, known, expected
):
    mapping = changed(LONG)
    mapping["sales"] |= {"layout": layout} | ({} if known is None else {"known": known})
    _, panel = read(tmp_path, mapping, lines_csv=LINES)
    assert panel.channels["price"].known is expected


def test_units_formats_and_time_zones_are_converted(tmp_path):
    mapping = changed(LONG)
    mapping["sales"]["columns"] = {
        "y": {"expr": "qty", "scale": 12},
        "price": {"expr": "num(price) * 100", "scale": 0.01},
    }
    mapping["sales"]["ds"] = {
        "expr": "date",
        "format": "%d/%m/%Y %H:%M",
        "from_timezone": "UTC",
        "to_timezone": "Europe/Paris",
    }
    lines = "date,store,sku,qty,price\n31/01/2024 23:30,s1,a,2,1.5\n"
    _, panel = read(tmp_path, mapping, lines_csv=lines)
    assert panel.y.tolist() == [[24]]
    assert panel.channels["price"].values[0, 0] == pytest.approx(1.5)
    assert panel.timeline.start == pd.Timestamp("2024-02-01")


@pytest.mark.parametrize(
    ("freq", "periods", "start"),
    [("W-MON", 3, "2023-12-25"), ("MS", 2, "2023-12-01")],
)
def test_dates_fall_into_the_period_that_holds_them(tmp_path, freq, periods, start):
    lines = "date,store,sku,qty,price\n2023-12-31,s1,a,1,1\n2024-01-09,s1,a,2,1\n"
    _, panel = read(tmp_path, changed(LONG, frequency=freq), lines_csv=lines)
    assert panel.timeline.num_periods == periods
    assert panel.timeline.start == pd.Timestamp(start)
    assert panel.y[0, 0] == 1
    assert panel.y[0, -1] == 2


WIDE = {
    "name": "w",
    "frequency": "W-MON",
    "unique_id": "Store || '_' || Product",
    "sources": {"sales": "sales.csv", "stock": "stock.csv", "state": "state.csv"},
    "sales": {
        "from": "sales",
        "layout": "wide",
        "wide": {"columns": r"\d{4}-\d\d-\d\d", "format": "%Y-%m-%d"},
    },
}


def test_wide_columns_become_periods_and_bad_cells_are_counted_singly(tmp_path):
    sales = (
        "Store,Product,2024-01-01,2024-01-08,2024-01-15\n"
        "0,7,1,x,3\n0,8,4,-5,\n0,7,9,9,9\n,9,1,1,1\n"
    )
    mapping = changed(WIDE, sources={"sales": "sales.csv"})
    report, panel = read(tmp_path, mapping, sales_csv=sales)
    assert list(panel.unique_ids) == ["0_7", "0_8"]
    assert panel.y.tolist() == [[1, 0, 3], [4, 0, 0]]
    assert panel.flags.tolist() == [[0, 1, 0], [0, 1, 1]]
    found = table(report, "sales")
    assert found.rows_in == 12
    assert found.quarantined == {
        "another row has the same key": 3,
        "its key is empty": 3,
        "cell is not a number": 1,
        "cell is negative": 1,
    }
    assert found.rows_used == 4
    assert len(quarantine(tmp_path)) == 4


def test_position_orders_and_stock_flags_are_read_beside_wide_sales(tmp_path):
    mapping = changed(WIDE)
    mapping["stock"] = {
        "from": "stock",
        "level": "unique_id",
        "wide": WIDE["sales"]["wide"],
        "name": "in_stock",
    }
    mapping["position"] = {"from": "state", "columns": {"on_hand": "End Inventory"}}
    mapping["open_orders"] = {
        "from": "state",
        "columns": {"due_in": "due", "quantity": "qty"},
    }
    _, panel = read(
        tmp_path,
        mapping,
        sales_csv="Store,Product,2024-01-01,2024-01-08\n0,7,1,2\n0,9,1,1\n",
        stock_csv="Store,Product,2024-01-01,2024-01-08\n0,7,True,False\n",
        state_csv="Store,Product,End Inventory,due,qty\n0,7,4,2,6\n0,9,-1,0,6\n",
    )
    assert panel.channels["in_stock"].values[0].tolist() == [1, 0]
    position, orders = read_position(tmp_path / "out")
    assert position.to_dict("records") == [
        {"unique_id": "0_7", "on_hand": 4.0, "backorders": 0.0},
        {"unique_id": "0_9", "on_hand": 0.0, "backorders": 1.0},  # waiting customers
    ]
    assert orders.to_dict("records") == [
        {"unique_id": "0_7", "due_in": 2, "quantity": 6.0},
        {"unique_id": "0_9", "due_in": 0, "quantity": 6.0},  # late, not gone
    ]
    assert quarantine(tmp_path).empty


def test_the_lead_time_of_the_position_is_newer_than_the_products(tmp_path):
    mapping = changed(WIDE)
    mapping["sources"] |= {"master": "master.csv"}
    mapping["products"] = {"from": "master", "columns": {"lead_time": "days"}}
    mapping["position"] = {"from": "state", "columns": {"on_hand": "n", "lead_time": "days"}}
    _, panel = read(
        tmp_path,
        mapping,
        sales_csv="Store,Product,2024-01-01,2024-01-08\n0,7,1,2\n0,8,1,2\n",
        stock_csv="Store,Product,2024-01-01\n",
        master_csv="Store,Product,days\n0,7,3\n0,8,2\n",
        state_csv="Store,Product,n,days\n0,7,4,5\n0,8,4,\n",
    )
    assert panel.series["lead_time"].tolist() == [5, 2]
    assert quarantine(tmp_path).empty  # stock without a lead time is stock all the same


def test_channels_of_groups_events_and_future_plans_are_placed(tmp_path):
    mapping = changed(LONG)
    mapping["sources"] |= {"shops": "shops.csv", "days": "days.csv"}
    mapping["products"] = {
        "from": "shops",
        "unique_id": "'a_' || store",
        "columns": {"product": "'a'", "location": "store", "region": "region"},
    }
    mapping["external"] = [
        {
            "from": "days", "level": "region", "key": "region", "ds": "d",
            "columns": {"rain": "rain"},
        },
        {
            "from": "days", "level": "region", "key": "region", "ds": "d",
            "one_hot": {"event": ["event"]}, "known": True,
        },
    ]  # fmt: skip
    days = (
        "d,region,rain,event\n2024-01-02,north,5,\n2024-01-06,north,7,Fair\n"
        "2023-12-31,north,1,\n2024-01-02,east,1,\n"
    )
    report, panel = read(
        tmp_path, mapping, lines_csv=LINES, days_csv=days,
        shops_csv="store,region\ns1,north\ns2,south\ns3,south\n",
    )  # fmt: skip
    rain = panel.channels["rain"]
    assert rain.groups == ("north", "south")
    np.testing.assert_allclose(rain.values[0], [np.nan, 5, np.nan, np.nan])
    fair = panel.channels["event=Fair"]
    assert fair.known
    assert fair.values.shape == (2, 6)
    assert fair.values[0, 5] == 1
    assert table(report, "external[0]").quarantined == {
        "after the last sales period": 1,
        "before the first sales period": 1,
        "its key names no series": 1,
    }
    assert report.bad_share == 0
    assert "1 products have no sales row" in report.notes[0]


def test_days_of_stock_weather_and_events_combine_into_the_weeks_of_sales(tmp_path):
    mapping = changed(LONG, frequency="W-MON")
    mapping["sales"] |= {"layout": "transactions", "columns": {"y": "qty"}}
    mapping["sources"] |= {"days": "days.csv"}
    mapping["external"] = {
        "from": "days", "level": "all", "ds": "d", "aggregate": "mean",
        "columns": {"rain": "rain", "on_hand": {"expr": "stock", "aggregate": "last"}},
        "one_hot": {"event": ["event"]},
    }  # fmt: skip
    days = "d,rain,stock,event\n2024-01-04,4,,\n2024-01-01,2,9,Fair\n2024-01-03,,7,\n"
    report, panel = read(tmp_path, mapping, lines_csv=LINES, days_csv=days)
    found = {name: channel.values.tolist() for name, channel in panel.channels.items()}
    assert found == {"rain": [[3]], "on_hand": [[7]], "event=Fair": [[1]]}
    assert table(report, "external").rows_used == 3


def test_a_price_said_before_the_first_sale_holds_until_the_next_one(tmp_path):
    mapping = changed(LONG)
    del mapping["sales"]["columns"]["price"]
    mapping["sources"] |= {"list": "list.csv"}
    mapping["market"] = {
        "from": "list", "level": "unique_id", "key": "series", "ds": "d",
        "columns": {"price": "price"}, "known": True, "fill": "forward",
    }  # fmt: skip
    prices = (
        "series,d,price\na_s1,2019-05-01,2\na_s1,2021-05-01,3\na_s1,2024-01-03,4\n"
        "a_s2,2023-12-31,5\na_s2,2024-01-01,6\n"
    )
    report, panel = read(tmp_path, mapping, lines_csv=LINES, list_csv=prices)
    price = dict(zip(panel.unique_ids, panel.channels["price"].values.tolist(), strict=True))
    assert price["a_s1"] == [3, 3, 4, 4]
    assert price["a_s2"] == [6, 6, 6, 6]
    found = table(report, "market")
    assert (found.rows_in, found.rows_used) == (5, 3)
    assert found.quarantined == {"before the first sales period": 2}


SHOPS = {
    "from": "shops",
    "unique_id": "'a_' || store",
    "columns": {"product": "'a'", "location": "store", "region": "region", "area": "num(area)"},
}


def test_product_rows_complete_each_other_and_a_contradiction_is_set_aside(tmp_path):
    mapping = changed(LONG, products=SHOPS)
    mapping["sources"] |= {"shops": "shops.csv"}
    shops = "store,region,area\ns1,north,\ns1,,70\ns1,south,70\ns2,south,50\n"
    report, panel = read(tmp_path, mapping, lines_csv=LINES, shops_csv=shops)
    assert table(report, "products").quarantined == {"another row of its series says otherwise": 1}
    assert panel.series["region"].tolist() == ["north", "south"]
    assert panel.series["area"].tolist() == ["70.0", "50.0"]
    [row] = quarantine(tmp_path).to_dict("records")
    assert row["row"] == 3


def test_attributes_may_be_numbers(tmp_path):
    mapping = changed(LONG, products=SHOPS)
    mapping["products"]["columns"]["area"] = {"expr": "area", "type": "number"}
    mapping["sources"] |= {"shops": "shops.csv"}
    _, panel = read(
        tmp_path, mapping, lines_csv=LINES, shops_csv="store,region,area\ns1,n,70\ns2,n,50\n"
    )
    assert panel.series["area"].tolist() == [70.0, 50.0]


def test_products_without_sales_are_series_when_launches_are_asked_for(tmp_path):
    mapping = changed(LONG, products=SHOPS | {"launches": True})
    mapping["sources"] |= {"shops": "shops.csv"}
    shops = "store,region,area\ns1,north,70\ns0,north,60\ns2,south,50\n"
    report, panel = read(tmp_path, mapping, lines_csv=LINES, shops_csv=shops)
    assert list(panel.unique_ids) == ["a_s0", "a_s1", "a_s2"]
    assert panel.series["region"].tolist() == ["north", "north", "south"]
    assert (panel.flags[0] == Flag.FILLED).all()
    assert panel.y[1].tolist() == [3, 1, 0, 2]
    assert "1 products have no sales row and are forecast" in report.notes[0]


def test_a_table_at_a_level_that_products_do_not_have_is_refused(tmp_path):
    mapping = changed(LONG)
    mapping["sources"] |= {"days": "days.csv"}
    mapping["external"] = {
        "from": "days", "level": "planet", "key": "p", "ds": "d", "columns": {"rain": "rain"},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="planet is not a column of products"):
        read(tmp_path, mapping, lines_csv=LINES, days_csv="d,p,rain\n2024-01-01,x,1\n")


@pytest.mark.parametrize("layout", ["long", "transactions", "wide"])
def test_a_data_set_read_in_partitions_equals_the_same_read_whole(tmp_path, monkeypatch, layout):
    from invopt.sources import dataset

    mapping = changed(LONG)
    mapping["sales"]["layout"] = layout
    mapping["sources"] |= {"stock": "stock.csv", "flags": "flags.csv"}
    mapping["stock"] = [
        {"from": "stock", "level": "unique_id", "key": "series", "ds": "d",
         "columns": {"on_hand": "on_hand"}, "fill": "forward"},
        {"from": "flags", "level": "unique_id", "key": "series", "name": "in_stock",
         "wide": {"columns": r"2024-.*", "format": "%Y-%m-%d"}},
    ]  # fmt: skip
    if layout == "wide":
        mapping["unique_id"] = "sku"
        mapping["sales"] = {"from": "lines", "layout": "wide", "wide": WIDE["sales"]["wide"]}
    rows = [f"2024-01-0{d},s{s},a,{d * s},1.{s}\n" for s in (1, 2, 3, 4, 5) for d in (1, 2, 4)]
    files = {
        "lines_csv": "date,store,sku,qty,price\n" + "".join([*rows, rows[0], "x,s1,a,1,1\n"]),
        "stock_csv": "series,d,on_hand\na_s2,2023-12-01,4\na_s5,2024-01-02,0\nb,2024-01-02,1\n",
        "flags_csv": "series,2024-01-01,2024-01-02\na_s4,1,0\na_s1,0,\n",
    }
    if layout == "wide":
        files["lines_csv"] = "sku,2024-01-01,2024-01-02,2024-01-04\n" + "".join(
            f"a_s{s},{s},,{s + 2}\n" for s in (5, 1, 3, 2, 4)
        )
    whole, expected = read(tmp_path / "whole", mapping, **files)
    monkeypatch.setattr(dataset, "MAX_PARTITION_CELLS", 2 * expected.num_periods)
    report, panel = read(tmp_path / "parts", mapping, **files)
    assert len(list((tmp_path / "parts" / "out").glob("part-*"))) == 3
    assert (panel.y == expected.y).all()
    assert (panel.flags == expected.flags).all()
    for name, channel in expected.channels.items():
        np.testing.assert_array_equal(panel.channels[name].values, channel.values)
    assert report.accounting == whole.accounting


def test_the_same_data_read_twice_give_the_same_bytes(tmp_path):
    from serving.stores.snapshots import content_hash

    data = write_files(tmp_path / "data", lines_csv=LINES)
    mapping = Mapping.model_validate(LONG)
    for name in ("one", "two"):
        read_dataset(mapping, data, tmp_path / name)
    assert content_hash(tmp_path / "one") == content_hash(tmp_path / "two")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: x\nfrequency: D\nsources: {a: a.csv}\nunique_id: s\n"
            "sales: {from: a, ds: d, columns: {y: y}}\nmarket: {from: a, aggregate: mean, "
            "level: unique_id, name: p, wide: {columns: x, format: '%Y'}}",
            "a wide table has one value per period",
        ),
        ("a: [", "not valid YAML"),
        ("- 1", "must hold a mapping"),
        ("name: x\nfrequency: D\nsources: {}\n", "sales: field required"),
        (
            "name: x\nfrequency: H\nsources: {a: a.csv}\nsales: {from: a, ds: d, columns: {y: y}}",
            "frequency must be one of",
        ),
        (
            "name: x\nfrequency: D\nsources: {a: a.csv}\nsales: {from: b, ds: d, columns: {y: y}}",
            "reads from 'b', which is not under sources",
        ),
        (
            "name: x\nfrequency: D\nsources: {a: a.csv}\n"
            "sales: {from: a, ds: d, columns: {y: y}, dates: d}",
            "key sales.dates does not exist",
        ),
        (
            "name: x\nfrequency: D\nsources: {a: a.csv}\n"
            "sales: {from: a, ds: d, columns: {y: y, price: p}}\n"
            "market: {from: a, ds: d, columns: {price: p}}",
            "market and sales both hold 'price'; give one another name",
        ),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(tmp_path, text, message):
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_mapping(tmp_path / "m.yaml")


@pytest.mark.parametrize(
    "file", sorted((CONFIGS / "datasets").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_shipped_mapping_is_valid(file):
    assert load_mapping(file).name == file.stem


@pytest.mark.slow
def test_m5_holds_the_published_number_of_units(tmp_path, real_data):
    mapping = load_mapping(CONFIGS / "datasets" / "m5.yaml")
    report = read_dataset(mapping, real_data / "m5", tmp_path / "m5")
    panel = load_panel(tmp_path / "m5")
    assert int(panel.y.sum(dtype=np.int64)) == 66_927_173
    assert panel.y.shape == (30_490, 1_941)
    assert report.bad_share == 0
