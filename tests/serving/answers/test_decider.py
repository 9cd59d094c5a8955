"""The ladder and the plans, without a server: each fault injected, each rung told."""

import asyncio
import json
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt.inventory import plan_orders, stock_of
from invopt.inventory.decision import ReviewRules
from serving.api.contract import Decision, ErrorCode, Instance
from serving.api.failures import NetworkUnavailableError, RequestFailedError
from serving.settings import Settings

pytestmark = pytest.mark.slow
NAMES = ["p0_s0", "p2_s3", "p1_s1"]
DAY = 86400.0


class BrokenNetwork:
    """A predictor that is gone, or gives no number for some rows."""

    def __init__(self, inner, rows=None):
        self.inner, self.rows = inner, rows

    def run(self, inputs):
        if self.rows is None:
            raise NetworkUnavailableError("the predictor failed: UNAVAILABLE")
        found = [a.copy() for a in self.inner.run(inputs)]
        found[0][self.rows] = np.nan
        return found


@pytest.fixture(scope="module")
def parts(shop):
    from serving.answers.loaded_model import load_champion
    from serving.stores.online_features import OnlineFeatures

    features = OnlineFeatures(shop.settings, seconds=30.0)
    yield load_champion(shop.model, "demand", "1"), features
    features.close()


@pytest.fixture
def decider(parts):
    from serving.answers.decider import Decider

    return Decider(*parts)


def ask(decider, *instances):
    found = [Instance(unique_id=i) if isinstance(i, str) else i for i in instances]
    return decider.decide(found)


def instance(name="p0_s0", **values):
    return Instance.model_validate({"unique_id": name} | values)


def test_features_older_than_allowed_are_told_and_still_used(parts, shop):
    from serving.answers.decider import Decider

    late = Decider(*parts, clock=lambda: shop.known_at.timestamp() + 5 * DAY)
    [found] = ask(late, "p0_s0")
    assert found["degraded"] == {
        "step": "stale", "reason": "features are 5 periods old, 2 are allowed",
    }  # fmt: skip
    assert found["feature_age_s"] == 5 * DAY
    [fresh] = ask(Decider(*parts), "p0_s0")
    np.testing.assert_array_equal(found["mean"], fresh["mean"])


def test_stock_older_than_allowed_is_told_unless_the_caller_says_what_there_is(
    shop, parts, tmp_path
):
    from serving.answers.decider import Decider
    from serving.stores.materialise import write_rows
    from serving.stores.online_features import OnlineFeatures

    settings = Settings.of(tmp_path)
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    with closing(sqlite3.connect(settings.feature_store / "online.db")) as other:
        other.execute("DELETE FROM invopt_stock_position")
        other.commit()
    features = OnlineFeatures(settings, seconds=30.0)
    old = (shop.known_at - pd.Timedelta(days=9)).to_pydatetime()
    stock = {"on_hand": [4.0], "on_order": [0.0], "backorders": [0.0]}
    write_rows(features.store, "stock_position", ["p0_s0"], stock, [old])
    decider = Decider(parts[0], features, clock=lambda: shop.known_at.timestamp())
    found, told, none = ask(decider, "p0_s0", instance("p0_s0", position={"on_hand": 4}), "p1_s1")
    assert found["degraded"] == {
        "step": "stale", "reason": "stock is 9 periods old, 2 are allowed",
    }  # fmt: skip
    assert found["on_hand"] == 4.0
    assert told["degraded"] is None
    assert (none["degraded"], none["on_hand"]) == (None, None)
    features.close()


@pytest.mark.parametrize("days", [0, 3, 14])
def test_a_stored_forecast_answers_for_the_periods_that_are_still_to_come(
    shop, parts, tmp_path, days
):
    from serving.answers.decider import Decider
    from serving.stores.materialise import write_rows
    from serving.stores.online_features import OnlineFeatures

    settings = Settings.of(tmp_path)
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    with closing(sqlite3.connect(settings.feature_store / "online.db")) as other:
        other.execute("DELETE FROM invopt_last_forecast")
        other.commit()
    features = OnlineFeatures(settings, seconds=30.0)
    champion = replace(parts[0], network=BrokenNetwork(parts[0].network))
    horizon = champion.spec.config.horizon
    at = list(shop.panel.unique_ids).index("p0_s0")
    forecast = shop.forecaster.predict(shop.panel)
    columns = {
        "mean": [np.arange(1, horizon + 1, dtype=np.float32)],
        "quantiles": [forecast.smooth_quantiles[at].ravel()],
        "levels": [forecast.smooth_levels[at].ravel()],
        "model_version": ["demand-0"],
    }
    moment = (shop.known_at - pd.Timedelta(days=days)).to_pydatetime()
    write_rows(features.store, "last_forecast", ["p0_s0"], columns, [moment])
    [found] = ask(Decider(champion, features), "p0_s0")
    if days == 14:  # the horizon is over
        assert found["degraded"]["step"] == "seasonal_naive"
    else:
        assert found["degraded"]["step"] == "last_forecast"
        assert found["mean"].tolist() == [*range(days + 1, 15), *range(8, 8 + days)]
        assert found["expected_demand"] == sum(
            found["mean"][: found["lead_time"] + found["review_period"]]
        )
    features.close()


