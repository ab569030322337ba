"""A log in which outputs leave: what none of its entries may say is found by the checker that knows nothing of pets."""

from __future__ import annotations

from typing import Any

import pytest

from pets.common.codec import digest
from pets.verify.cleared import Cleared
from tests.unit.ledger.publish.test_export import VOTED, out, sealed, told, voted


class Wrong(Exception):
    """What the checker does not take."""


def need(holds: Any, why: str) -> None:
    if not holds:
        raise Wrong(why)


def heard(*entries: Any) -> dict[str, Any]:
    made = Cleared(need)
    for at, (said, _) in enumerate(entries):
        made.hear(said, at)
    return made.outputs


def test_what_the_ledger_writes_is_taken() -> None:
    assert heard(*VOTED, out("output-released"))["o"]["state"] == "released"
    back = [out(), voted("jo"), out("output-return", by="kim"), out(turn=2), out("output-comment", turn=2)]
    again = [voted("jo", turn=2), voted("kim", turn=2)]
    opened = told("approved", sealed("jo", turn=2), sealed("kim", turn=2), turn=2)
    assert heard(*back, *again, opened)["o"]["state"] == "approved"
    torn = [out(), voted("jo"), voted("kim", "return"), told("reviewed", sealed("jo"), sealed("kim", "return"))]
    assert heard(*torn, voted("lee", "reject"), told("returned", sealed("lee", "reject")))["o"]["state"] == "returned"
    assert heard(*torn, out("output-withdrawn", by="x"))["o"]["state"] == "withdrawn"
    assert heard(out(analyst="Ann Lee"), out("output-withdrawn", by="ann  lee"))["o"]["state"] == "withdrawn"
    assert heard(({"event": "started", "dataset": "d"}, {})) == {}
    rejected = [voted("jo", "reject"), voted("kim", "reject")]
    end = told("rejected", sealed("jo", "reject"), sealed("kim", "reject"))
    assert heard(out(), *rejected, end)["o"]["state"] == "rejected"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([out(turn=2)], "submits an output out of turn"),
        ([out(), out(turn=2)], "submits an output out of turn"),
        ([out(needed=0)], "by other rules"),
        ([out(), out("output-return"), out(turn=2, needed=1)], "by other rules"),
        ([voted("jo")], "is about an output that was not submitted"),
        ([out(), voted("jo", turn=2)], "was not submitted"),
        ([out(), voted("X")], "no vote of another person"),
        ([out(), voted(" \uff38 ")], "no vote of another person"),
        ([out(), voted("Jos\u00e9"), voted("jose\u0301")], "no vote of another person"),
        ([out(), voted("jo"), voted("JO")], "no vote of another person"),
        ([out(), out("output-return", by="x")], "no vote of another person"),
        ([*VOTED, voted("lee")], "no vote of another person"),
        ([out(), out("output-released")], "entry 1 of the log lets an output go that was not approved"),
        ([*VOTED[:3], out("output-released")], "was not approved"),
        ([*VOTED, out("output-released"), out("output-released")], "was not approved"),
        ([*VOTED, out("output-released", files=[])], "was not approved"),
        ([out(), out("output-withdrawn", by="jo")], "takes back what is not its author's"),
        ([*VOTED, out("output-withdrawn", by="x")], "takes back"),
        ([*VOTED[:2], told("approved", sealed("jo"))], "than the votes come to"),
        ([*VOTED[:3], told("approved", sealed("jo"))], "than the votes come to"),
        ([*VOTED[:3], told("returned", sealed("jo"), sealed("kim"))], "than the votes come to"),
        ([*VOTED[:3], told("approved", sealed("jo"), sealed("lee"))], "another vote than the log had"),
        ([*VOTED[:3], told("approved", sealed("jo"), sealed("kim", "return"))], "another vote than the log had"),
        ([*VOTED, VOTED[3]], "another vote than the log had"),
    ],
)
def test_what_must_never_happen_is_found(entries: list[Any], said: str) -> None:
    with pytest.raises(Wrong, match=said):
        heard(*entries)


def test_a_vote_is_opened_as_it_was_sealed() -> None:
    said = voted("jo")[0]
    assert said["vote"] == digest(sealed("jo") | {"output": "o", "turn": 1}), "the two checkers read one form"
