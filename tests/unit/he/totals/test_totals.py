"""Encrypted totals: right numbers or a plain sentence, never a wrong number."""

from __future__ import annotations

import ast
import json
import math
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pets
from pets import he
from pets.errors import BudgetError, PolicyError, QueryError, UserError
from pets.he.ciphertext_bytes import Adder, pack_all, payload_size, unpack_all
from pets.he.keys.record import MemoryRecord
from pets.he.numbers import factors, joined, residues, whole_numbers
from pets.he.presets import CHAINS, PRESETS, SECURITY_BITS, SUM_PRESETS, pick
from pets.he.tables.answer import Answer, Part
from pets.he.tenseal_engine import scheme
from pets.he.totals.encrypting import encrypted, framed_numbers
from pets.he.totals.envelope import header_of, message
from pets.he.totals.opening import decrypted
from pets.query_model.display import Display
from tests.he_parties import Table, holder, parties, query, schema, table

HE = Path(__file__).resolve().parents[4] / "pets" / "he"
RNG = np.random.default_rng(5)


def total(rows: list[list[int]], **settings: object) -> list[int]:
    """What the parties' numbers add up to, through bytes."""
    at = table(len(rows), groups=len(rows[0]), **settings)  # type: ignore[arg-type]
    sent = [he.Envelope.from_bytes(envelope.to_bytes()) for envelope in at.envelopes(rows)]
    return at.secret.open(he.Total.from_bytes(he.add(sent).to_bytes())).values.tolist()  # type: ignore[no-any-return]


# ── parameter sets ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_chains_are_seals_own_primes_within_the_standard(chain):
    sealapi = pytest.importorskip("tenseal.sealapi")
    bits = [q.bit_length() for q in chain.primes]
    assert [m.value() for m in sealapi.CoeffModulus.Create(chain.degree, bits)] == list(chain.primes)
    assert math.log2(math.prod(chain.primes)) <= SECURITY_BITS[chain.degree]
    assert SECURITY_BITS == {4096: 109, 8192: 218}  # HE standard 2018, Table 1: 128 bits, ternary secret


def test_a_chain_beyond_the_standard_is_refused():
    from pets.errors import InternalError
    from pets.he.presets import Chain

    with pytest.raises(InternalError, match="too many for 128-bit security"):
        Chain("loose", 4096, (*CHAINS["n13"].primes[:2], 1099511390209))


@pytest.mark.parametrize(
    ("name", "bytes_a_value", "reach"), [("sum60", 20, 2**59 - 2**13), ("wide66", 24, 2**66), ("wide89", 36, 2**88)]
)
def test_sizes(name, bytes_a_value, reach):
    preset = PRESETS[name]
    assert preset.bytes_a_value == bytes_a_value
    assert payload_size(preset, 3) == bytes_a_value * 3 * preset.degree
    assert preset.reach >= reach
    assert preset.most_parties >= 64


def test_noise_stays_far_below_the_ledger():
    """The noise budget that SEAL measures of fresh ciphertexts is never below what the ledger assumes."""
    sealapi = pytest.importorskip("tenseal.sealapi")
    for preset in PRESETS.values():
        engine = scheme(preset.chain, preset.plain[0])
        secret, public = engine.generate()
        encrypt = engine.encryptor(public)
        key = engine._pipe.load(  # only here: a noise budget can leak the key, so pets never asks for one
            sealapi.SecretKey(),
            engine._context,
            [engine_poly(engine, secret), *engine._array(secret)],
        )
        measure = sealapi.Decryptor(engine._context, key)
        for _ in range(3):
            numbers = RNG.integers(0, preset.plain[0], preset.degree).astype(np.uint64)
            budget = measure.invariant_noise_budget(engine._ciphertext(encrypt(numbers)))
            assert budget >= math.floor(preset.spare_bits(1)), preset.name


def engine_poly(engine, secret):
    from pets.he.tenseal_engine import _POLY

    return _POLY.pack(engine._key_id, secret.size, 1.0)


@pytest.mark.parametrize("name", SUM_PRESETS)
def test_the_most_parties_at_the_ends_of_the_range(name):
    """Extreme values of as many parties as the ledger allows (64 here) add up exactly."""
    preset = PRESETS[name]
    count = min(64, preset.most_parties)
    public, secret = holder()
    most = preset.reach // count
    sign = RNG.choice([-1, 1], preset.degree - 2).astype(object)
    values = sign * most if most >= 2**63 else (sign * most).astype(np.int64)
    adder = Adder(preset, 1)
    seed = bytes(32)
    for _ in range(count):
        arrays = [
            encrypted(framed_numbers(values, t, seed, place), preset, t, public) for place, t in enumerate(preset.plain)
        ]
        adder.add(pack_all(arrays, preset))
    parts = []
    for t, ciphers in zip(preset.plain, unpack_all(adder.payload(), preset, 1), strict=True):
        parts.append(scheme(preset.chain, t).decryptor(secret.reveal(preset.chain))(ciphers[0])[:-2])
    assert (joined(parts, preset.plain) == values.astype(object) * count).all()


