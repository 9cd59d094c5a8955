"""What `make e2e` does without a cluster: refuse, patch, count, and tell how it ended."""

import json
import os
import runpy
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from invopt.errors import InvalidInputError
from serving.deployment import Deployment
from tests.e2e import faults, loop, rollouts, whole
from tests.e2e.audit import Right, calls_in, parts_of, rights_of, summarise
from tests.e2e.installation import Installation
from tests.e2e.kube import Kube
from tests.e2e.pipelines import Pipelines
from tests.e2e.report import OK, Report, Step, StepFailed, StepSkipped
from tests.e2e.settings import ROOT, Settings
from tests.e2e.world import World
from tests.k8s.manifests import kustomize

NS = "invopt-e2e"


@pytest.fixture
def kubeconfig(tmp_path):
    file = tmp_path / "kubeconfig"
    file.write_text("")
    return str(file)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"KUBECONFIG": ""}, "KUBECONFIG is not set"),
        ({"KUBECONFIG": "/nowhere"}, "KUBECONFIG /nowhere is not a file"),
        ({"INVOPT_IMAGE": ""}, "INVOPT_IMAGE is not set"),
        ({"INVOPT_IMAGE": "r/steps:1"}, "set INVOPT_SERVER_IMAGE"),
        ({"E2E_REQUESTS": "many"}, "E2E_REQUESTS must be a whole number above 0, got 'many'"),
    ],
)
def test_what_is_not_set_is_said_in_a_sentence(kubeconfig, more, told, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(InvalidInputError, match=told.replace("(", r"\(")):
        Settings.from_environment(
            {"KUBECONFIG": kubeconfig, "INVOPT_IMAGE": "r/invopt-job:1"} | more
        )


def test_without_kubeconfig_the_command_ends_with_one_sentence_and_status_1():
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e"], capture_output=True, text=True, cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("e2e: KUBECONFIG is not set")
    assert len(done.stderr.splitlines()) == 1


def test_the_overlay_moves_everything_into_its_namespace_with_its_images_and_volumes(tmp_path):
    # Inside the checkout: kustomize reads no absolute paths.
    out = ROOT / "build" / f"test-{tmp_path.name}"
    settings = Settings(
        tmp_path, out, "r.example/invopt-job:abc", "r.example/invopt-server:abc",
        storage_class="fast", access_mode="ReadWriteMany", s3_endpoint="http://store:9000",
    )  # fmt: skip
    place = Installation(Kube(NS, tmp_path / "log"), settings, {"kserve"}, own_namespace=True)
    try:
        place.write_overlay()
        objects = kustomize(place.folder)
    finally:
        subprocess.run(["rm", "-r", str(out)])
    assert {o["metadata"].get("namespace") for o in objects} == {NS}
    text = yaml.safe_dump_all(objects)
    assert "r.example/invopt-job:abc" in text
    assert "r.example/invopt-server:abc" in text
    assert "localhost/invopt" not in text
    found = {(o["kind"], o["metadata"]["name"]): o for o in objects}
    claim = found["PersistentVolumeClaim", "invopt-workspace"]["spec"]
    assert claim["accessModes"] == ["ReadWriteMany"]
    assert claim["storageClassName"] == "fast"
    [template] = found["StatefulSet", "postgres"]["spec"]["volumeClaimTemplates"]
    assert template["spec"]["storageClassName"] == "fast"
    data = found["ConfigMap", "invopt-deployment"]["data"]
    assert data["AWS_ENDPOINT_URL"] == "http://store:9000"
    # The overlay's own namespace, then the one it is moved to: models are shared with neither.
    assert data["INVOPT_MODEL_STORE"] == "s3://invopt/models/kubeflow/invopt-e2e"
    # The Trainer is not there: what it would define is left out.
    assert "TrainingRuntime" not in {o["kind"] for o in objects}
    assert "ServingRuntime" in {o["kind"] for o in objects}


class Recording(Kube):
    """Writes down what kubectl is asked to do; there is nothing in its cluster."""

    def __init__(self, log):
        super().__init__("kubeflow", log)
        self.asked = []

    def call(self, command, *_args, **_kwargs):
        self.asked.append(" ".join(command))
        return subprocess.CompletedProcess(command, 0, '{"items": []}', "")


def test_the_pods_of_runs_go_before_the_claim_that_they_would_keep(tmp_path):
    kube = Recording(tmp_path / "log")
    settings = Settings(tmp_path, tmp_path, "r/invopt-job:1", "r/invopt-server:1")
    Installation(kube, settings, {"kserve"}, own_namespace=False).remove()
    deleted = [line for line in kube.asked if " delete " in line]
    [pods] = [n for n, line in enumerate(deleted) if "pods -l pipeline/runid" in line]
    [overlay] = [n for n, line in enumerate(deleted) if "delete -k" in line]
    assert pods < overlay


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ({"display_name": "ingest-data", "task_id": "a"}, "ingest-data"),
        # As KFP 2.17 lists the iterations of a loop.
        (
            {"task_id": "20da12d3-753a-4536-a782-649642a6ba6a"},
            "20da12d3-753a-4536-a782-649642a6ba6a",
        ),
    ],
)
def test_tasks_that_kfp_gives_no_name_are_told_by_their_id(tmp_path, monkeypatch, task, told):
    times = {"start_time": "2026-11-28T10:36:41Z", "end_time": "2026-11-28T10:36:49Z"}
    details = {"task_details": [task | times, task]}
    monkeypatch.setattr(Pipelines, "_ask", lambda *_: {"run_details": details})
    runs = Pipelines(None, None, "http://kfp", "")
    assert runs.steps("r") == [(told, 8.0)]


