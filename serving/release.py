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
from serving.cluster import connect, terminable
from serving.deploy import deploy_local
from serving.evidence import NO_IMAGE, grounds, image_of, software
from serving.inference_service import InferenceService, Release
from serving.registry import (
    champion_version,
    evidence_path,
    keep_evidence,
    make_champion,
    model_source,
    snapshot_of,
)
from serving.rollout import Rollout, return_to_previous
from serving.settings import DEPLOYER, ClusterSettings, Settings

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


def roll_back(service: str, namespace: str | None, notify: Notify) -> str:
    """Bring back what an InferenceService served before; returns that version."""
    cluster = connect(ClusterSettings.from_environment(), namespace)
    return return_to_previous(InferenceService(cluster, service, notify), DeploymentConfig())


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
