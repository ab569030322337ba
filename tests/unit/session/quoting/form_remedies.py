"""What is no form of a quote, an account or a history: asked for again, it is one."""

from __future__ import annotations

import pandas as pd

import pets
from pets.session.history import form_of, read_form
from pets.session.quoting.quote import Quote, Remaining
from tests.remedies import Case

SCHEMA = pets.Schema({"t": pets.Table(pets.Unit("id"), {"id": pets.Identifier()})})
Q, DP = pets.query("t").agg(n=pets.count()), pets.DP(epsilon=1)


def _session() -> pets.Session:
    rows = pd.DataFrame({"id": ["a", "b"]})
    return pets.Session(SCHEMA, rows, budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)


FORMS = [
    Case(lambda: Quote.from_json({}), "ask for it again", lambda: Quote.from_json(_session().quote(Q, DP).to_json())),
    Case(
        lambda: Remaining.from_json([]),
        "ask for it again",
        lambda: Remaining.from_json(_session().remaining().to_json()),
    ),
    Case(lambda: read_form({}), "ask for it again", lambda: read_form(form_of(_session().history()))),
]
