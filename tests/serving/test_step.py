"""What a step repeats, how it ends, and who may change its files."""

import os
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
import sqlalchemy as sa

from invopt.errors import ConfigError, InvalidInputError
from serving.cluster.kubernetes import unreachable
from serving.step import run
from serving.transient import is_passing, patiently


def failing(*errors):
    left = list(errors)
    calls = []

    def execute():
        calls.append(1)
        if left:
            raise left.pop(0)

    return execute, calls


def refused():
    """Return a real refused connection, as a client of ours reports it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    except OSError as err:
        raise unreachable("asking", err) from err


def caught(raising, *args):
    try:
        raising(*args)
    except Exception as err:
        return err
    raise AssertionError


def from_(err, cause):
    err.__cause__ = cause
    return err


def test_a_lost_connection_is_tried_again_and_the_wait_grows(capsys):
    waits = []
    execute, calls = failing(caught(refused), caught(refused))
    assert run(execute, 2, waits.append) == 0
    assert len(calls) == 3
    assert waits == [30.0, 60.0]
    assert "cannot be reached" in capsys.readouterr().out


def test_a_connection_that_stays_lost_ends_after_the_retries_with_its_sentence(capsys):
    execute, calls = failing(*[caught(refused) for _ in range(9)])
    assert run(execute, 2, lambda _: None) == 1
    assert len(calls) == 3
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith(
        "@invopt-failed asking failed: it cannot be reached"
    )
    assert "Traceback" not in said.out + said.err


@pytest.mark.parametrize(
    "err",
    [
        InvalidInputError("no series has sales"),
        ConfigError("features.windows must\nnot be empty"),
        KeyError("y"),
        MemoryError(),
        FileNotFoundError("/data"),
        from_(InvalidInputError("no such bucket"), PermissionError("403")),
    ],
)
def test_bad_input_and_defects_end_at_once(err, capsys):
    waits = []
    execute, calls = failing(err)
    assert run(execute, 5, waits.append) == 1
    assert len(calls) == 1
    assert waits == []
    (last,) = capsys.readouterr().out.splitlines()
    assert last.startswith("@invopt-failed ")


def test_a_defect_keeps_its_traceback_and_bad_input_has_none(capsys):
    run(failing(KeyError("y"))[0], 0)
    said = capsys.readouterr()
    assert "Traceback" in said.err
    assert said.out == "@invopt-failed KeyError: 'y'.\n"
    run(failing(InvalidInputError("bad"))[0], 0)
    assert "Traceback" not in capsys.readouterr().err


def test_a_terminated_step_is_not_repeated():
    execute, calls = failing(SystemExit(143))
    with pytest.raises(SystemExit):
        run(execute, 5, lambda _: None)
    assert len(calls) == 1


def passing_errors():
    import botocore.exceptions
    import redis
    import requests
    import sqlalchemy.exc
    import urllib3
    from kubernetes.client import ApiException
    from mlflow.exceptions import MlflowException

    def mlflow():
        try:
            raise requests.ConnectionError("Connection refused")
        except requests.ConnectionError as err:
            raise MlflowException(f"API request failed with exception {err}")  # noqa: B904

    return [
        (redis.ConnectionError("Error 111 connecting"), True),
        (redis.BusyLoadingError("loading"), True),
        (redis.AuthenticationError("invalid password"), False),
        (requests.ReadTimeout("timed out"), True),
        (requests.exceptions.SSLError("certificate verify failed"), False),
        (requests.HTTPError("404"), False),
        (urllib3.exceptions.MaxRetryError(None, "/", "x"), True),
        (urllib3.exceptions.SSLError("certificate"), False),
        (urllib.error.URLError(ConnectionRefusedError(111, "refused")), True),
        (urllib.error.HTTPError("u", 503, "unavailable", {}, None), True),
        (urllib.error.HTTPError("u", 404, "not found", {}, None), False),
        (ApiException(status=500), True),
        (ApiException(status=403), False),
        (from_(InvalidInputError("x (503)"), ApiException(status=503)), True),
        (sqlalchemy.exc.OperationalError("s", {}, Exception("could not connect to server")), True),
        (sqlalchemy.exc.OperationalError("s", {}, Exception("authentication failed")), False),
        (sqlalchemy.exc.ProgrammingError("s", {}, Exception("syntax")), False),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="u"), True),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="u"), True),
        (botocore.exceptions.NoCredentialsError(), False),
        (caught(mlflow), True),
        (ConnectionResetError(104, "reset"), True),
        (TimeoutError(), True),
        (OSError(28, "No space left on device"), False),
        (ValueError("x"), False),
    ]  # fmt: skip


def test_what_a_store_that_is_away_raises_is_passing_and_what_it_refuses_is_not():
    wrong = [err for err, expected in passing_errors() if is_passing(err) != expected]
    assert wrong == []


def test_an_error_met_on_the_way_to_bad_input_does_not_make_it_passing():
    def ask_then_refuse():
        try:
            raise ConnectionError("the first way")
        except ConnectionError:
            raise InvalidInputError("the second way is misspelled")  # noqa: B904

    assert not is_passing(caught(ask_then_refuse))


@pytest.mark.parametrize(("before", "mode"), [(0o000, 0o644), (0o022, 0o644), (0o077, 0o600)])
def test_files_of_a_step_are_for_others_to_read_at_most(tmp_path, before, mode):
    file = tmp_path / "file"
    old = os.umask(before)
    try:
        assert run(lambda: file.write_text("x"), 0) == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_step_s_command_runs_as_kfp_calls_it(tmp_path):
    from components.explain_forecaster import explain_forecaster

    command = explain_forecaster.component_spec.implementation.container.command
    script = next(part for part in command if "serving.step" in part)
    assert "_KFP_RUNTIME=true python3 -m serving.step kfp.dsl.executor_main " in script
    source = tmp_path / "component.py"
    source.write_text("def broken():\n    from invopt.errors import InvalidInputError\n"
                      "    raise InvalidInputError('said so')\n")  # fmt: skip
    made = subprocess.run(
        [sys.executable, "-m", "serving.step", "kfp.dsl.executor_main", "--component_module_path",
         str(source), "--executor_input", '{"outputs": {"outputFile": "%s"}}' % (tmp_path / "o"),
         "--function_to_execute", "broken"],
        capture_output=True, text=True, env=os.environ | {"_KFP_RUNTIME": "true"}, check=False,
    )  # fmt: skip
    assert made.returncode == 1
    assert made.stdout.splitlines()[-1] == "@invopt-failed said so"


def no_database():
    """Really ask a PostgreSQL that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sa.create_engine(f"postgresql+psycopg://nobody@127.0.0.1:{port}/features").connect()


