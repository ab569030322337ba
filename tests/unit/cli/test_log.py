"""``pets verify`` and ``pets log``: exit codes, one sentence for every mistake, and the notes on what is not shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from pets.cli import main
from pets.common.codec import canonical
from pets.ledger.ledger import Ledger
from tests.sample_ledger import eventful
from tests.terminal import left
from tests.unit.ledger.log.test_verifier import SCHEMA, Made, edited

VECTORS = Path(__file__).parents[2] / "vectors"


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log")


@pytest.fixture(scope="module")
def genuine(place: Path) -> Made:
    return Made(place)


@pytest.fixture(scope="module")
def folder(place: Path, genuine: Made) -> Path:
    genuine.release.save(place / "answer.json")
    genuine.other.save(place / "other.json")
    genuine.release.certificate.save(place / "certificate.json")  # type: ignore[union-attr]
    genuine.ledger.close()
    (place / "past").mkdir()
    eventful(place / "past" / "ledger.db").ledger.close()
    return place


@pytest.fixture
def pets_(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        code = main.run(list(arguments))
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        assert shown.err.count("\n") <= 1
        return Done(code, shown.out, left(shown.err))

    return run


def test_verify(pets_) -> None:  # type: ignore[no-untyped-def]
    for arguments in (
        ["certificate.json"],
        ["answer.json"],
        ["certificate.json", "--release", "answer.json"],
    ):
        done = pets_("verify", *arguments, "--key", "ledger.db.pub")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("Genuine: ")
        derived = "not derived: the release was not given" if arguments == ["certificate.json"] else "it follows."
        assert f"promise: {derived}" in done.out
    done = pets_("verify", "certificate.json", "--release", "other.json", "--key", "ledger.db.pub")
    assert (done.code, done.out) == (11, "")
    assert "not the one that was certified" in done.err


def test_verify_against_the_log_and_the_published_schema(pets_, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert pets_("log", "export", "--ledger", "ledger.db", "--public", "--out", "public.log").code == 0
    (tmp_path / "schema.json").write_bytes(canonical(SCHEMA.to_json()))
    known = ["answer.json", "--key", "ledger.db.pub", "--log", "public.log", "--schema"]
    done = pets_("verify", *known, "schema.json")
    assert done.code == 0 and "as all 10 entries of the log lead to" in done.out and "the published one" in done.out
    (tmp_path / "wrong.json").write_bytes(canonical(SCHEMA.to_json() | {"dataset": "another"}))
    done = pets_("verify", *known, "wrong.json")
    assert (done.code, done.out) == (11, "") and "its schema is not the published one" in done.err
    done = pets_("verify", "certificate.json", "--key", "ledger.db.pub", "--log", "public.log")
    assert done.code == 2 and "give it too: --release" in done.err
    done = pets_("verify", "answer.json", "--key", "ledger.db.pub", "--log", "none.log")
    assert done.code == 11 and "cannot be read" in done.err


def test_verify_refuses_a_promise_that_does_not_follow(pets_, genuine: Made, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The key is the ledger's own, and what it says is not what its release bears out."""
    lie = edited(genuine.statement, ("predicate", "dp", "losses", 0), lambda loss: loss + 1)
    (tmp_path / "lie.json").write_bytes(genuine.signed(lie))
    (tmp_path / "bare.json").write_bytes(canonical(genuine.release.form))
    done = pets_("verify", "lie.json", "--key", "ledger.db.pub", "--release", "bare.json")
    assert (done.code, done.out) == (11, "")
    assert "what it promises does not follow from the release: it costs something else" in done.err
    done = pets_("verify", "lie.json", "--key", "ledger.db.pub")
    assert done.code == 0 and "not derived: the release was not given" in done.out


