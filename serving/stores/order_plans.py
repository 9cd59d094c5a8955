"""The plans of past reviews, kept in the workspace: one file per model and review date.

Of the latest review everything is kept that its page, and the same plan under other assumptions,
need: whoever sees the workspace, in a cluster too, needs no run's artifacts for it.
"""

import csv
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from invopt.config import Config
from invopt.errors import InvalidInputError
from invopt.files import (
    copy_whole,
    read_csv,
    read_json,
    replacing_file,
    replacing_folder,
    text_of_cell,
    write_json,
)
from invopt.forecasts import read_forecast
from invopt.inventory.outcomes import MEANS
from invopt.panel import iter_panels

_logger = logging.getLogger(__name__)
_COMPARED = 2  # reviews: the latest, and the one it is compared with


def last_plan(plans: Path, name: str, before: str) -> Path | None:
    """Return the latest plan of a review before a date, None for a first review.

    Args:
        plans: Folder of all plans.
        name: Of the registered model.
        before: Review date, YYYY-MM-DD; its own plan does not count, so that planning a review
            twice gives the same plan twice.
    """
    found = sorted(p for p in (plans / name).glob("*.csv") if p.stem < before)
    return found[-1] if found else None


def keep_plan(plans: Path, name: str, review_date: str, plan: str) -> None:
    """Keep a review's plan, in place of an earlier one of the same review."""
    copy_whole(Path(plan), plans / name / f"{review_date}.csv")


def segments_of_latest(plans: Path) -> dict[str, str]:
    """Return each series' segment in the latest review's plan, empty before the first one.

    Args:
        plans: Folder of all plans.
    """
    files = sorted(plans.glob("*/*.csv"), key=lambda p: p.stem)
    if not files:
        return {}
    wanted = ("unique_id", "segment")
    try:
        plan = read_csv(files[-1], usecols=lambda name: name in wanted, dtype=str).fillna("")
    except (OSError, ValueError) as err:  # pandas' own errors are kinds of ValueError
        _logger.warning("%s cannot be read: no series has a segment: %s", files[-1], err)
        return {}
    if list(plan) != list(wanted):
        return {}
    return dict(zip(plan["unique_id"], plan["segment"], strict=True))