def test_a_clock_that_jumps_back_makes_no_feature_come_from_the_future(parts, shop):
    from serving.answers.decider import Decider

    [found] = ask(Decider(*parts, clock=lambda: shop.known_at.timestamp() - 9 * DAY), "p0_s0")
    assert found["feature_age_s"] == 0.0
    assert found["degraded"] is None


def test_without_the_model_the_last_forecast_answers(parts):
    from serving.answers.decider import Decider

    champion, features = parts
    broken = replace(champion, network=BrokenNetwork(champion.network))
    [ours] = ask(Decider(champion, features), "p0_s0")
    [found] = ask(Decider(broken, features), "p0_s0")
    assert found["degraded"]["step"] == "last_forecast"
    assert found["model_version"] == "demand-0"
    np.testing.assert_allclose(found["mean"], ours["mean"] + 1, atol=2e-3)
    assert found["order_up_to_level"] is not None


def test_rows_without_a_number_fall_and_the_others_stay(parts):
    from serving.answers.decider import Decider

    champion, features = parts
    broken = replace(champion, network=BrokenNetwork(champion.network, rows=[1]))
    found = ask(Decider(broken, features), *NAMES)
    assert [d["degraded"] and d["degraded"]["step"] for d in found] == [
        None, "last_forecast", None,
    ]  # fmt: skip


def test_without_model_and_last_forecast_the_season_before_answers(parts):
    from serving.answers.decider import Decider

    champion, features = parts
    broken = replace(champion, network=BrokenNetwork(champion.network))
    sales = list(range(1, 15))
    decider = Decider(broken, features)
    [found] = ask(decider, instance("new", features={"sales": sales}))
    assert found["degraded"]["step"] == found["model_version"] == "seasonal_naive"
    np.testing.assert_allclose(found["mean"], sales[7:] * 2)


def test_a_new_series_is_forecast_from_what_the_caller_knows(decider):
    given = {"sales": [3.0] * 28, "static": {"category": "dry", "list_price": 2.0}}
    [found] = ask(decider, instance("new", features=given, position={"on_hand": 2}))
    assert found["degraded"] is None
    assert found["on_hand"] == 2.0
    assert found["order_quantity"] is not None
    assert Decision.model_validate(plain(found)).expected_demand > 0


@pytest.mark.parametrize(
    ("ordering", "data", "told"),
    [("USD", None, "USD"), ("", "CHF", "CHF"), ("USD", "CHF", "USD"), ("", None, None)],
)
def test_the_currency_of_an_answer_is_the_configured_one(parts, ordering, data, told):
    from serving.answers.decider import Decider

    champion, features = parts
    config = champion.config
    config = config.model_copy(update={
        "inventory": config.inventory.model_copy(update={"currency": ordering}),
        "data": config.data.model_copy(update={"currency": data}),
    })  # fmt: skip
    [found] = ask(Decider(replace(champion, config=config), features), "p0_s0")
    assert found["currency"] == told


def test_a_lost_sales_order_is_replenishments_whenever_open_orders_arrive(parts, shop):
    from serving.answers.decider import Decider

    champion, features = parts
    inventory = shop.config.inventory.model_copy(update={"policy": "lost_sales"})
    config = champion.config.model_copy(update={"inventory": inventory})
    decider = Decider(replace(champion, config=config), features)
    # Ten periods of demand: soon, they sell on the way to the order's arrival; late, they are left.
    row = list(shop.panel.unique_ids).index("p0_s0")
    forecast = shop.forecaster.predict(shop.panel)
    units = round(float(forecast.mean[row, :10].sum()))
    served, planned = [], []
    for due_in in (1, inventory.lead_time):
        under_way = {"on_hand": 0, "arrivals": [0] * (due_in - 1) + [units]}
        [found] = ask(decider, instance(position=under_way))
        assert found["on_order"] == units
        served.append(found["order_quantity"])
        stock = stock_of(
            shop.panel.unique_ids,
            pd.DataFrame({"unique_id": ["p0_s0"], "on_hand": [0.0]}),
            pd.DataFrame({"unique_id": ["p0_s0"], "due_in": [due_in], "quantity": [units]}),
        )
        rules = ReviewRules(config=inventory, model_version="demand-1", is_count=True)
        plan = plan_orders(shop.panel, forecast, stock, rules)
        planned.append(plan.orders["order_quantity"][row])
    assert served == planned
    assert served[0] > served[1]


def test_units_on_order_beyond_the_arrivals_are_due_next(decider):
    # what is on order in all is known, and of part of it when
    for known in ({"on_order": 9, "arrivals": [0, 4]}, {"arrivals": [5, 4]}):
        [found] = ask(decider, instance(position={"on_hand": 1} | known))
        assert found["on_order"] == 9.0


