"""Measures: SQL's aggregates as those of a query, and the names that they have without AS."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from sqlglot import exp

from pets.query_model import aggregate as agg
from pets.query_model.expression import Filter, IsNull, Not
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.nodes.moments import Correlation, Covariance, Std, Variance
from pets.query_model.sql.computed import name_of
from pets.query_model.sql.conditions import condition, constant, number
from pets.query_model.sql.instead import instead
from pets.query_model.sql.refusal import Refusal, at, only, word
from pets.query_model.sql.scope import Scope
from pets.query_model.traits import SPELLINGS, Spelling
from pets.schema.domain import Identifier

_SPELT = {spelling.name.upper(): spelling for spelling in SPELLINGS.values()}
_STEPS: dict[str, tuple[type[Variance | Std], bool]] = {
    "VAR_POP_IN_STEPS": (Variance, False),
    "VAR_SAMP_IN_STEPS": (Variance, True),
    "STDDEV_POP_IN_STEPS": (Std, False),
    "STDDEV_SAMP_IN_STEPS": (Std, True),
}
OWN = frozenset({"QUANTILE_IN_BINS", *_STEPS, *_SPELT})
"""Measures by pets' own names: what SQL has no word for is called as it is in Python."""

_KNOWN = (
    "measures are COUNT, COUNT(DISTINCT person), SUM, AVG, VAR_POP, STDDEV_POP, COVAR_POP, CORR, MEDIAN, "
    "QUANTILE_DISC, HISTOGRAM, each with FILTER (WHERE …) where it is wanted"
)
_RATIO = (
    "of two measures only a share is one question, such as AVG(CASE WHEN wait > 240 THEN 1 ELSE 0 END); ask for both, "
    "and divide the answer's columns: release.table"
)


def is_measure(node: exp.Expression) -> bool:
    """Whether an expression aggregates rows, so that it is no key."""
    return any(
        isinstance(part, (exp.AggFunc, exp.Window))
        or (isinstance(part, exp.Anonymous) and str(part.this).upper() in OWN)
        for part in node.walk(prune=lambda part: isinstance(part, exp.Select))
    )


def measure(node: exp.Expression, scope: Scope) -> Aggregate:
    """The aggregate that an expression describes."""
    while isinstance(node, exp.Paren):
        node = node.this
    window = node.find(exp.Window)
    if window is not None:
        raise Refusal(window, instead(window))
    where: Filter | None = None
    if isinstance(node, exp.Filter):
        only(node, "this", "expression")
        where = condition(node.expression.this, scope)
        node = node.this
    with at(node):
        return _measure(node, scope, where)


