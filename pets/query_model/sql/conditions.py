"""Conditions: WHERE and FILTER as the filters of a query. A column is compared with constants, and nothing else is."""

from __future__ import annotations

import datetime as dt
import importlib
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from sqlglot import exp

from pets.common.codec import fraction
from pets.common.literals import clock, clock_text, day, literal, moment
from pets.query_model.expression import And, Between, Compare, Filter, IsIn, IsNull, Not, Operator, Or, StartsWith
from pets.query_model.sql.instead import instead
from pets.query_model.sql.refusal import Refusal, at, listed, only
from pets.query_model.sql.scope import FEATURES, Scope
from pets.query_model.sql.two_columns import not_two_columns
from pets.schema.dates import Calendar, DateTime
from pets.schema.domain import Boolean, Category

MAX_DEPTH = 90

Columns = Callable[[exp.Expression], str]
"""What names a column: of the table, or (in HAVING) of the answer."""

SIGNS: dict[type[exp.Expression], Operator] = {
    exp.EQ: "==",
    exp.NEQ: "!=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_FLIPPED: dict[Operator, Operator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_GROUPED: dict[str, type[And | Or]] = {"ALL_OF": And, "ANY_OF": Or}
_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d[^,]*)?", re.ASCII)
_TIMES = ("TIMESTAMP", "TIMESTAMPNTZ", "DATETIME")


def condition(node: exp.Expression, scope: Scope) -> Filter:
    """The filter of rows that a condition describes."""
    return Conditions(scope.column, scope).filter(node)


