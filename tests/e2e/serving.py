"""What serves: versions put to work, watched under load, taken back; and what callers saw."""

import json
import re
import time
from typing import Any

from tests.e2e.kube import Kube, Object, PortForward, version_of, wait_for
from tests.e2e.report import StepFailed
from tests.e2e.settings import Settings
from tests.e2e.stepping import Stepping, answer_of

NAME = "demand-forecaster"
_SERIES = ("P000_S00", "P003_S02", "P007_S04")
LOAD, DEPLOY = "e2e-load", "e2e-deploy"


class Serving:
    """The one InferenceService, from outside and from inside.

    Args:
        kube: Its namespace.
        stepping: Makes pods.
        settings: Of this run.
    """

    def __init__(self, kube: Kube, stepping: Stepping, settings: Settings) -> None:
        self.kube, self.stepping, self.settings = kube, stepping, settings

    def read(self) -> Object | None:
        """Return the service, None before there is one."""
        return self.kube.find("inferenceservice", NAME)

    def version(self) -> str:
        """Return the version that the spec serves, "" for none."""
        found = self.read()
        return version_of(found["spec"]) if found else ""

    def pods(self) -> dict[str, list[bool]]:
        """Return, by version, whether each pod that is not ending is ready."""
        found: dict[str, list[bool]] = {}
        for pod in self.kube.items("pods", f"serving.kserve.io/inferenceservice={NAME}"):
            ended = pod["status"].get("phase") in ("Failed", "Succeeded")
            if ended or "deletionTimestamp" in pod["metadata"]:
                continue
            version = next(
                (
                    e.get("value", "")
                    for c in pod["spec"]["containers"]
                    for e in c.get("env", [])
                    if e["name"] == "INVOPT_MODEL_VERSION"
                ),
                "",
            )
            ready = any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in pod["status"].get("conditions", [])
            )
            found.setdefault(version, []).append(ready)
        return found

    def address(self) -> str:
        """Return where callers inside the cluster ask."""
        found = self.read() or {}
        told = found.get("status", {}).get("address", {}).get("url")
        return told or f"http://{NAME}-predictor.{self.kube.namespace}.svc.cluster.local"

    def check_serves(self, version: str) -> str:
        """Check that a version and no other one is at work, and that it answers.

        Raises:
            StepFailed: If not.
        """

        def alone() -> bool:
            pods = self.pods()
            found = self.read() or {"spec": {"predictor": {}}}
            return (
                version_of(found["spec"]) == version
                and not found["spec"].get("canary")
                and set(pods) == {version}
                and all(pods[version])
            )

        try:
            wait_for(alone, 90, f"version {version} alone")
        except StepFailed as err:
            raise StepFailed(f"{err}: the spec has {self.version()}, pods {self.pods()}") from err
        answers = self.ask()
        told = set(answers["versions"])
        if answers["lost"] or told != {f"{NAME}-{version}"}:
            raise StepFailed(
                f"{answers['lost']} of {answers['asked']} requests lost, answers of {told}; "
                f"expected none, of {NAME}-{version}: {answers['first']}"
            )
        bad = f", {answers['degraded']} degraded" if answers["degraded"] else ""
        return f"version {version} answers {answers['asked']} requests{bad}"

    def ask(self, number: int = 5) -> Object:
        """Ask for decisions and return what the load script counted."""
        command = " ".join(["touch /tmp/stop && exec python3 /e2e/load.py", *self._load(5, number)])
        log = self.stepping.run(
            "e2e-ask", ["sh", "-c", command], 120, image=self.settings.server_image, plain=True
        )
        return answer_of(log)

    def deploy(self, version: str, seconds: float = 900) -> Object:
        """Run the deploy step on a version; returns champion and steps of the rollout."""
        log = self.stepping.run(
            DEPLOY, ["python3", "/e2e/deploy.py", version], seconds,
            token="invopt-deployer-token",
        )  # fmt: skip
        return answer_of(log)

    def start_deploy(self, version: str, *overrides: str) -> None:
        """Start the deploy step, with settings of its own, and leave it."""
        self.stepping.start(
            DEPLOY, ["python3", "/e2e/deploy.py", version, *overrides],
            token="invopt-deployer-token",
        )  # fmt: skip

    def follow_deploy(self, seconds: float = 900) -> tuple[str, int]:
        """Wait for the end of a deploy step that was started."""
        return self.stepping.follow(DEPLOY, seconds)

    def kill_deploy(self) -> None:
        """End the deploy step as a terminated run does: a signal, and a second."""
        self.stepping.remove(DEPLOY, grace=1)

    def roll_back(self) -> str:
        """Call `invopt rollback` as a user; returns the version that it says.

        Raises:
            StepFailed: If it fails.
        """
        # Registry and endpoint move together: the registry must be in reach, as the README says.
        way = PortForward(self.kube.namespace, "mlflow", 5000)
        try:
            done = self.kube.invopt(
                "rollback", "--namespace", self.kube.namespace, seconds=900,
                environment={"MLFLOW_TRACKING_URI": f"http://localhost:{way.local}"},
            )  # fmt: skip
        finally:
            way.close()
        told = re.findall(r"serves version (\S+) again", done.stdout)
        if done.returncode or not told:
            raise StepFailed(f"invopt rollback: {' '.join((done.stderr or done.stdout).split())}")
        return str(told[-1])

    def champion(self) -> Object:
        """Return what the registry says: champion, and every version."""
        script = (
            "import urllib.request as u; print(u.urlopen('http://localhost:5000/api/2.0/mlflow/"
            f"registered-models/get?name={NAME}').read().decode())"
        )
        told = self.kube.must(
            "exec", "deploy/mlflow", "-c", "mlflow", "--", "python3", "-c", script
        )
        model = json.loads(told)["registered_model"]
        aliases = {a["alias"]: a["version"] for a in model.get("aliases") or []}
        return {"champion": aliases.get("champion", ""), "aliases": aliases}

    def start_load(self, rate: float) -> None:
        """Start asking, some requests a second, until `end_load`."""
        self.stepping.start(
            LOAD, ["python3", "/e2e/load.py", *self._load(rate, self.settings.requests)],
            image=self.settings.server_image, plain=True,
        )  # fmt: skip

        def runs() -> bool:
            pod = self.kube.find("pod", LOAD)
            return pod is not None and pod["status"]["phase"] == "Running"

        wait_for(runs, 90, "the pod that asks")
        time.sleep(3)

    def end_load(self) -> Any:
        """End asking and return what was counted."""
        self.kube.must("exec", LOAD, "--", "touch", "/tmp/stop")
        log, _ = self.stepping.follow(LOAD, 1200)
        return answer_of(log)

    def leftovers(self) -> list[str]:
        """Return what canaries left: objects named after a version."""
        pattern = re.compile(rf"^{NAME}-v\d+-predictor")
        return [
            f"{kind}/{item['metadata']['name']}"
            for kind in ("deployment", "service", "hpa", "httproute")
            for item in self.kube.items(kind)
            if pattern.match(item["metadata"]["name"])
        ]

    def _load(self, rate: float, least: int) -> list[str]:
        return [self.address(), NAME, str(rate), str(least), *_SERIES]
