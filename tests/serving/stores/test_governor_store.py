import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from invopt.config import GovernorConfig
from invopt.monitoring.retraining_decision import EXPIRED, KEPT, PROMOTED, Brake, Situation
from invopt.monitoring.signals import DATA, PERFORMANCE, UNREADABLE, Signal
from serving.stores.governor_store import GovernorStore
from serving.stores.governor_tables import AUDIT

START = datetime(2024, 1, 1, tzinfo=UTC)
CONFIG = GovernorConfig(
    persistence=1, cool_down_days=0, min_new_periods=0, max_per_month=1000, max_failures=1000,
    lease_minutes=60,
)  # fmt: skip


def situation(week: int = 0, *, fires: bool = True, model: str = "demo") -> Situation:
    start = datetime(2024, 1, 1) + timedelta(weeks=week)
    bias = Signal(
        name="demand_shift",
        kind=PERFORMANCE,
        value=0.2,
        expected=0.0,
        limit=0.05,
        p_value=1e-4,
        fires=fires,
        text="demand is 20 % over forecast",
    )
    end = start + timedelta(days=6)
    return Situation(
        model=model,
        version=f"{model}-1",
        start=f"{start:%F}",
        end=f"{end:%F}",
        conclusive=True,
        why_not="",
        signals=(bias,),
        new_periods=99,
    )


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/governor.db"


@pytest.fixture
def store(url):
    store = GovernorStore(url)
    yield store
    store.close()


def test_a_retraining_is_claimed_started_renewed_and_finished(store):
    decision, claim = store.decide(situation(), CONFIG, START, "monitoring-1")
    assert decision.action == "retrain"
    assert store.begin(claim, "training-1", CONFIG, START + timedelta(minutes=5))
    assert store.renew(claim, CONFIG, START + timedelta(minutes=50))
    assert store.open_claims("demo") == [(claim, "training-1")]
    assert store.finish(claim, PROMOTED, START + timedelta(minutes=100))
    assert store.open_claims("demo") == []
    [run] = store.memory("demo").retrainings
    assert run.outcome == PROMOTED


def test_a_second_monitor_is_told_that_a_run_is_under_way(store):
    store.decide(situation(), CONFIG, START, "monitoring-1")
    decision, claim = store.decide(situation(1), CONFIG, START, "monitoring-2")
    assert claim is None
    assert decision.action == "alert"
    assert "lease" in [b.name for b in decision.brakes if b.blocks]


def test_the_same_run_asking_again_gets_its_answer_and_no_second_claim(store):
    first, claim = store.decide(situation(), CONFIG, START, "monitoring-1")
    again, none = store.decide(situation(), CONFIG, START, "monitoring-1")
    assert again == first
    assert claim is not None
    assert none is None
    assert len(store.audit()) == 1


def unreadable(week: int = 0) -> Situation:
    whole = situation(week)
    fault = Signal(
        name=UNREADABLE,
        kind=DATA,
        value=1.0,
        expected=0.0,
        limit=0.0,
        p_value=float("nan"),
        fires=True,
        text="no file",
        pages=True,
    )
    return replace(whole, conclusive=False, why_not="the data cannot be read", signals=(fault,))


def test_what_is_known_of_a_period_stands_when_its_data_cannot_be_read_again(store):
    patient = CONFIG.model_copy(update={"persistence": 2, "urgent": 2.0, "dry_run": True})
    store.decide(situation(), patient, START, "monitoring-1")
    before = store.memory("demo")
    decision, _ = store.decide(unreadable(), patient, START, "monitoring-2")
    assert decision.action == "page"
    after = store.memory("demo")
    assert after.causes["2024-01-07"] == before.causes["2024-01-07"] | {UNREADABLE}
    assert after.urgent == before.urgent == {"2024-01-07"}
    decision, _ = store.decide(situation(1), patient, START, "monitoring-3")
    assert (decision.action, decision.streaks) == ("retrain", {"demand_shift up": 2})


