"""Steps, how each ended, and the table at the end."""

import json
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from invopt.errors import InvalidInputError

OK, FAILED, SKIPPED = "ok", "FAILED", "skipped"


class StepFailed(InvalidInputError):
    """What a step expected and what came."""


class StepSkipped(Exception):
    """Why a step does not apply here."""


@dataclass(frozen=True)
class Step:
    """One thing to check.

    Attributes:
        name: In a word or two.
        play: Does it; returns what was checked, in words.
        needs: Steps that must be ok first.
        always: True for what runs whatever happened before.
    """

    name: str
    play: Callable[[], str]
    needs: tuple[str, ...] = ()
    always: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a step ended."""

    step: str
    result: str
    seconds: float
    text: str


class Report:
    """Outcomes as they come; `keep` collects what a failed step leaves to look at.

    Args:
        out: Folder of the table and of what failed steps left.
        keep: Called with a folder for a step that failed.
    """

    def __init__(self, out: Path, keep: Callable[[Path], None]) -> None:
        self.out, self.keep = out, keep
        self.outcomes: list[Outcome] = []

    def play(self, steps: Iterable[Step]) -> None:
        """Play steps in order; one that needs what did not pass is skipped."""
        for step in steps:
            missing = [n for n in step.needs if self.result(n) not in (OK, None)]
            if missing and not step.always:
                self._note(step.name, SKIPPED, 0.0, f"needs {', '.join(missing)}")
                continue
            print(f"e2e: {step.name} …", flush=True)
            began = time.monotonic()
            try:
                result, text = OK, step.play()
            except StepSkipped as why:
                result, text = SKIPPED, str(why)
            except KeyboardInterrupt:
                self._note(step.name, FAILED, time.monotonic() - began, "interrupted")
                raise
            except InvalidInputError as err:
                result, text = FAILED, str(err)
            except Exception as err:  # the table must come, whatever breaks
                result, text = FAILED, f"{type(err).__name__}: {err}"
                traceback.print_exc()
            seconds = time.monotonic() - began
            if result == FAILED:
                folder = self.out / step.name.replace(" ", "-")
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "why.txt").write_text(text + "\n")
                try:
                    self.keep(folder)
                except Exception as err:
                    print(f"e2e: what {step.name} left could not be kept: {err}", flush=True)
                text += f" [{folder}]"
            self._note(step.name, result, seconds, text)

    def result(self, name: str) -> str | None:
        """Return how a step ended, None where it was not played."""
        return next((o.result for o in self.outcomes if o.step == name), None)

    @property
    def passed(self) -> bool:
        """True when no step failed."""
        return all(o.result != FAILED for o in self.outcomes)

    def table(self) -> str:
        """Return the table, and write it down."""
        wide = max((len(o.step) for o in self.outcomes), default=4)
        lines = [f"{'step':{wide}}  {'result':7}  {'seconds':>7}  what"]
        lines += [
            f"{o.step:{wide}}  {o.result:7}  {o.seconds:7.0f}  {o.text}" for o in self.outcomes
        ]
        count = {r: sum(o.result == r for o in self.outcomes) for r in (OK, FAILED, SKIPPED)}
        seconds = sum(o.seconds for o in self.outcomes)
        told = ", ".join(f"{number} {result}" for result, number in count.items())
        lines.append(f"{told}; {seconds / 60:.1f} minutes; kept in {self.out}")
        text = "\n".join(lines)
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "table.txt").write_text(text + "\n")
        (self.out / "table.json").write_text(
            json.dumps([asdict(o) for o in self.outcomes], indent=1) + "\n"
        )
        return text

    def _note(self, name: str, result: str, seconds: float, text: str) -> None:
        self.outcomes.append(Outcome(name, result, seconds, text))
        print(f"e2e: {name}: {result} ({seconds:.0f} s): {text}", flush=True)
