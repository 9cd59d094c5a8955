"""What the table of the sales tells beside them: stock, plans, weather, prices of others."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from invopt.frequency import sizes_of
from invopt.sources.columns import MAX_VALUES
from invopt.sources.facts import (
    DATE,
    NUMBER,
    TEXT,
    ColumnFacts,
    FileFacts,
    date_of,
    date_sql,
    most_values,
)
from invopt.sources.placing import Placer, Placing
from invopt.sources.quantity_columns import sounds_of_money
from invopt.sources.sales_facts import SalesFile
from invopt.sources.vocabulary import by_word, is_of_calendar, is_of_holidays, plain
from invopt.sources.words import (
    STOCK_ROLES,
    Keys,
    date_entry,
    domain_of_name,
    named,
    number_entry,
    roles_of,
    shortened,
)
from invopt.sql import quote
from invopt.timeline import usual_frequency

# Of stock: what is no level of it, and what is its level before the sales.
_NO_LEVEL = r"hour|hr|day|tage|jour|min|max|safety|reorder|target|cover|val|cost|price|turn"
_NO_LEVEL += r"|out|flag|(^|_)is_|bit|oos"
_OUT = r"stock_?outs?(_|$)|out_?of_?stock|(^|_)oos(_|$)|sold_?out|ausverkauft|rupture|agotado"
_BEFORE = r"open|start|begin|initial|anfang|debut|inicial|inizial"
_NUMBERED = {"id", "nr", "no", "number", "nummer", "numero", "key", "code", "codigo", "ref"}
_LINE_NUMBER = 0.5  # share of the rows from which on whole numbers name lines


@dataclass(frozen=True)
class _Level:
    """Whom the values of a column are the same for, in a period.

    Attributes:
        name: Of a mapping: all, product, location or unique_id.
        keys: Columns that name a group.
    """

    name: str
    keys: tuple[str, ...]


class SalesColumns(Placer):
    """Maps the columns of the sales that say something else of the same period.

    They end where the sales end, but for plans in rows that have no sales yet.

    Args:
        placing: What is known, and where files go.
        sales: Their file.
        table: Their mapping.
    """

    def __init__(self, placing: Placing, sales: SalesFile, table: dict[str, Any]) -> None:
        super().__init__(placing)
        self.file, self.table = sales.file, table
        self.date, self.quantity = sales.date, sales.quantity
        self.kept = self.placing.kept

    def place(self) -> None:
        """Map every column that is left, and say what is not read."""
        left = self._left()
        if self.file.periods:
            self._tell_unread([c for c in left if c.kind == NUMBER])
        if self.date is None or self.table.get("layout", "long") != "long":
            return
        mapped = self._map_stock(left)
        others = [c for c in left if c.name not in mapped and self._is_told(c)]
        mapped |= self._map_context(self._changing(others))
        ignored = [c.name for c in left if is_of_calendar(c.name) or sounds_of_money(c.name)]
        ignored += self.placing.names  # another file tells them
        self._tell_unread([c for c in left if c.name not in (*mapped, *ignored)])

    def _tell_unread(
        self, columns: Iterable[ColumnFacts], rare: Collection[ColumnFacts] = ()
    ) -> None:
        unread = [c.name for c in columns if c.num_distinct > 1 or c in rare]
        if unread:
            self.notes.append(
                f"not read of {self.file.name} ({self.file.path}): {shortened(unread)}; map by "
                "hand what says something of what is sold"
            )

    def _left(self) -> list[ColumnFacts]:
        """Return the columns that no table reads yet."""
        said = f"{self.table} {self.tables.get('products', {}).get('columns', {})}"
        taken = {*self.keys.there, self.keys.series}
        return [
            c for c in self.file.columns
            if c.kind != DATE and c.name not in taken
            and not _holds(said, c.name)
        ]  # fmt: skip

    def _is_told(self, column: ColumnFacts) -> bool:
        """Return whether a column says something of its period that the sales do not say."""
        name = column.name
        if column.num_distinct < 2 or sounds_of_money(name) or is_of_calendar(name):
            return False
        if name in self.placing.names:
            return False
        if column.kind == TEXT:
            return bool(column.values) and column.num_distinct <= MAX_VALUES
        if by_word([column.name], "on_hand") or by_word([column.name], "y"):
            return False
        lines = column.num_distinct > _LINE_NUMBER * self.file.num_rows
        names = lines or bool(_NUMBERED & {*plain(name).split("_")})
        return column.kind == NUMBER and (column.has_fraction or not names)

    def _changing(self, columns: list[ColumnFacts]) -> list[ColumnFacts]:
        """Return columns that change from period to period within a series."""
        counts = self._most_values(columns, map(quote, self._series_level().keys))
        return [c for c, most in zip(columns, counts, strict=True) if most > 1]

    def _most_values(self, columns: list[ColumnFacts], cells: Iterable[str]) -> list[int]:
        return most_values(self.reader, self.file, columns, cells)

    def _map_stock(self, left: list[ColumnFacts]) -> set[str]:
        """Map the stock of each period; returns the columns of it."""
        numbers = [c for c in left if c.kind == NUMBER]
        roles = roles_of([c.name for c in numbers], STOCK_ROLES)
        held = {roles[c.name]: c for c in numbers if self._is_stock(roles[c.name], c)}
        entries = {role: number_entry(column) for role, column in held.items()}
        if "in_stock" not in held and (empty := _sold_out(numbers)) is not None:
            held["in_stock"], entries["in_stock"] = empty, f"1 - num({named(empty.name)})"
        if not held or "stock" in self.tables:
            return set()
        if "on_hand" in held:
            entries["on_hand"] = self._left_over(held["on_hand"], entries["on_hand"])
        series = self._series_level()
        needed = [*held.values(), *([self.quantity] if self.quantity is not None else [])]
        table = self._table(series, needed, "stock") | {
            "columns": entries, "aggregate": "last",
        }  # fmt: skip
        self.tables["stock"] = [table]
        if "on_hand" in held and "position" not in self.tables:
            held_now = {"columns": {"on_hand": entries["on_hand"]}}
            self.tables["position"] = {"from": table["from"], "ds": table["ds"]} | held_now
            self.notes.append(
                f"the latest {held['on_hand'].name} of {self.file.name} is taken as the stock of "
                "today"
            )
        return {c.name for c in held.values()}

    def _is_stock(self, role: str, column: ColumnFacts) -> bool:
        if role == "in_stock":
            return column.num_distinct == 2
        if role == "on_order":  # what customers ordered is beside what was sold of it
            return "ordered" not in plain(column.name).split("_")
        if role != "on_hand":
            return role == "hours_out_of_stock"
        return re.search(_NO_LEVEL, plain(column.name)) is None

    def _left_over(self, column: ColumnFacts, entry: Any) -> Any:
        """Return the entry of what is left at the end of a period.

        A stock that nobody ever sold more of, and sometimes just that, is counted before the sales.
        """
        assert self.quantity is not None
        stock, sold = (c.style.sql(quote(c.name)) for c in (column, self.quantity))
        [found] = self.reader.fetch(
            f"SELECT count(*) FILTER ({sold} > {stock}) AS above, "
            f"count(*) FILTER ({sold} = {stock} AND {sold} > 0) AS out "
            f"FROM {quote(self.file.name)}",
            self.file.name,
        ).to_pylist()
        is_before = re.search(_BEFORE, plain(column.name)) is not None
        if not is_before and (found["above"] or not found["out"]):
            return entry
        why = "its name says so" if is_before else "no row has sold more"
        self.notes.append(
            f"{column.name} is read as the stock before a period's {self.quantity.name} "
            f"({why}): what is left is the difference; write on_hand: {named(column.name)} where "
            "it is counted afterwards"
        )
        return f"greatest({stock} - coalesce({sold}, 0), 0)"

    def _map_context(self, told: list[ColumnFacts]) -> set[str]:
        """Map what else is said of a period, for whom it is the same; returns the columns."""
        groups: dict[tuple[_Level, str], list[ColumnFacts]] = {}
        for column, level in self._levels(told).items():
            groups.setdefault((level, domain_of_name(column.name)), []).append(column)
        for (level, domain), columns in groups.items():
            for known, some in self._by_knowledge(columns).items():
                suffix = "_ahead" if known else ""
                table = self._table(level, some, f"{domain}{suffix}") | {"aggregate": "mean"}
                numbers = [(c.name, c) for c in some if c.kind == NUMBER]
                texts = [c for c in some if c.kind == TEXT]
                table |= self.placing.channels(self.file, numbers, texts)
                table |= {"known": True} if known else {}
                self.tables.setdefault(domain, []).append(table)
        return {c.name for c in told}

    def _by_knowledge(self, columns: list[ColumnFacts]) -> dict[bool, list[ColumnFacts]]:
        """Return columns by whether they are plans that are written down ahead of the sales."""
        ahead = [c for c in columns if self._is_ahead(c)]
        if ahead:
            self.notes.append(
                f"{shortened([c.name for c in ahead])} of {self.file.name} reaches beyond the last "
                "sales and is taken as planned ahead (`known: true`): take that out where it is "
                "written down afterwards"
            )
        rest = [c for c in columns if c not in ahead]
        return {known: some for known, some in ((False, rest), (True, ahead)) if some}

    def _is_ahead(self, column: ColumnFacts) -> bool:
        """Return whether a plan is told for a review or more after the last period with sales."""
        is_plan = domain_of_name(column.name) == "promotions" or is_of_holidays(column.name)
        if not is_plan or self.date is None:
            return False
        told, sold = self._last_day(column), self._last_sold()
        review = sizes_of(usual_frequency(self.dates)).review_days
        return told is not None and sold is not None and (told - sold).days >= review

    def _last_sold(self) -> date | None:
        return None if self.quantity is None else self._last_day(self.quantity)

    def _last_day(self, column: ColumnFacts) -> date | None:
        """Return the last day on which a column has a value."""
        assert self.date is not None
        [found] = self.reader.fetch(
            f"SELECT max({date_sql(self.date)}) FILTER (trim({quote(column.name)}::VARCHAR) <> '') "
            f"AS day FROM {quote(self.file.name)}",
            self.file.name,
        ).to_pylist()
        return cast("date | None", found["day"])

    def _levels(self, columns: list[ColumnFacts]) -> dict[ColumnFacts, _Level]:
        """Return the coarsest level at which each column has one value a period."""
        levels = [_Level("all", ())]
        levels += [_Level(role, (name,)) for role, name in self.keys.roles.items()]
        found: dict[ColumnFacts, _Level] = {}
        for level in levels:
            left = [c for c in columns if c not in found]
            if not left or level.keys == self._series_level().keys:
                continue
            counts = self._most_values(left, self._grouped(level))
            found |= {c: level for c, most in zip(left, counts, strict=True) if most == 1}
        return {c: found.get(c, self._series_level()) for c in columns}

    def _series_level(self) -> _Level:
        keys = (self.keys.series,) if self.keys.series is not None else tuple(self.keys.there)
        return _Level("unique_id", tuple(map(str, keys)))

    def _grouped(self, level: _Level) -> list[str]:
        assert self.date is not None
        return [date_sql(self.date), *map(quote, level.keys)]

    def _table(self, level: _Level, columns: Iterable[ColumnFacts], domain: str) -> dict[str, Any]:
        """Return the mapping of a table of some columns, and make its source."""
        assert self.date is not None
        source = f"{self.file.name}_{domain}" + ("" if level.name == "all" else f"_{level.name}")
        said = [c.name for c in columns]
        stamp = self.date.expr or quote(self.date.name)
        dated = [c.name for c in self.file.columns if _holds(stamp, c.name)]
        keys = [quote(name) for name in dict.fromkeys([*dated, *level.keys])]
        picks = [*keys, *(f"any_value({quote(name)}) AS {quote(name)}" for name in said)]
        kept = f" WHERE ({self.kept}) IS NOT FALSE" if self.kept else ""
        self.sources[source] = {
            "sql": f"SELECT {', '.join(picks)} FROM {quote(self.file.name)}{kept} "
            f"GROUP BY {', '.join(keys)}"
        }
        self.behind[source] = [self.file.name]
        whom = {} if level.name == "all" else {"level": level.name}
        if level.name in self.keys.roles:
            whom["key"] = named(level.keys[0])
        return {"from": source} | whom | {"ds": date_entry(self.date)}


class BesideColumns(SalesColumns):
    """Maps what a row says of its day (and place), besides the cells of its products.

    Args:
        placing: What is known, and where files go.
        file: The rows, without the cells that are sales.
        table: Mapping of the sales.
        products: Names of the products or places that the cells are of.
    """

    def __init__(
        self, placing: Placing, file: FileFacts, table: dict[str, Any], products: Iterable[str]
    ) -> None:
        location = placing.keys.location
        names = [c.name for c in file.columns]
        place = location if location in names else None
        super().__init__(
            placing, SalesFile(file, Keys(None, place, None), date_of(file), None), table
        )
        self.keys, self.kept = Keys(None, place, None), None
        self.products = products

    def place(self) -> None:
        """Map what changes from day to day, and say what is not read."""
        left = [c for c in self._left() if not is_of_calendar(c.name)]
        told = [c for c in left if self._is_told(c) and not self._is_of_one(c)]
        mapped = self._map_context(self._changing(told))
        if mapped:
            self.notes.append(
                f"read of {self.file.path} beside what was sold: {shortened(sorted(mapped))}"
            )
        self._tell_unread(
            [c for c in left if c.name not in mapped], [c for c in left if self._is_rare(c)]
        )

    def _is_of_one(self, column: ColumnFacts) -> bool:
        """Return whether a column says something of one product alone: Bread price."""
        words = plain(column.name)
        return any(f"_{plain(name)}_" in f"_{words}_" for name in self.products)

    def _is_told(self, column: ColumnFacts) -> bool:
        if column.kind == NUMBER and column.num_distinct > 1:  # a day has one row: no line numbers
            told = (sounds_of_money, is_of_calendar, lambda name: name in self.placing.names)
            is_stock = by_word([column.name], "on_hand") or by_word([column.name], "y")
            return not is_stock and not any(test(column.name) for test in told)
        if column.kind == TEXT and not self._comes_back(column):
            return False
        return super()._is_told(column) or self._is_rare(column)

    def _changing(self, columns: list[ColumnFacts]) -> list[ColumnFacts]:
        rare = [c for c in columns if self._is_rare(c)]
        return [*rare, *super()._changing([c for c in columns if c not in rare])]

    def _comes_back(self, column: ColumnFacts) -> bool:
        """Return whether words are said on several days each, or of holidays: no remarks."""
        return 2 * column.num_distinct <= self._num_said(column) or is_of_holidays(column.name)

    def _is_rare(self, column: ColumnFacts) -> bool:
        """Return whether a column has one word in some of its rows, and nothing in the others."""
        if column.kind != TEXT or len(column.values) != 1:
            return False
        return 0 < self._num_said(column) < self.file.num_rows

    def _num_said(self, column: ColumnFacts) -> int:
        """Return in how many rows a text is not blank."""
        [found] = self.reader.fetch(
            f"SELECT count(nullif(trim({quote(column.name)}), '')) AS n FROM "
            f"{quote(self.file.name)}",
            self.file.name,
        ).to_pylist()
        return int(found["n"])

    def _series_level(self) -> _Level:
        place = self.keys.location
        return _Level("all", ()) if place is None else _Level("location", (place,))

    def _last_sold(self) -> date | None:
        return None if self.dates.empty else self.dates.max().date()


def _holds(said: str, name: str) -> bool:
    """Return whether an expression names a column."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said) is not None


def _sold_out(numbers: list[ColumnFacts]) -> ColumnFacts | None:
    """Return the flag of periods in which nothing was left."""
    flags = [c for c in numbers if c.num_distinct == 2 and not c.has_fraction]
    return next((c for c in flags if re.search(_OUT, plain(c.name))), None)
