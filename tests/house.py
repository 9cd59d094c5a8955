"""Figures of the structure in docs/architecture.md: `python -m tests.house [ROOT] [--list]`.

Lines of code leave out docstrings, blanks and comments. Names equal in two rooms are counted among
public classes, and modules other than __init__ and __main__.
"""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOMS = ("invopt", "serving", "components", "pipelines", "feature_repo")
LONG, MANY, POSITIONAL = 40, 6, 5


def modules(root: Path) -> dict[str, ast.Module]:
    """Return every module of the rooms by its dotted name."""
    found = {}
    for room in ROOMS:
        for file in sorted((root / room).rglob("*.py")):
            name = ".".join(file.relative_to(root).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(file.read_text())
    return found


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function on which code stands, its head included."""
    lines = set()
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    for node in ast.walk(ast.Module(body, [])):
        if hasattr(node, "lineno"):
            lines |= {node.lineno, node.end_lineno}
    last_of_head = max([function.lineno, *(a.end_lineno or 0 for a in ast.walk(function.args)
                                           if hasattr(a, "end_lineno"))])  # fmt: skip
    return len(lines | set(range(function.lineno, last_of_head + 1)))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def num_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the parameters, self and cls left out."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args,
                             *function.args.kwonlyargs)]  # fmt: skip
    return len([n for n in names if n not in ("self", "cls")])


def main(arguments: list[str]) -> int:
    """Print the figures of a checkout, by default this one."""
    places = [argument for argument in arguments if not argument.startswith("--")]
    root = Path(places[0]) if places else Path(__file__).parent.parent
    trees = modules(root)
    every = [(name, f, code_lines(f)) for name, tree in trees.items() for f in functions(tree)]
    calls = [n for tree in trees.values() for n in ast.walk(tree) if isinstance(n, ast.Call)]
    crowded = [c for c in calls if len(c.args) > POSITIONAL]
    files, kinds, stems = Counter[str](), defaultdict(set), defaultdict(set)
    for name, tree in trees.items():
        folder, _, stem = name.rpartition(".")
        # The file of a package lies in the package's own folder.
        files[name if any(other.startswith(f"{name}.") for other in trees) else folder] += 1
        stems[stem].add(name)
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                kinds[node.name].add(name)
    readers = {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    folder, most = max(((f, n) for f, n in files.items() if f.startswith("serving")),
                       key=lambda pair: pair[1])  # fmt: skip
    figures = {
        "functions": len(every),
        "mean lines of code": round(sum(n for *_, n in every) / len(every), 1),
        f"functions over {LONG} lines of code": sum(n > LONG for *_, n in every),
        f"functions with more than {MANY} parameters": sum(
            num_parameters(f) > MANY for _, f, _ in every
        ),
        f"calls with more than {POSITIONAL} arguments by position": len(crowded),
        "of 1,000 calls": round(1000 * len(crowded) / len(calls), 2),
        f"files in the largest folder of serving ({folder})": most,
        "modules of one name": sum(
            len(v) > 1 for k, v in stems.items() if k not in ("__main__", *ROOMS)
        ),
        "public classes of one name": sum(len(v) > 1 for v in kinds.values()),
        "modules that touch os.environ": len(readers),
    }
    for name, number in figures.items():
        print(f"{name}: {number}")
    if "--list" in arguments:
        for name, function, lines in every:
            if lines > LONG or num_parameters(function) > MANY:
                print(name, function.name, lines, num_parameters(function))
        print(*sorted(readers), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
