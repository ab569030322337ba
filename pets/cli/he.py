"""``pets he``: encrypted totals on files, so that parties, aggregator and key holder can be different machines.

The key holder makes keys and a round; each party encrypts; anybody adds; the key holder opens the sum, once.
"""

# no "from __future__ import annotations": typer and the flag groups read the annotations when this file loads

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Output, Passphrase, Purse, Question, SchemaFile, Source, load_schema, passphrase
from pets.errors import DataError, UserError

if TYPE_CHECKING:
    from pets.protection.protection import Protection

app = typer.Typer(
    name="he",
    help="Encrypted totals of several parties: keygen, round, encrypt, add, open.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Round_ = Annotated[Path, typer.Option("--round", metavar="FILE", help="The round, from the key holder.")]


@dataclass(frozen=True)
class Noise:
    """The protection of a total."""

    epsilon: Annotated[float | None, typer.Option("--epsilon", metavar="NUMBER", help="ε of the total.")] = None
    delta: Annotated[float, typer.Option("--delta", metavar="NUMBER", help="Its δ.")] = 1e-6
    rho: Annotated[float | None, typer.Option("--rho", metavar="NUMBER", help="ρ of the total, instead of ε.")] = None
    total: Annotated[bool, typer.Option("--total", help="No noise: an exact total, where policies allow it.")] = False

    def build(self) -> "Protection":
        """The protection; exactly one of the three."""
        from pets.protection.protection import DP, Total

        if [self.epsilon is not None, self.rho is not None, self.total].count(True) != 1:
            raise UserError("say how the total is protected: add --epsilon 1, or --rho 0.01, or --total for no noise")
        if self.total:
            return Total()
        return DP(rho=self.rho) if self.rho is not None else DP(epsilon=self.epsilon, delta=self.delta)


@verb(app)
def keygen(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the new files go; for owners only.")],
    party: Annotated[
        str | None, typer.Option("--party", metavar="NAME", help="Keys of a party, in place of the key holder's.")
    ] = None,
    passphrase_file: Passphrase = None,
) -> None:
    """New keys: the key holder's, or with --party those of a party (or of an aggregator that signs).

    \b
    pets he keygen --out holder
    pets he keygen --party north --out north
    """
    from pets import he

    words = passphrase(passphrase_file)
    if party is None:
        public, secret = he.keygen()
        secret.save(out / "secret.key", words)
        public.save(out / "public.key")
        print(f"{out / 'secret.key'}: the secret key, with {out / 'secret.key.opened'}; keep both, and together.")
        print(f"{out / 'public.key'}: for every party. It begins with {public.id[:16]}: let them compare it.")
        return
    key = he.partykey(party)
    key.save(out / f"{party}.key", words)
    key.public.save(out / f"{party}.pub")
    print(f"{out / f'{party}.key'}: the secret key of {party}; it stays here.")
    print(f"{out / f'{party}.pub'}: for the key holder.")


@verb(app)
def round_(
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The key holder's secret key.")],
    schema: SchemaFile,
    party: Annotated[list[Path], typer.Option("--party", metavar="FILE", help="A party's .pub file; repeatable.")],
    question: Question,
    noise: Noise,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The round, to be given to every party.")],
    least: Annotated[
        int | None, typer.Option("--least", metavar="WHOLE", help="Open from so many parties on; else all.")
    ] = None,
    colluding: Annotated[
        int | None, typer.Option("--colluding", metavar="WHOLE", help="Parties that may tell their noise.")
    ] = None,
    aggregator: Annotated[
        Path | None, typer.Option("--aggregator", metavar="FILE", help="The .pub file of who must sign the total.")
    ] = None,
    passphrase_file: Passphrase = None,
) -> None:
    """One question to one roster of parties, under a fresh id (for the key holder).

    \b
    pets he round --key holder/secret.key --schema stays.yaml --by sex --count stays \\
        --party north.pub --party south.pub --party east.pub --epsilon 1 --out round.json
    """
    from pets import he

    known = load_schema(schema)
    secret = he.SecretKey.load(key, passphrase(passphrase_file))
    asked = secret.round(
        question.build(known),
        known,
        [he.Party.load(path) for path in party],
        noise.build(),
        least=least,
        colluding=colluding,
        aggregator=None if aggregator is None else he.Party.load(aggregator),
    )
    asked.save(out)
    print(f"{out}: {asked}")


@verb(app)
def encrypt(
    round_: Round_,
    public: Annotated[Path, typer.Option("--public", metavar="FILE", help="The key holder's public key.")],
    party: Annotated[Path, typer.Option("--party", metavar="FILE", help="This party's own .key file.")],
    schema: SchemaFile,
    source: Source,
    purse: Purse,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The envelope, for the aggregator.")],
    allow_total: Annotated[
        bool, typer.Option("--allow-total", help="This party's policy allows totals without noise.")
    ] = False,
    known: Annotated[
        list[Path] | None,
        typer.Option("--known", metavar="FILE", help="A party's .pub file, from itself; with any, others are refused."),
    ] = None,
    passphrase_file: Passphrase = None,
) -> None:
    """This party's answer to a round, encrypted. Charged to its own account, every time.

    \b
    pets he encrypt --round round.json --public public.key --party north/north.key \\
        --schema stays.yaml --data stays.csv --ledger north.db --out north.env
    """
    from pets import he
    from pets.protection.policy import Policy

    asked, key = he.Round.load(round_), he.PublicKey.load(public)
    mine = he.PartyKey.load(party, passphrase(passphrase_file))
    asked.check(key)
    # what this party is about to agree to, before anything is charged
    roster = ", ".join(one.name for one in asked.parties)
    print(f"The round asks of {roster}: {asked.query}\nwith {asked.noise!r}.", file=sys.stderr)
    if known is None:
        print(
            "The key holder is trusted with this roster; with --known PARTY.pub for each party you know, a round with "
            "any other is refused.",
            file=sys.stderr,
        )
    tables = load_schema(schema)
    if out.exists() or not out.absolute().parent.is_dir():
        raise UserError(f"--out {str(out)!r} exists, or its folder does not; an envelope that is lost was paid for")
    if not source.data and source.snapshots is None:
        raise DataError("no data was given; add --data TABLE=FILE, or --snapshots FOLDER made by pets snapshot")
    session = purse.session(
        tables,
        purse.open(),
        data=source.sources(tables),
        snapshots=source.snapshots,
        engine=source.chosen(),
        policy=Policy(allow_unbounded=allow_total),
    )
    friends = None if known is None else [he.Party.load(path) for path in known]
    try:
        envelope = he.encrypt(session, asked.query, key, round=asked, party=mine, known=friends)
    except KeyboardInterrupt:
        raise UserError(
            "interrupted; no envelope was written, but count its cost as spent: data may have been read"
        ) from None
    envelope.save(out)
    print(f"{out}: {envelope}")
    print(session.remaining(), file=sys.stderr)


@verb(app)
def add(
    envelopes: Annotated[list[Path], typer.Argument(metavar="ENVELOPE...", help="The files of all parties.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The encrypted total, for the key holder.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The aggregator's .key, where the round names it.")
    ] = None,
    passphrase_file: Passphrase = None,
) -> None:
    """Add envelopes; needs no key of anybody, and learns nothing (for the aggregator).

    \b
    pets he add north.env south.env east.env --out total.enc
    """
    from pets import he

    signer = None if key is None else he.PartyKey.load(key, passphrase(passphrase_file))
    total = he.add((he.Envelope.load(path) for path in envelopes), key=signer)
    total.save(out)
    print(f"{out}: {total}")


@verb(app)
def consent(
    total: Annotated[Path, typer.Argument(metavar="TOTAL", help="The total's file.")],
    party: Annotated[Path, typer.Option("--party", metavar="FILE", help="This party's own .key file.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The consent, for the key holder.")],
    passphrase_file: Passphrase = None,
) -> None:
    """Where parties are missing: a survivor's consent to opening exactly this total.

    \b
    pets he consent total.enc --party north/north.key --out north.ok
    """
    from pets import he
    from pets.he.keys.keyfile import write_new

    found = he.Total.load(total)
    given = he.consent(found, he.PartyKey.load(party, passphrase(passphrase_file)))
    write_new(out, given.to_bytes(), "a consent", owner_only=False)
    print(f"{out}: consent of {given.party} to {found}; missing: {', '.join(found.missing) or 'nobody'}")


@verb(app)
def open_(
    total: Annotated[Path, typer.Argument(metavar="TOTAL", help="The total's file.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The key holder's secret key.")],
    output: Output,
    consents: Annotated[
        list[Path] | None, typer.Option("--consent", metavar="FILE", help="A survivor's consent; repeatable.")
    ] = None,
    passphrase_file: Passphrase = None,
) -> None:
    """Open a total, once for each round (for the key holder).

    \b
    pets he open total.enc --key holder/secret.key
    pets he open total.enc --key holder/secret.key --out answer.csv
    """
    from pets import he
    from pets.he.keys.keyfile import read

    output.check()
    secret = he.SecretKey.load(key, passphrase(passphrase_file))
    given = [he.Consent.from_bytes(read(path, "a consent")) for path in consents or ()]
    output.deliver(secret.open(he.Total.load(total), given))
