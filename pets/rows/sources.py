"""Opening a data source: from whatever the custodian has to one DuckDB relation with numbered columns.

Nothing is sniffed: a CSV is read as text, cell by cell, under strict RFC 4180 rules, a column of Python objects cell by
cell too (``pets.schema.cells``), and only ``pets.rows.coding.coding`` decides what a text means. Errors are one plain
sentence and never carry the content of a cell.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pets.common.pinned import Pinned
from pets.errors import DataError, PetsError, did_you_mean
from pets.rows.coding.cell import Cell, parquet, quoted
from pets.rows.csv_file import NOT_UTF8, header, recoded, relation
from pets.rows.sql_url import connect, embedded, no_table, pandas_frame
from pets.schema.cells import FLOAT_IDS, FLOAT_WHOLES, Texts, pandas_column, sqlite_table
from pets.schema.domain import Domain, Identifier

if TYPE_CHECKING:
    import pyarrow as pa

Source = Any
"""A path (CSV, CSV.gz, Parquet), a pandas or polars DataFrame, a pyarrow Table or RecordBatchReader, an Ibis table, or
the text of an SQL URL such as ``duckdb:///stays.db`` (``#name`` chooses the table)."""

_BATCH = 122_880  # rows
_ATTACHED = "attached_source"
_JSON = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")
_READ: weakref.WeakSet[Any] = weakref.WeakSet()  # readers that have given their rows, which they do once
_KINDS = (
    "a path to a CSV or Parquet file, a pandas or polars DataFrame, a pyarrow Table or RecordBatchReader, "
    "an Ibis table, or an SQL URL such as duckdb:///stays.db"
)


@dataclass(frozen=True)
class Opened:
    """A source made ready for one pass.

    Attributes:
        label: what errors call it (a file's name or the kind of object; never a folder, a password or content).
        relation: the SQL to put after FROM.
        cells: for each wanted column, how to read it.
    """

    label: str
    relation: str
    cells: dict[str, Cell] = field(default_factory=dict)


@contextmanager
def opened(
    con: Any, source: Source, table: str, domains: Mapping[str, Domain], scratch: Path, encoding: str = "utf-8"
) -> Iterator[Opened]:
    """Open ``source`` on the DuckDB connection for some columns of schema table ``table``, each with its domain.

    ``scratch`` is a private folder; ``encoding`` is that of a CSV file. Raises :class:`DataError` for anything that
    cannot be opened; errors while the block runs (a broken line far into a file) become one too, and so does it that
    somebody writes to the file meanwhile.
    """
    label, wanted = label_of(source), list(domains)
    held = f"source_{table_key(table)}"
    standing = _standing(source)
    try:
        if isinstance(source, str) and source.startswith("duckdb://"):
            relation, names = _attached(con, source, label, table, wanted)
        elif isinstance(source, (str, Path)) and not _is_url(source):
            relation, names = _file(con, Path(source).expanduser(), label, table, wanted, scratch, encoding)
        else:
            data = _arrow(source, label, table, domains)
            con.register(held, data)
            relation, names = held, wanted
        described = con.execute(f"DESCRIBE SELECT * FROM {relation} AS t").fetchall()
        position = {name: index for index, name in enumerate(names)}
        aliases = ", ".join(f"s{index}" for index in range(len(described)))
        cells = {name: Cell(f"s{position[name]}", str(described[position[name]][1])) for name in wanted}
        for name, cell in cells.items():
            if cell.nested and not isinstance(domains[name], Identifier):
                raise nested(name, table, cell.kind, label)
        yield Opened(label, f"{relation} AS t({aliases})", cells)
        if standing is not None and not standing.current:
            raise changed(label)
    except (PetsError, KeyboardInterrupt):
        raise
    except Exception as error:
        if standing is not None and not standing.current:
            raise changed(label) from None
        raise plain(error, label) from None
    finally:
        con.unregister(held)
        con.execute(f"DETACH DATABASE IF EXISTS {_ATTACHED}")


def _standing(source: Source) -> Pinned | None:
    """A file as it is before it is read; ``None`` for whatever is none."""
    if not isinstance(source, (str, Path)) or _is_url(source):
        return None
    path = Path(source).expanduser()
    return Pinned(path) if path.is_file() and os.access(path, os.R_OK) else None


