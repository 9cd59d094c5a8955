"""Monitoring where the data cannot be read: the period is named by what was judged before."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pandas as pd

from invopt import steps
from invopt.config import Config
from invopt.monitoring.signals import UNREADABLE
from invopt.monitoring.unreadable import due_period
from invopt.sources import Mapping
from serving.governor import AuditRow, GovernorStore, clock
from serving.registry import Registered, champion_of
from serving.settings import Settings
from serving.snapshots import last_period_of


def monitor_unreadable(
    quality: str, mapping: str, config: dict[str, Any], out: str, notify: Callable[[str], None]
) -> None:
    """Write the evidence of the period that was due and cannot be read.

    Args:
        quality: Why ingest could read nothing, a JSON file.
        mapping: The data set's, as JSON.
        config: The whole configuration.
        out: Folder to write, as steps.monitor leaves it.
        notify: Called with a line of progress.

    Raises:
        InvalidInputError: If there is no champion to monitor.
    """
    run, settings = Config.model_validate(config), Settings.from_environment()
    champion, today = champion_of(run.name), _day(clock())
    last, seen = _last_seen(run.name, settings, champion) or (today - pd.Timedelta(days=1), today)
    freq = Mapping.model_validate_json(mapping).frequency
    period = due_period(last, seen, today, freq, run.monitoring.period)
    version = f"{run.name}-{champion.version}"
    steps.monitor_unreadable(quality, period, version, run.name, out, kept=settings.monitoring)
    notify(f"nothing can be judged of {period[0]} to {period[1]}")


def _last_seen(
    model: str, settings: Settings, champion: Registered
) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """Return the last period of the data that could be read, and the day they first reached it.

    Of the newest period judged; before the first one, of the data the champion was trained on.
    None where the champion does not tell them.
    """
    store = GovernorStore(settings.governor_store)
    try:
        judged = [row for row in store.audit(model) if not _unreadable(row)]
    finally:
        store.close()
    if judged:
        first = min(judged, key=lambda row: (-pd.Timestamp(row.end).value, row.at))
        return pd.Timestamp(first.end), _day(first.at)
    trained = last_period_of(champion.snapshot)
    return None if trained is None else (trained, _day(champion.since))


def _unreadable(row: AuditRow) -> bool:
    return any(s["name"] == UNREADABLE for s in row.content["situation"]["signals"])


def _day(at: datetime) -> pd.Timestamp:
    return pd.Timestamp(at.date())