def test_features_given_as_they_are_stored_change_nothing(decider, parts):
    _, features = parts
    [windows] = features.read(["p0_s0"])
    code = windows.rows["sales"][0]
    sales = [None if v < 0 else float(v) for v in code]
    price = windows.rows[features.layout.field_of("price")][0].tolist()
    [stored] = ask(decider, "p0_s0")
    given = {"sales": sales, "channels": {"price": price}, "static": {"category": "fresh"}}
    [same] = ask(decider, instance(features=given))
    np.testing.assert_allclose(same["mean"], stored["mean"], atol=1e-3)


def test_a_promotion_changes_the_forecast_of_its_what_if_alone(decider):
    [found] = ask(decider, instance(what_if={"promotion": {"promotion": [1, 1, 1]}}))
    [plain_] = ask(decider, "p0_s0")
    np.testing.assert_array_equal(found["mean"], plain_["mean"])
    assert (found["what_if"]["mean"] != found["mean"]).any()


@pytest.mark.parametrize(
    ("what_if", "name", "rises"),
    [
        ({"lead_time": 5}, "order_up_to_level", True),
        ({"review_period": 10}, "expected_demand", True),
        ({"cycle_service_level": 0.99}, "safety_stock", True),
        ({"cycle_service_level": 0.5}, "safety_stock", False),
        ({"stockout_cost": 100.0}, "critical_ratio", True),
        ({"holding_cost": 0.1}, "order_up_to_level", False),
    ],
)
def test_assumptions_move_the_plan_the_way_they_should(decider, what_if, name, rises):
    [found] = ask(decider, instance(what_if=what_if))
    now, then = found[name], found["what_if"][name]
    assert then > now if rises else then < now


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"what_if": {"promotion": {"rain": 1.0}}}, "invalid_request", "there are price"),
        ({"features": {"static": {"colour": "red"}}}, "invalid_request", "there are product"),
        ({"features": {"channels": {"price": [1.0]}}}, "invalid_request", "must hold"),
    ],
)
def test_what_an_instance_gets_wrong_is_told_by_name(decider, given, code, text):
    bad, good = ask(decider, instance(**given), "p1_s1")
    assert bad["code"] == code
    assert text in bad["error"]
    assert "mean" in good


def test_a_decision_says_when_how_often_in_what_money_and_why(decider):
    [found] = ask(decider, instance(position={"on_hand": 0}))
    first = pd.Timestamp(found["cutoff"]) + pd.Timedelta(days=1)
    assert found["dates"][0] == f"{first:%Y-%m-%d}"
    assert len(found["dates"]) == len(found["mean"])
    assert found["frequency"] == "D"
    assert found["currency"] == "EUR"
    assert found["segment"] == "AY"  # nothing was planned yet: it is that of the sales
    assert found["reason_code"] == "below_level"
    assert "stockout_now" in found["exception"].split(";")
    assert found["cost_of_one_less"] >= 0
    assert found["cost_of_one_more"] >= 0
    [found] = ask(decider, instance(position={"on_hand": 10_000}))
    assert (found["reason_code"], found["exception"]) == ("covered", "excess_stock")


def test_what_assumptions_change_is_told_as_a_difference(decider):
    [found] = ask(decider, instance(what_if={"lead_time": 5}))
    what_if = found["what_if"]
    for name in ("order_quantity", "expected_demand", "safety_stock"):
        assert what_if["difference"][name] == pytest.approx(what_if[name] - found[name])
    assert what_if["difference"]["expected_demand"] > 0
    [found] = ask(decider, instance(what_if={}))
    assert set(found["what_if"]["difference"].values()) == {0}


def test_assumptions_of_many_instances_are_planned_at_once_as_each_is_alone(decider, monkeypatch):
    import serving.answers.decider as module

    asked = [
        instance(name, what_if=what_if)
        for name in NAMES
        for what_if in (
            {"lead_time": 4}, {"review_period": 2}, {"lead_time": 999}, {"price": 3.0},
            {"cycle_service_level": 0.99, "holding_cost": 0.5}, None,
        )
    ]  # fmt: skip
    alone = [ask(decider, one)[0] for one in asked]
    calls, plan_rows = [], module.plan_rows
    monkeypatch.setattr(
        module,
        "plan_rows",
        lambda *given, **named: calls.append(given) or plan_rows(*given, **named),
    )
    together = ask(decider, *asked)
    assert [without_age(d) for d in together] == [without_age(d) for d in alone]
    assert together[2]["what_if"]["code"] == "beyond_horizon"
    assert "what_if" not in together[5]
    assert len(calls) == 2  # as things stand, and as assumed: not one for each instance


def test_a_price_that_was_never_seen_is_answered_with_a_warning(decider):
    [far] = ask(decider, instance(what_if={"price": 1000.0}))
    assert far["what_if"]["warning"].startswith("price 1000 was never seen: ")
    usual = float(far["what_if"]["warning"].split(": ")[1].split()[0])
    [near] = ask(decider, instance(what_if={"price": usual}))
    assert "warning" not in near["what_if"]


