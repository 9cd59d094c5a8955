from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt.baselines import Baseline
from invopt.cleaning import clean as cleaned
from invopt.config import CleaningConfig, InventoryConfig, ModelConfig, MonitoringConfig
from invopt.inventory import terms_of
from invopt.monitoring.causes import likely_causes
from invopt.monitoring.changes import performance_signals, totals, trend
from invopt.monitoring.earlier import Seen
from invopt.monitoring.evidence import Reports, gather_evidence
from invopt.monitoring.late import awaited
from invopt.monitoring.performance import Scoring, performance_records, series_outcomes
from invopt.monitoring.sampling import sample_series
from invopt.monitoring.signals import DATA, PERFORMANCE, Signal
from invopt.monitoring.subject import Subject, history_of
from invopt.panel import Flag, Panel
from tests.builders import make_panel

CONFIG = MonitoringConfig(num_bootstrap=100)
HORIZON, DAYS = 14, 203


def retailer(num_series=60, days=DAYS) -> Panel:
    """A panel with enough sales that weeks look alike."""
    panel = make_panel(num_series, days, seed=4)
    return replace(panel, y=(panel.y + 3).astype(np.int16))


def subject(panel: Panel, channels=()) -> Subject:
    def features(part, cutoffs):
        week = [
            np.log(part.channel_by_series("price")[:, c - 6 : c + 1].mean(axis=1)) for c in cutoffs
        ]
        return ("price",), np.stack(week)[:, :, None].astype(np.float32)

    terms = terms_of(panel.series, None, InventoryConfig(lead_time=2, review_period=7))
    forecasts = Baseline(HORIZON, 7, ModelConfig(), 28)
    return Subject(
        forecasts, features, Scoring(7, terms, True), channels, 55, panel.num_periods - 28
    )


def gather(panel: Panel, **rest):
    about = subject(panel, rest.pop("channels", ()))
    notify = rest.pop("notify", lambda _: None)
    return gather_evidence(about, panel, CONFIG, Reports(**rest), notify)


def firing(evidence) -> set[str]:
    return {s.name for s in evidence.signals if s.fires}


def changed(panel: Panel, y=None, flags=None) -> Panel:
    return replace(
        panel, y=panel.y if y is None else y, flags=panel.flags if flags is None else flags
    )


@pytest.fixture(scope="module")
def clean() -> Panel:
    return retailer()


def test_a_clean_week_is_conclusive_and_quiet(clean):
    found = gather(clean)
    assert found.conclusive
    assert not {"demand_shift", "error", "coverage", "cost", "stockouts"} & firing(found)
    assert not any(s.fires and s.kind in ("data", "serving") for s in found.signals)
    assert (found.start, found.end, found.last_day) == ("2024-07-15", "2024-07-21", "2024-07-21")
    assert len(found.trend) == 12
    assert (found.new_periods, found.new_data, found.length) == (28, "28 days", "7 days")
    assert found.age_days == 28
    assert found.locations[0].excess_cost >= found.locations[-1].excess_cost


def test_demand_that_rises_by_a_third_is_one_finding_of_the_company_with_direction(clean):
    y = np.array(clean.y)
    y[:, -7:] = np.ceil(1.35 * y[:, -7:])
    found = gather(changed(clean, y))
    bias = next(s for s in found.signals if s.name == "demand_shift")
    assert bias.fires
    assert bias.cause == "demand_shift up"
    assert "+" in bias.text
    assert found.causes[0].name == "demand_shift"
    # What stores do that the company does is told with it.
    rises = [s for s in found.signals if s.name.startswith("demand_shift at") and s.fires]
    assert {s.part_of for s in rises if s.direction > 0} == {"demand_shift"}


def test_what_follows_from_demand_that_left_the_forecasts_is_no_further_cause():
    def fired(name, p, kind=PERFORMANCE, effect=9.0):
        return Signal(
            name=name,
            kind=kind,
            value=0.3,
            expected=0.0,
            limit=0.1,
            p_value=p,
            fires=True,
            text=name,
            effect=effect,
        )

    error, bias = fired("error", 1e-9), fired("demand_shift", 1e-3)
    gaps = fired("gaps", float("nan"), DATA, 0.0)
    named = [c.name for c in likely_causes([error, bias, gaps], None, np.zeros(0))]
    assert named == ["gaps", "demand_shift"]
    assert [c.name for c in likely_causes([error], None, np.zeros(0))] == ["error"]


def test_half_the_shelf_empty_is_a_matter_of_stock(clean):
    flags = np.array(clean.flags)
    flags[::2, -7:] |= np.uint8(Flag.CENSORED)
    found = gather(changed(clean, flags=flags))
    assert "stockouts" in firing(found)
    assert next(s for s in found.signals if s.name == "stockouts").kind == "supply"


