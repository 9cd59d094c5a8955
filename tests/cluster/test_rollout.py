import pytest

from invopt.deployment_config import DeploymentConfig
from invopt.errors import InvalidInputError
from serving.cluster.inference_service import (
    PREVIOUS,
    STOP,
    InferenceService,
    Release,
    kept_release,
    promoted,
    served_release,
    stable_address,
    with_canary,
)
from serving.cluster.kubernetes import ClusterError, connect, last_line
from serving.cluster.rollout import Rollout, return_to_previous
from serving.settings import ClusterSettings
from tests.cluster.clock import Clock
from tests.cluster.kserve_world import NAME, PLURAL, Forecasters, KServe, version_of

pytestmark = pytest.mark.slow

SERIES = [f"s{n}" for n in range(40)]
MODES = ("Standard", "Knative")
RELEASE = Release("2", "s3://invopt/models/x/2/model")


@pytest.fixture
def pods(cluster_names):
    servers = Forecasters()
    yield servers
    servers.close()


@pytest.fixture
def service(kubernetes, as_account):
    as_account("invopt-deployer")
    clock = Clock()
    cluster = connect(ClusterSettings.from_environment({}))
    return InferenceService(cluster, NAME, lambda _: None, clock, clock.sleep)


def roll_out(service, **limits):
    return Rollout(service, RELEASE, DeploymentConfig(**limits), SERIES).run()


@pytest.mark.parametrize("mode", MODES)
def test_a_good_version_is_canary_first_and_then_takes_all_traffic(kubernetes, pods, service, mode):
    kserve = KServe(kubernetes, pods, mode)
    kserve.install("1")
    evidence = roll_out(service)
    canary, final = (item["spec"] for verb, item in kubernetes.writes if verb == "patch")
    assert canary != final
    assert version_of(kserve.spec()["predictor"]["model"]) == "2"
    assert "canary" not in kserve.spec()
    assert "canaryTrafficPercent" not in kserve.spec()["predictor"]
    assert [s["step"] for s in evidence["steps"]] == ["found", "canary", "canary", "promoted"]
    assert evidence["previous"]["predictor"]["model"]["storageUri"].endswith("/1/model")
    assert evidence["steps"][2]["comparison"]["prediction_shift"] == 0.0


