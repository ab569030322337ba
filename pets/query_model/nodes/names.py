"""Names in a question: what an answer's columns are called, and which columns a part of a question reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pets.common.literals import name as name_of
from pets.errors import QueryError, shown
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.nodes.derived import Derived

MAX_DERIVED = 256
_HISTOGRAM = ("bin", "count", "low", "high")


def few(names: Sequence[str]) -> str:
    """Some names, for a sentence."""
    text = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    return text if len(text) <= 120 else f"{len(names)} names"


def distinct(keys: Sequence[str], aggregates: Sequence[tuple[str, Aggregate]]) -> None:
    """Refuse names that would give an answer two columns of one name.

    Beside an output stand its interval (``n_low``, ``n_high``) and, of people added over groups, what was counted
    (``n_counts``); a histogram's table has the columns ``bin``, ``count``, ``low`` and ``high``.
    """
    taken: dict[str, str] = {}
    for name in (*keys, *(name for name, _ in aggregates)):
        if name in taken:
            raise QueryError(f"the name {name!r} is used twice in the answer; rename one of the two")
        taken[name] = name
    for name, aggregate in aggregates:
        for ending in ("_low", "_high", *(("_counts",) if aggregate.traits.counts == "people" else ())):
            other = taken.setdefault(name + ending, name)
            if other != name:
                raise QueryError(f"the answer to {name!r} has a column {name + ending!r}, as {other!r} has; rename one")
    if any(aggregate.traits.shape == "bins" for _, aggregate in aggregates):
        for key in keys:
            if key in _HISTOGRAM:
                raise QueryError(
                    f"a histogram's table has a column {key!r} of its own; rename the column in data and schema, or "
                    f"name the key, as --by group={key} does"
                )


def derived_columns(pairs: object) -> tuple[tuple[str, Derived], ...]:
    """Named derived columns, each of columns of the table or before it; raises :class:`QueryError` otherwise."""
    if not isinstance(pairs, (list, tuple)) or len(pairs) > MAX_DERIVED:
        raise QueryError(f"a query computes at most {MAX_DERIVED} columns, with with_columns, not {shown(pairs)}")
    out: dict[str, Derived] = {}
    used: set[str] = set()
    for pair in pairs:
        name, node = pair if isinstance(pair, (tuple, list)) and len(pair) == 2 else (None, None)
        if not isinstance(node, Derived) or not node.kind:
            raise QueryError(
                f"with_columns takes what is computed of columns, such as days=col('left') - col('came'), not "
                f"{shown(node)}"
            )
        used.update(node.columns)
        if name_of("a derived column's name", name) in out or name in used:
            raise QueryError(f"the derived column {name!r} has the name of another column; choose a name of its own")
        out[str(name)] = node
    return tuple(out.items())


def columns_of(form: Any) -> list[str]:
    """The columns that a part of a query's JSON names, each once, in order."""
    if isinstance(form, dict):
        own = [form["column"]] if isinstance(form.get("column"), str) else []
        return list(dict.fromkeys(own + [name for part in form.values() for name in columns_of(part)]))
    if isinstance(form, (list, tuple)):
        return list(dict.fromkeys(name for part in form for name in columns_of(part)))
    return []


def rooted(form: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """The table's own columns that columns are made of, in the question whose JSON this is: each once, in order.

    A derived column is made of the columns that it names, and those may be derived.
    """
    made = {name: columns_of(node) for name, node in form.get("with", ())}
    out: dict[str, None] = {}
    left = list(reversed(list(names)))
    while left:
        name = left.pop()
        if name in made:
            left += reversed(made[name])
        else:
            out[name] = None
    return list(out)
