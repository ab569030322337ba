"""Each refusal of a question names a remedy, and the remedy works."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import pets
from pets import KeySet, col
from pets.query_model.aggregate import aggregate_from_json
from pets.query_model.condition import condition, key, measure, read_query
from pets.query_model.display import Display, Order
from pets.query_model.expression import And, Compare, filter_from_json
from pets.query_model.group_keys import ColumnKey, key_from_json
from pets.query_model.nodes.derived import derived_from_json
from pets.query_model.query import Query, queries
from tests.remedies import Case, check
from tests.unit.query_model import node_remedies, people_remedies
from tests.unit.query_model.nodes import design_remedies, exits_remedies, gradient_remedies
from tests.unit.query_model.nodes.codelist_remedies import LISTS
from tests.unit.query_model.trained.network_remedies import NETWORKS

pytestmark = pytest.mark.chance(0)

AGE = col("age") >= 18
T = pets.query("t")
SQL = "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex"
SCHEMA = pets.Schema(
    {"stays": pets.Table(pets.Unit("id"), {"id": pets.Identifier(), "sex": pets.Category(["F", "M"])}, people=9)}
)
NAMED_TWICE = {**pets.sql(SQL, SCHEMA).to_json(), "by": [{"key": "column", "column": "sex", "label": "sex"}]}
NO_SQL = pets.linear("sex", ["id"], data="stays").query
DEEP = "not (" * 120 + "a == 1" + ")" * 120


def file(name: str, text: str) -> Any:
    def act(folder: Path) -> object:
        (folder / name).write_text(text, "utf-8")
        return read_query(folder / name)

    return act


def asked(text: str) -> Query:
    return pets.sql(text, SCHEMA)


def ordered(name: str) -> Query:
    asked = pets.query("stays").agg(**{"n": pets.count(), name: pets.count_units()})
    return asked.shown_as(Display(order=(Order("n"),)))


def chosen(name: str) -> Query:
    asked = pets.query("stays").group_by(ColumnKey("sex", "g")).agg(**{name: pets.count()})
    return asked.shown_as(Display(having=col(name) > 3))


def features(name: str) -> Query:
    return pets.people(of="stays", **{name: pets.events("stays").count(max=3)}).agg(n=pets.count())


def nested(depth: int) -> Any:
    form: Any = {"filter": "compare", "column": "a", "op": "==", "value": 1}
    for _ in range(depth):
        form = {"filter": "not", "term": form}
    return form


def negated(depth: int) -> Any:
    found: Any = col("a").is_null()
    for _ in range(depth):
        found = And((found, col("b") == 1)) if depth else found
    return found


QUERY = json.dumps(T.agg(n=pets.count()).to_json())

B = 2 * col("b")


def summed(columns: int) -> object:
    return sum((col(f"c{n}") for n in range(1, columns)), start=col("c0") + 0)


def one_column() -> object:
    return T.where(~col("a").is_null()).with_columns(x=B).agg(n=pets.sum("x"))


CASES = [
    *LISTS,
    Case(
        lambda: col("rang") == dt.time(8, tzinfo=dt.UTC),
        "compare with a time alone, such as 08:00",
        lambda: col("rang") == "08:00",
    ),
    # sums
    *(
        Case(wrong, "leave 'a' out, or choose the rows that have it with where(~col('a').is_null())", one_column)
        for wrong in (
            lambda: col("b") + col("a") - col("a"),
            lambda: col("a") - col("a") + col("b"),
            lambda: col("b") + 0 * col("a"),
            lambda: 0 * col("a") + col("b"),
            lambda: derived_from_json(
                {"derive": "linear", "terms": [{"column": "a", "times": 0}] + B.to_json()["terms"]}
            ),
        )
    ),
    # measures
    Case(lambda: pets.count(where="age > 3"), "such as col('age') >= 18", lambda: pets.count(where=AGE)),
    Case(lambda: pets.rate("age"), "such as col('age') >= 18", lambda: pets.rate(AGE)),
    Case(
        lambda: pets.quantile("age", 5),
        "q must be between 0 and 1, such as 0.5 for the median",
        lambda: pets.quantile("age", 0.5),
    ),
    Case(lambda: pets.quantile("age", "many"), "q must be a number between 0 and 1", lambda: pets.quantile("age", 0.9)),
    Case(lambda: pets.sum("age", clip=(9, 1)), "swap them", lambda: pets.sum("age", clip=(1, 9))),
    Case(lambda: pets.sum("age", clip=3), "two numbers, such as clip=(0, 10)", lambda: pets.sum("age", clip=(0, 10))),
    Case(lambda: pets.variance("age", step=0), "step must be greater than 0", lambda: pets.variance("age", step=1)),
    Case(lambda: pets.variance("age", step="x"), "step must be a number", lambda: pets.variance("age", step=0.5)),
    Case(lambda: pets.quantile("age", 0.5, bins=1), "bins must be from 2", lambda: pets.quantile("age", 0.5, bins=2)),
    Case(lambda: pets.quantile("age", 0.5, bins="x"), "a whole number", lambda: pets.quantile("age", 0.5, bins=9)),
    Case(
        lambda: aggregate_from_json({"agg": "total"}),
        "'agg' one of count,",
        lambda: aggregate_from_json({"agg": "count"}),
    ),
    Case(
        lambda: aggregate_from_json({"agg": "count", 3: 4}), "have names", lambda: aggregate_from_json({"agg": "count"})
    ),
    # text conditions
    Case(lambda: condition(" "), "such as age >= 18, gender in", lambda: condition("age >= 18 and sex == 'Female'")),
    Case(lambda: condition("a == 1 or " * 2000 + "a == 1"), "put the query in a file (--query)", file("q.json", QUERY)),
    Case(lambda: condition("age = 3"), "equality is written ==", lambda: condition("age == 3")),
    Case(lambda: condition(DEEP), "simplify it", lambda: condition("not a == 1")),
    Case(
        lambda: condition("(a == 1) & (b == 2)"), "write and, or, not instead", lambda: condition("a == 1 and b == 2")
    ),
    Case(lambda: condition("emergency"), "such as emergency == True", lambda: condition("emergency == True")),
    Case(lambda: condition("3"), "such as age >= 18", lambda: condition("age >= 18")),
    Case(lambda: condition("sex == Female"), "such as sex == 'Female'", lambda: condition("sex == 'Female'")),
    Case(lambda: condition("1 == 1"), "such as age >= 18", lambda: condition("age >= 18")),
    Case(
        lambda: condition("cost is 3"),
        "such as cost is None; equality is written ==",
        lambda: condition("cost is None"),
    ),
    Case(
        lambda: condition("sex in 'F'"),
        "such as gender in ['Female', 'Male']",
        lambda: condition("gender in ['Female', 'Male']"),
    ),
    Case(lambda: condition("a.b == 1"), "is written col('a.b')", lambda: condition("col('a.b') == 1")),
    Case(lambda: condition("cost == None"), "write column is None", lambda: condition("cost is None")),
    Case(lambda: condition("sex in [Female]"), "put a text in quotes", lambda: condition("sex in ['Female']")),
    Case(
        lambda: condition("a == f(3)"),
        "a constant is a number, a text or a date in quotes",
        lambda: condition("a == '3'"),
    ),
    Case(lambda: condition(f"a == 1{'0' * 200}"), "too large", lambda: condition("a == 10")),
    # flags
    Case(
        lambda: measure("sum", "days"),
        "such as --sum days=length_of_stay",
        lambda: measure("sum", "days=length_of_stay"),
    ),
    Case(
        lambda: measure("quantile", "long=stay:0.9,3"),
        "such as --quantile long=stay:0.9",
        lambda: measure("quantile", "long=stay:0.9"),
    ),
    Case(lambda: measure("sum", "a(=b"), "such as days=length_of_stay", lambda: measure("sum", "days=length_of_stay")),
    Case(lambda: key("age:x"), "such as age:0,18,65,120", lambda: key("age:0,18,65,120")),
    Case(lambda: measure("sum", "d=c:1"), "such as --sum d=c:0,30", lambda: measure("sum", "d=c:0,30")),
    # files
    Case(file("q.csv", QUERY), "ends in .json, .yaml or .yml", file("q.yaml", QUERY)),
    Case(file("q.json", "[]"), "a mapping with 'table' and 'agg'", file("q.json", QUERY)),
    Case(lambda folder: read_query(folder / "q.json"), "check the path", file("q.json", QUERY)),
    Case(
        lambda folder: (folder / "q.json").mkdir() or read_query(folder / "q.json"),
        "cannot be read",
        file("q.json", QUERY),
    ),
    Case(file("q.json", "{"), "what query.to_json() gives", file("q.json", QUERY)),
    Case(file("q.yaml", "a: &x 1\nb: *x"), "write the part out", file("q.yaml", QUERY)),
    # conditions in Python
    Case(lambda: col.Alter > 3, "write col('Alter')", lambda: col("Alter") > 3),
    Case(lambda: col["Alter"] > 3, "write col('Alter')", lambda: col("Alter") > 3),
    Case(lambda: col(), "col needs name", lambda: col("Alter")),  # type: ignore[call-arg]
    Case(lambda: col("a").isin("F"), "such as isin(['Female', 'Male'])", lambda: col("a").isin(["Female", "Male"])),
    Case(lambda: bool(AGE), "combine conditions with & | ~", lambda: AGE & AGE),
    Case(lambda: ~AGE & 3, "such as col('age') >= 18", lambda: ~AGE & (col("age") >= 18)),
    Case(lambda: negated(200), "simplify it, such as with isin", lambda: col("b").isin([1])),
    Case(lambda: And(()), "a list of at least one condition", lambda: And((AGE,))),
    Case(lambda: filter_from_json([]), "a mapping with 'filter'", lambda: filter_from_json(AGE.to_json())),
    Case(
        lambda: filter_from_json(nested(200)),
        "simplify it, such as with isin",
        lambda: filter_from_json(col("b").isin([1]).to_json()),
    ),
    Case(
        lambda: filter_from_json({"filter": "like"}), "compare, isin, between", lambda: filter_from_json(AGE.to_json())
    ),
    Case(lambda: {col("age"): 1}, "use the name 'age'", lambda: {col("age").name: 1}),
    Case(lambda: bool(col("ill")), "such as col('ill') == True", lambda: col("ill") == True),  # noqa: E712
    Case(lambda: col("a") & AGE, "such as (col('a') == 1) & (…)", lambda: (col("a") == 1) & AGE),
    Case(lambda: col("a").hours(), "did you mean 'hour'", lambda: col("a").hour()),
    Case(lambda: "F" in col("a"), "use col('a').isin([...])", lambda: col("a").isin(["F"])),
    Case(lambda: Compare("a", "=", 1), "a comparison is one of == != <", lambda: Compare("a", "==", 1)),  # type: ignore[arg-type]
    Case(lambda: col("a").isin([]), "at least one value", lambda: col("a").isin([1])),
    Case(lambda: col("a").isin(range(2 * 10**6)), "use a range, such as between", lambda: col("a").between(0, 10**6)),
    Case(lambda: filter_from_json({"filter": "compare"}), "lacks a part", lambda: filter_from_json(AGE.to_json())),
    Case(
        lambda: filter_from_json({"filter": "not", "term": AGE.to_json() | {"opp": "!="}}),
        "has no part 'opp'; did you mean 'op'",
        lambda: filter_from_json({"filter": "not", "term": AGE.to_json()}),
    ),
    # keys
    Case(lambda: col("a").bins(3), "such as [0, 18, 65, 120]", lambda: col("a").bins([0, 18, 65, 120])),
    Case(lambda: col("a").bins(range(10**6)), "use fewer", lambda: col("a").bins(range(10))),
    Case(lambda: col("a").bins([3, 1]), "in increasing order, such as [0, 18", lambda: col("a").bins([0, 18, 65, 120])),
    Case(lambda: col("a").bins([0, "x"]), "finite numbers, such as [0, 18", lambda: col("a").bins([0, 18, 65, 120])),
    Case(lambda: key_from_json(3), "a mapping with 'key'", lambda: key_from_json(col("a").year().to_json())),
    Case(
        lambda: key_from_json({"key": "x"}),
        "'key' column, bins, part or period",
        lambda: key_from_json({"key": "column", "column": "a"}),
    ),
    Case(
        lambda: key_from_json({"key": "column", 3: 4}),
        "have names",
        lambda: key_from_json({"key": "column", "column": "a"}),
    ),
    Case(
        lambda: key_from_json({"key": "part", "column": "a", "part": "fortnight"}),
        "year, quarter, month, weekday or hour",
        lambda: key_from_json({"key": "part", "column": "a", "part": "month"}),
    ),
    Case(lambda: col("a").period("fortnight"), "year, quarter, month,", lambda: col("a").period("month")),
    # key sets
    Case(lambda: KeySet(3, [(1,)]), "such as KeySet.product", lambda: KeySet.product({"gender": ["Female", "Male"]})),
    Case(lambda: KeySet([], [(1,)]), "at least one column", lambda: KeySet(["a"], [(1,)])),
    Case(lambda: KeySet(["a"], []), "at least one row of keys", lambda: KeySet(["a"], [(1,)])),
    Case(lambda: KeySet(["a"], [(1,)] * 2_000_001), "at most 2,000,000 keys", lambda: KeySet(["a"], [(1,)])),
    Case(lambda: KeySet(["a"], [(1,), (1,)]), "list each key once", lambda: KeySet(["a"], [(1,)])),
    Case(lambda: KeySet(["a"], [(1, 2)]), "such as KeySet.product", lambda: KeySet(["a"], [(1,)])),
    Case(lambda: KeySet(["a"], [(1.5,)]), "a key is a text, a whole number", lambda: KeySet(["a"], [(1,)])),
    Case(
        lambda: KeySet.product([1]), "such as KeySet.product({", lambda: KeySet.product({"gender": ["Female", "Male"]})
    ),
    Case(lambda: KeySet.product({"a": 3}), "must be a list", lambda: KeySet.product({"a": [3]})),
    Case(
        lambda: KeySet.product({"a": range(2000), "b": range(2000)}),
        "at most 2,000,000 keys",
        lambda: KeySet.product({"a": range(20), "b": range(20)}),
    ),
    Case(
        lambda: KeySet.of({"gender": "Female"}),
        "such as KeySet.of([{'gender': 'Female'}])",
        lambda: KeySet.of([{"gender": "Female"}]),
    ),
    Case(lambda: KeySet.of([]), "at least one row of keys", lambda: KeySet.of([{"a": 1}])),
    Case(
        lambda: KeySet.of([{"a": 1}, {"b": 1}]), "must name the same columns", lambda: KeySet.of([{"a": 1}, {"a": 2}])
    ),
    Case(
        lambda: KeySet(["a"], [(1,)]) * 3, "with another KeySet", lambda: KeySet(["a"], [(1,)]) * KeySet(["b"], [(1,)])
    ),
    Case(
        lambda: KeySet.product({"a": range(2000)}) * KeySet.product({"b": range(2000)}),
        "at most 2,000,000 keys",
        lambda: KeySet.product({"a": range(20)}) * KeySet.product({"b": range(20)}),
    ),
    Case(
        lambda: KeySet.from_json(3),
        "'columns' (names) and 'rows'",
        lambda: KeySet.from_json(KeySet(["a"], [(1,)]).to_json()),
    ),
    # queries
    Case(lambda: T.bound(rows=0), "a whole number from 1", lambda: T.bound(rows=1)),
    Case(
        lambda: Query("t", aggregates=(3,)),
        "such as pets.count()",
        lambda: Query("t", aggregates=(("n", pets.count()),)),
    ),  # type: ignore[arg-type]
    Case(
        lambda: queries(3), "built from pets.query('table')", lambda: queries(pets.query("table").agg(n=pets.count()))
    ),
    Case(lambda: Query("t", keys=3), "are made by group_by", lambda: T.group_by("a")),  # type: ignore[arg-type]
    Case(lambda: Query("t", aggregates=3), "are made by agg", lambda: T.agg(n=pets.count())),  # type: ignore[arg-type]
    Case(lambda: T.where("age"), "such as col('age') >= 18", lambda: T.where(col("age") >= 18)),
    Case(lambda: Query("t", keyset=3), "is a pets.KeySet", lambda: T.group_by(KeySet(["a"], [(1,)]))),  # type: ignore[arg-type]
    Case(
        lambda: Query("t", keys=T.group_by("b").keys, keyset=KeySet(["a"], [(1,)])),
        "the same names in the same order",
        lambda: Query("t", keys=T.group_by("a").keys, keyset=KeySet(["a"], [(1,)])),
    ),
    Case(lambda: T.agg(pets.count()), "such as .agg(n=pets.count())", lambda: T.agg(n=pets.count())),
    Case(lambda: T.agg(n=3), "such as pets.count()", lambda: T.agg(n=pets.count())),
    Case(lambda: Query.from_json(3), "'table' and 'agg'", lambda: Query.from_json(json.loads(QUERY))),
    Case(
        lambda: Query.from_json({"table": "t", "agg": 3}), "'agg' must map", lambda: Query.from_json(json.loads(QUERY))
    ),
    Case(
        lambda: Query.from_json(json.loads(QUERY) | {"by": 3}),
        "'by' must be a list",
        lambda: Query.from_json(json.loads(QUERY) | {"by": ["a"]}),
    ),
    Case(
        lambda: Query.from_json(json.loads(QUERY) | {"tabel": "t"}),
        "did you mean 'table'",
        lambda: Query.from_json(json.loads(QUERY)),
    ),
    Case(
        lambda: T.group_by("n").agg(n=pets.count()),
        "rename one of the two",
        lambda: T.group_by("n").agg(m=pets.count()),
    ),
    Case(
        lambda: T.agg(n=pets.count(), n_low=pets.count()), "rename one", lambda: T.agg(n=pets.count(), low=pets.count())
    ),
    Case(
        lambda: T.group_by("bin").agg(h=pets.histogram("a", [0, 1])),
        "name the key, as --by group=bin does",
        lambda: T.group_by(key("group=bin")).agg(h=pets.histogram("a", [0, 1])),
    ),
    Case(
        lambda: T.group_by(KeySet(["a"], [(1,)]), "b"),
        "group by keys * pets.KeySet.product({'b': [its values]})",
        lambda: T.group_by(KeySet(["a"], [(1,)]) * KeySet.product({"b": ["x", "y"]}), "b"),
    ),
    Case(
        lambda: dataclasses.replace(T.agg(n=pets.count()), display=Display(order=(Order("m"),))),
        "write .shown_as(None) first",
        lambda: T.agg(n=pets.count()).shown_as(None),
    ),
    Case(lambda: pets.std("a", sample=3), "divided by n - 1", lambda: pets.std("a", sample=True)),
    Case(lambda: pets.covariance("a", "a"), "covariance('age', 'cost')", lambda: pets.covariance("a", "b")),
    Case(
        lambda: measure("covariance", "c=a"),
        "both=length_of_stay,cost",
        lambda: measure("covariance", "both=length_of_stay,cost"),
    ),
    # computed columns
    Case(lambda: (col("a") - col("b")) > 3, "with_columns(total=", lambda: T.with_columns(t=col("a") - col("b"))),
    Case(lambda: col("a") + "x", "2 * col('age') + 1", lambda: 2 * col("age") + 1),
    Case(lambda: col("a") - col("a"), "leave 'a' out", lambda: col("a") - col("b")),
    Case(lambda: summed(65), "1 to 64 columns", lambda: summed(64)),
    Case(lambda: col("a") + col("b").prefix(3), "with_columns(total=", lambda: col("a") + col("b")),
    Case(lambda: col("a") * col("b"), "declare it in the schema", lambda: col("a") * 2),
    Case(lambda: col("a") % 2, "declare it in the schema", lambda: col("a") * 0.5),
    Case(lambda: col("a") / 2, "write 0.5 * col('a')", lambda: 0.5 * col("a")),
    Case(lambda: col("a") / 3, "write Fraction(1, 3) * col('a')", lambda: Fraction(1, 3) * col("a")),
    Case(lambda: (col("a") - B) / 4, "write 0.25 * (…)", lambda: 0.25 * (col("a") - B)),
    Case(lambda: col("a") / 0, "0.5 * col('age')", lambda: 0.5 * col("age")),
    Case(lambda: col("a") / col("b"), "declare it in the schema", lambda: col("a") * 0.5),
    Case(lambda: (col("a") + 1) / col("b"), "with_columns(total=", lambda: col("total") * 0.5),
    *(
        Case(wrong, "plain numbers, such as 2 * col('age') + 1, not '2'", lambda: 2 * col("age") + 1)
        for wrong in (
            lambda: col("a") + "2",
            lambda: "2" + col("a"),
            lambda: col("a") - "2",
            lambda: B - "2",
            lambda: col("a") * "2",
            lambda: col("a") // "2",
            lambda: B / "2",
        )
    ),
    *(
        Case(wrong, "with_columns(total=…) does, and use col('total')", lambda: col("total").age_at("2024-01-01"))
        for wrong in (
            lambda: (col("a") + 3).age_at("2024-01-01"),
            lambda: (col("a") + 3).year(),
            lambda: col("a").prefix(3).map({"a": "b"}),
            lambda: (col("a") + 3) % 2,
        )
    ),
    Case(
        lambda: T.group_by(KeySet.product({"a": [1], "b": [1]}), KeySet.product({"b": [2]})),
        "both key sets list the column 'b'",
        lambda: T.group_by(KeySet.of([{"a": 1, "b": 1}, {"a": 1, "b": 2}])),
    ),
    Case(lambda: pets.min_of("a"), "2 to 64 columns", lambda: pets.min_of("a", 3)),
    Case(lambda: pets.max_of("a", 3, 4), "at most one number", lambda: pets.max_of("a", 4)),
    Case(lambda: col("a").age_at("x"), "age_at('2022-01-01')", lambda: col("a").age_at("2022-01-01")),
    Case(lambda: col("a").age_at(col("a")), "age_at(col('admitted'))", lambda: col("a").age_at(col("admitted"))),
    Case(lambda: col("a") // 0, "col('days') // 365", lambda: col("days") // 365),
    Case(lambda: col("a").map({}), "map({'I21': 'heart'})", lambda: col("a").map({"I21": "heart"})),
    Case(lambda: col("a").map({"x": "y"}, 3), "a text", lambda: col("a").map({"x": "y"}, "rest")),
    Case(lambda: col("a").prefix(0), "prefix(3)", lambda: col("a").prefix(3)),
    Case(lambda: col("a").startswith(""), "startswith('I21')", lambda: col("a").startswith("I21")),
    Case(lambda: T.with_columns(3), ".with_columns(days=", lambda: T.with_columns(days=col("left") - col("came"))),
    Case(lambda: T.with_columns(n=3), "days=col('left')", lambda: T.with_columns(days=col("left") - col("came"))),
    Case(lambda: T.with_columns(a=col("a") + 1), "a name of its own", lambda: T.with_columns(b=col("a") + 1)),
    Case(
        lambda: T.with_columns(**{f"d{n}": col("a") + n for n in range(300)}),
        "at most 256 columns",
        lambda: T.with_columns(**{f"d{n}": col("a") + n for n in range(256)}),
    ),
    Case(
        lambda: derived_from_json({"derive": "x"}), "min_of", lambda: derived_from_json(pets.min_of("a", 3).to_json())
    ),
    Case(
        lambda: derived_from_json({"derive": "prefix", "column": "a"}),
        "lacks a part",
        lambda: derived_from_json({"derive": "prefix", "column": "a", "length": 3}),
    ),
    # SQL
    Case(lambda: pets.sql(3, SCHEMA), "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex", lambda: asked(SQL)),
    Case(lambda: asked(";"), SQL, lambda: asked(SQL)),
    Case(lambda: asked(SQL + " " * 10**6), "shorten its lists", lambda: asked(SQL)),
    Case(lambda: asked(SQL.replace("sex", "\ud800")), "half a character", lambda: asked(SQL)),
    Case(
        lambda: asked(SQL + " WHERE sex = 'F"),
        "is not closed",
        lambda: asked(SQL.replace("GROUP", "WHERE sex = 'F' GROUP")),
    ),
    Case(
        lambda: asked(f"SELECT COUNT(*) AS n FROM stays WHERE {'(' * 5000}sex = 'F'{')' * 5000}"),
        "fewer brackets",
        lambda: asked("SELECT COUNT(*) AS n FROM stays WHERE (sex = 'F')"),
    ),
    Case(lambda: pets.sql(SQL, 3), "pets.Schema.load", lambda: asked(SQL)),
    Case(lambda: asked(SQL).sql(3), "pets.Schema.load", lambda: asked(SQL).sql(SCHEMA)),
    Case(
        lambda: Query.from_json(NAMED_TWICE).sql(SCHEMA),
        "build the query anew",
        lambda: pets.query("stays").group_by(ColumnKey("sex", "sex")).agg(n=pets.count()).sql(SCHEMA),
    ),
    Case(
        lambda: ordered("N").sql(SCHEMA),
        "give one another name",
        lambda: ordered("m").sql(SCHEMA) and Query.from_json(ordered("N").to_json()),
    ),
    Case(lambda: chosen("sex").sql(SCHEMA), "give the measure another name", lambda: chosen("n").sql(SCHEMA)),
    Case(lambda: features("ID").sql(SCHEMA), "give the feature another name", lambda: features("rows").sql(SCHEMA)),
    Case(lambda: T.group_by(3), "write group_by('age', 'sex')", lambda: T.group_by("age", "sex")),
    Case(lambda: T.groupby("a"), ".group_by", lambda: T.group_by("a")),
    *people_remedies.CASES,
    *node_remedies.CASES,
    *design_remedies.CASES,
    *exits_remedies.CASES,
    *gradient_remedies.CASES,
    *NETWORKS,
    Case(lambda: NO_SQL.sql(SCHEMA), "as query.to_json() gives it", lambda: Query.from_json(NO_SQL.to_json())),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says[:40])
def test_each_refusal_names_a_remedy_that_works(case: Case) -> None:
    check(case)