def test_rows_written_under_former_names_still_count_and_are_read(store, tmp_path):
    patient = CONFIG.model_copy(update={"persistence": 2, "urgent": 100.0})
    former = GovernorStore(f"sqlite:///{tmp_path}/former.db")
    former.decide(situation(), patient, START, "monitoring-1")
    with former.engine.begin() as old, store.engine.begin() as new:
        row = dict(old.execute(sa.select(AUDIT)).mappings().one())
        content = row["content"].replace("demand_shift", "bias").replace('"blocks"', '"holds"')
        new.execute(AUDIT.insert().values(**row | {"content": content}))
    former.close()
    assert store.memory("demo").causes == {"2024-01-07": frozenset({"demand_shift up"})}
    again, _ = store.decide(situation(), patient, START, "monitoring-1")
    assert again.streaks == {"demand_shift up": 1}
    decision, _ = store.decide(situation(1), patient, START, "monitoring-2")
    assert (decision.action, decision.streaks) == ("retrain", {"demand_shift up": 2})


def test_a_brake_written_under_its_former_name_is_read():
    former = {"name": "lease", "rule": "", "value": 1, "limit": 0, "holds": True}
    assert Brake.from_dict(former) == Brake("lease", "", 1, 0, blocks=True)
    assert Brake.from_dict(asdict(Brake.from_dict(former))).blocks


def test_unreadable_data_page_once_until_they_were_read_again(store):
    actions = []
    for number, found in enumerate(
        [unreadable(), unreadable(), unreadable(1), situation(1, fires=False), unreadable(1)]
    ):
        decision, claim = store.decide(found, CONFIG, START, f"monitoring-{number}")
        assert claim is None
        actions.append(decision.action)
    assert actions == ["page", "alert", "alert", "ignore", "page"]


def test_a_period_judged_twice_counts_once_on_the_way_to_a_retraining(store):
    patient = CONFIG.model_copy(update={"persistence": 2, "urgent": 100.0})
    for number in range(3):  # actuals came again, and again
        decision, claim = store.decide(situation(), patient, START, f"monitoring-{number}")
        assert (decision.action, claim) == ("alert", None)
        assert decision.streaks == {"demand_shift up": 1}
    decision, _ = store.decide(situation(1), patient, START, "monitoring-3")
    assert decision.action == "retrain"


def test_a_lease_that_ran_out_lets_the_next_one_start_and_stops_the_first(store):
    _, claim = store.decide(situation(), CONFIG, START, "monitoring-1")
    assert store.begin(claim, "training-1", CONFIG, START)
    late = START + timedelta(minutes=61)
    decision, other = store.decide(situation(1), CONFIG, late, "monitoring-2")
    assert decision.action == "retrain"
    assert other is not None
    assert not store.renew(claim, CONFIG, late)
    assert not store.finish(claim, PROMOTED, late)
    assert [r.outcome for r in store.memory("demo").retrainings] == [EXPIRED, None]


def test_a_claim_taken_over_cannot_be_started_by_its_first_owner(store):
    _, dead = store.decide(situation(), CONFIG, START, "monitoring-1")
    late = START + timedelta(hours=2)
    _, alive = store.decide(situation(), CONFIG, late, "monitoring-2")
    assert alive.key == dead.key
    assert not store.begin(dead, "training-1", CONFIG, late)
    assert store.begin(alive, "training-2", CONFIG, late)


def test_a_dry_run_claims_nothing(store):
    config = CONFIG.model_copy(update={"dry_run": True})
    decision, claim = store.decide(situation(), config, START, "monitoring-1")
    assert decision.action == "retrain"
    assert claim is None
    assert store.memory("demo").retrainings == []


def test_models_do_not_hold_each_other_back(store):
    store.decide(situation(), CONFIG, START, "a")
    _, claim = store.decide(situation(model="other"), CONFIG, START, "b")
    assert claim is not None


def test_the_kill_switch_holds_until_it_is_turned_on_again(store):
    store.switch("demo", off=True, reason="stocktaking", now=START)
    decision, claim = store.decide(situation(), CONFIG, START, "a")
    assert claim is None
    assert "kill_switch" in [b.name for b in decision.brakes if b.blocks]
    store.switch("demo", off=False, reason="", now=START)
    _, claim = store.decide(situation(1), CONFIG, START, "b")
    assert claim is not None


@pytest.mark.parametrize("statement", ["UPDATE audit SET action = 'ignore'", "DELETE FROM audit"])
def test_what_was_written_about_a_decision_cannot_be_changed(store, statement):
    store.decide(situation(), CONFIG, START, "a")
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), store.engine.begin() as c:
        c.execute(sa.text(statement))


