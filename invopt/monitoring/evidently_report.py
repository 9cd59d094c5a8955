"""Evidently behind one door: the only file that imports it, and only when it is called."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column moved.

    Attributes:
        column: Name.
        score: Wasserstein distance over the reference's standard deviation.
        threshold: From which on it counts as moved.
        moved: True when it does.
    """

    column: str
    score: float
    threshold: float
    moved: bool


def column_drift(
    reference: pd.DataFrame, current: pd.DataFrame, threshold: float, html: Path, json: Path
) -> list[ColumnDrift]:
    """Write Evidently's report on numeric columns and return the distance of each.

    Columns that are constant or empty on either side are left out: Evidently fails on them, and
    data quality looks at them on its own.

    Args:
        reference: Rows to compare with.
        current: Rows to judge, same columns.
        threshold: Of the normed Wasserstein distance.
        html: Page to write; it needs nothing else.
        json: Numbers to write.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  (eight seconds)
    from evidently.metrics import DriftedColumnsCount, ValueDrift  # noqa: PLC0415

    columns = [c for c in current.columns if _usable(reference[c]) and _usable(current[c])]
    definition = DataDefinition(numerical_columns=columns)
    frames = [
        Dataset.from_pandas(frame[columns], data_definition=definition)
        for frame in (current, reference)
    ]
    metrics = [
        DriftedColumnsCount(columns=columns, num_method="wasserstein", num_threshold=threshold),
        *(ValueDrift(column=c, method="wasserstein", threshold=threshold) for c in columns),
    ]
    result = Report(metrics).run(*frames)
    result.save_html(str(html))
    result.save_json(str(json))
    values = [float(m["value"]) for m in result.dict()["metrics"][1:]]
    return [
        ColumnDrift(c, v, threshold, moved=v >= threshold)
        for c, v in zip(columns, values, strict=True)
    ]


def _usable(column: pd.Series) -> bool:
    values = column.to_numpy(np.float64)
    values = values[np.isfinite(values)]
    return len(values) > 1 and float(values.std()) > 0
