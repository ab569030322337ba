"""Answers of encrypted tables: damage, forgeries and other keys; and what a liar can still do."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from pets import he
from pets.common.codec import canonical
from pets.errors import UserError
from pets.he.ciphertext_bytes import pack
from pets.he.presets import PRESETS
from pets.he.tables.answer import MAGIC, Answer
from pets.he.tables.table import EncryptedTable
from pets.he.tenseal_engine import scheme
from tests.he_parties import holder

RNG = np.random.default_rng(12)
ROWS = 10_000
COST = RNG.integers(-50_000, 50_001, ROWS)
STAY = RNG.integers(0, 15, ROWS)
FEMALE = RNG.integers(0, 2, ROWS).astype(bool)
BOUNDS = {"cost": 50_000, "stay": 14}
START = len(MAGIC) + 4


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("columns") / "t.enc"
    return EncryptedTable.encrypt(path, {"cost": COST, "stay": STAY}, holder()[0], bounds=BOUNDS, squares=["stay"])


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    path, (public, secret) = tmp_path_factory.mktemp("columns") / "m.enc", he.keygen(products=True)
    made = EncryptedTable.encrypt(path, {"cost": COST}, public, bounds={"cost": 50_000}, masks={"female": FEMALE})
    return made, secret


def read(answer):
    return holder()[1].read(answer)


def split(data):
    """An answer's header and its ciphertexts."""
    end = START + int.from_bytes(data[START - 4 : START], "little")
    return json.loads(data[START:end]), data[end:-32]


def forged(head, payload):
    """What somebody makes who knows the format: with a digest that fits."""
    text = canonical(head)
    body = MAGIC + len(text).to_bytes(4, "little") + text + payload
    return body + hashlib.sha256(body).digest()


def flipped(data, at):
    broken = bytearray(data)
    broken[at] ^= 1 << int(RNG.integers(8))
    return bytes(broken)


def test_answers_survive_files(table, masked, tmp_path):
    made, secret = masked
    every = [made.masked_sum("cost", "female"), made.score({"cost": 2})]
    every += [table.sum("cost"), table.mean("cost"), table.variance("stay"), table.group_sums("cost", STAY)]
    for number, answer in enumerate(every):
        key = secret if number < 2 else holder()[1]
        again = Answer.load(answer.save(tmp_path / str(number)))
        assert again.to_bytes() == answer.to_bytes() and repr(again) == repr(answer)
        assert key.read(again) == key.read(answer)


def test_damaged_answers(table):
    """Every byte of header and digest, and every region of the ciphertexts: flipped or cut, it is refused."""
    data, refused, tried = table.sum("cost").to_bytes(), 0, 0
    assert read(Answer.from_bytes(data)) == COST.sum()
    head = len(data) - len(split(data)[1]) - 32
    for at in (*range(head), *range(head, len(data) - 32, 32), *range(len(data) - 32, len(data))):
        for wrong in (flipped(data, at), data[:at], data + bytes(at % 5 + 1)):
            tried += 1
            with pytest.raises(UserError, match="ask the store for it again"):
                Answer.from_bytes(wrong)
            refused += 1
    print(f"answers: {refused} of {tried} refused")
    assert refused == tried > 6_000


def test_flips_under_a_new_digest_are_never_wrong_numbers(table):
    """Against accidents the digest helps; what passes it is still held against the proved range."""
    fates = {"refused": 0, "right": 0, "wrong": 0}
    head, payload = split(table.sum("cost").to_bytes())
    for _ in range(300):
        try:
            found = read(Answer.from_bytes(forged(head, flipped(payload, int(RNG.integers(len(payload)))))))
            fates["right" if found == COST.sum() else "wrong"] += 1
        except UserError:
            fates["refused"] += 1
    print(fates)
    assert fates["wrong"] == 0 and fates["refused"] > 50


def test_a_changed_header_is_refused(table):
    """The reviewer's: the same ciphertext as the mean of twice the rows."""
    data = table.mean("cost").to_bytes()
    with pytest.raises(UserError, match="ask the store"):
        Answer.from_bytes(data.replace(b'"rows":10000', b'"rows":20000'))


def put(**changed):
    return lambda head: head.update(changed)


