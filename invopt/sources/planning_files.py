"""Files that planning alone reads, by their columns: suppliers, breaks, receipts, calendar."""

import re
from typing import Any

from invopt.sources.facts import DATE, NUMBER, ColumnFacts, FileFacts
from invopt.sources.lead_units import lead_time_in_words
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import Keys, date_entry, named, number_entry

# What was asked for and not what came, in a column of quantities.
_ASKED = re.compile("order|bestell|command|pedid", re.IGNORECASE)
_RECEIVED = re.compile(r"_?(received|inbound|inwards)_?")
# Words of columns, without accents and with _ between words.
_COLUMNS = {
    "supplier": ("supplier", "supplier_name", "vendor", "vendor_name", "wholesaler", "lieferant",
                 "grosshandler", "fournisseur", "proveedor"),
    "order_days": ("order_days", "bestelltage", "jours_de_commande", "dias_de_pedido"),
    "min_value": ("min_value", "min_order_value", "mindestbestellwert", "franco"),
    "min_units": ("min_units",),
    "order_cost": ("order_cost", "bestellkosten", "cout_de_commande", "coste_de_pedido"),
    "budget": ("budget", "presupuesto"),
    "from_quantity": ("from_quantity", "from_qty", "ab_menge", "break_quantity", "a_partir_de"),
    "ordered": ("ordered", "order_date", "ordered_at", "bestellt", "bestelldatum",
                "date_commande", "fecha_pedido"),
    "received": ("received", "receipt_date", "received_at", "eingang", "wareneingang",
                 "eingangsdatum", "date_reception", "fecha_recepcion"),
    "open": ("open", "is_open", "geoffnet", "offen", "ouvert", "abierto"),
    "kind": ("kind", "art"),
    "value": ("value", "wert", "valeur", "valor"),
    "from": ("from", "von", "ab", "du", "desde"),
    "to": ("to", "bis", "au", "hasta"),
    "who": ("who",),
    "why": ("why",),
    "made_at": ("made_at",),
    "source": ("source", "supplied_by", "supplied_from", "from_location", "ship_from", "from_site",
               "source_location", "origin", "from", "lieferort", "quelle", "von", "origine",
               "depart", "origen", "desde"),
    "destination": ("destination", "to_location", "ship_to", "to_site", "supplied_location",
                    "target_location", "to", "ziel", "zielort", "nach", "an", "destino", "hasta"),
    "capacity": ("capacity", "truck_capacity", "kapazitat", "capacite", "capacidad"),
    "cost": ("transfer_cost", "transport_cost", "lane_cost", "cost", "transportkosten", "kosten",
             "cout", "coste"),
}  # fmt: skip
_SUPPLIERS = ("order_days", "min_value", "min_units", "order_cost", "budget")
# Names of a supplier's terms that no word above is: "Minimum order value", "Cost per order".
_LEAST = r"(min|minimum|mindest|minimo|minimal|minimale)_?(.+_)?"
_TERMS = {
    "order_days": r"(order|ordering)_(week)?days?|bestell_?tage?|jours?_de_commande"
    r"|dias?_de_pedido",
    "min_value": _LEAST + r"(order|bestell)?_?(value|amount|spend|wert|betrag|valeur|montant|valor"
    r"|importe)(_[a-z]{3})?",
    "min_units": _LEAST + r"(order|bestell)?_?(units|pieces|qty|quantity|menge|stuck|quantite"
    r"|cantidad)|moq",
    "order_cost": r"(costs?|fee|charge)_(per|of|for)_(an_)?(order|delivery|shipment)|bestellkosten"
    r"|(order|ordering|delivery|shipping|freight)_(costs?|fee|charge)|(liefer|versand)kosten"
    r"|frais_(de_)?(port|livraison|commande)|kosten_(pro|je)_(bestellung|lieferung)",
}
_DAYS = r"(^|_)(week)?(days?|tage?|jours?|dias?)(_|$)|(liefer|bestell)tage?"
_OVERRIDES = ("from", "to", "kind", "value", "who", "why", "made_at")


def planning_table(file: FileFacts, keys: Keys) -> tuple[str, dict[str, Any]] | None:
    """Return the section and table of a file that planning alone reads, None where it is none.

    Args:
        file: What it holds.
        keys: Those of the sales that it has, too.
    """
    if file.periods:
        return None
    columns = {plain(c.name): c for c in file.columns}
    found = {
        role: columns[word]
        for role, words in _COLUMNS.items()
        for word in reversed(words)
        if word in columns
    }
    for section, columns_of in (
        ("overrides", _overrides),
        ("lanes", _lanes),
        ("price_breaks", _price_breaks),
        ("receipts", _receipts),
        ("calendar", _calendar),
        ("suppliers", _suppliers),
    ):
        picked = columns_of(file, found, keys)
        if picked is not None:
            return section, {"from": file.name} | picked
    return None


def _overrides(file: FileFacts, found: dict[str, ColumnFacts], _: Keys) -> dict[str, Any] | None:
    if not {"kind", "value"} <= found.keys() or not {"from", "to"} & found.keys():
        return None
    own = {found[role].name for role in _OVERRIDES if role in found}
    scopes = {c.name: named(c.name) for c in file.columns if c.name not in own}
    return {"columns": _entries(found, _OVERRIDES) | scopes}