def test_full_int64_extremes_from_100_parties():
    preset = pick(100 * 2**63, 100)
    assert preset.name == "wide89"
    public, secret = holder()
    rows = RNG.choice([-(2**63), 2**63 - 1, 0, 1, -1], (100, 50))
    adder = Adder(preset, 1)
    for row in rows:
        arrays = [
            encrypted(framed_numbers(row, t, bytes(32), place), preset, t, public)
            for place, t in enumerate(preset.plain)
        ]
        adder.add(pack_all(arrays, preset))
    parts = [
        scheme(preset.chain, t).decryptor(secret.reveal(preset.chain))(ciphers[0])[:50]
        for t, ciphers in zip(preset.plain, unpack_all(adder.payload(), preset, 1), strict=True)
    ]
    found = joined(parts, preset.plain)
    assert [int(n) for n in found] == [sum(int(row[i]) for row in rows) for i in range(50)]
    assert max(abs(int(n)) for n in found) > 2**63  # they open as Python's own whole numbers


def test_a_vector_longer_than_a_ciphertext():
    rows = RNG.integers(0, 1000, (3, 9001)).tolist()
    assert total(rows) == np.sum(rows, axis=0).tolist()


def test_each_preset_by_its_range():
    many = 2**30
    assert table(3, people=2**20).round.preset.name == "count34"
    assert table(3, people=2**36).round.preset.name == "sum42"
    assert table(3, people=2**40).round.preset.name == "sum60"
    for name in SUM_PRESETS:
        at = table(3, people=many, preset=name)
        sent = at.envelopes([[many, 0, 1, 2, 3]] * 3)
        assert at.secret.open(he.add(sent)).values.tolist() == [3 * many, 0, 3, 6, 9]


# ── traps of TenSEAL: each would give a wrong number ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "values",
    [[1.5], [float("nan")], [True], ["1"], [], 3, "12", [2**60], [-(2**60)], [None], np.array([1.0]), np.zeros((2, 2))],
    ids=str,
)
def test_only_whole_numbers_in_range(values):
    with pytest.raises(UserError):
        whole_numbers(values, 2**59)


def test_numpy_numbers_keep_their_value():
    assert whole_numbers(np.array([2**63], dtype=np.uint64), 2**64).tolist() == [2**63]
    assert whole_numbers([np.int64(-3), np.uint8(200)], 2**64).tolist() == [-3, 200]
    for t in PRESETS["wide89"].plain:
        assert residues(np.array([2**63, -(2**63)], dtype=object), t).tolist() == [2**63 % t, -(2**63) % t]


def test_a_value_out_of_range_is_refused_before_encryption(monkeypatch):
    at = table(3, people=1000)
    monkeypatch.setattr("pets.he.totals.encrypting.encrypted", lambda *_: pytest.fail("it was encrypted"))
    for values in ([1001, 0, 0, 0, 0], [-1001, 0, 0, 0, 0], [0, 0, 0, 0]):
        with pytest.raises(UserError, match="do not fit the round's range"):
            at.envelope(0, values)


