"""``pets federation grid``: the one grid over all sites that the key holder shows by a rule."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import typer

from pets.cli.command import interruptible, verb
from pets.cli.flags import Output, Question
from pets.cli.sdc.rule import Rule
from pets.cli.waiting.open_questions import Folder, Patience, lost

WHILE = "interrupted; whether the grid was shown, the same command tells; what sites have entered stays"


def register(app: typer.Typer) -> None:
    """Add the verb to the commands of a federation."""
    verb(app)(grid)


def grid(folder: Folder, question: Question, output: Output, rule: Rule, patience: Patience = 120.0) -> None:
    """The one grid that the key holder has named, over all sites: shown once by its rule, and alike ever after.

    Then questions with --sdc and --secure encrypted add up its cells, and ask nobody.

    \b
    pets federation grid trial --by age --by sex --count people --sdc hes
    pets federation query trial --by age --count people --sdc hes --secure encrypted
    """
    from pets.federated.deployment.remote import connect

    output.check()
    with connect(folder, patience=patience) as many, interruptible(WHILE):
        try:
            found = many.name_grid(question.build(many.schema), rule.build())
        finally:
            lost(many)
    output.deliver(found)
