"""``pets snapshot`` and ``pets profile``: what a custodian does before anybody asks."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.flags import Purse, SchemaFile, Source, load_schema
from pets.cli.opening.warned import custodian_warned, warned

if TYPE_CHECKING:
    from pets.schema.schema import Schema
    from pets.session.session import Session

Share = Annotated[
    float,
    typer.Option("--share", help="Remark on a column of which more than this was unreadable, outside or clamped."),
]
BOUNDS = (
    "Warning: bounds, values and row caps read from this report are not public knowledge, and a schema must hold "
    "nothing else; choose them from the data's documentation, or treat each as an unprotected release."
)


def snapshot(
    schema: SchemaFile,
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="The folder to write; keep it with the data, for owners only.")],
    share: Share = 0.05,
    append: Annotated[
        bool, typer.Option("--append", help="Add rows that arrived later; the unit names a column of arrival.")
    ] = False,
) -> None:
    """Prepare the tables once (for custodians); queries then open them with --snapshots.

    \b
    pets snapshot --schema stays.yaml --data stays.csv --out ready
    pets snapshot --schema stays.yaml --data february.csv --out ready --append
    pets query --schema stays.yaml --snapshots ready --by sex --count stays --epsilon 0.5
    pets snapshot --schema stays.yaml --data stays=table:hospital.stays --out ready --engine spark
    """
    from pets.protection.budget import Budget
    from pets.session.session import Session

    known = load_schema(schema)
    sources = source.sources(known)
    with warnings.catch_warnings(action="ignore"):  # of older snapshots there, which are made anew at once
        engine, data = source.chosen(), None if append else sources
        session = Session(known, data, budget=Budget(1.0, 1e-6), snapshots=out, engine=engine)
        if not append and any(name in sources for name in session.reused):
            session.refresh()
    if append:
        with custodian_warned():
            session.append(sources)
    warned(session.custody.left_out)
    for name, identity in session.snapshots.items():
        print(f"Table {name!r}: snapshot {identity}")
        for remark in session.custody.remarks(name, share):
            print(remark)
    _said_of_the_set(session, known)
    if append:
        print(
            "Added to it: rows of before were not read, and whoever was deleted, corrected or opted out since is still "
            "in it; pets snapshot without --append makes it anew from all rows."
        )
    print(f"Prepared {', '.join(sources)} in {out}. It holds rows of real people: keep it where the data may be kept.")


def profile(schema: SchemaFile, source: Source, share: Share = 0.05) -> None:
    """For custodians only: what became of every row, and how many rows each K keeps. Exact counts of real rows.

    \b
    pets profile --schema stays.yaml --data stays.csv
    pets profile --schema stays.yaml --snapshots ready
    """
    known = load_schema(schema)
    session = source.open(known, Purse())
    for name in session.tables:
        print(f"Table {name!r}. {session.report(name).text(share)}\n")
    print(BOUNDS)


def _said_of_the_set(session: "Session", known: "Schema") -> None:
    """By which id several tables are read together; or that they cannot be, and what to do."""
    from pets.schema.people import named

    people = [name for name in session.tables if name in named(known.tables)]
    if session.custody.apart:
        print(f"! {session.custody.apart}")
    elif len(people) > 1:
        print(f"Read together, person by person: set {session.custody.linked(people).id}")
