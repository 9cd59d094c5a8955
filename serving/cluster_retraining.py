"""Retraining on Kubeflow Pipelines: started once, followed by asking."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from invopt.config import Config
from invopt.errors import InvalidInputError
from invopt.files import read_json
from invopt.monitoring.decision import FAILED, KEPT, PROMOTED, RETRAIN
from serving.cluster import ClusterError, connect, token_for
from serving.governor import Claim, GovernorStore, clock
from serving.kfp_api import explained, find_pipeline
from serving.settings import ClusterSettings, Settings

Notify = Callable[[str], None]
# Whom a token must be for, that KFP may believe it; those of Secrets are for the API server alone.
_AUDIENCE = "pipelines.kubeflow.org"
_DONE, _LOST = ("SUCCEEDED",), ("FAILED", "CANCELED", "CANCELLED", "SKIPPED")


def start_on_cluster(decision: str, data_dir: str, config: dict[str, Any], notify: Notify) -> None:
    """Start the training pipeline of a decision on Kubeflow Pipelines, once.

    Where pipelines run on this machine nothing is done: `invopt run` starts it.

    Args:
        decision: File that `govern` wrote.
        data_dir: Folder of the data, as the steps see it.
        config: The whole configuration.
        notify: Called with a line of progress.

    Raises:
        InvalidInputError: If the training pipeline was never uploaded; the governor knows by then.
        ClusterError: If the connection breaks; whether a run began is asked by the next one.
    """
    settings, whole = Settings.from_environment(), Config.model_validate(config)
    content = read_json(decision)
    if content["claim"] is None or content["decision"] != RETRAIN:
        notify("no retraining to start")
        return
    if not settings.pipeline_host:
        notify("the training run is started after this one")
        return
    claim = Claim(**content["claim"])
    name = run_name(claim)
    store = GovernorStore(settings.governor_store)
    try:
        if not store.begin(claim, name, whole.governor, clock()):
            notify("the claim on this retraining has run out; nothing is started")
            return
        try:
            lasting, urgent = lasting_of(content)
            asked = whole.for_retraining(lasting=lasting, urgent=urgent)
            with explained(settings.pipeline_host, "starting a retraining"):
                _run_on_cluster(settings.pipeline_host, asked, data_dir, claim)
        except ClusterError:
            raise  # the run may have begun: the next monitoring run asks
        except InvalidInputError:
            store.finish(claim, FAILED, clock())
            raise
    finally:
        store.close()
    notify(f"started {name} on {settings.pipeline_host}")


def run_name(claim: Claim) -> str:
    """Return the name a retraining runs under: its key, so that it cannot start twice."""
    return f"retraining-{claim.key}"


def arguments_of(claim: Claim) -> dict[str, str]:
    """Return what the training pipeline is told about why it runs."""
    return {"cause": claim.cause, "window": claim.window, "retraining": claim.key}


def lasting_of(content: dict[str, Any]) -> tuple[int, bool]:
    """Return for how many periods the change of a decision was seen, and whether it is urgent.

    A model that is trained anew for its age has no change to learn: 0 periods.
    """
    governor = content["governor"]
    return governor["streaks"].get(governor["cause"], 0), governor["urgent"]


def reconcile(store: GovernorStore, config: Config, settings: Settings, notify: Notify) -> None:
    """Learn from Kubeflow Pipelines and the registry how started retrainings ended.

    A run that goes on keeps its lease; one that is gone, or was never created, loses it in time.
    """
    from serving.registry import has_version_for  # noqa: PLC0415

    kfp = _connect(settings.pipeline_host)
    for claim, name in store.open_claims(config.name):
        state = _state(kfp, config.name, name)
        if state in _DONE:
            outcome = PROMOTED if has_version_for(config.name, claim.key) else KEPT
            store.finish(claim, outcome, clock())
            notify(f"{name} ended: {outcome}")
        elif state in _LOST:
            store.finish(claim, FAILED, clock())
            notify(f"{name} ended: {FAILED}")
        elif state:
            store.renew(claim, config.governor, clock())


@dataclass(frozen=True)
class _Kfp:
    """Kubeflow Pipelines: its client, and whose runs they are.

    Attributes:
        host: URL.
        client: Of the kfp package.
        namespace: In an installation of several users, None in one that all share.
    """

    host: str
    client: Any
    namespace: str | None

    def experiment(self, model: str) -> str:
        """Return the id of a model's experiment, made where it is not there."""
        found = self.client.create_experiment(model, namespace=self.namespace)
        return str(found.experiment_id)


def _connect(host: str) -> _Kfp:
    """Return Kubeflow Pipelines; where it serves several users, as the mounted account."""
    from kfp import Client  # noqa: PLC0415  (a second of import)

    with explained(host, "connecting"):
        client = Client(host=host)
        if not client.get_kfp_healthz().multi_user:
            return _Kfp(host, client, None)
    cluster = connect(ClusterSettings.from_environment())
    token = token_for(cluster, _AUDIENCE)
    return _Kfp(host, Client(host=host, existing_token=token), cluster.namespace)


def _run_on_cluster(host: str, config: Config, data_dir: str, claim: Claim) -> None:
    """Create the run unless one of that name exists: a crash after creating must not repeat it."""
    kfp, name = _connect(host), run_name(claim)
    if _state(kfp, config.name, name):
        return
    pipeline = f"{config.name}-training"
    pipeline_id = find_pipeline(kfp.client, pipeline, kfp.namespace)
    if pipeline_id is None:
        raise InvalidInputError(
            f"there is no pipeline {pipeline} on {host}: upload it with `invopt submit training`."
        )
    whole = config.as_parameter()
    kfp.client.run_pipeline(
        kfp.experiment(config.name),
        name,
        pipeline_id=pipeline_id,
        version_id=_latest_version(kfp.client, pipeline_id),
        service_account=config.cluster.service_account,
        params=arguments_of(claim)
        | {"study": name, "data_dir": data_dir, "config": whole, "evaluation": whole["evaluation"]},
    )


def _latest_version(client: Any, pipeline_id: str) -> str:
    """Return the version of a pipeline that was uploaded last."""
    found = client.list_pipeline_versions(pipeline_id, page_size=1, sort_by="created_at desc")
    return str(found.pipeline_versions[0].pipeline_version_id)


def _state(kfp: _Kfp, model: str, name: str) -> str:
    """Return the state of the run of a name, "" where there is none."""
    with explained(kfp.host, "asking for runs"):
        found = kfp.client.list_runs(
            experiment_id=kfp.experiment(model),
            namespace=kfp.namespace,
            page_size=100,
            sort_by="created_at desc",
        ).runs
    return next((str(r.state or "PENDING") for r in found or () if r.display_name == name), "")
