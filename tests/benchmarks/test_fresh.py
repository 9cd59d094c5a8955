from datetime import UTC, datetime, timedelta

from benchmarks._fresh import decide_for_nothing
from invopt.monitoring.retraining_decision import PROMOTED, RETRAIN, Situation
from invopt.monitoring.signals import PERFORMANCE, Signal
from serving.stores.governor_store import GovernorStore


def test_a_retraining_for_nothing_is_over_at_once_and_a_quiet_week_starts_none():
    store, began = GovernorStore("sqlite://"), datetime(2024, 1, 1, tzinfo=UTC)
    started = []
    for week in range(4):
        start, end = (f"{began + timedelta(days=7 * week + d):%Y-%m-%d}" for d in (0, 6))
        signal = Signal(
            name="demand_shift",
            kind=PERFORMANCE,
            value=0.2,
            expected=0.0,
            limit=0.05,
            p_value=1e-9,
            fires=week < 3,
            text="over the forecast",
        )
        situation = Situation(
            model="demo",
            version="demo-1",
            start=start,
            end=end,
            conclusive=True,
            why_not="",
            signals=(signal,),
            new_periods=99,
        )
        now = began + timedelta(days=7 * week + 7)
        decision = decide_for_nothing(store, situation, now, str(week))
        started.append(decision.action == RETRAIN)
    assert any(started)
    assert not started[-1]
    outcomes = [retraining.outcome for retraining in store.memory("demo").retrainings]
    assert outcomes == [PROMOTED] * sum(started)
    store.close()
