#!/bin/sh
# DuckDB 2.0.0: in a Jupyter kernel without ipywidgets, "SET enable_progress_bar=false" raises
# "required package 'ipywidgets' is missing, which is needed to render progress bars in Jupyter":
# a program that asks for no bar cannot run in a notebook. Met when invopt read frames in one.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet duckdb==2.0.0 ipykernel==7.4.0 nbclient==0.11.0 nbformat==5.11.1
"$place/venv/bin/python" - <<'PY'
import nbformat
from nbclient import NotebookClient

notebook = nbformat.v4.new_notebook()
notebook.cells = [nbformat.v4.new_code_cell(
    "import duckdb\n"
    "try:\n"
    "    duckdb.connect().execute('SET enable_progress_bar=false')\n"
    "except duckdb.InvalidInputException as err:\n"
    "    print(err)\n"
)]
NotebookClient(notebook, kernel_name="python3").execute()
said = "".join(output["text"] for output in notebook.cells[0]["outputs"])
print(said)
# Seen: Invalid Input Error: Could not change the progress bar setting because: 'required package
# 'ipywidgets' is missing, which is needed to render progress bars in Jupyter'
assert "ipywidgets' is missing" in said, said
PY