def _lanes(file: FileFacts, found: dict[str, ColumnFacts], keys: Keys) -> dict[str, Any] | None:
    """Return lanes: a source, a place, and in how many periods one reaches the other."""
    numbers = {c.name: c for c in file.of_kind(NUMBER)}
    lead = by_word(list(numbers), "lead_time")
    place = found.get("destination")
    name = place.name if place is not None else keys.location
    source = found.get("source")
    if lead is None or source is None or name is None or source.name == name:
        return None
    if file.of_kind(DATE):
        return None
    columns: dict[str, Any] = {"source": named(source.name), "location": named(name)}
    if keys.product is not None:
        columns["product"] = named(keys.product)
    columns["lead_time"] = number_entry(numbers[lead])
    columns |= _entries(found, ("order_days", "min_units", "capacity", "cost", "kind"))
    if (pack := by_word(list(numbers), "pack_size")) is not None:
        columns["pack_size"] = number_entry(numbers[pack])
    return {"columns": columns}


def _price_breaks(
    file: FileFacts, found: dict[str, ColumnFacts], keys: Keys
) -> dict[str, Any] | None:
    numbers = {c.name: c for c in file.of_kind(NUMBER)}
    cost = by_word(list(numbers), "unit_cost") or by_word(list(numbers), "list_price")
    if "from_quantity" not in found or cost is None:
        return None
    columns = _entries(found, ("supplier", "from_quantity"))
    return _of_whom(keys, found) | {"columns": columns | {"unit_cost": number_entry(numbers[cost])}}


def _receipts(file: FileFacts, found: dict[str, ColumnFacts], keys: Keys) -> dict[str, Any] | None:
    dated = [found[role] for role in ("ordered", "received") if role in found]
    if len(dated) < 2 or any(c.kind != DATE for c in dated):
        return None
    numbers = {c.name: c for c in file.of_kind(NUMBER)}
    columns = _entries(found, ("supplier", "ordered", "received"))
    asked = [name for name in numbers if _ASKED.search(name)]
    # What is received is not what is sold, so that its word is no word of quantities.
    came = {_RECEIVED.sub("", plain(name)): name for name in numbers if name not in asked}
    for column, names in (("ordered_quantity", {n: n for n in asked}), ("quantity", came)):
        if (quantity := by_word(list(names), "y")) is not None:
            columns[column] = number_entry(numbers[names[quantity]])
    return _of_whom(keys, found) | {"columns": columns}


def _calendar(file: FileFacts, found: dict[str, ColumnFacts], keys: Keys) -> dict[str, Any] | None:
    dates = file.of_kind(DATE)
    if "open" not in found or not dates:
        return None
    columns = _entries(found, ("supplier", "open")) | {"ds": date_entry(dates[0])}
    if keys.location is not None and "supplier" not in found:
        columns["location"] = named(keys.location)
    return {"columns": columns}


def _suppliers(file: FileFacts, found: dict[str, ColumnFacts], keys: Keys) -> dict[str, Any] | None:
    if "supplier" not in found or keys.there or keys.series or file.of_kind(DATE):
        return None
    if found["supplier"].num_distinct < file.num_rows:
        return None
    columns = _entries(_with_terms(file, found), ("supplier", *_SUPPLIERS))
    numbers = {c.name: c for c in file.of_kind(NUMBER)}
    if (lead := by_word(list(numbers), "lead_time")) is not None:
        columns["lead_time"] = number_entry(numbers[lead])
    elif (spelled := lead_time_in_words(file.columns)) is not None:
        columns["lead_time"] = spelled
    return {"columns": columns}


def _with_terms(file: FileFacts, found: dict[str, ColumnFacts]) -> dict[str, ColumnFacts]:
    """Return the column of each role, terms of a supplier in other words among them."""
    named = {
        role: column
        for role, words in _TERMS.items()
        for column in reversed(file.columns)
        if re.fullmatch(words, plain(column.name))
        and (column.kind == NUMBER) != (role == "order_days")
    }
    return named | found


def unread_terms(file: FileFacts, table: dict[str, Any]) -> list[str]:
    """Return what a planner's file says that its table does not read: numbers, and weekdays.

    Args:
        file: What it holds.
        table: As planning_table returns it.
    """
    said = str(table)
    return [
        c.name
        for c in file.columns
        if not re.search(rf"(?<!\w){re.escape(c.name)}(?!\w)", said)
        and (c.kind == NUMBER or re.search(_DAYS, plain(c.name)))
    ]


def _of_whom(keys: Keys, found: dict[str, ColumnFacts]) -> dict[str, Any]:
    whole = keys.series is not None or bool(keys.there)
    return {"unique_id": keys.expression} if whole and "supplier" not in found else {}


def _entries(found: dict[str, ColumnFacts], roles: tuple[str, ...]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for role in roles:
        if (column := found.get(role)) is None:
            continue
        if column.kind == DATE:
            entries[role] = date_entry(column)
        elif column.kind == NUMBER:
            entries[role] = number_entry(column)
        else:
            entries[role] = named(column.name)
    return entries
