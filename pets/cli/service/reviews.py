"""``pets review``: decisions of other people, about requests that are held and about outputs of the airlock."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Books, load_schema
from pets.cli.service import through
from pets.cli.service.checker_keys import key_app
from pets.cli.service.door import Served, keeper, look_at
from pets.cli.service.through import By, Held, named
from pets.errors import PetsError, UserError
from pets.ledger.review.votes import REASONS, Decision, OutputState

if TYPE_CHECKING:
    from pets.ledger.review.reviews import Held as HeldJob

review_app = typer.Typer(
    name="review",
    help="Decisions of other people: about requests that are held, and about outputs of the airlock.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Job = Annotated[str, typer.Argument(metavar="ID", help="Of the request or output, as the list shows it.")]
Name = Annotated[str, typer.Argument(metavar="OUTPUT", help="Its id, as the list shows it.", show_default=False)]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Words of your own; the log has their digest alone.")]
Digest = Annotated[
    str | None,
    typer.Option(
        "--digest", metavar="HEX", help="Of an output, as show prints it: what you looked at.", show_default=False
    ),
]


Key = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="Your own key, which signs your vote.", show_default=False),
]
Finding = Annotated[
    str | None,
    typer.Option(
        "--finding", metavar="HEX", help="Of a table outside the grid, as look prints it.", show_default=False
    ),
]
Anyway = Annotated[
    str, typer.Option("--anyway", metavar="TEXT", help="Why such a table leaves although it is not proved.")
]


def _reason(decision: Decision) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(
        "--reason", metavar="CODE", help=f"Why: {', '.join(REASONS[decision])}."
    )
    return found


def _looked_at(digest: str | None) -> str:
    """What somebody looked at, by its digest: the newest turn may be one that they never saw."""
    if digest is None:
        raise UserError(
            "whoever votes about an output names what they looked at; look at it with pets review show, and add the "
            "--digest that it prints"
        )
    return digest


def _voted(state: str, *, now: bool = False) -> None:
    typer.echo(f"{'Returned' if now else 'Voted'}; the output is {state}.", err=True)


def _no_key(key: Path | None) -> None:
    if key is not None:
        raise UserError("a key of one's own signs votes about outputs, and this is a held request; leave --key out")


@verb(review_app)
def list_(
    books: Books,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Of this dataset alone.", show_default="all")] = None,
    left: Annotated[
        bool, typer.Option("--left", help="The outputs that have left instead, to compare with, the newest first.")
    ] = False,
) -> None:
    """The requests that are held and the outputs that wait for votes, the longest first.

    \b
    pets review list --ledger ledger.db
    pets review list --left --dataset stays --ledger ledger.db
    """
    from pets.ledger.review.outputs import Outputs
    from pets.ledger.review.reviews import Reviews
    from pets.session.airlock.shown import OutputList

    ledger = books.open()
    if left:
        gone = Outputs(ledger).listed(dataset, states=(OutputState.RELEASED,))
        if gone:
            print(OutputList(gone))
        else:
            typer.echo("Nothing has left.", err=True)
        return
    held, outputs = Reviews(ledger).waiting(dataset), Outputs(ledger).waiting(dataset)
    for one in held:
        job = one.job
        since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(job.at))
        made = "its answer is held" if one.stage.value == "after" else "not answered"
        print(f"{job.id}  {since}  {job.dataset}: {job.kind} by {job.analyst}, project {job.project}; {made}")
    if outputs:
        print(OutputList(outputs))
    if not held and not outputs:
        typer.echo("Nothing is held.", err=True)


@verb(review_app)
def show(
    place: Held,
    request: Job,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who looks, as a checker.", show_default=False)
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FOLDER", help="Write an output's files there, to look at.", show_default=False),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option("--schema", metavar="FILE", help="Of the request's dataset: shows the question as a SELECT."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Of a request: question and answer as JSON, for programs.")
    ] = False,
) -> None:
    """What is asked, and the protected answer where that is held; or an output, its files and a pre-flight.

    A question is shown as a SELECT where its schema is given and SQL has words for it, else in its canonical JSON.

    \b
    pets review show 0b1c… --schema stays.yaml --ledger ledger.db
    pets review show 7d20… --by jo@hospital --out to-check --ledger ledger.db
    pets review show 7d20… --out to-check --service https://host/pets
    """
    from pets.cli.airlock.looking import look
    from pets.ledger.review.outputs import Outputs
    from pets.ledger.review.reviews import Reviews
    from pets.service.client.reviewing import Reader

    if place.given:
        through.show(place.desk(by=by, schema=schema, json=as_json), request, out)
        return
    ledger = place.open()
    if Outputs(ledger).known(request):
        look(ledger, request, by, out)
        return
    held = Reviews(ledger).find(request)
    if as_json or not _reads(held):
        _print_json(held)
        return
    known = None if schema is None else load_schema(schema)
    if known is not None and known.dataset != held.job.dataset:
        raise UserError(
            f"the request is about dataset {held.job.dataset!r}, and that schema is of {known.dataset!r}; give the "
            "schema of the former"
        )
    told = {"review": held.to_json() | {"asked": held.job.asked}} | (held.answer or {})
    print(repr(Reader(ledger.key, held.job.dataset, known).read(told)))
    if known is None:
        typer.echo("Add --schema FILE, and the question is shown as a SELECT.", err=True)


def _reads(held: "HeldJob") -> bool:
    """Whether this version reads what is asked."""
    from pets.service.wire.asked import Asked

    try:
        Asked.read(held.job.kind, held.job.asked)
    except PetsError:
        return False
    return True


def _print_json(held: "HeldJob") -> None:
    told = {"asked": held.job.asked, "kind": held.job.kind, "analyst": held.job.analyst, "stage": held.stage.value}
    print(json.dumps(told | (held.answer or {}), indent=2, ensure_ascii=False))


@verb(review_app)
def look(books: Books, request: Job, config: Served = None) -> None:
    """What a table outside the grid would tell beside all that left before without noise; nobody else is told.

    Ends with 0 where it is proved that small numbers stay open, 30 where that was not shown, or a refusal closes these
    people, 31 where a small number can be derived. An approval names the digest that this ends with.

    \b
    pets review look 0b1c… --ledger ledger.db --config service.yaml
    """
    if code := look_at(books.open(), request, config):
        raise typer.Exit(code)


@verb(review_app)
def approve(
    place: Held,
    request: Job,
    by: By = None,
    note: Note = "",
    digest: Digest = None,
    key: Key = None,
    finding: Finding = None,
    anyway: Anyway = "",
    config: Served = None,
) -> None:
    """Let a request be answered, or its answer be shown; or vote that an output may leave.

    \b
    pets review approve 0b1c… --by jo@hospital --ledger ledger.db
    pets review approve 7d20… --by jo@hospital --digest 5e884898da28 --ledger ledger.db
    pets review approve 7d20… --by jo@hospital --digest 5e884898da28 --key jo.key --ledger ledger.db
    pets review approve 7d20… --digest 5e884898da28 --key jo.key --service https://host/pets
    pets review approve 9e11… --by jo@hospital --finding 1c6f03b2a4d5 --ledger ledger.db --config service.yaml
    """
    from pets.ledger.review.outputs import Outputs
    from pets.ledger.review.reviews import Reviews
    from pets.ledger.review.voting import Voting

    if place.given:
        desk = place.desk(by=by, config=config)
        if through.is_output(desk, request):
            _voted(through.vote(desk, request, "approve", _looked_at(digest), key=key, note=note))
            return
        _no_key(key)
        desk.approve(request, note=note, finding=finding, anyway=anyway)
        typer.echo("Approved; the log tells who did.", err=True)
        return
    ledger, by = place.open(), named(by)
    if Outputs(ledger).known(request):
        seen = _looked_at(digest)
        made = Voting(ledger).decide(request, Decision.APPROVE, by=by, digest=seen, note=note, key=key)
        _voted(made.state.value)
        return
    _no_key(key)
    if finding is None and not anyway:
        Reviews(ledger).decide(request, Decision.APPROVE, by=by, note=note)
    else:
        keeper(ledger, request, config).approve(request, by=by, note=note, finding=finding, anyway=anyway)
    typer.echo("Approved; the log tells who did.", err=True)


@verb(review_app)
def refuse(
    place: Held,
    request: Job,
    reason: Annotated[str, _reason(Decision.REFUSE)],
    by: By = None,
    note: Note = "",
) -> None:
    """Leave it unanswered, at no cost, or its answer unshown, which stays charged.

    \b
    pets review refuse 0b1c… --by jo@hospital --reason may-disclose --ledger ledger.db
    """
    from pets.ledger.review.reviews import Reviews

    if place.given:
        place.desk(by=by).refuse(request, reason=reason, note=note)
    else:
        Reviews(place.open()).decide(request, Decision.REFUSE, by=named(by), reason=reason, note=note)
    typer.echo("Refused; the log tells who did, and why.", err=True)


@verb(review_app)
def return_(
    place: Held,
    output: Name,
    reason: Annotated[str, _reason(Decision.RETURN)],
    by: By = None,
    note: Note = "",
    now: Annotated[
        bool, typer.Option("--now", help="At once, before the others have voted; their votes count no more.")
    ] = False,
    digest: Digest = None,
    key: Key = None,
) -> None:
    """Vote that an output goes back to its analyst, who may mend it; or send it back at once.

    \b
    pets review return 7d20… --by jo@hospital --reason small-counts --digest 5e884898da28 --ledger ledger.db
    pets review return 7d20… --by jo@hospital --reason unclear --now --digest 5e884898da28 --ledger ledger.db
    """
    from pets.ledger.review.voting import Voting

    seen = _looked_at(digest)
    if place.given:
        desk = place.desk(by=by)
        state = through.vote(desk, output, "return", seen, key=key, now=now, reason=reason, note=note)
        _voted(state, now=now)
        return
    voting, by = Voting(place.open()), named(by)
    if now:
        made = voting.send_back(output, by=by, digest=seen, reason=reason, note=note, key=key)
    else:
        made = voting.decide(output, Decision.RETURN, by=by, digest=seen, reason=reason, note=note, key=key)
    _voted(made.state.value, now=now)


@verb(review_app)
def reject(
    place: Held,
    output: Name,
    reason: Annotated[str, _reason(Decision.REJECT)],
    by: By = None,
    note: Note = "",
    digest: Digest = None,
    key: Key = None,
) -> None:
    """Vote that an output never leaves.

    \b
    pets review reject 7d20… --by jo@hospital --reason rows-of-people --digest 5e884898da28 --ledger ledger.db
    """
    from pets.ledger.review.voting import Voting

    seen = _looked_at(digest)
    if place.given:
        _voted(through.vote(place.desk(by=by), output, "reject", seen, key=key, reason=reason, note=note))
        return
    voting, by = Voting(place.open()), named(by)
    made = voting.decide(output, Decision.REJECT, by=by, digest=seen, reason=reason, note=note, key=key)
    _voted(made.state.value)


@verb(review_app)
def release(
    books: Books,
    output: Name,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who takes it out.")],
    out: Annotated[str, typer.Option("--out", metavar="FOLDER", help="The folder to write its files into.")],
) -> None:
    """Let an approved output out: its digests are entered in the log, then its files are written.

    \b
    pets review release 7d20… --by vera --out released --ledger ledger.db
    """
    from pets.ledger.review.outputs import Outputs
    from pets.session.airlock.airlock import write_out

    for path in write_out(Outputs(books.open()), output, out, by=by):
        print(path)


review_app.add_typer(key_app)
