"""Days in the head of a sheet, some of which are dates and others texts that were typed."""

import re
from collections.abc import Sequence

import pandas as pd

_ISO_DAY, _TYPED_DAY = r"\d{4}-\d\d-\d\d", r"\d{1,2}\.\d{1,2}\.\d{4}"


def with_iso_days(names: Sequence[str]) -> list[str]:
    """Return names of columns whose days are all written alike, where some are days of a sheet.

    A sheet's own days are 2023-01-07; beside them 08.01.2023 is a text that was typed.
    """
    typed = [n for n in names if re.fullmatch(_TYPED_DAY, n)]
    if not typed or not any(re.fullmatch(_ISO_DAY, n) for n in names):
        return list(names)
    days = pd.to_datetime(typed, format="%d.%m.%Y", errors="coerce")
    told = {n: f"{day:%Y-%m-%d}" for n, day in zip(typed, days, strict=True) if not pd.isna(day)}
    return [told.get(name, name) for name in names]
