"""Days of dates and stamps as companies write them: text of every usual form, numbers, zones.

A form that could be read in two ways is read in none: it is refused until the mapping says which.
"""

from dataclasses import dataclass

from invopt.errors import InvalidInputError
from invopt.sources.duck import Reader
from invopt.sources.mapping import Expression
from invopt.sources.month_names import ENGLISH, OTHER_LETTERS
from invopt.sources.numbers import figures_sql
from invopt.sql import literal, quote

# A date, and perhaps a time of day, its half and its zone. RE2 has neither look-ahead nor groups
# that refer back.
_STAMP = (
    r"^(.*?)(?:(?:T|,? |, ?| ?[-|] ?| at )(\d{1,2}[:h]\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?) ?"
    r"([AaPp]\.?[Mm]\.?)? ?"
    r"(?:(?:hs?|hrs?|[Uu]hr|uur)\.?)? ?"
    r"(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?|[A-Z][A-Za-z]+/[A-Za-z_/+-]+)?(?:\[[^\]]+\])?)?$"
)
# Letters of the names of months; RE2 takes ten milliseconds to compile \p{L}.
_LETTER = f"[A-Za-zÀ-ɏЀ-ӿ{OTHER_LETTERS}]"
_FAST = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_EITHER = r"^\s*(\d{1,2})[/-](\d{1,2})[/-](\d{2}|\d{4})\b"
_WEEKDAY = (
    r"^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Mo|Di|Mi|Do|Fr|Sa|So)[a-z]*[.,]+ *"
    r"|(?:Mon|Tues?|Wed|Thu(?:rs)?|Fri|Sat|Sun)(?:day|nesday|urday)? "
    r"|(?:Mo|Di|Mi|Do|Fr|Sa|So)(?:ntag|enstag|ttwoch|nnerstag|eitag|mstag|nntag)? )"
)
_WEEK_WORD = "(?i:W|KW|CW|WK|Week|Woche|Semaine|Sem|Semana|Settimana|Sett|Uge|Vecka|Uke)"
_WEEK = rf"^(\d{{4}})[-/. ]*{_WEEK_WORD}[-. ]*(\d{{1,2}})(?:-?([1-7]))?$"
_WEEK_FIRST = rf"^{_WEEK_WORD}[-. ]*(\d{{1,2}})[-/. ]+(\d{{4}})$"
# French, Italian and Turkish short weeks have two figures: 2024-S1 and 2024-H1 are half a year.
_WEEK_SHORT = r"^(\d{4})[-/. ]*[SsHh]\.?(\d{2})$"
_WEEK_SHORT_FIRST = r"^[SsHh]\.?(\d{2})[-/. ]+(\d{4})$"
# A quarter stands for its first day.
_QUARTER = r"^(?P<y>\d{4})[-/. ]?[QqTt](?P<q>[1-4])$"
_QUARTER_FIRST = (
    r"^(?:[QqTt](?P<q>[1-4])|(?P<n>[1-4])\.? ?(?i:Quarter|Quartal|trimestre|[QT]))[-/. ]*"
    r"(?P<y>\d{4})$"
)
_QUARTER_SHORT = r"^(?P<q>[1-4])[Qq][-/ ']?(?P<y>\d{2})$"
# A day without signs between its figures, and its time: ISO 8601's basic form.
_BASIC = r"^(\d{8})T(\d{2})(\d{2})(\d{2})?"
_ORDINAL = r"\b(\d{1,2})(?:st|nd|rd|th|er)\b"
# A month, or a week.
_MONTH_ALONE = (
    r"^\s*(?:\d{6}|\d{4}[-/.]\d{1,2}|\d{1,2}[-/.]\d{4}|\d{4}[- ]?M\d{1,2}"
    rf"|{_LETTER}{{3,}}\.?[ -]?\d{{2,4}}|\d{{4}}[ -]{_LETTER}{{3,}}\.?)\s*$"
)
# Days with a dot behind each figure, as Hungarian, Croatian and Czech write them: 2025. 1. 5.
_DOTTED = r"^\s*(\d{1,4})\. ?(\d{1,2})\. ?(\d{1,4})\.?( |$)"
_SIX_FIGURES = r"^\s*\d{6}\s*$"
# Three figures beside a year: periods of accounting, 001 to 012 (and up to 016 for closing), or
# days of the year, of which some come after the sixteenth.
_THREE = r"^((?:19|20|21)\d{2})[-/. ]?(\d{3})$"
_THREE_FIRST = r"^(0\d{2})[-/. ]((?:19|20|21)\d{2})$"
_LAST_PERIOD = 16
# Years that begin with an emperor of Japan (令和8年 is 2026), or with Buddha (2569).
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "R": 2018, "H": 1988, "S": 1925}
_ERA = (
    r"^(令和|平成|昭和|R|H|S)\.?\s*(\d{1,2}|元)\s*[年./-]\s*(\d{1,2})"
    r"(?:月$|(?:[月./-])\s*(\d{1,2})日?)"
)
_BUDDHIST = r"(^|[^\d])(2[45]\d\d)([^\d]|$)"
# Years of Persia, 1370 to 1429; those of the moon's calendar (1447) are no such.
_PERSIAN = r"^(1(?:3[789]|4[012])\d)[-/.](\d{1,2})[-/.](\d{1,2})$"
_PERSIAN_2025 = 365 * 2999 + 2999 // 33 * 8 + (2999 % 33 + 3) // 4 + 1  # days to 1404/01/01
_EPOCH = r"^(?:/Date\()?(\d{10}|\d{13})(?:[.,]\d+)?(?:[+-]\d{4})?(?:\)/)?$"
# Two figures of a year before four: four do not fit two, but two would be a year of antiquity.
_WORDED = ("%d %b %y", "%d %b %Y", "%d-%b-%y", "%d-%b-%Y", "%d/%b/%y", "%d/%b/%Y", "%d. %b %y",
           "%d. %b %Y", "%b %d, %Y", "%b %d %Y", "%b-%d-%y", "%b-%d-%Y", "%b %y", "%b %Y", "%b-%y",
           "%b-%Y", "%Y %b", "%Y-%b", "%Y-%b-%d", "%Y %b %d")  # fmt: skip
