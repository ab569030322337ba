"""A regression's design: its terms as products of columns, and the sums of their products that are measured.

Every column becomes a whole number a row, its *weight*: a number's distance from the middle of its public range, in
(half) grid steps; a column of two values -1 or 1; a category of more values an indicator for each value but the first.
A term is a product of such weights, and so is what is summed: a *monomial*. Squares of what is -1 or 1 are 1, an
indicator is its own square, and two values of one category never meet; so many sums repeat or are nothing, and each is
measured once. The whole numbers are then multiplied by public factors, so that the same noise on each is near to the
noise that serves the coefficients best.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pets.errors import QueryError
from pets.plan.measure import Cell, Weight
from pets.plan.predicate import field
from pets.query_model.nodes.design import Moments
from pets.schema.domain import Boolean, Category, Domain
from pets.schema.numeric import Integer, Numeric

MAX_COEFFICIENTS = 64
"""Coefficients of one regression, the intercept among them."""
MAX_LEVELS = 50
"""Values of a category in a regression."""
SPARE = 3
"""Bits that are left free where they are not needed: several sites may each hold rows of one person."""
FINE, ENOUGH = 6, 36
"""Bits beyond those that are needed with which factors are fine enough; and bits that are enough for all: noise on the
sums, which is some hundred times as great as what a row adds, must stay within what can be drawn."""
WEIGHED = 52
"""Bits, those of a row's weight among them, beyond which factors are made no finer."""

Monomial = tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]
"""(column, power) of weights, and (column, code) of indicators; each in order of the columns."""
ONE: Monomial = ((), ())


@dataclass(frozen=True)
class Column:
    """One coefficient's column of the design.

    Attributes:
        term: the columns of its term; none for the intercept.
        levels: of each category of more than two values among them, the code whose indicator it is.
        monomial: what it is.
    """

    term: tuple[str, ...]
    levels: Mapping[str, int]
    monomial: Monomial


