#!/usr/bin/env bash
# kfp 2.17.0: an input artifact annotated Optional[Input[Dataset]] cannot be handed over on a cluster.
#
# The local runner gives each artifact its schema's name ("system.Dataset"), and the executor makes that
# class. KFP's backend sends the type of an *input* artifact as {"instanceSchema": ""}, without a name; the
# executor then falls back to the annotation, does not take Optional apart as it does elsewhere, and tries
# to make an instance of it. `forecast: Input[Dataset] = None` compiles as optional too, and works.
#
# Seen 2026-11-28 (Python 3.11):
#   with the name of a schema: Dataset
#   Optional[Input[Dataset]], no name: TypeError: Cannot instantiate typing.Union
#   Input[Dataset] = None, no name: Dataset
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet kfp==2.17.0
cat > "$folder/see.py" <<'P'
from typing import Optional

from kfp import dsl
from kfp.dsl import Dataset, Input
from kfp.dsl.executor import Executor


@dsl.component
def annotated(table: Optional[Input[Dataset]] = None):
    pass


@dsl.component
def defaulted(table: Input[Dataset] = None):
    pass


def handed(component, kind):
    artifact = {"name": "table", "uri": "/tmp/table", "metadata": {}, "type": kind}
    message = {
        "inputs": {"artifacts": {"table": {"artifacts": [artifact]}}},
        "outputs": {"outputFile": "/tmp/out/executor_output.json"},
    }
    try:
        made = Executor(message, component).input_artifacts["table"]
    except TypeError as err:
        return f"TypeError: {err}"
    return type(made).__name__


assert annotated.component_spec.inputs["table"].optional
assert defaulted.component_spec.inputs["table"].optional
named, nameless = {"schemaTitle": "system.Dataset"}, {"instanceSchema": ""}
seen = [handed(annotated, named), handed(annotated, nameless), handed(defaulted, nameless)]
print("with the name of a schema:", seen[0])
print("Optional[Input[Dataset]], no name:", seen[1])
print("Input[Dataset] = None, no name:", seen[2])
assert seen == ["Dataset", "TypeError: Cannot instantiate typing.Union", "Dataset"], seen
P
"$folder/venv/bin/python" -W ignore "$folder/see.py"
