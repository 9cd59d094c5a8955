"""Columns that are two things at once: a product in a shop, or a shop in a month."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product

from invopt.sources.by_place import PLACE, UnitedFiles
from invopt.sources.columns_alike import PRODUCT
from invopt.sources.days import days_of
from invopt.sources.duck import Reader
from invopt.sources.facts import (
    DATE,
    NUMBER,
    TEXT,
    FileFacts,
    cells_of,
    date_sql,
    given_text,
    num_combined,
)
from invopt.sources.measures import sold_among
from invopt.sources.measures_by_place import may_be_place
from invopt.sources.period_names import is_period_name
from invopt.sources.product_columns import VALUE, may_be_sales
from invopt.sources.sales_facts import is_of_something_else
from invopt.sources.twins import is_total
from invopt.sources.vocabulary import MONEY, by_word, has_label, plain
from invopt.sources.words import Keys, SpokenNames, shortened
from invopt.sql import literal, quote

_LEAST = 2  # of either of the things that cross
_LEAST_PERIODS = 4
_FULL = 0.6  # share of all pairs that must have a column
_CELL, _BETWEEN = "cell", "|"
_MOST_WORDS = 4  # of a period in a name
_KNOWN = 0.5  # share of the names that another file has
_MANY = 10_000  # names of another file that are looked at
# What stands above months and is no place that keeps stock.
_NO_PLACES = (
    r"(^|_)(north|south|east|west|nord|sud|ost|inland|ausland|export|domestic|foreign|online"
    r"|retail|wholesale|b2b|b2c|web|amazon|ebay|channel|kanal|region|country|customer|kunde)(_|$)"
)


def stack_crossed(reader: Reader, found: UnitedFiles, asked: SpokenNames) -> None:
    """Replace files whose columns are a product and a place, or a place and a period, by rows.

    Args:
        reader: Holds the files.
        found: Gets the tables in the place of their files, notes, and doubts about those whose
            names do not tell which is which.
        asked: Columns that a person named: with a product or quantity there is nothing to guess.
    """
    if asked.product or asked.quantity:
        return
    for at, file in enumerate(list(found.files)):
        made = _of_periods(reader, found, file)
        if made is not None:
            found.files[at] = made
    if any(map(may_be_sales, found.files)):
        return
    for at, file in enumerate(list(found.files)):
        made = _of_days(reader, found, file)
        if made is not None:
            found.files[at] = made


def _of_periods(reader: Reader, found: UnitedFiles, file: FileFacts) -> FileFacts | None:
    """Return a row for each cell of a file whose columns are places and periods; else None."""
    if not (file.periods or len(file.of_kind(NUMBER)) >= _LEAST * _LEAST_PERIODS):
        return None
    names = reader.column_types(quote(file.name), file.name)
    parts = {name: part for name in names if (part := _around_period(name)) is not None}
    own = _of_places({name: rest for name, (rest, _) in parts.items()})
    keys = Keys.of(file)
    if own is None or keys.location is not None or file.of_kind(DATE):
        return None
    places, measure = own
    days = days_of(reader, file.name, {name: parts[name][1] for name in places})
    if len(days) < len(places) or len(set(days.values())) < _LEAST_PERIODS:
        return None
    labels = {name: f"{place}{_BETWEEN}{days[name]}" for name, place in places.items()}
    left = [c.name for c in file.columns if c.name not in parts and c.kind != NUMBER]
    left += [key for key in keys.there if key not in left]
    picked = "".join(f"{quote(name)}, " for name in left)
    sql = (
        f"SELECT {picked}{_part(1)} AS {PLACE}, {_part(2)} AS date, {VALUE} "
        f"FROM {cells_of(file, left, labels, _CELL, VALUE)}"
    )
    seen = list(dict.fromkeys(places.values()))
    found.notes.append(
        f"{file.path} has {len(seen)} names above or below its periods ({shortened(seen)}): each "
        f"is read as a place, and each cell{f' of {measure}' if measure else ''} as a row; add "
        "them up in a source of SQL where they keep no stock (customers, regions, channels)"
    )
    return found.table_of(reader, f"{file.name}_by_place", sql, [file])


def _around_period(name: str) -> tuple[str, str] | None:
    """Return what stands around the period in a name, and the period; None where there is none."""
    words = [found.span() for found in re.finditer(r"[^\s_]+", name)]
    for length in range(min(_MOST_WORDS, len(words)), 0, -1):
        for first in range(len(words) - length + 1):
            start, end = words[first][0], words[first + length - 1][1]
            if is_period_name(name[start:end]):
                rest = f"{name[:start].strip(' _')} {name[end:].strip(' _')}".strip()
                return (rest, name[start:end]) if rest else None
    return None


def _of_places(rests: Mapping[str, str]) -> tuple[dict[str, str], str] | None:
    """Return the place of each column of what was sold, and the measure; None where none is told.

    Args:
        rests: What names say besides their period, by name.
    """
    texts = list(dict.fromkeys(rest for rest in rests.values() if not is_total(rest)))
    crossed = _crossed(texts)
    for own, other in ((0, 1), (1, 0)):
        if crossed is None:
            break
        measures = list(dict.fromkeys(pair[other] for pair in crossed.values()))
        measure = sold_among(measures) if any(map(_is_measure, measures)) else None
        places = {name: crossed[rest][own] for name, rest in rests.items()
                  if rest in crossed and crossed[rest][other] == measure}  # fmt: skip
        if measure is not None and _are_places(places.values()):
            return places, measure
    if any(map(_is_measure, texts)) or crossed or not _are_places(texts):
        return None
    return {name: rest for name, rest in rests.items() if rest in texts}, ""


def _is_measure(text: str) -> bool:
    return by_word([text], "y") is not None or bool(MONEY & {*plain(text).split("_")})


def _are_places(names: Iterable[str]) -> bool:
    names = {*names}
    said = [name for name in names if re.search(_NO_PLACES, plain(name))]
    return len(names) >= _LEAST and not said and all(map(may_be_place, names))


def _of_days(reader: Reader, found: UnitedFiles, file: FileFacts) -> FileFacts | None:
    """Return a row for each cell of a file whose columns are products in shops; else None.

    Such a file has a row for each day, and no other key.
    """
    dates, keys = file.of_kind(DATE), Keys.of(file)
    numbers = [c.name for c in file.of_kind(NUMBER)]
    keyed = [key for key in (*keys.there, keys.series) if key and key not in numbers]
    if file.periods or len(dates) != 1 or keyed or len(numbers) < _LEAST * _LEAST:
        return None
    crossed = _crossed([name for name in numbers if not is_total(name)])
    if crossed is None or num_combined(reader, file, [date_sql(dates[0])]) < file.num_rows:
        return None
    sides = [list(dict.fromkeys(pair[n] for pair in crossed.values())) for n in (0, 1)]
    if any(_is_measure(label) or is_of_something_else(label) or not may_be_place(label)
           for side in sides for label in side):  # fmt: skip
        return None
    # Two words in one line may be one product (Fig bag), which no number of names tells.
    is_deep = file.name in reader.deep
    others = [f for f in found.files if f is not file]
    told = _which_are_places(reader, others, sides, by_number=is_deep)
    day = dates[0].name
    if told is None and not is_deep:
        return None
    if told is None:
        found.doubts[file.name] = _doubt(file, crossed, day)
        return None
    place, why = told
    labels = {name: _BETWEEN.join(pair) for name, pair in crossed.items()}
    sql = (
        f"SELECT {quote(day)}, {_part(2 - place)} AS {PRODUCT}, {_part(place + 1)} AS {PLACE}, "
        f"{VALUE} FROM {cells_of(file, [day], labels, _CELL, VALUE)}"
    )
    found.notes.append(
        f"{file.path} has a column for each of {len(sides[1 - place])} products "
        f"({shortened(sides[1 - place])}) in each of {len(sides[place])} places "
        f"({shortened(sides[place])}): each cell is a row; {why}"
    )
    return found.table_of(reader, f"{file.name}_by_place", sql, [file])


def _part(number: int) -> str:
    return f"split_part({_CELL}, {literal(_BETWEEN)}, {number})"


def _doubt(file: FileFacts, crossed: Mapping[str, tuple[str, str]], day: str) -> str:
    sides = [list(dict.fromkeys(pair[n] for pair in crossed.values())) for n in (0, 1)]
    name, (first, second) = next(iter(crossed.items()))
    return (
        f"each column of {file.path} has one of {shortened(sides[0])} and one of "
        f"{shortened(sides[1])} in its name, and nothing says which are products and which are "
        "places: put a list of the products beside it (a file with a column called product), or "
        f"write a source of SQL with a part for each column: SELECT {quote(day)}, {literal(first)} "
        f"AS product, {literal(second)} AS location, {quote(name)} AS quantity FROM {file.name} "
        "UNION ALL …"
    )


def _crossed(texts: Sequence[str]) -> dict[str, tuple[str, str]] | None:
    """Return the two names in each of some texts that are nearly all pairs of them, else None.

    Sums of either (Berlin Total) are left out.
    """
    splits = {text: list(_splits(text)) for text in texts}
    firsts = Counter(first for pairs in splits.values() for first, _ in pairs)
    seconds = Counter(second for pairs in splits.values() for _, second in pairs)
    if not texts or not all(splits.values()):
        return None
    best = {
        text: max(pairs, key=lambda pair: (min(firsts[pair[0]], seconds[pair[1]]),
                                           firsts[pair[0]] * seconds[pair[1]]))
        for text, pairs in splits.items()
    }  # fmt: skip
    kept = {text: pair for text, pair in best.items() if not any(map(is_total, pair))}
    sides = [{pair[n] for pair in kept.values()} for n in (0, 1)]
    pairs = list(product(*sides))
    is_full = len(kept) >= _FULL * len(pairs) and len(set(kept.values())) == len(kept)
    return kept if is_full and min(map(len, sides)) >= _LEAST else None


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Yield what stands before and behind each gap between words."""
    for gap in re.finditer(r"[\s_/|:-]+", text.strip()):
        before, behind = text[: gap.start()].strip(), text[gap.end() :].strip()
        if before and behind and _BETWEEN not in before + behind:
            yield before, behind


