"""From the registry to an answer: a version is champion once a server with it has answered."""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from invopt.errors import InvalidInputError
from serving.deployment import Deployment
from tests.serving.conftest import NAME

pytestmark = pytest.mark.slow


@contextmanager
def answering(answer):
    """Yield the release's view of a server that answers a path with a status and a body."""
    from serving.loop.local_release import _Server

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = answer(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield _Server(f"http://127.0.0.1:{listening.server_port}", "demo", "")
        listening.shutdown()


def test_a_version_that_answers_becomes_champion_and_a_broken_one_does_not(shop, tmp_path):
    from serving.loop.local_release import deploy_local

    # Servers here ask for a token: the one that is tried asks for it too.
    token = {"INVOPT_SERVER_TOKEN": "open sesame"}
    deployment = Deployment.from_environment({**os.environ, **shop.settings.export(), **token})
    registry, told = deployment.registry, []
    version = registry.register(NAME, str(shop.model), [], {"snapshot": "s"}, told.append)
    assert deploy_local(deployment, NAME, version, told.append) == version
    assert registry.champion_version(NAME) == version
    assert (registry.champion_path(NAME) / "reference.npz").is_file()

    shutil.copytree(shop.model, tmp_path / "other")
    (tmp_path / "other" / "note.txt").write_text("another model")
    second = registry.register(NAME, str(tmp_path / "other"), [], {"snapshot": "s"}, told.append)
    broken = registry.version_path(NAME, second) / "model.onnx"
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(InvalidInputError, match=r"did not become ready.*model.onnx"):
        deploy_local(deployment, NAME, second, told.append)
    assert registry.champion_version(NAME) == version


def test_why_a_server_is_not_ready_names_its_end_its_answer_and_its_last_words(tmp_path):
    from serving.loop.local_release import _not_ready

    log = tmp_path / "log"
    log.write_text("/x.py:1: SAWarning: not useful\n  warnings.warn(\nserve: no such model\n\n")
    assert _not_ready(1, 10, "", log) == (
        "the server did not become ready: it ended with status 1; "
        "it last said: serve: no such model"
    )
    log.write_text("")
    assert _not_ready(None, 0.5, '503 {"code": "unavailable"}', log) == (
        "the server did not become ready: not within 0.5 minutes (deployment.ready_minutes); "
        'it answered 503 {"code": "unavailable"}; it said nothing'
    )
    assert "did not take the token in INVOPT_SERVER_TOKEN" in _not_ready(None, 1, "401 {}", log)


@pytest.mark.parametrize(
    ("predictions", "outputs", "message"),
    [
        ([{"mean": [1.0]}, {"mean": [2.0]}], ["mean"], None),
        ([{"mean": [1.0]}], ["mean"], "smoke answer is not whole"),
        ([{"mean": [1.0]}, {"error": "unknown"}], ["mean"], "smoke answer is not whole"),
        ([{"mean": [1.0]}, {"mean": [2.0]}], ["order_quantity"], "v2 answer has no mean"),
    ],
)
def test_a_version_that_answers_in_part_is_not_deployed(predictions, outputs, message):
    from serving.loop.local_release import _smoke

    def answer(path):
        v1 = {"predictions": predictions}
        return 200, v1 if path.startswith("/v1") else {"outputs": [{"name": outputs[0]}]}

    with answering(answer) as server:
        if message:
            with pytest.raises(InvalidInputError, match=message):
                _smoke(server, ["a", "b"])
        else:
            _smoke(server, ["a", "b"])


@pytest.mark.parametrize(
    ("statuses", "asked", "message"),
    [
        ([503, 503, 200], 3, None),
        ([503, 401, 200], 2, "did not take the token"),
    ],
)
def test_a_server_is_waited_for_until_it_is_ready_or_wants_another_token(
    statuses, asked, message, tmp_path
):
    from serving.loop.local_release import _wait_ready

    left, log = list(statuses), tmp_path / "log"
    log.write_text("")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with answering(lambda _: (left.pop(0), {})) as server:
        if message:
            with pytest.raises(InvalidInputError, match=message):
                _wait_ready(server, process, str(log), 1.0)
        else:
            _wait_ready(server, process, str(log), 1.0)
    process.kill()
    process.wait()
    assert len(statuses) - len(left) == asked
