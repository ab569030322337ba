"""The ledger's tables, for SQLite and PostgreSQL alike; the database itself keeps the invariants.

Nothing negative, nothing above a cap, keys unique, a committed request has its bytes, the log append-only. The newest
migration makes exactly these tables (a test compares them).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

VERSION_TABLE = "pets_ledger_version"

meta = sa.MetaData()

datasets = sa.Table(
    "pets_datasets",
    meta,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("budget", sa.Text, nullable=False),  # canonical JSON of the budget in force
    sa.Column("units", sa.Text, nullable=False),  # canonical JSON: table to the column that names a person
    sa.Column("approvers", sa.Text, nullable=False),  # canonical JSON: public keys, and how many must sign a change
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("snapshots", sa.Text, nullable=False),  # canonical JSON: those that a renewed budget is for ([]: any)
    sa.Column("releases", sa.BigInteger, nullable=False),  # committed, with a finite guarantee
    sa.Column("lifetime_loss", sa.BigInteger, nullable=False),
    sa.Column("lifetime_delta", sa.BigInteger, nullable=False),
    sa.CheckConstraint("lifetime_loss >= 0 AND lifetime_delta >= 0", name="pets_lifetime_counts_up"),
)

sources = sa.Table(
    "pets_sources",
    meta,
    sa.Column("id", sa.Text, primary_key=True),  # where the rows come from; never what is in them
    sa.Column("dataset", sa.Text, sa.ForeignKey("pets_datasets.name"), nullable=False),
    sa.Column("tbl", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
)

scopes = sa.Table(
    "pets_scopes",
    meta,
    sa.Column("dataset", sa.Text, sa.ForeignKey("pets_datasets.name"), primary_key=True),
    sa.Column("project", sa.Text, primary_key=True),  # '' in the root
    sa.Column("analyst", sa.Text, primary_key=True),  # '' in the root and in a project
    sa.Column("cap_loss", sa.BigInteger),  # null: no cap of its own
    sa.Column("cap_delta", sa.BigInteger),
    sa.Column("reserved_loss", sa.BigInteger, nullable=False),
    sa.Column("reserved_delta", sa.BigInteger, nullable=False),
    sa.Column("spent_loss", sa.BigInteger, nullable=False),
    sa.Column("spent_delta", sa.BigInteger, nullable=False),
    *(
        sa.CheckConstraint(
            f"reserved_{part} >= 0 AND spent_{part} >= 0 AND "
            f"(cap_{part} IS NULL OR reserved_{part} + spent_{part} <= cap_{part})",
            name=f"pets_within_cap_{part}",
        )
        for part in ("loss", "delta")
    ),
    sa.CheckConstraint(
        "project <> '' OR (analyst = '' AND cap_loss IS NOT NULL AND cap_delta IS NOT NULL)", name="pets_root_has_cap"
    ),
)

requests = sa.Table(
    "pets_requests",
    meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),  # of its first log entry: the order in which requests came
    sa.Column("dataset", sa.Text, sa.ForeignKey("pets_datasets.name"), nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("analyst", sa.Text, nullable=False),
    sa.Column("key", sa.Text),  # the caller's idempotency key, while something is charged under it
    sa.Column("asked", sa.Text, nullable=False),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("tbl", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("protection", sa.Text, nullable=False),
    sa.Column("loss", sa.BigInteger, nullable=False),
    sa.Column("delta", sa.BigInteger, nullable=False),
    sa.Column("unbounded", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),  # who may seal it
    sa.Column("lease", sa.Float, nullable=False),  # until when, in seconds since 1970
    sa.Column("sealed", sa.BigInteger),  # the log entry that committed it: the first answer to a question stays the one
    sa.Column("release", sa.LargeBinary),
    sa.Column("certificate", sa.LargeBinary),
    sa.Column("schema_digest", sa.Text),  # null in requests from before it was entered
    sa.Column("review", sa.Text),  # null where nobody had to approve the answer; else held, approved or refused
    sa.UniqueConstraint("dataset", "project", "analyst", "key", name="pets_key_once"),
    sa.CheckConstraint(
        "state IN ('reserved', 'started', 'committed', 'forfeited', 'voided', 'denied')", name="pets_known_state"
    ),
    sa.CheckConstraint(
        "(state = 'committed') = (release IS NOT NULL AND certificate IS NOT NULL)", name="pets_committed_has_bytes"
    ),
    sa.CheckConstraint("loss >= 0 AND delta >= 0", name="pets_costs_are_costs"),
)
sa.Index("pets_requests_asked", requests.c.asked)
sa.Index("pets_requests_snapshot", requests.c.dataset, requests.c.snapshot)
# written as text in the queries too: a planner takes a part's index only where it sees the very same condition
OPEN, UNBOUNDED = sa.text("state IN ('reserved', 'started')"), sa.text("unbounded")
sa.Index("pets_requests_open", requests.c.lease, sqlite_where=OPEN, postgresql_where=OPEN)
sa.Index(
    "pets_requests_unbounded",
    requests.c.dataset,
    requests.c.seq,
    sqlite_where=UNBOUNDED,
    postgresql_where=UNBOUNDED,
)

FORFEITED = sa.text("state = 'forfeited'")
sa.Index("pets_requests_forfeited", requests.c.dataset, sqlite_where=FORFEITED, postgresql_where=FORFEITED)

DENIED = sa.text("state = 'denied'")
sa.Index("pets_requests_of_analyst", requests.c.dataset, requests.c.project, requests.c.analyst, requests.c.seq)
sa.Index(
    "pets_requests_denied",
    requests.c.dataset,
    requests.c.project,
    requests.c.analyst,
    requests.c.at,
    sqlite_where=DENIED,
    postgresql_where=DENIED,
)

deliveries = sa.Table(
    "pets_deliveries",  # of an answer to somebody who had asked the same, at no cost
    meta,
    sa.Column("request", sa.Text, sa.ForeignKey("pets_requests.id"), primary_key=True),
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("analyst", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the log entry that tells of it
    sa.Column("release", sa.LargeBinary),  # null: the very bytes of the request
    sa.Column("certificate", sa.LargeBinary),
    sa.CheckConstraint("(release IS NULL) = (certificate IS NULL)", name="pets_delivery_is_whole"),
)

log = sa.Table(
    "pets_log",
    meta,
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # public
    sa.Column("private", sa.LargeBinary, nullable=False),  # for the custodian; the body commits to it
    sa.Column("hash", sa.LargeBinary, nullable=False),  # of the chain up to here
)

changes = sa.Table(
    "pets_changes",
    meta,
    sa.Column("id", sa.Text, primary_key=True),  # a signed change applies once
    sa.Column("dataset", sa.Text, sa.ForeignKey("pets_datasets.name"), nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("envelope", sa.LargeBinary, nullable=False),
)

lost = sa.Table(
    "pets_lost",  # datasets that a restored backup does not know: when opened again they begin with what they had spent
    meta,
    sa.Column("id", sa.Text, primary_key=True),  # of the name, as in checkpoints
    sa.Column("loss", sa.BigInteger, nullable=False),
    sa.Column("delta", sa.BigInteger, nullable=False),
)

head = sa.Table(
    "pets_head",
    meta,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # the public key that signs, in hex
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("peaks", sa.LargeBinary, nullable=False),  # the Merkle frontier, 32 bytes a peak
    sa.Column("at", sa.Float, nullable=False),  # the newest entry's time, in seconds since 1970
)

jobs = sa.Table(
    "pets_jobs",  # questions that wait for an answering process; no entry of the log, and no charge
    meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("dataset", sa.Text, sa.ForeignKey("pets_datasets.name"), nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("analyst", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("asked", sa.Text, nullable=False),  # canonical JSON of the whole request
    sa.Column("digest", sa.Text, nullable=False),  # of the kind and what is asked
    sa.Column("key", sa.Text),  # the caller's idempotency key
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("lease", sa.Float, nullable=False),
    sa.Column("token", sa.Text, nullable=False),  # whose it is while it runs
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("request", sa.Text),  # the ledger's requests that answered it, with commas between them
    sa.Column("answer", sa.LargeBinary),  # what the ledger does not hold of it: made of answers, or of invented rows
    sa.Column("problem", sa.Text),  # canonical JSON: code, message, retry_after
    sa.Column("shown", sa.Float, nullable=False),  # when its end may be seen
    sa.Column("review", sa.Text),  # null where nobody had to approve it; else before, after, approved or refused
    sa.UniqueConstraint("dataset", "project", "analyst", "key", name="pets_job_key_once"),
    sa.CheckConstraint(
        "state IN ('waiting', 'running', 'done', 'failed', 'cancelled', 'held')", name="pets_known_job_state"
    ),
    sa.CheckConstraint("(state = 'failed') = (problem IS NOT NULL)", name="pets_failed_job_says_why"),
    sa.CheckConstraint("state <> 'done' OR request IS NOT NULL OR answer IS NOT NULL", name="pets_done_job_has_answer"),
)
WAITING, RUNNING = sa.text("state = 'waiting'"), sa.text("state = 'running'")
sa.Index("pets_jobs_waiting", jobs.c.at, jobs.c.id, sqlite_where=WAITING, postgresql_where=WAITING)
sa.Index("pets_jobs_running", jobs.c.lease, sqlite_where=RUNNING, postgresql_where=RUNNING)
sa.Index("pets_jobs_of_analyst", jobs.c.project, jobs.c.analyst, jobs.c.at, jobs.c.id)
OF_INVENTED = sa.text("kind = 'dummy'")
sa.Index("pets_jobs_of_invented", jobs.c.at, sqlite_where=OF_INVENTED, postgresql_where=OF_INVENTED)

HELD = sa.text("state = 'held'")
sa.Index("pets_jobs_held", jobs.c.dataset, jobs.c.at, sqlite_where=HELD, postgresql_where=HELD)

reviews = sa.Table(
    "pets_reviews",  # what each reviewer of a job decided; the log tells of it
    meta,
    sa.Column("job", sa.Text, sa.ForeignKey("pets_jobs.id"), primary_key=True),
    sa.Column("reviewer", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),  # of a closed list
    sa.Column("note", sa.Text, nullable=False),  # free text; the log has its digest alone
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the log entry that tells of it
    sa.CheckConstraint("stage IN ('before', 'after')", name="pets_known_stage"),
    sa.CheckConstraint("decision IN ('approve', 'refuse')", name="pets_known_decision"),
)

WAITS = sa.text("state IN ('submitted', 'partially-reviewed', 'reviewed')")

outputs = sa.Table(
    "pets_outputs",  # what analysts want to take out; the bytes of its files lie beside the ledger, by their digests
    meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("dataset", sa.Text, sa.ForeignKey("pets_datasets.name"), nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("analyst", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),  # how often it was submitted; votes are about one turn
    sa.Column("rules", sa.Text, nullable=False),  # canonical JSON: how many must approve, and who may
    sa.Column("manifest", sa.Text, nullable=False),  # canonical JSON: the files, and what is said of them
    sa.Column("digest", sa.Text, nullable=False),  # of the manifest
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("due", sa.Float, nullable=False),  # by when this turn is to be decided
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the log entry that tells of this turn
    sa.CheckConstraint(
        "state IN ('submitted', 'partially-reviewed', 'reviewed', 'approved', 'returned', 'rejected', 'withdrawn', "
        "'released')",
        name="pets_known_output_state",
    ),
    sa.CheckConstraint("turn > 0", name="pets_output_turns_count_up"),
)
sa.Index("pets_outputs_open", outputs.c.dataset, outputs.c.due, sqlite_where=WAITS, postgresql_where=WAITS)
sa.Index("pets_outputs_of_analyst", outputs.c.dataset, outputs.c.project, outputs.c.analyst, outputs.c.at)

output_votes = sa.Table(
    "pets_output_votes",  # what each reviewer said of a turn; the log commits to it, and tells it once all are in
    meta,
    sa.Column("output", sa.Text, sa.ForeignKey("pets_outputs.id"), primary_key=True),
    sa.Column("turn", sa.Integer, primary_key=True),
    sa.Column("reviewer", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),  # of what was voted about
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),  # of a closed list
    sa.Column("note", sa.Text, nullable=False),  # free text; the log has its digest alone
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the log entry that commits to it
    sa.Column("signed", sa.Text, nullable=False, server_default=""),  # what the reviewer's own key signed
    sa.CheckConstraint("decision IN ('approve', 'return', 'reject')", name="pets_known_output_decision"),
)

output_comments = sa.Table(
    "pets_output_comments",  # free text; the log has its digest alone
    meta,
    sa.Column("output", sa.Text, sa.ForeignKey("pets_outputs.id"), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),  # of the log entry that tells of it
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

tokens = sa.Table(
    "pets_tokens",  # of scripts; the text itself is shown once, and kept nowhere
    meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False, unique=True),  # SHA-256 of the text, in hex
    sa.Column("prefix", sa.Text, nullable=False),  # the text's beginning, by which its owner knows it
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("roles", sa.Text, nullable=False),  # canonical JSON
    sa.Column("datasets", sa.Text, nullable=False),  # canonical JSON ([]: all)
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("expires", sa.Float),
    sa.Column("revoked", sa.Float),
)

grants = sa.Table(
    "pets_grants",  # who may ask about a dataset; the log tells of each and of its end
    meta,
    sa.Column("dataset", sa.Text, sa.ForeignKey("pets_datasets.name"), primary_key=True),
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("analyst", sa.Text, primary_key=True),
    sa.Column("roles", sa.Text, nullable=False),  # canonical JSON
    sa.Column("seq", sa.BigInteger, nullable=False),  # of the log entry that tells of it
    sa.Column("revoked", sa.Boolean, nullable=False),
)

APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER pets_log_no_{verb} BEFORE {verb} ON pets_log "
        "BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END"
        for verb in ("update", "delete")
    ],
    "postgresql": [
        "CREATE FUNCTION pets_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$",
        "CREATE TRIGGER pets_log_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON pets_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION pets_log_is_append_only()",
    ],
}
"""What stops a careless hand; a determined one is what the chain and the checkpoints are for."""


@cache
def in_memory() -> tuple[str, ...]:
    """The statements that make the tables in SQLite's memory, without migrations; written once for all ledgers."""
    made: list[str] = []

    def keep(statement: Any, *_: Any, **__: Any) -> None:
        made.append(str(statement.compile(dialect=engine.dialect)))

    engine = sa.create_mock_engine("sqlite://", keep)
    meta.create_all(engine, checkfirst=False)
    return (*made, *APPEND_ONLY["sqlite"])
