"""``pets verify`` and ``pets log``: what anybody can check of a certificate and of an exported log, with no ledger."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Books
from pets.errors import UserError, VerificationError

if TYPE_CHECKING:
    from pets.common.signing import VerifyingKey
    from pets.ledger.log.tally import Account
    from pets.ledger.publish.export import Verified

log_app = typer.Typer(
    name="log",
    help="The log of everything that ever left: export it, and verify what was exported.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
UNPINNED = (
    "NOTE: the key is the one in the file itself; only --key, with the ledger's .pub file from a source that you "
    "trust, shows whose log it is"
)
UNWITNESSED = (
    "NOTE: no checkpoint from outside was given; a log that was cut off after an earlier checkpoint looks just as "
    "whole (--checkpoint FILE, kept by somebody else)"
)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    verb(app)(verify)
    app.add_typer(log_app)


def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate, or a release that was saved with its own.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The ledger's public key: ledger.db.pub.")],
    release: Annotated[Path | None, typer.Option("--release", metavar="FILE", help="The release itself.")] = None,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="The log, as pets log export wrote it.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option("--schema", metavar="FILE", help="The schema that the custodian has published.")
    ] = None,
) -> None:
    """Is this certificate genuine, is this its release, and does its promise follow from it? Needs no ledger.

    Where the release is given, its promise is derived anew: plan, sensitivities, losses, ε. What is printed tells what
    that covers. pets/verify/check.py does it, which can be copied away with the files beside it and run without pets.

    \b
    pets verify certificate.json --key ledger.db.pub
    pets verify certificate.json --key ledger.db.pub --release answer.json
    pets verify answer.json --key ledger.db.pub --log public.log --schema schema.yaml
    """
    from pets.ledger.log.verifier import Unverified
    from pets.ledger.log.verifier import verify as verified

    public, signed = _public(key), _read(certificate)
    answer = None if release is None else _read(release)
    try:
        said = verified(signed, public.raw, answer)
        said += f"\n  promise: {_promise(signed, answer, public.raw, log, schema)}"
    except Unverified as why:
        looks = signed.startswith(b"{") and b'"payloadType"' in signed
        said = str(why) if looks else "it is neither a certificate nor a release that was saved with its own"
        raise VerificationError(f"{str(certificate)!r} is not verified: {said}") from None
    print(said)


def _promise(signed: bytes, release: bytes | None, key: bytes, log: Path | None, schema: Path | None) -> str:
    """What follows from the release; raises :class:`Unverified` where what is promised does not."""
    import json

    from pets.common.codec import canonical
    from pets.ledger.log.verifier import Unverified
    from pets.schema.schema import Schema
    from pets.verify import check

    file = json.loads(signed)
    if release is None and "certificate" not in file:
        if log or schema:
            raise UserError("--log and --schema are held against a release; give it too: --release FILE")
        return "not derived: the release was not given (--release FILE)"
    published = None if schema is None else canonical(Schema.load(schema).to_json())
    envelope = canonical(file.get("certificate", file))
    try:
        with contextlib.ExitStack() as stack:
            lines = None if log is None else stack.enter_context(log.open("rb"))
            return f"it follows.\n  {check.check(release or signed, key, envelope, lines, published)}"
    except check.Refused as why:
        raise Unverified(f"what it promises does not follow from the release: {why}") from None
    except check.CannotCheck as why:
        return f"it cannot be checked: {why}"
    except OSError as error:
        raise VerificationError(f"{str(log)!r} cannot be read ({error.strerror})") from None


@verb(log_app)
def export(
    books: Books,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write, such as stays.log.")],
    public: Annotated[bool, typer.Option("--public", help="Without the questions' constants: for everybody.")] = False,
) -> None:
    """Write the log to a file that anybody can verify without the ledger. Without --public it is for custodians.

    \b
    pets log export --ledger ledger.db --out full.log
    pets log export --ledger ledger.db --public --out public.log
    """
    from pets.ledger.publish import export as exports

    ledger = books.open()
    size = exports.write(ledger, out, public=public)
    view = "public view" if public else "full view: it holds every question, keep it where the data may be kept"
    print(
        f"Written to {out}: {size:,} entries, {view}. Verify it with: pets log verify {out} --key {ledger.public_path}"
    )


@verb(log_app)
def checkpoint(books: Books) -> None:
    """Print the signed checkpoint of the log as it stands; give it to somebody who keeps it outside.

    \b
    pets log checkpoint --ledger ledger.db > 2026-11-22.checkpoint
    """
    ledger = books.open()
    with ledger.reading() as tx:
        note = ledger.checkpoint(tx)
    print(note, end="")


def _check(
    file: Annotated[Path, typer.Argument(help="A log, as pets log export wrote it.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The ledger's public key: ledger.db.pub.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", metavar="FILE", help="Kept from outside; repeatable.", show_default=False),
    ] = None,
) -> None:
    """Was anything in an exported log altered, left out, added or moved? Needs no ledger.

    \b
    pets log verify public.log --key ledger.db.pub --checkpoint 2026-11-22.checkpoint
    """
    from pets.ledger.publish.export import verify as verified

    public = None if key is None else _public(key)
    print(_said(verified(file, key=public, checkpoints=[_note(path) for path in checkpoint or ()])))
    for missing, note in ((key, UNPINNED), (checkpoint, UNWITNESSED)):
        if not missing:
            print(note)


_check.__name__ = "verify"
verb(log_app)(_check)


def _said(found: "Verified") -> str:
    seen = found.checkpoint
    size = f"{seen.size:,} entries of {seen.origin}"
    lines = [f"Whole: {size}, {found.view} view, up to {seen.at}, signed by key {found.key.id}"]
    if found.outside:
        sizes = ", ".join(f"{size:,}" for size in found.outside)
        lines.append(f"It goes on from what the given checkpoints had seen (after {sizes} entries).")
    return "\n".join(lines + [_account(one) for one in found.accounts])


def _account(one: "Account") -> str:
    """One dataset, as its entries tell it."""
    (spent, delta), (most, _) = one.budget.describe(one.charged), one.budget.describe(one.budget.cap)
    life, _ = one.budget.describe(one.lifetime)
    at = f" (at δ = {delta:g})" if delta else ""
    states = ", ".join(f"{count:,} {state.value}" for state, count in one.requests.items()) or "none"
    return (
        f"  {one.dataset}: ε = {spent:.4g} of {most:.4g} charged{at}, budget {one.epoch + 1}; ε = {life:.4g} in its "
        f"lifetime; requests: {states}; {one.unbounded:,} without a finite guarantee"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VerificationError(f"{str(path)!r} cannot be read ({error.strerror})") from None


def _public(path: Path) -> "VerifyingKey":
    from pets.common.signing import load_public

    try:
        return load_public(path)
    except UserError as error:
        raise VerificationError(str(error)) from None


def _note(path: Path) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError:
        raise VerificationError(f"{str(path)!r} holds no checkpoint; ask for the original file") from None
