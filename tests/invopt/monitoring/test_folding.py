"""One cause is one finding: what follows from it is told with it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt.config import GovernorConfig, MonitoringConfig
from invopt.files import read_json
from invopt.monitoring.changes import bands, limits_of
from invopt.monitoring.evidently_report import ReportPlace, moved_columns, write_evidently
from invopt.monitoring.folding import findings_of, folded
from invopt.monitoring.governor import decide
from invopt.monitoring.retraining_decision import Memory, Situation
from invopt.monitoring.signals import DATA, DEMAND_SHIFT, DRIFT, PERFORMANCE, Signal
from tests.invopt.monitoring.test_known_ahead import at, company, gather, without_rows


def grown(panel, rows, by: float, days: int = 7):
    y = np.array(panel.y)
    y[rows, -days:] = np.ceil(by * y[rows, -days:])
    return replace(panel, y=y)


def roots(found) -> list[str]:
    return [f.name for f in found.findings]


@pytest.fixture(scope="module")
def risen():
    return gather(grown(company(), slice(None), 1.4))


def test_demand_of_the_whole_company_is_one_finding_that_carries_stores_and_columns(risen):
    assert roots(risen) == ["demand_shift"]
    finding = risen.findings[0]
    assert "demand_shift at s0" in finding.follows
    assert not finding.places
    assert finding.of_series == 80
    assert finding.num_series > 60
    assert "too little" in finding.orders
    assert finding.over.startswith("over when a later period is between -")
    assert [c.name for c in risen.causes] == ["demand_shift"]


def test_a_store_without_which_the_company_is_quiet_is_the_finding():
    panel = company()
    found = gather(grown(panel, at(panel, "s1"), 2.2))
    assert DEMAND_SHIFT in {s.name for s in found.signals if s.fires}
    assert roots(found) == ["demand_shift at s1"]
    assert found.findings[0].places == ["s1"]
    assert found.findings[0].of_series == 20
    assert DEMAND_SHIFT in found.findings[0].follows
    assert found.findings[0].since == "2024-07-15"
    longer = gather(grown(panel, at(panel, "s1"), 2.2, days=14))
    assert longer.findings[0].since == "2024-07-08"  # two periods are judged together


def test_a_store_that_is_off_like_all_is_not_the_cause_because_the_rest_is_too_few_to_tell():
    def of(name, value, forecast_limit):
        return Signal(
            name=name, kind=PERFORMANCE if name == DEMAND_SHIFT else DRIFT, value=value,
            expected=0.0, limit=forecast_limit, p_value=0.01, fires=True, text=name,
        )  # fmt: skip

    records = pd.DataFrame({"location": ["s0", "s1", "s2", "s3"], "forecast": 100.0, "cutoff": 7})
    head, store = of(DEMAND_SHIFT, -0.2, 0.15), of(f"{DEMAND_SHIFT} at s1", -0.3, 0.25)
    # Too short a history for anything to fire without the store.
    parts = {s.name: s.part_of for s in folded([head, store], records, MonitoringConfig())}
    assert parts == {DEMAND_SHIFT: "", f"{DEMAND_SHIFT} at s1": DEMAND_SHIFT}


def test_a_silent_store_carries_what_its_first_silent_day_moves():
    panel = company()
    y = np.array(panel.y)
    y[at(panel, "s1"), -5:] = 0
    found = gather(replace(panel, y=y))
    assert roots(found) == ["silent_feed"]
    assert found.findings[0].places == ["s1"]
    assert "left out" in found.findings[0].orders
    assert "no longer lists it" in found.findings[0].over


def test_a_late_file_and_a_shift_elsewhere_are_two_findings():
    panel = company()
    late = without_rows(panel, at(panel, "s2"), slice(-1, None))
    found = gather(grown(late, at(panel, "s1"), 2.2))
    assert roots(found) == ["late_file", "demand_shift at s1"]


def test_the_governor_tells_a_cause_once(risen):
    situation = Situation(
        model="m", version="m-1", start=risen.start, end=risen.end, conclusive=True, why_not="",
        signals=tuple(risen.signals), new_periods=28,
    )  # fmt: skip
    from datetime import UTC, datetime

    config = GovernorConfig(urgent=99)
    decision = decide(situation, Memory(), config, datetime(2024, 7, 22, tzinfo=UTC))
    assert len(decision.reasons) == 1
    assert decision.reasons[0].startswith("demand is +")
    assert "demand_shift at s0" in decision.streaks  # what follows persists all the same


def test_the_limit_is_told_and_drawn_in_the_numbers_of_the_reader(risen):
    demand = next(s for s in risen.signals if s.name == DEMAND_SHIFT)
    low, high = risen.bands["demand"]
    assert low < 0 < high < risen.trend[-1]["demand"]
    assert limits_of(demand) == (f"{low:+.1%}", f"{high:+.1%}")
    error = next(s for s in risen.signals if s.name == "error")
    wape = risen.trend[-1]["wape"]
    assert np.isnan(risen.bands["wape"][0])
    assert np.isnan(risen.bands["coverage"][1])
    assert (wape > risen.bands["wape"][1]) == (error.value > error.expected + error.limit)
    assert bands([], risen.trend) == {}


def test_evidently_counts_the_columns_that_we_count(risen, tmp_path):
    write_evidently(risen.drift, tmp_path / "e.html", tmp_path / "e.json")
    ours = sum(d.moved for d in risen.drift.columns)
    assert moved_columns(tmp_path / "e.json") == ours
    assert len(read_json(tmp_path / "e.json")["metrics"]) > 1


def test_a_report_cut_off_while_it_was_written_stops_no_later_one(risen, tmp_path):
    place = ReportPlace(tmp_path / "ui", "demo", "2024-01-01", "2024-01-07", "1")
    written = tmp_path / "e.html", tmp_path / "e.json", place
    write_evidently(risen.drift, *written)
    (first,) = place.workspace.glob("*/snapshots/*.json")
    first.write_text(first.read_text()[:1000])
    write_evidently(risen.drift, *written)
    (second,) = place.workspace.glob("*/snapshots/*.json")
    assert second != first
    assert first.with_name(f"{first.name}.damaged").exists()


def test_findings_of_nothing_judged_say_that_no_plan_can_be_made():
    def fault(name, **rest):
        return Signal(
            name=name, kind=DATA, value=1.0, expected=0.0, limit=0.0, p_value=float("nan"),
            fires=True, text=name, **rest,
        )  # fmt: skip

    found = findings_of([fault("unreadable_data"), fault("gaps", places=("s1", "s2"))])
    assert [(f.name, f.places) for f in found] == [("gaps", ["s1", "s2"]), ("unreadable_data", [])]
    assert found[0].orders == "no new plan can be made of these data; the last one stands"


def test_a_signal_reads_what_it_wrote():
    one = Signal(
        name="silent_feed", kind=DATA, value=1.0, expected=0.0, limit=0.0, p_value=0.5, fires=True,
        text="t", places=("s1",), part_of="x", explained="y",
    )  # fmt: skip
    assert Signal.from_dict(one.as_dict() | {"places": ["s1"]}) == one
    former = {k: v for k, v in one.as_dict().items() if k not in ("places", "part_of", "explained")}
    assert Signal.from_dict(former).part_of == ""
