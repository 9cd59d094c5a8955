from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from invopt.baselines import Baseline
from invopt.config import ModelConfig, MonitoringConfig
from invopt.monitoring.serving_health import read_served, serving_signals
from serving.stores.prediction_log import SCHEMA
from tests.builders import make_panel

PANEL = make_panel(30, 140)
FORECASTS = Baseline(14, 7, ModelConfig())
CONFIG = MonitoringConfig(min_rows=10)


def write_log(folder, *, step="fresh", scale=1.0, num=30, what_if=False, day=None):
    """Write what a server would have logged for the panel's last cutoff."""
    cutoff = PANEL.num_periods - 1
    mean = FORECASTS.predict(PANEL, cutoff).mean * scale
    at = day or (PANEL.timeline.last + pd.Timedelta(hours=9)).to_pydatetime()
    rows = [
        {
            "request_id": str(i), "served_at": at.replace(tzinfo=UTC), "what_if": what_if,
            "unique_id": PANEL.unique_ids[i], "model_version": "demo-1", "step": step,
            "feature_age_s": 60.0 * i, "cutoff": PANEL.timeline.last.date(),
            "mean": mean[i].tolist(),
        }
        for i in range(num)
    ]  # fmt: skip
    folder = folder / f"{at:%Y-%m-%d}"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"part-{len(list(folder.iterdir())):012d}-1.parquet"
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), place)


def read(folder, forecasts=FORECASTS):
    return read_served(folder, PANEL, forecasts, "demo-1", 7)


def test_no_log_is_no_finding(tmp_path):
    assert read(tmp_path / "nothing") is None
    assert serving_signals(None, CONFIG) == []


def test_served_and_batch_forecasts_that_agree_have_no_skew(tmp_path):
    write_log(tmp_path)
    served = read(tmp_path)
    assert served.num_decisions == 30
    assert served.num_compared == 30
    assert served.skew == pytest.approx(0, abs=1e-6)
    assert served.age_p95 == pytest.approx(60 * 29 * 0.95)
    degraded, skew = serving_signals(served, CONFIG)
    assert not degraded.fires
    assert not skew.fires
    old = serving_signals(replace(served, age_p95=86400 * 1.52), CONFIG)[0]
    assert old.text.endswith("were degraded; 95 % rest on sales known up to 1.5 days before")


def test_served_forecasts_five_percent_off_alert(tmp_path):
    write_log(tmp_path, scale=1.05)
    skew = next(s for s in serving_signals(read(tmp_path), CONFIG) if s.name == "skew")
    assert skew.value == pytest.approx(0.05, rel=1e-3)
    assert skew.fires
    assert not skew.pages


def test_degraded_answers_page(tmp_path):
    write_log(tmp_path)
    write_log(tmp_path, step="seasonal_naive", num=10)
    degraded = serving_signals(read(tmp_path), CONFIG)[0]
    assert degraded.value == pytest.approx(0.25)
    assert degraded.fires
    assert degraded.pages


def test_questions_what_if_and_earlier_periods_are_left_out(tmp_path):
    write_log(tmp_path, what_if=True)
    write_log(tmp_path, day=datetime(2020, 1, 1, 9))
    assert read(tmp_path) is None


def test_a_log_of_another_model_has_no_skew(tmp_path):
    write_log(tmp_path)
    served = read_served(tmp_path, PANEL, FORECASTS, "demo-2", 7)
    assert served.num_compared == 0
    assert np.isnan(served.skew)
    assert [s.name for s in serving_signals(served, CONFIG)] == ["degraded"]


def test_a_handful_of_answers_concludes_nothing(tmp_path):
    write_log(tmp_path, step="stale", num=3)
    assert serving_signals(read(tmp_path), CONFIG) == []
    assert serving_signals(replace(read(tmp_path), num_decisions=11), CONFIG)[0].fires
