"""A new kind of node must have a generator: otherwise the suites would silently stop covering the language."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

import pets.schema.schema  # loads every module that defines a domain
from pets.query_model.condition import measure
from pets.query_model.expression import And, Filter, Not, Or
from pets.query_model.features import PICKED, Feature, How, Reading
from pets.query_model.group_keys import Key
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.nodes.derived import Derived
from pets.query_model.query import Query
from pets.query_model.traits import SPELLINGS, Spelling
from pets.schema.domain import Domain
from pets.schema.schema import Integer, Real, Schema
from tests import aggregates, derived, oracle, people, people_strategies, strategies

REGISTRIES: dict[type[Any], dict[Any, Any]] = {
    Domain: strategies.DOMAINS,
    Filter: strategies.FILTERS | people_strategies.EVENT_FILTERS,
    Key: strategies.KEYS,
    Derived: derived.DERIVED,
    Aggregate: aggregates.AGGREGATES,
    Feature: people_strategies.FEATURES,
}


def concrete(base: type[Any]) -> Iterator[type[Any]]:
    """Every kind below a base that has a name of its own in the canonical form."""
    for kind in base.__subclasses__():
        if kind.__module__.startswith("pets") and kind.__dict__.get("kind"):
            yield kind
        yield from concrete(kind)


@pytest.mark.parametrize("base", REGISTRIES, ids=lambda base: base.__name__)
def test_every_kind_of_node_has_a_generator(base: type[Any]) -> None:
    missing = sorted(kind.__name__ for kind in set(concrete(base)) - set(REGISTRIES[base]))
    where = {Aggregate: "aggregates", Derived: "derived", Feature: "people_strategies"}.get(base, "strategies")
    assert not missing, f"add a generator to tests/{where}.py for: {', '.join(missing)}"
    assert set(REGISTRIES[base]) == set(concrete(base))
    assert pets.schema.schema.__all__


def test_the_check_notices_a_new_kind() -> None:
    kind = type("Nearest", (Key,), {"kind": "nearest", "__module__": "pets.query_model.group_keys"})
    try:
        with pytest.raises(AssertionError, match="Nearest"):
            test_every_kind_of_node_has_a_generator(Key)
    finally:
        del kind
        import gc

        gc.collect()  # a class lives on in its base's list until it is collected
    test_every_kind_of_node_has_a_generator(Key)


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=list(SPELLINGS))
def test_the_oracle_knows_every_aggregate(spelling: Spelling) -> None:
    """Before a random query finds one that it does not: the answer of no rows, by the spelling's own example."""
    fields = {"age": Integer(0, 120), "length_of_stay": Integer(0, 60), "cost": Real(0, 100, step=0.5)}
    name, node = measure(spelling.name, "n" if spelling.takes == "rows" else spelling.example.strip('"'))
    found = aggregates.meaning(node, fields, [], Query("t", aggregates=((name, node),)))
    if not isinstance(found, (list, tuple)):
        found = [found]
    assert not any(found), "no rows, and yet something was counted"


def test_an_aggregate_that_the_oracle_does_not_know_is_named() -> None:
    class Nearest(Aggregate):
        """One that nobody taught it (without a kind, so that no registry is asked for it)."""

    with pytest.raises(AssertionError, match=r"tests/aggregates\.py must say.*Nearest"):
        aggregates.meaning(Nearest(), {}, [], Query("t"))


