"""Which of a company's files holds its sales, and in which columns."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

from invopt.errors import InvalidInputError
from invopt.sources.by_place import UnitedFiles
from invopt.sources.days import (
    DAYS,
    FISCAL_YEARS,
    MONTHS,
    PERIODS,
    YEARS,
    first_of,
    part_expression,
    readable_days,
)
from invopt.sources.days import WEEKS as PART_WEEKS
from invopt.sources.document_lines import are_set_apart
from invopt.sources.duck import Reader
from invopt.sources.facts import (
    DATE,
    NUMBER,
    TEXT,
    ColumnFacts,
    FileFacts,
    date_of,
    date_sql,
    given_text,
    num_combined,
)
from invopt.sources.lines import Lines
from invopt.sources.measures import measures_of
from invopt.sources.placing import DUE, UNIQUE
from invopt.sources.quantity_columns import (
    in_base_units,
    net_of,
    pieces_beside,
    sounds_of_money,
    sounds_of_pieces,
    units_of_money,
)
from invopt.sources.vocabulary import (
    DOCUMENTS,
    MONEY,
    all_by_word,
    by_word,
    has_label,
    is_ruled_out,
    plain,
)
from invopt.sources.words import (
    NO_SALES,
    PURCHASES,
    SALES,
    Keys,
    SpokenNames,
    is_called,
    is_told_as_sales,
    named,
)
from invopt.sql import literal, quote

_FISCAL = (
    r"fiscal|(^|_)fy|period|geschaftsjahr|exercice|ejercicio"
    r"|(retail|(^|_)wm|walmart)_(\w+_)?(year|yr|quarter|month|week|wk|day)"
)
_DAY = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
_ANY_DAY = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"
_SPAN = rf"^\s*({_ANY_DAY})\s*(?:[-–—/]|to|bis|au|al|t/m|do)\s*{_ANY_DAY}\s*$"
_WEEK_ENDING = rf"(?i)^\s*(?:\d+ )?(?:w/?e|we?e?k[- ]end(?:ing)?)[.:]?\s+({_DAY})\s*$"
_IN_ZONE = r"^\s*(.*\d.*) (?:[PMCE][SD]T|AK[SD]T|HST|GMT|UTC|BST|CES?T|MES?Z|JST|IST|AE[SD]T)\s*$"
_DATED = r"dat|(^|_)dt|dt(_|$)|julian|trdj|(^|_)day|ivd$"
_MOON = r"^(14[3-9]\d[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]14[3-9]\d)\b"
_NAMED = 4
# Names of places larger than a shop; those of them, and the share of rows, that make a table.
_REGIONS = {"region", "regione", "gebiet", "bezirk", "provinz", "province", "provincia", "zone",
            "zona", "territory", "district", "city", "stadt", "ville", "ciudad", "citta", "state",
            "country", "land", "pays", "pais", "paese"}  # fmt: skip
# Names of columns of kinds of products, the finest first.
KINDS_OF_PRODUCTS = (
    "product_line", "subcategory", "sub_category", "product_subcategory", "product_category",
    "item_category", "category_name", "category", "kategorie", "categorie", "categoria",
    "warengruppe", "product_group", "product_type", "family", "famille", "familia", "artikelgruppe",
)  # fmt: skip
_BUYERS = {"customer", "client", "cliente", "kunde", "buyer", "member", "user", "household",
           "shopper", "musteri", "klant", "klient"}  # fmt: skip
_SUPPLIERS = {"supplier", "suppliers", "vendor", "lieferant", "kreditor", "proveedor",
              "fournisseur", "fornitore", "fornecedor", "leverancier", "dostawca", "tedarikci",
              "leverantor", "leverandor"}  # fmt: skip
# Words of columns that say where goods went.
_SENT_TO = {"ship", "shipto", "shipping", "shipped", "sold", "bill", "billing", "delivery",
            "destination", "dest", "consignee", "liefer", "versand", "livraison",
            "envio"}  # fmt: skip
# Names of columns that describe what a line is of, where none has its code.
DESCRIPTIONS = (
    "description", "item_description", "descripcion", "descricao", "bezeichnung", "beschreibung",
    "designation", "libelle", "omschrijving", "descrizione", "opis", "nazwa", "popis", "aciklama",
    "beskrivelse", "beskrivning",
)  # fmt: skip
# In names of columns of how orders to suppliers were delivered.
_DELIVERED = r"promised|on_time|defect|inspect|quality|received|actual_d|delay|wareneingang"
_LEAST, _PAIR, _FULL = 2, 2, 0.5
_WEAK = {"value", "count", "y", "target"} | MONEY
# Remarks, in scripts that are not Latin.
_NOTES = ("备注", "備註", "備考", "メモ", "비고", "примечан", "комментар", "ملاحظات", "หมายเหตุ",
          "σχόλια", "הערות")  # fmt: skip
# Roles, and words of names, whose columns are neither products nor what was sold of them.
_CLAIMED = ("price", "discount", "in_stock", "on_order", "backorders", "reorder_point", "lead_time",
            "on_hand", "unit_cost", "list_price", "shelf_life", "pack_size", "min_order",
            "hours_out_of_stock")  # fmt: skip
_OTHER = DOCUMENTS | {
    "id", "no", "nr", "number", "key", "index", "row", "line", "zip", "phone", "lat", "lon",
    "latitude", "longitude", "year", "month", "week", "day", "hour", "weekday", "wochentag", "jour",
    "dia", "tag", "holiday", "event", "temperature", "temp", "rain", "wind", "humidity", "weather",
    "wetter", "clouds", "cloud", "sunshine", "sun", "snow", "precipitation", "regen", "sonne",
    "schnee", "wolken", "temperatur", "pluie", "neige", "vent", "lluvia", "nieve", "viento",
    "closed", "open", "weekend", "is", "cpi", "rate", "percent", "pct", "share", "ratio", "visits",
    "visitors", "customer",
    "customers", "kunde", "client", "cliente", "comment", "note", "remark", "status", "currency",
    "unit", "uom", "forecast", "budget", "plan", "margin", "tax", "vat", "user", "employee",
    "supplier", "lieferant", "proveedor", "fournisseur", "channel", "category", "kategorie",
    "categorie", "categoria", "brand", "type", "class", "group", "region", "country", "city",
    "tmax", "tmin", "tavg", "tmean", "prcp", "precip", "rainfall", "snowfall", "windspeed",
    "humid", "pressure", "luftdruck", "bewolkung", "niederschlag", "feuchte", "luftfeuchte",
    "humedad", "humidite", "precipitacion", "precipitations", "pioggia", "temperatura",
    "umidita", "vento", "chuva", "umidade", "temperatuur", "neerslag", "wiatr", "deszcz",
    "yagmur", "sicaklik", "regn", "sno", "nederbord", "celsius", "fahrenheit",
    "kunden", "besucher", "gaste", "passanten", "frequenz", "clients", "clientes", "visiteurs",
    "visitantes", "clienti", "klanten", "klienci", "musteri", "kunder", "covers", "guests",
    "footfall", "traffic", "visitor", "transactions", "tickets", "bons", "receipts", "orders",
    "waste", "spoilage", "spoiled", "shrink", "shrinkage", "schwund", "abfall", "bruch", "verderb",
    "perte", "pertes", "merma", "mermas", "scarti", "sprzedawca", "quebra",
    "probe", "sensor", "sonde", "fuhler", "voltage", "kwh", "ppm", "rpm", "lux", "sessions",
    "pageviews", "clicks", "impressions", "conversions", "conversion", "bounce",
    "promo", "promotion", "aktion", "rabatt", "feiertag", "ferien", "festivo", "feriado", "ferie",
    "swieto", "staff", "hours", "stunden", "heures", "horas", "minutes", "score", "rating",
    "notes", "notiz", "bemerkung", "anmerkung", "kommentar", "comments", "remarks", "remarque",
    "observaciones", "opmerking", "uwagi",
    "iva", "propina", "propinas", "cortesia", "cortesias", "personas", "nopersonas", "comensales",
    "impuesto", "impuestos", "tip", "tips", "gratuity", "mwst", "tva", "gst", "trinkgeld",
    "pourboire", "mancia", "promedio", "cuentas", "neta", "neto", "bruta", "bruto",
    "size", "grosse", "groesse", "taille", "talla", "tamanho", "tamano", "misura", "taglia",
    "maat", "rozmiar", "boyut", "beden", "storlek",
}  # fmt: skip


@dataclass(frozen=True)
class SalesFile:
    """The file of sales and which of its columns are what.

    Attributes:
        file: What it holds.
        keys: Product, place or series.
        date: None where periods are columns.
        quantity: None where periods are columns.
    """

    file: FileFacts
    keys: Keys
    date: ColumnFacts | None
    quantity: ColumnFacts | None

    @property
    def missing(self) -> list[str]:
        """What was not found of date, quantity and product."""
        found = {
            "date": self.date is not None or bool(self.file.periods),
            "quantity": self.quantity is not None or bool(self.file.periods),
            "product": bool(self.keys.there) or self.keys.series is not None,
        }
        return [name for name, is_there in found.items() if not is_there]


def find_sales(
    reader: Reader,
    files: list[FileFacts],
    asked: SpokenNames,
    doubts: Mapping[str, str] | None = None,
) -> SalesFile:
    """Return the largest file that may hold sales, those whose name says so first.

    Args:
        reader: Holds the files.
        files: All of them.
        asked: Columns that a person named.
        doubts: Why the numbers of a file cannot be read, by its name.
    """
    _refuse_unknown(files, asked)
    candidates = [_as_sales(reader, file, asked) for file in files]
    if asked.named:
        holding = [c for c in candidates if _holds(c.file, asked)]
        candidates = holding or candidates
    candidates = [_without_rare_product(reader, c, asked) for c in candidates]
    whole = [c for c in candidates if not c.missing]
    whole = whole or [
        c for c in (_with_the_only_one(reader, c) for c in candidates) if not c.missing
    ]
    if not asked.named:
        whole = _without_purchases(whole, candidates)
        _refuse_purchases(whole)
    if not whole:
        short = [c for c in candidates if c.missing]
        raise InvalidInputError(_what_is_missing(reader, short, doubts or {}))
    told = [c for c in whole if is_called(SALES, c.file)]
    told = [c for c in told if not is_called(NO_SALES, c.file)] or told  # production_orders
    whole = [c for c in whole if not is_called(NO_SALES, c.file)] or whole
    strong = [c for c in told or whole if c.quantity is None or not _is_weak(c.quantity.name)]
    found = max(
        strong or told or whole, key=lambda c: c.file.num_rows * max(1, len(c.file.periods))
    )
    found = _with_code_of_list(reader, found, files, asked)
    found = _with_product_of_places(reader, found)
    return _by_region(reader, found, files)


def _with_code_of_list(
    reader: Reader, sales: SalesFile, files: list[FileFacts], asked: SpokenNames
) -> SalesFile:
    """Return sales whose product is a code that a list of products has, and not only its name.

    Where few lines are there, nearly each of them is of another code, as numbers of lines are.
    """
    product = sales.keys.product
    if product is None or asked.product is not None or not has_label(product):
        return sales
    codes = all_by_word([c.name for c in sales.file.columns if c.kind != DATE], "product")
    for code in [c for c in codes if c != product and not has_label(c)]:
        for file in files:
            own = next((c for c in file.columns if c.name.lower() == code.lower()), None)
            if file is sales.file or own is None or file.of_kind(DATE):
                continue
            if own.num_distinct >= UNIQUE * file.num_rows and _knows(
                reader, file, own, sales, code
            ):
                return replace(sales, keys=replace(sales.keys, product=code))
    return sales


def _knows(
    reader: Reader, file: FileFacts, column: ColumnFacts, sales: SalesFile, code: str
) -> bool:
    """Return whether a column of another file has nearly all codes of the sales."""
    [found] = reader.fetch(
        f"SELECT count(*) AS n, count(*) FILTER ({given_text(code)} IN (SELECT "
        f"{given_text(column.name)} FROM {quote(file.name)})) AS known "
        f"FROM {quote(sales.file.name)}",
        file.name,
    ).to_pylist()
    return bool(found["known"] >= UNIQUE * found["n"])


def _without_rare_product(reader: Reader, sales: SalesFile, asked: SpokenNames) -> SalesFile:
    """Return a file's columns without a product that most of its rows do not name.

    A reference that few payments have is none. Lists that name a product once are filled by now.
    """
    product, file = sales.keys.product, sales.file
    if product is None or asked.product is not None or sales.date is None:
        return sales
    [found] = reader.fetch(
        f"SELECT count({given_text(product)}) AS given FROM {quote(file.name)} WHERE "
        f"{date_sql(sales.date)} IS NOT NULL",
        file.name,
    ).to_pylist()
    if found["given"] >= _FULL * file.num_rows or found["given"] == 0:
        return sales
    # A till's journal has heads, tenders and sums, which a column tells from lines of goods.
    if sales.quantity and are_set_apart(Lines(reader, file, sales.keys, sales.quantity)):
        return sales
    left = replace(file, columns=tuple(c for c in file.columns if c.name != product))
    return replace(sales, keys=replace(sales.keys, product=Keys.of(left, asked).product))


def _without_purchases(whole: list[SalesFile], candidates: list[SalesFile]) -> list[SalesFile]:
    """Return files that may hold sales without those of what was bought.

    What customers bought is sales; and where no other file is called sales, so may be any.
    """
    bought = [c for c in whole if _is_of_purchases(c.file)]
    others = [c for c in candidates if c not in bought]
    is_told = any(is_called(SALES, c.file) for c in others)
    return [c for c in whole if c not in bought] if is_told else whole


def _refuse_purchases(whole: list[SalesFile]) -> None:
    """Refuse files that all hold what was ordered of suppliers: that is no demand."""
    bought = [c.file for c in whole if _is_of_purchases(c.file) and _supplier_of(c.file)]
    if whole and len(bought) == len(whole):
        raise InvalidInputError(
            f"no file looks like sales: {bought[0].path} holds what was bought "
            f"({_supplier_of(bought[0])}), which is no demand. Add the file of what was sold or "
            "used; name a column of this one (--quantity COLUMN) to read it all the same."
        )


def _supplier_of(file: FileFacts) -> str | None:
    """Return the column of suppliers, None where there is none."""
    names = [c.name for c in file.columns]
    return next((n for n in names if _SUPPLIERS & set(plain(n).split("_"))), None)


def _is_of_purchases(file: FileFacts) -> bool:
    """Return whether a file holds what was bought: so it is called, or its orders are supplied.

    Orders of which a supplier is known, and when or how they were delivered, and no customer, are
    the company's own.
    """
    words = {word for column in file.columns for word in plain(column.name).split("_")}
    if words & _BUYERS:
        return False
    due = any(re.search(DUE, plain(c.name)) for c in file.of_kind(DATE))
    due = due or any(re.search(_DELIVERED, plain(c.name)) for c in file.columns)
    is_supplied = due and bool(words & _SUPPLIERS) and is_called(r"order", file)
    return is_supplied or is_called(PURCHASES, file)


def name_one_product(reader: Reader, found: UnitedFiles, asked: SpokenNames) -> None:
    """Give a file that has one row for each period, and names nothing, a column for its product.

    Only where no file has a date, a quantity and a product: a file of dates and numbers beside the
    sales is of something else.

    Args:
        reader: Holds the files.
        found: Gets the table in the place of its file, and a note.
        asked: Columns that a person named.
    """
    candidates = []
    for file in found.files:
        candidates.append(_as_sales(reader, file, asked))
        if not candidates[-1].missing and not is_called(rf"{PURCHASES}|{NO_SALES}", file):
            return
    others = any(not candidate.missing for candidate in candidates)  # purchases, a stock
    candidates = [c for c in candidates if not others or is_told_as_sales(c.file)]
    alone: dict[tuple[str, ...], list[SalesFile]] = {}
    for nearest in map(_with_its_only_number, candidates):
        texts = _texts_left(reader, nearest)
        if len(texts) == 1 and has_label(texts[0]):
            continue  # medicine_name tells apart what was sold, however few rows a day has
        if nearest.missing == ["product"] and _is_one_series(reader, nearest):
            alone.setdefault(tuple(_names(nearest.file)), []).append(nearest)
    for single in alone.values():
        _name_products(reader, found, single)


def _name_products(reader: Reader, found: UnitedFiles, single: list[SalesFile]) -> None:
    """Give files with the same columns, one series each, a column for their product, in one table.

    Of several it is the title of their sheet, or the name of the file.
    """
    files = [sales.file for sales in single]
    labels = [file.sheet or PurePath(file.path).stem for file in files]
    if len(files) == 1 or len(set(labels)) < len(files):
        labels = [file.name for file in files]
    sql = " UNION ALL BY NAME ".join(
        f"SELECT *, {literal(label)} AS product FROM {quote(sales.file.name)}"
        f"{_without_remarks(reader, sales, found.notes)}"
        for label, sales in zip(labels, single, strict=True)
    )
    made = found.table_of(reader, f"{files[0].name}_named", sql, files)
    if found.gaps & {file.name for file in files}:
        found.gaps.add(made.name)
    at = found.files.index(files[0])
    found.files[:] = [file for file in found.files if file not in files]
    found.files.insert(at, made)
    one = (
        f"{files[0].path} has one row for each period and names no product: all of it is one "
        f"series, called {labels[0]}"
    )
    several = (
        f"{len(files)} tables ({', '.join(labels[:_NAMED])}) have the same columns, one row for "
        "each period and no product: each is a series, called so"
    )
    found.notes.append(one if len(files) == 1 else several)


def _without_remarks(reader: Reader, sales: SalesFile, notes: list[str]) -> str:
    """Return the SQL that leaves out rows without a day and a number, and say how many there are.

    Args:
        reader: Holds the file.
        sales: One series.
        notes: Gets the sentence.
    """
    if sales.date is None or sales.quantity is None:
        return ""
    day = date_sql(sales.date)
    remark = f"{day} IS NULL AND {given_text(sales.quantity.name)} IS NULL"
    sql = f"SELECT count(*) AS n FROM {quote(sales.file.name)} WHERE {remark}"
    num_remarks = reader.fetch(sql, sales.file.name)["n"][0].as_py()
    if not num_remarks:
        return ""
    notes.append(
        f"{num_remarks:,} rows of {sales.file.path} have no day and no number, as remarks below a "
        "table: they are left out"
    )
    return f" WHERE NOT ({remark})"


def _is_one_series(reader: Reader, sales: SalesFile) -> bool:
    """Return whether a file without keys has one row, or one row for each period."""
    if sales.date is None:
        return sales.file.num_rows == 1
    day = date_sql(sales.date)
    [found] = reader.fetch(
        f"SELECT count({day}) AS given, count(DISTINCT {day}) AS days "
        f"FROM {quote(sales.file.name)}",
        sales.file.name,
    ).to_pylist()
    is_usual = found["given"] >= _FULL * sales.file.num_rows
    return is_usual and found["days"] >= UNIQUE * found["given"] > 1


def _with_the_only_one(reader: Reader, sales: SalesFile) -> SalesFile:
    """Return a file's columns, what no word tells taken from the only column that is left for it.

    That is the number which no other word claims, and the text that tells rows apart; of two texts
    that do so together, the one with more names is the product, and the other the place.
    """
    sales = _with_its_only_number(sales)
    if sales.missing != ["product"]:
        return sales
    left = _texts_left(reader, sales)
    if len(left) == 1:
        return replace(sales, keys=replace(sales.keys, product=left[0]))
    if len(left) == _PAIR and sales.date is not None and _is_table(reader, sales, left):
        return replace(sales, keys=replace(sales.keys, product=left[0], location=left[1]))
    return sales


def _with_product_of_places(reader: Reader, sales: SalesFile) -> SalesFile:
    """Return sales whose series are places with the only text as their product, where it is one.

    That is so in a table with one row for a place, a name and a period.
    """
    place, left = sales.keys.location, _texts_left(reader, sales)
    is_place = place is not None and sales.keys.product is None and sales.keys.series is None
    if not is_place or sales.date is None or len(left) != 1:
        return sales
    if not _is_table(reader, sales, [left[0], str(place)]):
        return sales
    return replace(sales, keys=replace(sales.keys, product=left[0]))


def _texts_left(reader: Reader, sales: SalesFile) -> list[str]:
    """Return the texts that no word claims, the one with most names first.

    What most rows leave blank is a remark.
    """
    taken = {*sales.keys.there, sales.keys.series}
    texts = [
        c
        for c in sales.file.of_kind(TEXT)
        if c.name not in taken and not is_of_something_else(c.name)
    ]
    left = [c for c in texts if c.num_distinct > 1]
    if not left:
        return []
    given = ", ".join(f"count({given_text(c.name)}) AS {quote(c.name)}" for c in left)
    [counts] = reader.fetch(
        f"SELECT {given} FROM {quote(sales.file.name)}", sales.file.name
    ).to_pylist()
    left = [c for c in left if counts[c.name] >= _FULL * sales.file.num_rows]
    return [c.name for c in sorted(left, key=lambda c: -c.num_distinct)]


def _is_table(reader: Reader, sales: SalesFile, both: list[str]) -> bool:
    """Return whether a file has a row for two names and a period, most of them, and needs both."""
    assert sales.date is not None
    file, period = sales.file, date_sql(sales.date)
    rows = num_keys(reader, file, both, period)
    pairs = num_combined(reader, file, map(quote, both))
    periods = num_combined(reader, file, [period])
    alone = max(num_keys(reader, file, [name], period) for name in both)
    is_table = rows >= UNIQUE * file.num_rows and rows >= _FULL * pairs * periods
    return is_table and alone < UNIQUE * file.num_rows


def _with_its_only_number(sales: SalesFile) -> SalesFile:
    if sales.quantity is not None or sales.date is None or sales.file.periods:
        return sales
    taken = {*sales.keys.there, sales.keys.series}
    numbers = [c for c in sales.file.of_kind(NUMBER) if c.name not in taken]
    left = [c for c in numbers if c.num_distinct > 1 and not is_of_something_else(c.name)]
    # 300ml in each row is a size, and no count.
    is_count = len(left) == 1 and not left[0].style.unit
    return replace(sales, quantity=left[0]) if is_count else sales


def is_of_something_else(column: str) -> bool:
    """Return whether a column's name says that it is neither a product nor what was sold of it."""
    if set(plain(column).split("_")) & _OTHER or is_ruled_out(column, "y"):
        return True
    if any(word in column.lower() for word in _NOTES):
        return True
    return any(by_word([column], role) is not None for role in _CLAIMED)


