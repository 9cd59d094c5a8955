"""DuckDB as the reading engine: sources become views whose text columns stay text."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from invopt.errors import ConfigError
from invopt.sources import database_files
from invopt.sources.archives import begins_as_text
from invopt.sources.arrow_files import SUFFIXES as ARROW
from invopt.sources.csv_tables import add_csv
from invopt.sources.engine import Engine
from invopt.sources.found_files import find_files, open_file
from invopt.sources.json_lines import SUFFIXES as JSONS
from invopt.sources.mapping import Source
from invopt.sources.parquet_tables import add_parquet
from invopt.sources.public_holidays import holiday_rows
from invopt.sources.row_tables import (
    add_arrow,
    add_books,
    add_database,
    add_dump,
    add_json,
    add_query,
)
from invopt.sources.workbooks import SUFFIXES as BOOKS
from invopt.timeline import Timeline

_TEXTS = {".csv", ".txt", ".tsv", ".prn", "", ".xls", ".html", ".htm", ".xml"}


class Reader(Engine):
    """Holds the mapped sources as views; close it when done."""

    def add_all(self, sources: Mapping[str, Source], *folders: Path) -> None:
        """Make sources readable under their names; from then on nothing else can be opened.

        A mapping's SQL is code. Files and queries are opened first; what SQL sees after that are
        these, the scratch folder and the folders named here.

        Args:
            sources: By name; SQL builds on those above it.
            folders: That results are written to.

        Raises:
            InvalidInputError: As add.
        """
        for name, source in sources.items():
            if source.is_file_or_query:
                self.add(name, source)
        self.lock(*folders)
        for name, source in sources.items():
            if source.sql is not None:
                self.add(name, source)

    def add(self, name: str, source: Source) -> None:
        """Make a source readable under its name.

        Raises:
            InvalidInputError: If its file is missing or unreadable, or its query fails.
        """
        if source.sql is not None:
            self.run(f'CREATE VIEW "{name}" AS {source.sql}', f"sources.{name}")
        elif source.url is not None:
            add_query(self, name, source)
        else:
            self._add_files(name, source)

    def add_holidays(self, name: str, source: Source, timeline: Timeline) -> None:
        """Make public holidays of a timeline readable."""
        assert source.holidays is not None
        rows = holiday_rows(
            source.holidays, timeline.start, timeline.last_day(timeline.num_periods - 1)
        )
        self.connection.register("days", pa.Table.from_pandas(rows, preserve_index=False))
        self.run(f'CREATE OR REPLACE TABLE "{name}" AS SELECT * FROM days', f"sources.{name}")
        self.connection.unregister("days")

    def _kind(self, file: str) -> str:
        """Return how a file ends; .xlsx for a workbook called .xls, as tables of text are, too."""
        ends = Path(file.lower().removesuffix(".gz")).suffix
        if ends != ".xls":
            return ends
        with open_file(self, file) as handle:
            return ends if begins_as_text(handle) else ".xlsx"

    def _add_files(self, name: str, source: Source) -> None:
        assert source.path is not None
        files = find_files(self, name, source)
        self.opened += files
        kinds = {self._kind(file) for file in files}
        if kinds <= {".parquet", ".pq"}:
            add_parquet(self, name, files, source.path)
        elif kinds <= _TEXTS:
            add_csv(self, name, files, source)
        elif kinds <= set(ARROW):
            add_arrow(self, name, files, source)
        elif kinds <= set(BOOKS):
            add_books(self, name, files, source)
        elif kinds <= set(JSONS):
            add_json(self, name, files, source)
        elif kinds == {".sql"} and len(files) == 1:
            add_dump(self, name, Path(files[0]), source)
        elif kinds <= set(database_files.SUFFIXES) and len(files) == 1:
            add_database(self, name, Path(files[0]), source)
        else:
            raise ConfigError(
                f"sources.{name}: {source.path} must be .csv, .parquet, .xlsx, .jsonl or one "
                f"database, got {sorted(kinds)}: give each kind a source, and unite them in one of "
                "SQL with UNION ALL BY NAME."
            )
