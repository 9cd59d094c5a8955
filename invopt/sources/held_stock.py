"""Which column of a file without a date says what is in stock today."""

import re
from dataclasses import dataclass, replace

from invopt.sources.duck import Reader
from invopt.sources.facts import NUMBER, TEXT, ColumnFacts, FileFacts
from invopt.sources.faults import RULES
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import POSITION_ROLES, PRODUCT_ROLES, domain_of, is_limit, roles_of
from invopt.sql import quote

# What a row's stock or listing is now, and no attribute of its product.
_STATE = r"status|state|zustand|statut|estado|note|comment|remark|counted_by|user|bin|lagerplatz"


@dataclass(frozen=True)
class HeldStock:
    """The stock that a file tells.

    Attributes:
        columns: Column by figure of a position: on_hand and, where there, on_order and so on.
        is_guess: True where no word for stock names the column of on_hand.
    """

    columns: dict[str, ColumnFacts]
    is_guess: bool

    @property
    def names(self) -> set[str]:
        """The columns of the file."""
        return {c.name for c in self.columns.values()}


def stock_of(reader: Reader, file: FileFacts, numbers: list[ColumnFacts]) -> HeldStock | None:
    """Return the stock that a file without a date tells, None where it tells none.

    A word for it tells which column. What is "available" is stock where it is no flag, and so is
    a bare quantity where the file's name speaks of stock, or a level to reorder at stands beside
    it; both are guesses.

    Args:
        reader: Holds the file.
        file: Its facts.
        numbers: Its columns of numbers that are no keys.
    """
    names = [c.name for c in numbers if not is_limit(c.name)]
    if (found := by_word(names, "on_hand")) is not None:
        return HeldStock(_position(numbers, found), is_guess=False)
    found = by_word(names, "in_stock")
    if found is None or _is_flag(reader, file, found):
        every = [c.name for c in file.columns]
        is_stock = _speaks_of_stock(file) or by_word(every, "reorder_point") is not None
        found = by_word(names, "counted") if is_stock else None
    return None if found is None else HeldStock(_position(numbers, found), is_guess=True)


def quantity_column(numbers: list[ColumnFacts]) -> str | None:
    """Return a column that may be a stock or the size of a pack: no word tells which."""
    return by_word([c.name for c in numbers], "counted")


def _position(numbers: list[ColumnFacts], held: str) -> dict[str, ColumnFacts]:
    """Return the column of each figure of a position, whose stock is in the column `held`."""
    others = [c.name for c in numbers if c.name != held]
    roles = roles_of(others, tuple(r for r in POSITION_ROLES if r != "on_hand")) | {held: "on_hand"}
    found = {roles[c.name]: c for c in numbers}
    return {role: found[role] for role in POSITION_ROLES[::-1] if role in found}


def told_of_products(file: FileFacts, taken: set[str | None]) -> list[ColumnFacts]:
    """Return the columns of a stock's file that no day changes: costs, packs, suppliers, names.

    Other numbers (reserved, under way, value of the stock) are of today, and would tell a model
    of the past what came later.

    Args:
        file: A file of stock.
        taken: Its keys and the columns of the position.
    """
    left = [c for c in file.columns if c.name not in taken]
    roles = roles_of([c.name for c in left if c.kind == NUMBER], PRODUCT_ROLES)
    return [
        c
        for c in left
        if (c.kind == NUMBER and roles[c.name] in RULES)
        or (c.kind == TEXT and not re.search(_STATE, plain(c.name)))
    ]


def _is_flag(reader: Reader, file: FileFacts, name: str) -> bool:
    """Return whether a column holds nothing but 0 and 1."""
    cell = f"trim({quote(name)}::VARCHAR)"
    sql = (
        f"SELECT count(*) FILTER (coalesce(TRY_CAST({cell} AS DOUBLE), 2) NOT IN (0, 1)) AS n "
        f"FROM \"{file.name}\" WHERE {cell} <> ''"
    )
    return int(reader.fetch(sql, file.name)["n"][0].as_py()) == 0


def _speaks_of_stock(file: FileFacts) -> bool:
    """Return whether a file's name, or its sheet's, is a word for stock."""
    names = [name for name in (file.name, file.sheet) if name]
    is_stock = domain_of(replace(file, columns=())) == "stock"
    return is_stock or by_word(names, "on_hand") is not None
