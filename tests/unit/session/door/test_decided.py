"""Who decides about a table outside the grid, under the policy of that moment, and what its refusal says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.errors import ForbiddenError, NotApprovedError, PolicyError
from pets.ledger.ledger import Ledger
from tests.checked_tables import of_days, opened
from tests.doors import DAYS, HES, OPEN, asked, days, kept


def test_whoever_asked_the_same_decides_about_none_of_them() -> None:
    custodian = kept()
    asked(custodian, days(0, 1), "jo", "elsewhere")
    request = asked(custodian, days(0, 1))
    found = custodian.look(request)
    for who in ("jo", "Jo"):
        with pytest.raises(ForbiddenError, match="of their own"):
            custodian.approve(request, by=who, finding=found.digest)
        with pytest.raises(ForbiddenError, match="of their own"):
            custodian.refuse(request, by=who, reason="unclear")
    custodian.approve(request, by="kim", finding=found.digest)


@pytest.mark.parametrize("less", [{"sdc_review": "never"}, {"sdc": ()}, {"sdc_filters": "bins"}])
def test_what_the_policy_no_longer_allows_does_not_leave(tmp_path: Path, less: dict[str, Any]) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        custodian = kept(ledger=ledger)
        request = asked(custodian, days(0, 1))
        found = custodian.look(request)
        later = opened(of_days(DAYS), policy=pets.Policy(**OPEN | less), ledger=ledger)
        with pytest.raises((PolicyError, pets.errors.QueryError)):
            later.look(request)
        with pytest.raises((PolicyError, pets.errors.QueryError)):
            later.approve(request, by="jo", finding=found.digest, anyway="please")


def test_who_asked_the_same_waits_no_more_once_it_left() -> None:
    custodian = kept()
    request, other = asked(custodian, days(0, 1)), asked(custodian, days(0, 1), "bob")
    custodian.approve(request, by="jo", finding=custodian.look(request).digest)
    assert not custodian.reviews() and other not in str(custodian.session(analyst="bob").history().to_dict())
    assert custodian.session(analyst="bob").release(days(0, 1), HES).form["shown"] == [[[10]]]


def test_why_a_table_was_refused_nobody_can_tell() -> None:
    said, told = set(), set()
    for reason in ("out-of-scope", "may-disclose"):
        custodian = kept()
        custodian.refuse(asked(custodian, days(0, 1)), by="jo", reason=reason)
        with custodian.ledger.reading() as tx:
            bodies = [json.loads(body) for body, _, _ in tx.entries()]
        said |= {one["reason"] for one in bodies if one["event"] == "review"}
        session = custodian.session(analyst="ann")
        with pytest.raises(NotApprovedError) as refused:
            session.release(days(0, 1), HES)
        told.add((str(refused.value), str(session.history()["reason"].tolist())))
    assert said == {"other"} and len(told) == 1
