"""``pets`` on the command line: the same verbs and the same errors as in Python.

Engines load only when a command needs them. Whatever a person can cause ends in one plain line and an exit code.
"""

# no "from __future__ import annotations": typer and the flag groups below read the annotations when this file loads

import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets import __version__
from pets.cli import federation, he, keyholder, ledger_change, log, site
from pets.cli.airlock.command import airlock_app
from pets.cli.command import SAFE, Interrupted, built, interruptible, plainer, swallowed, verb
from pets.cli.connection.asking import ask
from pets.cli.connection.flags import SchemaOrService, Service
from pets.cli.connection.history import history
from pets.cli.connection.login import login
from pets.cli.draft import draft
from pets.cli.dummy import dummy
from pets.cli.flags import Output, Protect, Purse, Question, SchemaFile, Source, load_schema
from pets.cli.group_keys.command import group_keys
from pets.cli.learn.command import learn_app
from pets.cli.ledger import ledger_app
from pets.cli.models.fit import fit
from pets.cli.models.train import train
from pets.cli.packs.command import pack_app
from pets.cli.preparing.command import profile, snapshot
from pets.cli.question.afterwards import NOTE, told
from pets.cli.sdc.check import sdc_app
from pets.cli.service.answer import answer
from pets.cli.service.reviews import review_app
from pets.cli.service.serve import serve
from pets.cli.service.tokens import service_app
from pets.cli.synthetic_flags import Synthesise
from pets.cli.witness import cosign, witness
from pets.errors import InternalError, PetsError, PolicyError, SqlError

if TYPE_CHECKING:
    from pets.schema.schema import Schema
    from pets.session.session import Session
    from pets.session.verbs.analyst_verbs import AnalystVerbs

app = typer.Typer(
    name="pets",
    help="Privacy-enhancing technologies: protected answers about sensitive records. Begin with: pets demo",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
app.add_typer(ledger_app)
ledger_change.register(ledger_app)
log.register(app)
cosign.register(log.log_app)
for part in (witness.app, he.app, site.app, federation.app, keyholder.app, service_app, review_app, sdc_app):
    app.add_typer(part)
app.add_typer(airlock_app)
app.add_typer(pack_app)
app.add_typer(learn_app)

BEGUN = "interrupted after the release had begun; no answer was shown, but count its cost as spent: data was read"


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        print(f"pets {__version__}")
        raise typer.Exit


@verb(app)
def demo(
    data: Annotated[str | None, typer.Option("--data", help="Your own table (CSV, CSV.gz, Parquet).")] = None,
    schema: Annotated[str | None, typer.Option("--schema", help="Its schema (needed with --data).")] = None,
    query: Annotated[str | None, typer.Option("--query", help="Your own query, as JSON or YAML.")] = None,
    epsilon: Annotated[float, typer.Option("--epsilon", help="ε of the private answer.")] = 0.5,
    out: Annotated[Path, typer.Option("--out", help="The folder for the files that the demo writes.")] = Path(
        "demo-output"
    ),
) -> None:
    """One query from question to protected answer, step by step, on invented or on your own data.

    \b
    pets demo
    pets demo --epsilon 0.1 --out /tmp/demo
    pets demo --data stays.csv --schema stays.yaml --query query.yaml
    """
    from pets.cli.demo import run

    for text in run(data, schema, query, epsilon, out):
        print(text, flush=True)


@verb(app)
def explain(schema: SchemaFile, question: Question, protect: Protect) -> None:
    """Who is protected, what is clamped and how far one person can move the answer. Reads no data.

    \b
    pets explain --schema stays.yaml --by sex --count stays
    pets explain --schema stays.yaml --query query.yaml --epsilon 0.5
    """
    known = load_schema(schema)
    print(question.build(known).explain(known, protect.build() if protect.given else None))


@verb(app)
def quote(
    question: Question,
    protect: Protect,
    purse: Purse,
    synthetic: Synthesise,
    service: Service,
    schema: SchemaOrService = None,
) -> None:
    """What an answer would cost and how good it would be. Reads no data and spends nothing.

    \b
    pets quote --schema stays.yaml --by sex --count stays --epsilon 0.5
    pets quote --schema stays.yaml --by sex --count stays --within 50
    pets quote --schema stays.yaml --synthesise --columns age,sex --bins age:0,18,65,120 --epsilon 1
    pets quote --service https://host/pets --by sex --count stays --epsilon 0.5
    """
    synthetic.check()
    asker: AnalystVerbs
    if service.given:
        asker = service.connect(schema, purse)
    else:
        known = service.schema(schema)
        asker = purse.session(known, purse.open())
    if synthetic.synthesise:
        print(synthetic.quote(asker, question, protect))
        return
    print(asker.quote(question.build(asker.schema), protect.build()))


@verb(app)
def query(
    source: Source,
    question: Question,
    protect: Protect,
    purse: Purse,
    output: Output,
    service: Service,
    schema: SchemaOrService = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="TEXT", help="Names this request: repeated, it is charged once.")
    ] = None,
    dummy: Annotated[bool, typer.Option("--dummy", help="Answer on invented rows: no data, no cost.")] = False,
) -> None:
    """The protected answer to one query, as a table or as a file.

    \b
    pets query --schema stays.yaml --data stays.csv --by sex --count stays --epsilon 0.5
    pets query --schema stays.yaml --data stays.csv --epsilon 0.5 \\
        --sql "SELECT sex, COUNT(*) AS stays FROM stays WHERE age >= 65 GROUP BY sex"
    pets query --schema stays.yaml --snapshots ready --by age:0,18,65,110 --mean days=length_of_stay \\
        --where "emergency == True" --epsilon 0.5 --out answer.html
    pets query --service https://host/pets --ledger-key ledger.pub --by sex --count stays --epsilon 0.5
    """
    if service.given:
        ask(service.connect(schema, purse, source), question, protect, output, key, dummy=dummy)
        return
    known = service.schema(schema)
    asked = question.build(known)
    output.check()
    if dummy:
        from pets.protection.protection import Exact

        twin = Purse().session(known, None, progress=False).dummy()
        output.deliver(twin.release(asked, protect.build() if protect.given else Exact()))
        return
    protection = protect.build()
    ledger = purse.open()
    asker = purse.session(known, ledger)
    offer = asker.quote(asked, protection)
    # whatever can be refused is refused before any data is read: preparing a table may take minutes. But a question
    # about a stored snapshot may have been answered before, and then costs nothing
    if source.snapshots is None or ledger is None:
        purse.afford(offer, asker)
    session = source.open(known, purse, ledger)
    before = session.remaining().spent
    with interruptible(BEGUN):
        release = session.release(asked, protection, key=key)
    output.deliver(release)
    if ledger is None:
        print(NOTE, file=sys.stderr)
        return
    entry = "" if release.certificate is None else f", entry {release.certificate.predicate['log']['seq']}"
    costs = bool(release.cost["loss"])
    told(session, before, stored=source.snapshots is not None, costs=costs, entry=entry)