def test_a_certificate_from_before_is_genuine_and_cannot_be_checked(pets_) -> None:  # type: ignore[no-untyped-def]
    old = VECTORS / "release-before-form-1.json"
    done = pets_("verify", str(old), "--key", str(old.with_suffix(".pub")))
    assert (done.code, done.err) == (0, "") and done.out.startswith("Genuine: ")
    assert "promise: it cannot be checked: it was made before certificates carried what" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["answer.json", "--key", "past/ledger.db.pub"], "another key signed it"),
        (["answer.json", "--key", "answer.json"], "holds no public key"),
        (["answer.json", "--key", "none.pub"], "cannot be read"),
        (["none.json", "--key", "ledger.db.pub"], "cannot be read"),
        (["past", "--key", "ledger.db.pub"], "cannot be read"),
        (["ledger.db", "--key", "ledger.db.pub"], "neither a certificate nor a release"),
        (
            ["ledger.db.pub", "--key", "ledger.db.pub"],
            "neither a certificate nor a release",
        ),
        (["answer.json", "--release", "none.json", "--key", "ledger.db.pub"], "cannot be read"),
    ],
)
def test_verify_refuses_in_one_sentence(pets_, arguments: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    done = pets_("verify", *arguments)
    assert (done.code, done.out) == (11, "")
    assert said in done.err


@pytest.mark.parametrize("view", ["full", "public"])
def test_export_and_verify(pets_, view: str) -> None:  # type: ignore[no-untyped-def]
    done = pets_("log", "export", "--ledger", "past/ledger.db", "--out", "a.log", *["--public"][: view == "public"])
    assert (done.code, done.err) == (0, "")
    assert "pets log verify a.log --key" in done.out
    done = pets_("log", "verify", "a.log", "--key", "past/ledger.db.pub", "--checkpoint", "past/ledger.db.checkpoint")
    assert (done.code, done.err) == (0, "")
    assert f"{view} view" in done.out and "NOTE" not in done.out
    assert "It goes on from what the given checkpoints had seen" in done.out
    assert "hospital-stays: ε = 0.6" not in done.out  # what is under way is charged too
    assert "5 committed" in done.out and "1 without a finite guarantee" in done.out and "budget 2;" in done.out
    bare = pets_("log", "verify", "a.log")
    assert (bare.code, bare.out.count("NOTE: ")) == (0, 2)
    assert "shows whose log it is" in bare.out and "looks just as whole" in bare.out


def test_checkpoint(pets_) -> None:  # type: ignore[no-untyped-def]
    done = pets_("log", "checkpoint", "--ledger", "past/ledger.db")
    assert (done.code, done.out) == (0, Path("past/ledger.db.checkpoint").read_text())
    Path("kept").write_text(done.out)
    pets_("log", "export", "--ledger", "past/ledger.db", "--out", "a.log")
    assert pets_("log", "verify", "a.log", "--checkpoint", "kept").code == 0
    other = pets_("log", "checkpoint", "--ledger", "ledger.db")
    Path("kept").write_text(other.out)
    done = pets_("log", "verify", "a.log", "--checkpoint", "kept")
    assert done.code == 11 and "not signed by this ledger's key" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["verify", "none.log"], 11, "cannot be read"),
        (["verify", "past"], 11, "cannot be read"),
        (["verify", "answer.json"], 11, "no exported log"),
        (["verify", "ledger.db"], 11, "no exported log"),
        (["verify", "a.log", "--key", "ledger.db.pub"], 11, "and not by"),
        (["verify", "a.log", "--key", "answer.json"], 11, "holds no public key"),
        (["verify", "a.log", "--checkpoint", "none"], 11, "cannot be read"),
        (["verify", "a.log", "--checkpoint", "answer.json"], 11, "checkpoint is damaged"),
        (["verify", "a.log", "--checkpoint", "ledger.db"], 11, "holds no checkpoint"),
        (["verify", "cut.log"], 11, "the log ends after 5 of"),
        (["verify", "torn.log"], 11, "the file ends within entry 4"),
        (["export", "--ledger", "none.db", "--out", "b.log"], 10, "there is no ledger 'none.db'"),
        (["export", "--ledger", "answer.json", "--out", "b.log"], 10, "not a ledger"),
        (["export", "--ledger", "past/ledger.db", "--out", "none/b.log"], 2, "cannot be written"),
        (["export", "--ledger", "past/ledger.db", "--out", "past"], 2, "cannot be written"),
        (["checkpoint", "--ledger", "none.db"], 10, "there is no ledger"),
    ],
)
def test_log_refuses_in_one_sentence(pets_, arguments: list[str], code: int, said: str) -> None:  # type: ignore[no-untyped-def]
    pets_("log", "export", "--ledger", "past/ledger.db", "--out", "a.log")
    lines = Path("a.log").read_bytes().splitlines(keepends=True)
    Path("cut.log").write_bytes(b"".join(lines[:6]))
    Path("torn.log").write_bytes(b"".join(lines[:5]) + lines[5][:30])
    before = sorted(Path.cwd().iterdir())
    done = pets_("log", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert sorted(Path.cwd().iterdir()) == before


def test_an_export_is_of_one_moment_and_replaces_the_last(pets_) -> None:  # type: ignore[no-untyped-def]
    for _ in range(2):
        assert pets_("log", "export", "--ledger", "past/ledger.db", "--out", "a.log").code == 0
    with Ledger("past/ledger.db").reading() as tx:
        assert len(Path("a.log").read_bytes().splitlines()) == 1 + tx.head.size
