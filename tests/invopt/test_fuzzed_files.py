"""Five hundred damaged files per reader: each is used or told, row by row, or refused in words."""

import contextlib
import io
import random
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invopt.errors import InvalidInputError
from invopt.panel import Flag, load_panel
from invopt.sources import Mapping, read_dataset
from invopt.sources.csv_files import count_lines
from invopt.sources.duck import Reader
from invopt.sources.mapping import Source

pytestmark = pytest.mark.slow

NUM_FILES = 500
PER_READ = 100
DIRT = [
    b'"', b",", b"\n", b"\r\n", b"\r", b"\x00", b"\xff", b"\xc3", b"nan", b"inf", b"-", b"1e999",
    b"\t", b";", b"'", b"\\", b" ", b'""', b"2024-02-30", b"#", b"True", b"9" * 400,
]  # fmt: skip
LONG = {
    "name": "t",
    "frequency": "D",
    "unique_id": "sku || '_' || store",
    "sources": {"lines": "*.csv"},
    "sales": {"from": "lines", "ds": "date", "columns": {"y": "qty", "price": "price"}},
}
LONG_HEADER = b"date,store,sku,qty,price\n"
WIDE = {
    "name": "t",
    "frequency": "D",
    "unique_id": "sku",
    "sources": {"lines": "*.csv"},
    "sales": {
        "from": "lines",
        "layout": "wide",
        "wide": {"columns": r"\d{4}-\d\d-\d\d", "format": "%Y-%m-%d"},
    },
}
WIDE_HEADER = b"sku,2024-01-01,2024-01-02,2024-01-03\n"


def damaged(text: bytes, rng: random.Random) -> bytes:
    """Flip, insert, delete, repeat or cut bytes in one to four places."""
    data = bytearray(text)
    for _ in range(rng.randint(1, 4)):
        kind, at = rng.randrange(6), rng.randrange(len(data) + 1)
        if kind == 0 and data:
            data[at % len(data)] = rng.randrange(256)
        elif kind in (1, 2):
            data[at:at] = rng.choice(DIRT) * rng.randint(1, 2)
        elif kind == 3:
            del data[at : at + rng.randint(1, 30)]
        elif kind == 4:
            first = rng.randrange(len(data) + 1)
            data[at:at] = data[first : first + rng.randint(1, 60)]
        else:
            del data[at:]
    return bytes(data)


def long_body(rng: random.Random, number: int) -> bytes:
    return b"".join(
        b'2024-01-%02d,s%d,"a%d",%d,1.5\n' % (day, number, sku, rng.randint(0, 9))
        for day in (1, 2, 3)
        for sku in (0, 1)
    )


def wide_body(rng: random.Random, number: int) -> bytes:
    cells = [rng.randint(0, 9) for _ in range(6)]
    return b'"k%da",%d,%d,%d\nk%db,%d,%d,%d\n' % (number, *cells[:3], number, *cells[3:])


def read_damaged(tmp_path, mapping, header, body, seed):
    """Read PER_READ damaged files at once; return lines sent, the report, panel and quarantine."""
    rng = random.Random(seed)
    folder = tmp_path / f"data{seed}"
    folder.mkdir()
    sent = 0
    for number in range(PER_READ):
        text = header + damaged(body(rng, number), rng)
        sent += count_lines(io.BytesIO(text)) - 1
        (folder / f"{number:03d}.csv").write_bytes(text)
    report = read_dataset(
        Mapping.model_validate(mapping), folder, tmp_path / "out", max_bad_share=1.0
    )
    quarantine = pd.read_parquet(tmp_path / "out" / "quarantine.parquet")
    [table] = report.accounting
    assert table.rows_in == table.rows_used + sum(table.quarantined.values())
    return sent, table, load_panel(tmp_path / "out"), quarantine


def lines_of(records: pd.Series) -> int:
    """Lines that quarantined records stand for; those of a table are JSON."""
    text = records.str.replace("\\n", "\n").str.replace("\\r", "\n").str.replace("\r", "\n")
    return int(text.map(lambda t: max(1, sum(bool(part) for part in t.split("\n")))).sum())


