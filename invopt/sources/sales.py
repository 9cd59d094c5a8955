"""The sales of a data set, long, wide or as lines, into the panel of one partition."""

import numpy as np
import pandas as pd

from invopt.errors import InvalidInputError
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.sources import wide
from invopt.sources.dates import month_alone
from invopt.sources.duck import Reader
from invopt.sources.ledger import DUPLICATE, FAR, FUTURE, REPEATED_LINE, UNFINISHED, Ledger
from invopt.sources.mapping import Expression, Mapping, SalesTable, Table, TermsTable
from invopt.sources.periods import believed, far_future, regular_step, unfinished
from invopt.sources.standard import (
    BOOLEAN,
    DATE,
    NUMBER,
    TEXT,
    Parts,
    Standard,
    checked,
    combined,
    compact,
    gather,
    kept_by,
    numbered,
    rows_of_part,
    standardise,
)
from invopt.sql import literal, quote
from invopt.timeline import Timeline, floor_dates, frequency_unit, usual_frequency
from invopt.types import BoolArray, Float32Array

# What holds after the last record: a price stays, a discount ends.
_BEYOND = {"price": "forward", "discount": "zero"}


class LongSales:
    """Sales with one row per series and period, or lines to be added up."""

    def __init__(
        self, mapping: Mapping, reader: Reader, ledger: Ledger, today: pd.Timestamp | None
    ) -> None:
        self.table, self.reader, self.ledger = mapping.sales, reader, ledger
        self.duplicates, self.refused, self.freq = 0, "", mapping.frequency
        self.closed = closed_days(reader, mapping.calendar)
        key, freq = series_key(mapping, mapping.sales), mapping.frequency
        rules: dict[str, str] = self._repeated_lines()
        if today is not None:
            rules[FUTURE] = f"ds > {_day(far_future(freq, today))}"
        self.std = self._standard(key, rules)
        found, days = self._found()
        if found.empty:
            raise InvalidInputError(self._no_rows())
        more = self._outside(days, freq, today)
        if more:
            rules |= more
            self.std = self._standard(key, rules)
            found, days = self._found()
        self.keys = tuple(found["key"])
        self.timeline = Timeline.covering(days["ds"].iloc[0], days["ds"].iloc[-1], freq)
        recorded = np.unique(self.timeline.index_of(pd.DatetimeIndex(days["ds"])))
        self.step = regular_step(recorded)
        if self.step > 1:
            longer = usual_frequency(self.timeline.dates()[recorded])
            known = longer != freq and frequency_unit(longer) in ("2W", "QS")
            ledger.notes.append(
                f"sales come every {self.timeline.spell(self.step)}: that is "
                f"{f'frequency {longer}' if known else 'no frequency known here'} "
                f"({freq} is read, with nothing in between)"
            )

    def _outside(self, days: pd.DataFrame, freq: str, today: pd.Timestamp | None) -> dict[str, str]:
        """Return the rules that leave out what stands alone and the period that has not ended."""
        first, last = believed(days, freq)
        inside = days["ds"].between(first, last)
        rules = {}
        if not inside.all():
            rules[FAR] = f"ds NOT BETWEEN {_day(first)} AND {_day(last)}"
            days = days[inside]
        found = unfinished(days, freq, today, self.closed)
        if found is not None and days["ds"].iloc[0] < found.start:
            rules[UNFINISHED] = f"ds >= {_day(found.start)}"
            rows = int(days["n"][days["ds"] >= found.start].sum())
            self.ledger.notes.append(
                f"the period from {found.start:%Y-%m-%d} has not ended ({found.why}): its {rows:,} "
                "rows are left out, and the forecast begins with it"
            )
        return rules

    def read(self, series: pd.DataFrame, parts: Parts, number: int) -> Panel:
        """Return the panel of one partition's series, rows as in `series`."""
        shape = len(series), self.timeline.num_periods
        sql = self._sql(parts, number)
        cells = gather(self.reader.batches(sql, "sales"), shape, self.std.columns)
        self.ledger.set_aside_rows(self.std, cells.duplicates)
        self.duplicates += len(cells.duplicates)
        refused = self._refused(shape, parts, number)
        return _sales_panel(self.table, series, self.timeline, cells.values, refused)

    def close(self) -> None:
        """Enter the account; call it when all partitions were read."""
        self.ledger.enter_view(self.std, lost={DUPLICATE: self.duplicates})

    def _found(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return every series by key, and every day with its rows and last moment, ascending."""
        found = self.reader.fetch(
            f'SELECT key, ds, count(*) AS n, max(__at) AS last_at FROM "{self.std.view}" '
            "WHERE reason IS NULL GROUP BY GROUPING SETS ((key), (ds)) ORDER BY key, ds",
            "sales",
        ).to_pandas()
        days = found[found["ds"].notna()].astype({"ds": "datetime64[ns]"})
        return found.loc[found["ds"].isna(), ["key"]], days.reset_index(drop=True)

    def _repeated_lines(self) -> dict[str, str]:
        """Return the rule that sets repeated lines aside, where lines have a name."""
        name = self.table.line_key
        if name is None:
            self._suspect_files()
            return {}
        types = self.reader.column_types(f'"{self.table.source}"', "sales.from")
        line = checked(
            self.reader, "sales", "line_key", expression=name, table=self.table, types=types
        )
        self.reader.run(
            "CREATE OR REPLACE TABLE repeated_lines AS SELECT __row FROM (SELECT __row, "
            "row_number() OVER (PARTITION BY line ORDER BY __row) AS n FROM (SELECT __row, "
            f"({line})::VARCHAR AS line FROM {numbered(self.table.source)}"
            f"{kept_by(self.table.where)}) WHERE line IS NOT NULL) WHERE n > 1",
            "sales.line_key",
        )
        return {REPEATED_LINE: "__row IN (SELECT __row FROM repeated_lines)"}

    def _suspect_files(self) -> None:
        """Note where lines of one file are those of another: nothing names them, so both count."""
        files = self.reader.files.get(self.table.source, [])
        if self.table.layout != "transactions" or len(files) < 2:
            return
        columns = ", ".join(quote(c) for c in sorted(self.reader.column_types(
            f'"{self.table.source}"', "sales.from")))  # fmt: skip
        hashed = " UNION ALL BY NAME ".join(
            f"SELECT {number} AS __file, * FROM {rows}" for number, rows in enumerate(files)
        )
        [found] = self.reader.fetch(
            "SELECT coalesce(sum(n), 0) AS n FROM (SELECT sum(n) - max(n) AS n FROM ("
            f"SELECT hash({columns}) AS h, __file, count(*) AS n FROM ({hashed}) GROUP BY ALL) "
            "GROUP BY h HAVING count(*) > 1)",
            "sales",
        ).to_pylist()
        if found["n"]:
            self.ledger.notes.append(
                f"{int(found['n']):,} lines of sales are, word for word, in another file of "
                f"{self.table.source} too, and count twice: if these files overlap, name a line "
                "in sales.line_key"
            )

    def _standard(self, key: Expression, more: dict[str, str]) -> Standard:
        rules = more | {"y is empty": "y IS NULL"}
        if self.table.returns == "reject":
            rules["y is negative"] = "y < 0"
        if "price" in self.table.columns:
            rules["price is negative"] = "price < 0"
        return standardise(
            self.reader,
            "sales",
            self.table,
            key=key,
            ds=self.table.ds,
            columns={str(c): e for c, e in self.table.columns.items()},
            kinds={c: BOOLEAN if c == "is_observed" else NUMBER for c in self.table.columns},
            rules=rules,
            unclear=month_alone(self.freq, is_sales=True),
        )

    def _sql(self, parts: Parts, number: int) -> str:
        period = self.timeline.to_sql("s.ds")
        kept = rows_of_part(self.reader, self.std, self.std.view, period, parts)
        rows = f"FROM {kept} s WHERE p = {number}"
        if self.table.adds_up:
            picks = ", ".join(f"{self._sum(c)}::FLOAT AS {quote(c)}" for c in self.std.columns)
            return f"SELECT i, t, min(s.__row) AS __row, {picks} {rows} GROUP BY i, t"
        picks = ", ".join(f"s.{quote(c)}::FLOAT AS {quote(c)}" for c in self.std.columns)
        return f"SELECT i, t, __row, {picks} {rows}"

    def _sum(self, column: str) -> str:
        defaults = {"y": "sum", "price": "mean", "discount": "mean", "is_observed": "min"}
        function = self.table.columns[column].aggregate or defaults[column]  # type: ignore[index]
        value = f"s.{quote(column)}"
        if column == "is_observed":
            value += "::INTEGER"
        return combined(value, function)

    def _refused(self, shape: tuple[int, int], parts: Parts, number: int) -> BoolArray:
        """Return a mask of cells with a refused record: unknown, and neither zero nor smaller.

        Where lines add up, a return that is not netted leaves what was sold as it is, and so does a
        line sent twice.
        """
        mask = np.zeros(shape, bool)
        if not self.refused:
            self.refused = "refused_sales"
            harmless = ["y is negative", REPEATED_LINE] if self.table.adds_up else [""]
            self.reader.run(
                f"CREATE TABLE {self.refused} AS SELECT c.i, {self.timeline.to_sql('s.ds')} AS t "
                f'FROM "{self.std.view}" s JOIN "codes_{self.std.name}" c USING (key) '
                f"WHERE s.reason NOT IN ({', '.join(map(literal, harmless))}) "
                "AND year(s.ds) BETWEEN 1900 AND 2200",
                "sales",
            )
        sql = (
            f"SELECT i % {parts.size} AS i, t FROM {self.refused} "
            f"WHERE i // {parts.size} = {number}"
        )
        for batch in self.reader.batches(sql, "sales"):
            i, t = batch["i"].to_numpy(), batch["t"].to_numpy()
            inside = (t >= 0) & (t < shape[1])
            mask[i[inside], t[inside]] = True
        return mask

    def _no_rows(self) -> str:
        rows = self.reader.fetch(
            f'SELECT reason, count(*) AS n FROM "{self.std.view}" GROUP BY reason', "sales"
        ).to_pylist()
        bad = sum(len(r.lines) for r in self.reader.rejected if r.source == self.std.source)
        rows += [{"n": bad, "reason": "line is malformed"}] if bad else []
        why = "; ".join(f"{row['n']} rows: {row['reason']}" for row in rows)
        return (
            f"sales ({self.std.source}) has no usable row"
            + (f" ({why})" if why else ": it is empty")
            + ". Check the file and the mapping."
        )


class WideSales:
    """Sales with periods as columns."""

    def __init__(
        self, mapping: Mapping, reader: Reader, ledger: Ledger, today: pd.Timestamp | None
    ) -> None:
        self.table, self.reader, self.ledger = mapping.sales, reader, ledger
        assert self.table.wide is not None
        key, freq = series_key(mapping, self.table), mapping.frequency
        self.layout = wide.survey(reader, "sales", self.table, self.table.wide, key)
        self.keys = self.layout.keys
        self.open_cells: dict[str, tuple[str, ...]] = {}
        if today is not None:
            self._leave_out_open(freq, today)
        self.timeline = self.layout.timeline(freq)
        self.step = regular_step(np.unique(self.timeline.index_of(self.layout.dates)))
        self.values: wide.WideValues | None = None

    def _leave_out_open(self, freq: str, today: pd.Timestamp) -> None:
        """Leave out the columns of periods that have not ended, unless that is all of them."""
        now = floor_dates(pd.DatetimeIndex([today]), freq)[0]
        late, future = self.layout.dates >= now, self.layout.dates > far_future(freq, today)
        if not late.any() or late.all():
            return
        names = np.array(self.layout.columns, object)
        self.open_cells = {
            UNFINISHED: tuple(names[late & ~future]),
            FUTURE: tuple(names[future]),
        }
        self.layout = self.layout.without(late)
        self.ledger.notes.append(
            f"today is {today:%Y-%m-%d}: {', '.join(names[late][:5])} of sales "
            f"({int(late.sum())} columns) are of periods that have not ended, and left out"
        )

    def read(self, series: pd.DataFrame, parts: Parts, number: int) -> Panel:
        """Return the panel of one partition's series, rows as in `series`."""
        if self.values is None:
            self.values = wide.WideValues(self.layout, self.reader, self.timeline, parts)
        y = self.values.read(number)
        if self.table.returns == "reject":
            y[y < 0] = np.nan
        return _sales_panel(self.table, series, self.timeline, {"y": y}, np.zeros(y.shape, bool))

    def close(self) -> None:
        """Enter the account; call it when all partitions were read."""
        reject = self.table.returns == "reject"
        refused = self.layout.quarantine(self.reader, reject_negative=reject)
        for reason, columns in self.open_cells.items():
            refused[reason] = self.layout.quarantine_columns(self.reader, columns, reason)
        self.ledger.enter(self.layout, self.layout.num_cells, refused, self.layout.num_columns)


def series_key(mapping: Mapping, table: Table) -> Expression:
    """Return the expression that names the series of a table's rows.

    Raises:
        InvalidInputError: If neither the table nor the mapping gives one.
    """
    key: Expression | None = getattr(table, "unique_id", None) or mapping.unique_id
    if key is None:
        raise InvalidInputError("the mapping must give unique_id, for itself or in each table.")
    return key


def closed_days(reader: Reader, calendar: TermsTable | None) -> pd.DatetimeIndex:
    """Return the days on which every place of a calendar is closed; suppliers' days do not count.

    Args:
        reader: Holds the source.
        calendar: The mapped table; None where there is none.
    """
    if calendar is None or not {"ds", "open"} <= calendar.columns.keys():
        return pd.DatetimeIndex([])
    kinds = {"location": TEXT, "supplier": TEXT, "ds": DATE, "open": BOOLEAN}
    columns = {c: e for c, e in calendar.columns.items() if c in kinds}
    std = standardise(
        reader, "calendar", calendar, key=None, ds=None, columns=columns, kinds=kinds, rules={}
    )
    place = "coalesce(location, '')" if "location" in columns else "''"
    shops = "coalesce(trim(supplier), '') = ''" if "supplier" in columns else "true"
    found = reader.fetch(
        f'WITH c AS (SELECT ds AS day, open, {place} AS place FROM "{std.view}" '
        f"WHERE reason IS NULL AND ds IS NOT NULL AND {shops}) SELECT day FROM c "
        "WHERE NOT open GROUP BY day "
        "HAVING count(DISTINCT place) = (SELECT count(DISTINCT place) FROM c) ORDER BY day",
        "calendar",
    )
    return pd.DatetimeIndex(found["day"].to_pandas().astype("datetime64[ns]"))


def _day(date: pd.Timestamp) -> str:
    return f"DATE '{date:%Y-%m-%d}'"


def _sales_panel(
    table: SalesTable,
    part: pd.DataFrame,
    timeline: Timeline,
    values: dict[str, Float32Array],
    refused: BoolArray,
) -> Panel:
    """Return the panel of one partition.

    An absent period reads as zero sales where the mapping says so; an absent cell of a wide
    table, and a period of which a record was refused, are missing.
    """
    y = values.pop("y")
    if table.adds_up:
        y[refused] = np.nan  # the other lines of the period are not all that was sold
    absent = np.isnan(y)
    flags = np.where(absent, Flag.MISSING, 0).astype(np.uint8)
    if table.missing == "zero" and table.layout != "wide":
        flags[absent & ~refused] = Flag.FILLED
    y[absent] = 0
    if "is_observed" in values:
        flags[values.pop("is_observed") == 0] |= np.uint8(Flag.CENSORED)
    ids = tuple(part["unique_id"])
    channels = [
        Channel(
            name,
            "sales",
            SERIES_LEVEL,
            groups=ids,
            known=table.is_known_ahead(name),
            values=array,
            fill=_BEYOND[name],
        )
        for name, array in values.items()
    ]
    return Panel(timeline, part, compact(y), flags).with_channels(channels)