def test_a_week_without_any_actuals_is_estimated_and_nothing_is_concluded(clean):
    y, flags = np.array(clean.y), np.array(clean.flags)
    y[:, -7:], flags[:, -7:] = 0, Flag.MISSING
    found = gather(changed(clean, y, flags))
    assert not found.conclusive
    assert found.why_not == "0 series-periods with actuals, 50 are needed"
    late = next(s for s in found.signals if s.name == "expected error")
    assert late.estimated
    assert 0 < late.value < 2
    assert not late.fires
    assert "estimated" in late.text
    assert "demand_shift" not in {s.name for s in found.signals}


def test_a_period_that_is_overdue_is_estimated_and_one_that_is_not_due_changes_nothing(clean):
    def seen(days: int, last=clean.timeline.last) -> Seen:
        first = pd.Timestamp("2024-08-01")
        return Seen(last, first, first + pd.Timedelta(days=days))

    assert awaited(clean, None, 7) is clean
    assert awaited(clean, seen(6), 7) is clean
    older = clean.timeline.date(clean.num_periods - 2)
    assert awaited(clean, seen(30, last=older), 7) is clean
    assert not {"no_new_data", "expected error"} & {
        s.name for s in gather(clean, seen=seen(6)).signals
    }
    for days in (7, 20):  # the oldest of the missing periods
        longer = awaited(clean, seen(days), 7)
        assert longer.num_periods == clean.num_periods + 7
        found = gather(clean, seen=seen(days))
        assert found.start == f"{clean.timeline.date(clean.num_periods):%Y-%m-%d}"
        assert firing(found) == {"no_new_data"}
        assert (found.new_periods, found.new_data) == (28, "28 days")  # none came since
        assert (found.drift, found.causes[0].name) == (None, "no_new_data")
        assert np.isnan(found.locations[0].actual)
        assert found.locations[0].forecast > 0
        assert "stockouts" not in {s.name for s in found.signals}
        assert np.isnan(found.trend[-1]["stockouts"])
        assert not found.conclusive
        assert next(s for s in found.signals if s.name == "expected error").estimated
    late, now = longer.channels, clean.channels
    assert {n: c.values.shape for n, c in late.items()} == {
        n: c.values.shape for n, c in now.items()
    }


def test_actuals_that_come_late_are_judged_when_they_come_and_no_sooner(clean):
    y, flags = np.array(clean.y), np.array(clean.flags)
    y[:, -7:], flags[:, -7:] = 0, Flag.MISSING
    without = gather(changed(clean, y, flags))
    with_them = gather(clean, known=without.records)
    assert (without.conclusive, with_them.conclusive) == (False, True)
    at_once = gather(clean)
    pd.testing.assert_frame_equal(with_them.records, at_once.records, check_like=True)
    assert firing(with_them) == firing(at_once)


def stores(days: int, of: slice) -> Panel:
    """Return two stores of thirty products, some of whose series sent nothing for some days."""
    panel = retailer()
    names = np.array(["s0", "s1"])[np.arange(60) % 2]
    y = np.array(panel.y)
    y[of, -days:] = 0
    panel = replace(panel, series=panel.series.assign(location=names), y=y)
    return cleaned(panel, CleaningConfig())[0]


def test_a_silent_store_pages_and_the_forecasts_are_not_blamed():
    found = gather(stores(6, slice(1, None, 2)))
    silent = next(s for s in found.signals if s.name == "silent_feed")
    assert silent.pages
    assert "s1 (6 days)" in silent.text
    assert found.causes[0].name == "silent_feed"
    seen = found.records[found.records["cutoff"] == found.records["cutoff"].max()]
    # Of s1's week the day before and the first silent day are demand; two days make a silence.
    assert list(seen.set_index("location")["observed"]) == [210, 60]
    assert "cost" not in firing(found)


def test_an_empty_week_pages_and_concludes_nothing():
    found = gather(stores(10, slice(None)))
    assert next(s for s in found.signals if s.name == "silent_feed").pages
    assert not found.conclusive
    assert found.why_not.startswith("0 series-periods")
    assert not {"demand_shift", "error", "coverage"} & firing(found)


def test_no_reference_yet_is_said_and_not_concluded():
    short = retailer(days=84)
    found = gather(short)
    assert not found.conclusive
    assert "no reference yet" in found.why_not


def test_a_history_too_short_for_the_model_is_told_and_asks_nothing_of_it():
    found = gather(retailer(days=50))
    assert not found.conclusive
    assert "56 days" in found.why_not
    assert found.trend == []


def test_a_column_that_is_gone_is_named_and_the_model_is_not_asked(clean):
    found = gather(clean, channels=("price", "visits"))
    assert not found.conclusive
    assert "column_gone" in firing(found)
    assert "visits" in next(s for s in found.signals if s.name == "column_gone").text


def test_a_column_of_nothing_but_nan_is_named(clean):
    warm = clean.channels["temperature"]
    values = warm.values.copy()
    values[:, -7:] = np.nan
    found = gather(clean.with_channels([replace(warm, values=values)]))
    assert "temperature" in next(s for s in found.signals if s.name == "empty_column").text
    values[:] = np.nan  # as if it had never had a value; the model knows better
    blank = clean.with_channels([replace(warm, values=values)])
    found = gather(blank, channels=("temperature",))
    assert "temperature" in next(s for s in found.signals if s.name == "empty_column").text


