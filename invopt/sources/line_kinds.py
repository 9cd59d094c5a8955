"""Lines of a stranger's file that are no sales: cancelled, drafts, receipts, other measures.

A document's type, a status, a flag or a kind of movement says so. What is surely no sale is left
out by `where`; what is given back counts below zero; what nobody can tell stays in and is told.
"""

import re
from typing import Any

from invopt.errors import InvalidInputError
from invopt.sources.between_places import keep_those_to_customers
from invopt.sources.document_lines import (
    leave_out_amounts,
    leave_out_children,
    leave_out_heads,
    leave_out_no_items,
)
from invopt.sources.facts import DATE, TEXT, ColumnFacts
from invopt.sources.flagged_lines import is_flag, leave_out_flagged
from invopt.sources.line_words import (
    KIND,
    MODE,
    chain_of,
    explains_codes,
    is_coded,
    kits_among,
    movements,
    other_measures,
    plain_text,
)
from invopt.sources.lines import MAX_KINDS, Lines, among
from invopt.sources.vocabulary import plain
from invopt.sql import quote

_NAMED = 6
_ALIKE = 0.1  # difference of the units of documents that tell the same sales
_STATUS = r"status|statut|estado|stato|(^|_)state(_|$)|durum|状态|狀態|ステータス|상태"
_STATUS += r"|статус|состояние"
_NO_KIND = (
    r"pay|billing|address|(^|_)zahl|paiement|pago|tender|card|customer|kunde|client|channel|kanal|product|produkt|item"
    r"|price|tax|mwst|vat|discount|store|shop|ship|versand|service|dining|order_type|unit|uom"
)
_OF_PAYMENT = r"(^|_)pay(ment)?_?(status|state)(_|$)"  # what was declined was not sold
_CANCELLED = (
    r"cancel|void|storn|annul|anul|revers|abandon|chargeback|作废|作廢|取消|交易关闭|已关闭|キャンセル|취소|отмен"
    r"|аннулир|сторно|скасован|ملغ|בוטל|ακυρ|ยกเลิก|لغو|\bbatal\b|dibatalkan|\bh[uủ]y\b|huỷ|i\u0307?ptal"
    r"|zrušen|zrusen|stornov|töröl|sztorn|peruutet|peruttu|makuler|avbrut|otkazan"
)
_NEVER_MADE = (
    r"(^|[^a-z])(failed|declined|rejected|draft|entwurf|brouillon|borrador|bozza|quot(e|ation)|"
    r"estimate|pro ?forma|angebot|devis|cotizacion|preventivo|offerte|deleted|geloscht|supprim\w+|"
    r"eliminad\w|test|parked|geparkt|待付款|等待买家付款|abgelehnt|fehlgeschlagen|expired)([^a-z]|$)"
)
# Modes of a till in which nothing is sold, and lines of its journal that are no goods.
_NOT_SOLD = (
    r"^(no ?sale|in )?(training|trainings?modus|trainings?buchung|schulung|ubung"
    r"|ubungsbuchung|suspended|abort(ed)?"
    r"|abgebrochen|abbruch|interrompu|interrotto|interrumpido|trainings?bon|training (mode|sale)"
    r"|mode formation|modo formacion|addestramento|incomplete|unvollstandig|no ?sale|unfinished)$"
)
# Sums and tenders of a journal, where others of its lines are items: of a payment alone it is not
# known whether it is the sale.
_TENDERS = (
    r"^(sub ?total|zwischensumme|sous total|subtotale|tender(ed)?|payment|zahlung|paiement|pago"
    r"|pagamento|change|wechselgeld|float|cash (in|out|lift|drop)|till (open|close)|z report)$"
)
_ITEMS = r"(^| )(items?|artikel|articles?|articulo|articolo|sale line|goods|plu|products?)( |$)"
# Of a till, what is not closed is not sold yet; an order that is open is asked for all the same.
_OPEN = (
    r"^(open|offen|ouvert|abierto|aperto|aberto|on hold|hold|held|saved|lay ?by|lay ?away|pending"
    r"|in progress|in bearbeitung|en cours|en attente|pendiente|in attesa|parked|unpaid|unbezahlt)$"
)
_CLOSED = (
    r"^(closed|completed?|complete|finali[sz]ed|finished|done|abgeschlossen|beendet|bezahlt|paid"
    r"|termine|cloture|cerrado|cobrado|chiuso|fechado|settled)$"
)
_OF_A_TILL = (
    r"(^|_)(tickets?|bon|bonnr|bon_nr|receipts?|till|register|terminal|kasse|kassen\w*|kassa|caja"
    r"|caisse|cassa|scontrino|check|cheque|paragon|pos)(_|$)"
)
_PLANNED = r"^(budget|budgeted|plan|planned|forecast|prognose|soll|target|presupuesto|prevu|prévu)$"
_ACTUAL = r"^(actuals?|ist|real|reales|réel|reel|sales|sold|invoiced|verkauf|ventas|ventes)$"
_A_NUMBER = r"\d{5,}"  # of a document, and no kind
# Orders, deliveries and what else a column may refer to, whatever it is called: two words.
_REFERENCE = (
    r"(sales?|purchase|transfer|production|work|customer|vendor|return|stock|rma)"
    r"( order| invoice| receipt| shipment| delivery| adjustment| journal| line| transfer)+s?"
)
# Activity codes of EDI 852: sold, given back by customers; all others are stock, orders, receipts.
_EDI_CODE, _EDI = r"[qQ][A-Za-z]", {"qs": "sold", "qu": "returned"}
_NAMES_PRODUCT = re.compile(
    r"(^|_)(name|description|desc|title|bezeichnung|beschreibung|text|libelle|designation"
    r"|descripcion|nombre|\w+(text|name|bezeichnung)|item|article|artikel|product|produkt|nazwa|omschrijving|descrizione)(_|$)"
)
# What is sold or charged beside goods, in names of products.
_NO_GOODS = (
    r"pfand|deposit|gutschein|voucher|gift ?card|geschenk(karte|gutschein)|versand|shipping|postage"
    r"|porto|freight|fracht|(^| )tip$|trinkgeld|gratuity|consigne|bon cadeau|frais de port|envio"
    r"|gastos de|rounding|rundung|rabatt|discount|service charge|carrier bag|tragetasche|spedizione"
    r"|verzend|statiegeld|kaucja|wysylka|kargo"
    r"|^(none|n a|null|nan|unknown|unbekannt|undefined|inconnu|desconocido)$"
)


