"""Flags that name a file or hold a SELECT, read as group keys and as a query."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pets.query_model.group_keys import KeySet
    from pets.query_model.query import Query
    from pets.schema.schema import Schema


def keys(text: str) -> KeySet | None:
    """The released keys in a file, or those of a key set that was written; ``None`` where the text names no file."""
    from pets.query_model.group_keys import KeySet

    return KeySet.load(text).plain() if text.endswith(".json") else None


def of_sql(text: str, schema: Schema) -> Query:
    """The query that a SELECT asks; what its reader remarks is a note."""
    from pets.query_model.sql.reading import read

    asked, remarks = read(text, schema)
    for remark in remarks:
        print(f"note: {remark}", file=sys.stderr)
    return asked
