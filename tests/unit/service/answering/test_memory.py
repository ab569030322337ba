"""Memory: a limit as it is written, and what a process holds."""

from __future__ import annotations

import os

import pytest

from pets.errors import UserError
from pets.service.answering.memory import resident, size


def test_this_process_holds_some_memory() -> None:
    assert 10**6 < resident(os.getpid()) < 10**12
    assert resident(2**22 + 1) == 0, "a process that is none"


@pytest.mark.parametrize("wrong", ["4", "GB", "-4GB", "4 GBs", 4, None, "", "04GB"])
def test_sizes_that_are_none(wrong: object) -> None:
    with pytest.raises(UserError, match="is not a size; write it like '4GB'"):
        size(wrong)  # type: ignore[arg-type]
