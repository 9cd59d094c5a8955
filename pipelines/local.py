"""A compiled pipeline on this machine: the same YAML a cluster runs, without a cluster.

kfp's local runner prints every executor input to the terminal; here it runs in a child process
whose whole output goes to the run's log, and only lines of progress come through.
"""

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invopt.errors import InvalidInputError
from invopt.files import copy_whole
from invopt.types import Notify
from pipelines.last_words import last_words
from pipelines.step_server import warm_steps
from serving.progress import FAILED, MARK

# Results a run leaves in its folder: task, artifact, file inside the artifact, name in the run.
# A task with a star, or one of several, is that of whichever ran; it is never cached.
RESULTS = {
    "training": (
        ("evaluate-forecaster", "verdict", "", "verdict.json"),
        ("evaluate-forecaster", "assessment", "metrics.json", "metrics.json"),
        ("ingest-data", "quality", "", "quality.json"),
        ("explain-forecaster", "explanation", "", "explanation.json"),
        ("select-trial|search-alone", "sweep", "", "sweep.json"),
        ("write-report", "report", "", "report/index.html"),
    ),
    "replenishment": (
        ("plan-orders", "orders", "", "orders.csv"),
        ("plan-orders", "purchase_orders", "", "purchase_orders.csv"),
        ("plan-orders", "exceptions", "", "exceptions.csv"),
        ("write-plan-report", "report", "", "report/index.html"),
        ("write-plan-report", "plan", "", "plan.html"),
        ("write-plan-report", "workbook", "", "orders.xlsx"),
        ("forecast-demand", "forecast", "forecast.parquet", "forecast.parquet"),
        ("ingest-data", "quality", "", "quality.json"),
    ),
    "monitoring": (
        ("govern-retraining*", "decision", "", "monitoring.json"),
        ("write-monitoring-report*", "report", "", "report/index.html"),
        ("write-monitoring-report*", "metrics", "", "metrics.prom"),
        ("monitor-*", "evidence", "evidently.html", "report/evidently.html"),
        ("ingest-data", "quality", "", "quality.json"),
    ),
}
_PLAN, _FORECAST = "plan-orders", "forecast-demand"
# kfp numbers the tasks of a step that stands in several branches.
TASK = re.compile(r"Executing task .*?'(?:.*/)?([\w-]+?)(?:-\d+)?'")
# How terminals are told to change colour: in a file it is noise.
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The name of an exception, where a step ended by one that is no sentence of ours.
_RAISED = re.compile(r"^\w*(?:Error|Exception|ArrowInvalid|BadZipFile|BadGzipFile)\b")
# What reading a damaged file raises; other exceptions are no file's fault.
_UNREADABLE = re.compile(
    r"^(?:OSError|EOFError|ValueError|\w*DecodeError|DatabaseError|OperationalError|ArrowInvalid"
    r"|BadZipFile|BadGzipFile|ParserError|DecodeError|InvalidProtobuf\w*)\b"
)
# What kfp says around a step that was killed.
_WRAPPER = re.compile(r"Inner task failed|Streamed logs:|finished with status|Executing task")
_FULL = re.compile(r"disk is full|No space left|Disk quota exceeded|database or disk is full")
_PLACE = re.compile(r"(?<![\w/])/[^\s'\":,;()]+")
_DAMAGED = "If a file of an earlier run is damaged, delete the workspace's folder cache, run again."


@dataclass(frozen=True)
class LocalRun:
    """One run's place.

    Attributes:
        pipeline: Name.
        folder: WORKSPACE/runs/RUN_ID.
    """

    pipeline: str
    folder: Path

    @property
    def log(self) -> Path:
        """The whole output of the run."""
        return self.folder / "run.log"

    @property
    def artifacts(self) -> Path:
        """Kfp's pipeline root."""
        return self.folder / "artifacts"


def run_compiled(
    run: LocalRun,
    package: Path,
    arguments: dict[str, Any],
    environment: dict[str, str],
    cache: Path,
    tell: Notify,
) -> None:
    """Run a compiled pipeline and gather its results into the run's folder.

    Args:
        run: Where to.
        package: Compiled YAML.
        arguments: Of the pipeline.
        environment: Of every step.
        cache: Folder of cached step results.
        tell: Called with each line of progress.

    Raises:
        InvalidInputError: If a step fails; the message is the step's own.
    """
    request = run.folder / "request.json"
    request.write_text(
        json.dumps(
            {
                "package": str(package),
                "arguments": arguments,
                "root": str(run.artifacts),
                "cache": str(cache),
            }
        )
    )
    with warm_steps(run.pipeline, environment) as warm:
        status, error, step = _stream(run, request, warm, tell)
    if status != 0:
        with run.log.open(errors="replace") as log:
            said = error or last_words(log)
        raise InvalidInputError(said if error else ending_of(status, step, said))
    for task, artifact, inner, name in RESULTS[run.pipeline]:
        _gather(run, task, artifact, inner, run.folder / name)


