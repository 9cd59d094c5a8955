"""Plans that list their products in one cell: SKU-001,SKU-021 or [1, 3, 7]; a row for each."""

from dataclasses import replace

from invopt.sources.columns import facts_of
from invopt.sources.facts import DATE, TEXT, FileFacts
from invopt.sources.mapping import Source
from invopt.sources.placing import Placing
from invopt.sql import quote

_KNOWN = 0.8  # share of what cells list that is sold
_SEPARATORS = r"\s*[,;|]\s*"
_AROUND = r"""[\[\]{}()"']"""


def one_row_per_product(placing: Placing, file: FileFacts) -> FileFacts:
    """Return a dated file with a row for each product that its cells list; else the file itself.

    A promotion of two products would be one of all products.

    Args:
        placing: The sales, and where files go: gets the source, and a note.
        file: A file beside the sales.
    """
    if placing.keys.product is None or not file.of_kind(DATE) or file.periods:
        return file
    own = placing.keys_of(file)
    texts = [c.name for c in file.of_kind(TEXT) if own.product in (None, c.name)]
    column = next((name for name in texts if _lists_products(placing, file, name)), None)
    if column is None or own.series is not None:
        return file
    name = f"{file.name}_by_product"
    product = str(placing.keys.product)
    sql = (
        f"SELECT * EXCLUDE ({quote(column)}), unnest({_parts(column)}) AS {quote(product)} "
        f"FROM {quote(file.name)}"
    )
    placing.reader.add(name, Source(sql=sql))
    placing.sources[name] = {"sql": sql}
    placing.behind[name] = [file.name]
    placing.notes.append(
        f"{column} of {file.name} lists products in a cell: each of them is read as a row"
    )
    return replace(facts_of(placing.reader, name, file), path=file.path)


def _parts(column: str) -> str:
    """Return the SQL of the list that a cell holds."""
    bare = f"trim(regexp_replace({quote(column)}::VARCHAR, '{_escaped(_AROUND)}', '', 'g'))"
    return f"regexp_split_to_array({bare}, '{_SEPARATORS}')"


def _escaped(pattern: str) -> str:
    return pattern.replace("'", "''")


def _lists_products(placing: Placing, file: FileFacts, column: str) -> bool:
    """Return whether nearly all that the cells of a column list are products sold, some several."""
    product = quote(str(placing.keys.product))
    sold = f"(SELECT trim({product}::VARCHAR) FROM {quote(placing.sales.name)})"
    [found] = placing.reader.fetch(
        f"SELECT count(*) AS n, count(*) FILTER (k IN {sold}) AS known, max(size) AS size FROM "
        f"(SELECT unnest(parts) AS k, len(parts) AS size FROM (SELECT {_parts(column)} AS parts "
        f"FROM {quote(file.name)} WHERE trim({quote(column)}::VARCHAR) <> ''))",
        file.name,
    ).to_pylist()
    return (found["size"] or 0) > 1 and found["known"] >= _KNOWN * found["n"] > 0
