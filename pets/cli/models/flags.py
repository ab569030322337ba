"""Flags that models share: which rows they are of, where they are kept, and how they are asked for."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.cli.command import interruptible
from pets.cli.flags import Protect, Purse, Source, TableName, written
from pets.cli.question.afterwards import NOTE, told
from pets.cli.question.offered import Offered
from pets.common.files import make_folder
from pets.errors import QueryError, UserError

if TYPE_CHECKING:
    from pets.protection.budget import Cost
    from pets.protection.protection import Protection
    from pets.query_model.query import Query
    from pets.release.release import Release
    from pets.schema.schema import Schema
    from pets.session.session import Session

BEGUN = "interrupted after data was read; nothing was shown, but count the cost of what was asked by then as spent"
Key = Annotated[
    str | None, typer.Option("--key", metavar="TEXT", help="Names this request: repeated, it is charged once.")
]
Quote = Annotated[bool, typer.Option("--quote", help="Only the price, and how good it will be; reads no data.")]
Dummy = Annotated[bool, typer.Option("--dummy", help="Of invented rows: no data, no cost.")]


def names(text: str | None) -> list[str]:
    """The columns of a flag, with commas between them.

    >>> names("age, sex"), names(None)
    (['age', 'sex'], [])
    """
    return [name.strip() for name in (text or "").split(",") if name.strip()]


@dataclass(frozen=True)
class Rows:
    """Which rows a model is of."""

    table: TableName = None
    made: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="TEXT", help="A computed column: days=left - came; repeatable.", show_default=False
        ),
    ] = None
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="TEXT", help="Only rows that meet it; repeatable.", show_default=False),
    ] = None
    rows: Annotated[int | None, typer.Option("--rows", metavar="WHOLE", help="Rows of one person that count.")] = None

    def build(self, schema: "Schema") -> "Query":
        """The question that chooses them; it has no measure."""
        from pets.query_model.condition import condition
        from pets.query_model.query import query
        from pets.query_model.text.computed import computed

        if self.table is None and len(schema.tables) > 1:
            raise QueryError(f"the schema has several tables; add --table, one of {', '.join(schema.tables)}")
        asked = query(self.table or next(iter(schema.tables)))
        for name, made in map(computed, self.made or ()):
            asked = asked.with_columns(**{name: made})
        for text in self.where or ():
            asked = asked.where(condition(text))
        return asked.bound(rows=self.rows)


@dataclass(frozen=True)
class Kept:
    """Where a model goes."""

    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write FILE.json, which pets.load reads in Python.")
    ] = None
    releases: Annotated[
        Path | None,
        typer.Option(
            "--releases", metavar="FOLDER", help="Write there each release that it follows from, for pets verify."
        ),
    ] = None

    def check(self) -> None:
        """A model that cannot be written must not be paid for."""
        if self.out is not None:
            folder = self.out.absolute().parent
            if self.out.suffix.lower() != ".json":
                raise UserError(f"--out {str(self.out)!r} must end in .json, such as --out model.json")
            if not folder.is_dir():
                raise UserError(f"the folder of --out {str(self.out)!r} does not exist; make it first")
            if self.out.is_dir() or not os.access(self.out if self.out.exists() else folder, os.W_OK):
                raise UserError(f"--out {str(self.out)!r} cannot be written; check its permissions")
        if self.releases is not None:
            with written(self.releases):
                make_folder(self.releases)
            if not os.access(self.releases, os.W_OK):
                raise UserError(f"--releases {str(self.releases)!r} cannot be written into; take an empty folder")
            if self.out is not None and self.out.absolute().parent == self.releases.absolute():
                raise UserError("--out and --releases would mix a model with its releases; keep it in another folder")
            if any(self.releases.glob("release-*.json")):  # (those of two fits would be taken for one's)
                raise UserError(
                    f"--releases {str(self.releases)!r} holds releases of an earlier fit; take an empty folder"
                )

    def deliver(self, made: Any, releases: "Sequence[Release]" = ()) -> None:
        """Print the model, and write what is asked for."""
        print(made)
        if self.out is not None:  # (the model first: it holds its releases)
            print(f"Written to {made.save(self.out)}.", file=sys.stderr)
        if self.releases is not None:
            for place, release in enumerate(releases, start=1):
                release.save(self.releases / f"release-{place}.json")
            print(f"{len(releases)} release(s) written to {self.releases}.", file=sys.stderr)


@dataclass(frozen=True)
class Asked:
    """How a model is asked for, whatever it is.

    Attributes:
        quoted: its price, by a session without rows; refused before any is read.
        cost: of that price.
        made: the model of a session's rows, with the releases that it follows from.
    """

    quoted: Callable[["Session", "Protection"], Any]
    cost: "Callable[[Any], Cost]"
    made: "Callable[[Session, Protection], tuple[Any, Sequence[Release]]]"

    def run(
        self,
        schema: "Schema",
        protect: Protect,
        purse: Purse,
        source: Source,
        kept: Kept,
        *,
        quote: bool,
        dummy: bool,
        exact: bool,
    ) -> None:
        """Quote it, or make it; ``exact``: whether it may be had without noise, of invented rows."""
        from pets.protection.protection import Exact

        kept.check()
        if dummy and not quote:
            protection: Protection = Exact() if exact and not protect.given else protect.build()
            twin = Purse().session(schema, None, progress=False).dummy()
            kept.deliver(*self.made(twin, protection))
            return
        protection, ledger = protect.build(), purse.open()
        asker = purse.session(schema, ledger)
        price = self.quoted(asker, protection)  # what can be refused is, before data is read
        if quote:
            print(price)
            return
        # (a model of a stored snapshot may have been made before, and then costs nothing)
        if source.snapshots is None or ledger is None:
            cost = self.cost(price)
            purse.afford(Offered(cost, cost.fits(asker.remaining().left), asker.budget.delta), asker)
        session = source.open(schema, purse, ledger)
        before = session.remaining().spent
        with interruptible(BEGUN):
            made = self.made(session, protection)
        kept.deliver(*made)
        if ledger is None:
            print(NOTE, file=sys.stderr)
            return
        told(session, before, stored=source.snapshots is not None, costs=True)
