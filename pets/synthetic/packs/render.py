"""A pack's made tables as the Arrow tables that are written, and the data dictionary beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pets.schema.domain import Category
from pets.schema.numeric import Numeric
from pets.synthetic.packs.declared import Pack, PackTable
from pets.synthetic.packs.field import Field
from pets.synthetic.packs.generator import Made
from pets.synthetic.packs.values import Values


def render(table: PackTable, made: Made) -> Any:
    """A made table as an Arrow table: its visible columns, each in the type of its field."""
    import pyarrow as pa

    nothing: dict[Any, Any] = {}
    return pa.table({name: column(one, made.columns[name], nothing) for one, name in table.visible()})


def column(one: Field, values: Values, nothing: dict[Any, Any] | None = None) -> Any:
    """A column as an Arrow array; what is missing stands as the field's blank, where it has one.

    Columns of a table that are empty throughout share one array of their type: ``nothing`` keeps it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    empty = values.empty
    if empty is not None and empty.all() and one.blank is None:
        kind, kept = _types(pa)[one.kind], {} if nothing is None else nothing
        if kind not in kept:
            kept[kind] = pa.nulls(len(values), kind)
        return kept[kind]
    if values.kind == "text":
        codes = values.data
        labels = list(values.labels)
        if one.blank is not None and empty is not None:
            labels.append(one.blank)
            codes, empty = np.where(empty, len(labels) - 1, codes).astype(np.int32), None
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=empty), pa.array(labels, pa.string())).cast(
            pa.string()
        )
    if values.kind == "day":
        made = pa.array(values.data.astype(np.int32), mask=empty).cast(pa.date32())
        blank = None if one.blank is None else pa.scalar(np.datetime64(one.blank, "D").astype(object), pa.date32())
        return made if blank is None else pc.fill_null(made, blank)
    if one.kind in ("person", "id"):
        return pa.array(values.data, mask=empty).cast(pa.string())
    return pa.array(values.data, mask=empty)


def _types(pa: Any) -> dict[str, Any]:
    texts = dict.fromkeys(("person", "id", "codes", "values", "text"), pa.string())
    return texts | {"day": pa.date32(), "whole": pa.int64(), "real": pa.float64(), "truth": pa.bool_()}


def dictionary(pack: Pack) -> Any:
    """What every column of a pack means: its type, its values, what stands for no value, and its source."""
    import pyarrow as pa

    rows = []
    for table in pack.files:
        columns = pack.schema.table(table.name).columns
        for one in table.fields:
            if one.hidden:
                continue
            for name in one.names:
                domain = columns[name]
                values = domain.describe()
                if isinstance(domain, Category):
                    terms = {c: t for n in one.detail if n in pack.lists for c, t in _terms(pack, n)}
                    shown = [f"{value} {terms.get(value, '')}".strip() for value in domain.values[:60]]
                    values = "; ".join(shown) + ("; …" if domain.cells > 60 else "")
                elif isinstance(domain, Numeric):
                    values = domain.describe()
                rows.append(
                    {
                        "table": table.name,
                        "table_title": table.title,
                        "column": name,
                        "type": "text, not for queries" if domain.kind == "identifier" else domain.kind,
                        "meaning": one.about,
                        "values": values,
                        "no_value": ", ".join(["(empty)"] * (one.blank is None) + list(domain.null)),
                        "source": pack.sources[one.source],
                    }
                )
    return pa.Table.from_pylist(rows)


def _terms(pack: Pack, name: str) -> list[tuple[str, str]]:
    codes = pack.lists[name]
    return list(zip(codes.codes, codes.terms, strict=True))
