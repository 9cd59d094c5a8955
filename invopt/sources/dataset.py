"""A whole mapped data set: sales and their companions into panel partitions, every row accounted.

rows_in = rows_used + rows quarantined for every table; each quarantined row keeps its reason
and its original columns.
"""

import json
from collections.abc import Callable
from collections.abc import Mapping as Variables
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt import contracts
from invopt.errors import InvalidInputError
from invopt.panel import ALL_LEVEL, SERIES_LEVEL, Channel, Flag, Panel, replacing_folder
from invopt.sources import wide
from invopt.sources.channels import ChannelTables
from invopt.sources.duck import Reader
from invopt.sources.ledger import Accounting, Ledger
from invopt.sources.mapping import Expression, Mapping, SalesTable, Table
from invopt.sources.position import read_positions
from invopt.sources.standard import (
    BOOLEAN,
    NUMBER,
    TEXT,
    Standard,
    compact,
    gather,
    number_keys,
    quote,
    standardise,
)
from invopt.timeline import Timeline

# Cells (series x periods) of one partition: about 1.2 GB while reading, M5 in one piece.
MAX_PARTITION_CELLS = 64_000_000

# Sales this many years away from the others, of fewer than this share of the rows, are mistakes.
MAX_GAP_YEARS = 2
FAR_SHARE = 0.01

# What holds after the last record: a price stays, a discount ends.
_BEYOND = {"price": "forward", "discount": "zero"}

Notify = Callable[[str], None]


@dataclass
class DatasetReport:
    """What was read: sizes, rows by table, and what a person should know."""

    name: str
    num_series: int
    num_periods: int
    first: str
    last: str
    accounting: list[Accounting]
    notes: list[str]
    num_without_product: int = 0

    @property
    def bad_share(self) -> float:
        """Faulty rows over rows read, all tables together."""
        return sum(a.bad for a in self.accounting) / max(1, sum(a.rows_in for a in self.accounting))


def read_dataset(
    mapping: Mapping,
    data_dir: Path,
    out: Path,
    *,
    variables: Variables[str, str] | None = None,
    max_bad_share: float = 0.01,
    notify: Notify = lambda _: None,
) -> DatasetReport:
    """Read the data a mapping names into a folder of panel partitions.

    The folder holds part-NNNN/ (one Panel each, series in order), quarantine.parquet,
    report.json and, where mapped, position.parquet and open_orders.parquet. It appears whole
    or not at all.

    Args:
        mapping: Names and layouts.
        data_dir: Folder that paths start from.
        out: Folder to write.
        variables: Values for ${NAME} in database URLs.
        max_bad_share: Share of faulty rows above which the data set is refused.
        notify: Called with a line of progress.

    Raises:
        InvalidInputError: If a source is missing, a column is unknown, no row of sales is
            usable, or too many rows are faulty.
    """
    with replacing_folder(out) as folder:
        scratch = folder / "scratch"
        with Reader(data_dir, scratch, variables or {}) as reader:
            for name, source in mapping.sources.items():
                reader.add(name, source)
            report = _Build(mapping, reader, folder, notify).run()
        for file in scratch.iterdir():
            file.unlink()
        scratch.rmdir()
        _refuse_if_bad(report, max_bad_share)
        (folder / "report.json").write_text(json.dumps(asdict(report), indent=1))
    return report


