"""Packed: invented tables with each text once, so that a million people fit in the memory of a laptop.

Nine tenths of what invented tables take are texts of few values (a sex, a ward, a code). Packed, such a column holds a
short number a row and each of its texts once a block of people (Arrow's dictionary arrays). Whoever asks for a table
gets it plain: packing shows nowhere but in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST = 30_000
"""Different texts that short numbers name."""

FEW = 4
"""Packing pays where a text comes so often, on average."""


class Tables(Mapping[str, Any]):
    """Arrow tables by name, held packed and given plain.

    Args:
        packed: the tables as they are held; plain ones are given as they are.
    """

    def __init__(self, packed: Mapping[str, Any]) -> None:
        self.packed: dict[str, Any] = dict(as_held(packed))

    def __getitem__(self, name: str) -> Any:
        return plain(self.packed[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.packed)

    def __len__(self) -> int:
        return len(self.packed)

    def __contains__(self, name: object) -> bool:
        return name in self.packed


def as_held(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tables as they lie in memory: whoever reads a column at a time makes only that one plain."""
    return tables.packed if isinstance(tables, Tables) else tables


def packed(table: Any) -> Any:
    """A table with its texts of few values packed."""
    import pyarrow as pa

    columns = [_packed(column) if pa.types.is_string(column.type) else column for column in table.columns]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


def plain(table: Any) -> Any:
    """A table without packed columns."""
    import pyarrow as pa

    held = table.schema
    if not any(pa.types.is_dictionary(field.type) for field in held):
        return table
    return table.cast(pa.schema([pa.field(one.name, _plain(one.type)) for one in held]))


def joined(tables: Sequence[Any]) -> Any:
    """Tables one below the other; a column that is packed in one of them is so in all, where short numbers do."""
    import pyarrow as pa

    out = {}
    for name in tables[0].column_names:
        parts = [table.column(name) for table in tables]
        if len({part.type for part in parts}) > 1:
            parts = [_packed(part, few=0) for part in parts]
            if len({part.type for part in parts}) > 1:
                parts = [part.cast(_plain(part.type)) for part in parts]
        out[name] = pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)
    return pa.table(out)


def _plain(kind: Any) -> Any:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _packed(column: Any, few: int = FEW) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return column
    # (an array of one chunk has one dictionary)
    whole = column.combine_chunks()
    chunk = whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks) if whole.num_chunks else None
    if chunk is None or not len(chunk):
        return column
    made = chunk.dictionary_encode()
    if len(made.dictionary) > MOST or len(made.dictionary) * few > len(chunk):
        return column
    return pa.chunked_array([pa.DictionaryArray.from_arrays(made.indices.cast(pa.int16()), made.dictionary)])
