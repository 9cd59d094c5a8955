"""From an assessment to the folder of a model of parts, and what it forecasts, plans and serves."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from invopt.assessment import CHALLENGER
from invopt.candidates import write_baselines
from invopt.errors import ContractError
from invopt.features import FeatureEncoder, derived_channels, model_inputs
from invopt.files import write_json
from invopt.forecasts import SERIES_ARRAYS, forecast_of
from invopt.model import export_onnx
from invopt.model_files import BASELINES, JUDGED, verify, write_sums
from invopt.monitoring.champion import champion_of
from invopt.parts import MAIN, PartRule, Parts
from invopt.runtime import NETWORK, ComposedForecaster, OnnxForecaster, load_forecaster
from invopt.steps.compose import compose_model, rules_folder
from invopt.steps.replenish import forecast_series
from tests.builders import make_config, make_forecaster, make_panel

CONFIG = make_config(features={"aggregates": []})
AVERAGE = "moving average"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Write panel, network and assessment, and a model of parts around the network."""
    place = tmp_path_factory.mktemp("made")
    panel = make_panel(num_series=12, num_periods=120)
    panel = panel.with_channels(derived_channels([panel], CONFIG.features))
    panel.save(place / "source")
    network = place / "network"
    write_network(panel, network)
    folders = write_baselines(
        panel, CONFIG, 100, place / "assessment" / BASELINES, names=[AVERAGE, "seasonal naive"]
    )
    known = {name: {"label": name, "folder": path.name} for name, path in folders.items()}
    write_json(place / "assessment" / "metrics.json", {"baselines": known})
    location = str(panel.series["location"].iloc[0])
    rules = (
        PartRule(group="one", makers=("seasonal-naive",), series=(str(panel.unique_ids[-1]),)),
        PartRule(group=f"location={location}", makers=("moving-average",), column="location",
                 values=(location,)),
        PartRule(group="category", makers=(MAIN, "moving-average"), column="category",
                 values=(str(panel.series["category"].iloc[-2]),)),
    )  # fmt: skip
    write_rules(place, CHALLENGER, rules)
    shutil.copytree(network, place / "model")
    compose(place, "model")
    return place, panel


def write_network(panel, folder):
    forecaster = make_forecaster(panel, CONFIG)
    forecaster.save(folder)
    encoded = FeatureEncoder(forecaster.spec).encode(panel)
    rows = np.arange(panel.num_series)
    inputs = model_inputs(forecaster.spec, encoded, rows, np.full(len(rows), 119))
    export_onnx(forecaster, folder / "model.onnx", inputs)
    write_json(folder / "training.json", {"config": CONFIG.model_dump(mode="json")})


def write_rules(place, main, rules):
    folder = rules_folder(place / "assessment", main)
    folder.mkdir(parents=True)
    Parts(rules).save(folder)


def compose(place, folder, main=CHALLENGER):
    compose_model(
        place / folder, main, place / "assessment", network=place / "network",
        source=str(place / "source"), config=CONFIG, notify=lambda _: None,
    )  # fmt: skip


def test_a_composed_model_gives_each_series_its_own_parts_answer(made):
    place, panel = made
    composed = load_forecaster(place / "model")
    assert isinstance(composed, ComposedForecaster)
    places, whole = composed.made_by(panel), composed.predict(panel)
    assert sorted(set(places.tolist())) == [0, 1, 2, 3]
    own = {
        name: OnnxForecaster(place / "model" / "parts" / name if name else place / "model")
        for name in (MAIN, "moving-average", "seasonal-naive")
    }
    for number in range(4):
        rows = np.flatnonzero(places == number)
        answers = [own[name].predict(panel) for name in composed.parts.makers(number)]
        for array in SERIES_ARRAYS:
            wanted = np.mean([getattr(forecast_of(a, rows), array) for a in answers], axis=0)
            np.testing.assert_allclose(
                getattr(whole, array)[rows], wanted, rtol=1e-4, atol=1e-4, err_msg=f"{number}"
            )


