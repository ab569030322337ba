"""The arguments of ``pets.testing.replay`` and what its report says; what it finds: tests/attacks/test_replay.py."""

from __future__ import annotations

import contextlib
import io
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.common import entropy
from pets.rows import snapshot
from pets.testing import ReplayReport, replay

pytestmark = pytest.mark.chance(0)

SCHEMA = pets.Schema(
    {"t": pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "x": pets.Integer(0, 9, nullable=False)})}
)
N = pets.query("t").agg(n=pets.count())


def released(session: pets.Session) -> Any:
    return session.release(N, pets.DP(epsilon=1))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ask": "release"}, "ask must be a function"),
        ({"ask": {}}, "ask must be a function"),
        ({"count": 0}, "count must be a whole number of at least 1"),
        ({"count": True}, "count must be"),
        ({"engines": "duckdb"}, "engines must be some of"),
        ({"engines": ()}, "engines must be some of"),
        ({"engines": ("abacus",)}, "engines must be some of"),
        ({"person": 3}, "give the data too"),
    ],
)
def test_wrong_arguments(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(pets.UserError, match=said):
        replay(**({"schema": SCHEMA, "data": None, "ask": released} | changed))


def test_the_key_of_ranks_is_given_back_and_is_the_same_in_both_worlds() -> None:
    keys = []
    replay(SCHEMA, None, {"keys": lambda session: keys.append(snapshot.rank_key())}, count=2)
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert snapshot.rank_key is entropy.rank_key


def test_a_person_who_is_named_leaves() -> None:
    data = pd.DataFrame({"id": [1, 1, 1, 2], "x": [9, 9, 9, 0]})
    asks = {"rows": released, "a sum": lambda session: session.release(pets.query("t").agg(s=pets.sum("x")), DP)}
    found = replay(SCHEMA, data, asks, count=1, person=1)
    assert found.holds and found.worst > Fraction(999, 1000) and found.cases == 2


DP = pets.DP(epsilon=1)


def test_a_request_that_nobody_moves_is_told() -> None:
    """It shows nothing: where the condition is met by nobody, any bug would pass."""
    nobody = pets.query("t").where((pets.col("x") == 9) & (pets.col("x") == 0)).agg(n=pets.count())
    found = replay(SCHEMA, None, {"moved": released, "still": lambda session: session.release(nobody, DP)}, count=2)
    assert [problem[:24] for problem in found.problems] == ["still: nobody moved an e"]


def test_a_request_that_fails_each_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alike in both worlds, but nothing was compared."""
    monkeypatch.setattr("pets.session.job.tabulate", None)
    found = replay(SCHEMA, None, released, count=1)
    assert found.problems == ("it was charged and drew no noise, in every pair: it failed",)


def test_refusals_are_no_violations_and_exact_totals_are() -> None:
    def total(session: pets.Session) -> Any:
        return session.release(N, pets.Total())

    found = replay(SCHEMA, None, total, count=1)
    assert found.holds  # the policy refuses it, in both worlds
    assert [one.partition(":")[0] for one in found.refused] == ["PolicyError"] and "refused in every pair" in str(found)
    found = replay(SCHEMA, None, total, count=1, policy=pets.Policy(allow_unbounded=True))
    assert any("what is shown differs" in problem for problem in found.problems)


def test_the_account_is_compared_too() -> None:
    """What a request leaves behind, though it showed nothing itself."""

    def ask(session: pets.Session) -> None:
        rows = session.report("t").rows_kept  # for the custodian only
        for _ in range(1 + rows // 2 % 2):  # the one person has two that are kept
            session.release(N, pets.DP(epsilon=1), again=True)

    found = replay(SCHEMA, None, ask, count=4)
    assert any("units with that person" in problem for problem in found.problems)
    assert any(problem.startswith("the account afterwards reads otherwise") for problem in found.problems)


def test_the_example_of_the_page() -> None:
    """It is run here, since a page has noise from a seed, which OpenDP never sees."""
    page = (Path(__file__).parents[3] / "docs" / "audits.md").read_text("utf-8")
    (found,) = re.findall(
        r"^```python\n(.*?)^```\n\n<!-- not run -->\n```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(found[0], {})
    assert printed.getvalue() == found[1]


def test_a_report_reads() -> None:
    assert str(ReplayReport(3, 4, Fraction(1, 2), ())) == (
        "3 cases, 4 draws of noise; the greatest loss is 0.500000 of its charge. Nothing was found."
    )
    many = ReplayReport(30, 4, Fraction(3), tuple(f"problem {i}" for i in range(25)))
    assert "25 violations:" in str(many) and str(many).endswith("problem 19\n  and 5 more")
    assert not many.holds
    assert "refused in every pair: a; b; c and 1 more. Nothing" in str(ReplayReport(1, 1, Fraction(1), (), (*"abcd",)))
