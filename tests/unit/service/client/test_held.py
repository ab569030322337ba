"""A connection where a second person must approve: it says so at once, and what becomes of it is fetched later."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

import pets
from pets.errors import HeldError, NotApprovedError
from tests.http_services import connected, custodian

N = pets.query("stays").group_by("sex").agg(n=pets.count())
DP = pets.DP(epsilon=0.5)


@pytest.mark.parametrize("approval", ["before", "after"])
def test_an_answer_is_fetched_once_a_second_person_approved_it(
    tmp_path: Path, approval: Literal["before", "after"]
) -> None:
    keeper = custodian(tmp_path, policy=pets.Policy(approval=approval))
    with connected(keeper, analyst="amina", project="asthma") as connection:
        with pytest.raises(HeldError, match="before a second person approves it") as caught:
            connection.release(N, DP)
        number = caught.value.id
        assert number is not None and f"connection.fetch('{number}')" in str(caught.value)
        pending = connection.release(N, pets.DP(epsilon=0.25), wait=False)
        with pytest.raises(HeldError):
            pending.result()
        with pytest.raises(HeldError, match=number):
            connection.fetch(number)
        keeper.approve(number, by="jo")
        keeper.refuse(pending.id, by="jo", reason="unclear")
        if approval == "before":  # the process that answers looks at what waits once somebody asks
            connection.release(N, pets.DP(epsilon=0.125), wait=False)
        assert connection.fetch(number).query == N
        for late in (pending.result, lambda: connection.fetch(pending.id)):
            with pytest.raises(NotApprovedError, match=r"did not approve this .* \(unclear\)"):
                late()
        told = connection.history()
        both = told[:2].sort_values("state")  # (what is approved is answered by another process, and may be later)
        assert both["state"].tolist() == ["committed", "refused"] and both["reason"].tolist() == ["", "unclear"]
        charged = 0.25 if approval == "after" else 0.0
        assert both["epsilon"].tolist() == [0.5, charged]
        assert "refused (unclear)" in repr(told) and "held (" not in repr(told)
        session = keeper.session(analyst="amina", project="asthma")
        assert session.history().values.tolist() == told.values.tolist()
