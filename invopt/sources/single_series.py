"""Files that have one row for each period and name nothing: each is one series."""

from pathlib import PurePath

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import date_sql, given_text
from invopt.sources.missing_sales import NAMED
from invopt.sources.placing import UNIQUE
from invopt.sources.sales_facts import FULL, SalesFile
from invopt.sources.sales_file import as_sales
from invopt.sources.sales_keys import texts_left, with_its_only_number
from invopt.sources.vocabulary import has_label
from invopt.sources.words import NO_SALES, PURCHASES, SpokenNames, is_called, is_told_as_sales
from invopt.sql import literal, quote


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
        candidates.append(as_sales(reader, file, asked))
        if not candidates[-1].missing and not is_called(rf"{PURCHASES}|{NO_SALES}", file):
            return
    others = any(not candidate.missing for candidate in candidates)  # purchases, a stock
    candidates = [c for c in candidates if not others or is_told_as_sales(c.file)]
    alone: dict[tuple[str, ...], list[SalesFile]] = {}
    for nearest in map(with_its_only_number, candidates):
        texts = texts_left(reader, nearest)
        if len(texts) == 1 and has_label(texts[0]):
            continue  # medicine_name tells apart what was sold, however few rows a day has
        if nearest.missing == ["product"] and _is_one_series(reader, nearest):
            alone.setdefault(tuple(c.name for c in nearest.file.columns), []).append(nearest)
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
        f"{len(files)} tables ({', '.join(labels[:NAMED])}) have the same columns, one row for "
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
    is_usual = found["given"] >= FULL * sales.file.num_rows
    return is_usual and found["days"] >= UNIQUE * found["given"] > 1
