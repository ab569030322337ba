"""Encrypted totals and columns: against TenSEAL's bare SEAL loop, its vectors, packed Paillier and Pyfhel.

Each contender in a process of its own, all encrypting the same numbers. Sizes are of what is sent.
"""

from __future__ import annotations

import importlib.util
import math
import tempfile
from typing import Any

import common
from common import Case, Child, Page, about, finish, interleave, options, paired, peak

common.PACKAGES = ("pets", "tenseal", "cryptography", "phe", "pyfhel", "numpy", "pyarrow")
MOST = 2**52


def numbers(count: int) -> Any:
    import numpy as np

    return np.random.default_rng(1).integers(-MOST, MOST, count)


def ours(count: int) -> tuple[dict[str, Case], Any]:
    """``pets.he``: encode and encrypt (to our payload, and to ciphertexts only), decrypt."""
    import numpy as np

    from pets import he
    from pets.he.ciphertext_bytes import pack_all, unpack_all
    from pets.he.numbers import joined, residues
    from pets.he.presets import PRESETS
    from pets.he.tenseal_engine import scheme
    from pets.he.totals.encrypting import encrypted

    public, secret = he.keygen()
    preset = PRESETS["sum60"]
    (t,), values = preset.plain, numbers(count)
    engine = scheme(preset.chain, t)
    bare = engine._s.Encryptor(
        engine._context,
        engine._pipe.load(
            engine._s.PublicKey(),
            engine._context,
            engine._public(public.of(preset.chain)),
        ),
    )

    def encrypt() -> None:
        reduced = residues(values, t)
        for start in range(0, count, preset.degree):
            cipher = engine._s.Ciphertext()
            bare.encrypt(engine._plaintext(reduced[start : start + preset.degree]), cipher)

    def payload() -> bytes:
        return pack_all([encrypted(residues(values, t), preset, t, public)], preset)

    sent = payload()
    chunks = -(-count // preset.degree)

    def decrypt() -> Any:
        decrypt_one = engine.decryptor(secret.reveal(preset.chain))
        (ciphers,) = unpack_all(sent, preset, chunks)
        return joined([np.concatenate([decrypt_one(cipher) for cipher in ciphers])[:count]], preset.plain)

    assert (decrypt() == values).all()
    return {"encrypt": encrypt, "to bytes": lambda: len(payload()), "decrypt": lambda: len(decrypt())}, len(sent)


def loop(count: int) -> tuple[dict[str, Case], Any]:
    """TenSEAL's ``sealapi`` by hand: BatchEncoder on lists, Encryptor; the same primes."""
    import os

    from tenseal import sealapi as s

    parameters = s.EncryptionParameters(s.SCHEME_TYPE.BFV)
    parameters.set_poly_modulus_degree(4096)
    parameters.set_coeff_modulus(s.CoeffModulus.Create(4096, [40, 40, 25]))
    t = s.PlainModulus.Batching(4096, 60)
    parameters.set_plain_modulus(t)
    context = s.SEALContext(parameters, True, s.SEC_LEVEL_TYPE.TC128)
    maker, key = s.KeyGenerator(context), s.PublicKey()
    maker.create_public_key(key)
    encryptor, encoder = s.Encryptor(context, key), s.BatchEncoder(context)
    values = (numbers(count) % t.value()).tolist()
    place = os.memfd_create("bench")
    path = f"/proc/self/fd/{place}"

    def encrypt() -> list[Any]:
        out = []
        for start in range(0, count, 4096):
            plain, cipher = s.Plaintext(), s.Ciphertext()
            encoder.encode(values[start : start + 4096], plain)
            encryptor.encrypt(plain, cipher)
            out.append(cipher)
        return out

    def saved() -> int:
        total = 0
        for cipher in encrypt():
            os.ftruncate(place, 0)
            os.lseek(place, 0, os.SEEK_SET)
            cipher.save(path)
            total += len(os.pread(place, os.fstat(place).st_size, 0))
        return total

    return {"encrypt": lambda: len(encrypt()), "to bytes": saved}, saved()


def vectors(count: int, parties: int, groups: int) -> tuple[dict[str, Case], Any]:
    """TenSEAL's ``BFVVector``: encrypt, serialize, and the aggregation of many parties' bytes."""
    import tenseal as ts

    context = ts.context(
        ts.SCHEME_TYPE.BFV, 4096, plain_modulus=1152921504606830593, coeff_mod_bit_sizes=[40, 40, 25], n_threads=1
    )
    values = numbers(count).tolist()
    parts = [values[start : start + 4096] for start in range(0, count, 4096)]

    def encrypt() -> list[Any]:
        return [ts.bfv_vector(context, part) for part in parts]

    def saved() -> int:
        return sum(len(one.serialize()) for one in encrypt())

    sums = numbers(groups).tolist()
    runs = [sums[start : start + 4096] for start in range(0, groups, 4096)]
    sent = [ts.bfv_vector(context, run).serialize() for run in runs]  # SEAL's adding does not look at the values

    def add() -> None:
        for data in sent:
            total = ts.bfv_vector_from(context, data)
            for _ in range(parties - 1):
                total += ts.bfv_vector_from(context, data)

    return {"encrypt": lambda: len(encrypt()), "to bytes": saved, "add": add}, saved()


def adding(parties: int, groups: int) -> tuple[dict[str, Case], Any]:
    """``pets.he.add``: with every check and signature, and range check and sum alone."""
    import numpy as np

    import pets
    from pets import he
    from pets.he.ciphertext_bytes import Adder, check
    from pets.he.totals.encrypting import sealed

    columns = {"p": {"type": "identifier"}, "g": {"type": "integer", "min": 0, "max": groups - 1, "nullable": False}}
    table = {"unit": {"column": "p", "max_rows": 1}, "people": 2**40, "columns": columns}
    schema = pets.Schema.load({"dataset": "bench", "tables": {"t": table}})
    query = pets.query("t").group_by("g").agg(n=pets.count())
    public, secret = he.keygen()
    keys = [he.partykey(f"p{number:03d}") for number in range(parties)]
    asked = secret.round(query, schema, [key.public for key in keys], pets.Total(), preset="sum60")
    values = np.arange(groups)
    sent = []
    for key in keys:
        seed = key.unseal(asked.seed_for(key.name), asked.info)
        sent.append(sealed(asked, public, key, seed, values, None, "real").to_bytes())
    payloads = [he.Envelope.from_bytes(data).payload for data in sent]
    primes = asked.preset.chain.kept
    count = asked.chunks * 2 * asked.preset.degree

    def full() -> Any:
        return he.add(he.Envelope.from_bytes(data) for data in sent)

    def bare() -> bytes:
        adder = Adder(asked.preset, asked.chunks)
        for payload in payloads:
            check(payload, primes, count, "a payload")
            adder.add(payload)
        return adder.payload()

    assert secret.open(full()).values.tolist() == (parties * values).tolist()
    return {"add": lambda: len(bare()), "add, with signatures": lambda: len(full().payload)}, len(sent[0])


def dots(rows: int) -> tuple[dict[str, Case], Any]:
    """An exact dot product over an encrypted column; and the memory that a million values take."""
    import numpy as np

    from pets import he

    public, secret = he.keygen()
    values = np.random.default_rng(2).integers(0, 1000, rows)
    weights = np.random.default_rng(3).integers(-8, 9, rows)
    folder = tempfile.TemporaryDirectory()
    table = he.EncryptedTable.encrypt(f"{folder.name}/t", {"x": values}, public, bounds={"x": 999}, progress=False)
    assert secret.read(table.dot("x", weights)) == int(values @ weights)
    return {"dot": lambda: len(table.dot("x", weights).parts), "keep": lambda: folder.name}, None


def million(values: int) -> tuple[dict[str, Case], Any]:
    """A table of a million values, and its sum."""
    import numpy as np

    from pets import he

    public, secret = he.keygen()
    with tempfile.TemporaryDirectory() as folder:
        table = he.EncryptedTable.encrypt(
            f"{folder}/t", {"x": np.arange(values)}, public, bounds={"x": values}, progress=False
        )
        assert secret.read(table.sum("x")) == values * (values - 1) // 2
    return {}, peak()


def ckks(rows: int) -> tuple[dict[str, Case], Any]:
    """``CKKSVector.dot`` with public weights, a ciphertext's worth of rows at a time."""
    import numpy as np
    import tenseal as ts

    context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 40, 60], n_threads=1)
    context.global_scale = 2**40
    context.generate_galois_keys()
    values = np.random.default_rng(2).integers(0, 1000, rows).astype(float)
    weights = np.random.default_rng(3).integers(-8, 9, rows).astype(float)
    runs = [slice(start, start + 4096) for start in range(0, rows, 4096)]
    held = [ts.ckks_vector(context, values[run].tolist()) for run in runs]
    plain = [weights[run].tolist() for run in runs]

    def dot() -> float:
        total = held[0].dot(plain[0])
        for one, weight in zip(held[1:], plain[1:], strict=True):
            total += one.dot(weight)
        return float(total.decrypt()[0])

    return {"dot": dot}, abs(dot() - float(values @ weights))


