"""The page of a monitoring run: what to do, why, where; and its numbers for Prometheus."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from invopt.files import read_json
from invopt.monitoring.acknowledgement import told
from invopt.monitoring.signals import DATA, present_name
from invopt.report import plots
from invopt.report.page import drawing, render, write_page
from invopt.types import Notify

_SHOWN = 15  # columns, those nearest to their limit
RUNBOOKS = "docs/runbooks"
_ACKNOWLEDGED = "monitoring_acknowledged_until_timestamp_seconds"
_BEGIN, _END = Markup("<!-- acknowledged -->"), Markup("<!-- /acknowledged -->")
_KINDS = ("performance", "drift", "supply", "suppliers", "data", "serving")  # in the order shown


@dataclass(frozen=True)
class ByHand:
    """The commands that a reader of the page is given.

    Attributes:
        train: How a training run is started.
        ask: How the governor is asked, {} in place of the question.
    """

    train: str
    ask: str


def write_monitoring_report(
    decision: str,
    model: str,
    by_hand: ByHand,
    out: str,
    metrics: Iterable[str],
    notify: Notify,
) -> None:
    """Write the page and the metrics.

    Args:
        decision: File with evidence and decision.
        model: Registered name.
        by_hand: Commands that the page names.
        out: Page to write.
        metrics: Files to write, all the same, in Prometheus' text format.
        notify: Called with a line of progress.
    """
    content = read_json(decision)
    text = prometheus_text(content, model)
    for file in metrics:
        write_page(file, text)
    with drawing(out, f"{model}: {content['start']} to {content['last_day']}", notify):
        page = _page(content, model, by_hand)
        write_page(out, page)
        notify(f"report written: {out} ({len(page) / 1e6:.1f} MB)")


def _page(content: dict[str, Any], model: str, by_hand: ByHand) -> str:
    signals = sorted(content["signals"], key=lambda s: (_KINDS.index(s["kind"]), s["name"]))
    distances = content["drift"][:_SHOWN]
    return render(
        "monitoring.html.j2",
        title=f"{model}: {content['start']} to {content['last_day']}",
        content=content,
        governor=content["governor"],
        firing=[s for s in signals if s["fires"]],
        faulty=any(s["fires"] and s["kind"] == DATA and s.get("spoils") for s in signals),
        quiet=[s for s in signals if not s["fires"]],
        runbooks={s["name"]: runbook(s["name"]) for s in signals},
        acknowledged=_acknowledged(content.get("acknowledged", [])),
        next_steps=next_steps(content, by_hand.train, by_hand.ask),
        findings=_findings(content),
        plans=content.get("plans", []),
        overrides=content.get("overrides", []),
        evidently=_evidently(content),
        trend=plots.monitoring_trend(content["trend"], content.get("bands", {})),
        distances=distances,
        scale=max((max(d["score"], d["threshold"]) for d in distances), default=1.0),
        footer="invopt",
    )


def _acknowledged(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """Return who looks at what, between marks that a later word is put between."""
    said = Markup("").join(Markup('<p class="ok">{}.</p>').format(told(row)) for row in rows)
    return _BEGIN + said + _END


def with_acknowledgements(page: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a page that says who looks at what; one without the marks is returned as it is.

    Args:
        page: As `write_monitoring_report` wrote it.
        rows: All acknowledgements to show, as Acknowledgement.as_dict gives them.
    """
    before, mark, rest = page.partition(str(_BEGIN))
    _, end, after = rest.partition(str(_END))
    return f"{before}{_acknowledged(rows)}{after}" if mark and end else page


def silenced(content: Mapping[str, Any]) -> bool:
    """Return whether somebody looks at every cause that a decision pages for."""
    quiet = {c for row in content.get("acknowledged", []) if row["in_force"] for c in row["causes"]}
    return bool(quiet) and quiet.issuperset(paged_causes(content))


def paged_causes(content: Mapping[str, Any]) -> list[str]:
    """Return the causes that a decision pages for, lasting faults included."""
    return [page["cause"] for page in _pages(content)]