def test_promotion_keeps_name_and_address_of_the_predictor(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    address = stable_address(service.read())
    roll_out(service)
    assert kubernetes.writes[0][1]["spec"]["canary"] == [
        {
            "trafficPercent": 10,
            "predictor": {
                "name": "v2",
                "minReplicas": 1,
                "model": kserve.spec()["predictor"]["model"] | {"name": ""},
            },
        }
    ]
    assert "name" not in kserve.spec()["predictor"]
    assert stable_address(service.read()) == address


@pytest.mark.parametrize("mode", MODES)
def test_a_status_still_of_the_spec_before_is_not_taken_for_the_new_one_s(
    kubernetes, pods, service, mode
):
    kserve = KServe(kubernetes, pods, mode)
    kserve.install("1")
    kserve.late = 2
    evidence = roll_out(service)
    assert [s["step"] for s in evidence["steps"]] == ["found", "canary", "canary", "promoted"]
    assert return_to_previous(service, DeploymentConfig()) == "1"


def test_pods_that_wait_for_a_first_model_do_not_end_its_rollout(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.waiting[""] = {"reason": "CrashLoopBackOff", "message": "no model"}
    kserve.install()
    kserve.late = 2
    assert roll_out(service)["version"] == "2"


@pytest.mark.parametrize("percent", [0, 10])
def test_what_the_failed_version_leaves_does_not_hinder_the_way_back(
    kubernetes, pods, service, percent
):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.late = 2
    kserve.never_ready.add("2")
    kserve.waiting["2"] = {"reason": "ImagePullBackOff", "message": "manifest unknown"}
    kserve.failure = {"reason": "ModelLoadFailed", "message": "manifest unknown"}
    before = kserve.spec()
    with pytest.raises(InvalidInputError, match="manifest unknown") as caught:
        roll_out(service, canary_percent=percent)
    assert "The service has 1 as before." in str(caught.value)
    assert kserve.spec() == before


def test_a_model_that_fails_to_load_is_told_from_the_status_at_once(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    kserve.failure = {"reason": "ModelLoadFailed", "message": "no such key"}
    with pytest.raises(InvalidInputError, match="ModelLoadFailed: no such key"):
        roll_out(service, canary_percent=0)
    assert service.clock() < 60


# As KServe 0.20 tells it: the end of the container's log, its line ends included.
SAID = """warning: slow disk
serve: Model.model.onnx must be readable: [ONNXRuntimeError] : 7 : INVALID_PROTOBUF : failed.
"""


def test_what_a_pod_said_last_is_told_within_one_line(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    kserve.failure = {"reason": "ModelLoadFailed", "message": SAID}
    with pytest.raises(InvalidInputError) as caught:
        roll_out(service, canary_percent=0)
    assert str(caught.value) == (
        "readiness failed: ModelLoadFailed: serve: Model.model.onnx must be readable: "
        "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : failed. Look at the pods' logs. "
        "The service has 1 as before."
    )


def test_long_last_words_are_cut_where_a_word_begins_and_that_is_seen():
    assert last_line(f"{'word ' * 100}and the end.\n") == f"… {'word ' * 57}and the end"
    assert last_line("") == ""


def test_what_the_cluster_says_in_several_lines_is_one_sentence():
    assert str(ClusterError("promoting failed: no\n  room\n. Add some.")) == (
        "promoting failed: no room . Add some."
    )


def test_a_canary_that_a_terminated_rollout_left_goes_with_the_next_one(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    before = service.read()
    service.replace_spec(before, with_canary(before, Release("0", "s3://old"), 10))
    pods.broken.add("2")
    with pytest.raises(InvalidInputError, match="error share"):
        roll_out(service)
    assert kserve.spec() == before["spec"]


@pytest.mark.parametrize("mode", MODES)
def test_a_version_rolled_out_twice_changes_nothing_the_second_time(
    kubernetes, pods, service, mode
):
    kserve = KServe(kubernetes, pods, mode)
    kserve.install("1")
    roll_out(service)
    once, number = service.read(), len(kubernetes.writes)
    evidence = roll_out(service)
    assert service.read()["spec"] == once["spec"]
    assert kept_release(service.read()) == kept_release(once)
    changed = [verb for verb, _ in kubernetes.writes[number:] if verb == "patch"]
    assert changed == []
    assert [s["step"] for s in evidence["steps"]] == ["found", "promoted"]


def test_what_kserve_writes_meanwhile_does_not_refuse_the_patch(kubernetes, pods, service):
    KServe(kubernetes, pods).install("1")
    current = service.read()
    kubernetes.put(PLURAL, kubernetes.get(PLURAL, NAME) | {"status": {"observedGeneration": 9}})
    service.replace_spec(current, promoted(current, RELEASE), served_release(current["spec"]))
    assert version_of(kubernetes.get(PLURAL, NAME)["spec"]["predictor"]["model"]) == "2"
    assert PREVIOUS in kubernetes.get(PLURAL, NAME)["metadata"]["annotations"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda pods: pods.broken.add("2"), "error share 1 over 0"),
        (lambda pods: pods.degraded.add("2"), "degraded share 1 over 0.02"),
        (lambda pods: pods.forecasts.update({"1": 10.0, "2": 17.0}), "prediction shift 0.7"),
    ],
)
def test_a_version_that_breaks_a_limit_never_leaves_the_canary(
    kubernetes, pods, service, mode, spoil, reason
):
    kserve = KServe(kubernetes, pods, mode)
    kserve.install("1")
    before = kserve.spec()
    spoil(pods)
    with pytest.raises(InvalidInputError, match=reason) as caught:
        roll_out(service)
    assert "The service has 1 as before." in str(caught.value)
    assert kserve.spec() == before
    assert PREVIOUS not in kubernetes.get(PLURAL, NAME)["metadata"].get("annotations", {})


def test_a_canary_that_an_old_kserve_drops_is_an_error_and_changes_nothing(
    kubernetes, pods, service
):
    kserve = KServe(kubernetes, pods, knows_canaries=False)
    kserve.install("1")
    before = kserve.spec()
    with pytest.raises(InvalidInputError, match=r"KServe dropped spec\.canary.*0\.20.*Upgrade"):
        roll_out(service)
    assert kserve.spec() == before


def test_a_canary_that_knative_mode_ignores_is_an_error_and_is_taken_back(
    kubernetes, pods, service
):
    kserve = KServe(kubernetes, pods, "Knative", knows_canaries=False)
    kserve.install("1")
    before = kserve.spec()
    with pytest.raises(InvalidInputError, match="a canary of 10 % was not reached in 0.2 minutes"):
        roll_out(service, ready_minutes=0.2)
    assert kserve.spec() == before


def test_without_a_canary_the_answers_before_are_the_measure(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods, knows_canaries=False)
    kserve.install("1")
    evidence = roll_out(service, canary_percent=0)
    assert len(kubernetes.writes) == 1
    assert evidence["steps"][-1]["comparison"]["prediction_shift"] == 0.0
    pods.forecasts["3"] = 100.0
    before = kserve.spec()
    with pytest.raises(InvalidInputError, match="prediction shift"):
        Rollout(service, Release("3", "s3://x"), DeploymentConfig(canary_percent=0), SERIES).run()
    assert kserve.spec() == before


def test_a_version_judged_beside_one_that_serves_no_longer_changes_nothing(
    kubernetes, pods, service
):
    kserve = KServe(kubernetes, pods)
    kserve.install("5")
    before, third = kserve.spec(), Release("6", "s3://x/6")
    with pytest.raises(InvalidInputError, match="was judged beside version 4, and version 5 is"):
        Rollout(service, third, DeploymentConfig(), SERIES, judged="4").run()
    assert (kserve.spec(), kubernetes.writes) == (before, [])
    Rollout(service, third, DeploymentConfig(canary_percent=0), SERIES, judged="5").run()
    assert version_of(kserve.spec()["predictor"]["model"]) == "6"


def test_a_champion_that_looks_unready_for_a_moment_is_compared_with_all_the_same(
    kubernetes, pods, service
):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kubernetes.get(PLURAL, NAME)["status"]["modelStatus"] = {"transitionStatus": "InProgress"}
    kserve.looks = 3
    evidence = roll_out(service)
    assert evidence["steps"][-1]["comparison"]["prediction_shift"] == 0.0


def test_a_champion_that_is_broken_is_replaced_at_once_and_that_is_told(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.never_ready.add("1")
    kserve.install("1")
    told = []
    service.notify = told.append
    evidence = roll_out(service)
    assert [s["step"] for s in evidence["steps"]] == ["found", "promoted"]
    assert "what serves is not ready: no canary and nothing to compare with" in told


def test_a_champion_whose_update_is_stuck_is_compared_with_as_long_as_its_pods_serve(
    kubernetes, pods, service
):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    late = {"type": "Ready", "status": "False", "reason": "ProgressDeadlineExceeded"}
    kubernetes.get(PLURAL, NAME)["status"]["conditions"] = [late | {"message": "timed out"}]
    evidence = roll_out(service)
    assert [s["step"] for s in evidence["steps"]] == ["found", "canary", "canary", "promoted"]


def test_the_first_version_ever_needs_no_champion(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install()
    evidence = roll_out(service)
    assert version_of(kserve.spec()["predictor"]["model"]) == "2"
    assert evidence["steps"][-1]["comparison"]["prediction_shift"] is None


def test_pods_that_never_get_ready_bring_the_old_spec_back(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    before = kserve.spec()
    with pytest.raises(InvalidInputError, match="not reached in 0.2 minutes") as caught:
        roll_out(service, ready_minutes=0.2)
    assert "The service has 1 as before." in str(caught.value)
    assert kserve.spec() == before


def pod(reason, message):
    return {
        "metadata": {
            "name": f"{NAME}-v2-predictor-0",
            "labels": {"serving.kserve.io/inferenceservice": NAME},
        },
        "status": {
            "containerStatuses": [
                {"name": "c", "state": {"waiting": {"reason": reason, "message": message}}}
            ]
        },
    }


def test_an_image_that_cannot_be_pulled_is_named_at_once(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    kubernetes.pods.append(pod("ImagePullBackOff", "manifest unknown"))
    with pytest.raises(InvalidInputError, match="ImagePullBackOff: manifest unknown") as caught:
        roll_out(service, canary_percent=0)
    assert "Push the image" in str(caught.value)
    assert service.clock() < 60
    assert version_of(kserve.spec()["predictor"]["model"]) == "1"


def test_wrong_keys_of_the_object_store_are_told_from_the_init_container(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    broken = pod("CrashLoopBackOff", "back-off")
    broken["status"]["initContainerStatuses"] = broken["status"].pop("containerStatuses")
    broken["status"]["initContainerStatuses"][0]["lastState"] = {
        "terminated": {"message": "InvalidAccessKeyId: the key does not exist"}
    }
    kubernetes.pods.append(broken)
    with pytest.raises(InvalidInputError, match="InvalidAccessKeyId") as caught:
        roll_out(service)
    assert "secret invopt-object-store" in str(caught.value)


def test_pods_that_fit_nowhere_are_told_with_the_scheduler_s_words(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    waiting = pod("", "")
    waiting["status"] = {
        "conditions": [{"reason": "Unschedulable", "message": "0/3 nodes: insufficient cpu"}]
    }
    kubernetes.pods.append(waiting)
    with pytest.raises(InvalidInputError, match="0/3 nodes: insufficient cpu"):
        roll_out(service, ready_minutes=0.2)


def warning(kind, name, reason, message, at="2026-01-01T00:00:00Z"):
    return {
        "metadata": {"name": reason.lower()},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "involvedObject": {"kind": kind, "name": name},
    }


def never_ready(service):
    with pytest.raises(InvalidInputError) as caught:
        roll_out(service, ready_minutes=0.2, canary_percent=0)
    return str(caught.value)


def test_a_condition_is_told_and_what_warns_beside_it_is_not(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    route = {"type": "HttpRouteReady", "status": "False", "reason": "HttpRouteNotReady"}
    kserve.conditions = [route | {"message": "no gateway accepts it"}]
    kubernetes.events = [
        warning("HorizontalPodAutoscaler", f"{NAME}-predictor", "FailedGetResourceMetric", "x"),
        warning("InferenceService", NAME, "VirtualServiceCRDNotFound", "y"),
        warning("Pod", f"{NAME}-other-predictor-1", "Unhealthy", "another service's"),
        warning("Pod", "demand-forecaster2-predictor-1", "Unhealthy", "of a longer name"),
    ]
    told = never_ready(service)
    assert "HttpRouteReady is False (HttpRouteNotReady no gateway accepts it)" in told
    for word in ("FailedGetResourceMetric", "VirtualServiceCRDNotFound", "Unhealthy"):
        assert word not in told


def test_warnings_count_since_the_patch_and_of_the_wanted_version_after_the_conditions(
    kubernetes, pods, service
):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    kubernetes.now = "2026-01-01T00:10:00Z"
    old, new = f"{NAME}-predictor-aaa", f"{NAME}-predictor-bbb"
    make = kserve._pod

    def owned(version, number):
        pod = make(version, number)
        owner = {"kind": "ReplicaSet", "name": old if version == "1" else new}
        pod["metadata"]["ownerReferences"] = [owner]
        return pod

    kserve._pod = owned
    kubernetes.events = [
        warning("ReplicaSet", new, "FailedCreate", "stale", "2026-01-01T00:09:59Z"),
        warning("ReplicaSet", old, "FailedCreate", "the old one's", "2026-01-01T00:12:00Z"),
        warning("Pod", f"{old}-x1", "Unhealthy", "the old one's", "2026-01-01T00:13:00Z"),
        warning("ReplicaSet", new, "FailedCreate", "exceeded quota", "2026-01-01T00:10:00Z"),
    ]
    told = never_ready(service)
    assert told.index("Ready is False") < told.index("FailedCreate: exceeded quota")
    assert "stale" not in told
    assert "the old one's" not in told


def test_a_failure_that_the_status_tells_of_another_version_s_pod_is_not_believed(
    kubernetes, pods, service
):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    kserve.failure = {
        "reason": "ModelLoadFailed",
        "message": "of a pod before",
        "location": f"{NAME}-1-predictor-0",
    }
    told = never_ready(service)
    assert "not reached in 0.2 minutes" in told
    assert "of a pod before" not in told


def test_a_long_wait_is_told_while_it_lasts(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    kserve.never_ready.add("2")
    told = []
    service.notify = told.append
    with pytest.raises(InvalidInputError):
        roll_out(service, ready_minutes=2, canary_percent=0)
    waiting = [text for text in told if text.startswith("readiness: not yet after ")]
    assert len(waiting) in (3, 4)
    assert waiting[0].startswith("readiness: not yet after 30 s: Ready is False")


def test_a_service_that_somebody_else_changes_meanwhile_is_left_alone(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")

    def meddle(verb, plural, body):
        if verb == "patch":
            item = kubernetes.get(PLURAL, NAME)
            kubernetes.put(PLURAL, item | {"spec": item["spec"] | {"other": len(body)}})

    kubernetes.refuse = meddle
    with pytest.raises(InvalidInputError, match="Somebody else changed it"):
        roll_out(service)
    assert version_of(kserve.spec()["predictor"]["model"]) == "1"


@pytest.mark.parametrize("mode", MODES)
def test_rollback_brings_the_version_before_back_and_forward_again(kubernetes, pods, service, mode):
    kserve = KServe(kubernetes, pods, mode)
    kserve.install("1")
    roll_out(service)
    assert return_to_previous(service, DeploymentConfig()) == "1"
    assert version_of(kserve.spec()["predictor"]["model"]) == "1"
    assert return_to_previous(service, DeploymentConfig()) == "2"
    assert version_of(kserve.spec()["predictor"]["model"]) == "2"


def test_what_people_changed_since_the_promotion_stays_when_the_model_goes_back(
    kubernetes, pods, service
):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    roll_out(service)
    item = kubernetes.get(PLURAL, NAME)
    item["spec"]["predictor"] |= {"maxReplicas": 6, "scaleTarget": 80}
    kubernetes.put(PLURAL, item)
    assert return_to_previous(service, DeploymentConfig()) == "1"
    predictor = kserve.spec()["predictor"]
    assert (predictor["maxReplicas"], predictor["scaleTarget"]) == (6, 80)
    assert predictor["model"]["storageUri"] == "s3://invopt/models/x/1/model"


def test_a_failed_first_version_leaves_no_pods_and_the_next_one_starts_them(
    kubernetes, pods, service
):
    kserve = KServe(kubernetes, pods)
    kserve.install()
    kserve.never_ready.add("2")
    with pytest.raises(InvalidInputError, match="The service has no version as before"):
        roll_out(service, ready_minutes=0.1)
    item = kubernetes.get(PLURAL, NAME)
    assert item["metadata"]["annotations"][STOP] == "true"
    assert "storageUri" not in item["spec"]["predictor"]["model"]
    Rollout(service, Release("3", "s3://x/3"), DeploymentConfig(), SERIES).run()
    assert kubernetes.get(PLURAL, NAME)["metadata"]["annotations"][STOP] == "false"


def test_the_autoscaler_that_kserve_leaves_of_a_canary_goes(kubernetes, pods, service):
    KServe(kubernetes, pods).install("1")
    roll_out(service)
    assert ("horizontalpodautoscalers", f"{NAME}-v2-predictor") not in kubernetes.objects
    pods.broken.add("3")
    with pytest.raises(InvalidInputError, match="error share"):
        Rollout(service, Release("3", "s3://x/3"), DeploymentConfig(), SERIES).run()
    assert [key for key in kubernetes.objects if key[0] != PLURAL] == []


def test_a_terminated_rollout_changes_the_service_back_by_its_first_call(
    kubernetes, pods, service, monkeypatch
):
    KServe(kubernetes, pods).install("1")
    before = service.read()["spec"]
    calls = []
    monkeypatch.setattr(
        kubernetes, "refuse", lambda verb, plural, body: calls.append((verb, plural))
    )

    def terminated(*_):
        calls.clear()
        raise SystemExit(143)

    monkeypatch.setattr("serving.cluster.rollout.compare", terminated)
    with pytest.raises(InvalidInputError, match=r"step was terminated.* has 1 as before"):
        roll_out(service)
    assert calls == [("patch", PLURAL)]
    assert service.read()["spec"] == before


def test_rollback_without_a_promotion_says_that_there_is_nothing(kubernetes, pods, service):
    KServe(kubernetes, pods).install("1")
    with pytest.raises(InvalidInputError, match="keeps nothing to go back to"):
        return_to_previous(service, DeploymentConfig())


def test_a_missing_definition_and_a_missing_service_are_two_answers(kubernetes, pods, service):
    with pytest.raises(InvalidInputError, match="not found.*Apply the overlay first"):
        roll_out(service)
    kubernetes.kinds.clear()
    with pytest.raises(InvalidInputError, match="does not know this kind.*Install its operator"):
        roll_out(service)


def test_an_account_without_the_role_is_told_so(kubernetes, pods, service, as_account):
    as_account("invopt-trainer")
    cluster = connect(ClusterSettings.from_environment({}))
    with pytest.raises(InvalidInputError, match="cannot get.*Check the service account"):
        InferenceService(cluster, NAME, print).read()


def test_a_cluster_that_does_not_answer_is_told_in_one_sentence(kubernetes, service):
    kubernetes.close()
    with pytest.raises(InvalidInputError, match=r"cannot be reached \(.*refused.*\)"):
        service.read()


def test_no_cluster_at_all_says_how_to_name_one(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none")
    )
    with pytest.raises(InvalidInputError, match="no way to a cluster.*KUBECONFIG"):
        connect(ClusterSettings.from_environment({}))


def test_every_verb_the_deployer_may_use_is_used_and_no_other(kubernetes, pods, service):
    kserve = KServe(kubernetes, pods)
    kserve.install("1")
    roll_out(service)
    return_to_previous(service, DeploymentConfig())
    kserve.never_ready.add("2")
    with pytest.raises(InvalidInputError):
        roll_out(service, ready_minutes=0.1)
    assert kubernetes.denied == []
    assert kubernetes.used["invopt-deployer"] == kubernetes.allowed("invopt-deployer")
