"""Somebody looks at a page: its alert is quiet, the others are not, and everybody sees who."""

import math
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from invopt.files import plain, read_json, write_json
from invopt.monitoring.acknowledgement import Acknowledgement
from invopt.monitoring.signals import DATA, Signal
from invopt.report.monitoring_page import (
    ByHand,
    prometheus_text,
    with_acknowledgements,
    write_monitoring_report,
)
from pipelines.cli import main, status_of
from serving.deployment import Deployment
from serving.loop.retraining import govern
from serving.loop.why import tell_why
from tests.invopt.test_monitoring_page import COMMAND, CONSOLE, make_content
from tests.serving.loop.test_retraining import config

QUIET = "invopt_monitoring_acknowledged_until_timestamp_seconds"


def paged(settings, run="monitoring-1", *, day=7, names=("silent_feed",)) -> Path:
    """Leave a run that pages for faults of the data, in its workspace, with page and metrics."""
    folder = settings.workspace / "runs" / run
    signals = [
        Signal(name=name, kind=DATA, value=1.0, expected=0.0, limit=0.0, p_value=math.nan,
               fires=True, text=f"{name} happened", pages=True)
        for name in names
    ]  # fmt: skip
    seen = make_content(start="2024-01-01", end=f"2024-01-{day:02d}", last_day=f"2024-01-{day:02d}")
    evidence = {k: v for k, v in seen.items() if k not in ("decision", "reason", "governor", "run",
                                                           "decided_at")}  # fmt: skip
    evidence |= {"signals": [s.as_dict() for s in signals], "age_days": 9}
    write_json(folder / "evidence.json", plain(evidence))
    decision = folder / "monitoring.json"
    deployment = Deployment.of(settings.workspace)
    govern(deployment, str(folder), config(), run, str(decision), lambda _: None)
    metrics = [folder / "metrics.prom", settings.monitoring / "metrics" / "demo.txt"]
    write_monitoring_report(
        str(decision), "demo", ByHand(COMMAND, CONSOLE), str(folder / "report" / "index.html"),
        [str(file) for file in metrics], lambda _: None,
    )  # fmt: skip
    return folder


def acknowledge(settings, *options) -> int:
    return main(["acknowledge", *options, "--name", "demo", "--workspace", str(settings.workspace)])


def quiet_lines(settings) -> list[str]:
    text = (settings.monitoring / "metrics" / "demo.txt").read_text()
    return [line for line in text.splitlines() if line.startswith(QUIET)]


def test_a_page_that_somebody_looks_at_is_quiet_until_the_next_run(settings, capsys):
    folder = paged(settings)
    assert status_of(folder, "page") == 3
    assert quiet_lines(settings) == []
    assert acknowledge(settings, "--who", "Ana <on call>", "--reason", "file is resent") == 0
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith("silent_feed of monitoring-1 acknowledged by Ana <on call> at 20")
    )
    assert quiet_lines(settings) == [f'{QUIET}{{model="demo",cause="silent_feed"}} +Inf']
    page = (folder / "report" / "index.html").read_text()
    assert "acknowledged by Ana &lt;on call&gt; at 20" in page
    assert "until the next run: file is resent." in page
    assert status_of(folder, "page") == 0
    assert status_of(folder, "alert") == 3
    # the decision stays what it was, and so does the fact in the metrics
    assert read_json(folder / "monitoring.json")["decision"] == "page"
    assert "invopt_monitoring_page{" in (folder / "metrics.prom").read_text()
    lines: list[str] = []
    tell_why(Deployment.of(settings.workspace), "monitoring-1", lines.append)
    assert any("acknowledged by Ana <on call>" in line for line in lines)

    later = paged(settings, "monitoring-2", day=14)
    assert quiet_lines(settings) == []
    assert "monitoring-1 acknowledged by Ana" in (later / "report" / "index.html").read_text()


def test_until_a_day_the_same_cause_is_quiet_and_a_new_one_pages(settings):
    paged(settings)
    last = datetime.now(UTC).date() + timedelta(days=60)
    assert acknowledge(settings, "monitoring-1", "--who", "Ana", "--until", f"{last}") == 0
    end = int(datetime.combine(last + timedelta(days=1), time(), UTC).timestamp())
    both = paged(settings, "monitoring-2", day=14, names=("silent_feed", "gaps"))
    assert quiet_lines(settings) == [f'{QUIET}{{model="demo",cause="silent_feed"}} {end}']
    assert status_of(both, "page") == 3
    alone = paged(settings, "monitoring-3", day=21)
    assert status_of(alone, "page") == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--who", " "], "--who is empty"),
        (["--who", "Ana", "--until", "tomorrow"], "write it as YYYY-MM-DD"),
        (["--who", "Ana", "--until", "2020-01-01"], "2020-01-01 is over"),
        (["--who", "Ana", "--until", "2999-01-31"], "is kept quiet for at most 92 days, until 20"),
        (["monitoring-1", "--who", "Ana"], "monitoring-1 is not the latest run of demo"),
        (["--who", "Ana"], "monitoring-2 decided ignore and paged nobody"),
    ],
)  # fmt: skip
def test_what_cannot_be_acknowledged_is_one_sentence(settings, capsys, options, said):
    paged(settings)
    paged(settings, "monitoring-2", day=14, names=())
    assert acknowledge(settings, *options) == 1
    assert said in capsys.readouterr().err


def test_before_the_first_run_there_is_nothing_to_acknowledge(settings, capsys):
    settings.workspace.mkdir(exist_ok=True)
    assert acknowledge(settings, "--who", "Ana") == 1
    assert "has decided about demo yet: there is nothing to ack" in capsys.readouterr().err


def test_a_quiet_day_ends_at_midnight_utc():
    word = Acknowledgement(run="a", causes=("gaps",), who="Ana", until=date(2026, 12, 5),
                           at=datetime(2026, 12, 1, tzinfo=UTC))  # fmt: skip
    assert word.in_force("b", datetime(2026, 12, 5, 23, 59, 59, tzinfo=UTC))
    assert not word.in_force("b", datetime(2026, 12, 6, tzinfo=UTC))


def test_the_latest_end_of_a_cause_counts_and_a_page_without_marks_stays():
    rows = [
        {"causes": ["gaps"], "ends": 100.0, "in_force": True},
        {"causes": ["gaps"], "ends": 200.0, "in_force": True},
        {"causes": ["gaps"], "ends": None, "in_force": False},
    ]
    text = prometheus_text(make_content("page", acknowledged=rows), "demo")
    assert text.endswith(f'{QUIET}{{model="demo",cause="gaps"}} 200\n')
    assert with_acknowledgements("<p>an older page</p>", rows) == "<p>an older page</p>"


def test_the_last_day_of_the_calendar_is_a_day_until_which_it_is_quiet():
    now = datetime(2026, 11, 28, tzinfo=UTC)
    word = Acknowledgement(run="m-1", causes=("x",), who="Ann", at=now, until=date.max)
    assert word.in_force("m-2", now)
    assert word.as_dict("m-2", now)["ends"] == 253402300800.0
