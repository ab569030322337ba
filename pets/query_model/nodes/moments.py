"""Second moments: frozen nodes of variances and standard deviations, and of how two columns vary together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import fraction, python_value
from pets.errors import QueryError, shown
from pets.query_model.expression import Filter
from pets.query_model.nodes.aggregate_base import Aggregate, OfColumn, check_column, check_where


def _sample(value: object) -> bool | None:
    """``True`` for the divisor n − 1; ``None``, so that it stands in no canonical form, for n."""
    found = python_value(value)
    if found is not None and not isinstance(found, bool):
        raise QueryError(f"sample is True (divided by n - 1) or False (by n), not {shown(value)}")
    return found or None


@dataclass(frozen=True)
class Spread(OfColumn):
    """What a variance and a standard deviation share.

    Attributes:
        step: a coarser grid for the squares, where the column's own would need sums beyond 62 bits; values are cut
            to it, and the interval is widened by all that this can do.
        sample: ``True`` divides by n − 1 (SQL's VAR_SAMP), else by n (VAR_POP).
    """

    step: Fraction | None = None
    sample: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step is not None:
            try:
                object.__setattr__(self, "step", fraction(self.step))
            except ValueError:
                raise QueryError(f"step must be a number, not {shown(self.step)}") from None
            if self.step <= 0:
                raise QueryError("step must be greater than 0")
        object.__setattr__(self, "sample", _sample(self.sample))


@plain_fields(QueryError)
@dataclass(frozen=True)
class Variance(Spread):
    """The variance of a column."""

    kind: ClassVar[str] = "variance"


@plain_fields(QueryError)
@dataclass(frozen=True)
class Std(Spread):
    """The standard deviation of a column: the root of its variance."""

    kind: ClassVar[str] = "std"


@dataclass(frozen=True)
class OfColumns(Aggregate):
    """What aggregates of two numeric columns share; rows without a value in one of them do not count.

    Attributes:
        columns: the two columns, by name; their order does not matter.
    """

    columns: tuple[str, str]
    where: Filter | None = None

    def __post_init__(self) -> None:
        names: Any = self.columns if isinstance(self.columns, (tuple, list)) else ()
        found = [one.get("column") if isinstance(one, Mapping) else one for one in names]
        if len(found) != 2 or found[0] == found[1]:
            raise QueryError(
                f"{self.kind} takes two columns, such as {self.kind}('age', 'cost'), not {shown(self.columns)}"
            )
        for name in found:
            check_column(self.kind, name)
        object.__setattr__(self, "columns", tuple(sorted(found)))
        check_where(self.where)


@plain_fields(QueryError)
@dataclass(frozen=True)
class Covariance(OfColumns):
    """The covariance of two columns.

    Attributes:
        sample: ``True`` divides by n − 1 (SQL's COVAR_SAMP), else by n (COVAR_POP).
    """

    sample: bool | None = None
    kind: ClassVar[str] = "covariance"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "sample", _sample(self.sample))


@plain_fields(QueryError)
@dataclass(frozen=True)
class Correlation(OfColumns):
    """Pearson's correlation of two columns, from -1 to 1."""

    kind: ClassVar[str] = "correlation"
