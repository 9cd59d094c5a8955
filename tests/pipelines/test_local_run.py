"""The compiled pipelines run for real, one after another, in one workspace."""

import html
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pandas as pd
import pytest

from pipelines.cli import main
from serving.loop.local_release import free_port
from tests.builders import CONFIGS

pytestmark = pytest.mark.slow
CONFIG = str(CONFIGS / "smoke.yaml")
# Whether so small a model asks for a retraining differs by the machine that trained it.
GOVERNOR_OFF = ("--set", "governor.enabled=false")


def invopt(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop") / "workspace"
    for pipeline, rest in (
        ("training", []),
        ("replenishment", ["--out", folder / "orders.csv"]),
        ("monitoring", GOVERNOR_OFF),
    ):
        done = invopt("run", pipeline, "--config", CONFIG, "--workspace", folder, *rest)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def server(workspace):
    port = free_port()
    with (workspace / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "serve", "--workspace", str(workspace),
             "--port", str(port)],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/smoke/ready")
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.25)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def only_run(workspace, pipeline):
    [run] = (workspace / "runs").glob(f"{pipeline}-*")
    return run


def post(url, body):
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as err:
        return err.code, json.loads(err.read())


def test_training_leaves_a_verdict_metrics_and_a_report(workspace):
    run = only_run(workspace, "training")
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["decision"] == "promote"
    assert all(c["passed"] for c in verdict["checks"])
    metrics = json.loads((run / "metrics.json").read_text())
    lstm, naive = (metrics["judged"][n]["points"] for n in ("challenger", "seasonal naive"))
    for name in ("rmse", "mae", "wape"):
        assert lstm[name] < naive[name]
    page = (run / "report" / "index.html").read_text()
    assert "promote" in page
    assert page.count("<svg") >= 7


def test_the_sweep_was_shared_by_workers_and_its_best_values_used(workspace):
    run = only_run(workspace, "training")
    sweep = json.loads((run / "sweep.json").read_text())
    assert len(sweep["trials"]) == 2
    assert sweep["best"]["model.hidden_size"] in (8, 16)


def test_the_deployment_rests_on_a_whole_bundle_of_evidence(workspace):
    [file] = (workspace / "models").glob("smoke/*/evidence/deployment.json")
    found = json.loads(file.read_text())
    assert found["deployer"] == "process"
    assert found["verdict"]["decision"] == "promote"
    for part in ("snapshot", "folds", "backtest", "attributions", "files", "software"):
        assert found[part], part
    assert found["images"]["job"].startswith("not known: steps and server ran as processes")


def test_attributions_of_the_run_add_up(workspace):
    explanation = json.loads((only_run(workspace, "training") / "explanation.json").read_text())
    assert explanation["additivity_error"] < 1e-2


def test_orders_hold_one_row_per_series_and_forecasts_stand_beside(workspace):
    orders = pd.read_csv(workspace / "orders.csv")
    expected = [
        "unique_id", "product", "location", "supplier", "order_quantity", "order_value",
        "order_up_to_level", "reorder_point", "safety_stock", "on_hand", "on_order", "backorders",
        "expected_demand", "lead_time", "arrival_date", "days_of_cover", "stockout_date",
        "unavoidable_stockout_units", "unavoidable_stockout_cost", "expected_holding_cost",
        "expected_stockout_cost", "exception", "reason", "model_version",
    ]  # fmt: skip
    assert list(orders.columns[: len(expected)]) == expected
    assert orders["unique_id"].is_unique
    assert len(orders) == 60
    # Model and number, as the endpoint and `why` read it; the number alone found no overrides.
    assert orders["model_version"].str.fullmatch(r"smoke-\d+").all()
    forecast = pd.read_parquet(workspace / "forecast.parquet")
    assert list(forecast.columns[:4]) == ["unique_id", "cutoff", "ds", "mean"]
    assert set(forecast.groupby("unique_id").size()) == {14}
    assert {"q0.05", "q0.95"} <= set(forecast.columns)


