"""Draws: what differs between students beside their rows, such as the trust to which it happened.

A draw follows from the trainer's secret and the student's name, as the rows do: the file of a lesson, which everybody
may read, says among what is drawn, and never what was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pets.errors import UserError, did_you_mean, shown
from pets.synthetic.quiz.secret import Secret

_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_PLACE = re.compile(r"\{([a-z][a-z0-9_]{0,29})\}")


@dataclass(frozen=True)
class Draw:
    """Values for names, no two of them the same.

    Attributes:
        names: what is drawn.
        among: the texts of which each is one.
    """

    names: tuple[str, ...]
    among: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in self.names:
            if not _NAME.fullmatch(name):
                raise UserError(f"what is drawn is named by small letters, digits and _, not {shown(name)}")
        if not self.names or len(set(self.names)) < len(self.names):
            raise UserError("a draw has one or more names, each once")
        if len(set(self.among)) < len(self.among) or len(self.among) <= len(self.names):
            raise UserError(
                f"a draw of {' and '.join(self.names)} is among more different values than names; write at least "
                f"{len(self.names) + 1}, each once"
            )

    def values(self, secret: Secret | None) -> dict[str, str]:
        """What was drawn under a student's own secret; without one, the first values, for a check of the lesson."""
        order = self.among
        if secret is not None:
            order = tuple(sorted(order, key=lambda value: secret.bytes_for("draw", *self.names, value)))
        return dict(zip(self.names, order, strict=False))


def values_of(draws: Iterable[Draw], secret: Secret | None) -> dict[str, str]:
    """What all draws give, by name."""
    return {name: value for draw in draws for name, value in draw.values(secret).items()}


def named_in(text: str) -> list[str]:
    """The names that stand in a text as ``{name}``."""
    return _PLACE.findall(text)


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with what was drawn in the place of each ``{name}``.

    Raises :class:`UserError` for a name that is drawn nowhere.

    >>> filled("PROCODE3 == '{trust}'", {"trust": "RZ2"})
    "PROCODE3 == 'RZ2'"
    """
    for name in named_in(text):
        if name not in values:
            raise UserError(f"{{{name}}} is drawn nowhere; name it under draws{did_you_mean(name, values)}")
    return _PLACE.sub(lambda found: values[found[1]], text)