def test_monitoring_asks_the_parts_that_order(made):
    place, panel = made
    champion, composed = champion_of(place / "model"), load_forecaster(place / "model")
    for cutoff in (100, 119):
        ours, theirs = champion.predict(panel, cutoff), composed.predict(panel, cutoff)
        np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-3, atol=1e-3)


def test_the_forecasts_of_a_review_say_who_made_each(made, tmp_path):
    place, panel = made
    forecast_series(
        place / "model", str(place / "source"), str(tmp_path / "f"), notify=lambda _: None
    )
    head = json.loads((tmp_path / "f" / "forecast.json").read_text())
    assert head["model"] == NETWORK
    named = np.array(head["makers"], object)[np.load(tmp_path / "f" / "makers-0000.npy")]
    assert named[-1] == "seasonal naive"
    assert named[0].startswith("moving average of ")
    forecast_series(
        place / "network", str(place / "source"), str(tmp_path / "g"), notify=lambda _: None
    )
    assert "makers" not in json.loads((tmp_path / "g" / "forecast.json").read_text())
    assert not list((tmp_path / "g").glob("makers-*"))


def test_each_candidate_lies_there_once_and_every_file_of_a_part_is_verified(made, tmp_path):
    place, _ = made
    shutil.copytree(place / "model", tmp_path / "model")
    graphs = sorted(p.parent.name for p in (tmp_path / "model").rglob("model.onnx"))
    assert graphs == ["model", "moving-average", "seasonal-naive"]
    write_sums(tmp_path / "model")
    verify(tmp_path / "model")
    file = tmp_path / "model" / "parts" / "moving-average" / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ContractError, match="parts/moving-average/model.onnx"):
        verify(tmp_path / "model")


def test_parts_of_another_horizon_are_refused(made, tmp_path):
    place, panel = made
    shutil.copytree(place / "model", tmp_path / "model")
    other = CONFIG.model_copy(
        update={"features": CONFIG.features.model_copy(update={"horizon": 7})}
    )
    [short] = write_baselines(panel, other, 100, tmp_path, names=[AVERAGE]).values()
    target = tmp_path / "model" / "parts" / "moving-average"
    shutil.rmtree(target)
    shutil.copytree(short, target)
    with pytest.raises(ContractError, match="have horizon, quantiles and units of the main model"):
        load_forecaster(tmp_path / "model")


def test_parts_of_a_refitted_model_are_refitted_and_what_was_judged_keeps_the_judged_ones(made):
    place, panel = made
    baseline = place / "assessment" / BASELINES / "seasonal-naive"
    for folder in ("stands-in", f"stands-in/{JUDGED}"):
        shutil.copytree(baseline, place / folder)
    location = str(panel.series["location"].iloc[0])
    rule = PartRule(group="x", makers=("moving-average",), column="location", values=(location,))
    other = PartRule(group="y", makers=("network",), everything=True)
    write_rules(place, "seasonal naive", (rule, other))
    compose(place, "stands-in", main="seasonal naive")
    seen = {
        name: json.loads((place / name / "training.json").read_text())["num_periods"]
        for name in (
            "stands-in/parts/moving-average",
            f"stands-in/{JUDGED}/parts/moving-average",
        )
    }
    assert list(seen.values()) == [120, 100]
    for folder in ("stands-in", f"stands-in/{JUDGED}"):
        assert load_forecaster(place / folder).predict(panel).mean.shape == (12, 14)
    assert not (place / "stands-in" / BASELINES).exists()


def test_a_series_nobody_knew_is_forecast_by_the_part_of_its_place(made):
    place, panel = made
    composed = load_forecaster(place / "model")
    renamed = panel.series.assign(unique_id=[f"new-{n:02d}" for n in range(panel.num_series)])
    strangers = replace(panel, series=renamed)
    before, after = composed.made_by(panel), composed.made_by(strangers)
    assert (before == 1).tolist() == (after == 1).tolist()
    assert 0 not in after.tolist()
