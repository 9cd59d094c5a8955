"""What names of files and columns usually mean, and how columns are written in a mapping."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from invopt.contracts import PRODUCT_NUMBERS
from invopt.sources.facts import DATE, ColumnFacts, FileFacts
from invopt.sources.formats import DASHES, WEEKS
from invopt.sources.vocabulary import (
    DOCUMENTS,
    all_by_word,
    by_word,
    has_label,
    is_label,
    is_ruled_out,
    plain,
)
from invopt.sql import literal, quote

# What is never 0: a bare dash there is no number.
_NEVER_ZERO = ("price", "unit_cost", "list_price", "lead_time", "shelf_life", "pack_size")
STOCK_ROLES = ("hours_out_of_stock", "in_stock", "on_order", "reorder_point", "lead_time",
               "on_hand")  # fmt: skip
POSITION_ROLES = ("on_order", "backorders", "lead_time", "on_hand")
PRODUCT_ROLES = ("unit_cost", "list_price", "shelf_life", "pack_size", "min_order", "lead_time")
WIDE_ROLES = ("in_stock", "hours_out_of_stock", "price", "discount", "on_hand")
_DOMAINS = {
    "stock": ("stock", "inventory", "on_hand", "warehouse", "bestand", "lager", "existencias",
              "inventario"),
    "promotions": ("promo", "campaign", "markdown", "offer", "discount", "aktion", "kampagne",
                   "rabatt", "werbung", "oferta", "campana"),
    "customers": ("customer", "visit", "loyalty", "segment", "kunde", "client"),
    "market": ("market", "competitor", "price", "industry", "preis", "prix", "precio",
               "wettbewerb", "concurren", "competid"),
}  # fmt: skip
# In names of files of sales.
SALES = r"sale|sell_?out|sold|order|invoice|line|demand|train|verkauf|absatz|umsatz|bon|kasse"
SALES += r"|journal|till|pos\b|rechnung|beleg|vente|facture|ticket|(?<!in)venta|factura|pedido"
SALES += r"|transaction|receipt|hist"
# In names of files of what was bought.
PURCHASES = r"purchas|goods_receipt|(^|_)grn(_|$)|einkauf|wareneingang|compra|achat|acquist|inkoop"
PURCHASES += r"|zakup|satin_al|indkob|inkop|procure|received|inward|inbound"
# In names of files of what is held, and of people.
NO_SALES = r"inventar|inventory|stock|on_hand|bestand|existencias|estoque|giacenz|voorraad"
NO_SALES += r"|lagersald|customer|kunden|client|supplier|lieferant|proveedor|fournisseur"
NO_SALES += r"|production|manufactur|work_order|fertigung|produktion|produccion|producao"
NO_SALES += r"|expense|expenditure|shopping_list|ausgaben|gastos|depenses|(^|_)spese|despesas"
_SERIES = ("unique_id", "series", "series_id", "item_store", "store_item", "ts_id")
_ITEMS = ("item", "artikel", "article", "articulo", "artículo")
_NUMBERS = ("no", "nr", "number", "nummer", "num", "code")
# What may have a number besides products, in names of columns.
NO_PRODUCT = DOCUMENTS | {
    "customer", "kunde", "client", "cliente", "buyer", "customers", "kunden", "clients", "clientes",
    "clienti", "klant", "klanten", "klient", "klienci", "kund", "kunder", "musteri", "mitglied",
    "member", "user", "household",
    "person", "staff", "employee", "cashier", "seller", "merchant", "vendor", "supplier",
    "lieferant", "account", "session", "device", "terminal", "register", "machine", "payment",
    "shipment", "shipping", "delivery", "carrier", "campaign", "promotion", "promo", "coupon",
    "discount", "tax", "currency", "country", "region", "city", "state", "area", "address",
    "zip", "postal", "category", "subcategory", "brand", "status", "event", "row", "line",
    "detail", "details", "record", "entry", "index", "parent", "review", "batch", "lot",
    "serial", "tracking", "contract", "project", "department", "team", "day", "week", "month",
    "year", "date", "period", "time", "company", "tenant", "channel", "recipe", "segment",
    "group", "type", "class", "unit", "tag", "image", "warranty", "claim", "return", "refund",
    "fulfillment", "external", "unique", "store", "shop", "location", "warehouse", "site",
    "branch", "filiale", "market", "loyalty", "card", "sale", "sales", "venta", "vente", "verkauf",
    "vendita", "venda", "purchase", "reservation", "booking", "deal", "lead",
}  # fmt: skip
# Words of columns that lists of goods have, and lists of people or payments have not.
_OF_GOODS = {"pack", "packing", "packaging", "batch", "mrp", "expiry", "exp", "hsn", "uom", "ean",
             "barcode", "upc"}  # fmt: skip
_CODE = r"(^|_)(cod|code|codigo|codice|kod|kodu|sku|no|nr|number|nummer)(_|$)"
_REFERENCES = {"reference", "references", "referencia", "ref", "referenz", "riferimento"}
_OTHER_DOCUMENTS = {"booking", "payment", "customer", "delivery", "shipment", "sale", "refund"}
_LINE_NUMBER = r"(item|line|position|pos)_(no|nr|number|num|id)"
_LINE_NUMBER += r"|(con|consecutivo|seq|sequence|lfd|renglon|num|nro)_(item|linea|pos)"
_PART_OF_PLACE = r"storage|lagerort|(^|_)bin(_|$)|lgort|shelf|(^|_)zone(_|$)|geo_?location"
_LIMITS = r"safety|(^|_)min(imum|imo|ima)?(_|$)|(^|_)max(imum|imo|ima)?(_|$)|target|sicherheit"
_LIMITS += r"|mindest|hochst|seguridad|securite|sicurezza|seguranca|minimo|minimum|ideal"
_LIMITS += r"|restock|reorder|replenish|threshold|(^|_)par(_|$)"
_TOLD = 8  # names that a note lists
_OF_LINES = 0.9  # share of the rows from which on the values of a column are of lines, not products
_MEASURES = r"size|weight|area|height|width|length|volume|age\b|capacity|floor|price|cost"
_MEASURES += r"|population|inhabitant|income|household|distance|einwohner|einkommen|flache|flaeche"


@dataclass(frozen=True)
class SpokenNames:
    """Columns of the sales that a person named; None where the names decide."""

    product: str | None = None
    location: str | None = None
    date: str | None = None
    quantity: str | None = None

    @property
    def named(self) -> dict[str, str]:
        """Column by option."""
        return {option: column for option, column in vars(self).items() if column is not None}

    def of(self, option: str, names: Iterable[str]) -> str | None:
        """Return the column that was named for an option, where it is among the names."""
        wanted = getattr(self, option)
        return next((n for n in names if wanted and n.lower() == wanted.lower()), None)


@dataclass(frozen=True)
class Keys:
    """Columns that name a row's series: its product and place, or the series itself."""

    product: str | None
    location: str | None
    series: str | None

    @classmethod
    def of(cls, file: FileFacts, asked: SpokenNames | None = None) -> "Keys":
        """Return the keys of a file by the names of its columns."""
        asked = asked or SpokenNames()
        names = [
            c.name
            for c in file.columns
            if c.kind != DATE and (not c.has_fraction or _is_code_with_dot(c))
        ]
        product, location = asked.of("product", names), asked.of("location", names)
        others = [n for n in names if n not in (product, location)]
        series = next((n for n in others if plain(n) in _SERIES), None)
        if product and series:
            series = None
        others = [n for n in others if n != series]
        location = location or _place_among(others, file)
        product = product or _product_among([n for n in others if n != location], file)
        return cls(product, location, series)

    @property
    def roles(self) -> dict[str, str]:
        """Column by what it names, product first."""
        both = {"product": self.product, "location": self.location}
        return {role: name for role, name in both.items() if name is not None}

    @property
    def there(self) -> list[str]:
        """The columns of product and place."""
        return list(self.roles.values())

    @property
    def columns(self) -> dict[str, str]:
        """The keys as columns of products."""
        return {role: named(name) for role, name in self.roles.items()}

    @property
    def expression(self) -> str:
        """The name of a series."""
        return named(self.series) if self.series else " || '_' || ".join(map(named, self.there))


