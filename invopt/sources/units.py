"""Units of measure beside quantities: pieces and cases of one product do not add up."""

import re

from invopt.sources.duck import Reader
from invopt.sources.mapping import Expression, SalesTable
from invopt.sources.standard import checked, kept_by
from invopt.sources.vocabulary import by_word, plain
from invopt.sql import quote

# Names of columns that hold a unit, in small letters and without signs.
_NAMES = {"uom", "unit", "unitofmeasure", "unitsofmeasure", "qtyunit", "quantityunit", "salesunit",
          "bme", "meh", "einheit", "mengeneinheit", "basismengeneinheit", "verkaufseinheit",
          "unite", "unité", "uniteventedemesure", "unidad", "unidadmedida", "um",
          "unitofmeasurecode", "uomcode", "unitcode", "einheitencode", "orderunit",
          "salesuom", "transactionuom"}  # fmt: skip
_BASE = r"(^|_)(base|basis)(_|$)|basismenge|basiseinheit|base_?(qty|quantity|units?)"


def is_unit_column(name: str) -> bool:
    """Return whether a column's name says that it holds units of measure."""
    return "".join(filter(str.isalpha, name.lower())) in _NAMES


def is_in_base_unit(name: str) -> bool:
    """Return whether a quantity's name says that it counts the base unit: Quantity (Base)."""
    return re.search(_BASE, plain(name)) is not None and by_word([name], "y") is not None


def tell_units(reader: Reader, table: SalesTable, key: Expression) -> int:
    """Note and count series sold in several units, where the mapping does not look at them.

    Args:
        reader: Holds the source; gets the note.
        table: Of the sales.
        key: Name of a row's series.
    """
    if "y" in table.columns and is_in_base_unit(table.columns["y"].expr):
        return 0
    types = reader.column_types(f'"{table.source}"', "sales.from")
    units = [c for c in types if is_unit_column(c)]
    said = " ".join(
        [table.columns["y"].expr if "y" in table.columns else "", table.where or "", key.expr]
    ).lower()
    mixed = 0
    for column in units:
        if column.lower() in said or types[column] != "VARCHAR":
            continue
        named = checked(reader, "sales", "key", expression=key, table=table, types=types)
        unit = f"nullif(trim({quote(column)}), '')"
        rows = f'(SELECT * FROM "{table.source}"{kept_by(table.where)})'
        [found] = reader.fetch(
            f"SELECT count(*) AS n, max(kinds) AS kinds FROM (SELECT ({named})::VARCHAR AS key, "
            f"count(DISTINCT {unit}) AS n, string_agg(DISTINCT {unit}, ', ' ORDER BY {unit}) "
            f"AS kinds FROM {rows} GROUP BY 1) WHERE n > 1",
            "sales",
        ).to_pylist()
        mixed = max(mixed, int(found["n"]))
        if found["n"]:
            reader.notes.append(
                f"sales: {found['n']:,} series are sold in several units ({column} is "
                f"{found['kinds']}), which are added up as they are: convert them in y "
                f"(CASE {column} WHEN 'CS' THEN 12 ELSE 1 END * num(...))"
            )
    return mixed
