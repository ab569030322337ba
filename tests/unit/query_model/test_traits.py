"""Every aggregate has one row of traits, every row is used by all that read it, and no other file lists kinds."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args, get_type_hints

import pandas as pd
import pytest

import pets
from pets.cli.flags import Question
from pets.ledger.publish.wording import asked
from pets.plan.plan import make_plan
from pets.query_model import aggregate as aggregates
from pets.query_model.condition import measure
from pets.query_model.expression import Compare, Filter
from pets.query_model.traits import SPELLINGS, TRAITS, Shape, Spelling
from pets.release.plot import measured
from pets.service.console.pages.analyst.parts import MEASURES
from pets.session.guarantee_text import what

COLUMNS = {
    "age": pets.Integer(0, 120),
    "length_of_stay": pets.Integer(0, 60),
    "cost": pets.Real(0, 100, step=0.5),
}
SCHEMA = pets.Schema({"stays": pets.Table(unit="row", columns=COLUMNS)}, dataset="traits")
ROWS = pd.DataFrame({"age": [70, 20, 66], "length_of_stay": [1, 5, 9], "cost": [1.5, 7, 90]})


def asked_for(spelling: Spelling) -> pets.Query:
    """The question that the spelling's own example asks."""
    text = spelling.example.strip('"')
    name, aggregate = measure(spelling.name, "n" if spelling.takes == "rows" else text)
    return pets.query("stays").agg(**{name: aggregate})


def test_every_aggregate_has_a_row_of_traits() -> None:
    nodes = {
        node.kind
        for _, node in inspect.getmembers(aggregates, inspect.isclass)
        if issubclass(node, aggregates.Aggregate) and node.kind
    }
    assert nodes == set(TRAITS) == set(aggregates.AGGREGATES)
    assert {row.shape for row in TRAITS.values()} == set(get_args(Shape))


def conditions(node: type[aggregates.Aggregate]) -> set[str]:
    """The settings of an aggregate that are conditions."""
    hints = get_type_hints(node)
    return {
        entry.name
        for entry in fields(node)
        if any(isinstance(part, type) and issubclass(part, Filter) for part in parts(hints[entry.name]))
    }


def parts(hint: object) -> Iterator[object]:
    """A type and all that it is made of."""
    yield hint
    for part in get_args(hint):
        yield from parts(part)


def test_an_aggregate_has_one_condition_and_calls_it_where() -> None:
    """Canonical JSON, the public log, a site's filters and its rules of exact totals read ``where`` and no other."""
    for node in aggregates.AGGREGATES.values():
        assert conditions(node) <= {"where"}, f"{node.kind}: a rule of a site would not see {conditions(node)}"


def test_the_check_of_conditions_bites() -> None:
    @dataclass(frozen=True)
    class Share(aggregates.Count):
        of: Filter | None = None
        among: tuple[Compare, ...] = ()

    assert conditions(Share) == {"where", "of", "among"}


def test_an_aggregate_without_a_row_is_refused_in_one_sentence() -> None:
    class Mode(aggregates.Count):
        kind = "mode"

    with pytest.raises(pets.UserError, match=r"such as pets\.count"):
        pets.query("stays").agg(n=Mode())
    with pytest.raises(pets.UserError, match=r"such as pets\.count"):
        pets.Query("stays", aggregates=(("n", Mode()),))


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_spelling_is_a_public_function_and_a_flag(name: str) -> None:
    assert name in pets.__all__ or name == "sum"  # a star import leaves Python's own sum alone
    assert getattr(pets, name) is getattr(aggregates, name)
    assert name in inspect.signature(Question).parameters
    (given,) = asked_for(SPELLINGS[name]).aggregates
    assert SPELLINGS[name] in given[1].traits.spellings


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=list(SPELLINGS))
def test_every_reader_of_traits_knows_the_kind(spelling: Spelling) -> None:
    """Plan, quote, release, chart, the log's words and a site's policy: none falls through."""
    query = asked_for(spelling)
    ((name, aggregate),) = query.aggregates
    (output,) = make_plan(query, SCHEMA).outputs
    assert output.kind == aggregate.kind
    session = pets.Session(SCHEMA, {"stays": ROWS}, budget=pets.Budget(epsilon=1000, delta=1e-6))
    ((expected,),) = session.quote(query, pets.DP(epsilon=100)).errors
    assert (expected.half_width is None) == aggregate.traits.error_by_size
    release = session.release(query, pets.DP(epsilon=100))
    text = measured(release, release.estimates[name])
    assert text.startswith(name)
    assert "{" not in text
    words = asked(what(query))
    assert words != what(query), "the public log has no words for it"
    assert words.endswith(".")
    if aggregate.traits.error_known:
        assert session.quote(query, pets.DP(within=5)).cost.loss > 0
    else:
        with pytest.raises(pets.UserError, match="cannot be promised"):
            session.quote(query, pets.DP(within=5))
    from pets.federated.site.policy import TableRule

    assert TableRule(aggregates=(aggregate.kind,)).aggregates == (aggregate.kind,)


