"""Through: what ``pets review`` does with ``--service``: a login says who looks and votes, and no ledger is here."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.cli.connection.flags import Service
from pets.cli.flags import Books, Purse
from pets.errors import HeldError, NotFoundError, UserError

if TYPE_CHECKING:
    from pets.ledger.ledger import Ledger
    from pets.service.client.connection import Connection

WAY = """\
Then, by your own eyes: pets review approve {id} --digest {short} --service URL
or: pets review return {id} --digest {short} --reason CODE --note TEXT --service URL
(or reject; return … --now sends it back at once; with --key FILE your own key signs it)"""

By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who decides; never whose it is. (A service's login says it.)"),
]


@dataclass(frozen=True)
class Held(Service):
    """Where what is decided about lies: in a ledger here, or with a service."""

    ledger: Annotated[str | None, typer.Option("--ledger", metavar="FILE|URL", help="ledger.db, or postgresql://…")] = (
        None
    )
    keys: Annotated[
        str | None, typer.Option("--keys", metavar="FOLDER", help="Its keys, where they lie elsewhere.")
    ] = None

    def open(self) -> "Ledger":
        """The ledger that is here; raises :class:`UserError` where nothing says which."""
        if self.ledger is None:
            raise UserError("nothing says where this lies; add --ledger FILE|URL, or --service URL to ask a service")
        return Books(self.ledger, self.keys).open()

    @property
    def given(self) -> bool:
        """Whether a service is asked; raises :class:`UserError` for flags that go with one alone."""
        ours = {"ledger": self.ledger, "keys": self.keys}
        if self.service is not None:
            refuse_here(ours)
            return True
        return Service(self.service, self.token_file, self.dataset, self.ledger_key).given

    def desk(self, **ours: Any) -> "Connection":
        """The service; ``ours``: flags that go with a ledger that is here."""
        refuse_here(ours)
        return self.connect(None, Purse())


def refuse_here(ours: dict[str, Any]) -> None:
    """Raises :class:`UserError` for a flag of one's own ledger that was given beside a service."""
    for name, value in ours.items():
        if value:
            raise UserError(f"--{name} goes with a ledger that is here, and the service has its own; leave it out")


def named(by: str | None) -> str:
    """Who decides about what lies here; raises :class:`UserError` where nobody says."""
    if by is None:
        raise UserError("the log tells who decides; add --by NAME")
    return by


def show(desk: "Connection", request: str, out: str | None) -> None:
    """An output with the beginning of each file, or a request that is held."""
    from pets.cli.airlock.looking import print_out

    try:
        found = desk.airlock.look(request)
    except NotFoundError:
        print(repr(desk.review(request)))
        return
    print_out(found, out, WAY)


def vote(
    desk: "Connection", output: str, decision: str, digest: str, *, key: Path | None, now: bool = False, **said: Any
) -> str:
    """Vote about an output; gives its state.

    Raises:
        HeldError: it is another by now than the one of that digest.
    """
    airlock = desk.airlock
    seen = airlock.look(output)
    if len(digest) < 12 or not seen.digest.startswith(digest):
        raise HeldError(
            f"this is not the output that waits, whose digest begins with {seen.digest[:12]}; look at it once more, "
            "and vote about what you saw"
        )
    if now:
        return airlock.send_back(seen, key=key, **said).state
    return airlock.decide(seen, decision, key=key, **said).state


def is_output(desk: "Connection", request: str) -> bool:
    """Whether it is an output, and not a held request."""
    try:
        desk.airlock.look(request)
    except NotFoundError:
        return False
    return True
