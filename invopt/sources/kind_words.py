"""Words of files' names that tell apart kinds of lines, and no places."""

from invopt.sources.vocabulary import plain

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
        "raw clean cleaned net gross netto brutto units value amount revenue daily weekly monthly",
        "yearly hourly open closed invoiced shipped",
    )
    for word in words.split()
)
_AGES = frozenset(["new", "old", "neu", "alt"])


def is_kind(words: list[str]) -> bool:
    """Return whether words of a name tell apart another kind of line; New York is a place."""
    rest = words[1:] if len(words) > 1 and plain(words[0]) in _AGES else words
    return any(plain(word) in _KINDS for word in rest)