# Days of a spreadsheet, 1982 to 2064.
_SERIAL = r"^([345]\d{4})(?:[.,]\d+)?$"

# DuckDB's types of stamps that know their moment.
ZONED = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
NO_DATE = "ds is not a date"
EITHER = "ds could be day/month or month/day: say format"
MONTH_ALONE = "ds could be a month or a week: say format"
ZONE_UNSAID = "ds names a zone of its own: say to_timezone"
ZONE_MISSING = "ds names no zone: say from_timezone"


@dataclass(frozen=True)
class Dated:
    """Rows with their date.

    Attributes:
        rows: SQL of the rows with all their columns and, besides, __at (TIMESTAMP), __ds_raw and
            __unsure (which of ZONE_UNSAID, ZONE_MISSING and EITHER is why __at is not to be used).
        reasons: Reason to SQL condition that refuses a row, over those columns and ds (DATE).
    """

    rows: str
    reasons: dict[str, str]

    @classmethod
    def of(cls, rows: str, at: str, unsure: dict[str, str]) -> "Dated":
        """Return rows with their moment and, by reason, when it is not to be used."""
        cases = " ".join(f"WHEN {sql} THEN {literal(reason)}" for reason, sql in unsure.items())
        return cls(
            _with(rows, __at=at, __unsure=f"CASE {cases} END" if cases else "NULL::VARCHAR"),
            {
                "ds is empty": "__ds_raw IS NULL OR trim(__ds_raw) = ''",
                **{reason: f"__unsure = {literal(reason)}" for reason in unsure},
                NO_DATE: "coalesce(year(ds) NOT BETWEEN 1900 AND 2200, true)",
            },
        )


