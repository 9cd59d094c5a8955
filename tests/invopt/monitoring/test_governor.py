from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from invopt.config import GovernorConfig
from invopt.monitoring.governor import decide, retraining_key, streak
from invopt.monitoring.retraining_decision import (
    EXPIRED,
    FAILED,
    KEPT,
    PROMOTED,
    Memory,
    Retraining,
    Situation,
)
from invopt.monitoring.signals import (
    DATA,
    DRIFT,
    LATE,
    PERFORMANCE,
    SERVING,
    SUPPLY,
    UNREADABLE,
    Signal,
)

NOW = datetime(2024, 6, 3, 8, tzinfo=UTC)
WEEKS = ["2024-05-05", "2024-05-12", "2024-05-19", "2024-05-26", "2024-06-02"]


def signal(
    name="demand_shift",
    kind=PERFORMANCE,
    *,
    fires=True,
    pages=False,
    up=True,
    limit=0.15,
    p=0.001,
    **rest,
) -> Signal:
    return Signal(
        name=name,
        kind=kind,
        value=0.2 if up else -0.2,
        expected=0.0,
        limit=limit,
        p_value=p,
        fires=fires,
        text=f"{name} fires",
        pages=pages,
        **rest,
    )


def urgent(name="demand_shift", **rest) -> Signal:
    """More than its limit and again its limit away."""
    return signal(name, limit=0.05, **rest)


def situation(*signals, end=WEEKS[-1], new_periods=60, age_days=60, conclusive=True) -> Situation:
    return Situation(
        model="demo", version="demo-1", start="2024-05-27", end=end, conclusive=conclusive,
        why_not="" if conclusive else "no reference yet", signals=signals, new_periods=new_periods,
        age_days=age_days,
    )  # fmt: skip


def remembered(*causes, **rest) -> Memory:
    """The weeks before the last one, in each of which the given causes fired."""
    return Memory({week: frozenset(causes) for week in WEEKS[:-1]}, **rest)


def run(
    days_ago: float,
    outcome=PROMOTED,
    *,
    key="k",
    lease_hours=1.0,
    started=True,
    cause="demand_shift up",
) -> Retraining:
    at = NOW - timedelta(days=days_ago)
    lease = at + timedelta(hours=lease_hours)
    return Retraining(key, at, lease, at if started else None, outcome, cause)


def act(*signals, memory=None, config=None, **rest):
    memory = remembered("demand_shift up") if memory is None else memory
    return decide(situation(*signals, **rest), memory, config or GovernorConfig(), NOW)


def test_a_lasting_performance_signal_retrains_when_nothing_holds_it_back():
    decision = act(signal())
    assert decision.action == "retrain"
    assert decision.cause == "demand_shift up"
    assert decision.key == retraining_key(situation(), "demand_shift up")
    assert decision.streaks == {"demand_shift up": 5}
    assert not any(b.blocks for b in decision.brakes)


def test_a_first_performance_signal_alerts_and_does_not_retrain():
    assert act(signal(), memory=Memory()).action == "alert"


def test_a_change_far_beyond_its_limit_retrains_in_its_first_period_and_says_that_it_is_urgent():
    decision = act(urgent(), memory=Memory())
    assert (decision.action, decision.urgent) == ("retrain", True)
    assert decision.reasons == ["demand_shift fires, far beyond its limit"]
    assert not act(signal()).urgent
    assert not act(urgent(name="cost"), memory=remembered("cost up")).urgent


def test_a_fault_that_pages_nobody_is_told_beside_what_asks_for_a_retraining():
    empty = signal("empty_column", DATA)
    assert act(signal(), empty).reasons == [
        "demand_shift fires, for 5 periods in a row",
        "empty_column fires",
    ]
    held = act(signal(), empty, new_periods=0)
    assert held.reasons[-1] == "empty_column fires"


def test_a_fault_that_spoils_a_training_is_told_before_the_demand_it_made():
    empty = replace(signal("suspect_data", DATA), spoils=True)
    held = act(signal(), empty)
    assert held.action == "alert"
    assert held.reasons[:2] == ["suspect_data fires", "demand_shift fires, for 5 periods in a row"]


def test_what_asks_for_a_retraining_is_told_after_what_it_follows_from():
    follows = urgent("error", part_of="demand_shift")
    decision = act(follows, signal(), memory=Memory())
    assert (decision.action, decision.cause) == ("retrain", "error up")
    assert decision.reasons == ["demand_shift fires; hence error fires, far beyond its limit"]


