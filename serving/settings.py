"""Where a deployment keeps things, as the environment says. Read by `Deployment` alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from invopt.errors import InvalidInputError

WORKSPACE = "INVOPT_WORKSPACE"
FEATURE_STORE = "INVOPT_FEATURE_STORE"
TRACKING_URI = "MLFLOW_TRACKING_URI"
STUDY_STORAGE = "INVOPT_STUDY_STORAGE"
FEATURE_CONFIG = "INVOPT_FEATURE_CONFIG"
PREDICTION_LOG = "INVOPT_PREDICTION_LOG"
GOVERNOR_STORE = "INVOPT_GOVERNOR_STORE"
PIPELINE_HOST = "INVOPT_PIPELINE_HOST"
DEPLOYER = "INVOPT_DEPLOYER"
MODEL_STORE = "INVOPT_MODEL_STORE"
CREDENTIALS = "INVOPT_CREDENTIALS"
TRAINING_RUNTIME = "INVOPT_TRAINING_RUNTIME"
IMAGE = "INVOPT_IMAGE"
PIPELINE_TOKEN = "KFP_TOKEN"  # noqa: S105  (a variable's name)
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

EMBEDDED = Path(__file__).resolve().parent.parent / "feature_repo" / "feature_store.yaml"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Deployment facts.

    Attributes:
        workspace: Folder of runs and stores.
        feature_store: Folder of feature tables, registry and the embedded online store.
        tracking_uri: MLflow's.
        study_storage: Optuna's.
        feature_config: Feast's feature_store.yaml: which stores there are.
        prediction_log: Folder of served decisions.
        governor_store: SQLAlchemy URL of decisions and retrainings; a server for several machines.
        pipeline_host: Kubeflow Pipelines' URL, "" where pipelines run on this machine.
        model_store: fsspec URL of the folder that registered models go to; "" for the workspace.
        feature_variables: What feature_config may name as ${NAME}, the folder apart.
    """

    workspace: Path
    feature_store: Path
    tracking_uri: str
    study_storage: str
    feature_config: Path
    prediction_log: Path
    governor_store: str
    pipeline_host: str = ""
    model_store: str = ""
    feature_variables: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, workspace: Path) -> "Settings":
        """Return the embedded default of a workspace folder."""
        workspace = workspace.resolve()
        return cls(
            workspace=workspace,
            feature_store=workspace / "feature_store",
            tracking_uri=f"sqlite:///{workspace}/mlflow.db",
            study_storage=f"sqlite:///{workspace}/studies.db",
            feature_config=EMBEDDED,
            prediction_log=workspace / "predictions",
            governor_store=f"sqlite:///{workspace}/governor.db",
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings of this process; what is not set is the workspace's default."""
        default = cls.of(Path(environment.get(WORKSPACE, "workspace")))
        return cls(
            workspace=default.workspace,
            feature_store=Path(environment.get(FEATURE_STORE, default.feature_store)),
            tracking_uri=environment.get(TRACKING_URI, default.tracking_uri),
            study_storage=environment.get(STUDY_STORAGE, default.study_storage),
            feature_config=Path(environment.get(FEATURE_CONFIG, default.feature_config)),
            prediction_log=Path(environment.get(PREDICTION_LOG, default.prediction_log)),
            governor_store=environment.get(GOVERNOR_STORE, default.governor_store),
            pipeline_host=environment.get(PIPELINE_HOST, default.pipeline_host),
            model_store=environment.get(MODEL_STORE, default.model_store),
            feature_variables=environment,
        )

    @property
    def snapshots(self) -> Path:
        """Folder of the data sets that were read."""
        return self.workspace / "snapshots"

    @property
    def plans(self) -> Path:
        """Folder of the orders of past reviews."""
        return self.workspace / "orders"

    @property
    def monitoring(self) -> Path:
        """Folder of what monitoring keeps from run to run."""
        return self.workspace / "monitoring"

    def export(self) -> dict[str, str]:
        """Return the environment that gives these settings to another process."""
        return {
            WORKSPACE: str(self.workspace),
            FEATURE_STORE: str(self.feature_store),
            TRACKING_URI: self.tracking_uri,
            STUDY_STORAGE: self.study_storage,
            FEATURE_CONFIG: str(self.feature_config),
            PREDICTION_LOG: str(self.prediction_log),
            GOVERNOR_STORE: self.governor_store,
            PIPELINE_HOST: self.pipeline_host,
            MODEL_STORE: self.model_store,
        }


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Limits and secrets of a server; see `from_environment` for the variables.

    Attributes:
        host: Address to bind.
        port: HTTP port.
        grpc_port: gRPC port; None for none.
        token: Bearer token callers must show; "" for none.
        max_body_bytes: Of a request.
        max_queue: Requests accepted and not yet answered; more get 429.
        max_connections: At a time, as far as the process may open files; one that waits without a
            request gives its place to a new one.
        request_seconds: Longest time to an answer (504), and for a body to arrive (408).
        head_seconds: Longest time for a request's head to arrive (408), and to wait for one.
        store_seconds: Longest read of the online store.
        predictor_seconds: Longest call of the predictor.
        refresh_seconds: Between looks for a new champion or newly published features.
        memory_rows: Series whose last answer is kept, to be given again and for the time the
            store is out of reach; about 10 kB each.
        log_sample: Share of requests in the prediction log.
        probe_seconds: Between skew probes; 0 for none.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int | None = None
    token: str = ""
    max_body_bytes: int = 8 << 20
    max_queue: int = 64
    max_connections: int = 1000
    request_seconds: float = 10.0
    head_seconds: float = 10.0
    store_seconds: float = 1.0
    predictor_seconds: float = 2.0
    refresh_seconds: float = 30.0
    memory_rows: int = 20_000
    log_sample: float = 1.0
    probe_seconds: float = 900.0

    @classmethod
    def from_environment(
        cls,
        host: str,
        port: int,
        grpc_port: int | None,
        environment: Mapping[str, str],
    ) -> "ServerSettings":
        """Return the settings of this process: INVOPT_SERVER_ and the attribute's name.

        Raises:
            InvalidInputError: If a variable is not a number where one is needed.
        """
        found: dict[str, str | int | float] = {}
        for own in fields(cls):
            name = f"INVOPT_SERVER_{own.name.upper()}"
            if name not in environment or own.name in ("host", "port", "grpc_port"):
                continue
            kind = {str: str, int: int, float: float}[own.type]  # type: ignore[index]
            try:
                found[own.name] = kind(environment[name])
            except ValueError as err:
                raise InvalidInputError(
                    f"{name} must be a number, got {environment[name]!r}."
                ) from err
        return cls(host=host, port=port, grpc_port=grpc_port, **found)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ClusterSettings:
    """Which parts of a deployment are a cluster's; the defaults are this machine's.

    Attributes:
        deployer: How a version goes to work: "process" (a server here answers first) or
            "inferenceservice" (KServe's, patched in place).
        credentials: Folder of a service account's token.
        runtime: TrainingRuntime of distributed trainings.
        image: Of the steps of compiled pipelines; tag it with the commit, never `latest`.
        pipeline_token: Bearer token of Kubeflow Pipelines; None where it asks for none.
    """

    deployer: str
    credentials: Path
    runtime: str
    image: str = "invopt-python:dev"
    pipeline_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ClusterSettings":
        """Return the settings of this process."""
        return cls(
            environment.get(DEPLOYER, "process"),
            Path(environment.get(CREDENTIALS, _SERVICE_ACCOUNT)),
            environment.get(TRAINING_RUNTIME, "invopt-torch"),
            environment.get(IMAGE, cls.image),
            environment.get(PIPELINE_TOKEN),
        )
