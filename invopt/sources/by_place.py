"""Files of one kind, one for each place: sales_Berlin.csv and sales_Hamburg.csv are one table."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from pathlib import Path

from invopt.sources.columns import facts_of
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, FileFacts, date_of, date_sql, dates_in
from invopt.sources.kind_words import is_kind
from invopt.sources.mapping import Source
from invopt.sources.vocabulary import all_by_word, by_word, plain
from invopt.sources.words import Keys
from invopt.sql import literal, quote
from invopt.timeline import usual_frequency

PLACE = "location"
# Words that tell when: such files follow one another, or are none of one table.
_TIMES = frozenset(
    word
    for words in (
        "previous current history historical archive archiv aktuell last this recent first second",
        "third fourth earlier later vorjahr laufend monday tuesday wednesday thursday friday",
        "saturday sunday",
    )
    for word in words.split()
)
# Words of names that say which year, quarter, month, week or day.
_TIMED = re.compile(
    r"\d+|[qhwt]\d+|kw\d+|(jan|feb|fev|mar|mrz|apr|avr|abr|may|mai|jun|jul|jui|aug|aou|ago|sep|set"
    r"|oct|okt|ott|nov|dec|dez|dic|ene|gen|giu|lug|mag|mae)[a-z]*\d*|previous|current|history"
    r"|historical|archive|archiv|aktuell|vorjahr|old|new|alt|neu|part|teil"
)
_NAMED = 6
_SEVERAL = 3  # files
_CONSTANT = 0.8  # likelihood of equal rows from which on they prove nothing
_STRAY = 0.01  # share of a file's lines that may be of the time before, or after, its own
_COPIED = 0.8  # share of equal rows of two files that makes one a copy of the other


@dataclass(frozen=True)
class UnitedFiles:
    """Files that were made one.

    Attributes:
        files: All files, those that were united replaced by what they are together.
        sources: SQL of each table that was made, by name.
        parts: Names of the files that each is made of.
        notes: A sentence for each.
        doubts: Why the numbers of a file cannot be read, by its name.
        gaps: Names of tables made of cells of which some are blank, and not known.
        beside: What the rows say besides the cells that a table was made of, and the names that
            these cells are of, by the name of the table.
    """

    files: list[FileFacts]
    sources: dict[str, dict[str, str]]
    parts: dict[str, list[str]]
    notes: list[str]
    doubts: dict[str, str] = field(default_factory=dict)
    gaps: set[str] = field(default_factory=set)
    beside: dict[str, tuple[FileFacts, list[str]]] = field(default_factory=dict)

    def table_of(
        self, reader: Reader, name: str, sql: str, files: Sequence[FileFacts]
    ) -> FileFacts:
        """Make a table of files readable; returns its facts, with the path of the first file.

        Where such a file is a table that was made itself, it and what it is made of are parts too.

        Args:
            reader: Holds the files.
            name: Of the table.
            sql: What it is.
            files: That it is made of.
        """
        reader.add(name, Source(sql=sql))
        parts = [part for file in files for part in self.parts.get(file.name, [file.name])]
        made = [file.name for file in files if file.name in self.sources]
        self.sources[name] = {"sql": sql}
        self.parts[name] = [*parts, *made]
        return replace(facts_of(reader, name, files[0]), path=files[0].path)


def unite_places(reader: Reader, files: list[FileFacts]) -> UnitedFiles:
    """Make one table of files with the same columns whose names differ in up to three words.

    It has a column for the place where a product is in several of them at one time; files that
    share no product, or follow one another, need none. Files that name their places in a column
    are left as they are, and so are copies, files of another frequency, and names that tell apart
    something else (returns, plans).
    """
    found = UnitedFiles(list(files), {}, {}, [])
    for group in _groups(files):
        words = _places(group)
        is_timed = any(plain(word) in _TIMES for word in words or ())
        if not is_timed and _follow(reader, group):
            if _is_of_one_kind(reader, group):
                _unite(reader, group, [file.name for file in group], found, is_told=False)
            continue
        if words is None or not _is_of_one_kind(reader, group):
            continue
        is_told = _share_products(reader, group)
        if is_told and any(plain(word) in _TIMES for word in words):
            continue
        _unite(reader, group, words, found, is_told=is_told)
    return found


def _unite(
    reader: Reader, group: list[FileFacts], words: list[str], found: UnitedFiles, *, is_told: bool
) -> None:
    """Make one table of a group, with a column for the place where that tells rows apart."""
    stem = "_".join(_common(group))
    name = f"{stem or 'lines'}_{'by_place' if is_told else 'together'}"
    sql = " UNION ALL BY NAME ".join(
        f"SELECT *{f', {literal(word)} AS {PLACE}' if is_told else ''} FROM {quote(file.name)}"
        for word, file in zip(words, group, strict=True)
    )
    made = replace(found.table_of(reader, name, sql, group), path=", ".join(f.path for f in group))
    found.files[:] = [made, *(f for f in found.files if f not in group)]
    told = (
        f"the place is read from their names ({', '.join(words)})"
        if is_told
        else "they follow one another in time"
        if words == [file.name for file in group]
        else f"no product is in two of them at one time, so that {', '.join(words)} is not kept: "
        f"add it as a column in the source {name} where it is a place"
    )
    found.notes.append(f"{listed_files(group)} have the same columns and are one table; {told}")


def listed_files(group: list[FileFacts]) -> str:
    """Return the first files of a group with their sheets, and how many there are more."""
    listed = [" ".join(filter(None, (file.path, file.sheet))) for file in group]
    more = f" and {len(listed) - _NAMED} others" if len(listed) > _NAMED else ""
    return f"{', '.join(listed[:_NAMED])}{more}"


def _is_of_one_kind(reader: Reader, group: list[FileFacts]) -> bool:
    """Return whether files count the same periods and none is a copy of another."""
    steps = {usual_frequency(dates_in(reader, file)) for file in group}
    if len(steps) > 1:
        return False
    numbers = [c.name for c in group[0].of_kind(NUMBER)]
    quantity = by_word(numbers, "y")
    listed = ", ".join(quote(c.name) for c in sorted(group[0].columns, key=lambda c: c.name))
    some = f" WHERE coalesce(trim({quote(quantity)}::VARCHAR), '0') <> '0'" if quantity else ""
    if any(_repeats(reader, file, some) > _CONSTANT for file in group):
        return True  # equal rows are no sign of a copy where nearly all rows are alike
    rows = [f"(SELECT DISTINCT {listed} FROM {quote(file.name)}{some})" for file in group]
    counts = [_count(reader, f"SELECT * FROM {sql}") for sql in rows]
    for n, one in enumerate(rows):
        for m, other in enumerate(rows[:n]):
            equal = _count(reader, f"SELECT * FROM {one} INTERSECT SELECT * FROM {other}")
            if equal > _COPIED * min(counts[n], counts[m]):
                return False
    return True


def _repeats(reader: Reader, file: FileFacts, some: str) -> float:
    """Return how likely two rows of one product say the same but for their dates; 0 to 1.

    Args:
        reader: Holds the file.
        file: That is looked at.
        some: Condition of its rows, as SQL.
    """
    keys = Keys.of(file)
    names = [*keys.there, *([keys.series] if keys.series is not None else [])]
    said = [c.name for c in file.columns if c.kind != DATE and c.name not in names]
    if not names or not said:
        return 0.0
    product, told = (", ".join(map(quote, columns)) for columns in (names, said))
    [found] = reader.fetch(
        f"WITH g AS (SELECT {product}, hash({told}) AS said, count(*) AS n FROM "
        f"{quote(file.name)}{some} GROUP BY ALL), p AS (SELECT {product}, sum(n) AS m, "
        f"sum(n * (n - 1)) AS same FROM g GROUP BY {product}) "
        "SELECT coalesce(sum(same)::DOUBLE / nullif(sum(m * (m - 1)), 0), 0) AS share FROM p",
        file.name,
    ).to_pylist()
    return float(found["share"])


def _follow(reader: Reader, group: list[FileFacts]) -> bool:
    """Return whether files tell in their names when they are of, and no two are of one time.

    A few lines of the month before or after, as of a night, do not count. Of several files none
    of which is of another's time that is so whatever language their months are in.
    """
    untimed = untimed_words(group)
    if untimed and (len(group) < _SEVERAL or any(is_kind([word]) for word in untimed)):
        return False
    spans = [_span(reader, file) for file in group]
    if not all(spans):
        return False
    return all(one[1] < other[0] for one, other in pairwise(sorted(filter(None, spans))))


def untimed_words(group: list[FileFacts]) -> list[str]:
    """Return the words that not all names of files have, and that do not say when they are of."""
    names = [set(file.name.lower().split("_")) for file in group]
    shared = set.intersection(*names)
    words = [word for own in names for word in own - shared]
    return [word for word in words if not _TIMED.fullmatch(plain(word))]


def _span(reader: Reader, file: FileFacts) -> tuple[date, date] | None:
    """Return the first and last day of nearly all lines of a file; None where none has a day."""
    day = date_sql(date_of(file))
    [found] = reader.fetch(
        f"SELECT quantile_disc({day}, {_STRAY}) AS first, quantile_disc({day}, {1 - _STRAY}) AS "
        f"last FROM {quote(file.name)} WHERE year({day}) BETWEEN 1900 AND 2200",
        file.name,
    ).to_pylist()
    return None if found["first"] is None else (found["first"], found["last"])


def _common(group: list[FileFacts]) -> list[str]:
    """Return the words that the names of all files of a group have."""
    others = [set(plain(file.name).split("_")) for file in group]
    return [w for w in plain(group[0].name).split("_") if all(w in words for words in others)]


def _share_products(reader: Reader, group: list[FileFacts]) -> bool:
    """Return whether a product is in two of the files at one time."""
    keys = Keys.of(group[0])
    column = keys.product or keys.series
    if column is None:
        return True
    spans = " UNION ALL ".join(
        f"SELECT {n} AS file, trim({quote(column)}::VARCHAR) AS product, min(day) AS first, "
        f"max(day) AS last FROM (SELECT *, {date_sql(date_of(file))} AS day "
        f"FROM {quote(file.name)}) GROUP BY ALL"
        for n, file in enumerate(group)
    )
    pairs = "a.file < b.file AND a.product = b.product AND a.first <= b.last AND b.first <= a.last"
    sql = f"WITH s AS ({spans}) SELECT 1 AS one FROM s a JOIN s b ON {pairs} LIMIT 1"
    return _count(reader, sql) > 0


def _count(reader: Reader, sql: str) -> int:
    [found] = reader.fetch(f"SELECT count(*) AS n FROM ({sql})", "sources").to_pylist()
    return int(found["n"])


def _groups(files: Iterable[FileFacts]) -> list[list[FileFacts]]:
    groups: dict[object, list[FileFacts]] = {}
    for file in files:
        names = [column.name for column in file.columns]
        if file.periods or not file.of_kind(DATE):
            continue
        groups.setdefault(tuple(sorted(names)), []).append(file)
    return [group for group in groups.values() if len(group) > 1]


def _places(group: list[FileFacts]) -> list[str] | None:
    """Return the words in which each file's name differs from all others; None where it has none.

    Of sheets of one workbook it is their titles.
    """
    if all_by_word([column.name for column in group[0].columns], "location"):
        return None
    names = _differing(group)
    if not all(names) or len(set(map(tuple, names))) < len(group) or len(max(names, key=len)) > 3:
        return None
    words = [" ".join(own) for own in names]
    numbered = all(re.fullmatch(r"[A-Za-z]*\d{1,3}", word) for word in words)
    if numbered and by_word([group[0].name], "location"):
        return words
    if any(is_kind(own) or not "".join(own).isalpha() for own in names):
        return None
    return words


def _differing(group: list[FileFacts]) -> list[list[str]]:
    """Return the words between those with which the names of all files begin and end."""
    workbooks = {file.path for file in group}
    stems = [_stem(file.path) for file in group]
    if len(set(stems)) == 1 and len(workbooks) > 1:  # a folder for each place
        stems = [Path(file.path).parent.as_posix() for file in group]
    labels = [
        str(file.sheet)
        if file.sheet is not None and len(workbooks) == 1
        else " ".join(filter(None, (stem, file.sheet)))
        for stem, file in zip(stems, group, strict=True)
    ]
    names = [re.findall(r"[^\W_]+", label) for label in labels]
    for end in (0, -1):
        while all(names) and len({words[end] for words in names}) == 1:
            for words in names:
                words.pop(end)
    return names


def _stem(path: str) -> str:
    """Return a file's name without the folder and what says of which kind it is."""
    return re.sub(r"(\.[A-Za-z]{1,7})+$", "", Path(path).name)
