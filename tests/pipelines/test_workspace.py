"""A workspace that cannot be written, is shared, or was left by a run that died."""

import csv
import json
import shlex
import sqlite3
import threading
from pathlib import Path

import pytest

from invopt.errors import InvalidInputError
from pipelines import launch
from pipelines.cli import main
from pipelines.local import LocalRun, failure_of, gather_orders
from serving.settings import Settings
from serving.stores.databases import make_database, relocate

CACHE = "If a file of an earlier run is damaged, delete the workspace's folder cache, run again."


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("ValueError: mmap length is greater than file size.", CACHE),
        ("ArrowInvalid: Could not open '/ws/runs/r1/artifacts/x.parquet': no footer.", CACHE),
        (
            "DatabaseError: file is not a database (/ws/online.db).",
            "If online.db of the workspace is damaged, move it away and run again.",
        ),
        ("FileNotFoundError: '/venv/site-packages/evidently/legacy/tests'.", ""),
        ("ModuleNotFoundError: No module named 'evidently.legacy.tests'.", ""),
        ("TypeError: unsupported operand.", ""),
        (
            "OperationalError: database or disk is full.",
            "Make room on the disk and run again: it goes on from what is there.",
        ),
    ],
)
def test_an_exception_of_a_step_is_told_with_its_step_and_what_may_mend_it(said, advice):
    told = failure_of("evaluate-forecaster", said, Path("/ws"))
    assert told == f"step evaluate-forecaster failed: {said} {advice}".rstrip()


def test_what_a_person_can_mend_is_told_as_the_library_says_it():
    said = "evaluation: gate and selection need 42 periods, the data have 30."
    assert failure_of("prepare-panel", said, Path("/ws")) == said


def test_runs_of_one_second_each_get_a_folder(tmp_path):
    runs = []
    threads = [
        threading.Thread(target=lambda: runs.append(launch.new_run("training", tmp_path)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.folder for run in runs}) == 3
    assert all(run.folder.is_dir() for run in runs)


def test_a_workspace_that_is_a_file_is_told(tmp_path, capsys):
    (tmp_path / "ws").write_text("")
    (tmp_path / "data").mkdir()
    status = main(
        ["run", "training", "--config", "pipelines/configs/smoke.yaml",
         "--data", str(tmp_path / "data"), "--workspace", str(tmp_path / "ws")]
    )  # fmt: skip
    assert status == 1
    assert f"--workspace {tmp_path / 'ws'} is a file; name a folder." in capsys.readouterr().err


def test_a_file_inside_the_workspaces_path_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InvalidInputError, match="cannot be written: .*Not a directory"),
        launch.writing_to(tmp_path / "file" / "ws"),
    ):
        pass


def test_a_place_where_no_folder_can_be_made_is_told():
    place = Path("/proc/no-such-workspace")
    with (
        pytest.raises(InvalidInputError, match=f"workspace {place} cannot be written: No such"),
        launch.writing_to(place),
    ):
        pass


def test_a_full_disk_is_told_in_a_sentence_whenever_it_fills(tmp_path):
    with (
        pytest.raises(InvalidInputError, match="cannot be written: .*No space left on device"),
        launch.writing_to(tmp_path),
    ):
        Path("/dev/full").write_text("a run's log")


def test_unreadable_results_of_old_runs_neither_stop_nor_hide_a_run(tmp_path):
    runs = tmp_path / "runs"
    for name in ("training-20240101-000000", "replenishment-20240102-000000",
                 "monitoring-20240103-000000"):  # fmt: skip
        (runs / name).mkdir(parents=True)
    (runs / "training-20240101-000000" / "verdict.json").write_text("{")
    with (runs / "replenishment-20240102-000000" / "orders.csv").open("w") as file:
        csv.writer(file).writerow(["unique_id", "order_quantity", "review_date"])
    (runs / "monitoring-20240103-000000" / "monitoring.json").write_text(json.dumps({}))
    page = launch._index_runs(Settings.of(tmp_path)).read_text()
    assert page.lower().count("its results cannot be read") == 2
    assert "0 orders for 0 units" in page


def filled(file: str) -> None:
    with sqlite3.connect(file.removeprefix("sqlite:///")) as connection:
        connection.execute("CREATE TABLE registered_models (name TEXT)")


def test_a_database_that_was_being_made_when_it_stopped_is_made_anew(tmp_path):
    file = tmp_path / "mlflow.db"

    def stopped(url):
        filled(url)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_database(f"sqlite:///{file}", stopped)
    assert not file.exists()
    make_database(f"sqlite:///{file}", filled)
    assert file.is_file()
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []


def test_a_half_made_database_of_an_earlier_build_is_made_anew_and_a_used_one_kept(tmp_path):
    file = tmp_path / "mlflow.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE trace_info (id TEXT)")
    make_database(f"sqlite:///{file}", filled)
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO registered_models VALUES ('shop')")
        connection.execute("PRAGMA user_version = 0")  # as an earlier build left it

    def never(_):
        raise AssertionError

    make_database(f"sqlite:///{file}", never)
    make_database("postgresql://server/db", never)


