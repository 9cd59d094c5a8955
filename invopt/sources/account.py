"""The account of a data set for people and programs: what came, and what became of it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from invopt.sources.dataset import DatasetReport
from invopt.sources.ledger import Accounting

if TYPE_CHECKING:
    from invopt.sources.validation import DataCheck

_SUMS = ("sales.y", "position.on_hand", "position.on_order", "position.backorders",
         "open_orders.quantity")  # fmt: skip
_SHOWN = 3  # reasons with an example


def account_of(report: DatasetReport, checks: Iterable["DataCheck"]) -> dict[str, Any]:
    """Return the account as plain values, as account.json holds it.

    Keys: frequency, first and last (ISO dates of the first and last period), num_series, sources
    (see source_accounts), cells (observed, zero, unknown), sums (units of the rows used; 0 where
    nothing is mapped), notes, and checks (name, passed, message).
    """
    return {
        "frequency": report.frequency,
        "first": report.first,
        "last": report.last,
        "num_series": report.num_series,
        "sources": source_accounts(report),
        "cells": report.cells,
        "sums": {name: report.sums.get(name, 0.0) for name in _SUMS},
        "notes": [*report.notes, *_set_aside(report)],
        "checks": [
            {
                "name": f"{check.name} {check.about}",
                "passed": check.passed,
                "message": check.sentence,
            }
            for check in checks
        ],
    }


def source_accounts(report: DatasetReport) -> dict[str, dict[str, int]]:
    """Return rows_in, rows_used, rows_set_aside and rows_filtered by source.

    rows_in = rows_used + rows_set_aside + rows_filtered. Of a source that several tables read, the
    table that uses the fewest rows is told: no row is told as used that some table lost. Files that
    only a source of SQL reads hand it every row, but for lines that are none. A wide row with one
    bad cell counts as used.
    """
    found: dict[str, dict[str, int]] = {}
    for table in report.accounting:
        rows = _rows(table)
        known = found.get(table.source)
        if known is None or rows["rows_used"] < known["rows_used"]:
            found[table.source] = rows
    for name, rows_in in report.sources.items():
        if name not in found:
            found[name] = _counted(rows_in, report.malformed.get(name, 0), 0)
    return found


def _set_aside(report: DatasetReport) -> list[str]:
    """Return, by table, how many rows (cells of a wide table) are set aside for which reason."""
    found = []
    for table in report.accounting:
        if table.quarantined:
            reasons = ", ".join(f"{n:,} {why}" for why, n in table.quarantined.items())
            what = "cells" if table.periods > 1 else "rows"
            aside = sum(table.quarantined.values())
            found.append(f"{table.table}: {aside:,} {what} set aside: {reasons}")
            found += [f"{table.table}: {e}" for e in report.examples.get(table.table, [])[:_SHOWN]]
    return found


def unreadable_account(frequency: str, sentence: str) -> dict[str, Any]:
    """Return the account of a data set of which nothing can be used, in the same keys.

    Args:
        frequency: That the mapping names.
        sentence: Why nothing can be used.
    """
    return {
        "frequency": frequency,
        "first": None,
        "last": None,
        "num_series": 0,
        "sources": {},
        "cells": {"observed": 0, "zero": 0, "unknown": 0},
        "sums": dict.fromkeys(_SUMS, 0.0),
        "notes": [],
        "checks": [{"name": "readable", "passed": False, "message": sentence}],
    }


def _rows(table: Accounting) -> dict[str, int]:
    if table.periods == 1:
        return _counted(table.rows_in, sum(table.quarantined.values()), table.rows_filtered)
    aside = sum(n for why, n in table.quarantined.items() if not why.startswith("cell "))
    return _counted(
        table.rows_in // table.periods,
        aside // table.periods,
        table.rows_filtered // table.periods,
    )


def _counted(rows_in: int, set_aside: int, filtered: int) -> dict[str, int]:
    return {
        "rows_in": rows_in,
        "rows_used": rows_in - set_aside - filtered,
        "rows_set_aside": set_aside,
        "rows_filtered": filtered,
    }
