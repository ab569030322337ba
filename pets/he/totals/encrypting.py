"""Encrypting: from a session's contribution to a signed envelope."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from pets.common.codec import Json, fraction
from pets.common.entropy import random_id
from pets.common.progress import steps
from pets.errors import InternalError, UserError, shown
from pets.he.ciphertext_bytes import pack_all
from pets.he.keys.party import Party, PartyKey
from pets.he.keys.public_key import PublicKey
from pets.he.numbers import checksum, factors, residues, tag
from pets.he.presets import Preset
from pets.he.scrub import forgetful
from pets.he.tenseal_engine import U64, scheme
from pets.he.totals.envelope import Envelope, expected, header_of, message
from pets.he.totals.round import SEED, Round
from pets.plan.contribution import Contribution
from pets.plan.plan import Plan
from pets.protection.protection import Protection
from pets.query_model.query import Query
from pets.schema.schema import Schema

REACH = 12
"""Standard deviations of noise for which the range ledger makes room: beyond lies a chance below 1e-32."""


class House(Protocol):
    """What is asked of a :class:`pets.Session`."""

    @property
    def schema(self) -> Schema:
        """What its tables are."""

    def contribute(
        self, query: Query, protection: Protection, *, honest: int, purpose: Json, check: Callable[[Json | None], None]
    ) -> Contribution:
        """One party's vector, charged before data is opened."""


@forgetful
def encrypt(
    session: House,
    query: Query,
    public_key: PublicKey,
    noise: Protection | None = None,
    *,
    round: Round | None = None,
    party: PartyKey | None = None,
    known: Sequence[Party] | None = None,
) -> Envelope:
    """One party's answer, encrypted: nobody can read it, and it adds to the other parties' envelopes.

    The order is the guarantee: round, keys, range and noise ledgers are checked from public knowledge; the session
    charges its account; only then is data opened, the noise share added, and the vector encrypted and signed. Each call
    is charged anew.

    Args:
        session: the party's own :class:`pets.Session`.
        query: what is asked; it must be the round's.
        public_key: the key holder's, as this party pinned it.
        noise: the round's protection, said again by whoever must agree to it (left out: the round's).
        round: from the key holder: ``secret.round(query, schema, parties, noise)``.
        party: this party's own key, ``pets.he.partykey("north")``.
        known: the parties that this one knows, from themselves: a round with any other is refused. Left out, the key
            holder is trusted with the roster: invented parties would share the noise, and add none.

    Returns:
        an :class:`~pets.he.totals.envelope.Envelope`; ``pets.he.add`` adds those of all parties.

    Raises:
        UserError: before anything is charged, with the remedy.
        ReleaseFailedError: after the data was opened; the charge stands.
    """
    asked = _agreed(session, query, public_key, noise, round, party)
    assert party is not None
    _known(asked, party, known)
    seed = party.unseal(asked.seed_for(party.name), asked.info)
    if len(seed) != 2 * SEED:
        raise UserError("the round was made by another version of pets; ask the key holder for a new one")
    given = session.contribute(
        query,
        asked.noise,
        honest=asked.honest,
        purpose={"secure": "encrypted", "round": asked.id, "parties": len(asked.parties)},
        check=lambda terms: check_range(asked, terms),
    )
    if given.plan.digest != asked.plan.digest:
        raise InternalError("the contribution belongs to another plan than the round's")
    return encrypted_envelope(asked, public_key, party, seed, given.vector.reveal(), given.noise, given.data)


def encrypted_envelope(
    asked: Round,
    public: PublicKey,
    party: PartyKey,
    seed: bytes,
    values: Any,
    terms: Json | None,
    data: str,
) -> Envelope:
    """The envelope of exact values that are already paid for and carry their noise share."""
    most = reach(asked, terms)
    if len(values) != asked.plan.size or max(int(values.max()), -int(values.min())) > most // len(asked.parties):
        # noise beyond 12 standard deviations, or a bug; never a wrong total
        raise UserError("the party's numbers do not fit the round's range; nothing left, and the charge stands")
    preset = asked.preset
    arrays = [
        encrypted(framed_numbers(values, t, seed, place), preset, t, public) for place, t in enumerate(preset.plain)
    ]
    payload = pack_all(arrays, preset)
    shared = expected(asked, terms, data)
    nonce = random_id()
    header = header_of(shared, party.name, nonce)
    signature = party.sign(message(header, hashlib.sha256(payload).hexdigest()))
    return Envelope(asked, shared, party.name, nonce, payload, signature)


