"""Named places where a test can stop the process, between any two steps of a request.

Nothing happens there unless a test sets :data:`hook`; there is no way to set it from outside the process.
"""

from __future__ import annotations

from collections.abc import Callable

POINTS = (
    "reserve-begin",
    "reserve-charged",
    "reserve-logged",
    "reserve-committed",
    "start-committed",
    "data-opened",
    "measured",
    "seal-begin",
    "seal-stored",
    "seal-logged",
    "seal-committed",
    "checkpoint-written",
    "delivered",
    "close-moved",
    "close-committed",
    "change-logged",
    "change-committed",
    "review-logged",
    "review-committed",
    "output-stored",
    "output-logged",
    "output-committed",
)
"""Every place, in the order in which a request passes them."""

hook: Callable[[str], None] | None = None
"""What a test wants done there."""


def failpoint(point: str) -> None:
    """This place was reached."""
    if hook is not None:
        hook(point)
