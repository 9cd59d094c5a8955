"""Where a company's files besides its sales belong: products, stock, plans, market and so on."""

import re
from dataclasses import replace
from typing import Any

import pandas as pd

from invopt.frequency import sizes_of
from invopt.sources.duck import Reader
from invopt.sources.held_stock import HeldStock, quantity_column, stock_of, told_of_products
from invopt.sources.inspect import (
    DATE,
    MAX_VALUES,
    NUMBER,
    TEXT,
    ColumnFacts,
    FileFacts,
    date_of,
    date_sql,
    dated_names,
    dates_in,
    num_combined,
    num_distinct,
    wide_pattern,
)
from invopt.sources.lead_units import lead_time_in_words
from invopt.sources.planning_files import planning_table
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import (
    POSITION_ROLES,
    PRODUCT_ROLES,
    STOCK_ROLES,
    WIDE_ROLES,
    Keys,
    attribute_entry,
    date_entry,
    domain_of,
    named,
    number_entry,
    roles_of,
)
from invopt.sql import literal, quote
from invopt.timeline import frequency_unit, usual_frequency

_UNIQUE = 0.99
_AHEAD = 400  # days after the last sales that plans are read for
_FEW_MONTHS = 3
# Of names as plain() writes them.
_MONTH_NAME = (
    r"jan(uary|uar|vier)?|enero|ene|feb(ruary|ruar|rero)?|fev(rier)?|mar(ch|s|z|zo)?|mrz|maerz"
    r"|apr(il)?|avr(il)?|abr(il)?|may|mai|mayo|june?|juni?|juin|junio|july?|juli?|juillet|julio"
    r"|aug(ust)?|aout|ago(sto)?|sept?(ember|embre|tiembre)?|o[ck]t(ober|obre|ubre)?"
    r"|nov(ember|embre|iembre)?|de[cz](ember|embre)?|dic(iembre)?"
)
_FIRST = r"start|from|begin|since|beginn|(^|_)(von|ab|du|debut|desde|inicio)(_|$)"
_LAST = r"(^|_)end(_|$|date)|until|till|(^|_)(to|bis|ende|au|fin|hasta)(_|$)"
_DUE = r"due|(^|_)eta(_|$)|deliver|expect|arriv|liefer|faellig|fallig|livraison|prevu|entrega"
# Of orders under way: what is open, what came, and what says that nothing comes any more.
_OPEN = (
    r"(^|_)(open|offen\w*|remaining|rest|restmenge|outstanding|ausstehend\w*|pendiente|reste)(_|$)"
)
_CAME = (
    r"receiv|geliefert|delivered|eingegangen|wareneingang|erhalten|recue?(_|$)|recib|livree?(_|$)"
)
_STATE = r"status|(^|_)state(_|$)|statut|estado|stato|durum"
_CLOSED = (
    r"clos|complet|erledigt|geschlossen|cancel|storn|annul|fulfil|delivered|geliefert|received"
)
_CLOSED += r"|(^|\b)done\b|cerrad|clotur|termin|livr|chius|evas"
_IN_PART = r"part|teil|incomplet|not |nicht|un(ful|deliv|clos)|\bin\b|to be"
_MOVED = r"change|delta|movement|moved|bewegung|mouvement|movimiento|qty|quantity|menge|anzahl"
_LEDGER = (
    r"change|delta|movement|moved|bewegung|mouvement|movimiento|movimenti|ledger|journal|trans"
)
_WORTH = (
    r"value|wert|amount|betrag|montant|importe|eur|usd|price|preis|cost|days|tage|percent|share"
)
_GIVEN_BACK = r"return|retour|retoure|refund|gutschrift|credit|devoluci|reso|avoir|zwrot|iade"
_FEW_DIFFER = 0.1  # share of the products of a master that may have rows that differ
_HOLIDAYS = r"holiday|feiertag|ferien|jours?_ferie|festivo|festivita|feriado|vacation|swieta|event"
_NO_ATTRIBUTE = r"currency|wahrung|devise|moneda|status|customer|kunde|client"
_TEXT_ROLES = {
    word: role
    for role, words in {
        "product_name": (
            "name",
            "description",
            "title",
            "item_name",
            "item_description",
            "bezeichnung",
            "artikelbezeichnung",
            "artikelname",
            "produktname",
            "libelle",
            "designation",
            "nombre",
            "descripcion",
            "descrizione",
            "descricao",
            "omschrijving",
            "nazwa",
            "product_title",
            "product_description",
        ),
        "supplier": ("vendor", "lieferant", "fournisseur", "proveedor"),
        "category": ("kategorie", "warengruppe", "categorie", "categoria", "famille", "familia"),
        "brand": ("marke", "marque", "marca"),
    }.items()
    for word in words
}
# Names of the dates between which a product is sold.
_PHASES = {
    word: role
    for role, words in {
        "phase_in": ("phase_in", "phasein", "launch_date", "launched_on", "einfuehrungsdatum"),
        "phase_out": ("phase_out", "phaseout", "discontinued_on", "discontinued_from",
                      "end_of_life", "end_of_sale", "auslaufdatum"),
    }.items()
    for word in words
}  # fmt: skip
_MATCHED = 0.5  # share of the keys sold that a file about products must know as they are written
_OTHER_KEYS = "it has no date, and its keys are not those of the sales"
_STEP = {"D": 0, "W": 1, "2W": 2, "MS": 3, "QS": 4}  # from fine to coarse


