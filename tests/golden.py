"""Compiled pipelines and signatures of steps, kept in the repository; `make golden` rewrites them.

What a cluster would run is reviewed like code: a changed step shows as a changed file. mypy checks
the pipelines' calls by the signatures.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "golden_files"
PIPELINES = Path(__file__).parent.parent / "pipelines"
CONFIG = PIPELINES / "configs" / "demo.yaml"
CALLS = PIPELINES / "calls.pyi"
_TYPES = {"String": "str", "Boolean": "bool", "Integer": "int", "Float": "float"}


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


def signatures() -> str:
    """Return a class with a method per step: what the step takes, in types of Python."""
    import components

    lines = ["from typing import Any", "", "from kfp.dsl import PipelineTask", "", "class Calls:"]
    for name in sorted(components.__all__):
        takes = [
            f"{key}: {_annotation(found.type)}{' = ...' if found.optional else ''}"
            for key, found in getattr(components, name).component_spec.inputs.items()
        ]
        lines.append(f"    def {name}(")
        lines += [f"        {part}," for part in ["self", "*", *takes]]
        lines.append("    ) -> PipelineTask: ...")
    return "\n".join(lines) + "\n"


def _annotation(kind: str) -> str:
    containers = {"Dict": "dict[str, Any]", "List": "list[Any]"}
    return (_TYPES | containers).get(kind.rpartition(".")[2], "Any")


def main(arguments: list[str]) -> int:
    from pipelines.cli import PIPELINES

    FOLDER.mkdir(exist_ok=True)
    stale = []
    wanted = {FOLDER / f"{pipeline}.yaml": compiled(pipeline) for pipeline in PIPELINES}
    for file, text in (wanted | {CALLS: signatures()}).items():
        if "--check" in arguments:
            if not file.is_file() or file.read_text() != text:
                stale.append(file.name)
        else:
            file.write_text(text)
    if stale:
        print(f"stale: {', '.join(stale)}; run `make golden` and review what changed.")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
