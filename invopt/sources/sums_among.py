"""Rows that add up all others, found by their numbers, whatever they are called."""

from invopt.sources.duck import Reader
from invopt.sources.facts import date_sql
from invopt.sources.sales_facts import SalesFile
from invopt.sql import quote

_NEAR = 0.001  # by which a sum may differ: it is written with fewer figures
_LEAST_PERIODS, _LEAST_NAMES = 4, 4
_LOOKED_AT = 24  # columns of periods


def sums_of_others(reader: Reader, sales: SalesFile, column: str, kept: str | None) -> list[str]:
    """Return the names of a key whose quantity is the sum of all others in each period.

    Args:
        reader: Holds the file.
        sales: Its file and columns.
        column: The key, beside which the others of the sales stay the same.
        kept: Condition of the rows that are read; None where all are.
    """
    if column not in sales.keys.there and column != sales.keys.series:
        return []
    beside = [key for key in sales.keys.there if key != column]
    rows = _cells(
        sales, column, beside, f"trim({quote(column)}::VARCHAR) <> '' AND ({kept or True})"
    )
    if rows is None:
        return []
    group = ", ".join(["period", *(f"b{n}" for n in range(len(beside)))])
    sql = (
        f"WITH c AS (SELECT k, {group}, sum(y) AS y FROM ({rows}) WHERE "
        f"period IS NOT NULL AND y IS NOT NULL GROUP BY ALL), t AS (SELECT *, "
        f"sum(y) OVER (PARTITION BY {group}) AS t, count(*) OVER (PARTITION BY {group}) AS m "
        f"FROM c), n AS (SELECT count(*) AS n FROM (SELECT DISTINCT {group} FROM c)) "
        f"SELECT k FROM t, n GROUP BY k, n HAVING median(m) >= {_LEAST_NAMES} AND count(*) >= "
        f"greatest({_LEAST_PERIODS}, 0.9 * n) AND sum(abs(y)) > 0 AND "
        f"bool_and(abs(2 * y - t) <= {_NEAR} * abs(t))"
    )
    found = reader.fetch(sql, sales.file.name)["k"].to_pylist()
    return found if len(found) == 1 else []  # of two that are half of all, neither is a sum


def _cells(sales: SalesFile, column: str, beside: list[str], condition: str) -> str | None:
    """Return the SQL of key, period and quantity; None where a file has no numbers of periods."""
    file = sales.file
    names = [f"trim({quote(column)}::VARCHAR) AS k"]
    names += [f"{quote(key)} AS b{n}" for n, key in enumerate(beside)]
    picked, table = ", ".join(names), quote(file.name)
    if file.periods:
        return " UNION ALL ".join(
            f"SELECT {picked}, {n} AS period, {file.period_style.sql(quote(period))}::DOUBLE AS y "
            f"FROM {table} WHERE {condition}"
            for n, period in enumerate(file.periods[:_LOOKED_AT])
        )
    if sales.date is None or sales.quantity is None:
        return None
    amount = sales.quantity.style.sql(quote(sales.quantity.name))
    return (
        f"SELECT {picked}, {date_sql(sales.date)} AS period, {amount}::DOUBLE AS y FROM {table} "
        f"WHERE {condition}"
    )
