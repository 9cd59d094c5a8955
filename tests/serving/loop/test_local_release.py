"""From the registry to an answer: a version is champion once a server with it has answered."""

import os
import shutil

import pytest

from invopt.errors import InvalidInputError
from serving.deployment import Deployment
from tests.serving.conftest import NAME

pytestmark = pytest.mark.slow


def test_a_version_that_answers_becomes_champion_and_a_broken_one_does_not(shop, tmp_path):
    from serving.loop.local_release import deploy_local

    deployment = Deployment.from_environment({**os.environ, **shop.settings.export()})
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
