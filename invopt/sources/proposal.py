"""`invopt init-mapping`: a mapping that was tried on its files, and a configuration beside it."""

import re
import shlex
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pydantic import ValidationError

from invopt.config import Config, DataConfig, explain_validation
from invopt.cycles import likeness_of_months, likeness_of_years
from invopt.errors import InvalidInputError
from invopt.files import replacing_file
from invopt.panel import Panel, iter_panels
from invopt.sources.dataset import DatasetReport, read_dataset, tables_lost
from invopt.sources.first_config import (
    Extent,
    first_config,
    is_daily,
    may_be_yearly,
)
from invopt.sources.guess import Guess, guess_mapping, tables_of
from invopt.sources.ledger import ORPHAN, Accounting
from invopt.sources.mapping import Mapping
from invopt.sources.marks import TEXTS
from invopt.sources.public_holidays import SOURCE, draft
from invopt.sources.validation import DataCheck, DataProfile, check_data
from invopt.sources.words import SpokenNames

CONFIG = "config.yaml"
_PLACE = re.compile(
    r"^(?:std_|placed_)?(products|stock|promotions|customers|market|external|position|open_orders"
    r"|suppliers|price_breaks|receipts|calendar|overrides|lanes)(?:\[(\d+)\])?\b"
)
_OUTSIDE = ("promotions", "customers", "market", "external")
_NEGATIVE = "y is negative"


@dataclass(frozen=True)
class _Tried:
    """A guess that was read whole.

    Attributes:
        guess: As it stands after what did not fit was taken out.
        report: Of the reader.
        checks: Of what was read.
        extent: For the configuration.
    """

    guess: Guess
    report: DatasetReport
    checks: list[DataCheck]
    extent: Extent


def write_mapping(
    data: Path,
    out: Path,
    asked: SpokenNames | None = None,
    *,
    today: date | None = None,
    holidays: str | None = None,
) -> list[str]:
    """Write a first mapping of a folder's files and a configuration beside it.

    Both were tried: what a run would refuse is taken out of the mapping and told. Nothing is
    written where the sales themselves cannot be used.

    Args:
        data: Folder of the files.
        out: Mapping file to write.
        asked: Columns of the sales that a person named.
        today: Of the clock: sales after it are left out; None where no clock is known.
        holidays: Country (DE) or region of one (DE-BY) whose public holidays are known ahead.

    Returns:
        What a person should know, line by line.

    Raises:
        InvalidInputError: If there are no files, none looks like sales, a file is in the way, or
            there is no such country.
    """
    if not data.is_dir():
        raise InvalidInputError(f"{data} is not a folder.")
    config = _free_place(out)
    for file in (out, config):
        if file.exists():
            raise InvalidInputError(f"{file} exists; name another file with --out.")
    name = re.sub(r"[^A-Za-z0-9_-]", "_", out.stem).lstrip("_-") or "data"
    drafted = None if holidays is None else draft(holidays)
    with tempfile.TemporaryDirectory(prefix="invopt-mapping-") as scratch:
        guess = guess_mapping(data, Path(scratch) / "looking", name, asked)
        if drafted is not None:
            guess.content["sources"][SOURCE], table = drafted
            guess.content.setdefault("external", []).append(table)
        tried = _try(guess, data, Path(scratch), None if today is None else pd.Timestamp(today))
    content, notes = first_config(name, out.name, tried.extent, tried.checks)
    Config.model_validate(content)
    with replacing_file(config) as partial:
        partial.write_text(_config_text(content, data, notes), encoding="utf-8")
    with replacing_file(out) as partial:
        partial.write_text(tried.guess.text(data), encoding="utf-8")
    return [
        *_told(out, config, tried, notes),
        f"next: invopt check-data --config {shlex.quote(str(config))} "
        f"--data {shlex.quote(str(data))}",
    ]