def test_totals_that_could_wrap_are_refused_when_the_round_is_made():
    with pytest.raises(QueryError, match="too small for these totals"):
        table(3, people=2**40, preset="count34")
    with pytest.raises(QueryError, match="could pass"):
        pick(2**90, 2)
    # each party alone would fit, and so would all of them without noise
    most = PRESETS["count34"].reach // 3
    assert table(3, people=most, preset="count34").round.preset.name == "count34"
    for people, noise in ((most + 1, pets.Total()), (most // 2 + 1, pets.DP(rho=1))):
        with pytest.raises(QueryError, match="too small for these totals"):
            table(3, people=people, preset="count34", noise=noise)


def test_a_round_of_a_query_that_says_how_it_is_shown_is_refused():
    shown = query().shown_as(Display(limit=1))
    with pytest.raises(QueryError, match=r"shown_as\(None\)"):
        table(3, asked=shown)
    at = table(3, asked=shown.shown_as(None))
    release = at.secret.open(he.add(at.envelopes([[3, 1, 2, 0, 0]] * 3)))
    assert len(release.shown_as(shown.display).table) == 1 < len(release.table)


def test_too_many_parties_are_refused_before_encryption():
    with pytest.raises(QueryError, match="too many"):
        table(65, preset="count34")
    adder = Adder(PRESETS["count34"], 1)
    nothing = bytes(payload_size(PRESETS["count34"], 1))
    for _ in range(64):
        adder.add(nothing)
    with pytest.raises(UserError, match="holds 64 parties at most"):
        adder.add(nothing)


def doubled(payload: bytes, preset: he.presets.Preset, times: int) -> bytes:
    """The payload added to itself again and again: each time its noise doubles."""
    arrays = unpack_all(payload, preset, 1)
    q = np.array(preset.chain.kept, dtype=np.uint64)[None, None, :, None]
    for _ in range(times):
        arrays = [(array + array) % q for array in arrays]
    return pack_all(arrays, preset)


def forged(at, payload: bytes) -> he.Total:
    """A total whose parts are honestly signed, and whose sum is something else."""
    true = he.add(at.envelopes([[1, 2, 3, 4, 5]] * 3))
    return he.Total(true.round, true.shared, true.parts, payload)


def test_exhausted_noise_is_noticed():
    """The checksum sees what SEAL does not: sums past the noise budget, of which all numbers were zero."""
    preset = PRESETS["count34"]
    at = table(3)
    zero = encrypted(np.zeros(1, dtype=np.uint64), preset, preset.plain[0], at.public)
    at_first = he.add(at.envelopes([[1, 2, 3, 4, 5]] * 3))
    assert decrypted(at.secret, at_first).tolist() == [3, 6, 9, 12, 15]
    noisy = doubled(pack_all([zero], preset), preset, 13)  # adds nothing but noise: 2^13 encryptions of 0
    adder = Adder(preset, 1)
    adder.add(at_first.payload)
    adder.add(noisy)
    with pytest.raises(UserError, match="does not add up"):
        at.secret.open(forged(at, adder.payload()))


def test_mixed_keys_are_noticed():
    at = table(3)
    other, _ = he.keygen()
    true = he.add(at.envelopes([[1, 2, 3, 4, 5]] * 3))
    preset = at.round.preset
    adder = Adder(preset, 1)
    adder.add(true.payload)
    adder.add(pack_all([encrypted(np.zeros(1, dtype=np.uint64), preset, preset.plain[0], other)], preset))
    with pytest.raises(UserError, match="does not add up"):
        at.secret.open(forged(at, adder.payload()))
    with pytest.raises(UserError, match="another public key"):
        he.encrypt(session(), query(), other, round=at.round, party=at.keys[0])


@pytest.mark.parametrize("place", [0, 3, 5, 6, 7, 4095])
def test_an_aggregator_that_adds_a_number_is_noticed(place):
    """Adding 1,000 to a number, to the party count, to the checksum or beyond, by adding an encryption of it."""
    at = table(3)
    true = he.add(at.envelopes([[1, 2, 3, 4, 5]] * 3))
    preset = at.round.preset
    extra = np.zeros(preset.degree, dtype=np.uint64)
    extra[place] = 1000
    adder = Adder(preset, 1)
    adder.add(true.payload)
    adder.add(pack_all([encrypted(extra, preset, preset.plain[0], at.public)], preset))
    with pytest.raises(UserError, match="does not add up"):
        at.secret.open(forged(at, adder.payload()))


def test_a_part_that_was_left_out_of_the_sum_is_noticed():
    at = table(3)
    sent = at.envelopes([[1, 2, 3, 4, 5]] * 3)
    adder = Adder(at.round.preset, 1)
    for envelope in sent[:2]:
        adder.add(envelope.payload)
    true = he.add(sent)
    with pytest.raises(UserError, match="does not add up"):
        at.secret.open(he.Total(true.round, true.shared, true.parts, adder.payload()))


def combination(at: Table, sent: list[he.Envelope], times: tuple[int, ...]) -> he.Total:
    """What an aggregator can make: any whole multiples, passed off as the sum of all."""
    preset, parts = at.round.preset, []
    for place in range(len(preset.plain)):
        arrays = [unpack_all(envelope.payload, preset, at.round.chunks)[place] for envelope in sent]
        primes = np.array(preset.chain.kept, dtype=np.uint64)[:, None]
        whole = sum(array.astype(object) * k for array, k in zip(arrays, times, strict=True)) % primes.astype(object)
        parts.append(whole.astype(np.uint64))
    true = he.add(sent)
    return he.Total(true.round, true.shared, true.parts, pack_all(parts, preset))


@pytest.mark.parametrize("times", [(3, 0, 0), (0, 3, 0), (2, 0, 1), (5, -2, 0), (1, 2, 0), (-1, 3, 1), (0, 0, 3)])
@pytest.mark.parametrize("preset", ["count34", "wide66"])
def test_nobody_counts_more_than_once(preset, times):
    """Three times one party's envelope has the right count of parties, and would be that party's own numbers."""
    at = table(3, preset=preset)
    sent = at.envelopes([[11, 12, 13, 14, 15], [1] * 5, [2] * 5])
    with pytest.raises(UserError, match="does not add up") as caught:
        at.secret.open(combination(at, sent, times))
    assert not leaks(caught.value, [11, 33])
    assert at.round.parties[0].name not in str(caught.value)


@pytest.mark.parametrize("preset", ["count34", "sum60"])
@pytest.mark.parametrize("name", ["dot50", "row42", None])
def test_an_envelope_is_no_answer_of_a_table(preset, name):
    """The same key reads tables' answers as often as one likes: it must not read one party's vector."""
    at = table(3, preset=preset)
    sent = at.envelopes([[11, 12, 13, 14, 15], [1] * 5, [2] * 5])
    for payload in (sent[0].payload, he.add(sent).payload):
        chosen = PRESETS[name or preset]
        (cipher,) = unpack_all(payload, at.round.preset, 1)[0]
        if cipher.shape != (2, len(chosen.chain.kept), chosen.degree):
            continue
        try:
            answer = Answer("vector", "x", at.public.id, "0", chosen, 5, 1, (Part(0, 1, chosen.reach, cipher),))
            found = at.secret.read(answer)
        except UserError:
            continue
        assert not set(np.abs(found)) & set(range(1, 50)), "small numbers, and one party's"


def test_no_chain_serves_totals_and_tables():
    sums = {PRESETS[name].chain.name for name in SUM_PRESETS}
    assert not sums & {preset.chain.name for name, preset in PRESETS.items() if name not in SUM_PRESETS}
    _, secret = he.keygen(products=True)
    seen = [secret.reveal(chain).tobytes() for chain in CHAINS.values()]
    assert len(set(seen)) == len(seen)


TERMS = {
    "refine": lambda terms: terms["refine"].__setitem__(0, 2**70 + 1),
    "great refine": lambda terms: terms["refine"].__setitem__(0, 10**30 + 1),
    "even refine": lambda terms: terms["refine"].__setitem__(0, 2),
    "scale": lambda terms: terms["scales"].__setitem__(0, "2"),
    "epsilon": lambda terms: terms.update(epsilon="-3"),
    "smaller epsilon": lambda terms: terms.update(epsilon="0.5"),
    "delta": lambda terms: terms.update(delta="1e-9"),
    "rho": lambda terms: terms.update(rho="0.001"),
    "cost and rho": lambda terms: terms.update(rho="0.001", cost=terms["cost"] | {"loss": 10**9}),
    "greater cost": lambda terms: terms.update(rho="1", cost=terms["cost"] | {"loss": 10**12}),
    "currency": lambda terms: terms.update(cost=terms["cost"] | {"currency": "pure"}),
    "no currency": lambda terms: terms.update(cost=terms["cost"] | {"currency": 5}),
    "honest": lambda terms: terms.update(honest=1),
    "nothing": lambda terms: terms.clear(),
}


@pytest.mark.parametrize("change", TERMS)
def test_noise_terms_must_be_what_the_round_asks(change):
    """All parties signed them, and nothing was claimed: the round can still be opened with the right ones."""
    at = table(3, noise=pets.DP(epsilon=1, delta=1e-6))
    terms = he.encrypt(session(), query(), at.public, round=at.round, party=at.keys[0]).shared["noise"]
    wrong = json.loads(json.dumps(terms))
    TERMS[change](wrong)
    right = [at.envelope(number, [1, 2, 3, 4, 5], terms) for number in range(3)]
    sent = []
    for true, key in zip(right, at.keys, strict=True):
        shared = {**true.shared, "noise": wrong}
        signature = key.sign(message(header_of(shared, true.party, true.nonce), true.payload_digest))
        sent.append(he.Envelope(true.round, shared, true.party, true.nonce, true.payload, signature))
    with pytest.raises(UserError, match="not what this round needs"):
        at.secret.open(he.add(sent))
    assert at.secret.open(he.add(right)).values.tolist() == [3, 6, 9, 12, 15]


def test_each_once_is_the_total():
    at = table(3)
    sent = at.envelopes([[11, 12, 13, 14, 15], [1] * 5, [2] * 5])
    assert at.secret.open(combination(at, sent, (1, 1, 1))).values.tolist() == [14, 15, 16, 17, 18]


def test_a_party_that_helps_the_aggregator_does_not_change_that():
    """Knowing the checksum's common secret, it may set its own numbers, and no others' weight."""
    at = table(3)
    rows = [[11, 12, 13, 14, 15], [1] * 5, [2] * 5]
    sent = at.envelopes(rows)
    preset, key = at.round.preset, at.keys[2]
    seed = key.unseal(at.round.seed_for(key.name), at.round.info)
    t = preset.plain[0]
    # in place of 1·A + 1·B + 1·C: 2·A + 0·B + C', where C' is all that the third party can make
    for own in (seed, seed[:32] + bytes(32)):
        mine = encrypted(framed_numbers(np.array(rows[2]), t, own, 0), preset, t, at.public)
        (first,) = unpack_all(sent[0].payload, preset, 1)
        whole = (first.astype(object) * 2 + mine.astype(object)) % np.array(preset.chain.kept, dtype=object)[:, None]
        true = he.add(sent)
        at.secret._record._seen.clear()
        with pytest.raises(UserError, match="does not add up"):
            at.secret.open(he.Total(true.round, true.shared, true.parts, pack_all([whole.astype(np.uint64)], preset)))


def leaks(error: BaseException | None, numbers: list[int]) -> list[str]:
    """The variables of an error's frames that hold such numbers; this test's own frame is not one of them."""
    found = []
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename.startswith(str(HE)):
                for name, value in trace.tb_frame.f_locals.items():
                    if isinstance(value, np.ndarray) and value.dtype != object and np.isin(value, numbers).any():
                        found.append(name)
            trace = trace.tb_next
        error = error.__context__
    return found


@pytest.mark.parametrize("count", [5, 100])
def test_totals_beyond_64_bits_open_as_whole_numbers(count, tmp_path):
    """Parties near the greatest number that a plan allows."""
    asked = pets.query("t").group_by("g").agg(s=pets.sum("v"))
    most = 2**61 - 1
    at = table(count, groups=2, people=1, most=most, asked=asked)
    sent = at.envelopes([[most, number] for number in range(count)])
    release = at.secret.open(he.add(sent))
    whole = [count * most, sum(range(count))]
    assert release.values.tolist() == whole and whole[0] > 2**63
    assert [int(n) for n in release.table["s"]] == whole
    release.save(tmp_path / "a.json")
    again = pets.Release.load(tmp_path / "a.json")
    assert again.values.tolist() == release.values.tolist() and again.to_json() == release.to_json()
    assert str(count * most) in release.table.to_string()


def test_the_checksum_weighs_every_number_by_its_own_secret():
    r = factors(bytes(32), "0", 1000)
    assert len(set(r.tolist())) == 1000
    assert (r != factors(b"\1" + bytes(31), "0", 1000)).any()
    assert (r != factors(bytes(32), "1", 1000)).any()


def test_no_trap_of_tenseal_is_within_reach():
    """Nothing asks for a noise budget, uses CKKS, a TenSEAL vector or context, or hands outside bytes to a loader."""
    banned = {"invariant_noise_budget", "CKKS", "BFVVector", "bfv_vector", "ckks_vector", "make_context_public",
              "create_galois_keys", "create_relin_keys", "Context", "context_from", "deserialize"}  # fmt: skip
    loaders = []
    for path in sorted(HE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        names |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        assert not names & banned, path
        if path.name == "tenseal_engine.py":
            loaders = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "load"]
    assert len(loaders) == 5  # the pipe's own, and its four users in this file: keys and arrays that were checked


def child(work: Callable[[int], bool], number: int) -> int:
    """A forked child that does some work; its exit status says whether that went right."""
    made = os.fork()
    if made == 0:
        code = 1
        try:
            code = 0 if work(number) else 1
        finally:
            os._exit(code)
    return made


def test_threads_and_forks_do_not_mix_their_numbers():
    """SEAL is reached through one file for each process: two of them in it would encrypt each other's numbers."""
    preset = PRESETS["sum60"]
    public, secret = holder()
    decrypt = scheme(preset.chain, preset.plain[0]).decryptor(secret.reveal(preset.chain))
    encrypt = scheme(preset.chain, preset.plain[0]).encryptor(public.of(preset.chain))

    def right(number: int) -> bool:
        wanted = np.full(preset.degree, number, dtype=np.uint64)
        return all((decrypt(encrypt(wanted)) == wanted).all() for _ in range(20))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(right, range(8)))
    with warnings.catch_warnings(action="ignore"):  # that forking with threads is risky is the point here
        children = [child(right, number) for number in (100, 200, 300)]
    assert right(7)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]