class Companions:
    """Places files beside the sales.

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
        self.counted: list[tuple[FileFacts, dict[str, Any]]] = []  # stock by date and series
        self.repeated: dict[str, str] = {}  # SQL of the rows of files that have some twice
        self.names = {name for name in table.get("columns", {}) if name != "y"}

    def place(self, files: list[FileFacts]) -> None:
        """Place every file, those that describe products first, or say why one is left out."""
        files = [file for file in files if not self._planning(file)]
        files = [file for file in files if not self._is_like_sales(file)]
        files = [file for file in files if not self._is_narrow(file)]
        undated = [
            f for f in files if not f.periods and (not f.of_kind(DATE) or self._is_master(f))
        ]
        describing: list[FileFacts] = []
        for file in undated:
            reason = self._undated(file, describing)
            self._tell(file, reason)
        if "products" not in self.tables:
            self._join(describing)
        else:
            for file in describing:
                self._tell_joined(file)
        for file in files:
            if file not in undated:
                self._tell(file, self._wide(file) if file.periods else self._dated(file))
        self._latest_count()

    def _tell_joined(self, file: FileFacts) -> None:
        """Say that what a file tells of products is left out, as another file is about them."""
        reason = "products are mapped from another file; join it in SQL"
        if self.tables.get("position", {}).get("from") != file.name:
            self._tell(file, reason)
            return
        own = self._keys_of(file)
        names = ", ".join(c.name for c in file.columns if c.name not in (*own.there, own.series))
        self.notes.append(f"{names} of {file.name} ({file.path}) is not mapped: {reason}")

    def _latest_count(self) -> None:
        """Take the latest count of the stock as the position, where no file is of today's stock."""
        if "position" in self.tables or not self.counted:
            return
        file, table = self.counted[0]
        held = {role: entry for role, entry in table["columns"].items() if role in POSITION_ROLES}
        if table.get("aggregate"):
            held["on_hand"] = _summed(held["on_hand"])
        key = {"unique_id": table["key"]} if "key" in table else {}
        self.tables["position"] = {"from": file.name} | key | {"ds": table["ds"], "columns": held}
        self.notes.append(f"the latest count of {file.name} is taken as the stock of today")

    def _is_like_sales(self, file: FileFacts) -> bool:
        """Leave out a file with the columns of the sales: its lines are none of another table."""
        ours, theirs = ({c.name for c in f.columns} for f in (self.sales, file))
        alike = ours == theirs and not file.periods and not self.sales.periods
        if alike and re.search(_GIVEN_BACK, plain(file.name)):
            self._tell(
                file,
                f"it has the columns of {self.sales.name}, and its name says that its lines are "
                "given back: where they lower what was sold, "
                f"unite both in a source of SQL (SELECT * FROM {self.sales.name} UNION ALL BY NAME "
                f"SELECT * REPLACE (-... AS ...) FROM {file.name}), name that source under sales, "
                "with layout: transactions and returns: net",
            )
            return True
        if not alike and self._renames_sales(file):
            self._tell(
                file,
                f"it seems to go on from {self.sales.name} with other names of columns "
                f"({', '.join(sorted(theirs - ours))}): give both the same names in a source of "
                "SQL (UNION ALL BY NAME), and name that source under sales",
            )
            return True
        if alike:
            self._tell(
                file,
                f"it has the columns of {self.sales.name}; if its lines are sales too, put all "
                "files under one source (a pattern, or SQL with UNION ALL BY NAME)",
            )
        return alike

    def _renames_sales(self, file: FileFacts) -> bool:
        """Return whether a file is called like that of the sales, and has its parts renamed."""
        stems = [re.sub(r"[\d_]+", "", plain(f.name)) for f in (self.sales, file)]
        if stems[0] != stems[1] or file.periods or self.sales.periods:
            return False
        own = self._keys_of(file)
        numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in own.there]
        is_sold = by_word(numbers, "y") is not None and bool(file.of_kind(DATE))
        return is_sold and self._is_whole(own)

    def _is_narrow(self, file: FileFacts) -> bool:
        """Leave out a table with a column for each of a few days: these are no attributes."""
        names = [c.name for c in file.columns]
        months = [name for name in names if re.fullmatch(_MONTH_NAME, plain(name))]
        if not file.periods and len(months) >= _FEW_MONTHS:
            self._tell(
                file,
                f"it has a column for each of {len(months)} months ({months[0]}) and none says of "
                "which year: name them as 2024-01, or UNPIVOT it in a source of SQL",
            )
            return True
        days = dated_names(names)
        if not file.periods and days:
            self._tell(
                file,
                f"it has a column for each of {len(days)} days ({days[0]}), too few to be sure: "
                "write `wide` by hand, or UNPIVOT it in a source of SQL",
            )
        return bool(days) and not file.periods

    def _is_master(self, file: FileFacts) -> bool:
        """Return whether dates of a file say since when, or until when, its products are valid.

        It has one row per product (or series), and says something of it that no day changes.
        """
        own = self._keys_of(file)
        columns = [own.series] if own.series is not None else own.there
        dates = [plain(c.name) for c in file.of_kind(DATE)]
        if not columns or domain_of(file) not in ("market", "external"):
            return False
        if any(re.search(_DUE, name) for name in dates):
            return False
        numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in columns]
        told = set(roles_of(numbers, PRODUCT_ROLES).values()) & {*PRODUCT_ROLES} - {"list_price"}
        texts = [c for c in file.of_kind(TEXT) if c.name not in columns]
        if not told and not texts:
            return False
        return num_distinct(self.reader, file, columns) >= _UNIQUE * file.num_rows

    def _planning(self, file: FileFacts) -> bool:
        """Map a file that planning alone reads; return whether it is one."""
        own = self._keys_of(file)
        found = planning_table(file, own)
        if found is None:
            return False
        section, table = found
        if section in self.tables:
            self._tell(file, f"{section} are mapped from another file")
        elif table.get("unique_id") and not self._is_whole(own):
            self._tell(file, f"{section} are by supplier or by product and place")
        else:
            self.tables[section] = table
        return True

    def _tell(self, file: FileFacts, reason: str | None) -> None:
        if reason is not None:
            self.notes.append(f"{file.name} ({file.path}) is not mapped: {reason}")

    def _keys_of(self, file: FileFacts) -> Keys:
        """Return the keys of a file that the sales have too."""
        own = Keys.of(file)
        return Keys(
            own.product if self.keys.product else None,
            own.location if self.keys.location else None,
            own.series,
        )

    def _is_whole(self, own: Keys) -> bool:
        """Return whether a file's keys name single series."""
        return own.series is not None or own.roles.keys() == self.keys.roles.keys()

    def _series_key(self, own: Keys) -> str | None:
        """Return the expression of a file's series, None where it is that of the sales."""
        return None if own.expression == self.keys.expression else own.expression

    def _undated(self, file: FileFacts, describing: list[FileFacts]) -> str | None:
        own = self._keys_of(file)
        if not own.there and own.series is None:
            return _OTHER_KEYS
        columns = [own.series] if own.series is not None else own.there
        numbers = [c for c in file.of_kind(NUMBER) if c.name not in own.there]
        stock = stock_of(self.reader, file, numbers)
        if num_distinct(self.reader, file, columns) < _UNIQUE * file.num_rows:
            if self._repeats_itself(file, own, columns):
                describing.append(file)
                return None
            if self._is_whole(own) and stock is not None:
                return self._by_lot(file, own, columns, stock)
            return f"several rows have the same {' and '.join(columns)}"
        if not self._is_whole(own) or self._is_product_without_zeros(file, own):
            describing.append(self._without_stock(file, own, stock))
            return None
        if stock is not None:
            return self._stock_now(file, own, stock, describing)
        if "products" in self.tables:
            return "products are mapped from another file"
        key = self._series_key(own)
        self.tables["products"] = {"from": file.name} | ({"unique_id": key} if key else {}) | {
            "columns": own.columns | _attributes(file, {*own.there, own.series})
        }  # fmt: skip
        self._tell_quantity(file, numbers)
        return None

    def _stock_now(
        self, file: FileFacts, own: Keys, stock: HeldStock, describing: list[FileFacts]
    ) -> str | None:
        """Map stock of today, and hand on what its file says of products besides."""
        if "position" in self.tables:
            return "position is mapped from another file"
        key = self._series_key(own)
        self.tables["position"] = {"from": file.name} | ({"unique_id": key} if key else {}) | {
            "columns": {role: number_entry(c) for role, c in stock.columns.items()}
        }  # fmt: skip
        spelled = lead_time_in_words(file.columns)
        if spelled is not None and "lead_time" not in stock.columns:
            self.tables["position"]["columns"]["lead_time"] = spelled
        if stock.is_guess:
            self.notes.append(
                f"{stock.columns['on_hand'].name} of {file.name} is read as the stock of today: "
                "take it out of `position` where it is something else"
            )
        if about := told_of_products(file, {*own.there, own.series, *stock.names}):
            if self._matched(own):
                describing.append(_describing(file, own, stock))
            else:
                names = ", ".join(c.name for c in about)
                self.notes.append(f"{names} of {file.name} are not mapped: join them in SQL")
        return None

    def _without_stock(self, file: FileFacts, own: Keys, stock: HeldStock | None) -> FileFacts:
        """Return a file without its stock where no row of it can be told to be of one series."""
        if stock is None:
            self._tell_quantity(file, [c for c in file.of_kind(NUMBER) if c.name not in own.there])
            return file
        held = stock.columns["on_hand"].name
        lacking = [named(c) for role, c in self.keys.roles.items() if role not in own.roles]
        reason = (
            f"it is by {' and '.join(own.there)}, and no column says of which "
            f"{' and '.join(lacking)}" if lacking else
            f"its {' and '.join(own.there)} lost their zeros: map it by hand with "
            f"`unique_id: lpad({named(own.there[0])}, N, '0')`"
        )  # fmt: skip
        self.notes.append(f"the stock in {file.name} ({held}) is not mapped: {reason}")
        return _describing(file, own, stock)

    def _tell_quantity(self, file: FileFacts, numbers: list[ColumnFacts]) -> None:
        """Say that a quantity is taken as an attribute: a stock would tell the past what is now."""
        if (name := quantity_column(numbers)) is not None:
            self.notes.append(
                f"{name} of {file.name} is read as an attribute of products: where it is the "
                f"stock of today, take it out there and write position: {{from: {file.name}, "
                f"columns: {{on_hand: {named(name)}}}}}"
            )

    def _repeats_itself(self, file: FileFacts, own: Keys, columns: list[str]) -> bool:
        """Return whether a file is about products or places, some of which it has in several rows.

        Rows that are the same are one. Of rows that differ the first one holds; they are told, and
        where they are many the file is about something else.
        """
        numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in own.there]
        if own.series is not None or len(own.there) != 1 or not file.of_kind(TEXT):
            return False
        if by_word(numbers, "on_hand") or domain_of(file) == "customers":  # by lot, by person
            return False
        key, rows = quote(columns[0]), quote(file.name)
        differing = (
            f"SELECT {key}::VARCHAR AS k FROM (SELECT DISTINCT * FROM {rows}) GROUP BY {key} "
            "HAVING count(*) > 1 ORDER BY 1"
        )
        found = self.reader.fetch(differing, file.name)["k"].to_pylist()
        keys = num_distinct(self.reader, file, columns)
        if len(found) > (max(1, _FEW_DIFFER * keys) if own.product is not None else 0):
            return False
        self.repeated[file.name] = (
            f"(SELECT * EXCLUDE (__n) FROM (SELECT *, row_number() OVER () AS __n FROM {rows}) "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY __n) = 1)"
        )
        told = f"{file.name} has {file.num_rows:,} rows for {keys:,} {columns[0]}"
        if found:
            told += f"; those of {len(found):,} differ ({', '.join(map(str, found[:3]))})"
        self.notes.append(f"{told}: the first row of each is read")
        return True

    def _by_lot(
        self, file: FileFacts, own: Keys, columns: list[str], stock: HeldStock
    ) -> str | None:
        """Map stock by lot, bin or batch: a source of SQL adds it up."""
        if "position" in self.tables:
            return "position is mapped from another file"
        held = stock.columns
        key = self._series_key(own)
        self.tables["position"] = {"from": file.name} | ({"unique_id": key} if key else {}) | {
            "columns": {
                role: _summed(number_entry(held[role])) | (
                    {"aggregate": "max"} if role == "lead_time" else {}
                )
                for role in POSITION_ROLES[::-1] if role in held
            }
        }  # fmt: skip
        self.notes.append(
            f"{file.name} has several rows for a {' and '.join(columns)} (lots, bins): they are "
            "added up"
        )
        return None

    def _join(self, describing: list[FileFacts]) -> None:
        """Make products of the series sold, what the sales say of them, and files about them."""
        keys = [*self.keys.there, *([self.keys.series] if self.keys.series else [])]
        cells = ", ".join(map(quote, keys))
        picks, joins = [], []
        columns: dict[str, Any] = dict(self.keys.columns)
        names = set(keys)
        for column in self._told_with_sales(keys):
            cells += f", any_value({quote(column.name)}) AS {quote(column.name)}"
            names.add(column.name)
            columns[column.name] = named(column.name)
        for file in describing:
            matched = self._matched(self._keys_of(file))
            about = quote(file.name)
            same = [self._same_key(file, theirs, ours, about) for theirs, ours in matched.items()]
            rows = f"{self.repeated[file.name]} AS {about}" if file.name in self.repeated else about
            joins.append(f"LEFT JOIN {rows} ON {' AND '.join(same)}")
            for column in [c for c in file.columns if c.name not in matched]:
                name = _free(column.name, names, file)
                picks.append(f"{about}.{quote(column.name)} AS {quote(name)}")
            columns |= _attributes(file, {*matched}, names)
            names |= {c.name for c in file.columns}
        grouped = ", ".join(map(quote, keys))
        # A remark below the table is no series.
        given = " AND ".join(f"trim({quote(key)}::VARCHAR) <> ''" for key in keys)
        if self.kept is not None:
            given += f" AND ({self.kept}) IS NOT FALSE"
        inner = f'(SELECT {cells} FROM "{self.sales.name}" WHERE {given} GROUP BY {grouped}) s'
        picked = ", ".join(["s.*", *picks])
        self.sources["series"] = {"sql": " ".join([f"SELECT {picked} FROM {inner}", *joins,
                                                   "ORDER BY ALL"])}  # fmt: skip
        self.behind["series"] = [self.sales.name, *(f.name for f in describing)]
        self.tables["products"] = {"from": "series", "columns": columns}

    def _matched(self, own: Keys) -> dict[str, str]:
        """Return the column of the sales for each key of a file about products."""
        if own.series is not None and self.keys.series is not None:
            return {own.series: self.keys.series}
        return {key: self.keys.roles[role] for role, key in own.roles.items()}

    def _same_key(self, file: FileFacts, theirs: str, ours: str, about: str) -> str:
        """Return SQL of whether a row's key is that of a series sold."""
        their_key, own_key = f"{about}.{quote(theirs)}::VARCHAR", f"s.{quote(ours)}::VARCHAR"
        if self._loses_zeros(file, theirs, ours):
            return f"ltrim(trim({their_key}), '0') = ltrim(trim({own_key}), '0')"
        return f"{their_key} = {own_key}"

    def _told_with_sales(self, keys: list[str]) -> list[ColumnFacts]:
        """Return short texts of the sales that are the same in every row of a series."""
        texts = [
            c for c in self.sales.of_kind(TEXT)
            if c.values and c.name not in keys and not re.search(_NO_ATTRIBUTE, plain(c.name))
        ]  # fmt: skip
        if not texts:
            return []
        counts = ", ".join(f"max(n{n}) AS {quote(c.name)}" for n, c in enumerate(texts))
        inner = ", ".join(f"count(DISTINCT {quote(c.name)}) AS n{n}" for n, c in enumerate(texts))
        grouped = ", ".join(map(quote, keys))
        [found] = self.reader.fetch(
            f'SELECT {counts} FROM (SELECT {inner} FROM "{self.sales.name}" GROUP BY {grouped})',
            self.sales.name,
        ).to_pylist()
        return [c for c in texts if found[c.name] == 1 and c.num_distinct > 1]

    def _is_product_without_zeros(self, file: FileFacts, own: Keys) -> bool:
        """Return whether a file is about the products sold, whose codes lost their zeros in it."""
        if own.series is not None or list(own.roles) != ["product"]:
            return False
        ours = self.keys.roles["product"]
        return self._num_known(file, own.there[0], ours)["lost"]

    def _loses_zeros(self, file: FileFacts, key: str, ours: str) -> bool:
        """Return whether a file knows most keys sold only without zeros and blanks before them."""
        found = self._num_known(file, key, ours)
        if found["same"] < found["n"]:
            how = " (1 for 0001): the join is made without zeros before them"
            self.notes.append(
                f"{file.name} knows {found['same']} of {found['n']} {ours} as they are written in "
                f"{self.sales.name}{how if found['lost'] else ''}"
            )
        return bool(found["lost"])

    def _num_known(self, file: FileFacts, key: str, ours: str) -> dict[str, Any]:
        """Return how many keys sold a file knows as they are, and whether zeros are what lacks."""
        theirs = f'{quote(key)}::VARCHAR FROM "{file.name}"'
        bare = f"ltrim(trim({quote(key)}::VARCHAR), '0') FROM \"{file.name}\""
        [found] = self.reader.fetch(
            f"SELECT count(*) AS n, count(*) FILTER (k IN (SELECT {theirs})) AS same, "
            f"count(*) FILTER (ltrim(trim(k), '0') IN (SELECT {bare})) AS bare, "
            f"count(DISTINCT ltrim(trim(k), '0')) AS told_apart "
            f'FROM (SELECT DISTINCT {quote(ours)}::VARCHAR AS k FROM "{self.sales.name}")',
            file.name,
        ).to_pylist()
        is_lost = found["same"] < _MATCHED * found["n"] <= found["bare"]
        return found | {"lost": is_lost and found["told_apart"] == found["n"]}

    def _wide(self, file: FileFacts) -> str | None:
        own = self._keys_of(file)
        names = [role for role in WIDE_ROLES if by_word([file.name], role)]
        if not (names and self._is_whole(own) and file.periods_format):
            return "a second table with a column per period; say what it holds"
        name = names[0]
        if name in self.names:
            return f"{name} is mapped from another file"
        domain = "market" if name in ("price", "discount") else "stock"
        form = file.periods_format
        key = self._series_key(own)
        table: dict[str, Any] = {"from": file.name, "level": "unique_id"}
        table |= ({"key": key} if key else {}) | {
            "wide": {"columns": wide_pattern(form), "format": form},
            "name": name,
        }
        self.names.add(name)
        self.tables.setdefault(domain, []).append(table)
        return None

    def _dated(self, file: FileFacts) -> str | None:
        own = self._keys_of(file)
        if self._is_whole(own) and self._open_orders(file, own):
            return None
        span = _span(file)
        date = span[0] if span else date_of(file)
        found = self._level(file, own, date)
        if found is None:
            keys = [own.series] if own.series is not None else own.there
            return f"several rows have the same {' and '.join([*keys, date.name])}"
        level, used, lots = found
        domain = domain_of(file)
        if domain == "stock" and self._movements(file, own, date):
            return None
        channels = self._channels(file, domain, {*used, own.series, *own.there})
        if not channels and not span:
            return "it has a date and no number"
        table: dict[str, Any] = {"from": file.name} | level | {"ds": date_entry(date)} | channels
        # A price from one day to another is no flag, and not 0 outside.
        flagged = span is not None and (domain != "market" or "columns" not in channels)
        if span:
            table |= {"from": self._days(file, *span), "ds": "day"}
        if flagged:
            table["columns"] = {self._free("promotion", file): "1"} | table.get("columns", {})
        if span and not flagged:
            table |= {"fill": "forward", "aggregate": "last"}
        else:
            table |= self._fill(file, domain, span=flagged)
        if flagged:
            table["aggregate"] = "max"  # of plans that overlap
        if domain == "stock" and "on_hand" in channels.get("columns", {}) and self._is_whole(own):
            self.counted.append((file, table))
        if lots:
            table["aggregate"] = "sum"
            self.notes.append(f"{file.name} has several rows per key and date: they are added up")
        self.tables.setdefault(domain, []).append(table)
        self._plans(file, domain, table, span)
        return None

    def _channels(
        self, file: FileFacts, domain: str, taken: set[str | None]
    ) -> dict[str, dict[str, Any]]:
        """Return columns and one_hot of a file: numbers as they are, short texts as flags."""
        numbers = [c for c in file.of_kind(NUMBER) if c.name not in taken]
        texts = [c for c in file.of_kind(TEXT) if c.values and c.name not in taken]
        long = [c.name for c in file.of_kind(TEXT) if c.num_distinct > MAX_VALUES]
        if left := [name for name in long if name not in taken]:
            self.notes.append(
                f"{file.name}: {', '.join(left)} has more than {MAX_VALUES} values, too many to "
                "become flags: map a coarser column"
            )
        roles = roles_of([c.name for c in numbers], STOCK_ROLES if domain == "stock" else ())
        found: dict[str, dict[str, Any]] = {
            "columns": {self._free(roles[c.name], file): number_entry(c) for c in numbers},
            "one_hot": {self._free(c.name, file): [named(c.name)] for c in texts},
        }
        return {section: entries for section, entries in found.items() if entries}

    def _free(self, name: str, file: FileFacts) -> str:
        """Return the name of a channel, with the file's before it where another has it."""
        name = _free(name, self.names, file)
        self.names.add(name)
        return name

    def _level(
        self, file: FileFacts, own: Keys, date: ColumnFacts
    ) -> tuple[dict[str, str], list[str], bool] | None:
        """Return whom rows are for, the key's columns, and whether rows of one key add up.

        It is the first level under which rows are unique; stock by lot or bin adds up.
        """
        tries: list[tuple[dict[str, str], list[str]]] = []
        if self._is_whole(own):
            key = self._series_key(own)
            used = [own.series] if own.series is not None else own.there
            tries.append(({"level": "unique_id"} | ({"key": key} if key else {}), used))
        tries += [({"level": role, "key": named(c)}, [c]) for role, c in own.roles.items()]
        attributes = {name.lower(): name for name in self.tables["products"]["columns"]}
        for column in file.of_kind(TEXT):
            name = attributes.get(column.name.lower())
            if name is not None and column.name not in own.there:
                tries.append(({"level": name, "key": named(column.name)}, [column.name]))
        tries.append(({}, []))
        for level, used in tries:
            cells = [*map(quote, used), date_sql(date)]
            if num_combined(self.reader, file, cells) >= _UNIQUE * file.num_rows:
                return level, used, False
        if self._is_whole(own) and domain_of(file) == "stock":
            return *tries[0], True
        return None

    def _movements(self, file: FileFacts, own: Keys, date: ColumnFacts) -> bool:
        """Take what a ledger of movements adds up to as the position; return whether it is one.

        It is where, from its first day on, what left never exceeds what came: its first rows are
        the stock it began with.
        """
        numbers = [c for c in file.of_kind(NUMBER) if c.name not in own.there]
        if by_word([c.name for c in numbers], "on_hand") or not self._is_whole(own):
            return False
        moved = next((c for c in numbers if re.search(_MOVED, plain(c.name))), None)
        if moved is None or not re.search(_LEDGER, f"{plain(file.name)} {plain(moved.name)}"):
            return False
        amount = moved.style.sql(quote(moved.name))
        keys = ", ".join(map(quote, [own.series] if own.series is not None else own.there))
        [found] = self.reader.fetch(
            f"SELECT count(*) FILTER (lowest < 0) AS below, count(*) AS n, bool_or(has_left) AS "
            f"has_left FROM (SELECT {keys}, min(level) AS lowest, bool_or(moved < 0) AS has_left "
            f"FROM (SELECT *, sum(moved) OVER (PARTITION BY {keys} ORDER BY day) AS level FROM "
            f"(SELECT {keys}, {date_sql(date)} AS day, sum({amount}) AS moved FROM "
            f"{quote(file.name)} GROUP BY ALL)) GROUP BY {keys})",
            file.name,
        ).to_pylist()
        if not found["has_left"]:
            return False
        if found["below"] > (1 - _UNIQUE) * found["n"] or "position" in self.tables:
            self._tell(
                file,
                f"{moved.name} holds movements and no levels, and they do not begin with the stock "
                f"of the first day ({found['below']:,} of {found['n']:,} fall below 0): give the "
                "stock of today in a file of its own",
            )
            return True
        key = self._series_key(own)
        self.tables["position"] = (
            {"from": file.name}
            | ({"unique_id": key} if key else {})
            | {"columns": {"on_hand": _summed(number_entry(moved))}}
        )
        self.notes.append(
            f"{file.name} holds movements of the stock: all its {moved.name} together are taken as "
            "the stock of today"
        )
        return True

    def _open_orders(self, file: FileFacts, own: Keys) -> bool:
        due = next((c for c in file.of_kind(DATE) if re.search(_DUE, plain(c.name))), None)
        numbers = {c.name: c for c in file.of_kind(NUMBER) if c.name not in own.there}
        quantity = self._left_open(file, numbers)
        if due is None or quantity is None or "open_orders" in self.tables:
            return False
        key = self._series_key(own)
        columns = {"due": date_entry(due), "quantity": quantity}
        self.tables["open_orders"] = (
            {"from": file.name}
            | ({"unique_id": key} if key else {})
            | self._not_closed(file)
            | {"columns": columns}
        )
        return True

    def _left_open(self, file: FileFacts, numbers: dict[str, ColumnFacts]) -> Any:
        """Return the entry of what is still to come of an order; None where nothing says it.

        What is open, or what was ordered without what came.
        """
        left = [
            n for n in numbers if re.search(_OPEN, plain(n)) and not re.search(_WORTH, plain(n))
        ]
        if left:
            return number_entry(numbers[left[0]])
        came = [
            n for n in numbers if re.search(_CAME, plain(n)) and not re.search(_WORTH, plain(n))
        ]
        asked = by_word([name for name in numbers if name not in came], "y")
        if asked is None:
            return None
        if not came:
            return number_entry(numbers[asked])
        ordered, arrived = (numbers[n].style.sql(quote(n)) for n in (asked, came[0]))
        self.notes.append(
            f"{file.name}: what is still to come is {asked} without {came[0]}, 0 where more came"
        )
        return f"greatest({ordered} - coalesce({arrived}, 0), 0)"

    def _not_closed(self, file: FileFacts) -> dict[str, str]:
        """Return the condition that leaves out orders of which nothing comes any more."""
        for column in file.of_kind(TEXT):
            if not re.search(_STATE, plain(column.name)):
                continue
            closed = [v for v in column.values if re.search(_CLOSED, v.lower())]
            closed = [v for v in closed if not re.search(_IN_PART, v.lower())]
            if not closed:
                continue
            self.notes.append(
                f"orders of {file.name} whose {column.name} is {', '.join(closed)} are left out: "
                "nothing comes of them; take them out of `where` if it does"
            )
            listed = ", ".join(map(literal, closed))
            return {"where": f"coalesce(trim({quote(column.name)}), '') NOT IN ({listed})"}
        return {}

    def _days(self, file: FileFacts, first: ColumnFacts, last: ColumnFacts) -> str:
        """Return the name of a source that has a row for every day from first to last.

        A row without an end holds for its first day; one without a start keeps no day, and is
        told as such when it is read.
        """
        start, end = date_sql(first), date_sql(last)
        # 31.12.9999 is no end: plans beyond a year or so are read by nobody.
        horizon = f"DATE '{self.dates.max() + pd.Timedelta(days=_AHEAD):%Y-%m-%d}'"
        stop = f"greatest({start}, least(coalesce({end}, {start}), {horizon}))"
        days = f"coalesce(generate_series({start}, {stop}, INTERVAL 1 DAY), [NULL])"
        sql = f'SELECT *, unnest({days})::DATE AS day FROM "{file.name}"'
        unit = frequency_unit(usual_frequency(self.dates))
        if unit != "D":  # one row per period, not one per day
            origin = f"DATE '{self.dates.min():%Y-%m-%d}'"
            days_of = {"W": 7, "2W": 14}.get(unit, 0)
            week = f"{origin} + {days_of} * floor((day - {origin}) / {days_of})::INTEGER"
            longer = "month" if unit == "MS" else "quarter"
            period = week if days_of else f"date_trunc('{longer}', day)::DATE"
            sql = f"SELECT DISTINCT * REPLACE ({period} AS day) FROM ({sql})"
        name = f"{file.name}_days"
        self.sources[name] = {"sql": sql}
        self.behind[name] = [file.name]
        return name

    def _fill(self, file: FileFacts, domain: str, *, span: bool) -> dict[str, str]:
        """Return what periods without a row, or with several, hold.

        No promotion, the value of a longer period, the mean of shorter ones.
        """
        if span or domain == "promotions":
            return {"fill": "zero"}
        own = _STEP[frequency_unit(usual_frequency(dates_in(self.reader, file)))]
        ours = _STEP[frequency_unit(usual_frequency(self.dates))]
        if own < ours:
            return {"aggregate": "last" if domain == "stock" else "mean"}
        return {"fill": "forward"} if own > ours else {}

    def _plans(
        self,
        file: FileFacts,
        domain: str,
        table: dict[str, Any],
        span: tuple[ColumnFacts, ColumnFacts] | None,
    ) -> None:
        """Say that a table is known ahead where its days after the last sale can only be plans.

        What else reaches beyond the last sale (a weather forecast, a later count of prices) may be
        other than what the past holds, and is left to a person.
        """
        if domain == "stock":  # counted after the last sale, not known before
            return
        dates = dates_in(self.reader, file, span[1] if span else None)
        last = self.dates.max()
        if not len(dates) or dates.max() <= last:
            return
        review = pd.Timedelta(days=sizes_of(usual_frequency(self.dates)).review_days)
        holidays = "columns" not in table and re.search(_HOLIDAYS, plain(file.name)) is not None
        if (domain == "promotions" or holidays) and dates.max() >= last + review:
            table["known"] = True
            self.notes.append(
                f"{file.name} reaches beyond the last sales and is taken as planned ahead (`known: "
                "true`): take that out where its days are written down afterwards. Days after its "
                "last one are forecast as days without"
            )
            return
        self.notes.append(
            f"{file.name} reaches beyond the last sales: under {domain}, say `known: true` of "
            "what is known ahead (plans, holidays), in a table of its own"
        )


