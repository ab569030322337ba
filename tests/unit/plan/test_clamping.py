"""Exact answers say between which values others were moved: no interval would make a reader ask."""

import pets
from pets.federated import SitePolicy, Totals
from pets.plan.clamping import clamps
from pets.plan.plan import make_plan
from tests.unit.federated.site.test_site import federation
from tests.unit.session.test_session import SCHEMA, frame

QUERY = pets.query("stays").agg(n=pets.count(), cost=pets.sum("cost", clip=(0, 8)), mean=pets.mean("days"))
SAID = [
    "cost: values of 'cost' are clamped to [0, 8] in steps of 0.5.",
    "mean: values of 'days' are clamped to [0, 10] in steps of 1.",
]
UNBOUNDED = pets.Policy(allow_unbounded=True)


def test_beside_exact_totals_and_not_beside_noisy_numbers() -> None:
    session = pets.Session(SCHEMA, frame(), budget=pets.Budget(epsilon=3, delta=1e-6), policy=UNBOUNDED)
    total, noisy = session.release(QUERY, pets.Total()), session.release(QUERY, pets.DP(epsilon=1))
    assert [note for note in total.notes if "clamped" in note] == SAID
    assert all(note in str(total) and note in total._repr_html_().replace("&#x27;", "'") for note in SAID)
    assert not any("clamped" in note for note in noisy.notes)
    moved = session.release(
        pets.query("stays").agg(c=pets.sum("cost"), moved=pets.sum("cost", clip=(0, 8))), pets.Total()
    )
    assert moved.table.loc[0, "moved"] < moved.table.loc[0, "c"]


def test_beside_exact_totals_over_sites() -> None:
    rules = SitePolicy.open(SCHEMA, totals=Totals(allow=True, min_cohort=1))
    many = federation(rules=rules, policy=UNBOUNDED)
    assert [note for note in many.release(QUERY, pets.Total()).notes if "clamped" in note] == SAID


def test_every_measure_of_a_numeric_column_is_named() -> None:
    query = pets.query("stays").agg(
        mid=pets.median("cost"),
        bins=pets.histogram("days"),
        v=pets.variance("cost", step=5),
        ages=pets.histogram("age"),
    )
    assert clamps(make_plan(query, SCHEMA)) == (
        "mid: values of 'cost' are clamped to [0, 100] in steps of 0.5.",
        "bins: values of 'days' are clamped to [0, 10] in steps of 1.",
        "v: values of 'cost' are clamped to [0, 100] in steps of 5.",
    )