def test_monitoring_decides_and_leaves_page_numbers_and_evidentlys_report(workspace):
    run = only_run(workspace, "monitoring")
    evidence = json.loads((run / "monitoring.json").read_text())
    assert evidence["decision"] in ("ignore", "alert", "page")
    assert evidence["conclusive"]
    assert len(evidence["drift"]) > 5
    assert {"demand_shift", "error", "coverage", "cost"} <= {s["name"] for s in evidence["signals"]}
    page = (run / "report" / "index.html").read_text()
    assert "Decision" in page
    assert "evidently.html" in page
    assert "Drift" in (run / "report" / "evidently.html").read_text()
    assert "invopt_monitoring_decision" in (run / "metrics.prom").read_text()
    index = (workspace / "runs" / "index.html").read_text()
    assert f"{run.name}/report/index.html" in index
    assert any((workspace / "monitoring" / "records").glob("smoke.parquet"))
    kept = workspace / "monitoring" / "metrics" / "smoke.txt"
    assert kept.read_text() == (run / "metrics.prom").read_text()


def test_why_answers_by_run_and_by_day(workspace):
    run = only_run(workspace, "monitoring")
    end = json.loads((run / "monitoring.json").read_text())["end"]
    for what in (run.name, end):
        told = invopt("why", what, "--workspace", workspace)
        assert told.returncode == 0
        assert run.name in told.stdout
    unknown = invopt("why", "1999-01-01", "--workspace", workspace)
    assert unknown.returncode == 1
    assert '"1999-01-01" is not known' in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_the_next_command_of_the_page_runs_when_pasted_anywhere(workspace, tmp_path):
    run = only_run(workspace, "monitoring")
    page = (run / "report" / "index.html").read_text()
    [command] = re.findall(rf"<code>([^<]* why {run.name}[^<]*)</code>", page)
    done = subprocess.run(
        html.unescape(command), shell=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert run.name in done.stdout


@pytest.fixture(scope="module")
def broken_and_mended(workspace, tmp_path_factory):
    """Monitoring of data without a mapped column, then of the whole data."""
    data = tmp_path_factory.mktemp("broken") / "data"
    shutil.copytree(workspace / "data" / "smoke", data)
    customers = pd.read_csv(data / "customers.csv").drop(columns="visits")
    customers.to_csv(data / "customers.csv", index=False)
    before = set((workspace / "runs").iterdir())
    runs = []
    for folder in (data, workspace / "data" / "smoke"):
        arguments = ("--config", CONFIG, "--workspace", workspace, "--data", folder)
        done = invopt("run", "monitoring", *arguments, *GOVERNOR_OFF)
        [run] = set((workspace / "runs").glob("monitoring-*")) - before
        before.add(run)
        runs.append((done, run))
    return runs


def test_a_mapped_column_that_is_gone_pages_with_a_report_and_trains_nothing(
    workspace, broken_and_mended
):
    done, run = broken_and_mended[0]
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((run / "monitoring.json").read_text())
    assert (found["decision"], found["claim"]) == ("page", None)
    assert [s["name"] for s in found["signals"]] == ["unreadable_data"]
    fault = "customers.columns.visits: there is no column visits"
    assert fault in found["reason"]
    assert fault in (run / "report" / "index.html").read_text()
    assert 'action="page"} 1' in (run / "metrics.prom").read_text()
    assert fault in json.loads((run / "quality.json").read_text())["unreadable"]
    assert run.name in (workspace / "runs" / "index.html").read_text()
    told = invopt("why", run.name, "--workspace", workspace)
    assert "signal unreadable_data (fires, 1 period): " in told.stdout
    assert f"the data cannot be read: {fault}" in told.stdout
    only_run(workspace, "training")  # nothing was trained
    # What belongs to the other branch did not run.
    for skipped in ("prepare-panel", "monitor-drift", "start-training"):
        assert skipped not in done.stdout


def test_once_the_data_are_mended_the_period_is_judged_as_usual(workspace, broken_and_mended):
    (_, broken), (done, mended) = broken_and_mended
    assert done.returncode == 0, done.stdout + done.stderr
    first, found = (json.loads((r / "monitoring.json").read_text()) for r in (broken, mended))
    assert found["conclusive"]
    assert found["end"] == first["end"]
    assert len(found["drift"]) > 5
    assert "window" not in [b["name"] for b in found["governor"]["brakes"] if b["blocks"]]


def test_the_terminal_shows_progress_and_the_log_keeps_everything(workspace, broken_and_mended):
    log = (only_run(workspace, "training") / "run.log").read_text()
    assert "executor_input" in log
    done, _ = broken_and_mended[1]
    assert "monitor-drift" in done.stdout
    assert "executor_input" not in done.stdout
    # clean and features come from the cache: the snapshot and the code are the same
    assert "cleaned" not in done.stdout


def test_v1_and_v2_answer_with_the_orders_of_the_champion(workspace, server):
    names = ["P000_S00", "P003_S02"]
    status, answer = post(
        f"{server}/v1/models/smoke:predict", {"instances": [{"unique_id": n} for n in names]}
    )
    assert status == 200
    orders = pd.read_csv(workspace / "orders.csv").set_index("unique_id")
    for decision in answer["predictions"]:
        row = orders.loc[decision["unique_id"]]
        for name in ("order_quantity", "order_up_to_level", "reorder_point"):
            assert decision[name] == row[name]
        assert decision["model_version"].startswith("smoke-")
        assert len(decision["mean"]) == 14
    status, second = post(
        f"{server}/v2/models/smoke/infer",
        {"inputs": [{"name": "unique_id", "datatype": "BYTES", "shape": [2], "data": names}]},
    )
    assert status == 200
    outputs = {o["name"]: o for o in second["outputs"]}
    means = np.array(outputs["mean"]["data"]).reshape(outputs["mean"]["shape"])
    np.testing.assert_allclose(means, [d["mean"] for d in answer["predictions"]], atol=1e-3)


def test_a_served_forecast_is_the_batch_forecast(workspace, server):
    _, answer = post(f"{server}/v1/models/smoke:predict", {"instances": ["P001_S01"]})
    forecast = pd.read_parquet(workspace / "forecast.parquet")
    batch = forecast[forecast["unique_id"] == "P001_S01"]["mean"].to_numpy()
    np.testing.assert_allclose(answer["predictions"][0]["mean"], batch, atol=1e-3)


def test_an_unknown_series_says_so_and_the_others_are_answered(server):
    status, answer = post(
        f"{server}/v1/models/smoke:predict", {"instances": ["nobody", "P000_S00"]}
    )
    assert status == 200
    assert answer["predictions"][0]["code"] == "unknown_series"
    assert answer["predictions"][1]["order_quantity"] is not None


@pytest.mark.parametrize("body", [{}, {"instances": []}, {"instances": [{"a": 1}]}])
def test_a_request_without_names_is_refused(server, body):
    status, answer = post(f"{server}/v1/models/smoke:predict", body)
    assert status == 400
    assert "instances" in json.dumps(answer) or "unique_id" in json.dumps(answer)


def test_a_port_in_use_is_one_clear_sentence(workspace, server, capsys):
    port = server.rsplit(":", 1)[1]
    assert main(["serve", "--workspace", str(workspace), "--port", port]) == 1
    assert f"port {port} on 127.0.0.1 cannot be used" in capsys.readouterr().err


def test_a_failing_step_tells_its_own_sentence_and_the_log(tmp_path, workspace):
    data = tmp_path / "data"
    data.mkdir()
    done = invopt("run", "training", "--config", CONFIG, "--data", data, "--workspace", workspace)
    assert done.returncode == 1
    assert "sales_lines" in done.stderr
    assert "Traceback" not in done.stderr
    assert "log:" in done.stderr