def test_a_plan_beyond_the_forecast_is_refused_not_guessed(decider):
    [found] = ask(decider, instance(what_if={"lead_time": 50}))
    assert found["what_if"]["code"] == "beyond_horizon"
    assert found["order_up_to_level"] > 0


def test_while_the_store_is_down_what_was_answered_last_answers(shop, parts, tmp_path):
    from serving.answers.decider import Decider
    from serving.answers.loaded_model import load_champion
    from serving.stores.online_features import OnlineFeatures

    settings = Settings.of(tmp_path)
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    now = [time.time()]
    features = OnlineFeatures(settings, seconds=30.0, clock=lambda: now[0])
    decider = Decider(load_champion(shop.model, "demand", "1"), features)
    [before, _] = ask(decider, "p0_s0", "p1_s1")
    ask(decider, "p2_s0")
    with closing(sqlite3.connect(settings.feature_store / "online.db")) as other:
        other.execute("ALTER TABLE invopt_series_window RENAME TO gone")
        other.commit()
        [found, unseen] = ask(decider, instance(position={"on_hand": 500}), "p2_s3")
        assert found["degraded"]["step"] == "last_forecast"
        assert "store" in found["degraded"]["reason"]
        np.testing.assert_array_equal(found["mean"], before["mean"])
        assert found["order_quantity"] == 0.0
        assert unseen["code"] == "unavailable"
        # what is remembered of different requests is planned together, as if each were alone
        coming = instance("p2_s0", position={"on_hand": 1, "arrivals": [0, 0, 4]})
        together = ask(decider, "p1_s1", coming, "p0_s0")
        alone = [ask(decider, one)[0] for one in ("p1_s1", coming, "p0_s0")]
        assert [without_age(d) for d in together] == [without_age(d) for d in alone]
        assert together[1]["on_order"] == 4.0
        with pytest.raises(RequestFailedError) as caught:
            ask(decider, "p2_s3")
        assert caught.value.status == 503
        other.execute("ALTER TABLE gone RENAME TO invopt_series_window")
        other.commit()
    now[0] += 10  # the store is tried again
    assert ask(decider, "p0_s0")[0]["degraded"] is None
    features.close()


def test_callers_answered_together_get_what_each_gets_alone(parts, tmp_path):
    from serving.answers.decider import Ask, Decider
    from serving.stores.prediction_log import PredictionLog, read_predictions

    log = PredictionLog(tmp_path)
    decider = Decider(*parts, log=log)
    asks = [
        Ask([instance("p0_s0", position={"on_hand": 3})], "a"),
        Ask([instance("nobody"), instance("p2_s3")], "b"),
        Ask([instance("p0_s0"), instance("p1_s1", what_if={"lead_time": 5})], "c"),
    ]
    together = decider.decide_together(asks)
    log.close()
    alone = [Decider(*parts).decide(ask.instances) for ask in asks]
    for ours, theirs in zip(together, alone, strict=True):
        assert [without_age(d) for d in ours] == [without_age(d) for d in theirs]
    rows = read_predictions(tmp_path).to_pylist()
    found = [(r["request_id"], r["unique_id"], r["what_if"]) for r in rows]
    assert found == [
        ("a", "p0_s0", True), ("b", "p2_s3", False), ("c", "p0_s0", False), ("c", "p1_s1", False),
    ]  # fmt: skip


def test_a_request_that_breaks_does_not_fail_those_it_is_answered_with(decider):
    from serving.answers.decider import Ask

    good, bad, other = (Ask([instance(name)]) for name in ("p0_s0", "p2_s3", "p1_s1"))
    object.__setattr__(bad.instances[0], "what_if", "no assumptions at all")
    found = decider.decide_together([good, bad, other])
    assert isinstance(found[1], Exception)
    assert [found[0][0]["unique_id"], found[2][0]["unique_id"]] == ["p0_s0", "p1_s1"]


def test_while_the_store_is_down_callers_together_fail_only_where_nothing_is_known(
    shop, parts, tmp_path
):
    from serving.answers.decider import Ask, Decider
    from serving.stores.online_features import OnlineFeatures

    settings = Settings.of(tmp_path)
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    features = OnlineFeatures(settings, seconds=30.0)
    decider = Decider(parts[0], features)
    ask(decider, "p0_s0")
    with closing(sqlite3.connect(settings.feature_store / "online.db")) as other:
        other.execute("DROP TABLE invopt_series_window")
        other.commit()
    known, unknown = decider.decide_together([Ask([instance("p0_s0")]), Ask([instance("p1_s1")])])
    assert known[0]["degraded"]["step"] == "last_forecast"
    assert isinstance(unknown, RequestFailedError)
    assert unknown.status == 503
    features.close()


