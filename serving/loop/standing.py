"""What becomes of a challenger that the gate kept out, and what is to order in its place."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from invopt.config import Config
from invopt.errors import OvertakenError
from invopt.files import read_json, write_json
from invopt.model_files import is_older
from invopt.steps.assess import explain_stand_in, stand_in_model
from invopt.steps.compose import compose_model
from invopt.types import Notify
from serving.deployment import Deployment
from serving.loop.release import deploy
from serving.stores.deployment_record import EXPLANATION
from serving.stores.registry import REJECTED, STANDING

CHAMPION = "champion"  # as verdicts name it


def keep(
    deployment: Deployment,
    config: Config,
    files: Mapping[str, str],
    tags: Mapping[str, str],
    kept: str,
    notify: Notify,
) -> str:
    """Register a challenger as rejected, and the candidate that is to order in its place.

    That is the best one where nobody orders yet, and one that the gate found better than the
    champion. Run again after it was cut off, it leaves the same versions.

    Args:
        deployment: Where models are registered.
        config: The configuration the challenger was trained with.
        files: Paths of model, source (the training set), verdict, assessment and explanation.
        tags: Of the versions.
        kept: Folder to write: the model that is to order, where it is a new one.
        notify: Called with lines of progress.

    Returns:
        The version to deploy, "" where a champion goes on ordering.
    """
    name, registry = config.name, deployment.registry
    found = [files["verdict"], files["assessment"]]
    rejected = dict(tags) | {STANDING: REJECTED}
    registry.register(name, files["model"], [*found, files["explanation"]], rejected, notify)
    champion = registry.champion_path(name)
    verdict = read_json(files["verdict"])
    current = registry.champion_version(name)
    is_beaten = (
        verdict.get("incumbent") == CHAMPION != verdict.get("orders_by", CHAMPION)
        # Another training's champion was not the one that was beaten.
        and verdict.get("champion_version", current) == current
    )
    if champion is not None and not is_older(champion) and not is_beaten:
        notify(f"{name} version {current} goes on ordering")
        return ""
    chosen = read_json(Path(files["assessment"]) / "metrics.json")["best_baseline"]
    label = stand_in_model(
        files["assessment"], files["source"], config, name=chosen, out=kept, notify=notify
    )
    if verdict.get("parts"):
        compose_model(
            Path(kept), chosen, Path(files["assessment"]), network=Path(files["model"]),
            source=files["source"], config=config, notify=notify,
        )  # fmt: skip
    told = dict(tags) | {STANDING: "stands in", "model": label}
    notify(f"model: {label}, until a challenger passes the gate")
    with tempfile.TemporaryDirectory() as folder:
        explained = Path(folder) / EXPLANATION
        explain_stand_in(kept, files["source"], config, str(explained))
        evidence = [*found, str(explained)]
        return registry.register(name, kept, evidence, told, notify, candidate=chosen)


def deploy_stand_in(
    deployment: Deployment, config: Config, version: str, out: str, notify: Notify
) -> str:
    """Put what stands in to work; returns its version.

    Where somebody else's model orders by now, it goes on: none is missing any more. Then, and where
    there is nothing to deploy, the version is "" and the evidence is empty.

    Args:
        deployment: Where it goes to work.
        config: The configuration of the run.
        version: Of the registered model, "" for none.
        out: Where the evidence goes, as JSON.
        notify: Called with lines of progress.

    Raises:
        InvalidInputError: If it does not answer rightly; what served before serves on.
    """
    try:
        if version:
            return deploy(deployment, config, version, out, notify)
    except OvertakenError as err:
        notify(str(err))
    write_json(out, {})
    return ""
