"""From the registry to an answer: a version is champion once a server with it has answered."""

import shutil

import pytest

from invopt.errors import InvalidInputError
from tests.serving.conftest import NAME

pytestmark = pytest.mark.slow


def test_a_version_that_answers_becomes_champion_and_a_broken_one_does_not(
    shop, monkeypatch, tmp_path
):
    from serving.loop.local_release import deploy_local
    from serving.stores.registry import champion_path, champion_version, register, version_path

    for name, value in shop.settings.export().items():
        monkeypatch.setenv(name, value)
    told = []
    version = register(NAME, str(shop.model), [], {"snapshot": "s"}, told.append)
    assert deploy_local(NAME, version, told.append) == version
    assert champion_version(NAME) == version
    assert (champion_path(NAME) / "reference.npz").is_file()

    shutil.copytree(shop.model, tmp_path / "other")
    (tmp_path / "other" / "note.txt").write_text("another model")
    second = register(NAME, str(tmp_path / "other"), [], {"snapshot": "s"}, told.append)
    broken = version_path(NAME, second) / "model.onnx"
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(InvalidInputError, match=r"did not become ready.*model.onnx"):
        deploy_local(NAME, second, told.append)
    assert champion_version(NAME) == version
