"""Formulas: what a pack says of a column, such as ``least(ADMIDATE + geometric(4), end)``.

Python's own parser reads a formula, in parse mode only: nothing is compiled or run. Every node that is not listed
here is refused, and every name is known before a row is made.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.errors import SchemaError, did_you_mean, shown
from pets.synthetic.packs.values import Mask, Values, aligned, constant

SIGNS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
STEPS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
LAZY = ("only", "where", "case", "implies")
"""Their branches are computed for the rows that need them, and for no other."""

NAMING = ("refers", "within")
"""Functions of checks that are told another table by its name."""

MAX_TEXT, MAX_DEPTH, MAX_CONSTANT = 2_000, 60, 2**53
"""The most characters of a formula, how deep its parts may stand in each other, and its greatest number."""

SLIPS = (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, AssertionError, StopIteration)
"""What numpy raises where a formula's parts do not go together."""


@dataclass(frozen=True)
class Formula:
    """A formula that has been read: its text, its tree, and where it stands (``my_pack/visits.yaml:12``)."""

    text: str
    tree: ast.expr
    at: str = ""

    def tables(self) -> Iterator[str]:
        """Every other table that it may read: of a column ``table.name``, or named in a call, as in ``refers()``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                yield node.value.id
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMING:
                texts = (one.value for one in node.args if isinstance(one, ast.Constant))
                yield from (text for text in texts if isinstance(text, str))

    def names(self) -> Iterator[str]:
        """Every column that it uses: ``name``, or ``table.name``; a family of numbered columns as ``name[]``."""
        called = {node.func for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        inner = {node.value for node in ast.walk(self.tree) if isinstance(node, (ast.Attribute, ast.Subscript))}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                yield ast.unparse(node)
            elif isinstance(node, ast.Subscript):
                yield f"{ast.unparse(node.value)}[]"
            elif isinstance(node, ast.Name) and node not in called and node not in inner:
                yield node.id


def read(text: object, functions: Collection[str], whole: Collection[str] = ()) -> Formula:
    """A text as a formula; raises :class:`SchemaError` for all but columns, constants, sums and known functions.

    ``whole`` names the functions that need all rows of a table at once.
    """
    if not isinstance(text, str) or not text.strip():
        raise SchemaError(f"a formula is a text such as 'ADMIDATE + 3', not {shown(text)}")
    if len(text) > MAX_TEXT:
        raise SchemaError(f"a formula has at most {MAX_TEXT:,} characters; give its parts working columns of their own")
    try:
        tree = ast.parse(text.strip().replace("\n", " "), mode="eval").body
    except (SyntaxError, ValueError):
        raise SchemaError(f"the formula {shown(text)} cannot be read; write it as in 'ADMIDATE + 3'") from None
    except (RecursionError, MemoryError):
        raise SchemaError(_DEEP) from None
    _check(tree, functions)
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in LAZY[:3]:
            for branch in [*call.args[1::2], call.args[-1]]:
                for part in ast.walk(branch):
                    if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in whole:
                        raise SchemaError(
                            f"{part.func.id}() needs every row, and a branch of {call.func.id}() has some of them; "
                            "give it a working column of its own"
                        )
    return Formula(text, tree)


_DEEP = f"a formula's parts stand at most {MAX_DEPTH} deep in each other; give some a working column of their own"


def _check(node: Any, functions: Collection[str], depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise SchemaError(_DEEP)
    match node:
        case ast.Constant(value=int() | float() as number) if not -MAX_CONSTANT <= number <= MAX_CONSTANT:
            raise SchemaError("a number in a formula lies between -2^53 and 2^53; write a smaller one")
        case ast.Name() | ast.Constant(value=bool() | int() | float() | str()) | ast.Attribute(value=ast.Name()):
            return
        case ast.Subscript(value=ast.Name(), slice=ast.Name(id="slot")):
            return
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=inner):
            return _check(inner, functions, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in STEPS:
            parts = [left, right]
        case ast.BoolOp(values=parts):
            pass
        case ast.Compare(left=left, ops=ops, comparators=rights) if all(type(op) in SIGNS for op in ops):
            parts = [left, *rights]
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[ast.List(elts=items)]):
            parts = [left, *items]
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]):
            if name not in functions and name not in LAZY:
                raise SchemaError(f"there is no function {name!r}{did_you_mean(name, [*functions, *LAZY])}")
        case _:
            what = shown(ast.unparse(node))
            raise SchemaError(f"{what} is refused in a formula; write columns, constants and functions")
    for part in parts:
        _check(part, functions, depth + 1)


class Scope:
    """Where a formula finds its columns and functions, for some rows.

    Attributes:
        rows: how many rows.
        lenient: what a comparison with a missing value gives. Making rows it is false, checking them true: a rule
            about what is not there is not broken.
    """

    rows: int
    lenient: bool = False

    def column(self, name: str) -> Values:
        """A column by its name."""
        raise NotImplementedError

    def call(self, name: str, arguments: list[Any]) -> Values:
        """What a function gives."""
        raise NotImplementedError

    def part(self, rows: Mask) -> Scope:
        """The scope of some of the rows."""
        raise NotImplementedError


def evaluate(formula: Formula, scope: Scope) -> Values:
    """The formula's value in every row; raises :class:`SchemaError` with its line where kinds do not go together."""
    try:
        with np.errstate(all="ignore"):
            return _value(formula.tree, scope, scope.lenient)
    except SLIPS as error:
        why = str(error) if isinstance(error, ValueError) else "its parts do not go together; look at their kinds"
        where = f"{formula.at}: " if formula.at else ""
        raise SchemaError(f"{where}the formula {shown(formula.text)} cannot be reckoned: {why}") from error


