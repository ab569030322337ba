"""Kinds: the one type that a stored column has, whichever engine wrote it (Spark has no unsigned integers)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pets.rows.coding.cell import code_kind, code_type, narrow, whole_kind
from pets.rows.ranking import physical, stored_ranks
from pets.schema.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa


def kinds_of(schema: Schema, table: str) -> dict[str, str]:
    """The DuckDB type of each column of a snapshot but people's codes, which are compared for equality alone."""
    place = narrow(schema.table(table).unit.max_rows)
    codes = {name: code_type(schema.fields(table)[column]) for column, name in physical(schema, table).items()}
    return {"rank": place} | codes | dict.fromkeys(stored_ranks(schema, table).values(), place)


def signed(schema: Schema, table: str) -> dict[str, str]:
    """The same columns' types, and that of people's codes, in the parts that Spark's workers write.

    Spark reads all parts of a snapshot by the types of one of them, so parts that are added have these, too.
    """
    place = whole_kind(schema.table(table).unit.max_rows)
    codes = {name: code_kind(schema.fields(table)[column]) for column, name in physical(schema, table).items()}
    return {"rank": place, "person": "BIGINT"} | codes | dict.fromkeys(stored_ranks(schema, table).values(), place)


def arrow_schema(found: pa.Schema, kinds: Mapping[str, str]) -> pa.Schema:
    """The schema of a part, with the types that its columns have whichever engine wrote it."""
    import pyarrow as pa

    same = {"UTINYINT": pa.uint8(), "USMALLINT": pa.uint16(), "UINTEGER": pa.uint32(), "UBIGINT": pa.uint64()}
    same["VARCHAR"] = pa.string()
    return pa.schema([(name, same[kinds[name]] if name in kinds else found.field(name).type) for name in found.names])
