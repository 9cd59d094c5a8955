"""Dumps of databases, vouchers of Tally, and sheets that are Z-reports or have no header."""

import gzip
import io

import openpyxl
import pytest

from invopt.errors import InvalidInputError
from invopt.sources.sql_dumps import read_table, tables_of
from tests.invopt.test_account import sold
from tests.invopt.test_odd_exports import DAYS, sales_of, tried

UNITS = 2 * sum(range(1, 31))

MYSQL = """-- MySQL dump 10.13  Distrib 8.0.36
/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE `lines` (
  `id` int NOT NULL, `sold_at` datetime DEFAULT NULL, `sku` varchar(20) DEFAULT 'a,(b)',
  `note` varchar(99) COMMENT 'it''s (a) note, ok', `qty` decimal(10,2),
  PRIMARY KEY (`id`), KEY `k` (`sku`,`sold_at`)
) ENGINE=InnoDB;
INSERT INTO `lines` VALUES (1,'2024-01-01 10:00:00','A','O\\'Neil; (x), ''y''',2.00),
(2,NULL,'B',NULL,-1.5);
DELIMITER ;;
CREATE TRIGGER t BEFORE INSERT ON `lines` FOR EACH ROW BEGIN
 INSERT INTO `log` VALUES (NEW.id, now()); END ;;
DELIMITER ;
CREATE TABLE `empty` (`a` int);
INSERT INTO `packs` (`sku`,`pack`) VALUES ('A',6),('B',0x0C);
"""

POSTGRES = r"""--
-- PostgreSQL database dump
--
CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN INSERT INTO x VALUES (NEW.a); END; $$;
COPY public.sales (day, sku, note, qty) FROM stdin;
2024-01-01	A	two\nlines	3
2024-01-02	B	\N	4
\.

INSERT INTO stock (sku, on_hand, seen) VALUES (E'it\'s', 3, DATE '2024-01-01');
INSERT INTO stock (sku, on_hand, seen) VALUES ('C:\', 4, '2024-01-01'::date);
"""

SERVER = """USE [shop]
GO
CREATE TABLE [dbo].[Sales]([Id] [int] IDENTITY(1,1) NOT NULL, [Item] [nvarchar](50),
 CONSTRAINT [PK] PRIMARY KEY CLUSTERED ([Id] ASC))
GO
SET IDENTITY_INSERT [dbo].[Sales] ON
INSERT [dbo].[Sales] ([Id], [Item], [Qty]) VALUES (1, N'Bob''s', CAST(5.50 AS Decimal(10, 2)))
GO
INSERT [dbo].[Sales] ([Id], [Item], [Qty]) VALUES (2, CAST(N'2024-01-02' AS Date), NULL)
GO
"""


def dumped(tmp_path, text):
    file = tmp_path / "dump.sql"
    file.write_text(text)
    return file


def rows(file, table):
    return [list(row.values()) for row in read_table(file, table)[0].to_pylist()]


def test_a_dump_of_mysql_is_read_as_literals(tmp_path):
    file = dumped(tmp_path, MYSQL)
    assert tables_of(file) == {
        "lines": ("id", "sold_at", "sku", "note", "qty"), "packs": ("sku", "pack"),
    }  # fmt: skip
    assert rows(file, "lines") == [
        ["1", "2024-01-01 10:00:00", "A", "O'Neil; (x), 'y'", "2.00"],
        ["2", None, "B", None, "-1.5"],
    ]
    assert rows(file, "packs")[0] == ["A", "6"]


def test_a_dump_of_postgres_is_read_as_literals(tmp_path):
    file = dumped(tmp_path, POSTGRES)
    assert rows(file, "sales") == [
        ["2024-01-01", "A", "two\nlines", "3"],
        ["2024-01-02", "B", None, "4"],
    ]
    assert rows(file, "stock") == [["it's", "3", "2024-01-01"], ["C:\\", "4", "2024-01-01"]]


