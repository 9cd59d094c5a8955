"""Every row, of every type and form that companies write, is used or told."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from invopt.errors import ConfigError, InvalidInputError
from invopt.panel import Flag, load_panel
from invopt.sources import Mapping, account_of, load_mapping, read_dataset, read_position
from invopt.sources.twins import folded, near_twins

TODAY = pd.Timestamp("2024-03-01")
LINES = {
    "name": "t",
    "frequency": "D",
    "unique_id": "sku || '_' || store",
    "sources": {"lines": "lines.csv"},
    "sales": {"from": "lines", "layout": "transactions", "ds": "day", "columns": {"y": "qty"}},
}


def mapping_of(sales=(), sources=(), **tables):
    """Return LINES with further keys of sales, sources and tables."""
    found = json.loads(json.dumps(LINES))
    found["sales"] |= dict(sales)
    found["sources"] |= dict(sources)
    return found | tables


def read(tmp_path, mapping, files, **options):
    """Write files (text by name), read them and return the report and the panel."""
    data = tmp_path / "data"
    for name, content in files.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, data / name)
        else:
            (data / name).write_text(content)
    options = {"max_bad_share": 1.0} | options
    report = read_dataset(Mapping.model_validate(mapping), data, tmp_path / "out", **options)
    for a in report.accounting:
        assert a.rows_in == a.rows_used + a.rows_filtered + sum(a.quarantined.values())
    return report, load_panel(tmp_path / "out")


def told(report, name="sales"):
    return next(a for a in report.accounting if a.table == name)


def sold(panel):
    """Return units by (series, day) where there are some."""
    days = [f"{d:%m-%d}" for d in panel.timeline.dates()]
    return {
        (key, days[t]): float(panel.y[i, t])
        for i, key in enumerate(panel.unique_ids)
        for t in np.flatnonzero(panel.y[i])
    }


def lines(*rows, header="day,store,sku,qty"):
    return "\n".join([header, *rows]) + "\n"


WHERE = lines(
    "2024-01-01,s,a,5,", "2024-01-01,s,a,2,void", "2024-01-02,s,a,3,ok", "2024-01-02,s,b,1,",
    header="day,store,sku,qty,status",
)  # fmt: skip


def test_a_filter_that_cannot_judge_a_blank_keeps_its_row_and_says_so(tmp_path):
    mapping = mapping_of(sales={"where": "status <> 'void'"})
    report, panel = read(tmp_path, mapping, {"lines.csv": WHERE})
    assert sold(panel) == {("a_s", "01-01"): 5, ("a_s", "01-02"): 3, ("b_s", "01-02"): 1}
    sales = told(report)
    assert (sales.rows_in, sales.rows_used, sales.rows_filtered, sales.where_unknown) == (
        4,
        3,
        1,
        2,
    )
    assert "neither true nor false of 2 rows" in report.notes[0]
    assert account_of(report, [])["sources"]["lines"] == {
        "rows_in": 4, "rows_used": 3, "rows_set_aside": 0, "rows_filtered": 1,
    }  # fmt: skip


def test_a_row_set_aside_behind_a_filter_keeps_its_place_in_the_file(tmp_path):
    text = WHERE.replace("2024-01-02,s,b,1,", "2024-01-02,s,b,?,")
    read(tmp_path, mapping_of(sales={"where": "status <> 'void'"}), {"lines.csv": text})
    [row] = pd.read_parquet(tmp_path / "out" / "quarantine.parquet").to_dict("records")
    assert row["row"] == 4
    assert json.loads(row["record"])["sku"] == "b"


def table(**columns):
    return pa.table({name: pa.array(values) for name, values in columns.items()})


JANUARY = table(day=["2024-01-01"] * 2, store=["s", "s"], sku=[1001, 1002], qty=[3, 4])
FEBRUARY = table(
    qty=[12.7, 0.4],
    price=[1.5, 2.5],
    sku=["0071", "1002"],
    store=["s", "s"],
    day=["2024-01-02"] * 2,
)


@pytest.mark.parametrize("order", ["12", "21"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_files_unite_by_name_and_by_their_widest_types_in_any_order(tmp_path, order, kind):
    files = dict(zip((f"lines/{n}.{kind}" for n in order), (JANUARY, FEBRUARY), strict=True))
    if kind == "csv":
        files = {name: f.to_pandas().to_csv(index=False) for name, f in files.items()}
    columns = {"y": "qty", "price": "price"}
    mapping = mapping_of(sales={"columns": columns}, sources={"lines": "lines"})
    report, panel = read(tmp_path, mapping, files)
    assert sold(panel) == {
        ("1001_s", "01-01"): 3, ("1002_s", "01-01"): 4,
        ("0071_s", "01-02"): pytest.approx(12.7), ("1002_s", "01-02"): pytest.approx(0.4),
    }  # fmt: skip
    assert np.nanmax(panel.channels["price"].values) == 2.5
    notes = " ".join(report.notes)
    assert "price (in 1 of 2)" in notes
    assert ("column sku is BIGINT in 1, VARCHAR in 1 of 2 files" in notes) is (kind == "parquet")


def test_a_database_whose_later_rows_need_a_wider_type_is_read_whole(tmp_path, monkeypatch):
    import sqlalchemy as sa

    from invopt.sources import row_tables

    monkeypatch.setattr(row_tables, "_CHUNK_ROWS", 2)
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE s (day TEXT, sku INTEGER, qty NUMERIC)")
        for row in [(1, 2), (1, 5), (2, 12.7), (None, 0.4)]:
            connection.exec_driver_sql("INSERT INTO s VALUES ('2024-01-01', ?, ?)", row)
    engine.dispose()
    source = {"url": f"sqlite:///{tmp_path}/shop.db", "query": "SELECT * FROM s"}
    mapping = mapping_of(sources={"lines": source}, unique_id="sku || '_s'")
    report, panel = read(tmp_path, mapping, {"none.txt": ""})
    assert sold(panel) == {("1_s", "01-01"): 7, ("2_s", "01-01"): pytest.approx(12.7)}
    assert told(report).quarantined == {"its key is empty": 1}


def test_a_key_that_a_gap_made_a_fraction_is_the_whole_number_it_was(tmp_path):
    stock = table(sku=[1001.0, None], store=[7.0, 7.0], on_hand=[5, 6])
    position = {"from": "stock", "columns": {"on_hand": "on_hand"}}
    mapping = mapping_of(sources={"stock": "stock.parquet"}, position=position)
    files = {"stock.parquet": stock, "lines.csv": lines("2024-01-01,7,1001,3")}
    read(tmp_path, mapping, files)
    position, _ = read_position(tmp_path / "out")
    assert position.to_dict("records") == [{"unique_id": "1001_7", "on_hand": 5.0}]


def test_folders_named_key_value_are_columns_of_csv_too_and_keep_their_zeros(tmp_path):
    mapping = mapping_of(sources={"lines": "lake"})
    text = "day,sku,qty\n2024-01-01,a,3\n"
    files = {"lake/store=0071/x.csv": text, "lake/store=2/y.CSV": text, "lake/readme.md": "?"}
    report, panel = read(tmp_path, mapping, files)
    assert list(panel.unique_ids) == ["a_0071", "a_2"]
    assert "1 files of lake are not read (e.g. readme.md)" in " ".join(report.notes)


def test_a_later_file_without_a_header_is_refused_and_loses_no_line(tmp_path):
    mapping = mapping_of(sources={"lines": "*.csv"})
    files = {"1.csv": lines("2024-01-01,s,a,3"), "2.csv": "2024-01-02,s,a,4\n2024-01-03,s,a,5\n"}
    with pytest.raises(InvalidInputError, match=r"2\.csv has no column of the files before it"):
        read(tmp_path, mapping, files)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-01-05 16:30", "01-05"), ("2024/1/5", "01-05"), ("20240105", "01-05"),
        ("05.01.2024", "01-05"), ("5.1.24", "01-05"), ("05-Jan-24", "01-05"),
        ("5. Januar 2024", "01-05"), ("5 janv. 2024", "01-05"), ("5 de enero de 2024", "01-05"),
        ('"Jan 5, 2024"', "01-05"), ("45296", "01-05"), ("1704412800", "01-05"),
        ("2024-W01-5", "01-05"), ("2024-W02", "01-08"), ("KW 2/2024", "01-08"),
        ("2024-01", "01-01"), ("1/5/2024 4:30 PM", None), ("2024-01-05 04:30 XM", None),
        ("2025-W53", None), ("2024-02-30", None), ("infinity", None), ("epoch", None),
    ],
)  # fmt: skip
def test_dates_are_read_in_every_usual_form_and_refused_where_they_are_none(tmp_path, text, day):
    rows = ["2024-01-01,s,z,1", "2024-01-31,s,z,1", f"{text},s,a,3"]
    report, panel = read(tmp_path, mapping_of(), {"lines.csv": lines(*rows)})
    found = {key: n for key, n in sold(panel).items() if key[0] == "a_s"}
    assert found == ({("a_s", day): 3} if day else {})
    assert sum(told(report).quarantined.values()) == (day is None)


def test_the_order_of_day_and_month_is_told_by_the_file_or_asked_for(tmp_path):
    files = {"lines.csv": lines("05/01/2024,s,a,3", "31/01/2024,s,a,1")}
    assert ("a_s", "01-05") in sold(read(tmp_path / "told", mapping_of(), files)[1])
    rows = ["05/01/2024,s,a,3", "2024-01-01,s,a,1"]
    report, _ = read(tmp_path / "open", mapping_of(), {"lines.csv": lines(*rows)})
    reason = "ds could be day/month or month/day: say format"
    assert told(report).quarantined == {reason: 1}


STAMPS = ["2024-01-05T16:00:00Z", "2024-01-05 10:00:00 -0600", "2024-01-05T16:00:00.000+00:00"]


@pytest.mark.parametrize("stamp", STAMPS)
def test_a_stamp_that_names_its_zone_counts_where_the_mapping_says(tmp_path, stamp):
    ds = {"expr": "day", "to_timezone": "Asia/Tokyo"}
    rows = [f"{stamp},s,a,3", "2024-01-05,s,b,1"]
    _, panel = read(tmp_path, mapping_of(sales={"ds": ds}), {"lines.csv": lines(*rows)})
    assert sold(panel) == {("a_s", "01-06"): 3, ("b_s", "01-05"): 1}


def test_zones_that_cannot_be_honoured_are_refused(tmp_path):
    rows = [f"{STAMPS[1]},s,a,3", "2024-01-05 16:00,s,b,1"]
    report, _ = read(tmp_path / "1", mapping_of(), {"lines.csv": lines(*rows)})
    assert told(report).quarantined == {"ds names a zone of its own: say to_timezone": 1}
    ds = {"expr": "day", "to_timezone": "Asia/Tokyo"}
    report, _ = read(tmp_path / "2", mapping_of(sales={"ds": ds}), {"lines.csv": lines(*rows)})
    assert told(report).quarantined == {"ds names no zone: say from_timezone": 1}


def test_an_afternoon_is_no_morning_when_zones_are_crossed(tmp_path):
    ds = {"expr": "day", "from_timezone": "UTC", "to_timezone": "America/New_York"}
    rows = ["2024-01-06 04:30 PM,s,a,3", "2024-01-06 04:30,s,a,2"]
    _, panel = read(tmp_path, mapping_of(sales={"ds": ds}), {"lines.csv": lines(*rows)})
    assert sold(panel) == {("a_s", "01-06"): 3, ("a_s", "01-05"): 2}


def test_iso_weeks_are_read_as_names_of_columns(tmp_path):
    sales = {
        "from": "lines", "layout": "wide",
        "wide": {"columns": r"\d{4}-W\d\d", "format": "%G-W%V", "thousands": "."},
    }  # fmt: skip
    sales["wide"] |= {"decimal": ","}
    mapping = LINES | {"frequency": "W-MON", "sales": sales}
    text = "sku;store;2025-W01;2025-W02\na;s;1.350;2,5\n"
    _, panel = read(tmp_path, mapping, {"lines.csv": text})
    assert panel.timeline.start == pd.Timestamp("2024-12-30")
    assert panel.y.tolist() == [[1350, 2.5]]


@pytest.mark.parametrize(
    ("signs", "text", "value"),
    [
        ({"thousands": ","}, '"1,350"', 1350), ({"thousands": ","}, '"1,35"', None),
        ({"decimal": ",", "thousands": "."}, '"1.350,5"', 1350.5),
        ({"decimal": ","}, '"12,5-"', -12.5), ({"decimal": ","}, "12.5", None),
        ({"decimal": ",", "thousands": " "}, '"1\u202f350"', 1350),
        ({"thousands": "'"}, "1'350", 1350), ({"unit": "kg"}, "12 kg", 12),
        ({"unit": "kg"}, "500 g", None), ({"unit": "€", "decimal": ","}, '"€ 3,50"', 3.5),
        ({}, "12 kg", None), ({}, '"1,350"', None), ({}, "5-", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_declared_or_refused_with_their_cell(tmp_path, signs, text, value):
    columns = {"y": {"expr": "qty", **signs}}
    mapping = mapping_of(sales={"columns": columns, "returns": "net"})
    rows = [f"2024-01-01,s,a,{text}", "2024-01-01,s,b,1"]
    report, panel = read(tmp_path, mapping, {"lines.csv": lines(*rows)})
    assert sold(panel).get(("a_s", "01-01")) == value
    assert told(report).quarantined == ({} if value else {"y is not a number": 1})


def test_points_before_three_digits_everywhere_are_told(tmp_path):
    rows = ["2024-01-01,s,a,1.350", "2024-01-01,s,b,900"]
    report, _ = read(tmp_path / "1", mapping_of(), {"lines.csv": lines(*rows)})
    assert "1 values of y have a point before three digits" in report.notes[0]
    rows.append("2024-01-02,s,b,0.5")
    report, _ = read(tmp_path / "2", mapping_of(), {"lines.csv": lines(*rows)})
    assert report.notes == []


def test_a_period_with_one_refused_line_is_unknown_and_not_smaller(tmp_path):
    rows = ["2024-01-01,s,a,5", "2024-01-01,s,a,many", "2024-01-01,s,b,2", "2024-01-01,s,b,-1"]
    report, panel = read(tmp_path, mapping_of(), {"lines.csv": lines(*rows)})
    assert panel.flags.tolist() == [[Flag.MISSING], [0]]
    assert panel.y.tolist() == [[0], [2]]
    assert report.cells == {"observed": 1, "zero": 0, "unknown": 1}


def test_lines_are_counted_once_where_they_have_a_name_and_suspected_where_not(tmp_path):
    files = {
        "2023.csv": lines(
            "2024-01-01,s,a,5,1", "2024-01-02,s,a,4,2", header="day,store,sku,qty,id"
        ),
        "2024.csv": lines(
            "2024-01-02,s,a,4,2", "2024-01-03,s,a,3,3", header="day,store,sku,qty,id"
        ),
    }
    report, panel = read(tmp_path / "1", mapping_of(sources={"lines": "*.csv"}), files)
    assert panel.y.tolist() == [[5, 8, 3]]
    assert "1 lines of sales are, word for word, in another file" in report.notes[0]
    named = mapping_of(sources={"lines": "*.csv"}, sales={"line_key": "id"})
    report, panel = read(tmp_path / "2", named, files)
    assert panel.y.tolist() == [[5, 4, 3]]
    assert told(report).quarantined == {"another line has the same line key": 1}


POSITION = {"from": "stock", "columns": {"on_hand": "on_hand"}}


def test_lots_of_a_series_add_up_where_the_mapping_says_so(tmp_path):
    files = {
        "lines.csv": lines("2024-01-01,s,a,5"),
        "stock.csv": "store,sku,lot,on_hand\ns,a,1,10\ns,a,2,10\ns,a,3,10\n",
    }
    summed = {"from": "stock", "columns": {"on_hand": {"expr": "on_hand", "aggregate": "sum"}}}
    report, _ = read(
        tmp_path, mapping_of(sources={"stock": "stock.csv"}, position=summed), files,
        max_bad_share=0.01,
    )  # fmt: skip
    assert report.sums["position.on_hand"] == 30
    assert told(report, "position").rows_used == 3
    with pytest.raises(InvalidInputError, match=r"66\.7% of the rows of position.*same key"):
        plain = mapping_of(sources={"stock": "stock.csv"}, position=POSITION)
        read(tmp_path / "2", plain, files, max_bad_share=0.01)


def test_a_column_of_lots_that_says_nothing_of_adding_up_is_told_where_they_differ(tmp_path):
    files = {
        "lines.csv": lines("2024-01-01,s,a,5"),
        "stock.csv": "store,sku,on_hand,on_order\ns,a,10,4\ns,a,10,6\n",
    }
    columns = {"on_hand": {"expr": "on_hand", "aggregate": "sum"}, "on_order": "on_order"}
    mapping = mapping_of(
        sources={"stock": "stock.csv"}, position={"from": "stock", "columns": columns}
    )
    report, _ = read(tmp_path, mapping, files)
    assert (report.sums["position.on_hand"], report.sums["position.on_order"]) == (20, 4)
    assert "on_order differs between the rows of 1 series" in " ".join(report.notes)


def test_the_latest_count_of_stock_is_the_position_though_newer_than_the_sales(tmp_path):
    files = {
        "lines.csv": lines("2024-01-01,s,a,5", "2024-01-02,s,b,5"),
        "stock.csv": lines(
            "2024-01-02,s,a,10",
            "2024-01-03,s,a,7",
            "2024-01-01,s,b,4",
            header="day,store,sku,on_hand",
        ),
    }
    mapping = mapping_of(sources={"stock": "stock.csv"}, position=POSITION | {"ds": "day"})
    report, _ = read(tmp_path, mapping, files, max_bad_share=0.01, today=TODAY)
    position, _ = read_position(tmp_path / "out")
    assert position["on_hand"].tolist() == [7, 4]
    assert told(report, "position").quarantined == {"a later count of its series is there": 1}


def test_a_small_table_that_is_lost_is_no_small_share_of_all_rows(tmp_path):
    rows = [f"2024-01-{d:02d},s,a{k},1" for d in range(1, 31) for k in range(30)]
    files = {
        "lines.csv": lines(*rows),
        "stock.csv": "store,sku,on_hand\ns,a1,n/a\ns,a2,n/a\n",
    }
    mapping = mapping_of(sources={"stock": "stock.csv"}, position=POSITION)
    lost = r"100\.0% of the rows of position of t.*is not known"
    with pytest.raises(InvalidInputError, match=lost):
        read(tmp_path, mapping, files, max_bad_share=0.01)


@pytest.mark.parametrize("place", ["position", "sql"])
def test_keys_that_lost_their_zeros_are_named_on_both_sides(tmp_path, place):
    rows = [f"2024-01-01,s,000{k},1" for k in range(1, 4)]
    files = {"lines.csv": lines(*rows), "other.csv": "sku,on_hand\n1,6\n2,6\n3,6\n"}
    sql = "SELECT * FROM (SELECT DISTINCT sku, store FROM lines) LEFT JOIN other USING (sku)"
    columns = {"product": "sku", "pack_size": "on_hand"}
    tables = {
        "position": {"position": POSITION | {"from": "other", "unique_id": "sku || '_s'"}},
        "sql": {"products": {"from": "series", "columns": columns}},
    }[place]
    sources = {"other": "other.csv"} | ({"series": {"sql": sql}} if place == "sql" else {})
    report, _ = read(tmp_path, mapping_of(sources=sources, **tables), files)
    notes = " ".join(report.notes)
    assert "'1" in notes
    assert "'0001" in notes
    if place == "sql":
        [join] = report.joins
        assert (join.missing, join.rows) == ((3, 3), (3, 3))
        assert "3 of 3 rows of lines have no row of other" in notes
        assert "3 of 3 rows of other have no row of lines" in notes
    else:
        assert told(report, "position").quarantined == {"its key names no series": 3}
        assert "3 of 3 keys of the sales have no row there" in notes


def test_near_twins_differ_in_zeros_blanks_case_and_forms_of_unicode_only():
    assert folded("00071_S 1 ") == folded("71_s 1")
    assert folded("A-007.0") != folded("A-07.5")
    assert near_twins(["e\u0301_1", "b", "1001.0_x"], ["\u00e9_01", "c", "1001_x"]) == [
        ("e\u0301_1", "\u00e9_01"),
        ("1001.0_x", "1001_x"),
    ]


@pytest.mark.parametrize(
    ("table", "entry"),
    [
        ("unique_id", {"expr": "sku", "scale": 2}),
        ("sales.ds", {"expr": "day", "aggregate": "max"}),
        ("sales.columns.y", {"expr": "qty", "format": "%d"}),
        ("sales.columns.y", {"expr": "qty", "to_timezone": "Europe/Paris"}),
        ("sales.ds", {"expr": "day", "to_timezone": "Europe/Atlantis"}),
        ("sales.ds", {"expr": "day", "format": "%Y-%W"}),
        ("sales.columns.y", {"expr": "qty", "decimal": ",", "thousands": ","}),
    ],
)
def test_words_that_would_be_ignored_where_they_stand_are_refused(tmp_path, table, entry):
    mapping = mapping_of()
    *path, last = table.split(".")
    place = mapping
    for key in path:
        place = place[key]
    place[last] = entry
    (tmp_path / "m.yaml").write_text(json.dumps(mapping))
    with pytest.raises(ConfigError, match="has no meaning|time zone|no calendar|are both"):
        load_mapping(tmp_path / "m.yaml")


def days_of(first, last, num_series=5, closed=()):
    """Return a line per series for every day but the closed weekdays."""
    dates = [d for d in pd.date_range(first, last) if d.weekday() not in closed]
    return [f"{d:%Y-%m-%d},s,a{k},2" for d in dates for k in range(num_series)]


@pytest.mark.parametrize("today", [None, TODAY])
@pytest.mark.parametrize("stray", ["2024-12-24", "2024-02-28", "2024-06-05"])
def test_a_line_dated_ahead_of_all_others_or_of_today_does_not_move_the_end(tmp_path, today, stray):
    rows = [*days_of("2023-10-01", "2024-01-21", num_series=15), f"{stray},s,a0,3"]
    report, panel = read(tmp_path, mapping_of(), {"lines.csv": lines(*rows)}, today=today)
    assert f"{panel.timeline.last:%Y-%m-%d}" == "2024-01-21"
    assert sum(told(report).quarantined.values()) == 1


def test_a_shop_that_opens_again_after_its_holidays_is_no_stray_line(tmp_path):
    rows = days_of("2023-06-01", "2023-07-31") + days_of("2023-09-10", "2023-09-10")
    _, panel = read(tmp_path, mapping_of(), {"lines.csv": lines(*rows)}, today=TODAY)
    assert f"{panel.timeline.last:%Y-%m-%d}" == "2023-09-10"


@pytest.mark.parametrize(
    ("freq", "last", "today", "period", "aside"),
    [
        ("W-MON", "2024-02-28", None, "2024-02-19", 3),
        ("W-MON", "2024-03-03", None, "2024-02-26", 0),
        ("W-MON", "2024-02-28", "2024-02-29", "2024-02-19", 3),
        ("W-MON", "2024-03-03", "2024-03-03", "2024-02-19", 7),
        ("W-MON", "2024-03-03", "2024-03-04", "2024-02-26", 0),
        ("MS", "2024-02-20", None, "2024-01-01", 20),
        ("MS", "2024-02-29", None, "2024-02-01", 0),
        ("D", "2024-02-28", "2024-02-28", "2024-02-27", 1),
        ("D", "2024-02-28", "2024-02-29", "2024-02-28", 0),
    ],
)
def test_a_period_that_has_not_ended_is_left_out_and_a_whole_one_is_not(
    tmp_path, freq, last, today, period, aside
):
    rows = days_of("2022-12-05", last, num_series=1)
    today = None if today is None else pd.Timestamp(today)
    mapping = mapping_of(frequency=freq)
    report, panel = read(tmp_path, mapping, {"lines.csv": lines(*rows)}, today=today)
    assert f"{panel.timeline.last:%Y-%m-%d}" == period
    assert told(report).quarantined == ({"its period has not ended": aside} if aside else {})
    assert any("has not ended" in note for note in report.notes) is bool(aside)


def test_a_week_of_a_shop_that_closes_on_sundays_ends_on_saturday(tmp_path):
    rows = days_of("2023-06-05", "2024-02-24", num_series=1, closed=(6,))
    mapping = mapping_of(frequency="W-MON")
    report, panel = read(tmp_path, mapping, {"lines.csv": lines(*rows)})
    assert f"{panel.timeline.last:%Y-%m-%d}" == "2024-02-19"
    assert report.bad_share == 0


def test_weeks_named_by_one_day_each_are_whole_weeks(tmp_path):
    rows = [f"{d:%Y-%m-%d},s,a,2" for d in pd.date_range("2023-06-04", "2024-02-25", freq="7D")]
    mapping = mapping_of(frequency="W-MON")
    _, panel = read(tmp_path, mapping, {"lines.csv": lines(*rows)})
    assert f"{panel.timeline.last:%Y-%m-%d}" == "2024-02-19"


def test_a_day_whose_till_stopped_at_noon_is_no_day(tmp_path):
    hours = ["09:15", "12:40", "19:50"]
    rows = [
        f"{d:%Y-%m-%d} {h},s,a,1" for d in pd.date_range("2024-01-01", "2024-01-20") for h in hours
    ]
    report, panel = read(tmp_path, mapping_of(), {"lines.csv": lines(*rows[:-1])})
    assert f"{panel.timeline.last:%Y-%m-%d}" == "2024-01-19"
    assert told(report).quarantined == {"its period has not ended": 2}


def test_orders_due_in_a_period_that_has_not_ended_are_under_way(tmp_path):
    files = {
        "lines.csv": lines(*days_of("2023-06-05", "2024-02-28", num_series=1)),
        "due.csv": "store,sku,due,n\ns,a0,2024-03-01,300\n",
    }
    orders = {"from": "due", "columns": {"due": "due", "quantity": "n"}}
    mapping = mapping_of(frequency="W-MON", sources={"due": "due.csv"}, open_orders=orders)
    read(tmp_path, mapping, files)
    _, orders = read_position(tmp_path / "out")
    assert orders.to_dict("records") == [{"unique_id": "a0_s", "due_in": 1, "quantity": 300.0}]


def test_columns_of_periods_that_have_not_ended_are_left_out(tmp_path):
    sales = {
        "from": "lines", "layout": "wide",
        "wide": {"columns": r"\d{4}-\d\d-\d\d", "format": "%Y-%m-%d"},
    }  # fmt: skip
    mapping = LINES | {"frequency": "W-MON", "sales": sales}
    text = "sku,store,2024-02-12,2024-02-19,2024-02-26,2024-03-04\na,s,1,2,3,\n"
    report, panel = read(tmp_path, mapping, {"lines.csv": text}, today=TODAY)
    assert panel.y.tolist() == [[1, 2]]
    sales = told(report)
    assert (sales.rows_in, sales.rows_used) == (4, 2)


def test_steps_of_a_quarter_are_said_to_be_a_frequency_of_their_own(tmp_path):
    rows = [f"{d:%Y-%m-%d},s,a,2" for d in pd.date_range("2020-01-01", "2023-10-01", freq="QS")]
    report, _ = read(tmp_path, mapping_of(frequency="MS"), {"lines.csv": lines(*rows)})
    assert report.step == 3
    assert "sales come every 3 months: that is frequency QS (MS is read" in report.notes[0]


def test_a_due_time_of_a_period_and_a_half_is_not_half_a_period_early(tmp_path):
    files = {
        "lines.csv": lines("2024-01-01,s,a,5"),
        "due.csv": "store,sku,due,n\ns,a,1.5,20\ns,a,2.5,40\ns,a,3.5,80\n",
    }
    orders = {"from": "due", "columns": {"due_in": "due", "quantity": "n"}}
    read(tmp_path, mapping_of(sources={"due": "due.csv"}, open_orders=orders), files)
    _, orders = read_position(tmp_path / "out")
    assert dict(zip(orders["due_in"], orders["quantity"], strict=True)) == {2: 20, 3: 40, 4: 80}


def day(*texts, zone=None, form="%Y-%m-%d %H:%M"):
    import datetime as dt

    kind = pa.timestamp("us", zone) if zone else pa.timestamp("us")
    return pa.array([dt.datetime.strptime(text, form) for text in texts], kind)


def two_files(first, second):
    """Return the files of a source of two, the second's columns beside store and sku by default."""
    rest = {"store": ["s"], "sku": ["b"], "qty": [1]}
    return {"lines/1.parquet": table(**rest | {"sku": ["a"]} | first),
            "lines/2.parquet": table(**rest | second)}  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"sku": [71.0]}, {"sku": ["0071"]}, {("71_s", "01-01"): 1, ("0071_s", "01-02"): 1}),
        ({"day": pa.array([20240101])}, {"day": pa.array(["02.01.2024"])}, None),
        ({"day": pa.array([45292])}, {"day": day("2024-01-02 00:00")}, None),
        ({"day": day("2024-01-01 00:00")}, {"day": pa.array([20240102])}, None),
        ({"note": pa.array([[1]])}, {"note": pa.array(["x"])}, None),
        ({"qty": pa.array([None], pa.null())}, {"qty": [2.5]}, {("b_s", "01-02"): 2.5}),
        ({"qty": [True]}, {"qty": [3]}, {("b_s", "01-02"): 3}),
    ],
)
def test_types_that_no_wider_type_holds_meet_as_text(tmp_path, first, second, expected):
    days = {"day": ["2024-01-01"]}, {"day": ["2024-01-02"]}
    files = two_files(days[0] | first, days[1] | second)
    report, panel = read(tmp_path, mapping_of(sources={"lines": "lines"}), files)
    assert sold(panel) == (expected or {("a_s", "01-01"): 1, ("b_s", "01-02"): 1})
    assert told(report).rows_in == 2


