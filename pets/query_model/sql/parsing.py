"""Parsing: one SELECT as sqlglot's tree, in one dialect, whatever is thrown at it.

The dialect is DuckDB's, always: in others the same letters mean something else, without an error (``a//b`` is a comment
in Snowflake's).
"""

from __future__ import annotations

import re

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError

from pets.common.codec import REPAIR, encodable
from pets.errors import QueryError, shown
from pets.query_model.sql.refusal import Refusal, placed

MAX_LENGTH = 100_000

_DIALECT = DuckDB()
_EXAMPLE = "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex"
_DEEP = "the statement is nested too deeply to be read; write long lists with IN (…), and fewer brackets"
_PROTECTION = ("DIFFERENTIAL_PRIVACY", "ANONYMIZATION")


def tree(text: object) -> exp.Select:
    """The one SELECT of a text; raises :class:`pets.errors.SqlError` or :class:`QueryError` for all else."""
    if not isinstance(text, str) or not text.strip():
        raise QueryError(f"SQL is a text, such as {_EXAMPLE!r}, not {shown(text)}")
    if len(text) > MAX_LENGTH:
        raise QueryError(f"the SQL is longer than {MAX_LENGTH:,} letters; shorten its lists, or ask in Python")
    if not encodable(text):
        raise QueryError(f"the SQL holds half a character (a lone surrogate); {REPAIR}")
    tokens = _tokens(text)
    _unprotected(text, tokens)
    _one_select(text, tokens)
    for limit, number, comma in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (limit.token_type, comma.token_type) == (TokenType.LIMIT, TokenType.COMMA):
            # another dialect's, and sqlglot reads it as OFFSET
            raise placed(text, "LIMIT takes one number; write LIMIT 10 OFFSET 5", (number.start, comma.end))
    try:
        found = _DIALECT.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)
    except RecursionError:
        raise QueryError(_DEEP) from None
    except ParseError as error:
        raise _unread(text, error) from None
    except Exception:  # a library's own mistakes about text that is no SQL
        raise QueryError(f"this cannot be read as SQL; write it as {_EXAMPLE!r}") from None
    if len(found) != 1 or not isinstance(found[0], exp.Select):
        node = found[0] if found else None
        if isinstance(node, exp.SetOperation):
            raise Refusal(
                node.expression,
                f"{word_of(node)} joins two questions; ask each on its own: session.release([query1, query2], …)",
            )
        raise QueryError(f"a question is one SELECT, such as {_EXAMPLE!r}")
    return found[0]


def word_of(node: exp.SetOperation) -> str:
    """UNION, EXCEPT or INTERSECT."""
    return type(node).__name__.upper()


def plain_name(name: str) -> bool:
    """Whether a name needs no quotes: one ordinary word, in small letters, that SQL has no use for."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return False
    tokens = _DIALECT.tokenize(name)
    taken = _DIALECT.parser_class
    return (
        len(tokens) == 1
        and tokens[0].token_type == TokenType.VAR
        and name.upper() not in taken.NO_PAREN_FUNCTION_PARSERS
        and name.upper() not in taken.FUNCTION_PARSERS
    )


def _tokens(text: str) -> list[Token]:
    try:
        return list(_DIALECT.tokenize(text))
    except (SqlglotError, RecursionError, ValueError, IndexError):
        raise QueryError(
            "the SQL cannot be read: a text in '…', a name in \"…\" or a comment is not closed, or a sign is none of "
            "SQL's"
        ) from None


def _unprotected(text: str, tokens: list[Token]) -> None:
    """Refuse a clause of protection, ``SELECT WITH DIFFERENTIAL_PRIVACY``; its words as a text or a name are no such.

    Other places of the words are names that the schema lacks, or no SQL.
    """
    for select, with_, words in zip(tokens, tokens[1:], tokens[2:], strict=False):
        begins = (select.token_type, with_.token_type) == (TokenType.SELECT, TokenType.WITH)
        if begins and words.token_type == TokenType.VAR and words.text.upper() in _PROTECTION:
            raise placed(
                text,
                "a question says nothing of its protection: leave this clause out, and write "
                "session.release(query, pets.DP(epsilon=…))",
                (words.start, words.end),
            )


def _one_select(text: str, tokens: list[Token]) -> None:
    """Refuse more than one statement, and whatever is no SELECT, before anything of it is parsed."""
    ends = [token for token in tokens if token.token_type == TokenType.SEMICOLON]
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise QueryError(f"the SQL is empty; write it as {_EXAMPLE!r}")
    if ends and ends[0].start < tokens[-1].start:
        rest = tokens[next(i for i, token in enumerate(tokens) if token.start > ends[0].start)]
        raise placed(text, "a question is one statement; leave what follows the semicolon out", (rest.start, rest.end))
    first = tokens[0]
    begins = (TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.L_PAREN)
    if first.token_type not in begins:
        raise placed(text, f"a question is one SELECT, such as {_EXAMPLE!r}", (first.start, first.end))


def _unread(text: str, error: ParseError) -> QueryError:
    """Where the parser stopped."""
    first = error.errors[0] if error.errors else {}
    highlight, context = str(first.get("highlight") or ""), str(first.get("start_context") or "")
    sentence = f"this is not the SQL of DuckDB; check the place that is marked, and write it as {_EXAMPLE!r}"
    start = text.find(context + highlight) if highlight else -1
    if start < 0:
        return QueryError(f"this cannot be read as the SQL of DuckDB; write it as {_EXAMPLE!r}")
    start += len(context)
    return placed(text, sentence, (start, start + len(highlight) - 1))
