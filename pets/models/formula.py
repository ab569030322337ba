"""Formulas: ``cost ~ age + sex * C(region)``, read by formulaic's parser alone. No part of one is ever run.

formulaic's own next step would run what stands in braces and calls, and learn means and levels from rows. So its
tokens are looked at first: a formula has columns, ``C(column)``, ``+``, ``:``, ``*``, brackets and the constant 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from pets.common.literals import name as name_of
from pets.errors import QueryError, missing_extra, shown
from pets.query_model.nodes.design import MAX_TERMS

MAX_LENGTH = 2000
MAX_TOKENS = 200

_LEVELS = re.compile(r"C\(\s*(?:`([^`]+)`|([^\W\d][\w.]*))\s*\)")
_SIGNS = ("~", "+", ":", "*")
_WRITE = "write columns, C(column), +, : and *, such as 'cost ~ age + sex * C(region)'"
_RIGHT = "write columns, C(column), +, : and *, such as 'age + sex * C(region)'"
Terms = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Parsed:
    """What a formula says.

    Attributes:
        outcome: the column on the left.
        terms: on the right, the intercept left out: columns of each, fewer first.
        levels: the columns that stood in ``C()``.
    """

    outcome: str
    terms: Terms
    levels: tuple[str, ...]


def parsed(text: str) -> Parsed:
    """The parts of a formula.

    >>> parsed("cost ~ age * C(region)").terms
    (('age',), ('region',), ('age', 'region'))

    Raises:
        QueryError: for whatever a formula may not have, with the code ``query``; nothing of it was run.
        MissingExtraError: without the extra ``models``.
    """
    tree, levels = _read(text, _WRITE, 1)
    broken = _broken(text, _WRITE)
    try:
        outcome, terms = map(_terms, tree.args)
    except (AttributeError, TypeError, ValueError):
        raise broken from None
    if tree.operator.symbol != "~":
        raise broken
    if len(outcome) != 1 or len(outcome[0]) != 1:
        raise QueryError(f"on the left of ~ stands one column, the outcome, unlike in {shown(text)}; {_WRITE}")
    named = _named(terms, f"on the right of ~ in {shown(text)}; name a column there", outcome[0])
    if outcome[0][0] in levels:
        raise QueryError("the outcome of a straight line is a number or a boolean; take C() off the left of ~")
    return Parsed(outcome[0][0], named, levels)


def explained(text: str) -> tuple[Terms, tuple[str, ...]]:
    """The terms, and the columns in ``C()``, of what would stand right of ``~``; raises as :func:`parsed`.

    >>> explained("stage * C(dose)")
    ((('stage',), ('dose',), ('dose', 'stage')), ('dose',))
    """
    tree, levels = _read(text, _RIGHT, 0)
    try:
        terms = _terms(tree)
    except (AttributeError, TypeError, ValueError):
        raise _broken(text, _RIGHT) from None
    return _named(terms, f"in {shown(text)}; name a column"), levels


def _broken(text: str, write: str) -> QueryError:
    return QueryError(f"{shown(text)} is no formula: a sign, a name or a bracket is missing or too many; {write}")


def _named(terms: Sequence[tuple[str, ...]], lacking: str, also: tuple[str, ...] = ()) -> Terms:
    """The terms but the intercept, fewer columns first."""
    named = tuple(term for term in terms if term)
    if not named:
        raise QueryError(f"nothing but the intercept stands {lacking}")
    for name in dict.fromkeys((*also, *(name for term in named for name in term))):
        name_of("a column of a formula", name)
    return tuple(sorted(named, key=len))


def _read(text: str, write: str, sides: int) -> tuple[Any, tuple[str, ...]]:
    """The tree of a text with as many ~, all of whose tokens may stand in a formula; and the columns in ``C()``."""
    if not isinstance(text, str):
        raise QueryError(f"a formula is a text, such as 'cost ~ age + sex', not {shown(text)}")
    if len(text) > MAX_LENGTH or not text.isprintable():
        raise QueryError(f"a formula is one line of at most {MAX_LENGTH:,} ordinary characters; {write}")
    try:
        from formulaic.errors import FormulaicError
        from formulaic.parser import DefaultFormulaParser
        from formulaic.parser.algos.tokenize import tokenize
    except ImportError:
        raise missing_extra("a formula", "models") from None
    # its own sentences show the whole text with colours; what Python's parser says of code is no better
    broken = _broken(text, write)
    try:
        tokens = list(tokenize(text))
    except (FormulaicError, SyntaxError, ValueError):
        raise broken from None
    if len(tokens) > MAX_TOKENS:
        raise QueryError(f"a formula has at most {MAX_TOKENS} names and signs; take fewer terms")
    levels = tuple(dict.fromkeys(column for token in tokens if (column := _checked(token, write)) is not None))
    if [token.token for token in tokens].count("~") != sides:
        one = "has one ~ between the outcome and what explains it" if sides else "of covariates alone has no ~"
        raise QueryError(f"a formula {one}, unlike {shown(text)}; {write}")
    try:
        return DefaultFormulaParser(include_intercept=False).get_ast(text, context={}), levels
    except (FormulaicError, SyntaxError, AttributeError):
        raise broken from None


def _checked(token: Any, write: str) -> str | None:
    """Refuse what a formula may not have; the column of a ``C()``."""
    kind, text = token.kind.value, token.token
    if kind == "name" or (kind, text) == ("value", "1") or (kind == "context" and text in "()"):
        return None
    if kind == "operator" and text in _SIGNS:
        return None
    if kind == "python":
        found = _LEVELS.fullmatch(text)
        if found is None or token.source[token.source_start] == "{":
            if text.startswith("offset("):
                raise QueryError(
                    f"a formula runs no code, and {shown(text)} is some: leave it out, and name its column as in "
                    "pets.poisson('falls ~ age', data='stays', exposure='days')"
                )
            raise QueryError(
                f"a formula runs no code, and {shown(text)} is some: compute a sum, a difference or steps of a column "
                "with pets.query(…).with_columns(…) and give that as data; what else is to be computed, such as a "
                "power, compute in the data and declare it in the schema"
            )
        return found[1] or found[2]
    if (kind, text) in (("operator", "-"), ("value", "0")):
        raise QueryError(f"the intercept is in every regression, so {shown(text)} has no meaning here; leave it out")
    if kind == "value" and text.replace(".", "", 1).isdigit():
        raise QueryError(
            f"a term is not multiplied by {shown(text)}, which changes its unit and nothing else; leave it out, or "
            "compute the column with pets.query(…).with_columns(…)"
        )
    raise QueryError(f"{shown(text)} has no meaning in a formula here; {write}")


def _terms(node: Any) -> list[tuple[str, ...]]:
    """The terms of a part of the tree, each once; the intercept has no columns."""
    if not hasattr(node, "operator"):
        if node.kind.value == "value":
            return [()]
        found = _LEVELS.fullmatch(node.token) if node.kind.value == "python" else None
        return [((found[1] or found[2]) if found else node.token,)]
    sides = [_terms(one) for one in node.args]
    if len(sides) != 2:  # a sign before the first term
        return sides[0]
    first, second = sides
    joined = []
    for one, other in product(first, second) if node.operator.symbol != "+" else ():
        if twice := sorted({*one} & {*other}):
            raise QueryError(
                f"{shown(twice[0])} times itself is no square in a formula, and nothing new; write each product out "
                "once, and declare a column of its squares in the schema where that is meant"
            )
        joined.append(tuple(sorted({*one, *other})))
    made = {"+": [*first, *second], ":": joined, "*": [*first, *second, *joined]}[node.operator.symbol]
    out = list(dict.fromkeys(made))
    if len(out) > MAX_TERMS + 1:
        raise QueryError(f"a regression has from 1 to {MAX_TERMS} terms, and this formula has more; take fewer")
    return out