def _is_code_with_dot(column: ColumnFacts) -> bool:
    """Return whether a number with a fraction is a product's code by its name: 10.0001."""
    is_code = re.search(_CODE, plain(column.name)) is not None
    return is_code and column.is_text and by_word([column.name], "product") is not None


def _place_among(names: list[str], file: FileFacts) -> str | None:
    """Return the column of places: of those that may be, one that tells places apart.

    A part of a plant (a storage location, a bin) has its name within the plant only.
    """
    different = {c.name: c.num_distinct for c in file.columns}
    found = all_by_word(names, "location")
    found = [n for n in found if not re.search(_PART_OF_PLACE, plain(n))] or found
    return next((name for name in found if different[name] > 1), next(iter(found), None))


def _product_among(names: list[str], file: FileFacts) -> str | None:
    """Return the column of products: of those that may be, one that tells products apart.

    A number that each row has for itself names a line (Item Selection Id). An ERP's "No." names a
    product where a type beside it says Item.
    """
    different = {c.name: c.num_distinct for c in file.columns}
    names = [n for n in names if not _refers_to_document(n)]
    found = _after_numbers_of_lines(all_by_word(names, "product"), different)
    if found:
        apart = [name for name in found if different[name] > 1]
        shared = [name for name in apart if different[name] < _OF_LINES * file.num_rows]
        alone = [name for name in found if different[name] == 1 and file.of_kind(DATE)]
        return next(iter([*shared, *alone, *apart, *found]))
    if any(value.strip().lower() in _ITEMS for c in file.columns for value in c.values):
        return next((name for name in names if plain(name) in _NUMBERS), None)
    return _only_numbered(names, file) or _coded_good(names, file)


