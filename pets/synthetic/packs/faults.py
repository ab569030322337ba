"""Faults that are planted into invented tables for training, and the answer key that says where.

A step of its own, after the rows are made and only where it is asked for: it changes written values as real faults
do. No row bears two faults, so every line of the key stands for itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import UserError, did_you_mean, shown
from pets.synthetic.dummy_data.fill import stream
from pets.synthetic.packs.check import Tables
from pets.synthetic.packs.checkdigits import reserved_numbers
from pets.synthetic.packs.declared import Fault, Pack

MIN_VALUES = 3
"""Of every fault at least so many are planted, where so many rows may bear it."""

WRITTEN = ("set", "number", "day")
"""Kinds that write a value of their own, also where there was none."""

DIFFICULTY = {
    "easy": ("dot", "cut", "number", "day"),
    "middle": ("repeat", "swap", "set"),
    "hard": ("later", "orphan", "digit"),
}
"""One column shows an easy fault; other columns or rows of the table one of the middle; a hard one wants another table,
or a check digit."""

Rows = npt.NDArray[np.int64]
Planted = tuple[Any, list[dict[str, Any]]]


def chosen(pack: Pack, wanted: object) -> tuple[Fault, ...]:
    """The faults that are meant: all (``True``), some by name or difficulty, or by name with their shares.

    Raises :class:`UserError` for a name that the pack has not, and for a share that is none.

    >>> from pets.synthetic.packs.pack import load_pack
    >>> [fault.name for fault in chosen(load_pack("dental"), "middle")]
    ['treated-twice', 'pain-of-nought']
    """
    if isinstance(wanted, bool):
        return pack.faults if wanted else ()
    known = {fault.name: fault for fault in pack.faults}
    names = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(names, (Mapping, list, tuple)) or not names:
        raise UserError(
            "faults is True, names or difficulties such as ['easy', 'hard'], or names with shares such as "
            f"{{'duplicated-episodes': 0.01}}, not {shown(wanted)}"
        )
    out: dict[str, Fault] = {}
    for name in names:
        if isinstance(name, str) and name in DIFFICULTY:
            found = [fault for fault in pack.faults if fault.kind in DIFFICULTY[name]]
        elif isinstance(name, str) and name in known:
            found = [known[name]]
        else:
            found = []
        if not found:
            raise UserError(f"the pack {pack.name} has no fault {shown(name)}{did_you_mean(name, known)}")
        share = names[name] if isinstance(names, Mapping) else None
        if share is not None and (isinstance(share, (bool, str)) or not _is_share(share)):
            raise UserError(f"the share of {name!r} is above 0 and at most 1, such as 0.01, not {shown(share)}")
        out |= {one.name: one if share is None else replace(one, share=float(share)) for one in found}
    return tuple(fault for name in known if (fault := out.get(name)) is not None)


def _is_share(given: Any) -> bool:
    try:
        return 0 < float(given) <= 1
    except (TypeError, ValueError, OverflowError):
        return False


def plant(
    pack: Pack, tables: Mapping[str, Any], seed: int, faults: Iterable[Fault] | None = None
) -> tuple[dict[str, Any], Any]:
    """The tables with faults planted (left out: all), and the key to them: one line a changed value or added row.

    Where a copy of a row lies is drawn, anywhere below it: nobody finds all copies at the end of a table.
    """
    import pyarrow as pa

    out, answers = dict(tables), list[dict[str, Any]]()
    whole = Tables(pack, tables)
    used = {name: np.zeros(table.num_rows, dtype=bool) for name, table in tables.items()}
    sources: dict[str, list[int]] = {}
    # copies are added last and below the others: until then the numbers of rows stay what they were
    for fault in sorted(pack.faults if faults is None else faults, key=lambda fault: fault.kind == "repeat"):
        random = stream(seed, pack.name, "fault", fault.name)
        free = whole.matching(fault.table, fault.where) & ~used[fault.table][: tables[fault.table].num_rows]
        for column in fault.columns if fault.kind not in WRITTEN else ():  # what has no value bears no such fault
            free &= ~np.asarray(tables[fault.table].column(column).is_null())
        if fault.kind == "later":
            free &= whole.scope(fault.table).died
        able = np.flatnonzero(free)
        wanted = min(len(able), max(MIN_VALUES, round(fault.share * len(able))))
        rows = np.sort(random.choice(able, size=wanted, replace=False))
        used[fault.table][rows] = True
        done, told = KINDS[fault.kind](out, fault, rows, random, pack)
        out[fault.table] = done
        answers += told
        if fault.kind == "repeat":
            sources.setdefault(fault.table, []).extend(rows)
    for name, several in sources.items():
        lines = [line for line in answers if line["table"] == name]
        out[name] = _among(out[name], np.array(several), stream(seed, pack.name, "copies", name), lines)
    answers.sort(key=lambda line: (line["table"], line["row"], line["column"]))
    names = ("fault", "table", "row", "column", "was", "now", "check", "lesson")
    return out, pa.table({name: pa.array([line[name] for line in answers]) for name in names})


def _line(fault: Fault, row: int, column: str, was: Any, now: Any) -> dict[str, Any]:
    texts = ["" if value is None else str(value) for value in (was, now)]
    return {
        "fault": fault.name,
        "table": fault.table,
        "row": int(row) + 1,
        "column": column,
        "was": texts[0],
        "now": texts[1],
        "check": fault.breaks,
        "lesson": fault.lesson,
    }


def _replaced(table: Any, column: str, rows: Rows, values: list[Any]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = table.column(column).combine_chunks()
    mask = np.zeros(table.num_rows, dtype=bool)
    mask[rows] = True
    made = pc.replace_with_mask(whole, pa.array(mask), pa.array(values, whole.type))
    return table.set_column(table.column_names.index(column), column, made)


def _each(change: Callable[[Any, Fault, np.random.Generator, Pack], Any]) -> Any:
    """A fault that changes one value of each row."""

    def planted(
        tables: Mapping[str, Any], fault: Fault, rows: Rows, random: np.random.Generator, pack: Pack
    ) -> Planted:
        table, (column,) = tables[fault.table], fault.columns
        before = table.column(column).take(rows).to_pylist()
        after = [change(value, fault, random, pack) for value in before]
        told = [_line(fault, row, column, was, now) for row, was, now in zip(rows, before, after, strict=True)]
        return _replaced(table, column, rows, after), told

    return planted


def _swap(tables: Mapping[str, Any], fault: Fault, rows: Rows, random: np.random.Generator, pack: Pack) -> Planted:
    table = tables[fault.table]
    first, second = (table.column(name).take(rows).to_pylist() for name in fault.columns)
    told = []
    for name, before, after in ((fault.columns[0], first, second), (fault.columns[1], second, first)):
        table = _replaced(table, name, rows, after)
        told += [_line(fault, row, name, was, now) for row, was, now in zip(rows, before, after, strict=True)]
    return table, told


def _repeat(tables: Mapping[str, Any], fault: Fault, rows: Rows, random: np.random.Generator, pack: Pack) -> Planted:
    import pyarrow as pa

    table = tables[fault.table]
    told = [_line(fault, table.num_rows + i, "(whole row)", "", "") for i in range(len(rows))]  # (of which: _among)
    return pa.concat_tables([table, table.take(rows)]), told


def _among(table: Any, sources: Rows, random: np.random.Generator, lines: Iterable[dict[str, Any]]) -> Any:
    """A table whose last rows, copies of ``sources``, have each moved to a place below the row that they repeat.

    ``lines`` are those of the key about this table: they move, too.
    """
    first = table.num_rows - len(sources)
    below = random.integers(sources, first)  # the row behind which a copy stands
    order = np.lexsort((np.arange(table.num_rows), np.concatenate([np.arange(first), below])))
    place = np.argsort(order)
    for line in lines:
        row = line["row"] - 1
        line["row"] = int(place[row]) + 1
        if row >= first:
            line["now"] = f"a copy of row {place[sources[row - first]] + 1}"
    return table.take(order)


def _later(tables: Mapping[str, Any], fault: Fault, rows: Rows, random: np.random.Generator, pack: Pack) -> Planted:
    """A date after the person's death."""
    table, (column,), root = tables[fault.table], fault.columns, tables[pack.root]
    deaths = dict(
        zip(root.column(pack.person_of(pack.root)).to_pylist(), root.column("date_of_death").to_pylist(), strict=True)
    )
    people = table.column(pack.person_of(fault.table)).take(rows).to_pylist()
    before = table.column(column).take(rows).to_pylist()
    last = pack.window[1]
    after = [
        min(deaths[who] + dt.timedelta(days=int(random.integers(1, 60))), max(last, deaths[who] + dt.timedelta(days=1)))
        for who in people
    ]
    told = [_line(fault, row, column, was, now) for row, was, now in zip(rows, before, after, strict=True)]
    return _replaced(table, column, rows, after), told


