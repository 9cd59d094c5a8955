"""Lines of a stranger's file that are no sales: cancelled, drafts, receipts, other measures.

A document's type, a status, a flag or a kind of movement says so. What is surely no sale is left
out by `where`; what is given back counts below zero; what nobody can tell stays in and is told.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from invopt.sources.duck import Reader
from invopt.sources.inspect import DATE, TEXT, ColumnFacts, FileFacts, num_combined
from invopt.sources.vocabulary import plain
from invopt.sources.words import Keys
from invopt.sql import literal, quote

_MAX_KINDS = 40  # values of a column that names kinds
_NAMED = 6
_ALIKE = 0.1  # difference of the units of documents that tell the same sales
_NEARLY = 0.95  # share of the lines below another one that must repeat its product
_FEW = 0.5  # share of the lines that may be left out without asking
_KIND = (
    r"(^|_)(\w*type?|typ|tipo|tur|kind|version|scenario|szenario|escenario|record|measure|art"
    r"|\w*status|statut|estado|stato|state|durum|\w{3,}art|vorgang|movement|mouvement|movimiento"
    r"|movimento|bw_?art|bw_?a|mvt|operation|direction|richtung|event|document|beleg|transaction|trx|kpi|metric"
    r"|kennzahl|indicator|indicateur|indicador|figure|mesure|medida|misura|attribute|variable"
    r"|rodzaj|soort)(_|$)|类型|類型|類別|状态|狀態|種別|区分|ステータス|유형|상태|구분"
    r"|(^|_)(вид|тип|операция|статус|состояние|стан)(_|$)"
)
_STATUS = r"status|statut|estado|stato|(^|_)state(_|$)|durum|状态|狀態|ステータス|상태"
_STATUS += r"|статус|состояние"
_NO_KIND = (
    r"pay|(^|_)zahl|paiement|pago|tender|card|customer|kunde|client|channel|kanal|product|produkt|item"
    r"|price|tax|mwst|vat|discount|store|shop|ship|versand|service|dining|order_type|unit|uom"
)
_MOVEMENT = r"bw_?art|(^|_)bw_?a(_|$)|bewegung|movement|(^|_)mvt"
_CANCELLED = (
    r"cancel|void|storn|annul|anul|revers|abandon|chargeback|作废|作廢|取消|キャンセル|취소|отмен"
    r"|аннулир|сторно|скасован|ملغ|בוטל|ακυρ|ยกเลิก|لغو"
)
_NEVER_MADE = (
    r"(^|[^a-z])(failed|declined|rejected|draft|entwurf|brouillon|borrador|bozza|quot(e|ation)|"
    r"estimate|pro ?forma|angebot|devis|cotizacion|preventivo|offerte|deleted|geloscht|supprim\w+|"
    r"eliminad\w|test|abgelehnt|fehlgeschlagen|expired)([^a-z]|$)"
)
_PLANNED = r"^(budget|budgeted|plan|planned|forecast|prognose|soll|target|presupuesto|prevu|prévu)$"
_ACTUAL = r"^(actuals?|ist|real|reales|réel|reel|sales|sold|invoiced|verkauf|ventas|ventes)$"
# Kinds of movements, in small letters without accents; the first that fits is what it is.
_NO_SALE = (
    r"purchas|receiv|goods receipt|stock receipt|^receipt|inbound|incoming|^in$|^(stock|goods) in$"
    r"|opening|initial|closing|balance|(^| )adj|transfer|stock ?tak|(stock|cycle) ?count|inventur"
    r"|inventar|correct|korrekt|eingang|zugang|einkauf|bestellung|anfang|umlager|umbuch|schwund"
    r"|achat|reception|entree|entrada|compra|ajuste|traslado|saldo|apertura|acquisto|entrata"
    r"|(^| )carico|przyj|zakup|(^| )alis|giris|production|assembly|scrap|waste|write ?off"
    r"|verschrott|damage|shrink|spoil|theft|write down|recount|^we$|reconcil"
    r"|поступлен|закуп|приход|оприход|перемещ|инвентар|списан|остат|надходж"
    r"|采购|入库|调拨|盘点|盘盈|盘亏|其他出库|期初|仕入|入庫|棚卸|移動|구매|입고|이동|재고조정"
)
_RETURNED = (
    r"return|refund|credit ?(note|memo|invoice)|^credits?$|gutschrift|retoure|ruck(gabe|nahme)"
    r"|avoir|retour|abono|devoluci|nota de credit|(^| )reso|accredito|kredietnota|korekta|zwrot"
    r"|iade|возврат|повернен|退货|退貨|返品|반품"
)
_SOLD = (
    r"sale|sold|sell|invoice|(^| )out$|outbound|outgoing|issue|ship|deliver|dispatch|verkauf"
    r"|ausgang|abgang|lieferung|lieferschein|rechnung|vente|sortie|facture|venta|salida|factura|vendita|uscita"
    r"|scarico|venda|saida|verkoop|uitga|sprzeda|wydanie|satis|cikis|consum|verbrauch|order|actual"
    r"|^wa$|реализац|продаж|销售|銷售|売上|出荷|판매|출고"
)
# Orders, deliveries and what else a column may refer to, whatever it is called: two words.
_REFERENCE = (
    r"(sales?|purchase|transfer|production|work|customer|vendor|return|stock|rma)"
    r"( order| invoice| receipt| shipment| delivery| adjustment| journal| line| transfer)+s?"
)
# Codes that mean something where others stand beside them: what must be there, and all kinds.
_CODED = (
    (("go", "gi"), {"sold": r"go", "returned": r"gr", "none": r"gi|[amdw][io]"}),  # Sage
    (  # Epicor
        ("stk cus",),
        {"sold": r"\w{3} cus", "returned": r"rma \w{3}", "none": r"\w{3} \w{3}"},
    ),
)
# Documents that follow one another for one sale; what is asked for is the first of them.
_CHAIN = (
    r"auftrag|bestell|(sales |customer )?order|commande|pedido|ordine|zamowienie",
    r"lieferschein|delivery( note)?|shipment|bon de livraison|albaran|bolla|ddt|wz",
    r"rechnung|(sales )?invoice|facture|factura|fattura|faktura",
)
# SAP's: goods issues have an odd number from 200 and 600 on, their reversals the next one.
_CODES = {"none": r"[134579]\d\d", "returned": r"[26]\d[02468]", "sold": r"[26]\d[13579]"}
# Codes of documents that mean something beside each other only: sold, given back.
_PAIRS = (("si", "sc"), ("inv", "cn"), ("inv", "crn"), ("inv", "cm"), ("re", "gs"), ("fa", "av"),
          ("ft", "nc"), ("fv", "kor"))  # fmt: skip
# What a line of goods is not, where others of its column are items.
_ITEM = r"^(items?|artikel|articles?|articulo|inventory( item)?|stock( item)?|products?|material)$"
_NO_ITEM = (
    r"^(g l account|sachkonto|ledger account|konto|charge item|charge|resource|ressource|comment"
    r"|fixed asset|anlage|zu abschlag( artikel)?|text|note|freight|shipping|discount|tax|fee"
    r"|non inventory|subtotal|description|account)$|^$"
)
# Activity codes of EDI 852: sold, given back by customers; all others are stock, orders, receipts.
_EDI_CODE, _EDI = r"[qQ][A-Za-z]", {"qs": "sold", "qu": "returned"}
_UNITS = (
    r"unit|qty|quant|menge|stuck|stueck|absatz|volume|piece|pcs|cantidad|unidad|ilosc|adet|aantal"
)
_MONEY = (
    r"revenue|umsatz|value|amount|turnover|margin|cost|price|preis|chiffre|montant|importe|ingres"
    r"|erlos|ertrag|gross|net\b|profit|eur|usd|wert|valor"
)
_A_KIT = r"(kit|bundle|assembly|set|stuckliste|stueckliste)( |$)"
_PART_OF_KIT = r"(kit|bundle|set|assembly) (component|item|part|member)|stucklistenposition"
_FLAG = (
    r"cancel|void|storn|annul|anul|deleted|gelosch|geloesch|losch|loesch|supprim|eliminad"
    r"|(^|_)(is_)?test(_|$)|(^|_)is_draft|reversed|eliminat|abgru|absagegrund|rejection"
)
_REJECTED = r"abgru|absagegrund|rejection"
YES = ("1", "true", "t", "yes", "y", "x", "ja", "j", "oui", "o", "si", "sì", "sí", "s", "sim",
        "wahr", "vrai", "vero", "tak", "evet", "e", "✓")  # fmt: skip
NO = ("0", "false", "f", "no", "n", "nein", "non", "nao", "não", "nie", "hayir", "hayır", "falsch",
       "faux", "falso", "-")  # fmt: skip


_NAMES_PRODUCT = re.compile(
    r"(^|_)(name|description|desc|title|bezeichnung|beschreibung|text|libelle|designation"
    r"|descripcion|nombre|item|article|artikel|product|produkt|nazwa|omschrijving|descrizione)(_|$)"
)
# What is sold or charged beside goods, in names of products.
_NO_GOODS = (
    r"pfand|deposit|gutschein|voucher|gift ?card|geschenk(karte|gutschein)|versand|shipping|postage"
    r"|porto|freight|fracht|(^| )tip$|trinkgeld|gratuity|consigne|bon cadeau|frais de port|envio"
    r"|gastos de|rounding|rundung|rabatt|discount|service charge|carrier bag|tragetasche|spedizione"
    r"|verzend|statiegeld|kaucja|wysylka|kargo"
)


@dataclass
class LineKinds:
    """Finds which lines of a file are no sales.

    Args:
        reader: Holds the file.
        file: Of the sales.
        keys: Its keys.
        quantity: What was sold.

    Attributes:
        rules: Conditions that keep a line, for `where`.
        notes: A sentence about each thing found.
        returned: Conditions of lines that are given back and written above zero.
        told: The values that these conditions name.
    """

    reader: Reader
    file: FileFacts
    keys: Keys
    quantity: ColumnFacts
    rules: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    def apply(self, table: dict[str, Any]) -> None:
        """Enter what was found into the table of the sales."""
        taken = {*self.keys.there, self.keys.series, self.quantity.name}
        self._leave_out_heads(taken)
        self._leave_out_children()
        for column in self.file.columns:
            if column.name in taken:
                continue
            if self._is_flag(column):
                self._leave_out_flagged(column)
            elif column.kind != DATE:
                self._judge(column)
        self._tell_no_goods()
        if self.rules:
            rules = [table["where"], *self.rules] if "where" in table else self.rules
            table["where"] = rules[0] if len(rules) == 1 else " AND ".join(f"({r})" for r in rules)
        self._turn_round(table)

    def _is_flag(self, column: ColumnFacts) -> bool:
        return re.search(_FLAG, plain(column.name)) is not None

    def _leave_out_flagged(self, column: ColumnFacts) -> None:
        """Leave out lines that a column with the name of a flag marks: yes, or a day."""
        text = f"lower(trim({quote(column.name)}::VARCHAR))"
        given = self._counts(f"coalesce({text}, '')", _MAX_KINDS)
        if given is None and column.kind != DATE:
            return
        if column.kind == DATE:
            marked = f"coalesce({text}, '') <> ''"
        elif given is not None and set(given) <= {"", *YES, *NO}:
            marked = f"coalesce({text}, '') IN ({', '.join(map(literal, sorted(YES)))})"
        else:
            filled = given is not None and "" in given and column.is_text
            if not filled or not re.search(_REJECTED, plain(column.name)):
                self._tell_unsure(column, given or {})
                return
            marked = f"coalesce({text}, '') <> ''"  # whatever the reason is
        rows = self._number(marked)
        if not rows or self._is_attribute(column):
            return
        if rows > _FEW * self.file.num_rows:
            self.notes.append(
                f"{rows:,} rows of {self.file.name} have {column.name}: more than half, so that "
                "they are read as sales; leave them out by `where` if they are none"
            )
            return
        self.rules.append(f"NOT ({marked})")
        self.notes.append(
            f"{rows:,} rows of {self.file.name} that {column.name} marks are left out: take them "
            "out of `where` if they are sales"
        )

    def _tell_unsure(self, column: ColumnFacts, given: dict[str, int]) -> None:
        filled = sum(rows for value, rows in given.items() if value)
        if filled and given.get("", 0) and column.is_text:
            self.notes.append(
                f"{filled:,} rows of {self.file.name} have a {column.name} and are read as sales: "
                "leave them out by `where` if they are none"
            )

    def _tell_currencies(self, column: ColumnFacts, values: list[str]) -> None:
        if "currency" in column.name.lower() and len(values) > 1:
            self.notes.append(
                f"{self.file.name} has several currencies ({', '.join(values)}): join the rates "
                "in a source of SQL before prices are used, see docs/your-data.md"
            )

    def _judge(self, column: ColumnFacts) -> None:
        """Leave out the values of a column that say of a line that it is no sale."""
        name = plain(column.name)
        says_kind = re.search(_KIND, name) is not None and not re.search(_NO_KIND, name)
        if not column.values and not says_kind:
            return
        given = self._counts(f"trim({quote(column.name)}::VARCHAR)", _MAX_KINDS)
        if given is None:
            return
        values = [value for value in given if value]
        if self._leave_out_other_activities(column, values):
            return
        self._tell_currencies(column, values)
        if self._leave_out_amounts(column, values):
            return
        if says_kind and any(re.search(_ITEM, plain_text(v)) for v in values):
            others = {v: "no goods" for v in values if re.search(_NO_ITEM, plain_text(v))}
            if others:
                self._leave_out(column, others)
                return
        if len(values) < 2:
            return
        if kits := _kits(values):
            self._leave_out(column, kits)
            self.told |= {*values}
            return
        if self._is_attribute(column):
            return
        left = {v: "cancelled" for v in values if re.search(_CANCELLED, v.lower())}
        left = self._without_counterparts(column, left)
        if says_kind:
            left |= {v: "never sold" for v in values if re.search(_NEVER_MADE, plain_text(v))}
        if says_kind or any(re.search(_ACTUAL, v.lower()) for v in values):
            left |= {v: "no sales but plans" for v in values if re.search(_PLANNED, v.lower())}
        rest = [v for v in values if v not in left]
        others = self._other_measures(rest) if says_kind else {}
        refers = len(rest) > 1 and all(
            re.fullmatch(_REFERENCE, plain_text(v)) for v in [*rest, *left]
        )
        if (says_kind or refers) and not others and not re.search(_STATUS, name):
            others = self._movements(column, rest)
        left |= others
        if left and len(left) < len(values):
            self._leave_out(column, left)
            rest = [v for v in rest if v not in left]
        rest = [v for v in rest if v not in self.told]
        if says_kind and len(rest) > 1:
            listed = ", ".join(f"{v} ({given[v]:,})" for v in rest[:_NAMED])
            self.notes.append(
                f"{column.name} of {self.file.name} is {listed}: rows of all of these are read as "
                "sales or returns; leave out by `where` what is none"
            )

    def _without_counterparts(self, column: ColumnFacts, left: dict[str, str]) -> dict[str, str]:
        """Return what is left out without the lines below zero that take back another line.

        A till writes a line that is void once more below zero: the one taken back stays as it was
        sold, so that both are read.
        """
        kept = []
        for value in left:
            rows = _among(column, [value])
            if self._number(f"{rows} AND {self._amount()} < 0") and not self._number(
                f"{rows} AND {self._amount()} > 0"
            ):
                kept.append(value)
        if kept and self._number(f"{self._amount()} > 0") * 2 > self.file.num_rows:
            self.told |= {*kept}
            self.notes.append(
                f"rows of {self.file.name} whose {column.name} is {', '.join(kept)} are below 0, "
                "as those that take back a line before them: both are read; leave out both by "
                "`where` where the line that was taken back stands below 0 itself"
            )
            return {value: why for value, why in left.items() if value not in kept}
        return left

    def _leave_out_heads(self, taken: set[str | None]) -> None:
        """Leave out lines without a product that a column sets apart.

        Heads of documents, their payments and remarks stand among the lines of goods in exports of
        tills and ERPs; a head repeats the sum of its lines.
        """
        product = self.keys.product
        if product is None:
            return
        text = f"coalesce(trim({quote(product)}::VARCHAR), '')"
        rows = self._number(f"{text} = ''")
        if not 0 < rows < self.file.num_rows:
            return
        found = []
        for column in self.file.columns:
            if column.name in taken or column.kind == DATE:
                continue
            parts = self._apart(column, text)
            if parts is not None:
                says_kind = re.search(_KIND, plain(column.name)) is not None
                found.append((not says_kind, len(parts[0]) + len(parts[1]), column.name, parts[0]))
        if not found:
            return
        *_, name, values = min(found)
        told = f"coalesce(trim({quote(name)}::VARCHAR), '')"
        self.rules.append(f"{told} NOT IN ({', '.join(map(literal, values))})")
        listed = ", ".join(value or "blank" for value in values)
        self.notes.append(
            f"{rows:,} rows of {self.file.name} name no {product}, and their {name} is {listed}: "
            "they are left out as heads, payments or remarks of documents"
        )
        self.told |= {*values}

    def _apart(self, column: ColumnFacts, product: str) -> tuple[list[str], list[str]] | None:
        """Return the values of a column in rows without a product and in the others.

        None where they have one in common, or are many.
        """
        text = f"coalesce(trim({quote(column.name)}::VARCHAR), '')"
        sql = (
            f"SELECT {text} AS v, bool_or({product} = '') AS without, bool_or({product} <> '') AS "
            f"with_one FROM {quote(self.file.name)} GROUP BY 1 ORDER BY 1 LIMIT {_MAX_KINDS + 1}"
        )
        found = self.reader.fetch(sql, self.file.name).to_pylist()
        if len(found) > _MAX_KINDS or any(row["without"] and row["with_one"] for row in found):
            return None
        return [r["v"] for r in found if r["without"]], [r["v"] for r in found if r["with_one"]]

    def _leave_out_amounts(self, column: ColumnFacts, values: list[str]) -> bool:
        """Leave out tax, fees and postage of a line, which repeat its quantity beside its price."""
        goods = [v for v in values if plain_text(v) in ("principal", "product charges")]
        if not goods or len(values) < 2:
            return False
        self._leave_out(
            column, {v: "other amounts of the same lines" for v in values if v not in goods}
        )
        return True

    def _leave_out_children(self) -> None:
        """Leave out lines that say their parent once more: a variant below its own product.

        Where a line's parent is another product, both may be sold (a kit, and what is in it): told.
        """
        names = {plain(c.name): c.name for c in self.file.columns}
        product = self.keys.product
        pairs = [(p, names.get(n[len("parent_") :])) for n, p in names.items()
                 if re.fullmatch(r"parent_\w*(id|no|nr|number)", n)]  # fmt: skip
        for parent, own in pairs:
            if own is None or product is None:
                continue
            cell, item = f"trim(c.{quote(parent)}::VARCHAR)", quote(product)
            [found] = self.reader.fetch(
                f"SELECT count(*) AS n, count(*) FILTER (p.{item} = c.{item}) AS same FROM "
                f"{quote(self.file.name)} c JOIN {quote(self.file.name)} p ON "
                f"trim(p.{quote(own)}::VARCHAR) = {cell} WHERE {cell} <> ''",
                self.file.name,
            ).to_pylist()
            if found["n"] and found["same"] >= _NEARLY * found["n"]:
                self.rules.append(f"coalesce(trim({quote(parent)}::VARCHAR), '') = ''")
                self.notes.append(
                    f"{found['n']:,} rows of {self.file.name} name their parent in {parent}, a row "
                    f"of the same {product}: they are left out, as they say it once more"
                )
            elif found["n"]:
                self.notes.append(
                    f"{found['n']:,} rows of {self.file.name} are parts of other products (kits, "
                    f"by {parent}): both are read; leave out by `where` what is not in stock"
                )

    def _leave_out_other_activities(self, column: ColumnFacts, values: list[str]) -> bool:
        """Leave out what EDI 852 tells beside what was sold; return whether a column holds that."""
        codes = {value: _EDI.get(value.lower(), "") for value in values}
        if "sold" not in codes.values() or not all(re.fullmatch(_EDI_CODE, v) for v in values):
            return False
        left = {value: "other activities (EDI 852)" for value, kind in codes.items() if not kind}
        if left:
            self._leave_out(column, left)
        self._give_back(column, [value for value, kind in codes.items() if kind == "returned"])
        return True

    def _give_back(self, column: ColumnFacts, returned: list[str]) -> None:
        """Count the lines of some kinds below zero."""
        if not returned:
            return
        self.returned.append(_among(column, returned))
        self.told |= {*returned}
        self.notes.append(
            f"rows of {self.file.name} whose {column.name} is {', '.join(returned)} are given "
            "back and written above 0: they count below 0"
        )

    def _other_measures(self, values: list[str]) -> dict[str, str]:
        """Return what stands beside units in a column of measures: money, shares."""
        units = [v for v in values if re.search(_UNITS, plain_text(v))]
        units = [v for v in units if not re.search(_MONEY, plain_text(v))] or units
        money = [v for v in values if v not in units and re.search(_MONEY, plain_text(v))]
        if not units or not money:
            return {}
        return {v: "other measures" for v in values if v != units[0]}

    def _movements(self, column: ColumnFacts, values: list[str]) -> dict[str, str]:
        """Return the movements that are no sales, where others are; returns count below zero."""
        is_coded = re.search(_MOVEMENT, plain(column.name)) is not None
        kinds = {value: _movement(value, is_coded=is_coded) for value in values}
        codes = {plain_text(value): value for value in values}
        for code, back in _PAIRS:
            if code in codes and back in codes:
                kinds |= {codes[code]: "sold", codes[back]: "returned"}
        for needed, meant in _CODED:
            if all(code in codes for code in needed):
                for code, value in codes.items():
                    fits = (k for k, form in meant.items() if re.fullmatch(form, code))
                    kinds[value] = next(fits, kinds[value])
        sold = [v for v, kind in kinds.items() if kind == "sold"]
        if not sold:
            return {}
        returned = [v for v, kind in kinds.items() if kind == "returned"]
        if returned and self._has_one_sign(column, sold) and self._has_one_sign(column, returned):
            self._give_back(column, returned)
        left = {v: "no sales" for v, kind in kinds.items() if kind == "none"}
        return left | self._later_documents(column, values)

    def _later_documents(self, column: ColumnFacts, values: list[str]) -> dict[str, str]:
        """Return the documents that say the same sale once more: its delivery, its invoice."""
        texts = {plain_text(value): value for value in values}
        chain = [v for form in _CHAIN for text, v in texts.items() if re.fullmatch(form, text)]
        if len(chain) < 2:
            return {}
        sql = (
            f"SELECT trim({quote(column.name)}::VARCHAR) AS v, coalesce(sum({self._amount()}), 0) "
            f"AS units FROM {quote(self.file.name)} GROUP BY 1"
        )
        found = self.reader.fetch(sql, self.file.name).to_pylist()
        units = {row["v"]: float(row["units"]) for row in found}
        first = units[chain[0]]
        same = [v for v in chain[1:] if abs(units[v] - first) <= _ALIKE * abs(first)]
        return dict.fromkeys(same, f"documents that follow {chain[0]} for the same goods")

    def _has_one_sign(self, column: ColumnFacts, values: list[str]) -> bool:
        """Return whether lines of some kinds are all above 0."""
        return not self._number(f"{_among(column, values)} AND {self._amount()} < 0")

    def _leave_out(self, column: ColumnFacts, left: dict[str, str]) -> None:
        self.rules.append(
            f"coalesce(trim({quote(column.name)}::VARCHAR), '') NOT IN "
            f"({', '.join(map(literal, left))})"
        )
        for why in dict.fromkeys(left.values()):
            listed = ", ".join(v for v, reason in left.items() if reason == why)
            self.notes.append(
                f"rows of {self.file.name} whose {column.name} is {listed} are left out, as {why}: "
                "take them out of `where` if they are sales"
            )

    def _tell_no_goods(self) -> None:
        """Tell products whose names say that they are no goods: deposits, vouchers, postage."""
        texts = [c.name for c in self.file.of_kind(TEXT) if _NAMES_PRODUCT.search(plain(c.name))]
        for column in dict.fromkeys([*filter(None, [self.keys.product]), *texts]):
            sql = f"SELECT DISTINCT {quote(column)}::VARCHAR AS v FROM {quote(self.file.name)}"
            values = self.reader.fetch(sql, self.file.name)["v"].to_pylist()
            found = sorted(v for v in values if v and re.search(_NO_GOODS, plain_text(v)))
            if found and len(found) < len(values):
                self.notes.append(
                    f"{len(found)} products may be no goods by their {column} "
                    f"({', '.join(found[:_NAMED])}): leave them out by `where` if none is ordered"
                )
                return

    def _turn_round(self, table: dict[str, Any]) -> None:
        """Net what is given back, and read what a ledger writes below 0 as what was sold."""
        kept = " AND ".join(f"({rule})" for rule in self.rules) or "true"
        amount = self._amount()
        below = self._number(f"{amount} < 0 AND {kept}")
        above = self._number(f"{amount} > 0 AND {kept}")
        columns = table["columns"]
        entry = columns["y"] if isinstance(columns["y"], dict) else {"expr": columns["y"]}
        if self.returned:
            columns["y"] = entry | {"expr": self._below_zero(entry["expr"])}
            table["returns"] = "net"
        elif below:
            table["returns"] = "net"
        if below <= above or self.returned:
            return
        columns["y"] = entry | {"scale": -entry.get("scale", 1)}
        told = (
            f"; {above:,} above 0 count against them: leave out by `where` what is no return "
            "(receipts, transfers)"
            if above
            else ""
        )
        self.notes.append(
            f"{self.quantity.name} is below 0 in {below:,} rows, as in a ledger of movements: what "
            f"left is read as sold (scale: -1){told}"
        )

    def _below_zero(self, expr: str) -> str:
        """Return an expression that is below 0 where a line is given back."""
        back = " OR ".join(self.returned)
        if not self.quantity.is_text:
            return f"CASE WHEN {back} THEN -abs({expr}) ELSE {expr} END"
        return f"CASE WHEN {back} THEN '-' || trim({expr}) ELSE {expr} END"

    def _amount(self) -> str:
        return self.quantity.style.sql(quote(self.quantity.name))

    def _counts(self, text: str, most: int) -> dict[str, int] | None:
        """Return rows by value, the most frequent first; None where there are too many values."""
        sql = (
            f"SELECT coalesce({text}, '') AS v, count(*) AS n FROM \"{self.file.name}\" GROUP BY 1 "
            f"ORDER BY n DESC, v LIMIT {most + 1}"
        )
        found = self.reader.fetch(sql, self.file.name).to_pylist()
        return {row["v"]: row["n"] for row in found} if len(found) <= most else None

    def _number(self, condition: str) -> int:
        sql = f'SELECT count(*) FILTER ({condition}) AS n FROM "{self.file.name}"'
        return int(self.reader.fetch(sql, self.file.name)["n"][0].as_py())

    def _is_attribute(self, column: ColumnFacts) -> bool:
        """Return whether a column says something of products or places, not of a line.

        Each of them has one value then: a reversible jacket is no reversal.
        """
        keys = self.keys.there or [str(self.keys.series)]
        alone, both = ([*map(quote, names)] for names in (keys, [*keys, column.name]))
        return num_combined(self.reader, self.file, alone) == num_combined(
            self.reader, self.file, both
        )


def _kits(values: Iterable[str]) -> dict[str, str]:
    """Return the kinds of lines that are kits, where what is in them has lines of its own."""
    texts = {value: plain_text(value) for value in values}
    parts = [v for v, text in texts.items() if re.search(_PART_OF_KIT, text)]
    kits = [v for v, text in texts.items() if v not in parts and re.match(_A_KIT, text)]
    return dict.fromkeys(kits, "kits, whose parts have lines of their own") if parts else {}


def plain_text(value: str) -> str:
    """Return a value in small letters without accents and signs (wc-on_hold is wc on hold)."""
    return plain(value).replace("_", " ")


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


def _among(column: ColumnFacts, values: Iterable[str]) -> str:
    return (
        f"coalesce(trim({quote(column.name)}::VARCHAR), '') IN ({', '.join(map(literal, values))})"
    )
