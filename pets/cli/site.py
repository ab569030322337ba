"""``pets site``: a site of a federation, from a data file, a schema and a policy; for its custodian."""

# no "from __future__ import annotations": typer and the flag groups read the annotations when this file loads

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import DATA, Question, Source, load_schema, written
from pets.cli.opening.warned import custodian_warned
from pets.cli.sdc.grid import Anew, Confirm, Seconds, named
from pets.cli.sdc.rule import Rule
from pets.errors import PetsError, PolicyError, UserError

if TYPE_CHECKING:
    from pets.federated.deployment.site_folder import SiteFolder

app = typer.Typer(
    name="site",
    help="A site of a federation: make it, join a federation, serve, and see what it answered.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
STOPPED = "interrupted; nothing was made"
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The site's folder.")]


EARLIER_TOTALS = (
    "Totals without noise of some of this roster's sites left over other lists of sites. The same question over this "
    "roster may show, by subtraction, this site's own numbers (exact, or as its cells show them); so this site refuses "
    "exact totals and rounded counts over it until you allow it (pets site allow-roster, which says what is told)."
)
"""What a custodian reads who joins beside sites that gave exact totals before."""


@verb(app, STOPPED)
def init(
    folder: Folder,
    schema: Annotated[str, typer.Option("--schema", metavar="FILE", help="The schema that all sites share.")],
    data: Annotated[list[str], typer.Option("--data", metavar="[TABLE=]FILE", help=DATA, show_default=False)],
    budget_epsilon: Annotated[
        float, typer.Option("--budget-epsilon", metavar="NUMBER", help="ε of all that this site will ever answer.")
    ],
    budget_delta: Annotated[float, typer.Option("--budget-delta", metavar="NUMBER", help="Its δ.")] = 1e-6,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="What others may ask. Left out: nothing, yet.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="As others know the site. Left out: the folder's name.")
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", metavar="NAME", help="What counts its rows: duckdb, polars or spark.")
    ] = "duckdb",
) -> None:
    """Make a site: its folder gets the policy (yours to edit), a key, a ledger and the prepared rows.

    \b
    pets site init north --data stays.csv --schema stays.yaml --policy policy.yaml --budget-epsilon 3
    """
    from pets.federated.deployment.site_folder import SiteFolder
    from pets.protection.budget import Budget

    tables = load_schema(schema)
    if policy is not None and policy.suffix.lower() not in (".yaml", ".yml", ".json"):
        raise UserError(f"--policy {str(policy)!r}: a policy file ends in .yaml, .yml or .json; is this the data?")
    sources = Source(data=data).sources(tables)
    with custodian_warned():
        made = SiteFolder.create(
            folder,
            name=name or folder.absolute().name,
            schema=Path(schema),
            data=sources,
            policy=policy,
            budget=Budget(budget_epsilon, budget_delta),
            engine=engine,
        )
    print(f"{folder}: site {made.name!r}. It holds rows of real people and keys: it is for its owner only.")
    print(f"{folder / 'policy.yaml'}: what others may ask. {_allowed(made)}")
    print(f"{folder / 'entry.json'}: the site's public entry, for the coordinator.")


@verb(app, STOPPED)
def join(
    folder: Folder,
    roster: Annotated[Path, typer.Option("--roster", metavar="FILE", help="The roster, from the coordinator.")],
    kit: Annotated[
        Path | None, typer.Option("--kit", metavar="FILE", help="This site's startup kit, from the coordinator.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", metavar="FILE", help="The key holder's, for encrypted envelopes.")
    ] = None,
) -> None:
    """Join a federation: pin its roster, so that its queries are considered, each by this site's own policy.

    \b
    pets site join north --roster roster.json --kit north.kit
    pets site join north --roster roster.json --kit north.kit --public-key public.key
    """
    from pets.federated.deployment.site_folder import SiteFolder, load_roster

    site, pinned = SiteFolder(folder), load_roster(roster)
    site.join(pinned, kit, public_key)
    print(f"Site {site.name!r} joined the roster {pinned.described}")
    if any(membership != pinned.membership for member in pinned.members for membership, _ in member.totals):
        print(EARLIER_TOTALS)
    print("Compare the roster's first digits with the other sites', by telephone or in person, before you serve.")
    if public_key is not None:
        print("Compare the public key's first digits with the key holder, and with nobody in between.")
    elif pinned.key_holder:
        print("Without --public-key, this site answers no query with secure='encrypted'.")


@verb(app, "interrupted; nothing was changed")
def allow_roster(
    folder: Folder,
    roster: Annotated[Path, typer.Option("--roster", metavar="FILE", help="The roster, from the coordinator.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the public log.")],
    by: Annotated[list[str], typer.Option("--by", metavar="NAME", help="Who decided: twice, for two people.")],
    draft: Annotated[
        Path | None,
        typer.Option("--draft", metavar="FILE", help="Write the change there, for approvers to sign; change nothing."),
    ] = None,
    several: Annotated[
        bool, typer.Option("--several", help="Beside more than one other list, which together tell more than each.")
    ] = False,
) -> None:
    """Let totals without noise leave over other sites than before, by a signed entry in the log; says what it tells.

    \b
    pets site allow-roster north --roster roster.json --reason "west left" --by "A. One" --by "B. Two"
    """
    from pets.common.codec import canonical
    from pets.common.files import replace_file
    from pets.federated.deployment.site_folder import SiteFolder, load_roster
    from pets.ledger.change import draft as drafted

    site, wanted = SiteFolder(folder).site, load_roster(roster)
    if draft is None:
        print(site.allow_roster(wanted, reason=reason, by=by, several=several))
        print(f"Site {site.name!r} allows it from now on; its log has the entry, signed by its ledger's key.")
        return
    change = site.to_allow(wanted, reason=reason, by=by, several=several)
    with written(draft):
        replace_file(draft, canonical(drafted(change)))
    print(f"Drafted in {draft}: {change.details['tells']}")
    print(f"Each approver runs: pets ledger sign {draft} --key THEIR.key")
    print(f"Then: pets ledger apply {draft} --ledger {folder / 'ledger.db'}")


