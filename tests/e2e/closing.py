"""The end: backup, audit, uninstall."""

from tests.e2e import audit as auditing
from tests.e2e.report import StepFailed, StepSkipped
from tests.e2e.world import World

_DATABASES = ("studies", "mlflow", "features", "governor")


def backup(world: World) -> str:
    """Databases dumped, dropped, restored: the registry knows what it knew."""
    folder = world.settings.out / "backup"
    folder.mkdir(parents=True, exist_ok=True)
    before = world.serving.champion()
    exec_ = ("exec", "postgres-0", "-c", "postgres", "--")
    sizes = []
    for name in _DATABASES:
        done = world.kube.run(
            *exec_, "pg_dump", "-U", "invopt", "-Fc", name, stdin=b"", seconds=300
        )
        if done.returncode or not done.stdout.startswith(b"PGDMP"):
            raise StepFailed(f"pg_dump {name}: {done.stderr.decode()[-300:]}")
        (folder / f"{name}.dump").write_bytes(done.stdout)
        sizes.append(f"{name} {len(done.stdout) / 1000:.0f} kB")
    world.kube.must("scale", "deployment", "mlflow", "--replicas=0")
    for name in _DATABASES:
        world.kube.must(*exec_, "dropdb", "-U", "invopt", "--force", name)
        world.kube.must(*exec_, "createdb", "-U", "invopt", "-E", "UTF8", "-T", "template0", name)
    answers = world.serving.ask()
    for name in _DATABASES:
        content = (folder / f"{name}.dump").read_bytes()
        done = world.kube.run(
            "exec", "-i", *exec_[1:], "pg_restore", "-U", "invopt", "--no-owner", "-d", name,
            stdin=content, seconds=300,
        )  # fmt: skip
        if done.returncode:
            raise StepFailed(f"pg_restore {name}: {done.stderr.decode()[-300:]}")
    world.kube.must("scale", "deployment", "mlflow", "--replicas=1")
    world.installed.wait_ready(5)
    after = world.serving.champion()
    if after != before:
        raise StepFailed(f"the registry knew {before}, after the restore {after}")
    if answers["lost"]:
        raise StepFailed(f"without databases {answers['lost']} of {answers['asked']} lost")
    told = world.serving.check_serves(world.serving.version())
    return (
        f"{', '.join(sizes)} dumped, dropped and restored; meanwhile "
        f"{answers['asked']} requests answered; registry as before; {told}"
    )


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
    with file.open() as lines:
        calls = [
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
