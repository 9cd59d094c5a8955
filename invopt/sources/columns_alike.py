"""Which numbers of a row count the same of several products or places, and which add these up."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

import numpy as np

from invopt.sources.by_place import PLACE
from invopt.sources.duck import Reader
from invopt.sources.facts import (
    DATE,
    NAMELESS,
    NUMBER,
    TEXT,
    ColumnFacts,
    FileFacts,
    date_sql,
    num_combined,
)
from invopt.sources.quantity_columns import sounds_of_money
from invopt.sources.sales_facts import is_of_something_else
from invopt.sources.twins import is_total
from invopt.sources.vocabulary import all_by_word, by_word, is_of_calendar, plain
from invopt.sources.words import Keys
from invopt.sql import quote
from invopt.types import FloatArray

PRODUCT = "product"
_LEAST = 3  # columns
_BOUGHT_AT_ONCE = 0.3  # share of what is sold that a receipt has at most, on average
_OF_FLAGS = 2  # values of a column that says yes or no of a day, where others say more
_LOOKED_AT = 1000  # rows
_MOST = 400  # columns among which sums of a few are looked for
_NEAR, _SAME = 0.001, 0.99  # by how much a sum may differ, and in what share of the rows it holds
_FEW = 0.05  # share of fractions, or of numbers below 0, that leaves a column one of whole numbers
_MOSTLY = 2 / 3  # share of the columns that are of whole numbers where the others are odd ones
_EXPLAINED = 0.98  # share of the variance of money that units by fixed prices explain
_WEIGHTS = {"kg", "g", "gr", "lb", "lbs", "oz", "l", "litre", "liter", "litres", "ltr", "m", "kilo"}
# What becomes of an order: no products.
_STATES = {
    "ordered", "shipped", "returned", "returns", "delivered", "received", "sold", "net", "gross",
    "total", "online", "all", "new", "old", "left", "lost", "cancelled", "canceled", "refunded",
    "actual", "target", "average", "avg", "min", "max", "cum", "cumulative", "prev", "previous",
    "size", "area", "sqm", "name", "code", "wasted", "produced", "planned", "available",
}  # fmt: skip
_REMARKS = (
    r"note|remark|comment|bemerk|anmerk|kommentar|notiz|observa|remarque|commentaire|opmerking"
    r"|uwagi|aciklama|nota(_|$)|hinweis|weather|wetter|meteo|clima|holiday|feiertag|event|weekday"
    r"|wochentag|jour|day|season|saison|temporada|stagione|temperat"
)


@dataclass(frozen=True)
class Alike:
    """Numbers that count the same.

    Attributes:
        labels: Product or place of each column.
        kind: What a label names: product or location.
        place: Column of the places that rows are of; None where each day has one row.
        sums: Columns that add others up.
        odd: Columns that may be products, but for fractions or numbers below 0.
        are_receipts: Whether a day has a row for each receipt.
    """

    labels: dict[str, str]
    kind: str
    place: str | None
    sums: list[str]
    odd: list[str]
    are_receipts: bool = False


def columns_alike(reader: Reader, file: FileFacts) -> Alike | None:
    """Return the columns of a file that are a product or place each; None where it has none.

    Such a file has a date, at most one row for each (and place), and no column of products; or a
    row for each receipt, which has little of all that is sold.
    """
    dates = file.of_kind(DATE)
    if file.periods or not dates or len(file.of_kind(NUMBER)) < _LEAST:
        return None
    numbers = [c for c in file.of_kind(NUMBER) if not is_of_calendar(c.name)]
    labels, kind = _by_words(numbers)
    keys = Keys.of(file)
    if {keys.product, keys.series} - {None, *labels}:
        return None
    place = None if keys.location in labels else keys.location
    cells = [date_sql(dates[0]), *([quote(place)] if place is not None else [])]
    are_receipts = num_combined(reader, file, cells) < file.num_rows
    place = None if are_receipts else place
    if place and kind == PLACE:
        return None
    if not are_receipts and (len(dates) > 1 or _has_other_texts(file, keys)):
        return None
    numbers = [c for c in numbers if c.name != place]
    values = _values(reader, file, numbers)
    odd: list[str] = []
    if not labels:
        labels, odd = _unnamed(numbers, values, may_be_flags=not are_receipts)
    if len(labels) < _LEAST or (are_receipts and not _hold_little([values[n] for n in labels])):
        return None
    sums = _sums(values, [c.name for c in numbers if c.name in labels])
    parts = [name for name in labels if name not in sums]
    others = [c.name for c in numbers if c.name not in labels and c.name not in odd]
    sums += [name for name in others if _adds_up(values[name], [values[p] for p in parts])]
    sums += [name for name in others if name not in sums and is_total(name)]
    claimed = [name for name in all_by_word(others, "y") if name not in sums]
    is_unnamed = kind == PRODUCT and labels.keys() == set(labels.values())
    if is_unnamed and claimed and not _is_turnover(claimed, values, parts):
        return None
    own = {name: labels[name] for name in parts}
    return Alike(own, kind, place, sums, odd, are_receipts) if len(own) >= _LEAST else None


def _hold_little(columns: list[FloatArray]) -> bool:
    """Return whether rows hold a few whole numbers each, as receipts with all that is sold do."""
    cells = np.stack(columns, axis=1)
    some = np.isfinite(cells) & (cells != 0)
    whole = bool((cells[some] == np.floor(cells[some])).all())
    return whole and bool(some.mean() <= _BOUGHT_AT_ONCE)


def _has_other_texts(file: FileFacts, keys: Keys) -> bool:
    """Return whether a file has words that are none of its days: names of customers, say."""
    texts = [c for c in file.of_kind(TEXT) if c.name not in keys.there]
    return any(
        not is_of_something_else(c.name) and not re.search(_REMARKS, plain(c.name)) for c in texts
    )


def _by_words(numbers: Iterable[ColumnFacts]) -> tuple[dict[str, str], str]:
    """Return what names of columns say besides one word that all of them have, and of what kind.

    That word counts pieces (sales_bread, Rolls (pcs)), or names places (Shop 1, Shop 2).
    """
    by_pieces: dict[object, dict[str, str]] = {}
    by_places: dict[str, dict[str, str]] = {}
    for column in numbers:
        tokens = _tokens(column.name)
        words = [plain(column.name[start:end]) for start, end in tokens]
        first = len(list(takewhile(_counts, words)))
        last = len(list(takewhile(_counts, reversed(words[first:]))))
        rest = tokens[first : len(tokens) - last]
        said = "_".join(words[first : len(words) - last])
        if (first or last) and rest and not _says_else(said):
            stem = (tuple(words[:first]), tuple(words[len(words) - last :]))
            by_pieces.setdefault(stem, {})[column.name] = _between(column.name, rest)
        if len(tokens) > 1 and by_word([words[0]], "location") and not _says_else(words[-1]):
            by_places.setdefault(words[0], {})[column.name] = column.name.strip()
    for groups, kind in ((by_pieces, PRODUCT), (by_places, PLACE)):
        best = max(groups.values(), key=len, default={})
        if len(best) >= _LEAST and len(set(best.values())) == len(best):
            are_places = all(by_word([label], "location") for label in best.values())
            return best, PLACE if are_places else kind
    return {}, PRODUCT


def _tokens(name: str) -> list[tuple[int, int]]:
    """Return where the words of a name begin and end."""
    words = [found.span() for found in re.finditer(r"[^\W_]+", name)]
    cuts = [found.start() for found in re.finditer(r"(?<=[a-z])(?=[A-Z])", name)]
    found = []
    for start, end in words:
        edges = [start, *(cut for cut in cuts if start < cut < end), end]
        found += list(pairwise(edges))
    return found


def _between(name: str, tokens: Sequence[tuple[int, int]]) -> str:
    """Return a part of a name from one word to another as it is written, brackets closed."""
    start, end = tokens[0][0], tokens[-1][1]
    is_open = name.count("(", start, end) > name.count(")", start, end)
    return name[start : end + (is_open and name[end : end + 1] == ")")]


def _counts(word: str) -> bool:
    """Return whether a word counts pieces, and is no word for money or for any number."""
    is_known = by_word([word], "y") is not None and not sounds_of_money(word)
    return is_known and len(word) > 1 and word not in ("value", "count", "target")


def _says_else(words: str) -> bool:
    return is_of_something_else(words) or is_total(words) or bool(_STATES & set(words.split("_")))


def _unnamed(
    numbers: list[ColumnFacts], values: dict[str, FloatArray], *, may_be_flags: bool
) -> tuple[dict[str, str], list[str]]:
    """Return products by the numbers that no word claims, and those of these of another kind."""
    names = [c.name for c in numbers]
    claimed = set(all_by_word(names, "y"))
    left = [c for c in numbers if c.name not in claimed and not is_of_something_else(c.name)]
    left = [c for c in left if not is_total(c.name) and not re.fullmatch(NAMELESS, c.name)]
    if (measured := _of_one_measure(left)) is not None:
        return measured, []
    counts = [c for c in left if c.num_distinct > _OF_FLAGS or not may_be_flags] or left
    odd = [c.name for c in counts if _is_odd(c.name, values[c.name])]
    if len(counts) - len(odd) < max(_LEAST, _MOSTLY * len(counts)):
        odd = []
    return {c.name: c.name.strip() for c in counts if c.name not in odd}, odd


def _of_one_measure(columns: list[ColumnFacts]) -> dict[str, str] | None:
    """Return products by the columns of one of several measures; None where there is but one.

    Names are of several where each begins or ends with one of a few words, and the rest of it is
    the same behind each: Q-P1, Q-P2, S-P1, S-P2. The one of whole numbers is taken, and none
    where that does not tell which of them counts pieces.
    """
    for end in (0, -1):
        groups: dict[str, dict[str, ColumnFacts]] = {}
        for column in columns:
            tokens = _tokens(column.name)
            word = ""
            if len(tokens) > 1:
                start, stop = tokens.pop(end)
                word = column.name[start:stop].lower()
            groups.setdefault(word, {})[_between(column.name, tokens) if tokens else ""] = column
        rests = {frozenset(group) for group in groups.values()}
        if len(groups) > 1 and len(rests) == 1 and len(next(iter(rests))) > 1:
            whole = [g for g in groups.values() if not any(c.has_fraction for c in g.values())]
            return {c.name: own for own, c in whole[0].items()} if len(whole) == 1 else {}
    return None


def _is_odd(name: str, values: FloatArray) -> bool:
    """Return whether a column has fractions or numbers below 0, and is no weight."""
    given = values[np.isfinite(values)]
    below = bool(len(given)) and float(np.mean(given < 0)) > _FEW
    broken = bool(len(given)) and float(np.mean(given != np.floor(given))) > _FEW
    is_weight = bool(_WEIGHTS & set(plain(name).split("_")))
    return bool(below or (broken and not is_weight))


def _values(
    reader: Reader, file: FileFacts, numbers: Sequence[ColumnFacts]
) -> dict[str, FloatArray]:
    """Return numbers of the first rows by column; NaN where a cell holds none."""
    picks = ", ".join(
        f"{c.style.sql(quote(c.name))}::DOUBLE AS c{n}" for n, c in enumerate(numbers)
    )
    sql = f"SELECT {picks} FROM {quote(file.name)} LIMIT {_LOOKED_AT}"
    rows = reader.fetch(sql, file.name)
    return {c.name: rows[f"c{n}"].to_numpy().astype(np.float64) for n, c in enumerate(numbers)}


def _sums(values: dict[str, FloatArray], names: list[str]) -> list[str]:
    """Return columns that add up the run of columns before or behind them, or all others."""
    if len(names) > _MOST:
        return []
    found = _sums_of_runs(values, names)
    left = [name for name in names if name not in found]
    found += _sums_of_runs(values, left[::-1])
    left = [name for name in left if name not in found]
    every = [
        name for name in left if _adds_up(values[name], [values[o] for o in left if o != name])
    ]
    return [*found, *every]


def _sums_of_runs(values: dict[str, FloatArray], names: list[str]) -> list[str]:
    parts: list[FloatArray] = []
    found = []
    for name in names:
        own, total = values[name], np.zeros(len(values[name]))
        for number, part in enumerate(reversed(parts), start=1):
            total = total + np.nan_to_num(part)
            if number > 1 and _is_same(own, total) and not _is_same(own, np.nan_to_num(part)):
                found.append(name)
                break
        else:
            parts.append(own)
    return found


def _adds_up(own: FloatArray, parts: Collection[FloatArray]) -> bool:
    """Return whether a column is the sum of others."""
    return len(parts) > 1 and _is_same(own, np.sum([np.nan_to_num(p) for p in parts], axis=0))


def _is_same(own: FloatArray, other: FloatArray) -> bool:
    given = np.isfinite(own)
    near = np.abs(own - other)[given] <= _NEAR * np.abs(own[given]) + _NEAR
    some = np.count_nonzero(own[given])
    return bool(some > _LEAST and np.mean(near) >= _SAME)


def _is_turnover(claimed: list[str], values: dict[str, FloatArray], parts: list[str]) -> bool:
    """Return whether the only column that words take for a quantity is what products came to."""
    are_money = all(sounds_of_money(name) for name in claimed)
    return are_money and _are_worth(values[claimed[0]], [values[part] for part in parts])


def _are_worth(money: FloatArray, units: list[FloatArray]) -> bool:
    """Return whether money is what units of several columns cost, each at a price of its own."""
    given = np.isfinite(money)
    counts = np.nan_to_num(np.stack(units, axis=1))[given]
    if given.sum() < 2 * len(units) or not np.var(money[given]):
        return False
    prices, *_ = np.linalg.lstsq(counts, money[given], rcond=None)
    error = np.mean((counts @ prices - money[given]) ** 2)
    fits = error <= (1 - _EXPLAINED) * np.var(money[given])
    return bool(fits and (prices > 0).all())
