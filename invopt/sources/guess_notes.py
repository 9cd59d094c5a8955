"""What a person should know of a first mapping: where another reading fits as well."""

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from invopt.sources.days import (
    are_periods,
)
from invopt.sources.facts import DATE, NUMBER, TEXT, ColumnFacts, FileFacts
from invopt.sources.quantity_columns import sounds_of_money
from invopt.sources.sales_facts import SalesFile
from invopt.sources.sales_file import DESCRIPTIONS, KINDS_OF_PRODUCTS
from invopt.sources.vocabulary import all_by_word, by_word, plain
from invopt.sources.words import (
    SpokenNames,
    dash_is_unknown,
    ends_week,
    named,
)
from invopt.timeline import frequency_unit

_GIVEN_BACK = r"returned|(^|_)returns?(_|$)|retour|retoure|refunded|devuel|devoluc|resi(_|$)"
_FISCAL = r"fiscal|(^|_)fy(_|$)|geschaftsjahr|geschaeftsjahr|retail"
_WEEKEND = ("W-SUN", "W-SAT")


def other_readings(
    sales: SalesFile, frequency: str, asked: SpokenNames, parts: Collection[str] = ()
) -> list[str]:
    """Return what else the sales could mean, where a person did not say it.

    Args:
        sales: Their file and columns.
        frequency: Of them.
        asked: Columns that a person named.
        parts: Columns that are taken off the quantity.
    """
    file, keys, quantity, date = sales.file, sales.keys, sales.quantity, sales.date
    assert quantity is not None
    assert date is not None
    notes = [*number_notes(file, quantity), *date_notes(date, frequency)]
    if asked.quantity is None:
        names = [c.name for c in file.of_kind(NUMBER) if c.name not in keys.there]
        rivals = [n for n in all_by_word(names, "y") if n not in (quantity.name, *parts)]
        if rivals:
            notes.append(_choice("sold", quantity.name, rivals, "quantity"))
        if by_word([quantity.name], "y") is None:
            why = "times a price it is the amount"
            if not any(sounds_of_money(name) for name in names):
                why = f"no other number of {file.name} can be"
            notes.append(f"{quantity.name} is read as the units sold: {why}")
        if sounds_of_money(quantity.name):
            notes.append(
                f"{quantity.name} sounds like money, and orders are for units: name a column of "
                "units with --quantity COLUMN where there is one"
            )
    back = [c.name for c in file.of_kind(NUMBER) if re.search(_GIVEN_BACK, plain(c.name))]
    if back and not parts and back[0] != quantity.name:
        notes.append(
            f"{back[0]} of {file.name} holds what came back and is not read: where it lowers what "
            f"was sold, write it off in y (num({named(quantity.name)}) - num({named(back[0])}))"
        )
    if asked.product is None:
        notes += no_product(sales)
    others = [c.name for c in file.columns if c.kind == TEXT or c.name in keys.there]
    for option, column in keys.roles.items():
        rivals = [n for n in all_by_word(others, option) if n not in keys.there]
        if rivals and getattr(asked, option) is None:
            notes.append(_choice(f"the {option}", column, rivals, option))
    days = [c.name for c in file.of_kind(DATE) if c.name != date.name]
    if days and asked.date is None:
        notes.append(_choice("the date", date.name, days, "date"))
    return notes


