"""The verifier of certificates: what is genuine passes, and no edit of anything does."""

from __future__ import annotations

import ast
import base64
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.common import signing
from pets.common.codec import canonical
from pets.ledger.ledger import Ledger
from pets.ledger.log import verifier
from pets.ledger.log.dsse import envelope
from pets.ledger.log.verifier import KIND, Unverified, verify
from tests.work import calls

FILE = Path(verifier.__file__)
SCHEMA = pets.Schema(
    {
        "stays": pets.Table(
            pets.Unit("id", max_rows=4),
            {"id": pets.Identifier(), "age": pets.Category(["young", "old"], nullable=False)},
        )
    },
    dataset="hospital-stays",
)
ROWS = pd.DataFrame({"id": [f"p{n}" for n in range(60)], "age": ["young", "old"] * 30})
QUERY = pets.query("stays").group_by("age").agg(n=pets.count())


class Made:
    """Releases of a ledger with a file: exact totals, then a protected answer."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.db")
        session = pets.Session(
            SCHEMA,
            {"stays": ROWS},
            budget=pets.Budget(3, 1e-6),
            ledger=self.ledger,
            policy=pets.Policy(allow_unbounded=True),
            progress=False,
        )
        self.total = session.release(pets.query("stays").agg(rows=pets.count()), pets.Total())
        self.release = session.release(QUERY, pets.DP(epsilon=0.5))
        self.other = session.release(QUERY, pets.DP(epsilon=0.4))
        stays = pets.events("stays").count(max=3)
        self.people = session.release(
            pets.people(stays=stays).where(col("stays") > 1).agg(n=pets.count()), pets.DP(epsilon=0.4)
        )
        assert self.release.certificate is not None
        self.certificate = canonical(dict(self.release.certificate))
        self.statement = self.release.certificate.statement
        self.bytes = canonical(self.release.to_json())
        self.key = self.ledger.key.raw

    def signed(self, statement: dict[str, Any], key: signing.SigningKey | None = None) -> bytes:
        return canonical(envelope(KIND, canonical(statement), key or self.ledger.signer))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("verify"))


def refused(*given: Any) -> str:
    with pytest.raises(Unverified) as caught:
        verify(*given)
    said = str(caught.value)
    assert said and "\n" not in said and len(said) < 200
    return said


# what passes --------------------------------------------------------------------------------------------------------


def test_a_genuine_certificate(made: Made) -> None:
    said = verify(made.certificate, made.key)
    assert said.startswith(f"Genuine: signed by key {made.ledger.key.id} as entry 5 of {made.ledger.origin}")
    assert made.release.guarantee in said
    loss = made.release.cost["loss"]
    assert f"cost: {loss} of 185069840653 units (zcdp), {loss} spent with it" in said
    assert f"that is ρ = {loss / 1e12:.4g}, {loss / 185069840653:.1%} of it; {loss / 185069840653:.1%} is spent" in said
    assert "left before it without a finite guarantee: count (" in said
    assert "NOTE" not in said
    assert "the file that was given" not in said
    assert verify(made.certificate + b"\n", made.key) == said


def test_with_its_release(made: Made) -> None:
    assert made.release.digest + " (the file that was given)" in verify(made.certificate, made.key, made.bytes)
    assert verify(made.bytes, made.key) == verify(made.certificate, made.key, made.bytes)
    assert verify(made.bytes, made.key, made.bytes) == verify(made.bytes, made.key)
    bare = canonical(made.release.form)  # as the ledger stores it, without digest and certificate
    assert verify(made.certificate, made.key, bare) == verify(made.bytes, made.key)


def test_a_question_about_people(made: Made) -> None:
    said = verify(canonical(made.people.to_json()), made.key)
    assert "of any one person (id) in all tables of the dataset" in said and "one row a person is counted" in said
    statement = json.loads(base64.b64decode(json.loads(canonical(made.people.to_json()))["certificate"]["payload"]))
    statement["predicate"]["dp"]["contribution_bound"]["kept_rows"] = 4
    assert "promises something else than the release" in refused(
        made.signed(statement), made.key, canonical(made.people.form)
    )


def test_releases_without_a_guarantee_and_of_dummy_data(made: Made) -> None:
    assert "No guarantee" in verify(canonical(made.total.to_json()), made.key)
    session = pets.Session(SCHEMA, {"stays": ROWS}, budget=pets.Budget(3, 1e-6), progress=False)
    dummy = session.dummy()
    assert "Dummy data" in verify(canonical(dummy.release(QUERY, pets.Exact()).to_json()), dummy.ledger.key.raw)
    real = session.release(QUERY, pets.DP(epsilon=0.5))
    said = verify(canonical(real.to_json()), session.ledger.key.raw)
    assert "NOTE: its ledger was in memory" in said
    assert "without a finite guarantee: nothing" in said


# what does not ------------------------------------------------------------------------------------------------------


def test_every_flipped_bit_is_found(made: Made) -> None:
    """Of the certificate's file, and of the release's; a byte order mark, a space, another line end are edits too."""
    for data in (made.certificate, made.bytes):
        missed = 0
        for place in range(0, len(data) * 8, 1 if data is made.certificate else 7):
            flipped = bytearray(data)
            flipped[place // 8] ^= 1 << place % 8
            try:
                verify(bytes(flipped), made.key)
                missed += 1
            except Unverified:
                pass
        assert missed == 0
    for edit in (b"\xef\xbb\xbf" + made.certificate, b" " + made.certificate, made.certificate + b"\r\n", b""):
        refused(edit, made.key)


def test_random_edits_are_found(made: Made) -> None:
    chance, caught = random.Random(3), 0
    for number in range(2000):
        data = (made.certificate, made.bytes)[number % 2]
        at, length = chance.randrange(len(data)), chance.choice([1, 2, 9, 300])
        if number % 6 < 2:
            edited = data[:at] + data[at + length :]
        elif number % 6 < 4:
            edited = data[:at] + data[at : at + length] + data[at:]
        else:
            edited = data[:at] + chance.randbytes(length) + data[at + length :]
        if edited == data:
            edited = data[:-1]
        refused(edited, made.key)
        caught += 1
    assert caught == 2000


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, (dict, list)) and value:
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, name))
    else:
        yield path


def edited(statement: Any, path: tuple[Any, ...], new: Any) -> Any:
    copy = json.loads(json.dumps(statement))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    old = inner[path[-1]]
    inner[path[-1]] = new(old) if callable(new) else new
    return copy


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
    return {"x": 1}


def test_no_field_may_change(made: Made) -> None:
    """Every field of the statement, edited in the payload: the signature is of the bytes."""
    original = json.loads(made.certificate)
    count = 0
    for path in leaves(made.statement):
        new = edited(made.statement, path, other)
        assert new != made.statement
        refused(canonical(original | {"payload": base64.b64encode(canonical(new)).decode()}), made.key)
        count += 1
    assert count > 60


def test_no_field_of_the_envelope_may_change(made: Made) -> None:
    original = json.loads(made.certificate)
    [signature] = original["signatures"]
    for edit in (
        {"payloadType": "text/plain"},
        {"signatures": []},
        {"signatures": [signature, signature]},
        {"signatures": [signature | {"keyid": "0" * 16}]},
        {"signatures": [signature | {"more": ""}]},
        {"signatures": [signature | {"sig": signature["sig"][:-3] + chr(ord(signature["sig"][-3]) + 1) + "=="}]},
        {"signatures": [signature | {"sig": signature["sig"] + "\n"}]},
        {"payload": original["payload"] + "\n"},
        {"more": 1},
    ):
        refused(canonical(original | edit), made.key)
    for name in original:
        refused(canonical({key: value for key, value in original.items() if key != name}), made.key)
    twice = made.certificate.replace(b'{"payload":', b'{"payload":"","payload":', 1)
    refused(twice, made.key)


def test_another_key(made: Made) -> None:
    assert "another key signed it" in refused(made.certificate, signing.ephemeral().public.raw)
    forged = made.signed(made.statement, signing.ephemeral())
    refused(forged, made.key)
    forger = signing.ephemeral()  # a whole statement under a key of one's own still holds the ledger's checkpoint
    refused(made.signed(made.statement, forger), forger.public.raw)


CONTRADICTIONS: list[tuple[tuple[Any, ...], Any]] = [
    (("_type",), "https://in-toto.io/Statement/v0.1"),
    (("predicateType",), "urn:pets:other:v1"),
    (("subject", 0, "digest", "sha256"), "0" * 64),
    *((("predicate", *path), other) for path in [("request_id",), ("what",), ("project_id",), ("agent_id",)]),
    (("predicate", "dp"), None),
    *((("predicate", "dataset", name), other) for name in ("id", "table", "snapshot_id")),
    (("predicate", "protection", "epsilon"), "0.1"),
    *((("predicate", "budget", name), other) for name in ("epoch", "charged", "charged_delta")),
    (("predicate", "budget", "before"), lambda before: before + 1),
    (("predicate", "budget", "after"), 0),
    (("predicate", "budget", "cap"), 0),
    *((("predicate", "log", name), other) for name in ("origin", "seq", "entry", "private", "entry_hash")),
    (("predicate", "log", "checkpoint"), lambda note: note.replace("\nat 2", "\nat 3")),
    (("predicate", "log", "checkpoint"), lambda note: note.replace("totals {", "totals  {")),
    (("predicate", "log", "inclusion_proof"), lambda path: path[:-1]),
    (("predicate", "log", "inclusion_proof"), lambda path: [*path, "00" * 32]),
    (("predicate", "log", "inclusion_proof"), lambda path: [*path[:-1], "00" * 32]),
    (("predicate", "log", "inclusion_proof"), None),
    (("predicate", "log"), None),
    (("predicate",), None),
    (("subject",), []),
]


@pytest.mark.parametrize(
    ("path", "new"), CONTRADICTIONS, ids=lambda value: "/".join(map(str, value)) if isinstance(value, tuple) else ""
)
def test_a_statement_that_contradicts_its_log_is_refused_even_where_it_is_signed(
    made: Made, path: tuple[Any, ...], new: Any
) -> None:
    wrong = edited(made.statement, path, new)
    assert wrong != made.statement
    refused(made.signed(wrong), made.key)


LIES: list[tuple[tuple[Any, ...], Any]] = [
    (("dp", "epsilon"), "0.001"),
    (("dp", "delta"), "0.0000000001"),
    (("dp", "rho"), "0.0001"),
    (("dp", "scales"), []),
    (("dp", "scales", 0), "1000"),
    (("dp", "measure"), "pure"),
    (("dp", "mechanism"), ["discrete laplace"]),
    (("dp", "neighbouring"), "any one row (a person) added or removed"),
    (("dp", "contribution_bound", "kept_rows"), 2),
    (("dp", "contribution_bound", "rows"), 1),
    (("dp", "contribution_bound", "groups"), 1),
    (("guarantee",), "Nothing of anybody can show."),
    (("notes",), ["Intervals are for everybody."]),
    (("cost", "loss"), 1),
    (("query", "table"), "visits"),
    (("dataset", "privacy_unit"), "row"),
    (("dataset", "metadata_sha256"), "0" * 64),
    (("issued_at",), "2020-01-01T00:00:00+00:00"),
    (("plan_sha256",), "0" * 64),
    (("release_id",), "0" * 32),
]


@pytest.mark.parametrize(("path", "new"), LIES, ids=["/".join(map(str, path)) for path, _ in LIES])
def test_a_promise_that_the_release_does_not_bear_out_is_refused_even_where_it_is_signed(
    made: Made, path: tuple[Any, ...], new: Any
) -> None:
    lie = made.signed(edited(made.statement, ("predicate", *path), new))
    said = refused(lie, made.key, canonical(made.release.form))
    assert f"something else than the release that it is about does ({path[0]})" in said


def test_a_promise_beside_invented_rows_is_refused() -> None:
    dummy = pets.Session(SCHEMA, {"stays": ROWS}, budget=pets.Budget(3, 1e-6), progress=False).dummy()
    release = dummy.release(QUERY, pets.DP(epsilon=0.5))
    assert release.certificate is not None
    statement = release.certificate.statement
    assert statement["predicate"]["dp"] is None
    lie = edited(statement, ("predicate", "dp"), {"epsilon": "0.5"})
    signed = canonical(envelope(KIND, canonical(lie), dummy.ledger.signer))
    assert "does (dp)" in refused(signed, dummy.ledger.key.raw, canonical(release.form))


@pytest.mark.parametrize("unit", [pets.Unit(None), pets.Unit("id", max_rows=9, rows=3)], ids=["row", "person"])
@pytest.mark.parametrize("budget", [pets.Budget(3, 1e-6), pets.Budget(3)], ids=["zcdp", "pure"])
def test_every_kind_of_promise_is_borne_out_by_its_release(unit: pets.Unit, budget: pets.Budget) -> None:
    columns = SCHEMA.table("stays").columns
    schema = pets.Schema({"stays": pets.Table(unit, {n: d for n, d in columns.items() if n != "id" or unit.column})})
    rows = ROWS if unit.column else ROWS[["age"]]
    policy = pets.Policy(allow_unbounded=True)
    session = pets.Session(schema, {"stays": rows}, budget=budget, policy=policy, progress=False)
    asked = [QUERY, QUERY if unit.column is None else QUERY.bound(rows=2, groups=1)]
    for query in asked:
        for protection in (pets.DP(epsilon=0.5), pets.Total()):
            release = session.release(query, protection)
            assert "Genuine" in verify(canonical(release.to_json()), session.ledger.key.raw)


def test_what_is_signed_again_unchanged_passes(made: Made) -> None:
    assert verify(made.signed(made.statement), made.key) == verify(made.certificate, made.key)


def test_another_release(made: Made) -> None:
    said = refused(made.certificate, made.key, canonical(made.other.to_json()))
    assert "not the one that was certified" in said
    changed = made.release.form | {"values": [v + 1 for v in made.release.form["values"]]}
    refused(made.certificate, made.key, canonical(changed))
    refused(made.certificate, made.key, canonical(made.release.form | {"digest": "0" * 64}))
    refused(made.certificate, made.key, made.bytes.replace(b'"age"', b'"agf"', 1))
    refused(canonical(made.other.to_json()), made.key, made.bytes)
    swapped = made.other.to_json() | {"certificate": json.loads(made.certificate)}
    refused(canonical(swapped), made.key)
    for nothing in (b"null", b"{}", b"[]", b"0", b"not json"):
        refused(made.certificate, made.key, nothing)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"7",
        b'"x"',
        b"\xff",
        b"[" * 50_000,
        b'{"payload":"\\ud800"}',
        b'{"a":NaN}',
        b"PK\x03",
    ],
)
def test_a_foreign_file(made: Made, data: bytes) -> None:
    refused(data, made.key)


# the file that stands alone -----------------------------------------------------------------------------------------


def test_it_is_short_and_needs_nothing_of_pets() -> None:
    source = FILE.read_text("utf-8")
    assert len(source.splitlines()) <= 150
    names = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]  # type: ignore[union-attr]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


@pytest.mark.chance(0)
def test_it_runs_alone(made: Made, tmp_path: Path) -> None:
    shutil.copy(FILE, tmp_path / "verifier.py")
    (tmp_path / "certificate.json").write_bytes(made.certificate)
    (tmp_path / "answer.json").write_bytes(made.bytes)
    (tmp_path / "other.json").write_bytes(canonical(made.other.to_json()))
    shutil.copy(made.ledger.public_path, tmp_path / "ledger.pub")  # type: ignore[arg-type]

    def run(*arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-I", "verifier.py", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    for arguments in (["certificate.json"], ["answer.json"]):
        assert run(*arguments, "ledger.pub")[:2] == (0, verify((tmp_path / arguments[0]).read_bytes(), made.key) + "\n")
    assert run("certificate.json", "ledger.pub", "answer.json")[0] == 0
    for wrong in (
        ["certificate.json", "ledger.pub", "other.json"],
        ["certificate.json", "answer.json"],
        ["ledger.pub", "ledger.pub"],
        ["none.json", "ledger.pub"],
        ["certificate.json"],
        [],
    ):
        code, out, err = run(*wrong)
        assert (code, out, err.count("\n")) == (11, "", 1)
        assert err.startswith("not verified: ")


def test_it_is_quick(made: Made) -> None:
    assert calls(lambda: verify(made.bytes, made.key)) < 2000