def _refers_to_document(name: str) -> bool:
    """Return whether a name is that of a document's reference: Booking Reference, Payment ref."""
    words = {*plain(name).split("_")}
    return bool(words & _REFERENCES) and bool(words & (DOCUMENTS | _OTHER_DOCUMENTS))


def _coded_good(names: list[str], file: FileFacts) -> str | None:
    """Return the first code, else name, of a list that has what only goods have: Packing, MRP.

    A code beside a name is the key, too, where periods are columns.
    """
    words = {word for column in file.columns for word in plain(column.name).split("_")}
    codes = [n for n in names if plain(n) in ("code", "cod", "kod", "codigo")]
    labels = [n for n in names if is_label(n)]
    if not words & _OF_GOODS and not (file.periods and codes and labels):
        return None
    return next(iter([*codes, *labels]), None)


def _after_numbers_of_lines(names: list[str], different: dict[str, int]) -> list[str]:
    """Return columns of products, Item Number last where another one tells more apart.

    The number of a line in its order is called so: 10, 20, 30.
    """
    lines = [n for n in names if re.fullmatch(_LINE_NUMBER, plain(n))]
    codes = [n for n in names if n not in lines and not has_label(n)]
    if any(different[line] < different[code] for line in lines for code in codes):
        return [*(n for n in names if n not in lines), *lines]
    return names


def _only_numbered(names: list[str], file: FileFacts) -> str | None:
    """Return the only column of ids of something that is sold by nobody else's word: pizza_id."""
    different = {c.name: c.num_distinct for c in file.columns}
    found = []
    for name in names:
        *stem, last = plain(name).split("_")
        if last == "id" and stem and not NO_PRODUCT & {*stem} and not is_ruled_out(name, "product"):
            found.append(name)
    return found[0] if len(found) == 1 and different[found[0]] > 1 else None


def roles_of(names: list[str], roles: tuple[str, ...]) -> dict[str, str]:
    """Return the role of each name, or its own name; each role is given once."""
    left = dict.fromkeys(roles)
    found = {}
    for name in names:
        fits = (r for r in left if by_word([name], r) and not (r == "on_hand" and is_limit(name)))
        role = next(fits, "")
        left.pop(role, None)
        found[name] = role or name
    return found


