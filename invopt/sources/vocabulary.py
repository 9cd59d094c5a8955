"""Words of eleven languages that names of columns are made of, and how a name is read."""

import re
import unicodedata
from collections.abc import Callable

from invopt.sources import scripts

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
        "symbol", "sdlitm", "barkod", "cip", "cip13", "cip7", "vmp", "snomed", "drug", "medicament",
        "produs", "style", "style_no", "style_code", "model_no", "itmref", "sygnatura", "segment1",
        "c_n", "beer", "bier", "biere",
        "cod_produs", "barang", "kode_barang", "kode_produk", "ma_hang", "ma_san_pham", "san_pham",
        "produk", "cod_prod", "codprod", "cod_item",
        "coditem", "codart", "artikl", "proizvod", "izdelek", "tovar", "tuotenumero", "tuote",
    ),
    "location": (
        "store", "shop", "location", "warehouse", "plant", "site", "branch", "agency", "outlet",
        "werk", "werks", "filiale", "standort", "markt", "laden", "lagerort", "lager", "magasin",
        "boutique", "point_de_vente", "entrepot", "depot", "succursale", "usine", "tienda",
        "almacen", "sucursal", "planta", "bodega", "local", "negozio", "magazzino", "punto_vendita",
        "loja", "armazem", "filial", "filiaal", "winkel", "vestiging", "magazijn", "sklep",
        "magazyn", "oddzial", "magaza", "sube", "depo", "butik", "lagersted", "ward",
        "kostenstelle", "organization_code", "org_code", "godown",
        "cost_center", "cost_centre", "deposito", "sede", "centro", "prodejna",
        "sklad", "raktar", "myymala", "whse", "whs", "werk_nr", "storeroom", "lgort", "sdmcu",
        "stofcy", "cod_estabel", "estabelecimento",
        "markets", "geography", "fil", "bolt", "toko", "cabang", "gerai", "gudang", "cua_hang",
        "chi_nhanh", "kho", "prodavaonica", "poslovnica", "trgovina", "predajna", "magazin",
        "toimipaikka", "ambar", "tankstelle", "station",
    ),
    "y": (
        "quantity", "qty", "units_sold", "unit_sales", "sales_units", "sold", "units", "menge",
        "verkaufsmenge", "absatz", "anzahl", "stuckzahl", "stueckzahl", "stuck", "stueck",
        "quantite", "qte", "unites", "vendu", "ventes", "cantidad", "unidades", "vendidas",
        "vendido", "ventas", "sales", "verkaufe", "verkauf", "demand", "bedarf", "nachfrage",
        "demande", "demanda", "quantita", "venduto", "vendite", "quantidade", "qtd", "qtde",
        "vendas", "aantal", "hoeveelheid", "verkocht", "afzet", "ilosc", "liczba", "sprzedaz",
        "miktar", "adet", "satis", "antal", "maengde", "mangd", "qty_out", "out_qty", "qt", "quant",
        "quantity_out", "verbrauch", "consumption", "consumed", "issued", "dispensed",
        "usage", "consommation", "consumo", "verbruik", "zuzycie", "tuketim", "ausgang", "abgang",
        "salida", "salidas", "sortie", "sorties", "uscita", "uscite", "saida", "saidas",
        "rozchod", "cikis", "q_ta", "qta", "q_ty", "uds", "unid", "unids", "cant", "cdad", "ctd",
        "piezas", "pzas", "pezzi", "pz", "mge", "anz", "stk", "stuks", "szt", "sztuk", "mnozstvi",
        "mennyiseg", "kolicina", "maara", "kwmeng", "fkimg", "lfimg", "volume", "pieces",
        "cantitate", "vandut", "jumlah", "kuantitas", "terjual", "so_luong", "mnozstvo",
        "prodano", "predane", "eladott", "pcs", "purchased", "outwards", "sdsoqs", "item_cnt_day",
        "qt_faturada", "faturado", "faturada", "qt", "liter", "litre", "litres", "liters", "litri",
        "litros", "gallons", "cases", "bottles", "flaschen", "kisten",
        "cnt", "boxes", "crates", "trays", "y", "target", "value",
        "wert", "valeur",
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
    "reorder_point": ("reorder", "restock", "meldebestand", "point_de_commande", "punto_de_pedido"),
    "lead_time": ("lead_time", "leadtime", "lead", "lieferzeit", "wiederbeschaffungszeit", "delai",
                  "plazo", "wbz", "plifz", "planlieferzeit", "levertijd", "tempo_di_consegna",
                  "prazo_de_entrega", "czas_dostawy", "leveranstid", "leveringstid",
                  "delivery_time", "lieferfrist", "lieferdauer", "replenishment_time",
                  "procurement_time", "transit_time"),
    "on_hand": (
        "on_hand", "onhand", "end_inventory", "closing", "closing_stock", "stock", "inventory",
        "bestand", "lagerbestand", "frei_verwendbar", "fulfillable", "unrestricted", "soh",
        "existencias",
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
                  "prix_achat", "cout", "coste", "costo", "precio_compra", "einstandspreis",
                  "bezugspreis", "buying_price", "landed_cost", "prix_d_achat", "prix_de_revient",
                  "precio_de_compra", "preco_de_compra", "preco_de_custo", "custo", "custo_medio",
                  "prezzo_di_acquisto", "prezzo_d_acquisto", "prezzo_acquisto", "inkoopprijs",
                  "kostprijs", "cena_zakupu", "alis_fiyati", "maliyet", "inkopspris",
                  "indkobspris", "innkjopspris", "kostpris", "ostohinta"),
    "list_price": ("list_price", "listenpreis", "price", "verkaufspreis", "vk_preis", "preis",
                   "prix", "precio", "uvp", "rrp", "pvp"),
    "shelf_life": ("shelf", "shelf_life", "haltbarkeit", "vida_util", "duree_de_vie"),
    "pack_size": ("pack", "pack_size", "case_size", "verpackungseinheit", "vpe", "colisage",
                  "conditionnement", "unidades_por_caja", "per_case", "btl_case", "je_kiste",
                  "order_multiple", "multiple_of", "carton_size", "carton_qty", "carton_quantity",
                  "per_carton", "pcs_carton", "box_size", "per_box", "per_pack", "tray_size",
                  "per_tray", "lot_size", "bundle_size", "packgrosse", "gebindegrosse", "losgrosse",
                  "kartongrosse", "kartoninhalt", "blechgrosse", "je_karton", "pro_karton",
                  "unites_par_carton", "par_carton", "por_caja", "carton", "karton"),
    "min_order": ("min_order", "moq", "mindestbestellmenge", "mindestmenge", "pedido_minimo",
                  "minimum_order", "minimum_order_qty", "minimum_order_quantity",
                  "minimum_quantity", "minimum_qty", "mindestabnahme", "quantite_minimum",
                  "quantite_minimale", "cantidad_minima", "minimo_de_pedido"),
    "date": (
        "invoice_date", "invoicedate", "budat", "fkdat", "bldat", "audat", "order_date",
        "sale_date", "sales_date", "transaction", "posting", "buchungsdatum", "belegdatum",
        "verkaufsdatum", "date_vente", "fecha_venta",
        "sold_at", "date", "datum", "fecha", "day", "tag", "jour", "dia", "ds", "timestamp",
        "week", "woche", "kw", "semaine", "semana", "month", "monat", "mois", "mes", "period",
        "periode", "periodo", "data_sprzedazy", "data_vendita", "data_da_venda", "data_documento",
        "data", "giorno", "tarih", "satis_tarihi", "dato", "maand", "tydzien", "miesiac", "hafta",
        "ay", "settimana", "quarter", "quartal", "trimestre", "kwartal", "zeit", "time",
        "created_at", "tanggal", "ngay", "paivamaara", "pvm", "kuupaev", "datums",
    ),
}  # fmt: skip
# Words of prices that are paid, not asked.
_BOUGHT = {"purchase", "buying", "cost", "landed", "achat", "revient", "compra", "custo", "costo",
           "acquisto", "zakupu", "alis", "einkauf", "einkaufspreis", "ek", "einstandspreis",
           "bezugspreis", "inkoopprijs", "kostprijs", "inkopspris", "indkobspris", "innkjopspris",
           "kostpris", "ostohinta"}  # fmt: skip