def _free_place(out: Path) -> Path:
    """Return where the configuration goes: config.yaml, or NAME.config.yaml where one is there."""
    config = out.with_name(CONFIG)
    return out.with_name(f"{out.stem}.{CONFIG}") if config.exists() else config


def _told(out: Path, config: Path, tried: _Tried, notes: list[str]) -> list[str]:
    report = tried.report
    lines = [
        f"wrote {out} and {config}: {report.num_series} series, {report.first} to {report.last}. "
        "Read them and correct them; docs/your-data.md says what every key means."
    ]
    for table in report.accounting:
        why = "; ".join(f"{n} rows: {reason}" for reason, n in table.quarantined.items())
        line = f"  {table.table}: {table.rows_used} of {table.rows_in} rows used"
        lines.append(f"{line} ({why})" if why else line)
    failed = [
        f"check-data will say: {check.sentence}"
        for check in tried.checks
        if not check.passed and check.name != "references"
    ]
    return lines + [f"  {note}" for note in (*report.notes, *tried.guess.notes, *notes, *failed)]


def _config_text(content: dict[str, Any], data: Path, notes: list[str]) -> str:
    head = [
        f"# A first configuration for {data.resolve().name}: "
        "sizes that fit its frequency and length.",
        "# Costs under inventory are invopt's own until you write yours.",
        *(f"# {note}" for note in notes),
    ]
    return "\n".join(head) + "\n" + yaml.safe_dump(content, sort_keys=False, width=100)


def _try(guess: Guess, data: Path, scratch: Path, today: pd.Timestamp | None) -> _Tried:
    """Read what the guess names until nothing in it would be refused.

    Raises:
        InvalidInputError: If the sales would be.
    """
    while True:
        folder = scratch / f"read-{len(tables_of(guess.content))}"
        try:
            mapping = _checked(guess)
            report = read_dataset(mapping, data, folder, max_bad_share=1.0, today=today)
        except InvalidInputError as err:
            _take_out(guess, str(err), err)
            continue
        refused = _refused(report)
        if refused is None:
            return _seen(guess, report, folder, today)
        why = "; ".join(f"{n} rows: {reason}" for reason, n in refused.faulty.items())
        if refused.table == "sales":
            texts = [note for note in report.notes if TEXTS in note]
            _mend_sales(guess, refused, "; ".join([why, *report.examples.get("sales", []), *texts]))
        else:
            _take_out(guess, f"{refused.table}: {why or ORPHAN}", None)


def _checked(guess: Guess) -> Mapping:
    """Return a guess as a mapping.

    Raises:
        InvalidInputError: If it is none, with the table that is not.
    """
    try:
        return Mapping.model_validate(guess.content)
    except ValidationError as err:
        raise InvalidInputError(explain_validation(err)) from err


def _seen(guess: Guess, report: DatasetReport, folder: Path, today: pd.Timestamp | None) -> _Tried:
    profile = DataProfile.of(iter_panels(folder))
    day = today if today is not None else pd.Timestamp(report.last)
    checks = check_data(profile, report, DataConfig(mapping=""), day)
    return _Tried(guess, report, checks, _extent(folder, profile))


def _refused(report: DatasetReport) -> Accounting | None:
    """Return the first table of which a run would refuse too much, or whose keys fit nothing."""
    lost = tables_lost(report, DataConfig.model_fields["max_quarantine_share"].default)
    strange = [a for a in report.accounting if 0 < a.rows_in == a.quarantined.get(ORPHAN, 0)]
    return next(iter([*lost, *strange]), None)


def _mend_sales(guess: Guess, refused: Accounting, why: str) -> None:
    """Net returns where negative lines are refused, and read dates of several forms.

    Raises:
        InvalidInputError: If it is something else, or that was done.
    """
    sales = guess.content["sales"]
    has_format = isinstance(sales.get("ds"), dict) and "format" in sales["ds"]
    if has_format and any(reason.startswith("ds ") for reason in refused.faulty):
        sales["ds"] = sales["ds"]["expr"]  # the reader knows most forms, side by side
        return
    if refused.quarantined.get(_NEGATIVE) and sales.get("returns") != "net":
        sales["returns"] = "net"
        return
    raise InvalidInputError(
        f"the sales seem to be in {sales['from']}, but too many of their rows cannot be used: "
        f"{refused.rows_used} of {refused.rows_in} can ({why}). Name the columns with --date, "
        "--quantity, --product and --location, or write the mapping by hand, see "
        "docs/your-data.md; nothing was written."
    )