def acknowledged_text(rows: Sequence[Mapping[str, Any]], model: str) -> str:
    """Return until when causes are quiet, in Prometheus' text format.

    Args:
        rows: As Acknowledgement.as_dict gives them; those that are over are left out.
        model: Registered name.
    """
    ends: dict[str, float] = {}
    for row in rows:
        for cause in row["causes"] if row["in_force"] else ():
            ends[cause] = max(
                ends.get(cause, 0.0), math.inf if row["ends"] is None else row["ends"]
            )
    if not ends:
        return ""
    lines = [
        f"# HELP invopt_{_ACKNOWLEDGED} Until when somebody looks at a cause that was paged for; "
        "+Inf until the next run.",
        f"# TYPE invopt_{_ACKNOWLEDGED} gauge",
    ]
    for cause, end in ends.items():
        value = "+Inf" if math.isinf(end) else f"{end:.0f}"
        lines.append(
            f'invopt_{_ACKNOWLEDGED}{{model="{_escaped(model)}",cause="{_escaped(cause)}"}} {value}'
        )
    return "\n".join(lines) + "\n"


def with_acknowledged_text(text: str, rows: Sequence[Mapping[str, Any]], model: str) -> str:
    """Return a run's metrics with who looks at what put anew at their end."""
    return text.partition(f"# HELP invopt_{_ACKNOWLEDGED} ")[0] + acknowledged_text(rows, model)


