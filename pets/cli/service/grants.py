"""``pets service grant``: who may ask about a dataset, as signed entries of the log."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from typing import Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Books

grant_app = typer.Typer(
    name="grant",
    help="Grants: once a dataset has one, only who has one may ask. The log tells of each.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Dataset = Annotated[str, typer.Option("--dataset", metavar="NAME", help="Which dataset.")]
Project = Annotated[str, typer.Option("--project", metavar="NAME", help="For which project.")]
Analyst = Annotated[str, typer.Option("--analyst", metavar="NAME", help="For whom: the subject of the login.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides this, as the log tells it.")]


@verb(grant_app)
def add(
    books: Books,
    dataset: Dataset,
    project: Project,
    analyst: Analyst,
    by: By,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="analyst, reviewer, auditor or custodian; repeatable.",
            show_default="analyst",
        ),
    ] = None,
) -> None:
    """Give leave, in place of what this analyst of this project had. It gives no role that their login has not.

    \b
    pets service grant add --ledger ledger.db --dataset stays --project stroke-2026 --analyst amina --by vera
    """
    from pets.ledger.grants import Grants

    made = Grants(books.open()).grant(dataset, project, analyst, role or ["analyst"], by=by)
    print(f"{made.analyst}, project {made.project}, may ask about {made.dataset}: {', '.join(made.roles)}.")


@verb(grant_app)
def end(books: Books, dataset: Dataset, project: Project, analyst: Analyst, by: By) -> None:
    """Take leave away. The end of the last grant opens the dataset to nobody.

    \b
    pets service grant end --ledger ledger.db --dataset stays --project stroke-2026 --analyst amina --by vera
    """
    from pets.ledger.grants import Grants

    Grants(books.open()).end(dataset, project, analyst, by=by)
    print(f"{analyst}, project {project}, may no longer ask about {dataset}.")


@verb(grant_app)
def list_(books: Books, dataset: Dataset) -> None:
    """The grants of a dataset that are in force.

    \b
    pets service grant list --ledger ledger.db --dataset stays
    """
    from pets.ledger.grants import Grants

    grants = Grants(books.open())
    found = grants.all(dataset)
    for one in found:
        print(f"{one.analyst}, project {one.project}: {', '.join(one.roles)} (entry {one.seq} of the log)")
    if not found:
        ended = grants.any(dataset)
        typer.echo("All grants have ended: nobody may ask." if ended else "No grants: all logins may ask.", err=True)
