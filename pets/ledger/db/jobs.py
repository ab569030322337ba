"""Jobs: statements on the table of questions that wait for an answering process. They touch no account and no log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pets.ledger.db.prepared import Found, Prepared
from pets.ledger.db.row_types import Scope
from pets.ledger.db.tables import HELD, OF_INVENTED, RUNNING, WAITING, jobs, requests

_PUTTING = 0x7065746A  # "petj": with a project's hash, the PostgreSQL advisory lock of whoever adds to its jobs
_STANDING = {"waiting": WAITING, "held": HELD}
_ENDED = ("done", "failed", "cancelled")


def alone(connection: sa.Connection, dataset: str, project: str) -> None:
    """Until this transaction ends nobody else adds a job of this project (in SQLite no other writer is there)."""
    if connection.dialect.name == "postgresql":
        _ALONE(connection, {"n": _PUTTING, "who": f"{dataset}\n{project}"})


def add(connection: sa.Connection, row: dict[str, Any]) -> Any:
    """A new job's row; ``None`` where there was one under its key."""
    return _ADD[connection.dialect.name](connection, row).first()


def by_key(connection: sa.Connection, dataset: str, scope: Scope, key: str) -> Any:
    """The job under an idempotency key of this analyst's, or ``None``."""
    whose = {"dataset": dataset, "project": scope[0], "analyst": scope[1], "key": key}
    return _BY_KEY(connection, whose).first()


def by_id(connection: sa.Connection, job: str) -> Any:
    """A job's row, or ``None``."""
    return _BY_ID(connection, {"job": job}).first()


def waiting(connection: sa.Connection, dataset: str | None = None, project: str | None = None) -> int:
    """How many wait: of one project, those that wait for a person among them, or to be answered, of all."""
    if dataset is None:
        return int(_ALL_WAITING(connection, {}).scalar())
    return int(_WAITING_OF(connection, {"dataset": dataset, "project": project}).scalar())


def open_dummies(connection: sa.Connection, dataset: str, project: str) -> int:
    """How many of a project's questions on invented rows wait or run."""
    return int(_OPEN_DUMMIES(connection, {"dataset": dataset, "project": project}).scalar())


def ended(connection: sa.Connection, several: Collection[str]) -> dict[str, float]:
    """Those of some jobs that have ended, and when that may be seen."""
    query = sa.select(jobs.c.id, jobs.c.shown).where(jobs.c.id.in_(several), jobs.c.state.in_(_ENDED))
    return {row.id: row.shown for row in connection.execute(query)}


def standing_by(connection: sa.Connection, dataset: str, state: str) -> int:
    """How many about a dataset are ``waiting`` to be answered, or ``held`` for a person."""
    query = sa.select(sa.func.count()).select_from(jobs)
    return int(connection.execute(query.where(jobs.c.dataset == dataset, _STANDING[state])).scalar_one())


def under_way(connection: sa.Connection, dataset: str, project: str, now: float) -> list[Any]:
    """A project's jobs that wait or run, or are told to."""
    open_ = sa.or_(jobs.c.state.in_(("waiting", "running")), jobs.c.shown > now)
    query = sa.select(jobs).where(jobs.c.dataset == dataset, jobs.c.project == project, open_)
    return list(connection.execute(query.where(jobs.c.state != "cancelled")).all())


def any_waiting(connection: sa.Connection, datasets: Sequence[str] | None) -> bool:
    """Whether one waits."""
    return _looking(_count(datasets))(connection, _names(datasets)).first() is not None


def claim(
    connection: sa.Connection,
    datasets: Sequence[str] | None,
    turn: str,
    values: dict[str, Any],
    after: tuple[str, str] | None = None,
) -> Any:
    """The next project's job that waits longest, which runs from now on; what another claims now is passed over.

    Args:
        turn: the project that had the last turn; projects take theirs in the order of their names.
        after: a job and its claim's token; nothing is claimed unless that one was done.
    """
    given = _names(datasets) | {"turn": turn} | {f"its_{name}": value for name, value in values.items()}
    given |= {} if after is None else {"after_job": after[0], "after_claim": after[1]}
    return _claiming(_count(datasets), tuple(values), after is not None)(connection, given).first()


def mine(connection: sa.Connection, project: str, analyst: str, after: Any, limit: int) -> list[Any]:
    """An analyst's jobs, the newest first; ``after``: the row of the last one that was shown."""
    query = sa.select(jobs).where(jobs.c.project == project, jobs.c.analyst == analyst)
    if after is not None:
        query = query.where(sa.tuple_(jobs.c.at, jobs.c.id) < sa.tuple_(sa.literal(after.at), sa.literal(after.id)))
    return list(connection.execute(query.order_by(jobs.c.at.desc(), jobs.c.id.desc()).limit(limit)).all())


