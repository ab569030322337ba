"""``pets review key``: a checker's own key, by which votes about outputs are signed, and who trusts it."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from pathlib import Path
from typing import Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Books
from pets.cli.ledger_change import By, Dataset, Draft, Reason, made
from pets.errors import UserError

key_app = typer.Typer(
    name="key",
    help="A checker's own key: it signs votes about outputs, where the custodians trust it.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Public = Annotated[Path, typer.Argument(metavar="FILE", help="The key's public half, which ends in .pub.")]
Whose = Annotated[str, typer.Option("--checker", metavar="NAME", help="Whose key it is, as they vote (--by).")]


@verb(key_app)
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to put it: jo.key; jo.pub lies beside.")],
) -> None:
    """Make a key of one's own. Whoever holds the .key file signs with it; the .pub file is for the custodians.

    \b
    pets review key new jo.key
    """
    from pets.common.signing import load_or_make

    if file.exists():
        raise UserError(f"{str(file)!r} is there already; choose another name")
    key = load_or_make(file)
    print(f"Key {key.public.id}: {file} signs (keep it to yourself), {file.with_suffix('.pub')} is for the custodians.")


@verb(key_app)
def trust(
    books: Books, file: Public, checker: Whose, dataset: Dataset, reason: Reason, by: By, draft: Draft = None
) -> None:
    """Trust a checker's key to sign their votes about a dataset's outputs: two people decide, and the log tells.

    \b
    pets review key trust jo.pub --checker jo@hospital --dataset stays --ledger ledger.db \\
        --reason "Jo checks outputs from May on" --by "A. Caldicott" --by "B. Statistician"
    """
    _change(books, file, checker, dataset, reason, by, draft, trusted=True)


@verb(key_app)
def revoke(
    books: Books, file: Public, checker: Whose, dataset: Dataset, reason: Reason, by: By, draft: Draft = None
) -> None:
    """Trust a checker's key no more, for good. What it signed before stands.

    \b
    pets review key revoke jo.pub --checker jo@hospital --dataset stays --ledger ledger.db \\
        --reason "the key was lost" --by "A. Caldicott" --by "B. Statistician"
    """
    _change(books, file, checker, dataset, reason, by, draft, trusted=False)


@verb(key_app)
def list_(books: Books, dataset: Dataset) -> None:
    """The checkers' keys that were ever trusted for a dataset.

    \b
    pets review key list --dataset stays --ledger ledger.db
    """
    from pets.common.signing import key_id
    from pets.ledger.review.own_key import checker_keys

    ledger = books.open()
    with ledger.reading() as tx:
        found = checker_keys(tx, dataset, ledger.key)
    for one in found.values():
        print(f"{key_id(bytes.fromhex(one.key))}  {one.checker}  {'revoked' if one.revoked else 'trusted'}")
    if not found:
        typer.echo("No checker's key was ever trusted for it.", err=True)


def _change(
    books: Books,
    file: Path,
    checker: str,
    dataset: str,
    reason: str,
    by: list[str],
    draft: Path | None,
    *,
    trusted: bool,
) -> None:
    from pets.common.signing import load_public

    key = load_public(file).raw.hex()
    made(books.open(), dataset, "checker", {"checker": checker, "key": key, "trusted": trusted}, reason, by, draft)
