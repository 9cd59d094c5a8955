"""`invopt acknowledge`: somebody looks at what a monitoring run paged for; its alert is quiet."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from invopt.errors import InvalidInputError
from invopt.files import read_json, replacing_file, write_json
from invopt.monitoring.acknowledgement import Acknowledgement, told
from invopt.report.monitoring_page import with_acknowledged_text, with_acknowledgements
from invopt.types import Notify
from serving.deployment import Deployment
from serving.stores.governor_store import AuditRow, GovernorStore

# A quarter: longer, and an alert that nobody looks at any more stays quiet.
_LONGEST = timedelta(days=92)


def acknowledge(
    deployment: Deployment,
    name: str,
    run: str | None,
    word: Acknowledgement,
    tell: Notify,
) -> None:
    """Keep who looks at what the latest run paged for, and show it where the run is shown.

    Decisions stay as they are: the alert of these causes is quiet, on the page and in the metrics
    somebody is named. A cause that a later run finds, and this one did not, pages as ever.

    Args:
        deployment: Whose governor decided.
        name: Registered model.
        run: Monitoring run; None for the latest one.
        word: Who, until when and why; its run and causes are filled in here.
        tell: Called with each line.

    Raises:
        InvalidInputError: If the run is not the latest one or paged for nothing, if nobody is
            named, or the last quiet day is over or more than a quarter ahead.
    """
    if not word.who.strip():
        raise InvalidInputError("--who is empty: name the person who looks at it.")
    if word.until is not None and word.until < word.at.date():
        raise InvalidInputError(f"--until {word.until} is over: today is {word.at.date()} (UTC).")
    if word.until is not None and word.until - word.at.date() > _LONGEST:
        raise InvalidInputError(
            f"--until {word.until} is too far ahead: an alert is kept quiet for at most "
            f"{_LONGEST.days} days, until {word.at.date() + _LONGEST}. Acknowledge it again then; "
            "where it is no fault, change the limit of its signal in `monitoring`."
        )
    with deployment.governor() as store:
        latest = _latest(store, name, run)
        causes = _paged(latest)
        if not causes:
            raise InvalidInputError(
                f"{latest.run} decided {latest.action} and paged nobody: there is nothing to "
                f"acknowledge. `invopt why {latest.run}` shows what it found."
            )
        made = Acknowledgement(
            run=latest.run, causes=causes, who=word.who.strip(), at=word.at, until=word.until,
            reason=word.reason,
        )  # fmt: skip
        store.acknowledge(name, made)
        rows = [
            w.as_dict(latest.run, word.at)
            for w in store.acknowledgements(name)
            if w.in_force(latest.run, word.at)
        ]
    _show(deployment, name, latest.run, rows, tell)
    tell(told(made.as_dict(latest.run, word.at)))


def today_or_later(text: str | None) -> date | None:
    """Return the date of `--until`.

    Raises:
        InvalidInputError: If it is no date.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as err:
        raise InvalidInputError(f"--until {text} is no date: write it as YYYY-MM-DD.") from err


def word_of(who: str, until: str | None, reason: str, now: datetime) -> Acknowledgement:
    """Return what somebody says, before it is known about which run."""
    return Acknowledgement(
        run="", causes=(), who=who, at=now, until=today_or_later(until), reason=reason
    )


def _latest(store: GovernorStore, name: str, run: str | None) -> AuditRow:
    found = next(iter(store.audit(name, limit=1)), None)
    if found is None:
        raise InvalidInputError(
            f"no monitoring run has decided about {name} yet: there is nothing to acknowledge. "
            "Look whether --workspace is the right one, or run monitoring."
        )
    if run is not None and run != found.run:
        raise InvalidInputError(
            f"{run} is not the latest run of {name}: {found.run} decided {found.action} after it, "
            "and only the latest run has an alert."
        )
    return found


def _paged(row: AuditRow) -> tuple[str, ...]:
    """Return what a decision pages for: its own causes, and faults that go on."""
    lasting = [
        s["cause"]
        for s in row.content["situation"]["signals"]
        if s["fires"] and s.get("pages") and s["kind"] in ("data", "serving")
    ]
    return tuple(dict.fromkeys([*row.content["decision"]["paged"], *lasting]))


def _show(
    deployment: Deployment, name: str, run: str, rows: list[dict[str, Any]], tell: Notify
) -> None:
    """Put who looks at what into the run's metrics, result and page, where they are here."""
    settings = deployment.settings
    folder = settings.workspace / "runs" / run
    for file in (settings.monitoring / "metrics" / f"{name}.txt", folder / "metrics.prom"):
        if file.is_file():
            _rewrite(file, with_acknowledged_text(file.read_text(), rows, name))
    result, page = folder / "monitoring.json", folder / "report" / "index.html"
    if result.is_file():
        write_json(result, read_json(result) | {"acknowledged": rows})
    if page.is_file():
        _rewrite(page, with_acknowledgements(page.read_text(), rows))
        tell(f"shown on {page}")
    else:
        tell("the page of this run is not in this workspace; the next run's page shows it")


def _rewrite(file: Path, text: str) -> None:
    with replacing_file(file) as partial:
        partial.write_text(text)
