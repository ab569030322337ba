"""One transaction on the ledger's tables: the rows that the rules read and write.

One that writes holds the head of the log, so that writers take turns; each change of state adds the log entry that
tells of it in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from pets.common.codec import Json
from pets.errors import InternalError, LedgerError
from pets.ledger.db import sql
from pets.ledger.db.prepared import Found, Prepared
from pets.ledger.db.row_types import ROOT, Head, Scope, ScopeRow, moment, scope_row, text
from pets.ledger.db.tables import OPEN, changes, datasets, log, lost, requests, scopes, sources
from pets.ledger.log.merkle import Frontier
from pets.ledger.log.records import GENESIS, Record, chained, record


@dataclass
class Transaction:
    """What the rules of the ledger may do within one transaction."""

    connection: sa.Connection
    writes: bool = False
    head: Head = field(init=False)
    changed: bool = field(init=False, default=False)
    ahead: sql.Ahead = ()
    _sent: dict[Any, Found] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        locked = (sql.LOCK_HEAD if self.writes else sql.READ_HEAD)(self.connection, {})
        self.send(*self.ahead)
        row = locked.first()
        if row is None:
            raise LedgerError("the ledger has no head; restore it from a backup")
        peaks = tuple(row.peaks[at : at + 32] for at in range(0, len(row.peaks), 32))
        try:
            frontier = Frontier(row.size, peaks)
        except ValueError:
            raise LedgerError("the ledger's head is damaged; restore it from a backup") from None
        self.head = Head(row.origin, row.key, row.size, bytes(row.hash), frontier, row.at)

    def send(self, *ahead: sql.Question) -> None:
        """Ask what will be needed soon, so that a pipeline fetches it all in one round trip."""
        for statement, values in ahead:
            self._sent[_place(statement, values)] = statement(self.connection, values)

    def _ask(self, statement: Prepared, values: Mapping[str, Any]) -> Found:
        return self._sent.pop(_place(statement, values), None) or statement(self.connection, values)

    def _do(self, statement: Prepared, values: Mapping[str, Any]) -> Found:
        self._sent.clear()  # what was asked before a change is no answer after it
        return statement(self.connection, values)

    @staticmethod
    def begun(connection: sa.Connection) -> bool:
        """Whether the log was begun."""
        return sql.READ_HEAD(connection, {}).first() is not None

    @staticmethod
    def begin_log(connection: sa.Connection, origin: str, key: str, at: float) -> None:
        """An empty log."""
        row = {"id": 1, "origin": origin, "key": key, "size": 0, "hash": GENESIS, "peaks": b"", "at": float(int(at))}
        sql.PUT_FIRST_HEAD(connection, row)

    # the log ----------------------------------------------------------------------------------------------------

    def append(self, event: str, at: float, public: Json, private: Json) -> Record:
        """One more entry; the head follows when :meth:`finish` is called.

        Its time is of whole seconds: how long an answer took within one may depend on rows, and the log is public.
        """
        at = max(float(int(at)), self.head.at)
        entry = record({"seq": self.head.size, "at": moment(at), "event": event} | public, private)
        chain = chained(self.head.hash, entry.body)
        row = {"seq": self.head.size, "body": entry.body, "private": entry.private, "hash": chain}
        self._do(sql.PUT_LOG, row)
        frontier = self.head.frontier.add(entry.body)
        self.head = Head(self.head.origin, self.head.key, self.head.size + 1, chain, frontier, at)
        self.changed = True
        return entry

    def finish(self) -> None:
        """Store the head that the appended entries lead to."""
        if self.changed:
            self._do(
                sql.PUT_HEAD,
                {
                    "b_size": self.head.size,
                    "b_hash": self.head.hash,
                    "b_peaks": b"".join(self.head.frontier.peaks),
                    "b_at": self.head.at,
                },
            )

    def chain_at(self, size: int) -> bytes:
        """The chain's hash after ``size`` entries, as stored."""
        if size == 0:
            return GENESIS
        found = self._ask(sql.GET_HASH, {"b_seq": size - 1}).scalar()
        return b"" if found is None else bytes(found)

    def since(self, size: int) -> list[tuple[int, bytes]]:
        """The entries after the first ``size``: number and public body."""
        rows = self.connection.execute(sa.select(log.c.seq, log.c.body).where(log.c.seq >= size).order_by(log.c.seq))
        return [(row.seq, bytes(row.body)) for row in rows]

    def entries(self, block: int = 10_000) -> Any:
        """All entries in order, as (body, private, hash)."""
        at = 0
        while True:
            rows = self.connection.execute(
                sa.select(log.c.body, log.c.private, log.c.hash)
                .where(log.c.seq >= at, log.c.seq < at + block)
                .order_by(log.c.seq)
            ).all()
            yield from ((bytes(row.body), bytes(row.private), bytes(row.hash)) for row in rows)
            if len(rows) < block:
                return
            at += block

    # datasets and scopes ----------------------------------------------------------------------------------------

    def dataset(self, name: str) -> Any:
        """The row of a dataset, or ``None``."""
        return self._ask(sql.GET_DATASET, {"name": name}).first()

    def dataset_names(self) -> list[str]:
        """Every dataset that was opened, by name."""
        return list(self.connection.execute(sa.select(datasets.c.name).order_by(datasets.c.name)).scalars())

    def add_dataset(self, name: str, currency: str, budget: Json, units: Json, cap: tuple[int, int]) -> None:
        """A new root with its cap."""
        row = {"name": name, "currency": currency, "budget": text(budget), "units": text(units), "snapshots": "[]"}
        row["approvers"] = text({"keys": [], "needed": 0})
        counts = dict.fromkeys(("epoch", "releases", "lifetime_loss", "lifetime_delta"), 0)
        sql.PUT_DATASET(self.connection, row | counts)
        self._add_scope(name, ROOT, cap)

    def change_dataset(self, name: str, **values: Any) -> None:
        """Set columns of a dataset."""
        self.connection.execute(sa.update(datasets).where(datasets.c.name == name).values(**values))

    def source(self, identity: str) -> Any:
        """The row of a registered source, or ``None``."""
        return self.connection.execute(sa.select(sources).where(sources.c.id == identity)).first()

    def all_sources(self) -> list[Any]:
        """Every registered source."""
        return list(self.connection.execute(sa.select(sources).order_by(sources.c.id)).all())

    def put_source(self, identity: str, dataset: str, table: str, unit: str) -> None:
        """Register a source, or move it."""
        self.connection.execute(sa.delete(sources).where(sources.c.id == identity))
        self.connection.execute(sa.insert(sources), {"id": identity, "dataset": dataset, "tbl": table, "unit": unit})

    def drop_source(self, identity: str) -> None:
        """Forget where a source was registered."""
        self.connection.execute(sa.delete(sources).where(sources.c.id == identity))

    def scopes(self, dataset: str, scope: Scope) -> list[ScopeRow]:
        """The root, the project and the analyst, in the order in which they are locked; what lacks is made."""
        statement = sql.LOCK_SCOPES if self.writes else sql.READ_SCOPES
        found = [scope_row(row) for row in self._ask(statement, sql.own(dataset, scope))]
        known = {(row.project, row.analyst) for row in found}
        for lacking in dict.fromkeys([ROOT, (scope[0], ""), scope]):
            if lacking not in known:
                if self.writes:
                    self._add_scope(dataset, lacking, None)
                found.append(ScopeRow(*lacking, None, (0, 0), (0, 0)))
        return found

    def all_scopes(self, dataset: str) -> list[ScopeRow]:
        """Every scope of a dataset, the root first."""
        query = sa.select(scopes).where(scopes.c.dataset == dataset).order_by(scopes.c.project, scopes.c.analyst)
        return [scope_row(row) for row in self.connection.execute(query)]

    def _add_scope(self, dataset: str, scope: Scope, cap: tuple[int, int] | None) -> None:
        zero = {f"{kind}_{part}": 0 for kind in ("reserved", "spent") for part in ("loss", "delta")}
        loss, delta = cap or (None, None)
        row = {"dataset": dataset, "project": scope[0], "analyst": scope[1], "cap_loss": loss, "cap_delta": delta}
        self._do(sql.PUT_SCOPE, row | zero)

    def set_cap(self, dataset: str, scope: Scope, cap: tuple[int, int] | None) -> None:
        """Another cap for one scope."""
        loss, delta = cap or (None, None)
        self.connection.execute(
            sa.update(scopes)
            .where(scopes.c.dataset == dataset, scopes.c.project == scope[0], scopes.c.analyst == scope[1])
            .values(cap_loss=loss, cap_delta=delta)
        )

    def new_epoch(self, dataset: str) -> None:
        """Nothing is spent in it yet, in any scope."""
        self.connection.execute(
            sa.update(scopes).where(scopes.c.dataset == dataset).values(spent_loss=0, spent_delta=0)
        )

    def charge(
        self, dataset: str, scope: Scope, *, reserved: tuple[int, int] = (0, 0), spent: tuple[int, int] = (0, 0)
    ) -> None:
        """Add to what is reserved and spent, in all scopes that the request falls in; the database checks the caps."""
        names = ("b_loss", "b_delta", "b_spent_loss", "b_spent_delta")
        amounts = dict(zip(names, reserved + spent, strict=True))
        self._do(sql.CHARGE, sql.own(dataset, scope) | amounts)

    def lived(self, dataset: str, loss: int, delta: int, *, finite: bool = False) -> None:
        """Count for ever; ``finite``: as a release with a finite guarantee, too."""
        self._do(sql.LIVE, {"b_name": dataset, "b_releases": int(finite), "b_loss": loss, "b_delta": delta})

    def totals(self) -> dict[str, tuple[int, ...]]:
        """By dataset: epoch, charged now (loss, delta), charged over its life (loss, delta), with what is under way."""
        out: dict[str, tuple[int, ...]] = {}
        for row in self._ask(sql.GET_TOTALS, {}):
            here = (row.reserved_loss + row.spent_loss, row.reserved_delta + row.spent_delta)
            life = (row.lifetime_loss + row.reserved_loss, row.lifetime_delta + row.reserved_delta)
            out[row.name] = (row.epoch, *here, *life)
        return out

    def applied(self, change_id: str) -> bool:
        """Whether a signed change was applied before."""
        return self.connection.execute(sa.select(changes.c.id).where(changes.c.id == change_id)).first() is not None

    def add_change(self, change_id: str, dataset: str, at: str, envelope: bytes) -> None:
        """Keep a signed change."""
        self.connection.execute(
            sa.insert(changes), {"id": change_id, "dataset": dataset, "at": at, "envelope": envelope}
        )

    def changes(self, dataset: str) -> list[bytes]:
        """The signed changes of a dataset, oldest first."""
        return [bytes(row.envelope) for row in sql.GET_CHANGES(self.connection, {"b_dataset": dataset})]

    def lost(self, dataset_id: str) -> tuple[int, int] | None:
        """What a dataset had spent that a restored backup did not know."""
        row = sql.GET_LOST_OF(self.connection, {"b_id": dataset_id}).first()
        return None if row is None else (row.loss, row.delta)

    def all_lost(self) -> dict[str, tuple[int, ...]]:
        """:meth:`totals` of datasets that only an earlier checkpoint knew, by their ids."""
        rows = self._ask(sql.GET_LOST, {})
        return {row.id: (0, row.loss, row.delta, row.loss, row.delta) for row in rows}

    def lose(self, dataset_id: str, amount: tuple[int, int]) -> None:
        """Remember what an unknown dataset had spent."""
        self.connection.execute(sa.delete(lost).where(lost.c.id == dataset_id))
        self.connection.execute(sa.insert(lost), {"id": dataset_id, "loss": amount[0], "delta": amount[1]})

    def asked(self, dataset: str, snapshot: str) -> bool:
        """Whether a snapshot was ever asked about."""
        query = sa.select(requests.c.id).where(requests.c.dataset == dataset, requests.c.snapshot == snapshot).limit(1)
        return self.connection.execute(query).first() is not None

    # requests ---------------------------------------------------------------------------------------------------

    def request(self, request_id: str) -> Any:
        """A request's row, or ``None``."""
        return self._ask(*sql.request(request_id)).first()

    def by_key(self, dataset: str, scope: Scope, key: str) -> Any:
        """The request under an idempotency key of this analyst's, or ``None``."""
        return self._ask(*sql.by_key(dataset, scope, key)).first()

    def key_of_others(self, dataset: str, scope: Scope, key: str) -> bool:
        """Whether somebody else than this analyst of this project used an idempotency key."""
        values = {"b_dataset": dataset, "b_project": scope[0], "b_analyst": scope[1], "b_key": key}
        return bool(self._ask(sql.GET_KEY_OF_OTHERS, values).scalar())

    def delivery(self, request_id: str, scope: Scope) -> Any:
        """What was delivered of an answer to somebody who did not pay for it, or ``None``."""
        return self._ask(*sql.delivery(request_id, scope)).first()

    def deliver(self, request_id: str, scope: Scope, release: bytes, certificate: bytes) -> None:
        """Keep what was delivered; the newest entry of the log tells of it."""
        row = {"request": request_id, "project": scope[0], "analyst": scope[1], "seq": self.head.size - 1}
        self._do(sql.PUT_DELIVERY, row | {"release": release, "certificate": certificate})

    def by_asked(self, asked: str) -> Any:
        """The first answer to this question, or ``None``."""
        return self._ask(*sql.by_asked(asked)).first()

    def denials(self, dataset: str, scope: Scope, since: str) -> int:
        """Requests of an analyst that were refused since then, and entered."""
        values = {"b_dataset": dataset, "b_project": scope[0], "b_analyst": scope[1], "b_since": since}
        return int(self._ask(sql.GET_DENIALS, values).scalar())

    def unbounded(self, dataset: str) -> tuple[tuple[str, str, str], ...]:
        """Every request without a finite guarantee that was started, whatever became of it: id, time, what."""
        rows = self._ask(*sql.unbounded(dataset))
        return tuple((row.id, row.at, row.what) for row in rows)

    def forfeited(self, dataset: str) -> int:
        """How many requests were started, and so charged, and never answered."""
        return int(self._ask(*sql.forfeited(dataset)).scalar())

    def any_requests(self) -> bool:
        """Whether anything was ever asked."""
        return self.connection.execute(sa.select(requests.c.id).limit(1)).first() is not None

    def under_way(self, dataset: str) -> int:
        """How many requests are reserved or started."""
        mine = (requests.c.dataset == dataset, OPEN)
        return int(self.connection.execute(sa.select(sa.func.count()).where(*mine)).scalar_one())

    def expired(self, now: float) -> list[Any]:
        """Requests under way whose lease is over."""
        return list(sql.GET_EXPIRED(self.connection, {"b_now": now}))

    def add_requests(self, rows: Sequence[Json]) -> None:
        """New requests."""
        for row in rows:
            self._do(sql.PUT_REQUEST, row)

    def void(self, row: Any) -> bool:
        """RESERVED → VOIDED; its idempotency key is free again."""
        return self._moved(sql.TO_VOIDED, row.id, "reserved", row.token)

    def start(self, request_id: str, token: str, lease: float) -> bool:
        """RESERVED → STARTED."""
        return self._moved(sql.TO_STARTED, request_id, "reserved", token, b_lease=lease)

    def keep(self, request_id: str, token: str, lease: float) -> None:
        """A STARTED request is still being answered."""
        self._moved(sql.TO_KEPT, request_id, "started", token, b_lease=lease)

    def forfeit(self, row: Any) -> bool:
        """STARTED → FORFEITED."""
        return self._moved(sql.TO_STATE, row.id, "started", row.token, b_to="forfeited")

    def seal(self, request_id: str, token: str, release: bytes, certificate: bytes, *, held: bool = False) -> bool:
        """STARTED → COMMITTED; ``held``: until somebody approves it, nobody is shown it."""
        answer = {"b_release": release, "b_certificate": certificate, "b_review": "held" if held else None}
        return self._moved(sql.TO_SEALED, request_id, "started", token, b_sealed=self.head.size - 1, **answer)

    def _moved(self, statement: Prepared, request_id: str, before: str, token: str, **values: Any) -> bool:
        """Compare and set: whether the request was in that state, and the token is the one that may move it."""
        parameters = {"b_id": request_id, "b_from": before, "b_token": token} | values
        count = self._do(statement, parameters).rowcount
        if count not in (0, 1):
            raise InternalError("a request id names one request")
        return bool(count)


def _place(statement: Prepared, values: Mapping[str, Any]) -> tuple[int, tuple[tuple[str, Any], ...]]:
    return id(statement), tuple(sorted(values.items()))
