"""What a deployment rests on: data, verdict, folds, backtest, attributions, images, software."""

import platform
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from invopt.files import read_json, sha256_of

DEPLOYMENT = "deployment.json"
EXPLANATION = "explanation"  # file of a version's evidence: attributions and effects
NO_IMAGE = "not known: steps and server ran as processes of this machine, in no image"
_NUM_FEATURES = 20


def grounds(folder: Path, snapshot: str) -> dict[str, Any]:
    """Return what speaks for a registered version; a part that was not registered is null.

    Args:
        folder: The version's evidence: verdict, assessment and explanation.
        snapshot: Name of the data it was trained on.

    Returns:
        snapshot, verdict, folds (ranges of periods), backtest (metrics and costs on the gate's
        weeks), attributions (the features that matter most), and the SHA-256 of every file.
    """
    verdict, explanation = _read(folder / "verdict"), _read(folder / EXPLANATION)
    assessment = _read(folder / "assessment" / "metrics.json") or {}
    importance = (explanation or {}).get("importance", {})
    most = sorted(importance.items(), key=lambda item: -item[1])[:_NUM_FEATURES]
    backtest = {k: assessment[k] for k in ("judged", "incumbent", "cost") if k in assessment}
    return {
        "snapshot": snapshot or None,
        "verdict": verdict,
        "folds": assessment.get("ranges"),
        "backtest": backtest or None,
        "attributions": dict(most) or None,
        "files": {
            str(file.relative_to(folder)): sha256_of(file)
            for file in sorted(folder.rglob("*"))
            if file.is_file() and file.name != DEPLOYMENT
        },
    }


def effects_of_version(folder: Path) -> list[dict[str, Any]]:
    """Return what plans do to a version's forecasts, as invopt.effects has it; [] where unknown.

    Args:
        folder: The version's evidence.
    """
    return list((_read(folder / EXPLANATION) or {}).get("effects", []))


def image_of(pods: Iterable[dict[str, Any]], name: str) -> dict[str, str] | str:
    """Return the digest of every image a pod runs, by container, or why it is not known.

    Args:
        pods: Of the namespace, as plain data.
        name: Of the pod: the host name of a process inside it.
    """
    for pod in pods:
        if pod["metadata"]["name"] == name:
            return {
                container["name"]: container.get("imageID", "")
                for container in pod.get("status", {}).get("containerStatuses", [])
            }
    return f"not known: no pod {name} in the namespace of the service"


def _read(file: Path) -> dict[str, Any] | None:
    """Return a JSON file's content; KFP's artifacts have no suffix, others do."""
    found = next((f for f in (file, file.with_suffix(".json")) if f.is_file()), None)
    return None if found is None else read_json(found)


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