def test_a_script_of_sql_server_is_read_as_literals(tmp_path):
    assert rows(dumped(tmp_path, SERVER), "Sales") == [
        ["1", "Bob's", "5.50"],
        ["2", "2024-01-02", None],
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("INSERT INTO s (a) VALUES (1), (now());", "no literal in row 2 .now"),
        ("INSERT INTO s SELECT * FROM t;", "filled by a query"),
        ("INSERT INTO s (a) VALUES (1); CREATE TABLE s (a int);", "made anew after its rows"),
        ("INSERT INTO s (a) VALUES (1); UPDATE s SET a = 2;", "changed by UPDATE"),
        ("INSERT INTO s (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 3;", "changes rows"),
        ("INSERT INTO s (a, b) VALUES (1, 'abc", "no literal in row 1"),
        ("COPY s (a) FROM stdin;\n1\n2", "cut off"),
        ("INSERT INTO s (a, b) VALUES (1);", "rows of 1 values for 2 columns"),
    ],
)
def test_rows_that_are_not_known_are_refused_with_what_to_do(tmp_path, text, told):
    file = dumped(tmp_path, text)
    with pytest.raises(InvalidInputError, match=f"table s .*{told}.*export the table as CSV"):
        read_table(file, "s")


def test_a_dump_of_the_schema_alone_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="holds no rows that can be read"):
        tables_of(dumped(tmp_path, "CREATE TABLE s (a int);"))


def test_sales_and_products_of_a_dump_are_mapped_table_by_table(tmp_path):
    values = ",".join(f"('{d} 10:00:00','{k}',{n})" for n, d in enumerate(DAYS, 1) for k in "AB")
    text = (
        "-- MySQL dump\nCREATE TABLE `sales` (`sold_at` datetime, `sku` text, `qty` int);\n"
        f"INSERT INTO `sales` VALUES {values};\n"
        "INSERT INTO `products` (`sku`,`pack_size`) VALUES ('A',6),('B',12);\n"
    )
    report, panel, _ = tried(tmp_path, shop__sql__gz=gzip.compress(text.encode()))
    assert (panel.y.sum(), sales_of(report).rows_used) == (UNITS, 60)
    assert list(panel.series["pack_size"]) == [6, 12]


