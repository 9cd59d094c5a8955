"""How much training is left, in steps and in minutes, whichever ends first."""

from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]


@dataclass
class Budget:
    """The share of a training that is done.

    The learning rate follows this share. With steps alone it is exact and repeatable; minutes
    end a run on time on any machine.

    Args:
        max_steps: Optimiser steps; None for no limit.
        seconds: Wall-clock seconds; None for no limit.
        clock: Returns seconds, from any start.
    """

    max_steps: int | None
    seconds: float | None
    clock: Clock
    used: float = 0.0
    started: float | None = None

    def share_done(self, step: int) -> float:
        """Return the larger share of steps and seconds used, from 0 to 1 and beyond."""
        if self.started is None:
            self.started = self.clock()
        by_step = step / self.max_steps if self.max_steps else 0.0
        by_time = self.elapsed() / self.seconds if self.seconds else 0.0
        return max(by_step, by_time)

    def elapsed(self) -> float:
        """Return the seconds used so far, those before a restart included."""
        since = self.clock() - self.started if self.started is not None else 0.0
        return self.used + since

    def state(self, step: int) -> dict[str, float]:
        """Return what a checkpoint keeps."""
        return {"used": self.elapsed(), "step": step}

    def resume(self, state: dict[str, float]) -> None:
        """Take up a budget where a checkpoint left it."""
        self.used, self.started = state["used"], None
