"""CSV files as tables of an engine: each line becomes a row, or is told with its reason."""

import re
import zlib
from collections import Counter
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd

from invopt.errors import InvalidInputError
from invopt.sources.csv_files import (
    Header,
    count_lines,
    find_header,
    is_ruled,
    is_wrapped,
    isolate_unclosed,
    told_below,
    transcode,
    unrule,
    unwrap,
)
from invopt.sources.dated_blocks import blocks_of, write_blocks
from invopt.sources.engine import Engine, Rejected, first_lines
from invopt.sources.found_files import keys_of, open_file, path_columns
from invopt.sources.mapping import Source
from invopt.sources.markup import starts_as_markup, write_rows
from invopt.sources.tally import is_tally, write_lines
from invopt.sources.underlined import is_underlined, write_cut
from invopt.sources.xml_rows import is_list, write_list
from invopt.sql import literal, quote


def add_csv(engine: Engine, name: str, files: list[str], source: Source) -> None:
    """Unite files by the names of their columns, and keep the lines that are none of their rows."""
    views: list[str] = []
    holders: Counter[str] = Counter()
    known: dict[str, str] = {}
    for number, file in enumerate(files):
        keys = keys_of(file, engine.data_dir, str(source.path))
        view = f"{name}#{number}" if len(files) > 1 or keys else name
        try:
            header = _add_one_csv(engine, view, name, file, source)
        except (OSError, EOFError, zlib.error) as err:  # damaged gzip is one of these
            raise InvalidInputError(
                f"sources.{name}: {file} cannot be read: {str(err).rstrip('.')}. Send it again."
            ) from err
        folded = {column.lower(): column for column in header}
        if known and not known.keys() & folded.keys():
            raise InvalidInputError(
                f"sources.{name}: {file} has no column of the files before it (its first line "
                f"is {', '.join(header[:5])}). Give it their header line, or a source of its "
                "own."
            )
        known = folded | known
        holders.update(known[column] for column in folded)
        views.append(f'SELECT *{path_columns(keys, folded)} FROM "{view}"')
    if view != name:
        engine.files[name] = [f"({view})" for view in views]
        engine.run(f'CREATE VIEW "{name}" AS {" UNION ALL BY NAME ".join(views)}', name)
        engine.tell_gaps(name, len(files), holders)


def _add_one_csv(engine: Engine, view: str, name: str, file: str, source: Source) -> list[str]:
    """Make the table of one file, note its malformed lines and return its columns."""
    opened = partial(open_file, engine)
    if source.encoding != "utf-8":
        copy = _copy_of(engine, view, "utf8")
        transcode(name, file, opened, source.encoding, copy)
        file = str(copy)
    if (rows := _from_markup(engine, view, name, file, source)) is not None:
        file, source = str(rows), source.model_copy(update={"delimiter": ","})
    if source.delimiter in (None, "|") and is_ruled(file, opened):
        copy = _copy_of(engine, view, "unruled")
        engine.notes += [f"{name}: {note}" for note in unrule(file, opened, copy)]
        file = str(copy)
    if source.delimiter is None and is_underlined(file, opened):
        copy = _copy_of(engine, view, "cut")
        engine.notes += [f"{name}: {note}" for note in write_cut(file, opened, copy)]
        file, source = str(copy), source.model_copy(update={"delimiter": "\t"})
    if is_wrapped(file, opened):
        copy = _copy_of(engine, view, "unwrapped")
        engine.notes += [f"{name}: {note}" for note in unwrap(file, opened, copy)]
        file = str(copy)
    if (blocks := blocks_of(file, opened, source.delimiter)) is not None:
        copy = _copy_of(engine, view, "blocks")
        engine.notes += [f"{name}: {note}" for note in write_blocks(file, opened, blocks, copy)]
        file, source = str(copy), source.model_copy(update={"delimiter": blocks.delimiter})
    header = find_header(name, file, opened, source.delimiter)
    engine.notes += [f"{name}: {note}" for note in header.notes]
    if header.is_deep:
        engine.deep.add(name)
    lines = _read_csv(engine, view, name, file, header)
    if lines is None or not _all_told(engine, view, file, header, len(lines)):
        # Mixed line ends, or a quote that never closes and swallows the lines after it.
        copy = _copy_of(engine, view, "lines")
        unclosed = isolate_unclosed(file, opened, copy)
        lines = _read_csv(engine, view, name, str(copy), header)
        if lines is None:
            raise InvalidInputError(f"sources.{name}: {file} cannot be read as CSV.")
        lines = pd.concat([unclosed, lines], ignore_index=True)
    if len(lines):
        lines = told_below(lines, file, opened, header.delimiter)
        engine.rejected.append(Rejected(name, lines))
    return header.columns


