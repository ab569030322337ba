"""Questions written as text: conditions such as ``age >= 18 and gender in ['Female', 'Male']``, keys, measures, files.

Python's own parser reads a condition, in parse mode only: nothing is compiled or run. Then every node that is not on
the short list below is refused, so that a text from a command line can do no more than compare columns.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from pathlib import Path
from typing import Any

from pets.errors import PetsError, QueryError
from pets.query_model import aggregate as agg
from pets.query_model.codelists.codelist import InCodelist
from pets.query_model.codelists.codelist_file import read_codes
from pets.query_model.columns import col
from pets.query_model.expression import And, Between, Compare, Filter, IsIn, IsNull, Not, Operator, StartsWith
from pets.query_model.group_keys import PARTS, Bins, ColumnKey, DatePart, Key, Period
from pets.query_model.nodes.aggregate_base import Aggregate
from pets.query_model.query import Query
from pets.query_model.traits import SPELLINGS
from pets.schema.person.periods import spelt

MAX_LENGTH = 4_000
MAX_DEPTH = 40
MAX_NUMBER = 10**30

_SIGNS: dict[type[ast.cmpop], Operator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_FLIPPED: dict[Operator, Operator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_HELP = (
    "a condition compares columns with constants, such as age >= 18, gender in ['Female', 'Male'], cost is None, "
    "joined with and, or, not; a name with blanks or other signs is written col('length of stay')"
)
_QUOTED = re.compile(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|`([^`]*)`""", re.DOTALL)


def condition(text: str) -> Filter:
    """The filter that a text describes; raises :class:`QueryError` for anything but plain comparisons.

    Column names stand as they are; one that is no Python name is written ``col("length of stay")``, or in backticks.
    Texts and dates are in quotes.

    >>> condition("18 <= age < 65 and sex in ['Female', 'Male']").to_json()["filter"]
    'and'
    >>> condition("not emergency == True").to_json()["filter"]
    'not'
    """
    if not isinstance(text, str) or not text.strip():
        raise QueryError(f"the condition is empty; {_HELP}")
    if len(text) > MAX_LENGTH:
        raise QueryError(f"the condition is longer than {MAX_LENGTH:,} characters; put the query in a file (--query)")
    return _filter(_parsed(text.strip()), 0)


