"""The YAML mapping of a data set: which file holds what, under which names and units.

Every column is a DuckDB expression over the source's columns; most are just a column's name.
Text columns (CSV) are read as text: a bare column is converted for you, and inside an
expression `num(x)` converts to a number and `day(x, '%d/%m/%Y')` to a date.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from invopt.config import Name, explain_validation, read_yaml
from invopt.errors import ConfigError
from invopt.sources.public_holidays import check_place
from invopt.timeline import check_frequency

Aggregate = Literal["sum", "mean", "min", "max", "last"]
DOMAINS = ("stock", "promotions", "customers", "market", "external")
TERMS = ("suppliers", "price_breaks", "receipts", "calendar", "overrides", "lanes")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _for_all(value: Any) -> Any:
    """Return holidays of one place as those of every location.

    YAML reads the NO of Norway as false and the name of shop 7 as a number, where nobody writes
    quotation marks.
    """
    places = value if isinstance(value, dict) else {"": value}
    return {str(name): "NO" if code is False else code for name, code in places.items()}


class Source(_Part):
    """Where rows come from: files, a database query, or SQL over the other sources.

    Attributes:
        path: File (CSV, HTML, parquet, ORC, Feather, XLSX, JSON, SQLite, DuckDB), glob or folder,
            relative to the data folder; or s3://... A name in braces (sales_{month}.csv,
            {store}/sales.csv) stands for any text without a slash, which becomes a column.
        sheet: Of a workbook; the first one that holds something when not given. Of a database in a
            file, its table; of an archive, one of its files.
        delimiter: Of a CSV; found from its header line when not given.
        encoding: Of a CSV, by Python's name (cp1252, latin-1, utf-16).
        url: SQLAlchemy URL; ${NAME} is replaced from the variables handed in.
        query: SQL to send to url.
        sql: DuckDB SQL over the sources named above it, public holidays apart.
        holidays: Public holidays of a country (DE) or a region of it (DE-BY), or of each location
            (a dictionary of such codes): rows of ds, location and holiday, the name, from the first
            period of the sales to 400 periods after their last one.
    """

    path: str | None = None
    sheet: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    url: str | None = None
    query: str | None = None
    sql: str | None = None
    holidays: Annotated[dict[str, Annotated[str, AfterValidator(check_place)]],
                        BeforeValidator(_for_all)] | None = None  # fmt: skip

    @property
    def is_file_or_query(self) -> bool:
        """True when its rows come from outside."""
        return self.path is not None or self.url is not None

    @model_validator(mode="after")
    def _one_kind(self) -> "Source":
        kinds = [self.path, self.url, self.sql, self.holidays]
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("name exactly one of path, url (with query), sql or holidays")
        if (self.url is None) != (self.query is None):
            raise ValueError("url and query belong together")
        if self.sheet is not None and self.path is None:
            raise ValueError("sheet is of a workbook or a database that path names")
        return self


class Expression(_Part):
    """A column: a DuckDB expression and how to convert its value.

    Attributes:
        expr: Expression over the source's columns.
        scale: Factor to the contract's unit (0.01 turns cents into money, 12 dozens into units).
        format: strptime format, for dates held as text.
        from_timezone: Zone of a time stamp that does not name its own.
        to_timezone: Zone whose calendar day counts; UTC for stamps that name their zone.
        aggregate: How several rows of one key (and period) combine; later ones are set aside
            where nothing is said. Not of a key, a date or a text.
        type: "number" makes an attribute of products a number; by default it is a category.
        decimal: Decimal sign of a number held as text.
        thousands: Sign between its groups of three digits; none by default.
        unit: Unit or currency written before or after it (kg, EUR); another one is refused.
        units: Factor by unit where several stand in the cells ({pcs: 1, case: 12}; "" is that of a
            number alone); another one is refused.
    """

    expr: str
    scale: float = 1.0
    format: str | None = None
    from_timezone: str | None = None
    to_timezone: str | None = None
    aggregate: Aggregate | None = None
    type: Literal["number", "text"] | None = None
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    unit: str | None = None
    units: dict[str, float] | None = None

    @model_validator(mode="after")
    def _sound(self) -> "Expression":
        if self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        if self.units is not None and (
            self.unit is not None or not self.units or min(self.units.values()) <= 0
        ):
            raise ValueError("units are factors above 0 by unit, and stand without unit")
        for zone in (self.from_timezone, self.to_timezone):
            if zone is not None:
                _check_zone(zone)
        if self.format is not None and re.search("%[WU]", self.format):
            raise ValueError(
                f"format {self.format!r}: %W and %U number weeks as no calendar does; weeks of "
                "ISO 8601 are %G-W%V"
            )
        return self

    @property
    def declares_number(self) -> bool:
        """True when it says how a number is written."""
        signs = (self.thousands, self.unit, self.units)
        return self.decimal != "." or any(sign is not None for sign in signs)

    def refuse(self, *fields: str) -> None:
        """Refuse what has no meaning where this expression stands.

        Raises:
            ValueError: If one of the fields is given.
        """
        default = type(self).model_fields
        given = sorted(f for f in fields if getattr(self, f) != default[f].default)
        if given:
            raise ValueError(f"{', '.join(given)} of {self.expr!r} has no meaning there")


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise ValueError(f"there is no time zone {zone!r}; one is Europe/Paris") from err


def _as_expression(value: Any) -> Any:
    return {"expr": str(value)} if isinstance(value, (str, int, float)) else value


def _as_source(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


Column = Annotated[Expression, BeforeValidator(_as_expression)]


# Words of an expression that are about dates, and about numbers.
_OF_DATES = ("format", "from_timezone", "to_timezone")
_OF_NUMBERS = ("scale", "decimal", "thousands", "unit", "units")
# Columns that hold dates; every other one is a number, a flag or a text.
DATE_COLUMNS = ("due", "phase_in", "phase_out", "ds", "from", "to", "made_at", "ordered",
                "received")  # fmt: skip


class Wide(_Part):
    """Periods as columns.

    Attributes:
        columns: Regular expression that a period column's whole name matches.
        format: strptime format of the column names, when they are dates.
        lookup: Source with one row per period column, when they are not.
        key: Column of lookup that holds the period column's name.
        ds: Column of lookup that holds its date.
        decimal: Decimal sign of cells held as text.
        thousands: Sign between their groups of three digits; none by default.
    """

    columns: str
    format: str | None = None
    lookup: str | None = None
    key: str | None = None
    ds: str | None = None
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None

    @model_validator(mode="after")
    def _dated(self) -> "Wide":
        Expression(expr="cell", decimal=self.decimal, thousands=self.thousands, format=self.format)
        if (self.format is None) == (self.lookup is None):
            raise ValueError("give either format or lookup (with key and ds)")
        if self.lookup is not None and (self.key is None or self.ds is None):
            raise ValueError("lookup needs key and ds")
        return self


class Table(_Part):
    """What every mapped table has.

    Attributes:
        source: Name under sources (key `from` in the YAML).
        where: Condition on the source's rows; rows of which it is false are left out and counted.
    """

    source: str = Field(alias="from")
    where: str | None = None

    @model_validator(mode="after")
    def _no_idle_words(self) -> "Table":
        for key in ("unique_id", "key", "line_key"):
            if isinstance(found := getattr(self, key, None), Expression):
                found.refuse(*_OF_DATES, *_OF_NUMBERS, "aggregate", "type")
        if isinstance(found := getattr(self, "ds", None), Expression):
            found.refuse(*_OF_NUMBERS, "aggregate", "type")
        columns: dict[str, Expression] = getattr(self, "columns", {})
        seen: dict[str, str] = {}
        for name in columns:
            if (other := seen.setdefault(name.lower(), name)) != name:
                raise ValueError(
                    f"columns {other} and {name} differ in capital letters only: rename one"
                )
        for name, column in columns.items():
            if name in DATE_COLUMNS:
                column.refuse(*_OF_NUMBERS, "aggregate", "type")
            else:
                column.refuse(*_OF_DATES)
        return self


class SalesTable(Table):
    """Sales: one row per series and period (long), or periods as columns (wide), or lines.

    Attributes:
        layout: long, wide, or transactions (lines that are summed per period).
        unique_id: Name of the series; the mapping's own unique_id when not given.
        ds: Date of the row (long, transactions).
        columns: y, and optionally price, discount, is_observed.
        wide: The period columns (wide).
        known: Which of price and discount are known ahead; by default both, and neither in
            layout transactions, whose lines tell what was charged once it was sold.
        returns: "reject" sets rows with negative y aside; "net" lets them lower the period's sum.
        missing: What a period without a row means after the first sale.
        line_key: Name of a line (layout transactions): a later line of the same name, in whatever
            file, is set aside. Where none is given, files that overlap are told.
    """

    layout: Literal["long", "wide", "transactions"] = "long"
    unique_id: Column | None = None
    ds: Column | None = None
    columns: dict[Literal["y", "price", "discount", "is_observed"], Column] = {}
    wide: Wide | None = None
    known: tuple[Literal["price", "discount"], ...] | None = None
    returns: Literal["reject", "net"] = "reject"
    missing: Literal["zero", "unobserved"] = "zero"
    line_key: Column | None = None

    @model_validator(mode="after")
    def _complete(self) -> "SalesTable":
        if self.line_key is not None and self.layout != "transactions":
            raise ValueError("line_key is of layout transactions")
        if "is_observed" in self.columns:
            self.columns["is_observed"].refuse(*_OF_NUMBERS, "type")
        if self.layout == "wide":
            if self.wide is None or self.columns:
                raise ValueError("layout wide needs `wide` and no `columns`")
        elif self.ds is None or "y" not in self.columns:
            raise ValueError(f"layout {self.layout} needs ds and columns.y")
        return self

    @property
    def adds_up(self) -> bool:
        """True when several rows of a series and period combine to one."""
        return self.layout == "transactions" or any(e.aggregate for e in self.columns.values())

    def is_known_ahead(self, column: str) -> bool:
        """Return whether a column's future values may be used."""
        if self.known is None:
            return self.layout != "transactions"
        return column in self.known


