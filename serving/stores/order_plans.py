"""The plans of past reviews, kept in the workspace: one file per model and review date."""

import csv
import shutil
from pathlib import Path

from invopt.files import replacing_file
from serving.settings import Settings

_COMPARED = 2  # reviews: the latest, and the one it is compared with


def last_plan(name: str, before: str) -> Path | None:
    """Return the latest plan of a review before a date, None for a first review.

    Args:
        name: Of the registered model.
        before: Review date, YYYY-MM-DD; its own plan does not count, so that planning a review
            twice gives the same plan twice.
    """
    plans = sorted(p for p in _folder(name).glob("*.csv") if p.stem < before)
    return plans[-1] if plans else None


def keep_plan(name: str, review_date: str, plan: str) -> None:
    """Keep a review's plan, in place of an earlier one of the same review."""
    with replacing_file(_folder(name) / f"{review_date}.csv") as partial:
        shutil.copyfile(plan, partial)


def plans_of(workspace: Path, unique_id: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return a series' rows of the two latest reviews: model, review date and columns as text.

    Args:
        workspace: Whose plans.
        unique_id: Of the series.
    """
    files = sorted((workspace / "orders").glob("*/*.csv"), key=lambda p: p.stem, reverse=True)
    found = []
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.DictReader(lines) if row.get("unique_id") == unique_id]
        if rows:
            found.append((file.parent.name, file.stem, rows[0]))
        if len(found) == _COMPARED:
            break
    return found


def _folder(name: str) -> Path:
    return Settings.from_environment().workspace / "orders" / name
