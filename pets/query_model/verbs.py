"""Verbs of other table libraries that a query does not have, and what there is instead."""

from __future__ import annotations

from typing import NoReturn

from pets.errors import NoSuchNameError, did_you_mean
from pets.query_model.traits import SPELLINGS

VERBS = ("where", "with_columns", "group_by", "agg", "bound", "explain", "sql", "to_json")

_AGG = "measures go into agg, each with a name, such as .agg(n=pets.count(), days=pets.sum('days'))"
_WHERE = "keep rows with where, such as .where(col('age') >= 18)"
_GROUP = "group with group_by, such as .group_by('age', 'sex')"
_JOIN = (
    "a query reads one table; columns of each person come in by person_table in the schema, and codes are mapped by a "
    "lookup category"
)
_SORT = "groups come in the order of their public keys; sort the answer: session.release(query, …).table.sort_values(…)"
_NEW = (
    "compute columns with .with_columns(days=col('left') - col('came')), cut keys in group_by, such as "
    "col('age').bins([0, 18, 65, 120]) or col('admitted').period('month'), and clip in a measure: "
    "pets.sum('cost', clip=(0, 1000))"
)
_RUN = "a query holds no rows; session.release(query, pets.DP(epsilon=0.5)) answers it, and .table is a data frame"
_TOP = (
    "which groups have most people is chosen by session.top_keys(query, 10, pets.DP(epsilon=0.5)), for a small price; "
    "of an answer it is free: take the greatest of release.table"
)
_CUT = "which groups there are is public and decided before; filter the answer's own table, or list keys in a KeySet"

INSTEAD = (
    dict.fromkeys(("groupby", "groupBy", "by", "group"), _GROUP)
    | dict.fromkeys(("filter", "query", "loc", "iloc", "and_where"), _WHERE)
    | dict.fromkeys(("join", "merge", "left_join", "inner_join", "concat", "union"), _JOIN)
    | dict.fromkeys(("sort", "sort_values", "order_by", "orderBy", "sort_index"), _SORT)
    | dict.fromkeys(("with_column", "withColumn", "assign", "mutate", "select", "apply", "map", "eval", "cut"), _NEW)
    | dict.fromkeys(("aggregate", "summarise", "summarize", *SPELLINGS), _AGG)
    | dict.fromkeys(("var", "std", "min", "max", "value_counts", "describe", "size"), _AGG)
    | dict.fromkeys(("collect", "execute", "compute", "to_pandas", "to_polars", "run", "release", "show", "plot"), _RUN)
    | dict.fromkeys(("having", "head", "tail", "limit", "distinct", "unique", "drop_duplicates"), _CUT)
    | dict.fromkeys(("top", "nlargest"), _TOP)
)


def no_such_verb(name: str) -> NoReturn:
    """Raises :class:`NoSuchNameError`, saying what there is instead."""
    if name.startswith("_"):
        raise AttributeError(name)  # what Python and notebooks look for themselves
    instead = f": {INSTEAD[name]}" if name in INSTEAD else did_you_mean(name, VERBS)
    raise NoSuchNameError(f"a query has no .{name}{instead}")
