"""Population: over whom a fit is averaged: a public one, as it is given, or the study's own people, as released.

Of a release the cells stay as noisy as they are: those below 0 too, for cutting them off would bias the averages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.common.codec import Json, fraction
from pets.common.integers import Floats
from pets.errors import QueryError, UserError, did_you_mean, shown
from pets.models.new_rows import frame_of, numbers
from pets.plan.fitted.design import Design
from pets.query_model.group_keys import ColumnKey
from pets.query_model.nodes.names import columns_of
from pets.query_model.query import Query
from pets.release.estimate import noise_of
from pets.release.release import Release
from pets.release.tables.shares import counted
from pets.schema.domain import MISSING

MOST = 100_000
"""Rows of a public population."""
FIRM = 8.0
"""Standard deviations of its noise that the people of a release together are above nobody, at least."""
STEPS = (
    "count by its own values, or let both the model and the count take coarser steps of it, as the data "
    "pets.query('stays').with_columns(decade=pets.col('age') // 10) has them"
)
"""What is to be done about a number."""


@dataclass(frozen=True)
class Population:
    """Whose covariates a fit is averaged over.

    Attributes:
        values: by column, the value in each row.
        weights: of each row.
        deviation: standard deviation of the noise on each weight.
        release: of which it was made; ``None``: it is public, and as certain as it is given.
        sampled: whether it is a sample of those of whom something is to be said.
    """

    values: Mapping[str, tuple[Any, ...]]
    weights: tuple[float, ...]
    deviation: float = 0.0
    release: Release | None = None
    sampled: bool = False

    @property
    def total(self) -> float:
        """The sum of weights."""
        return math.fsum(self.weights)

    @property
    def shares(self) -> Floats:
        """Of each row, in the whole."""
        return np.array(self.weights) / self.total

    def to_json(self) -> Json:
        """The canonical form."""
        if self.release is not None:
            return {"release": self.release.to_json()}
        return {"values": {name: list(one) for name, one in self.values.items()}, "weights": list(self.weights)}

    @classmethod
    def from_json(cls, form: Any, design: Design, by: str) -> Population:
        """The population whose canonical form this is; raises :class:`UserError` for anything else."""
        if "release" in form:
            return of_release(Release.from_json(form["release"]), design, by)
        return of_frame({**form["values"], " weights": form["weights"]}, " weights", design, by)


def needed(design: Design, by: str) -> tuple[str, ...]:
    """The columns that a population needs: those of the terms, but the one that everybody is given."""
    return tuple(dict.fromkeys(name for one in design.columns for name in one.term if name != by))


def of_frame(over: Any, weights: str | None, design: Design, by: str) -> Population:
    """A public population; raises :class:`UserError` for one that the fit says nothing of."""
    try:
        frame = frame_of(over)
    except UserError:
        raise UserError(
            "over= is a data frame or a mapping of columns, such as {'age': [30, 60], 'people': [2, 1]} with "
            "weights='people', or a release that counts the study's people by the model's other columns"
        ) from None
    if not 0 < len(frame) <= MOST:
        raise UserError(f"a population has from 1 to {MOST:,} rows; give rows that are alike once, with their weight")
    columns = list(map(str, frame.columns))
    values: dict[str, tuple[Any, ...]] = {}
    for name in needed(design, by):
        if name not in frame.columns:
            raise UserError(
                f"the population has no column {name!r}{did_you_mean(name, columns)}: give it, such as a usual value "
                "in every row"
            )
        domain = design.domains[name]
        found = numbers(name, domain, frame[name], name in design.listed)
        if np.isnan(found).any():
            raise UserError(f"a row of the population has no value of {name!r}; give one, or leave the row out")
        if design.measured(name):
            if (np.asarray(frame[name], dtype=np.float64) != found).any():
                raise UserError(
                    f"the population has values of {name!r} outside the schema's range, of which the fit says nothing; "
                    "give values inside, or leave these rows out"
                )
            values[name] = tuple(found.tolist())
        else:
            values[name] = tuple(domain.decode(int(code)) for code in found)
    if weights is None:
        return Population(values, (1.0,) * len(frame))
    if weights not in frame.columns:
        raise UserError(f"the population has no column {shown(weights)} of weights{did_you_mean(weights, columns)}")
    if list(frame.columns).count(weights) > 1:
        raise UserError(f"there are several columns {weights!r}; leave one of them")
    return Population(values, _weights(frame[weights].tolist()))


def check_alike(release: Release, data: Query, design: Design, by: str) -> None:
    """Refuse a release in which a column is computed otherwise than in a model's rows, though it has its name.

    Raises:
        UserError: naming the column.
    """
    forms = [one.to_json() for one in (data, release.query)]
    for name in needed(design, by):
        computed = any(name in dict(form.get("with", ())) for form in forms)
        mine, theirs = (_made(form, name) for form in forms)
        # (a feature of people may be a column of its own in another table)
        if mine != theirs and (computed or None not in (mine, theirs)):
            raise UserError(
                f"the release computes {name!r} otherwise than the model's rows, so its values mean something else; "
                "count with the same with_columns or features, or give a public population"
            )


def _made(form: Json, name: str) -> Any:
    """How a question computes a column, down to the table's own; ``None`` for one of these."""
    derived, people = dict(form.get("with", ())), form.get("people") or {}
    if name in derived:
        return [derived[name], {one: _made(form, one) for one in columns_of(derived[name])}]
    return dict(people.get("features", ())).get(name)


