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
    format: Annotated[str, typer.Option("--format", help="csv, parquet, duckdb, or fhir.")] = "csv",
    query: Annotated[
        str | None, typer.Option("--query", metavar="FILE", help="Make rows that meet this query's conditions.")
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="Plant all faults of a pack, for training.")] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME[=SHARE]", help="Or some: by name, or all that are easy, middle or hard."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Where the key to them is written: not in the folder.")
    ] = None,
    secret: Annotated[
        Path | None,
        typer.Option("--secret", metavar="FILE", help="Of pets learn secret: the seed alone then makes no such rows."),
    ] = None,
    products: Annotated[
        str | None,
        typer.Option("--products", metavar="NAMES", help="A pack's products, with commas, or all (its usual ones)."),
    ] = None,
    link: Annotated[
        str | None, typer.Option("--link", help="How a pack names people: nhs_number or pseudonym (as it says).")
    ] = None,
) -> None:
    """Invented rows, to write and test programs with. Made from public descriptions alone: no data is read.

    \b
    pets dummy --schema stays.yaml --rows 100000 --seed 7 --format parquet --out invented
    pets dummy nhs --products gdppr,medicines --people 5000 --out exercises
    pets dummy nhs --fault hard --fault duplicated-episodes=0.02 --out exercises --key trainer/key.csv
    pets dummy eye_clinic/ --people 1000 --out invented
    """
    from pets.query_model.condition import read_query
    from pets.synthetic.dummy import dummy as invent
    from pets.synthetic.dummy_data.files import check_key, prepare
    from pets.synthetic.packs.pack import is_pack

    if (pack is None) == (schema is None):
        raise UserError("say what to invent: a pack, such as pets dummy nhs, or your own tables with --schema FILE")
    if pack is not None and rows is not None:
        raise UserError("a pack has people, not rows: use --people")
    if pack is not None and not is_pack(pack):
        raise UserError(f"{pack!r} is no pack; for a schema write --schema {pack}")
    if faults and fault:
        raise UserError("--faults plants all of them; leave it out beside --fault")
    planted = _planted(fault) if fault else faults
    if key is not None:
        check_key(planted or None, key, out)
    prepare(out, format)
    made = invent(
        load_schema(schema) if schema is not None else str(pack),
        rows,
        seed,
        query=None if query is None else read_query(query),
        people=people,
        faults=planted,
        secret=secret,
        link=link,
        products=products if products in (None, "all") else str(products).split(","),
        progress=True,
    )
    files = made.save(out, format, key=key)
    if format == "duckdb":
        print(f"{next(path for path in files if path.suffix == '.duckdb')}:")
    if format == "fhir":
        for path in (path for path in files if path.suffix == ".ndjson"):
            many = path.read_bytes().count(b"\n")
            print(f"{path}: {many:,} invented resources")
    for name, table in made.tables.items() if format != "fhir" else ():
        where = name if format == "duckdb" else out / f"{name}.{format}"
        print(f"{where}: {table.num_rows:,} invented rows")
    beside = [
        path.name
        for path in files
        if path.parent == out and (path.suffix not in (f".{format}", ".ndjson") or path.stem == "data_dictionary")
    ]
    mark = "resource is tagged HTEST" if format == "fhir" else "row is marked SYNTHETIC"
    print(f"Beside them: {', '.join(beside)}. Every {mark}; no real person is in any.")
    if key is not None:
        print(f"{key}: the key to the faults, which is not handed out.")
    elif made.answers is not None:
        print("The key to the faults is in no file: name one with --key FILE, outside the folder.")


def _planted(fault: list[str]) -> dict[str, float | None]:
    """What is planted: names, some with a share."""
    out: dict[str, float | None] = {}
    for text in fault:
        name, given, share = text.partition("=")
        try:
            out[name] = float(share) if given else None
        except ValueError:
            raise UserError(f"--fault takes a name and perhaps a share, such as {name}=0.01, not {text!r}") from None
    return out
