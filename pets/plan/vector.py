"""IntVector: the exact integers between rows and protection."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from pets.errors import InternalError

Ints = npt.NDArray[np.int64]


class IntVector:
    """An exact answer that must not be seen: whole numbers laid out by one plan.

    It adds to another vector of the same plan, and that is all it does in public. Its repr shows a shape, never
    values; it cannot be pickled, compared or turned into an array by accident. Protections read it with
    :meth:`reveal`, which is the one name to search for in a review.
    """

    __slots__ = ("_values", "plan_digest")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, plan_digest: str, values: Ints) -> None:
        if values.dtype != np.int64 or values.ndim != 1:
            raise InternalError("an IntVector holds one row of 64-bit integers")
        frozen = values.copy()
        frozen.setflags(write=False)
        self.plan_digest = plan_digest
        self._values = frozen

    def __len__(self) -> int:
        return len(self._values)

    def __add__(self, other: IntVector) -> IntVector:
        if not isinstance(other, IntVector):
            return NotImplemented
        if other.plan_digest != self.plan_digest or len(other) != len(self):
            raise InternalError("vectors of two different plans cannot be added")
        total = self._values + other._values
        # same signs in, another sign out: the only way a 64-bit addition can wrap
        if bool(np.any(((self._values ^ total) & (other._values ^ total)) < 0)):
            raise InternalError("a sum left the 64-bit range that the plan proved")
        return IntVector(self.plan_digest, total)

    def reveal(self) -> Ints:
        """The exact values (read-only). Only a protection, or a test, may call this."""
        return self._values

    def __repr__(self) -> str:
        return f"<IntVector of {len(self)} hidden whole numbers, plan {self.plan_digest[:12]}>"

    def __eq__(self, other: object) -> NoReturn:
        raise InternalError("exact vectors are not compared; compare releases")

    def __reduce__(self) -> NoReturn:
        raise InternalError("an exact vector is never pickled")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise InternalError("an exact vector is not an array; a protection turns it into a release")
