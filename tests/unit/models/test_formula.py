"""A formula has columns, C(), +, : and * alone: what it may say, what it may not, and that nothing of it ever runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pets.errors import MissingExtraError, QueryError
from pets.models.formula import Parsed, parsed
from tests.remedies import Case, check

pytestmark = pytest.mark.chance(0)


@pytest.mark.parametrize(
    ("text", "terms", "levels"),
    [
        ("y ~ a", [("a",)], ()),
        ("y~a+b + 1", [("a",), ("b",)], ()),
        ("y ~ a * b", [("a",), ("b",), ("a", "b")], ()),
        ("y ~ b:a + b + a", [("b",), ("a",), ("a", "b")], ()),
        ("y ~ a + a", [("a",)], ()),
        ("y ~ (a + b) * C(c)", [("a",), ("b",), ("c",), ("a", "c"), ("b", "c")], ("c",)),
        ("y ~ C(a) : C( `my col` ) + a + `my col`", [("a",), ("my col",), ("a", "my col")], ("a", "my col")),
        ("(y) ~ a.b + é", [("a.b",), ("é",)], ()),
    ],
)
def test_what_a_formula_says(text: str, terms: list[tuple[str, ...]], levels: tuple[str, ...]) -> None:
    assert parsed(text) == Parsed("y", tuple(terms), levels)


MARK = "pets-formula-ran"
CODE = [
    "y ~ {open('pets-formula-ran', 'w')}",
    "y ~ open('pets-formula-ran', 'w')",
    "y ~ __import__('os').mkdir('pets-formula-ran')",
    "y ~ C(open('pets-formula-ran', 'w'))",
    "y ~ C(a, levels=open('pets-formula-ran', 'w'))",
    "open('pets-formula-ran', 'w') ~ a",
    "y ~ a[open('pets-formula-ran', 'w')]",
    "y ~ `a` + (lambda: open('pets-formula-ran', 'w'))()",
    "y ~ {C(a)}",
    "{y} ~ a",
]


@pytest.mark.parametrize("text", CODE)
def test_code_in_a_formula_is_refused_and_does_not_run(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran: list[str] = []
    watching = True

    def hook(event: str, arguments: Any) -> None:
        if watching and event in ("exec", "compile", "open", "os.mkdir") and MARK in str(arguments):
            ran.append(event)

    sys.addaudithook(hook)  # (it cannot be taken away again)
    with pytest.raises(QueryError) as caught:
        parsed(text)
    watching = False
    assert [one for one in ran if one != "compile"] == [] and not list(tmp_path.iterdir())
    assert caught.value.code == "query" and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *("center(a)", "scale(a)", "standardize(a)", "bs(a, df=3)", "cr(a, df=3)", "poly(a, 2)", "lag(a)", "hashed(a)"),
        *("np.log(a)", "log(a)", "I(a)", "Q('a')", "C(a, Treatment('x'))", "C(a, contr.treatment)", "C(C(a))", "a()"),
    ],
)
def test_what_learns_from_rows_or_calls_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"runs no code.*declare it in the schema"):
        parsed(f"y ~ b + {text}")


@pytest.mark.parametrize(
    "text",
    [
        *("", "y", "y ~", "~ a", "y ~ a ~ b", "y ~ (a", "y ~ a)", "y ~ a b", "y ~ a +", "y ~ + a", "y ~ * a"),
        *("y ~ .", "y ~ a | b", "y ~ [b ~ a]", "y ~ a ** 2", "y ~ a ^ 2", "y ~ a / b", "y ~ a %in% b", "y ~ a ++ b"),
        *("y ~ 'a'", 'y ~ "a"', "y ~ `a", "y ~ a\n", "y ~ a\x00", "y ~ ``", "y ~ 1", "y + z ~ a", "y:z ~ a", "1 ~ a"),
        *("C(y) ~ a", "y ~ a:2", "y ~ 0", "y ~ -1", "y ~ 1.5", "y ~ " + "(" * 300 + "a" + ")" * 300, "y ~ a $ b"),
        *("y ~ " + " * ".join("abcdefgh"), "y ~ " + " + ".join(f"a{n}" for n in range(40)), "y ~ " + "a" * 3000),
        *("y ~ a # b", "y ~ a, b", "y ~ !a", "y ~ @a", "y ~ a = b", "y ~ a == b", "y ~ a < b", "y ~ a and b"),
        *("y ~ a;b", "y ~ \u202ea", "y ~ a:b:"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        parsed(text)
    said = str(caught.value)
    assert "\x1b" not in said and "\n" not in said and len(said) < 400, "a parser's own message"


CASES = [
    Case(lambda: parsed("y ~ a - 1"), "leave it out", lambda: parsed("y ~ a")),
    Case(lambda: parsed("y ~ 0 + a"), "leave it out", lambda: parsed("y ~ a")),
    Case(lambda: parsed("y ~ a + a:a"), "write each product out once", lambda: parsed("y ~ a + b + a:b")),
    Case(lambda: parsed("y ~ b + C(a) * a"), "declare a column of its squares", lambda: parsed("y ~ b + a + squared")),
    Case(lambda: parsed("y ~ 2:a"), "leave it out", lambda: parsed("y ~ a")),
    Case(lambda: parsed("y ~ a ** 2"), "write columns, C(column), +, : and *", lambda: parsed("y ~ a * C(b)")),
    Case(lambda: parsed("y ~ log(a)"), "declare it in the schema", lambda: parsed("y ~ log_a")),
    Case(lambda: parsed("y ~ a + I(a**2)"), "a power, compute in the data and", lambda: parsed("y ~ a + a2")),
    Case(lambda: parsed("y ~ a + offset(log(days))"), "exposure='days'", lambda: parsed("y ~ a")),
    Case(lambda: parsed("y ~ a ~ b"), "one ~", lambda: parsed("y ~ a + b")),
    Case(lambda: parsed("y ~ a +"), "too many", lambda: parsed("y ~ a")),
    Case(lambda: parsed("y ~ 1"), "name a column", lambda: parsed("y ~ 1 + a")),
    Case(lambda: parsed("y + z ~ a"), "one column, the outcome", lambda: parsed("y ~ a")),
    Case(lambda: parsed("C(y) ~ a"), "take C() off", lambda: parsed("y ~ a")),
    Case(lambda: parsed(7), "is a text", lambda: parsed("y ~ a")),  # type: ignore[arg-type]
    Case(lambda: parsed("y ~ " + " * ".join("abcdefgh")), "take fewer", lambda: parsed("y ~ a * b")),
    Case(lambda: parsed("y ~ " + "a + " * 200 + "a"), "take fewer", lambda: parsed("y ~ a")),
    Case(lambda: parsed("y ~ a\n"), "one line", lambda: parsed("y ~ a")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_refusal_names_a_remedy_that_works(case: Case) -> None:
    check(case)


def test_without_the_parser_the_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "formulaic.parser", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pets-privacy\[models\]'"):
        parsed("y ~ a")


def test_formulaic_makes_no_matrix_and_is_not_loaded_before_a_formula() -> None:
    source = Path(sys.modules["pets.models.formula"].__file__ or "").read_text("utf-8")
    for word in ("materializ", "model_matrix", "ModelSpec", "get_model", "eval(", "to_terms", "get_terms"):
        assert word not in source
