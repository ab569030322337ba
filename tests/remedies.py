"""A refusal and its remedy: what goes wrong, what the sentence says, and the same with the remedy applied."""

from __future__ import annotations

import ast
import importlib
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pets.errors import PetsError

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("rows", "schema", "query_model", "plan", "session")
INNER = ("InternalError", "TypeError", "ValueError", "AttributeError", "KeyboardInterrupt")
"""Errors of pets to itself, and what Python's own protocols ask for: they name no remedy."""

Act = Callable[[], object] | Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One refusal.

    Attributes:
        wrong: what is refused. It may take an empty folder.
        says: the remedy, as the sentence has it.
        mended: the same with the remedy applied.
    """

    wrong: Act
    says: str
    mended: Act


def done(act: Act) -> object:
    """The result of an act."""
    if not act.__code__.co_argcount:
        return act()  # type: ignore[call-arg]
    with tempfile.TemporaryDirectory() as folder:
        return act(Path(folder))  # type: ignore[call-arg]


def refused(case: Case) -> PetsError:
    """The error of a case's wrong act."""
    with pytest.raises(PetsError) as caught:
        done(case.wrong)
    return caught.value


def check(case: Case) -> None:
    """The sentence names the remedy, and the remedy works."""
    text = str(refused(case))
    assert case.says in text, text
    assert "\n" not in text and "Traceback" not in text
    done(case.mended)


@dataclass(frozen=True)
class Site:
    """A statement that raises an error for people, or gives one to be raised.

    Attributes:
        file, first, last: where it is.
        text: the statement.
        says: a regular expression of its sentences ('' where the sentence is put together elsewhere).
    """

    file: str
    first: int
    last: int
    text: str
    says: str


def sites() -> list[Site]:
    """Every such statement of the folders."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / "pets" / folder).rglob("*.py")):
            file = str(path.relative_to(ROOT))
            module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                call = node.exc if isinstance(node, ast.Raise) else node.value if isinstance(node, ast.Return) else None
                if not isinstance(call, ast.Call) or not isinstance(node, (ast.Raise, ast.Return)):
                    continue
                name = ast.unparse(call.func)
                if name.endswith("Error") and name not in INNER and name != "place.error":
                    says = "".join(sentence(part, module) for part in call.args)
                    plain = len(re.sub(r"\.\*|\\", "", says)) > 8
                    found.append(
                        Site(file, node.lineno, node.end_lineno or 0, ast.unparse(node), says if plain else "")
                    )
    return found


def sentence(part: ast.expr, module: object) -> str:
    """The regular expression of what an expression may say."""
    if isinstance(part, ast.Constant) and isinstance(part.value, str):
        return re.escape(part.value)
    if isinstance(part, ast.JoinedStr):
        return "".join(sentence(one, module) for one in part.values)
    if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
        known = getattr(module, part.value.id, None)
        return re.escape(known) if isinstance(known, str) else ".*"
    return ".*"


def passed(error: BaseException) -> Iterator[tuple[str, int]]:
    """The files and lines that an error, and those that it stands for, went through."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        left += [one.__context__, one.__cause__]
        step = one.__traceback__
        while step is not None:
            path = Path(step.tb_frame.f_code.co_filename)
            if path.is_relative_to(ROOT):
                yield str(path.relative_to(ROOT)), step.tb_lineno
            step = step.tb_next
