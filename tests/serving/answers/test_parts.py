"""A model of parts at work: each series is answered by its own part, also by a predictor."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt.candidates import write_baselines
from invopt.features import INPUT_NAMES
from invopt.model_files import COMPOSED_VERSION
from invopt.parts import MAIN, PartRule, Parts
from invopt.runtime import NETWORK, load_forecaster
from serving.api.contract import Instance
from serving.api.failures import NetworkUnavailableError, RequestFailedError
from serving.deployment import Deployment
from serving.settings import ServerSettings
from tests.e2e.settings import ROOT
from tests.serving.conftest import start, stop
from tests.serving.test_predictor import raw_request

pytestmark = pytest.mark.slow
AVERAGE = "moving-average"


@pytest.fixture(scope="module")
def composed(shop, tmp_path_factory):
    """Write a model of parts: one place by an average, one series by both, others the LSTM's."""
    folder = tmp_path_factory.mktemp("composed")
    model = folder / "model"
    shutil.copytree(shop.model, model)
    [made] = write_baselines(
        shop.panel, shop.config, 120, folder / "b", names=["moving average"]
    ).values()
    shutil.copytree(made, model / "parts" / AVERAGE)
    place, name = str(shop.panel.series["location"].iloc[0]), str(shop.panel.unique_ids[-1])
    Parts(
        (
            PartRule(group="x", makers=(MAIN, AVERAGE), series=(name,)),
            PartRule(group="y", makers=(AVERAGE,), column="location", values=(place,)),
        )
    ).save(model)
    head = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(head | {"format": COMPOSED_VERSION}))
    return model


@pytest.fixture(scope="module")
def features(shop):
    from serving.stores.online_features import OnlineFeatures

    found = OnlineFeatures(shop.settings, seconds=30.0)
    yield found
    found.close()


def decider_of(model, features, **networks):
    from serving.answers.decider import Decider
    from serving.answers.loaded_model import load_champion

    champion = load_champion(model, "demand", "2")
    parts = {
        name: replace(part, network=networks.get(name.replace("-", "_"), part.network))
        for name, part in champion.parts.items()
    }
    return Decider(replace(champion, parts=parts), features)


def ask(decider, panel, **kwargs):
    return decider.decide([Instance(unique_id=name, **kwargs) for name in panel.unique_ids])


def test_a_server_answers_what_planning_forecasts_and_names_who_made_it(shop, composed, features):
    found = ask(decider_of(composed, features), shop.panel)
    forecaster = load_forecaster(composed)
    whole, made_by = forecaster.predict(shop.panel), forecaster.made_by(shop.panel)
    assert [d["model"] for d in found] == [forecaster.labels[n] for n in made_by]
    assert len({d["model"] for d in found}) == 3
    assert {d["model_version"] for d in found} == {"demand-2"}
    for row, decision in enumerate(found):
        np.testing.assert_allclose(decision["mean"], whole.mean[row], rtol=2e-3, atol=2e-3)


def test_attributions_of_each_part_and_of_an_average_add_up(shop, composed, features):
    for decision in ask(decider_of(composed, features), shop.panel, explain=True):
        told = decision["attributions"]
        if decision["model"] == NETWORK or told is not None:
            total = told["base"] + sum(told["parts"].values())
            assert total == pytest.approx(told["forecast"], rel=1e-3, abs=1e-2)


class Gone:
    """A part's graph that does not answer."""

    def run(self, inputs):
        raise NetworkUnavailableError("the predictor failed: UNAVAILABLE")


def test_a_part_that_does_not_answer_degrades_its_own_series_only(shop, composed, features):
    found = ask(decider_of(composed, features, moving_average=Gone()), shop.panel)
    own = load_forecaster(composed).made_by(shop.panel)
    for number, decision in zip(own, found, strict=True):
        step = (decision["degraded"] or {}).get("step", "fresh")
        assert step == ("fresh" if number == 2 else "last_forecast"), decision
        assert decision["model"] == (NETWORK if number == 2 else "last forecast")


def test_a_predictor_holds_each_part_once_and_answers_by_its_name(composed):
    from invopt.attribution import load_reference
    from serving.answers.graph import PART
    from serving.predictor import Predictor

    predictor = Predictor("demand", composed, ServerSettings())
    predictor.load()
    inputs = load_reference(composed / "parts" / AVERAGE / "reference.npz")
    request = raw_request(inputs)
    request.parameters[PART].string_param = AVERAGE
    answer = asyncio.run(predictor.infer_raw(request))
    wanted = load_forecaster(composed).members[AVERAGE].network.run(inputs)
    mean = np.frombuffer(answer.raw_output_contents[0], np.float32)
    np.testing.assert_allclose(mean, wanted[0][0], rtol=1e-6)
    # Whoever asked for another part than it got would know it by this.
    assert answer.parameters["model_fingerprint"].string_param != predictor.fingerprint
    assert len(inputs) == len(INPUT_NAMES)
    request.parameters[PART].string_param = "lightgbm"
    with pytest.raises(RequestFailedError, match="has no part 'lightgbm'"):
        asyncio.run(predictor.infer_raw(request))


SERVED = "demand-forecaster"


@pytest.fixture
def at_work(shop, composed, tmp_path):
    """Register the model of parts and start what a cluster starts; returns its URL and version."""
    registry = Deployment.of(shop.settings.workspace).registry
    version = registry.register(SERVED, str(composed), [], {"snapshot": "s"}, lambda _: None)
    path = registry.version_path(SERVED, version)
    arguments = ["--name", SERVED, "--model", path, "--version", version]
    found = start("serving", arguments, shop.settings, tmp_path)
    yield found, version
    stop(found)
    shutil.rmtree(shop.settings.plans)


def compare(server, version, shop):
    return subprocess.run(
        [sys.executable, str(ROOT / "tests/e2e/inside/answers.py"), server.url, version],
        capture_output=True, text=True,
        env=os.environ | shop.settings.export() | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_make_e2e_sees_who_forecast_and_which_answers_or_orders_are_others(shop, at_work):
    server, version = at_work
    names = shop.panel.unique_ids.tolist()
    asked = {"instances": [{"unique_id": name} for name in names]}
    _, told = server.post(f"/v1/models/{SERVED}:predict", asked)
    quantities = [decision["order_quantity"] for decision in told["predictions"]]
    folder = shop.settings.plans / SERVED
    folder.mkdir(parents=True)
    plan = pd.DataFrame(
        {"unique_id": names, "order_quantity": quantities, "model_version": f"{SERVED}-{version}"}
    )
    plan.to_csv(folder / "2026-01-01.csv", index=False)
    done = compare(server, version, shop)
    found = json.loads(done.stdout.rpartition("RESULT ")[2])
    models = found["models"]
    assert len(models) == 3, done.stderr
    assert sum(models.values()) == 12
    assert found | {"models": {}} == {
        "models": {}, "versions": [f"{SERVED}-{version}"], "differ": [],
        "planned_by": [f"{SERVED}-{version}"], "other_orders": {},
    }  # fmt: skip
    plan.assign(order_quantity=plan["order_quantity"] + 1).to_csv(
        folder / "2026-01-02.csv", index=False
    )
    found = json.loads(compare(server, version, shop).stdout.rpartition("RESULT ")[2])
    assert len(found["other_orders"]) == plan["order_quantity"].notna().sum()
