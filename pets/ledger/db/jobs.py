"""Jobs: statements on the table of questions that wait for an answering process. They touch no account and no log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pets.ledger.db.row_types import Scope
from pets.ledger.db.tables import HELD, OF_INVENTED, RUNNING, WAITING, jobs, requests

_INSERTS: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_PUTTING = 0x7065746A  # "petj": with a project's hash, the PostgreSQL advisory lock of whoever adds to its jobs
_STANDING = {"waiting": WAITING, "held": HELD}
_ENDED = ("done", "failed", "cancelled")


def alone(connection: sa.Connection, dataset: str, project: str) -> None:
    """Until this transaction ends nobody else adds a job of this project (in SQLite no other writer is there)."""
    if connection.dialect.name == "postgresql":
        locked = sa.text("SELECT pg_advisory_xact_lock(:n, hashtext(:who))")
        connection.execute(locked, {"n": _PUTTING, "who": f"{dataset}\n{project}"})


def add(connection: sa.Connection, row: dict[str, Any]) -> bool:
    """A new job; whether there was none under its key."""
    added = _INSERTS[connection.dialect.name](jobs).on_conflict_do_nothing().values(row)
    return bool(connection.execute(added).rowcount)


def by_key(connection: sa.Connection, dataset: str, scope: Scope, key: str) -> Any:
    """The job under an idempotency key of this analyst's, or ``None``."""
    return connection.execute(sa.select(jobs).where(*_of(dataset, scope), jobs.c.key == key)).first()


def by_id(connection: sa.Connection, job: str) -> Any:
    """A job's row, or ``None``."""
    return connection.execute(_BY_ID, {"job": job}).first()


def waiting(connection: sa.Connection, dataset: str | None = None, project: str | None = None) -> int:
    """How many wait: of one project, those that wait for a person among them, or to be answered, of all."""
    query = sa.select(sa.func.count()).select_from(jobs)
    if dataset is None:
        query = query.where(WAITING)
    else:
        query = query.where(sa.or_(WAITING, HELD), jobs.c.dataset == dataset, jobs.c.project == project)
    return int(connection.execute(query).scalar_one())


def open_dummies(connection: sa.Connection, dataset: str, project: str) -> int:
    """How many of a project's questions on invented rows wait or run."""
    query = sa.select(sa.func.count()).select_from(jobs).where(OF_INVENTED, jobs.c.state.in_(("waiting", "running")))
    return int(connection.execute(query.where(jobs.c.dataset == dataset, jobs.c.project == project)).scalar_one())


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
    return connection.execute(_next(datasets is not None), {"datasets": datasets}).first() is not None


def claim(connection: sa.Connection, datasets: Sequence[str] | None, turn: str, values: dict[str, Any]) -> Any:
    """The next project's job that waits longest, which runs from now on; what another claims now is passed over.

    ``turn``: the project that had the last turn; projects take theirs in the order of their names.
    """
    given = {"datasets": datasets, "turn": turn} | {f"its_{name}": value for name, value in values.items()}
    return connection.execute(_claiming(datasets is not None, tuple(values)), given).first()


def mine(connection: sa.Connection, project: str, analyst: str, after: Any, limit: int) -> list[Any]:
    """An analyst's jobs, the newest first; ``after``: the row of the last one that was shown."""
    query = sa.select(jobs).where(jobs.c.project == project, jobs.c.analyst == analyst)
    if after is not None:
        query = query.where(sa.tuple_(jobs.c.at, jobs.c.id) < sa.tuple_(sa.literal(after.at), sa.literal(after.id)))
    return list(connection.execute(query.order_by(jobs.c.at.desc(), jobs.c.id.desc()).limit(limit)).all())


def move(connection: sa.Connection, job: str, before: str, claim: str | None, **values: Any) -> bool:
    """Compare and set: whether the job was in that state (and, with a claim's token, ran under it)."""
    same = [jobs.c.id == job, jobs.c.state == before]
    if claim is not None:
        same.append(jobs.c.token == claim)
    return bool(connection.execute(sa.update(jobs).where(*same).values(**values)).rowcount)


def end(connection: sa.Connection, job: str, claim: str, **values: Any) -> bool:
    """:func:`move` of a job that runs to where nobody answers it; its ``lease`` tells when it was first told to run."""
    return move(connection, job, "running", claim, **{"lease": jobs.c.shown} | values)


def runs(connection: sa.Connection, worker: str, job: str) -> bool:
    """Whether a worker has a job in hand that is not this one."""
    others = sa.select(jobs.c.id).where(RUNNING, jobs.c.worker == worker, jobs.c.id != job)
    return connection.execute(others.limit(1)).first() is not None


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


def _of(dataset: str, scope: Scope) -> tuple[Any, ...]:
    return jobs.c.dataset == dataset, jobs.c.project == scope[0], jobs.c.analyst == scope[1]


# (these are asked all day, and to write such a statement takes longer than to answer it: each is written once)

_BY_ID = sa.select(jobs).where(jobs.c.id == sa.bindparam("job"))


@cache
def _claiming(of: bool, names: tuple[str, ...]) -> Any:
    """Taking the next job; ``its_…``: what is written of it, by these names. Arguments as of :func:`_next`."""
    first = _next(of, turns=True).with_for_update(skip_locked=True).scalar_subquery()
    values = {name: sa.bindparam(f"its_{name}", type_=jobs.c[name].type) for name in names}
    claimed = sa.update(jobs).where(jobs.c.id == first, WAITING).values(tries=jobs.c.tries + 1, **values)
    return claimed.returning(*jobs.c)


@cache
def _next(of: bool, *, turns: bool = False) -> Any:
    """The next job; of a project's on invented rows, which are free, one at a time, so that others have a process.

    Args:
        of: whether it is about one of ``datasets``; else about any.
        turns: whether projects take turns, after that of ``turn``.
    """
    busy = jobs.alias()
    alike = busy.c.project == jobs.c.project, busy.c.kind == "dummy", busy.c.state == "running"
    kept = sa.and_(jobs.c.kind == "dummy", sa.exists().where(*alike))
    query = sa.select(jobs.c.id).where(WAITING, sa.not_(kept))
    if of:
        query = query.where(jobs.c.dataset.in_(sa.bindparam("datasets", expanding=True)))
    if turns:
        query = query.order_by(sa.case((jobs.c.project > sa.bindparam("turn"), 0), else_=1), jobs.c.project)
    return query.order_by(jobs.c.at, jobs.c.id).limit(1)
