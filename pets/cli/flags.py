"""The flags of the command line, in groups that commands share, and what each group builds.

A group is a frozen dataclass whose fields are flags; ``spread`` of :mod:`pets.cli.command` gives a command the flags of
the groups it names.
"""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.cli.opening.warned import custodian_warned
from pets.errors import BudgetError, DataError, LedgerError, QueryError, SchemaError, UserError
from pets.protection.budget import told_apart
from pets.query_model.traits import SPELLINGS

if TYPE_CHECKING:
    from pets.cli.question.offered import Offered
    from pets.ledger.ledger import Ledger
    from pets.protection.budget import Budget
    from pets.protection.protection import DP
    from pets.query_model.query import Query
    from pets.release.release import Release
    from pets.release.rounded.rounded_sum import RoundedSum
    from pets.schema.schema import Schema
    from pets.session.quoting.quote import Quote
    from pets.session.session import Session

_WHERE = "\"age >= 18 and sex in ['F', 'M']\"; a name with blanks: \"col('length of stay') > 7\""
_WITH = "A computed column: days=left - came, age=age_at(born, '2024-01-01'), chapter=prefix(code, 3)"
_SQL = "The query as a SELECT, in the SQL of DuckDB."
_ENDINGS = "Write FILE.csv, .xlsx, .parquet, .json, .html, .png or .svg."
DATA = "The rows of a table: CSV, CSV.gz, Parquet or an SQL URL; repeatable."
SchemaFile = Annotated[str, typer.Option("--schema", metavar="FILE", help="The tables' public description, in YAML.")]
TableName = Annotated[
    str | None, typer.Option("--table", metavar="NAME", help="Which table, where the schema has several.")
]


def _many(flag: str, text: str) -> Any:
    return typer.Option(flag, metavar="TEXT", help=text, show_default=False)


@dataclass(frozen=True)
class _Asked:
    """What is asked, but for the measures."""

    query: Annotated[str | None, typer.Option("--query", metavar="FILE", help="The query as JSON or YAML.")] = None
    sql: Annotated[str | None, typer.Option("--sql", metavar="SELECT", help=_SQL)] = None
    table: TableName = None
    made: Annotated[list[str] | None, _many("--with", _WITH)] = None
    where: Annotated[list[str] | None, _many("--where", _WHERE)] = None
    by: Annotated[
        list[str] | None,
        _many("--by", "age, admitted.year, age:0,18,65,120 (bins, also at days), keys.json (released keys, a KeySet)"),
    ] = None
    rows: Annotated[
        int | None, typer.Option("--rows", metavar="WHOLE", help="Rows of one person that count, at most.")
    ] = None
    groups: Annotated[
        int | None, typer.Option("--groups", metavar="WHOLE", help="Groups one person may fall in, at most.")
    ] = None
    rows_per_group: Annotated[
        int | None, typer.Option("--rows-per-group", metavar="WHOLE", help="Rows of one person in each group, at most.")
    ] = None

    @property
    def bounds(self) -> dict[str, int | None]:
        """What ``query.bound`` takes."""
        return {"rows": self.rows, "groups": self.groups, "rows_per_group": self.rows_per_group}

    def build(self, schema: "Schema") -> "Query":
        """The query that the flags describe."""
        from pets.cli.question.reading import keys, of_sql
        from pets.query_model import condition
        from pets.query_model.query import query
        from pets.query_model.text.computed import computed

        measures = [(kind, text) for kind in SPELLINGS for text in getattr(self, kind) or ()]
        if self.query is not None or self.sql is not None:
            flags = measures or self.made or self.where or self.by or self.table
            if flags or (self.query is not None and self.sql is not None):
                raise QueryError("give the query as --query FILE, as --sql 'SELECT …' or as flags, not as two of them")
            read = condition.read_query(self.query) if self.query is not None else of_sql(str(self.sql), schema)
            return read.bound(**self.bounds)
        if not measures:
            raise QueryError("the query asks for nothing; add --count rows, --mean days=length_of_stay or another one")
        if self.table is None and len(schema.tables) > 1:
            raise QueryError(f"the schema has several tables; add --table, one of {', '.join(schema.tables)}")
        asked = query(self.table or next(iter(schema.tables))).group_by(
            *(keys(text) or condition.key(text) for text in self.by or ())
        )
        for name, made in map(computed, self.made or ()):
            asked = asked.with_columns(**{name: made})
        for text in self.where or ():
            asked = asked.where(condition.condition(text))
        for kind, text in measures:
            name, aggregate = condition.measure(kind, text)
            asked = asked.agg(**{name: aggregate})
        return asked.bound(**self.bounds)


