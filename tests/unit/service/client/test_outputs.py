"""The airlock of a connection: the same verbs, with the service's login for a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common import signing
from pets.common.codec import digest
from pets.errors import ForbiddenError, HeldError, NotFoundError, UserError
from pets.service.client import outputs
from tests.http_services import connected, custodian

TABLE = b"region,n\nNorth,120\nSouth,85\n"
SAID: dict[str, Any] = {"context": "Stays by region, for the paper.", "controls": "Counts below 10 hidden, rest to 5."}


@pytest.fixture
def kept(tmp_path: Path) -> pets.Custodian:
    return custodian(tmp_path, policy=pets.Policy(output_logins=True))


def test_an_output_goes_the_whole_way(kept: pets.Custodian, tmp_path: Path) -> None:
    with connected(kept, analyst="amina", project="asthma") as mine:
        assert mine.airlock.check({"stays.csv": TABLE}, **SAID).clean
        made = mine.airlock.submit({"stays.csv": TABLE}, **SAID)
        with pytest.raises(UserError, match="save the picture as"):
            mine.airlock.submit({"a.svg": b"<svg>"}, **SAID)
    for name, end in (("jo", "partially-reviewed"), ("kim", "approved")):
        with connected(kept, analyst=name, project="board", role="reviewer") as one:
            assert [found.id for found in one.airlock.waiting()] == [made.id]
            seen = one.airlock.look(made.id)
            assert seen.files == {"stays.csv": TABLE} and seen.votes == () and seen.digest == made.digest
            assert one.airlock.decide(seen, "approve", note="added up").state == end
            with pytest.raises((HeldError, NotFoundError)):
                one.airlock.decide(seen, "reject", reason="may-disclose")
    kept.airlock.release(made.id, tmp_path / "out", by="vera")
    with connected(kept, analyst="amina", project="asthma") as mine:
        (found,) = mine.airlock.outputs()
        assert found.state == "released" and [vote.reviewer for vote in found.votes] == ["jo", "kim"]
        assert mine.airlock.look(made.id).files == {"stays.csv": TABLE}


def test_it_is_returned_mended_and_withdrawn(kept: pets.Custodian) -> None:
    with connected(kept, analyst="amina", project="asthma") as mine:
        made = mine.airlock.submit({"stays.csv": TABLE}, **SAID)
        with pytest.raises(ForbiddenError, match="of their own"):
            mine.airlock.decide(made, "approve")
    with connected(kept, analyst="jo", project="board", role="reviewer") as jo:
        with pytest.raises(UserError, match=r"send_back\(airlock\.look\('the id'\)"):
            jo.airlock.send_back(made.id, reason="unclear")  # type: ignore[arg-type]
        assert jo.airlock.send_back(jo.airlock.look(made.id), reason="missing-counts", note="add n").state == "returned"
        assert jo.airlock.comment(made.id, "and the year").comments[0].text == "and the year"
        with pytest.raises(UserError, match="a decision is approve, return or reject"):
            jo.airlock.decide(made, "refuse")
    with connected(kept, analyst="amina", project="asthma") as mine:
        assert "add n" in repr(mine.airlock.look(made.id))
        again = mine.airlock.resubmit(made.id, {"stays.csv": TABLE + b"East,40\n"}, **SAID)
        assert (again.turn, again.state) == (2, "submitted")
        assert mine.airlock.withdraw(made.id).state == "withdrawn"


def test_a_checker_signs_with_a_key_that_stays_here(
    kept: pets.Custodian, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing.load_or_make(tmp_path / "jo.key")
    with connected(kept, analyst="amina", project="asthma") as mine:
        made = mine.airlock.submit({"stays.csv": TABLE}, **SAID)
        other = mine.airlock.submit({"stays.csv": TABLE + b"East,40\n"}, **SAID)
    with connected(kept, analyst="jo", project="board", role="reviewer") as jo:
        seen = jo.airlock.look(made.id)
        with pytest.raises(ForbiddenError, match=r"not trusted to sign votes of jo .*pets review key trust"):
            jo.airlock.decide(seen, "approve", key=tmp_path / "jo.key")
        kept.airlock.trust_key(tmp_path / "jo.pub", checker="jo", reason="from May on", by=["A. One", "B. Two"])
        with pytest.raises(UserError, match="a vote is signed about files that were looked at"):
            jo.airlock.decide(jo.airlock.waiting()[0], "approve", key=tmp_path / "jo.key")
        with pytest.raises(UserError, match=r"there is no key .*pets review key new"):
            jo.airlock.decide(seen, "approve", key=tmp_path / "kim.key")
        with pytest.raises(UserError, match="'odd' is no reason to reject"):
            jo.airlock.decide(seen, "reject", reason="odd", key=tmp_path / "jo.key")
        sent: list[str] = []
        post = jo._transport.post

        def posted(*path: str, body: Any) -> Any:
            sent.append(repr(body))
            return post(*path, body=body)

        monkeypatch.setattr(jo._transport, "post", posted)
        assert (
            jo.airlock.decide(seen, "approve", note="added up", key=tmp_path / "jo.key").state == "partially-reviewed"
        )
        back = jo.airlock.send_back(jo.airlock.look(other.id), reason="unclear", key=str(tmp_path / "jo.key"))
        assert back.state == "returned"
    seed = signing.load_or_make(tmp_path / "jo.key").reveal_seed().hex()
    assert len(sent) == 2 and not any(seed in body or "jo.key" in body for body in sent)
    with connected(kept, analyst="kim", project="board", role="reviewer") as kim:
        assert kim.airlock.decide(kim.airlock.look(made.id), "approve").state == "approved"


def test_names_of_files_that_a_service_makes_up_are_refused(kept: pets.Custodian) -> None:
    with connected(kept, analyst="amina", project="asthma") as mine:
        made = mine.airlock.submit({"stays.csv": TABLE}, **SAID)
    with connected(kept, analyst="jo", project="board", role="reviewer") as jo:
        told = jo._transport.get("airlock", made.id)
    away = "../../.bashrc"
    told["files"] = {away: told["files"]["stays.csv"]}
    told["output"]["files"][0]["name"] = away
    told["output"]["digest"] = digest({name: told["output"][name] for name in ("files", "context", "controls")})
    with pytest.raises(UserError, match="is no name of a file in an output"):
        outputs._view(told)


@pytest.mark.parametrize("lie", ["bytes", "digest", "name", "no base64", "no form"])
def test_a_service_that_shows_other_files_is_found(kept: pets.Custodian, lie: str) -> None:
    with connected(kept, analyst="amina", project="asthma") as mine:
        made = mine.airlock.submit({"stays.csv": TABLE}, **SAID)
    with connected(kept, analyst="jo", project="board", role="reviewer") as jo:
        told = jo._transport.get("airlock", made.id)
    if lie == "bytes":
        told["files"]["stays.csv"] = "eA=="
    elif lie == "digest":
        told["output"]["digest"] = "0" * 64
    elif lie == "name":
        told["files"] = {"other.csv": told["files"]["stays.csv"]}
    elif lie == "no base64":
        told["files"]["stays.csv"] = "?"
    else:
        del told["output"]["votes"]
    with pytest.raises(UserError, match=r"other files than the output has|a form that is none"):
        outputs._view(told)