class Conditions:
    """A reader of conditions.

    Args:
        column: what a name in the condition stands for.
        scope: of the table's columns; ``None`` where names are those of an answer.
    """

    def __init__(self, column: Columns, scope: Scope | None = None) -> None:
        self._column, self._scope = column, scope

    def filter(self, node: exp.Expression, depth: int = 0, *, negated: bool = False) -> Filter:
        """The filter that a condition describes (``negated``: below a NOT, however deep)."""
        while isinstance(node, exp.Paren):
            node = node.this
        if depth > MAX_DEPTH:
            raise Refusal(node, f"conditions are nested more than {MAX_DEPTH} deep; write lists with IN (…)")
        if isinstance(node, (exp.And, exp.Or)):
            kind = And if isinstance(node, exp.And) else Or
            terms = [self.filter(term, depth + 1, negated=negated) for term in flat_terms(node)]
            return self._several(node, kind, terms)
        if isinstance(node, exp.Anonymous) and str(node.this).upper() in _GROUPED and node.expressions:
            terms = [self.filter(term, depth + 1, negated=negated) for term in node.expressions]
            with at(node):
                return _GROUPED[str(node.this).upper()](tuple(terms))
        if isinstance(node, exp.Not):
            with at(node):
                return Not(self.filter(node.this, depth + 1, negated=True))
        with at(node):
            return self._leaf(node, negated=negated)

    def _several(self, node: exp.Expression, kind: type[And | Or], terms: list[Filter]) -> Filter:
        # what & and | build, made at once: a chain may be long
        flat = tuple(part for term in terms for part in (term.terms if type(term) is kind else (term,)))
        with at(node):
            return kind(flat)

    def _leaf(self, node: exp.Expression, *, negated: bool) -> Filter:
        own = None if self._scope is None else self._scope.leaf(node)
        if own is not None:
            return own
        sign = SIGNS.get(type(node))
        if sign is not None:
            return self._compare(node, sign)
        if isinstance(node, exp.Between):
            only(node, "this", "low", "high")
            name, low, high = self._named(bare(node.this)), constant(node.args["low"]), constant(node.args["high"])
            self._dates(name, (node.args["low"], low), (node.args["high"], high))
            self._whole_day(node.args["high"], name, high)
            return Between(name, low, high)
        if isinstance(node, exp.In):
            return self._isin(node)
        if isinstance(node, (exp.Like, exp.ILike, exp.StartsWith)) and self._scope is not None:
            return _pattern(node, self._scope)
        if isinstance(node, exp.Is):
            return self._is(node, negated=negated)
        if isinstance(node, exp.Column):
            name = self._column(node)
            if self._scope is not None and isinstance(self._scope.fields[name], Boolean):
                return Compare(name, "==", True)
            raise Refusal(node, f"{name!r} is not a condition by itself; compare it, such as {name} = 1")
        raise Refusal(node, self._instead(node))

    def _compare(self, node: exp.Expression, sign: Operator) -> Filter:
        only(node, "this", "expression")
        left, right = bare(node.this), bare(node.expression)
        if _is_constant(left) and not _is_constant(right):
            left, right, sign = right, left, _FLIPPED[sign]
        if _is_constant(left):
            raise Refusal(node, "this names no column; compare a column with a constant")
        begins = None if self._scope is None else _begins(left, right, sign, self._scope)
        if begins is not None:
            return begins
        name = self._named(left)
        if self._scope is not None:
            not_two_columns(node, left, right, name, self._scope)
        value = constant(right)
        self._dates(name, (right, value))
        if sign in ("==", "<=", ">"):
            self._whole_day(right, name, value)
        return Compare(name, sign, value)

    def _named(self, node: exp.Expression) -> str:
        """The column that is compared: by its name, or the name of what is computed."""
        if self._scope is not None and not isinstance(node, exp.Column):
            # found late: what is computed is written with constants and conditions
            made: str | None = importlib.import_module("pets.query_model.sql.computed").name_of(node, self._scope)
            if made is not None:
                return made
        return self._column(self._comparable(node))

    def _comparable(self, node: exp.Expression) -> exp.Expression:
        said = instead(node)
        if said and self._scope is not None:
            raise Refusal(node, said)
        return node

    def _isin(self, node: exp.In) -> Filter:
        if node.args.get("query") is not None:
            raise Refusal(node.args["query"], FEATURES)
        only(node, "this", "expressions")
        name = self._named(bare(node.this))
        values = tuple(_unless_null(value) for value in node.expressions)
        self._dates(name, *zip(node.expressions, values, strict=True))
        for value, part in zip(values, node.expressions, strict=True):
            self._whole_day(part, name, value)
        return IsIn(name, values)

    def _is(self, node: exp.Is, *, negated: bool) -> Filter:
        only(node, "this", "expression")
        if isinstance(node.expression, exp.Null):
            return IsNull(self._column(bare(node.this)))
        # below NOT it would keep the rows without a value, which a comparison never does
        if isinstance(node.expression, exp.Boolean) and not negated:
            return Compare(self._column(bare(node.this)), "==", bool(node.expression.this))
        raise Refusal(
            node, "IS goes with NULL, or outside NOT with TRUE or FALSE; for rows without a value write x IS NULL"
        )

    def _dates(self, name: str, *written: tuple[exp.Expression, Any]) -> None:
        """Refuse texts that Python reads as days, and DuckDB does not: 20220131, 2022-W05-1."""
        if self._scope is not None and isinstance(self._scope.fields[name], Calendar):
            for node, value in written:
                if isinstance(value, str) and not _DATE.fullmatch(value.strip()):
                    raise Refusal(node, f"{name!r} holds dates; write DATE '2022-12-31'")

    def _whole_day(self, node: exp.Expression, name: str, value: Any) -> None:
        """Remark on a day compared with date-times: it is its midnight, and the rest of the day is not in it."""
        if self._scope is None or not isinstance(self._scope.fields[name], DateTime):
            return
        cast = bare(node)
        if isinstance(cast, exp.Cast) and _type(cast) in _TIMES:
            return  # a time of day is written there, be it midnight
        plain = isinstance(value, str) and len(value.strip()) == len("2022-12-31")
        if plain or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
            try:
                after = day(value) + dt.timedelta(days=1)
            except (ValueError, OverflowError):
                return
            self._scope.remarks.append(
                f"{name!r} holds times of day, and '{day(value)}' is the midnight with which that day begins: for "
                f"the whole day write {name} < '{after}'"
            )

    def _instead(self, node: exp.Expression) -> str:
        return instead(node) or (
            "this is no condition; compare a column with constants (=, <>, <, IN, BETWEEN, IS NULL), joined with AND, "
            "OR, NOT"
        )


def _pattern(node: exp.Like | exp.ILike | exp.StartsWith, scope: Scope) -> Filter:
    """LIKE over the listed values of a category: which of them are meant is public."""
    only(node, "this", "expression", "negate")
    found = _begins_or_is(node, scope)
    return Not(found) if node.args.get("negate") else found


def _begins_or_is(node: exp.Like | exp.ILike | exp.StartsWith, scope: Scope) -> Filter:
    name, domain, pattern = scope.column(bare(node.this)), scope.domain(bare(node.this)), constant(node.expression)
    if not isinstance(domain, Category) or not isinstance(pattern, str):
        raise Refusal(node, f"patterns are of texts, and {name!r} holds {domain.describe()}; compare it with constants")
    start = pattern if isinstance(node, exp.StartsWith) else pattern.removesuffix("%")
    plain = isinstance(node, exp.StartsWith) or (
        isinstance(node, exp.Like) and start != pattern and not re.search("[%_]", start)
    )
    if plain and start and any(value.startswith(start) for value in domain.values):
        return StartsWith(name, start)
    letters = {"%": ".*", "_": "."}
    wanted = "".join(letters.get(letter, re.escape(letter)) for letter in pattern)
    flags = re.DOTALL | (re.IGNORECASE if isinstance(node, exp.ILike) else re.NOFLAG)
    values = [] if plain else [value for value in domain.values if re.fullmatch(wanted, value, flags)]
    if not values:
        raise Refusal(node, f"no value of {name!r} is like that; its values are {listed(domain.values)}")
    return IsIn(name, tuple(values))


