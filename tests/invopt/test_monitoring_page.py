import re
from dataclasses import replace
from pathlib import Path

import pytest

from invopt.feeds import DOUBLED, REPEATED, SILENT
from invopt.files import write_json
from invopt.monitoring.signals import (
    DATA,
    DEMAND_SHIFT,
    DRIFT,
    LATE,
    PERFORMANCE,
    SERVING,
    UNREADABLE,
    Signal,
)
from invopt.report.monitoring_page import (
    ByHand,
    next_steps,
    prometheus_text,
    runbook,
    write_monitoring_report,
)
from invopt.report.runs import RunRow, write_runs_index

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "invopt run training --config demo.yaml --data DIR --workspace W"
CONSOLE = "invopt {} --workspace W"


def make_content(decision="alert", signals=(), brakes=(), **rest) -> dict:
    trend = [
        {"start": "2024-01-01", "end": "2024-01-07", "wape": 0.4, "bias": 0.02, "demand": -0.02,
         "error_ratio": 1.1,
         "coverage": 0.9, "cost_ratio": None, "stockouts": 0.03}
    ]  # fmt: skip
    return {
        "decision": decision, "reason": "why", "run": "monitoring-1", "version": "demo-1",
        "decided_at": "2024-01-08T06:00:00.000000Z",
        "start": "2024-01-01", "end": "2024-01-07", "last_day": "2024-01-07",
        "conclusive": True, "why_not": "",
        "signals": [s.as_dict() for s in signals],
        "governor": {"reasons": ["why"], "brakes": list(brakes), "dry_run": False, "paged": []},
        "drift": [{"column": "price", "score": 0.3, "threshold": 0.2, "p_value": 0.001,
                   "moved": True, "change": 0.3}],
        "reference": "the same season a year before", "trend": trend,
        "unusable": {"visits": "gone"},
        "causes": [{"name": "price", "effect": 120.0, "text": "price moved"}],
        "locations": [{"name": "S<1>", "actual": 10.0, "forecast": 8.0, "excess_cost": 5.0}],
        "products": [], "events": [{"date": "2024-01-01", "name": "New Year"}], "notes": ["a note"],
        "num_series": 60, "num_sampled": 60, "new_periods": 28, "excess_cost": 12.5,
        "new_data": "28 days", "length": "7 days",
    } | rest  # fmt: skip


def signal(name="demand_shift", kind=PERFORMANCE, fires=True) -> Signal:
    return Signal(
        name=name,
        kind=kind,
        value=0.2,
        expected=0.0,
        limit=0.05,
        p_value=0.01,
        fires=fires,
        text=f'{name} "fires"',
    )


def write(tmp_path, content) -> tuple[str, str]:
    write_json(tmp_path / "d.json", content)
    out, metrics = tmp_path / "index.html", tmp_path / "metrics.prom"
    write_monitoring_report(
        str(tmp_path / "d.json"),
        "demo",
        ByHand(COMMAND, CONSOLE),
        str(out),
        [str(metrics)],
        lambda _: None,
    )
    return out.read_text(), metrics.read_text()


def test_a_fault_that_is_seen_by_the_day_begins_on_its_day_and_not_with_the_period(tmp_path):
    finding = {
        "name": SILENT, "cause": SILENT, "text": "s1 sent nothing", "places": ["s1"],
        "num_series": 3, "of_series": 60, "money": 0.0, "orders": "they go on", "over": "it sends",
        "follows": [],
    }  # fmt: skip
    for since, told in (("2024-01-04", "2024-01-04"), ("", "2024-01-01"), (None, "2024-01-01")):
        one = finding if since is None else finding | {"since": since, "kind": DATA}
        page, _ = write(tmp_path, make_content("page", findings=[one]))
        assert f"Since {told};" in page
    # What is judged over two periods began with the first of them.
    shift = finding | {"since": "2023-12-25", "kind": PERFORMANCE}
    page, _ = write(tmp_path, make_content("alert", findings=[shift]))
    assert "Since 2023-12-25;" in page


@pytest.mark.parametrize(
    ("money", "told"),
    [
        (30.0, "orders cost 30.00 per period above plan"),
        (-30.0, "orders cost 30.00 per period less than planned"),
        (0.0, None),
    ],
)
def test_orders_that_cost_less_than_planned_are_not_told_as_a_cost_above_plan(
    tmp_path, money, told
):
    finding = {
        "name": DEMAND_SHIFT, "cause": "demand_shift down", "text": "less is sold", "places": [],
        "num_series": 3, "of_series": 60, "money": money, "orders": "they go on", "over": "soon",
        "follows": [],
    }  # fmt: skip
    page, _ = write(tmp_path, make_content("alert", findings=[finding]))
    assert told in page if told else "; orders cost" not in page