@pytest.mark.parametrize("seed", range(NUM_FILES // PER_READ))
def test_every_line_of_a_damaged_long_csv_is_used_or_told(tmp_path, seed):
    sent, table, panel, quarantine = read_damaged(tmp_path, LONG, LONG_HEADER, long_body, seed)
    recorded = (panel.flags & (Flag.MISSING | Flag.FILLED)) == 0
    assert table.rows_used == recorded.sum()
    assert len(quarantine) == sum(table.quarantined.values())
    # A record may stand for several lines (a quoted line break), never a line for nothing.
    assert sent <= table.rows_used + lines_of(quarantine["record"])
    assert table.rows_in <= sent


@pytest.mark.parametrize("seed", range(NUM_FILES // PER_READ))
def test_every_cell_of_a_damaged_wide_csv_is_used_or_told(tmp_path, seed):
    sent, table, panel, quarantine = read_damaged(tmp_path, WIDE, WIDE_HEADER, wide_body, seed)
    recorded = int(((panel.flags & Flag.MISSING) == 0).sum())
    assert recorded <= table.rows_used <= panel.flags.size
    whole_rows = quarantine[~quarantine["reason"].str.startswith("cell ")]
    lines = lines_of(whole_rows["record"])
    assert sent <= panel.num_series + lines
    assert len(quarantine)


@pytest.fixture(scope="module")
def whole_parquet() -> bytes:
    frame = pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=40).repeat(5),
            "sku": np.tile([f"a{k}" for k in range(5)], 40),
            "qty": np.arange(200) % 7,
        }
    )
    out = io.BytesIO()
    frame.to_parquet(out, index=False)
    return out.getvalue()


def test_a_damaged_parquet_file_reads_whole_or_is_refused_in_one_sentence(tmp_path, whole_parquet):
    outcomes = {"read": 0, "refused": 0}
    with Reader(tmp_path, tmp_path / "scratch", {}) as reader:
        for number in range(NUM_FILES):
            file = tmp_path / f"f{number}.parquet"
            file.write_bytes(damaged(whole_parquet, random.Random(number)))
            try:
                reader.add(f"f{number}", Source(path=file.name))
                rows = reader.fetch(f'SELECT date, sku, qty FROM "f{number}"', "sales")
            except InvalidInputError as err:
                outcomes["refused"] += bool(re.fullmatch(r"[^\n]{20,}\.", str(err)))
            else:
                outcomes["read"] += rows.num_rows == 200
    assert outcomes["read"] + outcomes["refused"] == NUM_FILES
    assert outcomes["refused"] > NUM_FILES // 2


CELLS = st.one_of(
    st.none(), st.integers(-5, 40), st.floats(), st.text(max_size=6), st.booleans(),
    st.sampled_from(["2024-01-03", "2024-02-31", "0001-01-01", "9999-12-31", "1e400", "٣", "½"]),
)  # fmt: skip
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=60)


@given(rows=ROWS)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_values_in_a_database_are_used_or_told(tmp_path, rows):
    import sqlalchemy as sa

    file = tmp_path / "shop.db"
    file.unlink(missing_ok=True)
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE s (date, sku, qty)")
        connection.exec_driver_sql("INSERT INTO s VALUES ('2024-01-01', 'a', 1)")
        connection.exec_driver_sql("INSERT INTO s VALUES (?, ?, ?)", rows)
    engine.dispose()
    mapping = Mapping.model_validate(
        {
            "name": "t",
            "frequency": "D",
            "unique_id": "sku",
            "sources": {"s": {"url": f"sqlite:///{file}", "query": "SELECT * FROM s"}},
            "sales": {
                "from": "s",
                "layout": "transactions",
                "returns": "net",
                "ds": "date",
                "columns": {"y": "qty"},
            },
        }
    )
    report = read_dataset(mapping, tmp_path, tmp_path / "out", max_bad_share=1.0)
    [table] = report.accounting
    assert table.rows_in == len(rows) + 1
    quarantine = pd.read_parquet(tmp_path / "out" / "quarantine.parquet")
    assert len(quarantine) == table.rows_in - table.rows_used


@given(text=st.binary(max_size=80))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_at_all_are_read_or_refused_in_words(tmp_path, text):
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "lines.csv").write_bytes(text)
    # Anything but a refusal in words (a defect) fails the test.
    with contextlib.suppress(InvalidInputError):
        read_dataset(
            Mapping.model_validate(LONG), tmp_path / "data", tmp_path / "out", max_bad_share=1.0
        )
