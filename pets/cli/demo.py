"""``pets demo``: one query, from the question to the protected answer, on an invented table or on the user's own.

Each step yields its text as soon as it is known, so that a terminal shows what happens while it happens.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.cli.flags import load_schema
from pets.cli.opening.warned import custodian_warned
from pets.common.files import make_folder, replace_file
from pets.errors import BudgetError, InternalError, LedgerError, QueryError, UserError
from pets.protection.budget import Budget
from pets.protection.protection import DP, Exact
from pets.query_model import aggregate as agg
from pets.query_model.columns import col
from pets.query_model.condition import read_query
from pets.query_model.query import Query, query
from pets.schema.domain import Boolean, Category
from pets.schema.numeric import Numeric
from pets.schema.schema import Schema
from pets.synthetic.dummy import dummy
from pets.synthetic.dummy_data.dataset import Dummy

if TYPE_CHECKING:
    from pets.release.release import Release
    from pets.session.session import Session

WIDTH = 110
BUDGET = Budget(epsilon=1.0, delta=1e-6)
PEOPLE = 50_000  # who are invented, with all that happens to them
MAX_KEYS = 24  # categories with more values make poor first tables
_BAR = 40


def demo_query() -> Query:
    """The question of the demonstration: episodes in hospital, patients and more, by age."""
    return (
        query("apc")
        .group_by(col("STARTAGE_CALC").bins([0, 18, 45, 65, 80, 120], "age"))
        .agg(
            episodes=agg.count(),
            patients=agg.count_units(),
            mean_days=agg.mean("EPIDUR", clip=(0, 30)),
            emergency=agg.rate(col("ADMIMETH").isin(["21", "22", "23", "24", "25", "2A", "2B", "2C", "2D", "28"])),
        )
    )


def choose_query(schema: Schema, table: str) -> Query:
    """A sensible first question about any table: counts, and the mean of a number, by a category."""
    fields = schema.fields(table)
    keys = [n for n, d in fields.items() if isinstance(d, (Category, Boolean)) and 2 <= d.cells <= MAX_KEYS]
    numbers = [name for name, domain in fields.items() if isinstance(domain, Numeric) and domain.cells > 2]
    asked = query(table).agg(rows=agg.count())
    if schema.table(table).unit.column is not None:
        asked = asked.agg(people=agg.count_units())
    if numbers:
        asked = asked.agg(**{f"mean_{numbers[0]}": agg.mean(numbers[0])})
    return asked.group_by(*keys[:1])


@dataclass(frozen=True)
class _Case:
    """What the demonstration is about."""

    schema: Schema
    query: Query
    data: Any
    told: str
    files: tuple[str, str]  # the schema and the data as a command line names them


def run(data: str | None, schema: str | None, query: str | None, epsilon: float, out: Path) -> Iterator[str]:
    """The demonstration, step by step; the texts are for a terminal of 100 columns.

    Raises:
        UserError: with the remedy, as every verb does.
    """
    from pets.session.session import Session

    protection = DP(epsilon=epsilon)
    budget = BUDGET if epsilon <= BUDGET.epsilon else Budget(epsilon=epsilon, delta=BUDGET.delta)
    _folder(out)
    case = _own(data, schema, query) if data or schema else _invented(query, out)
    yield _step(1, "The table, and who is protected")
    yield _wrapped(case.told)
    yield _step(2, "What the question means: pets explain")
    # an explanation ends with the expected error, which the quote shows next
    yield _wrapped(str(case.query.explain(case.schema, protection)).rpartition("\n\n")[0])
    with _own_ledger(out), custodian_warned():
        # invented rows may be kept ready, and then the same question has the same answer; real ones stay where they are
        # (a newer pets may invent other tables: what an older one kept is left alone)
        ready = out / f"ready-{case.schema.digest[:12]}" if data is None else None
        session = Session(case.schema, case.data, budget=budget, ledger=out / "ledger.db", snapshots=ready)
    if data is not None:  # whoever has the data may hear how they were read
        for remark in session.report(case.query.table).remarks():
            yield _wrapped(remark)
    yield _step(3, "What it would cost, before spending: pets quote")
    yield _wrapped(str(session.quote(case.query, protection)))
    yield _step(4, "The same question on invented rows: pets query --dummy (costs nothing)")
    yield _cut(str(session.dummy().release(case.query, Exact())))
    yield _step(5, f"The private answer, with its error bars: pets query --epsilon {epsilon:g}")
    before = session.remaining().spent
    with _own_ledger(out):
        release = session.release(case.query, protection)
    if session.remaining().spent == before:
        yield "Asked before, so the same answer, at no cost:\n"
    yield _wrapped(str(release))
    yield bars(release)
    yield _wrapped(f"Budget: {session.remaining()}")
    yield _step(6, "The proof: pets verify, and pets log verify")
    yield _wrapped(_proved(session, release, out))
    yield _step(7, "What was written, and what next")
    yield _files(case, release, epsilon, out)


@contextmanager
def _own_ledger(out: Path) -> Iterator[None]:
    """What the demonstration's own ledger refuses can be begun anew."""
    try:
        yield
    except (BudgetError, LedgerError) as error:
        said = f"{error}; this demonstration keeps its account in {out}/ledger.db: choose another --out to begin anew"
        raise type(error)(said) from None


