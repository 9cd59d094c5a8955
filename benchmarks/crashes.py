"""`invopt bench crashes`: every operation on a workspace killed at each of its writes in turn.

As SQLite tests itself: strace (Debian package) kills the process at the n-th call that changes a
file, or answers from the n-th on that the disk is full. Afterwards the champion must be one that
is whole and has its own verdict, orders must be whole or not there, and the next run must end well.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import _crash
from invopt.errors import InvalidInputError
from invopt.types import Notify
from serving.settings import MODEL_STORE, WORKSPACE, Settings
from serving.stores.registry import Registry

NAME = "demo"
_ORDERS = "unique_id,order_quantity,model_version\n" + "".join(
    f"s{n},{n},1\n" for n in range(20_000)
)


@dataclass(frozen=True)
class Operation:
    """Something that changes a workspace.

    Attributes:
        name: In the table.
        work: Does it, in a folder that holds a workspace.
        whole: Raises AssertionError where the folder is not what it must be after a crash.
        done: The same after a run that ended well.
        champion: Version that is champion before, of which template; "" for a workspace that was
            never opened.
    """

    name: str
    work: Callable[[Path], object]
    whole: Callable[[Path], None]
    done: Callable[[Path], None]
    champion: str = "1"


@dataclass
class Row:
    """What was seen of one operation and one kind of fault."""

    operation: str
    fault: str
    calls: int
    tried: int = 0
    faults: list[str] = field(default_factory=list)


def main(arguments: list[str]) -> None:
    """Run and print the table; a fault ends with a sentence that names the first ones."""
    parser = argparse.ArgumentParser(prog="invopt bench crashes")
    parser.add_argument("--points", type=int, default=0, help="calls per operation; 0 for each")
    parser.add_argument("--only", choices=[o.name for o in OPERATIONS], help="one operation")
    parser.add_argument("--seconds", type=float, default=0, help="stop after; 0 for never")
    found = parser.parse_args(arguments)
    chosen = [o for o in OPERATIONS if found.only in (None, o.name)]
    rows = crash(chosen, found.points, found.seconds, lambda text: print(text, flush=True))
    print(table(rows))
    wrong = [f"{r.operation}, {fault}" for r in rows for fault in r.faults]
    if wrong:
        raise InvalidInputError(
            f"{len(wrong)} crashes left something wrong: {'; '.join(wrong[:3])}"
        )


def crash(operations: list["Operation"], points: int, seconds: float, notify: Notify) -> list[Row]:
    """Crash operations; returns what was seen.

    Args:
        operations: To crash.
        points: Calls tried per operation and fault, spread over all; 0 for each.
        seconds: After which no more is tried; 0 for never.
        notify: Called with a line per operation.

    Raises:
        InvalidInputError: If there is no strace.
    """
    if shutil.which("strace") is None:
        raise InvalidInputError("crashes are made by strace: install the Debian package strace.")
    _import()
    deadline = time.monotonic() + seconds if seconds else float("inf")
    rows = []
    with tempfile.TemporaryDirectory(prefix="invopt-crashes-") as scratch:
        templates = _templates(Path(scratch))
        for operation in operations:
            template = templates[operation.champion]
            calls = _count(operation, template)
            for fault in (_crash.KILL, _crash.FULL):
                row = Row(operation.name, fault, calls)
                rows.append(row)
                for at in _spread(calls, points):
                    if time.monotonic() > deadline:
                        break
                    wrong = _one(operation, template, fault, at)
                    row.tried += 1
                    row.faults += [f"{fault} at {at} of {calls}: {wrong}"] if wrong else []
                notify(
                    f"{operation.name}, {fault}: {row.tried} of {calls}, {len(row.faults)} wrong"
                )
    return rows


def table(rows: list[Row]) -> str:
    """Return what was seen as a table in Markdown."""
    lines = [
        "| operation | fault | calls that change files | tried | wrong afterwards |",
        "|---|---|---|---|---|",
    ]
    words = {_crash.KILL: "killed", _crash.FULL: "disk full"}
    lines += [
        f"| {r.operation} | {words[r.fault]} | {r.calls} | {r.tried} | {len(r.faults)} |"
        for r in rows
    ]
    return "\n".join(lines)


def _one(operation: Operation, template: Path | None, fault: str, at: int) -> str:
    """Crash one run at one call; returns what was wrong, "" where nothing was."""
    with _copy(template) as place:
        first = _crash.run(lambda: operation.work(place), fault, at)
        for what, work in (
            ("after the crash", lambda: operation.whole(place)),
            ("the next run", lambda: operation.work(place)),
            ("after the next run", lambda: operation.done(place)),
        ):
            ended = _crash.run(work)
            if ended.status:
                return f"{what}: {ended.said or ended.status} (it had ended with {first.status})"
    return ""


def _count(operation: Operation, template: Path | None) -> int:
    with _copy(template) as place:
        ended = _crash.run(lambda: operation.work(place), count=True)
        if ended.status:
            raise InvalidInputError(f"{operation.name} fails by itself: {ended.said}")
        after = _crash.run(lambda: operation.done(place))
        if after.status:
            raise InvalidInputError(f"{operation.name} does not do what it should: {after.said}")
    return ended.calls


def _spread(calls: int, points: int) -> list[int]:
    if not points or points >= calls:
        return list(range(1, calls + 1))
    step = (calls - 1) / max(1, points - 1)
    return sorted({1 + round(step * n) for n in range(points)})


@contextmanager
def _copy(template: Path | None) -> Iterator[Path]:
    """Yield a folder that holds a copy of a template's content."""
    with tempfile.TemporaryDirectory(prefix="invopt-crash-") as folder:
        place = Path(folder) / "place"
        if template is None:
            place.mkdir()
        else:
            shutil.copytree(template, place)
        yield place


