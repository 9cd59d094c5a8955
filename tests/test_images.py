"""What the images install (Dockerfile): packages of extras, and none of the developers' own."""

import importlib.metadata
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What programs load by name when a setting asks for it: no import of ours tells that it is missing.
JOB = {
    "MLflow's artifacts on s3://": """
        from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository
        S3ArtifactRepository("s3://invopt/mlflow")._get_s3_client()""",
    "fsspec on s3://": "import fsspec; fsspec.filesystem('s3')",
    "SQLAlchemy on postgresql+psycopg://": """
        import sqlalchemy; sqlalchemy.create_engine("postgresql+psycopg://postgres/x")""",
    "Feast's online store": "import feast.infra.online_stores.redis",
    "Feast's registry": "import feast.infra.registry.sql",
}
SERVER = {name: JOB[name] for name in JOB if name.startswith(("SQL", "Feast"))}


def installed_with(*asked: str) -> set[str]:
    """Return the names of the packages that these requirements bring, here and now."""
    own = PROJECT["optional-dependencies"]
    found: set[tuple[str, str]] = set()
    todo = [Requirement(text) for text in asked]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in found:
                continue
            found.add((name, extra))
            if name == "invopt":
                todo += map(Requirement, own[extra] if extra else PROJECT["dependencies"])
                continue
            try:
                needs = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                continue  # of another platform
            todo += [
                need
                for need in map(Requirement, needs)
                if need.marker is None or need.marker.evaluate({"extra": extra})
            ]
    return {name for name, _ in found}


def run_with(packages: set[str], program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in which only the modules of these packages can be imported."""
    modules = {
        module: {canonicalize_name(name) for name in names}
        for module, names in importlib.metadata.packages_distributions().items()
    }
    away = sorted(module for module, names in modules.items() if not names & packages)
    guard = f"""
        import sys
        class Away:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {away!r}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        sys.meta_path.insert(0, Away())
    """
    source = textwrap.dedent(guard) + textwrap.dedent(program)
    return subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )


def extras_of(stage: str) -> list[str]:
    """Return what the Dockerfile installs in a stage, as requirements."""
    text = (ROOT / "Dockerfile").read_text()
    lines = re.search(rf"AS {stage}\n(.*?)(?=\nFROM|\Z)", text, re.DOTALL)
    assert lines is not None
    [install] = re.findall(r"-r pyproject\.toml ([^\n\\&]+)", lines[1])
    extras = re.findall(r"--extra (\S+)", install)
    return [f"invopt[{','.join(extras)}]", *re.findall(r"'([^']+)'", install)]


@pytest.mark.slow
@pytest.mark.parametrize("what", JOB)
def test_the_job_image_has_what_its_settings_load_by_name(what):
    done = run_with(installed_with(*extras_of("build-job")), JOB[what])
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("what", SERVER)
def test_the_server_image_has_what_its_settings_load_by_name(what):
    done = run_with(installed_with(*extras_of("build-server")), SERVER[what])
    assert done.returncode == 0, done.stderr


def test_neither_image_has_what_only_developers_use():
    for stage in ("build-job", "build-server"):
        assert not installed_with(*extras_of(stage)) & {"pytest", "moto", "ruff"}


def test_the_base_image_is_named_by_its_digest():
    text = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert len(bases) == 1
    assert re.fullmatch(r"docker\.io/library/python@sha256:[0-9a-f]{64}", bases[0])
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    names = {name for _, name in stages}
    assert {image for image, _ in stages} - names == {"${BASE}"}
