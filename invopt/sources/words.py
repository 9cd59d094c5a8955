"""What names of files and columns usually mean, and how columns are written in a mapping."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from invopt.contracts import PRODUCT_NUMBERS
from invopt.sources.formats import DASHES, WEEKS
from invopt.sources.inspect import DATE, ColumnFacts, FileFacts
from invopt.sql import literal, quote

# Words in names of columns (English, German, French, Spanish, Italian, Portuguese, Dutch, Polish,
# Turkish, Danish and Swedish), most telling first; without accents and with _ between words.
_WORDS = {
    "product": (
        "sku", "stock_code", "stockcode", "item", "article_no", "artikelnummer", "artikelnr",
        "artikel_nr", "art_nr", "artnr", "materialnummer", "product", "produkt", "article",
        "artikel", "material", "produit", "producto", "articulo", "ean", "gtin", "barcode", "upc",
        "plu", "asin", "pzn", "ndc", "custom_label", "kod_towaru", "indeks", "towar", "produkt",
        "stok_kodu", "urun_kodu", "malzeme", "urun", "codice", "articolo", "prodotto", "codice_art",
        "produto", "artigo", "artikelcode", "varenummer", "varenr", "vare", "artikelkod",
        "tuotekoodi", "codigo", "referencia", "reference", "ref", "part_number", "part_no",
        "part", "isbn", "mpn", "teilenummer", "sachnummer", "art_no", "cod_art", "model", "zbozi",
        "sifra", "cikkszam", "matnr", "dish", "gericht", "dept", "department", "sortiment",
        "symbol",
    ),
    "location": (
        "store", "shop", "location", "warehouse", "plant", "site", "branch", "agency", "outlet",
        "werk", "werks", "filiale", "standort", "markt", "laden", "lagerort", "lager", "magasin",
        "boutique", "point_de_vente", "entrepot", "depot", "succursale", "usine", "tienda",
        "almacen", "sucursal", "planta", "bodega", "local", "negozio", "magazzino", "punto_vendita",
        "loja", "armazem", "filial", "filiaal", "winkel", "vestiging", "magazijn", "sklep",
        "magazyn", "oddzial", "magaza", "sube", "depo", "butik", "lagersted", "ward",
        "kostenstelle", "cost_center", "cost_centre", "deposito", "sede", "centro", "prodejna",
        "sklad", "raktar", "myymala",
    ),
    "y": (
        "quantity", "qty", "units_sold", "unit_sales", "sales_units", "sold", "units", "menge",
        "verkaufsmenge", "absatz", "anzahl", "stuckzahl", "stueckzahl", "stuck", "stueck",
        "quantite", "qte", "unites", "vendu", "ventes", "cantidad", "unidades", "vendidas",
        "vendido", "ventas", "sales", "verkaufe", "verkauf", "demand", "bedarf", "nachfrage",
        "demande", "demanda", "quantita", "venduto", "vendite", "quantidade", "qtd", "qtde",
        "vendas", "aantal", "hoeveelheid", "verkocht", "afzet", "ilosc", "liczba", "sprzedaz",
        "miktar", "adet", "satis", "antal", "maengde", "mangd", "qty_out", "out_qty",
        "quantity_out", "verbrauch", "consumption", "consumed", "issued", "dispensed",
        "usage", "consommation", "consumo", "verbruik", "zuzycie", "tuketim", "ausgang", "abgang",
        "salida", "salidas", "sortie", "sorties", "uscita", "uscite", "saida", "saidas",
        "rozchod", "cikis", "q_ta", "qta", "q_ty", "uds", "unid", "unids", "cant", "cdad", "ctd",
        "piezas", "pzas", "pezzi", "pz", "mge", "anz", "stk", "stuks", "szt", "sztuk", "mnozstvi",
        "mennyiseg", "kolicina", "maara", "kwmeng", "fkimg", "lfimg", "volume", "pieces",
        "pcs", "y", "target", "value", "wert", "valeur",
        "valor", "count", "amount", "umsatz", "revenue", "montant", "importe", "betrag",
    ),
    "price": (
        "unit_price", "sell_price", "selling_price", "einzelpreis", "verkaufspreis", "vk_preis",
        "stuckpreis", "stueckpreis", "prix_unitaire", "precio_unitario", "price", "preis", "prix",
        "precio", "pvp", "prezzo_unitario", "prezzo", "preco_unitario", "preco", "prijs",
        "cena_netto", "cena", "birim_fiyat", "fiyat", "pris",
    ),
    "discount": ("discount", "markdown", "rebate", "rabatt", "nachlass", "remise", "rabais",
                 "descuento", "sconto", "desconto", "korting", "rabat", "iskonto", "indirim"),
    "hours_out_of_stock": ("hours_out",),
    "in_stock": ("in_stock", "available", "verfugbar", "disponible", "disponibile",
                 "disponivel", "beschikbaar", "dostepne", "tilgaengelig"),
    "on_order": ("on_order", "in_transit", "ordered", "bestellt", "unterwegs", "en_commande",
                 "en_transito", "pendiente"),
    "backorders": ("backorder", "backorders", "back_order", "ruckstand", "rueckstand", "reliquat"),
    "reorder_point": ("reorder", "meldebestand", "point_de_commande", "punto_de_pedido"),
    "lead_time": ("lead_time", "leadtime", "lead", "lieferzeit", "wiederbeschaffungszeit", "delai",
                  "plazo", "wbz", "plifz", "planlieferzeit", "levertijd", "tempo_di_consegna",
                  "prazo_de_entrega", "czas_dostawy", "leveranstid", "leveringstid"),
    "on_hand": (
        "on_hand", "onhand", "end_inventory", "closing", "closing_stock", "stock", "inventory",
        "bestand", "lagerbestand", "frei_verwendbar", "unrestricted", "soh", "existencias",
        "inventario", "en_stock", "giacenza", "esistenza", "estoque", "voorraad", "stan_magazynowy",
        "stan", "labst", "stok", "stok_miktari", "lagersaldo", "beholdning",
    ),
    # Pieces of what a file's name says (a count of the stock) or of nothing that is known.
    "counted": (
        "quantity", "qty", "current_quantity", "units", "menge", "anzahl", "stuck", "stueck",
        "stuckzahl", "stueckzahl", "quantite", "qte", "unites", "cantidad", "unidades", "quantita",
        "quantidade", "qtd", "qtde", "aantal", "hoeveelheid", "ilosc", "liczba", "miktar", "adet",
        "antal", "pieces", "pcs", "stk", "szt", "count",
    ),
    "unit_cost": ("unit_cost", "purchase_price", "cost", "einkaufspreis", "ek_preis", "kosten",
                  "prix_achat", "cout", "coste", "costo", "precio_compra"),
    "list_price": ("list_price", "listenpreis", "price", "verkaufspreis", "vk_preis", "preis",
                   "prix", "precio", "uvp", "rrp", "pvp"),
    "shelf_life": ("shelf", "shelf_life", "haltbarkeit", "vida_util", "duree_de_vie"),
    "pack_size": ("pack", "pack_size", "case_size", "verpackungseinheit", "vpe", "colisage",
                  "conditionnement", "unidades_por_caja"),
    "min_order": ("min_order", "moq", "mindestbestellmenge", "mindestmenge", "pedido_minimo"),
    "date": (
        "invoice_date", "invoicedate", "budat", "fkdat", "bldat", "audat", "order_date",
        "sale_date", "sales_date", "transaction", "posting", "buchungsdatum", "belegdatum",
        "verkaufsdatum", "date_vente", "fecha_venta",
        "sold_at", "date", "datum", "fecha", "day", "tag", "jour", "dia", "ds", "timestamp",
        "week", "woche", "kw", "semaine", "semana", "month", "monat", "mois", "mes", "period",
        "periode", "periodo", "data_sprzedazy", "data_vendita", "data_da_venda", "data_documento",
        "data", "giorno", "tarih", "satis_tarihi", "dato", "maand", "tydzien", "miesiac", "hafta",
        "ay", "settimana", "quarter", "quartal", "trimestre", "kwartal", "zeit", "time",
        "created_at",
    ),
}  # fmt: skip
# Words that say a column is something else than what the others promise.
_NOT = {
    "product": {"category", "kategorie", "categorie", "categoria", "type", "typ", "group",
                "gruppe", "groupe", "grupo", "warengruppe", "family", "familie", "familia",
                "class", "brand", "marke", "marque", "marca", "price", "preis", "prix", "precio",
                "cost", "count", "status", "weight", "size", "subcategory", "line", "life", "qty",
                "quantity", "currency", "manager",
                "prezzo", "preco", "prijs", "cena", "fiyat", "pris", "grupa",
                "grup", "groep", "gruppo"},
    "location": {"type", "typ", "size", "area", "name_id", "price", "count", "manager", "ref",
                 "no_show"},
    "y": {"price", "preis", "prix", "precio", "cost", "kosten", "cout", "tax", "steuer",
          "discount", "rabatt", "remise", "descuento", "stock", "inventory", "bestand", "forecast",
          "prognose", "prevision", "pronostico", "hand", "id", "min", "max", "safety", "returned",
          "customer", "kunde", "client", "cliente", "competitor", "market", "pack", "prezzo",
          "preco", "prijs", "cena", "fiyat", "pris", "kod", "kodu", "vorjahr", "vj", "previous",
          "prior", "ly", "py", "anterior", "precedent", "precedente", "vorig", "poprzedni",
          "onceki", "saldo", "remaining", "open"},
    "price": {"competitor", "purchase", "cost", "list", "wettbewerb", "concurrent", "competidor",
              "total", "achat", "compra", "einkauf", "unit_cost", "ext", "extended"},
    "discount": {"type", "code", "reason", "id"},
    "on_hand": {"code", "id", "out", "days", "value", "wert", "valeur", "valor"},
    "in_stock": {"unavailable", "since", "from", "until", "date", "days", "ab", "code", "id"},
    "counted": {"pack", "case", "box", "reserved", "incoming", "committed", "sold", "ordered",
                "order", "min", "max", "reorder", "minimum", "maximum", "target", "price", "cost",
                "value", "per", "je", "par", "id", "code", "discount", "forecast"},
    "date": {"due", "ship", "shipping", "shipped", "delivery", "deliver", "liefer", "lieferdatum",
             "lieferung", "livraison", "entrega", "expiry", "expiration", "ablauf", "birth",
             "updated", "load", "modified", "valid", "until", "cancelled", "canceled", "deleted",
             "storno", "loaded", "printed"},
}  # fmt: skip
NAMES = {"name", "description", "desc", "title", "label", "bezeichnung", "beschreibung", "text",
          "libelle", "designation", "descripcion", "nombre"}  # fmt: skip
# What is never 0: a bare dash there is no number.
_NEVER_ZERO = ("price", "unit_cost", "list_price", "lead_time", "shelf_life", "pack_size")
MONEY = {"amount", "umsatz", "revenue", "montant", "importe", "betrag", "turnover", "wert",
         "valeur", "valor"}  # fmt: skip
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
# Letters that are none of ASCII's with a sign.
_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ı": "i", "ø": "o", "Ø": "O", "æ": "ae",
                          "Æ": "Ae", "đ": "d", "œ": "oe"})  # fmt: skip
_SERIES = ("unique_id", "series", "series_id", "item_store", "store_item", "ts_id")
_MEASURES = r"size|weight|area|height|width|length|volume|age\b|capacity|floor|price|cost"
_OF_LINES = (
    r"^(line|order|sales?|invoice)_items?_(?=.)"  # whose columns they are, not what they are
)
_COMPOUND = 5  # letters from which on a word may stand inside another (Verkaufsmenge)


def plain(name: str) -> str:
    """Return a name in small letters without accents, _ between its words (StockCode, Prix HT)."""
    spelled = name.translate(_LETTERS)
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", spelled)
    letters = unicodedata.normalize("NFKD", parts).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", letters.lower()).strip("_")


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
        names = [c.name for c in file.columns if c.kind != DATE and not c.has_fraction]
        product, location = asked.of("product", names), asked.of("location", names)
        others = [n for n in names if n not in (product, location)]
        series = next((n for n in others if plain(n) in _SERIES), None)
        if product and series:
            series = None
        others = [n for n in others if n != series]
        location = location or by_word(others, "location")
        product = product or by_word([n for n in others if n != location], "product")
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


def by_word(names: list[str], role: str) -> str | None:
    """Return the name that most likely plays a role."""
    return next(iter(all_by_word(names, role)), None)


def all_by_word(names: list[str], role: str) -> list[str]:
    """Return the names that may play a role, most likely first.

    A whole name says more than a word of it, and that more than a part of a word.
    """
    scored = []
    for place, name in enumerate(names):
        found = _score(plain(name), role)
        if found is not None:
            scored.append((*found, place, name))
    return [name for *_, name in sorted(scored)]


def _score(name: str, role: str) -> tuple[int, int, int] | None:
    name = re.sub(_OF_LINES, "", name)
    words = set(name.split("_"))
    if words & _NOT.get(role, set()) and name not in _WORDS[role]:
        return None
    is_label = int(
        role in ("product", "location") and bool(words & NAMES) and name not in _WORDS[role]
    )
    padded = f"_{name}_"
    ways: tuple[Callable[[str], bool], ...] = (
        lambda word: word == name,
        lambda word: f"_{word}_" in padded,
        lambda word: len(word) >= _COMPOUND and word in name,
    )
    for kind, fits in enumerate(ways):
        found = [n for n, word in enumerate(_WORDS[role]) if fits(word)]
        if found:
            return is_label, kind if kind == 2 else 0, found[0]
    return None


def roles_of(names: list[str], roles: tuple[str, ...]) -> dict[str, str]:
    """Return the role of each name, or its own name; each role is given once."""
    left = dict.fromkeys(roles)
    found = {}
    for name in names:
        limits = re.search(r"safety|min_|max_|target|sicherheit|mindest", plain(name)) is not None
        role = next((r for r in left if by_word([name], r) and not (limits and r == "on_hand")), "")
        left.pop(role, None)
        found[name] = role or name
    return found


def domain_of(file: FileFacts) -> str:
    """Return the domain that a file's name and columns speak of first."""
    text = f"{plain(file.name)} {' '.join(plain(c.name) for c in file.columns)}"
    found = {d: [text.find(w) for w in words if w in text] for d, words in _DOMAINS.items()}
    placed = {domain: min(at) for domain, at in found.items() if at}
    return min(placed, key=lambda d: placed[d]) if placed else "external"


def ends_week(column: str) -> bool:
    """Return whether a date's name says that it is the last day of its week."""
    words = r"week_?end|w_?e_date|wochenend|woche_bis|semaine_fin|fin_(de_)?semai?na|fin_semaine"
    return re.search(words, plain(column)) is not None


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