def test_median_is_the_quantile_of_one_half() -> None:
    named = pets.query("stays").agg(m=pets.median("cost", bins=50, where=pets.col("age") > 60))
    plain = pets.query("stays").agg(m=pets.quantile("cost", 0.5, bins=50, where=pets.col("age") > 60))
    assert named.to_json() == plain.to_json()
    assert named.digest == plain.digest
    exact = pets.testing.exact(SCHEMA, {"stays": ROWS}, pets.query("stays").agg(m=pets.median("length_of_stay")))
    assert exact["m"].tolist() == [5]


# no other list of kinds -------------------------------------------------------------------------------------------

_TELLING = frozenset(TRAITS) - {"count", "sum"}  # those two are names of many other things
_OTHERS = {
    "query_model/traits.py": "the table",
    "query_model/aggregate.py": "the public names, which a test above compares with the table",
    "service/console/pages/analyst/parts.py": "a form's words for some of the public names; held to the table below",
    "he/tables/answer.py": "answers of encrypted tables, which are no aggregates",
    "verify/plan.py": "the checker's own planner, which shares nothing with pets",
    "verify/kinds/rounded.py": "what the checker takes of a rounded table",
    "verify/kinds/summed.py": "the same over sites",
    "verify/kinds/counts/outside.py": "the same outside the grid",
    "verify/asked.py": "as the planner: what the checker takes of a question",
}


def kind_lists(source: str) -> Iterator[str]:
    """Where a list, tuple, set or mapping holds several kinds, or an output's kind is compared with a text."""
    for node in ast.walk(ast.parse(source)):
        parts: list[ast.expr | None] = []
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            parts = list(node.elts)
        elif isinstance(node, ast.Dict):
            parts = list(node.keys)
        elif isinstance(node, ast.Compare):
            kind = ast.unparse(node.left).endswith(("output.kind", "aggregate.kind"))
            with_text = any(isinstance(part, ast.Constant) for other in node.comparators for part in ast.walk(other))
            if kind and with_text:
                yield ast.unparse(node)
        texts = {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
        if len(texts & _TELLING) >= 2:
            yield ast.unparse(node)


def test_no_other_file_lists_kinds() -> None:
    home = Path(pets.__file__).parent
    found = {
        file.relative_to(home).as_posix(): lists
        for file in home.rglob("*.py")
        if (lists := list(kind_lists(file.read_text("utf-8"))))
    }
    assert set(found) <= set(_OTHERS), found


def test_a_form_offers_what_the_table_has() -> None:
    kinds = {spelling.name: row for row in TRAITS.values() for spelling in row.spellings}
    assert set(MEASURES) <= set(kinds)
    assert {name for name in MEASURES if SPELLINGS[name].takes == "rows"} == {"count", "count_units"}
    assert {name for name in MEASURES if SPELLINGS[name].colon == "bounds"} == {"sum", "mean", "std"}


@pytest.mark.parametrize(
    "planted",
    [
        'bars = ("count", "rate", "histogram")',
        'made = {"mean": 1, "variance": 2}',
        'if column.output.kind == "quantile": pass',
        'if output.kind in ("sum", "count_units"): pass',
    ],
)
def test_the_scan_bites(planted: str) -> None:
    assert list(kind_lists(planted))
