"""The plans of past reviews, kept in the workspace: one file per model and review date."""

import csv
from pathlib import Path

import pandas as pd

from invopt.files import copy_whole

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
    plan = pd.read_csv(files[-1], usecols=lambda name: name in wanted, dtype=str,
                       keep_default_na=False)  # fmt: skip
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
        with file.open(newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.DictReader(lines) if row.get("unique_id") == unique_id]
        if rows:
            found.append((file.parent.name, file.stem, rows[0]))
        if len(found) == _COMPARED:
            break
    return found
