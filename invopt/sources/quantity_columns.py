"""Which of several numbers is what was sold: pieces before money, the base unit, the net."""

from itertools import permutations

from invopt.sources.duck import Reader
from invopt.sources.facts import ColumnFacts, FileFacts
from invopt.sources.units import is_in_base_unit
from invopt.sources.vocabulary import MONEY, QUANTITIES, by_word, plain
from invopt.sql import quote

_NET = {"net", "netto", "neto", "nett", "netta", "nette"}
_VALUES = {"value", "values", "wert", "valeur", "valor", "amount", "revenue", "usd", "eur"}
_PIECES = QUANTITIES | {"count", "cnt", "units", "volume"}
_TRIED, _MADE = 8, 0.9  # columns that may be units or price; rows in which they make the amount


def sounds_of_money(column: str) -> bool:
    """Return whether a column's name has a word for amounts of money."""
    return bool(set(plain(column).split("_")) & MONEY)


def sounds_of_pieces(column: str) -> bool:
    """Return whether a word for pieces is within a column's name, and none for money."""
    name = plain(column)
    return not sounds_of_money(column) and any(word in name for word in QUANTITIES if len(word) > 4)


def pieces_beside(names: list[str], name: str) -> str:
    """Return the column of pieces beside one of values, of what went out beside what came in.

    sell_out_count beside sell_in_value, sell_in_count and sell_out_value; else the name itself.
    """
    words = plain(name).split("_")
    if not _VALUES & {*words}:
        return name
    rest = [word for word in words if word not in _VALUES]
    wanted = [["out" if word == "in" else word for word in rest], rest]
    pieces = {
        n: [w for w in plain(n).split("_") if w not in _PIECES]
        for n in names
        if _PIECES & {*plain(n).split("_")}
    }
    found = (n for stem in wanted for n, left in pieces.items() if left == stem and stem)
    return next(found, name)


def in_base_units(
    reader: Reader, file: FileFacts, numbers: dict[str, ColumnFacts], name: str
) -> ColumnFacts | None:
    """Return the column that says what was sold in the base unit: Quantity (Base) beside Quantity.

    It is a whole multiple of the other in each row that has it, which a charge has not. None where
    there is none, or both are the same.
    """
    asked = numbers[name].style.sql(quote(name))
    for base in numbers.values():
        if base.name == name or not is_in_base_unit(base.name):
            continue
        pieces = base.style.sql(quote(base.name))
        per = f"({pieces} / nullif({asked}, 0))"
        is_multiple = f"{per} >= 1 AND abs({per} - round({per})) < 0.0001"
        if _holds(reader, file, f"{pieces} <> 0", is_multiple, f"{pieces} <> {asked}"):
            return base
    return None


def net_of(
    reader: Reader, file: FileFacts, numbers: dict[str, ColumnFacts], name: str
) -> ColumnFacts | None:
    """Return the column that is what was sold less what came back in each row: Net; else None."""
    sold = numbers[name].style.sql(quote(name))
    nets = [c for c in numbers.values() if c.name != name and _NET & {*plain(c.name).split("_")}]
    for net in nets:
        for back in numbers.values():
            if back.name in (name, net.name):
                continue
            left, off = (c.style.sql(quote(c.name)) for c in (net, back))
            is_net = f"abs({sold} - abs({off}) - {left}) < 0.001"
            given = f"coalesce({sold}, {off}, {left}) IS NOT NULL"
            if _holds(reader, file, given, is_net, f"{off} <> 0"):
                return net
    return None


def _holds(reader: Reader, file: FileFacts, rows: str, always: str, once: str) -> bool:
    """Return whether of some rows one condition holds in each, and another one in any."""
    sql = (
        f"SELECT count(*) AS n, count(*) FILTER ({always}) AS fits, "
        f"count(*) FILTER ({once}) AS some FROM {quote(file.name)} WHERE {rows}"
    )
    [found] = reader.fetch(sql, file.name).to_pylist()
    return bool(found["some"]) and found["fits"] == found["n"]


def units_of_money(
    reader: Reader, file: FileFacts, numbers: dict[str, ColumnFacts], money: str
) -> ColumnFacts | None:
    """Return the column of units that nobody would know by its name: units by price are the money.

    Args:
        reader: Holds the file.
        file: It.
        numbers: Its numbers by name, those that may be units.
        money: The one that sounds of money.
    """
    others = [c for n, c in numbers.items() if n != money][:_TRIED]
    pairs = [
        (units, price)
        for units, price in permutations(others, 2)
        if units.num_distinct > 1 and not units.has_fraction and not by_word([units.name], "price")
    ]
    if not pairs:
        return None
    amount = numbers[money].style.sql(quote(money))
    counts = ", ".join(
        f"coalesce(count_if(abs({(u := units.style.sql(quote(units.name)))} * "
        f"{price.style.sql(quote(price.name))} - {amount}) <= 0.011 + 0.006 * abs({u})), 0) AS c{n}"
        for n, (units, price) in enumerate(pairs)
    )
    sql = f"SELECT count({amount}) AS known, {counts} FROM {quote(file.name)}"
    [found] = reader.fetch(sql, file.name).to_pylist()
    fitting = [
        (not by_word([price.name], "price"), n)
        for n, (_, price) in enumerate(pairs)
        if found["known"] and found[f"c{n}"] >= _MADE * found["known"]
    ]
    return pairs[min(fitting)[1]][0] if fitting else None
