"""Files with dates: stock, plans, prices, market, orders under way."""

import re
from typing import Any

import pandas as pd

from invopt.frequency import sizes_of
from invopt.sources.columns import MAX_VALUES
from invopt.sources.facts import (
    DATE,
    NUMBER,
    TEXT,
    ColumnFacts,
    FileFacts,
    date_of,
    date_sql,
    dates_in,
    num_combined,
)
from invopt.sources.flagged_lines import NO, YES
from invopt.sources.period_columns import wide_pattern
from invopt.sources.placing import DUE, UNIQUE, Placer, Placing, summed
from invopt.sources.vocabulary import by_word, is_of_holidays, plain
from invopt.sources.words import (
    POSITION_ROLES,
    STOCK_ROLES,
    WIDE_ROLES,
    Keys,
    date_entry,
    domain_of,
    named,
    number_entry,
    roles_of,
)
from invopt.sql import literal, quote
from invopt.timeline import frequency_unit, usual_frequency

_AHEAD = 400  # days after the last sales that plans are read for
_FIRST = r"start|from|begin|since|beginn|(^|_)(von|ab|du|debut|desde|inicio)(_|$)"
_LAST = r"(^|_)end(_|$|date)|until|till|(^|_)(to|bis|ende|au|fin|hasta)(_|$)"
# Of orders under way: what is open, what came, and what says that nothing comes any more.
_OPEN = (
    r"noch_zu_liefern|still_to_be_deliv|(^|_)"
    r"(open|offen\w*|remaining|rest|restmenge|outstanding|ausstehend\w*|pendiente|reste)(_|$)"
)
_CAME = (
    r"receiv|geliefert|delivered|eingegangen|wareneingang|erhalten|recue?(_|$)|recib|livree?(_|$)"
)
_STATE = r"status|(^|_)state(_|$)|statut|estado|stato|durum"
_CLOSED = (
    r"clos|complet|erledigt|geschlossen|cancel|storn|annul|fulfil|delivered|geliefert|received"
)
_CLOSED += r"|(^|\b)done\b|cerrad|clotur|termin|livr|chius|evas"
# A flag for what is deleted or delivered whole, and what SAP writes there.
_ENDED = (
    r"losch|loesch|loekz|deletion|deleted|endlief|elikz|final_deliver|delivery_completed"
    r"|(^|_)(is_)?(closed|cancelled|canceled|complete|completed)$|erledigt|cloture|cerrado"
)
_MARKS = ("x", "l", "s", *YES)
_IN_PART = r"part|teil|incomplet|not |nicht|un(ful|deliv|clos)|\bin\b|to be"
_MOVED = r"change|delta|movement|moved|bewegung|mouvement|movimiento|qty|quantity|menge|anzahl"
_LEDGER = (
    r"change|delta|movement|moved|bewegung|mouvement|movimiento|movimenti|ledger|journal|trans"
)
_WORTH = (
    r"value|wert|amount|betrag|montant|importe|eur|usd|price|preis|cost|days|tage|percent|share"
)
_NAMING = r"(^|_)(id|uuid|guid|phone|telefon|telefono|telephone|zip|postal_code|zipcode)(_|$)"
_STEP = {"D": 0, "W": 1, "2W": 2, "MS": 3, "QS": 4}  # from fine to coarse


