#!/bin/sh
# workalendar 17.0.0: Japan's calendar knows the substitute holidays of 2019 to 2021 only. By the law on
# national holidays (article 3) a holiday on a Sunday moves to the next day that is none, and a day between
# two holidays is one too. Applied to the library's own holidays this gives 18 weekdays off in 2022 to 2030
# that it counts as working days: a delivery of one working day from Friday 2 May 2025 is due on a day of
# rest, and the demand of these days is taken for that of plain ones. `holidays` has them all.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet workalendar==17.0.0 holidays==0.109
"$place/venv/bin/python" - <<'PY'
from datetime import date, timedelta

import holidays
from workalendar.asia import Japan

calendar, day = Japan(), timedelta(1)
missing, absent_elsewhere = [], []
for year in range(2022, 2031):
    # New Year's is a national holiday as well; the list has no other kind.
    national = {when for when, _ in calendar.holidays(year)}
    due = set()
    for when in sorted(national):
        if when.weekday() == 6:
            moved = when + day
            while moved in national:
                moved += day
            due.add(moved)
        if when + day not in national and when + 2 * day in national:
            due.add(when + day)
    official = holidays.country_holidays("JP", years=year)
    for when in sorted(due):
        if when.weekday() < 5 and calendar.is_working_day(when):
            missing.append(when)
            absent_elsewhere += [when] if when not in official else []
delivered = calendar.add_working_days(date(2025, 5, 2), 1)
print(len(missing), "missing:", *missing)
print("one working day from 2025-05-02:", delivered, holidays.country_holidays("JP")[delivered])
# Seen: 18 missing: 2023-01-02 2024-02-12 2024-05-06 2024-08-12 2024-09-23 2024-11-04 2025-02-24 ...
#       one working day from 2025-05-02: 2025-05-06 Substitute Holiday
assert len(missing) == 18 and not absent_elsewhere, (missing, absent_elsewhere)
assert delivered == date(2025, 5, 6), delivered
# The substitutes of 2019 to 2021 are there, one by one.
assert not any(calendar.is_working_day(when) for when in (date(2019, 8, 12), date(2021, 8, 9)))
PY
