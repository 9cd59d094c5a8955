"""`invopt why`: a name is answered by the governor's decisions and by the prediction log."""

import json
import shutil

import pytest

from invopt.model_files import write_sums
from pipelines.cli import main
from serving.api.contract import Instance
from serving.deployment import Deployment
from serving.loop.retraining import switch_retraining
from serving.loop.why import tell_why
from serving.stores.governor_store import GovernorStore
from tests.serving.conftest import NAME
from tests.serving.loop.test_retraining import decided

LISTED = [
    {"unique_id": "p0_s0", "position": {"on_hand": 2, "arrivals": [0, 7], "on_order": 9}},
    {"unique_id": "p1_s1"},
]


def told(what, settings) -> list[str]:
    lines: list[str] = []
    tell_why(Deployment.of(settings.workspace), what, lines.append)
    return lines


def test_a_date_tells_the_signal_the_reason_and_every_brake(tmp_path, settings):
    decided(tmp_path)
    switch_retraining(Deployment.of(settings.workspace), "demo", off=True, reason="stocktaking")
    decided(tmp_path, "monitoring-2", day=14)
    lines = told("2024-01-10", settings)
    text = "\n".join(lines)
    assert lines[0].startswith("monitoring-2, 2024-01-01 to 2024-01-14: alert (decided ")
    assert (
        "signal demand_shift (fires, 2 periods): value 0.2, expected 0, limit 0.05, p 0.0001: "
        "demand is over the forecast" in text
    )
    assert (
        "safeguard kill_switch: blocking; nobody may have turned retraining off: found stocktaking"
        in text
    )
    assert "safeguard budget: clear" in text


def test_a_quiet_run_says_what_was_missing(tmp_path, settings):
    decided(tmp_path, fires=False)
    lines = told("monitoring-1", settings)
    assert "no performance signal fired long enough" in lines[-1]
    # what is quiet is told with its numbers, and every safeguard with its state all the same
    assert lines[2].startswith(
        "  signal demand_shift (quiet): value 0.2, expected 0, limit 0.05, p 0.0001"
    )
    safeguards = [line.split()[1].rstrip(":") for line in lines if line.startswith("  safeguard ")]
    assert safeguards == [
        "enabled", "kill_switch", "data", "window", "idempotency", "lease", "cool_down", "new_data",
        "budget", "breaker", "gain", "money",
    ]  # fmt: skip


def test_what_changed_since_the_decision_before_is_told(tmp_path, settings):
    decided(tmp_path, fires=False)
    decided(tmp_path, "monitoring-2", day=14)
    decided(tmp_path, "monitoring-3", day=21)
    assert "  against monitoring-1 (ignore): new demand_shift up" in told("monitoring-2", settings)
    assert told("monitoring-3", settings)[-1].endswith("the same signals fire")


def test_a_series_is_told_by_its_last_plan_and_what_changed_in_it(settings):
    folder = settings.workspace / "orders" / "demo"
    folder.mkdir(parents=True)
    head = "unique_id,order_quantity,order_value,arrival_date,on_hand,exception,reason\n"
    (folder / "2024-01-07.csv").write_text(head + "a,5,10.0,2024-01-10,3,,because\n")
    (folder / "2024-01-14.csv").write_text(
        head + "b,1,1.0,2024-01-17,1,,other\na,9,18.0,2024-01-17,0,stockout_now,position 0\n"
    )
    lines = told("a", settings)
    assert lines[0] == (
        "a in the plan of demo, review of 2024-01-14: order 9 (worth 18.0), to arrive 2024-01-17"
    )
    assert lines[1] == "  because position 0"
    assert any(line.startswith("  exception stockout_now: the shelf is empty") for line in lines)
    assert lines[-1] == (
        "  against the review of 2024-01-07: order quantity 5 to 9; on hand 3 to 0; "
        "exception unknown to stockout_now"
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",,2024-01-17,3", "no order can be said"),
        ("0,0.0,2024-01-17,3", "order 0 (worth 0.0), to arrive 2024-01-17"),
        ("9,,,3", "order 9"),
    ],
)
def test_a_series_is_told_by_what_its_plan_knows_and_no_more(settings, row, said):
    folder = settings.workspace / "orders" / "demo"
    folder.mkdir(parents=True)
    head = "unique_id,order_quantity,order_value,arrival_date,on_hand\n"
    (folder / "2024-01-07.csv").write_text(f"{head}a,{row}\n")
    assert told("a", settings)[0] == f"a in the plan of demo, review of 2024-01-07: {said}"


