"""What files lack to be read as sales, and what may stand for it."""

import re
from collections.abc import Iterator, Mapping

from invopt.sources.days import DAYS, YEARS, first_of
from invopt.sources.duck import Reader
from invopt.sources.facts import NUMBER, TEXT, FileFacts
from invopt.sources.measures import measures_of
from invopt.sources.placing import UNIQUE
from invopt.sources.sales_facts import SalesFile
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import named
from invopt.sql import literal, quote

_FISCAL = (
    r"fiscal|(^|_)fy|period|geschaftsjahr|exercice|ejercicio"
    r"|(retail|(^|_)wm|walmart)_(\w+_)?(year|yr|quarter|month|week|wk|day)"
)
_MOON = r"^(14[3-9]\d[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]14[3-9]\d)\b"
NAMED = 4


def what_is_missing(reader: Reader, candidates: list[SalesFile], doubts: Mapping[str, str]) -> str:
    """Return which of date, quantity and product was missed, in the file nearest to sales."""
    nearest = min(candidates, key=lambda c: (len(c.missing), -c.file.num_rows))
    found = "; ".join(
        f"{c.file.path}: {', '.join(f'{k.name} ({k.kind})' for k in c.file.columns[:12])}"
        for c in candidates[:5]
    )
    options = " ".join(f"--{name} COLUMN" for name in nearest.missing)
    hint = "".join(_hints(reader, nearest))
    if (doubt := doubts.get(nearest.file.name)) is not None:
        return f"no sales can be read: {doubt}"
    return (
        "no file looks like sales, which need a date (or a column per period), a quantity and a "
        f"product or place. {nearest.file.path} comes nearest: it lacks "
        f"{' and '.join(nearest.missing)}. Found {found}. Name what is there with {options}, or "
        f"write the mapping by hand, see docs/your-data.md.{hint}"
    )


def _hints(reader: Reader, nearest: SalesFile) -> Iterator[str]:
    """Yield what may stand for what a file lacks, a sentence each, with a blank before it."""
    if "date" in nearest.missing:
        yield from _hints_of_dates(reader, nearest.file)
    texts = _names_of(nearest.file, TEXT)
    if "quantity" in nearest.missing and (told := by_word(texts, "y")) is not None:
        yield (
            f" {told} holds texts that are no numbers of one form ({_texts(reader, nearest, told)})"
            ": correct them, or say how they are read in `y` of a mapping by hand."
        )
    taken = {*nearest.keys.there, nearest.keys.series}
    left = [name for name in _names_of(nearest.file, NUMBER) if name not in taken]
    left = [*(name for name in taken if name and re.search(r"\d$", name)), *left]
    if nearest.date is not None and nearest.missing[0] == "quantity" and len(left) > 1:
        yield (
            f" If there is a column for each place or product ({', '.join(left[:3])}), turn them "
            f"into rows in a source of SQL: SELECT * FROM {nearest.file.name} UNPIVOT (quantity "
            f"FOR name IN ({', '.join(map(quote, left[:3]))}))."
        )
    if nearest.missing == ["quantity"] and nearest.keys.product is not None:
        yield (
            f" Where each row is one unit of {nearest.keys.product}, write "
            f"{nearest.file.name}: {{sql: SELECT *, 1 AS quantity FROM ...}} under sources."
        )
    if nearest.missing == ["product"]:
        yield " Where all rows are one product, write unique_id: \"'all'\"."


def _hints_of_dates(reader: Reader, file: FileFacts) -> Iterator[str]:
    """Yield what may stand for the days that a file lacks."""
    fiscal = [c.name for c in file.columns if re.search(_FISCAL, plain(c.name))]
    if fiscal:
        yield (
            f" {' and '.join(fiscal)} may be periods of a fiscal or retail calendar (4-4-5, weeks "
            "of a year that begins in February), which are no dates: put a file with a row for "
            "each (its name as here, and its first day) beside the sales, or join a table of their "
            "first days in a source of SQL."
        )
    names = {plain(c.name): c.name for c in file.columns}
    year, day = first_of(YEARS, names), first_of(DAYS, names)
    if year is not None:
        yield f" {year} is a year alone: export the sales by month, week or day."
    elif day is not None and day in _names_of(file, NUMBER):
        yield (
            f" {day} may count the days from a first one that no column says: write it in a "
            f"mapping by hand, ds: DATE '2025-01-01' + num({named(day)})::INTEGER - 1."
        )
    if measures := measures_of([c.name for c in file.columns]):
        yield (
            f" There are columns of periods for each of {', '.join(measures[:NAMED])}, and none "
            "is known to be what was sold: name its columns in sales.wide. If these are places or "
            "products, turn them into rows in a source of SQL (UNPIVOT)."
        )
    if (lunar := _of_the_moon(reader, file)) is not None:
        yield (
            f" {lunar} seems to hold days of the Islamic calendar (a year of 14..), which differ "
            "by country and are not converted here: export the days of the Gregorian calendar, "
            "or join a table of both in a source of SQL."
        )
    if reader.rejected:
        listed = ", ".join(
            f"{len(r.lines):,} of {r.source} from line {r.lines['line'].min()} on"
            for r in sorted(reader.rejected, key=lambda r: -len(r.lines))[:NAMED]
        )
        yield (
            f" Lines are malformed ({listed}): they have other cells than the header, as where a "
            "text with a delimiter stands in no quotes. Lines of orders that are among them have "
            "no date."
        )


def _names_of(file: FileFacts, kind: str) -> list[str]:
    return [c.name for c in file.of_kind(kind)]


def _of_the_moon(reader: Reader, file: FileFacts) -> str | None:
    """Return the text column whose days have years of the Islamic calendar, 1430 to 1499."""
    for column in file.of_kind(TEXT):
        text = f"trim({quote(column.name)}::VARCHAR)"
        [found] = reader.fetch(
            f"SELECT count(*) AS n, count(*) FILTER (regexp_matches({text}, {literal(_MOON)})) "
            f"AS moon FROM {quote(file.name)} WHERE {text} <> ''",
            file.name,
        ).to_pylist()
        if found["n"] and found["moon"] >= UNIQUE * found["n"]:
            return column.name
    return None


def _texts(reader: Reader, nearest: SalesFile, column: str) -> str:
    """Return the texts of a column that come most often and are no numbers, with their rows."""
    text = f"trim({quote(column)}::VARCHAR)"
    rows = reader.fetch(
        f"SELECT {text} AS v, count(*) AS n FROM {quote(nearest.file.name)} WHERE {text} <> '' "
        f"AND TRY_CAST({text} AS DOUBLE) IS NULL GROUP BY 1 ORDER BY n DESC, v LIMIT {NAMED}",
        nearest.file.name,
    ).to_pylist()
    return ", ".join(f"{row['v']}: {row['n']:,} rows" for row in rows)
