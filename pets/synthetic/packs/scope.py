"""What functions of formulas need of the rows that they work on."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pets.synthetic.packs.codelists import Calendar, CodeList
from pets.synthetic.packs.values import Values


class Maker(Protocol):
    """What functions need of a scope."""

    rows: int

    @property
    def random(self) -> np.random.Generator:
        """This column's stream of random numbers."""

    @property
    def group(self) -> npt.NDArray[np.int64]:
        """The parent of each row; rows of one parent stand together."""

    @property
    def before(self) -> int:
        """How many rows of the table were made before these."""

    def codes(self, name: str) -> CodeList:
        """A code list."""

    def calendar(self, name: str) -> Calendar:
        """A calendar."""

    def family(self, name: str) -> list[Values]:
        """The numbered columns that are called ``name_1``, ``name_2``, …"""


def numbers(scope: Maker, argument: Any) -> Any:
    """A constant as it is (numpy spreads it), a column as its array."""
    return argument.data if isinstance(argument, Values) else argument


def whole(data: Any, empty: Any = None) -> Values:
    """Whole numbers as a column."""
    return Values("whole", np.asarray(data).astype(np.int64), (), empty)