def part(place, at, value):
    def change(head):
        head["parts"][place][at] = value

    return change


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("mean", put(rows=0)),
        ("mean", put(rows=-1)),
        ("mean", put(rows=True)),
        ("mean", put(rows=1.0)),
        ("mean", put(rows="10000")),
        ("mean", put(count=2)),
        ("mean", put(kind="variance")),
        ("mean", put(kind="variance", count=2)),
        ("mean", put(kind="vector")),
        ("mean", put(kind="median")),
        ("mean", put(kind=["mean"])),
        ("mean", put(kind=None)),
        ("mean", put(asked="sum\n")),
        ("mean", put(asked=7)),
        ("mean", put(key=None)),
        ("mean", put(preset="wide66")),
        ("mean", put(preset="row42")),
        ("mean", put(preset="none")),
        ("mean", put(more=1)),
        ("mean", put(version=2)),
        ("mean", put(parts=[])),
        ("mean", put(parts=None)),
        ("mean", part(0, 0, 1)),
        ("mean", part(0, 0, -1)),
        ("mean", part(0, 1, -1)),
        ("mean", part(0, 1, 1.0)),
        ("mean", part(0, 2, 2**50)),
        ("mean", part(0, 2, -1)),
        ("mean", part(0, 3, 3)),
        ("mean", part(0, 3, 1)),
        ("variance", part(0, 0, 1)),
        ("variance", part(1, 0, 0)),
        ("variance", put(count=1)),
        ("variance", put(kind="mean")),
        ("numbers", put(count=4)),
        ("numbers", put(count=2**40)),
        ("numbers", part(0, 0, 4)),
        ("numbers", part(1, 0, 0)),  # two parts of one number, with other ranges
        ("vector", put(rows=0)),
        ("vector", put(rows=8192)),
        ("vector", put(rows=20_000)),
        ("vector", put(count=2)),
        ("vector", part(0, 1, 2)),
        ("vector", part(1, 0, 0)),  # a run of rows twice
        ("vector", part(0, 0, 1)),
    ],
)
def test_forged_structures(table, kind, change):
    asked = {
        "mean": lambda: table.mean("cost"),
        "variance": lambda: table.variance("stay"),
        "numbers": lambda: table.group_sums("cost", np.minimum(STAY, 4)),
        "vector": lambda: table.score({"stay": 1}),
    }
    head, payload = split(asked[kind]().to_bytes())
    Answer.from_bytes(forged(head, payload))
    for length in (payload + b"\0", payload[:-1], payload + payload, b""):
        with pytest.raises(UserError, match="ask the store for it again"):
            Answer.from_bytes(forged(head, length))
    change(head)
    with pytest.raises(UserError, match="ask the store for it again"):
        Answer.from_bytes(forged(head, payload))


def test_chunks_of_a_vector_are_all_there_once(table):
    good = table.score({"stay": 1})
    one, two, three = good.parts
    for wrong in ((one, two), (one, two, two), (two, one, three), (one, two, three, three), (), [one, two, three]):
        with pytest.raises(UserError, match="ask the store for it again"):
            dataclasses.replace(good, parts=wrong)
    with pytest.raises(UserError, match="ask the store for it again"):
        Answer.from_bytes(b"".join((good.to_bytes()[:-32], bytes(5))))


def test_numbers_outside_their_primes_are_refused(table):
    answer = table.sum("cost")
    head, _ = split(answer.to_bytes())
    for place, q in enumerate(answer.preset.chain.kept):
        changed = answer.parts[0].residues.copy()
        changed[1, place, 77] = q - 1
        Answer.from_bytes(forged(head, pack(changed, answer.preset.chain.kept)))
        changed[1, place, 77] = q
        with pytest.raises(UserError, match="ask the store for it again"):
            Answer.from_bytes(forged(head, pack(changed, answer.preset.chain.kept)))


def test_answers_hold_their_proved_range(table):
    """Another ciphertext in an answer, a lower range: what is decrypted is held against what was proved."""
    stay, cost = table.sum("stay"), table.sum("cost")
    assert [(p.reach) for p in stay.parts] == [14 * ROWS] and abs(int(COST.sum())) > 14 * ROWS
    wrong = dataclasses.replace(stay.parts[0], residues=cost.parts[0].residues)
    with pytest.raises(UserError, match="outside its proved range"):
        read(dataclasses.replace(stay, parts=(wrong,)))
    groups = STAY % 2
    reaches = [p.reach for p in table.group_sums("cost", groups).parts]
    assert reaches == [50_000 * int((groups == group).sum()) for group in range(2)]
    assert {p.reach for p in table.dot("stay", np.full(ROWS, -3)).parts} == {3 * 14 * ROWS}
    assert [p.reach for p in table.variance("stay").parts] == [14 * ROWS, 14**2 * ROWS]
    scores = table.score({"stay": -2}, 5)
    assert {p.reach for p in scores.parts} == {2 * 14 + 5}
    parts = (
        *scores.parts[:2],
        dataclasses.replace(scores.parts[2], residues=table.score({"cost": 1}).parts[2].residues),
    )
    with pytest.raises(UserError, match="outside its proved range"):
        read(dataclasses.replace(scores, parts=parts))
    low = dataclasses.replace(cost.parts[0], reach=abs(int(COST.sum())) - 1)
    with pytest.raises(UserError, match="outside its proved range"):
        read(dataclasses.replace(cost, parts=(low,)))
    assert read(dataclasses.replace(cost, parts=(dataclasses.replace(low, reach=low.reach + 1),))) == COST.sum()


