"""A model's folder: its head, its format, and the hashes that show it is what was registered."""

import json
from pathlib import Path
from typing import Any

from invopt.errors import ContractError
from invopt.files import read_json, replacing_file, sha256_of

FORMAT_VERSION = 2
# Of a model of parts: who knows no parts must refuse it, and not forecast all by its main model.
COMPOSED_VERSION = 3
HEAD = "model.json"
# Of a model of parts: who forecasts what, and the folders of those that are not the main model.
RULES, PARTS = "parts.json", "parts"
# One line per file, as sha256sum writes them: `sha256sum -c SHA256SUMS` checks a folder by hand.
SUMS = "SHA256SUMS"
# Where a refitted model keeps the one that was judged in its place, and an assessment the baselines
# that were.
JUDGED, BASELINES = "judged", "baselines"


def read_head(path: Path) -> dict[str, Any]:
    """Return the head of a model folder, of this format.

    A model of parts is of a format of its own, and of no other.

    Raises:
        ContractError: If there is none, it cannot be read, or it is of another format.
    """
    head = _head(path)
    found = head.get("format")
    wanted = COMPOSED_VERSION if (path / RULES).is_file() else FORMAT_VERSION
    if found == wanted:
        return head
    if found in (FORMAT_VERSION, COMPOSED_VERSION):
        word = "not exist" if found == FORMAT_VERSION else "exist"
        raise ContractError(
            "Model", RULES, f"{word} beside a model of format {found} in {path}", advice=_RESTORE
        )
    raise ContractError(
        "Model", "format", f"be {wanted} in {path}", examples=[found],
        advice=_newer() if _is_newer(found) else "An older invopt made it: train again.",
    )  # fmt: skip


def is_older(path: Path) -> bool:
    """Return whether a model folder is of a format before this one, which nobody reads here.

    Raises:
        ContractError: If it has no head, or one that cannot be read.
    """
    found = _head(path).get("format")
    return found not in (FORMAT_VERSION, COMPOSED_VERSION) and not _is_newer(found)


def label_of(path: Path) -> str:
    """Return what people call a model that is a baseline, "" for a network."""
    return str(read_json(path / HEAD).get("label", ""))


def write_sums(path: Path) -> str:
    """Write the SHA-256 of every file of a model folder into it; returns the hash of them all."""
    lines = [f"{_hash(path / name)}  {name}" for name in _names(path)]
    with replacing_file(path / SUMS) as partial:
        partial.write_text("\n".join(lines) + "\n", newline="\n")
    return _hash(path / SUMS)


def verify(path: Path, expected: str = "") -> str:
    """Check that a model folder holds what its hashes say; returns the hash of them all.

    A folder without hashes, of a version of invopt that wrote none, passes unless one is expected.

    Args:
        path: Model folder.
        expected: Hash of them all, as write_sums returned it; "" where nobody knows it.

    Raises:
        ContractError: If a file is missing or differs, or the folder is another model's.
    """
    sums = path / SUMS
    if not sums.is_file():
        if expected:
            raise ContractError("Model", SUMS, f"exist in {path}", advice=_RESTORE)
        return ""
    own = _hash(sums)
    if expected and own != expected:
        raise ContractError(
            "Model", SUMS, f"be what was registered in {path}", examples=[own], advice=_RESTORE
        )
    wrong = [name for name, content in _lines(sums) if _hash(path / name) != content]
    if wrong:
        raise ContractError(
            "Model", wrong[0], f"hold what was registered in {path}",
            count=len(wrong), examples=wrong, advice=_RESTORE,
        )  # fmt: skip
    return own


_RESTORE = "The files were changed or damaged since: restore them from a backup, or train again."


def _newer() -> str:
    return "A newer invopt made it: install that, or train again with this one."


def _is_newer(found: object) -> bool:
    return isinstance(found, int) and found > COMPOSED_VERSION


def _head(path: Path) -> dict[str, Any]:
    file = path / HEAD
    if not file.is_file():
        raise ContractError("Model", HEAD, f"exist in {path}")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as err:  # of JSON, or of UTF-8
        raise ContractError("Model", HEAD, f"be readable in {path}", advice=_RESTORE) from err
    if not isinstance(content, dict):
        raise ContractError("Model", HEAD, f"be a JSON object in {path}", advice=_RESTORE)
    return content


def _lines(sums: Path) -> list[tuple[str, str]]:
    """Return name and hash of every file."""
    pairs = (line.split("  ", 1) for line in sums.read_text(errors="replace").splitlines())
    return [(pair[-1], pair[0]) for pair in pairs]


def _names(path: Path) -> list[str]:
    found = (p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
    return sorted(name for name in found if name != SUMS)


def _hash(file: Path) -> str:
    """Return the SHA-256 of a file, "" where there is none."""
    return sha256_of(file) if file.is_file() else ""