# Words that say a column is something else than what the others promise.
_NOT = {
    "product": {"category", "kategorie", "categorie", "categoria", "type", "typ", "group",
                "gruppe", "groupe", "grupo", "warengruppe", "family", "familie", "familia",
                "class", "brand", "marke", "marque", "marca", "price", "preis", "prix", "precio",
                "cost", "count", "status", "weight", "size", "subcategory", "line", "life", "qty",
                "quantity", "currency", "manager", "parent", "production",
                "prezzo", "preco", "prijs", "cena", "fiyat", "pris", "grupa",
                "grup", "groep", "gruppo"},
    "location": {"type", "typ", "size", "area", "name_id", "price", "count", "manager", "ref",
                 "no_show"},
    "y": {"price", "preis", "prix", "precio", "cost", "kosten", "cout", "tax", "steuer",
          "discount", "discounts", "rabatt", "remise", "descuento", "stock", "inventory",
          "bestand", "forecast", "prognose", "prevision", "pronostico", "hand", "id", "min",
          "max", "safety", "returned",
          "customer", "kunde", "client", "cliente", "competitor", "market", "pack", "prezzo",
          "preco", "prijs", "cena", "fiyat", "pris", "kod", "kodu", "vorjahr", "vj", "previous",
          "prior", "ly", "py", "anterior", "precedent", "precedente", "vorig", "poprzedni",
          "onceki", "saldo", "remaining", "open", "balance", "received", "inwards", "inbound",
          "freight", "shipping", "fracht", "porto", "fee", "cancelled", "canceled",
          "refunded", "backordered", "backorder", "lost", "missed", "entgangen", "perdu",
          "perdues", "perdidas", "budget", "budgeted", "plan", "planned", "geplant", "soll",
          "presupuesto", "previsto", "objetivo", "prevu", "qualifier", "code", "executive", "agent",
          "manager", "rep", "team", "office", "district", "unitario", "unitaria", "unitaire",
          "einzel"},
    "price": {"competitor", "list", "wettbewerb", "concurrent", "competidor", "total", "unit_cost",
              "ext", "extended", *_BOUGHT},
    "list_price": _BOUGHT,
    "discount": {"type", "code", "reason", "id"},
    "pack_size": {"price", "preis", "prix", "precio", "cost", "kosten", "weight", "gewicht", "kg",
                  "volume", "volumen", "height", "width", "length", "depth", "id", "code",
                  "barcode", "ean", "gtin", "type", "typ", "date", "stock", "bestand",
                  "pallet", "palette"},
    "min_order": {"value", "wert", "valeur", "valor", "amount", "betrag", "montant", "importe",
                  "price", "cost", "date", "days"},
    "on_hand": {"code", "id", "out", "days", "value", "wert", "valeur", "valor", "allocated",
                "reserved", "committed", "blocked", "damaged", "expired", "quarantine", "defective",
                "gesperrt", "reserviert", "reservado", "bloqueado", "comprometido", "danado",
                "reserve", "bloque"},
    "on_order": {"revenue", "sales", "amount", "umsatz"},
    "in_stock": {"unavailable", "since", "from", "until", "date", "days", "ab", "code", "id"},
    "counted": {"pack", "case", "box", "reserved", "incoming", "committed", "sold", "ordered",
                "order", "min", "max", "reorder", "minimum", "maximum", "target", "price", "cost",
                "value", "per", "je", "par", "id", "code", "discount", "forecast"},
    "date": {"due", "ship", "shipping", "shipped", "delivery", "deliver", "liefer", "lieferdatum",
             "lieferung", "livraison", "entrega", "expiry", "expiration", "ablauf", "birth",
             "updated", "load", "modified", "valid", "until", "cancelled", "canceled", "deleted",
             "storno", "loaded", "printed"},
}  # fmt: skip
_NAMES = {"name", "description", "desc", "title", "label", "bezeichnung", "beschreibung", "text",
          "libelle", "designation", "descripcion", "nombre", "nama", "ten", "naziv", "nazev",
          "denumire", "megnevezes", "nimi", "navn", "namn"}  # fmt: skip