def without_age(decision):
    found = plain(decision) if "mean" in decision else decision
    if "mean" in found.get("what_if", {}):
        found["what_if"] = found["what_if"] | {"mean": found["what_if"]["mean"].tolist()}
    return {name: value for name, value in found.items() if name != "feature_age_s"}


def test_groups_that_are_not_online_or_inputs_that_do_not_fit_leave_the_lower_rungs(
    shop, parts, tmp_path
):
    from serving.answers.decider import Decider
    from serving.answers.graph import LocalNetwork
    from serving.stores.online_features import OnlineFeatures

    settings = Settings.of(tmp_path)
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    with closing(sqlite3.connect(settings.feature_store / "online.db")) as other:
        other.execute("DELETE FROM invopt_group_window")
        other.commit()
    features = OnlineFeatures(settings, seconds=30.0)
    [found] = ask(Decider(parts[0], features), "p0_s0")
    assert found["degraded"] == {
        "step": "last_forecast", "reason": "the published features are not those of the model",
    }  # fmt: skip
    features.close()
    with pytest.raises(NetworkUnavailableError, match="failed on these features"):
        LocalNetwork(shop.model).run(tuple(a[..., :0] for a in parts[0].reference))


def test_decisions_are_logged_and_a_full_disk_does_not_matter(parts, tmp_path):
    from serving.answers.decider import Decider
    from serving.stores.prediction_log import PredictionLog, read_predictions

    log = PredictionLog(tmp_path / "log")
    found = Decider(*parts, log=log).decide([instance(), instance("p1_s1")], "r7")
    log.close()
    rows = read_predictions(tmp_path / "log").to_pylist()
    assert [r["unique_id"] for r in rows] == ["p0_s0", "p1_s1"]
    assert {r["request_id"] for r in rows} == {"r7"}
    assert rows[0]["order_quantity"] == found[0]["order_quantity"]
    assert f"{rows[0]['cutoff']}" == found[0]["cutoff"]
    np.testing.assert_allclose(rows[0]["mean"], found[0]["mean"], atol=1e-4)
    assert len(rows[0]["quantiles"]) == 14 * 7

    (tmp_path / "full").write_text("")
    lost = []
    log = PredictionLog(tmp_path / "full", lost=lambda number, _: lost.append(number))
    assert ask(Decider(*parts, log=log), "p0_s0")[0]["mean"] is not None
    log.close()
    assert lost == [1]


def test_online_and_offline_features_are_the_same_until_somebody_meddles(parts, shop, tmp_path):
    from serving.answers.decider import Decider
    from serving.answers.skew import TOLERANCE, probe_skew
    from serving.stores.materialise import write_rows
    from serving.stores.online_features import OnlineFeatures

    settings = Settings.of(tmp_path)
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    features = OnlineFeatures(settings, seconds=30.0)
    model = Decider(parts[0], features).model
    found = probe_skew(model, list(shop.panel.unique_ids))
    assert found.series == 12
    assert found.largest <= TOLERANCE
    assert found.differing == ()

    [windows] = features.read(["p1_s1"])
    columns = {n: v for n, v in windows.rows.items() if n in _fields(features)}
    columns["sales"] = windows.rows["sales"] + 3
    moment = shop.known_at.to_pydatetime()
    write_rows(features.store, "series_window", ["p1_s1"], columns, [moment])
    found = probe_skew(model, list(shop.panel.unique_ids))
    assert found.differing == ("p1_s1",)
    assert found.worst["step"] > 0.1
    features.close()


def _fields(features):
    layout = features.layout
    return {"sales", "periods_on_sale", *layout.static, *layout.series_fields}


def test_a_full_queue_is_429_and_a_late_answer_504():
    from serving.endpoint.queue import GatedModel

    model = GatedModel("m", max_queue=2, seconds=0.3, threads=1)

    async def crowd():
        jobs = [model.run(lambda: time.sleep(0.6)) for _ in range(4)]
        return await asyncio.gather(*jobs, return_exceptions=True)

    found = asyncio.run(crowd())
    codes = sorted(e.code for e in found)
    assert codes == [ErrorCode.BUSY, ErrorCode.BUSY, ErrorCode.TIMEOUT, ErrorCode.TIMEOUT]
    time.sleep(1.0)  # work that was under way gives its place back when it ends
    assert asyncio.run(model.run(lambda: 7)) == 7


def plain(decision):
    return {
        k: v.tolist()
        if isinstance(v, np.ndarray)
        else {q: np.asarray(a).tolist() for q, a in v.items()}
        if k == "quantiles"
        else v
        for k, v in decision.items()
    }


def test_a_truncated_model_file_is_told_by_name(shop, tmp_path):
    from invopt.errors import ContractError
    from serving.answers.loaded_model import load_champion

    for name in ("model.onnx", "features.json"):
        folder = tmp_path / name
        shutil.copytree(shop.model, folder)
        (folder / name).write_bytes((shop.model / name).read_bytes()[:100])
        with pytest.raises(ContractError, match=name):
            load_champion(folder, "demand", "9")