# ── rounds, parties, survivors ────────────────────────────────────────────────────────────────────────────────────────


def test_a_round_opens_once():
    at = table(3)
    sent = at.envelopes([[1, 2, 3, 4, 5]] * 3)
    assert at.secret.open(he.add(sent)).values.tolist() == [3, 6, 9, 12, 15]
    with pytest.raises(UserError, match="one round gives one total"):
        at.secret.open(he.add(sent))
    again = at.envelopes([[1, 2, 3, 4, 5]] * 3)  # freshly encrypted
    with pytest.raises(UserError, match="one round gives one total"):
        at.secret.open(he.add(again))


def test_a_round_is_claimed_before_anything_is_decrypted(monkeypatch):
    at = table(3)
    sum_ = he.add(at.envelopes([[1, 2, 3, 4, 5]] * 3))

    def broken(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("pets.he.totals.opening.decrypted", broken)
        with pytest.raises(RuntimeError):
            at.secret.open(sum_)
    with pytest.raises(UserError, match="one round gives one total"):
        at.secret.open(sum_)


def test_a_missing_party_needs_consent_to_exactly_this_set():
    at = table(5, least=3)
    sent = at.envelopes([[1, 1, 1, 1, 1]] * 5)
    few = he.add(sent[:4])
    assert few.missing == ("p004",)
    agreed = [he.consent(few, key) for key in at.keys[:4]]
    other = [he.consent(he.add(sent[:3]), key) for key in at.keys[:3]]
    for wrong in ([], agreed[:3], [*agreed[:3], agreed[0]], [*other, agreed[3]]):
        with pytest.raises(UserError, match="every survivor must sign"):
            at.secret.open(few, wrong)
    relabelled = [replace(one, survivors=few.survivors) for one in other]  # what they signed is another set
    with pytest.raises(UserError, match="every survivor must sign"):
        at.secret.open(few, [*relabelled, agreed[3]])
    moved = he.Consent("p003", few.survivors, agreed[0].signature)
    with pytest.raises(UserError, match="every survivor must sign"):
        at.secret.open(few, [*agreed[:3], moved])
    with pytest.raises(UserError, match="only its survivors"):
        he.consent(few, at.keys[4])
    again = [he.Consent.from_bytes(one.to_bytes()) for one in agreed]
    release = at.secret.open(few, again)
    assert release.values.tolist() == [4] * 5
    assert "p004" in " ".join(release.notes)
    with pytest.raises(UserError, match="one round gives one total"):  # the difference of two would be one party's
        at.secret.open(he.add(sent))


def test_too_few_parties():
    at = table(4, least=3)
    two = he.add(at.envelopes([[1, 1, 1, 1, 1]] * 2))
    with pytest.raises(UserError, match="opens from 3 on; missing: p002, p003"):
        at.secret.open(two, [he.consent(two, key) for key in at.keys[:2]])
    for least in (0, 1, 2, 5, True, 3.0):
        with pytest.raises(UserError):
            table(4, least=least)
    with pytest.raises(UserError, match="at least two parties"):
        table(1)
    with pytest.raises(UserError, match="an exact total needs at least three parties"):
        table(2)


def test_an_aggregator_that_the_round_names_must_sign():
    boss, other = he.partykey("aggregator"), he.partykey("aggregator")
    at = table(3, aggregator=boss.public)
    sent = at.envelopes([[1, 2, 3, 4, 5]] * 3)
    for key in (None, other):
        with pytest.raises(UserError, match="names its aggregator"):
            he.add(sent, key=key)
    signed = he.add(sent, key=boss)
    blank = signed.to_bytes()[:-64] + bytes(64)
    with pytest.raises(UserError, match="signature of the aggregator"):
        he.Total.from_bytes(blank)
    assert at.secret.open(he.Total.from_bytes(signed.to_bytes())).values.tolist() == [3, 6, 9, 12, 15]
    plain = table(3)
    with pytest.raises(UserError, match="names no aggregator"):
        he.add(plain.envelopes([[1, 2, 3, 4, 5]] * 3), key=boss)


def test_what_does_not_belong_together_is_not_added():
    at, later = table(3), table(3)
    rows = [[1, 2, 3, 4, 5]] * 3
    sent = at.envelopes(rows)
    with pytest.raises(UserError, match="different rounds"):
        he.add([sent[0], later.envelope(1, rows[1])])
    with pytest.raises(UserError, match="is in twice"):
        he.add([sent[0], at.envelope(0, rows[0])])
    with pytest.raises(UserError, match="nothing to add"):
        he.add([])
    for wrong in (None, sent[0], [b"bytes"], 5):
        with pytest.raises(UserError):
            he.add(wrong)  # type: ignore[arg-type]


def test_a_roster_names_each_party_once():
    _, secret = holder()
    a, b, c = parties(3)
    twin = he.Party("p009", a.public.sign, a.public.box)
    for roster in ([a.public, a.public], [a.public, twin], [a.public, "b"], "ab", None):
        with pytest.raises(UserError):
            secret.round(query(), schema(), roster, pets.Total())  # type: ignore[arg-type]
    ordered = (a.public, b.public, c.public)
    assert secret.round(query(), schema(), [c.public, a.public, b.public], pets.Total()).parties == ordered


@pytest.mark.parametrize(
    "noise",
    [
        pets.DP(epsilon=1),
        pets.DP(epsilon=1, pure=True),
        pets.DP(within=5),
        None,
        "total",
        5,
    ],
    ids=str,
)
def test_a_round_says_its_noise_in_full(noise):
    _, secret = holder()
    with pytest.raises(UserError, match=r"write DP|noise must be"):
        secret.round(query(), schema(), [key.public for key in parties(3)], noise)  # type: ignore[arg-type]


def test_a_total_of_another_keys_round_is_refused(monkeypatch):
    _, other = he.keygen()
    at = table(3)
    total = he.add(at.envelopes([[1, 2, 3, 4, 5]] * 3))
    monkeypatch.setattr("pets.he.totals.opening.decrypted", lambda *_: pytest.fail("it was decrypted"))
    with pytest.raises(UserError, match="another public key"):
        other.open(total)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("round", "0" * 64),
        ("key", "0" * 64),
        ("plan", "0" * 64),
        ("preset", "sum60"),
        ("values", 6),
        ("chunks", 2),
        ("version", 2),
        ("pets", "he-total"),
        ("noise", {}),
        ("data", "invented"),
        ("more", 1),
    ],
)
def test_a_party_cannot_sign_its_way_into_another_total(field, value):
    at = table(3)
    true = at.envelope(0, [1, 2, 3, 4, 5])
    shared = {**true.shared, field: value}
    signature = at.keys[0].sign(message(header_of(shared, true.party, true.nonce), true.payload_digest))
    with pytest.raises(UserError):
        he.Envelope(true.round, shared, true.party, true.nonce, true.payload, signature)


