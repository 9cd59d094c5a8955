"""Databases and object stores that are really there: started here, on this machine alone."""

import os

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from invopt.errors import ConfigError, InvalidInputError
from invopt.panel import Flag, load_panel
from invopt.sources import Mapping, read_dataset
from serving.loop.local_release import free_port

pytestmark = pytest.mark.slow

SALES = {"from": "lines", "ds": "day", "columns": {"y": "quantity", "price": "price"}}


def sales_frame(num_series=4, num_days=60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=num_days)
    return pd.DataFrame(
        {
            "day": np.tile(days, num_series),
            "sku": np.repeat([f"k{i}" for i in range(num_series)], num_days),
            "quantity": rng.integers(0, 9, num_series * num_days),
            "price": rng.integers(100, 200, num_series * num_days) / 100,
        }
    )


def mapping(source, **sales):
    return Mapping.model_validate(
        {
            "name": "t",
            "frequency": "D",
            "unique_id": "sku",
            "sources": {"lines": source},
            "sales": SALES | sales,
        }
    )


def read(tmp_path, found, variables=None):
    report = read_dataset(found, tmp_path, tmp_path / "out", variables=variables, max_bad_share=1.0)
    return report, load_panel(tmp_path / "out")


@pytest.fixture(scope="module")
def shop(postgres):
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE invoice_lines (sold_at timestamptz, sku text, quantity numeric(10, 2), "
            "cents integer, currency text, cancelled boolean)"
        )
        connection.exec_driver_sql("CREATE TABLE rates (currency text, rate double precision)")
        connection.exec_driver_sql("INSERT INTO rates VALUES ('EUR', 1), ('SEK', 0.09)")
        connection.exec_driver_sql(
            "INSERT INTO invoice_lines VALUES "
            "('2024-01-01 22:30+00', 'k0', 2, 150, 'EUR', false), "
            "('2024-01-01 23:30+00', 'k0', 3, 1000, 'SEK', false), "
            "('2024-01-02 10:00+00', 'k0', -1, 150, 'EUR', false), "
            "('2024-01-03 10:00+00', 'k0', 9, 150, 'EUR', true), "
            "('2024-01-03 11:00+00', 'k1', 4, 200, 'EUR', false), "
            "('2024-01-03 12:00+00', 'k1', null, 200, 'EUR', false)"
        )
    engine.dispose()
    return postgres


QUERY = (
    "SELECT sold_at, sku, quantity, cents * rate AS price FROM invoice_lines "
    "JOIN rates USING (currency) WHERE NOT cancelled"
)


def test_invoice_lines_of_postgresql_become_series_in_one_zone_and_currency(tmp_path, shop):
    found = mapping(
        {"url": "${SHOP_URL}", "query": QUERY},
        ds={"expr": "sold_at", "to_timezone": "Europe/Paris"},
        layout="transactions",
        returns="net",
        columns={"y": "quantity", "price": {"expr": "price", "scale": 0.01}},
    )
    report, panel = read(tmp_path, found, {"SHOP_URL": shop})
    assert list(panel.unique_ids) == ["k0", "k1"]
    # 22:30 and 23:30 in UTC are 23:30 of the first and 00:30 of the second day in Paris.
    # One line of k1's third day has no quantity: what the day sold is not known, not 4.
    assert panel.y.tolist() == [[2, 2, 0], [0, 0, 0]]
    assert panel.flags[0].tolist() == [0, 0, Flag.FILLED]
    np.testing.assert_allclose(panel.channels["price"].values[0, :2], [1.5, (0.9 + 1.5) / 2])
    [sales] = report.accounting
    assert (sales.rows_in, sales.rows_used) == (5, 4)
    assert sales.quarantined == {"y is empty": 1}