def _is_weak(name: str) -> bool:
    return bool(set(plain(name).split("_")) & _WEAK)


def _refuse_unknown(files: list[FileFacts], asked: SpokenNames) -> None:
    columns = {c.name.lower() for f in files for c in f.columns}
    for option, column in asked.named.items():
        if column.lower() not in columns:
            listed = "; ".join(f"{f.path}: {', '.join(c.name for c in f.columns)}" for f in files)
            raise InvalidInputError(
                f"--{option} {column}: no file has a column of that name. There are {listed}."
            )


def _holds(file: FileFacts, asked: SpokenNames) -> bool:
    names = {c.name.lower() for c in file.columns}
    return all(column.lower() in names for column in asked.named.values())


def _as_sales(reader: Reader, file: FileFacts, asked: SpokenNames) -> SalesFile:
    """Return a file's columns as those of sales, as far as they are there."""
    keys = Keys.of(file, asked)
    if file.periods:
        return SalesFile(file, keys, None, None)
    date = _date(file, asked) or _date_in_parts(reader, file) or _first_of_span(reader, file)
    date = date or _within_text(reader, file) or _with_century(reader, file)
    keys = _whole_key(reader, file, keys, date)
    if date is not None:
        keys = _with_kind_of_product(file, keys)
    return SalesFile(file, keys, date, _quantity(reader, file, keys, asked))


