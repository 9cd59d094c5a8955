"""Orders come from the champion, and only while it is what the endpoint serves."""

from invopt.config import Config
from invopt.errors import InvalidInputError
from serving.cluster.inference_service import InferenceService, Release, served_release
from serving.deployment import Deployment
from serving.progress import tell
from serving.stores.registry import Registered, Registry, number_of


def served_champion(deployment: Deployment, config: Config) -> Registered:
    """Return the champion, which is what the endpoint serves.

    On one machine servers follow the registry by themselves; in a cluster the InferenceService is
    asked.

    Args:
        deployment: Whose champion it is.
        config: The whole configuration.

    Raises:
        InvalidInputError: If there is no champion, or the InferenceService serves another version.
    """
    champion = deployment.registry.champion_of(config.name)
    if deployment.cluster.deployer != "inferenceservice":
        return champion
    service = config.deployment.service
    found = InferenceService(deployment.connect(), service, tell).read()
    served = served_release(found["spec"])
    if served != Release(champion.version, champion.source):
        version = "no version" if served is None else f"version {served.version}"
        raise InvalidInputError(
            f"version {champion.version} of {config.name} is champion in the registry, but "
            f"{service} serves {version}: no orders are made from a model that is not served. "
            "While a promotion or a rollback is under way, run again when it has ended; where one "
            "was cut off, `invopt rollback` makes the two agree."
        )
    return champion


def check_still_champion(registry: Registry, name: str, label: str) -> None:
    """Raise InvalidInputError where the model that forecast is not the champion any more.

    Args:
        registry: Holds the champion.
        name: Of the model.
        label: Name and version of the model that forecast, "demo-3".
    """
    champion, version = registry.champion_version(name), number_of(label)
    if champion and champion != version:
        raise InvalidInputError(
            f"version {version} of {name} made the forecasts, but version {champion} "
            "became champion meanwhile: no orders are made of the former one's. Run the "
            "replenishment again."
        )
