"""``pets sdc grid``: a custodian compares a dataset's grid with all that left before, and lets it leave."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import sys
from typing import Annotated

import typer

from pets.cli.flags import Purse, Question, SchemaFile, Source, load_schema
from pets.errors import LedgerError

LOOK = 30
"""The exit code where a person has to look before anything leaves."""


def grid(
    schema: SchemaFile,
    source: Source,
    question: Question,
    purse: Purse,
    preset: Annotated[str, typer.Option("--preset", metavar="NAME", help="The rule: hes, ons_10_5, …")],
    anew: Annotated[
        bool, typer.Option("--anew", help="After a refresh: make the same grid of the new tables.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="WORD", help="You have looked at what follows of it.")
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", help="How long to look for what follows.")] = 60.0,
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
    from pets.session.grid.comparing import UnconfirmedError

    known = load_schema(schema)
    asked, rule = question.build(known), SDC(preset)
    ledger = purse.open()
    if ledger is None:
        raise LedgerError("a grid is kept in the dataset's ledger, for all who ask later; add --ledger ledger.db")
    session = source.open(known, purse, ledger, policy=Policy(sdc=(preset,)))
    try:
        print(session.name_grid(asked, rule, anew=anew, confirm=confirm))
    except UnconfirmedError:
        if confirm is not None:
            print("pets: that is the word of another comparison; this is the one of now:", file=sys.stderr)
        print(session.compare_grid(asked, rule, seconds=seconds))
        raise typer.Exit(LOOK) from None
