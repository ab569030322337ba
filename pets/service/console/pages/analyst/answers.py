"""Answers: a release as its page shows it. No number is shown before its certificate was held against the key.

What is invented says so because the release does, whoever asked for it and by whichever door it came.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pets.common.codec import Json, canonical, fraction
from pets.common.csv_cell import no_formula
from pets.common.percent import budget_percent
from pets.common.signing import VerifyingKey
from pets.errors import MissingExtraError, PetsError
from pets.query_model.query import Query
from pets.release import shown as shown_of
from pets.release import text, views
from pets.release.keys.released_keys import ReleasedKeys
from pets.release.keys.top_keys import TopKeys
from pets.release.release import Release
from pets.schema.schema import Schema
from pets.service.client import reading, synthesis
from pets.service.console.page import Visit
from pets.service.console.pages.analyst.budget import Bar, bar

_ROWS = 300  # of a table on a page; a file has all of them
_CHARTS = 3
_MARKS = 1_000  # of a chart; a picture of more takes this process too long
_LARGEST = 20_000  # numbers of an answer whose files a page holds

_DRAWING = threading.Lock()  # one picture at a time: this process also answers everybody else

Cell = tuple[str, str, bool]
"""A number, its interval, and whether there is none: it is not estimable."""


@dataclass(frozen=True)
class Download:
    """A file that the page itself holds.

    Attributes:
        label: what it is.
        name: of the file.
        address: its content, as an address.
    """

    label: str
    name: str
    address: str


@dataclass(frozen=True)
class Chart:
    """A picture of one output, as an address, and what it shows."""

    address: str
    label: str


@dataclass(frozen=True)
class Shown:
    """An answer for a page.

    Attributes:
        invented: the words that mark invented rows; ``""`` for an answer about real ones.
        heading, protection, bare: what was asked, how it is protected, and whether it is not at all.
        header, below, rows, more: the table: heads, what stands below them, each row's keys and cells, and how many
            rows are left out.
        intervals: how the intervals are to be read.
        no_chart: why there is no chart, where one would help.
        checked: the id of the key that the certificate was held against; ``""``: there is no certificate.
        facts: where the answer comes from.
    """

    invented: str
    heading: str
    protection: str
    bare: bool
    header: tuple[tuple[str, str, bool], ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Cell, ...]], ...]
    more: int
    said: str
    intervals: str
    guarantee: str
    notes: tuple[str, ...]
    cost: str
    takes: Bar | None
    charts: tuple[Chart, ...]
    no_chart: str
    sql: str
    checked: str
    facts: tuple[tuple[str, str], ...]
    downloads: tuple[Download, ...]


def real(visit: Visit, dataset: str, forms: list[Json], of: tuple[str, str] | None = None) -> list[Shown]:
    """Answers about real rows for a page.

    Args:
        forms: as the service's endpoint gives them.
        of: project and analyst whose answers they are; ``None``: of whoever sees the page.

    Raises:
        VerificationError: where a certificate does not hold, or is about another's answer; then no number is shown.
    """
    key, own = _ledger(visit), _own(visit, dataset, of)
    return [_shown(release, key.id) for release in reading.answers(forms, key, own)]


def check_other(visit: Visit, dataset: str, name: str, form: Any, of: tuple[str, str] | None = None) -> None:
    """Hold an answer that is no release against the ledger's key, before anything of it is handed out.

    Args:
        name: of it in the service's reply: ``keys``, ``top``, ``synthetic``, ``trained``; ``releases``: rounded tables.
        of: as for :func:`real`.

    Raises:
        VerificationError: as :func:`real`.
    """
    key, own = _ledger(visit), _own(visit, dataset, of)
    if name == "synthetic":
        synthesis.synthetic(form, key, own)
    elif name == "trained":
        reading.network(form, key, own)
    elif name == "releases":
        reading.tables(form, key, own)
    else:
        reading.keys(ReleasedKeys if name == "keys" else TopKeys, form, key, own)


def _ledger(visit: Visit) -> VerifyingKey:
    return VerifyingKey(bytes.fromhex(visit.ask("GET", "/key")["key"]))


def _own(visit: Visit, dataset: str, of: tuple[str, str] | None) -> Json:
    project, analyst = (visit.identity.project, visit.identity.subject) if of is None else of
    return {"dataset": dataset, "project": project, "analyst": analyst, "data": "real"}


def invented(forms: list[Json]) -> list[Shown]:
    """Answers about invented rows for a page, which nobody signs; raises :class:`VerificationError` for real ones."""
    return [_shown(release, "") for release in reading.invented(forms) if isinstance(release, Release)]


def _shown(release: Release, checked: str) -> Shown:
    grid = text.grid(release, _ROWS)
    heads = zip(grid.header, grid.below, strict=True)
    charts, no_chart = _charts(release)
    return Shown(
        invented=text.DUMMY if release.data == "dummy" else "",
        heading=text.headline(release),
        protection=text.protection(release),
        bare=release.mechanism == "none" and release.data == "real",
        header=tuple((name, said, place < grid.keys) for place, (name, said) in enumerate(heads)),
        rows=tuple((row[: grid.keys], tuple(map(_cell, row[grid.keys :]))) for row in grid.rows),
        more=grid.more,
        said=shown_of.sentence(release),
        intervals="" if release.estimates.exact else text.interval(release),
        guarantee=release.guarantee,
        notes=tuple(release.notes),
        cost=_cost(release),
        takes=_takes(release),
        charts=charts,
        no_chart=no_chart,
        sql=written(release.query, release.schema),
        checked=checked,
        facts=tuple(_facts(release)),
        downloads=tuple(_downloads(release)),
    )


def _cell(cell: str) -> Cell:
    for mark in (" ± ", " ["):
        value, found, rest = cell.partition(mark)
        if found:
            return value, mark + rest, False
    return cell, "", cell == text.UNKNOWN


def _cost(release: Release) -> str:
    if release.data == "dummy":
        return "Nothing: no real person is in invented rows."
    return " ".join(part for part in (f"{text.cost(release)}.", text.more_like_this(release)) if part)


def _takes(release: Release) -> Bar | None:
    """The dataset's budget after this answer, where it says."""
    state = release.budget
    if release.data == "dummy" or not state or "cap" not in state or "spent" not in state:
        return None
    cap, spent, own = int(fraction(state["cap"])), int(fraction(state["spent"])), int(release.cost["loss"])
    if cap <= 0:
        return None
    of, on = budget_percent(spent / cap), budget_percent(min(own, spent) / cap)
    return bar(cap, spent - min(own, spent), min(own, spent), f"{of} of the budget was spent, {on} on this answer")


