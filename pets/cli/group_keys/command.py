"""``pets group-keys``: the keys that nobody listed, as far as enough people have them."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pets.cli.command import interruptible
from pets.cli.flags import Protect, Purse, SchemaFile, Source, TableName, load_schema
from pets.errors import QueryError

BEGUN = "interrupted after the release had begun; no key was shown, but count its cost as spent: data was read"


def group_keys(
    schema: SchemaFile,
    source: Source,
    protect: Protect,
    purse: Purse,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="COLUMN", help="A column of the keys; repeatable.", show_default=False),
    ] = None,
    table: TableName = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="TEXT", help="Only rows that meet it; repeatable.", show_default=False),
    ] = None,
    groups: Annotated[
        int | None, typer.Option("--groups", metavar="WHOLE", help="Keys one person is counted in, at most (5).")
    ] = None,
    key_delta: Annotated[
        float | None,
        typer.Option("--key-delta", metavar="NUMBER", help="δ of the threshold (a hundredth of --threshold-delta)."),
    ] = None,
    quote: Annotated[bool, typer.Option("--quote", help="Only the price and the threshold; reads no data.")] = False,
    dummy: Annotated[bool, typer.Option("--dummy", help="Of invented rows: no data, no cost.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write keys.json, which --by of pets query reads.")
    ] = None,
) -> None:
    """Release the keys of a column of texts that enough people have, to group by. Paid for once.

    \b
    pets group-keys --schema apc.yaml --snapshots ready --ledger ledger.db --by diagnosis --epsilon 0.5 --out keys.json
    pets query --schema apc.yaml --snapshots ready --ledger ledger.db --by keys.json --count stays --epsilon 0.5
    pets group-keys --schema apc.yaml --by diagnosis --epsilon 0.5 --threshold-delta 1e-7 --quote
    """
    from pets.query_model.condition import condition

    known = load_schema(schema)
    if table is None and len(known.tables) > 1:
        raise QueryError(f"the schema has several tables; add --table, one of {', '.join(known.tables)}")
    chosen = None
    for text in where or ():
        chosen = condition(text) if chosen is None else chosen & condition(text)
    name, protection = table or next(iter(known.tables)), protect.build()
    asked: dict[str, Any] = {"by": by or [], "where": chosen, "groups": groups, "delta": key_delta}
    ledger = purse.open()
    asker = purse.session(known, ledger)
    price = asker.quote_keys(name, protection=protection, **asked)  # what can be refused is, before data is read
    if quote:
        print(price)
        return
    session = asker.dummy() if dummy else source.open(known, purse, ledger)
    with interruptible(BEGUN):
        keys = session.group_keys(name, protection=protection, **asked)
    print(keys)
    for note in keys.notes:
        print(note)
    if out is not None:
        print(f"Written to {keys.save(out)}.", file=sys.stderr)