def _weights(given: Sequence[Any]) -> tuple[float, ...]:
    try:
        out = tuple(float(fraction(one)) for one in given)
        right = min(out) >= 0 and 0 < math.fsum(out) < math.inf
    except (ValueError, OverflowError):
        right = False
    if not right:
        raise UserError("weights are numbers from 0 on, not all 0, such as how many people a row stands for")
    return out


def of_release(release: Release, design: Design, by: str) -> Population:
    """The people that a release counts; raises :class:`UserError` where it does not tell the model's columns."""
    wanted = needed(design, by)
    plan = release.plan
    columns, kinds = plan.layout.columns(), {one.name: one for one in plan.query.keys}
    listed = ", ".join(map(repr, wanted)) or "nothing"
    for name in wanted:
        key = kinds.get(name)
        if key is None or not isinstance(key, ColumnKey):
            number = design.measured(name)
            raise UserError(
                f"the release does not tell {name!r} as the model has it, so nobody knows whom to average over: "
                + (f"{name!r} is a number, so {STEPS}" if number else f"count people by {listed}")
                + ", or give a public population"
            )
    known = {name: {design.domains[name].decode(code) for code in range(design.domains[name].cells)} for name in wanted}
    # (a column that is never empty may have a value of that name)
    empty = [one.name for one in plan.layout.dimensions if one.name in wanted and plan.fields[one.column].nullable]
    places = [at for at in range(plan.groups) if all(columns[name][at] != MISSING for name in empty)]
    for name in wanted:
        other = next((columns[name][at] for at in places if columns[name][at] not in known[name]), None)
        if other is not None:
            raise UserError(
                f"the release has {shown(other)} of {name!r}, which the model does not have; count the rows that the "
                "model is of"
            )
    names = [one.output.name for one in release.estimates]
    counts = [one.output.name for one in release.estimates if one.output.traits.counts]
    try:
        column = counted(release, counts[0] if counts else names[0])
    except QueryError:
        raise UserError(f"the release counts nobody: ask for pets.count() by {listed}") from None
    if plan.rows > 1 and column.output.traits.counts != "people":
        raise UserError("a person counts in the release with several rows; ask with .bound(rows=1)")
    noise = noise_of(release)
    deviation = 0.0 if noise.exact else noise.deviation(column.output.parts[0])
    weights = tuple(float(column.estimate[at]) for at in places)
    if math.fsum(weights) <= FIRM * deviation * math.sqrt(len(places)) or not places:
        raise UserError(
            "the release counts too few people for its noise: ask with more epsilon or by fewer columns, or give a "
            "public population"
        )
    values = {name: tuple(columns[name][at] for at in places) for name in wanted}
    return Population(values, weights, deviation, release, sampled=True)
