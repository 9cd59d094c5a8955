"""Which of a company's files holds its sales, and in which columns."""

import re
from collections.abc import Mapping
from dataclasses import replace

from invopt.errors import InvalidInputError
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, ColumnFacts, FileFacts, date_sql
from invopt.sources.missing_sales import what_is_missing
from invopt.sources.placing import DUE
from invopt.sources.quantity_columns import (
    in_base_units,
    net_of,
    pieces_beside,
    sounds_of_money,
    sounds_of_pieces,
    units_of_money,
)
from invopt.sources.sales_dates import sale_date
from invopt.sources.sales_facts import BUYERS, SalesFile, num_keys
from invopt.sources.sales_keys import (
    by_region,
    with_code_of_list,
    with_product_of_places,
    with_the_only_one,
    without_rare_product,
)
from invopt.sources.vocabulary import MONEY, all_by_word, by_word, plain
from invopt.sources.words import NO_SALES, PURCHASES, SALES, Keys, SpokenNames, is_called

# Names of columns of kinds of products, the finest first.
KINDS_OF_PRODUCTS = (
    "product_line", "subcategory", "sub_category", "product_subcategory", "product_category",
    "item_category", "category_name", "category", "kategorie", "categorie", "categoria",
    "warengruppe", "product_group", "product_type", "family", "famille", "familia", "artikelgruppe",
)  # fmt: skip
_SUPPLIERS = {"supplier", "suppliers", "vendor", "lieferant", "kreditor", "proveedor",
              "fournisseur", "fornitore", "fornecedor", "leverancier", "dostawca", "tedarikci",
              "leverantor", "leverandor"}  # fmt: skip
# Names of columns that describe what a line is of, where none has its code.
DESCRIPTIONS = (
    "description", "item_description", "descripcion", "descricao", "bezeichnung", "beschreibung",
    "designation", "libelle", "omschrijving", "descrizione", "opis", "nazwa", "popis", "aciklama",
    "beskrivelse", "beskrivning",
)  # fmt: skip
# In names of columns of how orders to suppliers were delivered.
_DELIVERED = r"promised|on_time|defect|inspect|quality|received|actual_d|delay|wareneingang"
_WEAK = {"value", "count", "y", "target"} | MONEY


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
    candidates = [as_sales(reader, file, asked) for file in files]
    if asked.named:
        holding = [c for c in candidates if _holds(c.file, asked)]
        candidates = holding or candidates
    candidates = [without_rare_product(reader, c, asked) for c in candidates]
    whole = [c for c in candidates if not c.missing]
    whole = whole or [
        c for c in (with_the_only_one(reader, c) for c in candidates) if not c.missing
    ]
    if not asked.named:
        whole = _without_purchases(whole, candidates)
        _refuse_purchases(whole)
    if not whole:
        short = [c for c in candidates if c.missing]
        raise InvalidInputError(what_is_missing(reader, short, doubts or {}))
    told = [c for c in whole if is_called(SALES, c.file)]
    told = [c for c in told if not is_called(NO_SALES, c.file)] or told  # production_orders
    whole = [c for c in whole if not is_called(NO_SALES, c.file)] or whole
    strong = [c for c in told or whole if c.quantity is None or not _is_weak(c.quantity.name)]
    found = max(
        strong or told or whole, key=lambda c: c.file.num_rows * max(1, len(c.file.periods))
    )
    found = with_code_of_list(reader, found, files, asked)
    found = with_product_of_places(reader, found)
    return by_region(reader, found, files)


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
    if words & BUYERS:
        return False
    due = any(re.search(DUE, plain(c.name)) for c in file.of_kind(DATE))
    due = due or any(re.search(_DELIVERED, plain(c.name)) for c in file.columns)
    is_supplied = due and bool(words & _SUPPLIERS) and is_called(r"order", file)
    return is_supplied or is_called(PURCHASES, file)


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


def as_sales(reader: Reader, file: FileFacts, asked: SpokenNames) -> SalesFile:
    """Return a file's columns as those of sales, as far as they are there."""
    keys = Keys.of(file, asked)
    if file.periods:
        return SalesFile(file, keys, None, None)
    date = sale_date(reader, file, asked)
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
