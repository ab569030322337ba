"""Invented tables in files: CSV, Parquet, DuckDB or FHIR. Each says that it is synthetic; none is half-written."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pets.common.codec import Json, canonical
from pets.common.files import make_folder, only_owner_writes, replace_file, writing
from pets.errors import UserError, did_you_mean, shown
from pets.schema.numeric import Real
from pets.schema.schema import Schema, Table
from pets.synthetic.dummy_data import fhir
from pets.synthetic.dummy_data.digest import rows_digest
from pets.synthetic.dummy_data.manifest import MARK, MARKER
from pets.synthetic.dummy_data.packed import Tables, plain

MANIFEST, SCHEMA, DICTIONARY = "manifest.json", "schema.json", "data_dictionary.csv"
GROUP = 2**20
"""Rows of a group of a Parquet file."""


@dataclass(frozen=True)
class Bundle:
    """What is written: Arrow tables (packed or plain), what is said about them, and the tables that go beside them."""

    schema: Schema
    tables: Mapping[str, Any]
    manifest: Json
    dictionary: Any = None


def write(dummy: Bundle, folder: str | Path, format: str = "csv") -> list[Path]:
    """See :meth:`pets.synthetic.dummy_data.dataset.Dummy.save`.

    Raises:
        UserError: an unknown format, or a folder that cannot be written.
    """
    target = prepare(folder, format)
    work = Path(tempfile.mkdtemp(prefix=".synthetic-", dir=target))
    try:
        WRITERS[format](dummy, work)
        _beside(dummy, work, _TAGGED if format == "fhir" else f"column {MARKER} = {MARK}")
        return _deliver(work, target)
    except OSError as error:
        raise UserError(f"the folder {str(folder)!r} cannot be written ({error.strerror}); choose another") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def prepare(folder: str | Path, format: str) -> Path:
    """The folder, made and found writable, before the rows are made: that may take minutes."""
    if not isinstance(format, str) or format not in WRITERS:
        raise UserError(f"there is no format {shown(format)}{did_you_mean(format, WRITERS)}")
    try:
        target = Path(folder)
    except TypeError:
        raise UserError(f"invented tables are written into a folder such as 'invented', not {shown(folder)}") from None
    try:
        make_folder(target)
        Path(tempfile.mkdtemp(prefix=".synthetic-", dir=target)).rmdir()
    except OSError as error:
        raise UserError(f"the folder {str(folder)!r} cannot be written ({error.strerror}); choose another") from None
    return target


def _deliver(work: Path, target: Path) -> list[Path]:
    made = sorted(work.iterdir(), key=lambda path: (path.name == MANIFEST, path.name))
    for path in made:  # (in a folder that is its owner's alone)
        with path.open("rb") as file:
            only_owner_writes(file.fileno())
    for path in made:  # the manifest last: where it is, everything is
        path.replace(target / path.name)
    return [target / path.name for path in made]


def check_key(answers: Any, key: str | Path, folder: str | Path) -> None:
    """Refuse a file for the key that is handed out with the folder, and one for no key; before rows are made.

    Raises :class:`UserError`.
    """
    if answers is None:
        raise UserError("no fault was planted, so there is no key; leave key out, or plant faults")
    try:
        file, home = Path(key).resolve(), Path(folder).resolve()
    except (TypeError, ValueError, OSError, RuntimeError):
        raise UserError(f"the key is written into a file such as 'trainer/key.csv', not {shown(key)}") from None
    if file.is_relative_to(home):
        raise UserError(
            f"the key {str(key)!r} would lie in the folder that is handed out; name a file elsewhere, such as "
            "'trainer/key.csv'"
        )


def write_key(answers: Any, key: str | Path) -> Path:
    """The key to planted faults, as CSV that its owner alone reads."""
    with writing("the key", key, "trainer/key.csv"), tempfile.TemporaryDirectory(prefix="pets-key-") as work:
        made, file = Path(work) / "key.csv", Path(key)
        _copy_csv(answers, made)
        make_folder(file.parent)
        replace_file(file, made.read_bytes(), owner_only=True)
    return file


def _beside(dummy: Bundle, work: Path, marker: str) -> None:
    told = dummy.schema.to_file()
    if "/" in str(told.get("dummy", "")):  # a folder of this machine
        told.pop("dummy")
    (work / SCHEMA).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if dummy.dictionary is not None:
        _copy_csv(dummy.dictionary, work / DICTIONARY)
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(work.iterdir())}
    rows = {name: rows_digest(table) for name, table in dummy.tables.items()}
    told = dummy.manifest | {"marker": marker, "rows_sha256": rows, "sha256": files}
    (work / MANIFEST).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")


def file_name(table: str) -> str:
    """A table's name as a file's."""
    return quote(table, safe=" ")


def marked(table: Any) -> Any:
    """The table with its last column, the marker."""
    import pyarrow as pa

    mark = pa.array([MARK]).dictionary_encode()
    codes = pa.array([0], pa.int32()).take(pa.nulls(table.num_rows, pa.int32()).fill_null(0))
    column = pa.DictionaryArray.from_arrays(codes, mark.dictionary).cast(pa.string())
    return table.append_column(MARKER, column)


def _csv(dummy: Bundle, work: Path) -> None:
    for name, table in dummy.tables.items():
        path = work / f"{file_name(name)}.csv"
        told = dummy.schema.tables[name]
        _copy_csv(marked(_written(table, told)), path)
        if told.encoding != "utf-8":
            try:
                path.write_bytes(path.read_bytes().decode().encode(told.encoding))
            except UnicodeEncodeError:
                raise UserError(
                    f"table {name!r} has texts that its encoding {told.encoding} does not; mend the schema, or save "
                    "as parquet"
                ) from None


def _written(table: Any, told: Table) -> Any:
    """Numbers with the decimal mark that the schema says of the file, so that the file is read as the real one is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, domain in told.columns.items():
        if isinstance(domain, Real) and domain.reading.decimal != "." and name in table.column_names:
            texts = pc.replace_substring(table[name].cast(pa.string()), ".", domain.reading.decimal)
            table = table.set_column(table.column_names.index(name), name, texts)
    return table