def test_a_total_cannot_name_a_part_that_nobody_signed():
    at = table(3)
    true = he.add(at.envelopes([[1, 2, 3, 4, 5]] * 3))
    first, second, third = true.parts
    borrowed = replace(first, signature=second.signature)
    other = replace(first, payload="0" * 64)
    for parts in ((borrowed, second, third), (other, second, third), (replace(first, nonce="0" * 32), second, third)):
        with pytest.raises(UserError, match="did not sign"):
            he.Total(true.round, true.shared, parts, true.payload)
    for parts in ((first, first, third), (), (second, first, third)):
        with pytest.raises(UserError, match="in the total twice"):
            he.Total(true.round, true.shared, parts, true.payload)
    with pytest.raises(UserError, match="not on the roster"):
        he.Total(true.round, true.shared, (replace(first, party="a000"), second, third), true.payload)


def test_the_record_is_read_at_every_claim():
    record = MemoryRecord()
    record.claim("a", "1")
    record.claim("b", "1")
    with pytest.raises(UserError):
        record.claim("a", "2")


# ── through sessions ──────────────────────────────────────────────────────────────────────────────────────────────────


def frame(people: int = 10) -> pd.DataFrame:
    return pd.DataFrame({"person": [str(i) for i in range(people)], "g": [i % 5 for i in range(people)], "v": 7})