@dataclass(frozen=True)
class _Forms:
    """What texts of dates have in common.

    Attributes:
        order: "day" or "month", whichever comes first in dates like 05/01/2024; None if unsure.
            One day above 12 tells it, for all rows; without one, or with both orders, nothing does.
            Where a year of two figures may stand first (24-01-13, 24-01-14), nothing does either.
        words: Whether some have letters.
        ordinal: Whether three figures beside a year are days of it, and no periods.
    """

    order: str | None
    words: bool
    ordinal: bool

    @classmethod
    def of(cls, reader: Reader, texts: str, place: str) -> "_Forms | None":
        """Return the forms of a table of texts (__text); None where it is empty.

        Args:
            reader: Of the table.
            texts: Its quoted name.
            place: In the mapping, for messages.
        """
        parts = [
            f"TRY_CAST(regexp_extract(__text, {literal(_EITHER)}, {n}) AS INT)" for n in (1, 2)
        ]
        year = f"regexp_extract(__text, {literal(_EITHER)}, 3)"
        either = f"FILTER (regexp_matches(__text, {literal(_EITHER)}))"
        three = f"TRY_CAST(regexp_extract(trim(__text), {literal(_THREE)}, 2) AS INT)"
        [found] = reader.fetch(
            "SELECT count(*) AS n, "
            "bool_or(regexp_matches(__text, '[A-Za-z]|[^\\x00-\\x7F]')) AS words, "
            f"count(*) {either} AS unsure, "
            f"coalesce(bool_or({parts[0]} > 12) {either}, false) AS day, "
            f"coalesce(bool_or({parts[1]} > 12) {either}, false) AS month, "
            f"count(DISTINCT {parts[0]}) {either} AS firsts, "
            f"count(DISTINCT CASE WHEN length({year}) = 2 THEN {year} END) {either} AS years, "
            f"coalesce(max({three}) > {_LAST_PERIOD}, false) AS ordinal "
            f"FROM {texts}",
            place,
        ).to_pylist()
        if not found["n"]:
            return None
        order: str | None = "day"
        if found["unsure"]:
            order = "month" if found["month"] else "day"
            if found["day"] == found["month"] or found["years"] > found["firsts"]:
                order = None
        return cls(order, bool(found["words"]), bool(found["ordinal"]))


def month_alone(freq: str, *, is_sales: bool) -> str | None:
    """Return the form of texts that may be a month where weeks are counted; None where none is.

    A month stands for its first day where it dates a price index, and not where it would date the
    sales of a week: 202405, and 2024-05, may be the fifth week.

    Args:
        freq: Of the periods.
        is_sales: True for the dates of sales.
    """
    if not freq.startswith("W"):
        return None
    return _MONTH_ALONE if is_sales else _SIX_FIGURES


@dataclass(frozen=True)
class Raw:
    """An expression over a source, as DuckDB has it.

    Attributes:
        sql: The expression.
        kind: DuckDB type of its values.
    """

    sql: str
    kind: str


def dated(
    reader: Reader,
    rows: str,
    raw: Raw,
    ds: Expression,
    place: str,
    unclear: str | None = None,
) -> Dated:
    """Return rows with the moment, as the clock of the zone that counts shows it.

    A date without a time of day has no moment and stays the day it is, whatever the zones.

    Args:
        reader: Of the source.
        rows: SQL of the rows, in parentheses.
        raw: Expression of the date.
        ds: Its entry in the mapping.
        place: In the mapping, for messages.
        unclear: Form of texts that are refused, see month_alone.

    Raises:
        InvalidInputError: If the format names a zone and to_timezone is not given.
    """
    to = literal(ds.to_timezone or "UTC")
    rows = f"(SELECT *, ({raw.sql})::VARCHAR AS __ds_raw FROM {rows})"
    if raw.kind in ZONED:
        # Such a stamp knows its moment; only the zone whose day counts is open.
        return Dated.of(rows, f"(({raw.sql})::TIMESTAMPTZ) AT TIME ZONE {to}", {})
    if raw.kind == "DATE":
        return Dated.of(rows, f"({raw.sql})::TIMESTAMP", {})
    if raw.kind.startswith("TIMESTAMP"):
        rows = _with(rows, __stamp=f"({raw.sql})::TIMESTAMP")
        rows = _with(rows, __timed="__stamp <> date_trunc('day', __stamp)", __zoned="NULL")
        return _moved(rows, ds, {})
    is_number = raw.kind.startswith(("DOUBLE", "FLOAT", "DECIMAL"))
    text = f"whole({raw.sql})" if is_number else "__ds_raw"
    if ds.format is not None:
        return _formatted(rows, text, ds, place)
    rows, forms = _understood(reader, _with(rows, __text=text), place)
    if forms is None:
        return _moved(rows, ds, {})
    unsure = {} if forms.order else {EITHER: f"regexp_matches(__ds_raw, {literal(_EITHER)})"}
    if unclear is not None:
        periods = [] if forms.ordinal else [_THREE, _THREE_FIRST]
        tests = [f"regexp_matches(__ds_raw, {literal(form)})" for form in (unclear, *periods)]
        unsure[MONTH_ALONE] = " OR ".join(tests)
    return _moved(rows, ds, unsure)


