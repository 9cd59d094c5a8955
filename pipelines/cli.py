"""The `invopt` command."""

import argparse
import errno
import importlib
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from invopt import __version__
from invopt.errors import InvalidInputError
from pipelines.parser import (
    AT_LEAST_ONE,
    PORT,
    Parser,
    did_you_mean,
    each_set,
    subcommands,
    whole,
)

if TYPE_CHECKING:
    from serving.deployment import Deployment

    Commands = argparse._SubParsersAction[Parser]

PIPELINES = ("training", "replenishment", "monitoring")
# What monitoring can decide, the least first (invopt.monitoring.retraining_decision), and the exit
# status where a run is to fail on it.
ACTIONS = ("ignore", "alert", "retrain", "page")
_DECIDED = 3
_PIPE_CLOSED = 141  # as a shell counts a program that SIGPIPE ended
# The pod that knows a deployment's stores (k8s/components/monitoring).
_CONSOLE = ("exec", "deploy/evidently", "-c", "console", "--", "invopt")


_WRITING = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR,
            errno.EEXIST, errno.EISDIR)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0 when it was done and checked, else says what is wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    if not given:
        parser.print_help()
        return 2
    # A benchmark reads its own options.
    parsed = parser.parse_args(given if given[0] == "bench" else each_set(given))
    try:
        status = int(parsed.command(parsed) or 0)
        sys.stdout.flush()
        return status
    except InvalidInputError as err:
        print(f"invopt: {err}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read our lines has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except KeyboardInterrupt:
        print("invopt: interrupted", file=sys.stderr)
        return 130
    except Exception as err:  # a place that cannot be written, a damaged file, a defect of ours
        if sys.flags.dev_mode:
            raise
        print(f"invopt: {_unwritable(err) or _unforeseen(err)}", file=sys.stderr)
        return 1


def _unwritable(err: Exception) -> str:
    """Return what is said of a place that cannot be written, "" of any other exception."""
    if not isinstance(err, OSError) or err.errno not in _WRITING:
        return ""
    where = f"{err.filename}: " if err.filename else ""
    return f"{where}{err.strerror}: name a place that can be written"


def _unforeseen(err: Exception) -> str:
    """Return what is said of an exception that nobody foresaw: what, where, and how to see more."""
    import traceback  # noqa: PLC0415

    last = traceback.extract_tb(err.__traceback__)[-1]
    text = " ".join(str(err).split()) or "no text"
    return (
        f"{type(err).__name__}: {text} ({Path(last.filename).name}, line {last.lineno}). A file of "
        "the workspace may be damaged, else it is a defect of invopt: `PYTHONDEVMODE=1 invopt ...` "
        "shows the traceback to report."
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="invopt", description="Demand forecasting and inventory optimisation.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_run, _add_compile, _add_submit, _add_wait, _add_preview, _add_rollback, _add_serve,
        _add_plan, _add_demo_data, _add_why, _add_acknowledge, _add_switch, _add_prune,
        _add_init_mapping, _add_check_data, _add_bench, _add_completion,
    ):  # fmt: skip
        add(commands)
    return parser


def _add_run(commands: "Commands") -> None:
    run = commands.add_parser("run", help="run a pipeline on this machine")
    _add_pipeline(
        run, config_help="configuration of the run (default: that of the workspace's last training)"
    )
    run.add_argument("--data", type=Path, metavar="DIR", help="folder of the data")
    _add_workspace(run)
    run.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="orders to write (CSV); purchase orders, exceptions, forecast and page go beside it",
    )
    run.add_argument(
        "--fail-on",
        choices=ACTIONS[1:],
        help=f"monitoring: end with status {_DECIDED} where it decides this or more "
        f"({', '.join(ACTIONS)}), for cron",
    )
    run.set_defaults(command=_run)


def _run(parsed: argparse.Namespace) -> int:
    from pipelines.launch import run_pipeline  # noqa: PLC0415

    if parsed.fail_on and parsed.pipeline != "monitoring":
        raise InvalidInputError("--fail-on is for decisions: it belongs to monitoring.")
    folder = run_pipeline(
        parsed.pipeline,
        parsed.config,
        parsed.data,
        workspace=parsed.workspace,
        out=parsed.out,
        overrides=parsed.overrides,
    )
    return status_of(folder, parsed.fail_on) if parsed.fail_on else 0


