"""Feast without typeguard's second compilation of its classes, and without torch."""

import subprocess
import sys

import pytest

_SCRIPT = """
import inspect, typeguard
before = typeguard.typechecked
from serving.stores.feast_import import feature_store_class
feature_store_class()
assert typeguard.typechecked is before
from feast import Entity, ValueType
print(Entity(name="series", value_type=ValueType.STRING).name)
print("typeguard" in inspect.getsource(inspect.getmodule(Entity)),
      "typeguard" in Entity.__init__.__code__.co_names)
"""
_TORCH = """
import sys
from serving.stores.feast_import import feature_store_class
feature_store_class()
print("torch" in sys.modules)
import torch
print(torch.ones(2).sum().item())
"""
_TORCH_FIRST = """
import torch
from serving.stores.feast_import import feature_store_class
feature_store_class()
from feast.torch_wrapper import get_torch
print(get_torch() is torch)
"""


def _printed(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
def test_feast_works_undecorated_and_typeguard_is_as_it_was():
    # Its source asks for typeguard; what was imported does not check.
    assert _printed(_SCRIPT) == ["series", "True", "False"]


@pytest.mark.slow
def test_importing_feast_loads_no_torch_and_torch_can_be_imported_afterwards():
    assert _printed(_TORCH) == ["False", "2.0"]


@pytest.mark.slow
def test_feast_keeps_a_torch_that_was_loaded_before():
    assert _printed(_TORCH_FIRST) == ["True"]