def _orphan(tables: Mapping[str, Any], fault: Fault, rows: Rows, random: np.random.Generator, pack: Pack) -> Planted:
    """The number of nobody: valid in form, and no invented person's."""
    known = tables[pack.root].column(pack.person_of(pack.root)).to_numpy(zero_copy_only=False).astype(np.int64)
    every = reserved_numbers() if pack.link == "nhs_number" else np.arange(9 * 10**15, 9 * 10**15 + len(rows))
    free = np.setdiff1d(every, known)
    if not len(free):  # everybody has a number: there are no orphans
        return tables[fault.table], []
    table, (column,) = tables[fault.table], fault.columns
    before = table.column(column).take(rows).to_pylist()
    after = [str(number) for number in random.choice(free, size=len(rows))]
    told = [_line(fault, row, column, was, now) for row, was, now in zip(rows, before, after, strict=True)]
    return _replaced(table, column, rows, after), told


def _digit(value: str, fault: Fault, random: np.random.Generator, pack: Pack) -> str:
    """Another last digit: a check digit catches every such slip."""
    return value[:-1] + str((int(value[-1]) + int(random.integers(1, 10))) % 10)


KINDS: dict[str, Callable[..., Planted]] = {
    "repeat": _repeat,
    "swap": _swap,
    "later": _later,
    "orphan": _orphan,
    "digit": _each(_digit),
    "dot": _each(lambda value, *_: f"{value[:3]}.{value[3:]}"),
    "cut": _each(lambda value, *_: value[:-1]),
    "set": _each(lambda _, fault, *__: fault.value),
    "number": _each(lambda _, fault, *__: int(fault.value)),
    "day": _each(lambda _, fault, *__: dt.date.fromisoformat(fault.value)),
}
