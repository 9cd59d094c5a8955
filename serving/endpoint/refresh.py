"""What a server does beside answering: round after round, whatever goes wrong in one of them."""

import asyncio
import logging
import time
from collections.abc import Callable

from serving.api import metrics

_logger = logging.getLogger(__name__)
# Rounds that fail wait longer and longer: up to so many times the usual.
_LONGEST = 8.0
Part = Callable[[], object]


class Rounds:
    """Does some parts again and again; one that fails keeps no other from being done.

    A failure is logged once, counted every time, and tried again; a gauge says when a round last
    went well.

    Args:
        parts: By name; each returns what it likes, and raises where it could not be done.
        seconds: Between two rounds.
        clock: Seconds since 1970.
    """

    def __init__(
        self, parts: dict[str, Part], seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.parts, self.seconds, self.clock = parts, seconds, clock
        self._said: dict[str, str] = {}
        self._failed = 0
        metrics.REFRESHED.set(clock())

    def run(self) -> bool:
        """Do every part once; returns whether all went well."""
        failures = [name for name in self.parts if not self._done(name)]
        if failures:
            self._failed += 1
        else:
            self._failed = 0
            metrics.REFRESHED.set(self.clock())
        return not failures

    @property
    def pause(self) -> float:
        """Seconds until the next round."""
        return self.seconds * min(_LONGEST, 2.0 ** max(0, self._failed - 1))

    async def forever(self, first: Callable[[], float | None] = lambda: None) -> None:
        """Do rounds until cancelled.

        Args:
            first: Returns another pause, None for the usual one.
        """
        while True:
            await asyncio.sleep(first() or self.pause)
            await asyncio.to_thread(self.run)

    def _done(self, name: str) -> bool:
        try:
            self.parts[name]()
        except Exception as err:  # libraries below have classes of their own for everything
            metrics.RELOADS.labels("failed").inc()
            text = f"{type(err).__name__}: {err}"
            if self._said.get(name) != text:
                expected = isinstance(err, (ValueError, OSError))
                _logger.warning("%s failed: %s", name, text, exc_info=None if expected else err)
            self._said[name] = text
            return False
        if self._said.pop(name, None) is not None:
            _logger.info("%s works again", name)
        return True
