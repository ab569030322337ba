"""``pets review``: what waits for a second person where a policy asks for one, and what they decide."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import json
import time
from typing import Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Books
from pets.ledger.review.votes import REASONS, Decision

review_app = typer.Typer(
    name="review",
    help="Approval by a second person: requests that are held, and decisions about them.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Job = Annotated[str, typer.Argument(metavar="REQUEST", help="Its id, as the list shows it.", show_default=False)]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; never who asked.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Words of your own; the log has their digest alone.")]


@verb(review_app)
def list_(
    books: Books,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Of this dataset alone.", show_default="all")] = None,
) -> None:
    """The requests that are held, the longest first.

    \b
    pets review list --ledger ledger.db
    """
    from pets.ledger.review.reviews import Reviews

    found = Reviews(books.open()).waiting(dataset)
    for held in found:
        job = held.job
        since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(job.at))
        made = "its answer is held" if held.stage.value == "after" else "not answered"
        print(f"{job.id}  {since}  {job.dataset}: {job.kind} by {job.analyst}, project {job.project}; {made}")
    if not found:
        typer.echo("Nothing is held.", err=True)


@verb(review_app)
def show(books: Books, request: Job) -> None:
    """What is asked, and the protected answer where that is held, as JSON. No row is read.

    \b
    pets review show 0b1c… --ledger ledger.db
    """
    from pets.ledger.review.reviews import Reviews

    held = Reviews(books.open()).find(request)
    told = {"asked": held.job.asked, "kind": held.job.kind, "analyst": held.job.analyst, "stage": held.stage.value}
    print(json.dumps(told | (held.answer or {}), indent=2, ensure_ascii=False))


@verb(review_app)
def approve(books: Books, request: Job, by: By, note: Note = "") -> None:
    """Let it be answered, or its answer be shown.

    \b
    pets review approve 0b1c… --by jo@hospital --ledger ledger.db
    """
    from pets.ledger.review.reviews import Reviews

    Reviews(books.open()).decide(request, Decision.APPROVE, by=by, note=note)
    typer.echo("Approved; the log tells who did.", err=True)


@verb(review_app)
def refuse(
    books: Books,
    request: Job,
    by: By,
    reason: Annotated[
        str, typer.Option("--reason", metavar="CODE", help=f"Why: {', '.join(REASONS[Decision.REFUSE])}.")
    ],
    note: Note = "",
) -> None:
    """Leave it unanswered, at no cost, or its answer unshown, which stays charged.

    \b
    pets review refuse 0b1c… --by jo@hospital --reason may-disclose --ledger ledger.db
    """
    from pets.ledger.review.reviews import Reviews

    Reviews(books.open()).decide(request, Decision.REFUSE, by=by, reason=reason, note=note)
    typer.echo("Refused; the log tells who did, and why.", err=True)
