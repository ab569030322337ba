"""What may be computed in each group: frozen aggregate nodes and the functions that build them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from pets.common.arguments import plain_arguments, plain_fields
from pets.common.codec import fraction, whole
from pets.errors import QueryError, shown
from pets.query_model.expression import Filter, condition_of, filter_from_json
from pets.query_model.nodes.aggregate_base import Aggregate, OfColumn, check_column, check_where
from pets.query_model.nodes.bin_edges import edges_of
from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.exits import Exits
from pets.query_model.nodes.gradient import Gradient
from pets.query_model.nodes.meat import Meat
from pets.query_model.nodes.moments import Correlation, Covariance, Std, Variance
from pets.query_model.nodes.newton import Newton

__all__ = [
    "count",
    "count_units",
    "sum",
    "mean",
    "rate",
    "variance",
    "std",
    "covariance",
    "correlation",
    "histogram",
    "median",
    "quantile",
    "tails",
]
"""The functions by which aggregates are asked for: names of ``pets`` itself."""

MAX_BINS = 100_000


@plain_fields(QueryError)
@dataclass(frozen=True)
class Count(Aggregate):
    """Rows in the group (that meet ``where``)."""

    where: Filter | None = None
    kind: ClassVar[str] = "count"

    def __post_init__(self) -> None:
        check_where(self.where)


@plain_fields(QueryError)
@dataclass(frozen=True)
class CountUnits(Aggregate):
    """Distinct people with at least one kept row in the group (that meets ``where``)."""

    where: Filter | None = None
    kind: ClassVar[str] = "count_units"

    def __post_init__(self) -> None:
        check_where(self.where)


@plain_fields(QueryError)
@dataclass(frozen=True)
class Tails(Aggregate):
    """People with at least 1, 2, … kept rows: each kept row (that meets ``where``) is counted under its number.

    A person's rows are numbered 1, 2, … in the order of the random choice, so the k-th number counts everybody who has
    k rows. In a group, or under a condition, it counts people whose k-th row is there. Rows are counted up to the
    ``max_rows`` that snapshots keep, whatever ``bound`` says.
    """

    where: Filter | None = None
    kind: ClassVar[str] = "tails"

    def __post_init__(self) -> None:
        check_where(self.where)


@plain_fields(QueryError)
@dataclass(frozen=True)
class Rate(Aggregate):
    """The share of the group's rows that meet a condition, 0 to 1."""

    where: Filter
    kind: ClassVar[str] = "rate"

    def __post_init__(self) -> None:
        condition_of(self.where, "the condition of rate")


@plain_fields(QueryError)
@dataclass(frozen=True)
class Sum(OfColumn):
    """The sum of a column."""

    kind: ClassVar[str] = "sum"


@plain_fields(QueryError)
@dataclass(frozen=True)
class Mean(OfColumn):
    """The mean of a column."""

    kind: ClassVar[str] = "mean"


@plain_fields(QueryError)
@dataclass(frozen=True)
class Histogram(Aggregate):
    """Rows in each bin of a column: a list of counts a group (bins as in ``col(...).bins``).

    Attributes:
        edges: bin edges of a number; ``None`` takes each value of a category, boolean or small integer domain.
    """

    column: str
    edges: tuple[Fraction, ...] | None = None
    where: Filter | None = None
    kind: ClassVar[str] = "histogram"

    def __post_init__(self) -> None:
        check_column(self.kind, self.column)
        check_where(self.where)
        if self.edges is not None:
            object.__setattr__(self, "edges", edges_of(self.edges))


@plain_fields(QueryError)
@dataclass(frozen=True)
class Quantile(Aggregate):
    """The q-quantile of a column: the smallest value with at least a share ``q`` of the group's rows at or below it.

    The domain is cut into bins of (nearly) equally many values, 256 or ``bins`` of them, or one a value where it has
    no more values than that; only counts of bins are known. The answer lies in the first bin at whose end at least a
    share ``q`` of the rows has been counted. A bin of one value answers that value; a wider one the point as far into
    it as the wanted share lies between the counts before and after it, as if its rows were spread evenly. So with
    wide bins even the exact answer may differ from the quantile of the rows by up to one bin, and need not be a value
    of the column.

    Attributes:
        q: the share, strictly between 0 and 1.
        bins: how finely the domain is cut; more bins are finer and noisier. All quantiles of one column (with one
            ``where``) share one tree of counts over the most bins that any of them asks for, so they never cross.
    """

    column: str
    q: Fraction = Fraction(1, 2)
    bins: int | None = None
    where: Filter | None = None
    kind: ClassVar[str] = "quantile"

    def __post_init__(self) -> None:
        check_column(self.kind, self.column)
        check_where(self.where)
        try:
            object.__setattr__(self, "q", fraction(self.q))
        except ValueError:
            raise QueryError(f"q must be a number between 0 and 1, not {shown(self.q)}") from None
        if not 0 < self.q < 1:
            raise QueryError(f"q must be between 0 and 1, such as 0.5 for the median, not {shown(float(self.q))}")
        if self.bins is not None:
            try:
                object.__setattr__(self, "bins", whole(self.bins))
            except ValueError:
                raise QueryError(f"bins must be a whole number, not {shown(self.bins)}") from None
            if not 2 <= self.bins <= MAX_BINS:
                raise QueryError(f"bins must be from 2 to {MAX_BINS:,}, not {shown(self.bins)}")