def _understood(reader: Reader, rows: str, place: str) -> tuple[str, _Forms | None]:
    """Return rows with the stamp of their __text, and what its texts have in common.

    None is for texts that are all written as a computer does.
    """
    # strptime takes "infinity" and "epoch" for 1900-01-01, and 24-01-13 for a year of antiquity.
    quick = f"TRY_STRPTIME(__text, [{', '.join(map(literal, _FAST))}])"
    plain = "substr(ltrim(__text), 5, 1) = '-' AND left(ltrim(__text), 2) IN ('19', '20', '21')"
    rows = _with(rows, __fast=f"CASE WHEN {plain} THEN {quick} END")
    timed = "length(trim(__text)) > 10"
    table, texts = quote(f"dates_{place}"), quote(f"texts_{place}")
    reader.run(
        f"CREATE OR REPLACE TABLE {texts} AS SELECT __written, regexp_replace(__written, "
        f"{literal(_DOTTED)}, '\\1.\\2.\\3\\4') AS __text FROM (SELECT DISTINCT __text AS "
        f"__written FROM {rows} WHERE __fast IS NULL AND trim(__text) <> '')",
        place,
    )
    forms = _Forms.of(reader, texts, place)
    if forms is None:
        return _with(rows, __stamp="__fast", __timed=timed, __zoned="NULL"), None
    found = _read(f"(SELECT * FROM {texts})", forms)
    reader.run(
        f"CREATE OR REPLACE TABLE {table} AS SELECT __written AS __text, __stamp AS read_stamp, "
        f"__timed AS read_timed, __zoned AS read_zoned FROM {found}",
        place,
    )
    rows = (
        f"(SELECT s.*, coalesce(__fast, read_stamp) AS __stamp, CASE WHEN __fast IS NOT NULL THEN "
        f"{timed.replace('__text', 's.__text')} ELSE read_timed END AS __timed, "
        f"read_zoned AS __zoned FROM {rows} s "
        f"LEFT JOIN {table} d ON d.__text = s.__text AND s.__fast IS NULL)"
    )
    return rows, forms


def _formatted(rows: str, text: str, ds: Expression, place: str) -> Dated:
    assert ds.format is not None
    form = literal(ds.format)
    text = f"nullif(nullif(nullif(trim({text}), 'infinity'), '-infinity'), 'epoch')"
    if "%z" in ds.format or "%Z" in ds.format:
        if ds.to_timezone is None:
            raise InvalidInputError(
                f"{place}: the format {ds.format!r} names a zone: say in to_timezone whose day "
                "counts (Europe/Paris)."
            )
        at = f"TRY_STRPTIME({text}, {form}) AT TIME ZONE {literal(ds.to_timezone)}"
        return Dated.of(rows, at, {})
    stamp = f"TRY_STRPTIME({text}, {form})"
    if "%V" in ds.format or "%j" in ds.format:
        # 2025 has no week 53 and no day 366, whatever a parser makes of them.
        stamp = f"CASE WHEN strftime({stamp}, {form}) = trim({text}) THEN {stamp} END"
    timed = "true" if "%H" in ds.format or "%I" in ds.format else "false"
    return _moved(_with(rows, __stamp=stamp, __timed=timed, __zoned="NULL"), ds, {})


def _moved(rows: str, ds: Expression, unsure: dict[str, str]) -> Dated:
    """Return rows with __at, from __stamp, __timed and __zoned (a moment, where the text has one).

    __zoned may be the SQL NULL.
    """
    at = "__stamp"
    if ds.from_timezone and ds.to_timezone:
        there, here = literal(ds.from_timezone), literal(ds.to_timezone)
        moved = f"(__stamp AT TIME ZONE {there}) AT TIME ZONE {here}"
        at = f"CASE WHEN __timed THEN {moved} ELSE {at} END"
    elif ds.to_timezone:
        unsure = unsure | {ZONE_MISSING: "__timed AND __zoned IS NULL"}
    if ds.to_timezone:
        zoned = f"((__zoned)::TIMESTAMPTZ AT TIME ZONE {literal(ds.to_timezone)})"
        at = f"CASE WHEN __zoned IS NOT NULL THEN {zoned} ELSE {at} END"
    else:
        named = "__zoned IS NOT NULL AND (__zoned)::TIMESTAMPTZ <> __stamp AT TIME ZONE 'UTC'"
        unsure = unsure | {ZONE_UNSAID: named}
    return Dated.of(rows, at, unsure)