def session(people: int = 10, **settings: object) -> pets.Session:
    """Ten people, two in each group."""
    return pets.Session(schema(), {"t": frame(people)}, budget=pets.Budget(epsilon=5, delta=1e-6), **settings)  # type: ignore[arg-type]


def test_exact_totals_need_every_partys_policy():
    at = table(3)
    with pytest.raises(PolicyError, match="no finite guarantee"):
        he.encrypt(session(), query(), at.public, round=at.round, party=at.keys[0])
    open_ = session(policy=pets.Policy(allow_unbounded=True))
    sent = [he.encrypt(open_, query(), at.public, round=at.round, party=key) for key in at.keys]
    release = at.secret.open(he.add(sent))
    assert release.table["n"].tolist() == [6] * 5
    assert "No guarantee" in release.guarantee
    assert open_.history()["unbounded"].all()


def test_every_encryption_is_charged():
    at = table(2, noise=pets.DP(epsilon=1, delta=1e-6))
    own = session()
    before = own.remaining().left.loss
    he.encrypt(own, query(), at.public, round=at.round, party=at.keys[0])
    once = before - own.remaining().left.loss
    he.encrypt(own, query(), at.public, round=at.round, party=at.keys[0])
    assert once > 0
    assert before - own.remaining().left.loss == 2 * once
    assert at.round.id in own.history()["protection"].iloc[0]


