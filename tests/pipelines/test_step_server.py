"""Steps as forks of a warm process: each is a process of its own, whatever was loaded before it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.step_server import ALWAYS, MODULES, warm_steps
from serving.step import SERVER

pytestmark = pytest.mark.slow
SOURCE = """
def look(place: str):
    import json, os, sys
    from pathlib import Path
    found = {"warm": "pandas" in sys.modules, "folder": os.getcwd(), "own": os.environ.get("OWN"),
             "server": os.environ.get("INVOPT_STEP_SERVER"), "stdin": sys.stdin.read()}
    Path(place).write_text(json.dumps(found))
    print("looked around")


def refuse(place: str):
    from invopt.errors import InvalidInputError
    raise InvalidInputError("said so")


def vanish(place: str):
    import os
    os.kill(os.getpid(), 9)


def stay(place: str):
    import os, time
    from pathlib import Path
    Path(place).write_text(str(os.getpid()))
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def warm():
    """The environment of a run that has a warm process."""
    with warm_steps("monitoring", os.environ | {"OWN": "of the run"}) as environment:
        yield environment


def command(tmp_path, function):
    source = tmp_path / "component.py"
    source.write_text(SOURCE)
    given = {"inputs": {"parameterValues": {"place": str(tmp_path / "told")}}}
    outputs = {"outputs": {"outputFile": str(tmp_path / "o" / "output.json")}}
    return [
        sys.executable, "-m", "serving.step", "kfp.dsl.executor_main",
        "--component_module_path", str(source), "--executor_input", json.dumps(given | outputs),
        "--function_to_execute", function,
    ]  # fmt: skip


def played(tmp_path, function, environment):
    return subprocess.run(
        command(tmp_path, function), capture_output=True, text=True, input="given", check=False,
        env=environment | {"_KFP_RUNTIME": "true"},
    )  # fmt: skip


def test_a_step_finds_libraries_loaded_and_its_own_environment_input_and_output(tmp_path, warm):
    mine = warm | {"OWN": "of the step"}
    made = played(tmp_path, "look", mine)
    assert (made.returncode, made.stderr) == (0, "")
    assert "looked around" in made.stdout.splitlines()
    found = json.loads((tmp_path / "told").read_text())
    assert found == {
        "warm": True, "own": "of the step", "server": None, "stdin": "given",
        "folder": str(Path.cwd()),
    }  # fmt: skip


def test_a_step_that_fails_tells_why_and_ends_as_it_would_alone(tmp_path, warm):
    alone = {name: value for name, value in warm.items() if name != SERVER}
    said = [played(tmp_path, "refuse", environment) for environment in (warm, alone)]
    ends = [(made.returncode, made.stdout.splitlines()[-1]) for made in said]
    assert ends == [(1, "@invopt-failed said so")] * 2


def test_a_step_that_is_killed_ends_with_the_signal_s_status(tmp_path, warm):
    assert played(tmp_path, "vanish", warm).returncode == 128 + signal.SIGKILL


def test_a_step_ends_when_who_waits_for_it_is_gone(tmp_path, warm):
    waiting = subprocess.Popen(command(tmp_path, "stay"), env=warm | {"_KFP_RUNTIME": "true"})
    place = tmp_path / "told"
    wait_until(lambda: place.is_file() and place.read_text())
    waiting.terminate()
    assert waiting.wait(10) == -signal.SIGTERM
    wait_until(lambda: not is_there(int(place.read_text())))


def test_without_a_warm_process_a_step_starts_by_itself(tmp_path):
    made = played(tmp_path, "look", os.environ | {SERVER: str(tmp_path / "nobody")})
    assert made.returncode == 0
    assert json.loads((tmp_path / "told").read_text())["folder"] == str(Path.cwd())


def test_the_warm_process_ends_with_its_run(tmp_path):
    with warm_steps("replenishment", os.environ) as environment:
        assert played(tmp_path, "look", environment).returncode == 0
    assert not Path(environment[SERVER]).exists()


@pytest.mark.parametrize("pipeline", MODULES)
def test_nothing_that_is_loaded_ahead_starts_a_thread_that_a_fork_would_lose(pipeline):
    names = [*ALWAYS, *MODULES[pipeline]]
    code = (
        "import sys, threading; from pipelines.step_server import load; "
        "[load(n) for n in sys.argv[1:]]; "
        "print(threading.active_count(), 'onnxruntime' in sys.modules)"
    )
    made = subprocess.run([sys.executable, "-W", "ignore", "-c", code, *names],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert made.stdout == "1 False\n"


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(holds):
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen within a minute")