def test_a_wide_decimal_is_not_rounded_to_the_places_of_another_file(tmp_path):
    from decimal import Decimal

    wide = pa.array([Decimal("1.5")], pa.decimal128(38, 10))
    whole = pa.array([Decimal(2)], pa.decimal128(38, 0))
    files = two_files({"day": ["2024-01-01"], "qty": wide}, {"day": ["2024-01-01"], "qty": whole})
    _, panel = read(tmp_path, mapping_of(sources={"lines": "lines"}), files)
    assert sold(panel) == {("a_s", "01-01"): 1.5, ("b_s", "01-01"): 2}


def test_a_stamp_without_a_zone_is_not_of_the_zone_that_another_file_names(tmp_path):
    files = two_files(
        {"day": day("2024-01-01 20:00", zone="UTC")}, {"day": day("2024-01-01 20:00")}
    )
    mapping = mapping_of(sources={"lines": "lines"})
    mapping["sales"]["ds"] = {"expr": "day", "to_timezone": "Asia/Tokyo"}
    report, panel = read(tmp_path / "one", mapping, files)
    assert sold(panel) == {("a_s", "01-02"): 1}
    assert told(report).quarantined == {"ds names no zone: say from_timezone": 1}
    mapping["sales"]["ds"]["from_timezone"] = "Asia/Tokyo"
    _, panel = read(tmp_path / "two", mapping, files)
    assert sold(panel) == {("a_s", "01-02"): 1, ("b_s", "01-01"): 1}


