"""Cases and single pieces of one sale in two columns, as wholesalers count: two cases and three."""

import re
from dataclasses import dataclass

from invopt.sources.facts import NUMBER, ColumnFacts, FileFacts
from invopt.sources.vocabulary import by_word, plain
from invopt.sql import quote

_CASE = (
    r"(^|_)(cases?|cartons?|karton\w*|kiste\w*|box|boxes|kolli|colis|caja|cajas|cs|ktn|collo)(_|$)"
)
_SINGLE = (
    r"(^|_)(singles?|each|ea|loose|pieces?|pcs|einzel\w*|stuck|stueck|stk|unites?|unidades|pezzi"
    r"|bottles?|flaschen?)(_|$)"
)


@dataclass(frozen=True)
class Cases:
    """How cases and pieces are one number.

    Attributes:
        expression: SQL of all pieces.
        note: What a person should know.
    """

    expression: str
    note: str


def cases_beside(file: FileFacts, quantity: ColumnFacts) -> Cases | None:
    """Return how cases and single pieces beside each other add up; None where nothing says it.

    A third column says how many pieces a case has.
    """
    numbers = {c.name: c for c in file.of_kind(NUMBER)}
    size = by_word(list(numbers), "pack_size")
    counts = [c for c in numbers.values() if c.name != size and not by_word([c.name], "price")]
    cases = [c for c in counts if re.search(_CASE, plain(c.name))]
    singles = [c for c in counts if re.search(_SINGLE, plain(c.name)) and c not in cases]
    if size is None or len(cases) != 1 or len(singles) != 1 or quantity not in (*cases, *singles):
        return None
    case, single, pieces = (c.style.sql(quote(c.name)) for c in (*cases, *singles, numbers[size]))
    both = f"{cases[0].name} times {size} and {singles[0].name}"
    return Cases(
        f"coalesce({case} * {pieces}, 0) + coalesce({single}, 0)",
        f"{both} of {file.name} are added up to what was sold: write y: {quote(singles[0].name)} "
        "where it holds the pieces of the cases, too",
    )
