"""An encrypted total on the command line: three parties, an aggregator and a key holder, in folders apart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import pets
from pets.cli import main
from pets.ledger.db import listing
from pets.synthetic.stays import SCHEMA_FILE, invent_stays

NAMES = ("north", "south", "east")
ASK = ["--by", "sex", "--count", "stays"]


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Walk:
    """One folder for each role; files are handed from one to another, and nobody looks into another's."""

    def __init__(self, home: Path, run) -> None:  # type: ignore[no-untyped-def]
        self.home, self.run = home, run
        self.frames = {}
        for number, name in enumerate(NAMES):
            frame = invent_stays(people=200, seed=number)
            frame["patient_id"] = name + frame["patient_id"].astype(str)
            self.frames[name] = frame
            (home / name).mkdir()
            shutil.copy(SCHEMA_FILE, home / name / "stays.yaml")
            frame.to_csv(home / name / "stays.csv", index=False)
        for name in ("holder", "aggregator"):
            (home / name).mkdir()
        shutil.copy(SCHEMA_FILE, home / "holder" / "stays.yaml")

    def at(self, who: str, *arguments: str) -> Done:
        """Run a command in somebody's folder."""
        return self.run(self.home / who, *arguments)

    def give(self, who: str, file: str, whom: str) -> None:
        """Copy a file into another's folder."""
        shutil.copy(self.home / who / file, self.home / whom / Path(file).name)

    def keys(self) -> None:
        assert self.at("holder", "he", "keygen", "--out", ".").code == 0
        for name in NAMES:
            assert self.at(name, "he", "keygen", "--party", name, "--out", ".").code == 0
            self.give(name, f"{name}.pub", "holder")
            self.give("holder", "public.key", name)

    def ask(self, *noise: str) -> Done:
        roster = [part for name in NAMES for part in ("--party", f"{name}.pub")]
        done = self.at(
            "holder", "he", "round", "--key", "secret.key", "--schema", "stays.yaml", *ASK, *roster, *noise,
            "--out", "round.json",
        )  # fmt: skip
        if done.code == 0:
            for name in NAMES:
                self.give("holder", "round.json", name)
        return done

    def encrypt(self, name: str, *more: str) -> Done:
        done = self.at(
            name, "he", "encrypt", "--round", "round.json", "--public", "public.key", "--party", f"{name}.key",
            "--schema", "stays.yaml", "--data", "stays.csv", *more, "--out", f"{name}.env",
        )  # fmt: skip
        if done.code == 0:
            self.give(name, f"{name}.env", "aggregator")
        return done

    def add(self, *names: str) -> Done:
        done = self.at("aggregator", "he", "add", *(f"{name}.env" for name in names), "--out", "total.enc")
        if done.code == 0:
            self.give("aggregator", "total.enc", "holder")
        return done

    def open(self, *more: str) -> Done:
        return self.at("holder", "he", "open", "total.enc", "--key", "secret.key", *more)


@pytest.fixture
def walk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Walk:
    def run(folder: Path, *arguments: str) -> Done:
        monkeypatch.chdir(folder)
        code = main.run(list(arguments))
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return Done(code, shown.out, shown.err)

    return Walk(tmp_path, run)


@pytest.mark.parametrize("verb", ["keygen", "round", "encrypt", "add", "consent", "open"])
def test_every_verb_has_help_with_an_example(walk: Walk, verb: str) -> None:
    done = walk.at("holder", "he", verb, "--help")
    assert done.code == 0
    assert f"\n  pets he {verb} " in done.out


def test_three_parties_one_total(walk: Walk) -> None:
    walk.keys()
    assert "3 parties (east, north, south)" in walk.ask("--total").out
    for name in NAMES:
        refused = walk.encrypt(name)
        assert refused.code == 7 and "policy does not allow" in refused.err
        assert walk.encrypt(name, "--allow-total").code == 0
    assert walk.add(*NAMES).code == 0
    done = walk.open("--out", "answer.json")
    assert done == Done(0, "Written to answer.json.\n", "")
    both = pets.Session(
        str(SCHEMA_FILE),
        {"stays": pd.concat(walk.frames.values())},
        budget=pets.Budget(epsilon=1, delta=1e-6),
        policy=pets.Policy(allow_unbounded=True),
        progress=False,
    )
    whole = both.release(pets.query("stays").group_by("sex").agg(stays=pets.count()), pets.Total())
    assert pets.Release.load(walk.home / "holder" / "answer.json").table.equals(whole.table)
    again = walk.open()
    assert again.code == 2 and "one round gives one total" in again.err


