"""The plans of past reviews, kept in the workspace: one file per model and review date."""

from pathlib import Path

from invopt.files import copy_whole


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
