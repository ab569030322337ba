"""One table's invented values, as codes: even over the public domains, bent only by the schema's rules and by wishes.

Every column draws from its own stream of random numbers, named by the table and the column, so that a column added to
a schema leaves the others as they were.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import UserError
from pets.plan.predicate import Range
from pets.schema.dates import Date
from pets.schema.domain import Category, Domain, Identifier
from pets.schema.rules import Columns, Derived, OnlyWhen, Unique, gaps
from pets.schema.schema import Table
from pets.schema.twin.hints import Hint
from pets.synthetic.dummy_data.query_targets import filled, narrowed
from pets.synthetic.dummy_data.shapes import drawn

NULL_SHARE = 0.03

Codes = npt.NDArray[np.int64]
Wished = Sequence[Mapping[str, Range]]


def stream(seed: int, *names: str) -> np.random.Generator:
    """The random numbers of one named thing."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode("utf-8")) for name in names)])


def fill(
    name: str,
    table: Table,
    rows: int,
    seed: int,
    wishes: Wished,
    which: Codes,
    hints: Mapping[str, Hint] = MappingProxyType({}),
) -> dict[str, Codes]:
    """The codes of every column but identifiers and look-ups; ``which`` says which wish a row is made to (-1: none).

    ``hints`` say what values shall look like; a wish goes before them.

    Raises :class:`UserError` where a unique column has fewer values than there are rows.
    """
    columns, rules = table.columns, table.rules
    derived = {rule.column: rule for rule in rules if isinstance(rule, Derived)}
    linked, _ = gaps(columns, rules)
    groups = [(-1, np.flatnonzero(which < 0)), *((i, np.flatnonzero(which == i)) for i in range(len(wishes)))]
    out: dict[str, Codes] = {}
    for column, domain in columns.items():
        if _drawn(domain) and column not in linked and column not in derived:
            random = stream(seed, name, column)
            out[column] = drawn(domain, hints.get(column), rows, random)
            for i, wish in enumerate(wishes):
                if column in wish:
                    place = groups[i + 1][1]
                    if column in hints:  # those that meet it stay as they look
                        met = (out[column][place] >= wish[column][0]) & (out[column][place] <= wish[column][1])
                        place = place[~met]
                    out[column][place] = random.integers(wish[column][0], wish[column][1] + 1, size=len(place))
    if linked:
        out |= {column: np.zeros(rows, dtype=np.int64) for column in linked}
        for i, place in groups:
            wish = narrowed(table, wishes[i]) if i >= 0 else {}
            for column, codes in _chained(
                columns, table, wish, len(place), stream(seed, name, "", str(i)), hints
            ).items():
                out[column][place] = codes
    _distinct(name, table, rows, seed, out)
    _blank(name, table, rows, seed, wishes, groups, out)
    for rule in derived.values():
        out[rule.column] = compute(rule, columns, out)
    return out


def _drawn(domain: Domain) -> bool:
    return not isinstance(domain, Identifier) and not (isinstance(domain, Category) and domain.lookup is not None)


def _chained(
    columns: Columns,
    table: Table,
    wish: Mapping[str, Range],
    rows: int,
    random: np.random.Generator,
    hints: Mapping[str, Hint],
) -> dict[str, Codes]:
    """Columns whose order or distance is ruled: each drawn within what those before it leave."""
    names, tight = gaps(columns, table.rules, wish)
    done: list[Codes] = []
    for index in range(len(names)):
        low, high = (np.full(rows, bound, dtype=np.int64) for bound in tight.bounds(index))
        near = False
        for other, codes in enumerate(done):
            least, most = tight.apart(other, index)
            if np.isfinite(least):
                low, near = np.maximum(low, codes + int(least)), True
            if np.isfinite(most):
                high, near = np.minimum(high, codes + int(most)), True
        shaped = _shaped(names, index, done, columns, table, hints, rows, random)
        if shaped is not None:
            done.append(np.clip(shaped, low, high))
            continue
        share = random.random(rows)
        # what comes after something else mostly comes soon after it: stays of days, not of half the window
        span = (high - low + 1) * (share**4 if near else share)
        done.append(np.minimum(low + span.astype(np.int64), high))
    return dict(zip(names, done, strict=True))


