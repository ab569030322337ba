"""What happened to a scenario's tables, in the pack's own formulas: rows are changed after they were made.

``set`` writes a value, ``empty`` none, ``scale`` multiplies whole numbers, ``thin`` takes rows out, ``mislink`` gives
rows the numbers of other people. Each is done to a share of the rows that meet a condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.errors import SchemaError, UserError
from pets.synthetic.dummy_data.fill import stream
from pets.synthetic.packs.check import Tables
from pets.synthetic.packs.declared import Pack
from pets.synthetic.packs.formula import Formula

KINDS = ("set", "empty", "scale", "thin", "mislink")
_TAKES = {"set": True, "empty": True, "scale": True, "thin": False, "mislink": False}


@dataclass(frozen=True)
class Change:
    """One thing that happened.

    Attributes:
        name: what it is called.
        kind: one of ``KINDS``.
        table, column: where; ``thin`` and ``mislink`` are of whole rows.
        where: of which rows; ``None``: of all.
        share: of these rows.
        value: what is set, or by what is multiplied.
    """

    name: str
    kind: str
    table: str
    column: str
    where: Formula | None
    share: float
    value: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"a change is of one kind of {', '.join(KINDS)}, not {self.kind!r}")
        if bool(self.column) != _TAKES[self.kind]:
            raise UserError(f"a change of kind {self.kind!r} is of {'a column' if _TAKES[self.kind] else 'whole rows'}")
        if bool(self.value) != (self.kind in ("set", "scale")):
            raise UserError(f"a change of kind {self.kind!r} has {'a value' if not self.value else 'no value'}")


def changed(pack: Pack, tables: Mapping[str, Any], changes: Iterable[Change], seed: int) -> dict[str, Any]:
    """The tables after all changes, in their order; the same seed gives the same rows.

    Raises :class:`UserError` for a table or a column that is not there, and for values that the schema does not allow.
    """
    out = dict(tables)
    for change in changes:
        try:
            if change.table not in out:
                raise UserError(f"there is no table {change.table!r} to change")
            out[change.table] = _one(pack, out, change, seed)
        except (SchemaError, UserError) as error:
            raise UserError(f"the change {change.name!r}: {error}") from None
    return out


def _one(pack: Pack, tables: Mapping[str, Any], change: Change, seed: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = tables[change.table]
    random = stream(seed, "change", change.name)
    meant = Tables(pack, tables).matching(change.table, change.where)
    if meant.dtype != bool:
        raise UserError("its where is no condition; write such as age >= 18")
    mask = meant & (random.random(table.num_rows) < change.share)
    if change.kind == "thin":
        return table.filter(pa.array(~mask))
    column = pack.person_of(change.table) if change.kind == "mislink" else change.column
    if column not in table.column_names:
        raise UserError(f"table {change.table!r} has no column {column!r}")
    whole = table.column(column).combine_chunks()
    rows = np.flatnonzero(mask)
    if change.kind == "mislink":
        new = whole.take(pa.array(random.permutation(rows)))
    elif change.kind == "scale":
        more = pc.multiply(pc.cast(whole.take(pa.array(rows)), "float64"), float(change.value))
        new = pc.cast(pc.round(more), whole.type)
    else:
        value = None if change.kind == "empty" else change.value
        new = pa.array([value] * len(rows), whole.type)
    made = table.set_column(table.column_names.index(column), column, pc.replace_with_mask(whole, pa.array(mask), new))
    world = Tables(pack, {**tables, change.table: made})
    if world.outside(change.table, column, pack.schema.table(change.table).columns[column]).any():
        raise UserError(f"{column} would hold what the schema of the pack does not allow")
    return made
