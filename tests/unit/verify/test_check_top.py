"""The checker and chosen groups: what pets releases holds, and what promises too much is refused, whoever signs it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.ledger.ledger import Ledger
from pets.release.keys.top_keys import TopKeys
from pets.verify.check import CannotCheck, check
from tests.unit.verify.test_check import Made, refused

pytestmark = pytest.mark.chance(0)

COLUMNS = {
    "id": pets.Identifier(),
    "code": pets.Category(["a", "b", "c", "d"]),
    "note": pets.Text(4),
    "day": pets.Date("2024-01-01", "2024-01-03"),
    "ok": pets.Boolean(nullable=False),
}
SCHEMA = pets.Schema({"apc": pets.Table(pets.Unit("id", max_rows=3, rows=2), COLUMNS)}, dataset="codes")
ROWS = pd.DataFrame({"id": range(600), "code": ["a", "b", "c"] * 200, "note": ["x", "y"] * 300, "ok": True})
ROWS["day"] = "2024-01-02"
T = pets.query("apc")
NOTES = pets.KeySet.of([{"note": "x"}, {"note": "zz"}, {"note": "y"}])
ASKED: list[tuple[pets.Query, int, pets.DP]] = [
    (T.group_by("code").agg(n=pets.count()), 2, pets.DP(epsilon=1)),
    (T.group_by("day", "ok").agg(n=pets.count_units()), 3, pets.DP(rho=0.1)),
    (T.where(col("ok") == True).group_by(NOTES).agg(n=pets.count_units()), 2, pets.DP(epsilon=1, delta=1e-8)),  # noqa: E712
    (T.group_by("code").agg(n=pets.count()).bound(rows=3, rows_per_group=1), 1, pets.DP(epsilon=1)),
    (T.group_by("code", "ok").agg(n=pets.count_units()).bound(groups=1), 1, pets.DP(epsilon=1)),
]


class Chosen(Made):
    """Choices of a ledger with a file."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.db")
        budget, ready = pets.Budget(20, 1e-6, 1e-7), folder / "ready"
        session = pets.Session(
            SCHEMA, {"apc": ROWS}, budget=budget, ledger=self.ledger, snapshots=ready, progress=False
        )
        self.keys = [session.top_keys(*one) for one in ASKED]
        other = pets.Session(SCHEMA, ledger=self.ledger, project="other", snapshots=ready)
        self.keys.append(other.top_keys(*ASKED[0]))
        self.key = self.ledger.key.raw
        with self.ledger.reading() as tx:
            self.log = [(body, chain) for body, _, chain in tx.entries()]
            self.note = self.ledger.checkpoint(tx)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Chosen:
    return Chosen(tmp_path_factory.mktemp("top"))


def file_of(keys: TopKeys) -> bytes:
    assert keys.certificate is not None
    return canonical(keys.form | {"digest": keys.digest, "certificate": dict(keys.certificate)})


def test_choices_hold_with_their_log(made: Chosen) -> None:
    moved = [2, 1, 1, 1, 1, 2]
    for keys, linf in zip(made.keys, moved, strict=True):
        said = check(file_of(keys), made.key, log=made.whole_log(), schema=canonical(SCHEMA.to_json()))
        assert said.startswith(keys.guarantee)
        assert f"one person raises each count by at most {linf}" in said
        assert f"as all {len(made.log)} entries of the log lead to" in said


def test_dummy_choices_and_those_of_rows_that_are_people_hold() -> None:
    columns = {name: domain for name, domain in COLUMNS.items() if name != "id"}
    schema = pets.Schema({"apc": pets.Table("row", columns)}, dataset="rows")  # type: ignore[arg-type]
    session = pets.Session(schema, {"apc": ROWS.drop(columns="id")}, budget=pets.Budget(3, 1e-6), progress=False)
    keys = session.top_keys(*ASKED[0])
    assert "any one row (a person)" in check(file_of(keys), session.ledger.key.raw)
    assert "with most people" in repr(keys)
    twin = session.dummy()
    assert check(file_of(twin.top_keys(*ASKED[0])), twin.ledger.key.raw).startswith("Dummy data")