def status_of(folder: Path, fail_on: str) -> int:
    """Return the exit status of a monitoring run that is to fail on a decision.

    A page whose causes somebody has acknowledged counts as an alert.

    Args:
        folder: Of the run.
        fail_on: The least decision to fail on.
    """
    from invopt.files import read_json  # noqa: PLC0415
    from invopt.report.monitoring_page import silenced  # noqa: PLC0415

    found = read_json(folder / "monitoring.json")
    decision = "alert" if found["decision"] == "page" and silenced(found) else found["decision"]
    return _DECIDED if ACTIONS.index(decision) >= ACTIONS.index(fail_on) else 0


def _add_compile(commands: "Commands") -> None:
    compile_ = commands.add_parser("compile", help="write a pipeline as YAML for a cluster")
    _add_pipeline(compile_)
    compile_.add_argument(
        "--out", type=Path, metavar="FILE.yaml", required=True, help="file to write"
    )
    compile_.add_argument(
        "--manifest", action="store_true", help="as Pipeline and PipelineVersion resources"
    )
    compile_.add_argument("--namespace", metavar="NS", help="namespace of the resources")
    compile_.set_defaults(command=_compile)


def _compile(parsed: argparse.Namespace) -> None:
    from pipelines.launch import compile_pipeline, load_parameters  # noqa: PLC0415

    if parsed.out.suffix != ".yaml" or parsed.out.is_dir():
        raise InvalidInputError(f"--out {parsed.out} must name a file that ends in .yaml.")
    parameters = load_parameters(parsed.config, parsed.overrides)
    if parsed.manifest:
        from pipelines.manifest import compile_manifest  # noqa: PLC0415

        compile_manifest(parsed.pipeline, parameters, parsed.out, parsed.namespace)
    else:
        compile_pipeline(parsed.pipeline, parameters, parsed.out)
    print(f"wrote {parsed.out}")


def _add_submit(commands: "Commands") -> None:
    submit = commands.add_parser("submit", help="run a pipeline on a cluster")
    _add_pipeline(submit)
    submit.add_argument(
        "--host", required=True, metavar="URL", help="URL of the Kubeflow Pipelines API"
    )
    submit.add_argument(
        "--namespace", metavar="NS", help="namespace, required where Kubeflow is multi-user"
    )
    submit.add_argument("--data", metavar="DIR", help="folder of the data, as the steps see it")
    submit.add_argument(
        "--cron",
        metavar="FIELDS",
        help='run on a schedule: six fields, seconds first ("0 0 4 * * *" is every day at 4)',
    )
    submit.add_argument(
        "--wait",
        action="store_true",
        help="wait for the end of the run; its result is the exit status",
    )
    submit.set_defaults(command=_submit)


def _submit(parsed: argparse.Namespace) -> None:
    from pipelines.follow import Target  # noqa: PLC0415
    from pipelines.launch import load_parameters  # noqa: PLC0415
    from pipelines.submit import (  # noqa: PLC0415
        Submission,
        check_all,
        check_cron,
        check_health,
        check_image,
    )
    from serving.deployment import Deployment  # noqa: PLC0415

    token = Deployment.from_environment().cluster.pipeline_token
    target = Target(parsed.host.rstrip("/"), parsed.namespace, token)
    loaded = []
    check_all(
        lambda: loaded.append(load_parameters(parsed.config, parsed.overrides)),
        lambda: _one_run_or_a_schedule(parsed),
        lambda: check_cron(parsed.cron) if parsed.cron else None,
        check_image,
        lambda: check_health(target),
    )
    # In the version's defaults, so that a retraining nobody submits finds the data too.
    parameters = replace(
        loaded[0],
        data_dir=parsed.data or "",
        command=_submit_command(parsed),
        console=shlex.join(["kubectl", *_in(parsed.namespace), *_CONSOLE]) + " {}",
    )
    submission = Submission(target, parsed.pipeline, parameters, _say)
    if parsed.cron:
        submission.schedule(parsed.cron)
        return
    run_id = submission.run()
    if parsed.wait:
        submission.wait(run_id)


def _one_run_or_a_schedule(parsed: argparse.Namespace) -> None:
    if parsed.cron and parsed.wait:
        raise InvalidInputError("--wait is for one run: a schedule has no end.")