def test_a_model_of_another_version_s_configuration_is_told_in_one_sentence(shop, tmp_path):
    from invopt.errors import ContractError
    from serving.answers.loaded_model import load_champion

    folder = tmp_path / "model"
    shutil.copytree(shop.model, folder)
    training = json.loads((folder / "training.json").read_text())
    training["config"]["evaluation"]["folds"] = 3
    (folder / "training.json").write_text(json.dumps(training))
    with pytest.raises(ContractError, match=r"1 .*evaluation\.folds.*Train again"):
        load_champion(folder, "demand", "9")


def test_what_a_caller_assumed_is_remembered_for_nobody_and_not_ignored(shop, parts, tmp_path):
    from serving.answers.decider import Decider
    from serving.stores.online_features import OnlineFeatures

    settings = Settings.of(tmp_path)
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    features = OnlineFeatures(settings, seconds=30.0)
    decider = Decider(parts[0], features)
    assumed = {"features": {"sales": [40.0] * 60}}
    [whole] = ask(decider, "p0_s0")
    [alone] = ask(decider, instance("p0_s0", **assumed))
    assert sum(alone["mean"]) != sum(whole["mean"])
    ask(decider, instance("p1_s1", **assumed))
    with closing(sqlite3.connect(settings.feature_store / "online.db")) as other:
        other.execute("DROP TABLE invopt_series_window")
        other.commit()
    # what others assumed of p0_s0 is not what is known of it, and nothing at all is of p1_s1
    found, refused, unknown = ask(decider, "p0_s0", instance("p0_s0", **assumed), "p1_s1")
    np.testing.assert_array_equal(found["mean"], whole["mean"])
    assert refused["code"] == "unavailable"
    assert unknown["code"] == "unavailable"
    features.close()


def with_own_store(shop, folder):
    """Return features of a copy of the shop's store, to be written to."""
    from serving.stores.online_features import OnlineFeatures

    settings = Settings.of(folder)
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    return OnlineFeatures(settings, seconds=30.0)


def counted_plans(monkeypatch):
    """Return a list that grows by the rows of every planning."""
    import serving.answers.decider as module

    rows, plan_rows = [], module.plan_rows

    def counting(sheet, at, *given, **named):
        rows.extend(at)
        return plan_rows(sheet, at, *given, **named)

    monkeypatch.setattr(module, "plan_rows", counting)
    return rows


ASKED: list = [
    ["p0_s0"],
    ["p2_s3", "p0_s0", "p2_s3", "nobody"],
    ["p1_s1", {"unique_id": "p0_s0", "what_if": {"lead_time": 4}}],
    [{"unique_id": "p0_s0", "what_if": {"price": 3.0, "promotion": {"promotion": [1, 1]}}}],
    [{"unique_id": "p0_s0", "position": {"on_hand": 3, "arrivals": [0, 2]}}, "p0_s0"],
    [{"unique_id": "p0_s0", "explain": True}],
    [f"p{p}_s{s}" for p in range(3) for s in range(4)] * 9,
]


@pytest.mark.parametrize(
    "inventory",
    [
        {}, {"policy": "order_up_to", "lost_sales": False}, {"policy": "lost_sales"},
        {"lead_time": 0, "review_period": 1}, {"order_smoothing": 0.5},
    ],
)  # fmt: skip
def test_answers_given_again_are_those_worked_out_anew_to_the_byte(shop, parts, inventory):
    from serving.answers.decider import Ask, Decider
    from serving.endpoint.protocols import instances_of, v1_answer, v2_arrays

    champion, features = parts
    own = champion.config.inventory.model_dump() | inventory
    config = champion.config.model_copy(
        update={"inventory": type(champion.config.inventory).model_validate(own)}
    )
    champion = replace(champion, config=config)
    clock = lambda: shop.known_at.timestamp() + 5000.5  # noqa: E731
    decider = Decider(champion, features, clock=clock)
    for _ in range(2):
        for asked in ASKED:
            instances = instances_of({"instances": asked})
            ours = decider.answer(Ask(instances))
            anew = Decider(champion, features, clock=clock).answer(Ask(instances))
            assert v1_answer(ours) == v1_answer(anew)
            horizon = decider.model.horizon
            tensors, others = v2_arrays(ours, horizon), v2_arrays(anew, horizon)
            for name, values in tensors.items():
                np.testing.assert_array_equal(values, others[name])


