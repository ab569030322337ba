"""``pets draft``: a first schema for the custodian's own file."""

# no "from __future__ import annotations": typer reads the annotations when this file loads

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from pets.errors import UserError


def draft(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A CSV or Parquet file.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    dictionary: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--dictionary", metavar="FILE", help="A CSV with the columns 'column' and 'value': listed codes."),
    ] = None,
    table: Annotated[Optional[str], typer.Option("--table", help="The table's name (left out: the file's).")] = None,  # noqa: UP045
) -> None:
    """Write a first schema for a file (for custodians); it is refused until every mark in it is confirmed.

    \b
    pets draft stays.csv --out stays.yaml --dictionary codes.csv
    """
    from pets.session.draft import draft as made

    text = made(data, dictionary, table)
    try:
        # its guesses were read from the rows: for its owner alone, until it is a schema
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UserError(f"{str(out)!r} is there already; choose another --out, or remove it first") from None
    except OSError as error:
        raise UserError(f"{str(out)!r} cannot be written ({error.strerror}); choose another --out") from None
    marks = text.count("# TODO:")
    print(f"Wrote {out}. Check its {marks} marked lines against the documentation; until then it is no schema.")
