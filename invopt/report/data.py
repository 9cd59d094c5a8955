"""The page about a data set that was only read: its account and what cleaning would do."""

from typing import Any

from invopt.cleaning import RULES
from invopt.report import plots
from invopt.report.page import render, write_page


def quality_values(quality: dict[str, Any], counts: dict[str, int]) -> dict[str, Any]:
    """Return what the section on data quality shows, but for its plots.

    Args:
        quality: What ingest found (quality.json).
        counts: Periods that cleaning touched, by rule.
    """
    return {
        "quality": quality,
        "failed_checks": sum(not check["passed"] for check in quality["checks"]),
        "cleaning": counts,
        "rules": RULES,
    }


def write_data_page(
    account: dict[str, Any], quality: dict[str, Any], counts: dict[str, int], out: str
) -> None:
    """Write the page of a data set that was read and not trained on.

    Args:
        account: account.json.
        quality: As in quality.json.
        counts: Periods that cleaning would touch, by rule.
        out: File to write.
    """
    page = render(
        "data.html.j2",
        title=f"{quality['name']}: data",
        account=account,
        footer="invopt",
        plots={"volume": plots.volume(quality["profile"])},
        **quality_values(quality, counts),
    )
    write_page(out, page)