def test_what_is_refused_costs_nothing_and_what_fails_stays_charged(monkeypatch):
    at = table(2, noise=pets.DP(epsilon=1, delta=1e-6))
    own = session()
    before = own.remaining().left
    stranger = he.partykey("p000")
    other = pets.query("t").agg(n=pets.count())
    refusals = [
        {"query": other},
        {"party": stranger},
        {"noise": pets.DP(epsilon=2, delta=1e-6)},
        {"round": None},
        {"party": None},
        {"public_key": None},
        {"session": None},
    ]
    for change in refusals:
        given = {"session": own, "query": query(), "public_key": at.public, "round": at.round, "party": at.keys[0]}
        with pytest.raises(UserError):
            he.encrypt(**(given | change))
    wrong = pets.Session(schema(6), budget=pets.Budget(epsilon=1, delta=1e-6)).dummy(10)
    with pytest.raises(UserError, match="must agree on one schema"):
        he.encrypt(wrong, query(), at.public, round=at.round, party=at.keys[0])
    poor = session()
    poor.release(query(), pets.DP(epsilon=4.9))
    spent = poor.remaining().left
    with pytest.raises(BudgetError):
        he.encrypt(poor, query(), at.public, round=at.round, party=at.keys[0])
    assert (own.remaining().left, poor.remaining().left) == (before, spent)

    def broken(*_: object) -> None:
        raise RuntimeError("row 17: secret")

    monkeypatch.setattr("pets.session.job.tabulate", broken)
    with pytest.raises(pets.PetsError, match="incident") as caught:
        he.encrypt(own, query(), at.public, round=at.round, party=at.keys[0])
    assert "secret" not in str(caught.value) and caught.value.__cause__ is None
    assert own.remaining().left.loss < before.loss


