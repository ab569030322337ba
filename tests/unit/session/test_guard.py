"""The guard: whatever happens while rows are read, nothing of them is in what leaves."""

from __future__ import annotations

import traceback

import numpy as np
import pytest

from pets.session.guard import guarded


class Panic(BaseException):
    """What an engine written in Rust raises: no Exception."""


class Stop(SystemExit):
    """A request to stop that carries something."""


def test_a_result_comes_through() -> None:
    assert guarded(lambda: 7) == (7, "")


@pytest.mark.parametrize("kind", [ValueError, Panic, MemoryError, GeneratorExit])
def test_a_failure_is_told_to_the_custodian_alone(kind: type[BaseException]) -> None:
    def read() -> None:
        raise kind("SECRET")

    result, incident = guarded(read)
    assert result is None
    assert "SECRET" in incident and kind.__name__ in incident


@pytest.mark.parametrize(("kind", "leaves"), [(KeyboardInterrupt, KeyboardInterrupt), (Stop, SystemExit)])
def test_a_request_to_stop_leaves_bare(kind: type[BaseException], leaves: type[BaseException]) -> None:
    def read() -> None:
        rows = np.arange(3)
        raise kind(f"SECRET {rows}")

    with pytest.raises(leaves) as caught:
        guarded(read)
    error = caught.value
    assert type(error) is leaves
    assert error.args == () and error.__context__ is None and error.__cause__ is None
    held = [value for frame, _ in traceback.walk_tb(error.__traceback__) for value in frame.f_locals.values()]
    assert not any(isinstance(value, np.ndarray) for value in held)
