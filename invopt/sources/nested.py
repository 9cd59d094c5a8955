"""Orders of a shop as JSON, whose lines are a list within each: a row for every line, by SQL."""

import re
from typing import NamedTuple

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import TEXT, FileFacts
from invopt.sources.overlaps import ROW_KEY, num_repeated, whole_row
from invopt.sources.vocabulary import by_word, plain
from invopt.sql import literal, quote

_ENOUGH = 0.95  # share of the values that must be of one form
_MAX_KEYS = 60
_DEPTH = 3  # objects within lines within orders
_BY_PRODUCT = r"(^|_)(items|lines|products|articles|positions|quantities|cart|basket)$"
_PERSONAL = r"customer|kunde|client|address|adresse|billing|payment|user"


def unnest_lines(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with a list of lines, or objects, in a column by a table of these.

    An order without a line has no row, and it is said how many there are. What is nested in lines
    or objects has columns of its own, too.
    """
    for number in range(len(found.files)):
        for _ in range(_DEPTH):
            file = found.files[number]
            sql, told = _unnested(reader, file)
            if sql is None:
                break
            found.files[number] = found.table_of(reader, f"{file.name}_lines", sql, [file])
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
    lines = lines or _around_lines(reader, file, lists)
    if lines is not None:
        items = f"from_json({_json(lines)}, '[\"JSON\"]')"
        each = {key: f"__line ->> {literal(_path(key))}" for key in lists[lines]}
        return _by_line(reader, file, objects, _Lines(lines, items, each))
    by_product = next((n for n in objects if _is_of_products(reader, file, n)), None)
    if by_product is not None:
        left = {name: keys for name, keys in objects.items() if name != by_product}
        count = f"json_extract_string({_json(by_product)}, {_path_sql('__line')})"
        each = {"product": "__line", "quantity": count}
        named = _Lines(by_product, f"json_keys({_json(by_product)})", each)
        return _by_line(reader, file, left, named)
    if not objects:
        return None, ""
    picks = _picked(objects, {c.name.lower() for c in file.columns})
    left_out = ", ".join(map(quote, objects))
    sql = f"SELECT * EXCLUDE ({left_out}), {', '.join(picks)} FROM {quote(file.name)}"
    return sql, "objects are columns"


class _Lines(NamedTuple):
    """Lines within a column: its name, SQL of their list, and of what each line says by key."""

    column: str
    items: str
    each: dict[str, str]


def _by_line(
    reader: Reader, file: FileFacts, objects: dict[str, list[str]], lines: _Lines
) -> tuple[str, str]:
    """Return the SQL of a row for each line of an order, and a note."""
    taken = {c.name.lower() for c in file.columns}
    picks = _picked(objects, taken)
    picks += [
        f"{sql} AS {quote(_free(f'{lines.column}_{k}', taken))}" for k, sql in lines.each.items()
    ]
    told = f"a row is read for each of the {lines.column} of an order"
    numbers = ""
    if repeated := num_repeated(reader, file):
        numbers = f", unnest(range(len({lines.items}))) AS __at"
        picks.append(f"md5({whole_row(file)}) || '-' || __at AS {ROW_KEY}")
        told += f"; {repeated:,} orders are in two of the files, word for word: each is read once"
    rows = quote(file.name)
    empty = f"SELECT count(*) AS n FROM {rows} WHERE coalesce(len({lines.items}), 0) = 0"
    if num_empty := reader.fetch(empty, file.name)["n"][0].as_py():
        told += f"; {num_empty:,} orders have none and are left out"
    gone = ", ".join(map(quote, [*objects, lines.column, "__line", *(["__at"] if numbers else [])]))
    sql = (
        f"SELECT * EXCLUDE ({gone}), {', '.join(picks)} FROM "
        f"(SELECT *, unnest({lines.items}) AS __line{numbers} FROM {rows})"
    )
    return sql, told


def _picked(objects: dict[str, list[str]], taken: set[str]) -> list[str]:
    """Return the SQL of a column for each key of objects, under names that are not taken."""
    return [
        f"{_json(name)} ->> {literal(_path(key))} AS {quote(_free(f'{name}_{key}', taken))}"
        for name, keys in objects.items()
        for key in keys
    ]


def _around_lines(reader: Reader, file: FileFacts, lists: dict[str, list[str]]) -> str | None:
    """Return the column of a list whose objects have a list of lines: the checks of an order."""
    for name, keys in lists.items():
        each = (
            f"(SELECT unnest(from_json({_json(name)}, '[\"JSON\"]')) AS o FROM {quote(file.name)})"
        )
        for key in keys:
            inner = f"json_extract(o, {literal(_path(key))})"
            lines = f"unnest(from_json({inner}, '[\"JSON\"]'))"
            found = reader.fetch(
                f"SELECT DISTINCT unnest(json_keys(i)) AS k FROM (SELECT {lines} AS i FROM {each} "
                f"WHERE json_type({inner}) = 'ARRAY') WHERE json_type(i) = 'OBJECT'",
                file.name,
            )
            if by_word(found["k"].to_pylist(), "y"):
                return name
    return None


def _is_of_products(reader: Reader, file: FileFacts, column: str) -> bool:
    """Return whether the objects of a column say how many there are of each product, by its name.

    All they hold are numbers, and they do not have the same names.
    """
    if not re.search(_BY_PRODUCT, plain(column)):
        return False
    keys = f"json_keys({_json(column)})"
    [found] = reader.fetch(
        f"SELECT count(DISTINCT form) AS forms, bool_or(contains(k, '\"')) AS quoted FROM (SELECT "
        f"list_sort({keys}) AS form, unnest({keys}) AS k FROM {quote(file.name)})",
        file.name,
    ).to_pylist()
    if found["quoted"] or not found["forms"] or found["forms"] < 2:
        return False
    number = f"TRY_CAST(json_extract_string(o, {_path_sql('k')}) AS DOUBLE)"
    [found] = reader.fetch(
        f"SELECT bool_and({number} IS NOT NULL) AS counted FROM (SELECT {_json(column)} AS o, "
        f"unnest({keys}) AS k FROM {quote(file.name)})",
        file.name,
    ).to_pylist()
    return bool(found["counted"])


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


def _path_sql(key: str) -> str:
    """Return the SQL of the path of a key that an expression gives."""
    return f"('$.\"' || {key} || '\"')"


def _path(key: str) -> str:
    return f'$."{key}"'


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no column has, and take it."""
    free, number = name, 2
    while free.lower() in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free.lower())
    return free
