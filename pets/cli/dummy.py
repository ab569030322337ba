"""``pets dummy``: invented rows in files, of a schema or of a pack."""

# no "from __future__ import annotations": typer reads the annotations when this file loads

from pathlib import Path
from typing import Annotated

import typer

from pets.cli.flags import load_schema
from pets.errors import UserError


def dummy(
    out: Annotated[Path, typer.Option("--out", help="The folder for the tables and their manifest.")],
    pack: Annotated[
        str | None,
        typer.Argument(help="A pack of linked tables, such as nhs, or a folder with one's own.", show_default=False),
    ] = None,
    schema: Annotated[
        str | None, typer.Option("--schema", metavar="FILE", help="Or the public description of your own tables.")
    ] = None,
    rows: Annotated[int | None, typer.Option("--rows", help="Rows of each table of a schema (1000).")] = None,
    people: Annotated[int | None, typer.Option("--people", help="People of a pack (1000).")] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same rows.")] = 0,
    format: Annotated[str, typer.Option("--format", help="csv, parquet or duckdb.")] = "csv",
    query: Annotated[
        str | None, typer.Option("--query", metavar="FILE", help="Make rows that meet this query's conditions.")
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="Plant a pack's faults; the key is beside them.")] = False,
    link: Annotated[
        str | None, typer.Option("--link", help="How a pack names people: nhs_number or pseudonym (as it says).")
    ] = None,
) -> None:
    """Invented rows, to write and test programs with. Made from public descriptions alone: no data is read.

    \b
    pets dummy --schema stays.yaml --out invented
    pets dummy --schema stays.yaml --rows 100000 --seed 7 --format parquet --out invented
    pets dummy nhs --people 5000 --faults --out exercises
    pets dummy eye_clinic/ --people 1000 --out invented
    """
    from pets.query_model.condition import read_query
    from pets.synthetic.dummy import dummy as invent
    from pets.synthetic.dummy_data.files import prepare
    from pets.synthetic.packs.pack import is_pack

    if (pack is None) == (schema is None):
        raise UserError("say what to invent: a pack, such as pets dummy nhs, or your own tables with --schema FILE")
    if pack is not None and rows is not None:
        raise UserError("a pack has people, not rows: use --people")
    if pack is not None and not is_pack(pack):
        raise UserError(f"{pack!r} is no pack; for a schema write --schema {pack}")
    prepare(out, format)
    made = invent(
        load_schema(schema) if schema is not None else str(pack),
        rows,
        seed,
        query=None if query is None else read_query(query),
        people=people,
        faults=faults,
        link=link,
        progress=True,
    )
    files = made.save(out, format)
    if format == "duckdb":
        print(f"{next(path for path in files if path.suffix == '.duckdb')}:")
    for name, table in made.tables.items():
        where = name if format == "duckdb" else out / f"{name}.{format}"
        print(f"{where}: {table.num_rows:,} invented rows")
    beside = [
        path.name
        for path in files
        if path.suffix not in (f".{format}",) or path.stem in ("data_dictionary", "answer_key")
    ]
    print(f"Beside them: {', '.join(beside)}. Every row is marked SYNTHETIC; no real person is in any.")
