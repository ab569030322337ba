"""Linked invented tables of a pack: people, what happens to them, and, where asked for, planted faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pets.common.progress import bar
from pets.errors import SchemaError, UserError, did_you_mean, shown
from pets.query_model.query import Query
from pets.schema.domain import Category
from pets.schema.schema import Schema
from pets.synthetic.dummy_data.dataset import Dummy
from pets.synthetic.dummy_data.manifest import manifest
from pets.synthetic.dummy_data.packed import joined, packed, plain
from pets.synthetic.dummy_data.people.judge import Judge
from pets.synthetic.packs.declared import LINKS, Pack
from pets.synthetic.packs.faults import chosen, plant
from pets.synthetic.packs.generator import ends, make
from pets.synthetic.packs.pack import packs, whole_pack
from pets.synthetic.packs.render import dictionary, render
from pets.synthetic.quiz.secret import Secret

LOOKED = 25_000
"""People who are made at most to find some who meet a question."""

FEW = 50
"""So many are enough, or half of the people who were asked for."""


def linked(
    pack: Pack,
    people: int,
    seed: int,
    *,
    query: Query | None = None,
    faults: object = False,
    secret: Secret | None = None,
    progress: bool = False,
) -> Dummy:
    """The tables of a pack for so many invented people; the same request gives the same rows.

    With a ``query``, some of the people meet its conditions: of as many as it takes to find them, those who do are
    kept in the place of others. With ``faults`` those of the pack are planted, and ``answers`` is the key to them. With
    a ``secret`` neither the rows nor the faults can be made again by who knows the seed alone: of two makings of the
    same rows, with and without faults, the difference would be the key. A bar shows the progress of what takes over a
    second.

    Raises :class:`pets.UserError` where there are more people than the pack can name, and where nobody meets the query.
    """
    judge = None if query is None else Judge(query, pack.schema)
    planted = chosen(pack, faults)
    rows_of = seed if secret is None else secret.number("rows", pack.name, str(seed))
    tables = gathered(pack, people, rows_of, judge, progress=progress)
    answers = None
    if planted:
        tables, answers = plant(pack, {name: plain(table) for name, table in tables.items()}, rows_of, planted)
    told = manifest(
        dataset=pack.schema.dataset,
        schema=pack.schema.digest,
        seed=seed,
        rows={name: table.num_rows for name, table in tables.items()},
        made_from=f"the pack {pack.name}" + ("" if query is None else " and a query"),
        pack={"name": pack.name, "version": pack.version, "title": pack.title, "link": pack.link},
        people=people,
        as_of=pack.window[1].isoformat(),
        faults=len(answers) if answers is not None else 0,
        **({} if secret is None else {"secret": "drawn from the seed and a trainer's secret, which is not here"}),
        sources=dict(pack.sources),
        **({} if query is None else {"query_sha256": query.digest}),
    )
    return Dummy(pack.schema, tables, told, dictionary(pack), answers)


def gathered(pack: Pack, people: int, seed: int, judge: Judge | None, *, progress: bool = False) -> dict[str, Any]:
    """The tables of the first people of a pack, some of them changed for others who meet a question.

    Raises :class:`pets.UserError` where nobody who was looked at meets a part of it.
    """
    asked = len(judge.asked) if judge is not None else 0
    most = max(people, LOOKED) if asked else people
    enough, meeting = max(1, min(people // 2, FEW)), [list[str]() for _ in range(asked)]
    parts: dict[str, list[Any]] = {table.name: [] for table in pack.files}
    looked = 0
    with bar(sum(1 for _ in ends(people)), "people", unit="block", show=progress) as moved:
        for block in make(pack, most, seed):
            here = {table.name: render(table, block[table.name]) for table in pack.files}
            block.clear()  # (the next one needs its room)
            for name, table in here.items():
                parts[name].append(packed(table))
            looked += here[pack.root].num_rows
            if judge is not None and asked:
                order = here[pack.root].column(pack.person_of(pack.root)).to_pylist()
                for some, found in zip(meeting, judge.meeting(here), strict=True):
                    some += [who for who in order if who in found]
            moved.update()
            if looked >= people and all(len(some) >= enough for some in meeting):
                break
    tables: dict[str, Any] = {name: joined(some) for name, some in parts.items()}
    if looked == people and all(len(some) >= enough for some in meeting):
        return tables
    if not all(meeting):
        raise UserError(
            f"nobody of {looked:,} invented people meets the conditions of this question; ask of wider conditions, or "
            "leave query out"
        )
    return _chosen(pack, tables, people, meeting, enough)


def _chosen(
    pack: Pack, tables: Mapping[str, Any], people: int, meeting: list[list[str]], enough: int
) -> dict[str, Any]:
    """The tables of the first people, the last of them changed for others who meet a part of a question."""
    import pyarrow as pa
    import pyarrow.compute as pc

    every = tables[pack.root].column(pack.person_of(pack.root)).to_pylist()
    wanted = dict.fromkeys(who for some in meeting for who in some[: max(1, enough // len(meeting))])
    wanted = dict.fromkeys(list(wanted)[:people])
    room = people - len(wanted)
    others = [who for who in every[:people] if who not in wanted][:room]
    kept = pa.array([*wanted, *others], pa.string())

    def of_these(name: str, table: Any) -> Any:
        return table.filter(pc.is_in(table.column(pack.person_of(name)), value_set=kept))

    return {name: of_these(name, table) for name, table in tables.items()}


def twin(schema: Schema, people: int, seed: int, query: Query | None = None) -> dict[str, Any]:
    """The tables of a schema as the pack that it names makes them: its columns alone.

    Raises :class:`pets.UserError` where the pack has no such table or column, and where nobody meets the query.
    """
    pack = fitting(schema)
    tables = gathered(pack, people, seed, None if query is None else Judge(query, schema))
    return {name: plain(tables[name].select(list(_own(schema, name)))) for name in schema.tables}


def fitting(schema: Schema) -> Pack:
    """The pack that a schema names, linked as its columns say."""
    home = schema.twin.pack
    assert home is not None
    if "/" not in home and home not in packs():  # no folder that happens to lie where the program runs
        near = did_you_mean(home, packs())
        raise SchemaError(f"there is no pack {shown(home)}{near}; one's own is named by its folder, such as my_pack/")
    told = SchemaError("")
    for link in (None, *LINKS):  # as the pack says, or as the schema's columns are called
        pack = whole_pack(home, link)
        try:
            for name in schema.tables:
                _known(pack, schema, name)
            return pack.having(schema.tables)
        except SchemaError as error:
            told = told if str(told) else error
    raise told


def _known(pack: Pack, schema: Schema, name: str) -> None:
    files = {table.name: table for table in pack.files}
    if name not in files:
        raise SchemaError(
            f"the schema's dummy rows are of the pack {pack.name}, which has no table {name!r}"
            f"{did_you_mean(name, files)}; take 'dummy' out of the schema to draw them from its columns"
        )
    known = [column for _, column in files[name].visible()]
    for column in _own(schema, name):
        if column not in known:
            raise SchemaError(
                f"the schema's dummy rows are of the pack {pack.name}, whose table {name!r} has no column {column!r}"
                f"{did_you_mean(column, known)}; take 'dummy' out of the schema to draw them from its columns"
            )


def _own(schema: Schema, name: str) -> Iterable[str]:
    """The columns that are read from data."""
    columns = schema.tables[name].columns
    return [c for c, domain in columns.items() if not (isinstance(domain, Category) and domain.lookup is not None)]