def _which_are_places(
    reader: Reader,
    others: Sequence[FileFacts],
    sides: Sequence[Collection[str]],
    *,
    by_number: bool,
) -> tuple[int, str] | None:
    """Return which of two lists are places, and why; None where nothing tells it.

    Names in another file say it, words for places do, and else, where asked, that places are fewer.
    """
    known = _names_in(reader, others)
    for n in (0, 1):
        if all(by_word([label], "location") for label in sides[n]):
            return n, f"{next(iter(sides[n]))} is named as a place"
        for role, place in ((PRODUCT, 1 - n), (PLACE, n)):
            shared = sum(plain(label) in known[role] for label in sides[n])
            other = sum(plain(label) in known[role] for label in sides[1 - n])
            if shared >= max(1.0, _KNOWN * len(sides[n])) and not other:
                return place, f"another file names {shared} of these {role}s"
    if len(sides[0]) == len(sides[1]) or not by_number:
        return None
    place = 0 if len(sides[0]) < len(sides[1]) else 1
    return place, "the fewer ones are taken for the places: exchange them in the source if not"


def _names_in(reader: Reader, files: Iterable[FileFacts]) -> dict[str, set[str]]:
    """Return products and places that files name in their columns, as plain() writes them."""
    found: dict[str, set[str]] = {PRODUCT: set(), PLACE: set()}
    for file in files:
        keys = Keys.of(file)
        columns = [(PRODUCT, keys.product), (PLACE, keys.location)]
        is_of_places = keys.product is None and keys.location is not None
        columns += [
            (PLACE if is_of_places else PRODUCT, c.name)
            for c in file.of_kind(TEXT)
            if has_label(c.name) and c.name not in keys.there
        ]
        for role, column in columns:
            if column is not None:
                sql = (
                    f"SELECT DISTINCT {given_text(column)} AS v FROM {quote(file.name)} "
                    f"LIMIT {_MANY}"
                )
                values = reader.fetch(sql, file.name)["v"].to_pylist()
                found[role] |= {plain(value) for value in values if value}
    return found
