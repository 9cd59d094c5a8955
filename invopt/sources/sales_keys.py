"""Products and places of sales that are not called so: what rows and other files tell of them."""

from dataclasses import replace

from invopt.sources.document_lines import are_set_apart
from invopt.sources.duck import Reader
from invopt.sources.facts import (
    DATE,
    NUMBER,
    TEXT,
    FileFacts,
    date_sql,
    given_text,
    num_combined,
    num_found,
)
from invopt.sources.lines import Lines
from invopt.sources.placing import UNIQUE
from invopt.sources.sales_facts import BUYERS, FULL, SalesFile, is_of_something_else, num_keys
from invopt.sources.vocabulary import all_by_word, by_word, has_label, plain
from invopt.sources.words import Keys, SpokenNames
from invopt.sql import quote

_LEAST, _PAIR = 2, 2
# Names of places larger than a shop; those of them, and the share of rows, that make a table.
_REGIONS = {"region", "regione", "gebiet", "bezirk", "provinz", "province", "provincia", "zone",
            "zona", "territory", "district", "city", "stadt", "ville", "ciudad", "citta", "state",
            "country", "land", "pays", "pais", "paese"}  # fmt: skip
# Words of columns that say where goods went.
_SENT_TO = {"ship", "shipto", "shipping", "shipped", "sold", "bill", "billing", "delivery",
            "destination", "dest", "consignee", "liefer", "versand", "livraison",
            "envio"}  # fmt: skip


def with_code_of_list(
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
            is_key = own.num_distinct >= UNIQUE * file.num_rows
            known = (given_text(code), file, given_text(own.name))
            if is_key and num_found(reader, sales.file, *known) >= UNIQUE * sales.file.num_rows:
                return replace(sales, keys=replace(sales.keys, product=code))
    return sales


def without_rare_product(reader: Reader, sales: SalesFile, asked: SpokenNames) -> SalesFile:
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
    if found["given"] >= FULL * file.num_rows or found["given"] == 0:
        return sales
    # A till's journal has heads, tenders and sums, which a column tells from lines of goods.
    if sales.quantity and are_set_apart(Lines(reader, file, sales.keys, sales.quantity)):
        return sales
    left = replace(file, columns=tuple(c for c in file.columns if c.name != product))
    return replace(sales, keys=replace(sales.keys, product=Keys.of(left, asked).product))


def with_the_only_one(reader: Reader, sales: SalesFile) -> SalesFile:
    """Return a file's columns, what no word tells taken from the only column that is left for it.

    That is the number which no other word claims, and the text that tells rows apart; of two texts
    that do so together, the one with more names is the product, and the other the place.
    """
    sales = with_its_only_number(sales)
    if sales.missing != ["product"]:
        return sales
    left = texts_left(reader, sales)
    if len(left) == 1:
        return replace(sales, keys=replace(sales.keys, product=left[0]))
    if len(left) == _PAIR and sales.date is not None and _is_table(reader, sales, left):
        return replace(sales, keys=replace(sales.keys, product=left[0], location=left[1]))
    return sales


def with_product_of_places(reader: Reader, sales: SalesFile) -> SalesFile:
    """Return sales whose series are places with the only text as their product, where it is one.

    That is so in a table with one row for a place, a name and a period.
    """
    place, left = sales.keys.location, texts_left(reader, sales)
    is_place = place is not None and sales.keys.product is None and sales.keys.series is None
    if not is_place or sales.date is None or len(left) != 1:
        return sales
    if not _is_table(reader, sales, [left[0], str(place)]):
        return sales
    return replace(sales, keys=replace(sales.keys, product=left[0]))


def texts_left(reader: Reader, sales: SalesFile) -> list[str]:
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
    left = [c for c in left if counts[c.name] >= FULL * sales.file.num_rows]
    return [c.name for c in sorted(left, key=lambda c: -c.num_distinct)]


def _is_table(reader: Reader, sales: SalesFile, both: list[str]) -> bool:
    """Return whether a file has a row for two names and a period, most of them, and needs both."""
    assert sales.date is not None
    file, period = sales.file, date_sql(sales.date)
    rows = num_keys(reader, file, both, period)
    pairs = num_combined(reader, file, map(quote, both))
    periods = num_combined(reader, file, [period])
    alone = max(num_keys(reader, file, [name], period) for name in both)
    is_table = rows >= UNIQUE * file.num_rows and rows >= FULL * pairs * periods
    return is_table and alone < UNIQUE * file.num_rows


def with_its_only_number(sales: SalesFile) -> SalesFile:
    """Return sales without a quantity with the only number that no word claims, if it is one."""
    if sales.quantity is not None or sales.date is None or sales.file.periods:
        return sales
    taken = {*sales.keys.there, sales.keys.series}
    numbers = [c for c in sales.file.of_kind(NUMBER) if c.name not in taken]
    left = [c for c in numbers if c.num_distinct > 1 and not is_of_something_else(c.name)]
    # 300ml in each row is a size, and no count.
    is_count = len(left) == 1 and not left[0].style.unit
    return replace(sales, quantity=left[0]) if is_count else sales


def by_region(reader: Reader, sales: SalesFile, files: list[FileFacts]) -> SalesFile:
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
        is_theirs = bool(words & (BUYERS | _SENT_TO))
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
    theirs = [n for n, words in columns.items() if words & _REGIONS and words & (BUYERS | _SENT_TO)]
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
