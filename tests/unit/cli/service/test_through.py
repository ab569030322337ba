"""``pets review … --service URL``: a checker looks and votes with a login, and signs with a key of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pets
from pets.cli.main import run
from pets.common import signing
from pets.service.access.identity import Identity
from pets.service.client.transport import Transport
from tests.http_services import ASKED, Carried, custodian, served
from tests.unit.service.client.test_outputs import SAID, TABLE

AT = ["--service", "http://localhost"]
WHO = {"name": "jo"}


@pytest.fixture
def kept(tmp_path: Path) -> pets.Custodian:
    return custodian(tmp_path, policy=pets.Policy(output_logins=True, approval="before"))


@pytest.fixture
def checker(kept: pets.Custodian, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The command line in an empty folder, with a service to which it is logged in as whoever this names."""

    def who(request: object) -> Identity:
        roles, project = (("analyst",), "asthma") if WHO["name"] == "amina" else (("reviewer",), "board")
        return Identity(WHO["name"], project=project, roles=frozenset(roles), projects=frozenset({project}))

    with served(kept, auth=who) as client:
        carried = Carried(client)
        monkeypatch.setattr(
            "pets.service.client.connect.Transport",
            lambda *given, **more: Transport(*given, **more | {"sent_by": carried}),
        )
        monkeypatch.setenv("PETS_TOKEN", "a token")
        monkeypatch.chdir(tmp_path)
        WHO["name"] = "jo"
        yield WHO


def submitted(kept: pets.Custodian, more: bytes = b"") -> pets.session.airlock.shown.OutputView:
    mine = kept.session(analyst="amina", project="asthma").airlock
    return mine.submit({"stays.csv": TABLE + more}, **SAID)


def test_a_checker_looks_and_votes(
    kept: pets.Custodian, checker: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = submitted(kept)
    signing.load_or_make(Path("jo.key"))
    assert run(["review", "show", made.id, "--out", "look", *AT]) == 0
    told = capsys.readouterr().out
    assert Path("look/stays.csv").read_bytes() == TABLE and "North,120" in told
    assert f"pets review approve {made.id} --digest {made.digest[:12]} --service URL" in told
    approve = ["review", "approve", made.id, *AT]
    assert run(approve) == 2 and "add the --digest that it prints" in capsys.readouterr().err
    for wrong in ("0" * 12, made.digest[:11], ""):
        assert run([*approve, "--digest", wrong]) == 21
        assert "not the output that waits" in capsys.readouterr().err
    signs = [*approve, "--digest", made.digest[:12], "--key", "jo.key"]
    assert run(signs) == 18 and "not trusted to sign votes of jo" in capsys.readouterr().err
    kept.airlock.trust_key("jo.pub", checker="jo", reason="from May on", by=["A. One", "B. Two"])
    assert run(signs) == 0 and "Voted; the output is partially-reviewed." in capsys.readouterr().err
    checker["name"] = "kim"
    assert run([*approve, "--digest", made.digest[:12], "--note", "added up"]) == 0
    assert "Voted; the output is approved." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        (["return", "--reason", "unclear"], "Voted; the output is partially-reviewed."),
        (["return", "--reason", "unclear", "--now"], "Returned; the output is returned."),
        (["reject", "--reason", "rows-of-people"], "Voted; the output is partially-reviewed."),
    ],
)
def test_every_vote_can_be_given_and_signed(
    kept: pets.Custodian, checker: dict[str, str], capsys: pytest.CaptureFixture[str], verb: list[str], said: str
) -> None:
    made = submitted(kept)
    signing.load_or_make(Path("jo.key"))
    kept.airlock.trust_key("jo.pub", checker="jo", reason="from May on", by=["A. One", "B. Two"])
    asked = ["review", verb[0], made.id, *verb[1:], "--digest", made.digest, *AT]
    assert run([*asked, "--key", "jo.key"]) == 0 and said in capsys.readouterr().err


def test_what_is_held_is_decided_too(
    kept: pets.Custodian, checker: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    from pets.ledger.queue import Queue

    first, second = (
        Queue(kept.ledger).put("stays", "asthma", "amina", "release", ASKED, None, held=True) for _ in "ab"
    )
    signing.load_or_make(Path("jo.key"))
    assert run(["review", "show", first.id, *AT]) == 0 and "sex" in capsys.readouterr().out
    assert run(["review", "approve", first.id, "--key", "jo.key", *AT]) == 2
    assert "leave --key out" in capsys.readouterr().err
    assert run(["review", "approve", first.id, *AT]) == 0 and "Approved" in capsys.readouterr().err
    assert (
        run(["review", "refuse", second.id, "--reason", "unclear", *AT]) == 0 and "Refused" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([*AT, "--by", "jo"], "--by goes with a ledger that is here"),
        ([*AT, "--ledger", "ledger.db"], "--ledger goes with a ledger that is here"),
        ([*AT, "--keys", "keys"], "--keys goes with a ledger that is here"),
        ([], "add --ledger FILE|URL, or --service URL"),
        (["--ledger", "ledger.db"], "the log tells who decides; add --by NAME"),
        (["--ledger", "ledger.db", "--dataset", "stays"], "--dataset goes with --service URL"),
    ],
)
def test_what_does_not_go_together(
    kept: pets.Custodian, checker: dict[str, str], capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    made = submitted(kept)
    for verb in (["approve"], ["return", "--reason", "unclear"], ["reject", "--reason", "other"]):
        assert run(["review", verb[0], made.id, *verb[1:], "--digest", made.digest, *more]) == 2
        assert said in capsys.readouterr().err
