"""Synthetic tables by an engine that sees the rows. No formal guarantee: what it remembers of a person nobody can
bound.

One table by a copula or a neural network; a table and its person table together (HMA); people's rows in order (PAR).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.common.codec import Json
from pets.errors import ReleaseFailedError, UserError, did_you_mean, missing_extra, shown
from pets.schema.domain import Domain, Identifier
from pets.schema.rules import Order, Unique, computed
from pets.schema.schema import Schema, Table
from pets.synthetic.dp_model.columns import derived
from pets.synthetic.dummy_data.fill import Codes
from pets.synthetic.sdv.across import broken_across, constant_within
from pets.synthetic.sdv.engine_process import CHARGED, Limits, run, settings_of
from pets.synthetic.sdv.rules_kept import Fate, fates, first, ordered, put_back
from pets.synthetic.sdv.sdv_metadata import PERSON, decoded, kinds, modelled_fields, rendered
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
        fields: the columns to make, with their domains; what a rule computes from others is not learnt.
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
                if not isinstance(name, str) or name not in every:
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
        if order is not None and (method != "par" or not isinstance(order, str) or order not in fields):
            raise UserError(
                f"order= names the column that orders a person's rows, for method 'par', not {shown(order)}"
            )
        if method == "par" and len(people) == len(fields):
            raise UserError("method 'par' needs a column that may change between a person's rows")
        if epochs is not None and method in ("gaussian_copula", "hma"):
            raise UserError(f"method {method!r} has no epochs; leave epochs out")
        return cls(schema, table, method, fields, people, order, rows, epochs, seed)

    @property
    def tables(self) -> dict[str, Table]:
        """The tables that are made, by name: the one asked for, and for HMA its person table."""
        home = self.schema.table(self.table)
        found = {self.table: home}
        if self.method == "hma" and home.person_table is not None:
            found[home.person_table] = self.schema.table(home.person_table)
        return found

    @property
    def ruling(self) -> dict[str, list[Table]]:
        """The tables whose rules the rows of each made table keep: PAR's rows hold what is known of the person too."""
        found = {name: [table] for name, table in self.tables.items()}
        person = self.schema.table(self.table).person_table
        if self.method == "par" and person is not None:
            found[self.table].append(self.schema.table(person))
        return found

    @property
    def fates(self) -> tuple[Fate, ...]:
        """What becomes of every rule."""
        every = [table for tables in self.ruling.values() for table in tables]
        return tuple(one for t in every for one in fates(t, self.fields, constrained=self.method in SINGLE))

    @property
    def learnt(self) -> list[str]:
        """The columns that the engine sees."""
        every = [table for tables in self.ruling.values() for table in tables]
        known = {name for table in every for name in computed(table.rules, self.fields)}
        return [name for name in self.fields if name not in known]


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
    # a column without any value teaches nothing, and engines stumble over it
    empty = [name for name in asked.learnt if (codes[name] == asked.fields[name].cells).all()]
    taught = [name for name in asked.learnt if name not in empty]
    constraints = [one for one in asked.fates if one.constraint is not None and not set(one.rule.columns) & set(empty)]
    # a rule promises nothing about real rows, and SDV refuses to learn one from rows that break it
    clean = np.ones(len(person), dtype=bool)
    for one in constraints:
        assert isinstance(one.rule, Order)
        clean &= ordered(one.rule, asked.schema.table(asked.table).columns, codes)
    if not clean.any():
        raise ReleaseFailedError(
            f"no row keeps the rule {constraints[0].rule}, so there is nothing to learn; leave one of its columns out "
            f"with columns=[…], or mend the rule; {CHARGED}"
        )
    fields = {name: asked.fields[name] for name in taught}
    values = decoded({name: np.asarray(codes[name])[clean] for name in taught}, fields)
    frames, metadata = _framed(asked, values, np.asarray(person)[clean])
    context = [name for name in asked.people if name in taught]
    if asked.method == "par":
        # what never changes within a person must not begin to; one column at least is left to change
        own = [name for name in taught if name not in asked.people and name != asked.order]
        same = constant_within({name: np.asarray(codes[name])[clean] for name in own}, np.asarray(person)[clean], own)
        context += same if len(same) < len(own) or asked.order is not None else same[:-1]
    count = len(frames[_PEOPLE]) if asked.method == "hma" else len(person)
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
        "context": context,
        "constraints": [one.constraint for one in constraints],
        "keep": {"schema": asked.schema.to_json(), "table": asked.table, "columns": list(asked.fields)},
    }
    made, said = run(frames, request, limits, progress=progress)
    out, turned = _finished(asked, made)
    turned += int(said["turned"])
    if out[asked.table].empty:
        told = "; ".join(str(one.rule) for one in asked.fates)
        raise ReleaseFailedError(
            f"no row that the engine made keeps the rules ({told}); leave a column of theirs out with columns=[…]; "
            f"{CHARGED}"
        )
    rules = [one.to_json() for one in asked.fates]
    if asked.method in ("hma", "par"):
        rules += broken_across(asked.fields, asked.people, codes, _with_people(asked, out))
    more: Json = {
        "columns": list(asked.fields),
        "empty": empty,
        "rules": rules,
        "rows_turned_away": turned,
        "constant_within_people": context if asked.method == "par" else [],
        "wanted": request["rows"],
        "people_made": int(out[asked.table][_unit(asked)].nunique()) if asked.method == "par" else None,
        "learnt_from": {"rows": int(clean.sum()), "people": len(np.unique(np.asarray(person)[clean]))},
        "rows_that_break_rules": int((~clean).sum()),
    }
    return out, settings_of(limits, said) | more


