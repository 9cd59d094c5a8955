"""What the steps share, and what is kept when one fails."""

from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.installation import Installation
from tests.e2e.kube import Kube, PortForward
from tests.e2e.pipelines import Pipelines
from tests.e2e.report import StepSkipped
from tests.e2e.serving import Serving
from tests.e2e.settings import Settings
from tests.e2e.stepping import Stepping

TRAINER_TOKEN = "invopt-trainer-token"
_NAMES = {"kserve": "KServe", "trainer": "the Trainer", "kfp": "Kubeflow Pipelines"}
_KEPT = (
    "pods", "jobs", "deployments", "statefulsets", "services", "pvc", "events",
    "inferenceservices", "trainjobs", "workflows",
)  # fmt: skip


class World:
    """One cluster, one installation, and what was learned of them.

    Args:
        settings: Of this run.
        short: True for the form without Kubeflow Pipelines.

    Attributes:
        has: Of kserve, trainer, kfp what the cluster has.
        versions: Of the model, in the order they were put to work.
        canary: How a canary was seen last, "" for none.
        trained: Versions that a training in a pod registered.
        corrupt: The version that cannot be loaded, "" where none is registered yet.
        corrupt_first: Another one, judged before anything was champion.
        retrainings: Runs that monitoring started.
        kept: True where an installation that was kept is played on.
        load_runs: True while requests are made.
    """

    def __init__(self, settings: Settings, short: bool) -> None:
        self.settings, self.short = settings, short
        self.since = datetime.now(UTC).isoformat()
        self.kube = Kube(settings.namespace, settings.out / "commands.log")
        self.stepping = Stepping(self.kube, settings)
        self.serving = Serving(self.kube, self.stepping, settings)
        self.installation: Installation | None = None
        self.pipelines: Pipelines | None = None
        self.forward: PortForward | None = None
        self.has: set[str] = set()
        self.versions: list[str] = []
        self.trained: list[str] = []
        self.corrupt = self.corrupt_first = ""
        self.retrainings: list[str] = []
        self.canary = ""
        self.load_runs = self.kept = False

    def need(self, *parts: str) -> None:
        """Skip the step where the cluster lacks a part.

        Raises:
            StepSkipped: With what is not installed.
        """
        missing = [_NAMES[part] for part in parts if part not in self.has]
        if missing:
            raise StepSkipped(f"{' and '.join(missing)} not installed")

    @property
    def installed(self) -> Installation:
        """The installation, once it was looked at."""
        assert self.installation is not None
        return self.installation

    @property
    def runs(self) -> Pipelines:
        """Kubeflow Pipelines."""
        self.need("kfp")
        assert self.pipelines is not None
        return self.pipelines

    def close(self) -> None:
        """End what runs here."""
        if self.forward is not None:
            self.forward.close()

    def keep(self, folder: Path) -> None:
        """Keep what a failed step leaves: objects, events, logs."""
        kube = self.kube
        for kind in _KEPT:
            done = kube.run("get", kind, "-o", "yaml")
            (folder / f"{kind}.yaml").write_text(done.stdout or done.stderr)
        for pod in kube.items("pods"):
            name = pod["metadata"]["name"]
            for more in ([], ["--previous"]):
                done = kube.run("logs", name, "--all-containers", "--tail=400", *more)
                if done.returncode == 0 and done.stdout:
                    (folder / f"{name}{'.previous' if more else ''}.log").write_text(done.stdout)
