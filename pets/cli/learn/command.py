"""``pets learn``: lessons, for those who learn and for those who teach."""

# no "from __future__ import annotations": typer reads the annotations when this file loads

from pathlib import Path
from typing import Annotated

import typer

from pets.cli.command import verb

learn_app = typer.Typer(name="learn", help="Lessons on invented data that mark themselves.", no_args_is_help=True)


@verb(learn_app)
def secret(
    file: Annotated[Path, typer.Argument(help="A file that is not there yet; keep it from students, and keep it.")],
) -> None:
    """For trainers: a new secret, from which every student's rows and their faults are drawn.

    \b
    pets learn secret trainer.secret
    """
    from pets.synthetic.quiz.secret import Secret

    print(
        f"{Secret.fresh().save(file)}: who has it can make every student's rows and answers again; hand it to nobody."
    )