def test_a_fault_is_told_in_one_sentence_though_what_asks_follows_from_it():
    fault = replace(signal("unit_changed", DATA, pages=True), spoils=True)
    reasons = act(fault, urgent(part_of="unit_changed"), memory=Memory()).reasons
    follows = "from unit_changed follows: demand_shift fires, far beyond its limit"
    assert reasons[:2] == ["unit_changed fires", follows]


def test_a_fault_that_was_paged_stands_before_a_check_that_only_failed():
    check = replace(signal("suspect_data", DATA), spoils=True)
    fault = replace(signal("unit_changed", DATA, pages=True), spoils=True)
    memory = remembered(
        "unit_changed", "suspect_data", "demand_shift up", paged={"unit_changed": WEEKS[-2]}
    )
    assert act(check, fault, memory=memory).reasons[0] == "unit_changed fires, already paged"
    held = act(check, fault, signal(), memory=memory)
    assert held.reasons[:2] == ["unit_changed fires", "suspect_data fires"]


def test_cost_that_follows_from_a_fault_that_pages_wakes_nobody_a_second_time():
    fault = signal("silent_feed", DATA, pages=True)
    cost = signal("cost", pages=True)
    memory = remembered("silent_feed", "cost up", paged={"silent_feed": WEEKS[-2]})
    assert act(fault, cost, memory=memory).paged == ["cost up"]
    assert act(fault, replace(cost, part_of="silent_feed"), memory=memory).paged == []


def test_a_retraining_is_for_demand_that_left_the_forecasts_before_what_follows_from_it():
    follows = [signal(name, p=1e-9) for name in ("error", "cost")]
    memory = remembered("demand_shift up", "error up", "cost up")
    assert act(*follows, signal(), memory=memory).cause == "demand_shift up"
    assert act(*follows, memory=memory).cause == "cost up"


def test_an_urgent_change_stays_urgent_until_its_cause_falls_silent():
    weak = signal(p=0.1)
    assert act(weak, memory=remembered("demand_shift up", urgent=frozenset({WEEKS[1]}))).urgent
    causes = {
        WEEKS[1]: frozenset({"demand_shift up"}),
        WEEKS[2]: frozenset(),
        WEEKS[3]: frozenset(),
    }
    silent = Memory(causes, urgent=frozenset({WEEKS[1]}))
    assert act(weak, memory=silent).action == "alert"
    assert not act(weak, memory=silent).urgent


def test_what_is_sure_enough_for_an_alarm_may_not_be_for_a_retraining():
    decision = act(signal(p=0.1))
    assert decision.action == "alert"
    assert decision.reasons == ["demand_shift fires; not certain enough for a retraining"]
    rule = signal(p=float("nan"))
    assert act(rule).action == "retrain"


@pytest.mark.parametrize(
    ("days_ago", "weak", "strong"),
    [
        ([6], 14, 7),
        ([20], 14, 7),
        ([20, 10], 28, 7),
        ([80, 40, 20], 56, 7),
        ([100, 20], 14, 7),  # what was long ago does not count
    ],
)
def test_data_double_between_weak_retrainings_and_grow_by_a_week_between_urgent_ones(
    days_ago, weak, strong
):
    memory = remembered("demand_shift up", retrainings=[run(d, key=str(d)) for d in days_ago])
    for asks, limit in ((signal(), weak), (urgent(), strong)):
        [brake] = [b for b in act(asks, memory=memory).brakes if b.name == "cool_down"]
        assert (brake.limit, brake.blocks) == (limit, days_ago[-1] < limit)


def test_a_signal_that_changes_its_direction_does_not_persist():
    assert act(signal(up=False)).action == "alert"


def test_quiet_signals_are_ignored_and_say_so():
    decision = act(signal(fires=False))
    assert decision.action == "ignore"
    assert "no signal is beyond" in decision.reasons[0]


def test_drift_alone_never_retrains_and_tells_only_once_it_lasts():
    drift = signal("drift", DRIFT)
    assert act(drift, memory=Memory()).action == "ignore"
    assert act(drift, memory=remembered("drift")).action == "alert"


def test_empty_shelves_alert_at_once_and_never_retrain():
    stockouts = signal("stockouts", SUPPLY)
    assert act(stockouts, memory=Memory()).action == "alert"
    assert act(stockouts, memory=remembered("stockouts")).action == "alert"


def test_an_estimate_alerts_and_never_retrains():
    late = signal("expected error", estimated=True)
    assert act(late, memory=remembered("expected error up")).action == "alert"


