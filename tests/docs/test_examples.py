"""Examples of the documentation and of the library's docstrings run, and print what they say."""

import doctest
import importlib
import inspect
import math
import pkgutil
import re
from pathlib import Path

import pytest

import invopt.inventory

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/quickstart.md")
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")


class Near(doctest.OutputChecker):
    """Compares text by letter and numbers by size: processors differ in the last digits."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        if super().check_output(want, got, optionflags):
            return True
        if NUMBER.sub("#", want).split() != NUMBER.sub("#", got).split():
            return False
        pairs = zip(NUMBER.findall(want), NUMBER.findall(got), strict=True)
        return all(math.isclose(float(a), float(b), rel_tol=0.25, abs_tol=0.5) for a, b in pairs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_prints_what_it_says(page):
    text = re.sub(r"^\s*```.*$", "", (ROOT / page).read_text(), flags=re.M)
    example = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    assert example.examples, f"{page} has no example"
    runner = doctest.DocTestRunner(checker=Near(), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(example).failed == 0


def modules() -> list[str]:
    found = pkgutil.walk_packages(invopt.inventory.__path__, "invopt.inventory.")
    return sorted(m.name for m in found)


def with_examples() -> list[str]:
    """Return the modules of the library whose docstrings hold an example."""
    library = Path(invopt.__path__[0])
    files = [f for f in library.rglob("*.py") if ">>> " in f.read_text("utf-8")]
    return sorted(
        ".".join(("invopt", *f.relative_to(library).with_suffix("").parts)) for f in files
    )


@pytest.mark.parametrize("name", with_examples())
def test_examples_of_a_module_print_what_they_say(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


# Public functions that only put large objects together: what they hand on is shown where it is
# computed, and the whole in docs/quickstart.md.
ASSEMBLE = {
    "assumptions.assume", "backtest.replay", "exceptions.flags_of", "exceptions.position_flags",
    "network.net.net_of", "network.network_review.by_lanes", "network.sheets.replaced",
    "network.sheets.sources_review", "network.sheets.told", "network.sheets.with_source",
    "network.source_orders.ordered_by", "network.source_outlook.arrivals_of",
    "network.source_outlook.ends_before_next", "network.source_outlook.leaves_of",
    "network.source_outlook.outlook_of", "network.source_outlook.sunk_of",
    "network.source_outlook.too_old", "planning.finished", "planning.plan_orders",
    "planning.without_faults", "review.demand_ahead", "review.plan_review",
}  # fmt: skip


def public_functions() -> dict[str, bool]:
    """Return the public functions of inventory by name, with whether they have an example."""
    found = {}
    for module in map(importlib.import_module, modules()):
        for name, value in inspect.getmembers(module, inspect.isfunction):
            if value.__module__ == module.__name__ and not name.startswith("_"):
                short = f"{module.__name__.removeprefix('invopt.inventory.')}.{name}"
                found[short] = ">>>" in (value.__doc__ or "")
    return found


def test_every_public_function_of_inventory_but_those_that_assemble_has_an_example():
    functions = public_functions()
    assert len(functions) > len(ASSEMBLE)
    assert {name for name, has_example in functions.items() if not has_example} == ASSEMBLE
