"""Each aggregate twice, side by side: how the generative tests draw one, and what it means.

What it means is computed row by row in plain Python, from decoded values with fractions. Like ``tests/oracle.py``, of
which it is a part, it shares no code with the compiler and never reads the planner.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from pets.common.codec import fraction
from pets.query_model import aggregate as agg
from pets.query_model import expression as ex
from pets.query_model.nodes import moments
from pets.query_model.nodes.aggregate_base import OfColumn
from pets.query_model.nodes.design import Moments
from pets.query_model.nodes.exits import Exits
from pets.query_model.nodes.gradient import Gradient
from pets.query_model.nodes.meat import Meat
from pets.query_model.nodes.newton import Newton
from pets.query_model.query import Query
from pets.schema.schema import Boolean, Category, Domain, Integer, Real
from tests.generative.compare import Near
from tests.oracle import Kept, holds
from tests.strategies import Draw, Fields, constants, edges, pick, some_condition

Drawn = Callable[[Draw[Any], Fields], agg.Aggregate | None]
Means = Callable[[Any, Fields, list[Kept], Query], Any]

QUANTILE_LEAVES = 256


@dataclass(frozen=True)
class Kind:
    """What the tests know of a kind of aggregate.

    Attributes:
        drawn: one for these columns; ``None`` where no column is of its type.
        means: its answer for the rows of one group; ``None`` where there is nothing to take a mean of.
    """

    drawn: Drawn
    means: Means


def meaning(node: agg.Aggregate, fields: Fields, rows: list[Kept], query: Query) -> Any:
    """One aggregate of one group."""
    assert type(node) in AGGREGATES, (
        f"tests/aggregates.py must say, without reading the planner, what this means: {type(node).__name__}"
    )
    return AGGREGATES[type(node)].means(node, fields, rows, query)


def meeting(node: Any, rows: list[Kept]) -> list[Kept]:
    """The rows that meet the aggregate's own condition."""
    return [row for row in rows if node.where is None or holds(node.where, row.values)]


def values_of(node: Any, rows: list[Kept]) -> list[Any]:
    """The values of the aggregate's column in the rows that meet its condition."""
    return [row.values[node.column] for row in meeting(node, rows) if row.values[node.column] is not None]


def number(domain: Domain) -> Integer | Real:
    """The domain of a column of numbers."""
    assert isinstance(domain, (Integer, Real))
    return domain


def where(draw: Draw[Any], fields: Fields) -> ex.Filter | None:
    """A condition of its own, or none."""
    return some_condition(draw, fields, 1) if draw(st.integers(0, 2)) == 0 else None


# ── counts and rates ──────────────────────────────────────────────────────────────────────────────────────────────────


