"""The end: backup, audit, uninstall."""

import re

from tests.e2e import audit as auditing
from tests.e2e.installation import BACKUP as INSTALLED
from tests.e2e.kube import last_line, wait_for
from tests.e2e.report import StepFailed, StepSkipped
from tests.e2e.settings import ROOT
from tests.e2e.world import World

_BACKUP = "backup-e2e"


def backup(world: World) -> str:
    """Databases dumped, one emptied, all restored: the registry knows what it knew."""
    kube, before = world.kube, world.serving.champion()
    kube.must("create", "job", _BACKUP, "--from=cronjob/backup")
    told = _job_log(world, _BACKUP)
    [folder] = re.findall(r"/backups/(\w+) is whole", told)
    sizes = re.findall(r"^(\w+): \d+ tables, (\d+) bytes", told, re.M)
    kube.must("scale", "deployment", "mlflow", "--replicas=0")
    # Whatever happens to a table: what the registry knew is gone.
    exec_ = ("exec", "postgres-0", "-c", "postgres", "--")
    kube.must(*exec_, "psql", "-U", "invopt", "-d", "mlflow", "-c", "DROP SCHEMA public CASCADE")
    answers = world.serving.ask()
    job = (ROOT / INSTALLED / "restore.yaml").read_text().replace("FOLDER", folder)
    name = kube.must("create", "-f", "-", "-o", "name", stdin=job).strip().rpartition("/")[2]
    restored = _job_log(world, name).count(" is as ")
    kube.must("delete", "job", name)
    kube.must("scale", "deployment", "mlflow", "--replicas=1")
    world.installed.wait_ready(5)
    after = world.serving.champion()
    if after != before:
        raise StepFailed(f"the registry knew {before}, after the restore {after}")
    if answers["lost"]:
        raise StepFailed(f"without databases {answers['lost']} of {answers['asked']} lost")
    served = world.serving.check_serves(world.serving.version())
    dumped = ", ".join(f"{name} {int(size) / 1000:.0f} kB" for name, size in sizes)
    return (
        f"{dumped} dumped, the registry's tables dropped, {restored} databases restored; meanwhile "
        f"{answers['asked']} requests answered; registry as before; {served}"
    )


def _job_log(world: World, name: str) -> str:
    """Wait for a job's end and return what it said.

    Raises:
        StepFailed: If it failed.
    """

    def ended() -> str | None:
        job = world.kube.find("job", name) or {}
        done = [c["type"] for c in job.get("status", {}).get("conditions", [])]
        return next((c for c in done if c in ("Complete", "Failed")), None)

    state = wait_for(ended, 300, f"the end of job {name}", 1.0)
    log = world.kube.must("logs", f"job/{name}")
    if state != "Complete":
        raise StepFailed(f"job {name} failed: {last_line(log)}")
    return log


def audit(world: World) -> str:
    """No refusal for our accounts; which rights nobody used."""
    file = world.settings.audit_log
    if file is None:
        raise StepSkipped("AUDIT_LOG is not set")
    if not file.is_file():
        raise StepFailed(f"AUDIT_LOG {file} is not a file")
    ours = {
        account["metadata"]["name"]
        for account in world.kube.items("serviceaccounts", "app.kubernetes.io/part-of=invopt")
    }
    roles = world.kube.items("roles", "app.kubernetes.io/part-of=invopt")
    bindings = world.kube.items("rolebindings", "app.kubernetes.io/part-of=invopt")
    calls = []
    for part in auditing.parts_of(file):
        with part.open() as lines:
            calls += [
                (right, status)
                for right, status in auditing.calls_in(lines, world.kube.namespace, world.since)
                if right.account in ours
            ]
    found = auditing.summarise(calls, auditing.rights_of(roles, bindings))
    (world.settings.out / "audit.txt").write_text(
        "".join(f"{number:6} {right}\n" for right, number in sorted(found.calls.items()))
        + "".join(f"refused {number} {right}\n" for right, number in found.refused.items())
        + "".join(f"unused {right}\n" for right in found.unused)
    )
    unused = f"not used: {', '.join(map(str, found.unused)) or 'none'}"
    told = f"{len(calls)} calls of {len(ours)} accounts"
    if found.refused:
        refused = ", ".join(f"{right} ({n})" for right, n in sorted(found.refused.items()))
        raise StepFailed(f"{told}, refused: {refused}; {unused}")
    return f"{told}, none refused; {unused}"


def uninstall(world: World) -> str:
    """Take everything away and say what is left."""
    if (
        world.installation is None
        or not (world.installation.folder / "kustomization.yaml").exists()
    ):
        raise StepSkipped("nothing was installed")
    left = []
    if world.pipelines is not None:
        number = world.pipelines.end_schedules()
        left.append(f"KFP keeps runs and pipelines ({number} schedules deleted)")
    told = world.installed.remove()
    if told.startswith("left"):
        raise StepFailed(told)
    return "; ".join([told, *left])
