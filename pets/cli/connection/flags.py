"""The flags of a service that answers in place of one's own data: ``--service`` and those that go with it."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.cli.connection.login import kept
from pets.cli.flags import Purse, load_schema
from pets.errors import UserError

if TYPE_CHECKING:
    from pets.schema.schema import Schema
    from pets.service.client.connection import Connection

TOKEN = "PETS_TOKEN"
"""The variable of the environment that holds the token."""

SchemaOrService = Annotated[
    str | None,
    typer.Option("--schema", metavar="FILE", help="The tables' public description, in YAML (a service has its own)."),
]


@dataclass(frozen=True)
class Service:
    """Who answers, where it is not this machine."""

    service: Annotated[
        str | None, typer.Option("--service", metavar="URL", help="Ask a service of pets; its token is in PETS_TOKEN.")
    ] = None
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="A file that holds the service's token instead.")
    ] = None
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="NAME", help="Which of the service's, where it has several.")
    ] = None
    ledger_key: Annotated[
        Path | None,
        typer.Option("--ledger-key", metavar="FILE", help="The public key of the service's ledger (ledger.pub)."),
    ] = None

    @property
    def given(self) -> bool:
        """Whether a service is asked; raises :class:`UserError` for flags that go with one alone."""
        others = [field.name for field in fields(self)[1:] if getattr(self, field.name) is not None]
        if self.service is None and others:
            raise UserError(f"--{others[0].replace('_', '-')} goes with --service URL; add it, or leave the flag out")
        return self.service is not None

    def schema(self, path: str | None) -> "Schema":
        """The schema in a file; raises :class:`UserError` where none is given."""
        if path is None:
            raise UserError("nothing says what the tables are; add --schema FILE, or --service URL to ask a service")
        return load_schema(path)

    def connect(self, schema: str | None, purse: Purse, *others: Any) -> "Connection":
        """A connection; flags of one's own data, budget or account are refused beside it."""
        from pets.service.client.connect import connect

        own = [] if schema is None else ["--schema"]
        for group in (purse, *others):
            usual = type(group)()
            differ = [field.name for field in fields(group) if getattr(group, field.name) != getattr(usual, field.name)]
            own += [f"--{name.replace('_', '-')}" for name in differ if name != "project"]
        if own:
            raise UserError(f"{own[0]} is about data here, and the service has its own; leave it out beside --service")
        project = None if purse.project == Purse().project else purse.project
        return connect(
            str(self.service), token=self._token(), dataset=self.dataset, project=project, key=self.ledger_key
        )

    def _token(self) -> str:
        path = self.token_file
        if path is None:
            if token := os.environ.get(TOKEN, ""):
                return token
            path = kept(str(self.service))
            if not path.is_file():
                raise UserError(
                    f"a service asks who you are; put its token into the variable {TOKEN}, or --token-file, or log in: "
                    f"pets login --service {self.service}"
                )
        try:
            return path.read_text("ascii").strip()
        except OSError as error:
            raise UserError(f"the token in {str(path)!r} cannot be read ({error.strerror})") from None
        except ValueError:
            raise UserError(f"{str(path)!r} holds no token; it has one line of ASCII") from None
