"""The page over all runs of a workspace."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from invopt.report.page import render, write_page


@dataclass(frozen=True)
class RunRow:
    """One run as the index shows it.

    Attributes:
        name: Of its folder.
        pipeline: training, replenishment or monitoring.
        word: Verdict or decision, "" where it has none.
        reason: Why, "" where there is none.
        about: Period or data it was about.
        page: Link to its report, "" where it left none.
    """

    name: str
    pipeline: str
    word: str
    reason: str
    about: str
    page: str


def write_runs_index(rows: Sequence[RunRow], out: Path) -> None:
    """Write the page, the rows in the order given."""
    write_page(out, render("runs.html.j2", title="Runs", rows=rows, footer="invopt"))