def _import() -> None:
    """Import here what forked processes need: it takes seconds."""
    import mlflow  # noqa: PLC0415
    import mlflow.store.model_registry.sqlalchemy_store  # noqa: PLC0415
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401, PLC0415

    import pipelines.launch  # noqa: F401, PLC0415
    import serving.loop.release  # noqa: F401, PLC0415


def _templates(scratch: Path) -> dict[str, Path | None]:
    """Return folders with a workspace whose champion is 1, or 2 after 1, by champion."""
    first, second, third = (scratch / name for name in ("first", "second", "third"))

    def make() -> None:
        for model in ("1", "2", "3"):
            made = first / "made" / model
            made.mkdir(parents=True)
            (made / "model.onnx").write_text(f"weights of {model} " * 5000)
            (made / "verdict.json").write_text(json.dumps({"of": f"weights of {model}"}))
        for model in ("1", "2"):
            _register(first, model)
        registry_of(first).make_champion(NAME, "1")
        run = first / "run"
        run.mkdir()
        for name in ("orders.csv", "purchase_orders.csv", "exceptions.csv", "forecast.parquet"):
            (run / name).write_text(_ORDERS)

    def go_on() -> None:
        registry_of(second).make_champion(NAME, "2")

    _well(make)
    shutil.copytree(first, second)
    _well(go_on)
    shutil.copytree(first, third)
    _well(lambda: _register(third, "3", f"file://{scratch}/store"))
    return {"": None, "1": first, "2": second, "of a store": third}


def _well(work: Callable[[], None]) -> None:
    ended = _crash.run(work)
    if ended.status:
        raise RuntimeError(ended.said)


def registry_of(place: Path, store: str = "") -> Registry:
    """Return the registry of the workspace in a folder, whose models are in a store."""
    from serving.deployment import Deployment  # noqa: PLC0415

    environment = {**os.environ, WORKSPACE: str(place / "workspace"), MODEL_STORE: store}
    environment.pop("MLFLOW_TRACKING_URI", None)
    return Deployment.from_environment(environment).registry