def _value(node: Any, scope: Scope, lenient: bool) -> Values:
    match node:
        case ast.Constant(value=value):
            return constant(value, scope.rows)
        case ast.Name(id=name):
            return scope.column(name)
        case ast.Attribute():
            return scope.column(ast.unparse(node))
        case ast.Subscript(value=ast.Name(id=name)):
            return scope.column(f"{name}[]")
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return Values("truth", ~truth(inner, scope, not lenient))
        case ast.UnaryOp(operand=inner):
            found = _value(inner, scope, lenient)
            return Values(found.kind, -found.data, (), found.empty)
        case ast.BoolOp(op=op, values=parts):
            every = isinstance(op, ast.And)
            out = np.full(scope.rows, every)
            for part in parts:
                holds = truth(part, scope, lenient)
                out = out & holds if every else out | holds
            return Values("truth", out)
        case ast.BinOp(left=left, op=op, right=right):
            return _step(STEPS[type(op)], _value(left, scope, lenient), _value(right, scope, lenient))
        case ast.Compare():
            return _compare(node, scope, lenient)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            if name in LAZY:
                return _lazy(name, arguments, scope, lenient)
            return scope.call(name, [_argument(argument, scope, lenient) for argument in arguments])
    raise ValueError(f"{ast.unparse(node)} is refused")


def _argument(node: Any, scope: Scope, lenient: bool) -> Any:
    """A constant as itself (functions want names and numbers), anything else as a column."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        number: Any = node.operand.value
        return -number
    return node.value if isinstance(node, ast.Constant) else _value(node, scope, lenient)


def truth(node: Any, scope: Scope, lenient: bool) -> Mask:
    """Where a condition holds."""
    found = _value(node, scope, lenient)
    if found.kind != "truth":
        raise ValueError(f"{ast.unparse(node)} is no condition")
    out: Mask = found.data.astype(bool) if found.empty is None else np.where(found.empty, lenient, found.data)
    return out


def _step(sign: Callable[[Any, Any], Any], first: Values, second: Values) -> Values:
    """Days and minutes move by whole numbers; their difference is a whole number."""
    kinds = {first.kind, second.kind}
    if not kinds <= {"whole", "real", "day", "minute"} or (kinds >= {"day", "minute"}):
        raise ValueError(f"{first.kind} and {second.kind} cannot be reckoned with")
    moments = kinds & {"day", "minute"}
    if moments and not (sign in (operator.add, operator.sub) and "real" not in kinds):
        raise ValueError("days and minutes are moved by adding and subtracting whole numbers")
    data = sign(first.data, second.data)
    if moments:
        kind = "whole" if len(kinds) == 1 else moments.pop()
    else:
        kind = "real" if data.dtype.kind == "f" else "whole"
    empty = None if first.empty is None and second.empty is None else first.holes | second.holes
    return Values(kind, data, (), empty)


def _compare(node: Any, scope: Scope, lenient: bool) -> Values:
    if isinstance(node.ops[0], (ast.In, ast.NotIn)):
        listed: Any = node.comparators[0]
        found = _value(node.left, scope, lenient)
        wanted = [item.value for item in listed.elts]
        if found.kind == "text":
            wanted = [code for code, label in enumerate(found.labels) if label in wanted]
        inside = np.isin(found.data, wanted)
        inside = inside if isinstance(node.ops[0], ast.In) else ~inside
        return Values("truth", inside if found.empty is None else np.where(found.empty, lenient, inside))
    out = np.ones(scope.rows, dtype=bool)
    sides = [_value(side, scope, lenient) for side in (node.left, *node.comparators)]
    for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
        first, second = aligned([left, right])
        if first.kind == "text" and not isinstance(op, (ast.Eq, ast.NotEq)):
            raise ValueError("texts have no order")
        holds = SIGNS[type(op)](first.data, second.data)
        if first.empty is not None or second.empty is not None:
            holds = np.where(first.holes | second.holes, lenient, holds)
        out &= holds
    return Values("truth", out)


def _lazy(name: str, arguments: list[ast.expr], scope: Scope, lenient: bool) -> Values:
    if name == "implies":
        given = truth(arguments[0], scope, not lenient)
        return Values("truth", ~given | truth(arguments[1], scope, lenient))
    # only(c, x), where(c, x, y) and case(c, x, d, y, …, z) are one: conditions, their values, and what is left
    last = arguments[-1] if len(arguments) % 2 else None
    left = np.ones(scope.rows, dtype=bool)
    branches: list[tuple[Mask, ast.expr]] = []
    for condition, branch in zip(arguments[:-1:2], arguments[1::2], strict=True):
        here = left & truth(condition, scope, False)
        branches.append((here, branch))
        left = left & ~here
    if last is not None:
        branches.append((left, last))
    some = [(rows, branch) for rows, branch in branches if rows.any()] or branches[:1]
    if some[0][0].all():
        return _value(some[0][1], scope, lenient)
    parts = [(rows, _value(branch, scope.part(rows), lenient)) for rows, branch in some]
    same = aligned([part for _, part in parts])
    data = np.zeros(scope.rows, dtype=np.result_type(*(part.data.dtype for part in same)))
    holes = np.ones(scope.rows, dtype=bool)
    for (rows, _), part in zip(parts, same, strict=True):
        data[rows] = part.data
        holes[rows] = False if part.empty is None else part.empty
    return Values(same[0].kind, data, same[0].labels, holes if holes.any() else None)
