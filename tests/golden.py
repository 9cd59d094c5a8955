"""Compiled pipelines kept in the repository; `make golden` rewrites them.

What a cluster would run is reviewed like code: a changed step shows as a changed file.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "golden_files"
CONFIG = Path(__file__).parent.parent / "pipelines" / "configs" / "demo.yaml"


def compiled(pipeline: str) -> str:
    """Return the pipeline's YAML without what differs between machines."""
    os.environ["INVOPT_IMAGE"] = "invopt-python:golden"
    from pipelines.launch import compile_pipeline
    from pipelines.parameters import Parameters

    parameters = Parameters.load(CONFIG, code_version="golden")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pipeline.yaml"
        compile_pipeline(pipeline, parameters, out)
        text = out.read_text()
    # The image is the process's; other tests may have imported components before.
    text = re.sub(r"image: .*", "image: invopt-python:golden", text)
    text = re.sub(r"sdkVersion: .*", "sdkVersion: any", text)
    # kfp writes the keys of dict parameters in no fixed order.
    return yaml.safe_dump(yaml.safe_load(text), width=100)


def main(arguments: list[str]) -> int:
    from pipelines.cli import PIPELINES

    FOLDER.mkdir(exist_ok=True)
    stale = []
    for pipeline in PIPELINES:
        file = FOLDER / f"{pipeline}.yaml"
        text = compiled(pipeline)
        if "--check" in arguments:
            if not file.is_file() or file.read_text() != text:
                stale.append(file.name)
        else:
            file.write_text(text)
    if stale:
        print(f"stale compiled pipelines: {', '.join(stale)}; run `make golden` and review them.")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