def _proved(session: Session, release: Release, out: Path) -> str:
    """Write the certificate and the public log, and verify both as anybody could."""
    from pets.ledger.log import verifier
    from pets.ledger.publish import export

    ledger, certificate = session.ledger, release.certificate
    if certificate is None or ledger.checkpoint_path is None:
        raise InternalError("a release from a ledger has its certificate")
    certificate.save(out / "certificate.json")
    release.save(out / "answer.json")
    export.write(ledger, out / "log.jsonl", public=True, progress=False)
    note = ledger.checkpoint_path.read_text("utf-8")
    log = export.verify(out / "log.jsonl", key=ledger.key, checkpoints=[note], progress=False)
    said = verifier.verify((out / "certificate.json").read_bytes(), ledger.key.raw, (out / "answer.json").read_bytes())
    return f"{said}\nThe log's {log.checkpoint.size} entries are all there, and none was changed since it was signed."


def _folder(out: Path) -> None:
    try:
        make_folder(out)
        (out / ".pets").touch()
        (out / ".pets").unlink()
    except OSError as error:
        raise UserError(f"the folder {str(out)!r} cannot be written ({error.strerror}); choose another --out") from None


def _invented(chosen: str | None, out: Path) -> _Case:
    world = dummy("nhs", people=PEOPLE, progress=True)
    schema = Schema({"apc": world.schema.table("apc")}, dataset=world.schema.dataset)
    told = world.manifest | {"schema_sha256": schema.digest, "rows": {"apc": world.tables["apc"].num_rows}}
    Dummy(schema, {"apc": world.tables["apc"]}, told).save(out)
    files = out / "schema.json", out / "apc.csv"
    text = (
        f"An invented table: {told['rows']['apc']:,} episodes in hospital over five years, one of {len(world)} linked, "
        f"NHS-like tables about {PEOPLE:,} people whom nobody has met (pets dummy nhs makes them all). No real person "
        "is in it, and no real data was used to make it.\n"
        f"Its schema says what is public: who is protected ({_unit(schema, 'apc')}), that {_caps(schema, 'apc')}, "
        f"and the values that each column may hold. See {files[0]} and {files[1]}."
    )
    asked = demo_query() if chosen is None else read_query(chosen)
    return _Case(schema, asked, {"apc": str(files[1])}, text, (str(files[0]), str(files[1])))