def _findings(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the findings, each with the first day it was seen on.

    A fault of the data has a day of its own; what is judged by whole periods has the first day
    of those judged together, or of those it has lasted for in a row where they began earlier.
    """
    streaks = content["governor"].get("streaks", {})
    starts = [row["start"] for row in content["trend"]] or [content["start"]]
    found = []
    for finding in content.get("findings", []):
        periods = int(streaks.get(finding["cause"], 1))
        since = starts[-min(periods, len(starts))] if content["num_series"] else content["start"]
        own = finding.get("since") or since  # runs of former versions have none
        first = own if finding.get("kind") == DATA else min(own, since)
        found.append({**finding, "since": first, "periods": periods})
    return found


def _evidently(content: Mapping[str, Any]) -> str:
    """Return how Evidently's count of columns compares with ours; it is given our limits."""
    counted = content.get("evidently_moved")
    ours = sum(d["moved"] for d in content["drift"])
    if counted is None:
        return ""
    if counted == ours:
        return f"It counts {ours} moved columns too."
    return (
        f"It counts {counted} moved columns and this page {ours}: a distance is so near its limit "
        "that rounding decides."
    )


def runbook(signal: str) -> str:
    """Return the page that says what a signal means: one per name, all locations share one."""
    name = present_name(signal.split(" at ", 1)[0])
    return f"{RUNBOOKS}/{name.replace('_', '-').replace(' ', '-')}.md"


def next_steps(content: Mapping[str, Any], command: str, console: str) -> list[dict[str, str]]:
    """Return what to do next: a sentence and the exact command, most urgent first."""
    why = console.replace("{}", f"why {content['run']}")
    again = re.sub(" (run|submit) training ", r" \1 monitoring ", command, count=1)
    action = content["decision"]
    firing = [s for s in content["signals"] if s["fires"]]
    steps = []
    if action == "retrain" and content["governor"]["dry_run"]:
        steps.append({"text": "Dry run: no training follows; to train now", "command": command})
    elif action == "retrain":
        text = "A training run follows by itself; to turn retraining off instead"
        off = f"retraining off --name {content['version'].rsplit('-', 1)[0]}"
        steps.append({"text": text, "command": console.replace("{}", off)})
    faults = [s for s in firing if s["kind"] in ("data", "serving")]
    if faults:
        steps.append({"text": "Fix the data or the service, then rerun monitoring for this period",
                      "command": again})  # fmt: skip
    if action == "page" and not silenced(content):
        steps.append({"text": "When you look at it: keep the alert quiet until the next run",
                      "command": console.replace(
                          "{}", f"acknowledge {content['run']} --who NAME")})  # fmt: skip
    held = [b["name"] for b in content["governor"]["brakes"] if b["blocks"]]
    if held and "data" not in held:  # what is learned from a fault has to be unlearned
        text = f"Retraining is blocked by {', '.join(held)}; to train anyway"
        steps.append({"text": text, "command": command})
    text = (
        "See every number the decision rests on"
        if steps or action != "ignore"
        else ("Nothing to do. Every number is kept")
    )
    cause = content["governor"].get("cause", "").rsplit(" ", 1)[0]
    asked = [s for s in firing if s["name"] == cause]
    about = [s["name"] for s in (*faults, *asked, *firing)]
    if cause and not asked:  # age, which no signal tells
        about = ["governor"]
    if about:
        text += f"; {runbook(about[0])} explains it"
    return [*steps, {"text": text, "command": why}]


def prometheus_text(content: Mapping[str, Any], model: str) -> str:
    """Return decision and signals in Prometheus' text format."""
    numbers = _decision_and_signals(content, model)
    return numbers + acknowledged_text(content.get("acknowledged", []), model)


class _Gauges:
    """Lines of Prometheus' text format, labelled with a model."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.lines: list[str] = []

    def add(self, name: str, about: str, rows: Sequence[tuple[dict[str, str], Any]]) -> None:
        """Add a gauge with the rows whose value is known; nothing where none is."""
        known = [(labels, value) for labels, value in rows if value is not None]
        if not known:
            return
        self.lines += [f"# HELP invopt_{name} {about}", f"# TYPE invopt_{name} gauge"]
        for labels, value in known:
            own = {"model": self.model} | labels
            text = ",".join(f'{k}="{_escaped(v)}"' for k, v in own.items())
            self.lines.append(f"invopt_{name}{{{text}}} {float(value):.10g}")


def _decision_and_signals(content: Mapping[str, Any], model: str) -> str:
    gauges = _Gauges(model)
    actions = ("ignore", "alert", "retrain", "page")
    gauges.add("monitoring_decision", "1 for the decision about the latest period.",
               [({"action": a}, int(content["decision"] == a)) for a in actions])  # fmt: skip
    gauges.add("monitoring_page", "1 for a cause that this decision pages for.",
               [(page, 1) for page in _pages(content)])  # fmt: skip
    gauges.add("monitoring_decided_timestamp_seconds", "Unix time of the decision.",
               [({}, datetime.fromisoformat(content["decided_at"]).timestamp())])  # fmt: skip
    gauges.add("monitoring_conclusive", "1 when enough was known to conclude anything.",
               [({}, int(content["conclusive"]))])  # fmt: skip
    signals = content["signals"]
    label = [_labels(s) for s in signals]
    gauges.add("signal_firing", "1 when a signal is beyond what its history allows.",
               [(n, int(s["fires"])) for n, s in zip(label, signals, strict=True)])  # fmt: skip
    for key, about in (
        ("value", "What was found, on the signal's own scale."),
        ("expected", "What history says of it."),
        ("p_value", "Chance of it when nothing changed."),
    ):
        rows = [(n, s[key]) for n, s in zip(label, signals, strict=True)]
        gauges.add(f"signal_{key}", about, rows)
    if content["num_series"]:  # what was not judged has no number
        _add_judged(gauges, content)
    return "\n".join(gauges.lines) + "\n"


def _add_judged(gauges: _Gauges, content: Mapping[str, Any]) -> None:
    """Add what was measured of the period."""
    gauges.add("column_drift", "Wasserstein distance over the reference's deviation.",
               [({"column": d["column"]}, d["score"]) for d in content["drift"]])  # fmt: skip
    gauges.add("excess_cost", "Money per period above plan.", [({}, content["excess_cost"])])
    gauges.add("avoidable_cost",
               "Money per period that a model which learned what is seen would save.",
               [({}, content.get("avoidable_cost"))])  # fmt: skip
    gauges.add("new_periods", "Periods of data since the champion's training.",
               [({}, content["new_periods"])])  # fmt: skip
    if not content["trend"]:
        return
    latest = content["trend"][-1]
    for key, about in (
        ("wape", "Absolute error over demand of the latest period."),
        ("demand", "Demand over forecast of the latest period, less 1."),
        ("coverage", "Share of outcomes inside the interval, latest period."),
        ("stockouts", "Share of the shelf that was empty, latest period."),
    ):
        gauges.add(f"period_{key}", about, [({}, latest.get(key))])


def _labels(signal: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of a signal; one of a single place has the place in a label of its own."""
    name, _, location = signal["name"].partition(" at ")
    found = {"signal": name, "kind": signal["kind"]}
    return found | {"location": location} if location else found


def _pages(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what somebody is paged for and its runbook, as labels of an alert.

    A fault of the data or the service counts while it lasts, whoever was paged before: an alert
    that ends while its fault goes on says that it is over.
    """
    governor = content["governor"]
    exhausted = any(b["name"] == "breaker" and b["blocks"] for b in governor["brakes"])
    names = {s["cause"]: s["name"] for s in content["signals"]}
    lasting = [
        s["cause"] for s in content["signals"]
        if s["fires"] and s["pages"] and s["kind"] in ("data", "serving")
    ]  # fmt: skip
    return [
        {
            "cause": cause,
            "runbook": runbook("governor" if exhausted and cause == governor["cause"]
                               else names[cause]),
        }
        for cause in dict.fromkeys([*governor["paged"], *lasting])
    ]  # fmt: skip


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
