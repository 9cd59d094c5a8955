"""The installation under test: an overlay of the user's overlay, its secrets, and its end."""

import json
import os
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.kube import Kube, Object, last_line, wait_for
from tests.e2e.report import StepFailed
from tests.e2e.settings import ROOT, Settings

BACKUP, PLANNER = "k8s/components/backup", "k8s/components/planner"
PLANNER_TOKEN = "e2e0token0of0planners"
_PASSWORD = "e2e0password"
# Of each a password of its own: with another one's nobody gets in.
_STORES = (
    "redis", "redis-server", "postgres", "studies", "mlflow", "features", "governor", "server",
    "backup",
)  # fmt: skip
# KServe gives what it makes the labels of the InferenceService.
_OURS = "app.kubernetes.io/part-of=invopt,!serving.kserve.io/inferenceservice"
# What KFP's namespace would keep if only the overlay were deleted.
_OVER = "--field-selector=status.phase!=Running"
_OWN_SECRETS = ("invopt-stores", "invopt-object-store")

# As in the overlays, which appended their own namespace: models of two namespaces share no folder.
_OWN_MODELS = {
    "source": {
        "kind": "ServiceAccount",
        "name": "invopt-runner",
        "fieldPath": "metadata.namespace",
    },
    "targets": [
        {
            "select": {"kind": "ConfigMap", "name": "invopt-deployment"},
            "fieldPaths": ["data.INVOPT_MODEL_STORE"],
            "options": {"delimiter": "/", "index": 9},
        }
    ],
}


