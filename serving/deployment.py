"""One deployment: made from the environment, or of a workspace, where a program starts."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from serving.settings import FEATURE_STORE, WORKSPACE, ClusterSettings, Settings

if TYPE_CHECKING:
    from serving.cluster.kubernetes import Cluster
    from serving.stores.governor_store import GovernorStore
    from serving.stores.registry import Registry


@dataclass(frozen=True)
class Deployment:
    """What a program needs to know of where it runs; every program makes one and hands it down.

    Attributes:
        settings: Where things are kept.
        cluster: Which parts are a cluster's.
        environment: That both were read from, for programs that this one starts.
    """

    settings: Settings
    cluster: ClusterSettings
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Deployment":
        """Return the deployment that a process belongs to."""
        return cls(
            Settings.from_environment(environment),
            ClusterSettings.from_environment(environment),
            environment,
        )

    @classmethod
    def of(cls, workspace: Path | None) -> "Deployment":
        """Return the deployment of a workspace on this machine; None for the environment's."""
        found = cls.from_environment()
        if workspace is None:
            return found
        return cls(Settings.of(workspace), found.cluster, found.environment)

    @classmethod
    def beside(cls, model: Path) -> "Deployment":
        """Return the deployment that a registered model is read in.

        It is the environment's where that names a workspace or features, else that of the
        workspace the model's folder lies in.

        Args:
            model: WORKSPACE/models/NAME/HASH/model.
        """
        found = cls.from_environment()
        if WORKSPACE in found.environment or FEATURE_STORE in found.environment:
            return found
        return cls.of(model.resolve().parents[3])

    @property
    def registry(self) -> "Registry":
        """Return the registry of models."""
        from serving.stores.registry import Registry  # noqa: PLC0415  (seconds of import)

        return Registry(self.settings)

    @contextmanager
    def governor(self) -> "Iterator[GovernorStore]":
        """Open the governor's memory, and close it."""
        from serving.stores.governor_store import GovernorStore  # noqa: PLC0415

        store = GovernorStore(self.settings.governor_store)
        try:
            yield store
        finally:
            store.close()

    def connect(self, namespace: str | None = None) -> "Cluster":
        """Return the cluster, by the account that is mounted or configured here."""
        from serving.cluster.kubernetes import connect  # noqa: PLC0415

        return connect(self.cluster, namespace)

    def child_environment(self) -> dict[str, str]:
        """Return the environment of a program that is to belong to the same deployment."""
        return {**self.environment, **self.settings.export()}