@pytest.mark.slow
def test_postgresql_keeps_what_a_file_keeps_and_changes_nothing_that_was_written(postgres):
    stores = [GovernorStore(postgres) for _ in range(2)]  # the second finds everything made
    decision, claim = stores[0].decide(situation(), CONFIG, START, "monitoring-1")
    assert decision.action == "retrain"
    later = START + timedelta(minutes=5)
    other, none = stores[1].decide(situation(1), CONFIG, later, "monitoring-2")
    assert (other.action, none) == ("alert", None)
    assert stores[1].begin(claim, "training-1", CONFIG, later)
    assert stores[0].finish(claim, PROMOTED, later)
    stores[1].switch("demo", off=True, reason="stocktaking", now=later)
    memory = stores[0].memory("demo")
    assert memory.switched_off == "stocktaking"
    assert [r.outcome for r in memory.retrainings] == [PROMOTED]
    for statement in ("UPDATE audit SET action = 'ignore'", "DELETE FROM audit", "TRUNCATE audit"):
        with (
            pytest.raises(sa.exc.DBAPIError, match="append-only"),
            stores[0].engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))
    assert [row.action for row in stores[1].audit()] == ["alert", "retrain"]
    for store in stores:
        store.close()


def test_stores_opened_at_once_on_a_new_file_all_open(tmp_path):
    for number in range(10):
        url = f"sqlite:///{tmp_path}/{number}.db"
        with ThreadPoolExecutor(8) as pool:
            for store in pool.map(GovernorStore, [url] * 8):
                store.close()


@pytest.mark.slow
def test_stores_opened_at_once_on_a_new_postgresql_schema_all_open_and_protect_its_own_audit(
    postgres,
):
    engine = sa.create_engine(postgres)
    for schema in ("first", "second"):  # a trigger of another schema's audit protects only that
        with engine.begin() as connection:
            connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
        url = f"{postgres}?options=-csearch_path%3D{schema}"
        with ThreadPoolExecutor(8) as pool:
            stores = list(pool.map(GovernorStore, [url] * 8))
        stores[0].decide(situation(), CONFIG, START, "monitoring-1")
        with (
            pytest.raises(sa.exc.DBAPIError, match="append-only"),
            stores[1].engine.begin() as connection,
        ):
            connection.execute(sa.text("DELETE FROM audit"))
        for store in stores:
            store.close()
    engine.dispose()


def test_what_a_retraining_promised_and_saved_is_remembered_from_the_periods_after_it(store):
    def week(number, gain, version="demo-1"):
        return replace(situation(number, fires=number == 0), avoidable_cost=gain, version=version)

    _, claim = store.decide(week(0, 100.0), CONFIG, START, "monitoring-1")
    store.begin(claim, "training-1", CONFIG, START)
    store.finish(claim, PROMOTED, START + timedelta(minutes=10))
    store.decide(week(1, 90.0), CONFIG, START + timedelta(days=7), "monitoring-2")
    [run] = store.memory("demo").retrainings
    assert (run.promised, run.saved) == (100.0, None)  # its model was not judged yet
    for number, left in ((2, 20.0), (3, 40.0)):
        later = START + timedelta(weeks=number)
        store.decide(week(number, left, "demo-2"), CONFIG, later, f"monitoring-{number + 1}")
    [run] = store.memory("demo").retrainings
    assert (run.promised, run.saved) == (100.0, 70.0)


def test_an_audit_row_holds_everything_the_decision_rested_on(store):
    store.decide(situation(fires=False), CONFIG, START, "monitoring-7")
    [row] = store.find("monitoring-7")
    assert row == store.find("2024-01-03")[0]
    assert row.action == "ignore"
    content = json.loads(json.dumps(row.content))
    assert content["situation"]["signals"][0]["text"] == "demand is 20 % over forecast"
    assert content["config"]["lease_minutes"] == 60
    assert content["decision"]["reasons"]


def test_a_week_of_weekly_data_is_found_by_each_of_its_days(store):
    week = replace(situation(), end="2024-01-01", last_day="2024-01-07")
    store.decide(week, CONFIG, START, "monitoring-7")
    for day in range(1, 8):
        [row] = store.find(f"2024-01-0{day}")
        assert (row.start, row.last_day) == ("2024-01-01", "2024-01-07")
    assert store.find("2024-01-08") == store.find("2023-12-31") == []