def _with_kind_of_product(file: FileFacts, keys: Keys) -> Keys:
    """Return keys with the description, or the kind, for the product of a file without any."""
    if keys.series is not None or keys.product is not None:
        return keys
    kinds = {plain(c.name): c for c in file.columns if c.kind != DATE and c.num_distinct > 1}
    names = (*DESCRIPTIONS, *KINDS_OF_PRODUCTS)
    found = next((kinds[name] for name in names if name in kinds), None)
    if found is None or 2 * found.num_distinct > file.num_rows:
        return keys
    return replace(keys, product=found.name)


def _whole_key(reader: Reader, file: FileFacts, keys: Keys, date: ColumnFacts | None) -> Keys:
    """Return keys whose series is a product's where it needs the place to be unique."""
    if keys.series is None or keys.location is None or keys.product is not None or date is None:
        return keys
    alone = num_keys(reader, file, [keys.series], date_sql(date))
    both = num_keys(reader, file, [keys.series, keys.location], date_sql(date))
    return replace(keys, product=keys.series, series=None) if both > alone else keys


def _by_region(reader: Reader, sales: SalesFile, files: list[FileFacts]) -> SalesFile:
    """Return sales with the region as the place, where each product is sold in each of them apart.

    That is a table with one row for a product, a region and a period, most of them there: orders
    that name their customer's region have gaps, or several rows. Where stock is kept for a product
    and no region, it is no place.

    Args:
        reader: Holds the files.
        sales: Without a place.
        files: All of them.
    """
    file, keys, date = sales.file, sales.keys, sales.date
    if keys.product is None or keys.location is not None or date is None:
        return sales
    for column in file.columns:
        words = set(plain(column.name).split("_"))
        if not words & _REGIONS or column.name == keys.product or column.num_distinct < _LEAST:
            continue
        is_theirs = bool(words & (_BUYERS | _SENT_TO))
        if is_theirs and not _is_stocked(keys.product, column.name, sales, files):
            continue
        if _is_table(reader, sales, [keys.product, column.name]) and not _is_shared(
            keys.product, column.name, sales, files
        ):
            return replace(sales, keys=replace(keys, location=column.name))
    return sales


