"""The checker of questions about people: their steps follow from question and schema, and lies are refused."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

import pets
from pets import col
from pets.common.codec import canonical
from pets.ledger.log import verifier
from pets.plan.plan import make_plan
from pets.verify import check as checker
from pets.verify.check import CannotCheck, Plan, Refused, check
from tests import people_strategies
from tests.unit.ledger.log.test_verifier import edited, leaves
from tests.unit.rows.test_people import COHORT, DRUGS, SCHEMA, STAYS
from tests.unit.session.test_people import BUDGET, SMALL, frames
from tests.unit.verify.test_check import moved, said_of
from tests.unit.verify.test_made import World

FREE = {"values", "notes", "id", "snapshot"}
"""Of a release that is held against its own certificate, which says the same: nothing else tells of them."""
COMPUTED = (
    pets.people(
        of="stays",
        n=STAYS.count(max=5),
        load=STAYS.count(max=5) * 2 - DRUGS.count(max=4) + 1,
        group=STAYS.last("kind", by="day").map({"a": "x", "b": "x"}, otherwise="y"),
        level=pets.case((col("n") >= 3, "many"), (col("sex").is_null(), "unknown"), default="few"),
    )
    .with_columns(weight=col("load") * 0.5 - col("n"), pairs=col("n") // 2)
    .where(col("pairs") < 2)
    .group_by("level", "group")
    .agg(k=pets.count(), load=pets.sum("load"), weight=pets.mean("weight"), pairs=pets.sum("pairs"))
)
"""What is computed of features, a case, and columns that are computed of people's."""


@pytest.fixture(scope="module")
def world() -> World:
    return World(pets.Session(SCHEMA, frames(), budget=BUDGET, progress=False))


@pytest.fixture(scope="module")
def made(world: World) -> list[pets.Release]:
    return [world.session.release(asked, pets.DP(epsilon=1)) for asked in (COHORT, SMALL, COMPUTED)]


BORN = col("born") > "1980-01-01"


def alike(query: pets.Query, schema: pets.Schema) -> None:
    mine = Plan(query.to_json(), schema.to_json()).form
    assert canonical(mine) == canonical(make_plan(query, schema).to_json())


@settings(max_examples=20, derandomize=True, database=None)
@given(case=people_strategies.cases())
def test_plans_of_random_questions(case: people_strategies.Case) -> None:
    alike(case.query, case.schema)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=1500)
@given(case=people_strategies.cases())
def test_plans_of_random_questions_soak(case: people_strategies.Case) -> None:
    alike(case.query, case.schema)


