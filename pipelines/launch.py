"""Compile a pipeline and run it here, with progress a person can follow."""

import hashlib
import importlib
import shlex
import shutil
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from invopt.errors import InvalidInputError
from invopt.files import read_json
from pipelines.local import LocalRun, run_compiled
from pipelines.parameters import Parameters
from serving.retraining import Asked, retrain_if_decided
from serving.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent
_QUIET_SECONDS = 15.0


def run_pipeline(
    pipeline: str,
    config: Path | None,
    data: Path | None,
    workspace: Path,
    out: Path | None,
    overrides: Iterable[str],
    asked: Asked | None = None,
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
        asked: What monitoring asked for, where it started a training run.

    Raises:
        InvalidInputError: If the input cannot be used or a step fails.
    """
    settings, overrides = Settings.of(workspace), list(overrides)
    if config is None:
        parameters = Parameters.remembered(settings.workspace, overrides, code_version())
    else:
        parameters = load_parameters(config, overrides)
    data = _data_folder(parameters, data, settings)
    if out is not None and pipeline != "replenishment":
        raise InvalidInputError("--out is for orders: it belongs to `invopt run replenishment`.")
    run_id = f"{pipeline}-{datetime.now():%Y%m%d-%H%M%S}"
    run = LocalRun(pipeline, settings.workspace / "runs" / run_id)
    run.folder.mkdir(parents=True, exist_ok=False)
    package = run.folder / "pipeline.yaml"
    given = parameters
    if asked:
        given = parameters.for_retraining(asked.lasting, urgent=asked.urgent)
    compile_pipeline(pipeline, given, package)
    arguments = {"data_dir": str(data.resolve())}
    if pipeline == "training":
        arguments |= {"study": run_id, **(asked.arguments if asked else {})}
    if pipeline == "monitoring":
        arguments |= {"run": run_id, "command": _command(config, data, settings, overrides)}
    started = time.monotonic()
    progress = Progress()
    print(f"invopt: {pipeline} of {parameters.typed.name}, run {run_id}")
    try:
        run_compiled(
            run, package, arguments, settings.export(), settings.workspace / "cache", progress.tell
        )
    except InvalidInputError as err:
        raise InvalidInputError(f"{err} (log: {run.log})") from err
    finally:
        progress.end()
    if pipeline == "training":
        parameters.remember(settings.workspace)
    seconds = time.monotonic() - started
    print(f"done in {int(seconds // 60)}:{int(seconds % 60):02d}")
    _tell_results(run, out)
    _index_runs(settings)
    if pipeline == "monitoring":
        retrain_if_decided(
            run.folder / "monitoring.json",
            parameters.typed,
            settings,
            lambda asked: run_pipeline("training", config, data, workspace, None, overrides, asked),
            lambda text: print(f"invopt: {text}"),
        )
    return run.folder


def load_parameters(config: Path, overrides: Iterable[str]) -> Parameters:
    """Read a configuration with the library's code version in it."""
    return Parameters.load(config, overrides, code_version=code_version())


def compile_pipeline(pipeline: str, parameters: Parameters, out: Path) -> None:
    """Write a pipeline as KFP's YAML."""
    from kfp import compiler  # noqa: PLC0415  (a second of import)

    module = importlib.import_module(f"pipelines.{pipeline}")
    out.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(module.build(parameters), str(out))


def code_version() -> str:
    """Return a hash of the library's source: part of the cache key of every step."""
    digest = hashlib.sha256()
    for room in ("invopt", "components", "serving", "feature_repo"):
        for file in sorted((_ROOT / room).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


class Progress:
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


def _command(config: Path | None, data: Path, settings: Settings, overrides: Iterable[str]) -> str:
    """Return the command that would train here by hand."""
    parts = ["invopt", "run", "training", *(["--config", str(config)] if config else [])]
    parts += ["--data", str(data), "--workspace", str(settings.workspace)]
    for override in overrides:
        parts += ["--set", override]
    return shlex.join(parts)


def _index_runs(settings: Settings) -> None:
    """Write the page over all runs of the workspace, newest first."""
    from invopt.report import RunRow, write_runs_index  # noqa: PLC0415  (matplotlib)

    rows = []
    folder = settings.workspace / "runs"
    for run in sorted(folder.iterdir(), key=lambda p: p.name.rsplit("-", 2)[1:], reverse=True):
        if not run.is_dir():
            continue
        pipeline = run.name.split("-")[0]
        word = reason = about = ""
        if (run / "monitoring.json").is_file():
            found = read_json(run / "monitoring.json")
            word, reason = found["decision"], found["reason"]
            about = f"{found['start']} to {found['end']}"
        elif (run / "verdict.json").is_file():
            verdict = read_json(run / "verdict.json")
            word, reason, about = verdict["decision"], verdict["reasons"][0], "challenger"
        page = f"{run.name}/report/index.html"
        rows.append(
            RunRow(
                run.name, pipeline, word, reason, about, page if (folder / page).is_file() else ""
            )
        )
    write_runs_index(rows, folder / "index.html")


def _tell_results(run: LocalRun, out: Path | None) -> None:
    report = run.folder / "report" / "index.html"
    if report.is_file():
        print(f"report: {report}")
    orders = run.folder / "orders.csv"
    if orders.is_file():
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(orders, out)
            shutil.copyfile(run.folder / "forecast.parquet", out.parent / "forecast.parquet")
            orders = out
        print(f"orders: {orders}")
