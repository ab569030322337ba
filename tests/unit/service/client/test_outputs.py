"""The airlock of a connection: the same verbs, with the service's login for a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pets
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
