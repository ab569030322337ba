"""What people see of a ledger is the same whichever database keeps it: the page, the tables, the register, the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pets.cli.main import run
from tests.ledgers import DATABASES, Place
from tests.sample_ledger import eventful

VIEWS = {
    "page": ["ledger", "page", "--out", "a.html"],
    "show": ["ledger", "show"],
    "register": ["ledger", "export", "--register", "--project", "asthma", "--out", "a.csv"],
    "public log": ["log", "export", "--public", "--out", "a.log"],
}
CHANCE = re.compile(
    r"[0-9a-f]{12,128}|[A-Za-z0-9+/]{43,}={0,2}|<time.*?</time>|20(?!24)..-..-..T[0-9:.+]+"
    r"|[0-9]+ [A-Z][a-z]+ 20(?!24).., ..:.."
)
"""Ids, keys, hashes and signatures, and today's times: what differs from one ledger to the next."""
PLACES = re.compile(r" (in /|in postgresql:|\(/|--key /)\S+$", re.MULTILINE)


def seen(place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Every view, by its words."""
    eventful(place.address, keys=place.keys).ledger.close()
    monkeypatch.chdir(place.keys)
    capsys.readouterr()
    found = {}
    for name, words in VIEWS.items():
        code = run([*words, "--ledger", place.address, "--keys", place.keys])
        shown = capsys.readouterr()
        assert code == 0, shown.err
        text = shown.out + "".join(Path(word).read_text("utf-8") for word in words if word.startswith("a."))
        found[name] = CHANCE.sub(
            "·", re.sub(r"(?m) (in /|in postgresql:|\(/|--key /)\S+$", " its place", text)
        ).splitlines()
    return found


def test_both_databases_show_the_same(
    new_place: Callable[[str], Place], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (seen(new_place(database), capsys, monkeypatch) for database in DATABASES)
    for name in VIEWS:
        assert len(one[name]) > 5, name
        for a, b in zip(one[name], other[name], strict=True):
            assert a.split("<") == b.split("<"), name
