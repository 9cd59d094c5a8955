"""Tables with a row for each day and a column for each product, whose names are all that tells."""

from dataclasses import replace

from invopt.sources.by_place import UnitedFiles
from invopt.sources.columns_alike import PRODUCT, Alike, columns_alike
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NAMELESS, NUMBER, FileFacts, cells_of
from invopt.sources.vocabulary import by_word
from invopt.sources.words import Keys, SpokenNames, shortened
from invopt.sql import literal, quote

VALUE = "quantity"


def stack_products(reader: Reader, found: UnitedFiles, asked: SpokenNames) -> None:
    """Replace files with a column for each product or place by a row for each, where none is sales.

    What else a row says (weather, holidays, plans, remarks) stays beside it. A blank cell is no
    row.

    Args:
        reader: Holds the files.
        found: Gets the tables in the place of their files, and notes.
        asked: Columns that a person named: with a product or quantity there is nothing to guess.
    """
    if asked.product or asked.quantity:
        return
    wide = [columns_alike(reader, file) for file in found.files]
    pairs = list(zip(found.files, wide, strict=True))
    if any(may_be_sales(file) for file, alike in pairs if alike is None):
        return
    for at, (file, alike) in enumerate(pairs):
        if alike is None:
            continue
        keys = [c.name for c in file.of_kind(DATE)]
        keys += [alike.place] if alike.place is not None else []
        cells = cells_of(file, keys, alike.labels, alike.kind, VALUE)
        # What numbers the rows is not among the file's columns, which may be read without names.
        cells += f" AND NOT regexp_full_match({alike.kind}, {literal(NAMELESS)})"
        picked = "".join(f"{quote(name)}, " for name in keys)
        sql = f"SELECT {picked}{alike.kind}, {VALUE} FROM {cells}"
        made = found.table_of(reader, f"{file.name}_by_{alike.kind}", sql, [file])
        gone = {*alike.labels, *alike.sums}
        left = tuple(c for c in file.columns if c.name not in gone)
        if not alike.are_receipts:  # what these say is of a customer, not of the day
            found.beside[made.name] = (replace(file, columns=left), list(alike.labels.values()))
        found.files[at] = made
        found.notes.extend(_told(file, alike))


def _told(file: FileFacts, alike: Alike) -> list[str]:
    """Return what a person should know of a file's cells that became rows."""
    listed = shortened(list(alike.labels))
    told = (
        f"names no product and no quantity: each of its {len(alike.labels)} other numbers "
        f"({listed}) is read as a product, and each cell as a row; name them in a source of SQL "
        "where some are none"
    )
    if alike.kind != PRODUCT:
        told = (
            f"has a column for each of {len(alike.labels)} places ({listed}): each cell is read as "
            "a row"
        )
    elif alike.labels.keys() != set(alike.labels.values()):
        told = (
            f"has a column for each of {len(alike.labels)} products ({listed}): each cell is read "
            f"as a row, of the products {shortened(list(alike.labels.values()))}"
        )
    notes = [f"{file.path} {told}"]
    if alike.sums:
        notes.append(f"{shortened(alike.sums)} of {file.path} adds up other columns: not read")
    if alike.odd:
        notes.append(
            f"{shortened(alike.odd)} of {file.path} has fractions or numbers below 0 where the "
            "others are whole, and is read as something else of the day and as no product: name "
            "the products in a source of SQL where it is one"
        )
    return notes


def may_be_sales(file: FileFacts) -> bool:
    """Return whether a file has a date, and a product or a quantity; or periods as columns."""
    keys = Keys.of(file)
    named = keys.product is not None or keys.series is not None
    counted = by_word([c.name for c in file.of_kind(NUMBER)], "y") is not None
    return bool(file.periods) or ((named or counted) and bool(file.of_kind(DATE)))