def test_another_keys_ciphertext_in_an_answer(table, tmp_path):
    public, secret = he.keygen()
    other = EncryptedTable.encrypt(tmp_path / "t", {"cost": COST}, public, bounds={"cost": 50_000})
    for good, wrong in ((table.sum("cost"), other.sum("cost")), (table.score({"cost": 1}), other.score({"cost": 1}))):
        with pytest.raises(UserError, match="another public key"):
            read(wrong)
        with pytest.raises(UserError, match="outside its proved range"):
            read(dataclasses.replace(wrong, key_id=good.key_id))
        mixed = (*good.parts[:-1], dataclasses.replace(good.parts[-1], residues=wrong.parts[-1].residues))
        with pytest.raises(UserError, match="outside its proved range"):
            read(dataclasses.replace(good, parts=mixed))
    assert secret.read(other.sum("cost")) == COST.sum()


def test_an_answer_says_what_was_asked_and_of_which_table(table, masked):
    weights = np.arange(ROWS) % 5
    sha = hashlib.sha256(weights.astype("<i8").tobytes()).hexdigest()
    made, _ = masked
    for answer, asked in (
        (table.sum("cost"), "sum('cost')"),
        (table.mean("stay"), "mean('stay')"),
        (table.variance("stay"), "variance('stay')"),
        (table.dot("cost", weights), f"dot('cost', weights of SHA-256 {sha})"),
        (table.group_sums("cost", weights.tolist()), f"group_sums('cost', groups of SHA-256 {sha})"),
        (table.score({"cost": np.int64(3), "stay": -2}, 7), "score({'cost': 3, 'stay': -2}, 7)"),
        (made.masked_sum("cost", "female"), "masked_sum('cost', 'female')"),
    ):
        again = Answer.from_bytes(answer.to_bytes())
        assert again.asked == asked and asked in repr(again)
        assert again.table == (made if "masked" in asked else table).digest
        assert again.table[:16] in repr(again)
    assert table.sum("cost").shows == "one whole number"
    assert table.variance("stay").shows == "two whole numbers, the sum and the sum of squares"
    assert table.score({"cost": 1}).shows == "one number for each of 10,000 rows"


def constants(secret, answer):
    """What the reader could decrypt of each part alone."""
    t = answer.preset.plain[0]
    decrypt = scheme(answer.preset.chain, t).decryptor(secret.reveal(answer.preset.chain))
    return [int(decrypt(part.residues)[0]) for part in answer.parts]


def test_partial_sums_stay_hidden(table, masked, monkeypatch):
    """Several ciphertexts, one number: each alone is uniform and new each time; only their sum is the answer."""
    made, secret = masked
    monkeypatch.setattr("pets.he.tables.table.max_products", lambda preset: 1)
    degree = PRESETS["row42"].degree
    partial = [int(COST[run][FEMALE[run]].sum()) for run in (slice(degree), slice(degree, ROWS))]
    weights, round_weights = np.full(ROWS, 10**8 + 3), np.full(ROWS, 16 * 10**7)  # the second has no last digit
    for key, ask, wanted, shown in (
        (secret, lambda: made.masked_sum("cost", "female"), sum(partial), partial),
        (holder()[1], lambda: table.dot("stay", weights), (10**8 + 3) * int(STAY.sum()), []),
        (holder()[1], lambda: table.dot("stay", round_weights), 16 * 10**7 * int(STAY.sum()), []),
    ):
        first, second = ask(), ask()
        t = first.preset.plain[0]
        assert len(first.parts) > 1 and first.shows == "one whole number"
        assert key.read(first) == key.read(second) == wanted
        one, two = constants(key, first), constants(key, second)
        assert not set(one) & set(two) and not {value % t for value in shown} & {*one, *two}
        assert min(min(value, t - value) for value in (*one, *two)) > t // 2**20  # a sum of stays is far smaller
        assert sum(p.times * c for p, c in zip(first.parts, one, strict=True)) % t == wanted % t


def test_masked_sums_of_many_rows(tmp_path):
    """The reviewer's: from 17 chunks of 8,192 rows on, the sum of each run of rows was readable."""
    public, secret = he.keygen(products=True)
    rows = 140_000
    made = EncryptedTable.encrypt(
        tmp_path / "t",
        {"v": np.full(rows, 2)},
        public,
        bounds={"v": 2},
        masks={"m": np.ones(rows, dtype=bool)},
        progress=False,
    )
    answer = made.masked_sum("v", "m")
    assert len(answer.parts) == 2 and secret.read(answer) == 280_000 and answer.shows == "one whole number"
    assert not {262_144, 17_856} & set(constants(secret, answer))


def test_a_store_that_lies_within_the_range_is_believed(table):
    """As docs/guarantees.md says: nothing here proves that a store computed what it was asked."""
    lie = dataclasses.replace(table.sum("stay"), parts=table.dot("stay", np.full(ROWS, -1)).parts)
    assert read(lie) == -int(STAY.sum()) and lie.asked == "sum('stay')"