def read_position(path: Path) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return the stock position and open orders of a folder written by read_dataset."""
    position, orders = path / "position.parquet", path / "open_orders.parquet"
    return (
        pd.read_parquet(position) if position.is_file() else None,
        pd.read_parquet(orders) if orders.is_file() else None,
    )


def _refuse_if_bad(report: DatasetReport, max_bad_share: float) -> None:
    if report.bad_share <= max_bad_share:
        return
    worst = sorted(
        ((n, a.table, reason) for a in report.accounting for reason, n in a.quarantined.items()),
        reverse=True,
    )
    listed = "; ".join(f"{table}: {n} rows, {reason}" for n, table, reason in worst[:5])
    raise InvalidInputError(
        f"{report.bad_share:.1%} of the rows of {report.name} are faulty, at most "
        f"{max_bad_share:.1%} is allowed ({listed}). Mend the data or the mapping, or raise "
        "data.max_quarantine_share; nothing was written."
    )


class _Build:
    """The steps of reading one data set; state they share, nothing kept after."""

    def __init__(self, mapping: Mapping, reader: Reader, folder: Path, notify: Notify) -> None:
        self.mapping, self.reader, self.folder, self.notify = mapping, reader, folder, notify
        self.ledger = Ledger(reader)
        self.num_without_product = 0

    def run(self) -> DatasetReport:
        sales: _LongSales | _WideSales
        if self.mapping.sales.layout == "wide":
            sales = _WideSales(self.mapping, self.reader, self.ledger)
        else:
            sales = _LongSales(self.mapping, self.reader, self.ledger)
        timeline = sales.timeline
        series = self._series(sales.keys)
        self.notify(f"{len(series):,} series x {timeline.num_periods:,} periods ({timeline.freq})")
        tables = ChannelTables(self.reader, self.ledger, self.mapping, series, timeline)
        shared = tables.shared()
        size = max(1, MAX_PARTITION_CELLS // timeline.num_periods)
        for number, first in enumerate(range(0, len(series), size)):
            part = series.iloc[first : first + size].reset_index(drop=True)
            ids = tuple(part["unique_id"])
            panel = sales.read(part).with_channels([*shared, *tables.own(ids)])
            panel.save(self.folder / f"part-{number:04d}")
            self.notify(f"read {first + len(part):,} of {len(series):,} series")
        sales.close()
        tables.close()
        key = series_key(self.mapping, self.mapping.sales)
        for name, frame in read_positions(
            self.reader, self.ledger, self.mapping, key, timeline
        ).items():
            frame.to_parquet(self.folder / f"{name}.parquet", index=False)
        source_of = {name: table.source for name, table in self.mapping.tables()}
        self.ledger.enter_rejected_lines(source_of)
        self.ledger.write(self.folder / "quarantine.parquet")
        return DatasetReport(
            self.mapping.name,
            len(series),
            timeline.num_periods,
            f"{timeline.start:%Y-%m-%d}",
            f"{timeline.last:%Y-%m-%d}",
            self.ledger.accounting,
            self.ledger.notes,
            self.num_without_product,
        )

    def _series(self, keys: tuple[str, ...]) -> pd.DataFrame:
        series = pd.DataFrame({"unique_id": np.array(keys, dtype=object)})
        if self.mapping.products is not None:
            series = self._join_products(series)
        for column, default in (("product", series["unique_id"]), ("location", ALL_LEVEL)):
            if column not in series:
                series[column] = default
        return contracts.check(series, contracts.Products)

    def _join_products(self, series: pd.DataFrame) -> pd.DataFrame:
        table = self.mapping.products
        assert table is not None
        columns = dict(table.columns)
        kinds = {c: _product_kind(c, expression) for c, expression in columns.items()}
        key = series_key(self.mapping, table)
        std = standardise(
            self.reader, "products", table, key=key, ds=None, columns=columns, kinds=kinds, rules={}
        )
        picks = ", ".join(
            f"arg_min({quote(c)}, __row) FILTER ({quote(c)} IS NOT NULL) AS {quote(c)}"
            for c in columns
        )
        products = self.reader.fetch(
            f'SELECT key AS unique_id, {picks} FROM "{std.view}" WHERE reason IS NULL GROUP BY key',
            "products",
        ).to_pandas()
        self.ledger.enter_view(std)
        merged = series.merge(products, on="unique_id", how="left", indicator=True)
        orphans = merged.loc[merged.pop("_merge") == "left_only", "unique_id"]
        self.num_without_product = len(orphans)
        if len(orphans):
            self.ledger.notes.append(
                f"{len(orphans)} series have no product row (e.g. {orphans.iloc[0]}); "
                "their attributes read 'unknown'"
            )
        unsold = int((~products["unique_id"].isin(series["unique_id"])).sum())
        if unsold:
            self.ledger.notes.append(f"{unsold} products have no sales row and are not forecast")
        texts = [c for c in columns if kinds[c] == TEXT]
        merged[texts] = merged[texts].astype(object).fillna("unknown").astype(str)
        return merged


class _LongSales:
    """Sales with one row per series and period, or lines to be added up."""

    def __init__(self, mapping: Mapping, reader: Reader, ledger: Ledger) -> None:
        self.table, self.reader, self.ledger = mapping.sales, reader, ledger
        self.duplicates = 0
        key = series_key(mapping, mapping.sales)
        self.std = self._standard(key, {})
        if (stretch := self._main_stretch()) is not None:
            # One mistyped year would make a panel of a century.
            first_day, last_day = (f"DATE '{day:%Y-%m-%d}'" for day in stretch)
            outside = f"ds NOT BETWEEN {first_day} AND {last_day}"
            self.std = self._standard(key, {"its date is far from all others": outside})
        found = reader.fetch(
            f'SELECT key, min(ds) AS first, max(ds) AS last FROM "{self.std.view}" '
            "WHERE reason IS NULL GROUP BY key ORDER BY key",
            "sales",
        ).to_pandas()
        if found.empty:
            raise InvalidInputError(self._no_rows())
        self.keys = tuple(found["key"])
        first, last = pd.Timestamp(found["first"].min()), pd.Timestamp(found["last"].max())
        self.timeline = Timeline.covering(first, last, mapping.frequency)

    def read(self, part: pd.DataFrame) -> Panel:
        number_keys(self.reader, "part_codes", part["unique_id"])
        shape = len(part), self.timeline.num_periods
        cells = gather(self.reader.batches(self._sql(), "sales"), shape, self.std.columns)
        self.ledger.set_aside_duplicates(self.std, cells.duplicates)
        self.duplicates += len(cells.duplicates)
        return _sales_panel(self.table, part, self.timeline, cells.values, self._refused(shape))

    def close(self) -> None:
        self.ledger.enter_view(self.std, duplicates=self.duplicates)

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

    def _sql(self) -> str:
        period = self.timeline.to_sql("s.ds")
        rows = f'FROM "{self.std.view}" s JOIN part_codes c USING (key) WHERE s.reason IS NULL'
        if self.table.layout == "transactions":
            picks = ", ".join(f"{self._sum(c)}::FLOAT AS {quote(c)}" for c in self.std.columns)
            return f"SELECT c.i, {period} AS t, min(s.__row) AS __row, {picks} {rows} GROUP BY ALL"
        picks = ", ".join(f"s.{quote(c)}::FLOAT AS {quote(c)}" for c in self.std.columns)
        return f"SELECT c.i, {period} AS t, s.__row, {picks} {rows}"

    def _sum(self, column: str) -> str:
        defaults = {"y": "sum", "price": "mean", "discount": "mean", "is_observed": "min"}
        function = self.table.columns[column].aggregate or defaults[column]  # type: ignore[index]
        value = f"s.{quote(column)}"
        if column == "is_observed":
            value += "::INTEGER"
        if function == "last":
            return f"arg_max({value}, s.__row)"
        return f"{'avg' if function == 'mean' else function}({value})"

    def _refused(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Return a mask of cells with a refused record: unknown rather than zero."""
        mask = np.zeros(shape, bool)
        sql = (
            f"SELECT c.i, {self.timeline.to_sql('s.ds')} AS t "
            f'FROM "{self.std.view}" s JOIN part_codes c USING (key) '
            "WHERE s.reason IS NOT NULL AND year(s.ds) BETWEEN 1900 AND 2200"
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


class _WideSales:
    """Sales with periods as columns."""

    def __init__(self, mapping: Mapping, reader: Reader, ledger: Ledger) -> None:
        self.table, self.reader, self.ledger = mapping.sales, reader, ledger
        assert self.table.wide is not None
        key = series_key(mapping, self.table)
        self.layout = wide.survey(reader, "sales", self.table, self.table.wide, key)
        self.keys = self.layout.keys
        self.timeline = self.layout.timeline(mapping.frequency)

    def read(self, part: pd.DataFrame) -> Panel:
        number_keys(self.reader, "part_codes", part["unique_id"])
        y = self.layout.read(self.reader, self.timeline, len(part))
        if self.table.returns == "reject":
            y[y < 0] = np.nan
        return _sales_panel(self.table, part, self.timeline, {"y": y}, np.zeros(y.shape, bool))

    def close(self) -> None:
        reject = self.table.returns == "reject"
        refused = self.layout.quarantine(self.reader, reject_negative=reject)
        self.ledger.enter("sales", self.layout.num_cells, refused)


def _product_kind(column: str, expression: Expression) -> str:
    if column in contracts.PRODUCT_NUMBERS or expression.type == "number":
        return NUMBER
    return TEXT


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
        Channel(name, "sales", SERIES_LEVEL, ids, name in table.known, array, _BEYOND[name])
        for name, array in values.items()
    ]
    return Panel(timeline, part, compact(y), flags).with_channels(channels)
