"""Given: drawing some columns of a model where others are known, exactly as the model has it.

A model is a junction tree whose nodes are marginals, so that P = Π P(new columns of a node | columns that it shares).
What is known is put into each node's table; from the leaves to the root each node then tells its parent how likely what
is known below it is (collect), and from the root to the leaves the free columns are drawn (distribute), one row of the
sample apart from every other. No step looks at anything but the model.

Source: Koller and Friedman, *Probabilistic Graphical Models* (2009), sections 10.2 (messages) and 12.1 (sampling).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pets.synthetic.dp_model.marginals import Ints, Model
from pets.synthetic.dp_model.workload import Clique, Floats

Allowed = Mapping[int, npt.NDArray[np.bool_]]
"""Which slots of a column may be drawn: ``(slots,)`` for all rows alike, or ``(rows, slots)``."""

_ENTRIES = 4_000_000
"""Numbers that one node may take at once: rows are drawn in blocks of so many."""

_LEAST = 1e-30
"""Weight of a slot that may be drawn though the model gives what is known no weight at all."""


@dataclass(frozen=True)
class _Node:
    """One node of the tree for one set of known columns.

    Attributes:
        table: P(new | shared), axes: known columns in one, then ``shared`` free ones, then ``new`` free ones.
        known: the known columns and their sizes, in the order of the first axis.
        shared, new: free columns.
        parent: the node that shares ``shared`` with it (-1: none).
    """

    table: Floats
    known: tuple[tuple[int, int], ...]
    shared: Clique
    new: Clique
    parent: int


def draw_given(
    model: Model, given: Mapping[int, Ints], wanted: Clique, allowed: Allowed, random: np.random.Generator
) -> Ints:
    """The wanted columns of rows whose other columns are known: ``(rows, wanted)``.

    Args:
        model: the distribution.
        given: what is known: a slot for each row, by column. Columns neither known nor wanted may be anything.
        wanted: columns to draw, jointly.
        allowed: which slots may be drawn; the model is conditioned on it.
        random: the source of chance.
    """
    nodes = _nodes(model, frozenset(given), wanted)
    rows = len(next(iter(given.values())))
    widest = max((node.table[0].size for node in nodes), default=1)
    block = max(1, _ENTRIES // max(widest, 1))
    out = np.empty((rows, len(wanted)), dtype=np.int64)
    for start in range(0, rows, block):
        part = slice(start, min(rows, start + block))
        known = {place: slots[part] for place, slots in given.items()}
        held = {place: mask if mask.ndim == 1 else mask[part] for place, mask in allowed.items()}
        drawn = _block(nodes, model.sizes, known, held, part.stop - part.start, random)
        for at, place in enumerate(wanted):
            out[part, at] = drawn[place]
    return out


def _nodes(model: Model, known: frozenset[int], wanted: Clique) -> list[_Node]:
    """The nodes that matter: those with something known or wanted below them."""
    done: set[int] = set()
    made: list[_Node] = []
    free_of: list[set[int]] = []
    for held, values in model.nodes:
        shared = [place for place in held if place in done]
        new = [place for place in held if place not in done]
        axes = [held.index(place) for place in (*shared, *new)]
        table = np.transpose(values, axes)
        over = tuple(range(len(shared), len(held)))
        given = table.sum(axis=over, keepdims=True)
        table = np.divide(table, given, out=np.zeros_like(table), where=given > 0)
        order = (*shared, *new)
        first = [at for at, place in enumerate(order) if place in known]
        free = [place for place in shared if place not in known]
        fresh = [place for place in new if place not in known]
        table = np.transpose(table, [*first, *(order.index(place) for place in (*free, *fresh))])
        sizes = tuple((order[at], model.sizes[order[at]]) for at in first)
        table = table.reshape(-1, *table.shape[len(first) :])
        parent = next((at for at, other in enumerate(free_of) if set(free) <= other), -1) if free else -1
        made.append(_Node(np.ascontiguousarray(table), sizes, tuple(free), tuple(fresh), parent))
        free_of.append({*free, *fresh})
        done |= set(held)
    return _pruned(made, known, wanted, [set(held) for held, _ in model.nodes])


def _pruned(nodes: list[_Node], known: frozenset[int], wanted: Clique, held: list[set[int]]) -> list[_Node]:
    """Without nodes below which nothing is known or wanted: they tell their parent nothing."""
    done: set[int] = set()
    needed = []
    for columns in held:
        fresh = columns - done
        needed.append(bool(fresh & (known | set(wanted))))
        done |= columns
    for at in reversed(range(len(nodes))):
        if needed[at] and nodes[at].parent >= 0:
            needed[nodes[at].parent] = True
    place = {at: index for index, at in enumerate(at for at, need in enumerate(needed) if need)}
    return [
        _Node(node.table, node.known, node.shared, node.new, place.get(node.parent, -1))
        for at, node in enumerate(nodes)
        if needed[at]
    ]


def _block(
    nodes: list[_Node],
    sizes: tuple[int, ...],
    known: Mapping[int, Ints],
    allowed: Allowed,
    rows: int,
    random: np.random.Generator,
) -> dict[int, Ints]:
    tables = [_table(node, known, allowed, rows) for node in nodes]
    for at in reversed(range(len(nodes))):
        node = nodes[at]
        if node.parent < 0:
            continue
        over = tuple(range(1 + len(node.shared), tables[at].ndim))
        told = tables[at].sum(axis=over) if over else tables[at]
        told /= np.maximum(told.max(axis=tuple(range(1, told.ndim)), keepdims=True), _LEAST)
        above = nodes[node.parent]
        columns = (*above.shared, *above.new)
        spread = np.transpose(told, [0, *(1 + node.shared.index(place) for place in columns if place in node.shared)])
        shape = [rows, *(sizes[place] if place in node.shared else 1 for place in columns)]
        tables[node.parent] = tables[node.parent] * spread.reshape(shape)
    drawn: dict[int, Ints] = {}
    every = np.arange(rows)
    for node, table in zip(nodes, tables, strict=True):
        if not node.new:
            continue
        weights = table[(every, *(drawn[place] for place in node.shared))]
        shape = weights.shape[1:]
        weights = weights.reshape(rows, -1)
        lost = ~(weights.sum(axis=1) > 0)
        if lost.any():  # the model holds what is known for impossible: anything that is allowed may come
            weights[lost] = _masked(np.ones((int(lost.sum()), *shape)), node, allowed, lost).reshape(
                -1, weights.shape[1]
            )
        steps = np.cumsum(weights, axis=1)
        chosen = (random.random(rows) * steps[:, -1])[:, None] >= steps
        slots = np.unravel_index(np.minimum(chosen.sum(axis=1), weights.shape[1] - 1), shape)
        drawn |= {place: found.astype(np.int64) for place, found in zip(node.new, slots, strict=True)}
    return drawn


def _table(node: _Node, known: Mapping[int, Ints], allowed: Allowed, rows: int) -> Floats:
    """A node's table for each row: what is known put in, what is not allowed put out."""
    if node.known:
        at = np.ravel_multi_index([known[place] for place, _ in node.known], [size for _, size in node.known])
    else:
        at = np.zeros(rows, dtype=np.int64)
    return _masked(node.table[at], node, allowed, np.ones(rows, dtype=bool))


def _masked(table: Floats, node: _Node, allowed: Allowed, rows: npt.NDArray[np.bool_]) -> Floats:
    for at, place in enumerate(node.new):
        if place in allowed:
            mask = allowed[place]
            mask = mask[None, :] if mask.ndim == 1 else mask[rows]
            axis = 1 + table.ndim - 1 - len(node.new) + at
            shape = [1] * table.ndim
            shape[0], shape[axis] = mask.shape
            table = table * mask.reshape(shape)
    return table
