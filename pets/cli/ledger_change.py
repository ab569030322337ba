"""``pets ledger open, renew, change, sign, apply, recover``: what a custodian may do to a ledger."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.cli.command import verb
from pets.cli.flags import Books, Purse, load_schema, written
from pets.common.files import replace_file
from pets.errors import LedgerError, shown

if TYPE_CHECKING:
    from pets.ledger.change import Change
    from pets.ledger.ledger import Ledger
    from pets.protection.budget import Budget

Dataset = Annotated[str, typer.Option("--dataset", metavar="NAME", help="The dataset, as its schema names it.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the public log.")]
By = Annotated[list[str], typer.Option("--by", metavar="NAME", help="Who decided: twice, for two people.")]
Draft = Annotated[
    Path | None,
    typer.Option("--draft", metavar="FILE", help="Write the change there, for approvers to sign; change nothing."),
]
KEEP = "Keep a copy of the key and of the checkpoint on another machine: they show what a database alone cannot."


def register(app: typer.Typer) -> None:
    """Add the commands to ``pets ledger``."""
    for function in (open_, renew, change, key, sign, apply, recover):
        verb(app)(function)


def open_(
    schema: Annotated[str, typer.Option("--schema", metavar="FILE", help="Whose dataset is opened.")],
    purse: Purse,
) -> None:
    """Open a dataset in a ledger, with the budget that it may ever spend; makes the ledger where there is none.

    \b
    pets ledger open --ledger ledger.db --schema stays.yaml --budget-epsilon 3 --budget-delta 1e-6
    """
    known = load_schema(schema)
    purse.build()  # a budget that cannot be is refused before a ledger is made
    ledger = purse.open()
    if ledger is None:
        raise LedgerError("say which ledger: add --ledger ledger.db")
    session = purse.session(known, ledger)
    print(f"Dataset {session.schema.dataset!r} is open in {ledger.label}. {session.remaining()}")
    print(f"Signed by key {ledger.key.id} ({ledger.public_path}); checkpoint in {ledger.checkpoint_path}.")
    print(KEEP)


def renew(
    books: Books,
    dataset: Dataset,
    snapshot: Annotated[
        list[str], typer.Option("--snapshot", metavar="ID", help="Of the new data (pets snapshot prints it).")
    ],
    budget_epsilon: Annotated[float, typer.Option("--budget-epsilon", metavar="NUMBER", help="ε of the new budget.")],
    reason: Reason,
    by: By,
    budget_delta: Annotated[
        float | None, typer.Option("--budget-delta", metavar="NUMBER", help="Its δ (left out: as it is).")
    ] = None,
    draft: Draft = None,
) -> None:
    """Give a dataset a new budget for new data. What was spent stays in the lifetime odometer, and both are shown.

    \b
    pets ledger renew --ledger ledger.db --dataset stays --snapshot 5b2c... --budget-epsilon 3 \\
        --reason "records of 2027 were added" --by "A. Caldicott" --by "B. Statistician"
    """
    for name in snapshot:
        _snapshot(name)
    ledger = books.open()
    details = {
        "budget": _rebudget(ledger, dataset, budget_epsilon, budget_delta).to_json(),
        "snapshots": snapshot,
        "epoch": _epoch(ledger, dataset),
    }
    made(ledger, dataset, "renew", details, reason, by, draft)


def _snapshot(name: str) -> None:
    if not re.fullmatch("[0-9a-f]{32}", name):
        raise LedgerError(f"a snapshot's id is 32 hex digits, as pets snapshot prints it, not {shown(name)}")


def change(
    books: Books,
    dataset: Dataset,
    reason: Reason,
    by: By,
    budget_epsilon: Annotated[
        float | None, typer.Option("--budget-epsilon", metavar="NUMBER", help="Another cap: ε.")
    ] = None,
    budget_delta: Annotated[
        float | None, typer.Option("--budget-delta", metavar="NUMBER", help="Its δ (left out: as it is).")
    ] = None,
    threshold_delta: Annotated[
        float | None,
        typer.Option("--threshold-delta", metavar="NUMBER", help="The part of it for keys (left out: the same share)."),
    ] = None,
    project: Annotated[str | None, typer.Option("--project", help="The cap is this project's own.")] = None,
    analyst: Annotated[str, typer.Option("--analyst", help="The cap is this analyst's own in the project.")] = "",
    uncapped: Annotated[bool, typer.Option("--uncapped", help="The project or analyst has no cap of its own.")] = False,
    table: Annotated[
        str | None, typer.Option("--table", metavar="TABLE=COLUMN", help="One more table, and who is protected in it.")
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", metavar="TABLE=COLUMN", help="Who is protected.")] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="TABLE=PATH", help="Data that was registered elsewhere.")
    ] = None,
    snapshot: Annotated[
        list[str] | None, typer.Option("--snapshot", metavar="ID", help="One more snapshot for a renewed budget.")
    ] = None,
    approver: Annotated[
        list[str] | None, typer.Option("--approver", metavar="KEY.pub", help="Whose signatures changes need.")
    ] = None,
    needed: Annotated[int, typer.Option("--needed", metavar="WHOLE", help="How many approvers must sign.")] = 2,
    draft: Draft = None,
) -> None:
    """Change one thing about a dataset: its cap, a project's cap, tables, who is protected, data, approvers.

    \b
    pets ledger change --ledger ledger.db --dataset stays --project trial --budget-epsilon 0.5 \\
        --reason "share of the trial" --by "A. Caldicott" --by "B. Statistician"
    pets ledger change --ledger ledger.db --dataset stays --threshold-delta 1e-7 \\
        --reason "diagnoses that nobody listed" --by "A. Caldicott" --by "B. Statistician"
    pets ledger change --ledger ledger.db --dataset stays --approver ann.pub --approver bob.pub \\
        --reason "two approvers from now on" --by "A. Caldicott" --by "B. Statistician"
    """
    ledger = books.open()
    parts = (budget_epsilon, budget_delta, threshold_delta)
    budget = None if parts == (None, None, None) else _rebudget(ledger, dataset, *parts)
    kinds: dict[str, dict[str, Any]] = {}
    if project is not None:
        if (budget is None) == (not uncapped):
            raise LedgerError("a project's cap needs --budget-epsilon, or --uncapped for none")
        form = None if budget is None else budget.to_json()
        kinds["cap"] = {"project": project, "analyst": analyst, "budget": form}
    elif budget is not None:
        kinds["budget"] = {"budget": budget.to_json()}
    for kind, given in (("table", table), ("unit", unit)):
        if given is not None:
            name, _, column = given.partition("=")
            kinds[kind] = {"table": name, "unit": column}
    if source is not None:
        name, _, path = source.partition("=")
        kinds["source"] = {"table": name, "source": _source(path)}
    for name in snapshot or ():
        _snapshot(name)
    if snapshot:
        kinds["snapshots"] = {"snapshots": snapshot}
    if approver:
        kinds["approvers"] = {"keys": [_public(path) for path in approver], "needed": needed}
    if len(kinds) != 1:
        raise LedgerError(
            "change one thing at a time: --budget-epsilon or --threshold-delta, --project with a cap, --table, --unit, "
            "--source, --snapshot or --approver"
        )
    ((kind, details),) = kinds.items()
    made(ledger, dataset, kind, details, reason, by, draft)


def key(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to put it: ann.key; ann.pub lies beside.")],
) -> None:
    """Make an approver's key. Whoever holds the .key file signs with it; the .pub file is for everybody.

    \b
    pets ledger key --out ann.key
    """
    from pets.common.signing import load_or_make

    if out.exists():
        raise LedgerError(f"{str(out)!r} is there already; choose another name")
    made = load_or_make(out)
    print(f"Key {made.public.id}: {out} signs (keep it to yourself), {out.with_suffix('.pub')} is for everybody.")


def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A change that was drafted.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Your signing key.")],
) -> None:
    """Sign a drafted change, after reading it.

    \b
    pets ledger sign change.json --key ann.key
    """
    from pets.common.codec import canonical
    from pets.common.signing import load_or_make
    from pets.ledger.change import change_in, countersigned

    if not key.exists():
        raise LedgerError(f"there is no key {str(key)!r}; make one with pets ledger key --out {key}")
    envelope = _read(file)
    wanted = change_in(envelope)
    with written(file):
        replace_file(file, canonical(countersigned(envelope, load_or_make(key))))
    print(f"Signed: {_told(wanted)}")


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A change with the signatures it needs.")],
    books: Books,
) -> None:
    """Make a drafted change, once enough approvers have signed it.

    \b
    pets ledger apply change.json --ledger ledger.db
    """
    from pets.ledger.change import apply as applied

    print(f"Done: {_told(applied(books.open(), _read(file)))}")


def recover(
    books: Books,
    rebase: Annotated[
        bool, typer.Option("--rebase", help="Go on after lost entries: what was lost counts as spent.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, with --rebase.")] = "",
    by: Annotated[list[str] | None, typer.Option("--by", metavar="NAME", help="Who decided, twice.")] = None,
) -> None:
    """Close requests that were left behind; with --rebase, go on after a backup was restored.

    \b
    pets ledger recover --ledger ledger.db
    pets ledger recover --ledger ledger.db --rebase --reason "disk failed on 3 May" --by "A. One" --by "B. Two"
    """
    if not rebase:
        ledger = books.open()
        count = ledger.recovered
        print(f"{count} request{'' if count == 1 else 's'} left behind {'was' if count == 1 else 'were'} closed.")
        return
    from pets.ledger.rebase import rebase as rebased
    from pets.protection.budget import Cost

    ledger = books.open(check=False)
    done = rebased(ledger, reason, tuple(by or ()))
    said = "no checkpoint was there" if done.published is None else f"{done.published} entries were published"
    print(f"{said}, {done.found} were found. Counted as spent:")
    with ledger.reading() as tx:
        for name, (loss, delta) in done.counted.items():
            budget = _budget(tx.dataset(name))
            print(f"  {name}: ε = {budget.describe(Cost(budget.currency, loss, delta))[0]:.4g}")
    if done.unknown:
        print(f"  {done.unknown} dataset(s) that this database does not know: charged when they are opened again")


# what they share ----------------------------------------------------------------------------------------------------


def made(
    ledger: "Ledger", dataset: str, kind: str, details: dict[str, Any], reason: str, by: list[str], draft: Path | None
) -> None:
    """Make a change, or write it down for approvers to sign; and say so."""
    from pets.common.codec import canonical
    from pets.ledger import change as changes

    wanted = changes.Change(ledger.origin, dataset, kind, details, reason, tuple(by))
    if draft is None:
        changes.apply(ledger, changes.draft(wanted))
        print(f"Done: {_told(wanted)}")
        return
    with written(draft):
        replace_file(draft, canonical(changes.draft(wanted)))
    print(f"Drafted in {draft}: {_told(wanted)}\nEach approver runs: pets ledger sign {draft} --key THEIR.key")


def _told(wanted: "Change") -> str:
    details = ", ".join(f"{name} {value}" for name, value in wanted.details.items() if value not in ("", None))
    return f"{wanted.kind} of {wanted.dataset!r} ({details}); {wanted.reason}; by {', '.join(wanted.by)}"


def _rebudget(
    ledger: "Ledger", dataset: str, epsilon: float | None, delta: float | None, threshold: float | None = None
) -> "Budget":
    """Another budget; what is not given stays as it is, and of another δ thresholds keep the share that they had."""
    from pets.common.codec import fraction
    from pets.protection.budget import Budget

    _epoch(ledger, dataset)
    with ledger.reading() as tx:
        pinned = _budget(tx.dataset(dataset))
    if threshold is None:
        threshold = pinned.threshold_delta
        if threshold and delta is not None:
            threshold = float(fraction(threshold) / fraction(pinned.delta) * fraction(delta))
    return Budget(pinned.epsilon if epsilon is None else epsilon, pinned.delta if delta is None else delta, threshold)


def _epoch(ledger: "Ledger", dataset: str) -> int:
    from pets.errors import did_you_mean

    with ledger.reading() as tx:
        row = tx.dataset(dataset)
        if row is None:
            raise LedgerError(f"the ledger has no dataset {dataset!r}{did_you_mean(dataset, tx.dataset_names())}")
        return int(row.epoch)


def _budget(row: Any) -> "Budget":
    from pets.protection.budget import Budget

    return Budget.from_json(json.loads(row.budget))


def _source(path: str) -> str:
    if "://" in path:
        raise LedgerError("give a file; a database's address is registered when a session opens it")
    return f"file:{Path(path).expanduser().resolve()}"


def _public(path: str) -> str:
    from pets.common.signing import load_public

    return load_public(Path(path)).raw.hex()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise LedgerError(f"{str(path)!r} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise LedgerError(f"{str(path)!r} holds no policy change; make it with pets ledger renew --draft")
    return found
