"""Tables with a column for each period that are parts of one: a sheet, or a file, for each year."""

import pandas as pd

from invopt.sources.by_place import UnitedFiles, listed_files, untimed_words
from invopt.sources.duck import Reader
from invopt.sources.facts import NUMBER, FileFacts
from invopt.sources.kind_words import is_kind
from invopt.sources.period_columns import columns_beside, period_cells, period_starts
from invopt.sql import quote

VALUE = "quantity"


def unite_wide(reader: Reader, found: UnitedFiles) -> None:
    """Make one table, with a row for each cell, of files with the same columns and other periods.

    A blank cell is not known, and so is a period that no file has. Files whose names tell kinds
    apart (sales, forecast) stay apart.

    Args:
        reader: Holds the files.
        found: Gets the table in the place of its files, and a note.
    """
    groups: dict[object, list[FileFacts]] = {}
    for file in found.files:
        if file.periods and file.periods_format is not None and file.measured is None:
            groups.setdefault(tuple(columns_beside(file)), []).append(file)
    for group in groups.values():
        days = [_days(file) for file in group]
        every = [day for own in days for day in own]
        if len(group) < 2 or len(set(every)) < len(every):
            continue
        if any(is_kind([word]) for word in untimed_words(group)):  # a plan goes on from sales, too
            continue
        parts = [_rows(file) for file in group]
        made = found.table_of(
            reader, f"{group[0].name}_united", " UNION ALL BY NAME ".join(parts), group
        )
        found.files[:] = [made, *(file for file in found.files if file not in group)]
        found.gaps.add(made.name)
        left = {c.name for file in group for c in file.columns if c.kind == NUMBER}
        if left:
            found.notes.append(
                f"{', '.join(sorted(left))} of {group[0].path} stands beside periods and is "
                "not read"
            )
        found.notes.append(
            f"{listed_files(group)} have a column for each of {len(every):,} periods, "
            "none twice, and are one table: each cell is a row"
        )


def _days(file: FileFacts) -> pd.DatetimeIndex:
    """Return the first day of each column of periods."""
    assert file.periods_format is not None
    return period_starts(file.periods, file.periods_format)


def _rows(file: FileFacts) -> str:
    keys = columns_beside(file)
    number = f"({file.period_style.sql(quote(VALUE))})::VARCHAR"
    picked = "".join(f"{quote(name)}, " for name in keys)
    # What is no number stays as it is, and is set aside where it is read.
    return (
        f"SELECT {picked}date, coalesce({number}, {VALUE}) AS {VALUE} FROM "
        f"{period_cells(file, keys, VALUE)}"
    )
