"""Lines of documents that are no goods: heads, payments, remarks, a variant below its product."""

import re

from invopt.sources.facts import DATE, ColumnFacts
from invopt.sources.line_words import KIND, MODE, plain_text
from invopt.sources.lines import MAX_KINDS, Lines
from invopt.sources.vocabulary import plain
from invopt.sql import literal, quote

_NEARLY = 0.95  # share of the lines below another one that must repeat its product
# What a line of goods is not, where others of its column are items.
_ITEM = r"^(items?|artikel|articles?|articulo|inventory( item)?|stock( item)?|products?|material)$"
_NO_ITEM = (
    r"^(g l account|sachkonto|ledger account|konto|charge item|charge|resource|ressource|comment"
    r"|fixed asset|anlage|zu abschlag( artikel)?|text|note|freight|shipping|discount|tax|fee"
    r"|non inventory|subtotal|description|account)$|^$"
)


def leave_out_heads(lines: Lines, taken: set[str | None]) -> None:
    """Leave out lines without a product that a column sets apart.

    Heads of documents, their payments and remarks stand among the lines of goods in exports of
    tills and ERPs; a head repeats the sum of its lines.
    """
    product = lines.keys.product
    if product is None:
        return
    text = f"coalesce(trim({quote(product)}::VARCHAR), '')"
    rows = lines.num_lines(f"{text} = ''")
    if not 0 < rows < lines.file.num_rows:
        return
    found = _all_apart(lines, taken, text)
    if not found:
        return
    *_, name, values = min(found)
    told = f"coalesce(trim({quote(name)}::VARCHAR), '')"
    lines.rules.append(f"{told} NOT IN ({', '.join(map(literal, values))})")
    listed = ", ".join(value or "blank" for value in values)
    lines.notes.append(
        f"{rows:,} rows of {lines.file.name} name no {product}, and their {name} is {listed}: "
        "they are left out as heads, payments or remarks of documents"
    )
    lines.told |= {*values}


def are_set_apart(lines: Lines) -> bool:
    """Return whether a column tells the lines without a product from those that have one."""
    taken = {*lines.keys.there, lines.keys.series, lines.quantity.name}
    text = f"coalesce(trim({quote(str(lines.keys.product))}::VARCHAR), '')"
    return any(not unsure for unsure, *_ in _all_apart(lines, taken, text))


def _all_apart(
    lines: Lines, taken: set[str | None], product: str
) -> list[tuple[bool, int, str, list[str]]]:
    """Return (no word of its name says a kind, kinds, name, those of lines without a product).

    Of each column that sets such lines apart.
    """
    found = []
    for column in lines.file.columns:
        if column.name in taken or column.kind == DATE:
            continue
        parts = _apart(lines, column, product)
        if parts is not None:
            says_kind = re.search(f"{KIND}|{MODE}", plain(column.name)) is not None
            found.append((not says_kind, len(parts[0]) + len(parts[1]), column.name, parts[0]))
    return found


def leave_out_children(lines: Lines) -> None:
    """Leave out lines that say their parent once more: a variant below its own product.

    Where a line's parent is another product, both may be sold (a kit, and what is in it): told.
    """
    names = {plain(c.name): c.name for c in lines.file.columns}
    product = lines.keys.product
    pairs = [(p, names.get(n[len("parent_") :])) for n, p in names.items()
             if re.fullmatch(r"parent_\w*(id|no|nr|number)", n)]  # fmt: skip
    for parent, own in pairs:
        if own is None or product is None:
            continue
        cell, item = f"trim(c.{quote(parent)}::VARCHAR)", quote(product)
        [found] = lines.reader.fetch(
            f"SELECT count(*) AS n, count(*) FILTER (p.{item} = c.{item}) AS same FROM "
            f"{quote(lines.file.name)} c JOIN {quote(lines.file.name)} p ON "
            f"trim(p.{quote(own)}::VARCHAR) = {cell} WHERE {cell} <> ''",
            lines.file.name,
        ).to_pylist()
        if found["n"] and found["same"] >= _NEARLY * found["n"]:
            lines.rules.append(f"coalesce(trim({quote(parent)}::VARCHAR), '') = ''")
            lines.notes.append(
                f"{found['n']:,} rows of {lines.file.name} name their parent in {parent}, a row "
                f"of the same {product}: they are left out, as they say it once more"
            )
        elif found["n"]:
            lines.notes.append(
                f"{found['n']:,} rows of {lines.file.name} are parts of other products (kits, "
                f"by {parent}): both are read; leave out by `where` what is not in stock"
            )


def leave_out_amounts(lines: Lines, column: ColumnFacts, values: list[str]) -> bool:
    """Leave out tax, fees and postage of a line, which repeat its quantity beside its price."""
    goods = [v for v in values if plain_text(v) in ("principal", "product charges")]
    if not goods or len(values) < 2:
        return False
    lines.leave_out(
        column, {v: "other amounts of the same lines" for v in values if v not in goods}
    )
    return True


def leave_out_no_items(lines: Lines, column: ColumnFacts, values: list[str]) -> bool:
    """Leave out what is no item (an account, a charge, a comment) where others are items."""
    if not any(re.search(_ITEM, plain_text(v)) for v in values):
        return False
    others = {v: "no goods" for v in values if re.search(_NO_ITEM, plain_text(v))}
    if others:
        lines.leave_out(column, others)
    return bool(others)


def _apart(lines: Lines, column: ColumnFacts, product: str) -> tuple[list[str], list[str]] | None:
    """Return the values of a column in rows without a product and in the others.

    None where they have one in common, or are many.
    """
    text = f"coalesce(trim({quote(column.name)}::VARCHAR), '')"
    sql = (
        f"SELECT {text} AS v, bool_or({product} = '') AS without, bool_or({product} <> '') AS "
        f"with_one FROM {quote(lines.file.name)} GROUP BY 1 ORDER BY 1 LIMIT {MAX_KINDS + 1}"
    )
    found = lines.reader.fetch(sql, lines.file.name).to_pylist()
    if len(found) > MAX_KINDS or any(row["without"] and row["with_one"] for row in found):
        return None
    return [r["v"] for r in found if r["without"]], [r["v"] for r in found if r["with_one"]]
