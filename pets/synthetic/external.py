"""Synthetic tables by an engine that sees the rows. No formal guarantee: what it remembers of a person nobody can
bound.

One table by a copula or a neural network; a table and its person table together (HMA); people's rows in order (PAR).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pets.codec import Json
from pets.domain import Domain, Identifier
from pets.errors import UserError, did_you_mean, missing_extra, shown
from pets.schema import Schema
from pets.synthetic.child import Limits, run, settings_of
from pets.synthetic.columns import derived
from pets.synthetic.sdv_metadata import PERSON, constraints, decoded, kinds, modelled_fields, within
from pets.synthetic.synthetic_release import MARKER, RECORD

if TYPE_CHECKING:
    import pandas as pd

SINGLE = ("gaussian_copula", "ctgan", "tvae", "copulagan")
METHODS = (*SINGLE, "hma", "par")
_MAIN, _PEOPLE = "t0", "t1"  # names of files: a table's own name may hold anything


@dataclass(frozen=True)
class Asked:
    """What an engine is to learn: checked against the schema before any row is read.

    Attributes:
        table: the table's name.
        fields: the columns to learn, with their domains.
        people: the columns of them that come from the person table.
        order: the column that orders a person's rows (PAR).
        rows: to draw: rows; for PAR and HMA people (``None``: as many as there are).
        epochs: of a neural network; ``None`` leaves it to the engine.

    Raises:
        UserError: naming the column or the table and the remedy.
    """

    schema: Schema
    table: str
    method: str
    fields: Mapping[str, Domain]
    people: tuple[str, ...]
    order: str | None
    rows: int | None
    epochs: int | None
    seed: int

    @classmethod
    def of(
        cls,
        schema: Schema,
        table: str,
        method: str,
        *,
        columns: Sequence[str] | None,
        order: str | None,
        rows: int | None,
        epochs: int | None,
        seed: int,
    ) -> Asked:
        """The request, checked."""
        home = schema.table(table)
        every = modelled_fields(schema.fields(table))
        own = {name: domain for name, domain in every.items() if name in home.columns}
        fields = every if method in ("hma", "par") else own
        if columns is not None:
            if not isinstance(columns, (list, tuple)) or not columns:
                raise UserError(f"columns must be a list of column names, not {shown(columns)}")
            for name in columns:
                if name not in every:
                    raise UserError(f"column {shown(name)} cannot be learnt{did_you_mean(name, every)}")
            fields = {name: every[name] for name in columns}
        people = tuple(name for name in fields if name not in home.columns)
        if method == "hma" and home.person_table is None:
            raise UserError(
                f"method 'hma' learns a table together with its person table, and table {table!r} names none; "
                "use another method"
            )
        if method in ("hma", "par") and home.unit.column is None:
            raise UserError(f"method {method!r} needs a unit column, and table {table!r} has one row per person")
        if method == "hma" and (not people or len(people) == len(fields)):
            raise UserError("method 'hma' needs columns of both the table and its person table")
        if order is not None and (method != "par" or order not in fields):
            raise UserError(
                f"order= names the column that orders a person's rows, for method 'par', not {shown(order)}"
            )
        if method == "par" and len(people) == len(fields):
            raise UserError("method 'par' needs a column that may change between a person's rows")
        if epochs is not None and method in ("gaussian_copula", "hma"):
            raise UserError(f"method {method!r} has no epochs; leave epochs out")
        return cls(schema, table, method, fields, people, order, rows, epochs, seed)


def ready() -> None:
    """Raise :class:`MissingExtraError` where the engine is not installed."""
    if importlib.util.find_spec("sdv") is None:
        raise missing_extra("synthetic data by SDV", "synthetic")


def external(
    asked: Asked, codes: Mapping[str, Any], person: Any, limits: Limits, *, progress: bool
) -> tuple[dict[str, pd.DataFrame], Json]:
    """The tables that an engine makes, put back into the schema's domains, and what it said about itself.

    Args:
        asked: the request.
        codes: the snapshot's codes of each column: real rows.
        person: which person each row belongs to.
        limits: what the fit may take.
        progress: whether a bar is shown.
    """
    values = decoded(codes, asked.fields)
    # a column without any value teaches nothing, and engines stumble over it
    empty = [name for name, column in values.items() if column.isna().all()]
    frames, metadata = _framed(asked, {n: v for n, v in values.items() if n not in empty}, person)
    count = len(frames[_PEOPLE]) if asked.method == "hma" else len(frames[_MAIN])
    if asked.method == "par":
        count = int(frames[_MAIN][PERSON].nunique())
    request: Json = {
        "method": asked.method,
        # the engine's main table is the one whose rows are counted
        "tables": [_PEOPLE, _MAIN] if asked.method == "hma" else [_MAIN],
        "metadata": metadata,
        "rows": asked.rows or count,
        "epochs": asked.epochs,
        "seed": asked.seed,
        "context": [name for name in asked.people if name not in empty],
        "constraints": list(constraints(asked.fields)),
    }
    made, said = run(frames, request, limits, progress=progress)
    return _finished(asked, made), settings_of(limits, said) | {"columns": list(asked.fields), "empty": empty}


def _framed(asked: Asked, values: Mapping[str, Any], person: Any) -> tuple[dict[str, pd.DataFrame], Json]:
    """The tables as the engine takes them, and its metadata: from the schema alone."""
    import pandas as pd

    told = kinds({name: asked.fields[name] for name in values})
    key = {"sdtype": "id"}
    frame = pd.DataFrame(dict(values))
    if asked.method in SINGLE:
        return {_MAIN: frame}, {"tables": {_MAIN: {"columns": told}}}
    frame.insert(0, PERSON, [f"p{code}" for code in person])
    if asked.method == "par":
        by = [PERSON] if asked.order is None else [PERSON, asked.order]
        frame = frame.sort_values(by, kind="stable", ignore_index=True)
        about: Json = {"columns": {PERSON: key} | told, "sequence_key": PERSON}
        return {_MAIN: frame}, {"tables": {_MAIN: about | ({"sequence_index": asked.order} if asked.order else {})}}
    people = [name for name in asked.people if name in values]
    parent = frame[[PERSON, *people]].drop_duplicates(PERSON, ignore_index=True)
    child = frame.drop(columns=people)
    return {_PEOPLE: parent, _MAIN: child}, {
        "tables": {
            _PEOPLE: {"primary_key": PERSON, "columns": {PERSON: key} | {n: told[n] for n in people}},
            _MAIN: {"columns": {PERSON: key} | {n: told[n] for n in told if n not in people}},
        },
        "relationships": [
            {
                "parent_table_name": _PEOPLE,
                "child_table_name": _MAIN,
                "parent_primary_key": PERSON,
                "child_foreign_key": PERSON,
            }
        ],
    }


def _finished(asked: Asked, made: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Back to the schema: domains, look-ups, invented ids that join where the engine joined."""
    names = {_MAIN: asked.table}
    person_table = asked.schema.table(asked.table).person_table
    if _PEOPLE in made and person_table is not None:
        names[_PEOPLE] = person_table
    keys = [key for frame in made.values() if PERSON in frame for key in frame[PERSON].tolist()]
    ids = {key: f"{MARKER}-{number:08d}" for number, key in enumerate(dict.fromkeys(keys), 1)}
    return {names[short]: _one(asked, names[short], made[short], ids) for short in (_MAIN, _PEOPLE) if short in made}


def _one(asked: Asked, name: str, made: pd.DataFrame, ids: Mapping[Any, str]) -> pd.DataFrame:
    import pandas as pd

    count = len(made)
    made = made.reset_index(drop=True)
    records = [f"{MARKER}-{row:08d}" for row in range(1, count + 1)]
    people = [ids[key] for key in made[PERSON].tolist()] if PERSON in made else records
    home = asked.schema.table(name)
    values: dict[str, Any] = {}
    for column, domain in asked.fields.items():
        if column in made:
            values[column] = within(made[column], domain)
        elif column in home.columns or (asked.method == "par" and column in asked.people):
            values[column] = pd.Series([None] * count, dtype=object)
    for column, lookup in derived(asked.schema, name, values).items():
        assert lookup.lookup is not None
        values[column] = values[lookup.lookup.column].map(
            lambda value, of=lookup.lookup.mapping: of.get(value), na_action="ignore"
        )
    out: dict[str, Any] = {RECORD: records}
    for column, domain in home.columns.items():
        if isinstance(domain, Identifier):
            out[column] = people if column == home.unit.column else records
        elif column in values:
            out[column] = values.pop(column)
    return pd.DataFrame(out | values)
