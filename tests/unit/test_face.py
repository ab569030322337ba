"""The names of ``pets``: what ``import *`` brings, and what a wrong name is told."""

from __future__ import annotations

import builtins

import pytest

import pets
from pets.errors import QueryError


def test_import_star_leaves_pythons_own_names_alone() -> None:
    assert not set(pets.__all__) & set(dir(builtins))
    brought: dict[str, object] = {}
    exec("from pets import *", brought)
    assert brought["query"] is pets.query
    assert "sum" not in brought
    assert pets.sum("days")
    assert "sum" in dir(pets)


def test_a_wrong_name_is_an_error_of_pets_and_of_python() -> None:
    with pytest.raises(QueryError, match="pets has no 'suum'; did you mean 'sum'"):
        _ = pets.suum
    assert not hasattr(pets, "suum")