def plans_of(plans: Path, unique_id: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return a series' rows of the two latest reviews: model, review date and columns as text.

    Args:
        plans: Folder of all plans.
        unique_id: Of the series.
    """
    found = []
    for file in sorted(plans.glob("*/*.csv"), key=lambda p: p.stem, reverse=True):
        row = _row_of(file, unique_id)
        if row is not None:
            found.append((file.parent.name, file.stem, row))
        if len(found) == _COMPARED:
            break
    return found


def _row_of(file: Path, unique_id: str) -> dict[str, str] | None:
    """Return a series' row of a plan; None where it has none, or the file cannot be read."""
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if text_of_cell(row.get("unique_id") or "") == unique_id:
                    return {n: text_of_cell(v or "") for n, v in row.items() if n is not None}
    except (OSError, ValueError, csv.Error) as err:
        _logger.warning("%s cannot be read and is left out: %s", file, err)
    return None


_REVIEWS, _HEAD, _OVERRIDES = "reviews", "review.json", "overrides.parquet"


@dataclass(frozen=True)
class KeptReview:
    """The latest review of a model.

    Attributes:
        folder: Of its files: plan.html, orders.csv, purchase_orders.csv, exceptions.csv, derived,
            forecast.
        name: Of the model.
        review_date: ISO.
        snapshot: Name of the data that it looked at.
        kept_at: ISO, UTC.
        config: The whole configuration.
    """

    folder: Path
    name: str
    review_date: str
    snapshot: str
    kept_at: str
    config: Config = field(repr=False)

    def overrides(self) -> pd.DataFrame | None:
        """Return what planners said on their page when it was planned; None for nothing."""
        file = self.folder / _OVERRIDES
        return pd.read_parquet(file) if file.is_file() else None


def keep_review(
    plans: Path,
    config: Config,
    review_date: str,
    snapshot: str,
    files: Mapping[str, str | Path],
    overrides: pd.DataFrame | None,
) -> None:
    """Keep a review in place of the one before, and its mean forecast beside its plan.

    Args:
        plans: Folder of all plans.
        config: The whole configuration.
        review_date: YYYY-MM-DD.
        snapshot: Name of the data.
        files: Files and folders by the name they get; nothing is copied that can be linked.
        overrides: What planners said on their page; None for nothing.
    """
    place = plans / config.name / _REVIEWS
    with replacing_folder(place / review_date) as folder:
        for name, source in files.items():
            if Path(source).is_dir():
                shutil.copytree(source, folder / name, copy_function=_link)
            else:
                _link(str(source), str(folder / name))
        if overrides is not None and len(overrides):
            overrides.to_parquet(folder / _OVERRIDES, index=False)
        head = {"review_date": review_date, "snapshot": snapshot, "config": config.model_dump(),
                "kept_at": datetime.now(UTC).isoformat()}  # fmt: skip
        write_json(folder / _HEAD, head)
    _keep_means(place / review_date, plans / config.name / f"{review_date}.{MEANS}")
    for old in place.iterdir():
        if old.name != review_date and not old.name.startswith("."):
            shutil.rmtree(old, ignore_errors=True)


def latest_review(plans: Path, name: str | None = None) -> KeptReview:
    """Return the review that was kept last.

    Args:
        plans: Folder of all plans.
        name: Of the registered model; None for the last one of all models.

    Raises:
        InvalidInputError: If there is none.
    """
    # A hidden folder is one that a run fills just now, or did not finish.
    files = list(plans.glob(f"*/{_REVIEWS}/[!.]*/{_HEAD}"))
    heads = [(head, file.parent) for file in files if (head := _head_of(file)) is not None]
    if files and not heads:
        raise InvalidInputError(
            f"{files[0]} is damaged: run `invopt run replenishment --workspace {plans.parent}` "
            "again, which keeps the review anew."
        )
    if not heads:
        raise InvalidInputError(
            f"no orders were planned in {plans.parent} yet: run `invopt run replenishment "
            f"--workspace {plans.parent}` first."
        )
    models = sorted({folder.parent.parent.name for _, folder in heads})
    of_model = [found for found in heads if name in (None, found[1].parent.parent.name)]
    if not of_model:
        raise InvalidInputError(
            f"no orders of model {name} were planned in {plans.parent}; there are those of "
            f"{', '.join(models)}."
        )
    head, folder = max(of_model, key=lambda found: found[0]["kept_at"])
    return KeptReview(
        folder, folder.parent.parent.name, head["review_date"], head["snapshot"],
        kept_at=head["kept_at"], config=Config.of(head["config"]),
    )  # fmt: skip


def _head_of(file: Path) -> dict[str, Any] | None:
    """Return what a kept review says of itself; None where it is damaged, which is logged."""
    try:
        head: dict[str, Any] = read_json(file)
        if {"review_date", "snapshot", "kept_at", "config"} <= set(head):
            return head
        _logger.warning("%s is no review of this version and is left out", file)
    except (OSError, ValueError, TypeError) as err:
        _logger.warning("%s is damaged and is left out: %s", file, err)
    return None


def _keep_means(review: Path, file: Path) -> None:
    """Keep the mean forecast of a review: what is later held against what happened."""
    head: dict[str, Any] = read_json(review / "forecast" / "forecast.json")
    ids, means = [], []
    for number, panel in enumerate(iter_panels(review / "derived")):
        made = read_forecast(review / "forecast", number, head)
        ids.append(panel.unique_ids.astype(str))
        means.append(np.asarray(made.mean, np.float32))
    with replacing_file(file) as partial, partial.open("wb") as out:
        np.savez_compressed(
            out, unique_id=np.concatenate(ids).astype(str), mean=np.concatenate(means)
        )


def past_reviews(plans: Path, name: str, before: str) -> list[tuple[str, Path, Path]]:
    """Return date, plan and mean forecast of each review before a date, the first one first."""
    found = sorted((plans / name).glob(f"*.{MEANS}"))
    dated = [(file.name.removesuffix(f".{MEANS}"), file) for file in found]
    return [
        (date, plan, file)
        for date, file in dated
        if date < before and (plan := plans / name / f"{date}.csv").is_file()
    ]


def _link(source: str, place: str) -> str:
    """Link a file that nobody changes in place; copy it where a link cannot be."""
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)
    return place
