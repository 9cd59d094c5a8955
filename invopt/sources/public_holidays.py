"""Public holidays by country, as a source of rows."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any

import pandas as pd

from invopt.errors import InvalidInputError

# Source, and the channels it becomes, in a drafted mapping.
SOURCE = PREFIX = "public_holiday"

# One language for all: names become channels, and a machine's own would change them. Countries
# whose names are not translated keep theirs.
_LANGUAGE = "en_US"
_ESTIMATED = (" (estimated)", ", estimated)")  # of a moon's calendar, until it is seen


def check_place(place: str) -> str:
    """Return a country or a country and its region, as `holidays` knows it.

    Raises:
        ValueError: If it is none.
    """
    country, dash, region = place.partition("-")
    known = _countries()
    if country not in known:
        code = _code_of(country)
        meant = f": {country} is {code}" if code else ", as DE, US or IN"
        raise ValueError(f"holidays {place!r}: expected the two letters of ISO 3166{meant}")
    if dash and region not in known[country]:
        regions = f"one of {', '.join(known[country])}" if known[country] else "not there"
        raise ValueError(f"holidays {place!r}: a region of {country} is {regions}")
    return place


def draft(place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a source and a table of external, as a mapping has them, for all locations.

    Raises:
        InvalidInputError: If the place is none.
    """
    try:
        check_place(place)
    except InvalidInputError:
        raise
    except ValueError as err:
        raise InvalidInputError(f"--{err}.") from None
    table = {"from": SOURCE, "ds": "ds", "known": True, "fill": "zero", "aggregate": "max",
             "one_hot": {PREFIX: ["holiday"]}}  # fmt: skip
    return {"holidays": place}, table


def holiday_rows(
    places: Mapping[str, str], first: pd.Timestamp, last: pd.Timestamp
) -> pd.DataFrame:
    """Return a row for every holiday of every location: ds, location, holiday (its name).

    Args:
        places: Country or region (DE-BY) by location; "" stands for all of them.
        first: First day.
        last: Last day, included.
    """
    rows = [
        (day, location, name)
        for location, place in places.items()
        for day, name in _days(place, range(first.year, last.year + 1))
        if first <= day <= last
    ]
    return pd.DataFrame(rows, columns=["ds", "location", "holiday"]).astype(
        {"ds": "datetime64[us]", "location": "str", "holiday": "str"}
    )


def _library() -> ModuleType:
    """Return the package of holidays, which a server has no use for and does not load.

    Raises:
        InvalidInputError: If it is not installed.
    """
    try:
        return import_module("holidays")
    except ImportError:
        raise InvalidInputError(
            "public holidays need holidays, which is not installed: pip install 'invopt[sources]'."
        ) from None


def _code_of(name: str) -> str | None:
    """Return the code of a country by its name, by its three letters or by small letters."""
    spoken = {
        "".join(filter(str.isalpha, one)).casefold(): codes[1]
        for module, codes in _library().registry.COUNTRIES.items()
        for one in (module, codes[1], codes[2])
    }
    plain = "".join(filter(str.isalpha, name)).casefold()
    near = get_close_matches(plain, spoken, 1, 0.8 if len(plain) > 3 else 1.0)
    return spoken[near[0]] if near else None


def _countries() -> dict[str, list[str]]:
    """Return the regions of every country, by their codes."""
    found: dict[str, list[str]] = _library().list_supported_countries(include_aliases=False)
    return found


def _days(place: str, years: Iterable[int]) -> Iterator[tuple[pd.Timestamp, str]]:
    """Yield every holiday of a place: its day and its name."""
    country, _, region = place.partition("-")
    found: Mapping[date, str] = _library().country_holidays(
        country, subdiv=region or None, years=years, language=_LANGUAGE
    )
    for day in sorted(found):
        for name in dict.fromkeys(found[day].split("; ")):
            plain = name.replace(_ESTIMATED[0], "").replace(_ESTIMATED[1], ")")
            yield pd.Timestamp(day), plain
