"""The reference of every command, made from the command line itself: the same words as ``pets VERB --help``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import typer

from pets.cli.main import app
from tests.docs.markdown import WRITTEN, cell, table, wrapped

OPENING = f"""\
# Every command

{WRITTEN.format(command="python -m tests.docs.render", source="pets/cli")}

`pets VERB --help` says the same on a terminal. Every mistake is one plain sentence and an exit code: 2 usage, 3 schema,
4 question, 5 data, 6 budget, 7 policy, 8 missing extra, 9 failed after the data was opened, 10 ledger, 11 not genuine,
70 a bug, 130 interrupted.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that can be given, by its whole name, in the order of the names; groups before what is in them."""
    yield from _below("pets", typer.main.get_command(app))


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, below in sorted(getattr(command, "commands", {}).items()):
        if not below.hidden:
            yield from _below(f"{path} {name}", below)


def page() -> str:
    """The whole page."""
    every = list(commands())
    listed = [
        [f"[`{path}`](#{anchor(path)})", cell(summary(command))]
        for path, command in every
        if not getattr(command, "commands", {})
    ]
    return "\n".join([OPENING, table(["command", "what it does"], listed), *(section(*one) for one in every)])


def section(path: str, command: Any) -> str:
    """One command: what it does, examples, and its flags."""
    level = "##" if path.count(" ") < 2 else "###"
    text, _, examples = str(command.help or "").partition("\b\n")
    parts = [f"{level} {path}\n", wrapped(text) + "\n"]
    if examples:
        parts.append(f"```\n{textwrap.dedent(examples).strip()}\n```\n")
    rows = [[flag(name), cell(said)] for name, said in flags(path, command) if name != "--help"]
    if rows:
        parts.append(table(["argument or flag", "what it says"], rows))
    return "\n".join(parts)


def flags(path: str, command: Any) -> Iterator[tuple[str, str]]:
    """Each argument and flag with its help, as the terminal shows them."""
    context = command.make_context(path, [], resilient_parsing=True)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield record


def flag(name: str) -> str:
    """A flag and what it takes, in the type of code."""
    return f"`{cell(name)}`"


def summary(command: Any) -> str:
    """The first sentence of a command's help."""
    return re.split(r"(?<=\.)\s", str(command.help or "").partition("\b\n")[0].strip(), maxsplit=1)[0]


def anchor(path: str) -> str:
    """The address that Markdown gives a heading."""
    return path.replace(" ", "-")
