"""Synthetic data from federated marginals: each is an ordinary federated release; modelling them is post-processing.

The workload is fixed by public knowledge (:mod:`pets.synthetic.dp_model.workload`), so nobody looks at rows to choose,
and :func:`pets.synthetic.dp_model.private.private_table` takes how marginals are measured as an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from pets.common.clock import now
from pets.common.entropy import random_id
from pets.errors import BudgetError
from pets.federated.messages.roster import Roster
from pets.federated.secure_sum.interface import check_way
from pets.federated.site import wording
from pets.protection.budget import UNIT, Cost
from pets.protection.protection import DP
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.schema import Schema
from pets.session.synthesis.engine import ruled
from pets.session.synthesis.hopeless import refuse_hopeless
from pets.session.synthesis.request import SynthesisRequest, check_settings
from pets.synthetic.synthetic_release import SyntheticRelease

Ask = Callable[[Sequence[tuple[Query, DP]]], list[Release]]
"""Asks all of the questions, or none where a site has no room for them."""

SETTINGS = ("epsilon", "table", "tables", "order", "columns", "bins", "bound", "cells", "seed", "progress")

UNSIGNED = (
    "No certificate binds these rows: several sites have no ledger together, and each site's knows its own part alone; "
    "the releases behind them carry what the sites signed, and pets verify checks each of those."
)


def synthesised(
    schema: Schema, roster: Roster, analyst: str, secure: str, rows: int | None, ask: Ask, settings: dict[str, Any]
) -> SyntheticRelease:
    """See :meth:`pets.federated.analyst.federation.Federation.synthesise`."""
    check_settings("a federation's synthesise", settings, SETTINGS)
    way = check_way(secure)
    if roster.currency != "zcdp":
        raise BudgetError("many marginals at once need ledgers that count rho; open the sites' ledgers with a delta")
    given: dict[str, Any] = {"epsilon": None} | settings | {"rows": rows}
    request = SynthesisRequest(schema, roster.currency, roster.delta, **given)
    refuse_hopeless(request)  # (sites add more noise than this, never less)
    return _private(request, roster, analyst, way, ask)


def _private(request: SynthesisRequest, roster: Roster, analyst: str, secure: str, ask: Ask) -> SyntheticRelease:
    def measure(questions: Sequence[tuple[Query, Fraction]]) -> list[Release]:
        return ask([(query, request.priced(share)) for query, share in questions])

    from pets.synthetic.dp_model.noise_alone import rare_note
    from pets.synthetic.sdv.rules_kept import unkept

    made = request.made(measure)
    schema, workload = request.schema, request.workload
    cost = Cost(roster.currency, sum(int(release.cost["loss"]) for release in made.releases))
    data = made.releases[0].data
    at = None if data == "dummy" else (request.epsilon, roster.delta)
    promise = wording.guarantee(made.releases[0].plan, roster, secure, at, False)
    more = tuple(dict.fromkeys(note for release in made.releases for note in release.notes))
    held = [workload.names(pair) for pair in made.held]
    linked = () if request.histories is None else tuple(made.frames)  # whose rules are put right
    rules = [rule for one in linked for rule in unkept(schema.table(one), made.frames[one], tried=True)]
    return SyntheticRelease(
        id=random_id(),
        frames=made.frames,
        method="dp",
        dataset=schema.dataset,
        schema_digest=schema.digest,
        schema=schema if request.cohort is None or request.histories is not None else None,
        data=data,
        releases=made.releases,
        guarantee=promise.replace("any released table", "any synthetic table")
        + f" The rows are drawn from a model of {len(made.releases)} noisy marginals, each released and charged at "
        "every site by itself; whatever is done with them keeps this.",
        epsilon=request.epsilon,
        delta=roster.delta,
        rho=cost.loss / UNIT,
        cost=cost.to_json(),
        misfits=made.misfits,
        settings={
            "engine": "mbi, drawn row by row (method sample)",
            "selection": "tree",
            "secure": secure,
            "sites": roster.size,
            "slots": {column.name: column.size for column in workload.columns},
            "pairs_in_the_model": held,
            "cells": made.model.cells,
            "rows_estimated": round(made.model.total),
            "rows_of_a_person": made.releases[0].plan.rows,
            "below_noise": [[one.column, one.value] for one in made.rare],
            "seed": request.seed,
        }
        | ({"rules": rules} if linked else {})
        | request.told,
        level=made.verdict.level,
        issued_at=now(),
        project="federation",
        analyst=analyst,
        enough=made.verdict.words,
        notes=(
            made.verdict.words,
            *rare_note(made.rare),
            request.shape,
            f"The model holds every column by itself and {len(held)} of {len(workload.pairs)} pairs; the others, and "
            "whatever takes three columns or more, follow only as far as these imply it.",
            *ruled(rules),
            UNSIGNED,
            *more,
        ),
    )