def _register(place: Path, model: str, store: str = "") -> None:
    made = place / "made" / model
    folder = made.with_name(f"{model}-model")
    if not folder.is_dir():
        folder.mkdir()
        shutil.copy(made / "model.onnx", folder)
    registry_of(place, store).register(
        NAME, str(folder), [str(made / "verdict.json")], {"snapshot": "s"}, lambda _: None
    )


def _check_registry(place: Path, champions: set[str], versions: set[str]) -> None:
    """Check that the champion is one of some, whole, with its own verdict, and no version twice."""
    registry = registry_of(place)
    champion = registry.champion_of(NAME)
    assert champion.version in champions, f"champion {champion.version}"
    found = [version for _, version in registry.registered_versions()]
    assert set(found) <= versions, f"versions {found}"
    places = [registry.model_source(NAME, version) for version in found]
    assert len(set(places)) == len(places), f"one model twice: {places}"
    for version in found:
        model = (registry.version_path(NAME, version) / "model.onnx").read_text()
        verdict = json.loads((registry.evidence_path(NAME, version) / "verdict.json").read_text())
        assert model.startswith(verdict["of"] + " "), f"version {version} has another's verdict"
    before = registry.previous_version(NAME)
    assert before in {"", *champions} - {champion.version}, f"before it {before}"


def _open(place: Path) -> None:
    assert registry_of(place).registered_versions() == []


def _roll_back(place: Path) -> None:
    from serving.loop.release import roll_back_local  # noqa: PLC0415

    roll_back_local(registry_of(place), NAME, lambda _: None)


def _hand_out(place: Path) -> None:
    """Hand out the orders of a run as `invopt run replenishment --out` does, and keep the plan."""
    from pipelines.launch import _tell_orders  # noqa: PLC0415
    from pipelines.local import LocalRun  # noqa: PLC0415
    from serving.stores.order_plans import keep_plan  # noqa: PLC0415

    run = LocalRun("replenishment", place / "run")
    plans = Settings.of(place / "workspace").plans
    keep_plan(plans, NAME, "2026-01-05", str(run.folder / "orders.csv"))
    _tell_orders(run, place / "out" / "orders.csv")


def _check_orders(place: Path, *, there: bool = False) -> None:
    from serving.stores.order_plans import last_plan  # noqa: PLC0415

    plan = last_plan(Settings.of(place / "workspace").plans, NAME, "2026-01-06")
    out = place / "out" / "orders.csv"
    for file in (plan, out):
        if file is not None and file.is_file():
            assert file.read_text() == _ORDERS, f"{file.name} is there in part"
        else:
            assert not there, f"{file} is missing"
    if out.is_file():
        for name in ("purchase_orders.csv", "exceptions.csv", "forecast.parquet"):
            assert (out.parent / name).read_text() == _ORDERS, f"{name} is missing beside orders"


def _refresh(place: Path) -> None:
    """Fetch a new model from an object store and check it, as a server does that looks for one."""
    registry = registry_of(place)
    registry.files(registry.version_of(NAME, "3"))


def _anything(place: Path) -> None:
    assert place.is_dir()


OPERATIONS = [
    Operation(
        "register",
        lambda place: _register(place, "3"),
        lambda place: _check_registry(place, {"1"}, {"1", "2", "3"}),
        lambda place: _check_registry(place, {"1"}, {"1", "2", "3"}),
    ),
    Operation(
        "promote",
        lambda place: registry_of(place).make_champion(NAME, "2"),
        lambda place: _check_registry(place, {"1", "2"}, {"1", "2"}),
        lambda place: _check_registry(place, {"2", "1"}, {"1", "2"}),
    ),
    Operation(
        "roll back",
        _roll_back,
        lambda place: _check_registry(place, {"1", "2"}, {"1", "2"}),
        lambda place: _check_registry(place, {"1", "2"}, {"1", "2"}),
        champion="2",
    ),
    Operation(
        "hand out orders",
        _hand_out,
        _check_orders,
        lambda place: _check_orders(place, there=True),
    ),
    Operation("refresh", _refresh, _anything, _refresh, champion="of a store"),
    Operation(
        "first opening",
        _open,
        _anything,
        _open,
        champion="",
    ),
]
