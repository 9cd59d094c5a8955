"""A panel as arrays, in memory or in files that several processes map."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class EncodedPanel:
    """A panel as the arrays that features are gathered from; numpy or torch.

    Attributes:
        num_periods: Periods of y; channels that are known ahead reach further.
        y: (N, T) units over spec.unit; v >= 0 is demand, v < 0 codes a value -v - 1 that is not
            (censored, missing, before launch).
        launch: (N,) first period on sale.
        launch_level: (N,) units over spec.unit a period that a series without history sells.
        past: (N, C, T) standardised series channels.
        shared_past: (G, T) each, standardised group channels.
        shared_rows: (N,) each, row of a series in the group channel; -1 for none.
        trends: (G, 2, T) each, log ratios of short to long averages of a group's sales.
        trend_rows: (N,) each.
        log_price: (N, T') standardised log price, or an empty array without prices.
        category_price: (G, T') mean of log_price in the category.
        category_rows: (N,).
        planned: (N, C, T') standardised series channels known ahead.
        calendar: (R, T', K).
        calendar_mean: (R, T', K) mean of calendar over the patch that ends at each period.
        calendar_rows: (N,).
        static_ids: (N, S) category indices, 0 unknown.
        static_values: (N, F) standardised numbers.
    """

    num_periods: int
    y: Any = field(repr=False)
    launch: Any = field(repr=False)
    launch_level: Any = field(repr=False)
    past: Any = field(repr=False)
    shared_past: tuple[Any, ...] = field(repr=False)
    shared_rows: tuple[Any, ...] = field(repr=False)
    trends: tuple[Any, ...] = field(repr=False)
    trend_rows: tuple[Any, ...] = field(repr=False)
    log_price: Any = field(repr=False)
    category_price: Any = field(repr=False)
    category_rows: Any = field(repr=False)
    planned: Any = field(repr=False)
    calendar: Any = field(repr=False)
    calendar_mean: Any = field(repr=False)
    calendar_rows: Any = field(repr=False)
    static_ids: Any = field(repr=False)
    static_values: Any = field(repr=False)

    def map(self, convert: Any) -> "EncodedPanel":
        """Return the same panel with every array passed through convert."""
        arrays = {
            name: tuple(convert(a) for a in value) if isinstance(value, tuple) else convert(value)
            for name, value in vars(self).items()
            if name != "num_periods"
        }
        return EncodedPanel(num_periods=self.num_periods, **arrays)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._arrays().values())

    def save(self, folder: Path) -> None:
        """Write numpy arrays as files of a folder, to be mapped by other processes."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in self._arrays().items():
            np.save(folder / f"{name}.npy", array)
        (folder / "num_periods.json").write_text(json.dumps(self.num_periods))

    @classmethod
    def load(cls, folder: Path) -> "EncodedPanel":
        """Read a folder written by save; arrays stay on disk until touched."""
        several = ("shared_past", "shared_rows", "trends", "trend_rows")
        found: dict[str, Any] = dict.fromkeys(several, ())
        for file in sorted(folder.glob("*.npy")):
            name, _, number = file.stem.partition("-")
            array = np.load(file, mmap_mode="c")
            found[name] = (*found[name], array) if number else array
        num_periods = json.loads((folder / "num_periods.json").read_text())
        return cls(num_periods=num_periods, **found)

    def _arrays(self) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, tuple):
                arrays |= {f"{name}-{i:03d}": array for i, array in enumerate(value)}
            elif name != "num_periods":
                arrays[name] = value
        return arrays