def answers_after(number):
    left = [no_database] * number

    def call():
        if left:
            left.pop()()
        return "the store"

    return call


def test_a_database_that_is_away_is_waited_for_with_longer_pauses_and_a_sentence_each():
    told, pauses = [], []
    found = patiently(answers_after(7), "the registry", told.append, sleep=pauses.append)
    assert found == "the store"
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert all(t.startswith("the registry does not answer (OperationalError: ") for t in told)
    assert told[2].endswith("); again in 4 s.")
    assert not any("\n" in text for text in told)


def test_a_database_that_stays_away_ends_in_a_sentence():
    pauses = []
    with pytest.raises(InvalidInputError, match=r"^the registry cannot be used: Operat[^\n]+\.$"):
        patiently(answers_after(99), "the registry", print, seconds=20, sleep=pauses.append)
    assert sum(pauses) == 20


def test_a_database_that_refuses_is_not_waited_for():
    error = sa.exc.OperationalError("", {}, Exception('database "features" does not exist'))
    execute, calls = failing(*[error] * 5)
    with pytest.raises(InvalidInputError, match="does not exist"):
        patiently(execute, "the registry", print, sleep=lambda _: None)
    assert len(calls) == 1


@pytest.mark.parametrize("error", [ConfigError("no such field"), TypeError("a bug")])
def test_what_is_no_store_s_fault_is_raised_as_it_is(error):
    with pytest.raises(type(error), match=str(error)):
        patiently(failing(error)[0], "the registry", print)
