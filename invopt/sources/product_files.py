"""Files without a date: products and places, and the stock of today."""

import re
from dataclasses import replace
from typing import Any

from invopt.sources.facts import (
    DATE,
    NUMBER,
    TEXT,
    ColumnFacts,
    FileFacts,
    dates_in,
    most_values,
    num_distinct,
)
from invopt.sources.held_stock import HeldStock, quantity_column, stock_of, told_of_products
from invopt.sources.lead_units import lead_time_in_words
from invopt.sources.placing import UNIQUE, Placer, Placing, free_name, summed
from invopt.sources.vocabulary import by_word, is_of_calendar, plain
from invopt.sources.words import (
    POSITION_ROLES,
    PRODUCT_ROLES,
    Keys,
    attribute_entry,
    date_entry,
    domain_of,
    named,
    number_entry,
    roles_of,
    shortened,
)
from invopt.sql import quote

_COPIES = r"(^|_)(old|backup|bak|copy|copia|kopie|alt|ancien|antiguo|previous|prev|v1|1)(_|$)"
_YEARS = {"year", "jahr", "annee", "ano", "anno", "rok", "yil", "jaar", "fy"}
_ABOVE_ZERO = ("unit_cost", "pack_size", "shelf_life")
_FEW_DIFFER = 0.1  # share of the products of a master that may have rows that differ
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
        "supplier": (
            "supplier",
            "supplier_name",
            "vendor",
            "vendor_name",
            "wholesaler",
            "lieferant",
            "grosshandler",
            "grosshandel",
            "fournisseur",
            "proveedor",
        ),
        "category": (
            "category",
            "kategorie",
            "warengruppe",
            "categorie",
            "categoria",
            "famille",
            "familia",
        ),
        "brand": ("brand", "marke", "marque", "marca"),
    }.items()
    for word in words
}
# Names of the dates between which a product is sold.
_PHASES = {
    word: role
    for role, words in {
        "phase_in": ("phase_in", "phasein", "launch_date", "launched_on", "einfuehrungsdatum"),
        "phase_out": ("phase_out", "phaseout", "discontinued_on", "discontinued_from",
                      "discontinued", "discontinued_date", "discontinue_date", "delisted",
                      "delisted_from", "delisting_date", "end_of_life", "end_of_sale",
                      "auslaufdatum"),
    }.items()
    for word in words
}  # fmt: skip
_MATCHED = 0.5  # share of the keys sold that a file about products must know as they are written
_OTHER_KEYS = "it has no date, and its keys are not those of the sales"