def _take_out(guess: Guess, why: str, err: InvalidInputError | None) -> None:
    """Take the table that an error speaks of out of the mapping, and say so.

    Raises:
        InvalidInputError: If it speaks of none but the sales.
    """
    found = _PLACE.match(why)
    if found is None or found[1] not in guess.content:
        raise err or InvalidInputError(why)
    section = found[1]
    tables = guess.content[section]
    if isinstance(tables, list):
        table = tables.pop(int(found[2] or 0))
        if not tables:
            del guess.content[section]
    else:
        table = guess.content.pop(section)
    guess.notes.append(
        f"{table['from']} is not mapped as {section}: {why.partition(': ')[2] or why}"
    )


def _extent(folder: Path, profile: DataProfile) -> Extent:
    lead_times: list[float] = []
    waits: dict[str, float] = {}
    margins: list[float] = []
    lives: list[float] = []
    columns: set[str] = set()
    afterwards: set[str] = set()
    ahead: set[str] = set()
    likeness = np.zeros(2)
    num_series = 0
    for panel in iter_panels(folder):
        num_series += panel.num_series
        columns |= {
            c for c in ("location", "category")
            if c in panel.series and panel.series[c].nunique() > 1
        }  # fmt: skip
        ahead |= {name for name, c in panel.channels.items() if c.domain in _OUTSIDE and c.known}
        afterwards |= {
            name for name, c in panel.channels.items() if c.domain in _OUTSIDE and not c.known
        }
        likeness += panel.num_series * np.array(_likeness(panel))
        if "lead_time" in panel.series:
            known = panel.series.dropna(subset=["lead_time"])
            lead_times += known["lead_time"].to_list()
            waits |= dict(zip(known["unique_id"].astype(str), known["lead_time"], strict=True))
        margins += _margins(panel)
        if "shelf_life" in panel.series:
            lives += panel.series["shelf_life"].dropna().to_list()
    longest = int(np.ceil(max(lead_times))) if lead_times else None
    line = profile.timeline
    years, months = likeness / num_series
    return Extent(
        line.freq,
        line.num_periods,
        longest,
        has_location="location" in columns,
        has_category="category" in columns,
        num_series=num_series,
        shelf_life=float(np.median(lives)) if 2 * len(lives) > num_series else None,
        afterwards=tuple(sorted(afterwards)),
        ahead=tuple(sorted(ahead)),
        likeness_of_years=float(years),
        likeness_of_months=float(months),
        margin=round(float(np.median(margins)), 2) if 2 * len(margins) > num_series else None,
        lead_times=waits,
    )


def _margins(panel: Panel) -> list[float]:
    """Return what unit costs leave of prices, as shares of these, of products that name both.

    A product that is sold below its cost says nothing of what a lost sale costs.
    """
    if not {"unit_cost", "list_price"} <= set(panel.series):
        return []
    cost, price = (panel.series[c].to_numpy(np.float64) for c in ("unit_cost", "list_price"))
    with np.errstate(divide="ignore", invalid="ignore"):
        left = (price - cost) / price
    return [float(m) for m in left[(cost > 0) & (price > cost)]]


def _likeness(panel: Panel) -> tuple[float, float]:
    """Return the likeness of years and of months, 0 where the frequency does not ask."""
    freq = panel.timeline.freq
    return (
        likeness_of_years(panel) if may_be_yearly(freq) else 0.0,
        likeness_of_months(panel) if is_daily(freq) else 0.0,
    )
