"""What a table is made of: columns as lists or arrays, looked at by position, checked and packed chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pets.errors import UserError, did_you_mean, shown
from pets.he.numbers import residues, whole_numbers
from pets.he.tables.tablefile import Column, Layout
from pets.he.tenseal_engine import U64

_FLAGS = (bool, np.bool_)


def positional(values: Any, what: str) -> Any:
    """A list as it is, or a plain array of the same numbers without copying them, memory-mapped ones too.

    Pandas and others slice by label, so what has ``to_numpy`` is asked for its array first.

    Raises:
        UserError: for masked arrays (what is masked is no number), bytes, sets, mappings and the like.
    """
    if isinstance(values, (list, tuple)):
        return values
    if not isinstance(values, np.ndarray) and not isinstance(values, type) and hasattr(values, "to_numpy"):
        try:
            values = values.to_numpy()
        except Exception:  # whatever another library says, the message must be about the mistake
            raise UserError(f"{what} cannot be read as an array; leave out missing values and convert it") from None
    if np.ma.isMaskedArray(values):
        raise UserError(f"{what} must not be a masked array; fill it, or leave out the masked rows, and give its data")
    if not isinstance(values, np.ndarray):
        raise UserError(f"{what} must be a list or an array of whole numbers or flags, not {type(values).__name__}")
    return np.asarray(values)


def described(columns: Any, bounds: Any, squares: Any, masks: Any, reach: int) -> tuple[tuple[Column, ...], list[Any]]:
    """The columns of a new table, and for each what is encrypted, of equal length."""
    if not isinstance(columns, Mapping) or not columns or not all(isinstance(name, str) for name in columns):
        raise UserError("columns must be a mapping such as {'cost': array}, and hold at least one")
    if not isinstance(bounds, Mapping) or set(bounds) != set(columns):
        raise UserError("bounds must name each column's greatest absolute value: {'cost': 100_000}")
    if not isinstance(squares, (list, tuple)) or not all(isinstance(name, str) for name in squares):
        raise UserError(f"squares must be a list of names of columns, not {shown(squares)}")
    if not isinstance(masks, Mapping) or not all(isinstance(name, str) for name in masks):
        raise UserError("masks must be a mapping such as {'female': array of True and False}")
    listed, arrays = [], []
    for name, values in columns.items():
        most = bounds[name]
        if isinstance(most, bool) or not isinstance(most, int) or not 0 < most <= reach:
            raise UserError(f"the bound of {name!r} must be a whole number from 1 to {reach:,}, not {shown(most)}")
        listed.append(Column(name, "value", most))
        arrays.append(positional(values, f"column {name!r}"))
    for name in dict.fromkeys(squares):
        if name not in columns:
            raise UserError(f"squares name {shown(name)}, which is not a column{did_you_mean(name, columns)}")
        if bounds[name] ** 2 > reach:
            raise UserError(f"squares of {name!r} could pass the table's parameter set; give it a tighter bound")
        listed.append(Column(name, "square", bounds[name] ** 2))
        arrays.append(arrays[list(columns).index(name)])
    for name, values in masks.items():
        listed.append(Column(name, "mask", 1))
        arrays.append(positional(values, f"mask {name!r}"))
    lengths = [0 if isinstance(array, np.ndarray) and array.ndim == 0 else len(array) for array in arrays]
    if not all(lengths):
        raise UserError("columns and masks must be arrays of at least one row")
    if len(set(lengths)) > 1:
        raise UserError("columns and masks must have equally many rows")
    return tuple(listed), arrays


def packed(column: Column, values: Any, start: int, layout: Layout) -> U64:
    """The coefficients of one chunk of a column, from this row on; raises :class:`UserError` for wrong values."""
    t, what = layout.preset.plain[0], f"{'mask' if column.kind == 'mask' else 'column'} {column.name!r}"
    run = values[start : start + layout.preset.degree]
    if len(run) != min(layout.preset.degree, layout.rows - start):
        raise UserError(f"{what} changed its length while it was encrypted; give a copy of it")
    if column.kind == "mask":
        flags = np.asarray(run) if isinstance(run, np.ndarray) or all(isinstance(v, _FLAGS) for v in run) else None
        if flags is None or flags.dtype != bool or flags.ndim != 1:
            raise UserError(f"{what} must be an array of True and False")
        return backwards(flags.astype(np.int64), layout.preset.degree, t)
    most = math.isqrt(column.most) if column.kind == "square" else column.most
    numbers = whole_numbers(run, most, what)
    return residues(numbers * numbers if column.kind == "square" else numbers, t)


def backwards(weights: Any, degree: int, plain: int) -> U64:
    """w_0 − Σ w_i·X^(N−i), as coefficients modulo t.

    >>> backwards(np.array([5, 1, 2]), 4, 17)
    array([ 5,  0, 15, 16], dtype=uint64)
    """
    out = np.zeros(degree, dtype=np.uint64)
    out[0] = weights[0] % plain
    out[degree - len(weights) + 1 :] = residues(-weights[:0:-1], plain)
    return out
