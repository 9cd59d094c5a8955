"""The account of every row: used, or set aside with a reason and its original columns."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from invopt.sources.csv_files import BELOW
from invopt.sources.duck import Reader
from invopt.sources.marks import EMPTY
from invopt.sources.marks import REASONS as NOT_KNOWN
from invopt.sources.standard import NO_ROW, Standard, number_keys
from invopt.sources.twins import near_twins, spelled
from invopt.sources.wide import Layout
from invopt.sql import literal
from invopt.types import IntArray

DUPLICATE = "another row has the same key and period"
BEFORE = "before the first sales period"
AFTER = "after the last sales period"
ORPHAN = "its key names no series"

FUTURE = "it is dated after today"
UNFINISHED = "its period has not ended"
FAR = "its date is far from all others"
OLDER = "a later count of its series is there"
REPEATED_LINE = "another line has the same line key"
_SHORT = 120  # signs of a row that are shown

# Rows that are sound but have no place in this panel, or are there already; none is faulty.
OUTSIDE_REASONS = (BEFORE, AFTER, ORPHAN, FUTURE, UNFINISHED, OLDER, REPEATED_LINE, NO_ROW,
                   *NOT_KNOWN)  # fmt: skip


def _cells_of(record: str) -> str:
    """Return what a row of the quarantine holds, in short."""
    try:
        cells = json.loads(record)
    except ValueError:
        cells = record
    if isinstance(cells, dict):
        given = {k: v for k, v in cells.items() if k != "__row" and v is not None}
        cells = ", ".join(f"{name}: {value}" for name, value in given.items())
    text = str(cells)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]} …"


def _told_line(reason: str) -> str:
    return NO_ROW if reason == BELOW else f"line is malformed: {reason}"


@dataclass(kw_only=True)
class Accounting:
    """What became of one table's rows (cells, for a wide table).

    rows_in = rows_used + rows_filtered + those quarantined.

    Attributes:
        table: Name.
        rows_in: What the source holds, before any `where`.
        rows_used: In the panel, the position or the products.
        quarantined: Rows set aside by reason.
        source: That it reads from.
        rows_filtered: Rows of which `where` is false: left out.
        where_unknown: Rows of which `where` is neither true nor false: kept, and among the others.
        periods: Columns of a wide table, each cell of which counts as a row; else 1.
    """

    table: str
    rows_in: int
    rows_used: int
    quarantined: dict[str, int] = field(default_factory=dict)
    source: str = ""
    rows_filtered: int = 0
    where_unknown: int = 0
    periods: int = 1

    @property
    def faulty(self) -> dict[str, int]:
        """Quarantined rows by reason, without those that are merely outside the panel.

        A number that is not given is a fault where it is so in more than half of the rows: the
        column may be another; and so is a mark for it in a table of which nothing is left.
        """
        return {r: n for r, n in self.quarantined.items() if self._is_fault(r, n)}

    def _is_fault(self, reason: str, rows: int) -> bool:
        if reason in EMPTY:
            return 2 * rows > self.rows_in or not self.rows_used
        if reason in NOT_KNOWN:
            return not self.rows_used
        return reason not in OUTSIDE_REASONS

    @property
    def bad(self) -> int:
        """Number of faulty rows."""
        return sum(self.faulty.values())


class Ledger:
    """Collects the account while a data set is read; owns the quarantine table.

    Args:
        reader: Where the quarantine table is made.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.accounting: list[Accounting] = []
        self.notes = reader.notes
        self.counts: dict[str, dict[str | None, int]] = {}  # rows by reason, of views looked at
        reader.run(
            'CREATE TABLE quarantine ("table" VARCHAR, row BIGINT, reason VARCHAR, record VARCHAR)',
            "quarantine",
        )

    def enter(
        self, std: Standard | Layout, kept: int, refused: Mapping[str, int], periods: int = 1
    ) -> None:
        """Record a table's account; rows_used is what was neither left out nor refused.

        Args:
            std: The table.
            kept: Rows (cells of a wide table) that `where` leaves.
            refused: Of these, by reason.
            periods: Columns of a wide table.
        """
        reasons = {reason: n for reason, n in refused.items() if n}
        left_out, unknown = self._where(std.name, std.source, std.where)
        found = Accounting(
            table=std.name, rows_in=kept + left_out * periods,
            rows_used=kept - sum(reasons.values()), quarantined=reasons, source=std.source,
            rows_filtered=left_out * periods, where_unknown=unknown * periods, periods=periods,
        )  # fmt: skip
        self.accounting.append(found)

    def _where(self, name: str, source: str, where: str | None) -> tuple[int, int]:
        """Return of how many rows a condition is false, and of how many it is neither."""
        if where is None:
            return 0, 0
        sql = (
            f"SELECT count(*) FILTER (({where}) IS FALSE) AS left_out, "
            f'count(*) FILTER (({where}) IS NULL) AS unknown FROM "{source}"'
        )
        [found] = self.reader.fetch(sql, f"{name}.where").to_pylist()
        if found["unknown"]:
            self.notes.append(
                f"{name}: where ({where}) is neither true nor false of {found['unknown']:,} rows "
                "(something in it is empty): they are kept; coalesce(..., '') says otherwise"
            )
        return int(found["left_out"]), int(found["unknown"])

    def enter_view(
        self, std: Standard, view: str | None = None, lost: Mapping[str, int] | None = None
    ) -> None:
        """Record a standard view's account and set its refused rows aside.

        Args:
            std: The table.
            view: View with the same rows and a fuller reason, when there is one.
            lost: Rows of the view that were set aside one by one, by reason.
        """
        view = view or std.view
        counts = self.counts.get(view)
        if counts is None:
            rows = self.reader.fetch(
                f'SELECT reason, count(*) AS n FROM "{view}" GROUP BY reason ORDER BY reason',
                std.name,
            ).to_pylist()
            counts = {row["reason"]: int(row["n"]) for row in rows}
        refused = {reason: n for reason, n in counts.items() if reason is not None}
        if refused:
            self.set_aside(std, view, "s.reason IS NOT NULL", "s.reason")
        self.enter(std, sum(counts.values()), refused | dict(lost or {}))

    def without_orphans(self, std: Standard, view: str, keys: Iterable[str]) -> str:
        """Return a view of the same rows in which those that name none of the keys have a reason.

        Names that differ in zeros, blanks or case only are noted.
        """
        keys = list(keys)
        number_keys(self.reader, f"keys_{std.name}", keys)
        placed = f"placed_{std.name}"
        self.reader.run(
            f'CREATE OR REPLACE VIEW "{placed}" AS SELECT s.* REPLACE (coalesce(s.reason, CASE '
            f'WHEN k.key IS NULL THEN {literal(ORPHAN)} END) AS reason) FROM "{view}" s '
            f'LEFT JOIN "keys_{std.name}" k ON k.key = s.key',
            std.name,
        )
        self.tell_strangers(std, self.fates(std, placed), keys)
        return placed

    def fates(self, std: Standard, view: str, last: str = "NULL") -> pd.DataFrame:
        """Return key, reason (None when sound), rows (n) and highest value (last) by both.

        One pass over what may be a large view; its account is made of the same.

        Args:
            std: The table.
            view: With key and reason.
            last: Expression over the view.
        """
        found = self.reader.fetch(
            f'SELECT key, reason, count(*) AS n, max({last}) AS last FROM "{view}" '
            "GROUP BY key, reason ORDER BY key, reason",
            std.name,
        ).to_pandas()
        found["reason"] = found["reason"].astype(object).where(found["reason"].notna(), None)
        counts = found.groupby("reason", dropna=False, sort=True)["n"].sum()
        self.counts[view] = {
            None if pd.isna(reason) else str(reason): int(n) for reason, n in counts.items()
        }
        return found

    def tell_strangers(self, std: Standard, fates: pd.DataFrame, keys: Iterable[str]) -> None:
        """Note the rows whose key names none of the keys, and the keys that no row names."""
        keys = list(keys)
        strangers = fates.loc[fates["reason"] == ORPHAN, "key"].tolist()
        silent = sorted(set(keys) - set(fates.loc[fates["reason"].isna(), "key"]))
        if silent:
            self.notes.append(
                f"{std.name}: {len(silent):,} of {len(set(keys)):,} keys of the sales have no row "
                f"there (e.g. {silent[0]})"
            )
        if strangers:
            pairs = near_twins(strangers, keys)
            told = f"; {len(pairs):,} only write it differently ({spelled(pairs)})" if pairs else ""
            self.notes.append(
                f"{std.name}: {len(strangers):,} keys name no series (e.g. {strangers[0]}){told}"
            )

    def set_aside(self, std: Standard, view: str, condition: str, reason: str) -> None:
        """Append rows of a view (as s) to the quarantine, with their original columns as JSON."""
        self.reader.run(
            f"INSERT INTO quarantine SELECT {literal(std.name)}, s.__row, {reason}, to_json(o) "
            f'FROM "{view}" s JOIN {std.original} o USING (__row) WHERE {condition}',
            std.name,
        )

    def set_aside_rows(self, std: Standard, rows: IntArray, reason: str = DUPLICATE) -> None:
        """Append rows, named by number, to the quarantine."""
        if not len(rows):
            return
        self.reader.connection.register("lost", pd.DataFrame({"r": rows}))
        self.reader.run("CREATE OR REPLACE TEMP TABLE lost_rows AS SELECT r FROM lost", std.name)
        self.reader.connection.unregister("lost")
        condition = "s.__row IN (SELECT r FROM lost_rows)"
        self.set_aside(std, std.view, condition, literal(reason))

    def enter_rejected_lines(
        self, source_of: Mapping[str, str], readers_of: Mapping[str, set[str]]
    ) -> None:
        """Record the lines of files that are no rows, in the first table that reads them.

        Args:
            source_of: Source by table name.
            readers_of: Sources of SQL that read a source, directly or not, by its name.
        """
        for rejected in self.reader.rejected:
            frame = rejected.lines.assign(
                table=rejected.source, reason=rejected.lines["reason"].map(_told_line)
            )
            self.reader.connection.register("bad_lines", frame)
            self.reader.run(
                'INSERT INTO quarantine SELECT "table", line, reason, record FROM bad_lines',
                rejected.source,
            )
            self.reader.connection.unregister("bad_lines")
            reasons = {str(k): int(n) for k, n in frame["reason"].value_counts().items()}
            through = {rejected.source, *readers_of.get(rejected.source, ())}
            readers = [a for a in self.accounting if source_of.get(a.table) in through]
            readers.sort(key=lambda a: (source_of[a.table] != rejected.source, a.table != "sales"))
            if readers:
                told = readers[0].quarantined
                readers[0].rows_in += len(frame)
                readers[0].quarantined = told | {
                    reason: told.get(reason, 0) + n for reason, n in reasons.items()
                }
            else:
                found = Accounting(
                    table=rejected.source,
                    rows_in=len(frame),
                    rows_used=0,
                    quarantined=reasons,
                    source=rejected.source,
                )
                self.accounting.append(found)

    def examples(self) -> dict[str, list[str]]:
        """Return the first faulty row of each reason, in words, by table.

        Rows are numbered from the first one below the header, lines of no row from the header.
        """
        found = self.reader.fetch(
            'SELECT "table" AS t, reason, min(row) AS n, arg_min(record::VARCHAR, row) AS record '
            "FROM quarantine GROUP BY ALL ORDER BY t, count(*) DESC, reason",
            "quarantine",
        ).to_pylist()
        told: dict[str, list[str]] = {}
        for row in found:
            if row["reason"] not in OUTSIDE_REASONS:
                place = f"{row['reason']}, first in row {row['n']:,}"
                told.setdefault(row["t"], []).append(f"{place} ({_cells_of(row['record'])})")
        return told

    def write(self, path: Path) -> None:
        """Write the quarantine as parquet: table, row, reason, record."""
        self.reader.run(
            f"COPY (SELECT * FROM quarantine ORDER BY ALL) "
            f"TO {literal(str(path))} (FORMAT parquet)",
            "quarantine",
        )