def no_product(sales: SalesFile) -> list[str]:
    """Return what series are without a product: places alone, or kinds of products."""
    file, taken = sales.file, {*sales.keys.there, getattr(sales.quantity, "name", None)}
    product = sales.keys.product
    if product is not None and plain(product) in KINDS_OF_PRODUCTS:
        told = f"no column of {file.name} is known to name a product: a series is a {product}"
        return [f"{told}, and all that was sold of it is added up"]
    if product is not None and plain(product) in DESCRIPTIONS:
        return [f"no column of {file.name} is known to hold a product's code: {product} names it"]
    if product is not None or sales.keys.series is not None:
        return []
    most = max(1, file.num_rows // 2)
    left = [c for c in file.columns if c.name not in taken and 1 < c.num_distinct <= most]
    named_so = [c.name for c in left if c.kind == TEXT or (c.kind == NUMBER and c.is_text)]
    maybe = named_so[:3]
    told = f" ({', '.join(maybe)} may name it: say so with --product {maybe[0]})" if maybe else ""
    return [
        f"no column of {file.name} is known to name a product: a series is a place, and all that "
        f"was sold there is added up{told}"
    ]


def _choice(what: str, taken: str, others: list[str], option: str) -> str:
    return (
        f"{what} is read from {taken}; {', '.join(others[:3])} would fit as well: say so with "
        f"--{option} {others[0]}"
    )


def number_notes(file: FileFacts, quantity: ColumnFacts) -> list[str]:
    """Return how numbers of a file were read, where another reading fits as well."""
    doubtful = [c for c in file.of_kind(NUMBER) if c.style.other]
    notes = []
    for column in doubtful:
        taken = "as thousands (1,350 is 1350)" if column.style.group else "as fractions"
        if column.style.group == ".":
            taken = "as thousands (1.350 is 1350)"
        if column.style.other.startswith("thousands"):
            taken = "as fractions"
        notes.append(
            f"{column.name}: its numbers are read {taken}; {column.style.other} would fit as well"
            + (": units depend on it" if column.name == quantity.name else "")
        )
    return notes


def dash_notes(files: list[FileFacts]) -> list[str]:
    """Return what a bare dash is read as, in each column that has some."""
    return [
        f"{column.name} of {file.name}: a bare dash is read as "
        + ("not known" if dash_is_unknown(column.name) else "0")
        for file in files
        for column in file.of_kind(NUMBER)
        if column.style.dashes
    ]


def date_notes(date: ColumnFacts, frequency: str) -> list[str]:
    """Return how dates were read, where another reading fits as well."""
    notes = []
    if date.is_of_span:
        notes.append(f"{date.name} is from one day to another: a row counts on its first day")
    is_named_fiscal = re.search(_FISCAL, plain(date.name)) and frequency_unit(frequency) in "MQ"
    if date.is_fiscal or is_named_fiscal:
        notes.append(fiscal_note(date.name))
    if len(date.formats) > 1:
        notes.append(
            f"{date.name} is read as {date.format or 'year-month-day'}; "
            f"{date.formats[1] or 'year-month-day'} would fit as well: change `format` where that "
            "is meant"
        )
    if frequency_unit(frequency) == "W" and ends_week(date.name):
        notes.append(
            f"{date.name} names the last day of a week: a row is for the week that holds that day "
            f"({frequency})"
        )
    elif frequency in _WEEKEND:
        after = "W-MON" if frequency == "W-SUN" else "W-SUN"
        notes.append(
            f"every week of {date.name} is taken to begin on its day ({frequency}): if that is the "
            f"week's last day, write frequency: {after}"
        )
    if date.has_zone:
        notes.append(
            f"{date.name} names its zone and days are counted in UTC: put your shops' zone under "
            "to_timezone (Europe/Paris)"
        )
    if date.is_local:
        notes.append(
            f"{date.name} names its zone, and each row is of the day that it writes there: write "
            f"ds: {named(date.name)} with to_timezone where the day of one zone counts for all"
        )
    return notes


def measure_notes(file: FileFacts) -> list[str]:
    """Return which measure of each period is read, and that periods of accounting are months."""
    notes = []
    if (measured := file.measured) is not None:
        listed = ", ".join(measured.others)
        notes.append(
            f"{file.path} has several measures of each of {len(file.periods)} periods: "
            f"{measured.name} is read as what was sold, {listed} ({len(measured.columns)} columns) "
            "are left out: name the columns of another measure in wide.columns and in periods"
        )
    if are_periods({_label(file, name): 1 for name in file.periods}):
        notes.append(fiscal_note(f"the columns of {file.path}"))
    return notes


def _label(file: FileFacts, column: str) -> str:
    return column if file.measured is None else file.measured.labels[column]


def fiscal_note(what: str) -> str:
    """Return that periods of accounting are read as months."""
    return (
        f"{what}: periods of accounting are read as the months of the calendar (period 001 is "
        "January): where your fiscal year begins in another month, move them in a source of SQL"
    )


def cell_notes(file: FileFacts, table: dict[str, Any]) -> list[str]:
    """Say in a wide table how its cells write numbers; return what else they could mean."""
    style = file.period_style
    declared = {k: v for k, v in style.declared.items() if k in ("decimal", "thousands")}
    table["wide"] |= declared
    if not style.other:
        return []
    what = "cells of its periods"
    cells = ColumnFacts(name=what, kind=NUMBER, format=None, num_distinct=0, style=style)
    return number_notes(replace(file, columns=(cells,)), cells)