class ProductsTable(Table):
    """Products: one row per series, or per product when unique_id is not one of its columns.

    Attributes:
        unique_id: Name of the series.
        columns: product, location, category, brand, list_price, unit_cost, any attribute of your
            own, and the terms of ordering (see invopt.contracts.TERM_NUMBERS and TERM_TEXTS).
        launches: Rows without sales are series too, forecast from their attributes.
    """

    unique_id: Column | None = None
    columns: dict[str, Column]
    launches: bool = False


class ChannelTable(Table):
    """Stock, promotions, customers, market or external: numbers that vary over time.

    Attributes:
        level: "unique_id", "all", or a column of products whose groups `key` names.
        key: Expression of the group's name.
        ds: Date of the row (long).
        columns: Channel name to expression.
        one_hot: Channel prefix to columns of text; each value becomes a 0/1 channel.
        wide: Periods as columns; then `name` names the one channel.
        name: Channel of a wide table.
        known: True when future values may be used.
        fill: What periods without a row hold: nothing, 0, or the last value.
        fill_limit: Periods a value is carried forward at most.
        aggregate: How several rows of one period combine, for columns that do not say it
            themselves (flags of one_hot: max); where none is said, later rows are set aside.
    """

    level: str = "all"
    key: Column | None = None
    ds: Column | None = None
    columns: dict[str, Column] = {}
    one_hot: dict[str, tuple[str, ...]] = {}
    wide: Wide | None = None
    name: str | None = None
    known: bool = False
    fill: Literal["none", "zero", "forward"] = "none"
    fill_limit: int | None = Field(default=None, ge=1)
    aggregate: Aggregate | None = None

    @model_validator(mode="after")
    def _complete(self) -> "ChannelTable":
        if self.level not in ("all",) and self.key is None and self.level != "unique_id":
            raise ValueError(f"level {self.level} needs key")
        if self.wide is not None:
            if self.name is None or self.columns or self.one_hot:
                raise ValueError("a wide table needs `name` and no `columns`")
        elif self.ds is None or not (self.columns or self.one_hot):
            raise ValueError("a long table needs ds and columns or one_hot")
        if self.wide is not None and self.aggregate is not None:
            raise ValueError("a wide table has one value per period and no `aggregate`")
        return self

    def combining(self) -> dict[str, Aggregate] | None:
        """Return how each column's rows of one period combine; None where they are set aside."""
        own = {name: e.aggregate for name, e in self.columns.items()}
        if self.aggregate is None and not any(own.values()):
            return None
        return {name: how or self.aggregate or "mean" for name, how in own.items()}

    def channel_names(self) -> list[str]:
        """Return the names of its channels; those of one_hot as PREFIX=."""
        own = [self.name] if self.name is not None else list(self.columns)
        return [*own, *(f"{prefix}=" for prefix in self.one_hot)]