def _read(rows: str, forms: _Forms) -> str:
    """Return rows with __stamp, __timed and __zoned of __text in any usual form."""
    figures = figures_sql("__text")
    signs = f"translate({figures}, chr(160) || chr(9) || chr(12288) || '‐‑‒–−', '   -----')"
    clean = f"regexp_replace(trim({signs}), '\\s+', ' ', 'g')"
    clean = f"regexp_replace({clean}, {literal(_BASIC)}, '\\1T\\2:\\3')"
    parts = f"regexp_extract({clean}, {literal(_STAMP)}, ['d', 'clock', 'half', 'zone'])"
    rows = _with(rows, __parts=parts)
    rows = _with(rows, __bare=f"regexp_replace(__parts.d, {literal(_WEEKDAY)}, '')")
    rows = _with(rows, __d=_in_years_of_ours("__bare"))
    rows = _with(rows, __day=_day(forms), __clock=_CLOCK, __epoch=_epoch())
    # Half past four in the afternoon has an hour of 1 to 12.
    stamp = "__day + __clock"
    zone = "CASE WHEN length(__parts.zone) > 1 AND __parts.zone[1] NOT IN ('+', '-') THEN ' ' "
    zone += "ELSE '' END || __parts.zone"
    return _with(
        rows,
        __stamp=f"CASE WHEN __epoch IS NOT NULL THEN __epoch AT TIME ZONE 'UTC' ELSE {stamp} END",
        __timed="__epoch IS NOT NULL OR __parts.clock <> ''",
        __zoned="CASE WHEN __epoch IS NOT NULL THEN __epoch WHEN __parts.zone <> '' THEN "
        f"TRY_CAST(strftime({stamp}, '%Y-%m-%d %H:%M:%S') || {zone} AS TIMESTAMPTZ) END",
    )


_TIME = "TRY_CAST(translate(__parts.clock, 'h,', ':.') AS TIME)"
_SINCE_MIDNIGHT = f"((DATE '1970-01-01' + {_TIME}) - TIMESTAMP '1970-01-01 00:00:00')"
_HALF = "lower(__parts.half[1])"
# NULL where there is no such time of day.
_CLOCK = (
    f"CASE WHEN __parts.clock = '' THEN INTERVAL 0 HOUR WHEN __parts.half = '' "
    f"THEN {_SINCE_MIDNIGHT} WHEN hour({_TIME}) BETWEEN 1 AND 12 THEN {_SINCE_MIDNIGHT} "
    f"+ to_hours(CASE WHEN {_HALF} = 'p' AND hour({_TIME}) < 12 THEN 12 "
    f"WHEN {_HALF} = 'a' AND hour({_TIME}) = 12 THEN -12 ELSE 0 END) END"
)


def _epoch() -> str:
    number = f"regexp_extract(__d, {literal(_EPOCH)}, 1)"
    return (
        f"CASE WHEN length({number}) = 10 THEN to_timestamp({number}::BIGINT) "
        f"WHEN length({number}) = 13 THEN to_timestamp({number}::BIGINT / 1000) END"
    )


