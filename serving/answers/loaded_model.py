"""One model version, loaded: everything a decision needs of it."""

import functools
import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from invopt.attribution import load_reference
from invopt.config import Config, ModelConfig
from invopt.errors import ContractError
from invopt.features import FeatureSpec
from invopt.model_files import read_head, verify
from invopt.parts import MAIN, Parts, part_folder
from invopt.runtime import NETWORK, check_alike
from invopt.types import IntArray, ModelInputs
from serving.answers.graph import LocalNetwork, Network, RemoteNetwork

Section = TypeVar("Section", bound=BaseModel)


@dataclass(frozen=True)
class LoadedChampion:
    """A model version at work.

    Attributes:
        version: NAME-N.
        spec: How feature rows become inputs.
        model: Quantile levels.
        config: Of the run that trained it; its inventory section is the policy.
        network: Asked for forecasts.
        reference: Window that attributions start from; None for a model exported without.
        label: What people call it.
        rules: Who forecasts what, of a model of parts; None for a model without.
        parts: The parts besides this main model, by name.
    """

    version: str
    spec: FeatureSpec
    model: ModelConfig
    config: Config
    network: Network
    reference: ModelInputs | None
    label: str = NETWORK
    rules: Parts | None = None
    parts: Mapping[str, "LoadedChampion"] = field(default_factory=dict)

    def makers(self, places: IntArray) -> list[str]:
        """Return what people call who forecasts each row; empty where one forecasts all.

        Args:
            places: Number of each row's rule.
        """
        if self.rules is None:
            return []
        own = {MAIN: self.label} | {name: part.label for name, part in self.parts.items()}
        labels = self.rules.labels(own)
        return [labels[place] for place in places]

    @functools.cached_property
    def policy_version(self) -> str:
        """Name of the ordering policy and a hash of all its settings."""
        inventory = self.config.inventory
        text = json.dumps(inventory.model_dump(mode="json"), sort_keys=True)
        return f"{inventory.policy}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def load_champion(
    path: Path,
    name: str,
    version: str,
    predictor: str | None = None,
    *,
    predictor_seconds: float = 2.0,
    token: str = "",
) -> LoadedChampion:
    """Return a model folder, loaded.

    Args:
        path: Model folder.
        name: Registered model name, also the name at the predictor.
        version: Version number.
        predictor: host:port of the predictor's gRPC; the graph runs here by default.
        predictor_seconds: Longest wait for the predictor.
        token: Bearer token of the predictor.

    Raises:
        ContractError: If a file is missing, differs from what was registered, cannot be read or is
            of another format.
    """
    verify(path)
    rules = Parts.of(path)
    remote = _Remote(name, predictor, predictor_seconds, token) if predictor else None
    parts = {n: _loaded(path, n, f"{name}-{version}", remote) for n in (MAIN, *rules.names)}
    check_alike({n: (part.spec, part.model) for n, part in parts.items()})
    main = parts.pop(MAIN)
    return replace(main, rules=rules, parts=parts) if parts else main


@dataclass(frozen=True)
class _Remote:
    """Where a predictor holds the graphs."""

    name: str
    address: str
    seconds: float
    token: str


def _loaded(folder: Path, part: str, label: str, remote: _Remote | None) -> LoadedChampion:
    """Return the main model of a folder, or one of its parts."""
    path = part_folder(folder, part)
    head, training = read_head(path), _read(path, "training.json")
    try:
        spec = FeatureSpec.load(_file(path, "features.json"))
    except ContractError:
        raise
    except (ValueError, KeyError, TypeError) as err:
        raise ContractError("Model", "features.json", f"be readable in {path}") from err
    network: Network = LocalNetwork(path)
    if remote is not None:
        network = RemoteNetwork(
            remote.name, remote.address, path, remote.seconds, remote.token, part=part
        )
    reference = path / "reference.npz"
    return LoadedChampion(
        label,
        spec,
        _parsed(ModelConfig, head, "model", path),
        config=_parsed(Config, training, "config", path),
        network=network,
        reference=_reference(reference) if reference.is_file() else None,
        label=str(head.get("label") or NETWORK),
    )


def _reference(file: Path) -> ModelInputs:
    try:
        return load_reference(file)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as err:
        raise ContractError("Model", file.name, f"be readable in {file.parent}") from err


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads(_file(path, name).read_text(encoding="utf-8"))
    except ValueError as err:  # of JSON, or of UTF-8
        raise ContractError("Model", name, f"be readable in {path}") from err
    if not isinstance(content, dict):
        raise ContractError("Model", name, f"be a JSON object in {path}")
    return content


def _parsed(kind: type[Section], content: dict[str, Any], key: str, path: Path) -> Section:
    try:
        return kind.model_validate(content.get(key))
    except ValidationError as err:
        wrong = [".".join(map(str, e["loc"])) for e in err.errors()]
        raise ContractError(
            "Model", key, f"be a configuration of this version of invopt in {path}",
            count=len(wrong), examples=wrong, advice="Train again.",
        ) from err  # fmt: skip


def _file(path: Path, name: str) -> Path:
    if not (path / name).is_file():
        raise ContractError("Model", name, f"exist in {path}")
    return path / name