def voucher(day, kind, lines, cancelled="No"):
    """Return a message of Tally: lines are (item, [(godown, quantity)])."""
    told = "".join(
        f"<ALLINVENTORYENTRIES.LIST><STOCKITEMNAME>{item}</STOCKITEMNAME><RATE>5.00/Nos</RATE>"
        f"<BILLEDQTY> {sum(q for _, q in parts)} Nos</BILLEDQTY>"
        + "".join(
            f"<BATCHALLOCATIONS.LIST><GODOWNNAME>{place}</GODOWNNAME><BILLEDQTY> {q} Nos"
            "</BILLEDQTY></BATCHALLOCATIONS.LIST>"
            for place, q in parts
        )
        + "<ACCOUNTINGALLOCATIONS.LIST><LEDGERNAME>Sales &#4;</LEDGERNAME>"
        "</ACCOUNTINGALLOCATIONS.LIST></ALLINVENTORYENTRIES.LIST>"
        for item, parts in lines
    )
    return (
        f'<TALLYMESSAGE xmlns:UDF="TallyUDF"><VOUCHER VCHTYPE="{kind}" ACTION="Create">'
        f"<DATE>{day.replace('-', '')}</DATE><VOUCHERTYPENAME>{kind}</VOUCHERTYPENAME>"
        f"<ISCANCELLED>{cancelled}</ISCANCELLED><X/>{told}</VOUCHER></TALLYMESSAGE>"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_vouchers_of_tally_are_lines_of_items_by_godown(tmp_path, encoding):
    messages = [
        voucher(day, "Sales", [("Rice", [("Shop", n), ("Depot", 2)]), ("Dal", [("Shop", 1)])])
        for n, day in enumerate(DAYS, start=1)
    ]
    messages += [
        voucher(DAYS[4], "Sales", [("Rice", [("Shop", 500)])], cancelled="Yes"),
        voucher(DAYS[5], "Purchase", [("Rice", [("Shop", 900)])]),
        voucher(DAYS[6], "Credit Note", [("Rice", [("Shop", 3)])]),
        voucher(DAYS[7], "Receipt", []),
    ]
    text = f"<ENVELOPE><BODY>{''.join(messages)}</BODY></ENVELOPE>"
    report, panel, told = tried(tmp_path, daybook__xml=text.encode(encoding))
    by_series = dict(zip(panel.unique_ids, panel.y.sum(axis=1), strict=True))
    assert by_series == {"Dal_Shop": 30, "Rice_Depot": 60, "Rice_Shop": UNITS / 2 - 3}
    assert sales_of(report).rows_in == 92
    assert "92 lines of stock are read of 33 vouchers of Tally" in told
    assert "vouchers that are no sales are not read: Purchase (1)" in told
    assert "1 vouchers without a line of stock are not read" in told


def test_orders_deliveries_and_journals_of_tally_are_no_sales(tmp_path):
    kinds = ("Sales Order", "Delivery Note", "GST Sales", "Stock Journal", "Physical Stock")
    messages = [
        voucher(day, kind, [("Rice", [("Shop", n)])])
        for n, day in enumerate(DAYS, start=1)
        for kind in kinds
    ]
    messages.append(voucher(DAYS[9], "Rejections In", [("Rice", [("Shop", 4)])]))
    text = f"<ENVELOPE><BODY>{''.join(messages)}</BODY></ENVELOPE>"
    _, panel, told = tried(tmp_path, daybook__xml=text)
    assert panel.y.sum() == UNITS / 2 - 4
    assert "Sales Order (30), Delivery Note (30), Stock Journal (30), Physical Stock (30)" in told


def test_masters_of_tally_are_refused_with_what_to_do(tmp_path):
    text = "<ENVELOPE><TALLYMESSAGE><STOCKITEM NAME='Rice'></STOCKITEM></TALLYMESSAGE></ENVELOPE>"
    with pytest.raises(InvalidInputError, match="none has a line of stock .*inventory details"):
        tried(tmp_path, master__xml=text)


def book(rows):
    held = io.BytesIO()
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    workbook.save(held)
    return held.getvalue()


@pytest.mark.parametrize("indent", [0, 1])
def test_z_reports_below_each_other_in_a_sheet_are_rows_of_their_days(tmp_path, indent):
    lead: list[object] = [None] * indent
    rows: list[list[object]] = [["Cafe Anna"], []]
    for n, day in enumerate(DAYS, start=1):
        rows.append([f"Z report {n} of {day[8:]}/{day[5:7]}/{day[:4]}"])
        rows.append([*lead, "Item", "Qty", "Amount"])
        rows += [[*lead, k, n, n * 2.5] for k in ("Tea", "Cake")]
        rows += [[*lead, "Total", None, n * 5.0], []]
    report, panel, told = tried(tmp_path, z__xlsx=book(rows))
    assert panel.y.sum() == UNITS
    assert sold(panel)["Tea", "01-07"] == 7
    assert (report.first, report.last) == (DAYS[0], DAYS[-1])
    assert "30 days stand in lines of their own above their rows" in told


def test_a_sheet_without_a_header_loses_no_first_row(tmp_path):
    rows = [[day, k, n] for n, day in enumerate(DAYS, start=1) for k in ("Tea", "Cake")]
    report, panel, told = tried(tmp_path, export__xlsx=book(rows))
    assert (panel.y.sum(), sales_of(report).rows_in) == (UNITS, 60)
    assert "the first line of Sheet is a row and no header" in told