def _begins(left: exp.Expression, right: exp.Expression, sign: Operator, scope: Scope) -> Filter | None:
    """LEFT(x, 1) = 'I': values that begin with as many characters as are compared."""
    if not isinstance(left, (exp.Left, exp.Substring)) or sign not in ("==", "!="):
        return None
    name, length = importlib.import_module("pets.query_model.sql.computed").prefix(left, scope)
    value = constant(right)
    if not isinstance(value, str) or len(value) != length:
        return None
    found = StartsWith(name, value)
    return found if sign == "==" else Not(found)


def flat_terms(node: exp.Expression) -> list[exp.Expression]:
    """The terms of a chain of AND (or of OR), in order, however long it is."""
    kind, left, out = type(node), [node], []
    while left:
        one = left.pop()
        inner = one
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if type(inner) is kind:
            only(inner, "this", "expression")
            left += [inner.expression, inner.this]
        else:
            out.append(inner)
    return out


def and_terms(node: exp.Expression) -> list[exp.Expression]:
    """The terms that must all hold; one where there is no AND."""
    node = bare(node)
    return flat_terms(node) if isinstance(node, exp.And) else [node]


def bare(node: exp.Expression) -> exp.Expression:
    """What stands inside brackets."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _unless_null(node: exp.Expression) -> Any:
    if isinstance(bare(node), exp.Null):
        raise Refusal(node, "a NULL in a list equals no value (and NOT IN would then choose no row); leave it out")
    return constant(node)


def _is_constant(node: exp.Expression) -> bool:
    return isinstance(node, (exp.Literal, exp.Boolean, exp.Null)) or _constant(node) is not None


def constant(node: exp.Expression) -> Any:
    """The public constant that a node spells; refused where it is none."""
    node = bare(node)
    if isinstance(node, exp.Null):
        raise Refusal(node, "nothing equals NULL; write IS NULL, or IS NOT NULL")
    found = _constant(node)
    if found is None:
        if isinstance(node, exp.Column):
            quoted = "a text is written in single quotes, '…'; " if node.this.args.get("quoted") else ""
            raise Refusal(node, f"{quoted}a column is compared with a constant, not with another column")
        raise Refusal(
            node,
            instead(node)
            or "a constant belongs here: a number, a text in single quotes, DATE '2022-12-31', TRUE or FALSE",
        )
    return found


def _constant(node: exp.Expression) -> Any:
    """A constant; ``None`` for anything else."""
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Literal) and node.args.get("is_string"):
        return str(node.this)
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.this.args.get("is_string"):
        return _time(node)
    exact = number(node)
    if exact is None:
        return None
    with at(node):
        return literal(exact)


def _type(node: exp.Cast) -> str:
    return node.to.this.name if isinstance(node.to.this, exp.DType) else ""


def _time(node: exp.Cast) -> Any:
    kind, text = _type(node), str(node.this.this)
    try:
        if kind in ("DATE", *_TIMES) and not _DATE.fullmatch(text.strip()):
            raise ValueError("DuckDB reads no such text as a day")
        if kind == "DATE":
            return day(text)
        if kind in _TIMES:
            return literal(moment(text))
        if kind == "TIME":
            return clock_text(clock(text))
    except ValueError:
        instead_of = "TIME '08:30'" if kind == "TIME" else "DATE '2022-12-31'"
        raise Refusal(node, f"'{text[:40]}' is not a {kind.lower()[:9]}; write {instead_of}") from None
    return None


def number(node: exp.Expression) -> Fraction | None:
    """An exact number, also a negative one or a quotient of two; ``None`` for anything else."""
    node = bare(node)
    if isinstance(node, exp.Neg):
        inner = number(node.this) if isinstance(bare(node.this), exp.Literal) else None
        return None if inner is None else -inner
    if isinstance(node, exp.Div):
        top, bottom = node.this, node.expression
        if isinstance(bare(top), (exp.Neg, exp.Literal)) and isinstance(bare(bottom), exp.Literal):
            above, below = number(top), number(bottom)
            if above is not None and below:
                return above / below
        return None
    if not isinstance(node, exp.Literal) or node.args.get("is_string"):
        return None
    try:
        return fraction(str(node.this))
    except ValueError:
        raise Refusal(
            node, "a number in the statement is no number of ordinary size; no column holds such values"
        ) from None