if TYPE_CHECKING:

    class Question(_Asked):
        """What is asked: a file, or flags."""

else:
    Question = make_dataclass(  # one flag for each name under which an aggregate is asked for
        "Question",
        [
            (name, Annotated[list[str] | None, _many(spelling.flag, spelling.help)], None)
            for name, spelling in SPELLINGS.items()
        ],
        bases=(_Asked,),
        frozen=True,
    )


def load_schema(path: str) -> "Schema":
    """The schema in a file; anything that is not YAML or JSON is refused unread, since it may be the data."""
    from pets.schema.schema import Schema

    if Path(path).suffix.lower() not in (".json", ".yaml", ".yml"):
        raise SchemaError(f"{path!r}: a schema file ends in .yaml, .yml or .json; is this the data?")
    return Schema.load(path)


@dataclass(frozen=True)
class Protect:
    """How the answer is protected."""

    epsilon: Annotated[float | None, typer.Option("--epsilon", metavar="NUMBER", help="ε of this answer.")] = None
    delta: Annotated[
        float | None, typer.Option("--delta", metavar="NUMBER", help="Another δ than the budget's, for --epsilon.")
    ] = None
    rho: Annotated[
        float | None, typer.Option("--rho", metavar="NUMBER", help="ρ of zero-concentrated DP, instead of ε.")
    ] = None
    within: Annotated[
        float | None, typer.Option("--within", metavar="NUMBER", help="The error wanted, instead of ε.")
    ] = None
    pure: Annotated[bool, typer.Option("--pure", help="ε-DP with no δ at all (Laplace noise).")] = False
    confidence: Annotated[
        float, typer.Option("--confidence", metavar="NUMBER", help="Of the intervals and of --within.")
    ] = 0.95

    @property
    def given(self) -> bool:
        """Whether any of the three was chosen."""
        return any(value is not None for value in (self.epsilon, self.rho, self.within))

    def build(self) -> "DP":
        """The protection; raises :class:`BudgetError` unless exactly one of epsilon, rho and within is given."""
        from pets.protection.protection import DP

        if self.epsilon is None and self.rho is None and self.within is None:
            raise BudgetError("say how strongly to protect: add --epsilon 0.5 (or --rho, or --within for an accuracy)")
        return DP(**vars(self))


