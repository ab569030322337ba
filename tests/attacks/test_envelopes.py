"""What an attacker on the way may send: nothing of it is accepted, and nothing crashes."""

from __future__ import annotations

import collections
import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import pets
from pets import he
from pets.common.codec import canonical
from pets.errors import UserError
from pets.he.totals.envelope import MAGIC, framed, header_of, message, unframed
from pets.he.totals.opening import decrypted
from tests.he_parties import Table, holder, query, table

ROWS = [[1, 2, 3, 4, 5]] * 3
Case = tuple[str, Callable[[], object]]


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    """One bit of it turned over."""
    at = int(rng.integers(len(data) * 8))
    out = bytearray(data)
    out[at // 8] ^= 1 << (at % 8)
    return bytes(out)


def noisy(data: bytes, rng: np.random.Generator) -> bytes:
    """A run of random bytes over it."""
    out, length = bytearray(data), int(rng.integers(1, 65))
    at = int(rng.integers(len(data) - length))
    out[at : at + length] = rng.bytes(length)
    return bytes(out)


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    """Only the beginning, or only the end."""
    at = int(rng.integers(1, len(data)))
    return data[:at] if rng.integers(2) else data[at:]


def longer(data: bytes, rng: np.random.Generator) -> bytes:
    """With bytes behind it, or within."""
    extra = rng.bytes(int(rng.integers(1, 100)))
    at = len(data) if rng.integers(2) else int(rng.integers(len(data)))
    return data[:at] + extra + data[at:]


def reordered(data: bytes, rng: np.random.Generator) -> bytes:
    """Two runs of it exchanged."""
    length = int(rng.integers(8, 4096))
    a, b = sorted(int(x) for x in rng.integers(0, len(data) - 2 * length, 2))
    b += length
    return data[:a] + data[b : b + length] + data[a + length : b] + data[a : a + length] + data[b + length :]


def headed(data: bytes, rng: np.random.Generator) -> bytes:
    """A bit of round or header turned over: most of an envelope is payload, where flips would all land."""
    _, _, end = unframed(MAGIC, data, "")
    return flipped(data[:end], rng) + data[end:] if rng.integers(4) else data[:-64] + flipped(data[-64:], rng)


def edited(data: bytes, rng: np.random.Generator) -> bytes:
    """A field of the header set to something else."""
    asked, header, end = unframed(MAGIC, data, "")
    form = json.loads(header)
    values = ["", 0, -1, 2**70, None, [], {}, True, "p001", "p009", "sum60", "0" * 64, 1.5, "\x00", {"a": {}}, "dummy"]
    name = str(rng.choice([*form, "more"]))
    form[name] = values[int(rng.integers(len(values)))]
    if rng.integers(8) == 0:
        del form[str(rng.choice(list(form)))]
    return framed(MAGIC, asked, canonical(form), data[end:])


MUTATIONS = [flipped, noisy, cut, longer, reordered, headed, edited]


def others(at: Table) -> dict[str, bytes]:
    """Envelopes that are well made, but not for this total."""
    public, secret = he.keygen()
    roster = [key.public for key in at.keys]
    foreign = Table(secret.round(query(), at.round.schema, roster, pets.Total()), public, secret, at.keys)
    strangers = tuple(he.partykey(key.name) for key in at.keys)
    plan = pets.query("t").group_by("g").agg(n=pets.count(), more=pets.count_units())
    wrong = Table(holder()[1].round(plan, at.round.schema, roster, pets.Total()), at.public, at.secret, at.keys)
    true = at.envelope(0, ROWS[0])
    header = header_of(true.shared, true.party, true.nonce)
    asked, _, _ = unframed(MAGIC, true.to_bytes(), "")
    forged = framed(MAGIC, asked, header, true.payload) + strangers[0].sign(message(header, true.payload_digest))
    return {
        "another key": foreign.envelope(0, ROWS[0]).to_bytes(),
        "another round": table(3).envelope(0, ROWS[0]).to_bytes(),
        "another plan": wrong.envelope(0, [1] * wrong.round.plan.size).to_bytes(),
        "forged": forged,
    }


def cases(count: int, seed: int) -> Iterator[tuple[str, bytes, list[he.Envelope]]]:
    rng = np.random.default_rng(seed)
    at = table(3)
    sent = at.envelopes(ROWS)
    true = [envelope.to_bytes() for envelope in sent]
    strange = list(others(at).items())
    for number in range(count):
        if number % 10 == 0:
            name, data = strange[(number // 10) % len(strange)]
        elif number % 10 == 1:
            name, data = "replayed", true[0]
        else:
            mutate = MUTATIONS[number % len(MUTATIONS)]
            name, data = mutate.__name__, mutate(true[number % 3], rng)
            if data in true:
                continue
        yield name, data, sent


def try_all(count: int, seed: int) -> None:
    """Each bad envelope joins two good ones (a replayed one: its own); the key holder would open what comes out."""
    fates: collections.Counter[tuple[str, str]] = collections.Counter()
    for name, data, sent in cases(count, seed):
        try:
            bad = he.Envelope.from_bytes(data)
            he.add([*sent[:1], bad] if name == "replayed" else [*sent[1:], bad])
        except UserError as error:
            assert "\n" not in str(error)
            fates[name, "refused"] += 1
        else:
            fates[name, "accepted"] += 1
    refused = sum(number for (_, fate), number in fates.items() if fate == "refused")
    accepted = sum(number for (_, fate), number in fates.items() if fate == "accepted")
    print(f"{refused:,} refused, {accepted:,} accepted, 0 crashes:")
    for (name, fate), number in sorted(fates.items()):
        print(f"  {name}: {number:,} {fate}")
    assert accepted == 0 and refused > count * 0.99


def test_bad_envelopes_are_refused():
    try_all(3_000, 1)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_bad_envelopes_are_refused_soak():
    try_all(100_000, 2)


def test_the_good_ones_are_accepted():
    at = table(3)
    sent = [he.Envelope.from_bytes(envelope.to_bytes()) for envelope in at.envelopes(ROWS)]
    assert at.secret.open(he.add(sent)).values.tolist() == [3, 6, 9, 12, 15]


def test_a_forged_round_is_refused_by_parties_and_by_the_key_holder():
    """A round that only looks like the key holder's: its envelopes can be added, and never opened."""
    at = table(3)
    _, other = he.keygen()
    asked = other.round(query(), at.round.schema, [key.public for key in at.keys], pets.Total())
    form = json.loads(asked.to_bytes())
    form["key"] = at.public.id
    fake = he.Round.from_bytes(canonical(form))
    session = pets.Session(at.round.schema, budget=pets.Budget(epsilon=1, delta=1e-6)).dummy(10)
    with pytest.raises(UserError, match="not a round as the key holder signed"):
        he.encrypt(session, query(), at.public, round=fake, party=at.keys[0])
    edited = json.loads(at.round.to_bytes())
    edited["least"] = 2
    with pytest.raises(UserError, match="not a round as the key holder signed"):
        he.encrypt(session, query(), at.public, round=he.Round.from_bytes(canonical(edited)), party=at.keys[0])


def opens(count: int, seed: int, boss: he.PartyKey | None) -> collections.Counter[str]:
    """Totals that were changed on their way, in every part of them; each is tried as if its round were fresh."""
    rng = np.random.default_rng(seed)
    fates: collections.Counter[str] = collections.Counter()
    at = table(3, aggregator=None if boss is None else boss.public)
    true = he.add(at.envelopes(ROWS), key=boss).to_bytes()
    for number in range(count):
        mutate = [flipped, noisy, cut, longer, reordered][number % 5]
        data = mutate(true, rng)
        if number % 7 == 0:
            _, _, end = unframed(b"pets tot", true, "")
            data = flipped(true[:end], rng) + true[end:]
        if data == true:
            continue
        try:
            found = he.Total.from_bytes(data)
            found.round.check(at.public)
            values = decrypted(at.secret, found)
        except UserError as error:
            fates["does not add up" if "add up" in str(error) else "refused before decryption"] += 1
        else:
            # a low bit of a residue is noise like any other: the numbers are right all the same
            fates["accepted"] += 1
            assert values.tolist() == [3, 6, 9, 12, 15], "a changed total gave a wrong number"
    print(dict(fates))
    return fates


def test_changed_totals_never_give_a_wrong_number():
    fates = opens(400, 3, None)
    assert fates["does not add up"] > 100 and fates["accepted"] < 60


def test_changed_totals_that_an_aggregator_signed_are_all_refused():
    assert opens(400, 4, he.partykey("aggregator")).keys() == {"refused before decryption"}


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_changed_totals_never_give_a_wrong_number_soak():
    assert opens(20_000, 5, None)["accepted"] < 3_000