def _unit(asked: Asked) -> str:
    """The column that says whose a row is."""
    return str(asked.schema.table(asked.table).unit.column)


def _with_people(asked: Asked, made: Mapping[str, pd.DataFrame]) -> dict[str, pd.Series[Any]]:
    """The columns of the made rows, those of their people beside them."""
    rows = made[asked.table]
    out = {name: rows[name] for name in asked.fields if name in rows}
    for table, frame in made.items():
        if table != asked.table:
            at = frame.set_index(str(asked.schema.table(table).unit.column))
            out |= {name: rows[_unit(asked)].map(at[name]) for name in asked.people if name in frame}
    return out


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


def _finished(asked: Asked, made: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], int]:
    """Back to the schema: domains, rules, look-ups, invented ids that join where the engine joined.

    Also how many rows were turned away because they broke a rule, by whoever turned them away last.
    """
    names = {asked.table: _MAIN} | {name: _PEOPLE for name in asked.tables if name != asked.table}
    frames = {name: made[short].reset_index(drop=True) for name, short in names.items()}
    keys = [key for frame in frames.values() if PERSON in frame for key in frame[PERSON].tolist()]
    ids = {key: f"{MARKER}-{number:08d}" for number, key in enumerate(dict.fromkeys(keys), 1)}
    codes, good = {}, {}
    for name, frame in frames.items():
        wanted = {c: domain for c, domain in asked.fields.items() if any(c in t.columns for t in asked.ruling[name])}
        person = frame[PERSON].to_numpy() if asked.method == "par" else None
        codes[name], good[name] = put_back(asked.ruling[name], wanted, frame, person)
        unit = asked.schema.table(name).unit.column
        if PERSON in frame and any(isinstance(r, Unique) and r.column == unit for r in asked.schema.table(name).rules):
            good[name] &= first(frame[PERSON].to_numpy(), good[name])
    if len(frames) > 1:  # without their person, rows would join nothing
        (_, people) = frames
        stay = set(frames[people][PERSON][good[people]].tolist())
        good[asked.table] &= frames[asked.table][PERSON].isin(stay).to_numpy()
    turned = sum(int((~one).sum()) for one in good.values())
    out = {}
    for name, frame in frames.items():
        rows = {column: values[good[name]] for column, values in codes[name].items()}
        out[name] = _one(asked, name, rows, [ids[k] for k in frame[PERSON][good[name]]] if PERSON in frame else None)
    return out, turned


def _one(asked: Asked, name: str, codes: Mapping[str, Codes], people: Sequence[str] | None) -> pd.DataFrame:
    import pandas as pd

    count = len(next(iter(codes.values())))
    records = [f"{MARKER}-{row:08d}" for row in range(1, count + 1)]
    home = asked.schema.table(name)
    values: dict[str, Any] = {n: rendered(codes[n], domain) for n, domain in asked.fields.items() if n in codes}
    for column, lookup in derived(asked.schema, name, values).items():
        assert lookup.lookup is not None
        values[column] = values[lookup.lookup.column].map(
            lambda value, of=lookup.lookup.mapping: of.get(value), na_action="ignore"
        )
    out: dict[str, Any] = {RECORD: records}
    for column, domain in home.columns.items():
        if isinstance(domain, Identifier):
            out[column] = people if people is not None and column == home.unit.column else records
        elif column in values:
            out[column] = values.pop(column)
    return pd.DataFrame(out | values)