def a_count(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    return agg.Count(where(draw, fields))


def rows_counted(node: agg.Count, _: Fields, rows: list[Kept], __: Query) -> int:
    return len(meeting(node, rows))


def a_count_of_people(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    return agg.CountUnits(where(draw, fields))


def people_counted(node: agg.CountUnits, _: Fields, rows: list[Kept], __: Query) -> int:
    return len({row.person for row in meeting(node, rows)})


def a_list_of_tails(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    return agg.Tails(where(draw, fields))


def people_with_so_many_rows(node: agg.Tails, _: Fields, rows: list[Kept], __: Query) -> list[int]:
    """Up to the most that anybody here has; the answer has a 0 for each further row that may be kept."""
    numbers = [row.rank for row in meeting(node, rows)]
    return [numbers.count(number) for number in range(1, max(numbers, default=0) + 1)]


def a_rate(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    condition = some_condition(draw, fields, 2)
    return None if condition is None else agg.Rate(condition)


def share_of_rows(node: agg.Rate, _: Fields, rows: list[Kept], __: Query) -> Fraction | None:
    return Fraction(len(meeting(node, rows)), len(rows)) if rows else None


# ── sums, means and variances ─────────────────────────────────────────────────────────────────────────────────────────


def numeric(draw: Draw[Any], fields: Fields) -> tuple[str, Any, ex.Filter | None] | None:
    """A column, a clip or none, a condition or none."""
    name = pick(draw, fields, Integer, Real)
    if name is None:
        return None
    clip = None
    if draw(st.integers(0, 2)) == 0:
        clip = tuple(sorted((draw(st.sampled_from(constants(fields[name]))) for _ in range(2)), key=fraction))
    return name, clip, where(draw, fields)


def bounds(node: OfColumn, domain: Integer | Real) -> tuple[Fraction, Fraction]:
    """The bounds that values are moved between: on the grid, and no wider than the domain."""
    low, high = Fraction(domain.lo), Fraction(domain.hi)
    if node.clip is None:
        return low, high
    step = domain.spacing
    below = low + math.floor((node.clip[0] - low) / step) * step
    above = low + math.ceil((node.clip[1] - low) / step) * step
    return max(low, below), min(high, above)


def clipped(node: OfColumn, fields: Fields, rows: list[Kept]) -> list[Fraction]:
    """The column's values, each moved to the nearer bound."""
    low, high = bounds(node, number(fields[node.column]))
    return [min(max(value, low), high) for value in values_of(node, rows)]


def a_sum(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    found = numeric(draw, fields)
    return None if found is None else agg.Sum(*found)


def total(node: agg.Sum, fields: Fields, rows: list[Kept], _: Query) -> Fraction:
    return sum(clipped(node, fields, rows), Fraction(0))


def a_mean(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    found = numeric(draw, fields)
    return None if found is None else agg.Mean(*found)


def average(node: agg.Mean, fields: Fields, rows: list[Kept], _: Query) -> Fraction | None:
    values = clipped(node, fields, rows)
    return sum(values, Fraction(0)) / len(values) if values else None


def a_spread(kind: type[moments.Spread]) -> Drawn:
    def drawn(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
        found = numeric(draw, fields)
        if found is None:
            return None
        domain = number(fields[found[0]])
        steps = [None, None, domain.spacing * 2, domain.spacing * 7, domain.spacing * 2**30]
        return kind(*found, draw(st.sampled_from(steps)), draw(st.booleans()))

    return drawn


def spread(node: moments.Spread, fields: Fields, rows: list[Kept], _: Query) -> Any:
    domain, values = number(fields[node.column]), clipped(node, fields, rows)
    less = 1 if node.sample else 0
    if len(values) <= less:
        return None
    if node.step is not None:  # values are read on a coarser grid that starts at the domain's lower bound
        values = [domain.origin + math.floor((value - domain.origin) / node.step) * node.step for value in values]
    centre = sum(values, Fraction(0)) / len(values)
    found = sum(((value - centre) ** 2 for value in values), Fraction(0)) / (len(values) - less)
    low, high = bounds(node, domain)
    if isinstance(node, moments.Std):  # no root is greater; a coarse grid could suggest one
        return min(math.sqrt(found), float((high - low) * (Fraction(3, 4) if less else Fraction(1, 2))))
    return min(found, (high - low) ** 2 / (2 if less else 4))


def a_pair(kind: type[moments.OfColumns]) -> Drawn:
    def drawn(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
        names = {pick(draw, fields, Integer, Real) for _ in range(3)} - {None}
        if len(names) < 2:
            return None
        pair, met = tuple(sorted(map(str, names))[:2]), where(draw, fields)
        if kind is moments.Covariance:
            return moments.Covariance((pair[0], pair[1]), met, draw(st.booleans()))
        return kind((pair[0], pair[1]), met)

    return drawn


def pairs_of(node: moments.OfColumns, rows: list[Kept]) -> list[tuple[Fraction, Fraction]]:
    """The values of both columns in the rows that have both."""
    found = [[row.values[name] for name in node.columns] for row in meeting(node, rows)]
    return [(pair[0], pair[1]) for pair in found if None not in pair]


def together(pairs: list[tuple[Fraction, Fraction]], less: int) -> Fraction:
    """Σ (x − mean)(y − mean) over n, or over n − 1."""
    means = [sum((pair[at] for pair in pairs), Fraction(0)) / len(pairs) for at in (0, 1)]
    return sum(((x - means[0]) * (y - means[1]) for x, y in pairs), Fraction(0)) / (len(pairs) - less)


def joint(node: moments.Covariance, _: Fields, rows: list[Kept], __: Query) -> Fraction | None:
    pairs, less = pairs_of(node, rows), 1 if node.sample else 0
    return together(pairs, less) if len(pairs) > less else None


def closeness(node: moments.Correlation, _: Fields, rows: list[Kept], __: Query) -> float | None:
    pairs = pairs_of(node, rows)
    if not pairs:
        return None
    spreads = [together([(pair[at], pair[at]) for pair in pairs], 0) for at in (0, 1)]
    if 0 in spreads:
        return None
    return float(together(pairs, 0)) / math.sqrt(spreads[0]) / math.sqrt(spreads[1])


# ── histograms ────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_histogram(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    name = pick(draw, fields, Category, Boolean, Integer, Real)
    if name is None:
        return None
    domain = fields[name]
    cuts = None
    if isinstance(domain, (Integer, Real)) and (domain.cells > 60 or draw(st.booleans())):
        cuts = tuple(edges(draw, domain))
    return agg.Histogram(name, cuts, where(draw, fields))


def rows_in_bins(node: agg.Histogram, fields: Fields, rows: list[Kept], _: Query) -> list[int]:
    domain, values = fields[node.column], values_of(node, rows)
    if node.edges is None:
        shown: list[Any]
        if isinstance(domain, Category):
            shown = list(domain.values)
        elif isinstance(domain, Boolean):
            shown = [False, True]
        else:
            domain = number(domain)
            shown = [domain.lo + i * domain.spacing for i in range(domain.cells)]
        return [values.count(item) for item in shown]
    last = len(node.edges) - 2
    return [
        sum(low <= v < high or (i == last and v == high) for v in values)
        for i, (low, high) in enumerate(itertools.pairwise(node.edges))
    ]


# ── quantiles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_quantile(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    name = pick(draw, fields, Integer, Real)
    if name is None:
        return None
    q = draw(st.sampled_from([Fraction(1, 2), Fraction(1, 4), Fraction(9, 10), Fraction(1, 3), Fraction(1, 100)]))
    return agg.Quantile(name, q, draw(st.sampled_from([None, None, 2, 5, 33, 300])), where(draw, fields))


def runs(node: agg.Quantile, domain: Integer | Real, query: Query) -> int:
    """How many equal runs of grid values a quantile tells apart: the most that any quantile of the column asks for."""
    asked = [
        other.bins
        for _, other in query.aggregates
        if isinstance(other, agg.Quantile) and other.column == node.column and other.where == node.where
    ]
    given = [bins for bins in asked if bins is not None]
    return min(domain.cells, max(given) if given else QUANTILE_LEAVES)


def place_among_values(node: agg.Quantile, fields: Fields, rows: list[Kept], query: Query) -> Fraction | None:
    """The smallest value with at least a share ``q`` of the rows at or below it.

    Where values are told apart only in runs: a straight line from the run's first value to its last, by how many of the
    run's rows are needed.
    """
    domain, values = number(fields[node.column]), values_of(node, rows)
    if not values:
        return None
    size = runs(node, domain, query)
    codes = [int((value - domain.origin) / domain.spacing) for value in values]
    needed = math.ceil(node.q * len(codes))
    starts = [domain.cells * i // size for i in range(size + 1)]
    for first, end in itertools.pairwise(starts):
        before, here = sum(code < first for code in codes), sum(first <= code < end for code in codes)
        if before + here >= needed:
            place = first + Fraction((end - 1 - first) * (needed - before), here)
            return domain.origin + place * domain.spacing
    raise AssertionError("the last run holds every row")


# ── sums of a regression ──────────────────────────────────────────────────────────────────────────────────────────────


def a_regression(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    fit = {name: one for name, one in fields.items() if isinstance(one, (Category, Boolean, Integer, Real))}
    fit = {name: one for name, one in fit.items() if 2 <= one.cells <= (6 if isinstance(one, Category) else 2**20)}
    outcome = pick(draw, fit, Boolean, Integer, Real)
    others = sorted(set(fit) - {outcome})
    if outcome is None or not others:
        return None
    terms: list[tuple[str, ...]] = [
        (name,) for name in draw(st.lists(st.sampled_from(others), min_size=1, max_size=3, unique=True))
    ]
    if len(terms) > 1 and draw(st.booleans()):
        terms.append((terms[0][0], terms[1][0]))
    few = all(fields[name].cells <= 1000 for name in (outcome, *(name for term in terms for name in term)))
    weights = draw(st.sampled_from([None, 1, "1.5", Fraction(7, 3), 20])) if few else None
    numbers = sorted({name for term in terms for name in term if isinstance(fields[name], (Integer, Real))})
    listed = tuple(name for name in numbers if fields[name].cells <= 6 and draw(st.booleans()))
    return Moments(where=where(draw, fields), terms=tuple(terms), outcome=outcome, weights=weights, levels=listed)


Atom = tuple[str, Any]  # a column, and one of its values (``None``: the number itself)


def scaled(domain: Domain, value: Any) -> Fraction:
    """A number from -1 to 1; of two values the first is -1 and the second 1."""
    if isinstance(domain, (Integer, Real)):
        low, high = Fraction(domain.lo), Fraction(domain.lo) + domain.spacing * (domain.cells - 1)
        return (2 * Fraction(value) - low - high) / (high - low)
    shown = [False, True] if isinstance(domain, Boolean) else list(getattr(domain, "values"))  # noqa: B009
    return Fraction(2 * shown.index(value) - 1)


def distinct(atoms: list[Atom], fields: Fields) -> tuple[Atom, ...] | None:
    """What tells a product from others: what is -1 or 1 gone in pairs, a value once; ``None`` where it is always 0."""
    left: list[Atom] = []
    for atom in sorted(set(atoms), key=str):
        if atom[1] is not None:
            if any(other[0] == atom[0] for other in left):
                return None
            left.append(atom)
        else:
            many = atoms.count(atom)
            left += [atom] * (many % 2 if fields[atom[0]].cells == 2 else many)
    return tuple(left)


def wide(node: Moments, fields: Fields, name: str) -> bool:
    """Whether a column's values have sums of their own."""
    return fields[name].cells > 2 and (isinstance(fields[name], Category) or name in node.levels)


def listed(domain: Domain) -> list[Any]:
    """The values of a category or of a number, in order."""
    if isinstance(domain, (Integer, Real)):
        return [Fraction(domain.lo) + domain.spacing * place for place in range(domain.cells)]
    return list(getattr(domain, "values"))  # noqa: B009


def counts_for(node: Moments, fields: Fields, row: Kept) -> Fraction:
    """How much a row counts: R² over its squared length, at most 1. In 1024ths, rounded down; and the length up, of
    which each square of a grid step is known to 2^-36."""
    if node.weights is None:
        return Fraction(1)
    length = Fraction(1)
    for term in node.terms:
        steps = [name for name in term if fields[name].cells > 2 and not wide(node, fields, name)]
        size = Fraction(1)
        for name in steps:  # in (half) steps from the middle
            size *= (scaled(fields[name], row.values[name]) * ends(fields[name])) ** 2
        many = [name for name in term if wide(node, fields, name)]
        fine = math.ceil(Fraction(2 ** (36 + len(many))) / ends_of(steps, fields) ** 2)
        second = all(row.values[name] != listed(fields[name])[0] for name in many)
        length += second * size * Fraction(fine, 2**36)
    return Fraction(min(1024, math.floor(node.weights * 1024 / length)), 1024)


def ends(domain: Domain) -> int:
    """(Half) steps from the middle to an end."""
    return (domain.cells - 1) // 2 if domain.cells % 2 else domain.cells - 1


def ends_of(names: list[str], fields: Fields) -> int:
    return math.prod(ends(fields[name]) for name in names)


def sums_of_products(node: Moments, fields: Fields, rows: list[Kept], _: Query) -> list[Fraction]:
    columns = sides(node, fields)
    outcome: list[Atom] = [(node.outcome, None)]
    pairs = [one + other for place, one in enumerate(columns) for other in columns[place:]]
    pairs += [one + outcome for one in columns] + [outcome + outcome]
    whole = [row for row in meeting(node, rows) if all(row.values[name] is not None for name in node.columns)]
    out: dict[tuple[Atom, ...], Fraction] = {}
    for atoms in pairs:
        key = distinct(atoms, fields)
        if key is not None and key not in out:
            out[key] = Fraction(0)
            for row in whole:
                out[key] += counts_for(node, fields, row) * of_atoms(atoms, fields, row)
    return list(out.values())


# ── who leaves when ───────────────────────────────────────────────────────────────────────────────────────────────────


def some_exits(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    times = {name: one for name, one in fields.items() if isinstance(one, (Integer, Real)) and one.lo >= 0}
    time, event = pick(draw, times, Integer, Real), pick(draw, fields, Boolean)
    if time is None or event is None:
        return None
    domain = number(times[time])
    if domain.cells < 3 or draw(st.booleans()):
        return Exits(time, event, bins=draw(st.integers(2, 6)), where=where(draw, fields))
    codes = sorted(draw(st.sets(st.integers(1, min(domain.cells, 10**6)), min_size=1, max_size=4)))
    off = draw(st.sampled_from([Fraction(0), Fraction(1, 3)]))  # an edge off the grid lies where the next value is
    low = Fraction(domain.lo)
    cuts = (draw(st.sampled_from([Fraction(0), low])), *(low + domain.spacing * (code - off) for code in codes))
    return Exits(time, event, cuts, where=where(draw, fields))


def leavers(node: Exits, fields: Fields, rows: list[Kept], _: Query) -> list[int]:
    domain, met = number(fields[node.time]), meeting(node, rows)
    low, cuts = Fraction(domain.lo), node.edges
    if cuts is None:
        assert node.bins is not None
        last = domain.cells - 1  # the largest time has a bin of its own
        count = min(node.bins, last)
        starts = [*(last * at // count for at in range(count)), last] if last else [0]
        cuts = tuple(low + domain.spacing * at for at in (*starts, domain.cells))
    pairs = [(row.values[node.time], row.values[node.event]) for row in met]
    known = [(time, event) for time, event in pairs if time is not None and event is not None]
    out = [sum(a <= time < b and event is true for time, event in known) for true in (True, False)
           for a, b in itertools.pairwise(cuts)]  # fmt: skip
    top = low + domain.spacing * (domain.cells - 1)
    return out if top < cuts[-1] else [*out, sum(time >= cuts[-1] for time, _ in known)]


def a_step(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    fields = {n: one for n, one in fields.items() if isinstance(one, (Category, Boolean, Integer, Real))}
    line = a_regression(draw, {n: one for n, one in fields.items() if one.cells <= 2**12})
    family = draw(st.sampled_from(("logistic", "poisson")))
    outcomes = {n: one for n, one in fields.items() if isinstance(one, Boolean)}
    if family == "poisson":
        outcomes |= {n: one for n, one in fields.items() if isinstance(one, Integer) and 0 <= one.lo < one.hi < 2000}
    if not isinstance(line, Moments) or not outcomes:
        return None
    outcome = draw(st.sampled_from(sorted(outcomes)))
    terms = tuple(term for term in line.terms if outcome not in term)
    if not terms:
        return None
    numbers = {n: one for n, one in fields.items() if isinstance(one, (Integer, Real)) and one.cells > 1}
    exposures = {n: one for n, one in numbers.items() if one.lo > 0}
    taken = {outcome, *(name for term in terms for name in term)}
    free = sorted(n for n, one in exposures.items() if n not in taken and one.cells < 1000 and one.hi / one.lo < 1000)
    count = len(sides(Moments(terms=terms, outcome=outcome), fields))
    at = st.lists(st.integers(-(2**30), 2**30), min_size=count, max_size=count)
    return Newton(
        where=line.where,
        terms=terms,
        outcome=outcome,
        family=family,
        at=draw(st.one_of(st.none(), at)),  # type: ignore[arg-type]
        exposure=draw(st.sampled_from((None, *free))) if family == "poisson" else None,
        weights=draw(st.sampled_from((None, Fraction(1), Fraction(9, 2)))),
        fine=draw(st.booleans()),
    )


def sides(node: Moments, fields: Fields) -> list[list[Atom]]:
    """The columns of a regression, the intercept first."""
    columns: list[list[Atom]] = [[]]
    for term in node.terms:
        choices: list[list[Atom]] = []
        for name in term:
            many = wide(node, fields, name)
            choices.append([(name, value) for value in listed(fields[name])[1:]] if many else [(name, None)])
        columns += [list(chosen) for chosen in itertools.product(*choices)]
    return columns


def of_atoms(atoms: Any, fields: Fields, row: Kept) -> Fraction:
    """A product in one row."""
    product = Fraction(1)
    for name, value in atoms:
        own = row.values[name]
        product *= scaled(fields[name], own) if value is None else int(own == value)
    return product


def sums_of_a_step(node: Newton, fields: Fields, rows: list[Kept], _: Query) -> list[Any]:
    columns = sides(node.moments, fields)
    whole = [row for row in meeting(node, rows) if all(row.values[name] is not None for name in node.columns)]
    if node.at is None:
        groups = [of for of in columns if not of or (len(of) == 1 and (of[0][1] or fields[of[0][0]].cells == 2))]
        sums = [of + beside for of in groups for beside in ([], [(node.outcome, None)])]
        sums += [[(node.exposure, None)]] if node.exposure else []
        return [sum((of_atoms(of, fields, row) for row in whole), Fraction(0)) for of in sums]
    beta = [one / 2**30 for one in node.at]
    domain: Any = fields[node.outcome]
    low, high = (domain.lo, domain.hi) if isinstance(domain, Integer) else (0, 1)
    cap = high * (4 if node.fine else 1)
    share: Any = (lambda value: float(value / fields[node.exposure].hi)) if node.exposure else (lambda value: 1.0)  # type: ignore[index, attr-defined]
    ends = [0.0, 0.0]
    for of, at in zip(columns, beta, strict=True):
        reach = sorted([0, at] if of and all(value for _, value in of) else [-at, at]) if of else [at, at]
        ends = [ends[0] + reach[0], ends[1] + reach[1]]

    def mean(eta: float, exposed: float = 1.0) -> float:
        eta = max(-24.0, min(24.0, eta))
        return 1 / (1 + math.exp(-eta)) if node.family == "logistic" else min(cap, math.exp(eta) * exposed)

    least = share(fields[node.exposure].lo) if node.exposure else 1.0  # type: ignore[attr-defined]
    most = mean(ends[1]) - low if node.family == "poisson" else mean(ends[1])
    most = max(most, high - mean(ends[0]) * least) if node.family == "poisson" else max(most, 1 - mean(ends[0]))
    if node.family == "poisson":
        spread = mean(ends[1])
    else:
        near = 0.0 if ends[0] <= 0 <= ends[1] else min(ends, key=abs)
        spread = mean(near) * (1 - mean(near))
    pairs: dict[Any, list[Atom]] = {}
    for place, one in enumerate(columns):
        for other in columns[place:]:
            key = distinct(one + other, fields)
            if key is not None:
                pairs.setdefault(key, one + other)
    out = [0.0] * (len(columns) + len(pairs))
    for row in whole:
        x = [float(of_atoms(of, fields, row)) for of in columns]
        eta = sum(b * one for b, one in zip(beta, x, strict=True))
        mu = mean(eta, share(Fraction(row.values[node.exposure])) if node.exposure else 1.0)
        y = int(row.values[node.outcome])
        weight = min(1.0, float(node.weights) / sum(one**2 for one in x)) if node.weights else 1.0
        variance = mu * (1 - mu) if node.family == "logistic" else mu
        for place, one in enumerate(x):
            out[place] += weight * one * (y - mu) / most
        for place, of in enumerate(pairs.values(), len(columns)):
            out[place] += weight * float(of_atoms(of, fields, row)) * variance / spread
    within = len(whole) * (4e-3 if node.weights else 1e-4) + 1e-9
    return [Near(one, within) for one in out]


def a_step_of_a_training(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    outcomes = sorted(n for n, one in fields.items() if isinstance(one, (Boolean, Category)) and 2 <= one.cells <= 9)
    if not outcomes:
        return None
    outcome = draw(st.sampled_from(outcomes))
    numbers = [name for name, one in fields.items() if isinstance(one, (Integer, Real)) and one.cells > 1]
    few = [name for name, one in fields.items() if isinstance(one, (Boolean, Category)) and 1 < one.cells < 30]
    inputs = sorted({*numbers, *few} - {outcome})
    if not inputs:
        return None
    chosen = draw(st.lists(st.sampled_from(inputs), min_size=1, max_size=3, unique=True))
    hidden = draw(st.sampled_from(((), ((2, "tanh"),), ((3, "relu"), (2, "tanh")))))
    widths = widths_of(Gradient(outcome=outcome, inputs=tuple(chosen), hidden=hidden), fields)
    size = sum((before + 1) * after for before, after in itertools.pairwise(widths))
    norm: Any = draw(st.sampled_from((1, "0.125", "0.001")))
    at = draw(st.one_of(st.none(), st.lists(st.integers(-(2**17), 2**17), min_size=size, max_size=size)))
    where_ = where(draw, fields)
    return Gradient(where=where_, outcome=outcome, inputs=tuple(chosen), hidden=hidden, norm=norm, at=at)  # type: ignore[arg-type]


def entering(node: Gradient, fields: Fields) -> list[tuple[str, Any]]:
    """What enters the first layer: a column, and of a category of three or more values which of them."""
    out: list[tuple[str, Any]] = []
    for name in node.inputs:
        wide = isinstance(fields[name], Category) and fields[name].cells > 2
        out += [(name, value) for value in listed(fields[name])[1:]] if wide else [(name, None)]
    return out


def widths_of(node: Gradient, fields: Fields) -> list[int]:
    outputs = fields[node.outcome].cells
    return [len(entering(node, fields)), *(width for width, _ in node.hidden), 1 if outputs == 2 else outputs]


def classes_of(domain: Domain) -> list[Any]:
    return [False, True] if isinstance(domain, Boolean) else listed(domain)


def nearest(number: int, unit: int) -> int:
    """Ties to even."""
    return round(Fraction(number, unit))


def moved_by(node: Gradient, fields: Fields, rows: list[Kept]) -> list[int]:
    """What one person moves the weights by, in whole numbers of 2^-12: row by row, unit by unit."""
    widths, at, start, layers = widths_of(node, fields), node.at or (), 0, []
    for before, after in itertools.pairwise(widths):
        layers.append([at[start + unit * (before + 1) : start + (unit + 1) * (before + 1)] for unit in range(after)])
        start += (before + 1) * after
    total = [0] * start
    for row in rows:
        given = []
        for name, value in entering(node, fields):
            domain: Any = fields[name]
            own = row.values[name]
            if value is not None:
                given.append(round(math.sqrt(2) * 2**12) if own == value else 0)
            elif isinstance(domain, (Integer, Real)):
                given.append(round(scaled(domain, own) * 2**12))
            else:
                given.append(int(scaled(domain, own)) * 2**12)
        entered, slopes, last = [], [], []
        for place, layer in enumerate(layers):
            entered.append([*given, 2**12])
            last = [nearest(sum(w * x for w, x in zip(unit, entered[-1], strict=True)), 2**16) for unit in layer]
            if place == len(layers) - 1:
                break
            if node.hidden[place][1] == "tanh":
                flat = [max(-(2**16), min(2**16, one)) for one in last]
                given = [round(math.tanh(one / 2**12) * 2**12) for one in flat]
                slopes.append([2**12 - nearest(one * one, 2**12) for one in given])
            else:
                given = [max(0, min(2**18, one)) for one in last]
                slopes.append([2**12 if 0 < one < 2**18 else 0 for one in last])
        told = classes_of(fields[node.outcome]).index(row.values[node.outcome])
        if len(last) == 1:
            chance = round(2**16 / (1 + math.exp(-max(-(2**16), min(2**16, last[0])) / 2**12)))
            error = [chance - told * 2**16]
        else:
            powers = [round(math.exp(max(one - max(last), -(2**16)) / 2**12) * 2**30) for one in last]
            error = [nearest(one * 2**16, sum(powers)) - (told == at_) * 2**16 for at_, one in enumerate(powers)]
        found = list[int]()
        for place in reversed(range(len(layers))):
            found = [one * x for one in error for x in entered[place]] + found
            if place:
                back = [
                    nearest(sum(one * unit[column] for one, unit in zip(error, layers[place], strict=True)), 2**16)
                    for column in range(widths[place])
                ]
                error = [nearest(one * slope, 2**12) for one, slope in zip(back, slopes[place - 1], strict=True)]
                error = [max(-(2**20), min(2**20, one)) for one in error]
        total = [one + other for one, other in zip(total, found, strict=True)]
    return [max(-(2**17), min(2**17, nearest(one, 2**16))) for one in total]


def pulled(node: Gradient, fields: Fields, rows: list[Kept], _: Query) -> list[Any]:
    people: dict[int, list[Kept]] = {}
    for row in meeting(node, rows):
        if all(row.values[name] is not None for name in node.columns):
            people.setdefault(row.person, []).append(row)
    if node.at is None:
        return [len(people)]
    bound = int(node.norm * 2**12)
    out = [0.0] * len(node.at)
    for own in people.values():
        found = moved_by(node, fields, own)
        length = math.sqrt(sum(one**2 for one in found))
        short = 1.0 if length <= bound else bound / length
        out = [one + other * short / 2**12 for one, other in zip(out, found, strict=True)]
    return [Near(one, len(people) * 1.01 / 2**12 + 1e-9) for one in out]


def some_scores(draw: Draw[Any], fields: Fields) -> agg.Aggregate | None:
    fields = {n: one for n, one in fields.items() if isinstance(one, (Category, Boolean, Integer, Real))}
    line = a_regression(draw, {n: one for n, one in fields.items() if one.cells <= 2**12})
    if not isinstance(line, Moments):
        return None
    count = len(sides(line, fields))
    far = draw(st.sampled_from((2**28, 2**31)))
    return Meat(
        where=line.where,
        terms=line.terms,
        outcome=line.outcome,
        at=tuple(draw(st.lists(st.integers(-far, far), min_size=count, max_size=count))),
        norm=draw(st.sampled_from((Fraction(1, 4), Fraction(2), Fraction(50)))),
        weights=line.weights,
        levels=line.levels,
    )


def products_of_scores(node: Meat, fields: Fields, rows: list[Kept], _: Query) -> list[Any]:
    """In units of the norm's square. Exact ones (of no norm) leave in parts, which tests of their own add up."""
    line = node.moments
    columns = sides(line, fields)
    beta = [one / 2**30 for one in node.at]
    people: dict[int, list[float]] = {}
    for row in meeting(node, rows):
        if any(row.values[name] is None for name in node.columns):
            continue
        x = [float(of_atoms(of, fields, row)) for of in columns]
        left = float(scaled(fields[node.outcome], row.values[node.outcome]))
        left -= sum(b * one for b, one in zip(beta, x, strict=True))
        left *= float(counts_for(line, fields, row))
        who = row.person
        own = people.setdefault(who, [0.0] * len(x))
        people[who] = [before + left * one for before, one in zip(own, x, strict=True)]
    assert node.norm is not None
    norm, out = float(node.norm), [0.0] * (len(columns) * (len(columns) + 1) // 2)
    for own in people.values():
        near = [max(-2 * norm, min(2 * norm, one)) for one in own]
        short = min(1.0, norm / max(math.sqrt(sum(one * one for one in near)), 1e-12))
        pairs = [(i, j) for i in range(len(columns)) for j in range(i, len(columns))]
        for place, (i, j) in enumerate(pairs):
            out[place] += near[i] * short * near[j] * short / norm**2
    return [*(Near(one, 1e-2 * (1 + len(people))) for one in out), Fraction(len(people))]


AGGREGATES: dict[type[agg.Aggregate], Kind] = {
    agg.Count: Kind(a_count, rows_counted),
    agg.CountUnits: Kind(a_count_of_people, people_counted),
    agg.Tails: Kind(a_list_of_tails, people_with_so_many_rows),
    agg.Rate: Kind(a_rate, share_of_rows),
    agg.Sum: Kind(a_sum, total),
    agg.Mean: Kind(a_mean, average),
    moments.Variance: Kind(a_spread(moments.Variance), spread),
    moments.Std: Kind(a_spread(moments.Std), spread),
    moments.Covariance: Kind(a_pair(moments.Covariance), joint),
    moments.Correlation: Kind(a_pair(moments.Correlation), closeness),
    agg.Histogram: Kind(a_histogram, rows_in_bins),
    agg.Quantile: Kind(a_quantile, place_among_values),
    Moments: Kind(a_regression, sums_of_products),
    Exits: Kind(some_exits, leavers),
    Newton: Kind(a_step, sums_of_a_step),
    Gradient: Kind(a_step_of_a_training, pulled),
    Meat: Kind(some_scores, products_of_scores),
}
