import json
import re
import shutil

import boto3
import pytest
from moto import core
from moto.server import ThreadedMotoServer

from invopt.errors import InvalidInputError
from serving.deployment import Deployment
from serving.stores.deployment_record import grounds
from serving.stores.model_store import ModelStore

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    # A real S3 API; MinIO, SeaweedFS and AWS speak the same.
    moto = ThreadedMotoServer("127.0.0.1", 0)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def store(server, monkeypatch, tmp_path):
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket="invopt")
    yield client
    client.delete_objects(
        Bucket="invopt",
        Delete={"Objects": [{"Key": key} for key in keys(client)] or [{"Key": "-"}]},
    )


def keys(client):
    return [o["Key"] for o in client.list_objects_v2(Bucket="invopt").get("Contents", [])]


@pytest.fixture
def models(store, tmp_path):
    return ModelStore("s3://invopt/models", tmp_path / "workspace")


def registry_of(workspace, url="s3://invopt/models"):
    told = {"INVOPT_WORKSPACE": str(workspace), "INVOPT_MODEL_STORE": url}
    return Deployment.from_environment(told).registry


def make_folder(tmp_path, text="weights"):
    folder = tmp_path / "made"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.onnx").write_text(text)
    (folder / "model" / "inner").mkdir()
    (folder / "model" / "inner" / "part.npy").write_text("array")
    return folder


def test_a_model_goes_to_the_object_store_and_comes_back_whole(models, store, tmp_path):
    place = models.put(make_folder(tmp_path), "demo")
    # printf of "model/inner/part.npy SHA256\nmodel/model.onnx SHA256\n" through sha256sum
    assert place == "s3://invopt/models/demo/0a577fb89d65c389"
    assert not (tmp_path / "made").exists()
    found = models.local(f"{place}/model")
    assert (found / "model.onnx").read_text() == "weights"
    assert (found / "inner" / "part.npy").read_text() == "array"
    assert models.local(f"{place}/model") == found  # fetched once


def test_two_registries_that_share_a_bucket_and_count_alike_keep_both_models(
    models, store, tmp_path
):
    ours = models.put(make_folder(tmp_path, "ours"), "demo")
    theirs = models.put(make_folder(tmp_path, "theirs"), "demo")
    assert ours != theirs
    for place, text in ((ours, "ours"), (theirs, "theirs")):
        assert (models.local(f"{place}/model") / "model.onnx").read_text() == text


def test_an_upload_that_broke_off_is_finished_by_the_next_attempt(models, store, tmp_path):
    whole = models.put(make_folder(tmp_path), "demo")
    name = whole.removeprefix("s3://invopt/")
    store.delete_object(Bucket="invopt", Key=f"{name}/model/model.onnx")
    assert models.put(make_folder(tmp_path), "demo") == whole
    assert (models.local(f"{whole}/model") / "model.onnx").read_text() == "weights"


@pytest.mark.parametrize("url", ["s3://invopt/models", ""])
def test_a_model_registered_twice_is_one_version_and_another_one_another(store, tmp_path, url):
    registry, told = registry_of(tmp_path / "workspace", url), []

    def register(text):
        model = make_folder(tmp_path / text, text) / "model"
        return registry.register("demo", str(model), (), {}, told.append)

    assert register("a") == "1"
    shutil.rmtree(tmp_path / "a")
    assert register("a") == "1"
    assert register("b") == "2"
    assert told[1] == "demo version 1 holds this model already"
    for version, text in (("1", "a"), ("2", "b")):
        assert (registry.version_path("demo", version) / "model.onnx").read_text() == text
    left = [p.name for p in (tmp_path / "workspace" / "models" / "demo").iterdir()]
    assert not [name for name in left if name.startswith(".")]


def test_a_missing_model_and_a_missing_bucket_are_told(models, tmp_path):
    with pytest.raises(InvalidInputError, match="nothing lies at s3://invopt/models/demo/7/model"):
        models.local("s3://invopt/models/demo/7/model")
    with pytest.raises(
        InvalidInputError, match=r"refused s3://nowhere/models/demo/\w{16}: .*bucket"
    ):
        ModelStore("s3://nowhere/models", tmp_path).put(make_folder(tmp_path), "demo")


def test_wrong_keys_are_told_and_leave_nothing_behind(models, store, tmp_path, monkeypatch):
    import s3fs

    @core.set_initial_no_auth_action_count(0)
    def attempt():
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wrong")
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(InvalidInputError, match="secret invopt-object-store"):
            models.put(make_folder(tmp_path), "demo")

    attempt()
    assert (tmp_path / "made" / "model" / "model.onnx").is_file()
    assert keys(store) == []


def test_an_object_store_that_does_not_answer_is_told(models, tmp_path, monkeypatch):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(InvalidInputError, match="AWS_ENDPOINT_URL"):
        models.put(make_folder(tmp_path), "demo")
    s3fs.S3FileSystem.clear_instance_cache()


def test_the_registry_points_at_the_object_store_and_keeps_evidence_there(store, tmp_path):
    registry = registry_of(tmp_path / "workspace")
    model = make_folder(tmp_path) / "model"
    verdict = tmp_path / "verdict.json"
    verdict.write_text('{"decision": "promote"}')
    version = registry.register(
        "demo", str(model), [str(verdict)], {"snapshot": "snap"}, lambda _: None
    )
    registry.make_champion("demo", version)
    place = registry.model_source("demo", version).removesuffix("/model")
    assert re.fullmatch(r"s3://invopt/models/demo/[0-9a-f]{16}", place)
    path = registry.champion_path("demo")
    assert (path / "model.onnx").read_text() == "weights"
    found = grounds(registry.evidence_path("demo", version), registry.snapshot_of("demo", version))
    assert (found["snapshot"], found["verdict"]) == ("snap", {"decision": "promote"})
    deployment = tmp_path / "deployment.json"
    deployment.write_text(json.dumps({"version": "1"} | found))
    registry.keep_evidence("demo", version, deployment)
    folder = place.removeprefix("s3://invopt/")
    kept = {f"{folder}/evidence/verdict.json", f"{folder}/evidence/deployment.json"}
    assert kept <= set(keys(store))
