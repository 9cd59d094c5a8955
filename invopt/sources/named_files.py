"""Files whose names say when, or where, their rows are of: sales_2024-01.csv, Berlin/20240105.csv.

A pattern of the mapping has a name in braces for such a part (sales_{month}.csv), which becomes a
column: the file of the next month is read without a change.
"""

import re
from pathlib import Path

_YEAR = r"(?:19|20)\d\d"
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")


def has_names(path: str) -> bool:
    """Return whether a path has names in braces."""
    return _PLACEHOLDER.search(path) is not None


def glob_of(path: str) -> str:
    """Return the pattern of files that a path with names in braces stands for."""
    return _PLACEHOLDER.sub("*", path)


def named_in(path: str, file: str) -> dict[str, str] | None:
    """Return what a file's own path says for each name in braces; None where it does not fit.

    Args:
        path: With names in braces.
        file: Path of the file, from where the other begins.

    Example:
        >>> named_in("{store}/sales_{month}.csv", "Berlin/sales_2024-01.csv")
        {'store': 'Berlin', 'month': '2024-01'}
    """
    form, end, seen = "", 0, set()
    for found in _PLACEHOLDER.finditer(path):
        form += _fixed(path[end : found.start()])
        name, end = found[1], found.end()
        text = _YEAR if name == "year" else r"[^/]+?"
        form += f"(?P={name})" if name in seen else f"(?P<{name}>{text})"
        seen.add(name)
    matched = re.fullmatch(form + _fixed(path[end:]), file)
    return matched.groupdict() if matched else None


def _fixed(text: str) -> str:
    """Return the regular expression of a pattern's text without names: * is any text of a name."""
    return "[^/]*".join(map(re.escape, text.split("*")))


def files_of(data: Path, path: str) -> list[Path]:
    """Return the files of a folder that fit a path with names in braces, in order."""
    found = sorted(data.glob(glob_of(path)))
    return [f for f in found if named_in(path, f.relative_to(data).as_posix()) is not None]