def paillier(count: int) -> tuple[dict[str, Case], Any]:
    """``phe`` with 3,072 bits, 46 values of 66 bits packed into each number."""
    from phe import paillier as p

    public, _ = p.generate_paillier_keypair(n_length=3072)
    each = 3070 // 66
    values = (numbers(count) + MOST).tolist()
    packed = [sum(v << (66 * i) for i, v in enumerate(values[start : start + each])) for start in range(0, count, each)]
    return {"encrypt": lambda: len([public.raw_encrypt(n) for n in packed])}, 768 * len(packed)


def pyfhel(count: int) -> tuple[dict[str, Case], Any]:
    """``Pyfhel``: BFV at degree 4,096."""
    import numpy as np
    from Pyfhel import Pyfhel

    engine = Pyfhel()
    engine.contextGen(scheme="bfv", n=4096, t_bits=60, qi_sizes=[40, 40, 25])
    engine.keyGen()
    values = numbers(count).astype(np.int64)
    runs = [values[start : start + 4096] for start in range(0, count, 4096)]

    def encrypt() -> list[Any]:
        return [engine.encryptInt(run) for run in runs]

    return {"encrypt": lambda: len(encrypt())}, sum(len(one.to_bytes()) for one in encrypt())


def main() -> None:
    args = options(__doc__, parties={"type": int, "default": 100}, groups={"type": int, "default": 10_000}).parse_args()
    count, rounds, rows = (8 * 4096, 3, 20_000) if args.quick else (32 * 4096, 9, 100_000)
    page = Page("Encrypted totals and columns")
    about(page)

    own, bare = Child(ours, count), Child(loop, count)
    vector = Child(vectors, count, args.parties, args.groups)
    summed = Child(adding, args.parties, args.groups)
    interleave(
        rounds,
        (own, ("encrypt", "to bytes", "decrypt")),
        (bare, ("encrypt", "to bytes")),
        (vector, ("encrypt", "to bytes", "add")),
        (summed, ("add", "add, with signatures")),
    )
    dotted, approximate = Child(dots, rows), Child(ckks, min(rows, 20_000))
    interleave(min(rounds, 5), (dotted, ("dot",)), (approximate, ("dot",)))
    memory = Child(million, 1_000_000)

    def micro(child: Child, name: str, per: int = count) -> float:
        return child.cpu(name) / per * 1e6

    page.say(f"{count:,} values within ±2^52, public-key encryption, parameter set sum60 (totals within ±2^59).")
    lines: list[list[object]] = [
        ["pets.he", micro(own, "encrypt"), micro(own, "to bytes"), micro(own, "decrypt"), own.info / count],
        ["sealapi, bare loop", micro(bare, "encrypt"), micro(bare, "to bytes"), "", bare.info / count],
        ["BFVVector", micro(vector, "encrypt"), micro(vector, "to bytes"), "", vector.info / count],
    ]
    for name, build, part in (("phe, 46 packed", paillier, 460), ("Pyfhel", pyfhel, count)):
        if importlib.util.find_spec({"phe, 46 packed": "phe", "Pyfhel": "Pyfhel"}[name]) is None:
            lines.append([f"{name} (not installed)", "", "", "", ""])
            continue
        other = Child(build, part)
        interleave(2, (other, ("encrypt",)))
        lines.append([name, micro(other, "encrypt", part), "", "", other.info / part])
        other.close()
    page.table(["", "encode + encrypt, µs a value", "and to bytes", "from bytes to values", "bytes a value"], lines)
    from pets.he.presets import PRESETS

    page.say("Parameter sets; one value in a ciphertext of its own takes 88,541 bytes in TenSEAL.")
    page.table(
        ["set", "bytes a value", "totals within ±2^", "parties"],
        [[p.name, p.bytes_a_value, round(math.log2(p.reach)), p.most_parties] for p in PRESETS.values()],
    )
    page.say(f"{args.parties} parties, {args.groups:,} groups: bytes to total.")
    page.table(
        ["", "CPU ms"],
        [
            ["pets.he: range check and sum", summed.cpu("add") * 1e3],
            ["pets.he.add: also parsing, SHA-256 and Ed25519", summed.cpu("add, with signatures") * 1e3],
            ["BFVVector: load and add", vector.cpu("add") * 1e3],
        ],
    )
    page.say(f"Dot product with public weights: ours over {rows:,} rows, exact; CKKSVector approximate.")
    few = min(rows, 20_000)
    page.table(
        ["", "µs a row", "error"],
        [
            ["EncryptedTable.dot", micro(dotted, "dot", rows), "none"],
            ["CKKSVector.dot", micro(approximate, "dot", few), approximate.info],
        ],
    )
    page.target("encode + encrypt ÷ sealapi bare loop", paired(own, "encrypt", bare, "encrypt"), 1.5)
    page.target("the same, to bytes of the wire", paired(own, "to bytes", bare, "to bytes"), 1.5)
    page.target("BFVVector ÷ ours, encode + encrypt", paired(vector, "encrypt", own, "encrypt"), 1.3, least=True)
    page.target("BFVVector ÷ ours, load and add", paired(vector, "add", summed, "add"), 3, least=True)
    page.target(
        "BFVVector ÷ ours, load, verify signatures and add",
        paired(vector, "add", summed, "add, with signatures"),
        1,
        least=True,
    )
    page.target("bytes a value, totals within ±2^59", own.info / count, 20)
    page.target("bytes a value, |total| < 2^66, 64 parties", float(PRESETS["wide66"].bytes_a_value), 24)
    ratio = approximate.cpu("dot") / few / (dotted.cpu("dot") / rows)
    page.target("CKKSVector.dot ÷ ours, a row", ratio, 30, least=True)
    page.target("memory for 1,000,000 values, MB", memory.info * 1e3, 300)
    for child in (own, bare, vector, summed, dotted, approximate, memory):
        child.close()
    finish(page, "bench_encrypted", args)


if __name__ == "__main__":
    main()
