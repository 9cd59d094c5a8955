"""What a cell of a spreadsheet says, from its value and its format."""

import re
from typing import Any

_ZEROS = re.compile(r"0{2,}")
_EXACT = 1e15  # below it a floating point number holds a whole one exactly


def cell_value(value: Any, number_format: str) -> Any:
    """Return a cell's value: None for a blank text, a whole number without a decimal point.

    A whole number behind a format of zeros is the text that it shows: 71 as 00071.
    """
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and _ZEROS.fullmatch(number_format):
        return str(value).zfill(len(number_format))
    return value
