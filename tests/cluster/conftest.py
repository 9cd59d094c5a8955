import json
import socket

import jsonschema
import pytest

from tests.cluster.fake_api import FakeKubernetes
from tests.k8s.manifests import CRDS, build, of_kind

SCHEMAS = {
    "InferenceService": "inferenceservice-v1beta1.json",
    "TrainJob": "trainjob-v1alpha1.json",
}
KINDS = {"inferenceservices", "trainjobs", "trainingruntimes", "horizontalpodautoscalers"}


def rules_by_account() -> dict[str, list[dict]]:
    objects = build("base")
    roles = of_kind(objects, "Role")
    return {
        binding["subjects"][0]["name"]: roles[binding["roleRef"]["name"]]["rules"]
        for binding in of_kind(objects, "RoleBinding").values()
    }


@pytest.fixture
def kubernetes():
    """An API server; what was written to it must be what the real definitions allow."""
    api = FakeKubernetes(rules_by_account(), set(KINDS))
    yield api
    api.close()
    for verb, item in api.writes:
        if verb != "delete" and CRDS.is_dir():
            assert_allowed(item)


def assert_allowed(item: dict) -> None:
    schema = json.loads((CRDS / SCHEMAS[item["kind"]]).read_text())
    jsonschema.Draft7Validator(schema).validate(item)


@pytest.fixture
def as_account(kubernetes, tmp_path, monkeypatch):
    """Let the code connect with an account's token."""

    def become(account):
        file = tmp_path / f"{account}.kubeconfig"
        file.write_text(kubernetes.kubeconfig(account))
        monkeypatch.setenv("KUBECONFIG", str(file))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))

    return become


@pytest.fixture
def cluster_names(monkeypatch):
    """Let names inside a cluster lead to loopback."""
    real = socket.getaddrinfo

    def look_up(host, *args, **kwargs):
        return real("127.0.0.1" if str(host).endswith(".svc.local") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
