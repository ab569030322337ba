"""``pets verify`` and ``pets log``: what anybody can check of a certificate and of an exported log, with no ledger."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import contextlib
from hashlib import sha256
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
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="Which witnesses must have seen it (tlog-policy).")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help="That they did: as pets log proof wrote it.")
    ] = None,
    table: Annotated[
        list[Path] | None,
        typer.Option("--table", metavar="FILE", help="A synthetic table: the file itself.", show_default=False),
    ] = None,
    grid: Annotated[
        Path | None, typer.Option("--grid", metavar="FILE", help="A rounded table: the grid whose cells it adds up.")
    ] = None,
) -> None:
    """Is this certificate genuine, is this its release, and does its promise follow from it? Needs no ledger.

    Where the release is given, its promise is derived anew: plan, sensitivities, losses, ε. What is printed tells what
    that covers. pets/verify/check.py does it, which can be copied away with its folder and run without pets.

    \b
    pets verify certificate.json --key ledger.db.pub
    pets verify certificate.json --key ledger.db.pub --release answer.json
    pets verify answer.json --key ledger.db.pub --log public.log --schema schema.yaml
    pets verify answer.json --key ledger.db.pub --policy witnesses.txt --proof answer.tlog-proof
    pets verify rows.certificate.json --key ledger.db.pub --table rows.csv
    """
    from pets.ledger.log.verifier import Unverified
    from pets.ledger.log.verifier import verify as verified
    from pets.models.saving import FITS, SAVED, kind_of

    public, signed = _public(key), _read(certificate)
    answer = None if release is None else _read(release)
    if (kind := kind_of(signed)) in FITS:
        raise UserError(
            f"{str(certificate)!r} is {SAVED[kind][2]}, which nobody signs: verify the releases that it follows from, "
            "each by itself, as pets fit --releases FOLDER writes them; in Python they are fit.answers (of averages, "
            "margins.releases), each with its save"
        )
    try:
        files = {str(path): sha256(_read(path)).hexdigest() for path in table or ()}
        said = (
            "A federation's, signed by its coordinator" if _federated(signed) else verified(signed, public.raw, answer)
        )
        whole = None if grid is None else _read(grid)
        said += f"\n  promise: {_promise(signed, answer, public.raw, log, schema, files, whole)}"
        if policy is not None or proof is not None:
            said += f"\n  {_witnessed(signed, public.raw, policy, proof)}"
    except Unverified as why:
        looks = signed.startswith(b"{") and b'"payloadType"' in signed
        said = str(why) if looks else "it is neither a certificate nor a release that was saved with its own"
        raise VerificationError(f"{str(certificate)!r} is not verified: {said}") from None
    print(said)


def _promise(
    signed: bytes,
    release: bytes | None,
    key: bytes,
    log: Path | None,
    schema: Path | None,
    tables: dict[str, str],
    grid: bytes | None,
) -> str:
    """What follows from the release; raises :class:`Unverified` where what is promised does not."""
    import json

    from pets.common.codec import canonical
    from pets.ledger.log.verifier import Unverified
    from pets.schema.schema import Schema
    from pets.verify import check

    file = json.loads(signed)
    if release is None and "certificate" not in file and not _federated(signed):
        if log or schema or grid:
            raise UserError("--log, --schema and --grid are held against a release; give it too: --release FILE")
        return "not derived: the release was not given (--release FILE)"
    published = None if schema is None else canonical(Schema.load(schema).to_json())
    envelope = None if _federated(signed) else canonical(file.get("certificate", file))
    try:
        with contextlib.ExitStack() as stack:
            lines = None if log is None else stack.enter_context(log.open("rb"))
            said = check.check(release or signed, key, envelope, lines, published, tables=tables, grid=grid)
            return f"it follows.\n  {said}"
    except check.Refused as why:
        raise Unverified(f"what it promises does not follow from the release: {why}") from None
    except check.CannotCheck as why:
        if log or schema or tables or grid:  # what was given was held against nothing
            raise Unverified(f"it cannot be checked: {why}") from None
        return f"it cannot be checked: {why}"
    except OSError as error:
        raise VerificationError(f"{str(log)!r} cannot be read ({error.strerror})") from None


def _federated(signed: bytes) -> bool:
    """Whether it is a release over several sites, which has no ledger of its own, or a model of one."""
    import json

    try:
        file = json.loads(signed)
        if file.get("pets") == "derived" and "certificate" not in file:
            (file,) = file["from"]
        if file.get("pets") == "trained over sites":
            file = file["releases"][0]
        return isinstance(file.get("sharing"), dict)
    except (ValueError, RecursionError, AttributeError, LookupError, TypeError):
        return False


def _witnessed(signed: bytes, key: bytes, policy: Path | None, proof: Path | None) -> str:
    """Who saw the log with this entry in it; raises :class:`Unverified` where they are not enough."""
    import json

    from pets.ledger.log.verifier import Unverified
    from pets.release.certificate import Certificate
    from pets.verify.witness import Unwitnessed, witnessed

    if policy is None or proof is None:
        raise UserError("--policy says who must have seen it, and --proof that they did; give both")
    if _federated(signed):
        raise UserError("a release over several sites stands in no log; leave out --policy and --proof")
    file = json.loads(signed)
    place = Certificate(file.get("certificate", file)).predicate["log"]
    try:
        return witnessed(place, key, _note(policy), _note(proof))
    except Unwitnessed as why:
        raise Unverified(f"it is signed, and not witnessed as the policy asks: {why}") from None


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
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="Which witnesses must have signed each of them.")
    ] = None,
) -> None:
    """Was anything in an exported log altered, left out, added or moved? Needs no ledger.

    \b
    pets log verify public.log --key ledger.db.pub --checkpoint 2026-11-22.checkpoint
    pets log verify public.log --key ledger.db.pub --checkpoint ledger.db.cosigned --policy witnesses.txt
    """
    from pets.ledger.publish.export import verify as verified

    public, notes = None if key is None else _public(key), [_note(path) for path in checkpoint or ()]
    by = "" if policy is None else _signers(policy, notes)
    print(_said(verified(file, key=public, checkpoints=notes)) + by)
    for missing, note in ((key, UNPINNED), (checkpoint, UNWITNESSED)):
        if not missing:
            print(note)


_check.__name__ = "verify"
verb(log_app)(_check)


def _signers(policy: Path, notes: list[str]) -> str:
    """Who signed each checkpoint; raises :class:`VerificationError` where they are not enough."""
    from pets.verify.witness import Unwitnessed, rules

    if not notes:
        raise UserError("--policy is about checkpoints that others signed; give one with --checkpoint FILE")
    try:
        rule = rules(_note(policy))
        by = [", ".join(rule.check(note)) or "nobody, as the policy allows" for note in notes]
        return "".join(f"\nWitnessed by {names}." for names in by)
    except Unwitnessed as why:
        raise VerificationError(f"the checkpoint is not witnessed as {str(policy)!r} asks: {why}") from None


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