def _day(forms: _Forms) -> str:
    """Return the SQL (TIMESTAMP) of the day that the text __d writes; NULL where it is none."""
    by_order = {"day": ("%d/%m/%Y", "%d-%m-%Y"), "month": ("%m/%d/%Y", "%m-%d-%Y")}
    numeric = short = "NULL"
    if forms.order:
        numeric = _strptime("__d", *by_order[forms.order])
        short = _strptime("__d", *(f.replace("%Y", "%y") for f in by_order[forms.order]))
    cases = {
        _PERSIAN: _persian(),
        r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\.?$": _strptime(
            "translate(rtrim(__d, '.'), '/.', '--')", "%Y-%m-%d"
        ),
        r"^\d{8}$": _strptime("__d", "%Y%m%d"),
        r"^\d{4}[-/.]\d{1,2}$": _strptime("translate(__d, '/.', '--')", "%Y-%m"),
        r"^\d{6}$": _strptime("__d", "%Y%m"),
        r"^\d{12}$|^\d{14}$": _strptime("__d", "%Y%m%d%H%M", "%Y%m%d%H%M%S"),
        r"^\d{1,2}\.\d{1,2}\.\d{4}\.?$": _strptime("rtrim(__d, '.')", "%d.%m.%Y"),
        r"^\d{1,2}\.\d{1,2}\.\d{2}$": _strptime("__d", "%d.%m.%y"),
        r"^\d{1,2}/\d{1,2}/\d{4}$|^\d{1,2}-\d{1,2}-\d{4}$": numeric,
        r"^\d{1,2}/\d{1,2}/\d{2}$|^\d{1,2}-\d{1,2}-\d{2}$": short,
        r"^\d{1,2}[/.-]\d{4}$": _strptime("translate(__d, '/.', '--')", "%m-%Y"),
        _SERIAL: "DATE '1899-12-30'::TIMESTAMP + "
        f"to_days(TRY_CAST(regexp_extract(__d, {literal(_SERIAL)}, 1) AS INTEGER))",
        _THREE: _ordinal() if forms.ordinal else _period(_THREE, "['y', 'p']"),
        _THREE_FIRST: _period(_THREE_FIRST, "['p', 'y']"),
    }
    if forms.words:
        cases |= _worded()
    found = " ".join(
        f"WHEN regexp_matches(__d, {literal(form)}) THEN {sql}" for form, sql in cases.items()
    )
    return f"CASE {found} END"


def _in_years_of_ours(text: str) -> str:
    """Return the SQL of a date whose year of Japan's emperors, or of Buddha, is one of ours."""
    era = f"regexp_extract({text}, {literal(_ERA)}, ['e', 'y', 'm', 'd'])"
    first = " ".join(f"WHEN '{name}' THEN {year}" for name, year in _ERAS.items())
    number = f"coalesce(TRY_CAST(replace({era}.y, '元', '1') AS INT), 0)"
    of_japan = (
        f"(CASE {era}.e {first} ELSE 0 END + {number})::VARCHAR || '-' || {era}.m || "
        f"CASE WHEN {era}.d <> '' THEN '-' || {era}.d ELSE '' END"
    )
    buddhist = f"regexp_extract({text}, {literal(_BUDDHIST)}, 2)"
    ours = f"(TRY_CAST({buddhist} AS INT) - 543)::VARCHAR"
    no_weekday = rf"regexp_replace({text}, '[(（][月火水木金土日월화수목금토일][)）]$', '')"
    return (
        f"CASE WHEN regexp_matches({text}, {literal(_ERA)}) THEN {of_japan} "
        f"WHEN {buddhist} <> '' THEN replace({text}, {buddhist}, {ours}) ELSE {no_weekday} END"
    )


def _persian() -> str:
    """Return the SQL of a day of the Persian calendar (1404/10/15)."""
    parts = f"regexp_extract(__d, {literal(_PERSIAN)}, ['y', 'm', 'd'])"
    year, month, day = (f"TRY_CAST({parts}.{p} AS INT)" for p in ("y", "m", "d"))
    later = f"({year} + 1595)"
    days = (
        f"365 * {later} + ({later} // 33) * 8 + (({later} % 33) + 3) // 4 + {day} + CASE WHEN "
        f"{month} < 7 THEN ({month} - 1) * 31 ELSE ({month} - 7) * 30 + 186 END"
    )
    longest = f"CASE WHEN {month} < 7 THEN 31 ELSE 30 END"
    is_day = f"{month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND {longest}"
    return (
        f"CASE WHEN {is_day} THEN DATE '2025-03-21'::TIMESTAMP + "
        f"to_days(({days} - {_PERSIAN_2025})::INT) END"
    )


def _period(form: str, groups: str) -> str:
    """Return the SQL of the first day of the month that a period of a year of accounting is."""
    parts = f"regexp_extract(__d, {literal(form)}, {groups})"
    return _strptime(f"{parts}.y || '-' || substr({parts}.p, 2)", "%Y-%m")