@dataclass(frozen=True)
class Purse:
    """All that may be spent, and who keeps the account."""

    budget_epsilon: Annotated[
        float | None,
        typer.Option("--budget-epsilon", metavar="NUMBER", help="ε of the whole budget (1 where no ledger knows it)."),
    ] = None
    budget_delta: Annotated[
        float | None,
        typer.Option("--budget-delta", metavar="NUMBER", help="Its δ (1e-6); 0 makes a pure budget."),
    ] = None
    threshold_delta: Annotated[
        float | None,
        typer.Option("--threshold-delta", metavar="NUMBER", help="The part of it that pays for released keys (0)."),
    ] = None
    ledger: Annotated[
        str | None,
        typer.Option("--ledger", metavar="FILE|URL", help="Keep the account there: ledger.db, or postgresql://…"),
    ] = None
    keys: Annotated[
        str | None, typer.Option("--keys", metavar="FOLDER", help="The ledger's keys, where they lie elsewhere.")
    ] = None
    project: Annotated[str, typer.Option("--project", metavar="NAME", help="For which project, in the ledger.")] = (
        "default"
    )
    analyst: Annotated[str, typer.Option("--analyst", metavar="NAME", help="Who asks, in the ledger.")] = "local"

    def build(self) -> "Budget | None":
        """The budget; ``None`` where none was given and a ledger should know it."""
        from pets.protection.budget import Budget

        parts = (self.budget_epsilon, self.budget_delta, self.threshold_delta)
        if self.ledger is not None and parts == (None, None, None):
            return None
        usual = (1.0, 1e-6, 0.0)
        return Budget(*(other if part is None else part for part, other in zip(parts, usual, strict=True)))

    def open(self) -> "Ledger | None":
        """The ledger; ``None`` where the account is kept in memory."""
        from pets.ledger.ledger import Ledger

        if self.ledger is None:
            return None
        if self.build() is None and _absent(self.ledger):
            raise LedgerError(
                f"there is no ledger {self.ledger!r}; check the path, or make it with: pets ledger open --ledger "
                f"{self.ledger} --schema FILE --budget-epsilon NUMBER"
            )
        return Ledger(self.ledger, keys=self.keys)

    def session(self, schema: "Schema", ledger: "Ledger | None", **data: Any) -> "Session":
        """A session on this account."""
        from pets.session.session import Session

        return Session(schema, budget=self.build(), ledger=ledger, project=self.project, analyst=self.analyst, **data)

    def afford(self, offer: "Quote | Offered", session: "Session") -> None:
        """Refuse what does not fit, in the words of the account."""
        if not offer.fits:
            budget, left = session.budget, session.remaining()
            more = "ask the custodian for a renewal" if self.ledger else "raise --budget-epsilon"
            # what the account would charge: a pure answer weighs more than its own ε in a budget with δ
            asked, room = told_apart(budget.describe(offer.cost)[0], left.epsilon)
            at = f" (at δ = {budget.conversion_delta:g})" if budget.delta else ""
            if budget.delta and not offer.delta:
                raise BudgetError(
                    f"this query would cost ε = {asked}{at} and the budget has room for ε = {room}; nothing was spent; "
                    "Laplace noise (--pure) takes far more of a budget with δ than Gaussian noise of the same ε: leave "
                    f"--pure out, ask with a smaller --epsilon, or {more}"
                )
            raise BudgetError(
                f"this query would cost ε = {asked} and the budget has room for ε = {room}{at}; nothing was spent; "
                f"ask with a smaller --epsilon, or {more}"
            )


def _absent(address: str) -> bool:
    """Whether no ledger can be there: no file, or an empty one."""
    return "://" not in address and (not Path(address).is_file() or not Path(address).stat().st_size)


@dataclass(frozen=True)
class Books:
    """A ledger that is there."""

    ledger: Annotated[str, typer.Option("--ledger", metavar="FILE|URL", help="ledger.db, or postgresql://…")]
    keys: Annotated[
        str | None, typer.Option("--keys", metavar="FOLDER", help="Its keys, where they lie elsewhere.")
    ] = None

    def open(self, *, check: bool = True) -> "Ledger":
        """The ledger; one that is not there is not made."""
        from pets.ledger.ledger import Ledger

        if _absent(self.ledger):
            raise LedgerError(f"there is no ledger {self.ledger!r}; make one with pets ledger open, or check the path")
        return Ledger(self.ledger, keys=self.keys, check=check)


