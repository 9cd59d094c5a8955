"""Examples of the documentation and of the library's docstrings run, and print what they say."""

import doctest
import importlib
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
    found = pkgutil.iter_modules(invopt.inventory.__path__, "invopt.inventory.")
    return sorted(m.name for m in found)


@pytest.mark.parametrize("name", modules())
def test_examples_of_a_module_of_inventory_print_what_they_say(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
