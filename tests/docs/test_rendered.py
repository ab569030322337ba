"""The pages that are made from code say what the code says now."""

from __future__ import annotations

import re

import pytest

from pets.cli import main
from tests.docs import command_reference
from tests.docs.render import PAGES, ROOT


@pytest.mark.parametrize("name", [name for name in PAGES if name != "manual.md"])  # that one: tests/spec/test_spec.py
def test_a_page_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == PAGES[name](), "run: python -m tests.docs.render"


def test_every_command_and_every_flag_that_a_terminal_shows_is_in_the_reference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sections = dict(
        re.findall(r"^##+ (pets[\w -]*)\n(.*?)(?=^##|\Z)", command_reference.page(), re.MULTILINE | re.DOTALL)
    )
    seen = set()
    waiting = ["pets"]
    while waiting:
        path = waiting.pop()
        assert main.run([*path.split()[1:], "--help"]) == 0
        help_ = capsys.readouterr().out
        flags = set(re.findall(r"^ {2,3}(?:-\w, )?(--[a-z-]+)", help_, re.MULTILINE)) - {"--help"}
        assert {flag for flag in flags if not re.search(rf"`{flag}\b", sections[path])} == set(), path
        seen.add(path)
        _, found, listed = help_.partition("Commands:\n")
        waiting += [f"{path} {name}" for name in re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE)] if found else []
    assert seen == set(sections)
    assert {"pets query", "pets ledger open", "pets federation glm"} <= seen
