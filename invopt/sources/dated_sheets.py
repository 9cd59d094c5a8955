"""Sheets of a workbook whose titles alone say when their rows are of: a sheet for each month."""

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, FileFacts
from invopt.sources.name_patterns import pattern_of
from invopt.sources.named_files import named_in
from invopt.sources.year_parts import days_of_month, parts_of
from invopt.sql import literal, quote

_LEAST = 2


def date_sheets(reader: Reader, found: UnitedFiles) -> None:
    """Make one table of the sheets of a workbook that have one header, with what their titles say.

    A title that says a year alone needs columns of months.
    """
    groups: dict[object, list[FileFacts]] = {}
    for file in found.files:
        every = [column.name for column in file.columns]
        days = days_of_month(every)  # which differ from month to month
        names = (*(name for name in every if name not in days), bool(days))
        if file.sheet is None or file.periods or file.of_kind(DATE) or not file.of_kind(NUMBER):
            continue
        groups.setdefault((file.path, names), []).append(file)
    for group in groups.values():
        path = pattern_of(str(file.sheet) for file in group)
        by_year = path is not None and not any(
            f"{{{w}}}" in path for w in ("month", "week", "date")
        )
        columns = [column.name for column in group[0].columns]
        has_parts = bool(parts_of(columns)) and not days_of_month(columns)
        if path is not None and len(group) >= _LEAST and by_year is has_parts:
            _unite(reader, found, group, path)


def _unite(reader: Reader, found: UnitedFiles, group: list[FileFacts], path: str) -> None:
    """Make one table of sheets, with a column for each part of their titles."""
    told = [named_in(path, str(file.sheet)) or {} for file in group]
    sql = " UNION ALL BY NAME ".join(
        f"SELECT *, {', '.join(f'{literal(v)} AS {quote(k)}' for k, v in own.items())} "
        f"FROM {quote(file.name)}"
        for file, own in zip(group, told, strict=True)
    )
    made = found.table_of(reader, f"{group[0].name}_sheets", sql, group)
    found.files[:] = [made, *(file for file in found.files if file not in group)]
    found.notes.append(
        f"{len(group)} sheets of {group[0].path} are one table; {', '.join(told[0])} is read from "
        f"their titles ({group[0].sheet}): add a sheet that comes later to the source {made.name}"
    )