def _add_wait(commands: "Commands") -> None:
    wait = commands.add_parser("wait", help="follow a run that was submitted to its end")
    wait.add_argument(
        "run", metavar="RUN", help="id that `submit` printed: the end of the run's URL"
    )
    wait.add_argument(
        "--host", required=True, metavar="URL", help="URL of the Kubeflow Pipelines API"
    )
    wait.set_defaults(command=_wait)


def _wait(parsed: argparse.Namespace) -> None:
    from pipelines.follow import Following, Target  # noqa: PLC0415
    from serving.deployment import Deployment  # noqa: PLC0415

    token = Deployment.from_environment().cluster.pipeline_token
    target = Target(parsed.host.rstrip("/"), None, token)
    Following(target, parsed.run.rpartition("/")[2], _say).to_the_end()


def _submit_command(parsed: argparse.Namespace) -> str:
    """Return the command that would submit a training as this run was submitted."""
    parts = ["invopt", "submit", "training", "--config", str(parsed.config), "--host", parsed.host]
    parts += [
        *_in(parsed.namespace, "--namespace"),
        *(["--data", parsed.data] if parsed.data else []),
    ]
    for override in parsed.overrides:
        parts += ["--set", override]
    return shlex.join(parts)


def _in(namespace: str | None, option: str = "-n") -> list[str]:
    return [option, namespace] if namespace else []


def _add_preview(commands: "Commands") -> None:
    preview = commands.add_parser("preview", help="show what a run would do")
    _add_pipeline(preview)
    _add_workspace(preview)
    preview.set_defaults(command=_preview)


def _preview(parsed: argparse.Namespace) -> None:
    import tempfile  # noqa: PLC0415

    from pipelines import preview as looking  # noqa: PLC0415
    from pipelines.launch import compile_pipeline, load_parameters  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        parameters = load_parameters(parsed.config, parsed.overrides)
        compile_pipeline(parsed.pipeline, parameters, package)
        compiled = looking.read_compiled(package)
    previous, seconds = looking.last_compiled(parsed.workspace, parsed.pipeline)
    print(looking.table(looking.preview(compiled, previous, seconds)))


def _add_rollback(commands: "Commands") -> None:
    rollback = commands.add_parser(
        "rollback", help="return to the previous champion, in registry and endpoint"
    )
    rollback.add_argument("--workspace", type=Path, metavar="DIR", help="workspace of this machine")
    rollback.add_argument(
        "--namespace", metavar="NS", help="Kubernetes namespace (default: current context)"
    )
    rollback.add_argument(
        "--service", default="demand-forecaster", metavar="NAME", help="InferenceService"
    )
    rollback.add_argument(
        "--name", help="registered model (default: the service's, or the only one)"
    )
    rollback.add_argument(
        "--to",
        metavar="VERSION",
        default="",
        help="version to go back to: given twice it changes nothing (default: the champion "
        "before, so that a second rollback goes forward again)",
    )
    rollback.set_defaults(command=_rollback)


def _rollback(parsed: argparse.Namespace) -> None:
    from invopt.errors import ConfigError  # noqa: PLC0415
    from serving.cluster.inference_service import InferenceService  # noqa: PLC0415
    from serving.deployment import Deployment  # noqa: PLC0415
    from serving.libraries import ask_registry_less  # noqa: PLC0415
    from serving.loop.release import roll_back, roll_back_local  # noqa: PLC0415

    if parsed.workspace is not None:
        if parsed.namespace is not None:
            raise ConfigError("name --workspace (this machine) or --namespace (cluster), not both.")
        registry = _deployment(parsed.workspace).registry
        version = roll_back_local(registry, parsed.name, _say, parsed.to)
        print(f"version {version} is champion again")
        return
    ask_registry_less()
    deployment = Deployment.from_environment()
    service = InferenceService(deployment.connect(parsed.namespace), parsed.service, _say)
    version = roll_back(service, deployment.registry, parsed.name, _say, parsed.to)
    print(f"{parsed.service} serves version {version} again, and it is champion")


def _add_serve(commands: "Commands") -> None:
    serve = commands.add_parser("serve", help="answer requests with the champion")
    serve.add_argument("--name", help="registered model (default: the only one)")
    _add_workspace(serve)
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to bind; 0.0.0.0 for every network"
    )
    serve.add_argument("--port", type=PORT, default=8080, metavar="N", help="HTTP port")
    serve.add_argument("--grpc-port", type=PORT, metavar="N", help="gRPC port (default: no gRPC)")
    serve.add_argument(
        "--predictor-host",
        metavar="HOST:PORT",
        help="gRPC address of a predictor, python -m serving.predictor "
        "(default: none, the model runs in this process)",
    )
    serve.set_defaults(command=_serve)


