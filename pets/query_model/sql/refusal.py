"""Refusals: the place in the text, underlined, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlglot import exp

from pets.errors import QueryError, SqlError

_NOTE = frozenset({"big_int", "typed", "safe", "nested", "is_string", "quoted", "ignore_nulls"})
"""Parts of sqlglot's nodes that say how something was written, and never what is asked."""
_WIDTH = 100
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")

Span = tuple[int, int]


class Refusal(Exception):
    """A part of a statement that is not answered; the reader adds the place."""

    def __init__(self, node: exp.Expression | None, sentence: str) -> None:
        super().__init__(sentence)
        self.node, self.sentence = node, sentence


@contextmanager
def at(node: exp.Expression) -> Iterator[None]:
    """What a node of the question refuses is refused at this place of the text."""
    try:
        yield
    except SqlError:
        raise
    except QueryError as error:
        raise Refusal(node, str(error)) from None


def only(node: exp.Expression, *names: str) -> None:
    """Refuse a node with any part beside the named ones: nothing is answered in part."""
    for name, value in node.args.items():
        if name in names or name in _NOTE or name.startswith("_") or value is None or value is False or value == []:
            continue
        if isinstance(node, exp.Case) and name == "this":
            of, first = (part.sql(dialect="duckdb") for part in (node.this, node.args["ifs"][0].this))
            raise Refusal(node.this, f"here CASE has conditions; write CASE WHEN {of} = {first} THEN …")
        where = value if isinstance(value, exp.Expression) else value[0] if isinstance(value, list) else node
        said = name.strip("_").replace("_", " ")
        raise Refusal(
            where if isinstance(where, exp.Expression) else node,
            f"{said} is not answered beside {word(node)}; leave it out",
        )


def word(node: exp.Expression) -> str:
    """What a kind of node is called in SQL."""
    if isinstance(node, exp.Anonymous):
        return str(node.this)[:60].upper()
    if isinstance(node, exp.Func):
        return node.sql_name()[:60]
    return type(node).__name__.upper()


def written(node: exp.Expression, most: int = 80) -> str:
    """A part of a statement as SQL, for a sentence; of a long one only that it is there."""
    text = node.sql(dialect="duckdb")
    return text if len(text) <= most and text.isprintable() else "…"


def refused(text: str, refusal: Refusal) -> SqlError:
    """The error for people: the sentence, and the line with the place underlined."""
    found: Span | None = None
    node: exp.Expr | None = refusal.node
    while node is not None and found is None:
        found, node = span(node), node.parent
    return placed(text, refusal.sentence, None if found is None else (found[0], _closed(text, *found)))


def _closed(text: str, start: int, end: int) -> int:
    """The end of a place, with the brackets that close what was opened in it: sqlglot notes no place for those."""
    here = _QUOTED.sub(lambda found: "x" * len(found[0]), text[start:])
    depth = here[: end - start + 1].count("(") - here[: end - start + 1].count(")")
    for place in range(end - start + 1, len(here)):
        if depth <= 0:
            break
        depth += {"(": 1, ")": -1}.get(here[place], 0)
        if here[place] == ")":
            end = start + place
    return end


def placed(text: str, sentence: str, found: Span | None) -> SqlError:
    """The error with its excerpt: the line of the place, and carets below it."""
    return SqlError(sentence, "" if found is None else excerpt(text, *found))


def span(node: exp.Expr) -> Span | None:
    """From the first to the last letter of all that a node holds; ``None`` where sqlglot noted no place."""
    places = [part.meta for part in node.walk() if "start" in part.meta]
    if not places:
        return None
    return min(place["start"] for place in places), max(place["end"] for place in places)


def excerpt(text: str, start: int, end: int) -> str:
    """The line in which a place begins, and carets below it.

    >>> print(excerpt("SELECT *\\nFROM stays", 14, 18))
    FROM stays
         ^^^^^
    """
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    line = text[begin : len(text) if stop < 0 else stop]
    first, length = start - begin, max(1, min(end, begin + len(line) - 1) - start + 1)
    cut = max(0, first - 40)  # of a long line, what stands around the place
    shown = "".join(letter if letter.isprintable() else " " for letter in line[cut : cut + _WIDTH])
    before, after = "… " if cut else "", " …" if cut + _WIDTH < len(line) else ""
    carets = "^" * max(1, min(length, len(shown) - (first - cut)))
    return f"{before}{shown}{after}\n{' ' * (len(before) + first - cut)}{carets}"


def listed(values: Sequence[str], most: int = 4) -> str:
    """Texts as SQL constants, the first few."""
    texts = ["'" + value.replace("'", "''") + "'" for value in values[:most]]
    return ", ".join(texts) + (", …" if len(values) > most else "")
