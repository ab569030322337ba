"""Synthesis by an engine that sees the rows: no guarantee, allowed by policy alone, and entered before it is made.

The rows are read and learnt from inside the guard: of what goes wrong, only the engine's own plain sentences leave
(they are made of the schema's names); everything else is an incident for the custodian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pets.common.arguments import whole_between
from pets.common.clock import now
from pets.common.codec import Json, digest
from pets.common.entropy import random_id
from pets.errors import ReleaseFailedError
from pets.protection.budget import Cost, positive
from pets.session.custody import Custody
from pets.session.guard import guarded
from pets.session.synthesis.attest import attested
from pets.session.synthesis.request import ROW, one_table
from pets.synthetic.synthetic_release import SyntheticRelease

if TYPE_CHECKING:
    import pandas as pd

Made = tuple[dict[str, "pd.DataFrame"], Json]

JOINED = "Rows of one invented id belong together, but no invented id stands for any real person."
FEW = 100
"""People below whom an engine is likely to remember single ones."""


def by_engine(
    custody: Custody,
    rows: int | None,
    method: str,
    *,
    table: str | None = None,
    columns: Sequence[str] | None = None,
    order: str | None = None,
    epochs: int | None = None,
    timeout: float = 3600,
    memory: float = 8,
    seed: int = 0,
    progress: bool = True,
) -> SyntheticRelease:
    """By an engine that sees the rows: refused unless the policy allows it, and entered as unbounded."""
    from pets.synthetic.sdv.engine_process import Limits
    from pets.synthetic.sdv.external import Asked, external, ready

    name = one_table(custody.schema, table)
    asked = Asked.of(
        custody.schema,
        name,
        method,
        columns=columns,
        order=order,
        rows=rows,
        epochs=None if epochs is None else whole_between("epochs", epochs, 1, 100_000),
        seed=whole_between("seed", seed, 0, 2**63 - 1),
    )
    limits = Limits(positive("timeout", timeout, 10**7), positive("memory", memory, 10**5))
    snapshot = custody.snapshot(name)
    ready()
    settings: Json = {"rows": rows, "columns": list(asked.fields), "epochs": epochs, "seed": seed, "order": order}
    question = digest([snapshot.id, method, name, settings])
    # (with people's tables, ids and rows: an engine without a guarantee sees what the snapshot kept)
    what, terms = f"a synthetic table by {method}", {"kind": "synthetic", "method": method}

    def learn() -> Made:
        coded = snapshot.arrow()
        codes = {column: coded[snapshot.columns[column]].to_numpy() for column in asked.fields}
        frames, said = external(asked, codes, coded["person"].to_numpy(), limits, progress=progress)
        orphans = custody.report(name).people_unattached if asked.people else 0
        return frames, said | {"people_unattached": orphans}

    with custody.unbounded(name, what, question, terms, snapshot.id) as number:
        made, why = _kept(custody, number, learn)
        if made is None:
            raise ReleaseFailedError(why)
        frames, said = made
    release = SyntheticRelease(
        id=random_id(),
        frames=frames,
        method=method,
        dataset=custody.schema.dataset,
        schema_digest=custody.schema.digest,
        schema=custody.schema,
        data=custody.kind,
        releases=(),
        guarantee="Dummy data: the rows that the engine learnt from are invented."
        if custody.kind == "dummy"
        else "No formal guarantee: the engine saw the rows, and what it remembers of a person is not bounded "
        "(unbounded; named on every later release).",
        epsilon=None,
        delta=None,
        rho=None,
        cost=Cost(custody.budget.currency, 0).to_json(),
        misfits=(),
        settings=settings | said,
        level="multivariate detailed: whatever the engine learnt, rare rows included",
        issued_at=now(),
        project=custody.project,
        analyst=custody.analyst,
        notes=(
            *_learnt(said),
            *_lacking(method, frames, said),
            *_orphans(said["people_unattached"], name, custody.schema.table(name).person_table),
            ROW if method not in ("hma", "par") else JOINED,
            f"At most {snapshot.max_rows} row(s) of a person were seen.",
            *ruled(said["rules"], said["rows_turned_away"]),
        ),
    )
    return attested(custody, release, [], terms)


def _learnt(said: Json) -> tuple[str, ...]:
    """What a reader must know where few taught the engine, or not all did."""
    rows, people, broken = said["learnt_from"]["rows"], said["learnt_from"]["people"], said["rows_that_break_rules"]
    few = (
        f"WARNING: learnt from only {rows:,} row(s) of {people:,} {'person' if people == 1 else 'people'}: so few are "
        "remembered rather than learnt, and rows here may be theirs."
    )
    left = f"{broken:,} real row(s) break a rule of the schema, and the engine did not learn from them."
    return (*([few] if people < FEW else []), *([left] if broken else []))


def _lacking(method: str, frames: dict[str, pd.DataFrame], said: Json) -> tuple[str, ...]:
    """Says where fewer came than were wanted."""
    wanted, first = int(said["wanted"]), next(iter(frames.values()))
    what, found = "rows", len(first)
    if method == "hma":
        what, found = "people", len(list(frames.values())[1])
    if method == "par":
        what, found = "people", said["people_made"]
    if found >= wanted:
        return ()
    return (f"{found:,} {what} came of the {wanted:,} that were wanted: too many of the others break a rule.",)


def _orphans(people: int, table: str, person_table: str | None) -> tuple[str, ...]:
    if not people:
        return ()
    return (
        f"{people:,} {'person has' if people == 1 else 'people have'} rows in {table!r} and none in {person_table!r}: "
        f"the engine learnt them as people without any value there.",
    )


def _kept(custody: Custody, number: str, learn: Callable[[], Made]) -> tuple[Made | None, str]:
    """What was made; or nothing, and a sentence that tells of no row."""

    def read() -> tuple[Made | None, str]:
        try:
            return learn(), ""
        except ReleaseFailedError as error:
            return None, str(error)  # its frames hold rows, so the sentence alone goes on

    found, incident = guarded(read)
    if found is not None:
        return found
    number = custody.keep_incident(number, incident)
    return None, (
        f"the release failed after the data was opened (incident {number}); the request stays on the account as "
        "unbounded; give the incident number to the custodian"
    )


def ruled(rules: Sequence[Json], turned: int = 0) -> tuple[str, ...]:
    """What becomes of the schema's rules, for whoever reads the rows."""
    if not rules:
        return ()
    also = f" {turned:,} drawn row(s) were turned away for them." if turned else ""
    return ("The schema's rules: " + "; ".join(f"({one['rule']}) {one['kept']}" for one in rules) + f".{also}",)
