"""Monitoring steps on data that cannot be read, one after another, on small real artifacts."""

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kfp.dsl import HTML, Artifact

import components as step
from invopt.errors import InvalidInputError
from invopt.monitoring.retraining_decision import Situation
from invopt.synthetic import make_retailer, write_retailer
from serving.deployment import Deployment
from serving.settings import Settings
from serving.stores.governor_store import GovernorStore, clock
from tests.builders import CONFIGS, make_config

pytestmark = pytest.mark.slow

MAPPING = json.dumps(yaml.safe_load((CONFIGS / "datasets" / "demo.yaml").read_text()))
CONFIG = make_config().as_parameter()


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A workspace with a champion, and the data it was trained on."""
    folder = tmp_path_factory.mktemp("company")
    write_retailer(make_retailer(3, 2, 120, seed=1), folder / "data")
    (folder / "model").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in Settings.of(folder / "workspace").export().items():
            patch.setenv(name, value)
        snapshot = {"snapshot": "demo-20230430-0123456789abcdef"}
        registry = Deployment.of(folder / "workspace").registry
        version = registry.register("demo", str(folder / "model"), [], snapshot, lambda _: None)
        registry.make_champion("demo", version)
        yield folder


@pytest.fixture
def data(company, tmp_path, monkeypatch):
    """A copy of the data, and a governor without memory."""
    monkeypatch.setenv("INVOPT_GOVERNOR_STORE", f"sqlite:///{tmp_path}/governor.db")
    return shutil.copytree(company / "data", tmp_path / "data")


def ingested(data: Path, out: Path, **more):
    quality = Artifact(uri=str(out / "quality.json"))
    _, state = step.ingest_data.python_func(
        mapping=MAPPING, data_dir=str(data), data=CONFIG["data"], quality=quality, **more
    )
    return state, quality


def monitored(data: Path, out: Path, run: str = "monitoring-1") -> tuple[dict, str]:
    """Run the steps of the branch and return the decision file and the page."""
    state, quality = ingested(data, out, tell_faults=True)
    assert state == "unreadable"
    evidence, decision = Artifact(uri=str(out / "evidence")), Artifact(uri=str(out / "decision"))
    step.monitor_unreadable.python_func(
        quality=quality, mapping=MAPPING, config=CONFIG, evidence=evidence
    )
    word = step.govern_retraining.python_func(
        evidence=evidence, config=CONFIG, run=run, job="", decision=decision
    )
    page, metrics = HTML(uri=str(out / "index.html")), Artifact(uri=str(out / "metrics.prom"))
    step.write_monitoring_report.python_func(
        decision=decision, command="invopt run training", console="invopt {}", config=CONFIG,
        report=page, metrics=metrics,
    )  # fmt: skip
    found = json.loads(Path(decision.path).read_text())
    assert found["decision"] == word
    assert f'action="{word}"}} 1' in Path(metrics.path).read_text()
    return found, Path(page.path).read_text()


def without(file: Path, column: str) -> None:
    pd.read_csv(file, dtype=str).drop(columns=column).to_csv(file, index=False)


FAULTS = {
    "a column gone": (
        lambda d: without(d / "customers.csv", "visits"),
        "customers.columns.visits: there is no column visits",
    ),
    "a file gone": (lambda d: (d / "prices.csv").unlink(), "sources.prices: no file"),
    "a garbled file": (
        lambda d: (d / "stock.parquet").write_bytes(os.urandom(4096)),
        "sources.stock",
    ),
    "every row twice": (
        lambda d: pd.concat([pd.read_parquet(d / "stock.parquet")] * 2).to_parquet(
            d / "stock.parquet"
        ),
        "another row has the same key and period",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_data_that_cannot_be_read_page_and_say_what_where_and_retrain_nothing(name, data, tmp_path):
    damage, sentence = FAULTS[name]
    damage(data)
    found, page = monitored(data, tmp_path)
    assert found["decision"] == "page"
    assert found["claim"] is None
    assert not found["conclusive"]
    assert [s["name"] for s in found["signals"]] == ["unreadable_data"]
    assert sentence in found["reason"]
    assert (found["start"], found["end"]) == ("2023-04-24", "2023-04-30")
    assert sentence in page
    assert "docs/runbooks/unreadable-data.md" in page
    assert "Nothing could be read, so nothing was judged" in page


def test_the_same_fault_pages_once_and_the_period_due_is_after_the_one_judged(data, tmp_path):
    store = GovernorStore(Deployment.from_environment().settings.governor_store)
    last = Situation(
        model="demo",
        version="demo-1",
        start="2023-05-01",
        end="2023-05-07",
        conclusive=True,
        why_not="",
        signals=(),
        new_periods=7,
    )
    week_ago = clock() - timedelta(days=7)
    store.decide(last, make_config().governor, week_ago, "monitoring-0")
    (data / "prices.csv").unlink()
    first, _ = monitored(data, tmp_path)
    again, page = monitored(data, tmp_path, "monitoring-2")
    assert [f["decision"] for f in (first, again)] == ["page", "alert"]
    assert (first["start"], first["end"]) == ("2023-05-08", "2023-05-14")
    assert again["end"] == first["end"]
    assert "already paged" in page
    assert [r.action for r in store.audit("demo")] == ["alert", "page", "ignore"]
    store.close()


def test_training_and_replenishment_still_end_where_data_cannot_be_read(data, tmp_path):
    (data / "prices.csv").unlink()
    with pytest.raises(InvalidInputError, match=r"sources\.prices: no file"):
        ingested(data, tmp_path)


def test_without_a_champion_there_is_nothing_to_monitor(data, tmp_path):
    (data / "prices.csv").unlink()
    _, quality = ingested(data, tmp_path, tell_faults=True)
    with pytest.raises(InvalidInputError, match="no champion named nobody.*run the training"):
        step.monitor_unreadable.python_func(
            quality=quality, mapping=MAPPING, config=CONFIG | {"name": "nobody"},
            evidence=Artifact(uri=str(tmp_path / "evidence")),
        )  # fmt: skip
