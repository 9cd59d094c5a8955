"""What a configuration file gives to a pipeline."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from invopt.config import Config, load_config
from invopt.deployment_config import ClusterConfig
from invopt.errors import ConfigError
from invopt.files import read_json, write_json
from invopt.frequency import with_defaults
from invopt.sources import load_mapping

# Of a mapping as a step is given it: Linux takes arguments of 131,072 bytes, with all others.
_MOST_BYTES = 100_000
# What a workspace's last training ran with.
REMEMBERED = "parameters.json"


@dataclass(frozen=True)
class Parameters:
    """Defaults of a pipeline's parameters.

    Attributes:
        config: The whole configuration as plain data.
        mapping: The data set's mapping as JSON text: KFP does not keep the order of a dict's keys,
            and sources build on those above them.
        data_dir: Folder of the data, "" to be given at submission.
        code_version: Of the library.
        cluster: Where the steps of a submitted run run.
        command: How a training run is started by hand.
        console: How the governor is asked by hand, {} in place of the question.
        files: Digest of the configuration and the mapping it was read from, by path.
    """

    config: dict[str, Any]
    mapping: str
    data_dir: str
    code_version: str
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    command: str = "invopt run training --config FILE --data DIR"
    console: str = "invopt {}"
    files: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        path: Path,
        overrides: Iterable[str] = (),
        data_dir: str = "",
        code_version: str = "dev",
    ) -> "Parameters":
        """Read a configuration file and the mapping it names.

        Raises:
            ConfigError: If either cannot be used.
        """
        config = load_run_config(path, overrides)
        mapping = mapping_path(path, config)
        load_mapping(mapping)
        content = json.dumps(yaml.safe_load(mapping.read_text()))
        _check_length(mapping, content)
        files = {str(file.resolve()): _digest(file) for file in (path, mapping)}
        return cls(
            config.as_parameter(), content, data_dir, code_version, config.cluster, files=files
        )

    def remember(self, workspace: Path) -> None:
        """Keep what a workspace was trained with, for the runs that follow."""
        write_json(
            workspace / REMEMBERED,
            {"config": self.config, "mapping": self.mapping, "files": self.files},
        )

    @property
    def changed_files(self) -> list[str]:
        """Files that hold something else than when they were read, those that are gone left out."""
        return [
            path
            for path, digest in self.files.items()
            if Path(path).is_file() and _digest(Path(path)) != digest
        ]

    @classmethod
    def remembered(
        cls, workspace: Path, overrides: Iterable[str], code_version: str
    ) -> "Parameters":
        """Return the parameters of the workspace's last training.

        Raises:
            ConfigError: If there was none, it cannot be read, or overrides are given.
        """
        if tuple(overrides):
            raise ConfigError("--set changes a configuration file: name it with --config.")
        file = workspace / REMEMBERED
        if not file.is_file():
            raise ConfigError(
                f"nothing was trained in {workspace} yet: run `invopt run training --config FILE "
                f"--data DIR --workspace {workspace}` first, or name a configuration with --config."
            )
        try:
            content = read_json(file)
            found = cls(
                content["config"],
                content["mapping"],
                "",
                code_version,
                files=dict(content.get("files", {})),
            )
            found.typed  # noqa: B018  (what another version wrote may not be valid here)
        except (ValueError, LookupError, TypeError) as err:
            raise ConfigError(
                f"{file} is damaged or was written by another version ({type(err).__name__}): "
                "name the configuration with --config; the next training writes it anew."
            ) from err
        return found

    def for_retraining(self, lasting: int, *, urgent: bool, shift: float) -> "Parameters":
        """Return the parameters of a training that the governor asked for."""
        asked = self.typed.for_retraining(lasting=lasting, urgent=urgent, shift=shift)
        return replace(self, config=asked.as_parameter())

    @property
    def typed(self) -> Config:
        """The configuration."""
        return Config.model_validate(self.config)

    def section(self, name: str) -> dict[str, Any]:
        """Return one section of the configuration."""
        content: dict[str, Any] = self.config[name]
        return content


def load_run_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration file; what it leaves out follows from the frequency of its data.

    Raises:
        ConfigError: If it cannot be used.
    """

    def complete(content: dict[str, Any]) -> dict[str, Any]:
        data = content.get("data")
        file = data.get("mapping") if isinstance(data, dict) else None
        if not isinstance(file, str) or not (path.parent / file).is_file():
            return content  # the checks that follow say so
        return with_defaults(content, load_mapping(path.parent / file).frequency)

    return load_config(path, overrides, complete)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def mapping_path(path: Path, config: Config) -> Path:
    """Return the mapping file a configuration names, relative to itself.

    Raises:
        ConfigError: If it does not exist.
    """
    mapping = path.parent / config.data.mapping
    if not mapping.is_file():
        raise ConfigError(f"configuration {path}: data.mapping {mapping} does not exist.")
    return mapping


def _check_length(mapping: Path, content: str) -> None:
    """Refuse a mapping that no step could be given.

    Raises:
        ConfigError: If it is too long.
    """
    length = len(json.dumps(content).encode())  # as a text within what a step is given
    if length > _MOST_BYTES:
        raise ConfigError(
            f"{mapping} has {length:,} bytes as a step is given it, and {_MOST_BYTES:,} are the "
            "most. Usual cause: SQL that names each of many columns. Name them by their form "
            "instead (UNPIVOT ... ON COLUMNS(* EXCLUDE (product)), see docs/your-data.md), or let "
            "a view of a database do it."
        )
