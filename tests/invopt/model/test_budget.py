import pytest

from invopt.model.budget import Budget


def budget(seconds, elapsed):
    now = [0.0]
    found = Budget(100, seconds, lambda: now[0])
    found.share_done(0)
    now[0] = elapsed
    return found


def test_steps_decide_while_the_machine_is_fast_enough_for_them():
    assert budget(60.0, 3.0).share_done(1) == 0.01
    assert budget(None, 1e6).share_done(50) == 0.5


def test_minutes_end_a_run_that_steps_would_let_go_on():
    slow = budget(60.0, 30.0)
    assert slow.share_done(10) == pytest.approx(0.5)
    assert budget(60.0, 60.0).share_done(10) == pytest.approx(1.0)


def test_without_steps_minutes_alone_decide():
    now = [0.0]
    timed = Budget(None, 10.0, lambda: now[0])
    assert timed.share_done(0) == 0
    now[0] = 5.0
    assert timed.share_done(1_000) == 0.5


def test_what_is_left_is_never_more_than_the_minutes_that_are_left():
    assert budget(60.0, 12.0).left(1) == pytest.approx(48.0)
    assert budget(60.0, 12.0).left(50) == pytest.approx(12.0)
    assert budget(None, 12.0).left(1) == pytest.approx(1188.0)
    assert budget(60.0, 90.0).left(1) == 0
