"""A digest of a table's rows in their order: the same from CSV, Parquet and DuckDB files of one seed.

The bytes of a DuckDB file differ from run to run, whatever is written into it; its rows do not.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np


def rows_digest(table: Any) -> str:
    """SHA-256 of an Arrow table's columns in their order: names, which values are missing, and the values.

    Days, whole numbers, yes or no, and numbers in steps count by their value and texts by their UTF-8, however they
    are stored: as large strings, in chunks, or by a dictionary.

    >>> import pyarrow as pa
    >>> one = pa.table({"a": pa.array(["x", None, "y"])})
    >>> rows_digest(one) == rows_digest(pa.concat_tables([one.slice(0, 1), one.slice(1)]))
    True
    >>> rows_digest(one) == rows_digest(one.take([1, 0, 2]))
    False
    """
    told = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        told.update(f"{name}\0{table.num_rows}\0".encode())
        for part in _bytes(column):
            told.update(part)
    return told.hexdigest()


def _bytes(column: Any) -> list[Any]:
    """A column as bytes that say its values and nothing of how Arrow holds them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_null(kind):  # nothing is there, whatever might have been
        return [np.packbits(np.ones(len(column), dtype=bool))]
    empty = np.asarray(pc.is_null(column).combine_chunks()) if column.null_count else np.zeros(len(column), dtype=bool)
    out: list[Any] = [np.packbits(empty)]
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        for chunk in column.cast(pa.large_string()).chunks:
            whole = pc.fill_null(chunk, "")
            out.append(np.asarray(pc.binary_length(whole)).astype(np.int32))
            ends = np.frombuffer(whole.buffers()[1], dtype=np.int64)[whole.offset : whole.offset + len(whole) + 1]
            data = whole.buffers()[2]
            out.append(b"" if data is None or not len(ends) else memoryview(data)[ends[0] : ends[-1]])
        return _joined(out)
    if pa.types.is_date(kind):
        column, kind = column.cast(pa.date32()).cast(pa.int32()), pa.int32()
    if pa.types.is_boolean(kind):
        column, kind = column.cast(pa.int8()), pa.int8()
    wanted = np.float64 if pa.types.is_floating(kind) else np.int64
    blank = pa.scalar(0, kind)
    return out + [np.asarray(pc.fill_null(chunk, blank)).astype(wanted, copy=False) for chunk in column.chunks]


def _joined(parts: list[Any]) -> list[Any]:
    """The lengths of all texts, then the texts: wherever chunks begin."""
    first, lengths, texts = parts[0], parts[1::2], parts[2::2]
    return [first, *lengths, *texts]
