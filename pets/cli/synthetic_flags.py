"""Flags about a synthetic table: what ``pets quote --synthesise`` asks the price of."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.cli.flags import Protect, Question
from pets.errors import QueryError, UserError

if TYPE_CHECKING:
    from pets.session.synthesis.quote import SynthesisQuote
    from pets.session.verbs.analyst_verbs import AnalystVerbs


Bins = Annotated[
    list[str] | None,
    typer.Option(
        "--bins",
        metavar="TEXT",
        help="Of one of its columns: age:0,18,65,120 (edges), age:8 (how many) or day:month; repeatable.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Synthesise:
    """A synthetic table instead of a query."""

    synthesise: Annotated[
        bool,
        typer.Option(
            "--synthesise",
            help="Quote a synthetic table instead of a query (needs --epsilon); several tables at once are quoted by "
            "session.quote_synthesis(tables=[…]).",
        ),
    ] = False
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="NAMES", help="Of the synthetic table: age,sex,ward.")
    ] = None
    bins: Bins = None
    selection: Annotated[
        str, typer.Option("--selection", metavar="NAME", help="How its pairs are chosen: tree, or aim (slower).")
    ] = "tree"

    def check(self) -> None:
        """Refuse flags of a synthetic table where a query is quoted."""
        if not self.synthesise and (self.columns is not None or self.bins or self.selection != "tree"):
            raise UserError("--columns, --bins and --selection are about a synthetic table; add --synthesise")

    def quote(self, session: "AnalystVerbs", question: Question, protect: Protect) -> "SynthesisQuote":
        """What the table would cost, and how good it would be."""
        from pets.query_model.condition import read_query

        plain = Question(table=question.table, rows=question.rows, query=question.query)
        if vars(question) != vars(plain) or (question.query is not None and question.table is not None):
            raise QueryError(
                "--synthesise quotes a table; of a question's flags, only --table and --rows go with it, or instead "
                "--query FILE with a question about people, without agg"
            )
        if vars(protect) != vars(Protect(epsilon=protect.epsilon)):
            raise UserError("a synthetic table is priced by --epsilon alone; leave the other flags of protection out")
        return session.quote_synthesis(
            epsilon=protect.epsilon,
            table=question.table if question.query is None else read_query(question.query),
            columns=None if self.columns is None else [name.strip() for name in self.columns.split(",")],
            bins=bins_of(self.bins),
            bound=question.rows,
            selection=self.selection,
        )


def bins_of(texts: list[str] | None) -> dict[str, Any] | None:
    """What ``--bins`` says, by column; ``None`` where it is left out."""
    return dict(_bins(text) for text in texts) if texts else None


def _bins(text: str) -> tuple[str, Any]:
    name, colon, given = text.rpartition(":")
    if not colon or not name or not given:
        raise UserError(f"bins are written as column:edges, such as age:0,18,65,120, not {text!r}")
    parts = given.split(",")
    try:
        numbers: list[Any] = [int(part) if part.strip().lstrip("-").isdigit() else float(part) for part in parts]
    except ValueError:
        return name, given
    return name, numbers if len(numbers) > 1 else numbers[0]
