"""Attest: the signed entry that binds a synthetic table's bytes to the answers that it was made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from pets.common.codec import Json
from pets.ledger.derive import Derived, enter
from pets.plan.plan import Plan
from pets.release.certificate import Certificate
from pets.release.release_form import plain
from pets.session import guarantee_text
from pets.session.custody import Custody
from pets.synthetic.synthetic_release import SyntheticRelease

KIND = "synthetic"


def attested(
    custody: Custody, made: SyntheticRelease, answers: Sequence[Json], protection: Json, plan: Plan | None = None
) -> SyntheticRelease:
    """The data set with its certificate, whose entry stands in the ledger.

    Args:
        answers: the certificates of what it was made of.
        protection: of all of them together.
        plan: of one of them; ``None`` where an engine saw the rows, and nothing is promised.

    Raises:
        LedgerError: where it cannot be entered; what was measured can be asked again at no cost.
    """
    account, schema = custody.account, custody.schema
    home = made.table_name if plan is None else plan.table  # (people are made of several tables; one stands for them)
    form: Json = {
        "pets": "derived",
        "version": 1,
        "kind": KIND,
        "id": made.id,
        "schema": schema.to_json(),
        "manifest": made.manifest,
        "tables": {name: made.csv_digest(name) for name in made.frames},
        "from": [dict(one) for one in answers],
    }
    real = made.data == "real"
    told = guarantee_text.derived(KIND, schema, home, made.data, custody.engine, made.issued_at)
    told |= {
        "release_id": made.id,
        "project_id": made.project,
        "agent_id": made.analyst,
        "what": f"a synthetic table by {made.settings.get('selection', made.method)}",
        "protection": protection,
        "guarantee": made.guarantee,
        "cost": plain(made.cost),
        "notes": list(made.notes),
        "dp": None if plan is None or not real else _terms(made, plan),
    }
    said = Derived(
        dataset=custody.schema.dataset,
        scope=account.scope,
        table=home,
        what=told["what"],
        protection=protection,
        unbounded=plan is None and real,
        schema_digest=schema.digest,
    )
    signed = json.loads(enter(account.ledger, said, form, told))
    return replace(made, certificate=Certificate(signed), derived=form)


def _terms(made: SyntheticRelease, plan: Plan) -> Json:
    """The numbers of the promise."""
    terms = guarantee_text.dp_terms(plan, made.cost["currency"], "gaussian", {})
    names = ("measure", "neighbouring")
    bound = terms["contribution_bound"] | {"groups": None}
    numbers = {name: plain(getattr(made, name)) for name in ("epsilon", "delta", "rho")}
    return {name: terms[name] for name in names} | {"contribution_bound": bound} | numbers
