"""Names of months in the languages that dates are read in."""

MONTHS = (
    "jan january januar janvier janv enero ene gennaio gen", "feb february februar février févr "
    "fevrier febrero febbraio", "mar march märz maerz mär mrz mars marzo", "apr april avril avr "
    "abril abr aprile", "may mai mayo maggio mag", "jun june juni juin junio giugno giu",
    "jul july juli juillet juil julio luglio lug", "aug august août aout agosto ago", "sep sept "
    "september septembre septiembre settembre set", "oct october oktober okt octobre octubre "
    "ottobre ott", "nov november novembre noviembre", "dec december dezember dez décembre déc "
    "decembre diciembre dic dicembre",
)  # fmt: skip
CYRILLIC = (
    "янв января январь січня", "фев февраля февраль лютого", "мар марта март березня",
    "апр апреля апрель квітня", "май мая травня", "июн июня июнь червня", "июл июля июль липня",
    "авг августа август серпня", "сен сентября сентябрь вересня", "окт октября октябрь жовтня",
    "ноя ноября ноябрь листопада", "дек декабря декабрь грудня",
)  # fmt: skip
MONTH_NAMES = tuple(name for group in MONTHS for name in group.split())
_NUMBER_OF = {
    name: number
    for groups in (MONTHS, CYRILLIC)
    for number, group in enumerate(groups, start=1)
    for name in group.split()
}


def month_number(word: str) -> int | None:
    """Return which month a word in small letters names, 1 to 12; None where it names none."""
    return _NUMBER_OF.get(word)