def test_a_large_table_comes_in_chunks_and_equals_the_file(tmp_path, postgres):
    frame = sales_frame(num_series=1200, num_days=90)  # more rows than one chunk
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE big (day date, sku text, quantity int, price float)"
        )
        raw = connection.connection.driver_connection
        with raw.cursor().copy("COPY big FROM STDIN (FORMAT csv)") as copy:
            copy.write(frame.to_csv(index=False, header=False))
    engine.dispose()
    _, ours = read(tmp_path, mapping({"url": postgres, "query": "SELECT * FROM big"}))
    frame.to_parquet(tmp_path / "big.parquet", index=False)
    _, theirs = read(tmp_path, mapping("big.parquet"))
    assert np.array_equal(ours.y, theirs.y)
    assert np.array_equal(ours.channels["price"].values, theirs.channels["price"].values)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM nowhere", 'sources.lines: the query failed: .*"nowhere" does not exist'),
        ("SELECT day FROM", "sources.lines: the query failed: .*syntax error"),
    ],
)
def test_a_query_that_fails_is_one_clear_sentence(tmp_path, postgres, query, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        read(tmp_path, mapping({"url": postgres, "query": query}))
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_refused_without_its_password(tmp_path):
    url = f"postgresql+psycopg://shop:s3cret@127.0.0.1:{free_port()}/shop"
    with pytest.raises(InvalidInputError, match="the query failed") as caught:
        read(tmp_path, mapping({"url": url, "query": "SELECT 1"}))
    assert "s3cret" not in str(caught.value)


def test_a_variable_that_is_not_set_is_named(tmp_path):
    with pytest.raises(ConfigError, match="SHOP_URL.*not set"):
        read(tmp_path, mapping({"url": "${SHOP_URL}", "query": "SELECT 1"}))


@pytest.fixture(scope="module")
def bucket():
    """Variables that lead to an object store on this machine with an empty bucket `shop`."""
    from moto.server import ThreadedMotoServer

    names = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        import s3fs

        store = s3fs.S3FileSystem(client_kwargs={"endpoint_url": endpoint})
        store.mkdir("shop")
        yield {"AWS_ENDPOINT_URL": endpoint}, store
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def by_month(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {f"month={m:02d}": part for m, part in frame.groupby(frame["day"].dt.month)}


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz"])
def test_files_of_an_object_store_equal_the_same_files_here(tmp_path, bucket, kind):
    variables, store = bucket
    frame = sales_frame()
    for folder, part in by_month(frame).items():
        name = tmp_path / f"{folder}.{kind}"
        if kind == "parquet":
            part.to_parquet(name, index=False)
        else:
            part.to_csv(name, index=False)
        store.put(str(name), f"shop/{kind}/{folder}/part-0.{kind}")
    ours = read(tmp_path, mapping(f"s3://shop/{kind}/**/*.{kind}"), variables)[1]
    frame.to_parquet(tmp_path / "all.parquet", index=False)
    assert np.array_equal(ours.y, read(tmp_path, mapping("all.parquet"))[1].y)


def test_nothing_in_the_object_store_is_one_clear_sentence(tmp_path, bucket):
    with pytest.raises(InvalidInputError, match="sources.lines: .*s3://shop/absent"):
        read(tmp_path, mapping("s3://shop/absent/*.parquet"), bucket[0])


def test_a_partitioned_folder_reads_with_its_partition_columns(tmp_path):
    frame = sales_frame()
    for folder, part in by_month(frame).items():
        place = tmp_path / "lake" / f"country=FR/{folder}"
        place.mkdir(parents=True)
        part.to_parquet(place / "part-0.parquet", index=False)
    found = mapping("lake", where="month = 2")
    _, panel = read(tmp_path, found)
    assert panel.timeline.start == pd.Timestamp("2024-02-01")
    assert float(panel.y.sum()) == frame.loc[frame["day"].dt.month == 2, "quantity"].sum()
    named = found.model_copy(
        update={"unique_id": found.unique_id.model_copy(update={"expr": "sku || '_' || country"})}
    )
    assert read(tmp_path, named)[1].unique_ids[0] == "k0_FR"