MONEY = {"amount", "umsatz", "revenue", "montant", "importe", "betrag", "turnover", "wert",
         "valeur", "valor"}  # fmt: skip
# Words of names that number documents: orders, receipts, invoices.
DOCUMENTS = {"order", "transaction", "trans", "txn", "invoice", "receipt", "ticket", "bill",
             "basket", "cart", "check", "cheque", "document", "doc", "beleg", "belegnr", "bon",
             "bonnr", "auftrag", "rechnung", "bestellung", "commande", "facture", "pedido",
             "factura", "ordine",
             "scontrino", "fattura", "voucher", "paragon", "zamowienie", "bestelling"}  # fmt: skip
# Words of names that count pieces, whatever else they say.
QUANTITIES = {"qty", "quantity", "units", "menge", "anzahl", "stuck", "stueck", "quantite", "qte",
              "cantidad", "unidades", "pieces", "pcs", "aantal", "ilosc", "quantita", "quantidade",
              "antal"}  # fmt: skip
# Letters that are none of ASCII's with a sign.
_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ı": "i", "ø": "o", "Ø": "O", "æ": "ae",
                          "Æ": "Ae", "đ": "d", "œ": "oe"})  # fmt: skip
# Fields of an ERP's tables, which stand behind two letters for the table: MTITNO, UCIVQT, SDLITM.
_FIELDS = {
    "product": ("itno", "litm", "aitm", "itm"),
    "location": ("whlo", "mcu"),
    "y": ("ivqt", "trqt", "dlqt", "orqt", "soqs", "uorg"),
    "date": ("ivdt", "trdt", "ordt", "rgdt", "ivd", "trdj", "dgl"),
    "on_hand": ("stqt", "pqoh"),
}
# Whose columns they are, not what they are.
_OF_LINES = r"^((line|order|sales?|invoice)_(items?|lines?)|items|lines|positions|positionen)_(?=.)"
_COME_IN = r"^in_(qty|quantity|units|menge)$|(^|_)(qty|quantity|units|menge)_in$"
_COMPOUND = 5  # letters from which on a word may stand inside another (Verkaufsmenge)
_SHORT = ("qty",)  # that stand at the end of another all the same (MQty)
_WHOLE = ("count", "usine", "local")  # that stand in others by chance: account, business, localized
_FLAG = r"^(is|has)_"
_HOLIDAYS = r"holiday|feiertag|ferien|jours?_ferie|festivo|festivita|feriado|vacation|swieta|event"
# Parts of a date, which the calendar knows by itself.
_CALENDAR = (
    r"(^|_)(year|month|week|day|weekday|quarter|season|seasonality|jahr|monat|woche|wochentag|tag"
    r"|quartal|saison|annee|mois|semaine|jour|trimestre|ano|mes|semana|dia|anno|mese|settimana"
    r"|giorno)(_?(of_?(week|month|year)|no|nr|num(ber)?|name))?$|^(dow|doy|woy|kw|wk|yr|yyyy|mm)$"
)


