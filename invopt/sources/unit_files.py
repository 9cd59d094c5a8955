"""Files that count in several units: 12 pcs, 3 cases, 1.5 kg in a column, or EA and CS beside it.

Where each product keeps one unit the numbers are read as they are. Where one has several they are
converted: grams and kilos by what they are, cases by a column or file that says what is in one.
What cannot be converted is said, and never added up.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import NUMBER, TEXT, FileFacts
from invopt.sources.formats import NumberStyle, number_style
from invopt.sources.marks import is_mark_sql
from invopt.sources.numbers import cell_parts_sql, plain_unit_sql
from invopt.sources.units import is_unit_column
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import Keys
from invopt.sql import literal, quote

_ENOUGH = 0.95  # share of the cells that must be a number and a unit
_MAX_UNITS = 12
_NAMED = 3
# Units of one measure, each by how many of the first it is.
_MEASURES: tuple[dict[str, float], ...] = (
    {"kg": 1, "g": 0.001, "gr": 0.001, "mg": 1e-6, "t": 1000, "to": 1000, "kilo": 1, "gram": 0.001},
    {"l": 1, "ml": 0.001, "cl": 0.01, "dl": 0.1, "hl": 100, "ltr": 1, "liter": 1, "litre": 1},
    {"m": 1, "cm": 0.01, "mm": 0.001, "lfm": 1, "km": 1000},
    dict.fromkeys(
        ("ea", "each", "pc", "pcs", "piece", "pieces", "pce", "st", "stk", "stck", "stuck",
         "stuecke", "stueck", "un", "unit", "units", "ud", "uds", "unidad", "unidades", "u",
         "unite", "unites", "pz", "pza", "pzas", "pezzi", "szt", "ks", "adet", "nos", "no", "h87",
         "c62", "x", "item", "items", "stuks", "antal", "kom", "шт", "个", "件", "個"), 1.0
    ) | {"dozen": 12, "dz": 12, "dzn": 12, "doz": 12, "dutzend": 12, "dtz": 12, "pair": 2,
         "pairs": 2, "paar": 2, "pr": 2, "gross": 144},
)  # fmt: skip
_PIECES = {unit for unit, n in _MEASURES[-1].items() if n == 1}
_PACKS = frozenset((
    "case", "cases", "cs", "ca", "ctn", "carton", "cartons", "karton", "kartons", "kar", "krt",
    "kiste", "kisten", "box", "boxes", "bx", "kt", "ve", "pack", "packs", "pk", "pkg",
    "package", "packung", "pkt", "caisse", "caisses", "colis", "caja", "cajas", "cj", "scatola",
    "scatole", "caixa", "caixas", "cx", "doos", "doosje", "ds", "koli", "kutu", "opak",
    "opakowanie", "krabice", "kasse", "kasser", "tray", "trays", "display", "umkarton", "inner",
    "outer", "箱", "кор",
))  # fmt: skip
_INSIDE = (
    r"(qty|quantity|units|pieces|pcs|stuck|stueck|stk|menge|inhalt|unidades|pezzi|unites|sztuk)"
    r"_?(per|pro|je|par|por|in|za|w)(_|$)|conversion|conv_factor|(^|_)factor(_|$)|umrechnung|faktor"
    r"|pack_?size|case_?size|case_?qty|carton_?qty|units_per|colisage|verpackungseinheit|^vpe$"
)


class _Cells(NamedTuple):
    """A column of quantities: SQL of its number and of its unit, and the column of units."""

    column: str
    number: str
    unit: str
    beside: str | None = None


@dataclass(frozen=True)
class _Counted:
    """A column of quantities and what says their units.

    Attributes:
        file: That has it.
        key: SQL of the product (or series) of a row.
        column: Of the quantities.
        number: SQL of the number.
        unit: SQL of the unit in small letters, "" where there is none.
        beside: Column of the units; None where they stand in the cells.
        units: Rows by unit.
        mixed: Units by product, of products that have several.
    """

    file: FileFacts
    key: str
    column: str
    number: str
    unit: str
    beside: str | None
    units: dict[str, int]
    mixed: dict[str, dict[str, int]]

    @property
    def told(self) -> str:
        """A few of the products with their units and how many rows each has."""
        listed = [
            f"{product} ({', '.join(f'{unit}: {rows:,}' for unit, rows in units.items())})"
            for product, units in [*self.mixed.items()][:_NAMED]
        ]
        more = len(self.mixed) - len(listed)
        return ", ".join(listed) + (f" and {more:,} others" if more else "")


@dataclass(frozen=True)
class _Factor:
    """How numbers become those of one unit.

    Attributes:
        sql: Factor of a row.
        join: SQL behind the rows, with what the factor needs.
        base: Unit that comes of it.
        how: In words.
    """

    sql: str
    join: str
    base: str
    how: str


def convert_units(reader: Reader, found: UnitedFiles) -> None:
    """Replace files whose quantities have several units by tables that have one for each product.

    Where that cannot be done the file stays as it is, and `found.doubts` says why.
    """
    for number, file in enumerate(list(found.files)):
        counted = _counted(reader, file)
        if counted is None or (counted.beside is not None and not counted.mixed):
            continue
        factor = _Factor("1", "", "", "")
        if counted.mixed:
            made = _factor(reader, counted, found.files)
            if made is None:
                found.doubts[file.name] = _doubt(counted)
                continue
            factor = made
        sql = _sql(counted, factor)
        found.files[number] = found.table_of(reader, f"{file.name}_in_units", sql, [file])
        found.notes.append(_note(counted, factor))


def _sql(counted: _Counted, factor: _Factor) -> str:
    """Return the rows with numbers of one unit for each product; what is no number stays."""
    column = f"s.{quote(counted.column)}"
    value = f"whole(round(({counted.number}) * ({factor.sql}), 9))"
    picks = [f"coalesce({value}, {column}::VARCHAR) AS {quote(counted.column)}"]
    if counted.beside is not None:
        picks.append(f"{literal(factor.base)} AS {quote(counted.beside)}")
    return f"SELECT s.* REPLACE ({', '.join(picks)}) FROM {quote(counted.file.name)} s{factor.join}"


def _note(counted: _Counted, factor: _Factor) -> str:
    units = ", ".join(f"{unit or 'none'} ({rows:,})" for unit, rows in counted.units.items())
    if not counted.mixed:
        return (
            f"cells of {counted.column} of {counted.file.name} name their units ({units}), one for "
            "each product: the numbers are read as they are, and orders are in these units"
        )
    return (
        f"{len(counted.mixed):,} products of {counted.file.name} are counted in several units, "
        f"e.g. {counted.told}: {factor.how}; prices stay as they are"
    )


def _doubt(counted: _Counted) -> str:
    units = {unit for held in counted.mixed.values() for unit in held}
    listed = ", ".join(f"{unit or chr(39) * 2}: 1" for unit in sorted(units))
    where = (
        f"say what each is in y of the mapping: {{expr: {counted.column}, units: {{{listed}}}}} "
        "with its own factors"
        if counted.beside is None
        else "say in y of the mapping what each is "
        f"(CASE {counted.beside} WHEN 'CS' THEN 12 ELSE 1 END * num({counted.column}))"
    )
    return (
        f"{len(counted.mixed):,} products of {counted.file.name} are counted in several units, "
        f"which do not add up: {counted.told}. Give the units of one case in a column of this file "
        f"or of that of products (units_per_case), or {where}."
    )


def _counted(reader: Reader, file: FileFacts) -> _Counted | None:
    """Return the quantities of a file with their units; None where there are no units."""
    keys = Keys.of(file)
    product = keys.product or keys.series
    if product is None or file.periods:
        return None
    key = f"trim(s.{quote(product)}::VARCHAR)"
    texts = [c.name for c in file.of_kind(TEXT) if c.is_text and c.name not in keys.there]
    column = by_word(texts, "y") or by_word(texts, "on_hand")
    parts = _in_cells(reader, file, column) if column is not None else None
    if column is not None and parts is not None:
        return _with_units(reader, file, key, _Cells(column, *parts))
    numbers = [c for c in file.of_kind(NUMBER) if c.name not in keys.there]
    column = by_word([c.name for c in numbers], "y")
    beside = next((c.name for c in file.of_kind(TEXT) if is_unit_column(c.name) and c.values), None)
    if column is None or beside is None:
        return None
    style = next(c.style for c in numbers if c.name == column)
    unit = plain_unit_sql(f"s.{quote(beside)}")
    number = style.sql(f"s.{quote(column)}")
    return _with_units(reader, file, key, _Cells(column, number, unit, beside))


def _in_cells(reader: Reader, file: FileFacts, column: str) -> tuple[str, str] | None:
    """Return the SQL of number and unit where the cells of a column hold both, else None."""
    cell = f"s.{quote(column)}"
    number, unit = cell_parts_sql(cell)
    rows = reader.fetch(
        f"SELECT coalesce({number}, '') AS v, {unit} AS u, count(*) AS n FROM {quote(file.name)} s "
        f"WHERE trim({cell}) <> '' AND NOT {is_mark_sql(cell)} GROUP BY 1, 2",
        file.name,
    ).to_pylist()
    total = sum(row["n"] for row in rows)
    good = [row for row in rows if row["v"]]
    units = {row["u"] for row in good}
    if not total or sum(row["n"] for row in good) < _ENOUGH * total:
        return None
    if not 1 < len(units - {""}) <= _MAX_UNITS or not all(map(_is_unit, units)):
        return None
    values: dict[str, int] = {}
    for row in good:
        values[row["v"]] = values.get(row["v"], 0) + row["n"]
    style: NumberStyle | None = number_style(values)
    return None if style is None else (style.sql(number), unit)


def _is_unit(unit: str) -> bool:
    """Return whether a text beside a number is known as a unit; none at all is one."""
    return not unit or unit in _PACKS or any(unit in measure for measure in _MEASURES)


def _with_units(reader: Reader, file: FileFacts, key: str, cells: _Cells) -> _Counted:
    rows = reader.fetch(
        f"SELECT {key} AS k, {cells.unit} AS u, count(*) AS n FROM {quote(file.name)} s "
        f"WHERE ({cells.number}) IS NOT NULL AND {key} <> '' GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2",
        file.name,
    ).to_pylist()
    units: dict[str, int] = {}
    held: dict[str, dict[str, int]] = {}
    for row in rows:
        units[row["u"]] = units.get(row["u"], 0) + row["n"]
        held.setdefault(row["k"], {})[row["u"]] = row["n"]
    units = dict(sorted(units.items(), key=lambda pair: -pair[1]))
    mixed = {product: found for product, found in held.items() if len(found) > 1}
    return _Counted(
        file, key, cells.column, cells.number, cells.unit,
        beside=cells.beside, units=units, mixed=mixed,
    )  # fmt: skip


def _factor(reader: Reader, counted: _Counted, files: Iterable[FileFacts]) -> _Factor | None:
    """Return how the units of a file become one for each product; None where nothing says it."""
    units = {unit for held in counted.mixed.values() for unit in held}
    base = next(unit for unit in counted.units if unit in units)
    for measure in _MEASURES:
        if units <= measure.keys():
            cases = " ".join(
                f"WHEN {literal(unit)} THEN {measure[unit] / measure[base]!r}" for unit in units
            )
            return _Factor(
                f"CASE {counted.unit} {cases} ELSE 1 END", "", base, f"all are read as {base}"
            )
    pieces, packs = units & (_PIECES | {""}), units - _PIECES - {""}
    if not pieces:
        return None
    base = next(unit for unit in counted.units if unit in pieces)
    column = _inside(counted.file, counted.column)
    if column is not None:
        inside = _Inside(_number(counted.file, column, "s."), "", column)
        return _packed(reader, counted, packs, base, inside)
    if not packs <= _PACKS:
        return None
    for file in files:
        product, column = Keys.of(file).product, _inside(file, counted.column)
        if file is counted.file or product is None or column is None or file.periods:
            continue
        join = (
            f" LEFT JOIN (SELECT trim({quote(product)}::VARCHAR) AS __product, "
            f"max({_number(file, column, '')}) AS __inside FROM {quote(file.name)} GROUP BY 1) p "
            f"ON p.__product = {counted.key}"
        )
        inside = _Inside("p.__inside", join, f"{column} of {file.name}")
        made = _packed(reader, counted, packs, base, inside)
        if made is not None:
            return made
    return None


def _inside(file: FileFacts, taken: str) -> str | None:
    """Return the column of a file that says how many pieces are in a pack."""
    names = [c.name for c in file.of_kind(NUMBER) if c.name != taken]
    return next((n for n in names if re.search(_INSIDE, plain(n))), None)


def _number(file: FileFacts, column: str, side: str) -> str:
    style = next(c.style for c in file.columns if c.name == column)
    return style.sql(f"{side}{quote(column)}")


class _Inside(NamedTuple):
    """How many pieces are in a pack: SQL, the join that it needs, and where it is told."""

    sql: str
    join: str
    told: str


def _packed(
    reader: Reader, counted: _Counted, packs: set[str], base: str, inside: _Inside
) -> _Factor | None:
    """Return the factor of packs, where it is known for every product that has several units."""
    listed = ", ".join(map(literal, sorted(packs)))
    is_pack = f"{counted.unit} IN ({listed})"
    products = ", ".join(map(literal, counted.mixed))
    [found] = reader.fetch(
        f"SELECT count(*) AS n FROM {quote(counted.file.name)} s{inside.join} WHERE {is_pack} AND "
        f"coalesce({inside.sql}, 0) <= 0 AND {counted.key} IN ({products})",
        counted.file.name,
    ).to_pylist()
    if found["n"]:
        return None
    sql = f"CASE WHEN {is_pack} AND {inside.sql} > 0 THEN {inside.sql} ELSE 1 END"
    how = f"{', '.join(sorted(packs))} are read as {base or 'pieces'} by {inside.told}"
    return _Factor(sql, inside.join, base, how)
