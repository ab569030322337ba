"""``pets federation pending`` and ``collect``: questions that stay open; and what a federation's verbs share."""

# no "from __future__ import annotations": typer and the flag groups read the annotations when this file loads

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.command import interruptible, verb
from pets.cli.flags import Output

if TYPE_CHECKING:
    from pets.federated.analyst.open_question import OpenQuestion
    from pets.federated.deployment.remote import RemoteFederation
    from pets.federated.messages.roster import Roster

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The federation's folder.")]
Patience = Annotated[
    float, typer.Option("--patience", metavar="SECONDS", help="A site that says nothing for so long is lost.")
]
OPEN = "interrupted; the question stays open, and what sites were charged stays; pets federation pending lists it"


def register(app: typer.Typer) -> None:
    """Add the verbs to the commands of a federation."""
    verb(app)(pending)
    verb(app)(collect)


def pending(folder: Folder) -> None:
    """The questions that stay open, until when, and which sites answered.

    \b
    pets federation pending trial
    """
    from pets.federated.deployment.remote import connect

    many = connect(folder)
    for one in many.pending():
        print(opened(one, many.roster))
    if not many.pending():
        print("No question is open.")


def collect(
    folder: Folder,
    output: Output,
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="Its first digits, where several are open.")
    ] = None,
    patience: Patience = 120.0,
) -> None:
    """Go on with a question that stays open: ask the sites that are in touch now, and show what is complete.

    \b
    pets federation collect trial
    pets federation collect trial 3fa01c22 --out answer.html
    """
    from pets.errors import UserError
    from pets.federated.deployment.remote import connect

    output.check()
    with connect(folder, patience=patience) as many:
        several = many.pending()
        if question is None and not several:  # as a line in crontab finds it on most days
            print("No question is open.")
            return
        if question is None and len(several) > 1:
            raise UserError("several questions are open; name one of those that pets federation pending lists")
        one = question or several[0].id
        with interruptible(OPEN):
            try:
                release = many.collect(one)
            finally:
                lost(many)
        if release is None:
            print(next(opened(each, many.roster) for each in many.pending() if each.id.startswith(one)))
            return
    output.deliver(release)


def opened(question: "OpenQuestion", roster: "Roster") -> str:
    """An open question, for a person."""
    from pets.federated.analyst.open_question import standing
    from pets.session import guarantee_text

    lines = [
        f"Question {question.id[:8]}, asked {question.asked}, open until {question.order.until}: "
        f"{guarantee_text.what(question.order.query)}; {question.order.protection!r}."
    ]
    return "\n".join([*lines, *(f"  {name:<20} {what}" for name, what in standing(question, roster).items())])


def lost(many: "RemoteFederation") -> None:
    """Which sites are not in the answer, and why."""
    for name, why in sorted(many.lost.items()):
        print(f"site {name}: {why}", file=sys.stderr)