def plain(name: str) -> str:
    """Return a name in small letters without accents, _ between its words (StockCode, Prix HT)."""
    spelled = name.translate(_LETTERS)
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", spelled)
    letters = "".join(
        sign
        for sign in unicodedata.normalize("NFKD", parts)
        if sign.isascii() or unicodedata.category(sign) not in ("Mn", "Cf")
    )
    return re.sub(r"[\W_]+", "_", letters.lower()).strip("_")


def _other_words(words: str) -> tuple[str, ...]:
    return tuple(map(plain, words.split()))


_SCRIPTS = {role: _other_words(words) for role, words in scripts.WORDS.items()}
_NO_SCRIPTS = {role: _other_words(words) for role, words in scripts.OTHERS.items()}
_SCRIPT_LABELS = _other_words(scripts.LABELS)


def is_of_holidays(name: str) -> bool:
    """Return whether a name speaks of holidays."""
    return re.search(_HOLIDAYS, plain(name)) is not None


def is_of_calendar(name: str) -> bool:
    """Return whether a column's name is that of a part of a date."""
    return re.search(_CALENDAR, plain(name)) is not None


def by_word(names: list[str], role: str) -> str | None:
    """Return the name that most likely plays a role."""
    return next(iter(all_by_word(names, role)), None)