def _copy_csv(table: Any, path: Path) -> None:
    """DuckDB writes CSV many times faster than pandas, in the order of the rows, quoting only where it must."""
    import duckdb

    with duckdb.connect() as con:
        con.register("invented", table)
        con.execute(f"COPY (SELECT * FROM invented) TO '{_sql(path)}' (FORMAT csv, HEADER)")


def _sql(path: Path) -> str:
    return str(path).replace("'", "''")


def _parquet(dummy: Bundle, work: Path) -> None:
    import pyarrow.parquet as pq

    told = {MARKER.encode(): canonical(dummy.manifest)}
    for name, table in dummy.tables.items():
        whole = marked(table)
        kind = plain(whole.slice(0, 0)).schema.with_metadata(told)
        with pq.ParquetWriter(work / f"{file_name(name)}.parquet", kind) as file:
            # a group of rows at a time: plain, a whole table may not fit in memory
            for start in range(0, max(whole.num_rows, 1), GROUP):
                file.write_table(plain(whole.slice(start, GROUP)).replace_schema_metadata(told), row_group_size=GROUP)


def _duckdb(dummy: Bundle, work: Path) -> None:
    import duckdb
    import pyarrow as pa

    with duckdb.connect(str(work / f"{file_name(dummy.schema.dataset)}.duckdb")) as con:
        extra = {MARKER: pa.table({"manifest": [canonical(dummy.manifest).decode()]})}
        extra |= {} if dummy.dictionary is None else {"data_dictionary": dummy.dictionary}
        for name, table in [*((n, marked(t)) for n, t in dummy.tables.items()), *extra.items()]:
            con.register("invented", table)
            label = name.replace('"', '""')
            con.execute(f'CREATE TABLE "{label}" AS SELECT * FROM invented')
            con.execute(f"COMMENT ON TABLE \"{label}\" IS '{MARKER}: invented rows, no real person'")
            con.unregister("invented")


def _fhir(dummy: Bundle, work: Path) -> None:
    for kind, lines in fhir.lines(Tables(dummy.tables)):
        with (work / f"{kind}.ndjson").open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)


_TAGGED = "tag HTEST (test health data) of every resource"
WRITERS: dict[str, Callable[[Bundle, Path], None]] = {
    "csv": _csv,
    "parquet": _parquet,
    "duckdb": _duckdb,
    "fhir": _fhir,
}
