"""Nodes: the parts of a question. Python compares them as wholes, never as the values that they will stand for."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from pets.errors import QueryError


class Node:
    """A part of a question, equal to another one of its class with equal fields.

    Compared with a value it would be plain False: a question that is not asked and an answer that looks like one. So
    comparing it, and computing with it where a family of nodes has no rule of its own, says what to write instead.

    Attributes:
        instead: what to write, as a sentence.
    """

    instead: ClassVar[str] = ""
    __array_ufunc__: ClassVar[None] = None  # numpy's scalars leave the operators to this class
    __hash__ = object.__hash__

    def __init_subclass__(cls) -> None:
        setattr(cls, "__eq__", Node.__eq__)  # noqa: B010 - before @dataclass, which leaves it as it is

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Node):
            return type(self) is type(other) and all(
                getattr(self, one.name) == getattr(other, one.name)
                for one in fields(self)  # type: ignore[arg-type]
            )
        return self.compared(other)

    def compared(self, other: object) -> Any:
        """What ``==`` gives beside anything that is no node; ``NotImplemented`` asks the other one."""
        return False if other is None else self.refused()

    def refused(self, *_: object) -> NoReturn:
        """Say what to write instead; raises :class:`QueryError`."""
        raise QueryError(self.instead)

    if not TYPE_CHECKING:  # a type checker knows that there are none
        __contains__ = __invert__ = __neg__ = __pos__ = __abs__ = __round__ = __int__ = __float__ = refused
        __lt__ = __le__ = __gt__ = __ge__ = __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = refused
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = refused
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = refused
