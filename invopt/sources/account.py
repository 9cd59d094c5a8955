"""The account of a data set: every row of every source, every cell, and the sums that came of it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from invopt.panel import Flag, iter_panels
from invopt.sources.dataset import DatasetReport, read_position
from invopt.sources.validation import DataCheck, DataProfile

POSITION_COLUMNS = ("on_hand", "on_order", "backorders")


@dataclass(frozen=True)
class Cells:
    """Cells of the panel, series times periods, by what is known of them.

    Attributes:
        observed: A record says what was sold, nothing included.
        zero: No record, which the mapping reads as no sale.
        unknown: No record or a refused one: nothing is known.
    """

    observed: int
    zero: int
    unknown: int


def account_of(
    report: DatasetReport, folder: Path, profile: DataProfile, checks: Iterable[DataCheck]
) -> dict[str, Any]:
    """Return the account of a data set that was read, as plain data.

    Args:
        report: Of the reader.
        folder: What read_dataset wrote.
        profile: Of its partitions.
        checks: Of what was read.
    """
    return {
        "name": report.name,
        "frequency": profile.timeline.freq,
        "first": report.first,
        "last": report.last,
        "num_series": report.num_series,
        "sources": {name: asdict(source) for name, source in report.sources.items()},
        "cells": asdict(cells_of(folder)),
        "sums": {"sales.y": float(profile.units.sum())} | _position_sums(folder),
        "notes": list(report.notes),
        "checks": [told(check) for check in checks],
    }


def unreadable_account(name: str, frequency: str, sentence: str) -> dict[str, Any]:
    """Return the account of a data set of which nothing can be used.

    Args:
        name: Of the data set.
        frequency: That the mapping names.
        sentence: Why nothing can be used.
    """
    return {
        "name": name,
        "frequency": frequency,
        "first": None,
        "last": None,
        "num_series": 0,
        "sources": {},
        "cells": asdict(Cells(0, 0, 0)),
        "sums": {},
        "notes": [],
        "checks": [{"name": "readable", "about": name, "passed": False, "message": sentence}],
    }


def cells_of(folder: Path) -> Cells:
    """Return the cells of all partitions that read_dataset wrote."""
    observed = zero = unknown = 0
    for panel in iter_panels(folder):
        flags = np.asarray(panel.flags)
        missing = int(np.count_nonzero(flags & Flag.MISSING))
        absent = int(np.count_nonzero(flags & (Flag.MISSING | Flag.FILLED)))
        unknown += missing
        zero += absent - missing
        observed += flags.size - absent
    return Cells(observed, zero, unknown)


def told(check: DataCheck) -> dict[str, Any]:
    """Return a check as plain data with its sentence."""
    return {
        "name": check.name,
        "about": check.about,
        "passed": check.passed,
        "value": check.value,
        "limit": check.limit,
        "message": check.sentence,
    }


def _position_sums(folder: Path) -> dict[str, float]:
    """Return the sums of stock and open orders, 0 for what is not mapped."""
    position, orders = read_position(folder)
    found = {
        f"position.{column}": float(position[column].sum())
        if position is not None and column in position
        else 0.0
        for column in POSITION_COLUMNS
    }
    quantity = float(orders["quantity"].sum()) if orders is not None else 0.0
    return found | {"open_orders.quantity": quantity}
