"""Extras: a module whose tests need a library is left out where it is not installed, and does not load it to find out.

Every process of a test run reads every module, and most of them run none of its tests: loading SDV, with PyTorch, and
the modelling of marginals, with JAX, took each of them a dozen seconds.
"""

from __future__ import annotations

import importlib.util

import pytest


def needs(*names: str) -> None:
    """Skip the module that says so unless all of these can be imported."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name!r} is not installed", allow_module_level=True)
