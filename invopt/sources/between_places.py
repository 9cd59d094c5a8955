"""Movements from one place to another: what goes to customers is sold, the rest is none of it."""

import re

from invopt.sources.facts import TEXT
from invopt.sources.lines import MAX_KINDS, Lines, among
from invopt.sources.vocabulary import plain
from invopt.sql import quote

_FROM = (
    r"^(from|source|von|de|from_location|source_location|location_from|location_id"
    r"|from_warehouse|von_lager|source_warehouse|origin|depuis|desde|da)$"
)
_TO = (
    r"^(to|destination|dest|nach|an|vers|to_location|destination_location|location_to|hasta"
    r"|location_dest_id|to_warehouse|nach_lager|an_lager|destination_warehouse|target)$"
)
_CUSTOMERS = r"customer|kunde|client|debitor|klant|klient|покупат|клиент|顧客|客户|客戶"


def keep_those_to_customers(lines: Lines) -> None:
    """Keep lines that go to customers, count those that come from them below zero, and say so."""
    texts = {plain(c.name): c for c in lines.file.of_kind(TEXT)}
    start = next((c for name, c in texts.items() if re.search(_FROM, name)), None)
    end = next((c for name, c in texts.items() if re.search(_TO, name)), None)
    if start is None or end is None:
        return
    both = [lines.counts(f"trim({quote(c.name)}::VARCHAR)", MAX_KINDS) for c in (start, end)]
    to, back = (
        [v for v in given or {} if re.search(_CUSTOMERS, v.lower())] for given in both[::-1]
    )
    if not to:
        return
    sold, returned = among(end, to), among(start, back) if back else "false"
    rows = lines.num_lines(f"NOT ({sold}) AND NOT ({returned})")
    if back and lines.has_one_sign(start, back):
        lines.give_back(start, back)
    if not rows:
        return
    lines.rules.append(f"({sold}) OR ({returned})")
    lines.notes.append(
        f"{rows:,} rows of {lines.file.name} go neither to customers nor come from them, by "
        f"{start.name} and {end.name}: they are left out as receipts, transfers or corrections"
    )