def played(tmp_path, *steps):
    kept = []
    report = Report(tmp_path, kept.append)
    report.play(steps)
    return report, kept


def fails():
    raise StepFailed("expected 2, got 3")


def skips():
    raise StepSkipped("KServe not installed")


def breaks():
    raise KeyError("status")


def test_what_needs_a_failed_or_skipped_step_is_skipped_and_the_end_always_runs(tmp_path):
    report, kept = played(
        tmp_path,
        Step("one", lambda: "fine"),
        Step("two", fails, ("one",)),
        Step("three", lambda: "never", ("two",)),
        Step("four", skips),
        Step("five", lambda: "never", ("four",)),
        Step("end", lambda: "gone", ("two",), always=True),
    )
    assert [(o.step, o.result) for o in report.outcomes] == [
        ("one", "ok"), ("two", "FAILED"), ("three", "skipped"), ("four", "skipped"),
        ("five", "skipped"), ("end", "ok"),
    ]  # fmt: skip
    assert not report.passed
    assert kept == [tmp_path / "two"]
    table = report.table()
    assert "expected 2, got 3" in table
    assert "needs two" in table
    assert table.splitlines()[-1].startswith("2 ok, 1 FAILED, 3 skipped")
    assert (tmp_path / "table.txt").read_text() == table + "\n"


def test_a_fault_of_a_step_itself_is_a_row_of_the_table_too(tmp_path):
    report, _ = played(tmp_path, Step("one", breaks), Step("two", lambda: "fine"))
    assert [o.result for o in report.outcomes] == ["FAILED", OK]
    assert "KeyError" in report.outcomes[0].text


def test_skipped_steps_alone_are_no_failure(tmp_path):
    report, _ = played(tmp_path, Step("one", skips))
    assert report.passed