def _own(data: str | None, schema: str | None, chosen: str | None) -> _Case:
    if data is None or schema is None:
        raise UserError(
            "your own data needs its schema too: pets demo --data stays.csv --schema stays.yaml (the README shows how "
            "to write one)"
        )
    known = load_schema(schema)
    if known.dataset == Schema.UNNAMED:
        known = Schema(known.tables, dataset="demo")
    asked = None if chosen is None else read_query(chosen)
    table = next(iter(known.tables)) if asked is None else asked.table
    named, equals, path = data.partition("=")
    if equals and named in known.tables:
        table, data = named, path
    elif len(known.tables) > 1:
        raise UserError(f"the schema has several tables; write --data TABLE={data}")
    if known.table(table).person_table is not None:
        raise QueryError("the demo shows one table; for one with a person table use pets query")
    told = (
        f"Your table {table!r}, {data}. Its schema {schema} says what is public: "
        f"who is protected ({_unit(known, table)}), that {_caps(known, table)}, and the values of each column."
    )
    return _Case(known, asked or choose_query(known, table), {table: data}, told, (schema, data))


def _unit(schema: Schema, table: str) -> str:
    unit = schema.table(table).unit.column
    return "each row is one person" if unit is None else f"all rows of one {unit}"


def _caps(schema: Schema, table: str) -> str:
    unit = schema.table(table).unit
    if unit.column is None:
        return "a person has one row"
    return f"a query counts at most {unit.default_rows} rows of a person (a snapshot keeps {unit.max_rows})"


def _step(number: int, title: str) -> str:
    return f"\n{number}. {title}\n{'─' * min(WIDTH, len(title) + 3)}"


def _wrapped(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        lines += textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False) or [""]
    return "\n".join(lines)


def _cut(text: str) -> str:
    """The table and the line above it; what follows is said with the private answer."""
    title, table, *_ = text.split("\n\n")
    return f"{_wrapped(title)}\n\n{table}"


def bars(release: Release) -> str:
    """The first count of each group as a bar; ░ is its interval."""
    from pets.release import text

    column = next((c for c in release.estimates if c.output.traits.shape == "linear"), None)
    keys = release.plan.layout.columns()
    if column is None or not keys or release.plan.groups > text.SHOWN:
        return ""
    labels = [" · ".join(str(part) for part in parts) for parts in zip(*keys.values(), strict=True)]
    highs = [float(high) for high in column.high]
    most = max(*highs, 1.0) if len(highs) > 1 else max(highs[0], 1.0)
    width = max(len(label) for label in labels)
    lines = [f"\n{column.output.name}, with its interval (░):"]
    for label, low, high in zip(labels, column.low, highs, strict=True):
        start, end = (max(0, math.floor(_BAR * float(value) / most)) for value in (low, high))
        lines.append(f"  {label:<{width}}  {'█' * start}{'░' * max(1, end - start)}")
    return "\n".join(lines) + "\n"


def _files(case: _Case, release: Release, epsilon: float, out: Path) -> str:
    from pets.release import html

    intro = "<p>Made by <code>pets demo</code>: one query, asked under differential privacy.</p>"
    try:
        query = json.dumps(case.query.to_json(), indent=2, ensure_ascii=False)
        replace_file(out / "query.json", f"{query}\n".encode())
        replace_file(
            out / "answer.html", html.page(release, f"A private table of {release.table_name}", intro).encode()
        )
        release.save(out / "answer.csv")
    except OSError as error:
        raise UserError(f"the folder {str(out)!r} cannot be written ({error.strerror}); choose another --out") from None
    schema, data = case.files
    return f"""\
{out}/answer.html   the answer as a page with charts: open it in a browser
{out}/answer.csv    the same numbers for a spreadsheet (with the ends of each interval)
{out}/answer.json   the sealed answer; pets.Release.load reads it
{out}/query.json    the question, in its canonical form
{out}/ledger.db     the account of everything that left, with its key (.key), public key (.pub) and checkpoint
{out}/certificate.json, log.jsonl     the proof: pets verify, pets log verify

Next:
  pets query --ledger {out}/ledger.db --schema {schema} --data {data} \\
      --query {out}/query.json --epsilon {epsilon:g}
  pets demo --data your.csv --schema your.yaml      the same walk through your own table
  pets --help                                       every verb; README.md shows the same in Python"""
