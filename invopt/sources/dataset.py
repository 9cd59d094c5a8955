"""A whole mapped data set: sales and their companions into panel partitions, every row accounted.

rows_in = rows_used + rows quarantined for every table; each quarantined row keeps its reason
and its original columns.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping as Variables
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from invopt import contracts
from invopt.contracts import StockRecords
from invopt.errors import InvalidInputError
from invopt.files import replacing_folder
from invopt.panel import ALL_LEVEL, Flag, Panel
from invopt.sources.channels import MAX_FUTURE_PERIODS, ChannelTables
from invopt.sources.discounts import DiscountCounts
from invopt.sources.duck import Reader
from invopt.sources.faults import with_faults
from invopt.sources.joins import JoinMisses, join_misses
from invopt.sources.ledger import Accounting, Ledger
from invopt.sources.mapping import TERMS, Expression, Mapping
from invopt.sources.places import places_of, recorded_names
from invopt.sources.position import (
    read_positions,
    with_lead_times,
    with_supplier_lead_times,
)
from invopt.sources.products import read_products
from invopt.sources.sales import LongSales, WideSales, series_key
from invopt.sources.standard import Parts
from invopt.sources.terms import read_terms_tables
from invopt.sources.twins import is_total, spelled, twins_among
from invopt.sources.units import tell_units
from invopt.timeline import Timeline
from invopt.types import Notify

# Cells (series x periods) of one partition: about 1.2 GB while reading, M5 in one piece.
MAX_PARTITION_CELLS = 64_000_000
MAX_TABLE_LOSS = 0.2  # share of a table's rows, of one beside the sales
ALL_BUT_WHOLE = 0.99
_FEW_ORDERS = 50


@dataclass(kw_only=True)
class DatasetReport:
    """What was read: sizes, rows by table, and what a person should know.

    Attributes:
        name: Of the data set.
        num_series: Series.
        num_periods: Periods.
        first: First day of the first period, as ISO date.
        last: First day of the last period.
        accounting: Rows by table.
        notes: Sentences for a person.
        num_without_product: Series that no product row names.
        frequency: Of the periods.
        cells: Series x periods that are "observed" (a record came), "zero" (none came, read as
            zero sales) and "unknown".
        sums: "sales.y", "position.on_hand" and so on: units, of the rows used.
        sources: Rows that each file or query holds, by source.
        malformed: Of these, lines that are no rows.
        joins: Joins of the mapping's SQL in which rows found no partner.
        mixed_units: Series whose sales were added up over several units of measure.
        step: Periods from one with sales to the next, where these are regularly more than one.
        examples: The first faulty row of each reason, in words, by table.
    """

    name: str
    num_series: int
    num_periods: int
    first: str
    last: str
    accounting: list[Accounting]
    notes: list[str]
    num_without_product: int = 0
    frequency: str = ""
    cells: dict[str, int] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    malformed: dict[str, int] = field(default_factory=dict)
    joins: list[JoinMisses] = field(default_factory=list)
    step: int = 1
    mixed_units: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def bad_share(self) -> float:
        """Faulty rows over rows read, all tables but the lanes together.

        A lane that cannot be used makes no demand wrong.
        """
        read = [a for a in self.accounting if a.table != "lanes"]
        return sum(a.bad for a in read) / max(1, sum(a.rows_in for a in read))


def read_dataset(
    mapping: Mapping,
    data_dir: Path,
    out: Path,
    *,
    variables: Variables[str, str] | None = None,
    max_bad_share: float = 0.01,
    today: pd.Timestamp | None = None,
    notify: Notify = lambda _: None,
) -> DatasetReport:
    """Read the data a mapping names into a folder of panel partitions.

    The folder holds part-NNNN/ (one Panel each, series in order), quarantine.parquet,
    report.json and, where mapped, position.parquet, open_orders.parquet and the tables of
    planning (invopt.sources.terms). It appears whole or not at all.

    Args:
        mapping: Names and layouts.
        data_dir: Folder that paths start from.
        out: Folder to write.
        variables: Values for ${NAME} in database URLs.
        max_bad_share: Share of faulty rows above which the data set is refused.
        today: Sales dated later, and those of the period that holds it, are left out, and so are
            counts of stock and receipts dated later; None where no clock is known: then only the
            record itself tells that its last period was cut.
        notify: Called with a line of progress.

    Raises:
        InvalidInputError: If a source is missing, a column is unknown, no row of sales is
            usable, or too many rows are faulty.
    """
    with replacing_folder(out) as folder:
        scratch = folder / "scratch"
        with Reader(data_dir, scratch, variables or {}) as reader:
            reader.add_all(mapping.sources, folder)
            joins: list[JoinMisses] = []
            for name, source in mapping.sources.items():
                if source.sql is not None:
                    joins += join_misses(reader, name, source.sql)
            report = _Build(mapping, reader, folder, today, notify).run()
            report.joins = joins
        shutil.rmtree(scratch)
        _refuse_if_bad(report, max_bad_share)
        (folder / "report.json").write_text(json.dumps(asdict(report), indent=1))
    return report


def read_position(path: Path) -> StockRecords:
    """Return the stock position and open orders of a folder written by read_dataset."""
    position, orders = path / "position.parquet", path / "open_orders.parquet"
    return StockRecords(
        pd.read_parquet(position) if position.is_file() else None,
        pd.read_parquet(orders) if orders.is_file() else None,
    )


def table_limits(report: DatasetReport, max_bad_share: float) -> dict[str, float]:
    """Return the share of faulty rows that each table may have.

    Of sales max_bad_share; of another table, where a faulty row costs its own series only, a fifth:
    it may be small, and lost whole beside a year of sales it would be a fault of one in a thousand.
    """
    other = max(max_bad_share, MAX_TABLE_LOSS)
    found = {a.table: max_bad_share if a.table == "sales" else other for a in report.accounting}
    # What people write for planning by hand is told row by row, and stops nobody's orders: a lane
    # that cannot be used leaves its place without a source, an override the forecast as it is.
    most = max(max_bad_share, ALL_BUT_WHOLE)
    by_hand = dict.fromkeys(TERMS, most) | {"overrides": 1.0}
    # Two purchase orders of six without a date are two to ask for, and no wrong mapping.
    by_hand |= {
        a.table: most for a in report.accounting
        if a.table == "open_orders" and a.rows_in < _FEW_ORDERS
    }  # fmt: skip
    return found | {table: limit for table, limit in by_hand.items() if table in found}


def tables_lost(report: DatasetReport, max_bad_share: float) -> list[Accounting]:
    """Return the tables of which too much is faulty to go on."""
    limits = table_limits(report, max_bad_share)
    return [a for a in report.accounting if a.bad > limits[a.table] * a.rows_in]


def _refuse_if_bad(report: DatasetReport, max_bad_share: float) -> None:
    lost = tables_lost(report, max_bad_share)
    if report.bad_share <= max_bad_share and not lost:
        return
    worst = sorted(
        ((n, a.table, reason) for a in lost or report.accounting for reason, n in a.faulty.items()),
        reverse=True,
    )
    listed = "; ".join(f"{table}: {n:,} rows, {reason}" for n, table, reason in worst[:5])
    share, what, limit = report.bad_share, report.name, max_bad_share
    if lost:
        table = max(lost, key=lambda a: a.bad / a.rows_in)
        share, what = table.bad / table.rows_in, f"{table.table} of {report.name}"
        limit = table_limits(report, max_bad_share)[table.table]
    raise InvalidInputError(
        f"{share:.1%} of the rows of {what} are faulty, at most {limit:.1%} is allowed ({listed}). "
        "Correct the data or the mapping, or raise data.max_quarantine_share; nothing was written."
    )


def _readers_of(mapping: Mapping) -> dict[str, set[str]]:
    """Return the sources of SQL that read a source, directly or through others, by its name."""
    found: dict[str, set[str]] = {}
    for name, source in mapping.sources.items():
        words = set(re.findall(r"\w+", source.sql.lower())) if source.sql is not None else set()
        for other in [*mapping.sources][: [*mapping.sources].index(name)]:
            through = {other, *found.get(other, ())}
            if any(set(re.findall(r"\w+", one.lower())) <= words for one in through):
                found.setdefault(other, set()).add(name)
    return found


class _Build:
    """The steps of reading one data set; state they share, nothing kept after."""

    def __init__(
        self,
        mapping: Mapping,
        reader: Reader,
        folder: Path,
        today: pd.Timestamp | None,
        notify: Notify,
    ) -> None:
        self.mapping, self.reader, self.folder, self.notify = mapping, reader, folder, notify
        self.today = today
        self.ledger = Ledger(reader)
        self.num_without_product = self.mixed_units = 0
        self.cells = {"observed": 0, "zero": 0, "unknown": 0}
        self.sums = {"sales.y": 0.0}

    def run(self) -> DatasetReport:
        sales, key = self._sales(), series_key(self.mapping, self.mapping.sales)
        timeline = sales.timeline
        self._add_holidays(timeline.resized(timeline.num_periods + MAX_FUTURE_PERIODS))
        if self.mapping.sales.layout != "wide":
            self.mixed_units = tell_units(self.reader, self.mapping.sales, key)
        self._tell_twins(sales.keys)
        series, unsold = self._series(sales.keys)
        series, network = self._network(series, unsold, sales.keys, key, timeline)
        known = [*series["unique_id"], *(network["nodes"]["unique_id"] if network else ())]
        positions = read_positions(
            self.ledger, self.mapping, key, known, timeline, today=self.today
        )
        series = with_faults(with_lead_times(series, positions.get("position")))
        self._tell_faults(series)
        series = contracts.check(series, contracts.Products)
        named = [name for name in TERMS if name != "lanes"]
        terms = read_terms_tables(
            self.ledger, self.mapping, key, series, timeline, names=named, today=self.today
        )
        positions |= terms | network
        series = with_supplier_lead_times(series, positions.get("suppliers"))
        self.notify(f"{len(series):,} series x {timeline.num_periods:,} periods ({timeline.freq})")
        self._write_panels(sales, series)
        self._write_tables(positions)
        source_of = {name: table.source for name, table in self.mapping.tables()}
        self.ledger.enter_rejected_lines(source_of, _readers_of(self.mapping))
        self.ledger.write(self.folder / "quarantine.parquet")
        return self._report(timeline, sales, len(series))

    def _add_holidays(self, timeline: Timeline) -> None:
        """Make the sources of public holidays readable, those of a timeline."""
        for name, source in self.mapping.sources.items():
            if source.holidays is not None:
                self.reader.add_holidays(name, source, timeline)

    def _report(
        self, timeline: Timeline, sales: LongSales | WideSales, num_series: int
    ) -> DatasetReport:
        """Return what was read."""
        return DatasetReport(
            name=self.mapping.name,
            num_series=num_series,
            num_periods=timeline.num_periods,
            first=f"{timeline.start:%Y-%m-%d}",
            last=f"{timeline.last:%Y-%m-%d}",
            accounting=self.ledger.accounting,
            examples=self.ledger.examples(),
            notes=list(dict.fromkeys(self.ledger.notes)),
            num_without_product=self.num_without_product,
            frequency=timeline.freq,
            cells=self.cells,
            sums=self.sums,
            sources=self._source_rows(),
            malformed=self._malformed(),
            step=sales.step,
            mixed_units=self.mixed_units,
        )

    def _sales(self) -> LongSales | WideSales:
        """Return the rows of sales, whose keys and timeline are those of the data set."""
        if self.mapping.sales.layout == "wide":
            return WideSales(self.mapping, self.reader, self.ledger, self.today)
        return LongSales(self.mapping, self.reader, self.ledger, self.today)

    def _write_panels(self, sales: LongSales | WideSales, series: pd.DataFrame) -> None:
        """Write the panel of every partition of the series, with its channels."""
        timeline = sales.timeline
        tables = ChannelTables(self.reader, self.ledger, self.mapping, series, timeline)
        shared = tables.shared()
        size = max(1, MAX_PARTITION_CELLS // timeline.num_periods)
        parts = Parts(tuple(series["unique_id"]), size)
        discounts = DiscountCounts()
        for number in range(parts.number):
            part = series.iloc[number * size : (number + 1) * size].reset_index(drop=True)
            panel = sales.read(part, parts, number)
            panel = panel.with_channels([*shared, *tables.own(parts, number)])
            panel.save(self.folder / f"part-{number:04d}")
            self._count(panel)
            self.notify(f"read {number * size + len(part):,} of {len(series):,} series")
            discounts.add(panel)
        self.ledger.notes += discounts.told()
        sales.close()
        tables.close()

    def _write_tables(self, tables: dict[str, pd.DataFrame]) -> None:
        """Write the tables beside the panels, and add their units to the account."""
        for name, frame in tables.items():
            frame.to_parquet(self.folder / f"{name}.parquet", index=False)
            self.sums |= {
                f"{name}.{column}": float(frame[column].sum())
                for column in ("on_hand", "on_order", "backorders", "quantity")
                if column in frame
            }

    def _count(self, panel: Panel) -> None:
        """Add a partition to the account of cells and units."""
        zero, unknown = (
            int(np.count_nonzero(panel.flags & flag)) for flag in (Flag.FILLED, Flag.MISSING)
        )
        self.cells["zero"] += zero
        self.cells["unknown"] += unknown
        self.cells["observed"] += panel.flags.size - zero - unknown
        self.sums["sales.y"] += float(panel.y.sum(dtype=np.float64))

    def _source_rows(self) -> dict[str, int]:
        """Return how many rows each file or query gave, lines that are no row included."""
        found = {}
        for name, source in self.mapping.sources.items():
            if source.sql is None:
                found[name] = self.reader.num_rows(name)
        for name, lines in self._malformed().items():
            found[name] += lines
        return found

    def _malformed(self) -> dict[str, int]:
        """Return how many lines of each source are no rows."""
        found: Counter[str] = Counter()
        for rejected in self.reader.rejected:
            found[rejected.source] += len(rejected.lines)
        return dict(found)

    def _tell_twins(self, keys: tuple[str, ...]) -> None:
        sums = [key for key in keys if any(map(is_total, key.split("_")))]
        if sums and len(sums) < len(keys):
            self.ledger.notes.append(
                f"{len(sums):,} series are called like a sum of others (e.g. {sums[0]}): if they "
                "are one, leave their rows out by where, as they count everything twice"
            )
        pairs = twins_among(keys)
        if pairs:
            self.ledger.notes.append(
                f"{len(pairs):,} series are named like another but for zeros, blanks or case "
                f"({spelled(pairs)}): they are kept apart"
            )

    def _tell_twin_groups(self, series: pd.DataFrame, keys: tuple[str, ...]) -> None:
        """Note products and places that differ in zeros alone, where no two series do."""
        if twins_among(keys):
            return
        for column, what in (("product", "products"), ("location", "places")):
            pairs = twins_among(sorted(set(series[column].astype(str))))
            if pairs:
                self.ledger.notes.append(
                    f"{len(pairs):,} {what} are named like another but for zeros, blanks or case "
                    f"({spelled(pairs)}): they are kept apart; write them alike where they are one"
                )

    def _tell_faults(self, series: pd.DataFrame) -> None:
        """Say which products have terms that cannot be: they are left out of the orders."""
        if "data_fault" not in series:
            return
        bad = series[series["data_fault"] != ""]
        first = bad.iloc[0]
        self.ledger.notes.append(
            f"products: {len(bad):,} have terms that cannot be (e.g. {first['unique_id']}: "
            f"{first['data_fault']}): they get no orders, the others do"
        )

    def _series(self, keys: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the series, and product rows that are none."""
        series = pd.DataFrame({"unique_id": np.array(keys, dtype=object)})
        unsold = series.iloc[:0].copy()
        if self.mapping.products is not None:
            key = series_key(self.mapping, self.mapping.products)
            found = read_products(self.reader, self.ledger, self.mapping.products, key, keys)
            series, self.num_without_product = found.series, found.num_without_row
            unsold = found.unsold
        for frame in (series, unsold):
            for column, default in (("product", frame["unique_id"]), ("location", ALL_LEVEL)):
                if column not in frame:
                    frame[column] = default
        self._tell_twin_groups(series, keys)
        return series, unsold

    def _network(
        self,
        series: pd.DataFrame,
        unsold: pd.DataFrame,
        sold: tuple[str, ...],
        key: Expression,
        timeline: Timeline,
    ) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
        """Return the series and the tables of the network, none where nothing supplies anything.

        A product row of a source that sells nothing is no launch.
        """
        mapping = self.mapping
        if mapping.lanes is None and "supplied_by" not in series:
            return series, {}
        lanes = read_terms_tables(self.ledger, mapping, key, series, timeline, names=["lanes"]).get(
            "lanes"
        )
        sources = set() if lanes is None else set(lanes["source"].astype(str))
        if "supplied_by" in series:
            sources |= set(series["supplied_by"].astype(str)) - {*contracts.NOBODY}
        moved = series["location"].isin(sources) & ~series["unique_id"].isin(sold)
        unsold = pd.concat([unsold, series[moved]], ignore_index=True)
        series = series[~moved].reset_index(drop=True)
        tables = [
            (table, getattr(table, "unique_id", None) or key)
            for table in (mapping.position, mapping.open_orders)
        ]
        found = places_of(lanes, series, unsold, recorded_names(self.reader, tables))
        if found is None:
            return series, {}
        self.ledger.notes.extend(found.notes)
        nodes = with_faults(found.nodes) if len(found.nodes) else found.nodes
        return series, {"lanes": found.lanes, "nodes": nodes}