def test_without_a_conclusion_nothing_is_retrained_and_somebody_is_told():
    decision = act(signal(), conclusive=False)
    assert decision.action == "alert"
    assert decision.reasons[0] == "no conclusion about forecasts: no reference yet"


@pytest.mark.parametrize("kind", [DATA, SERVING])
def test_broken_data_or_service_page_at_once_and_stop_a_retraining(kind):
    fault = signal("silent_feed", kind, pages=True)
    assert act(fault, memory=Memory()).action == "page"
    decision = act(fault, signal())
    assert decision.action == "page"
    assert decision.reasons[0] == "silent_feed fires"


def test_a_lasting_fault_pages_once_and_again_only_after_a_while():
    fault = signal("silent_feed", DATA, pages=True)
    config = GovernorConfig(page_again_after=4)
    causes = {week: frozenset({"silent_feed"}) for week in WEEKS[:-1]}
    for paged_at, expected in ((WEEKS[3], "alert"), (WEEKS[1], "alert"), (WEEKS[0], "page")):
        memory = Memory(causes, paged={"silent_feed": paged_at})
        assert act(fault, memory=memory, config=config).action == expected


def test_a_fault_that_went_away_and_came_back_pages_again():
    fault = signal("silent_feed", DATA, pages=True)
    causes = {WEEKS[2]: frozenset({"silent_feed"}), WEEKS[3]: frozenset()}
    assert act(fault, memory=Memory(causes, paged={"silent_feed": WEEKS[2]})).action == "page"


def test_a_fault_that_was_mended_within_its_period_pages_again_when_it_comes_back():
    fault = signal(UNREADABLE, DATA, pages=True)
    paged = {UNREADABLE: WEEKS[3]}
    broken = Memory({WEEKS[3]: frozenset({UNREADABLE})}, paged=paged)
    mended = Memory({WEEKS[3]: frozenset()}, paged=paged)
    for end in WEEKS[3:]:
        assert act(fault, memory=broken, end=end, conclusive=False).action == "alert"
        assert act(fault, memory=mended, end=end, conclusive=False).action == "page"


def test_data_that_stay_unreadable_page_again_after_a_while():
    fault = signal(UNREADABLE, DATA, pages=True)
    memory = remembered(UNREADABLE, paged={UNREADABLE: WEEKS[0]})
    assert act(fault, memory=memory, conclusive=False).action == "page"
    later = remembered(UNREADABLE, paged={UNREADABLE: WEEKS[1]})
    assert act(fault, memory=later, conclusive=False).action == "alert"


def test_a_period_that_could_not_be_read_is_no_quiet_one():
    fault = signal("silent_feed", DATA, pages=True)
    causes = {WEEKS[2]: frozenset({"silent_feed"}), WEEKS[3]: frozenset({UNREADABLE})}
    assert act(fault, memory=Memory(causes, paged={"silent_feed": WEEKS[2]})).action == "alert"


def test_data_that_spoil_a_training_hold_it_back_without_a_page():
    hole = signal("empty_column", DATA, spoils=True)
    decision = act(signal(), hole)
    assert decision.action == "alert"
    assert [b.name for b in decision.brakes if b.blocks] == ["data"]
    assert act(signal(), signal("gaps", DATA)).action == "retrain"


def test_a_later_period_holds_a_retraining_only_if_it_was_judged():
    for found, expected in (({UNREADABLE}, "retrain"), ((), "alert")):
        causes = {WEEKS[3]: frozenset({"demand_shift up"}), "2024-06-09": frozenset(found)}
        assert act(signal(), memory=Memory(causes)).action == expected


def test_a_fault_already_paged_for_still_stops_a_retraining():
    fault = signal("silent_feed", DATA, pages=True)
    memory = remembered("demand_shift up", "silent_feed", paged={"silent_feed": WEEKS[3]})
    decision = act(fault, signal(), memory=memory)
    assert decision.action == "alert"
    assert [b.name for b in decision.brakes if b.blocks] == ["data"]


