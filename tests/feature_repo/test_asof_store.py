"""The as-of store against Feast's own DuckDB store, row by row."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.slow  # importing Feast takes ten seconds

OURS = "feature_repo.asof_store.AsofOfflineStore"
START = pd.Timestamp("2024-01-01", tz="UTC")
DAYS = pd.date_range(START, periods=40, unit="us")
ARROW = pa.schema(
    {
        "item_id": pa.int64(),
        "event_timestamp": pa.timestamp("us", "UTC"),
        "created": pa.timestamp("us", "UTC"),
        "a": pa.float32(),
        "b": pa.int64(),
        "window": pa.list_(pa.float32()),
    }
)


def open_store(folder, offline):
    from feast import FeatureStore, RepoConfig

    return FeatureStore(
        config=RepoConfig(
            project="t",
            provider="local",
            registry=str(folder / f"{offline[-6:]}.db"),
            online_store={"type": "sqlite", "path": str(folder / f"{offline[-6:]}-online.db")},
            offline_store={"type": offline},
            entity_key_serialization_version=3,
        ),
        repo_path=folder,
    )


def apply(store, folder, ttl):
    from feast import Entity, FeatureView, Field, FileSource, ValueType
    from feast.types import Array, Float32, Int64

    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.INT64)
    path = folder / "parts"
    source = FileSource(
        name="src",
        path=str(path if path.is_dir() else folder / "f.parquet"),
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    )
    view = FeatureView(
        name="v",
        entities=[item],
        ttl=ttl,
        schema=[
            Field(name="a", dtype=Float32),
            Field(name="b", dtype=Int64),
            Field(name="window", dtype=Array(Float32)),
        ],
        source=source,
    )
    store.apply([item, view])
    return ["v:a", "v:b", "v:window"]


def write_features(folder, seed):
    rng = np.random.default_rng(seed)
    num = 300
    frame = pd.DataFrame(
        {
            "item_id": rng.integers(0, 12, num),
            "event_timestamp": START + pd.to_timedelta(rng.integers(0, 40, num), unit="D"),
            "created": START + pd.to_timedelta(rng.permutation(num), unit="h"),
            "a": rng.normal(size=num).astype(np.float32),
            "b": np.arange(num),
            "window": list(rng.normal(size=(num, 3)).astype(np.float32)),
        }
    )
    for column in ("event_timestamp", "created"):
        frame[column] = frame[column].astype("datetime64[us, UTC]")
    frame.to_parquet(folder / "f.parquet", index=False)


def entities(seed):
    rng = np.random.default_rng(seed + 1)
    frame = pd.DataFrame(
        {
            "item_id": rng.integers(0, 15, 80),  # 12, 13 and 14 have no history
            "event_timestamp": START + pd.to_timedelta(rng.integers(-5, 60, 80), unit="D"),
            "row": np.arange(80),
        }
    )
    return pd.concat([frame, frame.head(5).assign(row=np.arange(80, 85))], ignore_index=True)


def answer(store, refs, rows, **options):
    found = store.get_historical_features(rows, refs, **options).to_df()
    found["window"] = found["window"].map(
        lambda w: None if w is None else [round(float(x), 5) for x in w]
    )
    return found


@pytest.mark.parametrize("by_created", [False, True])
@pytest.mark.parametrize("ttl_days", [0, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_entity_row_gets_the_answer_of_feasts_own_store(tmp_path, ttl_days, seed, by_created):
    write_features(tmp_path, seed)
    rows = entities(seed)
    found = {}
    for offline in (OURS, "duckdb"):
        store = open_store(tmp_path, offline)
        refs = apply(store, tmp_path, timedelta(days=ttl_days))
        found[offline] = answer(store, refs, rows, filter_by_created_timestamp=by_created)
    ours, theirs = found[OURS], found["duckdb"].sort_values("row", ignore_index=True)
    assert ours["row"].tolist() == rows["row"].tolist()  # all rows, in order, duplicates too
    assert ours["b"].isna().tolist() == theirs["b"].isna().tolist()
    np.testing.assert_allclose(ours["a"].astype(float), theirs["a"].astype(float))
    known = ours["b"].notna()
    assert ours.loc[known, "b"].astype(int).tolist() == theirs.loc[known, "b"].astype(int).tolist()
    assert ours.loc[known, "window"].tolist() == theirs.loc[known, "window"].tolist()


def test_of_equal_time_stamps_the_one_created_last_answers(tmp_path):
    stamp = START.as_unit("us")
    pd.DataFrame(
        {
            "item_id": [1, 1, 1],
            "event_timestamp": [stamp] * 3,
            "created": pd.Series(
                [stamp, stamp + pd.Timedelta("2h"), stamp + pd.Timedelta("1h")]
            ).astype("datetime64[us, UTC]"),
            "a": np.float32([1, 2, 3]),
            "b": [1, 2, 3],
            "window": [np.float32([0])] * 3,
        }
    ).to_parquet(tmp_path / "f.parquet", index=False)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(0))
    rows = pd.DataFrame({"item_id": [1], "event_timestamp": [START], "row": [0]})
    assert answer(store, refs, rows)["b"].tolist() == [2]


def test_a_sale_that_was_corrected_late_is_not_known_early(tmp_path):
    sold, corrected = START.as_unit("us"), START + pd.Timedelta(days=10)
    pd.DataFrame(
        {
            "item_id": [1, 1],
            "event_timestamp": [sold] * 2,
            "created": pd.Series([sold, corrected]).astype("datetime64[us, UTC]"),
            "a": np.float32([12, 2]),
            "b": [12, 2],
            "window": [np.float32([0])] * 2,
        }
    ).to_parquet(tmp_path / "f.parquet", index=False)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(0))
    days = [-1, 0, 9, 10, 11]
    asked = START + pd.to_timedelta(days, unit="D")
    rows = pd.DataFrame({"item_id": 1, "event_timestamp": asked, "row": days})
    as_known = answer(store, refs, rows, filter_by_created_timestamp=True)["b"]
    assert [None if pd.isna(b) else b for b in as_known] == [None, 12, 12, 2, 2]
    as_now = answer(store, refs, rows)["b"]
    assert [None if pd.isna(b) else b for b in as_now] == [None, 2, 2, 2, 2]


def test_time_stamps_of_nanoseconds_are_joined_as_those_of_microseconds(tmp_path):
    write_features(tmp_path, 2)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(days=3))
    coarse = answer(store, refs, entities(2))
    table = pd.read_parquet(tmp_path / "f.parquet")
    fine = dict.fromkeys(("event_timestamp", "created"), "datetime64[ns, UTC]")
    table.astype(fine).to_parquet(tmp_path / "f.parquet", index=False)
    pd.testing.assert_frame_equal(answer(store, refs, entities(2)), coarse)


@pytest.mark.parametrize("ttl_days", [0, 3])
def test_rows_published_in_several_files_are_joined_as_those_of_one(tmp_path, ttl_days):
    write_features(tmp_path, 4)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(days=ttl_days))
    one = answer(store, refs, entities(4))
    assert one["b"].notna().any()
    table = pd.read_parquet(tmp_path / "f.parquet")
    (tmp_path / "parts").mkdir()
    for name, part in {"c": table[:7], "a": table[7:200], "it's": table[200:]}.items():
        part.to_parquet(tmp_path / "parts" / f"{name}.parquet", index=False)
    refs = apply(store, tmp_path, timedelta(days=ttl_days))
    pd.testing.assert_frame_equal(answer(store, refs, entities(4)), one)


@pytest.mark.parametrize("without", [["old"], ["new"], ["new", "old"]])
def test_a_column_that_a_file_was_published_without_is_empty_there(tmp_path, without):
    (tmp_path / "parts").mkdir()
    for day, name in enumerate(["old", "new"]):
        frame = pd.DataFrame({
            "item_id": [day], "event_timestamp": [START], "created": [START], "a": [1.5],
            "window": [[1.0]], "b": [7],
        })  # fmt: skip
        frame = frame.drop(columns=["b"] if name in without else [])
        frame.to_parquet(tmp_path / "parts" / f"{name}.parquet", index=False)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(0))
    rows = pd.DataFrame({"item_id": [0, 1], "event_timestamp": [START] * 2, "row": [0, 1]})
    found = answer(store, refs, rows).sort_values("item_id")
    expected = [None if name in without else 7 for name in ("old", "new")]
    assert [None if pd.isna(b) else b for b in found["b"]] == expected
    assert found["a"].tolist() == [1.5, 1.5]
    store.materialize(START.to_pydatetime(), (START + pd.Timedelta(days=1)).to_pydatetime())
    online = store.get_online_features(refs, [{"item_id": 0}, {"item_id": 1}]).to_dict()
    assert online["b"] == expected


def latest_known(features, item, day, ttl_days, by_created):
    """The rule in plain words: latest, of equal time stamps created last, not older than ttl."""
    known = [
        (at, created, b)
        for b, (key, at, created) in enumerate(features)
        if key == item and at <= day and (not ttl_days or day <= at + ttl_days)
        if not by_created or created <= day
    ]
    return max(known)[2] if known else None


ITEM_AND_DAY = st.tuples(st.integers(0, 3), st.integers(0, 12))


@pytest.mark.parametrize("by_created", [False, True])
@pytest.mark.parametrize("ttl_days", [0, 3])
def test_any_rows_in_any_files_answer_as_the_rule_in_plain_words(tmp_path, ttl_days, by_created):
    (tmp_path / "parts").mkdir()
    pq.write_table(ARROW.empty_table(), tmp_path / "parts" / "0.parquet")
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(days=ttl_days))

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(ITEM_AND_DAY, max_size=30),
        st.lists(ITEM_AND_DAY, min_size=1, max_size=30),
        st.integers(1, 4),
        st.randoms(use_true_random=False),
    )
    def check(keys, asked, files, random):
        created = random.sample(range(len(keys)), len(keys))
        features = [(*key, order) for key, order in zip(keys, created, strict=True)]
        records = [
            {"item_id": key, "event_timestamp": DAYS[at], "created": DAYS[order], "b": b}
            for b, (key, at, order) in enumerate(features)
        ]
        for number in range(4):  # those beyond files are empty
            part = records[number::files] if number < files else []
            table = pa.Table.from_pylist(part, schema=ARROW)
            pq.write_table(table, tmp_path / "parts" / f"{number}.parquet")
        rows = pd.DataFrame(asked, columns=["item_id", "event_timestamp"])
        rows["event_timestamp"] = DAYS[rows["event_timestamp"]]
        job = store.get_historical_features(rows, refs, filter_by_created_timestamp=by_created)
        expected = [latest_known(features, *row, ttl_days, by_created) for row in asked]
        assert job.to_arrow()["b"].to_pylist() == expected

    check()


def test_a_view_read_after_another_does_not_move_its_rows(tmp_path):
    from feast import Entity, FeatureView, Field, FileSource, ValueType
    from feast.types import Int64

    write_features(tmp_path, 5)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(days=3))
    alone = answer(store, refs, entities(5))
    stamp = START.as_unit("us")
    pd.DataFrame({"item_id": [3, 14], "event_timestamp": [stamp] * 2, "n": [30, 140]}).to_parquet(
        tmp_path / "g.parquet", index=False
    )
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.INT64)
    source = FileSource(path=str(tmp_path / "g.parquet"), timestamp_field="event_timestamp")
    store.apply(
        FeatureView(name="w", entities=[item], schema=[Field(name="n", dtype=Int64)], source=source)
    )
    both = answer(store, ["w:n", *refs], entities(5))
    pd.testing.assert_frame_equal(both[alone.columns], alone)
    has = both["item_id"].isin([3, 14]) & (both["event_timestamp"] >= START)
    assert both["n"].notna().tolist() == has.tolist()
    assert (both.loc[has, "n"] == both.loc[has, "item_id"] * 10).all()


def test_columns_named_as_places_in_files_are_refused(tmp_path):
    write_features(tmp_path, 0)
    path = tmp_path / "f.parquet"
    pd.read_parquet(path).assign(file_row_number=1).to_parquet(path, index=False)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(0))
    with pytest.raises(ValueError, match="file_row_number"):
        store.get_historical_features(entities(0), refs).to_df()


def test_no_entity_rows_give_none(tmp_path):
    write_features(tmp_path, 2)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(days=3))
    none = store.get_historical_features(entities(2).head(0), refs).to_df()
    assert none.empty
    assert {"item_id", "row", "a", "b", "window"} <= set(none.columns)


def test_materialising_takes_the_latest_row_of_each_key_in_the_window(tmp_path):
    write_features(tmp_path, 3)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(0))
    end = START + pd.Timedelta(days=20)
    store.materialize(START.to_pydatetime(), end.to_pydatetime())
    table = pd.read_parquet(tmp_path / "f.parquet")
    inside = table[table["event_timestamp"] <= end]
    latest = inside.sort_values(["event_timestamp", "created"]).groupby("item_id").last()
    online = store.get_online_features(refs, [{"item_id": int(i)} for i in latest.index]).to_dict()
    assert online["b"] == latest["b"].tolist()
    np.testing.assert_allclose(np.array(online["window"]), np.stack(latest["window"]), rtol=1e-6)


@pytest.mark.parametrize("first", [0, 1])
def test_materialising_takes_of_equal_time_stamps_the_row_created_last(tmp_path, first):
    write_features(tmp_path, 3)
    frame = pd.read_parquet(tmp_path / "f.parquet").head(2)
    day = START + pd.Timedelta(days=3)
    created = (START + pd.to_timedelta([5, 9], unit="D")).astype("datetime64[us, UTC]")
    frame = frame.assign(item_id=1, event_timestamp=day, created=created, b=[10, 20])
    frame["event_timestamp"] = frame["event_timestamp"].astype("datetime64[us, UTC]")
    frame.iloc[[first, 1 - first]].to_parquet(tmp_path / "f.parquet", index=False)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(0))
    store.materialize(START.to_pydatetime(), (day + pd.Timedelta(days=1)).to_pydatetime())
    assert store.get_online_features(refs, [{"item_id": 1}]).to_dict()["b"] == [20]


def test_anything_but_a_frame_of_entities_is_refused(tmp_path):
    write_features(tmp_path, 0)
    store = open_store(tmp_path, OURS)
    refs = apply(store, tmp_path, timedelta(0))
    with pytest.raises(ValueError, match="must be a pandas DataFrame"):
        store.get_historical_features("select 1", refs)
