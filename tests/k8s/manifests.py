"""Building and walking the manifests under k8s/."""

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import DATA

# Strict schemas of the custom resources; tests that need them skip where they are absent.
CRDS = DATA.parent / "crds"
K8S = Path(__file__).resolve().parents[2] / "k8s"
OVERLAYS = sorted(p.name for p in (K8S / "overlays").iterdir())
COMPONENTS = sorted(p.name for p in (K8S / "components").iterdir())
Object = dict[str, Any]


def kustomize(folder: Path) -> list[Object]:
    """Return the objects of a kustomization; skips where kubectl is absent."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed: manifests cannot be built")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@functools.cache
def build(target: str, components: tuple[str, ...] = ()) -> tuple[Object, ...]:
    """Return the objects of base or an overlay with components added."""
    if not components:
        return tuple(kustomize(K8S / target))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()

        def relative(part: str) -> str:
            return os.path.relpath(K8S / part, place)

        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [relative(target)],
            "components": [relative(f"components/{name}") for name in components],
        }
        (place / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return tuple(kustomize(place))


def of_kind(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """Return objects of a kind by name."""
    return {o["metadata"]["name"]: o for o in objects if o["kind"] == kind}


def pod_specs(value: Any, path: str = "") -> Iterator[tuple[str, Object]]:
    """Yield every part that holds containers, with its place."""
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield path, value
        for key, inner in value.items():
            yield from pod_specs(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from pod_specs(inner, f"{path}/{number}")


def containers(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object, Object]]:
    """Yield (where, container, pod) of every container of every object."""
    for item in objects:
        name = f"{item['kind']}/{item['metadata']['name']}"
        for _, pod in pod_specs(item):
            for container in [*pod.get("initContainers", []), *pod["containers"]]:
                yield f"{name}/{container['name']}", container, pod


def values_of(value: Any, key: str) -> Iterator[Any]:
    """Yield what stands under a key, anywhere."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from values_of(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from values_of(inner, key)
