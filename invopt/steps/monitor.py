"""What the latest period says, and what is kept of it from run to run."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from invopt.config import Config
from invopt.files import read_csv, read_json, replacing_file, replacing_folder, write_json
from invopt.monitoring.champion import champion_subject
from invopt.monitoring.earlier import Seen
from invopt.monitoring.evidence import Evidence, Reports, gather_evidence
from invopt.monitoring.evidently_report import ReportPlace, moved_columns, write_evidently
from invopt.monitoring.overridden import total_of, values_added
from invopt.monitoring.serving_health import read_served
from invopt.monitoring.subject import Subject
from invopt.monitoring.unreadable import unreadable_evidence
from invopt.panel import Panel, load_panel
from invopt.sources.terms import read_terms
from invopt.types import Json, Notify

_PLANS = 12  # reviews looked back at


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What is monitored.

    Attributes:
        model: The champion's folder.
        version: Of the champion, NAME-N.
        source: Panel with derived channels.
        quality: What ingest found, a JSON file.
        predictions: Log of served decisions; may not exist.
        kept: Folder that holds from run to run: records of earlier periods, Evidently's workspace.
        snapshot: Holds the calendar of planning, if there is one.
        seen: How far the data reached when they were read before.
        overrides: What planners said on their page, beside those of the data; None for none.
        plans: Folder of the plans of past reviews, one file each; may not exist.
    """

    model: Path
    version: str
    source: Path
    quality: Path
    predictions: Path
    kept: Path
    snapshot: Path
    seen: Seen | None = None
    overrides: pd.DataFrame | None = None
    plans: Path | None = None


def monitor(watched: Watched, config: Config, out: str, notify: Notify) -> None:
    """Write the evidence of the latest period: evidence.json, evidently.html and its numbers.

    Where data of a newer one are overdue, it is that one's, as far as it is known.

    Args:
        watched: What is monitored.
        config: The whole configuration.
        out: Folder to write.
        notify: Called with a line of progress.
    """
    panel, period = load_panel(watched.source), config.monitoring.period
    subject = champion_subject(watched.model, panel, config)
    # Of the model, not of its version: a new champion is measured against what those before it
    # made of weeks they had not seen.
    records = _records_file(watched.kept, config.name)
    served = read_served(watched.predictions, panel, subject.forecasts, watched.version, period)
    tables = read_terms(watched.snapshot).with_overrides(watched.overrides)
    reports = Reports(
        quality=read_json(watched.quality),
        served=served,
        known=_known_records(records, notify),
        seen=watched.seen,
        calendar=tables.calendar,
        receipts=tables.receipts,
    )
    found = gather_evidence(subject, panel, config.monitoring, reports, notify)
    told: Json = {"currency": config.currency}
    if found.drift is not None or found.trend:  # the model could be asked
        told |= _overridden(tables.overrides, subject, panel, watched.plans)
    _write_evidence(found, watched.version, config.name, watched.kept, out, more=told)
    if len(found.records):
        with replacing_file(records) as partial:
            found.records.to_parquet(partial, index=False)
    firing = [s for s in found.signals if s.fires]
    notify(f"{len(firing)} of {len(found.signals)} signals of {found.start} to {found.end} fire")


def monitor_unreadable(
    quality: str, period: tuple[str, str, str], version: str, name: str, out: str, *, kept: Path
) -> None:
    """Write the evidence of a period whose data cannot be read, in the form of monitor.

    Args:
        quality: Why ingest could read nothing, a JSON file.
        period: Its first day, the first day of its last period, its last day; ISO.
        version: Of the champion, NAME-N.
        name: Of the model.
        out: Folder to write.
        kept: Folder that holds from run to run; read for the trend, left as it is.
    """
    records = _records_file(kept, name)
    known = _known_records(records, lambda _: None)
    found = unreadable_evidence(read_json(quality)["unreadable"], period, known)
    _write_evidence(found, version, name, kept, out)


def _overridden(
    overrides: pd.DataFrame | None, subject: Subject, panel: Panel, plans: Path | None
) -> Json:
    """Return what overrides were worth, each and together; nothing where there is none."""
    values = values_added(overrides, subject, panel, _recent_plans(plans))
    if not values:
        return {}
    return {"overrides": [v.as_dict() for v in values], "overrides_total": total_of(values)}


def _recent_plans(plans: Path | None) -> pd.DataFrame | None:
    """Return the orders of the newest reviews that are kept, None where none can be read."""
    columns = ["unique_id", "review_date", "order_quantity", "order_up_to_level", "on_hand",
               "on_order", "backorders"]  # fmt: skip
    found = []
    for file in sorted(plans.glob("*.csv"))[-_PLANS:] if plans is not None else ():
        try:
            found.append(read_csv(file, usecols=columns, dtype={"unique_id": str}))
        except (OSError, ValueError):  # a plan of before these columns, or a damaged one
            continue
    return pd.concat(found, ignore_index=True) if found else None


def _records_file(kept: Path, name: str) -> Path:
    return kept / "records" / f"{name}.parquet"


def _known_records(records: Path, notify: Notify) -> pd.DataFrame | None:
    """Return what earlier runs kept, None where there is none or it was damaged."""
    if not records.is_file():
        return None
    try:
        return pd.read_parquet(records)
    except (OSError, ValueError) as err:  # pyarrow's own errors are kinds of ValueError
        notify(f"{records} cannot be read ({err}): the records of earlier periods begin anew")
        return None


def _write_evidence(
    found: Evidence, version: str, name: str, kept: Path, out: str, more: Json | None = None
) -> None:
    place = ReportPlace(kept / "evidently", name, found.start, found.last_day, version)
    with replacing_folder(Path(out)) as folder:
        numbers = folder / "evidently.json"
        write_evidently(found.drift, folder / "evidently.html", numbers, place)
        told = {"version": version, "evidently_moved": moved_columns(numbers)}
        write_json(folder / "evidence.json", found.as_dict() | told | (more or {}))
