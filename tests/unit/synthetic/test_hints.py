"""Hints of a schema for invented rows: links between tables, weights, shapes; and that nothing else rests on them."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import pets
from pets import col
from pets.errors import SchemaError
from pets.plan.plan import make_plan
from pets.schema.schema import Schema

FORM = """\
dataset: clinic
tables:
  patients:
    unit: {column: patient, max_rows: 1}
    columns:
      patient: {type: identifier}
      sex: {type: category, values: [F, M, X], weights: {F: 60, M: 40}}
      born: {type: date, min: 1920-01-01, max: 2019-12-31, shape: bands 0 0 0 0 0 1 1 3 0 0}
  visits:
    unit: {column: patient, max_rows: 5}
    columns:
      patient: {type: identifier, refers: patients.patient}
      visit: {type: identifier}
      arrived: {type: date, min: 2020-01-01, max: 2024-12-31, nullable: false}
      left: {type: date, min: 2020-01-01, max: 2025-12-31, nullable: false}
      days: {type: integer, min: 0, max: 400, shape: geometric 2}
      cost: {type: real, min: 0, max: 10000, step: 0.5, nullable: false, shape: skewed 100 0.5}
      emergency: {type: boolean, weights: {true: 1, false: 9}}
      pulse: {type: integer, min: 30, max: 220, nullable: false, shape: normal 75 10}
    rules:
      - {order: [arrived, left]}
      - {column: days, days: [arrived, left]}
  treatments:
    unit: {column: patient, max_rows: 12}
    columns:
      patient: {type: identifier}
      visit: {type: identifier, refers: visits.visit}
      drug: {type: identifier, refers: drugs.drug}
      number: {type: integer, min: 1, max: 9, shape: poisson 3}
  drugs:
    unit: row
    columns:
      drug: {type: identifier}
      kind: {type: category, values: [a, b]}
