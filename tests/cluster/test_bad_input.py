"""The deploy step and `invopt rollback` whole: what fails is told, and production stays."""

import json
import os
import signal
import socket

import pandas as pd
import pytest

from invopt.deployment_config import DeploymentConfig
from invopt.errors import InvalidInputError
from pipelines.cli import main
from serving.deployment import Deployment
from serving.loop import release
from serving.loop.served import served_champion
from serving.stores.registry import Registry
from tests.builders import make_config
from tests.cluster.kserve_world import NAME, PLURAL, Forecasters, KServe, version_of

pytestmark = pytest.mark.slow

MODEL = "demo"
SERIES = [f"s{n}" for n in range(12)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A workspace with two registered versions, the first one champion."""
    workspace = tmp_path_factory.mktemp("shop")
    registry, model = Deployment.of(workspace).registry, workspace / "made"
    model.mkdir()
    for weights in ("first", "second"):
        (model / "model.onnx").write_text(weights)
        registry.register(MODEL, str(model), [], {"snapshot": "s"}, lambda _: None)
    registry.make_champion(MODEL, "1")
    table = workspace / "feature_store" / "series_window"
    table.mkdir(parents=True)
    pd.DataFrame({"unique_id": SERIES}).to_parquet(table / "2024-01-01.parquet")
    return workspace


@pytest.fixture
def registry(shop):
    return Deployment.of(shop).registry


@pytest.fixture
def world(kubernetes, as_account, cluster_names, shop, registry, monkeypatch):
    """Production with version 1 at work, and the deploy step's account and environment."""
    as_account("invopt-deployer")
    monkeypatch.setenv("INVOPT_WORKSPACE", str(shop))
    monkeypatch.setenv("INVOPT_DEPLOYER", "inferenceservice")
    monkeypatch.setattr("serving.cluster.inference_service._SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("serving.cluster.inference_service._POLL_SECONDS", 0.05)
    pods = Forecasters()
    kserve = KServe(kubernetes, pods)
    kserve.install("1", registry.model_source(MODEL, "1"))
    yield kserve
    pods.close()
    registry.make_champion(MODEL, "1")


def deploy(folder, version="2", **limits):
    limits = {"service": NAME, "ready_minutes": 0.01} | limits
    config = make_config(deployment=DeploymentConfig(**limits).model_dump(mode="json"))
    config = config.model_copy(update={"name": MODEL})
    return release.deploy(
        Deployment.from_environment(),
        config,
        version,
        str(folder / "deployment.json"),
        lambda _: None,
    )


def unreachable(kserve):
    kserve.api.close()


def definition_missing(kserve):
    kserve.api.kinds.clear()


def quota_exceeded(kserve):
    kserve.never_ready.add("2")
    kserve.api.events = [
        {
            "type": "Warning",
            "reason": "FailedCreate",
            "message": "exceeded quota: compute, requested: cpu=2, limited: cpu=1",
            "involvedObject": {"kind": "ReplicaSet", "name": f"{NAME}-v2-predictor-5d4"},
        }
    ]


def image_cannot_be_pulled(kserve):
    kserve.never_ready.add("2")
    kserve.waiting["2"] = {"reason": "ImagePullBackOff", "message": "manifest unknown"}


def never_ready(kserve):
    kserve.never_ready.add("2")


def wrong_keys(kserve):
    kserve.never_ready.add("2")
    kserve.failure = {"reason": "ModelLoadFailed", "message": "InvalidAccessKeyId: no such key"}


def keys_forbidden(kserve):
    kserve.never_ready.add("2")
    kserve.failure = {"reason": "ModelLoadFailed", "message": "S3 error [403]: Forbidden"}


def old_kserve(kserve):
    kserve.knows = False


@pytest.mark.parametrize(
    ("spoil", "reason", "step"),
    [
        (unreachable, "cannot be reached", "Check the address"),
        (definition_missing, "does not know this kind", "Install its operator"),
        (quota_exceeded, "exceeded quota: compute", "Free or add capacity"),
        (image_cannot_be_pulled, "ImagePullBackOff: manifest unknown", "Push the image"),
        (never_ready, "Ready is False|not reached", "Look at the pods' logs"),
        (wrong_keys, "InvalidAccessKeyId", "Correct the keys"),
        (keys_forbidden, "Forbidden", "Correct the keys"),
        (old_kserve, r"dropped spec\.canary", "Upgrade KServe"),
    ],
)
def test_a_deployment_that_fails_says_why_and_what_next_and_changes_nothing(
    world, registry, tmp_path, spoil, reason, step
):
    before = world.spec()
    spoil(world)
    with pytest.raises(InvalidInputError, match=reason) as caught:
        deploy(tmp_path)
    assert step in str(caught.value)
    assert "\n" not in str(caught.value)
    assert world.spec() == before
    assert registry.champion_version(MODEL) == "1"
    assert not (tmp_path / "deployment.json").exists()


def test_a_terminated_deploy_step_takes_its_canary_back(world, tmp_path):
    before = world.spec()
    world.never_ready.add("2")

    def terminate(verb, plural, body):
        if verb == "get" and "canary" in world.spec():
            world.api.refuse = lambda *_: None
            os.kill(os.getpid(), signal.SIGTERM)

    world.api.refuse = terminate
    with pytest.raises(InvalidInputError, match="The service has 1 as before"):
        deploy(tmp_path, ready_minutes=1)
    assert world.spec() == before


def test_a_deployment_that_succeeds_makes_its_version_champion_and_rollback_returns_it(
    world, registry, tmp_path, capsys
):
    assert deploy(tmp_path, ready_minutes=1) == "2"
    assert (tmp_path / "deployment.json").exists()
    assert registry.champion_version(MODEL) == "2"
    assert roll_back() == 0
    told = capsys.readouterr().out
    assert "going back from 2 to 1" in told
    assert f"{NAME} serves version 1 again, and it is champion" in told
    assert version_of(world.spec()["predictor"]["model"]) == "1"
    assert registry.champion_version(MODEL) == "1"


def roll_back(*options):
    return main(["rollback", "--service", NAME, "--name", MODEL, *options])


def test_a_rollback_that_names_its_version_changes_nothing_the_second_time(
    world, registry, tmp_path, capsys
):
    deploy(tmp_path, ready_minutes=1)
    assert roll_back("--to", "1") == 0
    before = world.spec()
    assert roll_back("--to", "1") == 0
    assert f"{NAME} serves version 1 already" in capsys.readouterr().out
    assert (world.spec(), registry.champion_version(MODEL)) == (before, "1")


def test_a_rollback_takes_a_promotion_back_that_was_cut_off_where_it_names_the_version_before(
    world, registry, tmp_path
):
    deploy(tmp_path, ready_minutes=1)
    registry.make_champion(MODEL, "1")  # as if the promotion had ended before its last step
    assert roll_back("--to", "1") == 0
    assert version_of(world.spec()["predictor"]["model"]) == "1"
    assert registry.champion_version(MODEL) == "1"


def test_a_rollback_to_a_version_that_the_service_does_not_keep_changes_nothing(
    world, registry, tmp_path, capsys
):
    deploy(tmp_path, ready_minutes=1)
    before = world.spec()
    assert roll_back("--to", "7") == 1
    assert "can go back to version 1 only, which it served before; --to says 7" in (
        capsys.readouterr().err
    )
    assert (world.spec(), registry.champion_version(MODEL)) == (before, "2")


def test_a_rollback_that_was_cut_off_is_finished_by_the_next_one(
    world, registry, tmp_path, monkeypatch
):
    deploy(tmp_path, ready_minutes=1)
    with monkeypatch.context() as patch:

        def killed(*_):
            raise SystemExit(137)

        patch.setattr(Registry, "make_champion", killed)
        with pytest.raises(SystemExit):
            roll_back()
    assert version_of(world.spec()["predictor"]["model"]) == "1"
    assert registry.champion_version(MODEL) == "2"
    assert roll_back() == 0
    assert version_of(world.spec()["predictor"]["model"]) == "1"
    assert registry.champion_version(MODEL) == "1"


def test_a_deployment_that_was_cut_off_before_it_told_the_registry_is_finished_by_the_next_attempt(
    world, registry, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:

        def killed(*_):
            raise SystemExit(137)

        patch.setattr(Registry, "make_champion", killed)
        with pytest.raises(SystemExit):
            deploy(tmp_path, ready_minutes=1)
    writes = len(world.api.writes)
    assert deploy(tmp_path, ready_minutes=1) == "2"
    assert registry.champion_version(MODEL) == "2"
    assert [verb for verb, _ in world.api.writes[writes:]] == []
    assert roll_back() == 0
    assert registry.champion_version(MODEL) == "1"


def test_orders_are_refused_by_name_while_the_service_serves_another_version(
    world, as_account, registry
):
    as_account("invopt-runner")  # what every step's pod may do is enough to look
    config = make_config(deployment={"service": NAME}).model_copy(update={"name": MODEL})
    assert served_champion(Deployment.from_environment(), config).version == "1"
    registry.make_champion(MODEL, "2")
    with pytest.raises(InvalidInputError) as caught:
        served_champion(Deployment.from_environment(), config)
    assert (
        f"version 2 of {MODEL} is champion in the registry, but {NAME} serves version 1: no orders"
    ) in str(caught.value)
    assert "`invopt rollback` makes the two agree" in str(caught.value)
    as_account("invopt-deployer")
    assert roll_back() == 0
    assert served_champion(Deployment.from_environment(), config).version == "1"
    world.install("")
    with pytest.raises(InvalidInputError, match=f"{NAME} serves no version"):
        served_champion(Deployment.from_environment(), config)


@pytest.fixture
def third(shop, registry):
    """A third version, whose verdict was passed beside the champion of then."""

    def made(champion):
        model, verdict = shop / "made", shop / "verdict"
        (model / "model.onnx").write_text(f"third, beside {champion}")
        verdict.write_text(json.dumps({"decision": "promote", "champion_version": champion}))
        return registry.register(MODEL, str(model), [str(verdict)], {"snapshot": "s"}, print)

    return made


@pytest.mark.parametrize("way", ["process", "inferenceservice"])
@pytest.mark.parametrize(
    ("judged", "told"),
    [("2", "was judged beside version 2, and version 1 is champion by now"),
     ("", "was judged when there was no champion, and version 1 is champion by now")],
)  # fmt: skip
def test_a_version_that_was_judged_beside_another_champion_is_not_deployed(
    world, tmp_path, monkeypatch, registry, third, way, judged, told
):
    monkeypatch.setenv("INVOPT_DEPLOYER", way)
    version, before = third(judged), world.spec()
    with pytest.raises(InvalidInputError, match=told):
        deploy(tmp_path, version)
    assert (registry.champion_version(MODEL), world.spec()) == ("1", before)
    assert not (tmp_path / "deployment.json").exists()


def test_a_version_that_was_judged_beside_todays_champion_is_deployed_and_so_is_a_second_attempt(
    world, tmp_path, registry, third
):
    version = third("1")
    assert deploy(tmp_path, version, ready_minutes=1) == version
    assert deploy(tmp_path, version, ready_minutes=1) == version


def test_of_two_local_promotions_the_second_finds_the_champion_of_the_first(registry):
    registry.promote(MODEL, "2", "1")
    with pytest.raises(InvalidInputError, match="judged beside version 4, and version 2 is"):
        registry.promote(MODEL, "1", "4")
    assert registry.champion_version(MODEL) == "2"
    registry.promote(MODEL, "1", None)


def test_a_promotion_that_another_one_overtook_leaves_registry_and_endpoint_in_agreement(
    world, tmp_path, monkeypatch, registry
):
    real = Registry.make_champion
    overtaken = []

    def overtakes(own, name, version):
        # Between this promotion's look at the service and its word to the registry another
        # promotion changes the service and tells the registry too.
        if not overtaken:
            overtaken.append(version)
            world.install("1", registry.model_source(MODEL, "1"))
            real(own, name, "1")
        real(own, name, version)

    monkeypatch.setattr(Registry, "make_champion", overtakes)
    assert deploy(tmp_path, ready_minutes=1) == "1"
    assert overtaken == ["2"]
    assert registry.champion_version(MODEL) == "1"
    assert version_of(world.spec()["predictor"]["model"]) == "1"


def test_a_rollback_with_another_registry_changes_nothing(world, tmp_path, monkeypatch, capsys):
    deploy(tmp_path, ready_minutes=1)
    before = world.spec()
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
        assert roll_back() == 1
    assert "knows no model demo: a rollback moves registry and endpoint" in capsys.readouterr().err
    assert world.spec() == before


def test_a_rollback_whose_registry_does_not_answer_says_so_and_changes_nothing(
    world, monkeypatch, capsys
):
    before = world.spec()
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        assert roll_back() == 1
    told = capsys.readouterr().err
    assert "the registry http://127.0.0.1:9 does not answer: " in told
    assert "Nothing was changed. Name the service's own registry: `kubectl port-forward" in told
    assert "defect" not in told
    assert world.spec() == before


def test_a_rollback_whose_registry_takes_the_call_and_says_nothing_gives_up_and_changes_nothing(
    world, monkeypatch, capsys
):
    before = world.spec()
    with socket.create_server(("127.0.0.1", 0)) as silent, monkeypatch.context() as patch:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        patch.setenv("MLFLOW_TRACKING_URI", address)
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        assert roll_back() == 1
    told = capsys.readouterr().err
    assert f"the registry {address} does not answer: " in told
    assert "Read timed out. (read timeout=1)" in told
    assert "Nothing was changed. Name the service's own registry: `kubectl port-forward" in told
    assert world.spec() == before


def test_a_workspace_goes_back_to_the_champion_before_and_forward_again(shop, registry, capsys):
    command = ["rollback", "--workspace", str(shop)]
    registry.make_champion(MODEL, "2")
    assert main(command) == 0
    assert registry.champion_version(MODEL) == "1"
    assert "going back from 2 to 1" in capsys.readouterr().out
    assert main(command) == 0
    assert registry.champion_version(MODEL) == "2"
    assert main([*command, "--to", "1"]) == 0
    assert main([*command, "--to", "1"]) == 0
    assert "version 1 is champion already" in capsys.readouterr().out
    assert registry.champion_version(MODEL) == "1"


def test_a_workspace_does_not_go_to_a_version_that_is_unknown_or_was_kept_out(
    shop, registry, capsys
):
    command = ["rollback", "--workspace", str(shop), "--to"]
    assert main([*command, "99"]) == 1
    assert f"no version 99 of {MODEL}" in capsys.readouterr().err
    model = shop / "made"
    (model / "model.onnx").write_text("kept out")
    rejected = registry.register(
        MODEL, str(model), [], {"snapshot": "s", "standing": "rejected"}, print
    )
    assert main([*command, rejected]) == 1
    assert f"the gate kept version {rejected} of {MODEL} out" in capsys.readouterr().err
    assert registry.champion_version(MODEL) == "1"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda _: None, "keeps nothing to go back to"),
        (unreachable, "cannot be reached"),
        (definition_missing, "does not know this kind"),
        (lambda kserve: kserve.api.objects.pop((PLURAL, NAME)), "Apply the overlay first"),
    ],
)
def test_rollback_that_cannot_be_ends_with_one_sentence_and_status_1(world, capsys, spoil, reason):
    spoil(world)
    assert roll_back() == 1
    told = capsys.readouterr().err.strip()
    assert reason in told
    assert "\n" not in told