class DatedFiles(Placer):
    """Maps files that have dates."""

    def __init__(self, placing: Placing) -> None:
        super().__init__(placing)
        self.names = placing.names
        self.counted: list[tuple[FileFacts, dict[str, Any]]] = []  # stock by date and series

    def latest_count(self) -> None:
        """Take the latest count of the stock as the position, where no file is of today's stock."""
        if "position" in self.tables or not self.counted:
            return
        file, table = self.counted[0]
        held = {role: entry for role, entry in table["columns"].items() if role in POSITION_ROLES}
        if table.get("aggregate"):
            held["on_hand"] = summed(held["on_hand"])
        key = {"unique_id": table["key"]} if "key" in table else {}
        self.tables["position"] = {"from": file.name} | key | {"ds": table["ds"], "columns": held}
        self.notes.append(f"the latest count of {file.name} is taken as the stock of today")

    def map_wide(self, file: FileFacts) -> str | None:
        """Map a file with a column per period; returns why it cannot be."""
        own = self.placing.keys_of(file)
        names = [role for role in WIDE_ROLES if by_word([file.name], role)]
        if not (names and self.placing.is_whole(own) and file.periods_format):
            return "a second table with a column per period; say what it holds"
        name = names[0]
        if name in self.names:
            return f"{name} is mapped from another file"
        domain = "market" if name in ("price", "discount") else "stock"
        form = file.periods_format
        key = self.placing.series_key(own)
        table: dict[str, Any] = {"from": file.name, "level": "unique_id"}
        table |= ({"key": key} if key else {}) | {
            "wide": {"columns": wide_pattern(form, file.periods), "format": form},
            "name": name,
        }
        self.names.add(name)
        self.tables.setdefault(domain, []).append(table)
        return None

    def map_dated(self, file: FileFacts) -> str | None:
        """Map a file with dates; returns why it cannot be."""
        own = self.placing.keys_of(file)
        if self.placing.is_whole(own) and self._open_orders(file, own):
            return None
        span = _span(file)
        date = span[0] if span else date_of(file)
        found = self._level(file, own, date)
        if found is None:
            keys = [own.series] if own.series is not None else own.there
            return f"several rows have the same {' and '.join([*keys, date.name])}"
        level, used, lots = found
        domain = domain_of(file)
        if domain == "stock" and self._movements(file, own, date):
            return None
        held = self._is_held(file, domain, span)
        span = None if held else span
        channels = self._channels(file, domain, {*used, own.series, *own.there})
        if not channels and not span:
            return "it has a date and no number"
        table: dict[str, Any] = {"from": file.name} | level | {"ds": date_entry(date)} | channels
        # A price from one day to another is no flag, and not 0 outside.
        flagged = span is not None and (domain != "market" or "columns" not in channels)
        if span:
            table |= {"from": self._days(file, *span), "ds": "day"}
        if flagged:
            flag = {self.placing.free("promotion", file): "1"}
            table["columns"] = flag | table.get("columns", {})
        if held or (span and not flagged):
            table |= {"fill": "forward", "aggregate": "last"}
        else:
            table |= self._fill(file, domain, span=flagged)
        if flagged:
            table["aggregate"] = "max"  # of plans that overlap
        if (
            domain == "stock"
            and "on_hand" in channels.get("columns", {})
            and self.placing.is_whole(own)
        ):
            self.counted.append((file, table))
        if lots:
            table["aggregate"] = "sum"
            self.notes.append(f"{file.name} has several rows per key and date: they are added up")
        self.tables.setdefault(domain, []).append(table)
        self._plans(file, domain, table, span)
        return None

    def _is_held(
        self, file: FileFacts, domain: str, span: tuple[ColumnFacts, ColumnFacts] | None
    ) -> bool:
        """Return, and say, that a stock holds until the next one: it is no plan, and no flag."""
        if span is None or domain != "stock":
            return False
        self.notes.append(
            f"{file.name}: each stock is held from {span[0].name} until the next one of its "
            f"product; {span[1].name} is not read"
        )
        return True

    def _channels(
        self, file: FileFacts, domain: str, taken: set[str | None]
    ) -> dict[str, dict[str, Any]]:
        """Return columns and one_hot of a file: numbers as they are, short texts as flags."""
        numbers = [c for c in file.of_kind(NUMBER) if c.name not in taken and not _only_names(c)]
        texts = [c for c in file.of_kind(TEXT) if c.values and c.name not in taken]
        long = [c.name for c in file.of_kind(TEXT) if c.num_distinct > MAX_VALUES]
        if left := [name for name in long if name not in taken]:
            self.notes.append(
                f"{file.name}: {', '.join(left)} has more than {MAX_VALUES} values, too many to "
                "become flags: map a coarser column"
            )
        roles = roles_of([c.name for c in numbers], STOCK_ROLES if domain == "stock" else ())
        return self.placing.channels(file, [(roles[c.name], c) for c in numbers], texts)

    def _level(
        self, file: FileFacts, own: Keys, date: ColumnFacts
    ) -> tuple[dict[str, str], list[str], bool] | None:
        """Return whom rows are for, the key's columns, and whether rows of one key add up.

        It is the first level under which rows are unique; stock by lot or bin adds up.
        """
        tries: list[tuple[dict[str, str], list[str]]] = []
        if self.placing.is_whole(own):
            key = self.placing.series_key(own)
            used = [own.series] if own.series is not None else own.there
            tries.append(({"level": "unique_id"} | ({"key": key} if key else {}), used))
        tries += [({"level": role, "key": named(c)}, [c]) for role, c in own.roles.items()]
        attributes = {name.lower(): name for name in self.tables["products"]["columns"]}
        for column in file.of_kind(TEXT):
            name = attributes.get(column.name.lower())
            if name is not None and column.name not in own.there:
                tries.append(({"level": name, "key": named(column.name)}, [column.name]))
        tries.append(({}, []))
        for level, used in tries:
            cells = [*map(quote, used), date_sql(date)]
            if num_combined(self.reader, file, cells) >= UNIQUE * file.num_rows:
                return level, used, False
        if self.placing.is_whole(own) and domain_of(file) == "stock":
            return *tries[0], True
        return None

    def _movements(self, file: FileFacts, own: Keys, date: ColumnFacts) -> bool:
        """Take what a ledger of movements adds up to as the position; return whether it is one.

        It is where, from its first day on, what left never exceeds what came: its first rows are
        the stock it began with.
        """
        numbers = [c for c in file.of_kind(NUMBER) if c.name not in own.there]
        if by_word([c.name for c in numbers], "on_hand") or not self.placing.is_whole(own):
            return False
        moved = next((c for c in numbers if re.search(_MOVED, plain(c.name))), None)
        if moved is None or not re.search(_LEDGER, f"{plain(file.name)} {plain(moved.name)}"):
            return False
        amount = moved.style.sql(quote(moved.name))
        keys = ", ".join(map(quote, [own.series] if own.series is not None else own.there))
        [found] = self.reader.fetch(
            f"SELECT count(*) FILTER (lowest < 0) AS below, count(*) AS n, bool_or(has_left) AS "
            f"has_left FROM (SELECT {keys}, min(level) AS lowest, bool_or(moved < 0) AS has_left "
            f"FROM (SELECT *, sum(moved) OVER (PARTITION BY {keys} ORDER BY day) AS level FROM "
            f"(SELECT {keys}, {date_sql(date)} AS day, sum({amount}) AS moved FROM "
            f"{quote(file.name)} GROUP BY ALL)) GROUP BY {keys})",
            file.name,
        ).to_pylist()
        if not found["has_left"]:
            return False
        if found["below"] > (1 - UNIQUE) * found["n"] or "position" in self.tables:
            self.placing.tell(
                file,
                f"{moved.name} holds movements and no levels, and they do not begin with the stock "
                f"of the first day ({found['below']:,} of {found['n']:,} fall below 0): give the "
                "stock of today in a file of its own",
            )
            return True
        key = self.placing.series_key(own)
        self.tables["position"] = (
            {"from": file.name}
            | ({"unique_id": key} if key else {})
            | {"columns": {"on_hand": summed(number_entry(moved))}}
        )
        self.notes.append(
            f"{file.name} holds movements of the stock: all its {moved.name} together are taken as "
            "the stock of today"
        )
        return True

    def _open_orders(self, file: FileFacts, own: Keys) -> bool:
        due = next((c for c in file.of_kind(DATE) if re.search(DUE, plain(c.name))), None)
        numbers = {c.name: c for c in file.of_kind(NUMBER) if c.name not in own.there}
        quantity = self._left_open(file, numbers)
        if due is None or quantity is None or "open_orders" in self.tables:
            return False
        key = self.placing.series_key(own)
        columns = {"due": date_entry(due), "quantity": quantity}
        self.tables["open_orders"] = (
            {"from": file.name}
            | ({"unique_id": key} if key else {})
            | self._not_closed(file)
            | {"columns": columns}
        )
        return True

    def _left_open(self, file: FileFacts, numbers: dict[str, ColumnFacts]) -> Any:
        """Return the entry of what is still to come of an order; None where nothing says it.

        What is open, or what was ordered without what came.
        """
        left = [
            n for n in numbers if re.search(_OPEN, plain(n)) and not re.search(_WORTH, plain(n))
        ]
        if left:
            return number_entry(numbers[left[0]])
        came = [
            n for n in numbers if re.search(_CAME, plain(n)) and not re.search(_WORTH, plain(n))
        ]
        asked = by_word([name for name in numbers if name not in came], "y")
        if asked is None:
            return None
        if not came:
            return number_entry(numbers[asked])
        ordered, arrived = (numbers[n].style.sql(quote(n)) for n in (asked, came[0]))
        self.notes.append(
            f"{file.name}: what is still to come is {asked} without {came[0]}, 0 where more came"
        )
        return f"greatest({ordered} - coalesce({arrived}, 0), 0)"

    def _not_closed(self, file: FileFacts) -> dict[str, str]:
        """Return the condition that leaves out orders of which nothing comes any more."""
        rules = []
        for column in file.of_kind(TEXT):
            text = f"coalesce(trim({quote(column.name)}), '')"
            said = {value.lower() for value in column.values}
            if re.search(_ENDED, plain(column.name)) and said and said <= {*_MARKS, *NO}:
                marks = [v for v in column.values if v.lower() not in NO]
                self.notes.append(
                    f"orders of {file.name} that {column.name} marks ({', '.join(marks)}) are left "
                    "out: nothing comes of them; take them out of `where` if it does"
                )
                rules.append(f"lower({text}) NOT IN ({', '.join(map(literal, _MARKS))})")
                continue
            if not re.search(_STATE, plain(column.name)):
                continue
            closed = [v for v in column.values if re.search(_CLOSED, v.lower())]
            closed = [v for v in closed if not re.search(_IN_PART, v.lower())]
            if not closed:
                continue
            self.notes.append(
                f"orders of {file.name} whose {column.name} is {', '.join(closed)} are left out: "
                "nothing comes of them; take them out of `where` if it does"
            )
            listed = ", ".join(map(literal, closed))
            rules.append(f"{text} NOT IN ({listed})")
        return {"where": " AND ".join(rules)} if rules else {}

    def _days(self, file: FileFacts, first: ColumnFacts, last: ColumnFacts) -> str:
        """Return the name of a source that has a row for every day from first to last.

        A row without an end holds for its first day; one without a start keeps no day, and is
        told as such when it is read.
        """
        start, end = date_sql(first), date_sql(last)
        # 31.12.9999 is no end: plans beyond a year or so are read by nobody.
        horizon = f"DATE '{self.dates.max() + pd.Timedelta(days=_AHEAD):%Y-%m-%d}'"
        stop = f"greatest({start}, least(coalesce({end}, {start}), {horizon}))"
        days = f"coalesce(generate_series({start}, {stop}, INTERVAL 1 DAY), [NULL])"
        sql = f'SELECT *, unnest({days})::DATE AS day FROM "{file.name}"'
        unit = frequency_unit(usual_frequency(self.dates))
        if unit != "D":  # one row per period, not one per day
            origin = f"DATE '{self.dates.min():%Y-%m-%d}'"
            days_of = {"W": 7, "2W": 14}.get(unit, 0)
            week = f"{origin} + {days_of} * floor((day - {origin}) / {days_of})::INTEGER"
            longer = "month" if unit == "MS" else "quarter"
            period = week if days_of else f"date_trunc('{longer}', day)::DATE"
            sql = f"SELECT DISTINCT * REPLACE ({period} AS day) FROM ({sql})"
        name = f"{file.name}_days"
        self.sources[name] = {"sql": sql}
        self.behind[name] = [file.name]
        return name

    def _fill(self, file: FileFacts, domain: str, *, span: bool) -> dict[str, str]:
        """Return what periods without a row, or with several, hold.

        No promotion, the value of a longer period, the mean of shorter ones.
        """
        if span or domain == "promotions":
            return {"fill": "zero"}
        own = _STEP[frequency_unit(usual_frequency(dates_in(self.reader, file)))]
        ours = _STEP[frequency_unit(usual_frequency(self.dates))]
        if own < ours:
            return {"aggregate": "last" if domain == "stock" else "mean"}
        return {"fill": "forward"} if own > ours else {}

    def _plans(
        self,
        file: FileFacts,
        domain: str,
        table: dict[str, Any],
        span: tuple[ColumnFacts, ColumnFacts] | None,
    ) -> None:
        """Say that a table is known ahead where its days after the last sale can only be plans.

        What else reaches beyond the last sale (a weather forecast, a later count of prices) may be
        other than what the past holds, and is left to a person.
        """
        if domain == "stock":  # counted after the last sale, not known before
            return
        dates = dates_in(self.reader, file, span[1] if span else None)
        last = self.dates.max()
        if not len(dates) or dates.max() <= last:
            return
        review = pd.Timedelta(days=sizes_of(usual_frequency(self.dates)).review_days)
        holidays = "columns" not in table and is_of_holidays(file.name)
        if (domain == "promotions" or holidays) and dates.max() >= last + review:
            table["known"] = True
            self.notes.append(
                f"{file.name} reaches beyond the last sales and is taken as planned ahead (`known: "
                "true`): take that out where its days are written down afterwards. Days after its "
                "last one are forecast as days without"
            )
            return
        if dates.max() >= last + review and self._holidays_ahead(file, domain, table):
            return
        self.notes.append(
            f"{file.name} reaches beyond the last sales: under {domain}, say `known: true` of "
            "what is known ahead (plans, holidays), in a table of its own"
        )

    def _holidays_ahead(self, file: FileFacts, domain: str, table: dict[str, Any]) -> bool:
        """Take holidays out of a table of other things, as known ahead; return whether it had some.

        Args:
            file: That holds them.
            domain: Of its table.
            table: Loses them.
        """
        moved: dict[str, Any] = {}
        for section in ("columns", "one_hot"):
            names = [n for n in table.get(section, {}) if is_of_holidays(n)]
            if names:
                moved[section] = {name: table[section].pop(name) for name in names}
                if not table[section]:
                    del table[section]
        if not moved:
            return False
        rest = {key: value for key, value in table.items() if key not in ("columns", "one_hot")}
        self.tables[domain].append(rest | moved | {"known": True})
        if "columns" not in table and "one_hot" not in table:
            self.tables[domain].remove(table)
        listed = ", ".join(name for names in moved.values() for name in names)
        self.notes.append(
            f"{listed} of {file.name} reaches beyond the last sales and is taken as known ahead "
            f"(`known: true`); say the same under {domain} of what else is (plans), in a table of "
            "its own"
        )
        return True


def _only_names(column: ColumnFacts) -> bool:
    """Return whether a number names something, and measures nothing: production_id, phone."""
    return re.search(_NAMING, plain(column.name)) is not None


def _span(file: FileFacts) -> tuple[ColumnFacts, ColumnFacts] | None:
    """Return the columns of the first and the last day that rows hold for, where they say so."""
    dates = file.of_kind(DATE)
    first = [c for c in dates if re.search(_FIRST, plain(c.name))]
    last = [c for c in dates if re.search(_LAST, plain(c.name)) and c not in first]
    return (first[0], last[0]) if first and last else None
