"""Which parts of files' names say when, or where, their rows are of: a pattern of a mapping."""

import re
from collections.abc import Iterable

from invopt.sources.kind_words import is_kind
from invopt.sources.month_names import month_number

_Y, _M, _D = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_W = r"(?:[Kk][Ww]|[Ww](?:[Kk]|eek)?|[Ss])"
_WORD = r"[^\W\d_]{3,10}"
_ANY_DAY = r"(?:\d{4}[-.]\d\d?[-.]\d\d?|\d\d?[-.]\d\d?[-.]\d{4}|(?:19|20)\d{6})"
_SOLID = r"(?:\d\d?\.\d\d?\.\d{4}|(?:19|20)\d{6})"  # a day without the sign between two
# Parts of names that say when, the most exact first: each with what stands for it in a pattern.
# What is parted by _ is no date of any form, so that its parts are columns of their own.
_FORMS = tuple(
    (re.compile(rf"(?<![^\W_])(?:{form})(?![^\W_])"), names)
    for form, names in (
        *(
            (rf"({_ANY_DAY}){sign}({_ANY_DAY})", f"{{date}}{sign}{{until}}")
            for sign in ("_", " - ", "_to_", " to ", "_bis_", " bis ")
        ),
        (rf"({_SOLID})-({_SOLID})", "{date}-{until}"),
        (rf"{_Y}[-.]?{_W}[-.]?\d\d?|{_W}[-.]?\d\d?[-.]{_Y}", "{week}"),
        (rf"({_Y})_({_W}_?\d\d?)", "{year}_{week}"),
        (rf"({_W}_?\d\d?)_({_Y})", "{week}_{year}"),
        (rf"{_Y}([-.]?){_M}\1{_D}|{_D}[-.]{_M}[-.]{_Y}", "{date}"),
        (rf"({_Y})_({_M})_({_D})", "{year}_{month}_{day}"),
        (rf"{_Y}[-.]?{_M}|{_M}[-.]{_Y}", "{month}"),
        (rf"({_Y})_({_M})", "{year}_{month}"),
        (rf"({_M})_({_Y})", "{month}_{year}"),
        (rf"({_WORD})_({_Y})", "{month}_{year}"),
        (rf"({_WORD})-({_Y})", "{month}-{year}"),
        (rf"({_WORD}) ({_Y})", "{month} {year}"),
        (rf"({_Y})_({_WORD})", "{year}_{month}"),
        (rf"({_Y})-({_WORD})", "{year}-{month}"),
        (rf"({_Y}) ({_WORD})", "{year} {month}"),
        (rf"({_WORD})({_Y})", "{month}{year}"),
        (rf"{_Y}", "{year}"),
    )
)


def pattern_of(paths: Iterable[str]) -> str | None:
    """Return the one path with names in braces that all of some paths fit; None where none does.

    They say when in a form that all of them have, and differ besides in one word at most, which
    is then a place.
    """
    paths = list(paths)
    if any("{" in path or "}" in path for path in paths):
        return None
    for form, names in _FORMS:
        rests = [_without(path, form, names) for path in paths]
        if all(rest is not None for rest in rests):
            return _with_place([rest for rest in rests if rest is not None])
    return None


def _without(path: str, form: re.Pattern[str], names: str) -> str | None:
    """Return a path with names in the place of the last part that says when; None without one."""
    stem = re.sub(r"(\.[A-Za-z]\w{0,7})+$", "", path)
    found = [f for f in form.finditer(stem) if _is_dated(f[0], names)]
    if not found:
        return None
    return path[: found[-1].start()] + names + path[found[-1].end() :]


def _is_dated(text: str, names: str) -> bool:
    """Return whether a word beside a year is a month; of figures that is known already."""
    words = re.findall(r"[^\W\d_]+", text)
    return "{month}" not in names or all(month_number(w.lower()) is not None for w in words)


def _with_place(rests: list[str]) -> str | None:
    """Return the one pattern of some, with a name for the only word in which they differ."""
    words = [re.split(r"([^\W_]+)", rest) for rest in rests]
    if len({len(own) for own in words}) > 1:
        return None
    differing = [at for at, column in enumerate(zip(*words, strict=True)) if len(set(column)) > 1]
    if not differing:
        return rests[0]
    told = {tuple(own[at] for at in differing) for own in words}
    if len(differing) > 1 or any(is_kind([*word]) for word in told):
        return None
    first = words[0]
    return "".join("{location}" if at == differing[0] else text for at, text in enumerate(first))
