#!/bin/sh
# retailcalendar 1.0.0 (the 4-5-4 calendar of the National Retail Federation): a year after one of 53
# weeks ends a week early, and the next begins a week early. By the Federation's rule (the year ends on
# the Saturday nearest 31 January) 2024 has 52 weeks and 2025 begins on 2025-02-02; the library gives
# 51 weeks and 2025-01-26, and then 53 for 2025. Weeks of two years compared by number are one apart.
# Its own list of months still has 52 weeks for 2024, so days lie in two years or in none.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet retailcalendar==1.0.0
"$place/venv/bin/python" - <<'PY'
from datetime import date, timedelta

from retailcalendar import Cal454


def last_day(year):
    around = (date(year + 1, 1, 31) + timedelta(days) for days in range(-3, 4))
    return next(day for day in around if day.weekday() == 5)


wrong = []
for year in range(2000, 2041):
    first, last = Cal454.year_start_date(year), Cal454.year_end_date(year)
    if (first, last) != (last_day(year - 1) + timedelta(1), last_day(year)):
        wrong.append(year)
first = [Cal454.year_start_date(year) for year in (2023, 2024, 2025, 2026)]
weeks = [(after - before).days // 7 for before, after in zip(first, first[1:])]
months_end = Cal454(2024).month_end_dates()[-1]
print("2025 begins", first[2], "| weeks of 2023 to 2025", weeks, "| months of 2024 end", months_end)
print(len(wrong), "of 41 years:", *wrong)
# Seen: 2025 begins 2025-01-26 | weeks of 2023 to 2025 [53, 51, 53] | months of 2024 end 2025-02-01
#       17 of 41 years: 2001 2002 2003 2007 2008 2013 2014 2018 2019 2020 2024 2025 ... 2036
assert (first[2], weeks, months_end) == (date(2025, 1, 26), [53, 51, 53], date(2025, 2, 1))
assert last_day(2024) == date(2025, 2, 1) and len(wrong) == 17
PY