def test_a_day_of_one_file_stays_that_day_beside_stamps_with_a_zone(tmp_path):
    files = two_files(
        {"day": pa.array(["2024-01-01"]).cast(pa.date32())},
        {"day": day("2024-01-02 03:00", zone="UTC")},
    )
    mapping = mapping_of(sources={"lines": "lines"})
    mapping["sales"]["ds"] = {"expr": "day", "to_timezone": "America/New_York"}
    _, panel = read(tmp_path, mapping, files)
    assert sold(panel) == {("a_s", "01-01"): 1, ("b_s", "01-01"): 1}


def test_a_number_is_never_read_by_the_signs_of_another_files_text(tmp_path):
    files = two_files(
        {"day": ["2024-01-01"], "qty": [11.622]}, {"day": ["2024-01-01"], "qty": ["1.350,5"]}
    )
    mapping = mapping_of(sources={"lines": "lines"})
    mapping["sales"]["columns"] = {"y": {"expr": "qty", "decimal": ",", "thousands": "."}}
    report, panel = read(tmp_path, mapping, files)
    assert sold(panel) == {("b_s", "01-01"): 1350.5}
    assert told(report).quarantined == {"y is not a number": 1}
    assert "lines: column qty is DOUBLE in 1, VARCHAR in 1 of 2 files" in report.notes


