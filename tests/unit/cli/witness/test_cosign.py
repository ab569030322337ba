"""``pets witness`` and ``pets log key, cosign, proof``: by file and by post, and what ``pets verify --policy`` says."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from pets.cli import main
from pets.common.codec import canonical
from pets.ledger.ledger import Ledger
from pets.ledger.witness.server import serving
from pets.ledger.witness.witness import Witness
from tests.ledgers import account, ask, request
from tests.unit.ledger.log.test_verifier import Made


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def pets_(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        code = main.run(list(arguments))
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return Done(code, shown.out, shown.err)

    return run


LEDGER = ("--ledger", "ledger.db")


@pytest.mark.chance(0)
def test_by_file_to_a_quorum(pets_, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = Made(tmp_path)
    made.release.save("answer.json")
    made.ledger.close()
    log = pets_("log", "key", *LEDGER).out.strip()
    keys = {}
    for name in ("w1", "w2"):
        keys[name] = pets_("witness", "open", name, "--name", f"x.example/{name}").out.strip()
        assert pets_("witness", "trust", name, log).code == 0
    assert pets_("witness", "open", "w1", "--name", "x").code == 2
    Path("one.txt").write_text(f"log {log}\nwitness A {keys['w1']}\nquorum A\n")
    Path("both.txt").write_text(f"witness A {keys['w1']}\nwitness B {keys['w2']}\ngroup g all A B\nquorum g\n")
    assert pets_("log", "cosign", *LEDGER, "--request", "r.txt").code == 0
    assert pets_("witness", "sign", "w1", "r.txt", "--out", "s.txt").code == 0
    done = pets_("witness", "sign", "w1", "r.txt", "--out", "s.txt")
    assert done.code == 2 and "write the request with --old 10" in done.err
    done = pets_("log", "cosign", *LEDGER, "--request", "r.txt", "--add", "s.txt", "--out", "ledger.db.cosigned")
    assert done.code == 0 and "10 entries with 1 signature(s) of others" in done.out
    known = ("--checkpoint", "ledger.db.cosigned", "--out", "a.tlog-proof")
    assert pets_("log", "proof", "answer.json", *LEDGER, *known).code == 0
    known = ("verify", "answer.json", "--key", "ledger.db.pub", "--proof", "a.tlog-proof", "--policy")
    done = pets_(*known, "one.txt")
    assert done.code == 0 and "witnessed: A signed the log of 10 entries with it" in done.out
    done = pets_(*known, "both.txt")
    assert (done.code, done.out) == (11, "") and "more witnesses than signed the checkpoint (A)" in done.err
    assert "give both" in pets_("verify", "answer.json", "--key", "ledger.db.pub", "--policy", "one.txt").err
    # the proof is of this very entry
    text = Path("a.tlog-proof").read_text()
    Path("wrong.tlog-proof").write_text(text.replace("index ", "index 1", 1))
    assert pets_(*known[:-2], "wrong.tlog-proof", "--policy", "one.txt").code == 11
    # and the exported log goes on from what was witnessed
    assert pets_("log", "export", *LEDGER, "--public", "--out", "public.log").code == 0
    whole = ("log", "verify", "public.log", "--key", "ledger.db.pub", "--checkpoint", "ledger.db.cosigned", "--policy")
    done = pets_(*whole, "one.txt")
    assert done.code == 0 and "Witnessed by A." in done.out
    assert pets_(*whole, "both.txt").code == 11
    done = pets_("log", "verify", "public.log", "--policy", "one.txt")
    assert done.code == 2 and "give one with --checkpoint" in done.err


def test_by_post(pets_, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with Ledger("ledger.db") as ledger:
        ask(account(ledger), request("q"))
    log = pets_("log", "key", *LEDGER).out.strip()
    pets_("witness", "open", "w", "--name", "x.example/w")
    pets_("witness", "trust", "w", log)
    dead = "http://127.0.0.1:1"
    done = pets_("log", "cosign", *LEDGER, "--witness", dead, "--out", "c")
    assert done.code == 11 and "no witness signed; the log goes on without" in done.err and not Path("c").exists()
    with serving(Witness("w")) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        done = pets_("log", "cosign", *LEDGER, "--witness", url, "--witness", dead, "--out", "c")
        server.shutdown()
        thread.join()
    assert done.code == 0 and done.err.count("did not sign") == 1
    assert Path("c").read_text().count("\n— ") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["log", "cosign", *LEDGER], "say who signs"),
        (["log", "cosign", *LEDGER, "--witness", "http://x"], "where all signatures go"),
        (["witness", "sign", "none", "r.txt", "--out", "s.txt"], "cannot be read"),
        (["log", "proof", "r.json", *LEDGER, "--checkpoint", "c", "--out", "p"], "no certificate of a pets release"),
        (["witness", "trust", "none", "x"], "pets witness open"),
    ],
)
def test_mistakes(pets_, arguments: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    Ledger("ledger.db").close()
    Path("r.json").write_bytes(canonical({"a": 1}))
    done = pets_(*arguments)
    assert done.code in (2, 11) and said in done.err and done.err.count("\n") == 1


@pytest.mark.chance(0)
def test_a_signature_on_another_certificate_of_the_ledger_is_none_on_this_one(pets_, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = Made(tmp_path)
    made.other.save("other.json")
    made.release.save("answer.json")
    made.ledger.close()
    log = pets_("log", "key", *LEDGER).out.strip()
    key = pets_("witness", "open", "w", "--name", "x.example/w").out.strip()
    pets_("witness", "trust", "w", log)
    Path("p.txt").write_text(f"witness A {key}\nquorum A\n")
    pets_("log", "cosign", *LEDGER, "--request", "r.txt")
    pets_("witness", "sign", "w", "r.txt", "--out", "s.txt")
    pets_("log", "cosign", *LEDGER, "--request", "r.txt", "--add", "s.txt", "--out", "c")
    pets_("log", "proof", "other.json", *LEDGER, "--checkpoint", "c", "--out", "o.tlog-proof")
    done = pets_("verify", "answer.json", "--key", "ledger.db.pub", "--policy", "p.txt", "--proof", "o.tlog-proof")
    assert done.code == 11 and "does not lead to the checkpoint" in done.err
