"""The sales of a data set, long, wide or as lines, into the panel of one partition."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.errors import InvalidInputError
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.sources import wide
from invopt.sources.duck import Reader
from invopt.sources.ledger import DUPLICATE, Ledger
from invopt.sources.mapping import Expression, Mapping, SalesTable, Table
from invopt.sources.standard import (
    BOOLEAN,
    NUMBER,
    Parts,
    Standard,
    combined,
    compact,
    gather,
    quote,
    rows_of_part,
    standardise,
)
from invopt.timeline import Timeline

# Sales this many years away from the others, of fewer than this share of the rows, are mistakes.
MAX_GAP_YEARS = 2
FAR_SHARE = 0.01

# What holds after the last record: a price stays, a discount ends.
_BEYOND = {"price": "forward", "discount": "zero"}


class LongSales:
    """Sales with one row per series and period, or lines to be added up."""

    def __init__(self, mapping: Mapping, reader: Reader, ledger: Ledger) -> None:
        self.table, self.reader, self.ledger = mapping.sales, reader, ledger
        self.duplicates, self.refused = 0, ""
        key = series_key(mapping, mapping.sales)
        self.std = self._standard(key, {})
        found = self._found()
        years = (found["last"].max() - found["first"].min()).days / 365 if len(found) else 0
        if years > MAX_GAP_YEARS and (stretch := self._main_stretch()) is not None:
            # One mistyped year would make a panel of a century.
            first_day, last_day = (f"DATE '{day:%Y-%m-%d}'" for day in stretch)
            outside = f"ds NOT BETWEEN {first_day} AND {last_day}"
            self.std = self._standard(key, {"its date is far from all others": outside})
            found = self._found()
        if found.empty:
            raise InvalidInputError(self._no_rows())
        self.keys = tuple(found["key"])
        self.timeline = Timeline.covering(
            found["first"].min(), found["last"].max(), mapping.frequency
        )

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

    def _found(self) -> pd.DataFrame:
        """Return key, first and last date of every series, sorted by key."""
        found = self.reader.fetch(
            f'SELECT key, min(ds) AS first, max(ds) AS last FROM "{self.std.view}" '
            "WHERE reason IS NULL GROUP BY key ORDER BY key",
            "sales",
        ).to_pandas()
        return found.astype({"first": "datetime64[ns]", "last": "datetime64[ns]"})

    def _main_stretch(self) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """Return the first and last date of the sales; None when no date is far from the rest.

        Far are dates beyond a gap of MAX_GAP_YEARS that less than FAR_SHARE of the rows have.
        """
        found = self.reader.fetch(
            f'SELECT ds, count(*) AS n FROM "{self.std.view}" WHERE reason IS NULL '
            "GROUP BY ds ORDER BY ds",
            "sales",
        ).to_pandas()
        dates = pd.to_datetime(found["ds"])
        stretch = (dates.diff() > pd.Timedelta(days=365 * MAX_GAP_YEARS)).cumsum()
        rows = found["n"].groupby(stretch).sum()
        far = rows[rows < FAR_SHARE * rows.sum()].index
        kept = dates[~stretch.isin(far)]
        return None if far.empty or kept.empty else (kept.min(), kept.max())

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
        )

    def _sql(self, parts: Parts, number: int) -> str:
        period = self.timeline.to_sql("s.ds")
        kept = rows_of_part(self.reader, self.std, self.std.view, period, parts)
        rows = f"FROM {kept} s WHERE p = {number}"
        if self.table.layout == "transactions":
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

    def _refused(self, shape: tuple[int, int], parts: Parts, number: int) -> npt.NDArray[np.bool_]:
        """Return a mask of cells with a refused record: unknown rather than zero."""
        mask = np.zeros(shape, bool)
        if not self.refused:
            self.refused = "refused_sales"
            self.reader.run(
                f"CREATE TABLE {self.refused} AS SELECT c.i, {self.timeline.to_sql('s.ds')} AS t "
                f'FROM "{self.std.view}" s JOIN "codes_{self.std.name}" c USING (key) '
                "WHERE s.reason IS NOT NULL AND year(s.ds) BETWEEN 1900 AND 2200",
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

    def __init__(self, mapping: Mapping, reader: Reader, ledger: Ledger) -> None:
        self.table, self.reader, self.ledger = mapping.sales, reader, ledger
        assert self.table.wide is not None
        key = series_key(mapping, self.table)
        self.layout = wide.survey(reader, "sales", self.table, self.table.wide, key)
        self.keys = self.layout.keys
        self.timeline = self.layout.timeline(mapping.frequency)
        self.values: wide.WideValues | None = None

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
        self.ledger.enter(self.layout, self.layout.num_cells, refused, len(self.layout.columns))


def series_key(mapping: Mapping, table: Table) -> Expression:
    """Return the expression that names the series of a table's rows.

    Raises:
        InvalidInputError: If neither the table nor the mapping gives one.
    """
    key: Expression | None = getattr(table, "unique_id", None) or mapping.unique_id
    if key is None:
        raise InvalidInputError("the mapping must give unique_id, for itself or in each table.")
    return key


def _sales_panel(
    table: SalesTable,
    part: pd.DataFrame,
    timeline: Timeline,
    values: dict[str, npt.NDArray[np.float32]],
    refused: npt.NDArray[np.bool_],
) -> Panel:
    """Return the panel of one partition.

    An absent period reads as zero sales where the mapping says so; an absent cell of a wide
    table, and a period whose record was refused, are missing.
    """
    y = values.pop("y")
    absent = np.isnan(y)
    flags = np.where(absent, Flag.MISSING, 0).astype(np.uint8)
    if table.missing == "zero" and table.layout != "wide":
        flags[absent & ~refused] = Flag.FILLED
    y[absent] = 0
    if "is_observed" in values:
        flags[values.pop("is_observed") == 0] |= np.uint8(Flag.CENSORED)
    ids = tuple(part["unique_id"])
    channels = [
        Channel(name, "sales", SERIES_LEVEL, ids, table.is_known_ahead(name), array, _BEYOND[name])
        for name, array in values.items()
    ]
    return Panel(timeline, part, compact(y), flags).with_channels(channels)