def changed(label: str) -> DataError:
    """The error for data that somebody else wrote to while they were read: they may be those of no moment."""
    return DataError(
        f"{label} was changed while it was read, and nothing was stored; make the snapshot again when nobody writes to "
        "it"
    )


def table_key(table: str) -> str:
    """A table's name as an SQL name (it may hold any printable character)."""
    return table.encode().hex()


def label_of(source: Source) -> str:
    """What errors call a source: never a folder, a password or content."""
    if isinstance(source, (str, Path)):
        if _is_url(source):
            parts = urlsplit(str(source))
            return f"the {parts.scheme} database {Path(parts.path).name or parts.hostname or ''}".rstrip()
        return Path(source).name or str(source)
    module = type(source).__module__.split(".")[0]
    return f"the {module} {type(source).__name__}"


def nested(column: str, table: str, kind: str, label: str) -> DataError:
    """The error for a column whose cells hold several values."""
    return DataError(
        f"column {column!r} of table {table!r} holds lists or structures ({kind[:60]}) in {label}, and a column has "
        "one value a row; unnest it, or leave it out of the schema"
    )


def absent(column: str, table: str, label: str, names: Sequence[object]) -> DataError:
    """The error for a column of the schema that the data does not have."""
    texts = [str(name) for name in names]
    alike = [text for text in texts if text.strip().lower() == column.strip().lower()]
    hint = did_you_mean(column, texts) if not alike else f"; did you mean {alike[0]!r}?"
    return DataError(
        f"column {column!r} of table {table!r} is not in {label}: name it as the data do, or leave it out of the schema"
        f"{hint}"
    )


def plain(error: BaseException, label: str) -> DataError:
    """A plain sentence for an engine's error: what is wrong and where, but never the content of a cell."""
    if isinstance(error, DataError):
        return error
    text = str(error)
    low = text.lower()
    found = re.search(r"CSV Error on Line: (\d+)", text)
    line = f"{label}, line {int(found[1])}: " if found else f"{label}: "
    if FLOAT_IDS in text:
        return DataError(
            f"{label}: the ids are floating-point numbers too large to tell people apart; give whole numbers or text"
        )
    if FLOAT_WHOLES in text:
        return DataError(
            f"{label}: a column holds floating-point numbers too large to tell whole numbers apart; give whole numbers "
            "or text"
        )
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    if columns:
        # the engine stops counting at the first field too many
        has = columns[2] if int(columns[2]) < int(columns[1]) else "more"
        return DataError(
            f"{line}the header names {columns[1]} columns but the line has {has}; mend the line (a value that holds "
            "the separator stands in quotes)"
        )
    if "conversion error" in low or "error when converting" in low:
        return DataError(
            f"{label}: a view or a computed column turns a value into a type that it does not fit; mend its "
            "definition, such as with TRY_CAST"
        )
    if "unterminated quote" in low or "quoted value" in low:
        return DataError(f"{line}a quoted value does not end properly; double each quote inside a quoted value")
    if "unicode" in low or "utf-8" in low or "utf8" in low:
        return DataError(f"{line}{NOT_UTF8}")
    if "maximum line size" in low or "max_line_size" in low:
        return DataError(f"{line}a line is longer than 16 MB; is a quote missing?")
    if "state machine" in low:
        return DataError(
            f"{line}the file mixes line endings or breaks the CSV rules (RFC 4180); save it again as plain CSV"
        )
    if "gzip" in low or "inflate" in low or "decompress" in low:
        return DataError(f"{line}the compressed file is damaged or cut short; copy it again")
    if "out of memory" in low or isinstance(error, MemoryError):
        return DataError(f"{line}the memory limit is too small for this table; raise memory")
    if "no space left" in low or "max_temp_directory_size" in low:
        return DataError(f"{line}the disk is full; free some space for temporary files")
    if found:
        return DataError(f"{line}the line breaks the CSV rules (RFC 4180); mend the line")
    return DataError(f"{line}the data cannot be read ({type(error).__name__}); check that it is complete and undamaged")


