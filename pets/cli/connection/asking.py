"""``pets query --service``: the answer of a service, shown or written as one from one's own data is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pets.cli.command import interruptible
from pets.errors import HeldError

if TYPE_CHECKING:
    from pets.cli.flags import Output, Protect, Question
    from pets.service.client.connection import Connection

LEFT = (
    "interrupted; the service answers what it was asked, and charges it; ask again under the same --key for its answer"
)


def ask(
    connection: Connection, question: Question, protect: Protect, output: Output, key: str | None, *, dummy: bool
) -> None:
    """Ask, and deliver the answer; what is left of the budget goes to stderr."""
    asked = question.build(connection.schema)
    output.check()
    if dummy:
        from pets.protection.protection import Exact

        output.deliver(connection.dummy().release(asked, protect.build() if protect.given else Exact()))
        return
    protection = protect.build()
    try:
        with interruptible(LEFT):
            output.deliver(connection.release(asked, protection, key=key))
    except HeldError as error:
        told = f"{error}; here, the same command shows it once they have approved it"
        raise HeldError.of(told, error.id) from None
    print(f"service: {connection.url}, dataset {connection.dataset}; {connection.remaining()}", file=sys.stderr)
