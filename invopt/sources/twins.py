"""Keys that differ in what people do not see: zeros in front, blanks, case, forms of Unicode."""

import re
import unicodedata
from collections.abc import Iterable

_NAMED = 3
_UNSEEN = ("Cf", "Cc")  # signs of no width, and of control
_TOTAL = re.compile(
    r"(gesamt|overall |end)?(ergebnis|result)|r[eé]sultat( global)?|resultado( general| global)?"
    r"|(grand |sub|zwischen|sous[- ])?(totale?|summe|somme|suma)( g[eé]n[eé]rale?| general)?"
    r"|gesamt(summe|ergebnis)?|insgesamt|all|\(all\)|alle|totaal|toplam|razem|celkem|i alt|totalt"
    r"|(общий )?итого?|всего|разом|всього|усього|合计|总计|小计|合計|總計|小計|総計|합계|총계|소계"
    r"|المجموع|الإجمالي|جمع( کل)?|סה[\"״]?כ|σύνολο|รวม(ทั้งหมด)?|(mind)?összesen|ukupno|yhteensä"
    r"|tổng( cộng)?|jumlah"
)

_SUM = (
    r"(?:(?:sub|zwischen|sous-?)?(?:totale?|totaal|summe|somme|suma)|gesamt|ergebnis|toplam|razem)"
)
_TOTAL_BEHIND = re.compile(rf"[ :_-]+{_SUM}$")
_TOTAL_BEFORE = re.compile(rf"^{_SUM}[ :_-]+(?:for |of |für |de |du |di |van |pour )?")


def folded(key: str) -> str:
    """Return a key without leading zeros of its numbers, blanks, unseen signs, case and ".0"."""
    seen = (c for c in unicodedata.normalize("NFKC", key) if unicodedata.category(c) not in _UNSEEN)
    text = "".join("".join(seen).casefold().split())
    text = re.sub(r"(?<![^_])['’]", "", text)  # a spreadsheet's sign that a code is text
    text = re.sub(r"(?<![\w.])0+(?=\d)|(?<=_)0+(?=\d)", "", text)
    return re.sub(r"(?<=\d)\.0+(?!\d)", "", text)


def is_total(name: str) -> bool:
    """Return whether a product or place is called a sum of the others."""
    return _TOTAL.fullmatch(name.strip().casefold()) is not None


def totals_among(names: Iterable[str]) -> list[str]:
    """Return the names of sums: Total, and Total 7 or 7 Ergebnis where 7 is a name, too."""
    names = [name for name in names if name]
    known = {name.strip().casefold() for name in names}
    return sorted(name for name in names if is_total(name) or _is_total_of(name, known))


def _is_total_of(name: str, known: set[str]) -> bool:
    """Return whether a name is another one with a word for a sum before or behind it."""
    text = name.strip().casefold()
    behind, before = _TOTAL_BEHIND.sub("", text), _TOTAL_BEFORE.sub("", text)
    return any(rest != text and rest.strip(" :-") in known for rest in (behind, before))


def near_twins(strangers: Iterable[str], known: Iterable[str]) -> list[tuple[str, str]]:
    """Return each stranger that is one of the known but for what folded leaves out, with that one.

    Args:
        strangers: Keys without a partner.
        known: Keys they might mean.
    """
    by_fold = {folded(name): name for name in known}
    found = [(key, by_fold.get(folded(key))) for key in strangers]
    return [(key, name) for key, name in found if name is not None and name != key]


def twins_among(keys: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of keys of one set that folded makes equal, each with the first of its kind."""
    first: dict[str, str] = {}
    found = []
    for key in keys:
        other = first.setdefault(folded(key), key)
        if other != key:
            found.append((key, other))
    return found


def spelled(pairs: list[tuple[str, str]]) -> str:
    """Return a few pairs in words: 'a ' for 'a', 1 for 00001."""
    return ", ".join(f"{a!r} for {b!r}" for a, b in pairs[:_NAMED])