def _ordinal() -> str:
    """Return the SQL of a day of the year; NULL where its year has no such day."""
    text = "regexp_replace(__d, '[-/. ]', '')"
    stamp = _strptime(text, "%Y%j")
    return f"CASE WHEN strftime({stamp}, '%Y%j') = {text} THEN {stamp} END"


def _worded() -> dict[str, str]:
    """Return the SQL of days that are written with letters, by their form."""
    week = f"regexp_extract(__d, {literal(_WEEK)}, ['y', 'w', 'd'])"
    first = f"regexp_extract(__d, {literal(_WEEK_FIRST)}, ['w', 'y'])"
    short = f"regexp_extract(__d, {literal(_WEEK_SHORT)}, ['y', 'w'])"
    short_first = f"regexp_extract(__d, {literal(_WEEK_SHORT_FIRST)}, ['w', 'y'])"
    return {
        r"^\d{4}[- ]?M\d{1,2}$": _strptime("regexp_replace(__d, '[- ]?M', '-')", "%Y-%m"),
        r"^\d{4}[년年]\s*\d{1,2}[월月]\s*\d{1,2}[일日]$": _strptime(
            "translate(__d, '년年월月일日 ', '----')", "%Y-%m-%d"
        ),
        r"^\d{4}[년年]\s*\d{1,2}[월月]$": _strptime("translate(__d, '년年월月 ', '--')", "%Y-%m"),
        _QUARTER: _quarter("__d", _QUARTER, "['y', 'q']", "q"),
        _QUARTER_FIRST: _quarter("__d", _QUARTER_FIRST, "['q', 'n', 'y']", "q || {0}.n"),
        _QUARTER_SHORT: _quarter("__d", _QUARTER_SHORT, "['q', 'y']", "q", "'20' || "),
        _WEEK: _week(f"{week}.y", f"{week}.w", f"{week}.d"),
        _WEEK_FIRST: _week(f"{first}.y", f"{first}.w", "''"),
        _WEEK_SHORT: _week(f"{short}.y", f"{short}.w", "''"),
        _WEEK_SHORT_FIRST: _week(f"{short_first}.y", f"{short_first}.w", "''"),
        f"{_LETTER}{{3}}": _strptime(_english("__d"), *_WORDED),
    }


def _quarter(text: str, form: str, groups: str, number: str, century: str = "") -> str:
    """Return the SQL of the first day of a quarter, whose year may lack its century."""
    parts = f"regexp_extract({text}, {literal(form)}, {groups})"
    told = f"({parts}.{number.format(parts)})"
    month = f"lpad((3 * TRY_CAST({told} AS INT) - 2)::VARCHAR, 2, '0')"
    return _strptime(f"{century}{parts}.y || '-' || {month}", "%Y-%m")


def _week(year: str, week: str, day: str) -> str:
    """Return the SQL of a day of an ISO week, its Monday by default; NULL where there is none."""
    text = f"({year} || '-W' || lpad({week}, 2, '0') || '-' || coalesce(nullif({day}, ''), '1'))"
    stamp = _strptime(text, "%G-W%V-%u")
    return f"CASE WHEN strftime({stamp}, '%G-W%V-%u') = {text} THEN {stamp} END"


def _english(text: str) -> str:
    """Return the SQL of a text whose month, in a language of month_names, is English and short."""
    pairs = ", ".join(f"{literal(name)}: {literal(month)}" for name, month in ENGLISH.items())
    word = f"lower(regexp_extract({text}, '{_LETTER}{{3,}}'))"
    plain = f"regexp_replace({text}, '\\b(?:de|of) |\\s*(?:г|р)\\.?$', '', 'g')"
    plain = f"regexp_replace({plain}, {literal(_ORDINAL)}, '\\1')"
    return f"regexp_replace({plain}, '{_LETTER}{{3,}}\\.?', MAP {{{pairs}}}[{word}])"


def _strptime(text: str, *forms: str) -> str:
    return f"TRY_STRPTIME({text}, [{', '.join(map(literal, forms))}])"


def _with(rows: str, **columns: str) -> str:
    """Return rows with further columns; each level is worked out once and not written out twice."""
    picks = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    return f"(SELECT *, {picks} FROM {rows})"