for _verb in (fit, train, snapshot, profile, group_keys, draft, dummy, serve, answer, login, history):
    verb(app)(_verb)


@verb(app)
def assess(
    real: Annotated[
        str, typer.Option("--real", metavar="FILE", help="The rows that the synthetic table was made from.")
    ],
    synthetic: Annotated[str, typer.Option("--synthetic", metavar="FILE", help="The synthetic table.")],
    holdout: Annotated[str, typer.Option("--holdout", metavar="FILE", help="Real rows that it was not made from.")],
    purse: Purse,
    schema: Annotated[str | None, typer.Option("--schema", metavar="FILE", help="What the columns are.")] = None,
    table: Annotated[str | None, typer.Option("--table", help="Which of the schema's tables.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="The column that learners are to tell.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of every choice by chance.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the page (.html) and its JSON; needs --schema and --ledger."),
    ] = None,
    allow_unbounded: Annotated[
        bool, typer.Option("--allow-unbounded", help="Allow the page, which has no guarantee; the ledger names it.")
    ] = False,
) -> None:
    """For custodians only: what a synthetic table keeps, loses and risks. The page holds exact statistics of real rows.

    \b
    pets assess --real train.csv --synthetic made.csv --holdout kept.csv
    pets assess --real train.csv --synthetic made.csv --holdout kept.csv --schema stays.yaml --ledger ledger.db \\
        --out assess.html --allow-unbounded
    """
    from pets.synthetic.assess.run import assess as assessed
    from pets.synthetic.assess.run import page_path

    if out is not None:
        page_path(out)
    known = None if schema is None else load_schema(schema)
    session = None if out is None else _custodian(known, purse, allow_unbounded)
    found = assessed(real, synthetic, holdout, schema=known, table=table, target=target, seed=seed)
    print(found)
    if out is not None and session is not None:
        found.save(out, session)
        print(f"\nWritten to {out}, and entered in the ledger {session.ledger.label} as a release without a guarantee.")


# what commands share ----------------------------------------------------------------------------------------------


def _custodian(known: "Schema | None", purse: Purse, allowed: bool) -> "Session":
    """The account that a page of exact statistics is entered in; refused before rows are read."""
    from pets.protection.policy import Policy

    if known is None or purse.ledger is None or not allowed:
        raise PolicyError(
            "the page holds exact statistics of real rows, so writing it is entered in the dataset's ledger; add "
            "--schema, --ledger and --allow-unbounded, or leave --out away to see the scores here"
        )
    return purse.session(known, purse.open(), policy=Policy(allow_unbounded=True))


def main() -> None:
    """The entry point of the ``pets`` command."""
    os.umask(os.umask(0o022) | 0o022)  # what it writes, its engines' files among it, only its owner writes again
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code; every failure is one line on stderr, never a traceback."""
    interrupts: list[int] = []

    def interrupt(number: int, _: Any) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, interrupt) if main_thread else None
    try:
        if sentence := swallowed(arguments):
            return _fail(sentence, 2)
        code = built(app)(arguments, prog_name="pets", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, Interrupted) as error:
        return _fail(str(error) or SAFE, 130)
    except SqlError as error:
        code = _fail(error.sentence, error.exit_code)
        print(error.excerpt, file=sys.stderr)  # its carets must stay below their place
        return code
    except PetsError as error:
        # an engine may wrap the interruption in an error of its own
        return _fail(f"interrupted; {error}", 130) if interrupts else _fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read the output has gone
        return 1
    except Exception as error:
        if interrupts:
            return _fail(SAFE, 130)
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # typer's own: a misspelt flag, a missing one
            sentence = plainer(error, arguments)
            if sentence:
                return _fail(sentence, int(error.exit_code))
            error.show()
            return int(error.exit_code)
        return _fail(_bug(error), InternalError.exit_code)
    finally:
        if main_thread:
            signal.signal(signal.SIGINT, before)


def _bug(error: BaseException) -> str:
    """Where it broke, but not the error's own text: that may hold something of a row."""
    home = Path(__file__).parents[1]
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(home)]
    where = f" in {Path(places[-1].filename).relative_to(home)}, line {places[-1].lineno}" if places else ""
    return f"this is a bug in pets, not in your request ({type(error).__name__}{where}); please report this line"


def _fail(message: str, code: int) -> int:
    print(f"pets: {' '.join(message.split())}", file=sys.stderr)
    return code