@pytest.mark.parametrize(
    ("brake", "config", "memory", "new_periods"),
    [
        ("enabled", {"enabled": False}, {}, 60),
        ("kill_switch", {}, {"switched_off": "stocktaking"}, 60),
        ("cool_down", {}, {"retrainings": [run(10)]}, 60),
        ("new_data", {}, {}, 5),
        (
            "budget",
            {"cool_down_days": 0, "max_per_month": 2},
            {"retrainings": [run(20), run(10)]},
            60,
        ),
        ("lease", {"cool_down_days": 0}, {"retrainings": [run(0.01, None)]}, 60),
    ],
)
def test_each_brake_holds_a_retraining_and_turns_it_into_an_alert(
    brake, config, memory, new_periods
):
    decision = act(
        signal(),
        memory=remembered("demand_shift up", **memory),
        config=GovernorConfig(**config),
        new_periods=new_periods,
    )
    assert decision.action == "alert"
    assert [b.name for b in decision.brakes if b.blocks] == [brake]
    assert any(r.startswith("no retraining") for r in decision.reasons)


def test_the_same_model_window_and_cause_never_start_twice():
    key = retraining_key(situation(), "demand_shift up")
    memory = remembered("demand_shift up", retrainings=[run(0.5, KEPT, key=key)])
    decision = act(signal(), memory=memory, config=GovernorConfig(cool_down_days=0))
    assert [b.name for b in decision.brakes if b.blocks] == ["idempotency"]


def test_a_claim_that_died_before_it_started_may_be_taken_again():
    key = retraining_key(situation(), "demand_shift up")
    memory = remembered("demand_shift up", retrainings=[run(0.5, EXPIRED, key=key, started=False)])
    config = GovernorConfig(cool_down_days=0)
    assert act(signal(), memory=memory, config=config).action == "retrain"


@pytest.mark.parametrize("outcomes", [(FAILED, KEPT), (EXPIRED, FAILED), (KEPT, KEPT)])
def test_the_breaker_opens_after_failures_in_a_row_and_pages_once(outcomes):
    runs = [run(80 - 35 * i, outcome, key=str(i)) for i, outcome in enumerate(outcomes)]
    memory = remembered("demand_shift up", retrainings=runs)
    decision = act(signal(), memory=memory)
    assert decision.action == "page"
    assert [b.name for b in decision.brakes if b.blocks] == ["breaker"]
    assert "retraining did not repair it: a person has to look at it" in decision.reasons
    again = replace(memory, paged={"demand_shift up": WEEKS[3]})
    assert act(signal(), memory=again).action == "alert"


def test_a_promotion_turning_it_on_again_or_time_close_the_breaker():
    failed = [run(80, FAILED, key="a"), run(45, KEPT, key="b")]
    config = GovernorConfig()
    promoted = remembered("demand_shift up", retrainings=[*failed, run(10, PROMOTED, key="c")])
    assert act(urgent(), memory=promoted).action == "retrain"
    reset = remembered("demand_shift up", retrainings=failed, reset_at=NOW - timedelta(days=1))
    assert act(signal(), memory=reset).action == "retrain"
    long_ago = [replace(r, claimed_at=r.claimed_at - timedelta(days=95)) for r in failed]
    assert (
        act(signal(), memory=remembered("demand_shift up", retrainings=long_ago)).action
        == "retrain"
    )
    assert act(
        signal(), memory=remembered("demand_shift up", retrainings=failed), config=config
    ).action == ("page")


def test_a_period_before_one_already_judged_is_never_retrained_for():
    memory = Memory({**remembered("demand_shift up").causes, "2024-06-09": frozenset()})
    decision = act(signal(), memory=memory)
    assert decision.action == "alert"
    assert [b.name for b in decision.brakes if b.blocks] == ["window"]


def test_a_clock_that_goes_backwards_ends_no_cool_down_and_is_told():
    later = NOW + timedelta(days=400)
    memory = remembered("demand_shift up", retrainings=[run(-399)], last_decision=later)
    decision = act(signal(), memory=memory)
    assert decision.action == "alert"
    assert any("clock is behind" in r for r in decision.reasons)


def test_a_dry_run_decides_the_same_and_says_that_nothing_follows():
    decision = act(signal(), config=GovernorConfig(dry_run=True))
    assert decision.action == "retrain"
    assert decision.dry_run


def test_cost_far_over_plan_pages_only_where_a_retraining_is_held_back():
    cost = signal("cost", pages=True)
    assert act(cost, memory=Memory()).action == "alert"
    assert act(cost, memory=remembered("cost up")).action == "retrain"
    held = act(cost, memory=remembered("cost up"), new_periods=0)
    assert held.action == "page"


def test_a_streak_ends_at_the_first_period_without_the_cause():
    causes = {"a": frozenset({"x"}), "b": frozenset(), "c": frozenset({"x"})}
    assert streak("x", "d", causes) == 2
    assert streak("x", "b", {}) == 1
    assert streak("y", "d", causes) == 1


