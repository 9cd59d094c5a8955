import os
import subprocess
import sys

from serving.libraries import (
    ask_registry_less,
    hand_down_packages,
    limit_threads,
    set_switches,
)


def test_threads_follow_the_processors_unless_the_environment_says_otherwise():
    environment = {"MKL_NUM_THREADS": "7"}
    limit_threads(2, environment)
    assert environment == {
        "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "7",
        "OMP_WAIT_POLICY": "PASSIVE",
    }  # fmt: skip


def test_switches_are_set_unless_the_environment_says_otherwise():
    environment = {"DO_NOT_TRACK": "0"}
    set_switches(environment)
    assert environment == {
        "DO_NOT_TRACK": "0", "MLFLOW_DISABLE_TELEMETRY": "true",
        "GRPC_EXPERIMENTS": "-event_engine_client,-event_engine_listener",
    }  # fmt: skip


def test_whatever_is_imported_of_serving_the_switches_are_set():
    code = "import serving.client, os; print(os.environ['MLFLOW_DISABLE_TELEMETRY'])"
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_DISABLE_TELEMETRY"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "true"


def test_a_folder_of_packages_is_handed_down_once_and_before_all_others():
    environment = {"PYTHONPATH": f"/a{os.pathsep}/b"}
    hand_down_packages("/c", environment)
    hand_down_packages("/c", environment)
    assert environment == {"PYTHONPATH": os.pathsep.join(("/c", "/a", "/b"))}


def test_a_registry_that_says_nothing_is_given_up_in_half_a_minute():
    environment = {}
    ask_registry_less(environment)
    assert environment == {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "6",
    }  # fmt: skip
    environment = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
    ask_registry_less(environment)
    assert environment["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "60"