def test_who_only_asks_leaves_no_store_in_an_empty_folder(tmp_path, capsys):
    folder = tmp_path / "empty"
    folder.mkdir()
    assert main(["why", "a", "--workspace", str(folder)]) == 1
    assert '"a" is not known' in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_a_planned_series_is_told_what_plans_do_to_all_of_them(shop, settings, tmp_path):
    effects = [
        {"name": "promotion + price 20% lower", "without": "none planned", "units": 1.667,
         "share": 0.38, "low": 0.301, "high": 0.449},
        {"name": "Monday", "without": "an average day", "units": -0.001, "share": -0.004,
         "low": -0.01, "high": 0.01},
    ]  # fmt: skip
    explanation = tmp_path / "explanation"
    explanation.write_text(json.dumps({"effects": effects}))
    registry = Deployment.of(settings.workspace).registry
    version = registry.register(NAME, str(shop.model), [str(explanation)], {}, lambda _: None)
    folder = settings.workspace / "orders" / NAME
    folder.mkdir(parents=True)
    (folder / "2024-01-14.csv").write_text(
        f"unique_id,order_quantity,reason,model_version\na,9,because,{NAME}-{version}\n"
        f"b,9,because,{NAME}-77\n"
    )
    assert told("a", settings)[-2:] == [
        f"  what all series share, by {NAME}-{version} (the same series forecast with and "
        "without):",
        "    promotion + price 20% lower: +38%, +1.67 units a period (against none planned; eight "
        "of ten series +30% to +45%)",
    ]
    assert not any("share" in line for line in told("b", settings))


def test_a_name_that_nothing_bears_is_told_all_three_kinds(tmp_path, settings, capsys):
    decided(tmp_path)
    workspace = ["--workspace", str(settings.workspace)]
    # between two days as text, and no day: "2024-01-02x" is nobody's date
    for what in ("1999-01-01", "2024-01-02x"):
        assert main(["why", what, *workspace]) == 1
        error = capsys.readouterr().err
        assert f'"{what}" is not known' in error
        for kind in ("run (latest: monitoring-1)", "YYYY-MM-DD", str(settings.prediction_log)):
            assert kind in error


def test_a_run_that_ended_before_its_decision_is_not_called_unknown(tmp_path, settings, capsys):
    decided(tmp_path)
    log = settings.workspace / "runs" / "monitoring-9" / "run.log"
    log.parent.mkdir(parents=True)
    log.write_text("")
    assert main(["why", "monitoring-9", "--workspace", str(settings.workspace)]) == 1
    error = capsys.readouterr().err
    assert "run monitoring-9 has decided nothing: it is still under way, was ended" in error
    assert str(log) in error


@pytest.fixture
def served(shop, settings):
    """Register the model, answer a request with it, and return the log's request id."""
    from serving.answers.loaded_model import load_champion

    registry = Deployment.of(settings.workspace).registry
    version = registry.register(NAME, str(shop.model), [], {}, lambda _: None)
    answer(shop, settings, load_champion(registry.version_path(NAME, version), NAME, version))
    return "r7"


def answer(shop, settings, champion, request_id="r7"):
    from serving.answers.decider import Decider
    from serving.stores.online_features import OnlineFeatures
    from serving.stores.prediction_log import PredictionLog

    features = OnlineFeatures(shop.settings, seconds=30.0)
    log = PredictionLog(settings.prediction_log)
    decider = Decider(champion, features, log=log)
    decider.decide([Instance(unique_id="p2_s3")], "another")
    found = decider.decide([Instance.model_validate(one) for one in LISTED], request_id)
    log.close()
    features.close()
    return found