def lie(made: Chosen, form: dict[str, Any], place: int = 0) -> str:
    """Why a choice with another form is refused, though the ledger's own key signed it with a certificate that fits."""
    keys = made.keys[place]
    assert keys.certificate is not None
    one, said = copy.deepcopy(keys.form) | form, copy.deepcopy(keys.certificate.predicate)
    for name in ("protection", "cost", "notes", "guarantee", "query"):
        said[name] = one[name]
    said["plan_sha256"] = one["plan"]
    for name in ("rho", "epsilon", "delta", "k"):
        said["dp"][name] = one[name]
    said["dp"] |= {"scales": [one["scale"]], "losses": [one["cost"]["loss"]]}
    return refused(made.signed(one, said)[0], made.key)


def query(**change: Any) -> dict[str, Any]:
    return ASKED[0][0].to_json() | change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"scale": "1"}, "its noise costs something else"),
        ({"scale": "1000"}, "its noise costs something else"),
        ({"scale": "0"}, "it chooses without noise"),
        ({"epsilon": "0.5"}, "promises something else (guarantee)"),
        ({"rho": "0.001"}, "ρ"),
        ({"rows": [["a"]]}, "another number of groups"),
        ({"rows": [["a"], ["a"]]}, "lists a group twice"),
        ({"rows": [["a"], ["z"]]}, "not written as pets writes it"),
        ({"k": 1}, "plan does not follow"),
        ({"k": 5}, "none of its groups, or all of them"),
        ({"candidates": 400}, "plan does not follow"),
        ({"counted": "people"}, "plan does not follow"),
        ({"data": "dummy"}, "no invented rows"),
        ({"protection": {"kind": "dp", "epsilon": 1, "pure": True}}, "means nothing"),
        ({"more": 1}, "other parts"),
        ({"plan": "0" * 64}, "plan does not follow"),
        ({"guarantee": "Nobody can be harmed."}, "promises something else"),
        ({"query": query(agg=[["n", {"agg": "tails"}]])}, "something else than one count"),
        ({"query": query(by=[])}, "its groups are none"),
        ({"query": query(rows_per_group=1)}, "plan does not follow"),
    ],
)
def test_what_does_not_follow_is_refused(made: Chosen, change: dict[str, Any], why: str) -> None:
    assert why in lie(made, change)


def test_a_group_beside_the_listed_ones_is_refused(made: Chosen) -> None:
    """Of two columns with a list of pairs, every value is listed, and the pair is not."""
    pairs = pets.KeySet(("code", "ok"), (("a", True), ("b", False), ("c", True)))
    session = pets.Session(SCHEMA, {"apc": ROWS}, budget=pets.Budget(20, 1e-6), progress=False)
    keys = session.top_keys(T.group_by(pairs).agg(n=pets.count_units()), 1, pets.DP(epsilon=1))
    assert check(file_of(keys), session.ledger.key.raw)
    made = copy.copy(made)
    made.ledger, made.key, made.keys = session.ledger, session.ledger.key.raw, [keys]
    assert "none of the listed ones" in lie(made, {"rows": [["a", False]]})


def test_a_choice_costs_what_k_rounds_do(made: Chosen) -> None:
    """The same noise for the price of one round."""
    form = made.keys[0].form
    cost = form["cost"] | {"loss": form["cost"]["loss"] // 2}
    assert lie(made, {"cost": cost})


def test_another_kind_cannot_be_checked(made: Chosen) -> None:
    keys = made.keys[0]
    assert keys.certificate is not None
    one = copy.deepcopy(keys.form) | {"version": 2}
    with pytest.raises(CannotCheck):
        check(made.signed(one, copy.deepcopy(keys.certificate.predicate))[0], made.key)
