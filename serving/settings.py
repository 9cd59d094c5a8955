"""Where this deployment keeps things; the only reader of the environment besides the CLI."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WORKSPACE = "INVOPT_WORKSPACE"
FEATURE_STORE = "INVOPT_FEATURE_STORE"
TRACKING_URI = "MLFLOW_TRACKING_URI"
STUDY_STORAGE = "INVOPT_STUDY_STORAGE"
PREDICTION_LOG = "INVOPT_PREDICTION_LOG"
CODE_VERSION = "INVOPT_CODE_VERSION"


@dataclass(frozen=True)
class Settings:
    """Deployment facts.

    Attributes:
        workspace: Folder of runs and stores.
        feature_store: Folder of feature tables, registry and the embedded online store.
        tracking_uri: MLflow's.
        study_storage: Optuna's.
        prediction_log: Folder of served decisions.
    """

    workspace: Path
    feature_store: Path
    tracking_uri: str
    study_storage: str
    prediction_log: Path

    @classmethod
    def of(cls, workspace: Path) -> "Settings":
        """Return the embedded default of a workspace folder."""
        workspace = workspace.resolve()
        return cls(
            workspace,
            workspace / "feature_store",
            f"sqlite:///{workspace}/mlflow.db",
            f"sqlite:///{workspace}/studies.db",
            workspace / "predictions",
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
            Path(environment.get(PREDICTION_LOG, default.prediction_log)),
        )

    def export(self) -> dict[str, str]:
        """Return the environment that gives these settings to another process."""
        return {
            WORKSPACE: str(self.workspace),
            FEATURE_STORE: str(self.feature_store),
            TRACKING_URI: self.tracking_uri,
            STUDY_STORAGE: self.study_storage,
            PREDICTION_LOG: str(self.prediction_log),
        }
