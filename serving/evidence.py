"""What software made a model: a CycloneDX bill of materials of this process's environment."""

import platform
from importlib.metadata import distributions
from typing import Any


def software() -> dict[str, Any]:
    """Return every installed package with version and licence, as CycloneDX 1.6, by name."""
    found = {d.metadata["Name"].lower(): d for d in distributions() if d.metadata["Name"]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "platform",
                "name": platform.python_implementation(),
                "version": platform.python_version(),
            }
        },
        "components": [_component(name, found[name]) for name in sorted(found)],
    }


def _component(name: str, distribution: Any) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": distribution.version,
        "purl": f"pkg:pypi/{name.replace('_', '-')}@{distribution.version}",
    }
    licence = distribution.metadata.get("License-Expression")
    if licence:
        component["licenses"] = [{"expression": licence}]
    return component