@verb(app, "interrupted; the kit may have to be taken again")
def renew(
    folder: Folder,
    kit: Annotated[Path, typer.Option("--kit", metavar="FILE", help="The renewed kit, from the coordinator.")],
) -> None:
    """Take a renewed startup kit. A process that serves goes on with it by itself.

    \b
    pets site renew north --kit north.kit
    """
    from pets.cli.place import place
    from pets.federated.deployment.site_folder import SiteFolder

    site = SiteFolder(folder)
    site.renew(kit)
    print(place(folder, site.kit, site.take, notices=0))


@verb(app, "interrupted; whether the grid is named, pets site status tells")
def grid(
    folder: Folder,
    question: Question,
    rule: Rule,
    anew: Anew = False,
    confirm: Confirm = None,
    seconds: Seconds = 60.0,
) -> None:
    """Name the one grid that this site's rounded counts are sums of: its cells are protected once, and for good.

    All of it is entered in the site's book of releases without noise now, whether or not it is ever asked for. The
    federation may ask for its sums once policy.yaml lists the rule. Where anything left the site before without noise,
    what follows of all of it is shown first, and it ends with 30 and a word for --confirm.

    \b
    pets site grid north --by sex --by age --count people --sdc hes
    """
    from pets.federated.deployment.site_folder import SiteFolder

    site, shown = SiteFolder(folder).site, rule.build()
    asked = question.build(site.session.schema)
    named(site.session, asked, shown, anew=anew, confirm=confirm, seconds=seconds)
    if shown.name not in site.policy.sdc:
        print(f"{folder / 'policy.yaml'} does not list the rule yet: add sdc: [{shown.name}], then send a new entry.")


@verb(app, "stopped; what was under way is over, and stays charged where data had been opened")
def serve(folder: Folder) -> None:
    """Answer the federation's queries until Ctrl-C: the gate in this process, NVFlare in one without the data.

    \b
    pets site serve north
    """
    from pets.federated.deployment.serving import serve_site
    from pets.federated.deployment.site_folder import SiteFolder

    serve_site(SiteFolder(folder), lambda line: print(line, flush=True))


@verb(app, "interrupted; nothing was changed")
def status(
    folder: Folder,
    entry: Annotated[
        Path | None, typer.Option("--entry", metavar="FILE", help="Write the site's public entry there.")
    ] = None,
    last: Annotated[int, typer.Option("--last", metavar="WHOLE", help="How many requests and notices.")] = 5,
) -> None:
    """What the site is and allows, what is wrong there, what is left, what was asked, and whether its log is whole.

    \b
    pets site status north
    pets site status north --entry north.json
    """
    from pets.cli.place import place
    from pets.federated.deployment.site_folder import SiteFolder, write_entry

    if last < 0:
        raise UserError(f"--last is a number of requests from 0, not {last}")
    opened = SiteFolder(folder)
    site, broken = opened.seen
    if broken and entry is not None:
        raise PolicyError(f"the site has no entry while its policy cannot be used: {broken}")
    if entry is not None:
        write_entry(site.member, entry)
    print(f"Site {site.name!r}, dataset {site.session.schema.dataset!r}, key {site.member.key[:16]}")
    print(f"Policy: NOT usable, so that nothing is answered: {broken}" if broken else f"Policy: {_allowed(opened)}")
    joined = opened.joined
    for roster in opened.rosters:
        stale = "" if roster in joined else " It has this site as it no longer is: ask for a new one."
        print(f"Roster {roster.described}{stale}")
    if not opened.rosters:
        print("Roster: none yet; join one with pets site join.")
    print(place(folder, opened.kit, opened.take, last))
    for lost in site.session.custody.left_out:
        print(f"WARNING: {lost}")
    if site.session.ledger.incidents.numbers:
        print(f"Incidents: pets ledger incident --ledger {folder / 'ledger.db'}")
    print(f"Budget: {site.session.remaining()}")
    history = site.session.history().tail(last)  # which begins with the oldest
    for row in history.itertuples():
        print(f"  {row.at}  {row.state}  ε = {row.epsilon}  {row.table}: {row.what}")
    try:
        found = opened.verified()
    except PetsError:
        print("Log: NOT whole.")
        raise
    print(f"Log: whole, {found.checkpoint.size:,} entries, signed by key {found.key.id}.")
    if broken:
        raise PolicyError(broken)


def _allowed(site: "SiteFolder") -> str:
    from pets.federated.site.policy import SitePolicy

    policy = SitePolicy.load(site.path / "policy.yaml")
    if not policy.tables:
        return "It allows nothing yet: edit it, then send a new entry (pets site status FOLDER --entry FILE)."
    most = "" if policy.max_epsilon is None else f", at most ε = {policy.max_epsilon:g} a query"
    return f"It allows queries of {', '.join(policy.tables)}{most}."
