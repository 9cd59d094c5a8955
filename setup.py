"""What a wheel holds: the library, and inside it the packages of the platform.

In the repository `components`, `feature_repo`, `pipelines` and `serving` are top-level packages. In
site-packages such names would meet those of others, so that a wheel has them in invopt/_platform,
where only the `invopt` command (and PYTHONPATH, in the images) finds them. Tests and benchmarks
stay in the repository.
"""

from setuptools import find_packages, setup

ROOMS = ("components", "feature_repo", "pipelines", "serving")
PLATFORM = {
    f"invopt._platform.{name}": name.replace(".", "/")
    for room in ROOMS
    for name in (room, *(f"{room}.{part}" for part in find_packages(room)))
}

setup(
    packages=[*find_packages(include=["invopt", "invopt.*"]), *PLATFORM],
    package_dir=PLATFORM,
    package_data={
        "invopt": ["py.typed", "*.pyi", "report/templates/*.j2", "report/assets/*"],
        "invopt._platform.pipelines": ["configs/*.yaml", "configs/datasets/*.yaml"],
        "invopt._platform.feature_repo": ["*.yaml", ".feastignore"],
    },
)
