"""Tables with a row for each day and a column for each product, whose names are all that tells."""

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, TEXT, FileFacts, cells_of, date_sql, num_combined
from invopt.sources.sales_file import is_of_something_else
from invopt.sources.twins import is_total
from invopt.sources.vocabulary import by_word
from invopt.sources.words import Keys, SpokenNames, shortened
from invopt.sql import quote

PRODUCT, VALUE = "product", "quantity"
_LEAST = 3  # columns
_OF_FLAGS = 2  # values of a column that says yes or no of a day, where others say more


def stack_products(reader: Reader, found: UnitedFiles, asked: SpokenNames) -> None:
    """Replace files with a column for each product by a row for each, where no file is sales.

    Such a file has a date, at most one row for each, no product and no quantity, and numbers that
    no word claims. A blank cell is no row.

    Args:
        reader: Holds the files.
        found: Gets the tables in the place of their files, and notes.
        asked: Columns that a person named: with a product or quantity there is nothing to guess.
    """
    if asked.product or asked.quantity or any(map(_may_be_sales, found.files)):
        return
    for at, file in enumerate(found.files):
        products = _products(reader, file)
        if len(products) < _LEAST:
            continue
        left = [c.name for c in file.columns if c.kind == DATE]
        picked = "".join(f"{quote(name)}, " for name in left)
        own = {name: name.strip() for name in products}
        sql = f"SELECT {picked}{PRODUCT}, {VALUE} FROM {cells_of(file, left, own, PRODUCT, VALUE)}"
        found.files[at] = found.table_of(reader, f"{file.name}_by_product", sql, [file])
        found.notes.append(
            f"{file.path} names no product and no quantity: each of its {len(products)} other "
            f"numbers ({shortened(products)}) is read as a product, and each cell as a row; name "
            "them in a source of SQL where some are none"
        )


def _may_be_sales(file: FileFacts) -> bool:
    """Return whether a file has a date, and a product or a quantity; or periods as columns."""
    keys = Keys.of(file)
    named = keys.product is not None or keys.series is not None
    counted = by_word([c.name for c in file.of_kind(NUMBER)], "y") is not None
    return bool(file.periods) or ((named or counted) and bool(file.of_kind(DATE)))


def _products(reader: Reader, file: FileFacts) -> list[str]:
    """Return the columns that may be products each; none where the file says otherwise."""
    keys, dates = Keys.of(file), file.of_kind(DATE)
    if keys.there or keys.series is not None or len(dates) != 1 or _has_other_texts(file):
        return []
    names = [c.name for c in file.of_kind(NUMBER)]
    if by_word(names, "y") is not None:
        return []
    if num_combined(reader, file, [date_sql(dates[0])]) < file.num_rows:
        return []
    counts = [c.name for c in file.of_kind(NUMBER) if c.num_distinct > _OF_FLAGS]
    return [n for n in counts or names if not is_total(n) and not is_of_something_else(n)]


def _has_other_texts(file: FileFacts) -> bool:
    """Return whether a file has words that are none of its days: Weekday Name, Holiday."""
    return any(not is_of_something_else(c.name) for c in file.of_kind(TEXT))
