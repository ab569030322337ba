"""``pets log key, cosign, proof``: have others sign a log's checkpoint, and prove what it covers."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import sys
from pathlib import Path
from typing import Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Books, written
from pets.common.files import replace_file
from pets.errors import UserError, VerificationError


def register(app: typer.Typer) -> None:
    """Add the commands of this file to ``pets log``."""
    for command in (key, cosign, proof):
        verb(app)(command)


def key(books: Books) -> None:
    """Print the log's public key as witnesses and their policies name it.

    \b
    pets log key --ledger ledger.db
    """
    from pets.ledger.witness.cosign import log_key

    print(log_key(books.open()))


def cosign(
    books: Books,
    witness: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="URL", help="Who is asked to sign; repeatable.", show_default=False),
    ] = None,
    request: Annotated[
        Path | None, typer.Option("--request", metavar="FILE", help="For a witness that is asked by file.")
    ] = None,
    old: Annotated[int, typer.Option("--old", min=0, help="Entries that it has signed before.")] = 0,
    add: Annotated[
        list[Path] | None,
        typer.Option("--add", metavar="FILE", help="What it sent back, with its request.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The checkpoint with all signatures.")
    ] = None,
) -> None:
    """Have witnesses sign the log's checkpoint. No answer waits for it: run it every hour, or after a release.

    \b
    pets log cosign --ledger ledger.db --witness https://witness.example/w1 --out ledger.db.cosigned
    pets log cosign --ledger ledger.db --request request.txt --old 120
    pets log cosign --ledger ledger.db --request request.txt --add signature.txt --out ledger.db.cosigned
    """
    from pets.ledger.witness import cosign as cosigning

    if (request is None) == (not witness) or (out is None and not (request and not add)):
        raise UserError("say who signs, --witness URL or --request FILE, and where all signatures go, --out FILE")
    ledger = books.open()
    if request is not None and not add:
        with written(request):
            replace_file(request, str(cosigning.head(ledger).enquiry(old)).encode())
        print(f"Written to {request}; the witness runs: pets witness sign FOLDER {request} --out FILE")
        return
    failed: dict[str, str] = {}
    if request is not None:
        from pets.ledger.log.checkpoint import parse

        note = _text(request).partition("\n\n")[2]
        size = parse(note, ledger.key).size
        for path in add or ():
            note = cosigning.joined(note, _text(path))
    else:
        found = cosigning.cosign(cosigning.head(ledger), witness or ())
        note, size, failed = found.note, found.size, found.failed
    for url, why in failed.items():
        print(f"pets: {url} did not sign: {why}", file=sys.stderr)
    if failed and len(failed) == len(set(witness or ())):
        raise VerificationError("no witness signed; the log goes on without, and its answers too; try again later")
    assert out is not None
    with written(out):
        replace_file(out, note.encode())
    others = note.rpartition("\n\n")[2].count("\n") - 1
    print(f"Written to {out}: the checkpoint of {size:,} entries with {others:,} signature(s) of others.")


def proof(
    books: Books,
    certificate: Annotated[Path, typer.Argument(help="A certificate, or a release that was saved with its own.")],
    checkpoint: Annotated[Path, typer.Option("--checkpoint", metavar="FILE", help="As pets log cosign wrote it.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The proof: FILE.tlog-proof.")],
) -> None:
    """Write a proof that the log which witnesses saw holds a release's entry.

    \b
    pets log proof answer.json --ledger ledger.db --checkpoint ledger.db.cosigned --out answer.tlog-proof
    """
    import json

    from pets.ledger.witness.cosign import proof as proven
    from pets.release.certificate import Certificate

    try:
        file = json.loads(_text(certificate))
        seq = int(Certificate(file.get("certificate", file)).predicate["log"]["seq"])
    except (ValueError, LookupError, TypeError, AttributeError):
        raise VerificationError(f"{str(certificate)!r} is neither a certificate nor a release with its own") from None
    text = proven(books.open(), seq, _text(checkpoint))
    with written(out):
        replace_file(out, text.encode())
    print(f"Written to {out}; check it with: pets verify {certificate} --key PUB --policy FILE --proof {out}")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        raise VerificationError(f"{str(path)!r} cannot be read; ask for the file again") from None
