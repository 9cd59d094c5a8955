"""Tables as text inside a page: columns of small whole numbers, compressed (web/src/packed.js).

A table of thirty thousand rows as JSON is slow to read and large; the same as columns of integers
with their bytes sorted by place is a few bytes a cell.
"""

import base64
import gzip
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.types import FloatArray

_WIDTHS = (1, 2, 4)  # bytes of an integer


def pack(columns: Mapping[str, Any], decimals: Mapping[str, int]) -> str:
    """Return columns as base64 of gzip.

    Args:
        columns: (rows,) or (rows, width) numbers, NaN for unknown; or (rows,) texts, which are
            kept once each.
        decimals: Places after the point that are kept, by column of numbers; 0 by default.
    """
    head: list[dict[str, Any]] = []
    parts: list[bytes] = []
    rows = len(next(iter(columns.values())))
    for name, values in columns.items():
        array = np.asarray(values)
        if array.dtype.kind in "OUS":
            codes, texts = pd.factorize(pd.Series(array.astype(object)).fillna("").astype(str))
            about: dict[str, Any] = {"name": name, "texts": list(texts)}
            coded, data = _integers(codes.astype(np.float64), 0)
        else:
            about = {"name": name, "width": 1 if array.ndim == 1 else array.shape[1]}
            coded, data = _integers(array.astype(np.float64).ravel(), decimals.get(name, 0))
        head.append(about | coded)
        parts.append(data)
    written = json.dumps({"rows": rows, "columns": head}).encode()
    whole = struct.pack("<I", len(written)) + written + b"".join(parts)
    return base64.b64encode(gzip.compress(whole, 9, mtime=0)).decode()


def _integers(values: FloatArray, decimals: int) -> tuple[dict[str, Any], bytes]:
    """Return numbers as the narrowest integers that hold them, their bytes sorted by place.

    The least integer of its width is "unknown". What four bytes do not hold stays a double.
    """
    known = np.isfinite(values)
    scaled = np.rint(np.where(known, values, 0) * 10.0**decimals)
    largest = float(np.abs(scaled).max(initial=0))
    for width in _WIDTHS:
        least = -(2 ** (8 * width - 1))
        if largest < -least:
            whole = np.where(known, scaled, least).astype(f"<i{width}")
            return {"bytes": width, "decimals": decimals}, _by_place(whole, width)
    doubles = np.where(known, values, np.nan).astype("<f8")
    return {"bytes": 8, "decimals": decimals}, _by_place(doubles, 8)


def _by_place(values: npt.NDArray[Any], width: int) -> bytes:
    return values.view(np.uint8).reshape(-1, width).T.tobytes()