def compilers(path: Path) -> list[str]:
    """What a file imports of the code that it judges."""
    tree = ast.parse(path.read_text("utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return [name for name in names if name.startswith(("pets.rows", "pets.plan"))]


def test_what_a_query_means_is_said_without_the_compiler() -> None:
    for module in (oracle, aggregates, derived, people):
        assert compilers(Path(str(module.__file__))) == []
    assert compilers(Path(str(strategies.__file__))) == ["pets.plan.plan"]  # it leaves out what the planner refuses


def nodes(query: Query) -> set[type[Any]]:
    """Every kind of node that a query is made of."""
    out: set[type[Any]] = {type(key) for key in query.keys} | {type(node) for _, node in query.aggregates}
    out |= {type(node) for _, node in query.derived}
    conditions = [query.condition, *(getattr(node, "where", None) for _, node in query.aggregates)]
    while conditions:
        condition = conditions.pop()
        if condition is not None:
            out.add(type(condition))
            conditions += condition.terms if isinstance(condition, (And, Or)) else []
            conditions += [condition.term] if isinstance(condition, Not) else []
    return out


@st.composite
def asked(draw: Any) -> tuple[Schema, Query]:
    schema = draw(strategies.schemas())
    return schema, draw(strategies.queries(schema))


QUICK = settings(
    max_examples=3000,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@cache
def drawn(strategy: Callable[[], Any]) -> list[Any]:
    """Some hundred examples, drawn once for all that look for something in them."""
    found: list[Any] = []

    @settings(QUICK, max_examples=150)
    @given(strategy())
    def keep(one: Any) -> None:
        found.append(one)

    keep()
    return found


def generated(strategy: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """Whether an example holds what is looked for; what is rare is sought further."""
    return any(holds(one) for one in drawn(strategy)) or find(strategy(), holds, settings=QUICK)


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for base in (Filter, Key, Derived, Aggregate)
        for kind in REGISTRIES[base]
        if kind not in people_strategies.EVENT_FILTERS
    ],
    ids=lambda kind: kind.__name__ if inspect.isclass(kind) else str(kind),
)
def test_every_kind_of_node_is_generated(kind: type[Any]) -> None:
    assert generated(asked, lambda found: kind in nodes(found[1]))


@pytest.mark.parametrize("kind", list(strategies.DOMAINS), ids=lambda kind: kind.__name__)
def test_every_kind_of_domain_is_generated(kind: type[Domain]) -> None:
    found = find(strategies.schemas(), lambda s: any(type(d) is kind for d in s.fields("t").values()), settings=QUICK)
    assert found


@pytest.mark.parametrize(
    ("what", "holds"),
    [
        ("key set", lambda query: query.keyset is not None),
        ("cap on groups", lambda query: query.groups is not None and query.keys),
        ("bound on rows", lambda query: query.rows is not None),
        ("cap on a group's rows", lambda query: query.rows_per_group is not None and query.keys),
        ("three keys", lambda query: len(query.keys) == 3),
        ("filter and keys", lambda query: query.condition is not None and query.keys),
        ("clip", lambda query: any(getattr(node, "clip", None) is not None for _, node in query.aggregates)),
        ("step", lambda query: any(getattr(node, "step", None) is not None for _, node in query.aggregates)),
        ("condition of its own", lambda query: any(getattr(n, "where", None) is not None for _, n in query.aggregates)),
    ],
)
def test_every_part_of_a_query_is_generated(what: str, holds: Any) -> None:
    assert generated(asked, lambda found: bool(holds(found[1]))), what


def features_of(query: Query) -> list[Feature]:
    """Every feature that a question about people is made of."""
    assert query.people is not None
    left = [feature for _, feature in query.people.features]
    found = []
    while left:
        found.append(left.pop())
        left += found[-1].inputs
    return found


@st.composite
def about_people(draw: Any) -> Query:
    return draw(people_strategies.questions(draw(people_strategies.schemas())))  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", list(people_strategies.FEATURES), ids=lambda kind: kind.__name__)
def test_every_kind_of_feature_is_generated(kind: type[Any]) -> None:
    assert generated(about_people, lambda query: any(type(one) is kind for one in features_of(query)))


@pytest.mark.parametrize("kind", list(people_strategies.EVENT_FILTERS), ids=lambda kind: kind.__name__)
def test_every_kind_of_condition_on_events_is_generated(kind: type[Any]) -> None:
    def compares(query: Query) -> bool:
        rows = [one.rows.condition for one in features_of(query) if isinstance(one, Reading)]
        return any(kind.__name__ in repr(condition) for condition in rows)

    assert generated(about_people, compares)


@pytest.mark.parametrize("how", PICKED)
@pytest.mark.parametrize("of_itself", [True, False])
def test_the_nth_row_is_generated(how: str, of_itself: bool) -> None:
    def reads(query: Query) -> bool:
        found = [one for one in features_of(query) if isinstance(one, Reading) and one.how == how]
        return any(one.nth in (2, 3) and (one.by == one.column) is of_itself for one in found)

    assert generated(about_people, reads)


@pytest.mark.parametrize("how", get_args(How))
def test_every_way_to_read_rows_is_generated(how: str) -> None:
    def reads(query: Query) -> bool:
        return any(isinstance(one, Reading) and one.how == how for one in features_of(query))

    assert generated(about_people, reads)