class Installation:
    """What `kubectl apply -k` makes.

    Args:
        kube: Its namespace.
        settings: Of this run.
        has: What the cluster knows: kserve, trainer, kfp.
        own_namespace: False where the namespace is KFP's.
    """

    def __init__(self, kube: Kube, settings: Settings, has: set[str], own_namespace: bool) -> None:
        self.kube, self.settings, self.has, self.own = kube, settings, has, own_namespace
        self.folder = settings.out / "overlay"
        self.components = [BACKUP]

    def write_overlay(self) -> None:
        """Write the overlay: namespace, images, volumes and addresses of this cluster."""
        self.folder.mkdir(parents=True, exist_ok=True)
        base = os.path.relpath(ROOT / self.settings.overlay, self.folder.resolve())
        content: dict[str, Any] = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": self.kube.namespace,
            "resources": [base],
            "components": [
                os.path.relpath(ROOT / part, self.folder.resolve()) for part in self.components
            ],
            "images": [
                image
                for name, full in (
                    ("invopt-job", self.settings.job_image),
                    ("invopt-server", self.settings.server_image),
                )
                for image in _images(ROOT / self.settings.overlay, name, full)
            ],
            "patches": self._patches(),
            "replacements": [_OWN_MODELS],
        }
        (self.folder / "kustomization.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def make_namespace(self) -> None:
        """Make the namespace, with Pod Security enforced.

        Raises:
            StepFailed: If it is there and not of an earlier `make e2e`.
        """
        name = self.kube.namespace
        done = self.kube.run("get", "namespace", name, "-o", "json", here=False)
        if done.returncode == 0:
            labels = json.loads(done.stdout)["metadata"].get("labels", {})
            if labels.get("app.kubernetes.io/managed-by") != "invopt-e2e":
                raise StepFailed(
                    f"namespace {name} is there and was not made by make e2e: set E2E_NAMESPACE."
                )
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {
                    "app.kubernetes.io/managed-by": "invopt-e2e",
                    "app.kubernetes.io/part-of": "kubeflow-profile",
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                },
            },
        }
        self.kube.must("apply", "-f", "-", stdin=json.dumps(namespace), here=False)

    def make_secrets(self) -> None:
        """Make the secrets as the README says."""
        store = self.settings
        endpoint = store.s3_endpoint.partition("://")[2]
        https = int(store.s3_endpoint.startswith("https"))
        stores = {f"{key}-password": f"{_PASSWORD}{key[:3]}" for key in _STORES}
        stores["planner-token"] = PLANNER_TOKEN
        secrets = [
            ("invopt-stores", stores, {}),
            (
                "invopt-object-store",
                {
                    "AWS_ACCESS_KEY_ID": store.s3_access_key,
                    "AWS_SECRET_ACCESS_KEY": store.s3_secret_key,
                },
                {
                    "serving.kserve.io/s3-endpoint": endpoint,
                    "serving.kserve.io/s3-usehttps": str(https),
                    "serving.kserve.io/s3-region": "us-east-1",
                },
            ),
        ]
        self.kube.apply(
            *(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": name, "annotations": notes},
                    "stringData": content,
                }
                for name, content, notes in secrets
            )
        )

    def apply(self) -> str:
        """Apply the overlay; returns what kubectl printed."""
        return self.kube.must("apply", "-k", str(self.folder), here=False, seconds=180)

    def add(self, component: str) -> None:
        """Put one more component into the overlay, and apply it."""
        if component not in self.components:
            self.components.append(component)
        self.write_overlay()
        self.apply()

    def changes(self) -> str:
        """Return what applying once more would change, "" for nothing."""
        done = self.kube.run("diff", "-k", str(self.folder), here=False, seconds=180)
        if done.returncode == 0:
            return ""
        lines = [line for line in done.stdout.splitlines() if line[:1] in "+-"]
        return "; ".join(lines)[:600] or last_line(done.stderr)

    def wait_ready(self, minutes: float) -> None:
        """Wait until every Deployment and StatefulSet of the overlay is there, and every Job done.

        Raises:
            StepFailed: With what is not.
        """

        def open_ones() -> list[str]:
            return [
                f"{kind}/{item['metadata']['name']}"
                for kind in ("statefulset", "deployment", "job")
                for item in self.kube.items(kind, _OURS)
                if not _is_done(kind, item)
            ]

        try:
            wait_for(lambda: not open_ones(), minutes * 60, "readiness", 3.0)
        except StepFailed as err:
            raise StepFailed(f"{err}: {', '.join(open_ones())}; {self.trouble()}") from err

    def trouble(self) -> str:
        """Return what pods of the namespace suffer from, in words."""
        told = []
        for pod in self.pods():
            for status in (
                *pod["status"].get("initContainerStatuses", []),
                *pod["status"].get("containerStatuses", []),
            ):
                waiting = status.get("state", {}).get("waiting", {})
                if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
                    told.append(f"{pod['metadata']['name']}: {waiting['reason']}")
                elif status.get("restartCount"):
                    told.append(f"{pod['metadata']['name']}: {status['restartCount']} restarts")
            told += [
                f"{pod['metadata']['name']}: {c.get('message', c['reason'])}"
                for c in pod["status"].get("conditions", [])
                if c.get("reason") == "Unschedulable"
            ]
        return "; ".join(told) or "no pod in trouble"

    def pods(self) -> list[Object]:
        """Return the pods of the installation."""
        found = self.kube.items("pods")
        if self.own:
            return found
        return [
            pod
            for pod in found
            if pod["metadata"].get("labels", {}).get("app.kubernetes.io/part-of") == "invopt"
            or "serving.kserve.io/inferenceservice" in pod["metadata"].get("labels", {})
        ]

    def remove(self) -> str:
        """Take it away; returns what is left, in words."""
        kube = self.kube
        kube.run("delete", "pods,configmaps", "-l", _selector(), "--wait=true", seconds=180)
        # As the README says: a claim stays as long as a pod names it, one that is over too.
        kube.run("delete", "pods", "-l", "pipeline/runid", _OVER, "--wait=true", seconds=180)
        kube.run(
            "delete", "-k", str(self.folder), "--ignore-not-found", "--wait=true", here=False,
            seconds=300,
        )  # fmt: skip
        for name in _OWN_SECRETS:
            kube.run("delete", "secret", name, "--ignore-not-found")
        volumes, kept = self._volumes("Delete"), self._volumes("Retain")
        if self.own:
            kube.must("delete", "namespace", kube.namespace, "--wait=true", here=False, seconds=300)
        else:
            kube.run("delete", "pvc", "-l", "app.kubernetes.io/name in (redis,postgres)")
            kube.run("delete", "configmap", "-l", _OURS)
        left = [] if self.own else self._left_objects()
        try:
            wait_for(lambda: not self._volumes("Delete"), 60, "the end of the volumes")
        except StepFailed:
            left += [f"persistentvolume/{name}" for name in self._volumes("Delete")]
        told = f"{len(volumes)} volumes went" if not left else f"left: {', '.join(left)}"
        if kept:
            told += f"; {len(kept)} volumes stay, as their class says (Retain): {', '.join(kept)}"
        return f"{told}; the bucket invopt keeps models and MLflow's artifacts"

    def _left_objects(self) -> list[str]:
        kinds = (
            "all,configmaps,secrets,serviceaccounts,roles,rolebindings,pvc,networkpolicies,"
            "inferenceservices,servingruntimes,trainingruntimes,trainjobs"
        )
        found = []
        for kind in kinds.split(","):
            for item in self.kube.items(kind, _OURS):
                found.append(f"{item['kind'].lower()}/{item['metadata']['name']}")
        return found

    def _volumes(self, policy: str) -> list[str]:
        done = self.kube.run("get", "pv", "-o", "json", here=False)
        items = json.loads(done.stdout)["items"] if done.returncode == 0 else []
        names = ("invopt-workspace", "invopt-backups", "data-redis-0", "data-postgres-0")
        return [
            item["metadata"]["name"]
            for item in items
            if item["spec"].get("claimRef", {}).get("namespace") == self.kube.namespace
            and item["spec"]["persistentVolumeReclaimPolicy"] == policy
            and (self.own or item["spec"]["claimRef"]["name"] in names)
        ]

    def _patches(self) -> list[Object]:
        storage = self.settings.storage_class
        claim: list[Object] = []
        if self.settings.access_mode:
            mode = [self.settings.access_mode]
            claim.append({"op": "replace", "path": "/spec/accessModes", "value": mode})
        claim.append({"op": "replace", "path": "/spec/resources/requests/storage", "value": "5Gi"})
        if storage:
            claim.append({"op": "add", "path": "/spec/storageClassName", "value": storage})
        smaller = [op for op in claim if op["path"] != "/spec/accessModes"]
        template = "/spec/volumeClaimTemplates/0/spec"
        stores = [
            {"op": "replace", "path": f"{template}/resources/requests/storage", "value": "2Gi"}
        ]
        if storage:
            stores.append({"op": "add", "path": f"{template}/storageClassName", "value": storage})
        patches = [
            _patch("PersistentVolumeClaim", "invopt-workspace", claim),
            _patch("PersistentVolumeClaim", "invopt-backups", smaller),
            _patch("StatefulSet", "redis|postgres", stores),
        ]
        deployment = [
            {"op": "add", "path": "/data/AWS_ENDPOINT_URL", "value": self.settings.s3_endpoint},
            {
                "op": "add",
                "path": "/data/INVOPT_PIPELINE_HOST",
                "value": f"http://ml-pipeline.{self.settings.kfp_namespace}:8888",
            },
        ]
        patches.append(_patch("ConfigMap", "invopt-deployment", deployment))
        gone = [
            kind
            for kinds, part in (
                (("InferenceService", "ServingRuntime"), "kserve"),
                (("TrainingRuntime",), "trainer"),
            )
            for kind in kinds
            if part not in self.has
        ]
        patches += [
            {
                "target": {"kind": kind},
                "patch": yaml.safe_dump(
                    {
                        "apiVersion": "v1",
                        "kind": kind,
                        "metadata": {"name": "x"},
                        "$patch": "delete",
                    }
                ),
            }
            for kind in gone
        ]
        return patches


def _patch(kind: str, name: str, operations: list[Object]) -> Object:
    return {"target": {"kind": kind, "name": name}, "patch": yaml.safe_dump(operations)}


def _images(overlay: Path, name: str, full: str) -> list[Object]:
    """Return the images to set: by the base's name, and by the one the overlay gives."""
    new, _, tag = full.rpartition(":")
    content = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    names = {name} | {
        image["newName"]
        for image in content.get("images", [])
        if image["name"] == name and "newName" in image
    }
    return [{"name": n, "newName": new, "newTag": tag} for n in sorted(names)]


def _is_done(kind: str, item: Object) -> bool:
    status, spec = item.get("status", {}), item["spec"]
    if kind == "job":
        return status.get("succeeded", 0) >= 1
    return (
        status.get("observedGeneration", 0) >= item["metadata"]["generation"]
        and status.get("readyReplicas", 0) >= spec.get("replicas", 1)
        and status.get("updatedReplicas", 0) >= spec.get("replicas", 1)
    )


def _selector() -> str:
    return "app.kubernetes.io/part-of=invopt-e2e"