@pytest.mark.parametrize("decision", ["ignore", "alert", "retrain", "page"])
def test_the_page_says_what_why_where_and_what_next(tmp_path, decision):
    page, _ = write(tmp_path, make_content(decision, [signal(), signal("gaps", DATA)]))
    assert f'class="badge {decision}"' in page
    for text in ("2024-01-01 New Year", "Price moved", "S&lt;1&gt;",
                 "docs/runbooks/demand-shift.md", "invopt why monitoring-1 --workspace W",
                 "visits: gone", "A note",
                 "decided 2024-01-08 06:00 UTC", "28 days of data"):  # fmt: skip
        assert text in page
    assert page.count("<svg") == 5
    assert "http://" not in page.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "")


def test_money_is_told_with_its_currency(tmp_path):
    page, _ = write(tmp_path, make_content("alert", [signal()]) | {"currency": "EUR"})
    assert "money above plan, EUR" in page
    assert re.search(r"<b>EUR [-\d,.]+</b><span>cost of the latest completed orders", page)


def test_columns_that_moved_without_a_signal_say_why_it_is_quiet(tmp_path):
    quiet = signal("drift", fires=False)
    page, _ = write(tmp_path, make_content("ignore", [quiet]))
    assert "The signal of drift is quiet: drift" in page


def test_a_page_without_anything_known_is_still_a_page(tmp_path):
    content = make_content(
        trend=[], drift=[], causes=[], locations=[], events=[], conclusive=False,
        why_not="no reference yet",
    )  # fmt: skip
    page, metrics = write(tmp_path, content)
    assert "no reference yet" in page
    assert 'invopt_monitoring_conclusive{model="demo"} 0' in metrics


def test_columns_that_were_compared_with_nothing_are_not_said_to_be(tmp_path):
    page, _ = write(tmp_path, make_content(drift=[], reference="nothing"))
    assert "<h2>Columns</h2>" in page
    assert "No column could be compared" in page
    assert "against nothing" not in page


def test_a_period_that_was_not_judged_shows_the_fault_and_the_periods_before(tmp_path):
    fault = signal(UNREADABLE, DATA)
    content = make_content(
        "page", [fault], num_series=0, num_sampled=0, drift=[], causes=[], locations=[], events=[],
        conclusive=False, why_not="the data cannot be read", new_periods=0, excess_cost=0.0,
    )  # fmt: skip
    page, metrics = write(tmp_path, content)
    assert "Nothing could be read, so nothing was judged" in page
    assert "The periods judged before" in page
    for absent in (
        "forecast error, share of sales",
        "0 series judged",
        "None in the calendar",
        "Columns against",
    ):
        assert absent not in page
    assert 'invopt_signal_firing{model="demo",signal="unreadable_data",kind="data"} 1' in metrics
    for absent in ("period_wape", "new_periods", "excess_cost"):
        assert absent not in metrics


def test_next_steps_hold_the_exact_commands():
    held = {"name": "cool_down", "blocks": True}
    steps = next_steps(make_content("alert", [signal("gaps", DATA)], [held]), COMMAND, CONSOLE)
    assert [s["command"] for s in steps] == [
        COMMAND.replace("training", "monitoring"),
        COMMAND,
        "invopt why monitoring-1 --workspace W",
    ]
    text = next_steps(make_content("ignore"), COMMAND, CONSOLE)[0]["text"]
    assert text.startswith("Nothing to do")


def test_on_a_cluster_the_commands_are_those_of_a_cluster():
    submit = "invopt submit training --config training.yaml --host http://kfp"
    ask = "kubectl -n shop exec deploy/evidently -c console -- invopt {}"
    steps = next_steps(make_content("retrain", [signal("gaps", DATA)]), submit, ask)
    assert [s["command"] for s in steps] == [
        "kubectl -n shop exec deploy/evidently -c console -- invopt retraining off --name demo",
        "invopt submit monitoring --config training.yaml --host http://kfp",
        "kubectl -n shop exec deploy/evidently -c console -- invopt why monitoring-1",
    ]


def test_a_dry_run_promises_no_training():
    governor = {"reasons": ["why"], "brakes": [], "dry_run": True, "paged": []}
    first, *_ = next_steps(make_content("retrain", governor=governor), COMMAND, CONSOLE)
    assert first == {"text": "Dry run: no training follows; to train now", "command": COMMAND}


def test_the_runbook_named_is_the_faults_then_that_of_the_cause():
    both = [signal("demand_shift"), signal("error")]
    asked = {"reasons": ["why"], "brakes": [], "dry_run": False, "cause": "error up"}
    last = next_steps(make_content("retrain", both, governor=asked), COMMAND, CONSOLE)[-1]["text"]
    assert "docs/runbooks/error.md" in last
    fault = [*both, signal("silent_feed", DATA)]
    last = next_steps(make_content("page", fault, governor=asked), COMMAND, CONSOLE)[-1]["text"]
    assert "docs/runbooks/silent-feed.md" in last


def test_a_training_for_age_names_the_governors_runbook_whatever_else_fires():
    governor = {"brakes": [], "cause": "age", "dry_run": False, "paged": []}
    content = make_content("retrain", [signal("drift", DRIFT)], governor=governor)
    last = next_steps(content, COMMAND, CONSOLE)[-1]
    assert last["text"].endswith("docs/runbooks/governor.md explains it")


