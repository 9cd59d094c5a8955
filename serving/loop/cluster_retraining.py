"""Retraining on Kubeflow Pipelines: started once, followed by asking."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

from invopt.config import Config
from invopt.errors import InvalidInputError
from invopt.files import read_json
from invopt.monitoring.retraining_decision import FAILED, KEPT, PROMOTED, RETRAIN
from invopt.types import Notify
from serving.cluster.kfp_api import explained, find_pipeline
from serving.cluster.kfp_client import KfpClient, Origin
from serving.cluster.kubernetes import ClusterError, token_for
from serving.deployment import Deployment
from serving.stores.governor_store import Claim, GovernorStore, clock

# Whom a token must be for, that KFP may believe it; those of Secrets are for the API server alone.
_AUDIENCE = "pipelines.kubeflow.org"
_DONE, _LOST = ("SUCCEEDED",), ("FAILED", "CANCELED", "CANCELLED", "SKIPPED")


@dataclass(frozen=True)
class Data:
    """What a retraining reads.

    Attributes:
        folder: Of the data, as the steps see it.
        mapping: As JSON, for a training whose champion's own mapping is not known.
    """

    folder: str
    mapping: str


@dataclass(frozen=True)
class RetrainingRequest:
    """A training that the governor asks for.

    Attributes:
        arguments: Of the training pipeline: cause, window, retraining.
        lasting: Monitoring periods that the change has been seen for (see Config.for_retraining).
        urgent: True when the change is far beyond its limit.
        shift: Demand over forecast of the latest period, less 1; 0 where it is not known.
    """

    arguments: dict[str, str]
    lasting: int
    urgent: bool
    shift: float = 0.0


def start_on_cluster(
    deployment: Deployment, decision: str, data: Data, config: Config, notify: Notify
) -> None:
    """Start the training pipeline of a decision on Kubeflow Pipelines, once.

    Where pipelines run on this machine nothing is done: `invopt run` starts it.

    Args:
        deployment: Whose governor decided, and whose pipelines run.
        decision: File that `govern` wrote.
        data: Read by the training.
        config: The whole configuration.
        notify: Called with a line of progress.

    Raises:
        InvalidInputError: If the training pipeline was never uploaded; the governor knows by then.
        ClusterError: If the connection breaks; whether a run began is asked by the next one.
    """
    settings = deployment.settings
    content = read_json(decision)
    if content["claim"] is None or content["decision"] != RETRAIN:
        notify("no retraining to start")
        return
    if not settings.pipeline_host:
        notify("the training run is started after this one")
        return
    claim = Claim(**content["claim"])
    name = run_name(claim)
    with deployment.governor() as store:
        if not store.begin(claim, name, config.governor, clock()):
            notify("The retraining lock expired; no run was started.")
            return
        try:
            asked = request_of(claim, content)
            _run_on_cluster(deployment, config, data, claim=claim, asked=asked, notify=notify)
        except ClusterError:
            raise  # the run may have begun: the next monitoring run asks
        except InvalidInputError:
            store.finish(claim, FAILED, clock())
            raise
    notify(f"started {name} on {settings.pipeline_host}")


def run_name(claim: Claim) -> str:
    """Return the name a retraining runs under: of its claim, so that it cannot start twice.

    Of the key alone, a run that KFP kept from a claim that was lost, or from an installation before
    this one, would be taken for this claim's.
    """
    owner = hashlib.sha256(claim.owner.encode()).hexdigest()[:6]
    return f"retraining-{claim.key}-{owner}"


def arguments_of(claim: Claim) -> dict[str, str]:
    """Return what the training pipeline is told about why it runs."""
    return {"cause": claim.cause, "window": claim.window, "retraining": claim.key}


def request_of(claim: Claim, content: dict[str, Any]) -> RetrainingRequest:
    """Return the training that a decision asks for.

    A model that is trained anew for its age has no change to learn: 0 periods.

    Args:
        claim: Of the decision.
        content: Of monitoring.json.
    """
    governor = content["governor"]
    lasting = governor["streaks"].get(governor["cause"], 0)
    latest = (content.get("trend") or [{}])[-1].get("demand")
    shift = float(latest) if latest is not None and math.isfinite(latest) else 0.0
    return RetrainingRequest(arguments_of(claim), lasting, governor["urgent"], shift)


def reconcile(deployment: Deployment, store: GovernorStore, config: Config, notify: Notify) -> None:
    """Learn from Kubeflow Pipelines and the registry how started retrainings ended.

    A run that goes on keeps its lease; one that is gone, or was never created, loses it in time.
    """
    kfp = _connect(deployment)
    experiment, registry = kfp.experiment(config.name), deployment.registry
    for claim, name in store.open_claims(config.name):
        state = kfp.state_of(experiment, name)
        if state in _DONE:
            outcome = PROMOTED if registry.has_version_for(config.name, claim.key) else KEPT
            store.finish(claim, outcome, clock())
            notify(f"{name} ended: {outcome}")
        elif state in _LOST:
            store.finish(claim, FAILED, clock())
            notify(f"{name} ended: {FAILED}")
        elif state:
            store.renew(claim, config.governor, clock())


def _connect(deployment: Deployment) -> KfpClient:
    """Return Kubeflow Pipelines; where it serves several users, as the mounted account."""
    host = deployment.settings.pipeline_host
    client = KfpClient(host)
    if not client.serves_several_users():
        return client
    cluster = deployment.connect()
    return KfpClient(host, token_for(cluster, _AUDIENCE), cluster.namespace)


def _run_on_cluster(
    deployment: Deployment,
    config: Config,
    data: Data,
    claim: Claim,
    asked: RetrainingRequest,
    notify: Notify,
) -> None:
    """Create the run unless one of that name exists: a crash after creating must not repeat it.

    The champion's own training is run again: its version of the pipeline, mapping and features,
    on the data of today. Where KFP has forgotten it, the version uploaded last gets every section
    of this run's configuration.
    """
    kfp, name = _connect(deployment), run_name(claim)
    experiment = kfp.experiment(config.name)
    if kfp.state_of(experiment, name):
        return
    origin = _origin(deployment, kfp, config.name)
    if origin is None:
        notify("the champion's own training is not known here: the newest pipeline trains")
        origin = _newest(kfp, config, data)
    own = Config.model_validate(origin.parameters["config"])
    # How much more it may cost, and how much of the newest weeks it sees, this run says.
    kept = {"newest_share": own.retraining.newest_share}
    retraining = config.retraining.model_copy(update=kept)
    whole = own.model_copy(update={"governor": config.governor, "retraining": retraining})
    whole = whole.for_retraining(lasting=asked.lasting, urgent=asked.urgent, shift=asked.shift)
    parameters = origin.parameters | arguments_of(claim)
    parameters |= {"study": name, "data_dir": data.folder, "config": whole.as_parameter()}
    parameters["evaluation"] = parameters["config"]["evaluation"]
    version = (origin.pipeline_id, origin.version_id)
    kfp.start(experiment, name, version, parameters, config.cluster.service_account)


def _origin(deployment: Deployment, kfp: KfpClient, model: str) -> Origin | None:
    """Return the run that made the champion, as KFP knows it; None where it does not."""
    run = deployment.registry.champion_run(model)
    return kfp.origin_of(run) if run else None


def _newest(kfp: KfpClient, config: Config, data: Data) -> Origin:
    """Return the pipeline uploaded last with this run's own sections.

    Raises:
        InvalidInputError: If there is none.
    """
    pipeline = f"{config.name}-training"
    with explained(kfp.host, f"finding the pipeline {pipeline}"):
        found = find_pipeline(kfp, pipeline, kfp.namespace)
    if found is None:
        raise InvalidInputError(
            f"there is no pipeline {pipeline} on {kfp.host}: "
            "upload it with `invopt submit training`."
        )
    whole = config.as_parameter()
    sections = {name: whole[name] for name in ("data", "cleaning", "features", "evaluation")}
    parameters = sections | {"config": whole, "mapping": data.mapping}
    return Origin(found, kfp.newest_version(found), parameters)