def is_label(name: str) -> bool:
    """Return whether a name is a word for names, and nothing more: Name, Description, Title."""
    return plain(name) in _NAMES


def has_label(name: str) -> bool:
    """Return whether a name has a word for names: Lineitem name, Artikelbezeichnung."""
    text = plain(name)
    return bool(_NAMES & set(text.split("_"))) or any(
        w in text for w in ("bezeichnung", "beschreib")
    )


def is_ruled_out(name: str, role: str) -> bool:
    """Return whether a word of a name says that it plays no such role, whatever its others say."""
    return bool(_NOT.get(role, set()) & set(plain(name).split("_")))


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
    if not name.isascii():
        return _score_script(name, role)
    name = re.sub(_OF_LINES, "", name)
    if name.isalpha() and name[2:] in _FIELDS.get(role, ()):
        return 0, 0, _FIELDS[role].index(name[2:])
    if is_ruled_out(name, role) and name not in _WORDS[role]:
        return None
    words = set(name.split("_"))
    if role == "y" and re.search(_COME_IN, name):
        return None
    if role in ("product", "location", "y") and re.search(_FLAG, name):
        return None
    is_label = int(
        role in ("product", "location") and bool(words & _NAMES) and name not in _WORDS[role]
    )
    padded = f"_{name}_"
    ways: tuple[Callable[[str], bool], ...] = (
        lambda word: word == name,
        lambda word: f"_{word}_" in padded,
        lambda word: (
            (len(word) >= _COMPOUND and word not in _WHOLE and word in name)
            or (word in _SHORT and name.endswith(word))
        ),
    )
    for kind, fits in enumerate(ways):
        found = [n for n, word in enumerate(_WORDS[role]) if fits(word)]
        if found:
            return is_label, kind if kind == 2 else 0, found[0]
    return None


def _score_script(name: str, role: str) -> tuple[int, int, int] | None:
    """Return the score of a name in a script that is not Latin."""
    if any(_is_in(word, name) for word in _NO_SCRIPTS.get(role, ())):
        return None
    is_label = int(
        role in ("product", "location") and any(_is_in(word, name) for word in _SCRIPT_LABELS)
    )
    for kind, fits in enumerate((str.__eq__, _is_in)):
        found = [n for n, word in enumerate(_SCRIPTS.get(role, ())) if fits(word, name)]
        if found:
            return is_label, 2 * kind, found[0]
    return None


def _is_in(word: str, name: str) -> bool:
    """Return whether a word is one of a name: anywhere where its script writes no blanks."""
    if scripts.writes_no_blanks(word):
        return word in name
    return f"_{word}_" in f"_{name}_" or (scripts.bends(word) and f"_{word}" in f"_{name}")
