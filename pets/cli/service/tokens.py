"""``pets service token``: tokens for scripts, which prove who asks in place of a person's login."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import datetime as dt
import time
from typing import Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Books
from pets.cli.service.grants import grant_app
from pets.errors import LedgerError, UserError, did_you_mean, shown

service_app = typer.Typer(
    name="service",
    help="The query service: tokens for scripts, and who may ask. (Run it: pets serve.)",
    rich_markup_mode=None,
    no_args_is_help=True,
)
token_app = typer.Typer(
    name="token",
    help="Tokens, which prove who asks; the ledger's database keeps their hashes alone.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
service_app.add_typer(token_app)
service_app.add_typer(grant_app)


@verb(token_app)
def create(
    books: Books,
    subject: Annotated[str, typer.Option("--subject", metavar="NAME", help="Who asks with it, in the account.")],
    project: Annotated[str, typer.Option("--project", metavar="NAME", help="For which project.")],
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="analyst, reviewer, auditor or custodian; repeatable.",
            show_default="analyst",
        ),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", metavar="NAME", help="For this dataset alone; repeatable.", show_default="all"),
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", metavar="NUMBER", help="It ends after so many days.", show_default="never")
    ] = None,
) -> None:
    """Make a token and print it, once: nobody can show it again.

    \b
    pets service token create --ledger ledger.db --subject amina --project stroke-2026
    pets service token create --ledger ledger.db --subject nightly --project stroke-2026 --dataset stays --days 90
    """
    from pets.ledger.tokens import Tokens

    if days is not None and not 0 < days < 36_500:
        raise UserError(f"--days must be above 0 and below 36500, not {days:g}")
    expires = None if days is None else time.time() + days * 86_400
    ledger = books.open()
    with ledger.reading() as tx:
        known = tx.dataset_names()
    for one in dataset or []:
        if one not in known:
            raise LedgerError(f"the ledger has no dataset {shown(one)}{did_you_mean(one, known)}")
    secret, token = Tokens(ledger).create(subject, project, role or ["analyst"], dataset or [], expires=expires)
    print(secret)
    typer.echo(
        f"Token {token.id} for {token.subject}, project {token.project} ({', '.join(token.roles)}"
        f"{_until(token.expires)}). It is shown only now.",
        err=True,
    )


@verb(token_app)
def list_(books: Books) -> None:
    """Every token: its id, its first letters, for whom, and until when. None can be shown whole.

    \b
    pets service token list --ledger ledger.db
    """
    from pets.ledger.tokens import Tokens

    found = Tokens(books.open()).all()
    for one in found:
        state = "revoked" if one.revoked is not None else f"in force{_until(one.expires)}"
        which = ", ".join(one.datasets) or "all datasets"
        print(
            f"{one.id}  {one.prefix}…  {one.subject}, project {one.project}: {', '.join(one.roles)}; {which}; {state}"
        )
    if not found:
        print("There is no token yet; make one with: pets service token create")


@verb(token_app)
def revoke(books: Books, number: Annotated[str, typer.Argument(metavar="ID", help="As the list shows it.")]) -> None:
    """End a token at once.

    \b
    pets service token revoke 3f2a90c1d4e5a6b7 --ledger ledger.db
    """
    from pets.ledger.tokens import Tokens

    Tokens(books.open()).revoke(number)
    print(f"Token {number} is revoked.")


def _until(expires: float | None) -> str:
    if expires is None:
        return ""
    return f" until {dt.datetime.fromtimestamp(expires, dt.UTC):%Y-%m-%d %H:%M} UTC"
