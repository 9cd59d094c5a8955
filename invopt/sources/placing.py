"""What is known while files beside the sales are placed, and where they went."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pandas as pd

from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, ColumnFacts, FileFacts
from invopt.sources.vocabulary import all_by_word, by_word, plain
from invopt.sources.words import Keys, column_called, named, number_entry
from invopt.sql import quote

UNIQUE = 0.99  # share of rows with a key of their own from which on keys name them
_MATCHED = 0.5  # share of products, short numbers, that a column of another name must know
# Words before the number of a product that make it another one's.
_OF_OTHERS = {"parent", "old", "new", "previous", "related", "substitute", "replacement", "from",
              "to", "main", "alternative", "successor", "predecessor"}  # fmt: skip
_FEW_PRODUCTS = 2  # from which on a column's values can be told to be the products sold
# In names of dates, as plain() writes them, of what is still to come.
DUE = r"due|(^|_)eta(_|$)|deliver|expect|arriv|liefer|faellig|fallig|livraison|prevu|entrega"


class Placing:
    """The sales, and where files beside them belong.

    Args:
        reader: Holds every file under its name.
        sales: The file of sales.
        keys: Its keys.
        dates: Its dates.
        table: Its mapping, whose channels have names already.
        notes: Gets a sentence about each file that a person should look at.

    Attributes:
        tables: Mapping by section.
        sources: SQL sources that the tables need.
        behind: Files that those are made of.
    """

    def __init__(
        self,
        reader: Reader,
        sales: FileFacts,
        keys: Keys,
        dates: pd.DatetimeIndex,
        table: dict[str, Any],
        notes: list[str],
    ) -> None:
        self.reader, self.sales, self.keys, self.dates = reader, sales, keys, dates
        self.notes = notes
        self.kept: str | None = table.get("where")
        self.tables: dict[str, Any] = {}
        self.sources: dict[str, Any] = {}
        self.behind: dict[str, list[str]] = {}
        self.names = {name for name in table.get("columns", {}) if name != "y"}
        self._keys: dict[tuple[str, ...], Keys] = {}  # by a file's name and those of its columns

    def free(self, name: str, file: FileFacts) -> str:
        """Return the name of a channel, with the file's before it where another has it."""
        name = free_name(name, self.names, file)
        self.names.add(name)
        return name

    def channels(
        self, file: FileFacts, numbers: Iterable[tuple[str, ColumnFacts]], texts: list[ColumnFacts]
    ) -> dict[str, dict[str, Any]]:
        """Return columns and one_hot of a table: numbers as they are, short texts as flags.

        Args:
            file: That holds them.
            numbers: Name that a channel should have, and column.
            texts: Columns.
        """
        found: dict[str, dict[str, Any]] = {
            "columns": {self.free(name, file): number_entry(c) for name, c in numbers},
            "one_hot": {self.free(c.name, file): [named(c.name)] for c in texts},
        }
        return {section: entries for section, entries in found.items() if entries}

    def tell(self, file: FileFacts, reason: str | None) -> None:
        """Note that a file is left out, where there is a reason."""
        if reason is not None:
            self.notes.append(f"{file.name} ({file.path}) is not mapped: {reason}")

    def keys_of(self, file: FileFacts) -> Keys:
        """Return the keys of a file that the sales have too: of the same name, or by its words.

        Every placer asks, and a column's name may take a look at its values: it is taken once.
        """
        asked = (file.name, *(column.name for column in file.columns))
        if asked not in self._keys:
            self._keys[asked] = self._found_keys(file)
        return self._keys[asked]

    def _found_keys(self, file: FileFacts) -> Keys:
        file = replace(file, columns=tuple(c for c in file.columns if c.num_distinct))
        own = Keys.of(file)
        found = {
            role: _named_alike(file, column) or getattr(own, role)
            for role, column in self.keys.roles.items()
        }
        place = found.get("location")
        if place is not None and not self._may_name_places(file, place):
            found["location"] = None
        product = found.get("product")
        if product is not None and not self._may_name_products(file, product):
            others = all_by_word([c.name for c in file.columns if c.kind != DATE], "product")
            others = [name for name in others if self._may_name_products(file, name)]
            found["product"] = next(iter(others), None)
        if found.get("product", "") is None and own.series is None:
            found["product"] = self._column_of_products(file)
        return Keys(found.get("product"), found.get("location"), own.series)

    def _may_name_places(self, file: FileFacts, column: str) -> bool:
        """Return whether a column may name the places sold at: so it is called, or some are there.

        A list of warehouses numbered 1, 2, 3 knows none of S1, S2.
        """
        ours = str(self.keys.location)
        return _is_one_name(column, ours) or self._known(file, column, ours)["alike"] > 0

    def _may_name_products(self, file: FileFacts, column: str) -> bool:
        """Return whether a column may name the products sold: some of them are there.

        Lists of anything number their rows 1, 2, 3, as products are (expense_id, pharmacy_id).
        """
        ours = str(self.keys.product)
        if _is_one_name(column, ours):
            return True
        found = self.known_products(file, column)
        if by_word([column], "product") is None:
            return found["known"] > 0 and not found["short"]
        least = _MATCHED * found["n"] if found["short"] else 0
        return found["alike"] > least

    def _column_of_products(self, file: FileFacts) -> str | None:
        """Return the column that holds the products sold, though its name does not say so."""
        for column in file.columns:
            if column.kind == DATE or column.has_fraction or column.num_distinct < _FEW_PRODUCTS:
                continue
            found = self.known_products(file, column.name)
            if found["known"] >= UNIQUE * found["n"] and not found["short"]:
                return column.name
        return None

    def known_products(self, file: FileFacts, column: str) -> dict[str, int]:
        """Return how many products are sold, and how many of them a column knows as they are.

        Also, how many it knows but for zeros before them, blanks and case, and how many are short
        numbers.
        """
        return self._known(file, column, str(self.keys.product))

    def _known(self, file: FileFacts, column: str, ours: str) -> dict[str, int]:
        sold = f"(SELECT DISTINCT trim({quote(ours)}::VARCHAR) AS k FROM {quote(self.sales.name)})"
        here = f"SELECT trim({quote(column)}::VARCHAR) AS k FROM {quote(file.name)}"
        bare = "lower(regexp_replace(k, '^0+|[^[:alnum:]]', '', 'g'))"
        found: dict[str, int]
        [found] = self.reader.fetch(
            f"SELECT count(*) AS n, count(*) FILTER (k IN ({here})) AS known, "
            f"count(*) FILTER ({bare} IN (SELECT {bare} FROM ({here}))) AS alike, "
            f"count(*) FILTER (regexp_matches(k, '^\\d{{1,3}}$')) AS short FROM {sold}",
            file.name,
        ).to_pylist()
        return found

    def is_whole(self, own: Keys) -> bool:
        """Return whether a file's keys name single series."""
        return own.series is not None or own.roles.keys() == self.keys.roles.keys()

    def series_key(self, own: Keys) -> str | None:
        """Return the expression of a file's series, None where it is that of the sales."""
        return None if own.expression == self.keys.expression else own.expression


