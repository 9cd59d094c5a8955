"""Where registered models lie: the workspace, or a folder of an object store (any fsspec URL)."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from invopt.errors import InvalidInputError
from serving.settings import ClusterSettings, Settings

_FOLDER = "models"  # of the workspace


def put(folder: Path, name: str, version: str) -> str:
    """Move a finished folder into the store as a version; returns its place, URL or path.

    Raises:
        InvalidInputError: If the object store refuses.
    """
    place = _place(name, version)
    if "://" not in place:
        folder.rename(place)
        return place
    with _explained(place):
        store, path = fsspec.url_to_fs(place)
        if store.exists(path):  # an upload that broke off, of a version that was never registered
            store.rm(path, recursive=True)
        _upload(store, folder, path)
    shutil.rmtree(folder)
    return place


def add(file: Path, name: str, version: str, inner: str) -> None:
    """Add one file to a version that is there.

    Raises:
        InvalidInputError: If the object store refuses.
    """
    place = f"{_place(name, version)}/{inner}"
    if "://" not in place:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
        return
    with _explained(place):
        store, path = fsspec.url_to_fs(place)
        store.put_file(str(file), path)


def _here(source: Path) -> Path:
    """Return a model's folder in this workspace, which may have been copied or moved since."""
    inside = [n for n, part in enumerate(source.parts) if part == _FOLDER]
    if inside:
        own = Settings.from_environment().workspace.joinpath(*source.parts[inside[-1] :])
        if own.is_dir():
            return own
    return source


def local(source: str) -> Path:
    """Return a folder of the store as a local one, fetched once per workspace.

    Raises:
        InvalidInputError: If the object store refuses or has no such folder.
    """
    if "://" not in source:
        return _here(Path(source))
    copy = Settings.from_environment().workspace / "model_cache" / source.partition("://")[2]
    if copy.is_dir():
        return copy
    partial = copy.with_name(f".{copy.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with _explained(source):
        store, path = fsspec.url_to_fs(source)
        files = store.find(path)
        if not files:
            raise FileNotFoundError(f"nothing lies at {source}")
        for file in files:
            target = partial / file[len(path.rstrip("/")) + 1 :]
            target.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(file, str(target))
    partial.rename(copy)
    return copy


def _place(name: str, version: str) -> str:
    url = ClusterSettings.from_environment().model_store
    if url:
        return f"{url.rstrip('/')}/{name}/{version}"
    return str(Settings.from_environment().workspace / _FOLDER / name / version)


def _upload(store: Any, folder: Path, path: str) -> None:
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        store.put_file(str(file), f"{path}/{file.relative_to(folder).as_posix()}")


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn the store's errors into one sentence.

    Raises:
        InvalidInputError: Instead of them.
    """
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        yield
    except (OSError, BotoCoreError) as err:
        raise InvalidInputError(
            f"the object store refused {place}: {err}. Check its address (AWS_ENDPOINT_URL), the "
            "bucket and the keys (secret invopt-object-store)."
        ) from err