def told_region(sales: SalesFile) -> str | None:
    """Return what a person should know of a region that is the place of sales, or is none."""
    file, keys = sales.file, sales.keys
    columns = {c.name: {*plain(c.name).split("_")} for c in file.columns if c.num_distinct > 1}
    place = keys.location
    if (
        place is not None
        and columns.get(place, set()) & _REGIONS
        and not by_word([place], "location")
    ):
        return (
            f"{place} of {file.name} is read as the place, as each product is sold in each of "
            "them: make it an attribute, and add the sales up in a source of SQL, where stock is "
            "kept for all of them together"
        )
    theirs = [
        n for n, words in columns.items() if words & _REGIONS and words & (_BUYERS | _SENT_TO)
    ]
    if place is not None or not theirs or keys.series is not None:
        return None
    return (
        f"{theirs[0]} of {file.name} says where goods went, and is no place of stock: the sales of "
        f"all of them are added up; say --location {theirs[0]} where each keeps its own stock"
    )


def _is_stocked(product: str, region: str, sales: SalesFile, files: list[FileFacts]) -> bool:
    """Return whether another file keeps stock of products by region."""
    for file in files:
        names = {c.name.lower() for c in file.columns}
        numbers = [c.name for c in file.of_kind(NUMBER)]
        is_stock = by_word([*numbers, file.name], "on_hand") is not None
        if file is not sales.file and is_stock and {product.lower(), region.lower()} <= names:
            return True
    return False


