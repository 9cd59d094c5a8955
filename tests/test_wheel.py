"""What `pip install .` puts into site-packages (setup.py, invopt/__main__.py)."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
PLATFORM = ("components", "feature_repo", "pipelines", "serving")
ROOMS = ("invopt", *PLATFORM, "benchmarks", "tests")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel of a copy of the repository, without a network; return it unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for room in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__", "node_modules", "golden_files")
        shutil.copytree(ROOT / room, source / room, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--wheel-dir", str(folder), str(source),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    site = folder / "site-packages"
    zipfile.ZipFile(built).extractall(site)
    return site


def run(wheel: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join((str(wheel), path))}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=wheel, env=environment, capture_output=True, text=True, check=False
    )


def test_a_wheel_has_one_top_level_package_and_neither_tests_nor_benchmarks(wheel):
    top = {p.name for p in wheel.iterdir() if p.suffix != ".dist-info"}
    assert top == {"invopt"}
    inside = {p.name for p in (wheel / "invopt" / "_platform").iterdir()}
    assert inside == set(PLATFORM)


def test_a_wheel_has_every_file_of_the_repository_that_programs_read(wheel):
    platform = wheel / "invopt" / "_platform"
    places = {ROOT / "invopt": wheel / "invopt"}
    places |= {ROOT / room: platform / room for room in PLATFORM}
    for room, place in places.items():
        missing = [
            file.relative_to(room)
            for kind in ("*.py", "*.pyi", "*.yaml", "*.j2", "*.js", "*.css", ".feastignore")
            for file in room.rglob(kind)
            if "web" not in file.parts and not (place / file.relative_to(room)).is_file()
        ]
        assert not missing


def test_the_command_of_a_wheel_finds_the_platform_wherever_it_is_called(wheel):
    config = str(wheel / "invopt/_platform/pipelines/configs/demo.yaml")
    told = run(wheel, "-m", "invopt", "compile", "training", "--config", config, "--out", "t.yaml")
    assert told.returncode == 0, told.stderr
    assert "serving.step" in (wheel / "t.yaml").read_text()


def test_an_image_starts_the_server_by_its_name_with_the_platform_on_its_path(wheel):
    told = run(wheel, "-c", "import serving; print(serving.__file__)",
               path=str(wheel / "invopt" / "_platform"))  # fmt: skip
    assert told.stdout.strip() == str(wheel / "invopt/_platform/serving/__init__.py")


def test_the_library_of_a_wheel_has_its_public_face(wheel):
    told = run(wheel, "-c", "import invopt; print([getattr(invopt, n) for n in invopt.__all__])")
    assert told.returncode == 0, told.stderr
    assert "function train" in told.stdout