def test_plans_of_every_kind_of_step() -> None:
    stays = pets.events("stays")
    first, last = stays.first("day", by="day"), stays.where(col("kind") == "x").max("day").fill("2023-06-01")
    after = stays.where((col("day") > first) | ~col("day").within(last, days=(-3, None))).bound(rows=2)
    features = {
        "unused": stays.count(max=7),  # so that steps of the plan have other places than features
        "first": first,
        "gap": (last - first).days(-400, 4000),
        "age": col("born").age_at(first),
        "few": after.count(max=3),
        "days": stays.days_with("day", max=4),
        "cost": stays.sum("cost", clip=("-0.3", "7.9")),
        "mean": stays.mean("cost"),
        "kind": stays.last("kind", by="day"),
        "second": stays.first("day", by="day", nth=2),
        "other": stays.last("kind", by="day", nth=5),
        "ever": stays.exists(),
        "spells": stays.episodes("day", gap=30, max=4),
        "kinds": stays.count_distinct("kind", max=2),
        "later": pets.max_of(first, last) + 3,
        "spare": pets.min_of(7 - stays.sum("cost", clip=("-0.3", "7.9")), stays.mean("cost"), 5) // 0.7,
        "letter": stays.last("kind", by="day").prefix(1),
        "named": stays.last("kind", by="day").map({"y": "why"}, otherwise="other"),
        "level": pets.case(
            (col("age") >= 65, "old"), ((col("born") > "2000-01-01") & (col("few") == 0), "new"), default=None
        ),
    }
    columns = {
        "id": pets.Identifier(),
        "day": pets.Date("2019-12-28", "2024-02-29"),
        "kind": pets.Category(["x", "y"], nullable=False),
        "cost": pets.Real("0.25", "6.25", "0.5"),
    }
    born = {"id": pets.Identifier(), "born": pets.Date("1930-02-28", "2010-12-31")}
    tables = {
        "p": pets.Table(pets.Unit("id", max_rows=1), born, people=9_000),
        "stays": pets.Table(pets.Unit("id", max_rows=5), columns, person_table="p"),
    }
    schema = pets.Schema(tables, dataset="all kinds")
    measures: dict[str, Any] = {
        f"h{n}": pets.histogram(name) for n, name in enumerate(("age", "few", "days", "kinds", "spells"))
    }
    measures |= {"gap": pets.mean("gap"), "cost": pets.sum("cost"), "mean": pets.mean("mean"), "born": pets.rate(BORN)}
    measures |= {n: pets.sum(n) for n in ("spare", "delay", "least", "half", "years")}
    made: dict[str, Any] = {"delay": col("later") - col("first"), "least": pets.min_of(col("spare"), col("few"), 1)}
    made |= {"half": col("age") // 2, "years": col("born").age_at(col("later")), "initial": col("named").prefix(2)}
    people = pets.people(of="p", **features).with_columns(**made).where(~col("first").is_null())
    people = people.where(~col("second").is_null() & ~(col("other") == "x"))
    asked = people.group_by("kind", "ever", "level", "letter", "initial").agg(**measures)
    steps = make_plan(asked, schema).to_json()["people_of"]["steps"]
    words = {word for step in steps for word in step} | {step["read"] for step in steps if "read" in step}
    assert words >= {"fill", "later", "born", "min", "max", "sum", "mean", "count", "exists", "last", "days_with"}
    assert [step["nth"] for step in steps if "nth" in step] == [2, 5]
    assert words >= {"computed", "case"} and len([step for step in steps if "computed" in step]) == 12
    alike(asked, schema)
    assert asked.people is not None
    alike(replace(asked, table="stays", people=replace(asked.people, of=None)), schema)


@pytest.mark.chance(0)
def test_they_hold(world: World, made: list[pets.Release]) -> None:
    for release in made:
        said = check(canonical(release.to_json()), world.key)
        assert said.startswith(release.guarantee) and "made of at most 9 of 'stays'" in said
        assert "in all tables of the dataset" in said and "rows: L1 " in said
        assert check(canonical(world.signed(release.form, said_of(release))), world.key) == said
        for given_ in (None, canonical(release.form)):
            file = canonical(release.to_json() if given_ is None else dict(release.certificate or {}))
            assert verifier.verify(file, world.key, given_).startswith("Genuine: ")
    dummy = world.session.dummy()
    for asked in (pets.DP(epsilon=1), pets.Exact()):
        release = dummy.release(COHORT, asked)
        assert check(canonical(release.to_json()), dummy.ledger.key.raw).startswith("Dummy data")


@pytest.mark.chance(0)
def test_signed_lies_are_refused(world: World, made: list[pets.Release]) -> None:
    """One field of the release, of its certificate, or of both, and all of it signed again."""
    missed, chance, tried = [], random.Random(4), 0
    for release in made:
        form, said = release.form, said_of(release)
        lies = [(edited(form, path, moved), said) for path in leaves(form) if path[0] not in FREE]
        kept = {"assumptions", "engine_versions", "service", "log", "request_id", "other_releases"}
        lies += [(form, edited(said, path, moved)) for path in leaves(said) if path[0] not in kept]
        for path in leaves({"query": form["query"]}):
            pair = edited(form, path, moved), edited(said, path, moved)
            if pair[0]["query"] != form["query"]:
                lies.append(pair)
        for lie in chance.sample(lies, min(60, len(lies))):
            tried += 1
            try:
                check(canonical(world.signed(*lie)), world.key)
            except (Refused, CannotCheck):
                continue
            missed.append(lie)
    assert missed == [] and tried == 180


def refitted(release: pets.Release, query: Any) -> Any:
    """The release as if it had answered another question, with all that follows from it said alike on both sides."""
    form = release.form | {"query": query, "table": query["table"]}
    plan = Plan(query, form["schema"])
    digest = checker.sha256(canonical(plan.form))
    said = said_of(release) | checker.expected(form | {"plan": digest}, said_of(release), plan, digest)
    return form | {"plan": digest, "guarantee": said["guarantee"]}, said


@pytest.mark.chance(0)
def test_bounds_that_do_not_follow(world: World, made: list[pets.Release]) -> None:
    release = made[0]
    at = next(at for at, (_, one) in enumerate(release.form["query"]["agg"]) if one["agg"] in ("sum", "mean"))
    assert release.form["query"]["agg"][at]
    wider = pets.people(of="p", cost=pets.events("stays").sum("cost", clip=(0, 1000))).agg(s=pets.sum("cost"))
    narrow = pets.people(of="p", cost=pets.events("stays").sum("cost", clip=(0, 1))).agg(s=pets.sum("cost"))
    true = world.session.release(narrow, pets.DP(epsilon=1))
    assert check(canonical(world.signed(*refitted(true, true.form["query"]))), world.key)
    form, said = refitted(true, wider.to_json())  # the same noise, and a total that may be a thousand times as great
    with pytest.raises(Refused, match="a measure loses something else than it states"):
        check(canonical(world.signed(form, said)), world.key)


def test_somebody_who_has_no_row_is_not_in() -> None:
    """The condition decides who is in, so it must not hold for those of whom nothing is known."""
    query = pets.people(n=pets.events("stays").count(max=9)).where(col("n") > 0).agg(k=pets.count()).to_json()
    schema = SCHEMA.to_json()
    assert Plan(query, schema).form["people_of"]["of"] is None
    open_ended = query | {"where": {"filter": "compare", "column": "n", "op": ">=", "value": 0}}
    with pytest.raises(checker.Refused, match="without any row meets its condition"):
        Plan(open_ended, schema)


@pytest.mark.chance(0)
def test_what_cannot_be_checked(world: World, made: list[pets.Release]) -> None:
    release = made[1]
    name = ("query", "people", "features", 0, 1, "feature")
    with pytest.raises(CannotCheck, match="features in a way that this checker does not know"):
        check(canonical(world.signed(edited(release.form, name, "most_frequent"), said_of(release))), world.key)


def changed(query: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A question with another part at a place (or a further one)."""
    query = copy.deepcopy(query)
    found = query
    for name in path[:-1]:
        found = found[name]
    found[path[-1]] = value
    return query


LOAD, GROUP, LEVEL, WEIGHT, PAIRS = (
    ("people", "features", 1, 1),
    ("people", "features", 2, 1),
    ("people", "features", 3, 1),
    ("with", 0, 1),
    ("with", 1, 1),
)
UNKNOWN = [
    (*LOAD, "clip"),
    (*LOAD, "as", "clip"),
    (*LOAD, "as", "terms", 0, "clip"),
    (*GROUP, "as", "most"),
    (*LEVEL, "most"),
    (*LEVEL, "when", 0, "rows"),
    (*LEVEL, "when", 0, "if", "most"),
    (*WEIGHT, "clip"),
]
WRONG = [
    ((*LOAD, "as", "terms", 0, "column"), "3", "other parts than it names"),
    ((*LOAD, "of"), "twice", "a feature twice"),
    ((*LOAD, "as"), {"derive": "age", "column": "1", "at": {"column": "2"}}, "what only columns have"),
    ((*LEVEL, "when", 0, "name"), "missing", "no names"),
    ((*LEVEL, "when", 0, "name"), 7, "no names"),
    ((*LEVEL, "when"), [], "no names"),
    ((*LEVEL, "when", 0, "if", "column"), "level", "KeyError"),
    ((*LEVEL, "default"), None, "no names"),
    (("with", 0, 0), "load", "takes the name of another one"),
    (("with", 0, 0), "id", "takes the name of another one"),
    ((*WEIGHT, "terms", 0, "column"), "sex", "without an order"),
    ((*PAIRS, "by"), -2, "divides what is no number"),
    ((*PAIRS, "by"), "1/9007199254740993", "quotient could pass"),
    ((*GROUP, "as", "pairs", 0, 0), "e", "does not list"),
    ((*GROUP, "as"), {"derive": "prefix", "column": "1", "length": 0}, "in a way that pets does not take"),
    (LEVEL, {"feature": "age", "column": "first", "at": {"feature": "first"}}, "no person has a value of"),
]


def test_the_form_is_the_one_that_these_places_are_of() -> None:
    query = COMPUTED.to_json()
    named = [query["people"]["features"][place][0] for place in (1, 2, 3)]
    assert named == ["load", "group", "level"] and [name for name, _ in query["with"]] == ["weight", "pairs"]


@pytest.mark.parametrize("path", UNKNOWN, ids=str)
def test_a_part_that_is_not_known_of_what_is_computed(path: tuple[Any, ...]) -> None:
    query, schema = COMPUTED.to_json(), SCHEMA.to_json()
    assert Plan(query, schema)
    with pytest.raises(CannotCheck, match="a part that this checker does not know"):
        Plan(changed(query, path, 1), schema)


@pytest.mark.parametrize("path", [(*LOAD, "as", "derive"), (*PAIRS, "derive"), (*LEVEL, "feature")], ids=str)
def test_what_is_computed_in_a_way_that_is_not_known(path: tuple[Any, ...]) -> None:
    with pytest.raises(CannotCheck):
        checker.known(changed(COMPUTED.to_json(), path, "product"), SCHEMA.to_json())
        Plan(changed(COMPUTED.to_json(), path, "product"), SCHEMA.to_json())


@pytest.mark.parametrize(("path", "value", "why"), WRONG, ids=[f"{path[-1]} {why}" for path, _, why in WRONG])
def test_what_is_computed_of_what_cannot_be(path: tuple[Any, ...], value: Any, why: str) -> None:
    query = COMPUTED.to_json()
    value = [query["people"]["features"][1][1]["of"][0]] * 2 if value == "twice" else value
    if path == LEVEL:  # an age from a day that is no column of the person table
        first = STAYS.first("day", by="day").to_json()
        query["people"]["features"].insert(0, ["first", first])
        query["by"], path, value = [], ("people", "features", 4, 1), value | {"at": first}
    if why == "KeyError":  # its own name stands nowhere before it: a file that says so is not written as pets writes it
        with pytest.raises(KeyError):
            Plan(changed(query, path, value), SCHEMA.to_json())
        return
    with pytest.raises(Refused, match=why):
        Plan(changed(query, path, value), SCHEMA.to_json())


@pytest.mark.chance(0)
def test_what_is_computed_moves_as_far_as_its_parts_do(world: World, made: list[pets.Release]) -> None:
    """The same noise under a question whose computed sums are a hundred times as great, or under less noise."""
    true = made[2]
    assert check(canonical(world.signed(*refitted(true, true.form["query"]))), world.key)
    for path, value in (
        ((*LOAD, "as", "terms", 1, "times"), 200),
        ((*LOAD, "of", 1, "most"), 900),
        ((*PAIRS, "by"), "0.01"),
        ((*WEIGHT, "terms", 0, "times"), 99),
    ):
        form, said = refitted(true, changed(true.form["query"], path, value))
        with pytest.raises(Refused, match="a measure loses something else than it states"):
            check(canonical(world.signed(form, said)), world.key)
    for place in range(len(true.form["scales"])):
        scales = [str(float(s) / 2) if at == place else s for at, s in enumerate(true.form["scales"])]
        form, said = true.form | {"scales": scales}, said_of(true)
        with pytest.raises(Refused, match="something else than it states"):
            check(canonical(world.signed(form, said | {"dp": said["dp"] | {"scales": scales}})), world.key)
    narrow = copy.deepcopy(said_of(true))
    for one in narrow["dp"]["sensitivities"]:
        one.update(l1=1, l2_squared=1, linf=1)
    with pytest.raises(Refused, match=r"promises something else \(dp\)"):
        check(canonical(world.signed(true.form, narrow)), world.key)