def end_and_claim(
    connection: sa.Connection,
    ended: tuple[str, str, dict[str, Any]],
    claims: tuple[Any, str, dict[str, Any]],
    *,
    waits: bool = True,
) -> tuple[bool, Any]:
    """:func:`end` and then :func:`claim`, in one round trip; their arguments, and what they give.

    ``waits`` as of :func:`move`; without it nothing is claimed where nothing was ended.
    """
    job, token, values = ended
    found = _moved(connection, _moving(tuple(values), True, ends=True, waits=waits), job, "running", token, values)
    claimed = claim(connection, *claims, after=None if waits else (job, token))
    return found.first() is not None, claimed


def move(
    connection: sa.Connection, job: str, before: str, claim: str | None, *, waits: bool = True, **values: Any
) -> bool:
    """Compare and set: whether the job was in that state (and, with a claim's token, ran under it).

    ``waits``: whether for whoever changes its row just now. Who holds the head of the log does not: one process that
    stands still while it cancels a job would keep everybody from writing. It is then as if another had the job.
    """
    found = _moved(connection, _moving(tuple(values), claim is not None, waits=waits), job, before, claim, values)
    return found.first() is not None


def anew(connection: sa.Connection, job: str) -> bool:
    """Whether it had failed; then it waits again."""
    again: dict[str, Any] = {"state": "waiting", "problem": None, "token": "", "lease": 0.0, "tries": 0, "shown": 0.0}
    return move(connection, job, "failed", None, **again)


def end(connection: sa.Connection, job: str, claim: str, *, waits: bool = True, **values: Any) -> bool:
    """:func:`move` of a job that runs to where nobody answers it; its ``lease`` tells when it was first told to run."""
    found = _moved(connection, _moving(tuple(values), True, ends=True, waits=waits), job, "running", claim, values)
    return found.first() is not None


def let_go(connection: sa.Connection, job: str, claim: str) -> bool:
    """Waits until nobody changes the job's row any more; whether it runs under that claim then."""
    return _LET_GO(connection, {"job": job, "claim": claim}).first() is not None


def in_hand(connection: sa.Connection, worker: str, job: str) -> list[Any]:
    """What a worker has in hand besides this job: id and token."""
    return list(_IN_HAND(connection, {"worker": worker, "job": job}))


def left_behind(connection: sa.Connection, now: float) -> list[Any]:
    """Those that run, and whose lease is over."""
    return list(connection.execute(sa.select(jobs).where(RUNNING, jobs.c.lease < now).order_by(jobs.c.lease)).all())


def charged(connection: sa.Connection, row: Any, key: str) -> list[Any]:
    """What the ledger holds under a job's key, or under one that goes on after a ``#`` (or, in SQLite, seems to)."""
    asked = requests.c.dataset == row.dataset, requests.c.project == row.project, requests.c.analyst == row.analyst
    named = sa.or_(requests.c.key == key, requests.c.key.startswith(f"{key}#", autoescape=True))
    return list(connection.execute(sa.select(requests).where(*asked, named).order_by(requests.c.seq)).all())


def forget_invented(connection: sa.Connection, before: float) -> None:
    """Answers on invented rows are made again at no cost: old ones are not kept."""
    old = OF_INVENTED, jobs.c.at < before, jobs.c.state.in_(_ENDED)
    connection.execute(sa.delete(jobs).where(*old))


# Prepared: these are asked all day ------------------------------------------------------------------------------------

_bind: Any = sa.bindparam
_COUNT = sa.select(sa.func.count()).select_from(jobs)


def _plain(column: Any) -> Any:
    """A column's value, by which SQLite looks up no row: an index of it holds every job that ever was.

    (It would rather take that than the small index of those that wait.)
    """
    return column.concat(sa.text("''"))


