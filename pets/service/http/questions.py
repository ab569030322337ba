"""Questions: their price and their meaning before they are asked, and then the asking: jobs, answers, certificates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pets.common.codec import Json, canonical
from pets.errors import BudgetError, NotFoundError, PolicyError, QueryError, UserError, shown
from pets.ledger.queue import JobState, QueuedJob
from pets.ledger.queued.job import check_key
from pets.protection.protection import DP, Protection
from pets.protection.sdc import SDC
from pets.query_model.display import Display
from pets.query_model.query import Query
from pets.query_model.sql.reading import read
from pets.query_model.trained.network import Network
from pets.service.access.grants import check_grant
from pets.service.answering import answers
from pets.service.http.endpoint import Call, Endpoint, Later, Reply, Settled, settled
from pets.service.wire.asked import Asked
from pets.service.wire.problems import outward
from pets.session.custody import Custody
from pets.session.door.door import askable
from pets.session.explain import explain
from pets.session.grid.answers import rounded_jobs
from pets.session.synthesis.request import SynthesisRequest, check_settings

# before anything is asked -----------------------------------------------------------------------------------------


def _quote(call: Call) -> Reply:
    form = call.fields(("queries", "protection"))
    asked = Asked.read("release", {"queries": form["queries"], "protection": form["protection"]})
    found = asked.arguments
    _count(call, found["queries"])
    session = call.service.session(call.identity, call.path["dataset"])
    check_grant(call.service.custodian(call.identity, call.path["dataset"]), call.identity)
    quote = session.quote(found["queries"], found["protection"])
    return Reply({"quote": quote.to_json(), "known": _had(call, asked)})


def _had(call: Call, asked: Asked) -> bool:
    """Whether a question was answered here before, so that it costs nothing; of what others had, a price tells nothing.

    What cannot be asked was not.
    """
    custody = call.service.custody(call.identity, call.path["dataset"])
    try:
        return isinstance(answers.free(custody, asked, answers.jobs_of(custody, asked), None), bytes)
    except UserError:
        return False


def _explain(call: Call) -> Reply:
    form = call.fields(("query",), ("protection",))
    session = call.service.session(call.identity, call.path["dataset"])
    query = Query.from_json(form["query"])
    session.policy.check_conditions(query)
    protection = None if form.get("protection") is None else Protection.from_json(form["protection"])
    if not (protection is None or isinstance(protection, DP)):
        raise BudgetError("an explanation is of pets.DP(epsilon=…), or of no protection; leave the protection out")
    return Reply({"text": str(explain(query, session.schema, protection))})


def _sql(call: Call) -> Reply:
    form = call.fields(("sql",))
    schema = call.service.custodian(call.identity, call.path["dataset"]).schema
    query, remarks = read(form["sql"], schema)
    told = list(remarks)
    if query.display is not None and replace(query.display, labels=()) != Display():
        told.append(_DISPLAY)
    return Reply({"query": query.to_json(), "remarks": told})


_DISPLAY = (
    "HAVING on measures, ORDER BY and LIMIT are no part of what is asked: every group is answered and paid for; choose "
    "and sort among the groups of the answer"
)


def _count(call: Call, queries: list[Query]) -> None:
    most = call.service.limits.max_queries
    if len(queries) > most:
        raise PolicyError(f"{len(queries):,} queries in one request are more than {most:,}; ask in several requests")


# asking -------------------------------------------------------------------------------------------------------------


def _ask(call: Call) -> Settled | Callable[[], Settled]:
    form = dict(call.body)
    kind = form.pop("kind", "release")
    if kind == "dummy":
        raise UserError("invented rows are asked at POST /datasets/{dataset}/dummy; send the question there")
    asking, protection = partial(_asking, call, kind, form), form.get("protection")
    rounded = isinstance(protection, dict) and protection.get("kind") == SDC.kind
    return asking() if kind == "release" and not rounded else partial(settled, asking)


def _dummy(call: Call) -> Settled | Callable[[], Settled]:
    return _asking(call, "dummy", call.body)


def _asking(call: Call, kind: Any, form: Json) -> Reply | Callable[[], Settled]:
    """What was paid for before; or else what puts the question, or has an answer of others: they may wait to write."""
    wait = call.wait
    asked, held, known = _looked_at(call, kind, form)
    if known is None:
        return partial(_put, call, asked, held, wait)
    return (lambda: _answer(None, known())) if callable(known) else _answer(None, known)


def _put(call: Call, asked: Asked, held: bool, wait: float) -> Later:
    service, who = call.service, call.identity
    job = service.queue.put(
        *(call.path["dataset"], who.project, who.subject, asked.kind, asked.to_json(), call.key),
        max_waiting=service.limits.max_waiting,
        max_dummies=service.limits.max_dummies,
        held=held,
    )
    service.ensure()
    return Later(job, lambda: state_of(call, job.id), wait)


def _looked_at(call: Call, kind: Any, form: Json) -> tuple[Asked, bool, bytes | Callable[[], bytes] | None]:
    """The question, whether a person must approve it before it is answered, and the answer that was paid for before.

    (As :func:`pets.service.answering.answers.free` gives it.)

    Raises what a session raises before anything is charged.
    """
    service, who, dataset = call.service, call.identity, call.path["dataset"]
    custodian = service.custodian(who, dataset)
    who.require("analyst")
    check_grant(custodian, who)
    check_key(call.key)
    asked = Asked.read(kind, form)
    custody = service.custody(who, dataset)
    _CHECKS[asked.kind](call, custody, **asked.arguments)
    jobs = answers.jobs_of(custody, asked)
    held = custodian.policy.approval == "before" and asked.kind != "dummy"
    # one that was put before under this key is that job, whatever it comes to: also while it runs, or is held
    repeated = call.key is not None and service.put_before(who, dataset, call.key)
    if repeated:
        return asked, held, None
    known = answers.free(custody, asked, jobs, call.key)
    if known is None and held and jobs and isinstance(asked.arguments["protection"], DP):
        # nobody is asked to approve what the budget has no room for; it may have less by the time that they do
        custody.check_room(jobs, again=asked.arguments["again"])
    return asked, held, known


def _check_release(call: Call, custody: Custody, queries: list[Query], protection: Protection, again: Any) -> None:
    _count(call, queries)
    _flag(again)
    if not queries:
        raise UserError("there is no query; send at least one")
    if isinstance(protection, SDC):
        try:
            rounded_jobs(custody, queries, protection, again=again)
        except QueryError as outside:  # (a table outside the grid waits for a person, where the policy says so)
            askable(custody, queries, protection, grid=outside)


def _check_dummy(call: Call, custody: Custody, queries: list[Query], protection: Any, rows: Any, seed: Any) -> None:
    _count(call, queries)
    most = call.service.limits.max_dummy_rows
    for name, value, top in (("rows", rows, most), ("seed", seed, 2**63 - 1)):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= top:
            raise UserError(f"{name} must be a whole number from 0 to {top:,}, not {shown(value)}")
    if not queries:
        raise UserError("there is no query; send at least one")
    custody.policy.check_numbers(sum(custody.plan(one).size for one in queries))


def _check_rows_lost(call: Call, custody: Custody, again: Any, **rest: Any) -> None:
    _flag(again)


def _check_group_keys(
    call: Call, custody: Custody, table: Any, by: Any, protection: Any, again: Any, **rest: Any
) -> None:
    _flag(again)
    custody.key_terms(table, by, protection, **rest)


def _check_top_keys(call: Call, custody: Custody, query: Query, k: Any, protection: Any, again: Any) -> None:
    _flag(again)
    custody.top_terms(query, k, protection)


def _check_synthesise(call: Call, custody: Custody, rows: Any, settings: Json) -> None:
    from pets.session.synthesis.synthesise import DP_SETTINGS

    if "method" in settings or "session" in settings:
        raise UserError("a service makes tables by method 'dp' alone; leave the method out")
    check_settings("synthesise(method='dp')", settings, [name for name in DP_SETTINGS if name != "progress"])
    given: Json = {"epsilon": None} | settings | {"rows": rows, "here": False}
    SynthesisRequest(custody.schema, custody.budget.currency, custody.budget.conversion_delta, **given)


def _check_train(call: Call, custody: Custody, network: Network, protection: Any, again: Any) -> None:
    _flag(again)
    custody.public.train(network, protection)


def _flag(again: Any) -> None:
    if not isinstance(again, bool):
        raise UserError(f"again must be true or false, not {shown(again)}")


# what a session would refuse is refused here already, from the plan alone; no row is read, and nothing is charged
_CHECKS: dict[str, Callable[..., None]] = {
    "release": _check_release,
    "dummy": _check_dummy,
    "rows_lost": _check_rows_lost,
    "group_keys": _check_group_keys,
    "top_keys": _check_top_keys,
    "synthesise": _check_synthesise,
    "train": _check_train,
}


# what becomes of it ---------------------------------------------------------------------------------------------------


def _job(call: Call) -> Later:
    service, number = call.service, call.path["job"]
    _, job = service.job(call.identity, number)
    return Later(job, lambda: state_of(call, number), call.wait)


def state_of(call: Call, number: str) -> tuple[Reply, bool]:
    """The reply so far, and whether the job has ended."""
    _, job = call.service.job(call.identity, number)
    if job.state is JobState.DONE:
        answer = answers.answer_of(call.service.queue, job)
        if answer is None:  # one on invented rows, which are kept for an hour
            raise NotFoundError("the answer of this job is kept no longer; ask the question again")
        return _answer(_told(job), answer), True
    told = _told(job)
    if job.state is JobState.WAITING and not call.service.answering():
        told["answering"] = False  # else it is not said
    return Reply({"job": told}, 200 if job.state.ended else 202), job.state.ended


def _answer(job: Json | None, answer: bytes) -> Reply:
    """The answer as it was written, and the job that it is of; ``None``: of none, since it was paid for before."""
    return Reply(b'{"job":%b,%b' % (canonical(job), answer.removeprefix(b"{")))


def _told(job: QueuedJob) -> Json:
    """What whoever asked is told of a job."""
    found: Json = {"id": job.id, "kind": job.kind, "state": job.state.value, "dataset": job.dataset}
    found["at"] = int(job.at)
    if job.problem is None:
        return found
    return found | {"problem": job.problem | {"message": outward(job.problem["code"], job.problem["message"])}}


def _jobs(call: Call) -> Reply:
    limit, after = call.number("limit", 100, 1000, 1), call.query.get("after")
    who = call.identity
    found = call.service.queue.mine(who.project, who.subject, after=after, limit=limit)
    seen = [job for job in found if job.dataset in call.service.datasets(who)]
    more = {"next": found[-1].id} if len(found) == limit else {}
    return Reply({"jobs": [_told(job) for job in seen]} | more)


def _cancel(call: Call) -> Reply:
    _, job = call.service.job(call.identity, call.path["job"])
    ended = call.service.queue.cancel(job.id, call.identity.project, call.identity.subject)
    return Reply({"job": _told(ended or job)})


def _certificate(call: Call) -> Reply:
    reply, _ = state_of(call, call.path["job"])
    found = [one["certificate"] for one in _signed(reply.form) if one.get("certificate") is not None]
    if not found:
        raise NotFoundError("this job has no certificate, or none yet; ask GET /queries/{job} what became of it")
    return Reply({"certificates": found})


def _signed(body: Json) -> list[Json]:
    """The parts of an answer that have a certificate."""
    others = ("keys", "top", "rows_lost", "synthetic", "trained")
    several = body.get("releases") or [body[name] for name in others if name in body]
    return [one for one in several if isinstance(one, dict)]


_QUERY: Json = {"table": "stays", "agg": [["n", {"agg": "count"}]], "by": ["sex"]}
_DP: Json = {"kind": "dp", "epsilon": "0.5"}

ENDPOINTS = (
    Endpoint(
        "POST",
        "/datasets/{dataset}/quote",
        _quote,
        "Price and expected error, before spending; reads no rows.",
        takes={"queries": [_QUERY], "protection": _DP},
    ),
    Endpoint(
        "POST",
        "/datasets/{dataset}/explain",
        _explain,
        "Who is protected, what is clamped, and how far one person moves the answer.",
        takes={"query": _QUERY, "protection": _DP},
    ),
    Endpoint(
        "POST",
        "/datasets/{dataset}/sql",
        _sql,
        "The query that a SELECT asks.",
        takes={"sql": "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex"},
    ),
    Endpoint(
        "POST",
        "/datasets/{dataset}/dummy",
        _dummy,
        "An answer on invented rows; it costs nothing.",
        ("wait",),
        takes={"rows": 1000, "seed": 0, "queries": [_QUERY], "protection": {"kind": "exact"}},
    ),
    Endpoint(
        "POST",
        "/datasets/{dataset}/queries",
        _ask,
        "Ask: a release, or kind= group_keys, top_keys, rows_lost, synthesise, train.",
        ("wait",),
        takes={"queries": [_QUERY], "protection": _DP},
        brief=True,
    ),
    Endpoint(
        "GET", "/queries/{job}", _job, "What became of a job; its answer, once it is done.", ("wait",), brief=True
    ),
    Endpoint("DELETE", "/queries/{job}", _cancel, "Ask no more for a job; what had begun stays charged."),
    Endpoint("GET", "/queries", _jobs, "One's own jobs, the newest first.", ("after", "limit")),
    Endpoint("GET", "/queries/{job}/certificate", _certificate, "The certificates of a job's answers."),
)