def test_what_folders_say_stays_text_where_files_differ_in_their_types(tmp_path):
    rest = {"sku": ["a"], "qty": [1]}
    files = {
        "lines/store=71/1.parquet": table(day=pa.array([20240101]), **rest),
        "lines/store=0071/1.parquet": table(day=["2024-01-01"], **rest),
    }
    _, panel = read(tmp_path, mapping_of(sources={"lines": "lines"}), files)
    assert sold(panel) == {("a_71", "01-01"): 1, ("a_0071", "01-01"): 1}


@pytest.mark.parametrize("text", ["202413", "202401", "2024-05", "Jan-24", "05/2024", "mai 2024"])
def test_what_may_be_a_month_or_a_week_dates_no_weekly_sales(tmp_path, text):
    rows = lines(f"{text},s,a,5", "2024-01-08,s,a,1", "2024-01-09,s,a,1")
    mapping = mapping_of(frequency="W-MON")
    report, panel = read(tmp_path / "unsaid", mapping, {"lines.csv": rows})
    assert told(report).quarantined == {"ds could be a month or a week: say format": 1}
    assert sum(sold(panel).values()) == 2


def test_weeks_of_six_figures_are_read_where_the_mapping_says_so(tmp_path):
    mapping = mapping_of(frequency="W-MON", sales={"ds": {"expr": "day", "format": "%G%V"}})
    rows = lines("202401,s,a,5", "202413,s,a,1", "202453,s,a,1")
    report, panel = read(tmp_path, mapping, {"lines.csv": rows})
    assert sold(panel) == {("a_s", "01-01"): 5, ("a_s", "03-25"): 1}
    assert told(report).quarantined == {"ds is not a date": 1}


