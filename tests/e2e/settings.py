"""What `make e2e` is told: its environment, and the defaults."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from invopt.errors import InvalidInputError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """The variables, in order: name, default and meaning stand in k8s/README.md."""

    kubeconfig: Path
    out: Path
    job_image: str
    server_image: str
    namespace: str = "invopt-e2e"
    overlay: str = "k8s/overlays/kind"
    config: str = "pipelines/configs/cluster-small.yaml"
    kfp_host: str = ""
    kfp_namespace: str = "kubeflow"
    storage_class: str = ""
    access_mode: str = ""
    s3_endpoint: str = ""
    s3_access_key: str = "minio"
    s3_secret_key: str = "minio123"
    requests: int = 2000
    minutes: float = 60.0
    audit_log: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings of this process.

        Raises:
            InvalidInputError: If there is no cluster, no image or no kubectl to work with.
        """
        named = environment.get("KUBECONFIG", "")
        if not named:
            raise InvalidInputError(
                "KUBECONFIG is not set: name the file of the cluster that may be used. "
                "Nothing was looked at."
            )
        if not Path(named).is_file():
            raise InvalidInputError(f"KUBECONFIG {named} is not a file.")
        if shutil.which("kubectl") is None:
            raise InvalidInputError("there is no kubectl on the PATH: install it.")
        job = environment.get("INVOPT_IMAGE", "")
        if not job:
            raise InvalidInputError(
                "INVOPT_IMAGE is not set: the image of the steps (`make image` prints it)."
            )
        server = environment.get("INVOPT_SERVER_IMAGE", job.replace("invopt-job", "invopt-server"))
        if server == job:
            raise InvalidInputError(
                f"the server's image cannot be told from {job}: set INVOPT_SERVER_IMAGE."
            )
        given = {
            field: environment[f"E2E_{field.upper()}"]
            for field in (
                "namespace", "overlay", "config", "kfp_host", "kfp_namespace", "storage_class",
                "access_mode", "s3_endpoint", "s3_access_key", "s3_secret_key",
            )
            if environment.get(f"E2E_{field.upper()}")
        }  # fmt: skip
        out = (
            environment.get("E2E_OUT") or ROOT / "build" / "e2e" / f"{datetime.now():%Y%m%d-%H%M%S}"
        )
        audit = environment.get("AUDIT_LOG", "")
        given.setdefault("s3_endpoint", _endpoint())
        return cls(
            Path(named),
            Path(out),
            job,
            server,
            requests=_number(environment, "E2E_REQUESTS", 2000),
            minutes=_number(environment, "E2E_MINUTES", 60),
            audit_log=Path(audit) if audit else None,
            **given,
        )


def _endpoint() -> str:
    """Return the object store that the manifests name."""
    lines = (ROOT / "k8s/base/pipeline-jobs/deployment.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["AWS_ENDPOINT_URL"]


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdigit() or int(text) < 1:
        raise InvalidInputError(f"{name} must be a whole number above 0, got {text!r}.")
    return int(text)
