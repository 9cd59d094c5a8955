"""KServe models whose work is done in threads, behind a bounded queue.

Small requests that wait at the same time are taken together: under load a batch of eight costs
little more than one, and nobody waits for company that has not come yet.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from kserve import Model

from serving.api import metrics
from serving.api.contract import ErrorCode
from serving.api.failures import RequestFailedError

# Header of a request's id, the caller's or ours: `invopt why ID` tells how it was answered.
REQUEST_ID = "x-request-id"
MAX_ID = 200
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class QueueProgress:
    """How far a request came; faults before the model are the caller's.

    Attributes:
        reached_model: Whether the model has it.
        protocol: v1, v2 or other, for the metrics.
        request_id: The caller's or ours, for the log.
        failure: What the caller was told, once that is so.
    """

    reached_model: bool = False
    protocol: str = "v2"
    request_id: str = "-"
    failure: RequestFailedError | None = None


PROGRESS: contextvars.ContextVar[QueueProgress] = contextvars.ContextVar("progress")


class Gate:
    """Counts requests accepted and not yet answered.

    Args:
        limit: Most of them.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self._inside = limit, 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        """Take a place.

        Raises:
            RequestFailedError: If there is none left.
        """
        with self._lock:
            if self._inside >= self.limit:
                raise RequestFailedError(
                    ErrorCode.BUSY, f"{self.limit} requests are waiting already; try again."
                )
            self._inside += 1
            metrics.IN_FLIGHT.set(self._inside)

    def leave(self, _: object = None) -> None:
        """Give the place back."""
        with self._lock:
            self._inside -= 1
            metrics.IN_FLIGHT.set(self._inside)


class Batcher(Generic[Item, Result]):
    """Does small pieces of work together, in a thread of its own.

    Args:
        work: Returns a result or an exception for each of some items, in order.
        limit: Weight of what is done together, at most; a single item may weigh more.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Sequence[Result | Exception]], limit: int
    ) -> None:
        self._work, self._limit = work, limit
        self._jobs: SimpleQueue[tuple[Item, int, Future[Result]]] = SimpleQueue()
        threading.Thread(target=self._run, name="batcher", daemon=True).start()

    def submit(self, item: Item, weight: int) -> "Future[Result]":
        """Return the future of an item's result."""
        job: Future[Result] = Future()
        self._jobs.put((item, weight, job))
        return job

    def _run(self) -> None:
        left: tuple[Item, int, Future[Result]] | None = None
        while True:
            some = [left or self._jobs.get()]
            left, total = None, some[0][1]
            with contextlib.suppress(Empty):
                while total < self._limit:
                    job = self._jobs.get_nowait()
                    total += job[1]
                    if total > self._limit:
                        left = job
                    else:
                        some.append(job)
            self._do([job for job in some if job[2].set_running_or_notify_cancel()])

    def _do(self, some: Sequence[tuple[Item, int, "Future[Result]"]]) -> None:
        if not some:
            return
        try:
            results: Sequence[Result | Exception] = self._work([item for item, _, _ in some])
        except Exception as err:
            results = [err] * len(some)
        for (_, _, job), result in zip(some, results, strict=True):
            if isinstance(result, Exception):
                job.set_exception(result)
            else:
                job.set_result(result)


class GatedModel(Model):  # type: ignore[misc]
    """A KServe model whose work is done in threads, for so many requests at a time.

    `version` is the one that answers.

    Args:
        name: Model name in the URLs.
        max_queue: Requests accepted and not yet answered.
        seconds: Longest time to an answer.
        threads: That work.
    """

    def __init__(self, name: str, max_queue: int, seconds: float, threads: int) -> None:
        super().__init__(name, return_response_headers=True)
        self.gate, self.seconds = Gate(max_queue), seconds
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="model")
        # One: several would take turns with one another before the loop has one.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="reader")

    @property
    def version(self) -> str:
        """Version that answers."""
        raise NotImplementedError

    def validate(self, payload: Any) -> Any:
        """Leave what a request must hold to the contract, which names every fault."""
        return payload

    async def read(self, work: Callable[[], Result]) -> Result:
        """Return what reading a long request returns, done beside the loop, which stays free."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, work)

    async def run(self, work: Callable[[], Any]) -> Any:
        """Return what the work returns, done in a thread; the loop stays free meanwhile.

        Raises:
            RequestFailedError: If the queue is full or the time is up.
        """
        return await self.wait(lambda: self.pool.submit(work))

    async def wait(self, start: Callable[[], "Future[Any]"]) -> Any:
        """Return the result of a job that is started here, once there is a place for it.

        Raises:
            RequestFailedError: If the queue is full or the time is up.
        """
        self.gate.enter()
        job = start()
        # Work that is under way holds its place until it ends, whether anybody waits or not.
        job.add_done_callback(self.gate.leave)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job), self.seconds)
        except TimeoutError as err:
            raise RequestFailedError(
                ErrorCode.TIMEOUT, f"no answer within {self.seconds:g} s."
            ) from err
