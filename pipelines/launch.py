"""Compile a pipeline and run it here, with progress a person can follow."""

import csv
import errno
import hashlib
import importlib
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from invopt import errors
from invopt.errors import InvalidInputError
from invopt.files import read_json
from pipelines.local import LocalRun, gather_orders, run_compiled
from pipelines.parameters import Parameters
from pipelines.results import put_orders, refuse_to_overwrite
from serving.deployment import Deployment
from serving.loop.cluster_retraining import RetrainingRequest
from serving.loop.retraining import retrain_if_decided
from serving.settings import Settings
from serving.stores.databases import file_of

_ROOT = Path(__file__).resolve().parent.parent
_QUIET_SECONDS = 15.0
_NO_WRITING = (
    errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST,
)  # fmt: skip


def run_pipeline(
    pipeline: str,
    config: Path | None,
    data: Path | None,
    workspace: Path,
    out: Path | None,
    overrides: Iterable[str],
) -> Path:
    """Run a pipeline in a workspace and return the run's folder.

    Without a configuration it is the one of the workspace's last training. A monitoring run that
    ends in `retrain` is followed by the training run it asks for.

    Args:
        pipeline: Name.
        config: Configuration file; None takes the last training's.
        data: Folder of the data; None makes the configuration's own.
        workspace: Folder of runs and stores.
        out: Where to put the orders.
        overrides: section.key=value.

    Raises:
        InvalidInputError: If the input cannot be used or a step fails.
    """
    deployment, overrides = Deployment.of(workspace), list(overrides)
    place = deployment.settings.workspace
    if config is None:
        parameters = Parameters.remembered(place, overrides, code_version())
        _tell_changed(parameters)
    else:
        parameters = load_parameters(config, overrides)
    if pipeline == "replenishment":
        _refuse_untrained(deployment.settings)
    with writing_to(place):
        launch = Launch(
            deployment=deployment,
            pipeline=pipeline,
            config=config,
            overrides=overrides,
            parameters=parameters,
            data=_data_folder(parameters, data, deployment.settings),
            out=out,
        )
        return launch.run()


