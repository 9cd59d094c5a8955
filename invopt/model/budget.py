"""How much training is left, in steps and in minutes, whichever ends first."""

from dataclasses import dataclass

from invopt.types import Clock

# Share by which minutes may be ahead of steps before they take over.
TIME_LEAD = 0.05


@dataclass
class Budget:
    """The share of a training that is done.

    The learning rate follows this share. Steps make it exact and repeatable, as long as the
    machine is fast enough for them; where it is not, minutes end the run on time.

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
        """Return the share of steps used, or of seconds where those are used up sooner.

        Up to TIME_LEAD the steps count although the clock is ahead: the first ones are slow.
        """
        if self.started is None:
            self.started = self.clock()
        by_time = self.elapsed() / self.seconds if self.seconds else 0.0
        if self.max_steps is None:
            return by_time
        by_step = step / self.max_steps
        return by_time if by_time > by_step + TIME_LEAD else by_step

    def elapsed(self) -> float:
        """Return the seconds used so far, those before a restart included."""
        since = self.clock() - self.started if self.started is not None else 0.0
        return self.used + since

    def left(self, step: int) -> float:
        """Return the seconds that are left at the pace so far, never more than the budget has."""
        done = min(1.0, self.share_done(step))
        by_pace = self.elapsed() * (1 / max(done, 1e-6) - 1)
        return min(by_pace, max(0.0, self.seconds - self.elapsed())) if self.seconds else by_pace

    def state(self, step: int) -> dict[str, float]:
        """Return what a checkpoint keeps."""
        return {"used": self.elapsed(), "step": step}

    def resume(self, state: dict[str, float]) -> None:
        """Take up a budget where a checkpoint left it."""
        self.used, self.started = state["used"], None
