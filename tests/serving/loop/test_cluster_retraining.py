"""Retraining through KFP's own client, against a server that keeps what it is told."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from invopt.errors import InvalidInputError
from invopt.files import write_json
from invopt.monitoring.signals import PERFORMANCE, Signal
from serving.deployment import Deployment
from serving.loop.cluster_retraining import Data, start_on_cluster
from serving.loop.retraining import govern
from serving.settings import GOVERNOR_STORE, PIPELINE_HOST, WORKSPACE
from serving.stores.governor_store import GovernorStore
from tests.builders import make_config

pytestmark = pytest.mark.slow

API = "/apis/v2beta1"
DATA = Data("/data", "{}")


class Cluster(BaseHTTPRequestHandler):
    """The few calls of KFP's API that starting and following a run needs."""

    def do_GET(self):
        kind, *rest = urlsplit(self.path).path.removeprefix(f"{API}/").split("/")
        if kind == "healthz":
            self._answer({"multi_user": False})
        elif rest[1:] == ["versions"]:
            self._answer({"pipeline_versions": [{"pipeline_version_id": f"{rest[0]}-v2"}]})
        else:
            self._answer({kind: self.server.kept[kind]})

    def do_POST(self):
        kind = urlsplit(self.path).path.removeprefix(f"{API}/").split("/")[0]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = str(len(self.server.kept[kind]))
        made = body | {f"{kind[:-1]}_id": number, "state": "RUNNING"}
        self.server.kept[kind].append(made)
        self._answer(made)

    def _answer(self, content):
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextmanager
def cluster(*pipelines):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    server.kept = {
        "runs": [],
        "experiments": [],
        "pipelines": [{"pipeline_id": name, "display_name": name} for name in pipelines],
    }
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.kept, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def deployed(folder, host):
    return Deployment.from_environment(
        {
            WORKSPACE: str(folder / "workspace"),
            GOVERNOR_STORE: f"sqlite:///{folder}/governor.db",
            PIPELINE_HOST: host,
        }
    )


def config():
    governor = {"persistence": 1, "cool_down_days": 0, "min_new_periods": 0}
    return make_config(governor=governor)


def decide(deployment, folder, number=1):
    signal = Signal(
        name="demand_shift",
        kind=PERFORMANCE,
        value=0.2,
        expected=0.0,
        limit=0.05,
        p_value=1e-4,
        fires=True,
        text="demand is over the forecast",
    )
    content = {
        "version": "demo-1", "start": "2024-01-01", "end": f"2024-01-{6 + number:02d}",
        "conclusive": True, "why_not": "", "signals": [signal.as_dict()],
        "new_periods": 99, "age_days": 99, "trend": [{"demand": 0.2}],
        "last_day": f"2024-01-{6 + number:02d}",
    }  # fmt: skip
    write_json(folder / "evidence.json", content)
    out = folder / f"decision-{number}.json"
    govern(deployment, str(folder), config(), f"monitoring-{number}", str(out), lambda _: None)
    return str(out)


def outcomes(folder):
    store = GovernorStore(f"sqlite:///{folder}/governor.db")
    try:
        return [r.outcome for r in store.memory("demo").retrainings]
    finally:
        store.close()


def test_a_run_is_created_once_with_cause_and_window_and_its_end_is_learned(tmp_path):
    with cluster("demo-training") as (kept, host):
        here = deployed(tmp_path, host)
        decision = decide(here, tmp_path)
        for _ in range(2):
            start_on_cluster(here, decision, DATA, config(), lambda _: None)
        [run] = kept["runs"]
        given = run["runtime_config"]["parameters"]
        assert given["cause"] == "demand_shift up"
        assert given["window"] == "2024-01-01..2024-01-07"
        assert given["data_dir"] == "/data"
        whole = config().for_retraining(lasting=1, urgent=True, shift=0.2)
        assert given["config"] == whole.as_parameter()
        assert given["evaluation"] == given["config"]["evaluation"]
        assert run["display_name"].startswith(f"retraining-{given['retraining']}-")
        assert run["pipeline_version_reference"]["pipeline_version_id"] == "demo-training-v2"
        decide(here, tmp_path, 2)
        assert outcomes(tmp_path) == [None]  # it runs: its lease was renewed, nothing new starts
        run["state"] = "FAILED"
        decide(here, tmp_path, 3)
        assert outcomes(tmp_path) == ["failed", None]


def test_a_run_that_kfp_kept_from_a_claim_that_was_lost_is_not_taken_for_this_one_s(tmp_path):
    with cluster("demo-training") as (kept, host):
        here = deployed(tmp_path / "first", host)
        (tmp_path / "first").mkdir()
        start_on_cluster(here, decide(here, tmp_path), DATA, config(), lambda _: None)
        kept["runs"][0]["state"] = "FAILED"
        # installed anew: the governor has forgotten, KFP has not
        (tmp_path / "second").mkdir()
        again = deployed(tmp_path / "second", host)
        start_on_cluster(again, decide(again, tmp_path), DATA, config(), lambda _: None)
        first, second = (run["display_name"] for run in kept["runs"])
        assert first.rpartition("-")[0] == second.rpartition("-")[0]
        assert first != second


def test_a_pipeline_that_was_never_uploaded_is_one_sentence_and_a_failure(tmp_path):
    with cluster() as (kept, host):
        here = deployed(tmp_path, host)
        decision = decide(here, tmp_path)
        with pytest.raises(InvalidInputError, match=r"no pipeline demo-training.*invopt submit"):
            start_on_cluster(here, decision, DATA, config(), lambda _: None)
        assert kept["runs"] == []
        assert outcomes(tmp_path) == ["failed"]


def test_pipelines_that_cannot_be_reached_are_one_sentence_and_the_claim_stays(
    tmp_path,
):
    with cluster("demo-training") as (kept, host):
        here = deployed(tmp_path, host)
        decision = decide(here, tmp_path)
    with pytest.raises(InvalidInputError, match=r"cannot be reached.*Check the address"):
        start_on_cluster(here, decision, DATA, config(), lambda _: None)
    assert kept["runs"] == []
    assert outcomes(tmp_path) == [None]