def _summed(entry: Any) -> dict[str, Any]:
    return (entry if isinstance(entry, dict) else {"expr": entry}) | {"aggregate": "sum"}


def _describing(file: FileFacts, own: Keys, stock: HeldStock) -> FileFacts:
    """Return a file of stock without what is of today: its keys and what it says of products."""
    keys = {*own.there, own.series}
    kept = told_of_products(file, keys | stock.names)
    return replace(file, columns=(*(c for c in file.columns if c.name in keys), *kept))


def _attributes(
    file: FileFacts, taken: set[str | None], names: set[str] | None = None
) -> dict[str, Any]:
    """Return a file's columns as attributes of products, numbers under the contract's names."""
    numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in taken]
    roles = roles_of(numbers, PRODUCT_ROLES)
    found: dict[str, Any] = {}
    for column in [c for c in file.columns if c.name not in taken]:
        name = column.name if names is None else _free(column.name, names, file)
        if column.kind == DATE:
            # Other dates of a master say since when its rows hold, not when a product is sold.
            phase = _PHASES.get(plain(column.name))
            if phase is not None and phase not in found:
                found[phase] = date_entry(replace(column, name=name))
            continue
        role = roles.get(name) or _TEXT_ROLES.get(plain(name), name)
        role = name if role in found else role
        spelled = lead_time_in_words([replace(column, name=name)])
        if spelled is not None and "lead_time" not in (*found, *roles.values()):
            found["lead_time"] = spelled
            continue
        found[role] = attribute_entry(column, role, is_number=column.kind == NUMBER, name=name)
    return found


def _free(name: str, names: set[str], file: FileFacts) -> str:
    """Return a name that is not taken yet."""
    return f"{file.name}_{name}" if name in names else name


def _span(file: FileFacts) -> tuple[ColumnFacts, ColumnFacts] | None:
    """Return the columns of the first and the last day that rows hold for, where they say so."""
    dates = file.of_kind(DATE)
    first = [c for c in dates if re.search(_FIRST, plain(c.name))]
    last = [c for c in dates if re.search(_LAST, plain(c.name)) and c not in first]
    return (first[0], last[0]) if first and last else None
