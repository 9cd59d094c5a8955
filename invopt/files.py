"""Files and folders that appear whole or not at all, and small results as JSON."""

import hashlib
import json
import math
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

_PARQUET = b"PAR1"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ESCAPED = re.compile(f"^'(?=[{''.join(map(re.escape, _FORMULA))}])")


@contextmanager
def replacing_file(path: Path | str) -> Iterator[Path]:
    """Yield a place beside a file to write to; it becomes the file when all went well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path)
    try:
        yield partial
        _to_disk(partial)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a folder beside its final place to fill; it takes the place when all went well.

    What lay there is removed last, and comes back where the new folder cannot take its place.
    """
    partial, former = _beside(path), _beside(path)
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            path.rename(former)
        try:
            partial.rename(path)
        except OSError:
            if former.exists():
                former.rename(path)
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if path.exists():
            shutil.rmtree(former, ignore_errors=True)


def copy_whole(source: Path, path: Path) -> None:
    """Copy a file; the copy appears whole or not at all."""
    with replacing_file(path) as partial:
        shutil.copyfile(source, partial)


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    # A power cut after the rename would else leave a file that is there and empty.
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _beside(path: Path) -> Path:
    # Hidden, so that nobody who lists the folder takes it for a result. Numbers of processes are
    # no names: in the pods that share a workspace they are the same.
    return path.with_name(f".{path.name}.partial-{uuid.uuid4().hex[:12]}")


def write_csv(path: Path | str, frame: pd.DataFrame) -> None:
    """Write a table of numbers and text as CSV; no cell of text is a formula to a spreadsheet.

    What begins with =, +, -, @, a tabulator or a line end is written with an apostrophe before it,
    which a spreadsheet takes for "this is text".
    """
    texts = frame.select_dtypes(include=["object", "string", "category"]).columns
    plain_text = {column: _no_formulas(frame[column]) for column in texts}
    table = pa.Table.from_pandas(frame.assign(**plain_text), preserve_index=False)
    with replacing_file(path) as partial, partial.open("wb") as file:
        file.write((",".join(map(str, frame.columns)) + "\n").encode())
        options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
        arrow_csv.write_csv(table, file, options)


def read_csv(path: Path | str, **options: Any) -> pd.DataFrame:
    """Return a table that write_csv wrote, its text as it was; options are those of pandas.

    An empty cell is missing, and nothing else is: a place called NA (Namibia) or a supplier called
    None keeps its name.
    """
    chosen: dict[str, Any] = {"keep_default_na": False, "na_values": [""]} | options
    frame = pd.read_csv(path, **chosen)
    for column in frame.select_dtypes(include=["object", "string"]).columns:
        text = frame[column].astype("string").str.replace(_ESCAPED, "", regex=True)
        frame[column] = text.astype(object).where(frame[column].notna(), np.nan)
    return frame


def text_of_cell(cell: str) -> str:
    """Return the text that write_csv wrote a cell of.

    Example:
        >>> text_of_cell("'=1+1"), text_of_cell("'s-Hertogenbosch")
        ('=1+1', "'s-Hertogenbosch")
    """
    return _ESCAPED.sub("", cell)


def _no_formulas(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column without formulas."""
    column = column.astype(object)
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        column = column.map(str, na_action="ignore")  # numbers and text in one column
    first = pc.utf8_slice_codeunits(pa.array(column, pa.string(), from_pandas=True), 0, 1)
    if pc.any(pc.is_in(first, pa.array(list(_FORMULA)))).as_py():
        return column.map(_no_formula, na_action="ignore")
    return column


def _no_formula(value: Any) -> Any:
    is_formula = isinstance(value, str) and value[:1] in _FORMULA and not _is_number(value)
    return f"'{value}" if is_formula else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_whole_parquet(path: Path) -> bool:
    """Return whether a file ends as parquet files do; one that a power cut left does not."""
    with path.open("rb") as content:
        if content.seek(0, os.SEEK_END) <= 2 * len(_PARQUET):
            return False
        content.seek(-len(_PARQUET), os.SEEK_END)
        return content.read() == _PARQUET


def write_json(path: Path | str, content: Any) -> None:
    """Write plain data as JSON; the file appears whole or not at all.

    Numbers that are not finite become null: JSON has no word for them.
    """
    with replacing_file(path) as partial:
        partial.write_text(json.dumps(plain(content), indent=1))


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file."""
    return json.loads(Path(path).read_text())


def plain(value: Any) -> Any:
    """Return nested data as JSON knows it: numpy as Python, numbers that are not finite as null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