def _tell_changed(parameters: Parameters) -> None:
    """Say that a file was edited since the training, which this run does not read."""
    if changed := parameters.changed_files:
        config = next(iter(parameters.files))
        print(
            f"invopt: {', '.join(changed)} changed since the training, and this run goes by what "
            f"stood there then; --config {config} takes what stands there now"
        )


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One run of a pipeline on this machine, as it was asked for.

    Attributes:
        deployment: Of the workspace.
        pipeline: Name.
        config: Configuration file; None where the last training's is used.
        overrides: section.key=value.
        parameters: Of the pipeline, from both.
        data: Folder of the data.
        out: Where to put the orders; None leaves them in the run's folder.
        asked: What monitoring asked for, where it started a training run.
    """

    deployment: Deployment
    pipeline: str
    config: Path | None
    overrides: list[str]
    parameters: Parameters
    data: Path
    out: Path | None
    asked: RetrainingRequest | None = None

    def run(self) -> Path:
        """Run it, tell progress and results, and start the retraining that it decides on.

        Returns:
            The run's folder.

        Raises:
            InvalidInputError: If the input cannot be used or a step fails.
        """
        settings = self.deployment.settings
        if self.out is not None:
            if self.pipeline != "replenishment":
                raise InvalidInputError(
                    "--out is for orders: it belongs to `invopt run replenishment`."
                )
            refuse_to_overwrite(self.out)
        run = new_run(self.pipeline, settings.workspace)
        started = time.monotonic()
        self._execute(run)
        if self.pipeline == "training":
            self.parameters.remember(settings.workspace)
        seconds = time.monotonic() - started
        print(f"done in {int(seconds // 60)}:{int(seconds % 60):02d}")
        _tell_results(run, self.out)
        _tell_index(settings)
        print(f"next: {_next(run, settings, self.data)}")
        if self.pipeline == "monitoring":
            retrain_if_decided(
                self.deployment,
                run.folder / "monitoring.json",
                self.parameters.typed,
                lambda asked: replace(self, pipeline="training", out=None, asked=asked).run(),
                lambda text: print(f"invopt: {text}"),
            )
        return run.folder

    def _execute(self, run: LocalRun) -> None:
        """Compile the pipeline and run its steps; a failure tells where the log is."""
        settings = self.deployment.settings
        package = run.folder / "pipeline.yaml"
        given = self.parameters
        if self.asked:
            given = given.for_retraining(
                self.asked.lasting, urgent=self.asked.urgent, shift=self.asked.shift
            )
        compile_pipeline(self.pipeline, given, package)
        progress = RunProgress()
        print(f"invopt: {self.pipeline} of {self.parameters.typed.name}, run {run.folder.name}")
        try:
            run_compiled(
                run,
                package,
                self._arguments(run),
                environment=self.deployment.child_environment(),
                cache=_cache(settings),
                tell=progress.tell,
            )
        except InvalidInputError as err:
            with suppress(Exception):  # what ended the run is what is told
                if self.pipeline == "replenishment" and gather_orders(run):
                    print("a step after the orders failed; they are complete all the same")
                    _tell_orders(run, self.out)
            _tell_index(settings)
            raise InvalidInputError(f"{err} (log: {run.log})") from err
        finally:
            progress.end()

    def _arguments(self, run: LocalRun) -> dict[str, str]:
        """Return what a pipeline is given beside the defaults that it was compiled with."""
        arguments = {"data_dir": str(self.data.resolve())}
        if self.pipeline == "training":
            arguments |= {"study": run.folder.name}
            arguments |= self.asked.arguments if self.asked else {}
        if self.pipeline == "monitoring":
            workspace = self.deployment.settings.workspace
            arguments |= {
                "run": run.folder.name,
                "command": self._training_command(workspace),
                "console": f"{_program()} {{}} --workspace {shlex.quote(str(workspace))}",
            }
        return arguments

    def _training_command(self, workspace: Path) -> str:
        """Return the command that would train by hand, from whatever folder."""
        config = ["--config", str(self.config.resolve())] if self.config else []
        parts = ["run", "training", *config]
        parts += ["--data", str(self.data.resolve()), "--workspace", str(workspace)]
        for override in self.overrides:
            parts += ["--set", override]
        return f"{_program()} {shlex.join(parts)}"


def new_run(pipeline: str, workspace: Path) -> LocalRun:
    """Make the folder of a run, named by the second; of two in one second the later one waits."""
    while True:
        run_id = f"{pipeline}-{datetime.now():%Y%m%d-%H%M%S}"
        run = LocalRun(pipeline, workspace / "runs" / run_id)
        run.folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            run.folder.mkdir()
        except FileExistsError:
            time.sleep(0.2)
        else:
            return run


@contextmanager
def writing_to(workspace: Path) -> Iterator[None]:
    """Tell in a sentence what keeps a workspace from being written, now or later.

    Raises:
        InvalidInputError: If it is a file, may not be written, or its disk is full.
    """
    try:
        if workspace.exists() and not workspace.is_dir():
            raise InvalidInputError(f"--workspace {workspace} is a file; name a folder.")
        try:
            workspace.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=workspace) as file:
                file.write(b"invopt")
        except OSError as err:  # whatever the system calls it, nothing can be made there
            if err.errno in _NO_WRITING:
                raise
            raise OSError(errno.EACCES, str(err.strerror), str(workspace)) from err
        yield
    except OSError as err:
        if err.errno not in _NO_WRITING:
            raise
        place = Path(str(err.filename)) if err.filename else workspace
        if workspace not in (place, *place.parents):
            raise InvalidInputError(f"{place} cannot be written: {err.strerror}.") from err
        what = f"{place}: " if place != workspace else ""
        raise InvalidInputError(
            f"workspace {workspace} cannot be written: {what}{err.strerror}. Name another with "
            "--workspace, or make room and rights; the next run goes on from what is there."
        ) from err


def _refuse_untrained(settings: Settings) -> None:
    """Refuse to plan, before a minute is spent on reading, where there is no registry yet.

    Raises:
        InvalidInputError: If the registry is a file of the workspace, and is not there.
    """
    file = file_of(settings.tracking_uri)
    if file is not None and not file.exists():
        raise InvalidInputError(
            f"nothing was trained in {settings.workspace} yet: run `invopt run training --config "
            f"FILE --workspace {settings.workspace}` first."
        )


def _cache(settings: Settings) -> Path:
    """Return the folder of cached steps of a workspace at this place.

    What was cached names files by their whole path: a workspace that was copied or moved begins
    anew instead of reading the files of another.
    """
    place = hashlib.sha256(str(settings.workspace).encode()).hexdigest()[:12]
    return settings.workspace / "cache" / place


def load_parameters(config: Path, overrides: Iterable[str]) -> Parameters:
    """Read a configuration with the library's code version in it."""
    return Parameters.load(config, overrides, code_version=code_version())