def _is_url(source: str | Path) -> bool:
    return isinstance(source, str) and bool(_URL.match(source))


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _file(
    con: Any, path: Path, label: str, table: str, wanted: Sequence[str], scratch: Path, encoding: str
) -> tuple[str, Sequence[str]]:
    try:
        if path.is_dir():
            raise DataError(f"{label} is a folder; give one CSV or Parquet file")
        if not path.exists():
            raise DataError(f"there is no file {label}; check the path")
        if not path.is_file():
            raise DataError(f"{label} is not a regular file; give a CSV or Parquet file")
        with path.open("rb") as handle:
            start = handle.read(65536)
    except OSError as error:
        raise DataError(f"{label} cannot be opened ({error.strerror or 'unreadable'}); check its permissions") from None
    if not start:
        raise DataError(f"{label} is empty; give a file with a header line and rows")
    # DuckDB would take '*' or '[' in a name as a pattern of several files, so it reads through a plain link
    link = scratch / f"in-{table_key(table)[:32]}"
    link.unlink(missing_ok=True)
    link.symlink_to(path.resolve())
    if start[:4] == b"PAR1":
        return _parquet(link, label, table, wanted)
    zipped = start[:2] == b"\x1f\x8b"
    if path.suffix.lower() == ".gz" and not zipped:
        raise DataError(f"{label} is named .gz but is not a gzip file; rename it or compress it")
    if path.name.lower().endswith(_JSON):
        raise DataError(
            f"{label} is named as JSON, which is not read as data; save it as CSV or Parquet, such as with "
            "pandas.read_json(…).to_parquet(…)"
        )
    if not zipped and (
        (b"\0" in start and encoding != "utf-16") or path.suffix.lower() in (".parquet", ".xlsx", ".xls", ".zip")
    ):
        raise DataError(f"{label} is neither CSV (UTF-8 text) nor Parquet; save it as one of the two")
    if encoding != "utf-8":
        copy = scratch / f"utf8-{table_key(table)[:32]}"
        recoded(path, copy, label, encoding, zipped)
        link.unlink()
        link.symlink_to(copy)
        path, zipped = copy, False
    names, delimiter = header(path, label, wanted, zipped)
    check(names, wanted, label, table)
    return relation(link, names, delimiter, zipped), names


def _parquet(link: Path, label: str, table: str, wanted: Sequence[str]) -> tuple[str, Sequence[str]]:
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(link).names
    except Exception:
        raise DataError(f"{label} starts like Parquet but is damaged or cut short; copy it again") from None
    check(names, wanted, label, table)
    return parquet(str(link)), names


def check(names: Sequence[object], wanted: Sequence[str], label: str, table: str) -> None:
    """Raise :class:`DataError` where a wanted column is not among the names, or is there twice."""
    texts = [str(name) for name in names]
    for column in wanted:
        if column not in texts:
            raise absent(column, table, label, texts)
        if texts.count(column) > 1:
            raise DataError(f"column {column!r} of table {table!r} is in {label} more than once; rename one of them")


# ── objects in memory and databases ─────────────────────────────────────────────────────────────────────────────────


def _arrow(source: Source, label: str, table: str, domains: Mapping[str, Domain]) -> pa.Table | pa.RecordBatchReader:
    """The wanted columns, in that order, as Arrow."""
    import pyarrow as pa

    wanted = list(domains)
    if isinstance(source, str):
        return _ibis(connect(source, label, table), label, table, domains)
    module = type(source).__module__.split(".")[0]
    if module == "pandas" and hasattr(source, "columns"):
        check(list(source.columns), wanted, label, table)
        names = [str(name) for name in source.columns]
        columns = [pandas_column(source.iloc[:, names.index(name)], Texts(domains[name])) for name in wanted]
        return pa.table(columns, names=_numbered(wanted))
    if module == "polars" and hasattr(source, "collect_schema"):
        check(source.collect_schema().names(), wanted, label, table)
        chosen = source.select(wanted)
        return _polars(chosen.collect() if hasattr(chosen, "collect") else chosen, domains)
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        check(source.column_names, wanted, label, table)
        positions = [source.column_names.index(name) for name in wanted]
        return source.select(positions).rename_columns(_numbered(wanted))
    if isinstance(source, pa.RecordBatchReader):
        check(source.schema.names, wanted, label, table)
        if source in _READ:
            raise DataError(f"{label} was read before, and it can be read only once; pass a pyarrow Table or a file")
        _READ.add(source)
        return _reader(source, wanted)
    if module == "ibis" and hasattr(source, "to_pyarrow_batches"):
        return _ibis(source, label, table, domains)
    raise DataError(f"data for table {table!r} cannot be a {type(source).__name__}; give {_KINDS}")