def test_a_period_whose_actuals_never_came_neither_ends_a_streak_nor_counts_as_judged():
    causes = {
        WEEKS[2]: frozenset({"demand_shift up"}),
        WEEKS[3]: frozenset({LATE, "expected error up"}),
    }
    assert streak("demand_shift up", WEEKS[4], causes) == 2
    assert streak(LATE, WEEKS[4], causes) == 2
    unread = causes | {WEEKS[3]: frozenset({UNREADABLE})}
    assert streak("demand_shift up", WEEKS[4], unread) == 2
    # What was judged before it could not be read stands.
    known = causes | {WEEKS[3]: frozenset({UNREADABLE, "gaps"})}
    assert streak("demand_shift up", WEEKS[4], known) == 1
    assert act(signal(), memory=Memory(causes)).action == "retrain"
    later = {WEEKS[3]: frozenset({"demand_shift up"}), "2024-06-09": frozenset({LATE})}
    assert act(signal(), memory=Memory(later)).action == "retrain"


def test_an_old_model_is_trained_anew_although_nothing_is_wrong():
    quiet = signal("demand_shift", fires=False)
    decision = act(quiet, memory=remembered(), age_days=182)
    assert decision.action == "retrain"
    assert decision.cause == "age"
    assert not decision.urgent
    assert decision.reasons == [
        "scheduled retraining: training data are 182 days old (limit 182); no problem detected"
    ]
    assert act(quiet, memory=remembered(), age_days=181).action == "ignore"
    never = GovernorConfig(max_age_days=None)
    assert act(quiet, memory=remembered(), age_days=999, config=never).action == "ignore"


@pytest.mark.parametrize(
    ("wrong", "action"),
    [
        (signal("gaps", DATA), "alert"),
        (signal("demand_shift", p=0.1), "alert"),
        (signal("silent_feed", DATA, pages=True), "page"),
        (signal("skew", SERVING, pages=True), "page"),
    ],
)
def test_age_waits_while_anything_is_wrong(wrong, action):
    assert act(wrong, memory=remembered(), age_days=999).action == action


def test_age_waits_without_an_alarm_while_a_brake_holds():
    off = act(age_days=999, memory=remembered(switched_off="stocktaking"))
    lately = act(age_days=999, memory=remembered(retrainings=[run(3)]))
    assert off.action == lately.action == "ignore"
    assert act(age_days=999, conclusive=False, memory=remembered()).action == "alert"


def test_drift_alone_does_not_keep_an_old_model():
    drifting = act(signal("drift", DRIFT), memory=remembered(), age_days=999)
    assert (drifting.action, drifting.cause) == ("retrain", "age")


def test_runs_for_age_that_end_kept_do_not_open_the_breaker():
    old = [run(80, KEPT, cause="age"), run(50, KEPT, cause="age")]
    assert act(signal(), memory=remembered("demand_shift up", retrainings=old)).action == "retrain"
    failed = [run(80, KEPT), run(50, KEPT)]
    assert act(signal(), memory=remembered("demand_shift up", retrainings=failed)).action == "page"


def brakes(*runs, key=None, **config):
    memory = remembered("demand_shift up", retrainings=runs)
    decision = act(signal(), memory=memory, config=GovernorConfig(**config))
    return {brake.name: brake for brake in decision.brakes}


def test_the_budget_counts_thirty_days():
    runs = [run(days, KEPT) for days in (59, 31, 29)]
    assert brakes(*runs)["budget"].value == 1
    assert not brakes(*runs, max_per_month=2)["budget"].blocks
    assert brakes(*runs, max_per_month=1)["budget"].blocks


def test_a_retraining_that_started_and_expired_starts_no_second_one_for_the_same_cause():
    key = retraining_key(situation(), "demand_shift up")
    for started in (True, False):
        found = brakes(run(40, EXPIRED, key=key, started=started))
        assert found["idempotency"].blocks == started


@pytest.mark.parametrize(("week", "action"), [(WEEKS[3], "retrain"), (WEEKS[2], "alert")])
def test_urgency_lasts_as_long_as_the_signal_has_not_fallen_silent(week, action):
    # it fires in the last two weeks: what was urgent the week before them is over
    causes = {end: frozenset({"demand_shift up"} if end == WEEKS[3] else ()) for end in WEEKS[:-1]}
    memory = Memory(causes, urgent=frozenset({week}))
    config = GovernorConfig(persistence=3)
    assert act(signal(), memory=memory, config=config).action == action
