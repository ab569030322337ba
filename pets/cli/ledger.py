"""``pets ledger show, page, incident, export``: what a ledger tells people."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Books, written
from pets.common.files import replace_file
from pets.errors import UserError

if TYPE_CHECKING:
    from pets.ledger.publish.read_log import Dataset, Published

ledger_app = typer.Typer(
    name="ledger",
    help="The account of everything that ever left: look at it, publish it, change its rules.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@verb(ledger_app)
def show(
    books: Books,
    dataset: Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="One dataset alone.")] = None,
    requests: Annotated[bool, typer.Option("--requests", help="List the requests too, the newest first.")] = False,
) -> None:
    """Budgets, what is left of them and for whom, requests under way, the key and the checkpoint.

    \b
    pets ledger show --ledger ledger.db
    pets ledger show --ledger ledger.db --dataset hospital-stays --requests
    """
    from pets.ledger.publish import show as shows
    from pets.ledger.publish.read_log import published

    ledger = books.open()
    public = published(ledger)
    story = public.history
    known = sorted(story.datasets.values(), key=_name) if dataset is None else [story.dataset(dataset)]
    print(shows.heading(ledger, public))
    for one in known:
        print(f"\n{shows.dataset(one)}")
        if requests:
            print(f"\n{shows.requests(one)}")
    if not known:
        print("\nIt has no dataset yet; open one with: pets ledger open")


@verb(ledger_app)
def page(
    books: Books,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to write, such as page.html.")],
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Its title.")] = None,
    custodian: Annotated[str, typer.Option("--custodian", metavar="TEXT", help="Who answers for the data.")] = "",
    contact: Annotated[str, typer.Option("--contact", metavar="TEXT", help="How the public reaches them.")] = "",
) -> None:
    """A page for the public: every release, what it cost, and what is left. One file, without scripts.

    \b
    pets ledger page --ledger ledger.db --out page.html
    pets ledger page --ledger ledger.db --custodian "Riverside Hospitals" --contact records@example.org --out page.html
    """
    from pets.ledger.publish import page as pages
    from pets.ledger.publish.read_log import published

    _ends(out, ".html", ".htm")
    cover = pages.Cover(**({} if title is None else {"title": title}), custodian=custodian, contact=contact)
    public = published(books.open())
    with written(out):
        replace_file(out, pages.page(public, cover).encode())
    print(f"Written to {out}: {_counted(public)}, all {public.history.size:,} entries of the log.")


@verb(ledger_app)
def incident(
    books: Books,
    number: Annotated[str | None, typer.Argument(metavar="NUMBER", help="As the error gave it.")] = None,
) -> None:
    """For the custodian alone: what went wrong in a failed request. It may quote values of real rows.

    \b
    pets ledger incident 3f2a90c1d4e5 --ledger ledger.db
    pets ledger incident --ledger ledger.db        (lists the numbers, the newest first)
    """
    incidents = books.open().incidents
    if number is not None:
        print(incidents.read(number).rstrip())
    else:
        print("\n".join(incidents.numbers) or "No request failed here.")


@verb(ledger_app)
def export(
    books: Books,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Write FILE.json, .csv or .yaml.")],
    project: Annotated[str | None, typer.Option("--project", metavar="NAME", help="Whose use of the data.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="Which dataset.")] = None,
    register: Annotated[
        bool, typer.Option("--register", help="A project's entry for a data use register (HDR UK's fields).")
    ] = False,
    registry: Annotated[
        bool, typer.Option("--registry", help="A dataset's entry for the registry of deployments (OpenDP, NIST).")
    ] = False,
    nist: Annotated[bool, typer.Option("--nist", help="Answers to NIST SP 800-226's questions.")] = False,
    satre: Annotated[bool, typer.Option("--satre", help="Evidence for SATRE's items.")] = False,
    facts: Annotated[
        str | None, typer.Option("--facts", metavar="FILE", help="What the ledger cannot know, in YAML.")
    ] = None,
) -> None:
    """Entries for registers, from the public log; what nobody filled is listed. (The log: pets log export.)

    \b
    pets ledger export --register --ledger ledger.db --project asthma --facts project.yaml --out register.csv
    pets ledger export --registry --ledger ledger.db --dataset stays --facts facts.yaml --out stays_2026.yaml
    pets ledger export --nist --ledger ledger.db --dataset stays --out sp800_226.json
    pets ledger export --satre --ledger ledger.db --dataset stays --out satre.json
    """
    from pets.cli.registers.write import evidence, of_dataset, of_project

    kinds = {"--register": register, "--registry": registry, "--nist": nist, "--satre": satre}
    asked = [name for name, given in kinds.items() if given]
    if len(asked) != 1:
        raise UserError(f"say what to export, one of {', '.join(kinds)}; or use pets log export for the log itself")
    if register:
        _ends(out, ".json", ".csv")
        of_project(books, project, facts, out)
    elif registry:
        _ends(out, ".yaml")
        of_dataset(books, dataset, facts, out)
    else:
        _ends(out, ".json")
        evidence(books, dataset, asked[0], out)


def _name(one: "Dataset") -> str:
    return one.name


def _counted(public: "Published") -> str:
    count = sum(len(one.releases) for one in public.history.datasets.values())
    return "1 release" if count == 1 else f"{count:,} releases"


def _ends(out: Path, *suffixes: str) -> None:
    if out.suffix.lower() not in suffixes:
        raise UserError(f"--out {str(out)!r} must end in {' or '.join(suffixes)}")
    if not out.absolute().parent.is_dir():
        raise UserError(f"the folder of --out {str(out)!r} does not exist; make it first")
