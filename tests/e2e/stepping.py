"""Pods in the namespace that do what a step of a run does, as the account a step has."""

import json
import time
from pathlib import Path
from typing import Any

from tests.e2e.kube import MINE, Kube, Object, last_line, wait_for
from tests.e2e.report import StepFailed
from tests.e2e.settings import ROOT, Settings

_SCRIPTS = Path(__file__).resolve().parent / "inside"
_NAME = "invopt-e2e"
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


class Stepping:
    """Makes pods.

    Args:
        kube: The namespace.
        settings: Of this run.
    """

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self.kube, self.settings = kube, settings

    def bring_scripts(self) -> None:
        """Put the scripts and the configuration into the namespace."""
        config = ROOT / self.settings.config
        content = {f.name: f.read_text() for f in sorted(_SCRIPTS.glob("*.py"))}
        content["config.yaml"] = config.read_text()
        content["demo.yaml"] = (ROOT / "pipelines/configs/datasets/demo.yaml").read_text()
        self.kube.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": _NAME, "labels": MINE},
                "data": content,
            }
        )

    def start(
        self,
        name: str,
        command: list[str],
        token: str = "",
        environment: dict[str, str] | None = None,
        image: str = "",
        plain: bool = False,
        database: str = "features",
    ) -> None:
        """Start a pod.

        Args:
            name: Of the pod.
            command: In it; scripts lie in /e2e.
            token: Secret of the account whose rights it has, "" for none.
            environment: Beside that of a step.
            image: The steps' where it is left out.
            plain: True for a pod that has nothing of a step: no secrets, no volumes.
            database: Whose role it is.
        """
        self.remove(name)
        self.kube.apply(
            self._pod(name, command, token, environment or {}, image, "" if plain else database)
        )

    def run(self, name: str, command: list[str], seconds: float = 600, **how: Any) -> str:
        """Run a pod to its end and return its log.

        Raises:
            StepFailed: If it fails; with its last line.
        """
        self.start(name, command, **how)
        log, code = self.follow(name, seconds)
        if code:
            raise StepFailed(f"pod {name} ended with {code}: {last_line(log)[-400:]}")
        return log

    def follow(self, name: str, seconds: float) -> tuple[str, int]:
        """Wait for a pod's end; returns its log and exit status, and removes it.

        Raises:
            StepFailed: If it does not end in time.
        """

        def ended() -> Object | None:
            pod = self.kube.find("pod", name)
            if pod is None:
                raise StepFailed(f"pod {name} is gone")
            return pod if pod["status"]["phase"] in ("Succeeded", "Failed") else None

        pod = wait_for(ended, seconds, f"the end of pod {name}", 1.0)
        log = self.kube.must("logs", name)
        (self.settings.out / "logs").mkdir(parents=True, exist_ok=True)
        (self.settings.out / "logs" / f"{name}-{time.strftime('%H%M%S')}.log").write_text(log)
        [status] = pod["status"].get("containerStatuses") or [{}]
        code = status.get("state", {}).get("terminated", {}).get("exitCode", 1)
        self.remove(name)
        return log, int(code)

    def remove(self, name: str, grace: int = 0) -> None:
        """Delete a pod, if it is there."""
        self.kube.run(
            "delete", "pod", name, "--ignore-not-found", f"--grace-period={grace}",
            *(["--force"] if grace == 0 else []),
        )  # fmt: skip

    def _pod(
        self,
        name: str,
        command: list[str],
        token: str,
        environment: dict[str, str],
        image: str,
        database: str,
    ) -> Object:
        env: list[Object] = [{"name": k, "value": v} for k, v in environment.items()]
        volumes: list[Object] = [
            {"name": "tmp", "emptyDir": {}},
            {
                "name": "scripts",
                "configMap": {
                    "name": _NAME,
                    "items": [
                        {"key": k, "path": p}
                        for k, p in (
                            *((f.name, f.name) for f in sorted(_SCRIPTS.glob("*.py"))),
                            ("config.yaml", "config.yaml"),
                            ("demo.yaml", "datasets/demo.yaml"),
                        )
                    ],
                },
            },
        ]
        mounts = [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "scripts", "mountPath": "/e2e", "readOnly": True},
        ]
        if database:
            env += [
                _secret("REDIS_PASSWORD", "invopt-stores", "redis-password"),
                _secret("PGPASSWORD", "invopt-stores", f"{database}-password"),
                # For the script that plays steps of two databases in one process.
                _secret("STUDIES_PASSWORD", "invopt-stores", "studies-password"),
                _secret("AWS_ACCESS_KEY_ID", "invopt-object-store", "AWS_ACCESS_KEY_ID"),
                _secret("AWS_SECRET_ACCESS_KEY", "invopt-object-store", "AWS_SECRET_ACCESS_KEY"),
            ]
            volumes += [
                {"name": "workspace", "persistentVolumeClaim": {"claimName": "invopt-workspace"}},
                {"name": "features", "configMap": {"name": "invopt-feature-store"}},
            ]
            mounts += [
                {"name": "workspace", "mountPath": "/workspace"},
                {"name": "features", "mountPath": "/etc/invopt", "readOnly": True},
            ]
        if token:
            env.append({"name": "INVOPT_CREDENTIALS", "value": "/var/run/secrets/invopt"})
            volumes.append({"name": "token", "secret": {"secretName": token}})
            mounts.append(
                {"name": "token", "mountPath": "/var/run/secrets/invopt", "readOnly": True}
            )
        container: Object = {
            "name": "main",
            "image": image or self.settings.job_image,
            "command": command,
            "env": env,
            "envFrom": [] if not database else [{"configMapRef": {"name": "invopt-deployment"}}],
            "resources": {
                "requests": {"cpu": "100m", "memory": "256Mi"},
                "limits": {"cpu": "2", "memory": "2Gi"},
            },
            "securityContext": _RESTRICTED,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": mounts,
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            # The label that network policies know steps by.
            "metadata": {"name": name, "labels": MINE | {"pipeline/runid": "e2e"}},
            "spec": {
                "restartPolicy": "Never",
                "serviceAccountName": "invopt-runner" if database else "default",
                "automountServiceAccountToken": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 10001,
                    "runAsGroup": 10001,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": volumes,
            },
        }


def _secret(variable: str, name: str, key: str) -> Object:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def answer_of(log: str) -> Object:
    """Return the JSON that a script printed after RESULT.

    Raises:
        StepFailed: If there is none.
    """
    for line in reversed(log.splitlines()):
        if line.startswith("RESULT "):
            found: Object = json.loads(line.removeprefix("RESULT "))
            return found
    raise StepFailed(f"the pod gave no result; it last said: {last_line(log)[-300:]}")