def framed_numbers(values: Any, plain: int, seed: bytes, place: int) -> U64:
    """The values modulo t, then 1 (the party-count slot), then the checksum of both with the party's tag.

    The seed is what the round sealed to the party: 32 bytes of all parties, then 32 of its own.
    """
    numbers = np.empty(len(values) + 2, dtype=np.uint64)
    numbers[:-2] = residues(values, plain)
    numbers[-2] = 1
    common, own = seed[:SEED], seed[SEED:]
    known = checksum(numbers[:-1], factors(common, str(place), len(numbers) - 1), plain)
    numbers[-1] = (known + tag(own, str(place), plain)) % plain
    return numbers


def encrypted(numbers: U64, preset: Preset, plain: int, public: PublicKey) -> U64:
    """Ciphertexts ``(chunks, 2, primes, N)`` of numbers modulo t."""
    encrypt_one = scheme(preset.chain, plain).encryptor(public.of(preset.chain))
    with steps(range(0, len(numbers), preset.degree), "encrypting") as starts:
        return np.stack([encrypt_one(numbers[at : at + preset.degree]) for at in starts])


def check_range(asked: Round, terms: Json | None) -> None:
    """The range ledger with the noise in it: refuses, before anything is charged, totals that could wrap."""
    if reach(asked, terms) > asked.preset.reach:
        raise UserError(
            f"with its noise, a total could pass what parameter set {asked.preset.name!r} holds; ask the key holder "
            "for a round with a larger one (preset='wide66' or 'wide89')"
        )


def reach(asked: Round, terms: Json | None) -> int:
    """The greatest absolute total of the round's parties, with 12 standard deviations of every party's noise."""
    return reach_of(asked.plan, len(asked.parties), terms)


def reach_of(plan: Plan, parties: int, terms: Json | None) -> int:
    """As :func:`reach`, before there is a round."""
    measures = plan.measures
    if terms is None:
        most = max(measure.limit for measure in measures)
    else:
        most = max(
            measure.limit * finer + math.ceil(REACH * float(fraction(scale)))
            for measure, finer, scale in zip(measures, terms["refine"], terms["scales"], strict=True)
        )
    return max(most, 1) * parties


def _known(asked: Round, party: PartyKey, known: object) -> None:
    """Refuse a roster with parties that this one does not know."""
    if known is None:
        return
    if not isinstance(known, (list, tuple)) or not all(isinstance(one, Party) for one in known):
        raise UserError("known must be a list of parties' public halves: [Party.load('south.pub'), …]")
    strange = [one.name for one in asked.parties if one not in (*known, party.public)]
    if strange:
        raise UserError(
            f"the round's roster has parties that are not known here, or under other keys: {', '.join(strange[:10])}; "
            "ask them for their public files, or refuse the round"
        )


def _agreed(session: object, query: object, public_key: object, noise: object, asked: object, party: object) -> Round:
    """The round, after everything that public knowledge can refuse."""
    if not isinstance(public_key, PublicKey):
        raise UserError(f"public_key comes from pets.he.keygen() or PublicKey.load(path), not {shown(public_key)}")
    if not isinstance(asked, Round) or not isinstance(party, PartyKey):
        raise UserError(
            "encrypting needs round= (the key holder makes it: secret.round(query, schema, parties, noise)) and party= "
            "(this party's own key: pets.he.partykey('north'))"
        )
    mine = getattr(session, "schema", None)
    if not isinstance(mine, Schema) or not callable(getattr(session, "contribute", None)):
        raise UserError(f"session must be a pets.Session, not {shown(session)}")
    asked.check(public_key)
    if not isinstance(query, Query) or query.digest != asked.query.digest:
        raise UserError("the query is not the one that the round asks; encrypt round.query, or refuse the round")
    if mine.digest != asked.schema.digest:
        raise UserError(
            "this session's schema is not the round's; the parties must agree on one schema file before they are asked"
        )
    if noise is not None and noise != asked.noise:
        raise UserError(f"the round asks for {asked.noise!r}, not for {shown(noise)}; refuse it, or leave noise out")
    if asked.party(party.name) != party.public:
        raise UserError(f"the round's roster has another key for party {party.name!r} than this one")
    return asked
