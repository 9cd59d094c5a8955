"""Requests done together: each gets its own answer, and fails for itself alone."""

import asyncio
import threading

import pytest

from serving.endpoint.queue import Batcher, GatedModel


class Worker:
    """Doubles numbers once it is let go, and remembers what came together."""

    def __init__(self):
        self.go = threading.Event()
        self.batches = []

    def __call__(self, items):
        self.go.wait(10)
        self.batches.append(list(items))
        return [ValueError(f"{item} is odd") if item % 2 else item * 2 for item in items]


@pytest.fixture
def worker():
    found = Worker()
    yield found
    found.go.set()


def submitted(worker, items, limit=100, weight=1):
    """Submit items behind a first one that holds the worker up."""
    batcher = Batcher(worker, limit)
    first = batcher.submit(0, weight)
    while not first.running():
        pass
    return [first, *(batcher.submit(item, weight) for item in items)]


def test_what_waits_is_done_together_and_every_result_goes_to_its_own_caller(worker):
    jobs = submitted(worker, [2, 4, 6])
    worker.go.set()
    assert [job.result(10) for job in jobs] == [0, 4, 8, 12]
    assert worker.batches == [[0], [2, 4, 6]]


def test_a_failure_is_its_own_caller_s_alone(worker):
    jobs = submitted(worker, [2, 3, 4])
    worker.go.set()
    assert jobs[1].result(10) == 4
    assert jobs[3].result(10) == 8
    with pytest.raises(ValueError, match="3 is odd"):
        jobs[2].result(10)


def test_no_more_is_done_together_than_the_limit(worker):
    jobs = submitted(worker, [2, 4, 6, 8, 10], limit=6, weight=3)
    worker.go.set()
    assert [job.result(10) for job in jobs] == [0, 4, 8, 12, 16, 20]
    assert worker.batches == [[0], [2, 4], [6, 8], [10]]


def test_a_caller_that_left_is_not_worked_for(worker):
    jobs = submitted(worker, [2, 4])
    assert jobs[1].cancel()
    worker.go.set()
    assert jobs[2].result(10) == 8
    assert worker.batches == [[0], [4]]


def test_work_that_breaks_fails_its_callers_and_the_next_is_served():
    def broken(items):
        if 0 in items:
            raise RuntimeError("broke")
        return items

    batcher = Batcher(broken, 10)
    with pytest.raises(RuntimeError, match="broke"):
        batcher.submit(0, 1).result(10)
    assert batcher.submit(1, 1).result(10) == 1


def test_places_in_the_queue_are_given_back(worker):
    model = GatedModel("m", max_queue=2, seconds=10, threads=1)
    batcher = Batcher(worker, 10)
    worker.go.set()

    async def often():
        return [await model.wait(lambda n=n: batcher.submit(n, 1)) for n in (0, 2, 4, 6)]

    assert asyncio.run(often()) == [0, 4, 8, 12]