def test_prometheus_can_read_the_metrics():
    parser = pytest.importorskip("prometheus_client.parser")
    signals = [
        signal(),
        signal('demand_shift at S"1', DRIFT),
        signal("degraded", SERVING, fires=False),
    ]
    text = prometheus_text(make_content("page", signals), "demo")
    families = {f.name: f for f in parser.text_string_to_metric_families(text)}
    decision = {s.labels["action"]: s.value for s in families["invopt_monitoring_decision"].samples}
    assert decision == {"ignore": 0, "alert": 0, "retrain": 0, "page": 1}
    firing = {
        (s.labels["signal"], s.labels.get("location")): s.value
        for s in families["invopt_signal_firing"].samples
    }
    assert firing == {
        ("demand_shift", None): 1, ("demand_shift", 'S"1'): 1, ("degraded", None): 0,
    }  # fmt: skip
    assert families["invopt_excess_cost"].samples[0].value == 12.5
    assert "invopt_period_wape" in families
    assert families["invopt_monitoring_decided_timestamp_seconds"].samples[0].value == 1704693600


def test_each_cause_paged_for_is_a_metric_that_names_its_runbook():
    parser = pytest.importorskip("prometheus_client.parser")
    breaker = {"name": "breaker", "blocks": True}
    governor = {
        "brakes": [breaker],
        "cause": "demand_shift up",
        "paged": ["demand_shift up", "silent_feed"],
    }
    content = make_content("page", [signal(), signal("silent_feed", DATA)], governor=governor)
    families = {
        f.name: f for f in parser.text_string_to_metric_families(prometheus_text(content, "demo"))
    }
    labels = [s.labels for s in families["invopt_monitoring_page"].samples]
    # What training did not mend is the governor's page; a fault is the fault's.
    assert {(x["cause"], x["runbook"]) for x in labels} == {
        ("demand_shift up", "docs/runbooks/governor.md"),
        ("silent_feed", "docs/runbooks/silent-feed.md"),
    }


def test_a_fault_that_lasts_stays_a_page_although_nobody_is_woken_again():
    fault = replace(signal("silent_feed", DATA), pages=True)
    content = make_content("alert", [fault, signal("gaps", DATA)])
    assert content["governor"]["paged"] == []
    page = [line for line in prometheus_text(content, "demo").splitlines() if "_page{" in line]
    assert page == [
        'invopt_monitoring_page{model="demo",cause="silent_feed",'
        'runbook="docs/runbooks/silent-feed.md"} 1'
    ]


def test_every_signal_has_its_runbook():
    names = {SILENT, DOUBLED, REPEATED, UNREADABLE, LATE, DEMAND_SHIFT}
    for file in (ROOT / "invopt" / "monitoring").glob("*.py"):
        text = file.read_text()
        names |= set(
            re.findall(r'(?:_fault|_spoilt|_Statistic|Signal)\(\s*(?:name=)?"([a-z_ ]+)"', text)
        )
    assert {
        "demand_shift",
        "past_rewritten",
        "silent_feed",
        "degraded",
        "expected error",
        "drift",
    } <= names
    missing = [n for n in names if not (ROOT / runbook(n)).is_file()]
    assert not missing
    assert runbook("demand_shift at S01") == runbook("demand_shift") == runbook("bias at S01")


def test_the_index_links_every_run_and_says_its_word(tmp_path):
    rows = [
        RunRow("monitoring-2", "monitoring", "page", "no sales at S1", "2024",
               "monitoring-2/report/index.html"),
        RunRow("training-1", "training", "", "", "", ""),
    ]  # fmt: skip
    write_runs_index(rows, tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text()
    assert '<a href="monitoring-2/report/index.html">monitoring-2</a>' in page
    assert "training-1" in page
    assert "No sales at S1" in page


def test_the_page_says_what_overrides_were_worth_and_for_whom(tmp_path):
    one = {"scope": "store=S1", "kind": "factor", "value": 1.5, "who": "anna", "why": "fair <town>",
           "actual": 21.0, "forecast": 14.0, "planned": 21.0, "error_saved": 7.0,
           "money_saved": -63.0}  # fmt: skip
    total = {"number": 1, "error_saved": 7.0, "money_saved": -63.0}
    page, _ = write(tmp_path, make_content(overrides=[one], overrides_total=total))
    for text in ("What overrides were worth", "store=S1", "factor 1.5", "anna: fair &lt;town&gt;",
                 ">-63<"):  # fmt: skip
        assert text in page
    assert "What overrides were worth" not in write(tmp_path, make_content())[0]


def test_no_training_is_offered_while_the_data_have_a_fault(tmp_path):
    fault = replace(signal("product_unit_changed", DATA), spoils=True)
    brake = {"name": "data", "rule": "r", "value": "v", "limit": "none", "blocks": True}
    page, _ = write(tmp_path, make_content("alert", [fault], [brake]))
    assert "to train anyway" not in page
    assert "These figures count what was sent, the fault included." in page
