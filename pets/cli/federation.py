"""``pets federation``: many sites, one answer; for the coordinator, who is the analyst here, too."""

# no "from __future__ import annotations": typer and the flag groups read the annotations when this file loads

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.command import interruptible, verb
from pets.cli.flags import Output, Protect, Question, TableName, load_schema
from pets.cli.sdc import holder_grid
from pets.cli.sdc.rule import MaybeRule
from pets.cli.synthetic_flags import Bins, bins_of
from pets.cli.waiting import open_questions
from pets.cli.waiting.open_questions import OPEN, Folder, Patience, lost, opened
from pets.common.files import make_folder, replace_file

if TYPE_CHECKING:
    from pets.schema.schema import Schema

app = typer.Typer(
    name="federation",
    help="Many sites, one answer: make a federation, serve its line, ask.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
Way = Annotated[
    str, typer.Option("--secure", metavar="WAY", help="How sites' vectors are combined: masked, encrypted, local.")
]
ASKED = "interrupted; no answer was shown, but sites whose data had been opened stay charged"


@verb(app, "interrupted; nothing was made")
def init(
    folder: Folder,
    site: Annotated[
        list[Path], typer.Option("--site", metavar="FILE", help="A site's entry.json; repeatable, at least three.")
    ],
    schema: Annotated[str, typer.Option("--schema", metavar="FILE", help="The schema that all sites share.")],
    sites_per_person: Annotated[
        int,
        typer.Option(
            "--sites-per-person", metavar="WHOLE", help="The most sites that hold rows of one person; must be known."
        ),
    ],
    dropouts: Annotated[int, typer.Option("--dropouts", metavar="WHOLE", help="Sites that may be lost.")] = 0,
    colluding: Annotated[
        int, typer.Option("--colluding", metavar="WHOLE", help="Sites that may collude with the coordinator.")
    ] = 1,
    key_holder: Annotated[
        Path | None, typer.Option("--key-holder", metavar="FILE", help="Who opens encrypted totals: its public key.")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="NAME", help="The server's name, as sites reach it.")
    ] = "localhost",
    port: Annotated[int, typer.Option("--port", metavar="WHOLE", help="Its port.")] = 8102,
) -> None:
    """Make a federation: the roster for every site, a startup kit for each, and the server's folder.

    \b
    pets federation init trial --site north/entry.json --site east/entry.json --site west/entry.json \\
        --schema stays.yaml --sites-per-person 1
    """
    from pets.federated.deployment.federation_folder import Facts, FederationFolder
    from pets.federated.deployment.site_folder import read_entry

    load_schema(schema)
    made = FederationFolder.create(
        folder,
        [read_entry(path) for path in site],
        Path(schema),
        Facts(host, port),
        sites_per_person=sites_per_person,
        dropouts=dropouts,
        colluding=colluding,
        key_holder=key_holder,
    )
    print(f"{folder}: a federation of {', '.join(made.names)}. It holds keys: it is for its owner only.")
    print(f"{folder / 'roster.json'}: for every site. It begins with {made.roster.digest[:16]}: let them compare it.")
    print(f"{folder / 'kits'}: one file for each site, for that site alone.")
    if key_holder is not None:
        print(f"{folder / 'public.key'}: for every site. It begins with {made.roster.key_holder[:16]}.")


@verb(app, "interrupted; renew again, so that all kits are of one making")
def renew(folder: Folder) -> None:
    """Fresh certificates for another year, for every party: the server's at once, the others' as kits to hand out.

    \b
    pets federation renew trial
    """
    from pets.cli.place import place
    from pets.federated.deployment.federation_folder import FederationFolder

    made = FederationFolder(folder)
    same = made.renew()
    print(f"{folder / 'kits'}: a renewed kit for each of {', '.join(made.parties)}, for that party alone.")
    print("Each takes its own with pets site renew FOLDER --kit FILE (the key holder: pets keyholder renew).")
    if same:
        print("The kits that were handed out before are good until their own end.")
    else:
        print("This federation was made before kits could be renewed: no party is in touch until it takes its new kit.")
    print(place(folder, folder / "server", made.take, notices=0))


@verb(app, "stopped")
def serve(folder: Folder) -> None:
    """Pass the federation's messages on until Ctrl-C. The server sees what the coordinator sees, and no more.

    \b
    pets federation serve trial
    """
    from pets.federated.deployment.federation_folder import FederationFolder
    from pets.federated.deployment.serving import serve_federation

    serve_federation(FederationFolder(folder), lambda line: print(line, flush=True))


@verb(app)
def quote(
    folder: Folder,
    question: Question,
    protect: Protect,
    secure: Way = "masked",
    total: Annotated[
        bool, typer.Option("--total", help="What exact totals take, and when a site withholds its part.")
    ] = False,
) -> None:
    """What an answer would cost at each site, and how good it would be. Asks no site and spends nothing.

    \b
    pets federation quote trial --by age --count stays --epsilon 0.5
    pets federation quote trial --by age --count stays --total
    """
    import textwrap

    from pets.errors import UserError
    from pets.federated.analyst.exact_terms import exact_terms
    from pets.federated.deployment.remote import connect
    from pets.plan.plan import make_plan

    if total and protect.given:
        raise UserError("exact totals have no epsilon; give --total or --epsilon, not both")
    many = connect(folder)
    asked = question.build(many.schema)
    if total:
        for sentence in exact_terms(make_plan(asked, many.schema), many.roster):
            print(textwrap.fill(sentence, 110))
        return
    print(many.quote(asked, protect.build(), secure=secure))