AGGREGATES: dict[str, type[Aggregate]] = {
    kind.kind: kind
    for kind in (
        *(Count, CountUnits, Rate, Sum, Mean, Variance, Std, Covariance, Correlation, Histogram, Quantile, Tails),
        *(Moments, Newton, Meat, Exits, Gradient),
    )
}


def aggregate_from_json(form: Any) -> Aggregate:
    """The aggregate whose canonical form this is; raises :class:`QueryError` for anything else."""
    kind = form.get("agg") if isinstance(form, Mapping) else None
    found = AGGREGATES.get(kind) if isinstance(kind, str) else None
    if found is None:
        raise QueryError(f"an aggregate has 'agg' one of {', '.join(AGGREGATES)}, not {shown(form)}")
    for name in form:
        if not isinstance(name, str):
            raise QueryError(f"the settings of an aggregate have names, and {shown(name)} is none")
    settings = {name: value for name, value in form.items() if name != "agg"}
    if settings.get("where") is not None:
        settings["where"] = filter_from_json(settings["where"])
    return found(**settings)


@plain_arguments(QueryError)
def count(where: Filter | None = None) -> Count:
    """Rows in each group, or those that meet a condition.

    Sensitivity: one person moves the counts by at most K in all (K: rows of one person that a query counts).
    """
    return Count(where)


@plain_arguments(QueryError)
def count_units(where: Filter | None = None) -> CountUnits:
    """Distinct people in each group, each counted once a group."""
    return CountUnits(where)


@plain_arguments(QueryError, example="write sum('cost', clip=(0, 100))")
def sum(column: str, *, clip: tuple[object, object] | None = None, where: Filter | None = None) -> Sum:
    """The sum of a numeric column, each value clamped to its public bounds (or to tighter ``clip`` bounds)."""
    return Sum(column, clip, where)  # type: ignore[arg-type]


@plain_arguments(QueryError, example="write mean('cost', clip=(0, 100))")
def mean(column: str, *, clip: tuple[object, object] | None = None, where: Filter | None = None) -> Mean:
    """The mean of a numeric column over the rows that have a value."""
    return Mean(column, clip, where)  # type: ignore[arg-type]


@plain_arguments(QueryError)
def rate(where: Filter) -> Rate:
    """The share of rows that meet a condition, such as ``rate(col("readmitted") == "<30")``."""
    return Rate(where)


@plain_arguments(QueryError)
def variance(
    column: str,
    *,
    clip: tuple[object, object] | None = None,
    where: Filter | None = None,
    step: object = None,
    sample: bool | None = None,
) -> Variance:
    """The variance of a numeric column: divided by n (VAR_POP), or by n - 1 with ``sample=True`` (VAR_SAMP)."""
    return Variance(column, clip, where, step, sample)  # type: ignore[arg-type]


@plain_arguments(QueryError)
def std(
    column: str,
    *,
    clip: tuple[object, object] | None = None,
    where: Filter | None = None,
    step: object = None,
    sample: bool | None = None,
) -> Std:
    """The standard deviation of a numeric column: the root of its :func:`variance`, with the same divisors."""
    return Std(column, clip, where, step, sample)  # type: ignore[arg-type]


@plain_arguments(QueryError)
def covariance(first: str, second: str, *, where: Filter | None = None, sample: bool | None = None) -> Covariance:
    """The covariance of two numeric columns over the rows that have both: divided by n, or with ``sample`` by n - 1.

    Values between tighter bounds are computed first, with :func:`pets.min_of` and :func:`pets.max_of`.
    """
    return Covariance((first, second), where, sample)


@plain_arguments(QueryError)
def correlation(first: str, second: str, *, where: Filter | None = None) -> Correlation:
    """Pearson's correlation of two numeric columns over the rows that have both.

    Its interval holds all that noise can make of its covariance and variances at once, so it is rather too wide.
    """
    return Correlation((first, second), where)


@plain_arguments(QueryError)
def histogram(column: str, edges: Iterable[object] | None = None, *, where: Filter | None = None) -> Histogram:
    """Counts in each bin of a column: ``histogram("age", [0, 18, 65, 120])``."""
    return Histogram(column, edges, where)  # type: ignore[arg-type]


@plain_arguments(QueryError)
def median(column: str, *, bins: int | None = None, where: Filter | None = None) -> Quantile:
    """The median of a numeric column: ``quantile(column, 0.5)`` by its own name, and the same question."""
    return Quantile(column, Fraction(1, 2), bins, where)


@plain_arguments(QueryError)
def quantile(column: str, q: object = 0.5, *, bins: int | None = None, where: Filter | None = None) -> Quantile:
    """A quantile of a numeric column, to the resolution of ``bins``; see :class:`Quantile` for exactly what it is."""
    return Quantile(column, q, bins, where)  # type: ignore[arg-type]


@plain_arguments(QueryError)
def tails(where: Filter | None = None) -> Tails:
    """How many people have at least 1, 2, … rows, up to the ``max_rows`` that snapshots keep.

    Sensitivity: all rows of a person move each of those numbers by at most 1, which is √max_rows in all. From them it
    follows how many rows a bound leaves out: see :meth:`pets.Session.rows_lost`.
    """
    return Tails(where)