@pytest.mark.slow
def test_a_request_tells_what_was_asked_known_and_answered_and_comes_out_again(
    served, settings, capsys
):
    assert main(["why", served, "--workspace", str(settings.workspace)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("request r7, answered ")
    assert lines[0].endswith(": 2 decisions")
    first, second = lines[1:8], lines[8:]
    assert first[0].startswith("p0_s0: order ")
    assert "caller's own" in first[1]
    assert first[2].startswith(f"  forecast of {NAME}-1 (fresh), sales known to ")
    assert first[3] == "  stock 2 on hand, 9 on order (7 due in period 2), 0 waiting"
    assert "policy auto-" in first[4]
    assert "critical ratio" in first[4]
    assert first[5].startswith("  answered: order ")
    assert first[6] == f"  computed again by {NAME}-1: the same"
    assert second[0].startswith("p1_s1: order ")
    assert "the store's" in second[1]
    assert second[-1] == first[6]


@pytest.mark.slow
def test_a_series_is_told_by_the_last_answer_of_the_endpoint(served, settings):
    lines = told("p2_s3", settings)
    assert lines[0] == "p2_s3 was last answered by an endpoint:"
    assert lines[2].startswith("p2_s3: order ")
    assert lines[-1] == f"  computed again by {NAME}-1: the same"


@pytest.mark.slow
def test_what_comes_out_otherwise_is_named_with_both_numbers(served, settings):
    # the model takes sales for weights, not for counts: the order's demand paths hang on it
    registry = Deployment.of(settings.workspace).registry
    place = registry.version_path(NAME, "1") / "features.json"
    content = json.loads(place.read_text())
    assert content["is_count"]
    place.write_text(json.dumps(content | {"is_count": False}))
    lines = told(served, settings)
    assert [line for line in lines if "again: Model.features.json must hold what was reg" in line]
    # as if it had been registered so
    registry.client.set_model_version_tag(NAME, "1", "sha256", write_sums(place.parent))
    lines = told(served, settings)
    again = [line for line in lines if "computed again" in line]
    assert len(again) == 2
    assert any("was answered," in line and "comes out now" in line for line in again), again


@pytest.mark.slow
def test_a_request_of_a_version_that_is_gone_is_told_without_computing_it_again(
    served, shop, settings
):
    from serving.answers.loaded_model import load_champion

    answer(shop, settings, load_champion(shop.model, NAME, "9"), "of-nine")
    lines = told("of-nine", settings)
    assert [line for line in lines if f"cannot be computed again: no version 9 of {NAME}" in line]
    assert len([line for line in lines if line.startswith("  answered: order ")]) == 2


@pytest.mark.slow
def test_an_older_forecast_is_ordered_again_by_the_version_whose_policy_it_was(
    served, shop, settings, tmp_path
):
    from serving.answers.loaded_model import load_champion

    registry = Deployment.of(settings.workspace).registry
    broken = load_champion(registry.version_path(NAME, "1"), NAME, "1")
    broken.network.run = lambda _inputs: fail()
    answer(shop, settings, broken, "older")
    # a newer version, by other rules
    other = shutil.copytree(shop.model, tmp_path / "other")
    training = json.loads((other / "training.json").read_text())
    training["config"]["inventory"]["review_period"] = 2
    (other / "training.json").write_text(json.dumps(training))
    registry.register(NAME, str(other), [], {}, lambda _: None)
    lines = told("older", settings)
    assert any(f"forecast of {NAME}-0 (last_forecast)" in line for line in lines)
    assert lines[-1] == f"  computed again by {NAME}-1: the same"


def fail():
    from serving.api.failures import NetworkUnavailableError

    raise NetworkUnavailableError("the predictor is gone")


@pytest.mark.slow
def test_a_run_and_a_request_of_one_name_are_both_told(shop, tmp_path, settings):
    from serving.answers.loaded_model import load_champion

    decided(tmp_path)
    answer(shop, settings, load_champion(shop.model, NAME, "1"), "monitoring-1")
    heads = [line for line in told("monitoring-1", settings) if not line.startswith(" ")]
    assert heads[0].startswith("monitoring-1, 2024-01-01")
    assert heads[1].startswith("request monitoring-1, answered")


def test_without_a_workspace_the_environment_names_the_stores(
    tmp_path, settings, monkeypatch, capsys
):
    decided(tmp_path)
    monkeypatch.setenv("INVOPT_PREDICTION_LOG", str(tmp_path / "elsewhere"))
    assert main(["why", "monitoring-1"]) == 0
    assert capsys.readouterr().out.startswith("monitoring-1, ")
    assert main(["why", "r1"]) == 1
    assert str(tmp_path / "elsewhere") in capsys.readouterr().err
    store = GovernorStore(settings.governor_store)
    assert main(["retraining", "off", "--name", "demo", "--reason", "stocktaking"]) == 0
    assert store.memory("demo").switched_off == "stocktaking"
    store.close()