def _serve(parsed: argparse.Namespace) -> None:
    from serving.__main__ import ModelSource, run  # noqa: PLC0415
    from serving.deployment import Deployment  # noqa: PLC0415

    if not parsed.workspace.is_dir():
        raise InvalidInputError(
            f"nothing was trained in {parsed.workspace} yet: run `invopt run training --config "
            f"FILE --workspace {parsed.workspace}` first."
        )
    deployment = Deployment.of(parsed.workspace)
    name = parsed.name or deployment.registry.only_model()
    _say(f"loading {name}")
    source = ModelSource(deployment, name, predictor=parsed.predictor_host)
    run(source, parsed.host, parsed.port, parsed.grpc_port, _say)


def _add_plan(commands: "Commands") -> None:
    plan = commands.add_parser(
        "plan", help="open the latest orders to planners: accept, change, reject, override, what if"
    )
    _add_deployment(plan)
    plan.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on; any but this machine's needs INVOPT_SERVER_TOKEN",
    )  # fmt: skip
    plan.add_argument("--port", type=PORT, default=8090, metavar="N", help="port to listen on")
    plan.add_argument(
        "--name", metavar="NAME", help="registered model (default: the one planned last)"
    )
    plan.set_defaults(command=_plan)


def _plan(parsed: argparse.Namespace) -> None:
    from serving.planner import run  # noqa: PLC0415
    from serving.settings import ServerSettings  # noqa: PLC0415

    deployment = _deployment(parsed.workspace)
    settings = ServerSettings.from_environment(
        parsed.host, parsed.port, None, deployment.environment
    )
    run(deployment, settings, _say, parsed.name)


def _add_demo_data(commands: "Commands") -> None:
    demo = commands.add_parser("demo-data", help="write the files of the made-up retailer")
    demo.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    demo.add_argument(
        "--products", type=AT_LEAST_ONE, default=50, metavar="N", help="number of products"
    )
    demo.add_argument(
        "--stores", type=AT_LEAST_ONE, default=10, metavar="N", help="number of stores"
    )
    demo.add_argument("--days", type=whole(2), default=730, metavar="N", help="number of days")
    demo.add_argument("--seed", type=whole(0), default=0, metavar="N", help="another retailer")
    demo.set_defaults(command=_demo_data)


def _demo_data(parsed: argparse.Namespace) -> None:
    from invopt.synthetic import FILES, make_retailer, write_retailer  # noqa: PLC0415

    if parsed.out.exists() and not parsed.out.is_dir():
        raise InvalidInputError(f"--out {parsed.out} is a file; name a folder.")
    others = sorted({p.name for p in parsed.out.glob("*")} - FILES)
    if others:
        raise InvalidInputError(
            f"--out {parsed.out} holds {len(others)} files or folders that are none of the "
            f"retailer's, {others[0]} for one, and would be replaced whole: name a new folder."
        )
    retailer = make_retailer(parsed.products, parsed.stores, parsed.days, parsed.seed)
    write_retailer(retailer, parsed.out)
    print(f"wrote {parsed.out}: {len(retailer.series)} series over {retailer.num_days} days")


def _add_why(commands: "Commands") -> None:
    why = commands.add_parser("why", help="explain a decision of monitoring, or a served order")
    why.add_argument(
        "what",
        metavar="RUN|DATE|REQUEST|SERIES",
        help="a monitoring run, a day (YYYY-MM-DD), the id of a served request, or a series",
    )
    _add_deployment(why)
    why.set_defaults(command=_why)


def _why(parsed: argparse.Namespace) -> None:
    from serving.loop.why import tell_why  # noqa: PLC0415

    tell_why(_deployment(parsed.workspace), parsed.what, print)


def _add_acknowledge(commands: "Commands") -> None:
    acknowledge = commands.add_parser(
        "acknowledge", help="keep the alert of a monitoring run quiet: somebody looks at it"
    )
    acknowledge.add_argument(
        "run", nargs="?", metavar="RUN", help="monitoring run that paged (default: the latest)"
    )
    acknowledge.add_argument("--who", required=True, metavar="NAME", help="who looks at it")
    acknowledge.add_argument(
        "--until", metavar="YYYY-MM-DD",
        help="last quiet day (UTC), for later runs with the same causes too "
        "(default: until the next run)",
    )  # fmt: skip
    acknowledge.add_argument("--reason", default="", metavar="TEXT", help="what is being done")
    acknowledge.add_argument(
        "--name", metavar="NAME", help="registered model (default: the only one)"
    )
    _add_deployment(acknowledge)
    acknowledge.set_defaults(command=_acknowledge)


