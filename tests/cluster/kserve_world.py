"""KServe and its pods, played: it answers patches with a status, and serves decisions."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.cluster.fake_api import NAMESPACE, FakeKubernetes

Object = dict[str, Any]
NAME = "demand-forecaster"
PLURAL = "inferenceservices"
VERSION = "INVOPT_MODEL_VERSION"


class Forecasters:
    """Servers behind the service's names; which version answers depends on the name called."""

    def __init__(self) -> None:
        self.hosts: dict[str, str] = {}  # first label of the host name -> version
        self.forecasts: dict[str, float] = {}  # version -> daily mean of every series
        self.broken: set[str] = set()
        self.degraded: set[str] = set()
        self.requests: list[str] = []
        handler = type("Handler", (_Answering,), {"world": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return self.server.server_port

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Answering(BaseHTTPRequestHandler):
    world: Forecasters

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        host = self.headers["Host"].split(".")[0]
        version = self.world.hosts[host]
        self.world.requests.append(host)
        if version in self.world.broken:
            self._send(500, {"error": "broken"})
            return
        mean = self.world.forecasts.get(version, 1.0)
        predictions = [
            {
                "unique_id": i["unique_id"],
                "mean": [mean] * 7,
                "model_version": f"{NAME}-{version}",
                "degraded": "stale" if version in self.world.degraded else None,
            }
            for i in body["instances"]
        ]
        self._send(200, {"predictions": predictions})

    def _send(self, status: int, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        return None


class KServe:
    """The operator.

    Args:
        api: It watches.
        pods: It routes to.
        mode: Deployment mode of the installation.
        knows_canaries: Whether it is 0.20 or newer (Standard), or reads canaryTrafficPercent
            (Knative).

    Attributes:
        late: Looks at a service after which it gets round to a change; the status and the pods
            are those of the spec before until then.
        never_ready: Versions whose pods never are.
        waiting: Version ("" for a spec without a model) to why its container waits.
        failure: What modelStatus says of a version that is never ready.
    """

    def __init__(
        self,
        api: FakeKubernetes,
        pods: Forecasters,
        mode: str = "Standard",
        *,
        knows_canaries: bool = True,
    ) -> None:
        self.api, self.pods, self.mode, self.knows = api, pods, mode, knows_canaries
        self.never_ready: set[str] = set()
        self.waiting: dict[str, Object] = {}
        self.failure: Object = {}
        self.rolled_out = ""
        self.late = self.looks = 0
        self.own_pods: list[Object] = []
        api.on_change = self.change
        api.on_look = self.look

    def install(self, version: str = "", source: str = "") -> None:
        model: Object = {"modelFormat": {"name": "invopt"}, "runtime": "invopt-server"}
        if version:
            model["storageUri"] = source or f"s3://invopt/models/x/{version}/model"
            model["env"] = [{"name": VERSION, "value": version}]
        item = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": NAME},
            "spec": {"predictor": {"minReplicas": 2, "model": model}},
        }
        self.reconcile(self.api.put(PLURAL, item))

    def change(self, verb: str, item: Object) -> None:
        if item["kind"] == "InferenceService":
            if not self.knows:
                item["spec"].pop("canary", None)  # the API server prunes what it does not know
            self.looks = self.late
            if not self.late:
                self.reconcile(item)

    def look(self) -> None:
        self.looks -= 1
        if self.looks == 0:
            self.reconcile(self.api.get(PLURAL, NAME))

    def spec(self) -> Object:
        return self.api.get(PLURAL, NAME)["spec"]

    def reconcile(self, item: Object) -> None:
        spec = item["spec"]
        version = version_of(spec["predictor"]["model"])
        percent = spec["predictor"].get("canaryTrafficPercent")
        split = self.mode == "Knative" and percent is not None and self.knows
        stable = f"{NAME}-{spec['predictor'].get('name', '')}-predictor".replace("--", "-")
        ready = bool(version) and version not in self.never_ready
        if version and ready and not split:
            self.rolled_out = version
        self.pods.hosts[stable] = self.rolled_out if split else version
        status: Object = {
            "observedGeneration": 1,  # of the Deployment, which is no older than it is
            "deploymentMode": self.mode,
            "conditions": [self._condition(ready, version)],
            "modelStatus": self._model_status(ready),
        }
        if version:
            status["address"] = {"url": self._url(stable)}
        for canary in spec.get("canary", []):
            name = f"{NAME}-{canary['predictor']['name']}-predictor"
            # It stays when the canary has gone.
            scaler = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": {}}
            self.api.put("horizontalpodautoscalers", scaler)
        if spec.get("canary"):
            status["canaryStatuses"] = [self._canary(c) for c in spec["canary"]]
        if self.mode == "Knative" and ready and not split:
            traffic = [{"latestRevision": True, "percent": 100}]
            status["components"] = {"predictor": {"traffic": traffic}}
        if split:
            self.pods.hosts["latest"] = version
            status["components"] = {
                "predictor": {
                    "traffic": [
                        {"latestRevision": True, "percent": percent, "url": self._url("latest")},
                        {"revisionName": "old", "percent": 100 - percent},
                    ]
                }
            }
        item["status"] = status
        self.api.objects[PLURAL, NAME] = item
        self._make_pods(spec, version, ready, split=split)

    def _model_status(self, ready: bool) -> Object:
        if ready:
            return {"transitionStatus": "UpToDate"}
        if self.failure:
            return {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": self.failure}
        return {"transitionStatus": "InProgress"}

    def _make_pods(self, spec: Object, version: str, ready: bool, *, split: bool) -> None:
        """Replace the pods; a version that is not ready leaves the one before in place."""
        self.api.pods = [pod for pod in self.api.pods if pod not in self.own_pods]
        versions = [version]
        if (split or not ready) and version != self.rolled_out:
            versions.append(self.rolled_out)
        versions += [version_of(c["predictor"]["model"]) for c in spec.get("canary", [])]
        replicas = spec["predictor"]["minReplicas"]
        self.own_pods = [self._pod(v, n) for v in versions for n in range(replicas)]
        self.api.pods += self.own_pods

    def _pod(self, version: str, number: int) -> Object:
        ready = bool(version) and version not in self.never_ready
        status: Object = {"conditions": [{"type": "Ready", "status": str(ready)}]}
        if version in self.waiting:
            state = {"waiting": self.waiting[version]}
            status["containerStatuses"] = [{"name": "kserve-container", "state": state}]
        container: Object = {"name": "kserve-container"}
        if version:
            container["env"] = [{"name": VERSION, "value": version}]
        return {
            "metadata": {
                "name": f"{NAME}-{version or 'none'}-predictor-{number}",
                "labels": {"serving.kserve.io/inferenceservice": NAME},
            },
            "spec": {"containers": [container]},
            "status": status,
        }

    def _canary(self, canary: Object) -> Object:
        predictor = canary["predictor"]
        version = version_of(predictor["model"])
        self.pods.hosts[f"{NAME}-{predictor['name']}-predictor"] = version
        return {
            "name": predictor["name"],
            "ready": version not in self.never_ready,
            "modelStatus": self._model_status(version not in self.never_ready),
            "trafficPercent": canary["trafficPercent"],
        }

    def _condition(self, ready: bool, version: str) -> Object:
        if ready:
            return {"type": "Ready", "status": "True"}
        message = "pods are not ready" if version else "no model"
        return {"type": "Ready", "status": "False", "reason": "NotReady", "message": message}

    def _url(self, host: str) -> str:
        return f"http://{host}.{NAMESPACE}.svc.local:{self.pods.port}"


def version_of(model: Object) -> str:
    return next((e["value"] for e in model.get("env", []) if e["name"] == VERSION), "")
