"""``pets airlock``: look at files before a checker does, hand them in, and see what became of them."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.cli.command import verb
from pets.cli.flags import Books, load_schema
from pets.errors import UserError, did_you_mean, shown

if TYPE_CHECKING:
    from pets.ledger.review.output import Rules

airlock_app = typer.Typer(
    name="airlock",
    help="Files that an analyst wants to take out: other people decide about them (pets review).",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Folder = Annotated[str, typer.Argument(metavar="FOLDER", help="The files, with CONTEXT.md and CONTROLS.md.")]
Name = Annotated[str, typer.Argument(metavar="OUTPUT", help="Its id, as the list shows it.", show_default=False)]
Context = Annotated[
    str | None, typer.Option("--context", metavar="TEXT", help="What it is, of whom and for what.", show_default=False)
]
Controls = Annotated[
    str | None, typer.Option("--controls", metavar="TEXT", help="What was hidden and rounded.", show_default=False)
]
Dataset = Annotated[str, typer.Option("--dataset", metavar="NAME", help="Of which dataset.")]
Project = Annotated[str, typer.Option("--project", metavar="NAME", help="Of which project.")]
Analyst = Annotated[str, typer.Option("--analyst", metavar="NAME", help="Whose it is.")]


@verb(airlock_app)
def check(
    folder: Folder,
    context: Context = None,
    controls: Controls = None,
    small: Annotated[int, typer.Option("--small", help="Counts of fewer people than this are small.")] = 10,
) -> None:
    """What a checker would ask about files, each with what to do. Reads these files alone; hands nothing in.

    \b
    pets airlock check outputs
    """
    from pets.session.airlock.airlock import check_output

    if not 1 <= small <= 1000:
        raise UserError(f"--small is a number of people from 1 to 1000, not {small}")
    found = check_output(folder, context=context, controls=controls, small=small)
    print(found)
    if not found.ready:
        raise UserError("this cannot be submitted so; mend what is marked with ! and look once more")


@verb(airlock_app)
def submit(
    books: Books,
    folder: Folder,
    dataset: Dataset,
    project: Project,
    analyst: Analyst,
    context: Context = None,
    controls: Controls = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="service.yaml, whose policy for the dataset says who decides."),
    ] = None,
    votes: Annotated[
        int | None, typer.Option("--votes", help="People who must approve it, at least 2, without a --config. (2)")
    ] = None,
    logins: Annotated[
        bool,
        typer.Option("--logins", help="Only votes of whoever is logged in count, without a --config."),
    ] = False,
) -> None:
    """Ask that files may be taken out; prints the id. Two people decide, neither of them the analyst nor a colleague.

    A custodian's policy may ask for more of them, or for logins: name the file that says so, or say it.

    \b
    pets airlock submit outputs --dataset stays --project stroke-2026 --analyst amina --ledger ledger.db
    pets airlock submit outputs --dataset stays --project p --analyst amina --ledger ledger.db --config service.yaml
    """
    from pets.ledger.review.outputs import Outputs
    from pets.session.airlock.airlock import gathered

    rules = _rules(dataset, config, votes, logins=logins)
    found = gathered(folder, context, controls)
    files, said, done = found
    whose: dict[str, Any] = {"dataset": dataset, "project": project, "analyst": analyst, "rules": rules}
    made = Outputs(books.open()).submit(files, context=said, controls=done, **whose)
    print(made.id)
    who = "people who are logged in decide" if made.rules.logins else "people decide"
    typer.echo(f"Submitted; {made.rules.needed} {who} within {made.rules.days} days.", err=True)


def _rules(dataset: str, config: Path | None, votes: int | None, *, logins: bool) -> "Rules":
    """As the policy of this dataset says, where it is named; else never fewer than two people."""
    from pets.ledger.review.output import Rules

    if config is None:
        if votes is not None and votes < 2:
            raise UserError("--votes is at least 2; where one person does, a policy says so: name it with --config")
        return Rules(needed=votes or 2, logins=logins)
    if votes is not None or logins:
        raise UserError("the policy in --config says who decides; leave out --votes and --logins")
    from pets.protection.policy import Policy
    from pets.service.config import Config
    from pets.session.airlock.airlock import rules_of

    served = {load_schema(one.schema).dataset: one.policy for one in Config.load(config).openings}
    if dataset not in served:
        raise UserError(f"{str(config)!r} serves no dataset {shown(dataset)}{did_you_mean(dataset, served)}")
    return rules_of(Policy.from_json(served[dataset]))


@verb(airlock_app)
def resubmit(
    books: Books, output: Name, folder: Folder, analyst: Analyst, context: Context = None, controls: Controls = None
) -> None:
    """Hand in a returned output anew; nobody has voted about it then.

    \b
    pets airlock resubmit 0b1c… outputs --analyst amina --ledger ledger.db
    """
    from pets.ledger.review.outputs import Outputs
    from pets.session.airlock.airlock import gathered

    found = gathered(folder, context, controls)
    made = Outputs(books.open()).resubmit(output, found[0], context=found[1], controls=found[2], by=analyst)
    typer.echo(f"Submitted for turn {made.turn}.", err=True)


@verb(airlock_app)
def list_(books: Books, project: Project, analyst: Analyst) -> None:
    """What an analyst has submitted, the newest first.

    \b
    pets airlock list --project stroke-2026 --analyst amina --ledger ledger.db
    """
    from pets.ledger.review.outputs import Outputs
    from pets.session.airlock.shown import OutputList

    print(OutputList(Outputs(books.open()).listed(scope=(project, analyst))))


@verb(airlock_app)
def show(books: Books, output: Name, analyst: Analyst) -> None:
    """One output as its analyst sees it: votes and comments once its turn has ended.

    \b
    pets airlock show 0b1c… --analyst amina --ledger ledger.db
    """
    from pets.ledger.review.outputs import Outputs
    from pets.session.airlock.shown import OutputView

    print(OutputView(Outputs(books.open()).find(output, by=analyst)))


@verb(airlock_app)
def withdraw(books: Books, output: Name, analyst: Analyst) -> None:
    """Take an output back for good.

    \b
    pets airlock withdraw 0b1c… --analyst amina --ledger ledger.db
    """
    from pets.ledger.review.outputs import Outputs

    Outputs(books.open()).withdraw(output, by=analyst)
    typer.echo("Withdrawn.", err=True)


@verb(airlock_app)
def comment(
    books: Books,
    output: Name,
    words: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be said; the log has its digest alone.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who writes: its analyst, or a checker.")],
) -> None:
    """Write about an output. What a checker writes, the others see once all have voted, and its analyst at the end.

    \b
    pets airlock comment 0b1c… "the smallest group has 24 people" --by amina --ledger ledger.db
    """
    from pets.ledger.review.outputs import Outputs

    Outputs(books.open()).comment(output, words, by=by)
    typer.echo("Kept; the log has its digest.", err=True)
