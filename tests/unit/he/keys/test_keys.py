"""Keys show nothing, are copied by nobody, and come back from their files alone."""

from __future__ import annotations

import copy
import gc
import logging
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import traceback

import numpy as np
import pytest

import pets
from pets import he
from pets.common import signing
from pets.errors import InternalError, UserError
from pets.he.keys.record import FileRecord, MemoryRecord
from pets.he.presets import CHAINS
from pets.he.secret_key import SecretKey
from tests.he_parties import Table, holder, parties, query, schema

PASS = "correct horse battery staple"
ROWS = [[1, 2, 3, 4, 5]] * 3


def secrets_of(secret: SecretKey) -> list[bytes]:
    """Texts and bytes that would give a secret away: of every chain, of signing, of checksums."""
    arrays = [secret.reveal(CHAINS[name]) for name in ("n12-48", "n12-56", "n12-40-40", "n12-40-40-columns")]
    found = [np.ascontiguousarray(array).tobytes()[:64] for array in arrays]
    return [*found, secret._sign.reveal_seed(), secret._mac]


def shows(text: str | bytes, secret: SecretKey) -> bool:
    data = text.encode() if isinstance(text, str) else text
    return any(part in data or part.hex().encode() in data for part in secrets_of(secret))


def test_a_secret_key_shows_nothing():
    _, secret = holder()
    assert shows(secret.reveal(CHAINS["n12-48"]).tobytes(), secret)  # the test itself can see one
    handler_texts: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            handler_texts.append(self.format(record))

    logger = logging.getLogger("pets.test")
    logger.addHandler(Keep())
    logger.warning("key %s %r", secret, secret)
    try:
        raise UserError(f"with {secret}")
    except UserError as error:
        caught = "".join(traceback.format_exception(error))
    for text in (repr(secret), str(secret), f"{secret}", *handler_texts, caught, repr(vars(type(secret)))):
        assert not shows(text, secret)
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize(
    "make", [lambda: holder()[1], lambda: parties(1)[0], signing.generate], ids=["he", "party", "sign"]
)
def test_secrets_are_never_pickled_copied_or_made_by_hand(make):
    key = make()
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(InternalError, match="never"):
            attempt(key)
    for given in ((), (b"1" * 32,), ("p", None, b""), (None,) * 5):
        with pytest.raises((InternalError, TypeError)):
            type(key)(*given)


def test_secret_keys_are_not_compared():
    with pytest.raises(InternalError):
        assert holder()[1] == holder()[1]
    with pytest.raises(TypeError):
        hash(holder()[1])


def test_nothing_public_holds_a_secret():
    public, secret = holder()
    keys = parties(3)
    asked = secret.round(query(), schema(), [key.public for key in keys], pets.Total())
    at = Table(asked, public, secret, keys)
    total = he.add(at.envelopes(ROWS))
    for data in (public.to_bytes(), asked.to_bytes(), total.to_bytes(), repr(public).encode()):
        assert not shows(data, secret)
        assert not any(key._sign.reveal_seed() in data or key._box in data for key in keys)
        assert secret.checksum_seed(asked.id) not in data
    reached = {id(thing) for thing in gc.get_referents(public)}
    assert id(secret) not in reached
    assert not any(name.startswith(("reveal", "decrypt", "open")) for name in dir(public))


def test_a_public_key_comes_back_the_same(tmp_path):
    public, _ = holder()
    public.save(tmp_path / "public.key")
    assert he.PublicKey.load(tmp_path / "public.key") == public
    assert he.PublicKey.from_bytes(public.to_bytes()).id == public.id
    data = public.to_bytes()
    for wrong in (b"", data[:-1], data + b"0", b"{}" + data, data[:9] + b"x" + data[10:], data[:-8] + b"\xff" * 8):
        with pytest.raises(UserError, match="ask the key holder"):
            he.PublicKey.from_bytes(wrong)


@pytest.mark.parametrize("passphrase", [None, PASS])
def test_a_secret_key_comes_back_and_opens(tmp_path, passphrase):
    public, secret = he.keygen()
    path = secret.save(tmp_path / "holder" / "secret.key", passphrase)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.with_name("secret.key.opened").stat().st_mode) == 0o600
    assert shows(path.read_bytes(), secret) == (passphrase is None)
    again = he.SecretKey.load(path, passphrase)
    keys = parties(3)
    at = Table(again.round(query(), schema(), [key.public for key in keys], pets.Total()), public, again, keys)
    total = he.add(at.envelopes(ROWS))
    assert again.open(total).values.tolist() == [3, 6, 9, 12, 15]
    for later in (again, secret, he.SecretKey.load(path, passphrase)):  # the record is in the file, not in the handle
        with pytest.raises(UserError, match="one round gives one total"):
            later.open(total)


