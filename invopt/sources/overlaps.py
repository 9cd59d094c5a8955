"""Rows that stand in two files of one table, word for word: exports whose pages or days overlap."""

from invopt.sources.duck import Reader
from invopt.sources.facts import FileFacts
from invopt.sql import quote

ROW_KEY = "order_and_line"  # column of a table made of orders whose files overlap


def whole_row(file: FileFacts) -> str:
    """Return the SQL of all that a row says, as one text."""
    cells = [f"coalesce({quote(column.name)}::VARCHAR, '')" for column in file.columns]
    return f"concat_ws('|', {', '.join(cells)})"


def num_repeated(reader: Reader, file: FileFacts) -> int:
    """Return how many rows are in a second file of a table, where no file has a row twice; else 0.

    Args:
        reader: Holds the files.
        file: The table; without several files nothing overlaps.
    """
    parts = reader.files.get(file.name, [])
    if len(parts) < 2:
        return 0
    rows = " UNION ALL BY NAME ".join(
        f"SELECT {number} AS __file, * FROM {part}" for number, part in enumerate(parts)
    )
    [found] = reader.fetch(
        "SELECT coalesce(sum(n - files), 0) AS within, coalesce(sum(files - 1), 0) AS across FROM ("
        f"SELECT count(*) AS n, count(DISTINCT __file) AS files FROM ({rows}) "
        f"GROUP BY {whole_row(file)})",
        file.name,
    ).to_pylist()
    return 0 if found["within"] else int(found["across"])
