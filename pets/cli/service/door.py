"""What ``pets review`` does about tables outside the grid: it opens the dataset's rows as the service does."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.errors import UserError, shown

if TYPE_CHECKING:
    from pets.ledger.ledger import Ledger
    from pets.session.custodian import Custodian

LOOK, FOUND = 30, 31
"""The exit codes where a person has to look, and where something small was found."""

Served = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="service.yaml, which says where the rows are and what the policy allows."
    ),
]


def keeper(ledger: "Ledger", request: str, config: Path | None) -> "Custodian":
    """The custodian of a held request's dataset, opened as ``service.yaml`` says.

    Raises:
        NotFoundError: where no such request is held.
        UserError: without a file, or with one that does not serve the dataset from this ledger.
    """
    from pets.cli.flags import load_schema
    from pets.ledger.review.reviews import Reviews
    from pets.service.config import Config

    dataset = Reviews(ledger).find(request).job.dataset
    if config is None:
        raise UserError(
            "to look at a table outside the grid, or to let it leave, its rows are counted; name the service.yaml that "
            "says where they are and what the policy allows: --config service.yaml"
        )
    for one in Config.load(config).openings:
        if load_schema(one.schema).dataset == dataset:
            made = one.custodian(progress=True)
            if made.ledger.origin == ledger.origin:
                return made
    raise UserError(
        f"{str(config)!r} does not serve the dataset {shown(dataset)} with this ledger; name the one that does"
    )


def look_at(ledger: "Ledger", request: str, config: Path | None) -> int:
    """Print what a table would tell; gives the exit code."""
    found = keeper(ledger, request, config).look(request)
    print(found)
    return {"proved": 0, "attack": FOUND}.get(found.state, LOOK)