def _charts(release: Release) -> tuple[tuple[Chart, ...], str]:
    """The first outputs drawn; else why there is no picture."""
    marks = max(column.estimate.size for column in release.estimates)
    if marks < 2:
        return (), ""  # one number, which the table says
    if marks > _MARKS:
        return (), "There are too many groups for a chart on this page; in Python, release.plot() draws one."
    try:
        return _drawn(canonical(release.to_json())), ""
    except MissingExtraError:
        return (), "Charts are not installed in this service (its plot extra); the table has all numbers."


@lru_cache(maxsize=64)
def _drawn(sealed: bytes) -> tuple[Chart, ...]:
    """The charts of an answer, which take a while: drawn once, however often the page is loaded."""
    from pets.release import picture, plot

    picture.needed()
    release, found = Release.from_json(sealed), []
    for column in release.estimates.columns[:_CHARTS]:
        with _DRAWING:
            drawn = picture.svg(plot.chart(release, column.output.name))
        label = f"Chart of {plot.measured(release, column)}; the table has the same numbers."
        found.append(Chart(address(drawn.encode(), "image/svg+xml"), label))
    return tuple(found)


def written(query: Query, schema: Schema) -> str:
    """A question as SQL, or ``""`` where SQL has no words for it."""
    try:
        return query.sql(schema)
    except PetsError:
        return ""


def question_lines(visit: Visit, dataset: str, forms: list[Json]) -> list[str]:
    """Questions as they may be read: as SQL, or in their own form where SQL has no words."""
    told = visit.ask("GET", "/datasets/{dataset}/schema", path={"dataset": dataset})
    schema = Schema.from_json(told["schema"])
    return [written(Query.from_json(form), schema) or canonical(form).decode() for form in forms]


def _facts(release: Release) -> Iterator[tuple[str, str]]:
    rows = " (invented rows)" if release.data == "dummy" else ""
    yield "Asked of", f"{release.dataset}/{release.table_name}{rows}"
    yield "For", f"{release.analyst}, project {release.project}"
    yield "Issued", release.issued_at
    yield "Release", release.id
    yield "Snapshot", release.snapshot_id
    yield "Digest", release.digest


def _downloads(release: Release) -> Iterator[Download]:
    if len(release.values) > _LARGEST:
        return
    name = f"{'invented' if release.data == 'dummy' else 'answer'}-{release.id[:8]}"
    frame = views.frame(release, times=False).map(lambda cell: no_formula(cell) if isinstance(cell, str) else cell)
    table = frame.rename(columns=no_formula).to_csv(index=False)
    if release.data == "dummy":  # (what signs invented rows is no ledger that anybody knows)
        form = canonical(release.form | {"digest": release.digest})
        yield Download("The invented answer (JSON)", f"{name}.json", address(form, "application/json"))
        table = f"# {text.DUMMY}\n{table}"
    else:
        sealed = canonical(release.to_json())
        yield Download("The answer with its certificate (JSON)", f"{name}.json", address(sealed, "application/json"))
        alone = canonical(dict(release.certificate or {}))
        yield Download("The certificate alone", f"{name}-certificate.json", address(alone, "application/json"))
    yield Download("The table (CSV)", f"{name}.csv", address(table.encode(), "text/csv"))


def address(content: bytes, kind: str) -> str:
    """A file as an address of its own, which nobody fetches: a link to it is the file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
