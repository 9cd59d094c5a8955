"""What the words of a kind of line say: sold, given back, received, money, a part of a kit."""

import re
from collections.abc import Iterable, Mapping

from invopt.sources.vocabulary import plain

# Names of columns that say what kind of line each is.
KIND = (
    r"(^|_)(\w*type?|typ|tipo|turu?|kind|version|scenario|szenario|escenario|record|measure|art"
    r"|\w*status|statut|estado|stato|state|durum|\w{3,}art|vorgang|movement|mouvement|movimiento"
    r"|movimento|bw_?art|bw_?a|mvt|operation|direction|richtung|event|document|beleg|transaction|trx|kpi|metric"
    r"|kennzahl|qualifier|indicator|indicateur|indicador|figure|mesure|medida|misura|attribute|variable"
    r"|rodzaj|soort|especie)(_|$)|类型|類型|類別|状态|狀態|種別|区分|ステータス|유형|상태|구분"
    r"|(^|_)(вид|тип|операция|статус|состояние|стан|τυπος|κινηση|κατασταση)(_|$)"
    r"|(^|_)(النوع|نوع_\w+|نوع|الحاله|الحالة|סוג|סטטוס)(_|$)"
)
# Names of columns that say so of a till's lines, where their values are known.
MODE = r"(^|_)(mode|modus|modo|line|zeile|ligne|linea|satzart)$"
_MOVEMENT = r"bw_?art|(^|_)bw_?a(_|$)|bewegung|movement|(^|_)mvt"
# Kinds of movements, in small letters without accents; the first that fits is what it is.
_NO_SALE = (
    r"purchas|receiv|^receipt|(?<!sales )(?<!cash )(?<!rma )(?<!return )\breceipts?$"
    r"|^misc|inbound|incoming"
    r"|^in$|^(stock|goods) in$"
    r"|opening|initial|closing|balance|(^| )adj|transfer|stock ?tak|(stock|cycle) ?count|inventur"
    r"|inventar|correct|korrekt|eingang|zugang|einkauf|bestellung|anfang|umlager|umbuch|relocat|schwund"
    r"|achat|reception|entree|entrada|compra|ajuste|traslado|saldo|apertura|acquisto|entrata"
    r"|(^| )carico|przyj|zakup|(^| )alis|giris|production|completion|assembly|scrap|waste"
    r"|put ?away|(^| )repl(en\w*)?( |$)|cyc ?cnt|rcpt|write ?off|verschrott"
    r"|damage|shrink|spoil|theft|write down|recount|^we$|reconcil"
    r"|поступлен|закуп|приход|оприход|перемещ|инвентар|списан|остат|надходж"
    r"|采购|入库|调拨|盘点|盘盈|盘亏|其他出库|期初|仕入|入庫|棚卸|移動|구매|입고|이동|재고조정"
)
_RETURNED = (
    r"return|refund|(^| )rma( |$)|credit ?(note|memo|invoice)|^credits?$|gutschrift|retoure"
    r"|ruck(gabe|nahme)|avoir|retour|abono|devoluc|nota de credit|(^| )reso|accredito"
    r"|kredietnota|korekta|zwrot|επιστροφ|πιστωτικ|مرتجع|مردود|ارجاع|החזר|זיכוי"
    r"|iade|возврат|повернен|退货|退貨|返品|반품"
)
_SOLD = (
    r"sale|sold|sell|(^| )pick(s|ed|ing)?( |$)|πωλησ|مبيع|بيع|מכירה"
    r"|invoice|(^| )out$|outbound|outgoing|issue|ship|deliver|dispatch|verkauf"
    r"|ausgang|abgang|lieferung|lieferschein|rechnung|vente|sortie|facture|venta|salida|factura|vendita|uscita"
    r"|scarico|venda|saida|verkoop|uitga|sprzeda|wydanie|satis|cikis|consum|verbrauch|order|actual"
    r"|entnahme|withdraw|prelievo|^wa$|реализац|продаж|销售|銷售|売上|出荷|판매|출고"
)
# Codes that mean something where others stand beside them: what must be there, and all kinds.
_CODED = (
    (("go", "gi"), {"sold": r"go", "returned": r"gr", "none": r"gi|[amdw][io]"}),  # Sage
    (  # Epicor
        ("stk cus",),
        {"sold": r"\w{3} cus", "returned": r"rma \w{3}", "none": r"\w{3} \w{3}"},
    ),
)
# Letters for in and out, in columns whose names speak of movements.
_MOVES = r"mov|direction|richtung|(^|_)sens(_|$)|sentido|io_?(type|flag|kind)"
_LETTERS = (
    (("e", "s"), {"sold": "s", "none": "e"}),  # entrada, entrée, entrata; salida, sortie
    (("i", "o"), {"sold": "o", "none": "i"}),
    (("z", "a"), {"sold": "a", "none": "z"}),  # Zugang, Abgang
    (("c", "s"), {"sold": "s", "none": "c"}),  # carico, scarico
)
# Codes that a column's name explains.
_CODED_BY_NAME = (
    # An ERP's orders by their first figure, of customers 3.
    (r"^[a-z]{2}ttyp$", {"sold": r"3\d", "none": r"\d{1,2}"}),
    # JD Edwards' documents of the stock: invoices and issues, credits; receipts, transfers, counts.
    (r"^[a-z]{2}dct$", {"sold": "ri|ii|im", "returned": "rm", "none": "o[vp]|i[acrstp]|p[iw]"}),
    # EDIFACT's quantities (6063): 153 was sold, 61 came back; others are stock, orders.
    (
        r"(^|_)(qty|quantity|menge\w*)_?(qualifier|code)$|(^|_)6063$",
        {"sold": "153", "returned": "61", "none": r"\d{1,3}[a-z]?"},
    ),
    # Dynamics: what left the stock, beside what is ordered or reserved.
    (
        r"^status_?issue$",
        {"sold": "sold|deducted|picked", "none": r"(on order|reserved|quotation).*"},
    ),
)
# Documents that follow one another for one sale; what is asked for is the first of them.
_CHAIN = (
    r"auftrag|bestell|(sales |customer )?order|commande|pedido|ordine|zamowienie",
    r"lieferschein|delivery( note)?|shipment|bon de livraison|albaran|bolla|ddt|wz",
    r"rechnung|(sales )?invoice|facture|factura|fattura|faktura",
)
# SAP's: goods issues have an odd number from 200 and 600 on, their reversals the next one. Stock
# that is filled up at a customer's or fetched from there, and packaging that is lent, stay ours;
# what customers send back has odd numbers from 651 on.
_CODES = {
    "none": r"[134579]\d\d|6[23][12]",
    "returned": r"65[1357]|(?!65)[26]\d[02468]",
    "sold": r"65[2468]|[26]\d[13579]",
}
# Codes of documents that mean something beside each other only: sold, given back.
_PAIRS = (("si", "sc"), ("inv", "cn"), ("inv", "crn"), ("inv", "cm"), ("re", "gs"), ("fa", "av"),
          ("ft", "nc"), ("fv", "kor"))  # fmt: skip