"""


def form() -> Any:
    return yaml.load(FORM, Loader=yaml.BaseLoader)


def bare(tree: Any) -> Any:
    """The same without hints."""
    if isinstance(tree, dict):
        return {k: bare(v) for k, v in tree.items() if k not in ("refers", "weights", "shape", "dummy")}
    return [bare(one) for one in tree] if isinstance(tree, list) else tree


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.load(form())


def test_nothing_but_invented_rows_rests_on_a_hint(schema: Schema) -> None:
    """Digest, plan, explanation, price and real answer are those of the schema without hints."""
    plain, other = Schema.load(bare(form())), form()
    other["tables"]["visits"]["columns"]["pulse"]["shape"] = "normal 60 5"
    others = [plain, Schema.load(other), Schema.load(form() | {"dummy": "nhs"})]
    query = pets.query("visits").group_by("emergency").agg(n=pets.count(), cost=pets.mean("cost"))
    data = dict(pets.dummy(schema, rows=300).tables)
    mine = make_plan(query, schema)
    shown = "twin" not in repr(schema)
    assert shown
    answers = set()
    for one in others:
        assert one.digest == schema.digest and one == schema and hash(one) == hash(schema)
        assert one.to_json() == schema.to_json() == plain.to_json()
        theirs = make_plan(query, one)
        assert theirs == mine and theirs.to_json() == mine.to_json()
        assert query.explain(one) == query.explain(schema)
    for one in [schema, *others]:
        session = pets.Session(one, data, budget=pets.Budget(1), progress=False)
        quote = session.quote(query, pets.DP(epsilon=1))
        answers.add((str(quote), str(session.snapshots["visits"][:0])))
    assert len(answers) == 1
    # and they do make other rows
    assert not pets.dummy(plain, rows=300)["visits"].equals(pets.dummy(schema, rows=300)["visits"])


def test_a_stored_snapshot_is_opened_by_the_schema_with_other_hints(schema: Schema, tmp_path: Path) -> None:
    plain = Schema.load(bare(form()))
    data = dict(pets.dummy(plain, rows=50).tables)
    first = pets.Session(schema, data, budget=pets.Budget(1), snapshots=tmp_path / "s", progress=False)
    again = pets.Session(plain, None, budget=pets.Budget(1), snapshots=tmp_path / "s", progress=False)
    assert first.snapshots == again.snapshots and set(again.reused) == set(data)


def test_hints_live_through_files_and_pickles(schema: Schema, tmp_path: Path) -> None:
    made = pets.dummy(schema, rows=200, seed=4)
    made.save(tmp_path)
    for again in (Schema.load(tmp_path / "schema.json"), pickle.loads(pickle.dumps(schema)), copy.deepcopy(schema)):
        assert again.twin == schema.twin and again.digest == schema.digest
        assert pets.dummy(again, rows=200, seed=4)["visits"].equals(made["visits"])


def test_tables_link(schema: Schema) -> None:
    made = pets.dummy(schema, rows=1_000, seed=2)
    patients, visits, given, drugs = (made[name] for name in ("patients", "visits", "treatments", "drugs"))
    assert visits.patient.isin(patients.patient).all() and given.visit.isin(visits.visit).all()
    assert given.drug.isin(drugs.drug).all() and given.drug.nunique() > 300
    joined = given.merge(visits, on="visit")
    assert len(joined) == len(given) and (joined.patient_x == joined.patient_y).all()
    assert visits.groupby("patient").size().max() <= 5 and given.groupby("patient").size().max() <= 12
    assert len(visits) > 900 and len(given) > 900 and visits.visit.is_unique
    # without the hint, a treatment's visit is another patient's
    plain = pets.dummy(Schema.load(bare(form())), rows=1_000, seed=2)
    loose = plain["treatments"].merge(plain["visits"], on="visit")
    assert (loose.patient_x == loose.patient_y).mean() < 0.9


def test_values_are_of_their_weights_and_shapes(schema: Schema) -> None:
    made = pets.dummy(schema, rows=20_000, seed=3)
    patients, visits = made["patients"], made["visits"]
    assert abs((patients.sex == "F").mean() / patients.sex.notna().mean() - 0.6) < 0.02
    assert not (patients.sex == "X").any()
    years = patients.born.dropna().dt.year
    assert years.between(1969, 2000).all() and abs((years >= 1990).mean() - 0.6) < 0.02
    assert abs(visits.days.mean() - 2) < 0.1 and ((visits.left - visits.arrived).dt.days == visits.days).all()
    assert (
        abs(visits.cost.median() - 100) < 3 and abs(visits.pulse.mean() - 75) < 0.5 and 9.5 < visits.pulse.std() < 10.5
    )
    assert abs(visits.emergency.mean() - 0.1) < 0.02
    assert abs(made["treatments"].number.mean() - 3.0) < 0.15


def test_a_query_finds_rows_beside_hints(schema: Schema) -> None:
    query = (
        pets.query("visits").where((col("pulse") > 150) & (col("sex") == "X") & (col("days") > 300)).agg(n=pets.count())
    )
    linked = form()
    linked["tables"]["visits"]["person_table"] = "patients"
    known = Schema.load(linked)
    rows = pets.dummy(known, rows=1_000, query=query)
    visits = rows["visits"].merge(rows["patients"], on="patient")
    assert ((visits.pulse > 150) & (visits.sex == "X") & (visits.days > 300)).sum() > 200
    twin = pets.Session(known, budget=pets.Budget(1)).dummy()
    assert twin.release(query, pets.Exact()).table.n.iloc[0] > 0


def test_people_who_meet_a_question_link_too(schema: Schema) -> None:
    treated = pets.events("treatments").where(col("number") == 7).exists()
    query = pets.people(seven=treated, calls=pets.events("visits").count(max=5)).where(
        (col("seven") == True) & (col("calls") >= 2)  # noqa: E712
    )
    query = query.agg(n=pets.count())
    made = pets.dummy(schema, rows=1_000, query=query)
    visits, given = made["visits"], made["treatments"]
    meets = given[given.number == 7].patient
    assert visits[visits.patient.isin(meets)].groupby("patient").size().ge(2).sum() > 50
    joined = given.dropna(subset="visit").merge(visits, on="visit")
    assert len(joined) == given.visit.notna().sum() > 0.8 * len(given)
    assert (joined.patient_x == joined.patient_y).all()
    session = pets.Session(schema, budget=pets.Budget(1), progress=False)
    assert session.dummy().release(query, pets.Exact()).table.n.iloc[0] > 0


WRONG = [
    (("visits", "columns", "visit", "refers"), "visits.visit", "no other table"),
    (("visits", "columns", "visit", "refers"), "visit", "a table and its column"),
    (("visits", "columns", "visit", "refers"), "patient.patient", "did you mean 'patients'"),
    (("visits", "columns", "visit", "refers"), "patients.born", "has no identifier 'born'"),
    (("visits", "columns", "visit", "refers"), "treatments.visit", "refers back"),
    (("visits", "columns", "patient", "refers"), "drugs.drug", "names a person"),
    (("visits", "columns", "pulse", "refers"), "drugs.drug", "'refers' is not a setting"),
    (("visits", "columns", "pulse", "shape"), "normall 3 4", "did you mean 'normal'"),
    (("visits", "columns", "pulse", "shape"), "normal 3", "takes 2 numbers, not 1"),
    (("visits", "columns", "pulse", "shape"), "normal 3 0", "above 0"),
    (("visits", "columns", "pulse", "shape"), "normal 1e300 1", "at most 1,000,000,000"),
    (("visits", "columns", "pulse", "shape"), "bands -1 2", "not be negative"),
    (("visits", "columns", "pulse", "shape"), "bands", "1 to 1,000 weights"),
    (("visits", "columns", "cost", "shape"), "skewed 100 50", "at most 20"),
    (("visits", "columns", "arrived", "shape"), "normal 3 4", "there is no shape"),
    (("visits", "columns", "emergency", "weights"), {"yes": "1"}, "which is no value"),
    (("patients", "columns", "sex", "weights"), {"F": "-1"}, "not be negative"),
    (("patients", "columns", "sex", "weights"), {"F": "many"}, "must be numbers"),
    (("patients", "columns", "sex", "weights"), "F", "how often each value"),
    (("patients", "columns", "sex", "weights"), {}, "nor all 0"),
]


@pytest.mark.parametrize(("route", "value", "words"), WRONG, ids=lambda value: str(value)[-40:])
def test_a_wrong_hint_is_refused_at_its_line(route: tuple[str, ...], value: Any, words: str, tmp_path: Path) -> None:
    tree = form()
    here = tree["tables"]
    for step in route[:-1]:
        here = here[step]
    here[route[-1]] = value
    path = tmp_path / "clinic.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), "utf-8")
    with pytest.raises(SchemaError) as caught:
        Schema.load(path)
    text = str(caught.value)
    lines = path.read_text("utf-8").splitlines()
    table = lines.index(f"  {route[0]}:")
    line = next(at for at in range(table, len(lines)) if lines[at].startswith(f"      {route[2]}:")) + 1
    assert words in text and text.startswith(f"clinic.yaml, line {line}: ") and "\n" not in text, text


def test_a_shape_of_what_a_rule_computes_is_refused() -> None:
    tree = form()
    tree["tables"]["visits"]["columns"]["total"] = {
        "type": "real",
        "min": "0",
        "max": "20000",
        "step": "0.5",
        "shape": "even",
    }
    tree["tables"]["visits"]["columns"]["cost2"] = {"type": "real", "min": "0", "max": "10000", "step": "0.5"}
    tree["tables"]["visits"]["rules"].append({"column": "total", "sum": ["cost", "cost2"]})
    with pytest.raises(SchemaError, match="computes it, so it has no shape; give one to 'cost'"):
        Schema.load(tree)


def test_what_is_drawn_keeps_its_domain_whatever_the_shape() -> None:
    for shape in ("geometric 1e9", "poisson 1e6", "normal 0 1e9", "skewed 1 20", "bands 0 1", "even"):
        known = Schema.load(
            {
                "tables": {
                    "t": {
                        "unit": "row",
                        "columns": {"x": {"type": "real", "min": -1, "max": 1, "step": 0.25, "shape": shape}},
                    }
                }
            }
        )
        found = pets.dummy(known, rows=500)["t"].x.dropna()
        assert found.between(-1, 1).all() and np.isin(found * 4, np.arange(-4, 5)).all(), shape
