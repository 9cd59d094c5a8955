"""From a registered version to one at work, where the deployment's configuration says."""

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from invopt.config import Config
from invopt.deployment import DeploymentConfig
from invopt.errors import InvalidInputError
from invopt.files import write_json
from serving.cluster.inference_service import (
    InferenceService,
    Release,
    kept_release,
    served_release,
)
from serving.cluster.kubernetes import connect, terminable
from serving.cluster.rollout import Rollout, return_to_previous
from serving.loop.local_release import deploy_local
from serving.settings import DEPLOYER, ClusterSettings, Settings
from serving.stores.deployment_record import NO_IMAGE, grounds, image_of, software
from serving.stores.registry import (
    champion_version,
    evidence_path,
    keep_evidence,
    make_champion,
    model_source,
    only_model,
    previous_version,
    registered_versions,
    snapshot_of,
)

Notify = Callable[[str], None]


def deploy(config: dict[str, Any], version: str, out: str, notify: Notify) -> str:
    """Put a registered version to work and make it champion; returns the champion.

    Args:
        config: The whole configuration.
        version: Of the registered model.
        out: Where the evidence goes, as JSON.
        notify: Called with lines of progress.

    Raises:
        InvalidInputError: If it does not answer rightly; what served before serves on.
    """
    run = Config.model_validate(config)
    ways = {"process": _in_a_process, "inferenceservice": _in_the_cluster}
    way = ClusterSettings.from_environment().deployer
    if way not in ways:
        raise InvalidInputError(f"{DEPLOYER} must be one of {', '.join(ways)}, got {way!r}.")
    found = grounds(evidence_path(run.name, version), snapshot_of(run.name, version))
    deployed = ways[way](run, version, notify)
    write_json(out, {"deployer": way} | deployed | found | {"software": software()})
    keep_evidence(run.name, version, Path(out))
    return champion_version(run.name)


def roll_back(service: str, namespace: str | None, model: str | None, notify: Notify) -> str:
    """Bring back what an InferenceService served before, and make it champion; returns the version.

    Registry and endpoint are one fact: where an earlier rollback or promotion was cut off between
    the two, this one finishes it, and nothing else.

    Args:
        service: Name of the InferenceService.
        namespace: Of the service, None for the connection's own.
        model: Registered name, None for the service's.
        notify: Called with lines of progress.

    Raises:
        InvalidInputError: If there is nothing to go back to, or the registry is not that of the
            service; nothing is changed then.
    """
    name = model or service
    found = InferenceService(
        connect(ClusterSettings.from_environment(), namespace), service, notify
    )
    current = found.read()
    now, kept = served_release(current["spec"]), kept_release(current)
    champion = _known_champion(name)
    if now is not None and champion != now.version and _holds(name, now):
        notify(f"{service} serves version {now.version}, the registry says {champion or 'none'}")
        make_champion(name, now.version)
        return now.version
    if kept is not None and not _holds(name, kept):
        uri = Settings.from_environment().tracking_uri
        raise InvalidInputError(
            f"in {uri} version {kept.version} of {name} is not "
            f"what {service} served before ({kept.source}). {_REACH}"
        )
    version = return_to_previous(found, DeploymentConfig())
    make_champion(name, version)
    return version


def roll_back_local(model: str | None, notify: Notify) -> str:
    """Make the champion before the present one champion again; returns its version.

    Servers of the workspace take it up by themselves. Doing it twice goes forward again.

    Raises:
        InvalidInputError: If there was none before.
    """
    name = model or only_model()
    before, now = previous_version(name), champion_version(name)
    if not before:
        raise InvalidInputError(
            f"{name} has had no champion before version {now or 'none'}: there is nothing to go "
            "back to. Run the training pipeline for another version."
        )
    notify(f"going back from {now} to {before}")
    make_champion(name, before)
    return before


_REACH = (
    "Name the service's own registry: `kubectl port-forward svc/mlflow 5000` and "
    "MLFLOW_TRACKING_URI=http://localhost:5000, and the registered name with --name."
)


def _known_champion(name: str) -> str:
    """Return the champion's version.

    Raises:
        InvalidInputError: If the registry knows no such model: it is another one.
    """
    if name not in {known for known, _ in registered_versions()}:
        raise InvalidInputError(
            f"the registry {Settings.from_environment().tracking_uri} knows no model {name}: a "
            f"rollback moves registry and endpoint together. {_REACH}"
        )
    return champion_version(name)


def _holds(name: str, release: Release) -> bool:
    """Return whether the registry has this version with these files."""
    known = release.version in {v for n, v in registered_versions() if n == name}
    return known and model_source(name, release.version) == release.source


def known_series(num: int) -> list[str]:
    """Return some series of the newest features, spread over all of them.

    Raises:
        InvalidInputError: If nothing was published.
    """
    folder = Settings.from_environment().feature_store / "series_window"
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise InvalidInputError(f"no feature table in {folder}: publish features first.")
    names = pq.read_table(files[-1], columns=["unique_id"])["unique_id"].to_pylist()
    return names[:: max(1, -(-len(names) // num))]


def _in_a_process(run: Config, version: str, notify: Notify) -> dict[str, Any]:
    deploy_local(run.name, version, notify)
    return {"version": version, "images": {"job": NO_IMAGE, "server": NO_IMAGE}}


def _in_the_cluster(run: Config, version: str, notify: Notify) -> dict[str, Any]:
    cluster = connect(ClusterSettings.from_environment())
    service = InferenceService(cluster, run.deployment.service, notify)
    release = Release(version, model_source(run.name, version))
    names = known_series(run.deployment.num_series)
    with terminable():
        evidence = Rollout(service, release, run.deployment, names).run()
    make_champion(run.name, version)
    job = image_of(cluster.items("pods"), platform.node())
    return evidence | {"images": {"job": job, "server": evidence["images"]}}
