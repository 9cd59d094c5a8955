"""Keys that differ in what people do not see: zeros in front, blanks, case, forms of Unicode."""

import re
import unicodedata
from collections.abc import Iterable

_NAMED = 3
_UNSEEN = ("Cf", "Cc")  # signs of no width, and of control
_TOTAL = re.compile(
    r"(grand |sub|zwischen|sous[- ])?(totale?|summe|somme|suma)( g[eé]n[eé]rale?| general)?"
    r"|gesamt(summe|ergebnis)?|insgesamt|all|\(all\)|alle"
)


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
