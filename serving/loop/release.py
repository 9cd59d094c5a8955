"""From a registered version to one at work, where the deployment's configuration says."""

import platform
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from invopt.config import Config
from invopt.deployment_config import DeploymentConfig
from invopt.errors import InvalidInputError
from invopt.files import write_json
from invopt.types import Notify
from serving.cluster.inference_service import (
    InferenceService,
    Release,
    kept_release,
    served_release,
)
from serving.cluster.kubernetes import terminable
from serving.cluster.rollout import Rollout, return_to_previous
from serving.deployment import Deployment
from serving.loop.local_release import deploy_local, server_token
from serving.settings import DEPLOYER, Settings
from serving.stores.deployment_record import NO_IMAGE, grounds, image_of, software
from serving.stores.registry import Registry


def deploy(deployment: Deployment, run: Config, version: str, out: str, notify: Notify) -> str:
    """Put a registered version to work and make it champion; returns the champion.

    Args:
        deployment: Where it goes to work.
        run: The whole configuration.
        version: Of the registered model.
        out: Where the evidence goes, as JSON.
        notify: Called with lines of progress.

    Raises:
        InvalidInputError: If it does not answer rightly, or the champion is another one than it was
            judged beside; what served before serves on.
    """
    ways = {"process": _in_a_process, "inferenceservice": _in_the_cluster}
    way, registry = deployment.cluster.deployer, deployment.registry
    if way not in ways:
        raise InvalidInputError(f"{DEPLOYER} must be one of {', '.join(ways)}, got {way!r}.")
    found = grounds(
        registry.evidence_path(run.name, version), registry.snapshot_of(run.name, version)
    )
    judged = (found["verdict"] or {}).get("champion_version")
    registry.check_judged(run.name, version, judged)
    deployed = ways[way](deployment, run, version, judged, notify)
    model = registry.version_of(run.name, version).sha256
    write_json(out, {"deployer": way, "model": model} | deployed | found | {"software": software()})
    registry.keep_evidence(run.name, version, Path(out))
    return registry.champion_version(run.name)


def roll_back(
    service: InferenceService, registry: Registry, model: str | None, notify: Notify, to: str = ""
) -> str:
    """Bring back what an InferenceService served before, and make it champion; returns the version.

    Registry and endpoint are one fact: where an earlier rollback or promotion was cut off between
    the two, this one finishes it, and nothing else.

    Args:
        service: What serves.
        registry: Its own.
        model: Registered name, None for the service's.
        notify: Called with lines of progress.
        to: Version to go back to, "" for the one before: then doing it twice goes forward again.

    Raises:
        InvalidInputError: If there is nothing to go back to, the service keeps another version than
            the one named, or the registry is not that of the service; nothing is changed then.
    """
    name = model or service.name
    current = service.read()
    now, kept = served_release(current["spec"]), kept_release(current)
    champion = _known_champion(registry, name)
    is_meant = now is not None and to in ("", now.version)
    if now and is_meant and champion != now.version and _holds(registry, name, now):
        notify(
            f"{service.name} serves version {now.version}, the registry says {champion or 'none'}"
        )
        registry.make_champion(name, now.version)
        return now.version
    if now is not None and to == now.version:
        notify(f"{service.name} serves version {to} already")
        return to
    if kept is not None and to not in ("", kept.version):
        raise InvalidInputError(
            f"{service.name} can go back to version {kept.version} only, which it served before; "
            f"--to says {to}. A version from before that one is served again once it passes a "
            "training's gate."
        )
    if kept is not None and not _holds(registry, name, kept):
        raise InvalidInputError(
            f"in {registry.settings.tracking_uri} version {kept.version} of {name} is not "
            f"what {service.name} served before ({kept.source}). {_REACH}"
        )
    return_to_previous(service, DeploymentConfig())
    return _crown(registry, name, service)


