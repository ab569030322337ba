"""``pets sdc grid``: a custodian compares a dataset's grid with all that left before, and lets it leave."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.flags import Purse, Question, SchemaFile, Source, load_schema
from pets.errors import LedgerError

if TYPE_CHECKING:
    from pets.protection.sdc import SDC
    from pets.query_model.query import Query
    from pets.session.session import Session

LOOK = 30
"""The exit code where a person has to look before anything leaves."""


Anew = Annotated[
    bool,
    typer.Option("--anew", help="Of rows that were refreshed: who knows that few people moved learns of them."),
]
Confirm = Annotated[
    str | None, typer.Option("--confirm", metavar="WORD", help="You have looked at what follows of the grid.")
]
Seconds = Annotated[float, typer.Option("--seconds", help="How long to look for what follows of it.")]


def named(session: "Session", asked: "Query", rule: "SDC", *, anew: bool, confirm: str | None, seconds: float) -> None:
    """Name a grid and print it; or what follows of it, where something left before and nobody said that they looked."""
    from pets.session.grid.comparing import UnconfirmedError

    try:
        print(session.name_grid(asked, rule, anew=anew, confirm=confirm))
    except UnconfirmedError:
        if confirm is not None:
            print("pets: that is the word of another comparison; this is the one of now:", file=sys.stderr)
        print(session.compare_grid(asked, rule, seconds=seconds))
        raise typer.Exit(LOOK) from None


def grid(
    schema: SchemaFile,
    source: Source,
    question: Question,
    purse: Purse,
    preset: Annotated[str, typer.Option("--preset", metavar="NAME", help="The rule: hes, ons_10_5, …")],
    anew: Anew = False,
    confirm: Confirm = None,
    seconds: Seconds = 60.0,
) -> None:
    """Count people in every cell of a grid, protect each once, and let rounded tables over it leave from then on.

    Where anything left before without noise, the earlier grid among it, what follows of all of it is shown first, and
    it ends with 30 and a word; nothing leaves before the same line is given again with that word. For custodians only.

    \b
    pets sdc grid --schema people.yaml --snapshots ready --ledger ledger.db --preset hes \\
        --by sex --by age:0,18,65,120 --count n
    """
    from pets.protection.policy import Policy
    from pets.protection.sdc import SDC

    known = load_schema(schema)
    asked, rule = question.build(known), SDC(preset)
    ledger = purse.open()
    if ledger is None:
        raise LedgerError("a grid is kept in the dataset's ledger, for all who ask later; add --ledger ledger.db")
    session = source.open(known, purse, ledger, policy=Policy(sdc=(preset,)))
    named(session, asked, rule, anew=anew, confirm=confirm, seconds=seconds)