def test_two_that_make_one_database_at_a_time_wait_for_each_other(tmp_path):
    file, calls = tmp_path / "mlflow.db", []

    def fill(url):
        calls.append(url)
        filled(url)

    threads = [
        threading.Thread(target=make_database, args=(f"sqlite:///{file}", fill)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


PLACES = [("runs", "artifact_uri", "mlartifacts")]


def with_paths(file, *paths):
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS runs (artifact_uri TEXT)")
        connection.executemany("INSERT INTO runs VALUES (?)", [[path] for path in paths])
    return f"sqlite:///{file}"


def paths_of(file):
    with sqlite3.connect(file) as connection:
        return [path for (path,) in connection.execute("SELECT artifact_uri FROM runs")]


def test_paths_in_a_database_that_was_copied_lead_into_its_own_workspace(tmp_path):
    other, remote = "/a/models/ws/mlartifacts/shop/1/artifacts", "s3://bucket/mlartifacts/x"
    url = with_paths(tmp_path / "mlflow.db", other, remote, "mlruns/0")
    relocate(url, tmp_path, PLACES)
    relocate(url, tmp_path, PLACES)
    own = f"{tmp_path}/mlartifacts/shop/1/artifacts"
    assert paths_of(tmp_path / "mlflow.db") == [own, remote, "mlruns/0"]


def test_a_database_that_several_workspaces_share_keeps_its_paths(tmp_path):
    path = "/first/mlartifacts/shop/1/artifacts"
    url = with_paths(tmp_path / "mlflow.db", path)
    relocate(url, tmp_path / "second", PLACES)
    relocate("postgresql://server/db", tmp_path, PLACES)
    assert paths_of(tmp_path / "mlflow.db") == [path]


def test_a_workspace_at_another_place_has_a_cache_of_its_own(tmp_path):
    one, other = (launch._cache(Settings.of(tmp_path / name)) for name in ("a", "b"))
    assert one.name != other.name


def planned(tmp_path, *, ended):
    """Return a replenishment run whose plan step has written its files, and ended well or not."""
    run = LocalRun("replenishment", tmp_path / "ws" / "runs" / "replenishment-2")
    for task, name in (
        ("plan-orders", "orders"), ("plan-orders", "purchase_orders"),
        ("plan-orders", "exceptions"), ("forecast-demand", "forecast/forecast.parquet"),
    ):  # fmt: skip
        file = run.artifacts / "replenishment-x" / task / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}, whole")
    if ended:
        (run.artifacts / "replenishment-x" / "plan-orders" / "executor_output.json").write_text("")
    return run


def test_a_step_after_the_orders_that_fails_does_not_hold_them_back(tmp_path, capsys):
    run = planned(tmp_path, ended=True)
    assert gather_orders(run)
    launch._tell_orders(run, tmp_path / "out" / "orders.csv")
    assert (tmp_path / "out" / "orders.csv").read_text() == "orders, whole"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "exceptions.csv", "forecast.parquet", "orders.csv", "purchase_orders.csv",
    ]  # fmt: skip
    assert f"orders: {tmp_path}/out/orders.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "words"),
    [("my sales", ["--data", "my sales"]), ("ws/data/demo", [])],
)
def test_the_command_after_a_training_names_the_data_it_needs(tmp_path, data, words):
    run = LocalRun("training", tmp_path / "ws" / "runs" / "training-1")
    command = launch._next(run, Settings.of(tmp_path / "ws"), tmp_path / data)
    given = [str(tmp_path / word) if word == "my sales" else word for word in words]
    asked = ["run", "replenishment", *given, "--workspace", str(tmp_path / "ws")]
    assert shlex.split(command)[1:] == [*asked, "--out", "orders.csv"]


def test_orders_of_a_plan_that_was_cut_off_or_of_an_earlier_run_are_not_handed_out(tmp_path):
    run = planned(tmp_path, ended=False)
    earlier = run.folder.with_name("replenishment-1") / "artifacts" / "x" / "plan-orders"
    earlier.mkdir(parents=True)
    (earlier / "executor_output.json").write_text("")
    (earlier / "orders").write_text("of yesterday")
    assert not gather_orders(run)
    assert not (run.folder / "orders.csv").exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[]", b'{"decision": 1}', b"{" * 9999])
@pytest.mark.parametrize("name", ["verdict.json", "monitoring.json", "orders.csv"])
def test_whatever_earlier_runs_left_no_later_run_fails_for_it(tmp_path, capsys, name, content):
    folder = tmp_path / "runs" / "training-20260101-000000"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    launch._tell_index(Settings.of(tmp_path))
    assert "all runs: " in capsys.readouterr().out
    assert "20260101" in (tmp_path / "runs" / "index.html").read_text()


def test_a_page_over_all_runs_that_cannot_be_written_fails_nothing(tmp_path, capsys):
    (tmp_path / "runs" / "index.html").mkdir(parents=True)
    (tmp_path / "runs" / "index.html" / "x").write_text("")
    launch._tell_index(Settings.of(tmp_path))
    assert "the page over all runs was not written: " in capsys.readouterr().out


@pytest.mark.parametrize("is_there", [False, True])
def test_a_workspace_without_a_registry_plans_nothing_and_is_left_as_it_was(
    tmp_path, is_there, capsys
):
    workspace = tmp_path / "ws"
    if is_there:
        workspace.mkdir()
    smoke = Path(__file__).parents[2] / "pipelines" / "configs" / "smoke.yaml"
    command = ["run", "replenishment", "--config", str(smoke), "--workspace", str(workspace)]
    assert main([*command, "--out", str(tmp_path / "orders.csv")]) == 1
    told = capsys.readouterr().err
    assert "nothing was trained in" in told
    assert "invopt run training --config FILE --workspace" in told
    assert workspace.exists() == is_there
    assert sorted(p.name for p in tmp_path.rglob("*")) == (["ws"] if is_there else [])