def _shaped(
    names: tuple[str, ...],
    index: int,
    done: list[Codes],
    columns: Columns,
    table: Table,
    hints: Mapping[str, Hint],
    rows: int,
    random: np.random.Generator,
) -> Codes | None:
    """A ruled column's codes by its own shape, or by that of the days since one before it; ``None``: it has neither."""
    name = names[index]
    for rule in table.rules:
        if not isinstance(rule, Derived) or rule.how != "days" or name not in rule.parts:
            continue
        shape = hints.get(rule.column, Hint()).shape
        (other,) = [part for part in rule.parts if part != name]
        if shape is not None and shape[0] != "even" and other in names[:index]:
            target: Any = columns[rule.column]
            apart = target.lo + drawn(target, hints[rule.column], rows, random)
            before = days(columns[other], done[names.index(other)])
            at: Codes = before + (apart if rule.parts[1] == name else -apart)
            return at - int(days(columns[name], np.zeros(1, dtype=np.int64))[0])
    return drawn(columns[name], hints[name], rows, random) if name in hints else None


def _distinct(name: str, table: Table, rows: int, seed: int, out: dict[str, Codes]) -> None:
    for rule in table.rules:
        if not isinstance(rule, Unique) or rule.column not in out:
            continue
        cells = table.columns[rule.column].cells
        if cells < rows:
            raise UserError(
                f"table {name!r}: column {rule.column!r} is unique and has only {cells:,} values, too few for "
                f"{rows:,} rows; ask for at most {cells:,} rows, or widen the column"
            )
        # a walk by a step that shares no factor with the number of values meets each of them once
        random = stream(seed, name, rule.column, "unique")
        step = int(random.integers(max(1, cells // 3), cells + 1))
        while np.gcd(step, cells) != 1:
            step += 1
        start = int(random.integers(0, cells))
        if cells <= 2**31:
            out[rule.column] = (start + step % cells * np.arange(rows, dtype=np.int64)) % cells
        else:  # Python's own numbers: the products do not fit in 64 bits
            out[rule.column] = np.array([(start + step * i) % cells for i in range(rows)], dtype=np.int64)


def _blank(
    name: str,
    table: Table,
    rows: int,
    seed: int,
    wishes: Wished,
    groups: list[tuple[int, npt.NDArray[np.intp]]],
    out: dict[str, Codes],
) -> None:
    """Nulls: in a small share of the rows of what may be empty, as wished, and where a rule allows no value."""
    computed = {rule.column for rule in table.rules if isinstance(rule, Derived)}
    for column, codes in out.items():
        domain = table.columns[column]
        if not domain.nullable or column in computed:
            continue
        empty = stream(seed, name, column, "null").random(rows) < NULL_SHARE
        for i, wish in enumerate(wishes):
            place = groups[i + 1][1]
            if column in filled(table, wish):
                empty[place] = False
            elif column in wish:
                empty[place] = True  # a wish that bounds no value is one for none
        codes[empty] = domain.cells
    for rule in table.rules:
        if isinstance(rule, OnlyWhen) and rule.column in out:
            allowed = np.isin(out[rule.given], rule.codes(table.columns))
            out[rule.column][~allowed] = table.columns[rule.column].cells


def compute(rule: Derived, columns: Columns, codes: Mapping[str, Codes]) -> Codes:
    """The codes of a derived column."""
    target: Any = columns[rule.column]
    missing = np.zeros(len(next(iter(codes.values()))), dtype=bool)
    for part in rule.parts:
        missing |= codes[part] == columns[part].cells
    if rule.how == "sum":
        total = np.zeros(len(missing), dtype=np.int64)
        start = -target.origin
        for part in rule.parts:
            domain: Any = columns[part]
            total += codes[part] * int(domain.spacing / target.spacing)
            start += domain.origin
        value = total + int(start / target.spacing)
    else:
        first, second = (days(columns[part], codes[part]) for part in rule.parts)
        value = (years(first, second) if rule.how == "years" else second - first) - target.lo
    return np.where(missing, target.cells, value)


def days(domain: Domain, codes: Codes) -> Codes:
    """Days since 1970 of a date column's codes."""
    assert isinstance(domain, Date)
    return codes + (domain.lo.toordinal() - 719163)


def years(first: Codes, second: Codes) -> Codes:
    """Completed years from one day to another, both counted from 1970.

    >>> born, seen = np.array([0, 0]), np.array([364, 365])
    >>> years(born, seen).tolist()
    [0, 1]
    """
    parts = []
    for value in (first, second):
        day = value.astype("datetime64[D]")
        month = day.astype("datetime64[M]")
        parts.append((month.astype(np.int64), (day - month).astype(np.int64)))
    (months, rest), (later, left) = parts
    whole: Codes = (later - months - (left < rest)) // 12
    return whole