@verb(app)
def query(
    folder: Folder,
    question: Question,
    protect: Protect,
    output: Output,
    rule: MaybeRule,
    secure: Way = "masked",
    total: Annotated[
        bool, typer.Option("--total", help="Exact totals, where every site's policy allows them.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Ask the sites again, and pay again.")] = False,
    wait: Annotated[
        str | None,
        typer.Option("--wait", metavar="TIME", help="With --secure encrypted: sites may answer within 7d, 36h or 90m."),
    ] = None,
    patience: Patience = 120.0,
) -> None:
    """The protected answer over all sites' rows. A question that was answered before costs nothing.

    \b
    pets federation query trial --by age --count stays --epsilon 0.5
    pets federation query trial --by age --count stays --epsilon 0.5 --secure encrypted --wait 7d
    pets federation query trial --by age --count people --sdc hes
    pets federation query trial --by age --count stays --epsilon 0.5 --out answer.html
    """
    from pets.errors import UserError
    from pets.federated.analyst.open_question import OpenQuestion, check_open
    from pets.federated.analyst.sealing import Answer
    from pets.federated.deployment.remote import connect
    from pets.protection.protection import Total

    output.check()
    if total and protect.given:
        raise UserError("exact totals have no epsilon; give --total or --epsilon, not both")
    rounded = rule.build()
    if rounded is not None and (total or protect.given):
        raise UserError("rounded counts have no epsilon, and are no exact totals; give --sdc, --total or --epsilon")
    with connect(folder, patience=patience) as many:
        asked = question.build(many.schema)
        protection = rounded if rounded is not None else Total() if total else protect.build()
        with interruptible(ASKED if wait is None else OPEN):
            try:
                if wait is None:
                    found: Answer | OpenQuestion = many.release(asked, protection, secure=secure, again=again)
                else:
                    check_open(secure)
                    found = many.submit(asked, protection, wait=wait, again=again)
            finally:
                lost(many)
    if not isinstance(found, OpenQuestion):
        output.deliver(found)
        return
    print(opened(found, many.roster))
    print(f"It goes on with pets federation collect {folder} {found.id[:8]}, now and then until it is complete.")


open_questions.register(app)
holder_grid.register(app)


@verb(app)
def glm(
    folder: Folder,
    outcome: Annotated[str, typer.Option("--outcome", metavar="COLUMN", help="What is explained.")],
    on: Annotated[list[str], typer.Option("--on", metavar="COLUMN", help="A covariate; repeatable.")],
    family: Annotated[str, typer.Option("--family", metavar="NAME", help="gaussian, binomial or poisson.")],
    table: TableName = None,
    where: Annotated[str | None, typer.Option("--where", metavar="TEXT", help="Of which rows.")] = None,
    total: Annotated[
        bool, typer.Option("--total", help="Needed: each step is an exact total, which has no guarantee.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the coefficients as FILE.csv.")
    ] = None,
    patience: Patience = 120.0,
) -> None:
    """A linear, logistic or Poisson regression over all sites' rows, where every site's policy allows exact totals.

    \b
    pets federation glm trial --outcome died --on age --on sex --family binomial --total
    """
    from pets.cli.flags import written
    from pets.errors import BudgetError, UserError
    from pets.federated.analyst.models import glm as fitted
    from pets.federated.deployment.remote import connect
    from pets.protection.protection import Total
    from pets.query_model import condition

    if not total:
        raise BudgetError(
            "a regression asks for exact totals, entered as unbounded in every site's ledger; say so with --total"
        )
    if out is not None and (out.suffix.lower() != ".csv" or not out.absolute().parent.is_dir()):
        raise UserError(f"--out {str(out)!r} must end in .csv, in a folder that exists; the steps are paid for before")
    with connect(folder, patience=patience) as many:
        name, rows = _table(many.schema, table), None if where is None else condition.condition(where)
        with interruptible(ASKED):
            try:
                found = fitted(many, name, outcome, on, family, Total(), where=rows)  # type: ignore[arg-type]
            finally:
                lost(many)
    print(found.table.to_string(float_format=lambda value: f"{value:.6g}"))
    print(f"{found.family}, {found.rows:,} rows, {found.steps} steps, dispersion {found.dispersion:.6g}.")
    print("No guarantee: made of exact totals, which every later release of each site names.")
    print("\n".join(found.notes))
    if out is not None:
        with written(out):
            # a model of exact totals
            replace_file(out, found.table.rename_axis("term").to_csv().encode(), owner_only=True)
        print(f"Written to {out}.")