def _measure(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    read = _READERS.get(type(node))
    if read is not None:
        return read(node, scope, where)
    if isinstance(node, exp.Anonymous) and str(node.this).upper() in OWN:
        return _own(node, scope, where)
    if where is None and isinstance(node, exp.Div):
        return _share(node, scope)
    if where is None and isinstance(node, exp.Sub):
        return _difference(node, scope)
    if isinstance(node, (exp.Binary, exp.Neg)):
        raise Refusal(node, _RATIO)
    if not isinstance(node, exp.ApproxDistinct):  # what may be written in place of any other reads no identifier
        for column in node.find_all(exp.Column):
            scope.refuse_identifier(column)
    raise Refusal(node, instead(node) or f"{word(node)} is not answered; {_KNOWN}")


# counts ---------------------------------------------------------------------------------------------------------------


def _count(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    only(node, "this", "expressions")
    of = node.this
    if node.expressions or of is None:
        raise Refusal(node, "COUNT takes one column, or *")
    if isinstance(of, exp.Distinct):
        return _people(of, scope, where)
    if isinstance(of, exp.Star) or (isinstance(of, exp.Literal) and not of.args.get("is_string")):
        if isinstance(of, exp.Star):
            only(of)
        return agg.Count(where)
    if isinstance(of, exp.Case):
        return agg.Count(_both(where, _case(of, scope, (exp.Literal,), otherwise=False)[0]))
    if scope.is_person(of):
        there = scope.present(of)  # rows of nobody are not in a snapshot
        return agg.Count(where if there is None else _both(where, there))
    return agg.Count(_both(where, Not(IsNull(scope.column(of)))))


def _people(node: exp.Distinct, scope: Scope, where: Filter | None) -> Aggregate:
    only(node, "expressions")
    of = node.expressions[0] if len(node.expressions) == 1 else node
    if isinstance(of, exp.Case):
        met, value = _case(of, scope, (exp.Column,), otherwise=False)
        of, where = value, _both(where, met)
    if scope.is_person(of):
        there = scope.present(of)
        return agg.CountUnits(where if there is None else _both(where, there))
    if isinstance(of, exp.Column) and scope.is_of_person_table(of):
        raise Refusal(
            of, f"people are counted by the rows of the table itself: COUNT(DISTINCT {scope.table}.{scope.unit})"
        )
    if isinstance(of, exp.Column):
        name = of.name[:60]
        if not isinstance(scope.fields.get(name), Identifier):
            scope.column(of)
        who = f"{name!r} does not name a person"
    else:
        who = "this is no column that names a person"
    people = "COUNT_UNITS()" if scope.unit is None else f"COUNT(DISTINCT {scope.unit})"
    raise Refusal(
        of,
        f"{who}, and one person may change how many different values there are by many; count people by value: "
        f"SELECT x, {people} … GROUP BY x; of the answer, release.values_above() says how many values surely occur",
    )


def _count_if(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    only(node, "this")
    return agg.Count(_both(where, condition(node.this, scope)))


# one column -----------------------------------------------------------------------------------------------------------


def _sum(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    only(node, "this")
    if isinstance(node.this, exp.Case):
        met, value = _case(node.this, scope, (exp.Literal, exp.Column, exp.Anonymous))
        where = _both(where, met)
        if isinstance(value, exp.Literal):
            return agg.Count(where)
        return agg.Sum(*_clipped(value, scope), where)
    return agg.Sum(*_clipped(node.this, scope), where)


def _mean(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    only(node, "this")
    if isinstance(node.this, exp.Case):
        otherwise = node.this.args.get("default")
        met, value = _case(node.this, scope, (exp.Literal, exp.Column, exp.Anonymous))
        if isinstance(value, exp.Literal) and where is None and otherwise is not None and number(otherwise) == 0:
            return agg.Rate(met)
        if isinstance(value, exp.Literal) or otherwise is not None:
            raise Refusal(
                node.this,
                "a share is AVG(CASE WHEN … THEN 1 ELSE 0 END); a mean of some rows is AVG(x) FILTER (WHERE …)",
            )
        return agg.Mean(*_clipped(value, scope), _both(where, met))
    return agg.Mean(*_clipped(node.this, scope), where)


def _spread(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    """VAR_POP and STDDEV_POP divide by n; VAR_SAMP, VARIANCE, STDDEV_SAMP and STDDEV, as in DuckDB, by n − 1."""
    only(node, "this")
    kind = Variance if isinstance(node, (exp.Variance, exp.VariancePop)) else Std
    sample = isinstance(node, (exp.Variance, exp.Stddev, exp.StddevSamp))
    return kind(*_clipped(node.this, scope), where, None, sample)


def _joint(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    only(node, "this", "expression")
    pair = (_clipped(node.this, scope), _clipped(node.expression, scope))
    if pair[0][1] is not None or pair[1][1] is not None:
        raise Refusal(node, "two columns vary together as they are; bounds are computed first, with MIN_OF and MAX_OF")
    columns = (pair[0][0], pair[1][0])
    if isinstance(node, exp.Corr):
        return Correlation(columns, where)
    return Covariance(columns, where, isinstance(node, exp.CovarSamp))


def _median(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    only(node, "this")
    return agg.Quantile(scope.column(node.this), Fraction(1, 2), None, where)


def _quantile(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    only(node, "this", "expression", "quantile")
    share = node.args.get("expression") or node.args.get("quantile")
    return agg.Quantile(scope.column(node.this), _number(share or node), None, where)


def _within(node: exp.Expression, scope: Scope, where: Filter | None) -> Aggregate:
    only(node, "this", "expression")
    call, order = node.this, node.expression
    wrong = Refusal(node, "write PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY x), or QUANTILE_DISC(x, 0.9)")
    if not isinstance(call, (exp.PercentileCont, exp.PercentileDisc)) or not isinstance(order, exp.Order):
        raise wrong
    if len(order.expressions) != 1 or call.args.get("expression") is not None:
        raise wrong
    by = order.expressions[0]
    if isinstance(by, exp.Ordered):
        if by.args.get("desc"):
            raise Refusal(by, "write the share from below, without DESC: 0.9 for the value that one in ten lies above")
        by = by.this
    return agg.Quantile(scope.column(by), _number(call.this), None, where)


def _clipped(node: exp.Expression, scope: Scope) -> tuple[str, Any]:
    """A column and the bounds that its values are moved between: CLIP(x, 0, 10), pets' own."""
    if isinstance(node, exp.Anonymous) and str(node.this).upper() == "CLIP" and len(node.expressions) == 3:
        column, low, high = node.expressions
        return scope.column(column), (_number(low), _number(high))
    if isinstance(node, (exp.Least, exp.Greatest)) and isinstance(node.this, (exp.Least, exp.Greatest)):
        return _between(node, scope)
    if isinstance(node, exp.Column):
        return scope.column(node), None
    made = name_of(node, scope)
    if made is not None:
        return made, None
    raise Refusal(
        node, instead(node) or "a measure is of a column, or of CLIP(x, 0, 10): its values moved between bounds"
    )


def _between(node: exp.Expression, scope: Scope) -> tuple[str, Any]:
    """LEAST(GREATEST(x, 0), 10), in either order; both pass NULL by, so only where there is none it is a clip."""
    inner = node.this
    other = exp.Greatest if isinstance(node, exp.Least) else exp.Least
    ends = [*node.expressions, *(inner.expressions if isinstance(inner, other) else [])]
    if not isinstance(inner, other) or not isinstance(inner.this, exp.Column) or len(ends) != 2:
        raise Refusal(node, "write CLIP(x, 0, 10): values moved between two bounds")
    column = scope.column(inner.this)
    if scope.fields[column].nullable:
        raise Refusal(
            node,
            f"LEAST and GREATEST put a bound in place of a missing value; write CLIP({column}, …)",
        )
    outer, inner_ = (_number(end) for end in ends)
    return column, (inner_, outer) if isinstance(node, exp.Least) else (outer, inner_)


# shares ---------------------------------------------------------------------------------------------------------------


def _share(node: exp.Div, scope: Scope) -> Aggregate:
    """A count of some rows over a count of all: the share of rows; a sum over its count: the mean."""
    top = node.this
    while isinstance(top, (exp.Mul, exp.Paren, exp.Cast)):
        top = _unit(top)
    bottom = node.expression
    if isinstance(bottom, exp.Nullif) and number(bottom.expression) == 0:
        bottom = bottom.this  # a share of nothing is not estimable anyway
    above, below = measure(top, scope), measure(bottom, scope)
    if isinstance(above, agg.Count) and above.where is not None and below == agg.Count():
        return agg.Rate(above.where)
    if isinstance(above, agg.Sum) and isinstance(below, agg.Count) and above.clip is None:
        with_value = Not(IsNull(above.column))
        if below.where == _both(above.where, with_value):
            return agg.Mean(above.column, None, above.where)
    raise Refusal(node, _RATIO)


def _unit(node: exp.Expression) -> exp.Expression:
    """What is multiplied by 1.0, in brackets or cast to a number with a fraction."""
    if isinstance(node, exp.Paren):
        return node.this  # type: ignore[no-any-return]
    if isinstance(node, exp.Cast) and node.to.this.name in ("DOUBLE", "FLOAT", "DECIMAL"):
        return node.this  # type: ignore[no-any-return]
    if isinstance(node, exp.Mul):
        for one, other in ((node.this, node.expression), (node.expression, node.this)):
            if isinstance(other, exp.Literal) and number(other) == 1:
                return one  # type: ignore[no-any-return]
    raise Refusal(node, "a share is answered as a share of 1; leave the factor out, and multiply the answer by it")


def _difference(node: exp.Sub, scope: Scope) -> Aggregate:
    """COUNT(*) − COUNT(x): the rows without a value."""
    all_, some = measure(node.this, scope), measure(node.expression, scope)
    met = some.where.term if isinstance(some, agg.Count) and isinstance(some.where, Not) else None
    if all_ == agg.Count() and isinstance(met, IsNull):
        return agg.Count(met)
    raise Refusal(node, _RATIO)


# pets' own ------------------------------------------------------------------------------------------------------------


def _own(node: exp.Anonymous, scope: Scope, where: Filter | None) -> Aggregate:
    name, parts = str(node.this).upper(), node.expressions
    if name in _SPELT:
        return _spelt(node, _SPELT[name], scope, where)
    if name == "QUANTILE_IN_BINS" and len(parts) == 3:
        bins: Any = constant(parts[2])
        return agg.Quantile(scope.column(parts[0]), _number(parts[1]), bins, where)
    if name in _STEPS and len(parts) == 2:
        kind, sample = _STEPS[name]
        return kind(*_clipped(parts[0], scope), where, _number(parts[1]), sample)
    raise Refusal(node, _EXAMPLES[name])


def _spelt(node: exp.Anonymous, spelling: Spelling, scope: Scope, where: Filter | None) -> Aggregate:
    """NAME(…) as Python's function of that name takes it, the condition of its rows by FILTER."""
    make: Callable[..., Aggregate] = getattr(agg, spelling.name)
    name, parts = spelling.name.upper(), node.expressions
    if spelling.takes == "rows":
        if parts:
            raise Refusal(node, f"{name}() takes nothing; which rows count is said by FILTER (WHERE …)")
        return make(where)
    if spelling.takes == "condition":
        if len(parts) != 1 or where is not None:
            raise Refusal(node, f"write {name}(age >= 65): one condition, without FILTER")
        return make(condition(parts[0], scope))
    if spelling.colon == "edges" and parts:
        return make(scope.column(parts[0]), tuple(map(_number, parts[1:])) or None, where=where)
    if spelling.colon == "share" and len(parts) == 2:
        return make(scope.column(parts[0]), _number(parts[1]), where=where)
    if spelling.colon == "bounds" and len(parts) == 1:
        column, clip = _clipped(parts[0], scope)
        return make(column, clip=clip, where=where)
    if spelling.takes == "columns" and len(parts) == 2:
        return make(*(_clipped(part, scope)[0] for part in parts), where=where)
    if not spelling.colon and spelling.takes == "column" and len(parts) == 1:
        return make(scope.column(parts[0]), where=where)
    raise Refusal(
        node, f"write {name}{'(x, y): the two columns' if spelling.takes == 'columns' else _TAKES[spelling.colon]}"
    )


_TAKES = {
    "": "(x): the column",
    "bounds": "(x), or with bounds that its values are moved between: (CLIP(x, 0, 10))",
    "share": "(x, 0.9): the column and the share",
    "edges": "(x), or (x, 0, 10, 20) for bins from 0 to below 10 and from 10 to 20",
}
_EXAMPLES = {
    "QUANTILE_IN_BINS": "write QUANTILE_IN_BINS(x, 0.9, 100): the column, the share and the number of bins",
    **{name: f"write {name}(x, 10): the column, and the step of its squares" for name in _STEPS},
}


def _number(node: exp.Expression) -> Fraction:
    found = number(node)
    if found is None:
        raise Refusal(node, instead(node) or "a number belongs here")
    return found


def _both(first: Filter | None, second: Filter) -> Filter:
    return second if first is None else first & second


def _case(
    node: exp.Case, scope: Scope, kinds: tuple[type[exp.Expression], ...], *, otherwise: bool = True
) -> tuple[Filter, exp.Expression]:
    """CASE WHEN condition THEN value (ELSE 0) END inside a measure: the condition, and the value."""
    only(node, "ifs", "default")
    ifs, default = node.args["ifs"], node.args.get("default")
    value = ifs[0].args["true"]
    one = not isinstance(value, exp.Literal) or number(value) == 1
    nothing = default is None or isinstance(default, exp.Null) or (otherwise and number(default) == 0)
    if len(ifs) != 1 or not isinstance(value, kinds) or not one or not nothing:
        raise Refusal(
            node,
            "inside a measure, CASE chooses rows: CASE WHEN … THEN 1 ELSE 0 END; or write FILTER (WHERE …)",
        )
    return condition(ifs[0].this, scope), value


_READERS: dict[type[exp.Expression], Callable[[exp.Expression, Scope, Filter | None], Aggregate]] = {
    exp.Count: _count,
    exp.CountIf: _count_if,
    exp.Sum: _sum,
    exp.Avg: _mean,
    **dict.fromkeys((exp.Variance, exp.VariancePop, exp.Stddev, exp.StddevPop, exp.StddevSamp), _spread),
    **dict.fromkeys((exp.Corr, exp.CovarPop, exp.CovarSamp), _joint),
    exp.Median: _median,
    exp.PercentileCont: _quantile,
    exp.PercentileDisc: _quantile,
    exp.Quantile: _quantile,
    exp.WithinGroup: _within,
}


def default_name(aggregate: Aggregate) -> str:
    """What a measure is called in the answer where a statement gives it no name."""
    kind = "people" if aggregate.traits.counts == "people" else aggregate.kind
    return "_".join([kind, *aggregate.of])
