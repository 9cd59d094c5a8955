"""Where this deployment keeps things; the only reader of the environment besides the CLI."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WORKSPACE = "INVOPT_WORKSPACE"
FEATURE_STORE = "INVOPT_FEATURE_STORE"
TRACKING_URI = "MLFLOW_TRACKING_URI"
STUDY_STORAGE = "INVOPT_STUDY_STORAGE"
CODE_VERSION = "INVOPT_CODE_VERSION"
DEPLOYER = "INVOPT_DEPLOYER"
MODEL_STORE = "INVOPT_MODEL_STORE"
CREDENTIALS = "INVOPT_CREDENTIALS"
TRAINING_RUNTIME = "INVOPT_TRAINING_RUNTIME"
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True)
class Settings:
    """Deployment facts.

    Attributes:
        workspace: Folder of runs and stores.
        feature_store: Folder of feature tables, registry and the embedded online store.
        tracking_uri: MLflow's.
        study_storage: Optuna's.
    """

    workspace: Path
    feature_store: Path
    tracking_uri: str
    study_storage: str

    @classmethod
    def of(cls, workspace: Path) -> "Settings":
        """Return the embedded default of a workspace folder."""
        workspace = workspace.resolve()
        return cls(
            workspace,
            workspace / "feature_store",
            f"sqlite:///{workspace}/mlflow.db",
            f"sqlite:///{workspace}/studies.db",
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings of this process; what is not set is the workspace's default."""
        default = cls.of(Path(environment.get(WORKSPACE, "workspace")))
        return cls(
            default.workspace,
            Path(environment.get(FEATURE_STORE, default.feature_store)),
            environment.get(TRACKING_URI, default.tracking_uri),
            environment.get(STUDY_STORAGE, default.study_storage),
        )

    def export(self) -> dict[str, str]:
        """Return the environment that gives these settings to another process."""
        return {
            WORKSPACE: str(self.workspace),
            FEATURE_STORE: str(self.feature_store),
            TRACKING_URI: self.tracking_uri,
            STUDY_STORAGE: self.study_storage,
        }


@dataclass(frozen=True)
class ClusterSettings:
    """Which parts of a deployment are a cluster's; the defaults are this machine's.

    Attributes:
        deployer: How a version goes to work: "process" (a server here answers first) or
            "inferenceservice" (KServe's, patched in place).
        model_store: fsspec URL of the folder that registered models go to; "" for the workspace.
        credentials: Folder of a service account's token.
        runtime: TrainingRuntime of distributed trainings.
    """

    deployer: str
    model_store: str
    credentials: Path
    runtime: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "ClusterSettings":
        """Return the settings of this process."""
        return cls(
            environment.get(DEPLOYER, "process"),
            environment.get(MODEL_STORE, ""),
            Path(environment.get(CREDENTIALS, _SERVICE_ACCOUNT)),
            environment.get(TRAINING_RUNTIME, "invopt-torch"),
        )
