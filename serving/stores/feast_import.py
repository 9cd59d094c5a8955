"""Feast, imported in half the time.

Feast 0.67 decorates its classes with typeguard's `typechecked`, which compiles each of them once
more while it is imported: 5 of 10 s of processor time in every step that reads or writes features,
and in every start of a server. `python -O` would switch that off, and every assertion with it.
"""

from typing import Any

import typeguard


def feature_store_class() -> Any:
    """Return Feast's FeatureStore, its classes undecorated; typeguard stays as it was."""
    checked = typeguard.typechecked
    typeguard.typechecked = _as_it_is  # type: ignore[assignment]
    try:
        from feast import FeatureStore  # noqa: PLC0415
    finally:
        typeguard.typechecked = checked  # type: ignore[assignment]
    return FeatureStore


def _as_it_is(target: Any = None, **_: Any) -> Any:
    """Return a class or function undecorated; the decorator itself where options are given."""
    return _as_it_is if target is None else target
