"""Feast, imported in a quarter of the time.

Feast 0.67 decorates its classes with typeguard's `typechecked`, which compiles each of them once
more while it is imported: 5 of 10 s of processor time in every step that reads or writes features,
and in every start of a server. `python -O` would switch that off, and every assertion with it.
It also imports torch where that is installed, for answers as tensors that nobody here asks for:
half of what is left, and 200 MB of a server's memory.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typeguard

_TORCH = "torch"


def feature_store_class() -> Any:
    """Return Feast's FeatureStore, its classes undecorated; typeguard and torch stay as they were.

    Where torch was not loaded before, Feast takes it to be missing: its answers have no
    `to_tensor` in this process.
    """
    checked = typeguard.typechecked
    typeguard.typechecked = _as_it_is  # type: ignore[assignment]
    try:
        with _without_torch():
            from feast import FeatureStore  # noqa: PLC0415
    finally:
        typeguard.typechecked = checked  # type: ignore[assignment]
    return FeatureStore


@contextmanager
def _without_torch() -> Iterator[None]:
    """Let `import torch` fail meanwhile, unless torch is loaded already."""
    if _TORCH in sys.modules:
        yield
        return
    sys.modules[_TORCH] = None  # type: ignore[assignment]  # Python's own word for "do not import"
    try:
        yield
    finally:
        del sys.modules[_TORCH]


def _as_it_is(target: Any = None, **_: Any) -> Any:
    """Return a class or function undecorated; the decorator itself where options are given."""
    return _as_it_is if target is None else target
