"""What is looked at in a formula when a pack is read: that its columns are made by then, and that its calls fit.

Whatever is found here is found without a row, so the sentence can name the line.
"""

from __future__ import annotations

import ast
import datetime as dt
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pets.errors import SchemaError, did_you_mean, shown
from pets.synthetic.packs.check import CHECKS
from pets.synthetic.packs.checkdigits import FORMS
from pets.synthetic.packs.codelists import Calendar, CodeList
from pets.synthetic.packs.formula import LAZY, Formula
from pets.synthetic.packs.functions import FUNCTIONS

BRANCHES = {
    "only": (2, 2, "only(condition, value)", "The value where the condition holds; elsewhere none."),
    "where": (3, 3, "where(condition, value, other)", "One value where the condition holds, the other elsewhere."),
    "case": (
        2,
        400,
        "case(condition, value, …, [other])",
        "The value of the first condition that holds, or the last one; without a last one, none.",
    ),
    "implies": (2, 2, "implies(condition, condition)", "Where the first holds, the second does, too."),
}
"""Functions whose parts are computed for the rows that need them: arguments, how they are written, what they give."""

_OF = {"pick": "list", "term": "list", "listed": "list", "day_in": "calendar"}
"""What the parameter ``name`` of a function names; of any other, a family of columns."""

Shape = tuple[tuple[tuple[str, str], ...], str | None, int]


@dataclass(frozen=True)
class Known:
    """What the formulas of a pack may name: its code lists, its calendars, and the columns of its tables."""

    lists: Mapping[str, CodeList]
    calendars: Mapping[str, Calendar]
    columns: Mapping[str, Collection[str]]

    def check(self, formula: Formula, names: Collection[str], families: Collection[str], what: str) -> None:
        """Raise :class:`SchemaError` for a column that is not among the names, and for a call that does not fit."""
        for used in formula.names():
            if used not in names:
                raise SchemaError(f"{what} uses {shown(used)}, which is not made yet{did_you_mean(used, names)}")
        for node in ast.walk(formula.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                self._call(node.func.id, node.args, families, what)

    def _call(self, name: str, given: list[ast.expr], families: Collection[str], what: str) -> None:
        if name in LAZY:
            least, most, spelt, _ = BRANCHES[name]
            if not least <= len(given) <= most:
                raise SchemaError(f"{what} gives {name}() {_many(len(given))}; write {spelt}")
            return
        parts, rest, needed = shape(name)
        if not needed <= len(given) <= (len(parts) if rest is None else 400):
            raise SchemaError(f"{what} gives {name}() {_many(len(given))}; write {spelling(name)}")
        for place, one in enumerate(given):
            label, kind = parts[place] if place < len(parts) else ("", str(rest))
            value = _constant(one)
            if kind.startswith("Values") and value is not None:
                raise SchemaError(f"{what} gives {name}() the constant {shown(value)}; it needs a column there")
            wanted = {"str": str, "int": int, "float": (int, float)}.get(kind)
            if wanted is not None and not (isinstance(value, wanted) and not isinstance(value, bool)):  # type: ignore[arg-type]
                kinds = {"str": "a text in quotes", "int": "a whole number", "float": "a number"}
                raise SchemaError(f"{what}: {name}() needs {kinds[kind]} for {label or 'each'}; write {spelling(name)}")
            if isinstance(value, str):
                self._named(name, label, value, given, families, what)

    def _named(
        self, name: str, label: str, value: str, given: list[ast.expr], families: Collection[str], what: str
    ) -> None:
        """What a text of a call stands for is there."""
        where: Iterable[str] | None = None
        if label == "name":
            kind = _OF.get(name, "family of columns")
            where = {"list": self.lists, "calendar": self.calendars}.get(kind, families)
            kind = {"list": "code list"}.get(kind, kind)
        elif label == "form" and name in ("valid", "each"):
            kind, where = "form", FORMS
        elif label == "table":
            kind, where = "table", self.columns
        elif label in ("key", "first", "last") and name in CHECKS:
            table = next(
                _constant(one) for (part, _), one in zip(shape(name)[0], given, strict=False) if part == "table"
            )
            kind, where = "column", self.columns.get(str(table))
        elif name == "day":
            try:
                dt.date.fromisoformat(value)
            except ValueError:
                raise SchemaError(f"{what}: a day is written day('2020-12-08'), not {shown(value)}") from None
        if where is not None and value not in where:
            raise SchemaError(f"{what}: there is no {kind} {shown(value)}{did_you_mean(value, where)}")


@cache
def shape(name: str) -> Shape:
    """A function's parameters with their kinds, the kind of further ones, and how many are needed."""
    function: Callable[..., Any] = CHECKS[name] if name in CHECKS else FUNCTIONS[name]
    _, *every = inspect.signature(function).parameters.values()
    plain = [one for one in every if one.kind is not inspect.Parameter.VAR_POSITIONAL]
    rest = next((str(one.annotation) for one in every if one not in plain), None)
    needed = sum(one.default is inspect.Parameter.empty for one in plain)
    return tuple((one.name, str(one.annotation)) for one in plain), rest, needed


def spelling(name: str) -> str:
    """How a function is called.

    >>> spelling("day_in"), spelling("least")
    ('day_in(low, high, [name])', 'least(…)')
    """
    if name in LAZY:
        return BRANCHES[name][2]
    parts, rest, needed = shape(name)
    words = [label if place < needed else f"[{label}]" for place, (label, _) in enumerate(parts)]
    return f"{name}({', '.join([*words, *(['…'] if rest is not None else [])])})"


def _many(number: int) -> str:
    return f"{number} argument{'' if number == 1 else 's'}"


def _constant(node: ast.expr) -> Any:
    """The constant that an argument is; ``None``: it is a column."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        inner: Any = node.operand.value
        return -inner if isinstance(inner, (int, float)) else inner
    return node.value if isinstance(node, ast.Constant) else None