def test_a_private_total_of_those_who_came(walk: Walk) -> None:
    walk.keys()
    walk.ask("--epsilon", "1", "--least", "2")
    for name in NAMES[:2]:
        done = walk.encrypt(name)
        assert done.code == 0 and "budget is left" in done.err
    walk.add(*NAMES[:2])
    missing = walk.open()
    assert missing.code == 2 and "parties are missing (east)" in missing.err
    for name in NAMES[:2]:
        walk.give("aggregator", "total.enc", name)
        done = walk.at(name, "he", "consent", "total.enc", "--party", f"{name}.key", "--out", f"{name}.ok")
        assert "missing: east" in done.out
        walk.give(name, f"{name}.ok", "holder")
    done = walk.open("--consent", "north.ok", "--consent", "south.ok")
    assert done.code == 0 and "ε = 1" in done.out


def test_a_party_keeps_its_account_in_its_own_ledger(walk: Walk) -> None:
    """From one round to the next, whichever process encrypts."""
    walk.keys()
    for turn, budget in enumerate((["--budget-epsilon", "1.5"], [])):
        for name in ("round.json", "north.env"):
            for who in ("holder", "north"):
                (walk.home / who / name).unlink(missing_ok=True)
        walk.ask("--epsilon", "1")
        done = walk.encrypt("north", "--ledger", "north.db", *budget)
        assert done.code == 0, done.err
        with pets.Ledger(walk.home / "north" / "north.db") as ledger, ledger.reading() as tx:
            states = [row.state for row in listing.of_dataset(tx.connection)]
            assert states == ["committed"] * (turn + 1)
    spent = walk.at("north", "ledger", "show", "--ledger", "north.db").out
    (walk.home / "holder" / "round.json").unlink()
    (walk.home / "north" / "north.env").unlink()
    walk.ask("--epsilon", "1")
    refused = walk.encrypt("north", "--ledger", "north.db")
    assert refused.code != 0 and "has room for" in refused.err and not (walk.home / "north" / "north.env").exists()
    assert walk.at("north", "ledger", "show", "--ledger", "north.db").out.splitlines()[0] == spent.splitlines()[0]
    assert walk.at("north", "log", "export", "--ledger", "north.db", "--out", "a.log").code == 0
    assert walk.at("north", "log", "verify", "a.log").code == 0


def test_a_passphrase_seals_the_key(walk: Walk) -> None:
    (walk.home / "holder" / "words").write_text("correct horse battery\n")
    assert walk.at("holder", "he", "keygen", "--out", ".", "--passphrase-file", "words").code == 0
    (walk.home / "holder" / "total.enc").write_bytes(b"")
    assert "give its passphrase" in walk.open().err
    assert "is not a total" in walk.open("--passphrase-file", "words").err


def test_mistakes_are_one_line(walk: Walk) -> None:
    walk.keys()
    assert "add --epsilon 1" in walk.ask().err
    assert "add --epsilon 1" in walk.ask("--epsilon", "1", "--total").err
    walk.ask("--epsilon", "1")
    assert "never overwritten" in walk.at("holder", "he", "keygen", "--out", ".").err
    walk.at("north", "he", "keygen", "--party", "south", "--out", "fake")
    shutil.copy(walk.home / "north" / "fake" / "south.key", walk.home / "south" / "south.key")
    assert "has another key for party 'south'" in walk.encrypt("south").err
    walk.give("holder", "east.pub", "north")
    assert "not known here, or under other keys: south" in walk.encrypt("north", "--known", "east.pub").err
    assert walk.encrypt("north").code == 0
    lost = walk.encrypt("north")
    assert lost.code == 2 and "exists" in lost.err
    assert "room for ε = 0.1" in walk.encrypt("east", "--budget-epsilon", "0.1").err
    walk.add("north")
    assert "opens from 3 on; missing: east, south" in walk.open().err
    assert "No such file" in walk.add("nobody").err
