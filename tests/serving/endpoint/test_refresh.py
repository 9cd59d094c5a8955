"""The background loop of a server: one bad round is one bad round."""

import asyncio
import logging
import shutil
from types import SimpleNamespace

import pytest

from serving.api import metrics
from serving.endpoint.refresh import Rounds

pytestmark = pytest.mark.slow


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


class Part:
    """Fails as long as it is told to."""

    def __init__(self):
        self.error, self.times = None, 0

    def __call__(self):
        self.times += 1
        if self.error is not None:
            raise self.error


def failed():
    return metrics.RELOADS.labels("failed")._value.get()


def good():
    return metrics.REFRESHED._value.get()


def test_a_part_that_fails_is_counted_each_time_logged_once_and_keeps_no_other_from_its_turn(
    caplog,
):
    caplog.set_level(logging.INFO)
    clock, model, features = Clock(), Part(), Part()
    rounds = Rounds({"model": model, "features": features}, 10.0, clock)
    before = failed()
    assert rounds.run()
    assert (good(), rounds.pause) == (0.0, 10.0)
    model.error = ZeroDivisionError("of nobody's making")
    pauses = []
    for _ in range(6):
        clock.now += 100
        assert not rounds.run()
        pauses.append(rounds.pause)
    assert pauses == [10.0, 20.0, 40.0, 80.0, 80.0, 80.0]
    assert (model.times, features.times) == (7, 7)
    assert failed() - before == 6
    assert good() == 0.0
    told = [r for r in caplog.records if "of nobody's making" in r.message]
    assert len(told) == 1
    assert told[0].exc_info
    model.error = None
    assert rounds.run()
    assert (good(), rounds.pause) == (600.0, 10.0)
    assert "model works again" in caplog.text


def test_a_sentence_of_ours_is_logged_without_a_traceback_and_another_one_anew(caplog):
    part = Part()
    rounds = Rounds({"model": part}, 1.0)
    for part.error in (ValueError("one"), ValueError("one"), ValueError("two")):
        rounds.run()
    assert [r.message for r in caplog.records] == [
        "model failed: ValueError: one", "model failed: ValueError: two",
    ]  # fmt: skip
    assert not any(r.exc_info for r in caplog.records)


def test_the_loop_goes_on_after_every_kind_of_error():
    part = Part()
    rounds = Rounds({"model": part}, 0.001)

    async def watch():
        task = asyncio.create_task(rounds.forever())
        for part.error in (KeyError("x"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), None):
            seen = part.times
            while part.times < seen + 2:
                assert not task.done()
                await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(asyncio.wait_for(watch(), 20))


@pytest.fixture
def model(shop, tmp_path):
    from serving.answers.decider import Decider
    from serving.answers.loaded_model import load_champion
    from serving.endpoint.decision_model import DecisionModel
    from serving.stores.online_features import OnlineFeatures

    source = SimpleNamespace(place=shop.model, version="1")
    source.latest = lambda: (source.place, source.version)

    def load(path, version):
        return load_champion(path, "demand", version)

    features = OnlineFeatures(shop.settings)
    decider = Decider(load(shop.model, "1"), features)
    yield DecisionModel("demand", decider, source, load)
    features.close()


def spoil_reference(folder):
    file = folder / "reference.npz"
    file.write_bytes(file.read_bytes()[:200])


def spoil_head(folder):
    (folder / "model.json").write_bytes(b"\xff\xfe{}")


def spoil_training(folder):
    (folder / "training.json").write_text("[]")


def newer_format(folder):
    head = folder / "model.json"
    head.write_text(head.read_text().replace('"format": 2', '"format": 4'))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoil_reference, "Model.reference.npz must be readable"),
        (spoil_head, "Model.model.json must be readable"),
        (spoil_training, "Model.training.json must be a JSON object"),
        (newer_format, "A newer invopt made it"),
    ],
)
def test_a_champion_that_is_damaged_stays_out_and_the_next_one_is_taken(
    model, shop, tmp_path, caplog, spoil, sentence
):
    damaged = shutil.copytree(shop.model, tmp_path / "damaged")
    spoil(damaged)
    rounds = Rounds({"champion": model.take_newer_model}, 1.0)
    model.source.place, model.source.version = damaged, "2"
    assert not rounds.run()
    assert sentence in caplog.text
    assert model.decider.model.champion.version == "demand-1"
    model.source.place, model.source.version = shop.model, "3"
    assert rounds.run()
    assert model.decider.model.champion.version == "demand-3"
    assert metrics.SERVED.labels("demand", "3")._value.get() == 1
    assert metrics.SERVED.labels("demand", "1")._value.get() == 0


def test_features_that_could_not_be_read_whole_are_read_again(model, shop, tmp_path, monkeypatch):
    layout = shop.settings.feature_store / "layout.json"
    whole = layout.read_text()
    rounds = Rounds({"features": model.take_newer_features}, 1.0)
    try:
        layout.write_text(whole[: len(whole) // 2])
        assert not rounds.run()
        layout.write_text(whole)
        with monkeypatch.context() as patch:
            patch.setattr(
                model.decider.features.store, "refresh_registry", lambda: 1 / 0, raising=False
            )
            assert not rounds.run()
        taken = metrics.RELOADS.labels("taken")._value.get()
        assert rounds.run()
        assert metrics.RELOADS.labels("taken")._value.get() == taken + 1
        assert rounds.run()
        assert metrics.RELOADS.labels("taken")._value.get() == taken + 1
    finally:
        layout.write_text(whole)