def _polars(frame: Any, domains: Mapping[str, Domain]) -> pa.Table:
    import pyarrow as pa

    objects = {name for name in domains if str(frame.schema[name]) == "Object"}
    plain = frame.drop(objects).to_arrow()
    columns = [
        Texts(domain).column(frame[name].to_list()) if name in objects else plain.column(name)
        for name, domain in domains.items()
    ]
    return pa.table(columns, names=_numbered(list(domains)))


def _numbered(wanted: Sequence[str]) -> list[str]:
    return [f"s{index}" for index in range(len(wanted))]


def _reader(source: pa.RecordBatchReader, wanted: Sequence[str]) -> pa.RecordBatchReader:
    import pyarrow as pa

    positions = [source.schema.names.index(name) for name in wanted]
    schema = pa.schema([pa.field(f"s{i}", source.schema.field(at).type) for i, at in enumerate(positions)])
    batches = (pa.RecordBatch.from_arrays([batch.column(at) for at in positions], schema=schema) for batch in source)
    return pa.RecordBatchReader.from_batches(schema, batches)


def _ibis(expression: Any, label: str, table: str, domains: Mapping[str, Domain]) -> pa.Table | pa.RecordBatchReader:
    import ibis

    wanted = list(domains)
    check(list(expression.columns), wanted, label, table)
    held = pandas_frame(expression, label)
    if held is not None:
        return _arrow(held, label, table, domains)
    chosen = expression.select(wanted)
    backend = chosen.get_backend()
    if backend.name == "sqlite":
        truth = [bool(chosen.schema()[name].is_boolean()) for name in wanted]
        texts = [Texts(domain) for domain in domains.values()]
        sql = str(ibis.to_sql(chosen, dialect="sqlite"))
        return sqlite_table(backend.con, sql, texts, truth, _numbered(wanted))
    if backend.name != "duckdb":
        return _reader(chosen.to_pyarrow_batches(chunk_size=_BATCH), wanted)
    # Ibis 12 calls what DuckDB 2 has renamed, and a cursor of our own leaves the caller's connection free
    try:
        rows = backend.con.cursor().sql(str(ibis.to_sql(chosen, dialect="duckdb")))
    except Exception:
        # an Ibis memtable is known to its own connection only; it is in memory already
        return chosen.to_pyarrow().rename_columns(_numbered(wanted))
    stream = getattr(rows, "to_arrow_reader", None) or rows.fetch_record_batch
    return _reader(stream(_BATCH), wanted)


def _attached(con: Any, url: str, label: str, table: str, wanted: Sequence[str]) -> tuple[str, Sequence[str]]:
    """A table of a DuckDB file, read in place; ``#schema.table`` or ``#table`` names it."""
    address, _, fragment = url.partition("#")
    name = fragment or table
    path = embedded(address)
    try:
        con.execute(f"ATTACH {quoted(str(path))} AS {_ATTACHED} (READ_ONLY)")
    except Exception:
        raise DataError(f"{label} cannot be opened; is it a DuckDB file that nobody is writing to?") from None
    found = con.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = ? ORDER BY ALL",
        [_ATTACHED],
    ).fetchall()
    known = {f"{schema}.{each}": (schema, each) for schema, each in found} | {
        each: (schema, each) for schema, each in found if schema == "main"
    }
    if name not in known:
        raise no_table(label, name, [key for key in known if not key.startswith("main.")])
    relation = f"{_ATTACHED}.{_name(known[name][0])}.{_name(known[name][1])}"
    names = [str(row[0]) for row in con.execute(f"DESCRIBE {relation}").fetchall()]
    check(names, wanted, label, table)
    return relation, names


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