def test_a_key_for_products_comes_back(tmp_path):
    public, secret = he.keygen(products=True)
    again = he.SecretKey.load(secret.save(tmp_path / "secret.key"))
    assert again.public == public == he.PublicKey.from_bytes(public.to_bytes())
    for chain in CHAINS.values():
        assert (again.reveal(chain) == secret.reveal(chain)).all()
    with pytest.raises(UserError, match="sums only"):
        holder()[1].reveal(CHAINS["n13"])
    with pytest.raises(UserError, match="True or False"):
        he.keygen(products=1)  # type: ignore[arg-type]


def test_files_of_secrets_are_the_owners(tmp_path):
    _, secret = he.keygen()
    path = secret.save(tmp_path / "secret.key", PASS)
    for where in (path, tmp_path / "other.key"):  # two records of one key would not know of each other's rounds
        with pytest.raises(UserError, match="has its file already"):
            secret.save(where)
        with pytest.raises(UserError, match="has its file already"):
            he.SecretKey.load(path, PASS).save(where)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["secret.key", "secret.key.opened"]
    for passphrase, said in ((None, "give its passphrase"), ("wrong words", "does not open"), (7, "is a text")):
        with pytest.raises(UserError, match=said):
            he.SecretKey.load(path, passphrase)  # type: ignore[arg-type]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="does not open"):
        he.SecretKey.load(path, PASS)
    path.chmod(0o640)
    with pytest.raises(UserError, match="chmod 600"):
        he.SecretKey.load(path, PASS)
    _, other = he.keygen()
    with pytest.raises(UserError, match="at least 8"):
        other.save(tmp_path / "short.key", "short")
    for name in ("secret.key", "taken"):
        (tmp_path / "taken.opened").touch()
        with pytest.raises(UserError, match="never overwritten"):
            other.save(tmp_path / name)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["secret.key", "secret.key.opened", "taken.opened"]
    other.claim("still", "in memory")


def test_a_damaged_or_foreign_file_is_no_key(tmp_path):
    _, secret = he.keygen()
    path = secret.save(tmp_path / "secret.key")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        he.SecretKey.load(path)
    key = he.partykey("north")
    mine = key.save(tmp_path / "north.key")
    with pytest.raises(UserError, match="does not hold a secret key"):
        he.SecretKey.load(mine)
    with pytest.raises(UserError, match="does not hold a party's key"):
        he.PartyKey.load(path)
    with pytest.raises(UserError, match="No such file"):
        he.SecretKey.load(tmp_path / "none.key")


def test_without_its_record_a_key_opens_nothing(tmp_path):
    _, secret = he.keygen()
    path = secret.save(tmp_path / "secret.key")
    record = path.with_name("secret.key.opened")
    record.unlink()
    with pytest.raises(UserError, match=r"record of opened rounds .* is missing"):
        he.SecretKey.load(path)
    with pytest.raises(UserError, match="cannot be written"):
        secret.claim("id", "total")
    FileRecord.make(record, "0" * 64)
    with pytest.raises(UserError, match="record of another key"):
        he.SecretKey.load(path)
    record.unlink()
    kept = FileRecord.make(record, secret._owner())
    again = he.SecretKey.load(path)
    again.claim("id", "total")
    kept.path.unlink()
    FileRecord.make(record, "0" * 64)
    with pytest.raises(UserError, match="record of another key"):
        again.claim("other", "total")


def test_a_fork_does_not_open_a_round_again():
    _, secret = he.keygen()
    child = os.fork()
    if not child:
        code = 1
        try:
            secret.claim("id", "total")
        except UserError as error:
            code = 0 if "another process" in str(error) else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    secret.claim("id", "total")


def test_two_processes_open_a_round_once(tmp_path):
    _, secret = he.keygen()
    path = secret.save(tmp_path / "secret.key")
    told = []
    for _ in range(4):
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                he.SecretKey.load(path).claim("id", str(os.getpid()))
                os.write(write, b"1")
            except UserError:
                os.write(write, b"0")
            os._exit(0)
        told.append((child, read))
    answers = []
    for child, read in told:
        os.waitpid(child, 0)
        answers.append(os.read(read, 1))
    assert sorted(answers) == [b"0", b"0", b"0", b"1"]


def test_a_claim_outlives_a_power_cut(tmp_path):
    """Whatever SQLite removes after it has committed may be there again: it does not undo the claim."""
    _, secret = he.keygen()
    path = secret.save(tmp_path / "secret.key")
    record = path.with_name("secret.key.opened")
    secret.claim("first", "total")
    held = sqlite3.connect(record)
    held.execute("BEGIN")
    held.execute("SELECT * FROM opened").fetchall()  # so that nothing is tidied away at once
    secret.claim("second", "total")
    files = {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.name != "secret.key"}
    held.close()
    for name, content in files.items():
        if name != record.name and not name.endswith("-shm"):
            (tmp_path / name).write_bytes(content)
    again = he.SecretKey.load(path)
    for name in ("first", "second"):
        with pytest.raises(UserError, match="one round gives one total"):
            again.claim(name, "total")


