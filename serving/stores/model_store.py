"""Where registered models lie: the workspace, or a folder of an object store (any fsspec URL)."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from invopt.errors import InvalidInputError
from invopt.files import copy_whole, sha256_of

_FOLDER = "models"  # of the workspace


class ModelStore:
    """Folders of registered models.

    Args:
        url: fsspec URL of the folder they go to; "" for the workspace's own.
        workspace: Folder that those of an object store are fetched to.
    """

    def __init__(self, url: str, workspace: Path) -> None:
        self.url, self.workspace = url, workspace

    def put(self, folder: Path, name: str) -> str:
        """Move a finished folder into the store; returns its place, URL or path.

        The place is named by what the folder holds, so nobody else's model can ever lie there:
        two registries that share a bucket, or two trainings at once, do not meet, and an attempt
        after one that was cut off finishes the same upload. Nothing there is ever removed.

        Raises:
            InvalidInputError: If the object store refuses.
        """
        place = f"{self._root()}/{name}/{digest(folder)}"
        if "://" not in place:
            _move(folder, Path(place))
            return place
        with _explained(place):
            store, path = _file_system(place)
            for file in _files(folder):
                store.put_file(str(folder / file), f"{path}/{file}")
        shutil.rmtree(folder)
        return place

    def add(self, file: Path, place: str, inner: str) -> None:
        """Add one file to what lies at a place of the store.

        Raises:
            InvalidInputError: If the object store refuses.
        """
        target = f"{place}/{inner}"
        if "://" not in target:
            copy_whole(file, Path(target))
            return
        with _explained(target):
            store, path = _file_system(target)
            store.put_file(str(file), path)

    def local(self, source: str) -> Path:
        """Return a folder of the store as a local one, fetched once per workspace.

        Raises:
            InvalidInputError: If the object store refuses or has no such folder.
        """
        if "://" not in source:
            return self._here(Path(source))
        copy = self.workspace / "model_cache" / source.partition("://")[2]
        if copy.is_dir():
            return copy
        copy.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{copy.name}.", dir=copy.parent))
        with _explained(source):
            store, path = _file_system(source)
            files = store.find(path)
            if not files:
                raise FileNotFoundError(f"nothing lies at {source}")
            for file in files:
                target = partial / file[len(path.rstrip("/")) + 1 :]
                target.parent.mkdir(parents=True, exist_ok=True)
                store.get_file(file, str(target))
        _move(partial, copy)
        return copy

    def _here(self, source: Path) -> Path:
        """Return a model's folder in this workspace, which may have been copied or moved since."""
        inside = [n for n, part in enumerate(source.parts) if part == _FOLDER]
        if inside:
            own = self.workspace.joinpath(*source.parts[inside[-1] :])
            if own.is_dir():
                return own
        return source

    def _root(self) -> str:
        return self.url.rstrip("/") if self.url else str(self.workspace / _FOLDER)


def digest(folder: Path) -> str:
    """Return a name made of the names and contents of a folder's files: 16 hexadecimal digits."""
    content = hashlib.sha256()
    for file in _files(folder):
        content.update(f"{file} {sha256_of(folder / file)}\n".encode())
    return content.hexdigest()[:16]


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _move(folder: Path, place: Path) -> None:
    """Rename a folder to where it belongs, unless the same content lies there already."""
    try:
        folder.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        shutil.rmtree(folder)


def _file_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it."""
    # A folder of this machine is made; a bucket is not.
    options = {"auto_mkdir": True} if url.startswith("file://") else {}
    found: tuple[Any, str] = fsspec.url_to_fs(url, **options)
    return found


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