def _from_markup(engine: Engine, view: str, name: str, file: str, source: Source) -> Path | None:
    """Return a copy of the table that a file of markup holds; None where it is a text.

    Raises:
        InvalidInputError: If a file called .xml is none, or holds no table and no vouchers.
    """
    opened = partial(open_file, engine)
    if not starts_as_markup(file, opened):
        if str(source.path).lower().endswith(".xml"):
            raise InvalidInputError(
                f"sources.{name}: {source.path} begins as no XML does: write it as CSV or parquet."
            )
        return None
    copy = _copy_of(engine, view, "rows")
    if is_tally(file, opened):
        notes = write_lines(file, opened, copy)
    elif is_list(file, opened):
        # A copy of another encoding is UTF-8 by now, whatever it says of itself.
        notes = write_list(file, opened, copy, None if source.encoding == "utf-8" else "utf-8")
    else:
        notes = write_rows(file, opened, copy)
    engine.notes += [f"{name}: {note}" for note in notes]
    return copy


def _copy_of(engine: Engine, view: str, kind: str) -> Path:
    return engine.scratch / f"{re.sub(r'[^0-9A-Za-z_]', '_', view)}-{kind}.csv"


def _read_csv(
    engine: Engine, view: str, name: str, file: str, header: Header
) -> pd.DataFrame | None:
    """Make the table of a file and return its malformed lines; None if it has no lines."""
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header.columns)
    # DuckDB adds to a table of rejects that it has seen, dropped or not.
    engine.num_reads += 1
    table = f"rejects_{engine.num_reads}"
    # Our own header and dialect: DuckDB's sniffer refuses files it cannot explain, whereas
    # here each bad line has to end up in quarantine with its reason.
    options = (
        f"auto_detect=false, hive_partitioning=false, header={str(header.is_there).lower()}, "
        f"quote={literal(header.quote)}, escape={literal(header.quote)}, "
        f"delim={literal(header.delimiter)}, columns={{{columns}}}, "
        f"skip={len(header.skipped)}, "
        "store_rejects=true, rejects_limit=0, "
        f"max_line_size=16777216, rejects_table='{table}', rejects_scan='{table}_scan'"
    )
    sql = f'CREATE OR REPLACE TABLE "{view}" AS SELECT * FROM read_csv({literal(file)}, '
    try:
        engine.connection.execute(f"{sql}{options})")
    except duckdb.InvalidInputException as err:
        if "state machine" in str(err):
            return None
        raise InvalidInputError(f"sources.{name} ({file}): {first_lines(err)}") from err
    except duckdb.Error as err:
        raise InvalidInputError(f"sources.{name} ({file}): {first_lines(err)}") from err
    return engine.fetch(
        f"SELECT line, min(error_type)::VARCHAR AS reason, min(csv_line) AS record "
        f"FROM {table} GROUP BY line ORDER BY line",
        name,
    ).to_pandas()


def _all_told(engine: Engine, view: str, file: str, header: Header, num_rejected: int) -> bool:
    """Return whether rows and rejected lines make up the lines of a file."""
    if not num_rejected:
        return True
    with open_file(engine, file) as handle:
        lines = count_lines(handle) - header.is_there - sum(map(bool, header.skipped))
    breaks = " + ".join(
        f"sum(length({c}) - length(replace({c}, chr(10), '')))"
        for c in (quote(column) for column in header.columns)
    )
    found = engine.fetch(f'SELECT count(*) AS n, {breaks} AS b FROM "{view}"', view).to_pylist()
    return lines <= found[0]["n"] + int(found[0]["b"] or 0) + num_rejected