@pytest.mark.parametrize(
    ("text", "month_day"),
    [
        ("20240109T101500Z", "01-09"), ("2024–01–09", "01-09"), ("Tue 9 Jan 2024", "01-09"),
        ("Dienstag 9. Januar 2024", "01-09"), ("9th January 2024", "01-09"),
        ("1er janvier 2024", "01-01"), ("13-01-24", "01-13"),
    ],
)  # fmt: skip
def test_more_forms_of_one_day_are_that_day(tmp_path, text, month_day):
    _, panel = read(tmp_path, LINES, {"lines.csv": lines(f'"{text}",s,a,5')})
    assert sold(panel) == {("a_s", month_day): 5}


def test_a_year_of_two_figures_that_may_stand_first_is_not_guessed(tmp_path):
    rows = lines("24-01-05,s,a,1", "24-01-06,s,a,1", "24-01-07,s,a,1", "2024-01-08,s,a,1")
    report, _ = read(tmp_path, LINES, {"lines.csv": rows})
    assert told(report).quarantined == {"ds could be day/month or month/day: say format": 3}


def test_a_table_of_which_nothing_is_left_fails_a_check_even_if_it_came_empty(tmp_path):
    from invopt.config import DataConfig
    from invopt.panel import iter_panels
    from invopt.sources import DataProfile, check_data

    position = {"from": "stock", "columns": {"on_hand": "n"}}
    orders = {"from": "orders", "columns": {"due_in": "d", "quantity": "n"}}
    mapping = mapping_of(
        sources={"stock": "stock.csv", "orders": "orders.csv"},
        position=position,
        open_orders=orders,
    )
    files = {
        "lines.csv": lines("2024-01-01,s,a,5"), "stock.csv": "store,sku,n\n",
        "orders.csv": "store,sku,n,d\n",
    }  # fmt: skip
    report, _ = read(tmp_path, mapping, files)
    profile = DataProfile.of(iter_panels(tmp_path / "out"))
    checks = check_data(profile, report, DataConfig(mapping="m"), TODAY)
    failed = [(c.name, c.about) for c in checks if not c.passed and c.name == "usable"]
    assert failed == [("usable", "position")]


