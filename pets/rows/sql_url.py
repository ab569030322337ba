"""SQL URLs: from ``sqlite:///stays.db#table`` and the like to the table behind them, through Ibis.

And what an Ibis table holds that is no database: a pandas frame, whose types Ibis would guess from all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pets.errors import DataError, MissingExtraError, did_you_mean


def no_table(label: str, name: str, known: Sequence[str]) -> DataError:
    """The error for a database that lacks the wanted table."""
    return DataError(f"{label} has no table {name!r}{did_you_mean(name, known)}; write the table's name after '#'")


def embedded(address: str) -> Path:
    """The file of an embedded database; one that is not there would be created by connecting to it."""
    parts = urlsplit(address)
    if "?" in address:
        raise DataError(
            f"what follows '?' in a {parts.scheme} URL is not read; write the table's name after '#', such as "
            f"{parts.scheme}:///stays.db#stays (a '?' of the file's own name as %3F)"
        )
    text = unquote(parts.netloc + parts.path)
    path = next((path for path in (Path(text), Path(text.removeprefix("/"))) if path.is_file()), None)
    if path is None:
        raise DataError(f"there is no file {Path(text).name or address}; check the URL")
    return path


def connect(url: str, label: str, table: str) -> Any:
    """The Ibis table behind an SQL URL; its fragment names the table, else the schema's name does."""
    import ibis

    address, _, fragment = url.partition("#")
    parts = urlsplit(address)
    name = fragment or table
    path = embedded(address) if parts.scheme == "sqlite" else None
    try:
        if path is not None:
            backend = ibis.sqlite.connect(path)
        else:
            backend = ibis.connect(address)
    except ImportError as error:
        driver = f" ({error.name})" if getattr(error, "name", None) else ""
        raise MissingExtraError(
            f"reading {label} needs a driver that is not installed{driver}; "
            f"install it with: pip install 'ibis-framework[{parts.scheme.replace('postgresql', 'postgres')}]'"
        ) from None
    except Exception as error:
        # the driver's own message may repeat the URL, and with it a password
        raise DataError(f"{label} cannot be opened ({type(error).__name__}); check the URL") from None
    tables = list(backend.list_tables())
    if name not in tables:
        raise no_table(label, name, tables)
    return backend.table(name)


def pandas_frame(expression: Any, label: str) -> Any:
    """The pandas frame that an Ibis memtable holds, or ``None``.

    Raises :class:`DataError` for an expression over such a frame with columns of mixed Python objects.
    """
    import ibis.expr.operations as ops
    import pandas as pd

    top = expression.op()
    for held in top.find(ops.InMemoryTable):
        frame = getattr(held.data, "obj", None)
        if not isinstance(frame, pd.DataFrame):
            continue
        if held is top and [str(name) for name in frame.columns] == list(expression.columns):
            return frame
        objects = [frame.iloc[:, at] for at, kind in enumerate(frame.dtypes) if kind.kind == "O"]
        if any(pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty") for column in objects):
            raise DataError(
                f"{label} is computed from a pandas frame with columns of Python objects, whose types Ibis guesses "
                "from all rows; give the frame itself, or make them columns of one type first"
            )
    return None