class ProductFiles(Placer):
    """Maps files that have no date."""

    def __init__(self, placing: Placing) -> None:
        super().__init__(placing)
        self.kept = placing.kept
        self.repeated: dict[str, str] = {}  # SQL of the rows of files that have some twice

    def tell_joined(self, file: FileFacts) -> None:
        """Say that what a file tells of products is left out, as another file is about them."""
        reason = "products are mapped from another file; join it in SQL"
        if self.tables.get("position", {}).get("from") != file.name:
            self.placing.tell(file, reason)
            return
        own = self.placing.keys_of(file)
        names = ", ".join(c.name for c in file.columns if c.name not in (*own.there, own.series))
        self.notes.append(f"{names} of {file.name} ({file.path}) is not mapped: {reason}")

    def map_file(self, file: FileFacts, describing: list[FileFacts]) -> str | None:
        """Map a file, or add it to those that describe products; returns why neither can be."""
        own = self.placing.keys_of(file)
        if not own.there and own.series is None:
            return _OTHER_KEYS
        columns = [own.series] if own.series is not None else own.there
        numbers = [c for c in file.of_kind(NUMBER) if c.name not in own.there]
        stock = stock_of(self.reader, file, numbers)
        if num_distinct(self.reader, file, columns) < UNIQUE * file.num_rows:
            if self._repeats_itself(file, own, columns):
                describing.append(file)
                return None
            if any({*plain(c.name).split("_")} & _YEARS for c in file.columns):
                return "its rows are of years and months in columns: join them to a date in SQL"
            if self.placing.is_whole(own) and stock is not None:
                return self._by_lot(file, own, columns, stock)
            return f"several rows have the same {' and '.join(columns)}"
        if not self.placing.is_whole(own) or self._is_product_without_zeros(file, own):
            describing.append(self._without_stock(file, own, stock))
            return None
        if stock is not None:
            return self._stock_now(file, own, stock, describing)
        if "products" in self.tables:
            return "products are mapped from another file"
        self._tell_phases(file)
        key = self.placing.series_key(own)
        told = _attributes(file, {*own.there, own.series}, zeros=self._with_zeros(file))
        self.tables["products"] = {"from": file.name} | ({"unique_id": key} if key else {}) | {
            "columns": own.columns | {_apart(role, own.columns): e for role, e in told.items()}
        }  # fmt: skip
        self._tell_quantity(file, numbers)
        return None

    def _stock_now(
        self, file: FileFacts, own: Keys, stock: HeldStock, describing: list[FileFacts]
    ) -> str | None:
        """Map stock of today, and hand on what its file says of products besides."""
        if "position" in self.tables:
            return "position is mapped from another file"
        key = self.placing.series_key(own)
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
        taken = {*own.there, own.series, *stock.names}
        about = told_of_products(file, taken)
        left = [c.name for c in file.of_kind(NUMBER) if c.name not in taken and c not in about]
        if left:
            self.notes.append(
                f"not read of {file.name} ({file.path}): {shortened(left)}, since what is of today "
                "tells a model nothing; where one is a pack, a minimum or another term of "
                "ordering, write it under products (docs/your-data.md)"
            )
        if about:
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

    def _tell_phases(self, file: FileFacts) -> None:
        """Say which dates to come of a list of products are not read: some may end a product."""
        last = self.dates.max()
        ahead = [
            c.name
            for c in file.of_kind(DATE)
            if plain(c.name) not in _PHASES and (dates_in(self.reader, file, c) > last).any()
        ]
        if ahead:
            self.notes.append(
                f"not read of {file.name} ({file.path}): {', '.join(ahead)}, which reaches beyond "
                "the last sale; where a product ends then, write phase_out: "
                f"{named(ahead[0])} under products (the first day on which it is no longer sold), "
                "so that nothing is ordered that would be left over"
            )

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
        key = self.placing.series_key(own)
        self.tables["position"] = {"from": file.name} | ({"unique_id": key} if key else {}) | {
            "columns": {
                role: summed(number_entry(held[role])) | (
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

    def join(self, describing: list[FileFacts]) -> None:
        """Make products of the series sold, what the sales say of them, and files about them."""
        keys = [
            *self.keys.there,
            *([self.keys.series] if self.keys.series else []),
        ]
        cells = ", ".join(map(quote, keys))
        picks, joins = [], []
        columns: dict[str, Any] = dict(self.keys.columns)
        names = set(keys)
        describing = self._without_copies(describing)
        told_with_sales = self._told_with_sales(keys)
        for column in told_with_sales:
            cells += f", any_value({quote(column.name)}) AS {quote(column.name)}"
            names.add(column.name)
        told = _attributes(replace(self.sales, columns=tuple(told_with_sales)), {*keys})
        columns |= {_apart(role, columns): entry for role, entry in told.items()}
        for file in describing:
            self._tell_phases(file)
            matched = self._matched(self.placing.keys_of(file))
            about = quote(file.name)
            same = [self._same_key(file, theirs, ours, about) for theirs, ours in matched.items()]
            rows = f"{self.repeated[file.name]} AS {about}" if file.name in self.repeated else about
            joins.append(f"LEFT JOIN {rows} ON {' AND '.join(same)}")
            for column in [c for c in file.columns if c.name not in matched]:
                name = free_name(column.name, names, file)
                picks.append(f"{about}.{quote(column.name)} AS {quote(name)}")
            told = _attributes(file, {*matched}, names, zeros=self._with_zeros(file))
            columns |= {_apart(role, columns): entry for role, entry in told.items()}
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

    def _with_zeros(self, file: FileFacts) -> set[str]:
        """Return the columns of costs and sizes in which some cells are 0: there it is not known.

        Lists fill in 0 where nobody has said what a product costs; it would get no orders.
        """
        numbers = {c.name: c for c in file.of_kind(NUMBER)}
        roles = roles_of(list(numbers), PRODUCT_ROLES)
        above = [numbers[name] for name, role in roles.items() if role in _ABOVE_ZERO]
        if not above:
            return set()
        counts = ", ".join(
            f"count(*) FILTER ({c.style.sql(quote(c.name))} = 0) AS {quote(c.name)}" for c in above
        )
        [found] = self.reader.fetch(
            f"SELECT {counts} FROM {quote(file.name)}", file.name
        ).to_pylist()
        zeros = {name for name, n in found.items() if n}
        for name in sorted(zeros):
            self.notes.append(
                f"{name} of {file.name} is 0 in {found[name]:,} of {file.num_rows:,} rows: it is "
                "read there as not known"
            )
        return zeros

    def _without_copies(self, files: list[FileFacts]) -> list[FileFacts]:
        """Return files about products, of those with the same columns the one that knows most.

        The others are its copies of another day: items_export_old beside items_export.
        """
        kept: dict[tuple[str, ...], tuple[float, FileFacts]] = {}
        for file in files:
            columns = tuple(sorted(c.name.lower() for c in file.columns))
            [theirs, ours], *_ = self._matched(self.placing.keys_of(file)).items()
            score = self._num_known(file, theirs, ours)["bare"] - (0.5 if is_copy(file) else 0)
            other = kept.get(columns)
            if other is None or score > other[0]:
                kept[columns] = (score, file)
            if other is not None:
                used = kept[columns][1]
                left = other[1] if used is file else file
                self.placing.tell(
                    left, f"it has the columns of {used.name}, which knows as many products sold"
                )
        return [file for _, file in kept.values()]

    def _matched(self, own: Keys) -> dict[str, str]:
        """Return the column of the sales for each key of a file about products."""
        if own.series is not None and self.keys.series is not None:
            return {own.series: self.keys.series}
        return {key: self.keys.roles[role] for role, key in own.roles.items()}

    def _same_key(self, file: FileFacts, theirs: str, ours: str, about: str) -> str:
        """Return SQL of whether a row's key is that of a series sold."""
        their_key, own_key = f"{about}.{quote(theirs)}::VARCHAR", f"s.{quote(ours)}::VARCHAR"
        found = self._num_known(file, theirs, ours)
        self._tell_unknown(file, ours, found)
        if found["lost"]:
            return f"ltrim(trim({their_key}), '0') = ltrim(trim({own_key}), '0')"
        if found["trimmed"] > found["same"]:
            return f"trim({their_key}) = trim({own_key})"
        return f"{their_key} = {own_key}"

    def _told_with_sales(self, keys: list[str]) -> list[ColumnFacts]:
        """Return short texts and numbers of the sales that are the same in all rows of a series."""
        few = [
            c for c in (*self.sales.of_kind(TEXT), *self.sales.of_kind(NUMBER))
            if c.name not in keys and c.num_distinct > 1 and self._may_describe(c)
        ]  # fmt: skip
        counts = most_values(self.reader, self.sales, few, map(quote, keys))
        same = [c for c, most in zip(few, counts, strict=True) if most == 1]
        # A number of each series for itself is its row in a list.
        num_series = num_distinct(self.reader, self.sales, keys)
        return [c for c in same if c.kind == TEXT or c.num_distinct < num_series]

    def _may_describe(self, column: ColumnFacts) -> bool:
        """Return whether a column's name may be that of an attribute of products."""
        if column.kind == TEXT:
            return bool(column.values) and not re.search(_NO_ATTRIBUTE, plain(column.name))
        others = ("y", "price", "discount", "on_hand", "in_stock")
        is_taken = any(by_word([column.name], role) is not None for role in others)
        is_other = re.search(_NO_ATTRIBUTE, plain(column.name)) is not None
        return not (is_taken or is_other or is_of_calendar(column.name))

    def _is_product_without_zeros(self, file: FileFacts, own: Keys) -> bool:
        """Return whether a file is about the products sold, whose codes lost their zeros in it."""
        if own.series is not None or list(own.roles) != ["product"]:
            return False
        ours = self.keys.roles["product"]
        return self._num_known(file, own.there[0], ours)["lost"]

    def _tell_unknown(self, file: FileFacts, ours: str, found: dict[str, Any]) -> None:
        """Say how many keys sold a file knows as they are written, and how the others are found."""
        if found["same"] == found["n"]:
            return
        how = ""
        if found["lost"]:
            how = " (1 for 0001): the join is made without zeros before them"
        elif found["trimmed"] > found["same"]:
            how = f", and {found['trimmed']} without blanks around them: the join is made so"
        self.notes.append(
            f"{file.name} knows {found['same']} of {found['n']} {ours} as they are written in "
            f"{self.sales.name}{how}"
        )

    def _num_known(self, file: FileFacts, key: str, ours: str) -> dict[str, Any]:
        """Return how many keys sold a file knows as they are, and whether zeros are what lacks."""
        theirs = f'{quote(key)}::VARCHAR FROM "{file.name}"'
        bare = f"ltrim(trim({quote(key)}::VARCHAR), '0') FROM \"{file.name}\""
        trimmed = f'trim({quote(key)}::VARCHAR) FROM "{file.name}"'
        [found] = self.reader.fetch(
            f"SELECT count(*) AS n, count(*) FILTER (k IN (SELECT {theirs})) AS same, "
            f"count(*) FILTER (ltrim(trim(k), '0') IN (SELECT {bare})) AS bare, "
            f"count(*) FILTER (trim(k) IN (SELECT {trimmed})) AS trimmed, "
            f"count(DISTINCT ltrim(trim(k), '0')) AS told_apart "
            f'FROM (SELECT DISTINCT {quote(ours)}::VARCHAR AS k FROM "{self.sales.name}")',
            file.name,
        ).to_pylist()
        is_lost = found["same"] < _MATCHED * found["n"] <= found["bare"]
        return found | {"lost": is_lost and found["told_apart"] == found["n"]}


def is_copy(file: FileFacts) -> bool:
    """Return whether a file's name says that it is of an earlier day: old, backup, copy."""
    return re.search(_COPIES, plain(file.name)) is not None


def _apart(name: str, columns: dict[str, Any]) -> str:
    """Return a name that differs from those there in more than case: product_2 for Product."""
    others = {other.lower() for other in columns if other != name}
    return f"{name}_2" if name.lower() in others else name


def _describing(file: FileFacts, own: Keys, stock: HeldStock) -> FileFacts:
    """Return a file of stock without what is of today: its keys and what it says of products."""
    keys = {*own.there, own.series}
    kept = told_of_products(file, keys | stock.names)
    return replace(file, columns=(*(c for c in file.columns if c.name in keys), *kept))


def _attributes(
    file: FileFacts,
    taken: set[str | None],
    names: set[str] | None = None,
    zeros: set[str] | frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return a file's columns as attributes of products, numbers under the contract's names.

    Args:
        file: What it holds.
        taken: Columns that are no attributes.
        names: Of columns that a join has already; None where the file is read as it is.
        zeros: Columns in which 0 says that a number is not known.
    """
    numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in taken]
    roles = roles_of(numbers, PRODUCT_ROLES)
    found: dict[str, Any] = {}
    for column in [c for c in file.columns if c.name not in taken and c.num_distinct]:
        name = column.name if names is None else free_name(column.name, names, file)
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
        if column.name in zeros:
            found[role] = f"nullif({column.style.sql(quote(name))}, 0)"
            continue
        found[role] = attribute_entry(column, role, is_number=column.kind == NUMBER, name=name)
    return found