def _is_shared(product: str, region: str, sales: SalesFile, files: list[FileFacts]) -> bool:
    """Return whether another file keeps stock of products and not of their regions."""
    for file in files:
        names = {c.name.lower() for c in file.columns}
        numbers = [c.name for c in file.of_kind(NUMBER)]
        is_stock = product.lower() in names and by_word(numbers, "on_hand") is not None
        if file is not sales.file and is_stock and region.lower() not in names:
            return True
    return False


def _date(file: FileFacts, asked: SpokenNames) -> ColumnFacts | None:
    """Return the date of a sale: as named, by its name, or the one that tells rows apart most."""
    dates = {c.name: c for c in file.of_kind(DATE)}
    if asked.date is not None:
        column = asked.of("date", [c.name for c in file.columns])
        if column is not None and column not in dates:
            facts = next(c for c in file.columns if c.name == column)
            raise InvalidInputError(
                f"--date {column}: {file.path} holds no dates there ({facts.kind}). Write the "
                "mapping by hand where it needs a format of its own, see docs/your-data.md."
            )
        return dates[column] if column is not None else None
    names = all_by_word(list(dates), "date")
    if names:  # one that never differs is of the file, as its first day or that of its payment
        return next((dates[n] for n in names if dates[n].num_distinct > 1), dates[names[0]])
    return date_of(file) if dates else None


