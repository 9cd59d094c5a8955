"""Orders of a shop as JSON, whose lines are a list within each: a row for every line, by SQL."""

import re

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import TEXT, FileFacts
from invopt.sources.vocabulary import by_word, plain
from invopt.sql import literal, quote

_ENOUGH = 0.95  # share of the values that must be of one form
_MAX_KEYS = 60
_PERSONAL = r"customer|kunde|client|address|adresse|billing|payment|user"


def unnest_lines(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with a list of lines, or objects, in a column by a table of these.

    An order without a line has no row, and it is said how many there are.
    """
    for number, file in enumerate(found.files):
        sql, told = _unnested(reader, file)
        if sql is None:
            continue
        name = f"{file.name}_lines"
        found.files[number] = found.table_of(reader, name, sql, [file])
        found.notes.append(f"{file.path}: {told}")


def _unnested(reader: Reader, file: FileFacts) -> tuple[str | None, str]:
    """Return the SQL of a file's rows with what is nested in columns of their own, and a note."""
    texts = [c.name for c in file.of_kind(TEXT) if c.is_text]
    shapes = {name: _shape(reader, file, name) for name in texts}
    lists = {name: _keys(reader, file, name, is_list=True) for name in texts if shapes[name] == "["}
    objects = {
        name: _keys(reader, file, name, is_list=False)
        for name in texts
        if shapes[name] == "{" and not re.search(_PERSONAL, plain(name))
    }
    lines = next((name for name, keys in lists.items() if by_word(keys, "y")), None)
    if lines is None and not objects:
        return None, ""
    taken = {c.name.lower() for c in file.columns}
    picks = [
        f"{_json(name)} ->> {literal(_path(key))} AS {quote(_free(f'{name}_{key}', taken))}"
        for name, keys in objects.items()
        for key in keys
    ]
    gone = [*objects, *([lines] if lines is not None else [])]
    rows, num_empty = quote(file.name), 0
    if lines is not None:
        items = f"from_json({_json(lines)}, '[\"JSON\"]')"
        empty = f"SELECT count(*) AS n FROM {rows} WHERE coalesce(len({items}), 0) = 0"
        num_empty = reader.fetch(empty, file.name)["n"][0].as_py()
        rows = f"(SELECT *, unnest({items}) AS __line FROM {rows})"
        picks += [
            f"__line ->> {literal(_path(key))} AS {quote(_free(f'{lines}_{key}', taken))}"
            for key in lists[lines]
        ]
        gone.append("__line")
    told = f"a row is read for each of the {lines} of an order" if lines else "objects are columns"
    if num_empty:
        told += f"; {num_empty:,} orders have none and are left out"
    left = ", ".join(map(quote, gone))
    return f"SELECT * EXCLUDE ({left}), {', '.join(picks)} FROM {rows}", told


def _shape(reader: Reader, file: FileFacts, column: str) -> str:
    """Return [ for lists of objects, { for objects, and "" for other texts."""
    text = f"ltrim({quote(column)})"
    [found] = reader.fetch(
        f"SELECT count({text}) AS n, count(*) FILTER (json_valid({text}) AND {text} LIKE '[%') AS "
        f"l, count(*) FILTER (json_valid({text}) AND {text} LIKE '{{%') AS o, count(*) FILTER ("
        f"regexp_matches({text}, '^\\[\\s*\\{{')) AS lo FROM \"sample_{file.name}\"",
        file.name,
    ).to_pylist()
    if not found["n"]:
        return ""
    if found["l"] >= _ENOUGH * found["n"] and found["lo"]:
        return "["
    return "{" if found["o"] >= _ENOUGH * found["n"] else ""


def _keys(reader: Reader, file: FileFacts, column: str, *, is_list: bool) -> list[str]:
    """Return the names of what the objects of a column hold, each once, in their order."""
    text = _json(column)
    each = f"unnest(from_json({text}, '[\"JSON\"]'))" if is_list else text
    sql = (
        f"SELECT unnest(json_keys(o)) AS k FROM (SELECT {each} AS o FROM "
        f"{quote(file.name)}) WHERE json_type(o) = 'OBJECT'"
    )
    found = reader.fetch(f"SELECT k, count(*) AS n FROM ({sql}) GROUP BY k ORDER BY n DESC, k",
                         file.name)  # fmt: skip
    return list(found["k"].to_pylist())[:_MAX_KEYS]


def _json(column: str) -> str:
    """Return the SQL of a text where it is JSON; NULL where it is not, as of a few cells."""
    return f"CASE WHEN json_valid({quote(column)}) THEN {quote(column)} END"


def _path(key: str) -> str:
    return f'$."{key}"'


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no column has, and take it."""
    free, number = name, 2
    while free.lower() in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free.lower())
    return free
