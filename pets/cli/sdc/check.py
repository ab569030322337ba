"""``pets sdc check`` and ``export``: tables that others made, checked; what was found, in the forms of others."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import load_schema
from pets.cli.sdc.grid import grid
from pets.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pets.sdc.exports.output import Released
    from pets.sdc.tables.result import TableCheck

TABLES = ("grid", "rounded", "reviewed")
"""The forms of tables of disclosure control."""

sdc_app = typer.Typer(
    name="sdc",
    help="Disclosure control of tables of counts: name a grid, check what others made, export what was found.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

verb(sdc_app)(grid)

Tables = Annotated[list[Path], typer.Argument(metavar="TABLE…", help="CSV or Parquet files.", show_default=False)]
Acro = Annotated[Path | None, typer.Option("--acro", metavar="FOLDER", help="Write a folder for SACRO-Viewer.")]
Crate = Annotated[
    Path | None, typer.Option("--crate", metavar="FILE", help="Write a Five Safes RO-Crate (.zip); needs --facts.")
]
Facts = Annotated[
    Path | None, typer.Option("--facts", metavar="FILE", help="Who, for which project, for the crate, in YAML.")
]
Preset = Annotated[str, typer.Option("--preset", metavar="NAME", help="The rule by which they were made.")]


@verb(sdc_app)
def check(
    tables: Tables,
    preset: Preset = "acro_default",
    schema: Annotated[
        str | None, typer.Option("--schema", metavar="FILE", help="What the columns are; else it is recognised.")
    ] = None,
    keys: Annotated[
        str | None, typer.Option("--keys", metavar="A,B", help="The columns that say whose a row is.")
    ] = None,
    counts: Annotated[str | None, typer.Option("--counts", metavar="A,B", help="The columns of counts.")] = None,
    across: Annotated[
        str | None, typer.Option("--across", metavar="NAME", help="What the columns of counts are parted by.")
    ] = None,
    people: Annotated[
        str, typer.Option("--people", help="Whose the tables are: auto, same, nested (each in the one before), other.")
    ] = "auto",
    width: Annotated[
        int | None, typer.Option("--width", help="Whole numbers that a small count must leave open.", min=1)
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", help="How long to look for a proof.")] = 60.0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write a page (.html), .json or .csv.")
    ] = None,
    acro: Acro = None,
    crate: Crate = None,
    facts: Facts = None,
) -> None:
    """Can small counts be read in these tables, or found from their totals and from each other?

    Ends with 0 where nothing can be found and that was proved, 30 where a person has to look, 31 where something small
    was found: each is listed with the sum that gives it.

    \b
    pets sdc check table.csv
    pets sdc check by_age.csv by_sex.csv --preset hes --out check.html
    pets sdc check all.csv adults.csv --people nested
    pets sdc check table.csv --acro outputs
    pets sdc check table.csv --crate outputs.zip --facts crate.yaml
    """
    from pets.sdc.tables.checking import check as checked

    _writable(out, crate, facts)
    found = checked(
        list(tables),
        preset=preset,
        schema=None if schema is None else load_schema(schema),
        keys=_names(keys),
        counts=_names(counts),
        across=across,
        people=people,
        width=width,
        seconds=seconds,
    )
    print(found)
    if out is not None:
        typer.echo(f"Written to {found.save(out)}.", err=True)
    _exported([found], acro, crate, facts)
    if found.exit_code:
        raise typer.Exit(found.exit_code)


@verb(sdc_app)
def export(
    releases: Annotated[
        list[Path], typer.Argument(metavar="RELEASE…", help="Releases that were saved as .json.", show_default=False)
    ],
    acro: Acro = None,
    crate: Crate = None,
    facts: Facts = None,
) -> None:
    """Releases in the forms of others, for a person to review there.

    \b
    pets sdc export answer.json --acro outputs
    pets sdc export answer.json --crate outputs.zip --facts crate.yaml
    """
    if acro is None and crate is None:
        raise UserError("say what to write: --acro FOLDER, or --crate FILE with --facts FILE")
    _writable(None, crate, facts)
    _exported([_loaded(path) for path in releases], acro, crate, facts)


def _loaded(path: Path) -> "Released":
    """A release, or a table of disclosure control, that was saved."""
    from pets.release.release import Release
    from pets.release.rounded.reviewed_table import table_of

    try:
        form = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return Release.load(path)  # which says what is wrong with it
    return table_of(form) if isinstance(form, dict) and form.get("pets") in TABLES else Release.load(path)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _writable(out: Path | None, crate: Path | None, facts: Path | None) -> None:
    """Refuse what could not be written, before anything is checked."""
    if crate is not None and facts is None:
        raise UserError("a crate says who asked, and for which project; give that in a YAML file: --facts crate.yaml")
    if out is not None and out.suffix.lower() not in (".html", ".json", ".csv"):
        raise UserError(f"--out {out.name!r} must end in .html, .json or .csv")


def _exported(
    found: "Sequence[TableCheck | Released]", acro: Path | None, crate: Path | None, facts: Path | None
) -> None:
    from pets.common.clock import now
    from pets.sdc.exports import acro as for_acro
    from pets.sdc.exports import crate as crates

    if acro is not None:
        typer.echo(f"Written to {for_acro.export(found, acro, at=now())}.", err=True)
    if crate is not None and facts is not None:
        written = crates.export(found, crate, crates.CrateFacts.load(facts), at=now())
        typer.echo(f"Written to {written}.", err=True)
