"""Closed: what stands in the place of a custody once its session was closed."""

from __future__ import annotations

from typing import NoReturn

from pets.errors import UserError


class Closed:
    """Nothing is left to ask.

    Args:
        what: that was closed, for the sentence.
    """

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> NoReturn:
        raise UserError(f"this {self._what} was closed; open it again where it is needed")