def _acknowledge(parsed: argparse.Namespace) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415

    from serving.loop.acknowledging import acknowledge, word_of  # noqa: PLC0415

    word = word_of(parsed.who, parsed.until, parsed.reason, datetime.now(UTC))
    deployment = _deployment(parsed.workspace)
    name = parsed.name or deployment.registry.only_model()
    acknowledge(deployment, name, parsed.run, word, print)


def _add_switch(commands: "Commands") -> None:
    switch = commands.add_parser(
        "retraining", help="turn retraining off or on (closes the breaker), or show its status"
    )
    switch.add_argument("state", choices=("off", "on", "status"))
    switch.add_argument("--name", metavar="NAME", help="registered model (default: the only one)")
    switch.add_argument("--reason", default="", metavar="TEXT", help="kept with the decision")
    _add_deployment(switch)
    switch.set_defaults(command=_switch)


def _switch(parsed: argparse.Namespace) -> None:
    from serving.loop.retraining import switch_retraining, tell_retraining  # noqa: PLC0415

    deployment = _deployment(parsed.workspace)
    name = parsed.name or deployment.registry.only_model()
    if parsed.state != "status":
        is_off = parsed.state == "off"
        switch_retraining(deployment, name, off=is_off, reason=parsed.reason)
    tell_retraining(deployment, name, print)


def _add_prune(commands: "Commands") -> None:
    prune = commands.add_parser(
        "prune", help="show, or delete, what a workspace holds that is neither served nor audited"
    )
    prune.add_argument(
        "--days", type=float, default=90, metavar="N", help="age up to which everything stays"
    )
    prune.add_argument("--delete", action="store_true", help="delete what is shown")
    _add_deployment(prune)
    prune.set_defaults(command=_prune)


def _prune(parsed: argparse.Namespace) -> None:
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    from serving.loop.retention import delete, expired  # noqa: PLC0415

    if not parsed.days >= 1:
        raise InvalidInputError(f"--days must be 1 or more, got {parsed.days:g}.")
    deployment = _deployment(parsed.workspace)
    items = expired(deployment, timedelta(days=parsed.days), datetime.now(UTC))
    for item in items:
        print(f"{item.size / 1e6:9.1f} MB  {item.days:5.0f} days  {item.kind}: {item.path}")
    total = f"{len(items)} of {sum(item.size for item in items) / 1e6:,.1f} MB"
    if not items:
        print(f"nothing here is older than {parsed.days:g} days and neither served nor audited")
    elif parsed.delete:
        delete(deployment, items)
        print(f"{total} deleted; models, orders, decisions and published features stayed")
    else:
        print(f"{total} may go: the same command with --delete deletes them")


def _add_init_mapping(commands: "Commands") -> None:
    guess = commands.add_parser(
        "init-mapping", help="draft a mapping and a configuration from the files"
    )
    guess.add_argument("data", type=Path, metavar="DIR", help="folder of the files")
    guess.add_argument(
        "--out", type=Path, metavar="FILE.yaml",
        help="mapping to write (default: DIR's name and .yaml); config.yaml goes beside it",
    )  # fmt: skip
    for option, what in (
        ("product", "that names the product sold"),
        ("location", "that names the place"),
        ("date", "of the day or time of a sale"),
        ("quantity", "of the units sold"),
    ):
        guess.add_argument(f"--{option}", metavar="COLUMN", help=f"column {what}")
    guess.add_argument(
        "--holidays", metavar="COUNTRY",
        help="whose public holidays are known ahead (DE, or DE-BY for a region)",
    )  # fmt: skip
    guess.set_defaults(command=_init_mapping)


def _init_mapping(parsed: argparse.Namespace) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415

    from invopt.sources.proposal import write_mapping  # noqa: PLC0415
    from invopt.sources.words import SpokenNames  # noqa: PLC0415

    if parsed.out is not None and parsed.out.is_dir():
        raise InvalidInputError(
            f"--out {parsed.out} is a folder: name the file, as in {parsed.out / 'mapping.yaml'}."
        )
    asked = SpokenNames(parsed.product, parsed.location, parsed.date, parsed.quantity)
    out = parsed.out or Path(f"{parsed.data.resolve().name}.yaml")
    today = datetime.now(UTC).date()
    for line in write_mapping(parsed.data, out, asked, today=today, holidays=parsed.holidays):
        print(line)


