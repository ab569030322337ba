"""Synthesise: a session's verb for whole data sets. It prices and measures; ``pets.synthetic`` models.

Three ways lead from here to a session's account: ordinary releases, several that are charged as one before the first
(:func:`_together`), and what has no guarantee (:meth:`pets.session.custody.Custody.unbounded`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from pets.common.clock import now
from pets.common.codec import Json
from pets.common.entropy import random_id
from pets.errors import BudgetError, UserError, did_you_mean, shown
from pets.plan.plan import Plan
from pets.protection.budget import UNIT, Cost
from pets.query_model.query import Query
from pets.release.release import Release
from pets.release.release_form import plain
from pets.session.batch import Answers, Work
from pets.session.custody import Custody
from pets.session.job import Job
from pets.session.synthesis.attest import attested
from pets.session.synthesis.engine import by_engine, ruled
from pets.session.synthesis.hopeless import refuse_hopeless
from pets.session.synthesis.request import SynthesisRequest, check_settings, rows_to_draw
from pets.synthetic.sdv import external
from pets.synthetic.synthetic_release import SyntheticRelease

METHODS = ("dp", *external.METHODS)


def synthesise(custody: Custody, rows: object, method: object, settings: Json) -> SyntheticRelease:
    """The data set that :meth:`pets.Session.synthesise` gives.

    Args:
        custody: the custody of the tables and the account.
        rows: to draw; left out, the noisy number of rows (without a guarantee: as many as there are).
        method: ``"dp"``, or an engine without a guarantee.
        settings: for ``"dp"``: ``epsilon`` (needed), ``table`` (its name, or a question about people, each of whom is
            then a row of features), ``columns``, ``bins`` (a column's edges, how many, or
            ``"year"``, ``"quarter"``, ``"month"``), ``bound`` (rows of one person that count), ``selection``
            (``"tree"`` or, much slower, ``"aim"``), ``cells`` (of the model), ``seed`` (of drawing rows), ``again``,
            ``progress``. In place of ``table``, ``tables`` names several of the same people, whose rows are linked and
            follow one another: ``order`` then says which column orders a person's rows (a date or a number, by table),
            ``columns`` and ``bins`` are stated by table, ``bound`` is the most rows that a person gets in each (a
            number, or by table), and ``rows`` are people. For the other methods: ``table``, ``columns``, ``order`` (of
            a person's rows, ``"par"``), ``epochs``, ``timeout`` (seconds), ``memory`` (GB), ``seed``, ``progress``;
            ``rows`` are people for ``"hma"`` and ``"par"``.

    Raises:
        UserError: before any row is read; nothing is spent.
        ReleaseFailedError: after the data was opened; what was charged stands.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise UserError(f"there is no method {shown(method)}{did_you_mean(method, METHODS)}")
    check_settings(f"synthesise(method={method!r})", settings, DP_SETTINGS if method == "dp" else _OPEN)
    if method != "dp":
        return by_engine(custody, rows_to_draw(rows), method, **settings)
    budget = custody.budget
    given: dict[str, Any] = {"epsilon": None} | settings | {"rows": rows}
    return _private(custody, SynthesisRequest(custody.schema, budget.currency, budget.conversion_delta, **given))


_OPEN = ("table", "columns", "order", "epochs", "timeout", "memory", "seed", "progress")
DP_SETTINGS = (
    "epsilon",
    "table",
    "tables",
    "order",
    "columns",
    "bins",
    "bound",
    "selection",
    "cells",
    "seed",
    "again",
    "progress",
)


def _private(custody: Custody, request: SynthesisRequest) -> SyntheticRelease:
    from pets.synthetic.dp_model.noise_alone import rare_note
    from pets.synthetic.sdv.rules_kept import unkept

    # refused here, where nothing is spent yet: the marginals' questions and the whole price
    jobs = [custody.job(query, protection, limited=False) for query, protection in request.questions()]
    if request.units > custody.standing().left.loss and custody.kind == "real" and request.again:
        raise BudgetError(
            f"a data set at epsilon={request.epsilon!r} costs more than is left of the budget; nothing was spent; "
            "ask with a smaller epsilon"
        )
    refuse_hopeless(request, custody.standing().left.loss)  # (of a dummy twin, too: it rehearses the real table)
    answers: Answers | None = None
    if request.selection == "aim":
        with _together(custody, request, jobs) as answers:
            paid = answers
            made = request.made(lambda questions: paid(_jobs(custody, request, questions)))
    else:
        made = request.made(lambda questions: custody.release(_jobs(custody, request, questions), again=request.again))
    cost = Cost(custody.budget.currency, sum(int(release.cost["loss"]) for release in made.releases))
    if answers is not None and custody.kind == "real":
        cost = Cost(custody.budget.currency, request.units)
    delta, workload = request.delta, request.workload
    held = [workload.names(pair) for pair in made.held]
    binned = {column.name: column.size for column in workload.columns}
    whole = [workload.columns[place].name for place in made.whole]
    read = request.cohort is None or request.histories is not None  # (no schema reads people)
    tried = request.histories is not None
    broken = [unkept(custody.schema.table(one), made.frames[one], tried=tried) for one in made.frames] if read else []
    rules = [rule for some in broken for rule in some]
    table = SyntheticRelease(
        id=random_id(),
        frames=made.frames,
        method="dp",
        dataset=custody.schema.dataset,
        schema_digest=custody.schema.digest,
        schema=custody.schema if read else None,
        data=custody.kind,
        releases=made.releases,
        guarantee=_promise(made.releases[0].plan, _paid(len(made.releases), answers), request, custody.kind),
        epsilon=request.epsilon,
        delta=delta,
        rho=cost.loss / UNIT if cost.currency == "zcdp" else None,
        cost=cost.to_json(),
        misfits=made.misfits,
        settings={
            "engine": "mbi, drawn row by row (method sample)",
            "selection": request.selection,
            "slots": binned,
            "pairs_in_the_model": held,
            "cells": made.model.cells,
            "rows_estimated": round(made.model.total),
            "rows_of_a_person": made.releases[0].plan.rows,
            "never_empty": whole,
            "below_noise": [[one.column, one.value] for one in made.rare],
            "seed": request.seed,
            "rules": rules,
        }
        | request.told,
        level=made.verdict.level,
        issued_at=now(),
        project=custody.project,
        analyst=custody.analyst,
        certified=None if answers is None else answers.certificate,
        question=None if answers is None else answers.question,
        enough=made.verdict.words,
        notes=(
            made.verdict.words,
            *rare_note(made.rare),
            request.shape,
            *_notes(made.releases, len(held), len(workload.pairs)),
            *_filled(whole),
            *ruled(rules),
        ),
    )
    each = [release.certificate for release in made.releases] if answers is None else [answers.certificate]
    signed = [one for one in each if one is not None]
    return attested(custody, table, signed, request.protection.to_json(), made.releases[0].plan)


def _jobs(custody: Custody, request: SynthesisRequest, questions: Sequence[tuple[Query, Fraction]]) -> list[Job]:
    """Each marginal at its share of the price."""
    return [custody.job(query, request.priced(share), limited=False) for query, share in questions]


@contextmanager
def _together(custody: Custody, request: SynthesisRequest, jobs: Sequence[Job]) -> Iterator[Answers]:
    """Marginals chosen one after another, their whole price charged before the first: the job of AIM.

    ``jobs`` are the questions that are known beforehand; they and the settings decide all others.
    """
    plan = jobs[0].plan
    columns = list(dict.fromkeys(key.column for job in jobs for key in job.plan.query.keys))
    cost, noise = Cost(custody.budget.currency, request.units), jobs[0].noise
    gaussian = noise is not None and noise.mechanism == "gaussian"
    work = Work(
        table=plan.table,
        what=f"a synthetic table by aim of {', '.join(columns)}",
        question=request.question,
        snapshot=jobs[0].snapshot.id,
        protection=request.protection.to_json() | {"policy": custody.policy.digest},
        price=cost,
        guarantee=_promise(plan, "noisy marginals, charged together before the first", request, custody.kind),
        terms={
            "measure": "approx_zcdp" if gaussian else "pure",
            "neighbouring": "rows of one person added or removed",
            "mechanism": [f"discrete {'gaussian' if gaussian else 'laplace'}"],
            "contribution_bound": {"rows": plan.rows, "kept_rows": plan.kept_rows, "groups": None},
            "epsilon": plain(request.epsilon),
            "delta": plain(request.delta),
        },
        delta=request.delta if gaussian else None,
    )
    with custody.work(work, again=request.again) as answers:
        yield answers


def _promise(plan: Plan, what: str, request: SynthesisRequest, kind: str) -> str:
    if kind == "dummy":
        return "Dummy data: the rows that the model was made from are invented, so no one's presence can show."
    who = plan.who
    at = f"ε = {request.epsilon:.6g}" + (f" and δ = {request.delta:g}" if request.delta else "")
    rows = "1 row" if plan.rows == 1 else f"{plan.rows} rows"
    return (
        f"Differentially private with {at}: adding or removing {who} changes the chance of any synthetic table by at "
        f"most that much; at most {rows} of a person count. The rows are drawn from a model of {what}; "
        "whatever is done with them keeps this."
    )


def _paid(count: int, answers: Answers | None) -> str:
    how = "each released and charged by itself" if answers is None else "charged together before the first"
    return f"{count} noisy marginals, {how}"


def _notes(releases: Sequence[Release], held: int, pairs: int) -> tuple[str, ...]:
    more = tuple(dict.fromkeys(note for release in releases for note in release.notes))
    about = (
        f"The model holds every column by itself and {held} of {pairs} pairs; the others, and whatever takes three "
        "columns or more, follow only as far as these imply it.",
        "Numbers in bins are drawn evenly within their bin, so a value that many rows have, such as a cost of 0, is "
        "lost unless it has a bin of its own (bins={'cost': [0, 1, 500, 5000]}); counts of rare combinations are "
        "mostly noise.",
    )
    return (*about, *more)


def _filled(whole: Sequence[str]) -> tuple[str, ...]:
    if not whole:
        return ()
    names = ", ".join(whole)
    return (f"Real rows without a value, if there are any, are lost in the noise, and no row here lacks one: {names}.",)
