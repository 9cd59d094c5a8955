"""Several measures of each period beside each other: Menge 01/2025, Umsatz 01/2025, Menge 02/2025.

One of them is what was sold; the others are left out, and it is said.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from invopt.sources.days import is_period_name
from invopt.sources.vocabulary import MONEY, by_word, plain

_MIN_PERIODS = 4
_BETWEEN = re.compile(r"[ _.:/()\[\]|-]+")
_SIGNS = " _.:/()[]|-"
_PLANNED = r"budget|plan(ned)?|forecast|prognos|soll|target|presupuesto|prevu|previsi"
# Measures that are neither units nor another word for them.
_OTHERS = (
    r"eur|usd|gbp|chf|€|\$|£|price|preis|prix|precio|margin|marge|db|cost|kosten|profit|stock|bestand"
    r"|inventory|erlos|ertrag|gross|net|netto|brutto|share|anteil|%|rabatt|discount|promo|aktion"
)


@dataclass(frozen=True)
class Measured:
    """Columns of one measure, a period each.

    Attributes:
        name: Of the measure, as the columns write it; "" where they are periods alone.
        labels: What each column says of its period, by the column's name, in order.
        others: Names of the other measures.
        columns: Names of the columns of the other measures.
    """

    name: str
    labels: dict[str, str]
    others: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def measured_periods(names: Iterable[str]) -> Measured | None:
    """Return the columns of periods that hold what was sold; None where there are too few.

    Args:
        names: Of all columns.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        if (found := _split(name)) is not None:
            groups.setdefault(found[0], {})[name] = found[1]
    groups = {measure: found for measure, found in groups.items() if len(found) >= _MIN_PERIODS}
    sold = _sold(groups)
    if sold is None:
        return None
    others = {measure: found for measure, found in groups.items() if measure != sold}
    return Measured(sold, groups[sold], tuple(others), tuple(n for f in others.values() for n in f))


def measures_of(names: Iterable[str]) -> list[str]:
    """Return the words that stand beside periods in names of columns, where they are several."""
    splits = [found for name in names if (found := _split(name)) is not None]
    counts = Counter(measure for measure, _ in splits)
    often = [measure for measure, number in counts.items() if number >= _MIN_PERIODS]
    return often if len(often) > 1 else []


def _split(name: str) -> tuple[str, str] | None:
    """Return the measure and the period of a name; None where it has no period.

    The longest part that is a period counts: KW 1/2025 and not 1/2025.
    """
    if is_period_name(name):
        return "", name
    cuts = [found.span() for found in _BETWEEN.finditer(name)]
    behind = [(name[:start], name[end:]) for start, end in cuts]
    before = [(name[end:], name[:start]) for start, end in reversed(cuts)]
    found = [
        (measure.strip(_SIGNS), text.strip(_SIGNS))
        for measure, text in (*behind, *before)
        if not re.search(r"\d", measure)
    ]
    fitting = [(m, t) for m, t in found if m and is_period_name(t)]
    return max(fitting, key=lambda pair: len(pair[1])) if fitting else None


def _sold(groups: Mapping[str, object]) -> str | None:
    """Return which of some measures is what was sold; None where none is known to be."""
    if len(groups) < 2:
        return next(iter(groups), None)
    left = [m for m in groups if not re.search(_PLANNED, plain(m))] or list(groups)
    units = [m for m in left if not _is_other(m)]
    known = by_word(units, "y")
    if known is not None:
        return known
    if len(units) == 1 and len(groups) > 1:  # the only one that no other word explains
        return units[0]
    return by_word(left, "y") if not units else None


def _is_other(measure: str) -> bool:
    words = set(plain(measure).split("_"))
    return (
        bool(words & MONEY)
        or re.search(rf"(^|[ _])({_OTHERS})([ _]|$)", measure.lower()) is not None
    )
