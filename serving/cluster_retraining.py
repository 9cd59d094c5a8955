"""Retraining on Kubeflow Pipelines: started once, followed by asking."""

from collections.abc import Callable
from typing import Any

from invopt.config import Config
from invopt.errors import InvalidInputError
from invopt.files import read_json
from invopt.monitoring.decision import FAILED, KEPT, PROMOTED, RETRAIN
from serving.governor import Claim, GovernorStore, clock
from serving.settings import ClusterSettings, Settings

Notify = Callable[[str], None]
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
            _run_on_cluster(settings.pipeline_host, asked, data_dir, claim)
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
    """Return for how many periods the change of a decision was seen, and whether it is urgent."""
    governor = content["governor"]
    return governor["streaks"][governor["cause"]], governor["urgent"]


def reconcile(store: GovernorStore, config: Config, settings: Settings, notify: Notify) -> None:
    """Learn from Kubeflow Pipelines and the registry how started retrainings ended.

    A run that goes on keeps its lease; one that is gone, or was never created, loses it in time.
    """
    from serving.registry import has_version_for  # noqa: PLC0415

    client = _client(settings.pipeline_host)
    for claim, name in store.open_claims(config.name):
        state = _state(client, config.name, name)
        if state in _DONE:
            outcome = PROMOTED if has_version_for(config.name, claim.key) else KEPT
            store.finish(claim, outcome, clock())
            notify(f"{name} ended: {outcome}")
        elif state in _LOST:
            store.finish(claim, FAILED, clock())
            notify(f"{name} ended: {FAILED}")
        elif state:
            store.renew(claim, config.governor, clock())


def _client(host: str) -> Any:
    from kfp import Client  # noqa: PLC0415  (a second of import)

    token = ClusterSettings.from_environment().credentials / "token"
    return Client(host=host, existing_token=token.read_text() if token.is_file() else None)


def _run_on_cluster(host: str, config: Config, data_dir: str, claim: Claim) -> None:
    """Create the run unless one of that name exists: a crash after creating must not repeat it."""
    client, model, name = _client(host), config.name, run_name(claim)
    if _state(client, model, name):
        return
    pipeline = f"{model}-training"
    pipeline_id = client.get_pipeline_id(pipeline)
    if pipeline_id is None:
        raise InvalidInputError(
            f"there is no pipeline {pipeline} on {host}: upload it with `invopt submit training`."
        )
    experiment = client.create_experiment(model)
    whole = config.as_parameter()
    client.run_pipeline(
        experiment.experiment_id,
        name,
        pipeline_id=pipeline_id,
        version_id=_latest_version(client, pipeline_id),
        service_account=config.cluster.service_account,
        params=arguments_of(claim)
        | {"study": name, "data_dir": data_dir, "config": whole, "evaluation": whole["evaluation"]},
    )


def _latest_version(client: Any, pipeline_id: str) -> str:
    """Return the version of a pipeline that was uploaded last."""
    found = client.list_pipeline_versions(pipeline_id, page_size=1, sort_by="created_at desc")
    return str(found.pipeline_versions[0].pipeline_version_id)


def _state(client: Any, model: str, name: str) -> str:
    """Return the state of the run of a name, "" where there is none."""
    experiment = client.create_experiment(model)
    found = client.list_runs(experiment_id=experiment.experiment_id, page_size=100,
                             sort_by="created_at desc").runs  # fmt: skip
    return next((str(r.state or "PENDING") for r in found or () if r.display_name == name), "")