def test_evidence_is_plain_data_without_arrays(clean):
    import json

    from invopt.files import plain

    content = json.loads(json.dumps(plain(gather(clean).as_dict())))
    assert set(content["drift"][0]) >= {"column", "score", "threshold", "p_value", "moved"}
    assert "records" not in content


def test_records_kept_from_the_last_run_are_not_computed_again(clean):
    asked = []

    class Counting(Baseline):
        def predict(self, panel, cutoff=None):
            asked.append(cutoff)
            return super().predict(panel, cutoff)

    one = replace(subject(clean), forecasts=Counting(HORIZON, 7, ModelConfig(), 28))
    first = history_of(one, clean, CONFIG)
    num = len(asked)
    again = history_of(one, clean, CONFIG, first)
    assert len(asked) - num == 4  # the latest: actuals may have come late
    pd.testing.assert_frame_equal(first, again, check_like=True)


def test_a_new_champion_is_measured_against_what_the_one_before_made_of_unseen_weeks(clean):
    former = replace(subject(clean), trained_stop=0)
    kept = history_of(former, clean, CONFIG)
    assert not kept["in_sample"].any()
    new = replace(former, trained_stop=clean.num_periods, forecasts=Baseline(14, 1, ModelConfig()))
    records = history_of(new, clean, CONFIG, kept)
    assert records.groupby("cutoff")["in_sample"].any().sum() == 4  # asked again, with its own


def test_records_of_other_places_are_not_used(clean):
    one = subject(clean)
    kept = history_of(one, clean, CONFIG).assign(location="elsewhere")
    assert "elsewhere" not in set(history_of(one, clean, CONFIG, kept)["location"])


def test_a_record_is_the_sum_of_its_series_and_looks_at_nothing_before_its_time(clean):
    one = subject(clean)
    records = performance_records(one.forecasts, clean, [160], one.scoring)
    forecast = one.forecasts.predict(clean, 160)
    outcome = series_outcomes(forecast, clean, clean.demand(), 160, one.scoring)
    whole = totals(records).iloc[0]
    assert whole["actual"] == clean.y[:, 161:168].sum() == outcome["actual"].sum()
    assert whole["forecast"] == pytest.approx(forecast.mean[:, :7].sum())
    error = np.abs(clean.y[:, 161:168] - forecast.mean[:, :7]).sum()
    assert whole["error"] == pytest.approx(error, rel=1e-6)
    future = np.array(clean.y)
    future[:, 161:] = 0
    other = performance_records(one.forecasts, changed(clean, future), [160], one.scoring)
    assert totals(other).iloc[0]["forecast"] == whole["forecast"]


def test_cost_is_unknown_until_the_protection_interval_has_passed(clean):
    one = subject(clean)
    last = clean.num_periods - 1
    records = totals(performance_records(one.forecasts, clean, [last - 14, last - 7], one.scoring))
    assert np.isfinite(records["cost"].iloc[0])
    assert np.isnan(records["cost"].iloc[1])
    assert records["planned_cost"].notna().all()


def test_cost_of_a_decision_is_the_newsvendors_on_a_case_by_hand(clean):
    one = subject(clean)
    forecast = one.forecasts.predict(clean, 160)
    demand = clean.demand()
    outcome = series_outcomes(forecast, clean, demand, 160, one.scoring)
    from invopt.inventory import levels_of

    terms = one.scoring.terms
    stock = levels_of(
        forecast.mean, forecast.smooth_levels, forecast.level_quantiles, terms, is_count=True
    ).order_up_to
    asked = demand[:, 161:170].sum(axis=1)  # lead time 2, review 7
    row = int(np.argmax(np.abs(asked - stock)))
    left, short = max(stock[row] - asked[row], 0), max(asked[row] - stock[row], 0)
    expected = left * terms.holding_cost[row] * 7 + short * terms.stockout_cost[row]
    assert outcome["cost"].iloc[row] == pytest.approx(expected, rel=1e-6)


def test_signals_need_a_history_and_trends_do_not(clean):
    one = subject(clean)
    records = performance_records(one.forecasts, clean, [181, 188, 195], one.scoring)
    assert performance_signals(records, CONFIG) == []
    assert [row["start"] for row in trend(records, 12)] == [
        "2024-07-01",
        "2024-07-08",
        "2024-07-15",
    ]


def test_a_sample_keeps_every_location_and_is_the_same_again():
    panel = make_panel(300, 60)
    rows = sample_series(panel, 90, 0)
    assert len(rows) == len(set(rows)) == 90
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, sample_series(panel, 90, 0))
    chosen, everyone = (p.series["location"].value_counts() for p in (panel.select(rows), panel))
    assert (chosen.reindex(everyone.index, fill_value=0) - 0.3 * everyone).abs().max() < 1.01
    assert len(sample_series(panel, 1000, 0)) == 300