def _add_check_data(commands: "Commands") -> None:
    check = commands.add_parser(
        "check-data", help="read the data and account for every row, without training"
    )
    given = check.add_mutually_exclusive_group(required=True)
    given.add_argument("--config", type=Path, metavar="FILE", help="configuration of a run")
    given.add_argument(
        "--mapping", type=Path, metavar="FILE", help="mapping, with the usual limits"
    )
    check.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data")
    check.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for account.json, quarantine.parquet and index.html",
    )
    check.set_defaults(command=_check_data)


def _check_data(parsed: argparse.Namespace) -> None:
    from pipelines.checking import check_data  # noqa: PLC0415
    from serving.deployment import Deployment  # noqa: PLC0415

    deployment = Deployment.from_environment()
    check_data(deployment, parsed.config, parsed.mapping, parsed.data, parsed.out)


def _add_bench(commands: "Commands") -> None:
    bench = commands.add_parser("bench", help="measure a part against its record or its peers")
    bench.add_argument("name", metavar="NAME", help="benchmark; `invopt bench list` names them all")
    bench.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="...", help="its own options; --help shows them"
    )
    bench.set_defaults(command=_bench)


def _bench(parsed: argparse.Namespace) -> None:
    if parsed.name == "list":
        print("\n".join(_benchmarks()))
        return
    try:
        module = importlib.import_module(f"benchmarks.{parsed.name.replace('-', '_')}")
    except ModuleNotFoundError as err:
        if err.name != f"benchmarks.{parsed.name.replace('-', '_')}":
            raise
        known = ", ".join(_benchmarks())
        meant = did_you_mean(parsed.name, _benchmarks()) or "."
        raise InvalidInputError(
            f"there is no benchmark {parsed.name}{meant} There are {known}."
            if known
            else "benchmarks are in the repository, not in the package: run this in a checkout."
        ) from err
    module.main(parsed.rest)


def _add_completion(commands: "Commands") -> None:
    completion = commands.add_parser(
        "completion", help="print a script that completes commands and options in a shell"
    )
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell")
    completion.set_defaults(command=_completion)


def _completion(parsed: argparse.Namespace) -> None:
    import shtab  # noqa: PLC0415

    parser = _parser()
    for command in subcommands(parser).values():
        for action in command._actions:
            if action.type is Path:
                is_folder = action.metavar == "DIR"
                action.complete = (  # type: ignore[attr-defined]
                    shtab.DIRECTORY if is_folder else shtab.FILE
                )
    print(shtab.complete(parser, shell=parsed.shell))


def _benchmarks() -> list[str]:
    folder = Path(__file__).resolve().parent.parent / "benchmarks"
    return sorted(p.stem.replace("_", "-") for p in folder.glob("[!_]*.py"))


def _add_pipeline(parser: argparse.ArgumentParser, config_help: str | None = None) -> None:
    """Add the pipeline and its configuration; it may be left out where the help says what then."""
    parser.add_argument("pipeline", choices=PIPELINES, help="what to run")
    parser.add_argument(
        "--config",
        type=Path,
        required=config_help is None,
        metavar="FILE",
        help=config_help or "configuration of the run",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        dest="overrides",
        help="change one field of the configuration; may be repeated, or name several",
    )


def _add_workspace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path("workspace"),
        metavar="DIR",
        help="folder of runs, models and stores",
    )


def _add_deployment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workspace",
        type=Path,
        metavar="DIR",
        help="folder of the deployment (default: stores from INVOPT_* variables, else ./workspace)",
    )


def _deployment(workspace: Path | None) -> "Deployment":
    """Return the deployment of a workspace, or of this process's environment."""
    from serving.deployment import Deployment  # noqa: PLC0415

    deployment = Deployment.of(workspace)
    if not deployment.settings.workspace.is_dir():
        raise InvalidInputError(
            f"--workspace {deployment.settings.workspace} is not a folder: give the one "
            "that `invopt run` writes its runs to."
        )
    return deployment


def _say(text: str) -> None:
    print(f"invopt: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