def roll_back_local(registry: Registry, model: str | None, notify: Notify, to: str = "") -> str:
    """Make an earlier champion champion again; returns its version.

    Servers of the workspace take it up by themselves.

    Args:
        registry: Of the workspace.
        model: Registered name, None for the only one.
        notify: Called with lines of progress.
        to: Version to go back to, "" for the one before: then doing it twice goes forward again.

    Raises:
        InvalidInputError: If there was none before, or the version named was never let through.
    """
    name = model or registry.only_model()
    now = registry.champion_version(name)
    before = to or registry.previous_version(name)
    if not before:
        raise InvalidInputError(
            f"{name} has had no champion before version {now or 'none'}: there is nothing to go "
            "back to. Run the training pipeline for another version."
        )
    if before == now:
        notify(f"version {now} is champion already")
        return now
    if registry.is_rejected(name, before):
        raise InvalidInputError(
            f"the gate kept version {before} of {name} out: it cannot become champion. "
            "`--to` takes a version that was champion."
        )
    registry.version_path(name, before)  # damaged or gone, it must not become champion
    notify(f"going back from {now or 'none'} to {before}")
    registry.make_champion(name, before)
    return before


_REACH = (
    "Name the service's own registry: `kubectl port-forward svc/mlflow 5000` and "
    "MLFLOW_TRACKING_URI=http://localhost:5000, and the registered name with --name."
)


def _known_champion(registry: Registry, name: str) -> str:
    """Return the champion's version.

    Raises:
        InvalidInputError: If the registry does not answer, or knows no such model.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        versions = registry.registered_versions()
    except MlflowException as err:
        raise InvalidInputError(
            f"the registry {registry.settings.tracking_uri} does not answer: {err}. "
            f"Nothing was changed. {_REACH}"
        ) from err
    if name not in {known for known, _ in versions}:
        raise InvalidInputError(
            f"the registry {registry.settings.tracking_uri} knows no model {name}: a "
            f"rollback moves registry and endpoint together. {_REACH}"
        )
    return registry.champion_version(name)


def _crown(registry: Registry, name: str, service: InferenceService) -> str:
    """Make what a service serves the champion; returns its version.

    Of two promotions or rollbacks at once each looks again after it wrote: whichever writes last
    has seen what is served in the end.
    """
    while True:
        served, champion = served_release(service.read()["spec"]), registry.champion_version(name)
        if served is None or served.version == champion or not _holds(registry, name, served):
            return champion
        registry.make_champion(name, served.version)


def _holds(registry: Registry, name: str, release: Release) -> bool:
    """Return whether the registry has this version with these files."""
    known = release.version in {v for n, v in registry.registered_versions() if n == name}
    return known and registry.model_source(name, release.version) == release.source


def known_series(settings: Settings, num: int) -> list[str]:
    """Return some series of the newest features, spread over all of them.

    Raises:
        InvalidInputError: If nothing was published.
    """
    folder = settings.feature_store / "series_window"
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise InvalidInputError(f"no feature table in {folder}: publish features first.")
    names = pq.read_table(files[-1], columns=["unique_id"])["unique_id"].to_pylist()
    return names[:: max(1, -(-len(names) // num))]


def _in_a_process(
    deployment: Deployment, run: Config, version: str, judged: str | None, notify: Notify
) -> dict[str, Any]:
    deploy_local(deployment, run.name, version, notify, run.deployment.ready_minutes, judged=judged)
    return {"version": version, "images": {"job": NO_IMAGE, "server": NO_IMAGE}}


def _in_the_cluster(
    deployment: Deployment, run: Config, version: str, judged: str | None, notify: Notify
) -> dict[str, Any]:
    cluster, registry = deployment.connect(), deployment.registry
    service = InferenceService(cluster, run.deployment.service, notify)
    release = Release(version, registry.model_source(run.name, version))
    names = known_series(deployment.settings, run.deployment.num_series)
    with terminable():
        token = server_token(deployment)
        evidence = Rollout(service, release, run.deployment, names, token, judged=judged).run()
    _crown(registry, run.name, service)
    job = image_of(cluster.items("pods"), platform.node())
    return evidence | {"images": {"job": job, "server": evidence["images"]}}