_PROJECT = jobs.c.dataset == _bind("dataset"), jobs.c.project == _bind("project")
_OPEN_OF = _plain(jobs.c.dataset) == _bind("dataset"), _plain(jobs.c.project) == _bind("project")
_ADD = {
    name: Prepared(insert(jobs).on_conflict_do_nothing().returning(*jobs.c))
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
_ALONE = Prepared(sa.text("SELECT pg_advisory_xact_lock(:n, hashtext(:who))"))
_BY_ID = Prepared(sa.select(jobs).where(jobs.c.id == _bind("job")))
_BY_KEY = Prepared(sa.select(jobs).where(*_PROJECT, jobs.c.analyst == _bind("analyst"), jobs.c.key == _bind("key")))
_ALL_WAITING = Prepared(_COUNT.where(WAITING))
_HELD_OF = _COUNT.where(HELD, *_OPEN_OF).scalar_subquery()
_WAITING_OF = Prepared(sa.select(_COUNT.where(WAITING, *_OPEN_OF).scalar_subquery() + _HELD_OF))
_OPEN_DUMMIES = Prepared(_COUNT.where(OF_INVENTED, sa.text("state IN ('waiting', 'running')"), *_OPEN_OF))
_RUNS_UNDER = jobs.c.id == _bind("job"), jobs.c.token == _bind("claim"), RUNNING
_LET_GO = Prepared(sa.select(jobs.c.id).where(*_RUNS_UNDER).with_for_update())
_IN_HAND = Prepared(
    sa.select(jobs.c.id, jobs.c.token).where(RUNNING, jobs.c.worker == _bind("worker"), jobs.c.id != _bind("job"))
)


@cache
def _moving(names: tuple[str, ...], claimed: bool, *, ends: bool = False, waits: bool = True) -> Prepared:
    """A change of a job in some state; ``its_…``: what is written of it, by these names.

    Args:
        claimed: whether a claim's token must fit.
        ends: whether it is told when the job was first told to run.
        waits: whether for whoever changes the row just now.
    """
    same = [jobs.c.id == _bind("b_job"), jobs.c.state == _bind("b_before")]
    same += [jobs.c.token == _bind("b_claim")] if claimed else []
    if not waits:
        same = [jobs.c.id == sa.select(jobs.c.id).where(*same).with_for_update(skip_locked=True).scalar_subquery()]
    values = {"lease": jobs.c.shown} if ends else {}
    return Prepared(sa.update(jobs).where(*same).values(values | _written(names)).returning(jobs.c.id))


def _written(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _bind(f"its_{name}", type_=jobs.c[name].type) for name in names}


def _moved(
    connection: sa.Connection, statement: Prepared, job: str, before: str, claim: str | None, values: dict[str, Any]
) -> Found:
    given = {"b_job": job, "b_before": before, "b_claim": claim} | {f"its_{name}": one for name, one in values.items()}
    return statement(connection, given)


def _count(datasets: Sequence[str] | None) -> int | None:
    return None if datasets is None else len(datasets)


def _names(datasets: Sequence[str] | None) -> dict[str, Any]:
    return {f"dataset_{place}": name for place, name in enumerate(datasets or ())}


@cache
def _looking(many: int | None) -> Prepared:
    return Prepared(_next(many))


@cache
def _claiming(many: int | None, names: tuple[str, ...], after: bool = False) -> Prepared:
    """Taking the next job; ``its_…``: what is written of it, by these names. Arguments as of :func:`_next`.

    ``after``: whether only after another job was done.
    """
    query = _next(many, turns=True)
    if after:
        other = jobs.alias()
        ended = other.c.id == _bind("after_job"), other.c.token == _bind("after_claim"), other.c.state == "done"
        query = query.where(sa.exists().where(*ended))
    first = query.with_for_update(skip_locked=True).scalar_subquery()
    claimed = sa.update(jobs).where(jobs.c.id == first, WAITING).values(tries=jobs.c.tries + 1, **_written(names))
    return Prepared(claimed.returning(*jobs.c))


def _next(many: int | None, *, turns: bool = False) -> Any:
    """The next job; of a project's on invented rows, which are free, one at a time, so that others have a process.

    Args:
        many: of how many datasets it may be; ``None``: of any.
        turns: whether projects take turns, after that of ``turn``.
    """
    busy: Any = jobs.alias()
    invented, runs = busy.c.kind == sa.text("'dummy'"), busy.c.state == sa.text("'running'")
    alike = _plain(busy.c.project) == jobs.c.project, invented, runs
    kept = sa.and_(OF_INVENTED, sa.exists().where(*alike))
    query = sa.select(jobs.c.id).where(WAITING, sa.not_(kept))
    if many is not None:
        query = query.where(_plain(jobs.c.dataset).in_([_bind(f"dataset_{place}") for place in range(many)]))
    if turns:
        query = query.order_by(sa.case((jobs.c.project > _bind("turn"), 0), else_=1), jobs.c.project)
    return query.order_by(jobs.c.at, jobs.c.id).limit(1)
