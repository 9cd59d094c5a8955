"""The reference is made from the code and is never behind it."""

import inspect
import subprocess
import sys

import yaml

from docs import reference
from invopt.config import Config

NOTES = reference.FOLDER


def test_every_page_of_the_reference_is_as_the_code_says():
    stale = [name for name, text in reference.pages().items() if (NOTES / name).read_text() != text]
    assert stale == [], "run `make docs-reference`"


def test_every_advice_is_for_a_field_that_exists():
    sections = reference._sections(Config)
    parts = [part for top in sections for part in (top, *_inside(*top))]
    fields = {f"{place}.{name}" for place, part in parts for name in part.model_fields}
    noted = yaml.safe_load((NOTES / "configuration.yaml").read_text())
    assert sorted(set(noted) - fields) == []


def _inside(section, model):
    return [(f"{section}.{place}", part) for place, part in reference._nested(model)]


def test_every_field_of_the_configuration_says_what_it_means():
    silent = [
        f"{section}.{name}"
        for section, model in reference._sections(Config)
        for name in model.model_fields
        if name not in reference.attributes(model.__doc__)
    ]
    assert silent == []


def test_every_variable_that_code_names_is_described():
    noted = yaml.safe_load((NOTES / "environment.yaml").read_text())
    assert sorted(set(reference._variables()) - set(noted)) == []


def test_the_library_says_what_it_exports_and_loads_it_only_when_asked():
    code = "import sys, invopt; print(len(sys.modules), 'numpy' in sys.modules, dir(invopt))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "False" in found
    assert "read_frames" in found


def test_what_the_library_exports_has_a_docstring():
    import invopt

    assert [
        n
        for n in invopt.__all__
        if not n.startswith("_") and not inspect.getdoc(getattr(invopt, n))
    ] == []
