"""All engines agree with each other, number by number, and with what the query means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest
from hypothesis import event, given, settings

from pets import testing
from pets.federated.secure_sum.encrypted import EncryptedParty
from pets.federated.secure_sum.interface import WAYS as COMBINED
from pets.federated.secure_sum.local import LocalParty
from pets.federated.secure_sum.masked import MaskedParty
from pets.plan.plan import Plan, make_plan
from pets.plan.vector import IntVector
from pets.rows.tabulate import LOCAL as TABULATORS
from pets.rows.tabulate import tabulate
from pets.testing import exact_answers
from tests import he_parties, oracle, strategies
from tests.generative.compare import differences
from tests.spec.engines import ENGINES, FEDERATED, WAYS, Engine
from tests.strategies import Case


def agree(case: Case, engines: Mapping[str, Engine] = ENGINES) -> None:
    """The snapshot holds what the rows mean, and every engine gives the oracle's answer on it."""
    snapshot = testing.snapshot(case.schema, case.sources(), case.table)
    rows = oracle.kept(case.schema, case.table, case.data, snapshot)
    wanted = oracle.answer(case.schema, case.query, rows)
    event("empty" if not rows else "rows")
    vectors: dict[str, list[int]] = {}

    def noted(plan: Plan, rows_of: Any, engine: str = "duckdb") -> IntVector:
        vector = tabulate(plan, rows_of, engine)
        if rows_of is snapshot:
            vectors[engine] = vector.reveal().tolist()
        return vector

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_answers, "tabulate", noted)
        tables = {name: engine(case.schema, snapshot, case.query) for name, engine in engines.items()}
    for name, table in tables.items():
        wrong = differences(wanted, table)
        assert not wrong, f"{name}: {wrong[:5]}\nkept {rows}"
        assert table.equals(next(iter(tables.values()))), f"{name} differs in a bit from the others"
    plan = make_plan(case.query, case.schema)
    for engine in set(TABULATORS) - set(vectors):
        vectors[engine] = tabulate(plan, snapshot, engine).reveal().tolist()
    assert len({tuple(vector) for vector in vectors.values()}) == 1, vectors
    for measure, block in zip(plan.measures, plan.blocks, strict=True):
        if measure.kind == "tree":
            trees_add_up(vectors["duckdb"][block], measure.levels)


def trees_add_up(block: list[int], levels: tuple[int, ...]) -> None:
    """Each node is the sum of its children; an exact answer shows the leaves only."""
    for start in range(0, len(block), sum(levels)):
        below: list[int] = []
        for size in levels:
            here, start = block[start : start + size], start + size
            fanout = -(-len(below) // size)
            assert not below or here == [sum(below[i * fanout : (i + 1) * fanout]) for i in range(size)]
            below = here


@pytest.mark.timeout(2400)  # three engines, one of them with three parties who encrypt
@settings(max_examples=150)
@given(case=strategies.cases())
def test_every_engine_gives_what_the_query_means(case: Case) -> None:
    agree(case)


@pytest.mark.timeout(2400)
@settings(max_examples=25)
@given(case=strategies.cases(person_table=True, by_row=False))
def test_also_with_a_person_table(case: Case) -> None:
    agree(case)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=5000)
@given(case=strategies.cases(size=60))
def test_every_engine_gives_what_the_query_means_soak(case: Case) -> None:
    agree(case)


@settings(max_examples=8)
@given(case=strategies.cases())
def test_a_federation_gives_what_the_pooled_rows_would(case: Case) -> None:
    agree(case, FEDERATED)


@settings(max_examples=3)
@given(case=strategies.cases(person_table=True, by_row=False))
def test_a_federation_also_with_a_person_table(case: Case) -> None:
    agree(case, FEDERATED)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=500)
@given(case=strategies.cases(size=60))
def test_a_federation_gives_what_the_pooled_rows_would_soak(case: Case) -> None:
    agree(case, FEDERATED)


def test_each_way_to_combine_is_really_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry whose ``secure=`` was lost on the way would agree with the others, and prove nothing."""
    assert WAYS == COMBINED
    assert set(FEDERATED) == {f"federated({n}), {way}" for n in (3, 5) for way in WAYS}
    ran: list[tuple[str, int]] = []
    for way, kind in (("masked", MaskedParty), ("encrypted", EncryptedParty), ("local", LocalParty)):
        inner = kind.answer

        def answer(self: Any, number: int, body: bytes, inner: Any = inner, way: str = way) -> bytes:
            ran.append((way, number))
            return inner(self, number, body)

        monkeypatch.setattr(kind, "answer", answer)
    rows = pd.DataFrame({"person": [f"p{n}" for n in range(20)], "g": [n % 5 for n in range(20)], "v": range(20)})
    for name, engine in FEDERATED.items():
        ran.clear()
        engine(he_parties.schema(), {"t": rows}, he_parties.query())
        sites, way = int(name[len("federated(")]), name.split(", ")[1]
        rounds = {"masked": 5, "encrypted": 1, "local": 1}[way]
        assert ran == [(way, number) for number in range(rounds) for _ in range(sites)], name