ROLES = [
    {
        "metadata": {"name": "invopt-trainer"},
        "rules": [
            {"apiGroups": ["trainer.kubeflow.org"], "resources": ["trainjobs"],
             "verbs": ["create", "delete"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        ],
    }
]  # fmt: skip
BINDINGS = [
    {
        "roleRef": {"name": "invopt-trainer"},
        "subjects": [{"kind": "ServiceAccount", "name": "invopt-trainer"}],
    }
]


def event(verb, resource, code, group="", subresource="", when="2026-11-28T07:00:00Z", **more):
    about = {"resource": resource, "apiGroup": group} | (
        {"subresource": subresource} if subresource else {}
    )
    return json.dumps(
        {
            "stage": "ResponseComplete",
            "requestReceivedTimestamp": when,
            "verb": verb,
            "user": {"username": f"system:serviceaccount:{NS}:invopt-trainer"},
            "objectRef": about,
            "responseStatus": {"code": code},
        }
        | more
    )


def test_the_audit_log_tells_refusals_and_rights_that_nobody_used():
    lines = [
        event("create", "trainjobs", 201, "trainer.kubeflow.org"),
        event("get", "pods", 403),
        event("get", "pods", 403),
        event("get", "pods", 200, subresource="log"),
        # Before the run, of another namespace, begun only, and a last line that is cut.
        event("delete", "trainjobs", 200, "trainer.kubeflow.org", when="2026-11-28T05:00:00Z"),
        event("delete", "trainjobs", 200, "trainer.kubeflow.org",
              user={"username": "system:serviceaccount:other:invopt-trainer"}),
        event("delete", "trainjobs", 200, "trainer.kubeflow.org", stage="RequestReceived"),
        event("delete", "trainjobs", 200, "trainer.kubeflow.org")[:-40],
    ]  # fmt: skip
    calls = list(calls_in(lines, NS, "2026-11-28T06:00:00Z"))
    assert len(calls) == 4
    found = summarise(calls, rights_of(ROLES, BINDINGS))
    assert found.refused == {Right("invopt-trainer", "", "pods", "get"): 2}
    assert list(map(str, found.unused)) == ["invopt-trainer delete trainjobs.trainer.kubeflow.org"]


def test_a_log_that_was_put_aside_when_it_grew_is_read_first(tmp_path):
    names = ["audit.log", "audit-2026-11-28T20-00-00.000.log", "audit-2026-11-28T19-00-00.000.log"]
    for name in (*names, "other.log"):
        (tmp_path / name).touch()
    assert [p.name for p in parts_of(tmp_path / "audit.log")] == [names[2], names[1], names[0]]


class Refusing:
    """What serves, where each deploy step ends with these words."""

    def __init__(self, words):
        self.words = words

    def version(self):
        return "1"

    def start_deploy(self, version):
        pass

    def follow_deploy(self):
        return f"{self.words}\n", 1

    def check_serves(self, version):
        return f"version {version} answers 5 requests"

    def champion(self):
        return {"champion": "1"}


def test_a_corrupt_model_must_be_refused_for_what_is_wrong_with_it():
    unreadable = "model.onnx must be readable: [ONNXRuntimeError] : 7 : INVALID_PROTOBUF"
    world = SimpleNamespace(corrupt="3", serving=Refusing(unreadable))
    assert rollouts.corrupt_model(world).startswith(f"version 3 refused ({unreadable}")
    overtaken = "version 3 was judged when there was no champion, and version 1 is champion by now"
    world.serving.words = overtaken
    with pytest.raises(StepFailed, match=f"not because it cannot be read: {overtaken}"):
        rollouts.corrupt_model(world)


def register_second(workspace, how):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/e2e/inside/again.py"), how],
        capture_output=True, text=True,
        env=os.environ | {"INVOPT_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == 'RESULT {"version": "2"}', done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("file", ["verdict", "verdict.json"])  # of KFP and of a local run
def test_a_model_registered_again_was_judged_beside_the_champion_of_now(tmp_path, file):
    registry, made = Deployment.of(tmp_path).registry, tmp_path / "made"
    made.mkdir()
    (made / "model.onnx").write_text("weights")
    verdict = tmp_path / file
    verdict.write_text(json.dumps({"decision": "promote", "champion_version": ""}))
    name = "demand-forecaster"
    registry.register(name, str(made), [str(verdict)], {"snapshot": "s"}, lambda _: None)
    registry.make_champion(name, "1")
    register_second(tmp_path, "corrupt")
    judged = json.loads((registry.evidence_path(name, "2") / file).read_text())
    assert judged == {"decision": "promote", "champion_version": "1"}


@pytest.mark.slow
def test_a_model_registered_again_with_parts_takes_a_baseline_of_its_assessment(tmp_path):
    deployment, made = Deployment.of(tmp_path), tmp_path / "made"
    made.mkdir()
    (made / "model.json").write_text(json.dumps({"format": 2}))
    for name in ("moving-average", "seasonal-naive"):
        folder = tmp_path / "assessment" / "baselines" / name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_text(name)
    (tmp_path / "verdict").write_text(json.dumps({"decision": "promote", "champion_version": ""}))
    name, evidence = "demand-forecaster", [str(tmp_path / n) for n in ("verdict", "assessment")]
    deployment.registry.register(name, str(made), evidence, {"snapshot": "s"}, lambda _: None)
    deployment.registry.make_champion(name, "1")
    for date, places in (("2026-01-01", "S9,S9"), ("2026-01-08", "S1,S2")):
        first, last = places.split(",")
        plan = deployment.settings.plans / name / f"{date}.csv"
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_text(f"unique_id,location\nA_{first},{first}\nB_{last},{last}\n")
    register_second(tmp_path, "parts")
    model = deployment.registry.version_path(name, "2")
    assert (model / "parts/moving-average/model.onnx").read_text() == "moving-average"
    assert json.loads((model / "model.json").read_text())["format"] == 3
    rules = json.loads((model / "parts.json").read_text())["rules"]
    assert [(r["series"], r["values"], r["makers"]) for r in rules] == [
        (["B_S2"], [], ["", "moving-average"]),
        ([], ["S1"], ["moving-average"]),
    ]


def test_data_of_two_installations_differ_so_that_none_takes_the_others_results(tmp_path):
    write = runpy.run_path(str(ROOT / "tests/e2e/inside/data.py"))["write_both"]
    for name in ("one", "other"):
        write(tmp_path / name)
    read = {
        (name, folder): pd.read_csv(tmp_path / name / folder / "external.csv", dtype=str)
        for name in ("one", "other")
        for folder in ("early", "later")
    }
    one, other = read["one", "early"], read["other", "early"]
    assert one["temperature"][0] != other["temperature"][0]
    pd.testing.assert_frame_equal(one.iloc[1:], other.iloc[1:])
    assert one["temperature"][0] == read["one", "later"]["temperature"][0]


_ENDED = "invopt: run r ended as failed: ingest-data: there is no folder /workspace/nowhere. See h."


@pytest.mark.parametrize(
    ("done", "again", "told"),
    [
        ((0, ""), (1, _ENDED), "submit --wait ended with 0"),
        ((1, _ENDED), (0, _ENDED), "invopt wait ended with 0"),
        ((1, f"Traceback\n{_ENDED}"), (1, _ENDED), "submit --wait ended with 1"),
        ((1, "invopt: run r ended as failed: KFP gives no reason."), (1, _ENDED), "should name"),
        ((1, _ENDED), (1, _ENDED.replace("See h.", "See i.")), "submit said .* See h., wait .*"),
    ],
)
def test_a_failed_run_must_be_told_by_its_step_and_by_both_commands_alike(done, again, told):
    def called(end):
        return subprocess.CompletedProcess([], end[0], "", f"{end[1]}\n")

    assert whole.told_of_failure(called((1, _ENDED)), called((1, _ENDED))) == _ENDED
    with pytest.raises(StepFailed, match=told):
        whole.told_of_failure(called(done), called(again))


_BY_PARTS = {
    "models": {"LSTM network": 4, "naive": 2, "average of LSTM network and naive": 1},
    "versions": ["demand-forecaster-5"], "differ": [],
    "planned_by": ["demand-forecaster-5"], "other_orders": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"models": {"LSTM network": 7}}, "two parts and their average should answer; .* 7"),
        ({"differ": ["A: mean is 1"]}, "as a server of demand-forecaster-5 in .* A: mean is 1"),
        ({"planned_by": ["demand-forecaster-4"]}, "ordered from demand-forecaster-4, .*nothing"),
        ({"other_orders": {"A": [1, 2]}}, r"differently: \{'A': \[1, 2\]\}"),
    ],
)  # fmt: skip
def test_a_model_of_parts_answers_and_orders_by_its_parts_or_the_step_fails(other, told):
    assert whole.told_of_parts(_BY_PARTS, "5").startswith(
        "series by model: LSTM network 4, average of LSTM network and naive 1, naive 2, each"
    )
    with pytest.raises(StepFailed, match=told):
        whole.told_of_parts(_BY_PARTS | other, "5")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"files": [], "decision": ""}, "it lacks metrics.json, report, verdict.json"),
        (
            {"files": ["metrics.json", "report", "verdict.json"], "decision": ""},
            "it lacks a decision in verdict.json",
        ),
    ],
)
def test_a_run_that_mlflow_has_no_files_of_is_a_failure(found, told):
    log = f"RESULT {json.dumps(found | {'metrics': 43})}\n"
    world = SimpleNamespace(stepping=SimpleNamespace(run=lambda *_: log))
    with pytest.raises(StepFailed, match=told):
        whole._kept(world, "r1")