@dataclass(frozen=True)
class Design:
    """The columns of a regression and the sums that are measured for it.

    Attributes:
        domains: of its columns.
        outcome: by name.
        columns: one a coefficient, the intercept first.
        monomials: what is summed, in the order of the vector.
        blocks: to which block of the normal equations each sum belongs: 0, 1 or 2 for X'X, X'y and y'y.
        weights: R², the squared length up to which a row counts in full; ``None`` where every row does.
        listed: numbers that are taken as categories of their values.
    """

    domains: Mapping[str, Domain]
    outcome: str
    columns: tuple[Column, ...]
    monomials: tuple[Monomial, ...]
    blocks: tuple[int, ...]
    weights: Fraction | None = None
    listed: tuple[str, ...] = ()

    @property
    def products(self) -> tuple[tuple[str, ...], ...]:
        """The columns of each term but the intercept."""
        return tuple(dict.fromkeys(one.term for one in self.columns if one.term))

    def wide(self, name: str) -> bool:
        """Whether a column is a category of more than two values, so that its values have columns of their own."""
        return _wide(name, self.domains[name], self.listed)

    @property
    def references(self) -> tuple[str, ...]:
        """Of each column of values, the value against which the others' coefficients are: ``region[East]``."""
        names = dict.fromkeys(name for one in self.columns for name in one.term)
        listed = [name for name in names if isinstance(self.domains[name], (Boolean, Category)) or name in self.listed]
        return tuple(f"{name}[{self.domains[name].decode(0)}]" for name in listed)

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of the coefficients: ``region[North]`` is against the first value that the schema lists."""
        return tuple(":".join(self._part(one, name) for name in one.term) or "intercept" for one in self.columns)

    def _part(self, one: Column, name: str) -> str:
        domain = self.domains[name]
        two = domain.cells == 2 and not self.measured(name)
        code = 1 if two else one.levels.get(name)
        return name if code is None else f"{name}[{domain.decode(code)}]"

    def measured(self, name: str) -> bool:
        """Whether a column is a number, and not taken as a category of its values."""
        return isinstance(self.domains[name], Numeric) and name not in self.listed

    def weight(self, column: str) -> Weight:
        """The weight of a row in a column."""
        return weight_of(self.domains[column])

    def largest(self, monomial: Monomial) -> int:
        """The greatest absolute value of a monomial in one row."""
        return math.prod(self.weight(name).largest ** power for name, power in monomial[0])

    def cells(
        self, rows: int, greatest: int, shares: Sequence[Fraction] | None = None, bits: int = 0
    ) -> tuple[Cell, ...]:
        """The measured sums, each with its public factor.

        Args:
            rows: of all people together, at most.
            greatest: what no sum may pass.
            shares: of each sum, the square of its factor against others'; left out, what serves rows of equal weight.
            bits: that a row's weight takes.

        Raises:
            QueryError: where a product is too large to be summed for so many people.
        """
        room = max((greatest // rows).bit_length() - 1 - bits, 0)
        if shares is None:
            counts = [
                squared([one for one, at in zip(self.monomials, self.blocks, strict=True) if at == block], None)
                for block in range(2)
            ]
            split = shared(*map(Fraction, counts))
            shares = [split[block] / max(split) for block in self.blocks]
        tops = [math.isqrt(int((1 << (2 * room)) * share)) for share in shares]
        needed = max(
            (self.largest(one) * (1 << room)) // top + 1 if top else 1 << 63
            for one, top in zip(self.monomials, tops, strict=True)
        ).bit_length()
        if needed > room:
            widest = max(self.domains, key=lambda name: self.weight(name).largest)
            raise QueryError(
                f"the products of {widest!r} could pass 2^62 with {rows:,} rows; use a coarser step for it, or state a "
                "smaller 'people' (a public upper bound) in the schema's table"
            )
        fine = max(needed + FINE, ENOUGH - bits)
        spare = room - max(needed, min(room - SPARE, min(fine, WEIGHED - bits) if bits else fine))
        out = []
        for one, top in zip(self.monomials, tops, strict=True):
            factors = tuple((name, self.weight(name), power) for name, power in one[0])
            out.append(Cell((top >> spare) // self.largest(one), factors, one[1]))
        return tuple(out)

    def name(self, monomial: Monomial) -> str:
        """A monomial in words, such as ``age*age`` or ``age*region[North]``.

        >>> Design({}, "y", (), (), ()).name(ONE)
        '1'
        """
        named = [name for name, power in monomial[0] for _ in range(power)]
        named += [f"{name}[{self.domains[name].decode(code)}]" for name, code in monomial[1]]
        return "*".join(named) or "1"


def weight_of(domain: Domain) -> Weight:
    """A row's weight: around the middle of the public range, in half steps where it lies between two of them."""
    top = domain.cells - 1
    return Weight(0, top, 1, top // 2) if top % 2 == 0 else Weight(0, top, 2, top)


def times(first: Monomial, second: Monomial, domains: Mapping[str, Domain]) -> Monomial | None:
    """The product of two monomials as far as it can be told from others; ``None`` where it is 0 in every row."""
    powers: dict[str, int] = dict(first[0])
    for name, power in second[0]:
        powers[name] = powers.get(name, 0) + power
    kept = {name: power % 2 if domains[name].cells == 2 else power for name, power in powers.items()}
    levels: dict[str, int] = dict(first[1])
    for name, code in second[1]:
        if levels.setdefault(name, code) != code:
            return None
    return tuple(sorted((name, power) for name, power in kept.items() if power)), tuple(sorted(levels.items()))


def design_of(asked: Moments, fields: Mapping[str, Domain], table: str) -> Design:
    """The design of a regression on public domains; raises :class:`QueryError` for columns that have no numbers."""
    domains = {name: field(name, fields, table) for name in asked.columns}
    for name, domain in domains.items():
        _check(name, domain, outcome=name == asked.outcome, listed=name in asked.levels)
    columns = [Column((), {}, ONE)]
    for term in asked.terms:
        columns += _columns(term, domains, asked.levels)
        if len(columns) > MAX_COEFFICIENTS:
            raise QueryError(
                f"the regression has more than {MAX_COEFFICIENTS} coefficients; take fewer terms, or categories of "
                "fewer values (group them with map)"
            )
    y: Monomial = (((asked.outcome, 1),), ())
    found: dict[Monomial, int] = {}
    pairs = [(one.monomial, other.monomial, 0) for i, one in enumerate(columns) for other in columns[i:]]
    pairs += [(one.monomial, y, 1) for one in columns] + [(y, y, 2)]
    for one, other, block in pairs:
        product = times(one, other, domains)
        if product is not None:
            found.setdefault(product, block)
    sums = tuple(found), tuple(found.values())
    return Design(domains, asked.outcome, tuple(columns), *sums, asked.weights, asked.levels)


def _wide(name: str, domain: Domain, listed: tuple[str, ...]) -> bool:
    return domain.cells > 2 and (isinstance(domain, Category) or name in listed)


def _check(name: str, domain: Domain, *, outcome: bool, listed: bool) -> None:
    if not isinstance(domain, (Numeric, Boolean, Category)) or (outcome and isinstance(domain, Category)):
        kinds = "a number or a boolean" if outcome else "a number, a boolean or a category"
        raise QueryError(
            f"column {name!r} holds {domain.describe()}, and {'the outcome' if outcome else 'a term'} of a regression "
            f"is {kinds}; name another column{yes_or_no(name, domain) if outcome else ''}"
        )
    if domain.cells < 2:
        raise QueryError(f"column {name!r} can only have one value, and explains nothing; leave it out")
    if listed and not isinstance(domain, Numeric):
        raise QueryError(
            f"column {name!r} holds {domain.describe()}, whose values have coefficients anyhow; leave it out of levels"
        )
    if (isinstance(domain, Category) or listed) and domain.cells > MAX_LEVELS:
        kind, instead = ("values", "take C() off") if listed else ("categories", "group them first, with map")
        raise QueryError(
            f"column {name!r} has {domain.cells:,} {kind}, and a regression takes at most {MAX_LEVELS}; {instead}"
        )


def yes_or_no(name: str, domain: Domain) -> str:
    """How a boolean is had of a column that is none; nothing for columns of which no value can be shown."""
    if isinstance(domain, Category):
        condition = f"== {domain.decode(domain.cells - 1)!r}"
    elif isinstance(domain, Integer):
        condition = f"> {(domain.lo + domain.hi) // 2}"
    else:
        return ""
    return (
        f", declare a boolean in the schema, or ask of people: data=pets.people(of='t', yes=pets.events('t').where("
        f"pets.col({name!r}) {condition}).exists(), …), with your table for 't'"
    )


def _columns(term: tuple[str, ...], domains: Mapping[str, Domain], listed: tuple[str, ...]) -> list[Column]:
    """The columns of one term: a product of categories has one for each choice of a value but the first of each."""
    out = [Column(term, {}, ONE)]
    for name in term:
        domain = domains[name]
        if _wide(name, domain, listed):
            choices: list[tuple[dict[str, int], Monomial]] = [
                ({name: code}, ((), ((name, code),))) for code in range(1, domain.cells)
            ]
        else:
            choices = [({}, (((name, 1),), ()))]
        made = []
        for before in out:
            for levels, one in choices:
                product = times(before.monomial, one, domains)
                assert product is not None, "the columns of a term differ"
                made.append(Column(term, {**before.levels, **levels}, product))
        out = made
    return out


def squared(monomials: Sequence[Monomial], sizes: Sequence[int] | None) -> int:
    """The greatest sum of ``sizes`` (of ones, where they are left out) over what can be non-zero in one row.

    Of a category, a row has one value. So among sums of the same categories only those of one choice of values are
    non-zero together, and the greatest choice of each such family bounds them all.
    """
    families: dict[tuple[str, ...], dict[tuple[int, ...], int]] = {}
    for (_, levels), size in zip(monomials, [1] * len(monomials) if sizes is None else sizes, strict=True):
        choices = families.setdefault(tuple(name for name, _ in levels), {})
        codes = tuple(code for _, code in levels)
        choices[codes] = choices.get(codes, 0) + size
    return sum(max(choices.values()) for choices in families.values())


def shared(square: Fraction, beside: Fraction) -> list[Fraction]:
    """By block, the square of the factor on its sums, up to a common one.

    A twentieth of the loss is for y'y; the rest is split as Δ of X'y to half of Δ of X'X: what serves coefficients of
    half a unit on the scaled columns best. Roots are whole numbers of 2^-20, so that every checker finds the same.

    Args:
        square, beside: Δ² of X'X and of X'y, where the factors are 1.
    """
    ra, rb = (math.isqrt(math.floor(one * (1 << 40))) for one in (square, beside))
    return [19 * ra / square, 38 * rb / beside, Fraction(ra + 2 * rb)]