def test_a_period_is_found_by_its_days_and_by_nothing_that_lies_between_them_as_text(store):
    store.decide(situation(), CONFIG, START, "monitoring-7")
    for what in ("1999-01-01", "2024-01-02f", "run"):
        assert store.find(what) == []


@pytest.mark.slow
def test_a_crash_between_any_two_statements_leaves_all_or_nothing(url):
    """A child dies, for real, before its n-th statement; the parent goes on with what is there."""
    survived = 0
    for deadly in range(1, 60):
        place = url.replace("governor.db", f"crash-{deadly}.db")
        GovernorStore(place).close()
        child = os.fork()
        if child == 0:
            _die_at(place, deadly)
        _, status = os.waitpid(child, 0)
        died = os.waitstatus_to_exitcode(status) == 9
        store = GovernorStore(place)
        audits, runs = store.audit(), store.memory("demo").retrainings
        assert len(audits) == len(runs), f"half a decision after statement {deadly}"
        later = START + timedelta(hours=3)
        decision, claim = store.decide(situation(1), CONFIG, later, "monitoring-2")
        assert decision.action == "retrain"
        assert store.begin(claim, "training-2", CONFIG, later)
        assert store.finish(claim, KEPT, later + timedelta(minutes=1))
        outcomes = [r.outcome for r in store.memory("demo").retrainings]
        assert outcomes[-1] == KEPT
        assert set(outcomes[:-1]) <= {EXPIRED, PROMOTED}
        store.close()
        survived += died
        if not died:
            break
    else:
        pytest.fail("the sequence never came to its end")
    assert survived > 15


def _die_at(url: str, deadly: int) -> None:
    """Run decide, begin, renew, finish; exit without any clean-up before the n-th statement."""
    store = GovernorStore(url)
    count = 0

    def before(*_: object) -> None:
        nonlocal count
        count += 1
        if count == deadly:
            os._exit(9)

    sa.event.listen(store.engine, "before_cursor_execute", before)
    sa.event.listen(store.engine, "commit", before)
    _, claim = store.decide(situation(), CONFIG, START, "monitoring-1")
    store.begin(claim, "training-1", CONFIG, START)
    store.renew(claim, CONFIG, START)
    store.finish(claim, PROMOTED, START)
    os._exit(0)


class Monitor:
    """One monitor, step by step; a run it starts is alive as long as its lease is."""

    def __init__(self, store, model, name, now, alive):
        self.store, self.model, self.name, self.now, self.alive = store, model, name, now, alive
        self.restart()

    def restart(self):
        """Crash: what it knew is gone, what it wrote stays."""
        self.steps = self._work()

    def _lives(self, claim):
        self.alive[claim.owner] = self.now[0] + timedelta(minutes=CONFIG.lease_minutes)

    def _work(self):
        while True:
            current = situation((self.now[0] - START).days // 7, model=self.model)
            run = f"{self.name}-{self.now[0].timestamp()}"
            _, claim = self.store.decide(current, CONFIG, self.now[0], run)
            yield
            if claim is None or not self.store.begin(claim, "run", CONFIG, self.now[0]):
                continue
            self._lives(claim)
            yield
            # The run stops by itself when its lease cannot be renewed any more.
            if self.store.renew(claim, CONFIG, self.now[0]):
                self._lives(claim)
                yield
                self.store.finish(claim, PROMOTED, self.now[0])
            self.alive.pop(claim.owner, None)
            yield


@pytest.mark.slow
def test_two_monitors_that_crash_at_random_never_start_overlapping_runs():
    """1,000 random interleavings; time runs on between steps, sometimes past a lease."""
    store = GovernorStore("sqlite://")  # durability is the crash test's question
    started = overlapping = 0
    for seed in range(1000):
        rng = random.Random(seed)
        now, alive = [START], {}
        monitors = [Monitor(store, f"model-{seed}", name, now, alive) for name in "ab"]
        for _ in range(7):
            monitor = rng.choice(monitors)
            now[0] += timedelta(minutes=rng.choice([0, 1, 20, 50, 70, 60 * 24 * 7]))
            for owner in [o for o, until in alive.items() if until <= now[0]]:
                del alive[owner]
            if rng.random() < 0.15:
                monitor.restart()
                continue
            before = len(alive)
            next(monitor.steps)
            started += len(alive) > before
            overlapping += len(alive) > 1
    store.close()
    assert overlapping == 0
    assert started > 300
