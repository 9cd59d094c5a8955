import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from serving.stores.deployment_record import grounds, image_of, software

CHECKOUT = Path(__file__).resolve().parents[3]


def written(folder):
    (folder / "assessment").mkdir()
    (folder / "verdict").write_text(json.dumps({"decision": "promote", "reasons": ["cheaper"]}))
    (folder / "explanation").write_text(json.dumps({"importance": {"price": 0.2, "lag": 0.7}}))
    (folder / "assessment" / "metrics.json").write_text(
        json.dumps(
            {
                "ranges": {"train_stop": 90, "gate": [100, 128]},
                "judged": {"challenger": {"points": {"wape": 0.4}}},
                "incumbent": "seasonal naive",
                "cost": {"change": -0.1},
                "leaks": [],
            }
        )
    )
    return folder


def test_a_deployment_names_data_verdict_folds_backtest_attributions_and_files(tmp_path):
    found = grounds(written(tmp_path), "snapshot-1")
    assert found["snapshot"] == "snapshot-1"
    assert found["verdict"]["decision"] == "promote"
    assert found["folds"]["gate"] == [100, 128]
    assert found["backtest"]["cost"] == {"change": -0.1}
    assert list(found["attributions"]) == ["lag", "price"]
    assert set(found["files"]) == {"verdict", "explanation", "assessment/metrics.json"}
    digest = hashlib.sha256((tmp_path / "verdict").read_bytes()).hexdigest()
    assert found["files"]["verdict"] == digest


def test_what_was_not_registered_is_null_and_not_made_up(tmp_path):
    found = grounds(tmp_path / "nothing", "")
    assert found == dict.fromkeys(found, None) | {"files": {}}


def test_a_pod_finds_the_digests_of_its_own_images_or_says_why_not():
    status = {"containerStatuses": [{"name": "main", "imageID": "reg/invopt-job@sha256:12"}]}
    pods = [{"metadata": {"name": "other"}}, {"metadata": {"name": "step-1"}, "status": status}]
    assert image_of(pods, "step-1") == {"main": "reg/invopt-job@sha256:12"}
    assert image_of(pods, "laptop") == "not known: no pod laptop in the namespace of the service"


def test_software_is_named_with_its_version():
    found = {c["name"]: c["version"] for c in software()["components"]}
    assert "numpy" in found


def test_the_list_of_an_image_has_a_package_with_version_and_address(tmp_path):
    file = tmp_path / "sbom.cdx.json"
    program, places = CHECKOUT / "docker" / "sbom.py", os.environ | {"PYTHONPATH": str(CHECKOUT)}
    subprocess.run([sys.executable, program, file], check=True, env=places)
    found = json.loads(file.read_text())
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    [numpy] = [part for part in found["components"] if part["name"] == "numpy"]
    assert numpy["purl"] == f"pkg:pypi/numpy@{version('numpy')}"


def test_every_pinned_package_but_torch_has_a_hash_of_its_files():
    pinned = set((CHECKOUT / "constraints.txt").read_text().split())
    lines = (CHECKOUT / "docker" / "hashes.txt").read_text().splitlines()
    hashed = {line.removesuffix(" \\") for line in lines if "==" in line}
    assert {name.partition("==")[0] for name in pinned - hashed} == {"torch"}
    assert hashed <= pinned