def compile_pipeline(pipeline: str, parameters: Parameters, out: Path) -> None:
    """Write a pipeline as KFP's YAML."""
    from kfp import compiler  # noqa: PLC0415  (a second of import)

    module = importlib.import_module(f"pipelines.{pipeline}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as err:  # whatever the system calls it, nothing can be made there
        raise PermissionError(errno.EACCES, str(err.strerror), str(out.parent)) from err
    compiler.Compiler().compile(module.build(parameters), str(out))


def code_version() -> str:
    """Return a hash of the library's source: part of the cache key of every step."""
    digest, library = hashlib.sha256(), Path(errors.__file__).parent
    platform = library / "_platform"  # inside the library, in a wheel
    rooms = (library, *(_ROOT / room for room in ("components", "serving", "feature_repo")))
    for room in rooms:
        for file in sorted(room.rglob("*.py")):
            if room != library or not file.is_relative_to(platform):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


class RunProgress:
    """Shows progress: in a terminal one living line per step, elsewhere a line now and then."""

    def __init__(self) -> None:
        self.living = sys.stdout.isatty()
        self.started = time.monotonic()
        self.last = 0.0
        self.step = ""
        self.width = 0

    def tell(self, text: str) -> None:
        """Show one line."""
        now = time.monotonic() - self.started
        stamp = f"{int(now // 60)}:{int(now % 60):02d}"
        if text.startswith("step "):
            self._new_line(f"{stamp}  {text[5:]}")
            self.step, self.last = text[5:], now
        elif self.living and "min left" in text:
            columns = shutil.get_terminal_size().columns - 1
            line = f"{stamp}    {text}"[:columns]
            print("\r" + line.ljust(self.width), end="", flush=True)
            self.width = len(line)
        elif "min left" not in text or now - self.last > _QUIET_SECONDS:
            self._new_line(f"{stamp}    {text}")
            self.last = now

    def end(self) -> None:
        """Leave the living line."""
        if self.width:
            print()
            self.width = 0

    def _new_line(self, line: str) -> None:
        self.end()
        print(line, flush=True)


def _data_folder(parameters: Parameters, data: Path | None, settings: Settings) -> Path:
    if data is not None:
        if not data.is_dir():
            raise InvalidInputError(f"--data {data} is not a folder.")
        return data
    synthetic = parameters.typed.data.synthetic
    if synthetic is None:
        raise InvalidInputError("give the folder of the data with --data DIR.")
    folder = settings.workspace / "data" / parameters.typed.name
    if not folder.is_dir():
        from invopt.synthetic import make_retailer, write_retailer  # noqa: PLC0415

        retailer = make_retailer(
            synthetic.num_products, synthetic.num_stores, synthetic.num_days, synthetic.seed
        )
        write_retailer(retailer, folder)
        print(f"invopt: made the demo data in {folder}")
    return folder


def _program() -> str:
    """Return what calls this `invopt` in a shell, whether or not its environment is active."""
    beside = Path(sys.executable).with_name("invopt")
    found = shutil.which("invopt")
    if not beside.is_file() or (found and Path(found) == beside):
        return "invopt"
    return shlex.quote(str(beside))


def _tell_index(settings: Settings) -> None:
    """Write the page over all runs; that it cannot be written is no failure of this run."""
    try:
        print(f"all runs: {_index_runs(settings)}")
    except Exception as err:  # whatever lies in the folders of earlier runs
        print(f"the page over all runs was not written: {type(err).__name__}: {err}")


def _index_runs(settings: Settings) -> Path:
    """Write the page over all runs of the workspace, newest first, and return its path."""
    from invopt.report.runs import RunRow, write_runs_index  # noqa: PLC0415

    rows = []
    folder = settings.workspace / "runs"
    for run in sorted(folder.iterdir(), key=lambda p: p.name.rsplit("-", 2)[1:], reverse=True):
        if not run.is_dir():
            continue
        pages = (f"{run.name}/report/index.html", f"{run.name}/run.log")
        page = next((p for p in pages if (folder / p).is_file()), "")
        try:
            word, reason, about = _outcome(run)
        except Exception as err:  # whatever lies there
            word, reason, about = "unfinished", f"its results cannot be read: {err}", ""
        rows.append(
            RunRow(run.name, run.name.split("-")[0], word, reason=reason, about=about, page=page)
        )
    write_runs_index(rows, folder / "index.html")
    return folder / "index.html"


def _outcome(run: Path) -> tuple[str, str, str]:
    """Return how a run ended, why, and what it was about."""
    if (run / "monitoring.json").is_file():
        found = read_json(run / "monitoring.json")
        reason = f"dry run: {found['reason']}" if found["governor"]["dry_run"] else found["reason"]
        return found["decision"], reason, f"{found['start']} to {found['last_day']}"
    if (run / "verdict.json").is_file():
        verdict = read_json(run / "verdict.json")
        return verdict["decision"], verdict["reasons"][0], f"against {verdict['incumbent']}"
    if (run / "orders.csv").is_file():
        with (run / "orders.csv").open() as file:
            plan = list(csv.DictReader(file))
        units = [float(row["order_quantity"] or 0) for row in plan]
        orders = sum(number > 0 for number in units)
        about = plan[0].get("review_date", "") if plan else ""
        return "", f"{orders:,} orders for {sum(units):,.0f} units", about
    return "unfinished", "it failed or is under way: its log says which", ""


def _next(run: LocalRun, settings: Settings, data: Path) -> str:
    """Return the command that usually follows a run, as it can be pasted in the same folder."""
    own = settings.workspace / "data"  # what a run makes by itself is found by itself
    given = "" if data.is_relative_to(own) else f"--data {shlex.quote(str(data))} "
    place = f"--workspace {shlex.quote(str(settings.workspace))}"
    commands = {
        "training": f"run replenishment {given}{place} --out orders.csv",
        "replenishment": f"serve {place}",
        "monitoring": f"why {run.folder.name} {place}",
    }
    return f"{_program()} {commands[run.pipeline]}"


def _tell_results(run: LocalRun, out: Path | None) -> None:
    verdict = run.folder / "verdict.json"
    if verdict.is_file():
        found = read_json(verdict)
        print(f"verdict: {found['decision']}: {'; '.join(found['reasons'])}")
    report = run.folder / "report" / "index.html"
    if report.is_file():
        print(f"report: {report}")
    if (run.folder / "orders.csv").is_file():
        _tell_orders(run, out)


def _tell_orders(run: LocalRun, out: Path | None) -> None:
    orders = run.folder / "orders.csv"
    if out is not None:
        put_orders(run.folder, out)
        orders = out
    print(f"orders: {orders}")
    if (run.folder / "plan.html").is_file():
        print(f"planner's page: {orders.parent / 'plan.html'}")
