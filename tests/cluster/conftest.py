import socket

import pytest

from tests.cluster.fake_api import FakeKubernetes
from tests.k8s.manifests import build, of_kind

KINDS = {"inferenceservices", "trainjobs", "trainingruntimes"}


def rules_by_account() -> dict[str, list[dict]]:
    objects = build("base")
    roles = of_kind(objects, "Role")
    return {
        binding["subjects"][0]["name"]: roles[binding["roleRef"]["name"]]["rules"]
        for binding in of_kind(objects, "RoleBinding").values()
    }


@pytest.fixture
def kubernetes():
    api = FakeKubernetes(rules_by_account(), set(KINDS))
    yield api
    api.close()


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
