"""Wide tables with a row for each customer of a product: what all of them bought is added up."""

import re

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import FileFacts, num_combined
from invopt.sources.placing import UNIQUE
from invopt.sources.vocabulary import plain
from invopt.sources.words import Keys
from invopt.sql import quote

_BUYERS = (
    r"customer|kunde|client|debitor|acheteur|comprador|buyer|vertreter|salesman|sales_?rep|route"
    r"|channel|kanal|canal|tour(_|$)|klient|musteri|asiakas|kund(_|$|nr)"
)


def add_customers(reader: Reader, found: UnitedFiles) -> None:
    """Replace files of periods with rows of customers by one row for each product and place."""
    for at, file in enumerate(found.files):
        keys = Keys.of(file)
        if not file.periods or not keys.there:
            continue
        buyers = [c.name for c in file.columns if re.search(_BUYERS, plain(c.name))]
        cells = [*map(quote, keys.there)]
        if not buyers or num_combined(reader, file, cells) >= UNIQUE * file.num_rows:
            continue
        both = [*cells, *map(quote, buyers)]
        if num_combined(reader, file, both) < UNIQUE * file.num_rows:
            continue
        name = f"{file.name}_added_up"
        found.files[at] = found.table_of(reader, name, _added(reader, file, keys), [file])
        found.notes.append(
            f"{file.path} has a row for each {' and '.join(buyers)}: those of one "
            f"{' and '.join(keys.there)} are added up"
        )


def _added(reader: Reader, file: FileFacts, keys: Keys) -> str:
    """Return the SQL of the sums of every period by key; blank cells alone stay blank."""
    types = reader.column_types(quote(file.name), file.name)
    cells = ", ".join(
        f"sum({file.period_style.sql(quote(c)) if types[c] == 'VARCHAR' else quote(c)}) "
        f"AS {quote(c)}"
        for c in file.periods
    )
    own = ", ".join(map(quote, keys.there))
    return f"SELECT {own}, {cells} FROM {quote(file.name)} GROUP BY {own}"