def test_the_same_is_worked_out_once_until_rows_model_or_day_are_others(
    shop, parts, tmp_path, monkeypatch
):
    from serving.answers.decider import Decider
    from serving.stores.materialise import write_rows

    features, now = with_own_store(shop, tmp_path), [shop.known_at.timestamp() + 100.0]
    decider, planned = Decider(parts[0], features, clock=lambda: now[0]), counted_plans(monkeypatch)

    def worked_out(*names):
        planned.clear()
        found = ask(decider, *names)
        return len(planned), found

    assert worked_out("p0_s0", "p1_s1")[0] == 2
    now[0] += 60
    number, [first, _, other] = worked_out("p0_s0", "p1_s1", "p2_s3")
    assert (number, first["feature_age_s"], other["feature_age_s"]) == (1, 160.0, 160.0)

    stock = {"on_hand": [99.0], "on_order": [0.0], "backorders": [0.0], "arrivals": [np.zeros(1)]}
    write_rows(features.store, "stock_position", ["p0_s0"], stock,
               [shop.known_at.to_pydatetime()])  # fmt: skip
    number, [first, _] = worked_out("p0_s0", "p1_s1")
    assert (number, first["on_hand"]) == (1, 99.0)

    assert worked_out(instance("p1_s1", position={"on_hand": 1}))[0] == 1
    assert worked_out("p1_s1")[0] == 1  # what a caller said of it was not the store's
    assert worked_out("p1_s1")[0] == 0

    decider.take(parts[0])
    assert worked_out("p1_s1")[0] == 1
    now[0] += 3 * DAY
    number, [stale] = worked_out("p1_s1")
    assert (number, stale["degraded"]["step"]) == (1, "stale")
    assert worked_out("p1_s1")[0] == 0
    features.reload()
    assert worked_out("p1_s1")[0] == 1
    features.close()


def test_what_no_model_answered_is_not_answered_again(shop, parts, monkeypatch):
    from serving.answers.decider import Decider

    broken = replace(parts[0], network=BrokenNetwork(parts[0].network))
    decider, planned = Decider(broken, parts[1]), counted_plans(monkeypatch)
    for _ in range(2):
        assert ask(decider, "p0_s0")[0]["degraded"]["step"] == "last_forecast"
    assert len(planned) == 2


def test_what_is_answered_again_is_logged_as_what_was_worked_out(shop, parts, tmp_path):
    from serving.answers.decider import Decider
    from serving.stores.prediction_log import PredictionLog, read_predictions

    now, log = [shop.known_at.timestamp() + 100.0], PredictionLog(tmp_path)
    decider = Decider(*parts, clock=lambda: now[0], log=log)
    decider.decide([instance("p0_s0"), instance("p2_s3")], "first")
    decider.decide([instance("p1_s1")], "other")
    now[0] += 7.5
    decider.decide([instance("p2_s3"), instance("p1_s1"), instance("p0_s0")], "again")
    log.close()
    rows = read_predictions(tmp_path).to_pylist()
    first = {r["unique_id"]: r for r in rows[:3]}
    assert [(r["request_id"], r["unique_id"]) for r in rows[3:]] == [
        ("again", "p2_s3"), ("again", "p1_s1"), ("again", "p0_s0"),
    ]  # fmt: skip
    for row in rows[3:]:
        same = {"request_id": row["request_id"], "feature_age_s": 107.5}
        assert row == first[row["unique_id"]] | same | {"served_at": row["served_at"]}
        assert (row["served_at"] - first[row["unique_id"]]["served_at"]).total_seconds() == 7.5


def test_groups_are_read_at_once_and_what_stands_there_as_it_stood_is_kept(shop, tmp_path):
    from serving.stores.materialise import write_rows
    from serving.stores.online_features import OnlineFeatures

    settings, now = Settings.of(tmp_path), [0.0]
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    features = OnlineFeatures(settings, seconds=30.0, clock=lambda: now[0])
    versions = [features.groups_version(w) for w in features.read(["p0_s0"])]
    versions += [features.groups_version(w) for w in features.read(["p1_s1", "p2_s3"])]
    now[0] += 100
    versions += [features.groups_version(w) for w in features.read(["p0_s0"])]
    versions.append(features.known_groups_version())
    assert versions == [1, 1, 1, 1]

    found = features.group_rows(features.read(["p0_s0"])[0])
    row = {name: [values[0]] for name, values in found.items() if name != "group_id"}
    periods = features._groups[found["group_id"][0]][1]["periods"]
    write_rows(features.store, "group_window", [found["group_id"][0]],
               row | {"periods": [periods]}, [shop.known_at.to_pydatetime()])  # fmt: skip
    assert features.known_groups_version() == 1  # a minute is not over
    now[0] += 100
    assert features.known_groups_version() == 2
    features.close()


def overridden_decider(shop, parts, folder, overrides):
    """A decider beside a review whose planners said something."""
    from serving.answers.decider import Decider
    from serving.stores.online_features import OnlineFeatures
    from serving.stores.overrides import write_overrides

    settings = Settings.of(folder / "workspace")
    shutil.copytree(shop.settings.feature_store, settings.feature_store)
    forecast, found = folder / "forecast", shop.forecaster.predict(shop.panel)
    forecast.mkdir()
    arrays = {n: getattr(found, n) for n in ("mean", "smooth_quantiles", "smooth_levels")}
    np.savez(forecast / "part-0000.npz", **arrays)
    head = {"quantile_levels": found.quantile_levels, "level_quantiles": found.level_quantiles}
    (forecast / "forecast.json").write_text(json.dumps(head | {"is_count": True}))
    number = write_overrides(
        settings.feature_store, [shop.panel], forecast, overrides, shop.known_at
    )
    features = OnlineFeatures(settings, seconds=30.0)
    return Decider(parts[0], features, clock=lambda: shop.known_at.timestamp()), number