class LineKinds(Lines):
    """Finds which lines of a file are no sales."""

    def apply(self, table: dict[str, Any]) -> None:
        """Enter what was found into the table of the sales."""
        taken = {*self.keys.there, self.keys.series, self.quantity.name}
        leave_out_heads(self, taken)
        leave_out_children(self)
        keep_those_to_customers(self)
        for column in self.file.columns:
            if column.name in taken:
                continue
            if is_flag(column):
                leave_out_flagged(self, column)
            elif column.kind != DATE:
                self._judge(column)
        self._tell_no_goods()
        if self.rules:
            rules = [table["where"], *self.rules] if "where" in table else self.rules
            table["where"] = rules[0] if len(rules) == 1 else " AND ".join(f"({r})" for r in rules)
        self._turn_round(table)

    def _tell_currencies(self, column: ColumnFacts, values: list[str]) -> None:
        if "currency" in column.name.lower() and len(values) > 1:
            self.notes.append(
                f"{self.file.name} has several currencies ({', '.join(values)}): join the rates "
                "in a source of SQL before prices are used, see docs/your-data.md"
            )

    def _judge(self, column: ColumnFacts) -> None:
        """Leave out the values of a column that say of a line that it is no sale."""
        name = plain(column.name)
        says_kind = re.search(KIND, name) is not None or explains_codes(column.name)
        says_kind = says_kind and not re.search(_NO_KIND, name)
        is_made = says_kind or re.search(_OF_PAYMENT, name) is not None
        if not column.values and not says_kind:
            return
        given = self.counts(f"trim({quote(column.name)}::VARCHAR)", MAX_KINDS)
        if given is None:
            return
        values = [value for value in given if value]
        if self._leave_out_other_activities(column, values):
            return
        self._tell_currencies(column, values)
        if leave_out_amounts(self, column, values):
            return
        if says_kind and leave_out_no_items(self, column, values):
            return
        if len(values) < 2:
            return
        if kits := kits_among(values):
            self.leave_out(column, kits)
            self.told |= {*values}
            return
        if self.is_attribute(column):
            return
        left = {v: "cancelled" for v in values if re.search(_CANCELLED, v.lower())}
        left = self._without_counterparts(column, left)
        if is_made:
            left |= {v: "never sold" for v in values if re.search(_NEVER_MADE, plain_text(v))}
        if is_made or re.search(MODE, name):
            left |= self._not_sold(values)
        if says_kind or any(re.search(_ACTUAL, v.lower()) for v in values):
            left |= {v: "no sales but plans" for v in values if re.search(_PLANNED, v.lower())}
        rest = [v for v in values if v not in left]
        others = other_measures(rest) if says_kind else {}
        refers = len(rest) > 1 and all(
            re.fullmatch(_REFERENCE, plain_text(v)) for v in [*rest, *left]
        )
        is_status = re.search(_STATUS, name) is not None and not explains_codes(column.name)
        if (says_kind or refers) and not others and not is_status:
            others = self._movements(column, rest)
        left |= others
        if left and len(left) < len(values):
            self.leave_out(column, left)
            rest = [v for v in rest if v not in left]
        rest = [v for v in rest if v not in self.told]
        if says_kind and len(rest) > 1 and not all(re.fullmatch(_A_NUMBER, v) for v in rest):
            listed = ", ".join(f"{v} ({given[v]:,})" for v in rest[:_NAMED])
            self.notes.append(
                f"{column.name} of {self.file.name} is {listed}: rows of all of these are read as "
                "sales or returns; leave out by `where` what is none"
            )

    def _not_sold(self, values: list[str]) -> dict[str, str]:
        """Return what a till writes besides its sales: training, tenders, what is not closed."""
        texts = {value: plain_text(value) for value in values}
        left = {v: "never sold" for v, text in texts.items()
                if v not in self.told and re.search(_NOT_SOLD, text)}  # fmt: skip
        if any(re.search(_ITEMS, text) for text in texts.values()):
            left |= {v: "never sold" for v, text in texts.items() if re.search(_TENDERS, text)}
        names = [plain(column.name) for column in self.file.columns]
        closed = any(re.search(_CLOSED, text) for text in texts.values())
        if closed and any(re.search(_OF_A_TILL, name) for name in names):
            left |= {v: "not closed" for v, text in texts.items() if re.search(_OPEN, text)}
        return left

    def _without_counterparts(self, column: ColumnFacts, left: dict[str, str]) -> dict[str, str]:
        """Return what is left out without the lines below zero that take back another line.

        A till writes a line that is void once more below zero: the one taken back stays as it was
        sold, so that both are read.
        """
        kept = []
        for value in left:
            rows = among(column, [value])
            if self.num_lines(f"{rows} AND {self.amount()} < 0") and not self.num_lines(
                f"{rows} AND {self.amount()} > 0"
            ):
                kept.append(value)
        if kept and self.num_lines(f"{self.amount()} > 0") * 2 > self.file.num_rows:
            self.told |= {*kept}
            self.notes.append(
                f"rows of {self.file.name} whose {column.name} is {', '.join(kept)} are below 0, "
                "as those that take back a line before them: both are read; leave out both by "
                "`where` where the line that was taken back stands below 0 itself"
            )
            return {value: why for value, why in left.items() if value not in kept}
        return left

    def _leave_out_other_activities(self, column: ColumnFacts, values: list[str]) -> bool:
        """Leave out what EDI 852 tells beside what was sold; return whether a column holds that."""
        codes = {value: _EDI.get(value.lower(), "") for value in values}
        if "sold" not in codes.values() or not all(re.fullmatch(_EDI_CODE, v) for v in values):
            return False
        left = {value: "other activities (EDI 852)" for value, kind in codes.items() if not kind}
        if left:
            self.leave_out(column, left)
        self.give_back(column, [value for value, kind in codes.items() if kind == "returned"])
        return True

    def _movements(self, column: ColumnFacts, values: list[str]) -> dict[str, str]:
        """Return the movements that are no sales, where others are; returns count below zero."""
        kinds = movements(column.name, values)
        sold = [v for v, kind in kinds.items() if kind == "sold"]
        if not sold:
            self._refuse_none_sold(column, kinds)
            return {}
        returned = [v for v, kind in kinds.items() if kind == "returned"]
        if returned and self.has_one_sign(column, sold) and self.has_one_sign(column, returned):
            self.give_back(column, returned)
        left = {v: "no sales" for v, kind in kinds.items() if kind == "none"}
        return left | self._later_documents(column, values)

    def _refuse_none_sold(self, column: ColumnFacts, kinds: dict[str, str]) -> None:
        """Refuse movements whose codes are all of receipts, transfers and corrections.

        Raises:
            InvalidInputError: If they are.
        """
        if is_coded(column.name) and set(kinds.values()) == {"none"}:
            raise InvalidInputError(
                f"{self.file.path} holds no sale: its {column.name} is {', '.join(sorted(kinds))}, "
                "movements that are receipts, transfers or corrections. Export those of goods that "
                "left (201, 261, 601 and so on), or the invoices; nothing was written."
            )

    def _later_documents(self, column: ColumnFacts, values: list[str]) -> dict[str, str]:
        """Return the documents that say the same sale once more: its delivery, its invoice."""
        chain = chain_of(values)
        if len(chain) < 2:
            return {}
        sql = (
            f"SELECT trim({quote(column.name)}::VARCHAR) AS v, coalesce(sum({self.amount()}), 0) "
            f"AS units FROM {quote(self.file.name)} GROUP BY 1"
        )
        found = self.reader.fetch(sql, self.file.name).to_pylist()
        units = {row["v"]: float(row["units"]) for row in found}
        first = units[chain[0]]
        same = [v for v in chain[1:] if abs(units[v] - first) <= _ALIKE * abs(first)]
        return dict.fromkeys(same, f"documents that follow {chain[0]} for the same goods")

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
        amount = self.amount()
        below = self.num_lines(f"{amount} < 0 AND {kept}")
        above = self.num_lines(f"{amount} > 0 AND {kept}")
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