@verb(app)
def synthesise(
    folder: Folder,
    epsilon: Annotated[float, typer.Option("--epsilon", metavar="NUMBER", help="ε of the whole table.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Write FILE.csv or .parquet, and its manifest.")],
    rows: Annotated[
        int | None, typer.Option("--rows", metavar="WHOLE", help="Rows to draw; left out, about as many as there are.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="COLUMN", help="Columns to model; left out, all.")
    ] = None,
    bins: Bins = None,
    bound: Annotated[
        int | None, typer.Option("--bound", metavar="WHOLE", help="Rows of one person that count, at each site.")
    ] = None,
    table: TableName = None,
    secure: Way = "masked",
    seed: Annotated[int, typer.Option("--seed", metavar="WHOLE", help="Of the drawing, from the same model.")] = 0,
    patience: Patience = 120.0,
) -> None:
    """A synthetic table from noisy marginals over all sites. What was measured before is not paid for again.

    \b
    pets federation synthesise trial --epsilon 1 --rows 1000 --column age --column sex --out made.csv
    pets federation synthesise trial --epsilon 1 --bins age:0,18,65,120 --out made.csv
    """
    from pets.errors import UserError
    from pets.federated.deployment.remote import connect
    from pets.synthetic.synthetic_release import ENDINGS

    if out.suffix not in ENDINGS or not out.absolute().parent.is_dir():
        raise UserError(f"--out {str(out)!r} must end in {' or '.join(ENDINGS)}, in a folder that exists")
    about = {"columns": column, "bins": bins_of(bins), "bound": bound, "table": table, "seed": seed}
    with connect(folder, patience=patience) as many, interruptible(ASKED):
        try:
            made = many.synthesise(rows, secure=secure, epsilon=epsilon, **about)
        finally:
            lost(many)
    made.save(out)
    print(f"{out}: {len(made.table):,} invented rows. {made.guarantee}")


@verb(app)
def certificates(
    folder: Folder,
    answer: Annotated[Path, typer.Argument(metavar="ANSWER", help="A release of this federation, saved as JSON.")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="A folder for one file a site.")],
) -> None:
    """What each site's own ledger signed of its part in an answer; of the sites that tell.

    \b
    pets federation certificates trial answer.json --out certificates
    pets verify certificates/north.json --key north.ledger.pub
    """
    from pets.cli.flags import written
    from pets.federated.deployment.remote import connect
    from pets.release.release import Release

    release = Release.load(answer)
    with connect(folder, patience=15, progress=False) as many:
        found = many.certificates(release)
        with written(out):
            make_folder(out)
        for name, certificate in found.items():
            print(f"{certificate.save(out / f'{name}.json')}: signed by key {certificate.key_id}.")
        lost(many)


@verb(app)
def status(
    folder: Folder,
    last: Annotated[
        int, typer.Option("--last", metavar="WHOLE", help="Of how many requests to tell, at each site.")
    ] = 0,
) -> None:
    """Who is in the federation and in touch now, what is assumed of them, and what each site says is left.

    \b
    pets federation status trial
    pets federation status trial --last 5
    """
    from pets.cli.place import place
    from pets.common.arguments import whole_between
    from pets.federated.deployment.remote import connect
    from pets.federated.keyholder.gate import NAME
    from pets.federated.site.account_request import MAX_REQUESTS

    whole_between("--last", last, 0, MAX_REQUESTS)
    with connect(folder, patience=15, progress=False) as many:
        roster = many.roster
        print(f"Roster {roster.digest[:16]}: {roster.size} sites, dataset {many.schema.dataset!r}.")
        print(
            f"{roster.threshold} sites must stay to the end; {roster.colluding} may collude; the rows of one person "
            f"lie at no more than {roster.sites_per_person} of them."
        )
        print(place(folder, folder / "server", many.folder.take))
        there = many.greetings()
        for member in roster.members:
            print(f"  {member.name:<20} {_touch(there, member.name)}")
        if roster.key_holder:
            print(f"  {NAME:<20} {_touch(there, NAME)}; public key {roster.key_holder[:16]}")
        if any(name not in there for name in many.folder.parties):
            print("What is wrong at a party that is away, its own console and pets site status say.")
        here = tuple(name for name in there if name != NAME)
        if here:
            lefts, silent = many.lefts(), many.lost
            print("What the sites say of their own accounts:")
            for name in here:
                print(f"  {name:<20} {lefts.get(name) or silent.get(name)}")
        if here and last:
            for row in many.history(last).itertuples():
                print(f"  {row.site:<20} {row.at}  {row.state}  ε = {row.epsilon:.4g}  {row.table}: {row.what}")


def _touch(there: Mapping[str, str], name: str) -> str:
    """Whether a party's gate answered, and how its clock stands."""
    if name not in there:
        return "away"
    return f"in touch; its clock is {there[name]} against this one" if there[name] else "in touch"


def _table(schema: "Schema", name: str | None) -> str:
    from pets.errors import QueryError

    if name is None and len(schema.tables) > 1:
        raise QueryError(f"the schema has several tables; add --table, one of {', '.join(schema.tables)}")
    return name or next(iter(schema.tables))
