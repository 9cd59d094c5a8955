"""The notebook runs, and prints what was kept of its run, up to differences between processors."""

import ast
import contextlib
import io
import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from tests.docs.test_examples import Near

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))


def run(source: str, names: dict) -> str:
    """Run a cell and return what it prints and what its last line is, as a notebook shows it."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            if value is not None:
                print(repr(value))
    return printed.getvalue()


def kept(cell: dict) -> str:
    """Return the text a notebook keeps of a cell; pictures have none."""
    outputs = [o for o in cell["outputs"] if "image/png" not in o.get("data", {})]
    return "".join(
        "".join(o.get("text", [])) or "".join(o["data"]["text/plain"]) + "\n" for o in outputs
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_and_prints_what_it_kept(path, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    names: dict = {}
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        if cell["cell_type"] != "code":
            continue
        found, wanted = run("".join(cell["source"]), names), kept(cell)
        assert Near().check_output(wanted, found, 0), f"cell {number}:\n{wanted}\n{found}"


def test_what_a_notebook_kept_is_whole_and_without_a_warning():
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        content = json.loads(path.read_text())
        cells = [c for c in content["cells"] if c["cell_type"] == "code"]
        assert [c["execution_count"] for c in cells] == list(range(1, len(cells) + 1))
        assert all(o.get("name") != "stderr" for c in cells for o in c["outputs"])
        assert path.stat().st_size < 200_000
