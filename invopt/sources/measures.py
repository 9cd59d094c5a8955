"""Several measures of each period beside each other: Menge 01/2025, Umsatz 01/2025, Menge 02/2025.

One of them is what was sold; the others are left out, and it is said.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise

from invopt.sources.period_names import is_period_name
from invopt.sources.vocabulary import MONEY, by_word, plain

_MIN_PERIODS = 4
_BETWEEN = re.compile(r"[ _.:/()\[\]|-]+")
_SIGNS = " _.:/()[]|-"
_PLANNED = r"budget|plan(ned)?|forecast|prognos|soll|target|presupuesto|prevu|previsi"
# The same of a year before, beside that of this year.
_EARLIER = r"(^|_)(ly|py|vj|vorjahr\w*|last_year|prior_year|previous_year|n_1|anno_prec\w*)(_|$)"
_SHORT = re.compile(r"(.*?)[ _.-]*(\d{2})(0[1-9]|1[0-2])")  # Dem 2401: January 2024
_MONTHS = 12
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
    names = list(names)
    for name in names:
        if (found := _split(name)) is not None:
            groups.setdefault(found[0], {})[name] = found[1]
    groups = {measure: found for measure, found in groups.items() if len(found) >= _MIN_PERIODS}
    sold = sold_among(groups)
    if sold is None:
        return None if groups else _short_months(names)
    others = {measure: found for measure, found in groups.items() if measure != sold}
    return Measured(sold, groups[sold], tuple(others), tuple(n for f in others.values() for n in f))


def _short_months(names: list[str]) -> Measured | None:
    """Return columns of months with years of two figures, 2401 to 2412 and 2501 on; else None.

    They are numbers like others but for their order: each is the month after the one before it, or
    before it, over a change of the year.
    """
    found = {name: match for name in names if (match := _SHORT.fullmatch(name))}
    stems = Counter(match[1] for match in found.values())
    stem, count = stems.most_common(1)[0] if stems else ("", 0)
    months = {n: (int(m[2]), int(m[3])) for n, m in found.items() if m[1] == stem}
    counted = [_MONTHS * year + month for year, month in months.values()]
    steps = {later - earlier for earlier, later in pairwise(counted)}
    if count <= _MONTHS or len(steps) != 1 or steps & {1, -1} == set():
        return None
    return Measured(stem, {name: f"20{y:02d}-{m:02d}" for name, (y, m) in months.items()})


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


def sold_among(groups: Collection[str]) -> str | None:
    """Return which of some measures is what was sold; None where none is known to be."""
    if len(groups) < 2:
        return next(iter(groups), None)
    other = f"{_PLANNED}|{_EARLIER}"
    left = [m for m in groups if not re.search(other, plain(m))] or list(groups)
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
