"""KServe models whose work is done in threads, behind a bounded queue."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kserve import Model

from serving import metrics
from serving.contract import ErrorCode
from serving.failures import RequestFailedError


@dataclass
class Progress:
    """How far a request came; faults before the model are the caller's."""

    reached_model: bool = False


PROGRESS: contextvars.ContextVar[Progress] = contextvars.ContextVar("progress")


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


class GatedModel(Model):  # type: ignore[misc]
    """A KServe model whose work is done in threads, for so many requests at a time.

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

    async def run(self, work: Callable[[], Any]) -> Any:
        """Return what the work returns, done in a thread; the loop stays free meanwhile.

        Raises:
            RequestFailedError: If the queue is full or the time is up.
        """
        self.gate.enter()
        job: Future[Any] = self.pool.submit(work)
        # Work that is under way holds its place until it ends, whether anybody waits or not.
        job.add_done_callback(self.gate.leave)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job), self.seconds)
        except TimeoutError as err:
            raise RequestFailedError(
                ErrorCode.TIMEOUT, f"no answer within {self.seconds:g} s."
            ) from err