def _date_in_parts(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the date of a file that has its year and week, or year and month, in two columns."""
    names = {plain(c.name): c.name for c in file.columns}
    year, day = first_of(YEARS, names), first_of(DAYS, names)
    for words, is_week in ((PART_WEEKS, True), (MONTHS, False)):
        part = first_of(words, names)
        if year is None or part is None:
            continue
        expr = part_expression(year, part, None if is_week else day, is_week=is_week)
        days = readable_days(reader, file.name, expr, "VARCHAR")
        if days is not None:
            is_fiscal = plain(year) in FISCAL_YEARS or plain(part) in PERIODS
            return ColumnFacts(
                name=f"{year} and {part}", kind=DATE, format=None, num_distinct=0, is_text=True,
                expr=expr, days=days, is_fiscal=is_fiscal and not is_week,
            )  # fmt: skip
    return None


def _first_of_span(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the first day of texts from one day to another (01.07.2026 - 07.07.2026)."""
    found = (_day_by(reader, file, column, _SPAN) for column in file.of_kind(TEXT))
    return next(filter(None, found), None)


def _within_text(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the day of texts that say more: 1 W/E 01/25/25, Jan 6, 2025 1:22 PM PST.

    A stamp counts on the day that it writes, in whatever zone.
    """
    tried = ((column, form) for column in file.of_kind(TEXT) for form in (_WEEK_ENDING, _IN_ZONE))
    found = (_day_by(reader, file, column, form) for column, form in tried)
    return next(filter(None, found), None)


def _day_by(reader: Reader, file: FileFacts, column: ColumnFacts, form: str) -> ColumnFacts | None:
    """Return the day that the first group of a form takes from a column; None where it is none."""
    text = f"{quote(column.name)}::VARCHAR"
    expr = f"nullif(regexp_extract({text}, {literal(form)}, 1), '')"
    [found] = reader.fetch(
        f"SELECT count({expr}) AS days, count(nullif(trim({text}), '')) AS n "
        f"FROM {quote(file.name)}",
        file.name,
    ).to_pylist()
    if not found["n"] or found["days"] < UNIQUE * found["n"]:
        return None
    days = readable_days(reader, file.name, expr, "VARCHAR")
    if days is None:
        return None
    return ColumnFacts(
        name=column.name, kind=DATE, format=None, num_distinct=0, is_text=True,
        expr=expr, days=days, is_week_end=form == _WEEK_ENDING, is_of_span=form == _SPAN,
    )  # fmt: skip


def _with_century(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the day of numbers whose first figure is the century: 1250106, or 125006 by the day.

    An AS/400 writes the former and JD Edwards the latter; the column's name speaks of a date.
    """
    for column in file.of_kind(NUMBER):
        if not re.search(_DATED, plain(column.name)) or column.has_fraction:
            continue
        number = f"TRY_CAST(trim({quote(column.name)}::VARCHAR) AS INTEGER)"
        start = f"make_date(1900 + {number} // 1000, 1, 1)"
        for least, expr in (
            (1_000_000, f"TRY_STRPTIME((19000000 + {number})::VARCHAR, '%Y%m%d')::DATE"),
            (100_000, f"({start} + {number} % 1000 - 1)"),
        ):
            [found] = reader.fetch(
                f"SELECT count(*) AS n, count(*) FILTER ({number} BETWEEN {least} AND "
                f"{1.4 * least:.0f}) AS fits FROM {quote(file.name)} "
                f"WHERE trim({quote(column.name)}::VARCHAR) <> ''",
                file.name,
            ).to_pylist()
            if not found["n"] or found["fits"] < found["n"]:
                continue
            days = readable_days(reader, file.name, expr, "DATE")
            if days is not None:
                return ColumnFacts(
                    name=column.name, kind=DATE, format=None, num_distinct=0, expr=expr, days=days
                )
    return None


def _quantity(
    reader: Reader, file: FileFacts, keys: Keys, asked: SpokenNames
) -> ColumnFacts | None:
    taken = {*keys.there, keys.series}
    numbers = {c.name: c for c in file.of_kind(NUMBER) if c.name not in taken}
    if asked.quantity is not None:
        column = asked.of("quantity", [c.name for c in file.columns])
        if column is not None and column not in numbers:
            raise InvalidInputError(f"--quantity {column}: {file.path} holds no numbers there.")
        return numbers[column] if column is not None else None
    name = by_word(list(numbers), "y")
    if name is None:
        return None
    name = pieces_beside(list(numbers), name)
    if sounds_of_money(name):
        pieces = [n for n in all_by_word(list(numbers), "y") if sounds_of_pieces(n)]
        if pieces:  # Absatzmenge, behind the whole word that Umsatz is
            return numbers[pieces[0]]
        return units_of_money(reader, file, numbers, name) or numbers[name]
    better = in_base_units(reader, file, numbers, name) or net_of(reader, file, numbers, name)
    return better or numbers[name]


def _what_is_missing(reader: Reader, candidates: list[SalesFile], doubts: Mapping[str, str]) -> str:
    """Return which of date, quantity and product was missed, in the file nearest to sales."""
    nearest = min(candidates, key=lambda c: (len(c.missing), -c.file.num_rows))
    found = "; ".join(
        f"{c.file.path}: {', '.join(f'{k.name} ({k.kind})' for k in c.file.columns[:12])}"
        for c in candidates[:5]
    )
    options = " ".join(f"--{name} COLUMN" for name in nearest.missing)
    hint = "".join(_hints(reader, nearest))
    if (doubt := doubts.get(nearest.file.name)) is not None:
        return f"no sales can be read: {doubt}"
    return (
        "no file looks like sales, which need a date (or a column per period), a quantity and a "
        f"product or place. {nearest.file.path} comes nearest: it lacks "
        f"{' and '.join(nearest.missing)}. Found {found}. Name what is there with {options}, or "
        f"write the mapping by hand, see docs/your-data.md.{hint}"
    )


def _hints(reader: Reader, nearest: SalesFile) -> Iterator[str]:
    """Yield what may stand for what a file lacks, a sentence each, with a blank before it."""
    if "date" in nearest.missing:
        yield from _hints_of_dates(reader, nearest.file)
    texts = _names_of(nearest.file, TEXT)
    if "quantity" in nearest.missing and (told := by_word(texts, "y")) is not None:
        yield (
            f" {told} holds texts that are no numbers of one form ({_texts(reader, nearest, told)})"
            ": correct them, or say how they are read in `y` of a mapping by hand."
        )
    taken = {*nearest.keys.there, nearest.keys.series}
    left = [name for name in _names_of(nearest.file, NUMBER) if name not in taken]
    left = [*(name for name in taken if name and re.search(r"\d$", name)), *left]
    if nearest.date is not None and nearest.missing[0] == "quantity" and len(left) > 1:
        yield (
            f" If there is a column for each place or product ({', '.join(left[:3])}), turn them "
            f"into rows in a source of SQL: SELECT * FROM {nearest.file.name} UNPIVOT (quantity "
            f"FOR name IN ({', '.join(map(quote, left[:3]))}))."
        )
    if nearest.missing == ["quantity"] and nearest.keys.product is not None:
        yield (
            f" Where each row is one unit of {nearest.keys.product}, write "
            f"{nearest.file.name}: {{sql: SELECT *, 1 AS quantity FROM ...}} under sources."
        )
    if nearest.missing == ["product"]:
        yield " Where all rows are one product, write unique_id: \"'all'\"."


def _hints_of_dates(reader: Reader, file: FileFacts) -> Iterator[str]:
    """Yield what may stand for the days that a file lacks."""
    fiscal = [c.name for c in file.columns if re.search(_FISCAL, plain(c.name))]
    if fiscal:
        yield (
            f" {' and '.join(fiscal)} may be periods of a fiscal or retail calendar (4-4-5, weeks "
            "of a year that begins in February), which are no dates: put a file with a row for "
            "each (its name as here, and its first day) beside the sales, or join a table of their "
            "first days in a source of SQL."
        )
    names = {plain(c.name): c.name for c in file.columns}
    year, day = first_of(YEARS, names), first_of(DAYS, names)
    if year is not None:
        yield f" {year} is a year alone: export the sales by month, week or day."
    elif day is not None and day in _names_of(file, NUMBER):
        yield (
            f" {day} may count the days from a first one that no column says: write it in a "
            f"mapping by hand, ds: DATE '2025-01-01' + num({named(day)})::INTEGER - 1."
        )
    if measures := measures_of(_names(file)):
        yield (
            f" There are columns of periods for each of {', '.join(measures[:_NAMED])}, and none "
            "is known to be what was sold: name its columns in sales.wide. If these are places or "
            "products, turn them into rows in a source of SQL (UNPIVOT)."
        )
    if (lunar := _of_the_moon(reader, file)) is not None:
        yield (
            f" {lunar} seems to hold days of the Islamic calendar (a year of 14..), which differ "
            "by country and are not converted here: export the days of the Gregorian calendar, "
            "or join a table of both in a source of SQL."
        )
    if reader.rejected:
        listed = ", ".join(
            f"{len(r.lines):,} of {r.source} from line {r.lines['line'].min()} on"
            for r in sorted(reader.rejected, key=lambda r: -len(r.lines))[:_NAMED]
        )
        yield (
            f" Lines are malformed ({listed}): they have other cells than the header, as where a "
            "text with a delimiter stands in no quotes. Lines of orders that are among them have "
            "no date."
        )


def _names_of(file: FileFacts, kind: str) -> list[str]:
    return [c.name for c in file.of_kind(kind)]


def _of_the_moon(reader: Reader, file: FileFacts) -> str | None:
    """Return the text column whose days have years of the Islamic calendar, 1430 to 1499."""
    for column in file.of_kind(TEXT):
        text = f"trim({quote(column.name)}::VARCHAR)"
        [found] = reader.fetch(
            f"SELECT count(*) AS n, count(*) FILTER (regexp_matches({text}, {literal(_MOON)})) "
            f"AS moon FROM {quote(file.name)} WHERE {text} <> ''",
            file.name,
        ).to_pylist()
        if found["n"] and found["moon"] >= UNIQUE * found["n"]:
            return column.name
    return None


def _texts(reader: Reader, nearest: SalesFile, column: str) -> str:
    """Return the texts of a column that come most often and are no numbers, with their rows."""
    text = f"trim({quote(column)}::VARCHAR)"
    rows = reader.fetch(
        f"SELECT {text} AS v, count(*) AS n FROM {quote(nearest.file.name)} WHERE {text} <> '' "
        f"AND TRY_CAST({text} AS DOUBLE) IS NULL GROUP BY 1 ORDER BY n DESC, v LIMIT {_NAMED}",
        nearest.file.name,
    ).to_pylist()
    return ", ".join(f"{row['v']}: {row['n']:,} rows" for row in rows)


def _names(file: FileFacts) -> list[str]:
    return [column.name for column in file.columns]


def num_keys(reader: Reader, file: FileFacts, names: list[str], period: str) -> int:
    """Return how many combinations of keys and periods a file holds."""
    return num_combined(reader, file, [*map(quote, names), period])