@dataclass(frozen=True)
class Source:
    """The custodian's rows."""

    data: Annotated[list[str] | None, typer.Option("--data", metavar="[TABLE=]FILE", help=DATA, show_default=False)] = (
        None
    )
    snapshots: Annotated[
        str | None, typer.Option("--snapshots", metavar="FOLDER", help="A folder made by pets snapshot.")
    ] = None
    engine: Annotated[
        str, typer.Option("--engine", help="What counts rows: duckdb, polars or spark; all give the same integers.")
    ] = "duckdb"
    master: Annotated[
        str | None,
        typer.Option("--master", metavar="URL", help="With --engine spark: its cluster; left out, all cores here."),
    ] = None

    def chosen(self) -> str:
        """The engine; where Spark is to run, the environment then says so to it."""
        if self.master is not None:
            if self.engine != "spark":
                raise UserError("--master is of Spark; add --engine spark")
            rest = os.environ.get("PYSPARK_SUBMIT_ARGS", "pyspark-shell")
            os.environ["PYSPARK_SUBMIT_ARGS"] = f"--master {shlex.quote(self.master)} {rest}"
        return self.engine

    def open(self, schema: "Schema", purse: Purse, ledger: "Ledger | None" = None, **more: Any) -> "Session":
        """A session on the data; ``more``: of what :class:`pets.Session` takes."""
        if not self.data and self.snapshots is None:
            raise DataError("no data was given; add --data TABLE=FILE, or --snapshots FOLDER made by pets snapshot")
        if self.snapshots is not None and not self.data and not Path(self.snapshots).is_dir():
            raise DataError(f"the snapshot folder {self.snapshots!r} does not exist; make it with pets snapshot")
        with custodian_warned():
            given = {"data": self.sources(schema), "snapshots": self.snapshots, "engine": self.chosen()}
            session = purse.session(schema, ledger, **given, **more)
        if self.data and session.reused:
            print(
                f"pets: {', '.join(session.reused)} came from the snapshots in {self.snapshots}, not from --data; "
                "pets snapshot makes them anew",
                file=sys.stderr,
            )
        return session

    def sources(self, schema: "Schema") -> Any:
        """What the --data flags name: one source a table."""
        out: dict[str, str] = {}
        for text in self.data or ():
            name, equals, path = text.partition("=")
            if not equals or (name not in schema.tables and (Path(text).exists() or "://" in name)):
                if len(schema.tables) > 1:
                    raise DataError(
                        f"--data {text!r} must name its table: one of {', '.join(schema.tables)}, then =FILE"
                    )
                name, path = next(iter(schema.tables)), text
            if name in out:
                raise DataError(f"--data names table {name!r} twice; keep one")
            out[name] = path
        return out


@dataclass(frozen=True)
class Output:
    """Where the answer goes."""

    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help=_ENDINGS),
    ] = None
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="Write the signed certificate there.")
    ] = None

    def check(self) -> None:
        """An answer that cannot be written must not be paid for."""
        if self.out is not None:
            from pets.release.files import check

            check(self.out)
        for flag, path in (("--out", self.out), ("--certificate", self.certificate)):
            if path is None:
                continue
            folder = path.absolute().parent
            if not folder.is_dir():
                raise UserError(f"the folder of {flag} {str(path)!r} does not exist; make it first")
            if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
                raise UserError(f"{flag} {str(path)!r} cannot be written; check its permissions")

    def deliver(self, release: "Release | RoundedSum") -> None:
        """Print the answer, or write it in the form that the file's name asks for; with its certificate, if asked."""
        if self.certificate is not None and release.certificate is not None:
            release.certificate.save(self.certificate)
            print(f"The certificate is in {self.certificate}.", file=sys.stderr)
        if self.out is None:
            print(release)
            return
        try:
            with written(self.out):
                release.save(self.out)
        except UserError:
            print(release)  # it was paid for: better on the screen than lost
            raise
        print(f"Written to {self.out}.")


Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="A file whose first line seals the secret key.")
]


def passphrase(path: Path | None) -> str | None:
    """The first line of a file; ``None`` without one."""
    from pets.he.keys.keyfile import read

    if path is None:
        return None
    try:
        lines = read(path, "the passphrase").decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"the passphrase in {str(path)!r} is not text") from None
    return lines[0] if lines else ""


@contextlib.contextmanager
def written(path: Path) -> Iterator[None]:
    """A file that cannot be written is the user's to mend."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be written ({error.strerror})") from None