WEEKS = [f"{d:%Y-%m-%d},s,a,1" for d in pd.date_range("2023-10-02", "2024-01-03")]


@pytest.mark.parametrize(
    ("closed", "last"),
    [(["04.01.2024", "05.01.2024", "06.01.2024", "07.01.2024"], "2024-01-01"),
     (["06.01.2024", "07.01.2024"], "2023-12-25")],
)  # fmt: skip
def test_days_on_which_all_are_closed_are_not_missed_at_the_end_of_a_week(tmp_path, closed, last):
    calendar = {"from": "days", "columns": {"location": "shop", "ds": "d", "open": "o"}}
    mapping = mapping_of(sources={"days": "days.csv"}, calendar=calendar, frequency="W-MON")
    rows = [f"s,{d},0" for d in closed] + ["s,03.01.2024,1", "t,05.02.2024,0"]
    alone = [*rows[:-1]]
    files = {"lines.csv": lines(*WEEKS), "days.csv": lines(*alone, header="shop,d,o")}
    report, _ = read(tmp_path / "all", mapping, files)
    assert report.last == last
    files["days.csv"] = lines(*rows, header="shop,d,o")
    report, _ = read(tmp_path / "one of two", mapping, files)
    assert report.last == "2023-12-25"


def test_dates_of_every_table_are_read_as_those_of_sales_are(tmp_path):
    mapping = mapping_of(
        sources={"p": "p.csv", "r": "r.csv", "o": "o.csv"},
        products={"from": "p", "columns": {"phase_in": "pin", "phase_out": "pout"}},
        receipts={"from": "r", "columns": {"ordered": "a", "received": "b"}, "unique_id": "u"},
        overrides={
            "from": "o",
            "columns": {"scope": "u", "from": "von", "to": "bis", "kind": "k", "value": "v"},
        },
    )
    files = {
        "lines.csv": lines("2024-01-01,s,a,5", "2024-01-01,s,b,5"),
        "p.csv": "sku,store,pin,pout\na,s,03.02.2024,45400\nb,s,soon,\n",
        "r.csv": "u,a,b\na_s,03.12.2023,20231209\na_s,05.12.2023,soon\nb_s,05.12.2023,03.12.2023\n",
        "o.csv": "u,von,bis,k,v\na_s,03.02.2024,5 Feb 2024,demand,9\na_s,05.02.2024,03.02.2024,"
        "demand,9\na_s,2/3/2024,,factor,1\n",
    }
    report, _ = read(tmp_path, mapping, files)
    out = tmp_path / "out"
    panel = load_panel(out)
    series = panel.series.set_index("unique_id")
    assert series.loc["a_s", ["phase_in", "phase_out"]].tolist() == ["2024-02-03", "2024-04-18"]
    assert series.loc["b_s", "data_fault"] == "phase_in is 'soon', and must be a date"
    [receipt] = pd.read_parquet(out / "receipts.parquet").to_dict("records")
    assert (str(receipt["ordered"]), str(receipt["received"])) == ("2023-12-03", "2023-12-09")
    assert told(report, "receipts").quarantined == {
        "received is empty or cannot be read": 1, "it was received before it was ordered": 1,
    }  # fmt: skip
    [override] = pd.read_parquet(out / "overrides.parquet").to_dict("records")
    assert (str(override["from"]), str(override["to"])) == ("2024-02-03", "2024-02-05")
    assert told(report, "overrides").quarantined == {
        "from could be day/month or month/day: say format": 1, "it ends before it begins": 1,
    }  # fmt: skip
    assert "products: 1 have terms that cannot be (e.g. b_s: phase_in is 'soon'" in " ".join(
        report.notes
    )


