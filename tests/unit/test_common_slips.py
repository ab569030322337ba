"""The commonest slips, each answered by one plain sentence that names the remedy."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import Boolean, Category, Date, Identifier, Integer, KeySet, Lookup, Real, Schema, Table, Unit, col
from pets.common.codec import canonical, fraction, number
from pets.errors import BudgetError, QueryError, SchemaError, UserError
from pets.plan.plan import make_plan
from pets.plan.predicate import resolve
from pets.query_model.expression import Compare, filter_from_json
from pets.query_model.group_keys import ColumnKey
from pets.query_model.nodes.derived import Linear
from pets.query_model.query import Query
from pets.release.release_form import parts_of
from pets.synthetic.dummy import invent

COLUMNS = {
    "id": Identifier(),
    "g": Category(["a", "b"]),
    "v": Integer(0, 10),
    "b": Boolean(),
    "d": Date("2020-01-01", "2020-12-31"),
    "r": Real(0, 1, 0.01),
}
S = Schema({"t": Table(Unit("id", max_rows=3, rows=2), COLUMNS)})
Q = pets.query("t").agg(n=pets.count())
SESSION = pets.Session(S, budget=pets.Budget(epsilon=1e5, delta=1e-6))


def plain(error: UserError) -> None:
    text = str(error)
    assert text, "a message"
    assert "\n" not in text and text.isprintable(), f"one printable line, not {text!r}"
    assert len(text) <= 400, f"{len(text)} characters: {text}"


def says(error: type[UserError], *parts: str) -> Any:
    """A context in which exactly this error is raised, with these words."""

    class Says:
        def __enter__(self) -> None:
            return None

        def __exit__(self, kind: type | None, raised: BaseException | None, _: object) -> bool:
            assert isinstance(raised, error), f"{error.__name__}, not {raised!r}"
            plain(raised)
            for part in parts:
                assert part in str(raised), str(raised)
            return True

    return Says()


# the slips of beginners --------------------------------------------------------------------------------------------


def test_calls_with_the_wrong_arguments() -> None:
    anything: Any = pets
    with says(BudgetError, "DP(epsilon=0.5)"):
        anything.DP(0.5)
    with says(BudgetError, "no argument 'epsilom'", "did you mean 'epsilon'"):
        anything.DP(epsilom=0.5)
    with says(BudgetError, "Budget(epsilon=3, delta=1e-6)"):
        anything.Budget()
    with says(QueryError, "clip=", "sum('cost', clip=(0, 100))"):
        anything.sum("v", (0, 5))
    with says(QueryError, ".agg(n=pets.count())"):
        anything.query("t").agg(pets.count())
    with says(QueryError, "isin(['Female', 'Male'])"):
        anything.col("g").isin("a", "b")
    with says(QueryError, "bound(rows=3)"):
        Q.bound(3)  # type: ignore[misc]
    with says(QueryError, "&"):
        Q.where(col("v") > 1, col("v") < 3)  # type: ignore[call-arg]
    with says(QueryError, "rate needs where"):
        anything.rate()
    with says(SchemaError, "Integer needs hi"):
        anything.Integer(3)
    with says(SchemaError, "no argument 'maxrows'", "max_rows"):
        anything.Unit("id", maxrows=3)
    with says(SchemaError, "twice"):
        anything.Unit("id", column="id")
    schema = pets.Schema({"t": pets.Table(pets.Unit("id"), {"id": pets.Identifier()})})
    session: Any = pets.Session(schema, {"t": pd.DataFrame({"id": ["a"]})}, budget=pets.Budget(epsilon=1, delta=1e-6))
    with says(UserError, "no argument 'row'", "did you mean 'rows'", "dummy(rows=1000, seed=0)"):
        session.dummy(row=5)
    with says(UserError, "no argument 'agian'", "did you mean 'again'"):
        session.release(Q, pets.DP(epsilon=1), agian=True)
    with says(UserError, "quote needs protection", "pets.DP(epsilon=1)"):
        session.quote(Q)
    assert pets.query("t").agg(self=pets.count()).aggregates[0][0] == "self"


def test_columns_are_computed_with_in_few_ways() -> None:
    c: Any = col("v")
    for attempt in (
        lambda: 2 / c, lambda: 2**c, lambda: abs(c), lambda: c[0], lambda: list(c), lambda: float(c), lambda: c % 7,
    ):  # fmt: skip
        with says(QueryError, "constant multiples"):
            attempt()
    for attempt in (lambda: c * c, lambda: c * col("w"), lambda: (c + 1) * c):
        with says(QueryError, "constants alone"):
            attempt()
    for attempt in (lambda: c + "x", lambda: c + None, lambda: c - [1], lambda: c * float("nan"), lambda: c // "x"):
        with says(QueryError, "plain numbers"):
            attempt()
    for attempt in (lambda: (c + 1) > 3, lambda: (c + 1).isin([1]), lambda: not (c + 1), lambda: (c + 1) & (c > 1)):
        with says(QueryError, "a name first"):
            attempt()
    for same in (lambda: np.int64(3) * c, lambda: c * 3, lambda: 4 * c - c, lambda: c + 2 * c, lambda: -(-3 * c)):
        assert same() == Linear((("v", Fraction(3)),))
    assert 1 - c == Linear((("v", Fraction(-1)),), Fraction(1)) == -(c - 1)
    for attempt in (lambda: c & (c > 1), lambda: (c > 1) & c, lambda: ~c, lambda: True | c):
        with says(QueryError):
            attempt()
    with says(QueryError, "isin"):
        3 in c  # noqa: B015
    with says(QueryError, "'v'"):
        {c: 1}  # noqa: B018
    with says(QueryError):
        True & (c > 1)


def test_numpy_scalars_on_the_left() -> None:
    assert (np.int64(5) < col("v")) == Compare("v", ">", 5)
    assert (np.float64(0.5) == col("r")) == Compare("r", "==", Fraction(1, 2))


# constants ---------------------------------------------------------------------------------------------------------


def test_constants_of_other_libraries() -> None:
    day = dt.date(2020, 5, 1)
    for same in (
        np.datetime64("2020-05-01"), np.datetime64("2020-05-01", "ns"), np.datetime64("2020-05-01", "s"),
        np.datetime64("2020-05"), pd.Timestamp("2020-05-01"), dt.datetime(2020, 5, 1),
    ):  # fmt: skip
        found = (col("d") == same).value  # type: ignore[attr-defined]
        assert found == day and type(found) is dt.date
        assert Date(same, same).lo == day
    assert (col("v") == np.int64(2**62 + 1)).value == 2**62 + 1  # type: ignore[attr-defined]
    assert (col("b") == np.True_).value is True  # type: ignore[attr-defined]
    assert type((col("g") == np.str_("a")).value) is str  # type: ignore[attr-defined]
    assert col("g").isin(np.array(["a", "b"])) == col("g").isin(pd.Series(["a", "b"])) == col("g").isin(["a", "b"])


@pytest.mark.parametrize(
    "moment",
    [
        dt.datetime(2020, 5, 1, 12),
        dt.datetime(2020, 5, 1, tzinfo=dt.UTC),
        pd.Timestamp("2020-05-01") + pd.Timedelta(1, "ns"),
        np.datetime64("2020-05-01T00:00:00.000000001"),
        np.datetime64("2020-05-01T12", "h"),
    ],
)
def test_a_moment_is_not_cut_to_a_day(moment: Any) -> None:
    with says(QueryError, "compare with a date, such as 2020-05-01"):
        resolve(col("d") < moment, {"d": Date("2020-01-01", "2020-12-31")}, "t")
    with says(QueryError, "is not a key"):
        KeySet(("d",), [(moment,)])
    with says(SchemaError, "min must be a date"):
        Date(moment, "2024-01-01")


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float64("nan"), pd.NaT, pd.NA, np.datetime64("NaT")])
def test_no_value_is_asked_for_with_is_null(nothing: Any) -> None:
    with says(QueryError, "is_null()"):
        col("v") == nothing  # noqa: B015


def test_a_list_is_asked_for_with_isin() -> None:
    for wrong in ([1, 2], np.array([1, 2]), pd.Series([1, 2])):
        with says(QueryError, "isin([...])"):
            col("v") == wrong  # noqa: B015
    for wrong in (5, None, "ab", b"ab", {"a": 1}, np.array(5)):
        with says(QueryError, "isin needs a list"):
            col("v").isin(wrong)  # type: ignore[arg-type]
    with says(QueryError, "100,000"):
        col("v").isin(itertools.count())


@pytest.mark.parametrize("exact", ["0.5", "-0.001", "1/3", "7", str(10**40 + 1) + "/8", "-" + "1" * 50 + ".25"])
def test_numbers_are_exact_there_and_back(exact: str) -> None:
    value = fraction(exact)
    assert fraction(number(value)) == value == Fraction(exact)


def test_nested_conditions() -> None:
    made = col("v") > 0
    with says(QueryError, "nested"):
        for i in range(1000):
            made = (made | (col("v") > i)) & (col("v") < 9)
    form: Any = {"filter": "is_null", "column": "v"}
    for _ in range(3000):
        form = {"filter": "not", "term": form}
    with says(QueryError, "nested"):
        filter_from_json(form)


@pytest.mark.parametrize(
    "kind", [col("v") > 0, col("v").isin([1]), col("v").is_null(), ~(col("v") > 0), col("v").between(1, 2)]
)
def test_no_part_of_a_condition_is_passed_over(kind: Any) -> None:
    """Read without it, the question would be another."""
    with says(QueryError, "has no part 'negated'"):
        filter_from_json(kind.to_json() | {"negated": True})
    with says(QueryError, "has no part 'negated'"):
        filter_from_json({"filter": "and", "terms": [kind.to_json(), kind.to_json() | {"negated": True}]})


# key sets ----------------------------------------------------------------------------------------------------------


def test_key_sets_from_data_frames() -> None:
    frame = pd.DataFrame({"v": [1, 2], "b": [True, False], "d": pd.to_datetime(["2020-05-01", "2020-05-02"])})
    made = KeySet.product({name: frame[name].unique() for name in frame})
    assert made.rows[0] == (1, True, "2020-05-01")
    assert KeySet.from_json(json.loads(canonical(made.to_json()))) == made
    make_plan(pets.query("t").group_by(made).agg(n=pets.count()), S)
    assert KeySet.of(frame.to_dict("records")) == KeySet(("v", "b", "d"), frame.to_numpy())  # type: ignore[arg-type]
    assert KeySet(("v",), [(2.0,)]).rows == ((2,),)  # type: ignore[arg-type]
    for wrong in (float("nan"), pd.NaT, decimal.Decimal("0.5"), [1], b"a"):
        with says(QueryError, "is not a key", "None for missing"):
            KeySet.product({"v": [wrong]})


def test_key_sets_of_the_wrong_shape() -> None:
    makers: list[Callable[[], Any]] = [
        lambda: KeySet.product([1]),  # type: ignore[arg-type]
        lambda: KeySet.of(None),  # type: ignore[arg-type]
        lambda: KeySet.of("x"),  # type: ignore[arg-type]
        lambda: KeySet(("g",), None),  # type: ignore[arg-type]
        lambda: KeySet.product({"g": "ab"}),
        lambda: KeySet.product(),  # type: ignore[call-arg]
    ]
    for make in makers:
        with says(QueryError, "such as KeySet."):
            make()
    for rows in ([1], ["ab"], ["a"], [("a", "b")], [{"g": "a"}]):
        with says(QueryError, "each key is a tuple of 1 value"):
            KeySet(("g",), rows)  # type: ignore[arg-type]
    with says(QueryError, "list of columns"):
        KeySet("g", [("a",)])  # type: ignore[arg-type]
    for times in (lambda k: k * 3, lambda k: 3 * k, lambda k: k * None, lambda k: np.int64(3) * k):
        with says(QueryError, "another KeySet"):
            times(KeySet.product({"g": ["a"]}))
    with says(QueryError, "2,000,000"):
        KeySet.product({"v": itertools.count()})
    with says(QueryError, "same names"):
        Query.from_json({"table": "t", "agg": [], "by": ["g"], "keyset": {"columns": ["v"], "rows": [[1]]}})


# names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00b", "x" * 129, "\ud800"])
def test_names_are_short_and_printable(name: str) -> None:
    for attempt in (
        lambda: pets.query("t").agg(**{name: pets.count()}),
        lambda: pets.query(name),
        lambda: col(name),
        lambda: pets.query("t").group_by(name),
        lambda: KeySet((name,), [("a",)]),
        lambda: Table("row", {name: Boolean()}),  # type: ignore[arg-type]
    ):
        with says(UserError, "1 to 128 characters"):
            attempt()


def test_names_that_an_answer_needs_itself() -> None:
    t = pets.query("t")
    with says(QueryError, "'n_low'", "rename"):
        t.agg(n=pets.count(), n_low=pets.count())
    with says(QueryError, "'n_high'"):
        t.agg(n_high=pets.count()).agg(n=pets.count())
    with says(QueryError, "'g_low'"):
        t.group_by(ColumnKey("v", "g_low")).agg(g=pets.count())
    with says(QueryError, "'n_counts'"):
        t.agg(n=pets.count_units(), n_counts=pets.count())
    with says(QueryError, "'a_low_low'"):
        t.agg(**{"a_low": pets.count(), "a_low_low": pets.count()})
    t.agg(n=pets.count(), n_counts=pets.count())
    for key in ("bin", "count", "low", "high"):
        t.group_by(ColumnKey("g", key)).agg(n=pets.count())
        with says(QueryError, repr(key), "histogram"):
            t.group_by(ColumnKey("g", key)).agg(n=pets.histogram("v"))
    with says(QueryError, "twice"):
        t.group_by("g").agg(g=pets.count())


@pytest.mark.parametrize(
    "attempt",
    [
        lambda bad: Category([bad]),
        lambda bad: Category(["a"], null=[bad]),
        lambda bad: Lookup("a", {bad: "x"}),
        lambda bad: Lookup("a", {"x": bad}),
        lambda bad: col("g") == bad,
        lambda bad: KeySet(("g",), [(bad,)]),
        lambda bad: Schema({"t": S.tables["t"]}, dataset=bad),
    ],
)
def test_half_characters_are_refused(attempt: Callable[[str], Any]) -> None:
    with says(UserError):
        attempt("a\ud800b")
    with says(UserError, "surrogate"):
        canonical(["\ud800"])


# schemas -----------------------------------------------------------------------------------------------------------


def test_domains() -> None:
    with says(SchemaError, "null must be a list"):
        Category(["a"], null=5)  # type: ignore[arg-type]
    with says(SchemaError, "null must be a list"):
        Boolean(null=None)  # type: ignore[arg-type]
    with says(SchemaError, "pets.Lookup"):
        Category(["a"], lookup={"b": "a"})  # type: ignore[arg-type]
    with says(SchemaError, "mapping"):
        Lookup("a", [1])  # type: ignore[arg-type]
    with says(SchemaError, "whole number"):
        Integer([], 5)
    with says(SchemaError, "min must be a date"):
        Date(pd.NaT, "2020-01-01")
    assert Unit("id", np.int64(3)).max_rows == 3  # type: ignore[arg-type]
    assert type(Unit("id", np.int64(3)).max_rows) is int  # type: ignore[arg-type]
    with says(SchemaError, "max_rows must be a whole number"):
        unit = {"column": "a", "max_rows": "9" * 5000}
        Schema.load({"tables": {"t": {"unit": unit, "columns": {"a": {"type": "identifier"}}}}})


def test_paths_of_schemas(tmp_path: Path) -> None:
    for wrong in (5, None, [], b"x"):
        with says(SchemaError, "path"):
            Schema.load(wrong)  # type: ignore[arg-type]
    for wrong in ("a\x00b", "\ud800", "x" * 5000, str(tmp_path), str(tmp_path / "none.yaml")):
        with says(SchemaError, "check the path"):
            Schema.load(wrong)


def test_a_mapping_never_opens_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("key,value\nx,y\n", "utf-8")
    lookup = {"column": "c", "file": str(secret)}
    columns = {"c": {"type": "category", "values": ["x"]}, "a": {"type": "category", "values": ["y"], "lookup": lookup}}
    form = {"tables": {"t": {"unit": "row", "columns": columns}}}
    for read in (Schema.load, Schema.from_json):
        with says(SchemaError, "'map'"):
            read(form)
    with says(SchemaError, "a schema must be a mapping"):
        Schema.from_json(str(secret))
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(form), "utf-8")
    mapped = Schema.load(file).table("t").columns["a"]
    assert isinstance(mapped, Category) and mapped.lookup is not None and dict(mapped.lookup.mapping) == {"x": "y"}
    release = {"pets": "release", "version": 1, "dataset": "d", "table": "t", "query": Q.to_json(), "plan": ""}
    for schema in (str(file), form):
        with says(SchemaError):
            parts_of(release | {"schema": schema})


# budgets, explanations, quotes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [10**400, decimal.Decimal("sNaN"), float("inf"), 10**5000, Fraction(1, 10**5000)],
    ids=["int", "sNaN", "inf", "long int", "long fraction"],
)
def test_budgets_and_protections_of_no_ordinary_size(wrong: Any) -> None:
    for attempt in (pets.Budget, lambda x: pets.DP(epsilon=x), lambda x: pets.DP(rho=x), lambda x: pets.DP(within=x)):
        with says(BudgetError, "must be a"):
            attempt(wrong)


def test_explanations() -> None:
    with says(SchemaError, "pets.Schema.load('stays.yaml')"):
        Q.explain("stays.yaml")
    with says(BudgetError, "pets.DP(epsilon=…)"):
        Q.explain(S, 0.5)
    assert "95 % of cells" in str(Q.explain(S))
    assert "99 % of cells" in str(Q.explain(S, pets.DP(epsilon=1, confidence=0.99)))


def test_a_quote_names_its_confidence() -> None:
    made = SESSION.quote(Q, pets.DP(epsilon=1))
    parts = {name: getattr(made, name) for name in ("cost", "epsilon", "delta", "mechanism", "errors", "fits", "more")}
    assert "(95 % of cells within)" in str(pets.Quote(**parts))
    assert "(99.9 % of cells within)" in str(pets.Quote(**parts, confidence=0.999))


# dummies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("people", "rows", "made"), [(1, 1000, 3), (5, 1000, 15), (400, 1000, 1000), (5, 9, 9)])
def test_no_more_people_are_invented_than_there_are(people: int, rows: int, made: int) -> None:
    schema = Schema({"t": Table(Unit("id", max_rows=3), COLUMNS, people=people)})
    frame = invent(schema, rows)["t"]
    assert len(frame) == made
    assert frame["id"].nunique() <= people and frame["id"].value_counts().max() <= 3
    row = Schema({"t": Table("row", {"v": Integer(0, 5)}, people=people)})  # type: ignore[arg-type]
    assert len(invent(row, rows)["t"]) == min(people, rows)


def test_a_dummy_session_of_a_small_table() -> None:
    schema = Schema({"t": Table(Unit("id", max_rows=3), COLUMNS, people=7)})
    twin = pets.Session(schema, budget=pets.Budget(1)).dummy()
    assert int(twin.release(Q, pets.Exact()).table["n"].iloc[0]) <= 21


def test_a_yaml_alias_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text("a: &a [x, x]\nb: &b [*a, *a]\n")
    with pytest.raises(SchemaError, match="line 2: a YAML alias"):
        Schema.load(path)