class PositionTable(Table):
    """Stock position now: on_hand and, where known, on_order, lead_time, backorders.

    Attributes:
        unique_id: Name of the series.
        ds: Date of the count; of several counts of a series the latest one holds.
        columns: In units, lead_time in periods.
    """

    unique_id: Column | None = None
    ds: Column | None = None
    columns: dict[Literal["on_hand", "on_order", "backorders", "lead_time"], Column]


class OpenOrdersTable(Table):
    """Orders under way: quantity, and due_in (periods from the last one) or due (a date)."""

    unique_id: Column | None = None
    columns: dict[Literal["quantity", "due_in", "due"], Column]


class TermsTable(Table):
    """A table that planning alone reads: suppliers, receipts, calendar, overrides, lanes and so on.

    Attributes:
        unique_id: Name of the series a row is of, where rows are of series.
        columns: As invopt.sources.terms lists them for each of these tables.
    """

    unique_id: Column | None = None
    columns: dict[str, Column]


Channels = Annotated[tuple[ChannelTable, ...], BeforeValidator(_as_list)]


class Mapping(_Part):
    """A whole data set.

    Attributes:
        name: Of the data set.
        frequency: D, W-MON to W-SUN, 2W-MON to 2W-SUN+1 (two weeks), MS, or QS.
        unique_id: Default expression of a series' name.
        sources: Files, queries and views, in order.
        sales: The one table that must be there.
    """

    name: Name
    frequency: str
    unique_id: Column | None = None
    sources: dict[str, Annotated[Source, BeforeValidator(_as_source)]]
    sales: SalesTable
    products: ProductsTable | None = None
    stock: Channels = ()
    promotions: Channels = ()
    customers: Channels = ()
    market: Channels = ()
    external: Channels = ()
    position: PositionTable | None = None
    open_orders: OpenOrdersTable | None = None
    suppliers: TermsTable | None = None
    price_breaks: TermsTable | None = None
    receipts: TermsTable | None = None
    calendar: TermsTable | None = None
    overrides: TermsTable | None = None
    lanes: TermsTable | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Mapping":
        check_frequency(self.frequency)
        strange = [name for name in self.sources if not re.fullmatch(r"[\w .-]+", name)]
        if strange:
            raise ValueError(
                f"sources {strange[0]!r}: the name of a source has letters, digits, _, - and ."
            )
        if self.unique_id is not None:
            self.unique_id.refuse(*_OF_DATES, *_OF_NUMBERS, "aggregate", "type")
        for name, table in self.tables():
            if table.source not in self.sources:
                raise ValueError(
                    f"{name} reads from {table.source!r}, which is not under sources "
                    f"({', '.join(self.sources)})"
                )
        self._check_holidays()
        places: dict[str, str] = {c: "sales" for c in self.sales.columns if c != "y"}
        for name, _, table in self.channel_tables():
            for column in table.channel_names():
                if column in places:
                    raise ValueError(
                        f"{name} and {places[column]} both hold {column!r}; give one another name"
                    )
                places[column] = name
        return self

    def _check_holidays(self) -> None:
        """Refuse what reads public holidays before the sales tell of which years."""
        named = {n for n, source in self.sources.items() if source.holidays is not None}
        if self.sales.source in named:
            raise ValueError(f"sales reads from {self.sales.source!r}, which are public holidays")
        for name, source in self.sources.items():
            words = set(re.findall(r"[\w.-]+", source.sql or ""))
            if found := sorted(named & words):
                raise ValueError(
                    f"sources {name!r}: SQL cannot read the public holidays of {found[0]!r}; "
                    "external, promotions and calendar can"
                )

    def tables(self) -> list[tuple[str, Table]]:
        """Return every mapped table with its name, sales first."""
        found: list[tuple[str, Table]] = [("sales", self.sales)]
        for name in ("products", *DOMAINS, "position", "open_orders", *TERMS):
            value = getattr(self, name)
            tables = value if isinstance(value, tuple) else [value] if value else []
            found += [
                (name if len(tables) == 1 else f"{name}[{number}]", table)
                for number, table in enumerate(tables)
            ]
        return found

    def channel_tables(self) -> list[tuple[str, str, ChannelTable]]:
        """Return (table name, domain, table) of every channel table."""
        return [
            (name, name.split("[")[0], table)
            for name, table in self.tables()
            if isinstance(table, ChannelTable)
        ]


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        ConfigError: If it is missing, not YAML, or not a mapping; every fault is named.
    """
    content = read_yaml(path, "mapping file", "a mapping of keys, see docs/your-data.md")
    try:
        return Mapping.model_validate(content)
    except ValidationError as err:
        raise ConfigError(f"mapping file {path}: {explain_validation(err)}.") from err