def test_overrides_of_which_no_row_can_be_used_are_an_empty_table(tmp_path):
    mapping = mapping_of(
        sources={"o": "o.csv"},
        overrides={"from": "o", "columns": {"scope": "u", "kind": "k", "value": "v"}},
    )
    files = {"lines.csv": lines("2024-01-01,s,a,5"), "o.csv": "u,k,v\na_s,factor,much\n"}
    report, _ = read(tmp_path, mapping, files)
    assert told(report, "overrides").quarantined == {"value is not a number": 1}


def test_a_key_that_another_row_writes_rightly_is_still_told_as_written_differently(tmp_path):
    mapping = mapping_of(
        sources={"stock": "stock.csv", "p": "p.csv"},
        position={"from": "stock", "columns": {"on_hand": "n"}},
        products={"from": "p", "columns": {"category": "c"}},
    )
    files = {
        "lines.csv": lines("2024-01-01,s,0071,5", "2024-01-01,s,Käse 1,5"),
        "stock.csv": "store,sku,n\ns,0071,1\ns,71,1\ns,KA\u0308SE\u200b1,1\n",
        "p.csv": "store,sku,c\ns,71,x\n",
    }
    report, _ = read(tmp_path, mapping, files)
    notes = " ".join(report.notes)
    assert "2 keys name no series (e.g. 71_s); 2 only write it differently" in notes
    assert "1 of these only write it differently ('71_s' for '0071_s')" in notes