def test_an_error_takes_no_secret_along(tmp_path):
    """Tools that print a traceback's variables would print it."""
    _, secret = he.keygen()
    path = secret.save(tmp_path / "secret.key", PASS)
    data = bytearray(path.read_bytes())
    (tmp_path / "open.key.opened").touch()
    _, other = he.keygen()
    party = he.partykey("north")
    party.save(tmp_path / "north.key")
    data[-1] ^= 1
    (tmp_path / "bad.key").write_bytes(data)
    (tmp_path / "bad.key").chmod(0o600)
    attempts = {
        "save": (lambda: other.save(tmp_path / "open.key"), other),
        "load": (lambda: he.SecretKey.load(tmp_path / "bad.key", PASS), secret),
        "record": (lambda: he.SecretKey.load(tmp_path / "lone.key", PASS), secret),
        "party": (lambda: party.save(tmp_path / "north.key"), None),
    }
    (tmp_path / "lone.key").write_bytes(path.read_bytes())
    (tmp_path / "lone.key").chmod(0o600)
    for name, (attempt, key) in attempts.items():
        with pytest.raises(UserError) as caught:
            attempt()
        found = frames(caught.value)
        assert found, name  # there are frames to look at
        for text in found:
            assert key is None or not shows(text, key), name
            assert party._box not in text and party._sign.reveal_seed() not in text, name
    assert any(shows(text, secret) for text in frames(keeping(secret)))  # the test itself can see one


def frames(error: BaseException) -> list[bytes]:
    """The variables of all frames below a test that an error keeps, as far as they are bytes."""
    found, seen = [], error
    while seen is not None:
        trace = seen.__traceback__
        while trace is not None:
            if "/pets/" in trace.tb_frame.f_code.co_filename or trace.tb_frame.f_code.co_name == "keeping":
                found.append(repr(list(trace.tb_frame.f_locals)).encode())
                found += [bytes(v) for v in trace.tb_frame.f_locals.values() if isinstance(v, (bytes, bytearray))]
            trace = trace.tb_next
        seen = seen.__context__
    return found


def keeping(secret: SecretKey) -> BaseException:
    seed = secret._sign.reveal_seed()
    try:
        raise UserError(f"{len(seed)} bytes")
    except UserError as error:
        return error


def test_what_was_opened_before_saving_is_in_the_record(tmp_path):
    _, secret = he.keygen()
    secret.claim("early", "total")
    again = he.SecretKey.load(secret.save(tmp_path / "secret.key"))
    with pytest.raises(UserError, match="one round gives one total"):
        again.claim("early", "total")


def test_a_claim_is_made_once_by_whoever_is_first(tmp_path):
    import threading

    for record in (MemoryRecord(), FileRecord.make(tmp_path / "opened", "1" * 64)):
        won: list[int] = []

        def claim(number: int, record: object = record, won: list[int] = won) -> None:
            try:
                record.claim("id", str(number))  # type: ignore[attr-defined]
                won.append(number)
            except UserError:
                pass

        threads = [threading.Thread(target=claim, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1


def test_a_party_comes_back(tmp_path):
    key = he.partykey("St. Mary-2")
    public = key.public.save(tmp_path / "m.pub")
    assert he.Party.load(public) == key.public
    for passphrase in (None, PASS):
        path = key.save(tmp_path / f"{passphrase}.key", passphrase)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert he.PartyKey.load(path, passphrase).public == key.public
    for name in ("", " x", "a/b", "x" * 65, None, 3, "a\n"):
        with pytest.raises(UserError, match="a party's name"):
            he.partykey(name)  # type: ignore[arg-type]
    public.write_text("{}")
    with pytest.raises(UserError, match="public file"):
        he.Party.load(public)


def test_a_seed_is_sealed_to_one_party_and_one_round():
    key, other = he.partykey("a"), he.partykey("a")
    sealed = key.public.seal(b"seed" * 8, b"round 1")
    assert key.unseal(sealed, b"round 1") == b"seed" * 8
    for who, info, data in ((other, b"round 1", sealed), (key, b"round 2", sealed), (key, b"round 1", sealed[:-1])):
        with pytest.raises(UserError, match="not sealed to this key"):
            who.unseal(data, info)


def test_signatures():
    key = signing.generate()
    signature = key.sign(b"m")
    assert key.public.verifies(signature, b"m")
    assert not key.public.verifies(signature, b"n")
    assert not signing.generate().public.verifies(signature, b"m")
    assert not signing.VerifyingKey(b"\xff" * 32).verifies(signature, b"m")
    assert signing.from_seed(key.reveal_seed()).public == key.public
    with pytest.raises(UserError):
        signing.from_seed(b"short")


@pytest.mark.chance(0)
@pytest.mark.parametrize("lacking", ["tenseal"])
def test_a_missing_package_is_named_with_its_remedy(lacking):
    code = f"""
import sys
sys.modules[{lacking!r}] = None
import pets
try:
    pets.he.keygen()
except pets.errors.MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'pets-privacy[he]'" in done.stdout


def test_a_public_key_is_copied_and_pickled():
    public, _ = holder()
    for made in (pickle.loads(pickle.dumps(public)), copy.copy(public), copy.deepcopy({"k": [public]})["k"][0]):
        assert made == public
        assert made.to_bytes() == public.to_bytes()
