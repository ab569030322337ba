"""Steps: one iteration of a regression as whole numbers, each row's part rounded by itself, so that sites' sums add.

For a generalised linear model with its canonical link, iteratively re-weighted least squares needs X'WX and X'(y − μ)
at the present coefficients (McCullagh and Nelder 1989, *Generalized Linear Models*, section 2.5). Covariates, and the
outcome of a straight line, are moved to [−1, 1] by the schema's public bounds. A row adds its products times 2^bits,
rounded to whole numbers; then

* no row adds more than :attr:`Step.most` · 2^bits to any number, whatever it holds;
* bits is the greatest number with people · rows · sites of a person · most · 2^bits ≤ 2^62, so that no sum can wrap;
* each sum is off by at most half a unit for each row, so the step to new coefficients is known to within
  ‖(X'WX)⁻¹‖ · √p · rows · 2^−bits / 2 (:func:`slack`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.common.codec import Json
from pets.errors import QueryError
from pets.plan.vector import Ints
from pets.protection.threshold import Threshold
from pets.query_model.columns import col
from pets.query_model.query import Query
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Integer, Numeric

Floats = npt.NDArray[np.float64]
FAMILIES = ("gaussian", "binomial", "poisson")
REACH = 62
MAX_TERMS = 64
MIN_BITS, MAX_BITS = 20, 50
MAX_ETA = 40.0
_CHUNK = 65_536


@dataclass(frozen=True)
class Term:
    """One coefficient: a number moved to [−1, 1], or an indicator of one value.

    Attributes:
        name: for people.
        column: that it reads.
        code: the code whose indicator it is; ``None`` for a number.
        middle, half: of the number's public bounds, in its own units.
    """

    name: str
    column: str
    code: int | None = None
    middle: float = 0.0
    half: float = 1.0


@dataclass(frozen=True)
class Step:
    """What is asked of every site in one iteration; all of it public.

    Attributes:
        family: ``"gaussian"``, ``"binomial"`` or ``"poisson"``.
        outcome, covariates: columns.
        beta: the present coefficients, of the scaled terms, the intercept first.
        before: the id of the query whose sums they follow from; empty in the first step, at zero.
    """

    family: str
    outcome: str
    covariates: tuple[str, ...]
    beta: tuple[float, ...]
    before: str = ""

    def __post_init__(self) -> None:
        if self.family not in FAMILIES or not 1 <= len(self.beta) <= MAX_TERMS:
            raise QueryError(f"a regression has a known family and at most {MAX_TERMS} coefficients")
        if not all(math.isfinite(number) for number in self.beta) or self.eta > MAX_ETA:
            raise QueryError("the fit does not settle: its coefficients grow without end, so no finite fit exists")

    @property
    def eta(self) -> float:
        """The greatest |x'β| that any row can have."""
        return math.fsum(abs(number) for number in self.beta)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that it reads."""
        return (self.outcome, *self.covariates)

    def to_json(self) -> Json:
        """The canonical form; coefficients as the exact floats they are."""
        form: Json = {"family": self.family, "outcome": self.outcome, "covariates": list(self.covariates)}
        form["beta"] = [number.hex() for number in self.beta]
        return form | {"before": self.before} if self.before else form

    @classmethod
    def from_json(cls, form: Any) -> Step:
        """The inverse of :meth:`to_json`; raises :class:`QueryError` for anything else."""
        try:
            before = form.get("before", "")
            texts = (form["family"], form["outcome"], *form["covariates"], *form["beta"], before)
            if not all(isinstance(text, str) for text in texts):
                raise ValueError("another form")
            beta = tuple(float.fromhex(text) for text in form["beta"])
            return cls(form["family"], form["outcome"], tuple(form["covariates"]), beta, before)
        except (AttributeError, TypeError, LookupError, ValueError, OverflowError):
            raise QueryError("this is no step of a regression as pets writes it") from None


@dataclass(frozen=True)
class Model:
    """A step over a schema's columns: its terms, its range and what a row adds."""

    step: Step
    fields: Mapping[str, Domain]

    def __post_init__(self) -> None:
        if len(self.terms) + 1 != len(self.step.beta):
            raise QueryError("the step has another number of coefficients than its covariates give")
        outcome = _field(self.fields, self.step.outcome)
        wanted: type = Boolean if self.step.family == "binomial" else Numeric
        if not isinstance(outcome, wanted):
            kind = "a boolean" if self.step.family == "binomial" else "an integer or real"
            raise QueryError(f"the outcome of a {self.step.family} regression is {kind} column")
        if self.step.family == "poisson" and isinstance(outcome, Numeric) and outcome.origin < 0:
            raise QueryError("the outcome of a poisson regression is never below 0; state that in the schema")

    @property
    def terms(self) -> tuple[Term, ...]:
        """Without the intercept, in order."""
        return terms_of(self.step.covariates, self.fields)

    @property
    def outcome(self) -> Term:
        """The outcome, scaled for a straight line alone."""
        domain = self.fields[self.step.outcome]
        if isinstance(domain, Numeric):
            scaled = _number(self.step.outcome, domain)
            return scaled if self.step.family == "gaussian" else Term(scaled.name, scaled.column)
        return Term(self.step.outcome, self.step.outcome)

    @property
    def size(self) -> int:
        """Whole numbers: rows, the upper half of X'WX, X'(y − μ), Σ(y − μ)²."""
        p = len(self.step.beta)
        return 1 + p * (p + 1) // 2 + p + 1

    @property
    def most(self) -> float:
        """The greatest absolute number that one row adds to any sum, before it is scaled."""
        if self.step.family == "binomial":
            return 1.0
        if self.step.family == "gaussian":
            return (1 + self.step.eta) ** 2
        domain = self.fields[self.step.outcome]
        assert isinstance(domain, Numeric)
        top = float(domain.origin + domain.spacing * (domain.cells - 1))
        mean = math.exp(self.step.beta[0] + math.fsum(abs(number) for number in self.step.beta[1:]))
        return max(1.0, top, mean)

    def bits(self, rows: int) -> int:
        """The fixed point for at most ``rows`` rows over all sites.

        Raises:
            QueryError: where 63 bits are not enough.
        """
        found = math.floor(REACH - math.log2(rows) - math.log2(self.most * (1 + 1e-9)) - 1e-9)
        if found < MIN_BITS:
            raise QueryError(
                "63 bits are not enough for this regression; state fewer 'people' (over all sites) in the schema's "
                "table, or tighter bounds of the outcome"
            )
        return min(found, MAX_BITS)

    def cohort(self, query: Query) -> Query:
        """The query over the rows that the step is about: those in which every column has a value."""
        found = query.condition
        for name in self.step.columns:
            if self.fields[name].nullable:
                known = ~col(name).is_null()
                found = known if found is None else found & known
        return replace(query, condition=found)

    def whole(self, codes: Mapping[str, Ints]) -> dict[str, Ints]:
        """The codes of the rows in which every column has a value."""
        whole = np.ones(len(codes[self.step.outcome]), dtype=bool)
        for column in self.step.columns:
            whole &= (codes[column] >= 0) & (codes[column] < self.fields[column].cells)
        return {column: codes[column][whole] for column in self.step.columns}

    def cells(self, codes: Mapping[str, Ints]) -> Ints:
        """How many rows have each value of a covariate that has no fractions, and each pair of values that sums tell.

        X'WX holds the pairs of categories, and a few whole numbers' weights may tell theirs; X'(y − μ) holds those of
        a category and an outcome of few values, beside the rows. Numbers of few values are told as categories are.
        Only for exact totals: it reads rows. The values that have no coefficient of their own follow from the others.
        """
        kept, fields = self.whole(codes), self.fields
        sizes = [np.zeros(0, dtype=np.int64)]
        for columns in self.counted:
            place, width = np.zeros(len(kept[self.step.outcome]), dtype=np.int64), 1
            for name in columns:
                place, width = place * fields[name].cells + kept[name], width * fields[name].cells
            sizes.append(np.bincount(place, minlength=width))
        return np.concatenate(sizes)

    @property
    def counted(self) -> tuple[tuple[str, ...], ...]:
        """The columns, and pairs of them, of whose values the sums tell how many rows have each; see :meth:`cells`."""
        fields, out = self.fields, self.step.outcome
        listed = [name for name in self.step.covariates if few_values(fields[name])]
        whole = [name for name in self.step.covariates if name not in listed and isinstance(fields[name], Integer)]
        told: list[tuple[str, ...]] = [(name,) for name in listed]
        told += itertools.combinations(listed, 2)
        told += [(name,) for name in whole]
        if few_values(fields[out]):
            told += [(out,), *((name, out) for name in (*listed, *whole))]
        return tuple(told)

    def design(self, codes: Mapping[str, Ints]) -> tuple[Floats, Floats]:
        """X and y, scaled, of the rows in which every column has a value."""
        kept = self.whole(codes)
        columns = [np.ones(len(kept[self.step.outcome]))]
        columns += [_values(term, kept[term.column], self.fields[term.column]) for term in self.terms]
        out = self.outcome
        return np.column_stack(columns), _values(out, kept[out.column], self.fields[out.column])

    def means(self, x: Floats) -> tuple[Floats, Floats]:
        """μ and W at the present coefficients."""
        eta = x @ np.array(self.step.beta)
        if self.step.family == "gaussian":
            return eta, np.ones_like(eta)
        if self.step.family == "binomial":
            mean = 1 / (1 + np.exp(-eta))
            return mean, mean * (1 - mean)
        return np.exp(eta), np.exp(eta)

    def moments(self, codes: Mapping[str, Ints], bits: int) -> Ints:
        """The exact whole numbers of these rows."""
        x, y = self.design(codes)
        total = np.zeros(self.size, dtype=np.int64)
        above, unit = np.triu_indices(x.shape[1]), float(2**bits)
        for start in range(0, len(x), _CHUNK):
            part = x[start : start + _CHUNK]
            mean, weight = self.means(part)
            apart = y[start : start + _CHUNK] - mean
            products = part[:, above[0]] * part[:, above[1]] * weight[:, None]
            squares = apart**2 if self.step.family == "gaussian" else np.zeros_like(apart)
            rows = np.column_stack([products, part * apart[:, None], squares])
            total[0] += len(part)
            total[1:] += np.rint(rows * unit).astype(np.int64).sum(axis=0)
        return total

    def thin(self, codes: Mapping[str, Ints], cohort: Threshold) -> str:
        """Why the rows of one site are too few for this step ('' where not). Only for exact totals: it reads rows.

        Coefficients could be chosen so that few rows weigh nearly everything: those that weigh at least a hundredth of
        the heaviest are counted.
        """
        x, _ = self.design(codes)
        if len(x) < 3 * x.shape[1]:
            return "too few rows for so many coefficients"
        _, weight = self.means(x)
        heavy = np.array((weight * 100 >= weight.max()).sum())
        return "few rows have most of the weight" if bool(cohort.few(heavy)) else ""


