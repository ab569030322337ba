"""``pets history``: what one's project asked a service, what became of each request, and what it cost."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from typing import Annotated

import typer

from pets.cli.connection.flags import Service
from pets.cli.flags import Purse
from pets.errors import UserError


def history(
    service: Service,
    project: Annotated[
        str | None, typer.Option("--project", metavar="NAME", help="Which of your projects, where you have several.")
    ] = None,
    analyst: Annotated[str | None, typer.Option("--analyst", metavar="NAME", help="Whose; else the project's.")] = None,
    last: Annotated[int, typer.Option("--last", metavar="N", help="The newest so many.")] = 20,
) -> None:
    """What your project asked of a service, oldest first: who, what, its cost, and what became of it.

    Where a second person must approve, a request is held until they have decided, or refused for a reason. (The whole
    account of a ledger on this machine: pets ledger show --requests.)

    \b
    pets history --service https://host/pets
    pets history --service https://host/pets --last 500 --analyst amina
    """
    if not service.given:
        raise UserError("a history is asked of a service; add --service URL, or see pets ledger show --requests")
    purse = Purse() if project is None else Purse(project=project)
    print(service.connect(None, purse).history(analyst=analyst, last=last))