def _stream(
    run: LocalRun, request: Path, environment: dict[str, str], tell: Notify
) -> tuple[int, str, str]:
    """Run the child, log all it prints, tell progress.

    Returns:
        Its status, a step's error, and the last step that began.
    """
    step = error = ""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pipelines.local", str(request)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    )
    assert process.stdout is not None
    try:
        with run.log.open("w") as log:
            for line in process.stdout:
                line = _COLOUR.sub("", line)
                log.write(line)
                text = line.strip()
                if MARK in text:
                    tell(text.split(MARK, 1)[1])
                elif found := TASK.search(text):
                    log.write(f"{time.monotonic() - started:.1f} s since the start\n")
                    step = found[1]
                    tell(f"step {step}")
                elif FAILED in text:
                    error = failure_of(step, text.split(FAILED, 1)[1], run.folder.parent.parent)
    except OSError:  # the disk of the log is full: nobody reads on, and the child would hang
        process.kill()
        process.wait()
        raise
    return process.wait(), error, step


def ending_of(status: int, step: str, said: str) -> str:
    """Return why a run ended whose step told no error of its own.

    Args:
        status: Of the process that runs the pipeline; below 0 for a signal.
        step: That began last, "" for none.
        said: Last words of the log.
    """
    if status >= 0 and said and not _WRAPPER.search(said):
        return said
    what = f"step {step}" if step else "the run"
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else "ended without a word"
    return (
        f"{what} {how}: it was stopped, or the machine is short of memory. Run again: it goes on "
        "from what is there."
    )


def failure_of(step: str, said: str, workspace: Path) -> str:
    """Return why a step failed: its own sentence, or its exception with what may help.

    Args:
        step: Name.
        said: By the step.
        workspace: Of the run: of its files alone can a person delete one.
    """
    if not _RAISED.match(said):
        return said
    told = f"step {step} failed: {said.rstrip('.')}."
    if _FULL.search(said):
        return f"{told} Make room on the disk and run again: it goes on from what is there."
    named = [Path(text.rstrip(".,")) for text in _PLACE.findall(said)]
    inside = [path.relative_to(workspace) for path in named if path.is_relative_to(workspace)]
    if any(path.parts[:1] in (("cache",), ("runs",)) for path in inside):
        return f"{told} {_DAMAGED}"
    if inside:
        return f"{told} If {inside[0]} of the workspace is damaged, move it away and run again."
    if named or not _UNREADABLE.match(said):  # a library's own file, or no file at all
        return told
    return f"{told} {_DAMAGED}"


def gather_orders(run: LocalRun) -> bool:
    """Gather the orders of a run that failed after they were made; returns whether they were.

    Only its own: a run that never planned has no orders, whatever earlier runs left.
    """
    # kfp writes this file once a step has ended well.
    if not any(run.artifacts.glob(f"**/{_PLAN}/executor_output.json")):
        return False
    for task, artifact, inner, name in RESULTS["replenishment"]:
        if task in (_PLAN, _FORECAST):
            _gather(run, task, artifact, inner, run.folder / name)
    return True


def _gather(run: LocalRun, task: str, artifact: str, inner: str, place: Path) -> None:
    found = sorted(
        path for name in task.split("|") for path in run.artifacts.glob(f"**/{name}/{artifact}")
    )
    if not found and not {"*", "|"} & set(task):
        found = [Path(p) for p in _cached(run, task, artifact)]
    if not found:
        raise InvalidInputError(f"step {task} left no {artifact}; see {run.log}.")
    source = found[-1] / inner if inner else found[-1]
    copy_whole(source, place)


def _cached(run: LocalRun, task: str, artifact: str) -> list[str]:
    """Return where a cached step's artifact lies: in the folder of the run that made it.

    Runs with other configurations may have made later ones: the log holds which one the later
    steps of this run were given.
    """
    runs = run.folder.parent
    found = sorted(runs.glob(f"*/artifacts/**/{task}/{artifact}"), key=lambda p: p.stat().st_mtime)
    log = run.log.read_text(errors="replace") if run.log.is_file() else ""
    given = [path for path in found if f'"{path}"' in log]
    return [str(path) for path in given or found]


def _main(request: Path) -> None:
    """Run in the child: kfp prints, the parent filters."""
    from kfp import components, local  # noqa: PLC0415

    content = json.loads(request.read_text())
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=content["root"],
        raise_on_error=True,
        enable_caching=True,
        cache_root=content["cache"],
    )
    components.load_component_from_file(content["package"])(**content["arguments"])


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