_UNITS = (
    r"unit|qty|quant|menge|stuck|stueck|absatz|volume|piece|pcs|cantidad|unidad|ilosc|adet|aantal"
)
_MONEY = (
    r"revenue|umsatz|value|amount|turnover|margin|cost|price|preis|chiffre|montant|importe|ingres"
    r"|erlos|ertrag|gross|net\b|profit|eur|usd|wert|valor"
)
_A_KIT = r"(kit|bundle|assembly|set|stuckliste|stueckliste)( |$)"
_PART_OF_KIT = r"(kit|bundle|set|assembly) (component|item|part|member)|stucklistenposition"


def plain_text(value: str) -> str:
    """Return a value in small letters without accents and signs (wc-on_hold is wc on hold)."""
    return plain(value).replace("_", " ")


def is_coded(column: str) -> bool:
    """Return whether a column's name says that its values are codes of an ERP's movements."""
    return re.search(_MOVEMENT, plain(column)) is not None


def explains_codes(column: str) -> bool:
    """Return whether a column's name alone says what its values mean."""
    return any(re.search(name, plain(column)) for name, _ in _CODED_BY_NAME)


def movements(column: str, values: Iterable[str]) -> dict[str, str]:
    """Return "sold", "returned", "none" of these or "" (not known) by value of a column.

    Args:
        column: Its name, which may say that its values are codes.
        values: All that it holds: some codes mean something beside others only.
    """
    coded = is_coded(column)
    kinds = {value: _movement(value, is_coded=coded) for value in values}
    codes = {plain_text(value): value for value in kinds}
    for name, meant in _CODED_BY_NAME:
        if re.search(name, plain(column)):
            return {v: _meaning(code, meant) for code, v in codes.items()}
    for code, back in _PAIRS:
        if code in codes and back in codes:
            kinds |= {codes[code]: "sold", codes[back]: "returned"}
    letters = _LETTERS if re.search(_MOVES, plain(column)) else ()
    for needed, meant in (*_CODED, *letters):
        if all(code in codes for code in needed):
            for code, value in codes.items():
                kinds[value] = _meaning(code, meant) or kinds[value]
    return kinds


def _meaning(code: str, meant: Mapping[str, str]) -> str:
    """Return what a code means by the first form that it fits; "" where it fits none."""
    return next((kind for kind, form in meant.items() if re.fullmatch(form, code)), "")


def chain_of(values: Iterable[str]) -> list[str]:
    """Return the documents that follow one another for one sale, in that order: order, delivery."""
    texts = {plain_text(value): value for value in values}
    return [v for form in _CHAIN for text, v in texts.items() if re.fullmatch(form, text)]


def other_measures(values: list[str]) -> dict[str, str]:
    """Return what stands beside units in a column of measures: money, shares."""
    units = [v for v in values if re.search(_UNITS, plain_text(v))]
    units = [v for v in units if not re.search(_MONEY, plain_text(v))] or units
    money = [v for v in values if v not in units and re.search(_MONEY, plain_text(v))]
    if not units or not money:
        return {}
    return {v: "other measures" for v in values if v != units[0]}


def kits_among(values: Iterable[str]) -> dict[str, str]:
    """Return the kinds of lines that are kits, where what is in them has lines of its own."""
    texts = {value: plain_text(value) for value in values}
    parts = [v for v, text in texts.items() if re.search(_PART_OF_KIT, text)]
    kits = [v for v, text in texts.items() if v not in parts and re.match(_A_KIT, text)]
    return dict.fromkeys(kits, "kits, whose parts have lines of their own") if parts else {}


def _movement(value: str, *, is_coded: bool) -> str:
    """Return whether a kind of movement is "none" of the sales, "returned", "sold", or unknown."""
    text = plain_text(value)
    if is_coded:
        for kind, code in _CODES.items():
            if re.fullmatch(code, text):
                return kind
    for kind, words in (("none", _NO_SALE), ("returned", _RETURNED), ("sold", _SOLD)):
        if re.search(words, text):
            return kind
    return ""