def is_limit(column: str) -> bool:
    """Return whether a column's name says what stock should be, and not what it is: min_stock."""
    return re.search(_LIMITS, plain(column)) is not None


def column_called(file: FileFacts, name: str) -> str | None:
    """Return the column of a file with a name, however it is written: Product ID, product_id."""
    return next((c.name for c in file.columns if plain(c.name) == plain(name)), None)


def is_called(words: str, file: FileFacts) -> bool:
    """Return whether a file's or its sheet's own name, not a table's that was made, has words."""
    return re.search(words, plain(f"{file.path} {file.sheet or ''}")) is not None


def is_told_as_sales(file: FileFacts) -> bool:
    """Return whether a file's name says that it holds sales, and nothing bought or held."""
    return is_called(SALES, file) and not is_called(rf"{PURCHASES}|{NO_SALES}", file)


def domain_of(file: FileFacts) -> str:
    """Return the domain that a file's name and columns speak of first."""
    text = f"{plain(file.name)} {' '.join(plain(c.name) for c in file.columns)}"
    found = {d: [text.find(w) for w in words if w in text] for d, words in _DOMAINS.items()}
    placed = {domain: min(at) for domain, at in found.items() if at}
    return min(placed, key=lambda d: placed[d]) if placed else "external"


def domain_of_name(column: str) -> str:
    """Return the domain that a column's name speaks of."""
    name = plain(column)
    domains = ("promotions", "customers", "market")
    return next((d for d in domains if any(w in name for w in _DOMAINS[d])), "external")


def ends_week(column: str) -> bool:
    """Return whether a date's name says that it is the last day of its week."""
    words = r"week_?end|w_?e_date|wochenend|woche_bis|semaine_fin|fin_(de_)?semai?na|fin_semaine"
    return re.search(words, plain(column)) is not None


def shortened(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def named(column: str) -> str:
    """Return a column as an expression: its name, quoted where it is not one word."""
    return column if re.fullmatch(r"[A-Za-z_]\w*", column) else quote(column)


def number_entry(column: ColumnFacts, name: str | None = None) -> Any:
    """Return the entry of a number, in a column of another name where a join gave it one.

    A bare dash is a count of none, and a price, a term or a size that is not known.
    """
    expr = named(name or column.name)
    if column.style.dashes:
        listed = ", ".join(map(literal, DASHES))
        nothing = "NULL" if dash_is_unknown(column.name) else "'0'"
        expr = f"CASE WHEN trim({expr}) IN ({listed}) THEN {nothing} ELSE {expr} END"
    return {"expr": expr, **column.style.declared} if column.style.declared else expr


def counts_thousands(column: str) -> bool:
    """Return whether a column's name says that its numbers are thousands: Units (000s)."""
    words = r"[\[( ]'?0?00'?s?[\])]|[(\[ ](in )?(tsd|thousands?|th|miles|milliers|migliaia|tys)\b"
    return re.search(words, column.lower()) is not None


def dash_is_unknown(column: str) -> bool:
    """Return whether a column is of what is never 0: a price, a lead time, a pack."""
    return any(by_word([column], role) is not None for role in _NEVER_ZERO)


def attribute_entry(column: ColumnFacts, role: str, *, is_number: bool, name: str) -> Any:
    """Return an attribute of products: a number where it measures something, else a category.

    Args:
        column: As in the file.
        role: Name of the attribute.
        is_number: Whether it holds numbers.
        name: Of the column where it is read.
    """
    measures = column.has_fraction or re.search(_MEASURES, plain(column.name)) is not None
    if not is_number:
        return named(name)
    if role in PRODUCT_NUMBERS:
        return number_entry(column, name)
    if measures:
        return {"expr": named(name), **column.style.declared, "type": "number"}
    return named(name)


def date_entry(date: ColumnFacts) -> Any:
    """Return the expression of a date."""
    if date.expr is not None:
        return date.expr
    expr = named(date.name)
    if date.format is not None and date.format not in WEEKS:
        return {"expr": expr, "format": date.format}
    return {"expr": expr, "to_timezone": "UTC"} if date.has_zone else expr
