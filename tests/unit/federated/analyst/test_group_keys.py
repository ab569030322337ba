"""Unlisted keys over several sites are refused, with the reason and what to ask instead."""

from __future__ import annotations

import pytest

import pets
from pets.errors import UserError


def test_a_federation_refuses_keys_that_nobody_listed() -> None:
    federation = object.__new__(pets.Federation)  # it is refused whoever takes part
    with pytest.raises(UserError, match=r"secure union.*session\.group_keys\(…\)"):
        federation.group_keys("apc", by=["diagnosis"], protection=pets.DP(epsilon=1))
