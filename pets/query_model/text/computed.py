"""Computed columns written as text, such as ``days=left - came`` or ``age=age_at(born, '2024-01-01')``.

Python's own parser reads them, in parse mode only: nothing is compiled or run, and what is not below is refused.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from pets.errors import QueryError, shown
from pets.query_model.columns import Col, col, max_of, min_of
from pets.query_model.condition import MAX_LENGTH, label_of
from pets.query_model.nodes.derived import Derived

_SIGNS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
}
_CALLS: dict[str, Callable[..., Any]] = {
    "min_of": min_of,
    "max_of": max_of,
    "age_at": lambda born, at: _named(born).age_at(at),
    "prefix": lambda of, length: _named(of).prefix(length),
}
_HELP = (
    "a computed column is a sum, a difference or a multiple of columns, // by a number, min_of(…), max_of(…), "
    "age_at(born, came) or prefix(code, 3), such as days=left - came"
)


def computed(text: str) -> tuple[str, Derived | Col]:
    """A named column from a flag's text; raises :class:`QueryError` for anything that no question computes.

    Columns stand by their names; one that is no Python name is written ``col("length of stay")``. Days are in quotes.

    >>> name, node = computed("days=2 * left - came")
    >>> name, node.columns
    ('days', ('came', 'left'))
    """
    name, equals, rest = text.partition("=")
    if not equals or not rest.strip() or len(text) > MAX_LENGTH:
        raise QueryError(f"{shown(text)} computes nothing; {_HELP}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(rest.strip(), mode="eval").body
        found = _value(body)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise QueryError(f"{shown(text)} cannot be read; {_HELP}") from None
    if not isinstance(found, (Derived, Col)):
        raise QueryError(f"{shown(text)} names no column; {_HELP}")
    return label_of(name, text), found


def _named(value: object) -> Col:
    if not isinstance(value, Col):
        raise QueryError(f"age_at and prefix are of one column, such as prefix(code, 3), not of {shown(value)}")
    return value


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Name(id=name):
            return col(name)
        case ast.Constant(value=bool()):
            _refused(node)
        case ast.Constant(value=int() | float() | str() as value):
            return value
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str(name))], keywords=[]):
            return col(name)
        case ast.Call(func=ast.Name(id=verb), args=args, keywords=[]) if verb in _CALLS:
            given = [_value(one) for one in args]
            if verb in ("age_at", "prefix") and len(given) != 2:
                _refused(node)
            return _CALLS[verb](*given)
        case ast.UnaryOp(op=ast.USub(), operand=of):
            return -_number_or_column(node, of)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
            both = _number_or_column(node, left), _number_or_column(node, right)
            if any(isinstance(one, (Col, Derived)) for one in both):
                return _SIGNS[type(sign)](*both)
    _refused(node)


def _number_or_column(whole: ast.expr, node: ast.expr) -> Any:
    value = _value(node)
    return value if not isinstance(value, str) else _refused(whole)


def _refused(node: ast.expr) -> NoReturn:
    raise QueryError(f"{shown(ast.unparse(node))} is not computed; {_HELP}")