def few_values(domain: Domain) -> bool:
    """Whether sums tell how many rows have each value: a category's, or a number's whose rows, sum and squares do."""
    return not isinstance(domain, Numeric) or domain.cells <= 3


def terms_of(covariates: tuple[str, ...], fields: Mapping[str, Domain]) -> tuple[Term, ...]:
    """The terms of covariates: numbers as they are, categories and booleans against their first value."""
    out: list[Term] = []
    for column in covariates:
        domain = _field(fields, column)
        if isinstance(domain, Numeric):
            out.append(_number(column, domain))
        elif isinstance(domain, (Category, Boolean)):
            out += [Term(f"{column}[{domain.decode(code)}]", column, code) for code in range(1, domain.cells)]
        else:
            raise QueryError(f"column {column!r} is no covariate; numbers, categories and booleans are")
    if len(set(covariates)) < len(covariates) or len(out) >= MAX_TERMS:
        raise QueryError(f"a regression takes each covariate once, and at most {MAX_TERMS} coefficients")
    return tuple(out)


def slack(information: Floats, rows: int, bits: int) -> float:
    """How far rounding can have moved the next coefficients."""
    size = len(information)
    return float(np.linalg.norm(np.linalg.inv(information), 2)) * math.sqrt(size) * rows / 2.0 ** (bits + 1)


def _field(fields: Mapping[str, Domain], name: str) -> Domain:
    if name not in fields:
        raise QueryError(f"the table has no column {name!r}")
    return fields[name]


def _number(column: str, domain: Numeric) -> Term:
    low, step, cells = domain.origin, domain.spacing, domain.cells
    half = step * (cells - 1) / 2
    return Term(column, column, None, float(low + half), float(half) or 1.0)


def _values(term: Term, codes: Ints, domain: Domain) -> Floats:
    if term.code is not None:
        return np.asarray(codes == term.code, dtype=np.float64)
    if not isinstance(domain, Numeric):
        return codes.astype(np.float64)
    value = float(domain.origin) + float(domain.spacing) * codes.astype(np.float64)
    return np.asarray((value - term.middle) / term.half, dtype=np.float64)