def _parsed(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as 'is' beside a constant: refused below, in our own words
            return ast.parse(_QUOTED.sub(_plain_name, text), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        at = f" at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        hint = "; equality is written ==" if re.search("(?<![=!<>])=(?!=)", text) else ""
        raise QueryError(f"the condition {_shown(text)} cannot be read{at}{hint}; {_HELP}") from None


def _plain_name(found: re.Match[str]) -> str:
    """A name in backticks as a call of col; a text in quotes as it is."""
    return str(found[1]) if found[2] is None else f"col({found[2].strip()!r})"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")


def _refused(node: ast.AST, what: str) -> QueryError:
    try:
        text = _shown(ast.unparse(node))
    except (ValueError, RecursionError):
        text = "a part"
    return QueryError(f"{text} {what}")


def _filter(node: ast.expr, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise QueryError(f"the condition is nested more than {MAX_DEPTH} deep; simplify it")
    if isinstance(node, ast.BoolOp):
        terms = [_filter(value, depth + 1) for value in node.values]
        out = terms[0]
        for term in terms[1:]:
            out = out & term if isinstance(node.op, ast.And) else out | term
        return out
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ~_filter(node.operand, depth + 1)
    if isinstance(node, ast.Compare):
        return _comparison(node)
    match node:
        case ast.Call(func=ast.Name(id="startswith"), args=[of, ast.Constant(value=str(text))], keywords=[]):
            name = _column(of)
            if name is not None:
                return StartsWith(name, text)
        case ast.Call(func=ast.Name(id="codelist"), args=[of, *rest], keywords=named) if len(rest) + len(named) <= 2:
            name = _column(of)
            if name is not None and rest and all(one.arg == "column" for one in named):
                return _codelist(node, name, [*rest, *(one.value for one in named)])
    if isinstance(node, (ast.BinOp, ast.UnaryOp)) and isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.Invert)):
        raise _refused(node, "is refused; in a text condition write and, or, not instead of &, |, ~")
    if _column(node) is not None:
        raise _refused(node, "is not a condition by itself; compare it with something, such as emergency == True")
    raise _refused(node, f"is refused; {_HELP}")


def _codelist(node: ast.expr, column: str, given: list[ast.expr]) -> Filter:
    """The codes that are listed, or those of a file: its name, and that of its column of codes."""
    values = [ast.literal_eval(one) for one in given if isinstance(one, (ast.Constant, ast.List))]
    if len(values) == len(given) == 1 and isinstance(values[0], list):
        return InCodelist(column, tuple(values[0]))
    if len(values) == len(given) <= 2 and all(isinstance(value, str) for value in values):
        return InCodelist(column, read_codes(*values) if len(values) == 2 else read_codes(values[0], "code"))
    raise _refused(node, "is refused; write codelist(diagnosis, 'mi.csv', column='code'), whose column may be left out")


def _comparison(node: ast.Compare) -> Filter:
    sides = [node.left, *node.comparators]
    if len(node.ops) == 2 and _column(sides[0]) is None and _column(sides[2]) is None and _column(sides[1]) is not None:
        signs = [_SIGNS.get(type(op)) for op in node.ops]
        if signs in (["<=", "<="], [">=", ">="]):
            ends = (sides[0], sides[2]) if signs[0] == "<=" else (sides[2], sides[0])
            return Between(str(_column(sides[1])), *(_constant(end) for end in ends))
    terms = [_pair(node, left, op, right) for left, op, right in zip(sides, node.ops, sides[1:], strict=False)]
    return terms[0] if len(terms) == 1 else And(tuple(terms))


def _pair(whole: ast.Compare, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Filter:
    name, other = _column(left), _column(right)
    if name is not None and other is not None:
        raise _refused(
            whole, "compares two columns; compare a column with a constant, a text in quotes, such as sex == 'Female'"
        )
    if name is None and other is None:
        raise _refused(whole, f"names no column; {_HELP}")
    if isinstance(op, (ast.Is, ast.IsNot)):
        return _null(whole, name, op, right)
    if isinstance(op, (ast.In, ast.NotIn)):
        if name is None or not isinstance(right, (ast.List, ast.Tuple, ast.Set)):
            raise _refused(whole, "is refused; write a column and a list, such as gender in ['Female', 'Male']")
        inside = IsIn(name, tuple(_constant(item) for item in right.elts))
        return inside if isinstance(op, ast.In) else Not(inside)
    sign = _SIGNS[type(op)]
    if name is not None:
        return Compare(name, sign, _constant(right))
    return Compare(str(other), _FLIPPED[sign], _constant(left))


def _null(whole: ast.Compare, name: str | None, op: ast.cmpop, right: ast.expr) -> Filter:
    if name is None or not (isinstance(right, ast.Constant) and right.value is None):
        raise _refused(whole, "is refused; 'is' goes only with None, such as cost is None; equality is written ==")
    return IsNull(name) if isinstance(op, ast.Is) else Not(IsNull(name))


def _column(node: ast.expr) -> str | None:
    """The column that a node names, as ``age`` or as ``col("length of stay")``; ``None`` for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str(name))], keywords=[]):
            return col(name).name
        case ast.Attribute(value=ast.Name()):
            raise _refused(node, f"is refused; a column whose name has a dot is written col({ast.unparse(node)!r})")
    return None


def _constant(node: ast.expr) -> Any:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -_constant(ast.Constant(number))
        case ast.Constant(value=bool() | str() as value):
            return value
        case ast.Constant(value=int() | float() as number):
            if not abs(number) < MAX_NUMBER:
                raise QueryError("a number in the condition is too large; no column holds such values")
            return number
        case ast.Constant(value=None):
            raise _refused(node, "stands for no value: write column is None, or column is not None")
        case ast.Name():
            raise _refused(node, "is a column's name where a constant belongs; put a text in quotes")
    raise _refused(node, "is refused; a constant is a number, a text or a date in quotes, True or False")


# keys and measures ------------------------------------------------------------------------------------------------


def key(text: str) -> Key:
    """A group key: ``age``, ``age:0,18,65,120`` (bins), ``admitted.year`` (or ``.quarter``, ``.month``, ``.weekday``).

    ``admitted.week`` is the calendar week (``.mmwr_week``, ``.day``), ``admitted.period.month`` the calendar month,
    such as 2024-05; ``admitted:2022-01-01,2022-04-01`` cuts days, ``arrived:08:00,16:00`` times of day.
    ``band=age:0,18,65`` names the key in the answer.

    >>> key("band=age:0,18,65").name, key("admitted.year").name
    ('band', 'admitted_year')
    """
    label, equals, rest = text.partition("=")
    label, column = (label_of(label, text), rest.strip()) if equals else ("", text.strip())
    if ":" in column:
        column, edges = _numbers(column, f"the key {text!r}", rf"{_NUMBER}|\d{{4}}-\d\d-\d\d|\d\d:\d\d")
        return Bins(column, label, edges)
    stem, dot, part = column.rpartition(".")
    if (period := spelt(column)) is not None:
        return Period(period[0], label, period[1])
    if dot and stem and part in PARTS:
        return DatePart(stem, label, next(known for known in PARTS if known == part))
    return ColumnKey(column, label)


def measure(kind: str, text: str) -> tuple[str, Aggregate]:
    """A named measure from a flag's text: its name in the answer, and the aggregate.

    ``count`` and ``count_units`` take ``NAME`` or ``NAME=condition``, ``rate`` takes ``NAME=condition``, the others
    ``NAME=column``; bounds (``days=stay:0,30``), a quantile's share or a histogram's edges follow a colon.

    >>> measure("sum", "days=time_in_hospital")
    ('days', Sum(column='time_in_hospital', clip=None, where=None))
    """
    spelling, make = SPELLINGS[kind], getattr(agg, kind)
    flag = spelling.flag
    name, equals, rest = text.partition("=")
    name, rest = label_of(name, text), rest.strip()
    if spelling.takes == "rows":
        return name, make(condition(rest) if equals else None)
    if not rest:
        raise QueryError(
            f"{flag} {text!r} needs a name for the answer and a {spelling.takes}, such as {flag} {spelling.example}"
        )
    if spelling.takes == "condition":
        return name, make(condition(rest))
    if spelling.takes == "columns":
        both = [part.strip() for part in rest.split(",")]
        if len(both) != 2 or not all(both):
            raise QueryError(f"{flag} {text!r} needs two columns, such as {flag} {spelling.example}")
        return name, make(*both)
    if ":" not in rest:
        return name, make(rest)
    column, numbers = _numbers(rest, f"{flag} {text!r}")
    if spelling.colon == "edges":
        return name, make(column, numbers)
    if spelling.colon == "bounds":
        if len(numbers) != 2:
            raise QueryError(
                f"{flag} {text!r}: bounds are two numbers after the colon, such as {flag} {name}={column}:0,30"
            )
        return name, make(column, clip=(numbers[0], numbers[1]))
    if spelling.colon != "share" or len(numbers) != 1:
        raise QueryError(f"{flag} {text!r}: write one share after the colon, such as --quantile long=stay:0.9")
    return name, make(column, numbers[0])


def label_of(name: str, text: str) -> str:
    """The name before the equals sign of a flag's text; raises :class:`QueryError` for what can be no name."""
    name = name.strip()
    if not re.fullmatch(r"[^<>=!()\[\]'\",:]{1,128}", name):
        raise QueryError(f"{text!r} must begin with the name of its column in the answer, such as days=length_of_stay")
    return name


_NUMBER = r"[+-]?\d{1,20}(\.\d{1,20})?"


def _numbers(text: str, what: str, form: str = _NUMBER) -> tuple[str, list[str]]:
    found = re.fullmatch(rf"(.+?):(\s*(?:{form})\s*(?:,\s*(?:{form})\s*)*)", text)  # (a time has a colon of its own)
    if found is None:
        raise QueryError(f"{what}: after the colon come numbers, such as age:0,18,65,120")
    return found[1].strip(), [part.strip() for part in found[2].split(",")]


# files ------------------------------------------------------------------------------------------------------------


def read_query(path: str | Path) -> Query:
    """The query in a file: its canonical JSON, or the same written in YAML.

    Raises :class:`QueryError` with the remedy for a file that is missing or holds no query.
    """
    file = Path(path)
    try:
        if file.suffix.lower() not in (".json", ".yaml", ".yml"):
            raise QueryError("a query file ends in .json, .yaml or .yml; is this the data?")
        text = file.read_text("utf-8")
        form = json.loads(text) if file.suffix.lower() == ".json" else _yaml(text)
        if not isinstance(form, dict):
            raise QueryError("a query file holds a mapping with 'table' and 'agg'")
        return Query.from_json(form)
    except FileNotFoundError:
        raise QueryError(f"the query file {str(path)!r} does not exist; check the path") from None
    except OSError as error:
        raise QueryError(f"the query file {str(path)!r} cannot be read ({error.strerror})") from None
    except PetsError as error:
        raise QueryError(f"{file.name}: {error}") from None
    except Exception:
        # a file may hold anything; whatever the readers stumble on, it is no query
        raise QueryError(
            f"{file.name} does not hold a query; its form is what query.to_json() gives, as JSON or as YAML"
        ) from None


def _yaml(text: str) -> Any:
    """YAML as JSON types: only true, false, null and plain numbers are not text (``NO`` and ``2024-05-01`` are)."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - this is how PyYAML spells it

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise QueryError("a query file may not use YAML aliases (*name); write the part out")
            return super().compose_node(parent, index)

    for tag, pattern, first in (
        ("null", r"~|null|", ["~", "n", ""]),
        ("bool", r"true|false", ["t", "f"]),
        ("int", r"-?(0|[1-9]\d*)", list("-0123456789")),
        ("float", r"-?(0|[1-9]\d*)\.\d+", list("-0123456789")),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)
    return yaml.load(text, Loader)
