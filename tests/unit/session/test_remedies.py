"""Each refusal of a session names a remedy, and the remedy works."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.session.draft import draft
from pets.session.tables import Holdings
from tests.remedies import Case, check
from tests.unit.session.airlock.airlock_remedies import AIRLOCK
from tests.unit.session.door.door_remedies import DOOR
from tests.unit.session.fitting.fit_remedies import FITS
from tests.unit.session.grid.grid_remedies import RULES
from tests.unit.session.quoting.form_remedies import FORMS
from tests.unit.session.selection.top_remedies import TOP
from tests.unit.session.training.train_cases import TRAININGS

pytestmark = pytest.mark.chance(0.0)

COLUMNS = {"id": pets.Identifier(), "x": pets.Integer(0, 9), "s": pets.Category(["a", "b"])}
ONE = pets.Table(pets.Unit("id", max_rows=1), COLUMNS)
SCHEMA = pets.Schema({"t": ONE})
TWO = pets.Schema({"t": ONE, "u": ONE})
ARRIVES = {"id": pets.Identifier(), "x": pets.Integer(0, 9, nullable=False)}
GROWS = pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=3, arrival="x"), ARRIVES)})
PEOPLE = pets.Schema({
    "t": pets.Table(pets.Unit("id", max_rows=3), {"id": pets.Identifier(), "y": pets.Integer(0, 9)}, "people"),
    "people": ONE,
})  # fmt: skip
SEVERAL = pets.Schema({
    "t": pets.Table(pets.Unit("id", max_rows=3), {"id": pets.Identifier(), "y": pets.Integer(0, 9)}),
})  # fmt: skip
ROWS = pd.DataFrame({"id": [f"p{at}" for at in range(40)], "x": [at % 10 for at in range(40)], "s": list("ab") * 20})
STAYS = ROWS[["id"]].assign(y=1)
BUDGET = pets.Budget(epsilon=100, delta=1e-6)
KEYS = pets.Budget(epsilon=100, delta=1e-6, threshold_delta=1e-7)
Q = pets.query("t").agg(n=pets.count())
PERSONS = pets.people(of="t", n=pets.events("t").count(max=1))
DP = pets.DP(epsilon=1)


def opened(data: Any = ROWS, schema: pets.Schema = SCHEMA, **more: Any) -> pets.Session:
    return pets.Session(schema, data, **{"budget": BUDGET, "progress": False} | more)


def closed() -> pets.Session:
    with opened() as session:
        return session


def stored_at(address: str) -> Any:
    return lambda folder: opened(snapshots=address.format(folder))


def kept() -> pets.Custodian:
    return pets.Custodian(SCHEMA, ROWS, budget=BUDGET, progress=False)


def draws(**more: Any) -> Any:
    return lambda: opened(policy=pets.Policy(allow_unbounded=True)).synthesise(
        10, **{"epsilon": 5, "progress": False} | more
    )


def linked(**more: Any) -> Any:
    return opened(STAYS, SEVERAL).quote_synthesis(epsilon=5, tables=["t"], order="y", **more)


def keys(protection: Any) -> Any:
    return lambda: opened(budget=KEYS).group_keys("t", by=["x"], protection=protection)


def holds(*tables: str) -> Any:
    """Several tables that one question reads together; nothing says who has a row of ``r``."""
    schema = pets.Schema({"t": ONE, "u": ONE, "r": pets.Table("row", {"x": pets.Integer(0, 9)})})
    data = {"t": ROWS, "u": ROWS, "r": ROWS[["x"]]}
    return lambda: Holdings(schema, data, None, progress=False).linked(tables)


def best(query: pets.Query = Q, protection: pets.DP = DP, lost: bool = True) -> Any:
    def act() -> object:
        session = opened()
        return session.best_rows(query, session.rows_lost("t", DP) if lost else None, protection)  # type: ignore[arg-type]

    return act


def spent() -> pets.Session:
    session = opened()
    session.release(Q, pets.DP(epsilon=90))
    return session


def stored(then: Any) -> Any:
    def act(folder: Path) -> object:
        opened(snapshots=folder / "s")
        return then(opened(data=None, snapshots=folder / "s"), folder)

    return act


def drafted(dictionary: str | None, data: bytes = b"sex;age\nF;3\nM;4\n") -> Any:
    def act(folder: Path) -> object:
        (folder / "data.csv").write_bytes(data)
        if dictionary is not None:
            (folder / "codes.csv").write_text(dictionary, "utf-8")
        return draft(folder / "data.csv", folder / "codes.csv")

    return act


CASES = [
    *TOP,
    *FITS,
    *FORMS,
    *RULES,
    *DOOR,
    *AIRLOCK,
    *TRAININGS,
    # opening
    Case(stored_at("s3://bucket/{}"), "give 'file:///…'", stored_at("file://{}/ready")),
    Case(
        lambda: opened(budget=3), "budget=pets.Budget(epsilon=…, delta=…)", lambda: opened(budget=pets.Budget(1, 1e-6))
    ),
    Case(lambda: opened(engine="duck"), "did you mean 'duckdb'", lambda: opened(engine="duckdb")),
    Case(lambda: closed().remaining(), "open it again", lambda: opened().remaining()),
    Case(lambda: opened(policy=3), "policy must be pets.Policy(…)", lambda: opened(policy=pets.Policy())),
    Case(lambda: opened(project=""), "printable text of 1 to 128", lambda: opened(project="asthma")),
    Case(
        lambda folder: opened(ledger=folder / "l.db"),
        "write 'dataset: hospital-stays' in it",
        lambda folder: opened(schema=pets.Schema({"t": ONE}, "hospital-stays"), ledger=folder / "l.db"),
    ),
    Case(lambda: opened(snapshots=3), "a folder's path", lambda folder: opened(snapshots=folder / "s")),
    Case(lambda: opened({}), "pass data={table: source} for 't'", lambda: opened({"t": ROWS})),
    Case(
        lambda: opened(ROWS, TWO), "pass data={table: source} for 't', 'u'", lambda: opened({"t": ROWS, "u": ROWS}, TWO)
    ),
    Case(lambda: opened({"v": ROWS}), "there are: t", lambda: opened({"t": ROWS})),
    Case(
        lambda: opened({"t": STAYS}, PEOPLE),
        "give data for 'people' too",
        lambda: opened({"t": STAYS, "people": ROWS}, PEOPLE),
    ),
    Case(
        stored(lambda session, _: session.refresh()),
        "give data= to make them anew",
        lambda folder: opened(snapshots=folder / "s").refresh(),
    ),
    Case(
        lambda: opened({"t": ROWS}, GROWS).append(ROWS.assign(x=9)),
        "open the session with snapshots= and a folder",
        lambda folder: opened({"t": ROWS.assign(x=0)}, GROWS, snapshots=folder / "s").append(ROWS.assign(x=9)),
    ),
    # asking
    Case(
        lambda: opened(None).release(Q, DP),
        "pass data={'t': source} to release",
        lambda: opened({"t": ROWS}).release(Q, DP),
    ),
    Case(
        lambda: opened({"t": ROWS}, TWO).release(pets.query("u").agg(n=pets.count()), DP),
        "there are: t",
        lambda: opened({"t": ROWS}, TWO).release(Q, DP),
    ),
    Case(
        lambda: opened().release(Q, pets.Exact()),
        "use session.dummy().release(…)",
        lambda: opened().dummy().release(Q, pets.Exact()),
    ),
    Case(lambda: opened().release(Q, pets.Total()), "use pets.DP(epsilon=…)", lambda: opened().release(Q, DP)),
    Case(lambda: opened().release(Q, 3), "a protection is pets.DP(epsilon=…)", lambda: opened().release(Q, DP)),
    Case(lambda: opened().release(Q, DP, again="no"), "True or False", lambda: opened().release(Q, DP, again=False)),
    Case(lambda: opened().quote(Q, pets.Total()), "quote with pets.DP(epsilon=…)", lambda: opened().quote(Q, DP)),
    Case(lambda: opened().history(last=0), "a whole number above 0", lambda: opened().history(last=1)),
    Case(lambda: pets.explain(3, SCHEMA), "built from pets.query('table')", lambda: pets.explain(Q, SCHEMA)),
    Case(lambda: pets.explain(Q, 3), "such as pets.Schema.load('stays.yaml')", lambda: pets.explain(Q, SCHEMA)),
    Case(
        lambda: pets.explain(Q, SCHEMA, pets.Total()), "under pets.DP(epsilon=…)", lambda: pets.explain(Q, SCHEMA, DP)
    ),
    Case(lambda: pickle.dumps(kept()), "open it again where it is needed", lambda: kept()),
    Case(lambda: pickle.dumps(opened()), "open it again where it is needed", lambda: opened()),
    Case(lambda: opened().release(Q, DP)["n"], "write release.table['n']", lambda: opened().release(Q, DP).table["n"]),
    Case(lambda: opened().release(Q, DP)[0], "write release.table['n']", lambda: opened().release(Q, DP).table["n"]),
    Case(lambda: pets.DP(1), "write DP(epsilon=0.5)", lambda: pets.DP(epsilon=0.5)),  # type: ignore[call-arg]
    Case(keys(pets.Exact()), "released with pets.DP(epsilon=…) alone", keys(DP)),
    Case(holds("t", "r"), "ask about it alone", holds("r")),
    Case(holds("t", "r"), "name its unit column in the schema", holds("t", "u")),
    # the best bound
    Case(best(protection=pets.DP(within=20)), "give pets.DP(epsilon=…)", best()),
    Case(best(lost=False), "ask rows_lost(…) for them", best()),
    Case(best(pets.query("t").agg(s=pets.sum("x"))), "add .agg(n=pets.count())", best()),
    # synthetic tables
    Case(
        lambda: opened().synthesise(10, "gaussian_copula"),
        "policy=pets.Policy(allow_unbounded=True)",
        lambda: opened(policy=pets.Policy(allow_unbounded=True)),
    ),
    Case(
        lambda: spent().synthesise(10, epsilon=90, again=True, progress=False),
        "ask with a smaller epsilon",
        lambda: spent().quote_synthesis(10, epsilon=5),
    ),
    Case(draws(method="dpp"), "did you mean 'dp'", lambda: opened().quote_synthesis(10, epsilon=5)),
    Case(lambda: opened().synthesise(10), "say synthesise(epsilon=1)", lambda: opened().quote_synthesis(10, epsilon=1)),
    Case(draws(epslon=3), "did you mean 'epsilon'", lambda: opened().quote_synthesis(10, epsilon=3)),
    Case(draws(again="no"), "True or False", lambda: opened().quote_synthesis(10, epsilon=3, again=False)),
    Case(draws(epsilon=1e-6), "ask with a larger epsilon", lambda: opened().quote_synthesis(10, epsilon=1)),
    Case(
        lambda: opened({"t": ROWS, "u": ROWS}, TWO).synthesise(10, epsilon=1),
        "say which with table='t'",
        lambda: opened({"t": ROWS, "u": ROWS}, TWO).quote_synthesis(10, epsilon=1, table="t"),
    ),
    Case(
        lambda: opened().quote_synthesis(10, "hma"),
        "quote method='dp'",
        lambda: opened().quote_synthesis(10, "dp", epsilon=1),
    ),
    Case(
        lambda: opened().quote_synthesis(10, "dpp"),
        "did you mean 'dp'",
        lambda: opened().quote_synthesis(10, "dp", epsilon=1),
    ),
    Case(
        draws(table=PERSONS, bound=2),
        "leave bound out",
        lambda: opened().quote_synthesis(10, epsilon=5, table=PERSONS),
    ),
    Case(
        lambda: opened(policy=pets.Policy(allow_unbounded=True)).synthesise(10, "hma", table=PERSONS),
        "name the table, or use method='dp'",
        lambda: opened().quote_synthesis(10, "dp", epsilon=5, table=PERSONS),
    ),
    Case(
        lambda: opened().quote_synthesis(epsilon=5, order="x"),
        "name them, as in tables=",
        lambda: linked(),
    ),
    Case(lambda: linked(table="t"), "leave one of them out", lambda: linked()),
    Case(lambda: linked(selection="aim"), "leave selection out", lambda: linked()),
    # whose a verb is
    Case(
        lambda: kept().release(Q, DP),
        "custodian.session(analyst='amina', project='stroke-2026').release",  # type: ignore[attr-defined]
        lambda: kept().session(analyst="amina", project="stroke-2026").release(Q, DP),
    ),
    Case(
        lambda: kept().session(analyst="amina").report(),
        "whoever opened the data writes custodian.report",  # type: ignore[attr-defined]
        lambda: kept().report(),
    ),
    Case(lambda: opened().qoute(Q, DP), "did you mean 'quote'", lambda: opened().quote(Q, DP)),  # type: ignore[attr-defined]
    # drafts
    Case(drafted("column,value\nsx,F\n"), "did you mean 'sex'", drafted("column,value\nsex,F\n")),
    Case(drafted("col,val\nsex,F\n"), "needs the columns 'column' and 'value'", drafted("column,value\nsex,F\n")),
    Case(drafted(None), "check the path", drafted("column,value\nsex,F\n")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says[:40])
def test_each_refusal_names_a_remedy_that_works(case: Case) -> None:
    check(case)
