"""Files of one kind, one for each place: sales_Berlin.csv and sales_Hamburg.csv are one table."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from invopt.sources.duck import Reader
from invopt.sources.inspect import DATE, FileFacts, facts_of
from invopt.sources.mapping import Source
from invopt.sources.standard import literal, quote
from invopt.sources.words import all_by_word, plain

PLACE = "location"
# Words of names that tell apart what is no place: returns, plans, another kind of line.
_KINDS = frozenset(
    word
    for words in (
        "return returns retoure retouren retours devolucion sale sales order orders purchase",
        "stock inventory bestand lager plan planned budget forecast prognose actual actuals ist",
        "soll train test valid validation old new alt neu backup copy kopie final draft all total",
        "gesamt umsatz verkauf absatz ventes ventas cancelled storno promo promotions aktion",
        "prices preise products artikel customers kunden web online jan feb mar apr may jun jul",
        "aug sep oct nov dec januar februar marz april mai juni juli august september oktober",
        "november dezember january february march june july october december",
    )
    for word in words.split()
)


@dataclass(frozen=True)
class Places:
    """Files that were made one.

    Attributes:
        files: All files, those that were united replaced by what they are together.
        sources: SQL of each table that was made, by name.
        parts: Names of the files that each is made of.
        notes: A sentence for each.
    """

    files: list[FileFacts]
    sources: dict[str, dict[str, str]]
    parts: dict[str, list[str]]
    notes: list[str]


def unite_places(reader: Reader, files: list[FileFacts]) -> Places:
    """Make one table of files with the same columns whose names differ in one word, the place.

    It has a column for the place. Files that name their places in a column are left as they are,
    and so are names that tell apart something else (returns, plans).
    """
    found = Places(list(files), {}, {}, [])
    for group in _groups(files):
        words = _places(group)
        if words is None:
            continue
        stem = "_".join(w for w in plain(group[0].name).split("_") if w != plain(words[0]))
        name = f"{stem or 'lines'}_by_place"
        sql = " UNION ALL BY NAME ".join(
            f"SELECT *, {literal(word)} AS {PLACE} FROM {quote(file.name)}"
            for word, file in zip(words, group, strict=True)
        )
        reader.add(name, Source(sql=sql))
        made = replace(facts_of(reader, name, group[0]), path=", ".join(f.path for f in group))
        found.files[:] = [made, *(f for f in found.files if f not in group)]
        found.sources[name] = {"sql": sql}
        found.parts[name] = [file.name for file in group]
        found.notes.append(
            f"{', '.join(file.path for file in group)} have the same columns and are one table; "
            f"the place is read from their names ({', '.join(words)})"
        )
    return found


def _groups(files: Iterable[FileFacts]) -> list[list[FileFacts]]:
    groups: dict[object, list[FileFacts]] = {}
    for file in files:
        names = [column.name for column in file.columns]
        if file.periods or not file.of_kind(DATE) or all_by_word(names, "location"):
            continue
        groups.setdefault(tuple(sorted(names)), []).append(file)
    return [group for group in groups.values() if len(group) > 1]


def _places(group: list[FileFacts]) -> list[str] | None:
    """Return the word in which each file's name differs from all others; None where it is none."""
    names = [file.name.split("_") for file in group]
    if len({len(words) for words in names}) > 1:
        return None
    differing = [words for words in zip(*names, strict=True) if len(set(words)) > 1]
    if len(differing) != 1 or len(set(differing[0])) < len(group):
        return None
    words = list(differing[0])
    if any(plain(word) in _KINDS or not word.isalpha() for word in words):
        return None
    return words