def said(**line):
    usual = {"unique_id": "p0_s0", "kind": "factor", "value": 3.0, "who": "anna", "why": "fair"}
    return pd.DataFrame([usual | line])


def test_an_answer_shows_the_override_it_is_planned_by_and_the_forecast_beside_it(
    shop, parts, decider, tmp_path
):
    own, number = overridden_decider(shop, parts, tmp_path, said())
    plain, other = ask(decider, "p0_s0", "p2_s3")
    found, untouched = ask(own, "p0_s0", "p2_s3")
    assert number == 1
    assert found["override"]["said"] == "demand times 3 by anna: fair"
    np.testing.assert_allclose(found["override"]["mean"], 3 * plain["mean"], rtol=1e-4)
    np.testing.assert_array_equal(found["mean"], plain["mean"])
    assert found["expected_demand"] == pytest.approx(3 * plain["expected_demand"], rel=1e-4)
    assert found["order_quantity"] > plain["order_quantity"]
    assert "overridden" in found["exception"]
    assert found["reason"].endswith("demand times 3 by anna: fair")
    assert Decision.model_validate(json.loads(json.dumps(found, default=list))).override is not None
    assert untouched["override"] is None
    assert untouched["order_quantity"] == other["order_quantity"]


def test_an_order_that_a_planner_set_is_the_order_of_the_answer(shop, parts, tmp_path):
    own, _ = overridden_decider(shop, parts, tmp_path, said(kind="order", value=41.0))
    [found] = ask(own, "p0_s0")
    assert (found["order_quantity"], found["override"]["order"]) == (41.0, 41.0)
    assert "order set to 41 by anna: fair" in found["reason"]


def test_an_override_moves_with_the_sales_that_were_pushed_since():
    from serving.stores.overrides import Overrides, Said

    mean = np.array([np.nan, 5.0, 6.0], np.float32)
    overrides = Overrides(0.0, {"a": Said(mean, 9.0, "why")})
    assert overrides.of("a", 0.0, "D").order == 9.0
    later = overrides.of("a", DAY, "D")
    np.testing.assert_array_equal(later.mean, np.array([5.0, 6.0, np.nan], np.float32))
    assert np.isnan(later.order)
    assert overrides.of("a", 3 * DAY, "D") is None  # its days are over
    assert overrides.of("a", -DAY, "D") is None
    assert overrides.of("b", 0.0, "D") is None


@pytest.mark.parametrize("horizon", [2, 4, 6])
def test_an_override_of_another_horizon_counts_where_both_reach(horizon):
    from invopt.forecasts import ForecastArrays
    from serving.answers.plans import _planned
    from serving.stores.overrides import Said

    forecast = ForecastArrays(
        np.ones((1, horizon), np.float32), np.ones((1, horizon, 1), np.float32),
        np.cumsum(np.ones((1, horizon, 1), np.float32), axis=1), (0.5,), (0.5,), is_count=False,
    )  # fmt: skip
    said = Said(np.array([np.nan, 7, 8, np.nan], np.float32), np.nan, "why")
    expected = [1, 7, 8, 1, 1, 1][:horizon]
    assert _planned(forecast, [said], is_count=False).mean.tolist() == [expected]


def test_overrides_that_cannot_be_read_leave_the_forecast_as_it_is(tmp_path, caplog):
    from serving.stores.overrides import FILE, read_overrides

    assert read_overrides(tmp_path).by_series == {}
    (tmp_path / FILE).write_bytes(b"PK damaged")
    assert read_overrides(tmp_path).by_series == {}
    assert "answers know no override" in caplog.text


def test_a_product_whose_terms_cannot_be_is_answered_with_its_sentence(parts, decider):
    from serving.answers.plans import plan_rows
    from serving.answers.scenarios import scenarios_of

    model = decider.model
    instances = [instance("p0_s0"), instance("p2_s3")]
    found = model.features.read(["p0_s0", "p2_s3"])
    [scenario], _ = scenarios_of(
        dict(enumerate(instances)), found, model.layout, model.horizon, 0.0
    )
    scenario.windows.rows["data_fault"] = ["pack_size is 0, and must be above 0", ""]
    sheet, _ = model.sheet(scenario, 0, 0.0)
    config = parts[0].config.inventory
    bad, good = plan_rows(sheet, [0, 1], [None, None], config, is_count=True)
    assert (bad["order_quantity"], bad["exception"].split(";")[0], bad["reason_code"]) == (
        None, "data_fault", "data_fault"
    )  # fmt: skip
    assert bad["reason"] == "nothing can be ordered: pack_size is 0, and must be above 0"
    assert good["order_quantity"] is not None
