"""Monitoring where the data cannot be read: the period is named by what was judged before."""

from datetime import datetime

import pandas as pd

from invopt.config import Config
from invopt.monitoring.earlier import Seen, due_period
from invopt.monitoring.signals import LATE, UNREADABLE
from invopt.sources import Mapping
from invopt.steps import monitor
from invopt.timeline import Timeline, floor_dates
from invopt.types import Notify
from serving.deployment import Deployment
from serving.stores.governor_store import AuditRow, clock
from serving.stores.registry import Registered
from serving.stores.snapshots import last_period_of


def monitor_unreadable(
    deployment: Deployment,
    quality: str,
    mapping: str,
    config: Config,
    out: str,
    notify: Notify,
) -> None:
    """Write the evidence of the period that was due and cannot be read.

    Args:
        deployment: Whose champion is monitored.
        quality: Why ingest could read nothing, a JSON file.
        mapping: The data set's, as JSON.
        config: The whole configuration.
        out: Folder to write, as steps.monitor.monitor leaves it.
        notify: Called with a line of progress.

    Raises:
        InvalidInputError: If there is no champion to monitor.
    """
    settings = deployment.settings
    champion = deployment.registry.champion_of(config.name)
    freq = Mapping.model_validate_json(mapping).frequency
    today = _day(clock())
    yesterday = floor_dates(pd.DatetimeIndex([today - pd.Timedelta(days=1)]), freq)[0]
    seen = last_seen(deployment, champion) or Seen(yesterday, today, today)
    first, end = due_period(seen, freq, config.monitoring.period)
    last = f"{Timeline(pd.Timestamp(end), freq, 1).last_day(0):%Y-%m-%d}"
    version = champion.label
    monitor.monitor_unreadable(
        quality, (first, end, last), version, config.name, out, kept=settings.monitoring
    )
    notify(f"nothing can be judged of {first} to {last}")


def last_seen(deployment: Deployment, champion: Registered) -> Seen | None:
    """Return how far the data reached that could be read before this run.

    Those of the newest period judged; before the first one, those the champion was trained on,
    None where it does not tell them.
    """
    today = _day(clock())
    with deployment.governor() as store:
        judged = [row for row in store.audit(champion.name) if not _awaited(row)]
    if judged:
        end = max(row.end for row in judged)
        first = min(row.at for row in judged if row.end == end)
        return Seen(pd.Timestamp(end), _day(first), today)
    trained = last_period_of(champion.snapshot)
    return None if trained is None else Seen(trained, _day(champion.since), today)


def _awaited(row: AuditRow) -> bool:
    """Return whether a decision was about a period that data were due of and had not come."""
    return any(s["name"] in (UNREADABLE, LATE) for s in row.content["situation"]["signals"])


def _day(at: datetime) -> pd.Timestamp:
    return pd.Timestamp(at.date())
