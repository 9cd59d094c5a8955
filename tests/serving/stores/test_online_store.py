"""The online stores for real: written fast, read fast, the same as Feast's own."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from invopt.errors import ContractError, InvalidInputError
from invopt.features import FeatureEncoder, model_inputs
from invopt.features.online import WindowEncoder
from invopt.features.tables import SALES, SERIES_KEY, TableLayout, series_table
from serving.push import push_sales
from serving.settings import EMBEDDED, Settings
from serving.stores.feature_store import (
    SEGMENT,
    apply_and_materialise,
    known_time,
    open_store,
    training_panel,
    write_tables,
)
from serving.stores.materialise import materialise
from serving.stores.online_features import OnlineFeatures
from tests.builders import make_config, make_panel, with_derived
from tests.redis_server import redis_server

pytestmark = pytest.mark.slow
CREATED = pd.Timestamp("2024-06-01", tz="UTC")


@pytest.fixture(scope="module")
def redis():
    """A redis-server of our own."""
    with redis_server("--appendonly", "no") as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(params=["sqlite", "redis"])
def settings(request, tmp_path):
    """A workspace on each online store."""
    found = Settings.of(tmp_path)
    if request.param == "redis":
        address = request.getfixturevalue("redis")
        import redis as client

        client.Redis(port=int(address.rsplit(":", 1)[1])).flushall()
        return on_redis(found, address)
    return found


def on_redis(settings: Settings, address: str) -> Settings:
    return replace(
        settings,
        feature_config=EMBEDDED.with_name("feature_store_redis.yaml"),
        feature_variables={"INVOPT_REDIS": f"{address},socket_timeout=5"},
    )


def published(settings, num_series=7, *, drop=0, open_orders=None, **kwargs):
    config = make_config()
    panel = with_derived(make_panel(num_series=num_series, num_periods=120, **kwargs), config)
    if drop:
        panel = panel.truncate(120 - drop)
    spec = FeatureEncoder.fit(panel, config.features, 90).spec
    position = pd.DataFrame({"unique_id": panel.unique_ids, "on_hand": 3.0})
    write_tables([panel], spec, (position, open_orders), CREATED, settings, 2)
    return panel, spec


def test_windows_read_back_are_those_published(settings):
    plans = settings.plans / "demo"
    plans.mkdir(parents=True)
    for day, segment in (("2024-01-14", "AX"), ("2024-01-07", "CZ")):
        (plans / f"{day}.csv").write_text(f"unique_id,reason,segment\np0_s0,because,{segment}\n")
    panel, spec = published(settings)
    store = open_store(settings)
    written = apply_and_materialise(store, settings, known_time(panel))
    assert written["series_window"] == written["stock_position"] == 7
    features = OnlineFeatures(settings)
    [windows] = features.read([*panel.unique_ids[::-1], "nobody"])
    assert windows.names == list(panel.unique_ids[::-1])
    assert windows.known_at == known_time(panel).timestamp()
    assert windows.position["on_hand"].tolist() == [3.0] * 7
    assert windows.position["on_order"].tolist() == [0.0] * 7
    found = dict(zip(windows.names, windows.rows[SEGMENT], strict=True))
    assert found["p0_s0"] == "AX"  # of the latest plan
    # The plan does not name the others: theirs are those of their sales.
    assert [found[n] for n in panel.unique_ids[1:]] == ["BY", "AY", "AY", "AY", "AY", "AY"]

    # the same values as through Feast's own reader
    service = features.store.get_feature_service("inference")
    rows = [{SERIES_KEY: name} for name in windows.names]
    theirs = features.store.get_online_features(service, rows).to_dict()
    for name in [SALES, *features.layout.series_fields]:
        np.testing.assert_array_equal(windows.rows[name], np.array(theirs[name], np.float32))
    for name in features.layout.static:
        assert list(windows.rows[name]) == theirs[name]

    # and the inputs of the offline panel of the same time
    features.groups_version(windows)
    encoder = WindowEncoder(spec, features.layout)
    groups = encoder.groups_of(windows.rows, features.group_rows(windows))
    ours = encoder.encode(windows.rows, groups)
    offline = training_panel(store, settings, known_time(panel))
    whole = FeatureEncoder(spec).encode(offline)
    at = np.arange(7)
    online_inputs = model_inputs(spec, ours, at, np.full(7, windows.num_periods - 1))
    offline_inputs = model_inputs(spec, whole, at[::-1], np.full(7, offline.num_periods - 1))
    for a, b in zip(online_inputs, offline_inputs, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)
    features.close()


def test_materialising_again_changes_nothing_and_a_correction_arrives(settings):
    panel, spec = published(settings)
    store = open_store(settings)
    apply_and_materialise(store, settings, known_time(panel))
    before = read(settings, "p0_s0")
    apply_and_materialise(store, settings, known_time(panel))
    np.testing.assert_array_equal(read(settings, "p0_s0"), before)
    y = np.array(panel.y)
    y[:, -1] += 1
    corrected = replace(panel, y=y)
    write_tables([corrected], spec, (None, None), CREATED + timedelta(hours=1), settings, 2)
    apply_and_materialise(store, settings, known_time(panel))
    assert read(settings, "p0_s0")[-1] == before[-1] + 1


def test_an_interrupted_run_goes_on_after_the_last_batch(settings, monkeypatch):
    panel, _ = published(settings, num_series=12)
    store = open_store(settings)
    monkeypatch.setattr("serving.stores.materialise._BATCH", 5)
    online = store.provider.online_store
    real = online.write_rows
    batches = []

    def failing(config, view, keys, rows):
        if view.name == "series_window":
            batches.append(len(rows))
            if len(batches) == 2:
                raise OSError("the connection broke")
        real(config, view, keys, rows)

    monkeypatch.setattr(online, "write_rows", failing)
    with pytest.raises(OSError, match="connection broke"):
        apply_and_materialise(store, settings, known_time(panel))
    apply_and_materialise(store, settings, known_time(panel))
    assert batches == [5, 5, 5, 2]  # the first batch was not written twice
    features = OnlineFeatures(settings)
    assert len(features.read(list(panel.unique_ids))[0].names) == 12
    features.close()


def test_a_long_absence_is_caught_up_in_bounded_windows(settings):
    panel, spec = published(settings, drop=20)
    store = open_store(settings)
    apply_and_materialise(store, settings, known_time(panel))
    whole, _ = published(settings)  # twenty days later
    some = whole.select(np.arange(3))
    folder = settings.feature_store / "series_window"
    for file in folder.glob("*.parquet"):
        if f"{known_time(whole):%Y%m%d}" in file.name:
            file.unlink()
    write_tables([some], spec, (None, None), CREATED, settings, 2)  # only three series go on
    done = materialise(
        store, settings, ["series_window"], known_time(whole).to_pydatetime(),
        window=timedelta(days=6),
    )  # fmt: skip
    assert done["series_window"] >= 3
    features = OnlineFeatures(settings)
    found = features.read(list(whole.unique_ids))
    assert [len(w.names) for w in found] == [4, 3]
    assert found[1].known_at - found[0].known_at == 20 * 86400
    features.close()


def test_pushed_sales_move_a_window_on_and_materialisation_catches_up(settings):
    panel, spec = published(settings, drop=3)
    store = open_store(settings)
    apply_and_materialise(store, settings, known_time(panel))
    features = OnlineFeatures(settings)
    first = known_time(panel).tz_localize(None)
    sales = pd.DataFrame(
        {
            "unique_id": ["p0_s0", "p0_s0", "p1_s0", "nobody", "p2_s0"],
            "ds": [first, first + timedelta(days=2), first, first, first - timedelta(days=1)],
            "y": [4, 6, 5, 1, 9],
        }
    )
    old = read(settings, "p0_s0")
    done = push_sales(features, sales)
    assert (done.series, done.unknown, done.late) == (2, ("nobody",), 1)
    new = read(settings, "p0_s0")
    assert len(new) == len(old)
    np.testing.assert_array_equal(new[:-3], old[3:])
    assert new[-3:].tolist() == [4, -1, 6]  # the day between was not told
    month = read(settings, "p0_s0", features.layout.field_of("monthly_sales"))
    assert (month[-3:] == month[-4]).all()  # a slow average stays as it was
    by_time = {w.known_at: w for w in features.read(["p0_s0", "p1_s0", "p2_s0"])}
    assert len(by_time) == 3

    # groups are as of each window's end, so every one can be forecast
    encoder = WindowEncoder(spec, features.layout)
    for windows in by_time.values():
        features.groups_version(windows)
        groups = encoder.groups_of(windows.rows, features.group_rows(windows))
        encoded = encoder.encode(windows.rows, groups)
        assert np.isfinite(
            model_inputs(spec, encoded, np.arange(1), np.array([windows.num_periods - 1]))[0]
        ).all()

    # an older materialisation does not take the pushed sales back; a newer one replaces them
    apply_and_materialise(store, settings, known_time(panel))
    np.testing.assert_array_equal(read(settings, "p0_s0"), new)
    whole, _ = published(settings)
    apply_and_materialise(store, settings, known_time(whole))
    expected = series_table(
        whole, TableLayout.of(whole, spec), CREATED, window=spec.config.lookback
    )
    at = list(whole.unique_ids).index("p0_s0")
    assert read(settings, "p0_s0").tolist() == expected[SALES].to_pylist()[at]
    features.close()


def test_orders_under_way_are_served_by_the_period_they_arrive_in(settings):
    orders = pd.DataFrame(
        {"unique_id": ["p0_s0", "p0_s0", "p1_s0"], "due_in": [1, 4, 2], "quantity": [5.0, 7, 9]}
    )
    panel, _ = published(settings, drop=2, open_orders=orders)
    apply_and_materialise(open_store(settings), settings, known_time(panel))
    features = OnlineFeatures(settings)
    names = ["p0_s0", "p1_s0", "p2_s0"]
    [windows] = features.read(names)
    assert windows.position["arrivals"].tolist() == [[5, 0, 0, 7], [0, 9, 0, 0], [0, 0, 0, 0]]
    assert windows.position["on_order"].tolist() == [12, 9, 0]

    # two days on, what was due in them is not on hand yet, so it is due next; the rest comes nearer
    day = known_time(panel).tz_localize(None) + timedelta(days=1)
    sales = pd.DataFrame({"unique_id": names[:2], "ds": [day] * 2, "y": [1, 1]})
    push_sales(features, sales)
    [moved] = features.read(names[:2])
    features.close()
    assert moved.position["arrivals"].tolist() == [[5, 7], [9, 0]]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ({"unique_id": ["a"], "y": [1]}, "ds must exist"),
        ({"unique_id": ["a"], "ds": ["2024-01-01"], "y": [-1]}, "0 or more"),
        ({"unique_id": ["a"], "ds": ["2024-01-01"], "y": [float("nan")]}, "0 or more"),
        ({"unique_id": ["a"], "ds": ["no date"], "y": [1]}, "be a date"),
        ({"unique_id": ["a"] * 2, "ds": ["2024-01-01"] * 2, "y": [1, 2]}, "come once"),
    ],
)
def test_sales_that_cannot_be_used_are_refused(rows, text):
    with pytest.raises(ContractError, match=text):
        push_sales(None, pd.DataFrame(rows))


def test_a_store_that_is_down_or_slow_fails_fast_and_is_left_alone(redis, tmp_path):
    from serving.api.failures import StoreUnavailableError

    settings = on_redis(Settings.of(tmp_path), redis)
    panel, _ = published(settings)
    apply_and_materialise(open_store(settings), settings, known_time(panel))
    now = [0.0]
    features = OnlineFeatures(settings, seconds=0.3, clock=lambda: now[0])
    features.check()
    import redis as client

    own = client.Redis(port=int(redis.rsplit(":", 1)[1]))
    own.execute_command("CLIENT", "PAUSE", 1500, "ALL")
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        features.read(["p0_s0"])
    assert time.monotonic() - started < 1.0
    started = time.monotonic()
    with pytest.raises(StoreUnavailableError):  # left alone: no waiting
        features.read(["p0_s0"])
    assert time.monotonic() - started < 0.1
    time.sleep(1.5)
    now[0] += 10
    assert features.read(["p0_s0"])[0].names == ["p0_s0"]
    features.close()


def read(settings, name, field=SALES):
    features = OnlineFeatures(settings)
    [windows] = features.read([name])
    features.close()
    return windows.rows[field][0]


def test_another_kind_of_online_store_is_refused_by_name(tmp_path):
    text = EMBEDDED.read_text().replace("feature_repo.row_store.RowOnlineStore", "sqlite")
    (tmp_path / "feature_store.yaml").write_text(text)
    settings = replace(Settings.of(tmp_path), feature_config=tmp_path / "feature_store.yaml")
    published(settings)
    with pytest.raises(InvalidInputError, match=r"RowOnlineStore or .*got feast\..*SqliteOnline"):
        OnlineFeatures(settings)


def test_a_view_that_is_declared_no_more_leaves_nothing_behind(settings):
    from feature_repo.row_store import text_keys

    panel, _ = published(settings)
    store = open_store(settings)
    apply_and_materialise(store, settings, known_time(panel))
    online, config = store.provider.online_store, store.config
    gone, kept = store.get_feature_view("stock_position"), store.get_feature_view("series_window")
    keys = text_keys(SERIES_KEY, ["p0_s0"])
    online.update(config, [gone], [kept], [], [], partial=False)
    online.update(config, [], [gone, kept], [], [], partial=False)
    [[none], [row]] = online.read_rows(config, [gone, kept], keys)
    assert none is None
    assert row is not None
    online.teardown(config, [gone, kept], [])
    online.update(config, [], [gone, kept], [], [], partial=False)


def test_an_older_row_never_replaces_a_newer_one(settings):
    panel, _ = published(settings)
    store = open_store(settings)
    apply_and_materialise(store, settings, known_time(panel))
    view = store.get_feature_view("stock_position")
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    key = EntityKey(join_keys=["unique_id"], entity_values=[Value(string_val="p0_s0")])
    for year, expected in ((2000, 3.0), (2030, 2030.0)):
        row = (key, {"on_hand": Value(double_val=year)}, datetime(year, 1, 1, tzinfo=UTC), None)
        store.provider.online_write_batch(store.config, view, [row], None)
        [(_, values)] = store.provider.online_read(store.config, view, [key], ["on_hand"])
        assert values["on_hand"].double_val == expected