class Placer:
    """Whoever places files of one kind: what is known of all is at hand.

    Args:
        placing: What is known, and where files go.
    """

    def __init__(self, placing: Placing) -> None:
        self.placing, self.reader = placing, placing.reader
        self.sales, self.keys, self.dates = placing.sales, placing.keys, placing.dates
        self.notes, self.tables = placing.notes, placing.tables
        self.sources, self.behind = placing.sources, placing.behind


def _named_alike(file: FileFacts, ours: str) -> str | None:
    """Return the column of a file that is called as one of the sales is, or else nearly so."""
    nearly = (c.name for c in file.columns if _is_one_name(c.name, ours))
    return column_called(file, ours) or next(nearly, None)


def _is_one_name(column: str, ours: str) -> bool:
    """Return whether two names are one, or one says less: variant_id, product_variant_id."""
    one, other = sorted((plain(column), plain(ours)), key=len)
    before = other.removesuffix(one).strip("_").split("_")
    is_longer = "_" in one and other.endswith(f"_{one}") and not _OF_OTHERS & {*before}
    return one == other or is_longer


def summed(entry: Any) -> dict[str, Any]:
    """Return an entry whose rows of one key add up."""
    return (entry if isinstance(entry, dict) else {"expr": entry}) | {"aggregate": "sum"}


def free_name(name: str, names: set[str], file: FileFacts) -> str:
    """Return a name that is not taken yet."""
    return f"{file.name}_{name}" if name in names else name