def test_a_roster_of_strangers_is_refused():
    """A key holder that invents parties would leave one party's people with that party's small share of the noise."""
    at = table(3, noise=pets.DP(epsilon=1, delta=1e-6))
    own = session()
    before = own.remaining().left
    first, second, third = (key.public for key in at.keys)
    other = he.partykey("p002").public
    for known in ([], [second], [second, other], "p001", [at.keys[1]]):
        with pytest.raises(UserError, match="known"):
            he.encrypt(own, query(), at.public, round=at.round, party=at.keys[0], known=known)
    assert own.remaining().left == before
    for known in ([second, third], (first, second, third, other)):
        he.encrypt(own, query(), at.public, round=at.round, party=at.keys[0], known=known)


def test_noise_that_does_not_fit_is_refused_before_it_is_charged():
    sums = pets.query("t").agg(s=pets.sum("v"))
    at = table(2, asked=sums, most=10**6, noise=pets.DP(rho=1e-10), preset="count34")
    where = schema(5, 1000, 10**6)
    own = pets.Session(where, budget=pets.Budget(epsilon=5, delta=1e-6), data={"t": frame()})
    before = own.remaining().left
    with pytest.raises(UserError, match="with its noise, a total could pass what parameter set 'count34' holds"):
        he.encrypt(own, sums, at.public, round=at.round, party=at.keys[0])
    assert own.remaining().left == before
    wide = table(2, asked=sums, most=10**6, noise=pets.DP(rho=1e-10), preset="wide66")
    he.encrypt(own, sums, wide.public, round=wide.round, party=wide.keys[0])


def test_dummy_and_real_rows_are_not_mixed():
    at = table(2, noise=pets.DP(epsilon=1, delta=1e-6))
    real = session()
    sent = [
        he.encrypt(real, query(), at.public, round=at.round, party=at.keys[0]),
        he.encrypt(real.dummy(10), query(), at.public, round=at.round, party=at.keys[1]),
    ]
    with pytest.raises(UserError, match="invented rows"):
        he.add(sent)


def test_the_release_says_who_is_trusted():
    at = table(3, noise=pets.DP(epsilon=1, delta=1e-6))
    sent = [he.encrypt(session(), query(), at.public, round=at.round, party=key) for key in at.keys]
    release = at.secret.open(he.add(sent))
    for said in ("do not collude", "at most 1 of the parties", "2 honest shares", "own share alone", "ε = 1 and δ"):
        assert said in release.guarantee
    assert release.protection["parties"] == ["p000", "p001", "p002"]
    assert release.epsilon == 1 and release.delta == 1e-6
    assert pets.Release.from_json(release.to_json()) == release
    assert release.table.columns.tolist() == ["g", "n", "n_low", "n_high"]