def test_the_later_data_go_on_from_the_early_ones_and_demand_is_another_one_in_the_last_week(
    tmp_path,
):
    written = runpy.run_path(str(ROOT / "tests/e2e/inside/data.py"))["write_both"](tmp_path)
    assert written == 60
    tables = {}
    for name in ("sales_lines", "customers", "market", "external"):
        early, later = (
            pd.read_csv(tmp_path / folder / f"{name}.csv", dtype=str)
            for folder in ("early", "later")
        )
        known = [
            f[(f["date"] < "2024-01-02") | (f["date"] == "31.02.2024")] for f in (early, later)
        ]
        assert (
            len(known[0].merge(known[1], how="left", indicator="in").query("`in` != 'both'")) == 0
        )
        tables[name] = later
    shares = tables["customers"].groupby("store")[["share_families", "lifetime_value"]].nunique()
    assert (shares == 1).all(axis=None)
    lines = tables["sales_lines"].assign(
        units=lambda t: pd.to_numeric(t["quantity"], errors="coerce"),
        day=lambda t: pd.to_datetime(t["date"], errors="coerce"),
    )
    weeks = lines.set_index("day")["units"].loc["2024-01-02":].resample("7D").sum().to_list()
    assert len(weeks) == 4
    assert weeks[3] > 1.5 * max(weeks[:3])


def test_faults_are_played_in_the_short_form_once_there_is_what_they_need(tmp_path):
    settings = Settings(tmp_path, tmp_path, "r/invopt-job:1", "r/invopt-server:1")
    plain = [step.name for step in loop.steps(World(settings, short=True))]
    names = [step.name for step in loop.steps(World(settings, short=True), with_faults=True)]
    assert [name for name in names if name in plain] == plain
    assert names.index("first version fails") == names.index("training") - 1
    added = [step.name for step in faults.steps(World(settings, short=True))]
    assert names[-3 - len(added) : -3] == added
    assert names[-3:] == ["backup and restore", "audit", "uninstall"]


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("Traceback (most recent call last):\n  f()\nKeyError: 'quota'", "a traceback instead"),
        ("waits\nthe machine is on fire", "it should say 'exceeded quota', it says: the machine"),
        ("", "it should say 'exceeded quota', it says: "),
    ],
)
def test_a_fault_must_be_told_in_a_sentence_that_names_it(log, told):
    assert faults.sentence_of("waits\npods: exceeded quota: q", "exceeded quota") == (
        "pods: exceeded quota: q"
    )
    with pytest.raises(StepFailed, match=told):
        faults.sentence_of(log, "exceeded quota")
