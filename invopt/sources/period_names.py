"""Texts that name a period, as names of columns do: 01/2025, 2025-01, Jan 25, KW 5/2024."""

import re

from invopt.sources.month_names import MONTH_NAMES, OTHER_LETTERS

WEEK = r"(?:week|woche|semaine|semana|settimana|sett|sem|vecka|uge|uke|wk|kw|cw|w)"
_WEEKDAY = r"(?:mo|di|mi|do|fr|sa|so|tu|we|th|su)[a-z]*[.,]* +"
WORDED = re.compile(
    r"(?i)(?:\d{4}[-/. ]?[qt][1-4]|[qt][1-4][-/. ]*\d{4}"
    r"|[1-4]\.? ?(?:quart(?:er|al)|trimestre|[qt])[-/. ]*\d{4}|[1-4]q[-/ ']?\d{2}"
    rf"|{WEEK}[-. ]?\d{{1,2}}[-/. ]+\d{{4}}|\d{{4}}[-/. ]*{WEEK}[-. ]?\d{{1,2}}"
    r"|\d{4}[-/. ]*[sh]\.?\d{2}|[sh]\.?\d{2}[-/. ]+\d{4}|/Date\(\d{10,13}(?:[+-]\d{4})?\)/"
    rf"|{_WEEKDAY}\d{{1,4}}[-./]\d{{1,2}}[-./]\d{{1,4}}|0\d{{2}}/(?:19|20)\d{{2}}"
    r"|(?=.*\d).*(?:jan|feb|fév|fev|mar|mär|mrz|apr|avr|abr|mai|may|jun|jui|jul|aug|aou|aoû|ago"
    r"|sep|set|okt|oct|ott|nov|dez|dec|déc|dic|gen|ene|lug|giu|mag).*)"
    rf"|(?=.*\d).*(?<![^\W\d_])(?:{'|'.join(MONTH_NAMES)})(?![^\W\d_]).*"
)
# Months and days in figures, as names of columns.
_FIGURES = re.compile(
    r"(?:0?[1-9]|1[0-2])[-/.](?:19|20)\d{2}|(?:19|20)\d{2}[-/._]?(?:0?[1-9]|1[0-2])"
    r"|(?:19|20)\d{2}[-/._]?\d{2}[-/._]?\d{2}|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d{2}"
)
_WORDS_OF_DAYS = re.compile(
    rf"{'|'.join(MONTH_NAMES)}|{WEEK}|[qtmsh]|quart(er|al)|trimestre|de|of|st|nd|rd|th|er"
    r"|(mo|di|mi|do|fr|sa|so|tu|we|th|su)[a-z]*"
)
# 2026年1月5日, 令和8年1月5日, 2026년 1월 5일; and R8.1.5, which may be the code of a thing.
OF_ASIA = re.compile(
    r"(?:\d{4}|(?:令和|平成|昭和)(?:\d{1,2}|元))[年년] ?\d{1,2}[月월](?: ?\d{1,2}[日일].*)?"
)
# 5 января 2026 г., يناير 2026
_A_WORD = rf"[Ѐ-ӿ{OTHER_LETTERS}]{{3,}}"
OTHER_SCRIPT = re.compile(
    rf"\d{{1,2}} {_A_WORD}\.? \d{{4}}( ?[гр]\.?)?|{_A_WORD}\.?[ -]\d{{2,4}}( ?г\.?)?"
)
# A year and three figures: a period of accounting, or a day of the year.
THREE = re.compile(r"(?:19|20)\d{2}[-/. ]?(\d{3})|(0\d{2})[-/. ](?:19|20)\d{2}")


def is_period_name(text: str) -> bool:
    """Return whether a text names a period, as columns do: 01/2025, 2025-01, Jan 25, 003.2025."""
    if any(form.fullmatch(text) for form in (THREE, _FIGURES, OTHER_SCRIPT, OF_ASIA)):
        return True
    words = re.findall(r"[^\W\d_]+", text.lower())
    return bool(WORDED.fullmatch(text)) and all(map(_WORDS_OF_DAYS.fullmatch, words))
