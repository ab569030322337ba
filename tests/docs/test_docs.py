"""The documentation is executed or it is wrong.

In each page, Python blocks run in order in one namespace, bash lines that begin with ``pets`` run as commands,
and a ``text`` block holds what the block before it prints. After ``<!-- noisy -->`` only the words must agree, since
noise changes the numbers; after ``<!-- not run -->`` a block is shown only. To write the outputs anew:
``python -m tests.docs.test_docs README.md docs/guide.md``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pets.cli import demo, main

ROOT = Path(__file__).resolve().parents[2]
# docs/manual.md is rendered from the spec suite, which runs every one of its questions itself
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "GLOSSARY.md", "CHANGELOG.md")]
PAGES += sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "manual.md")
PAGES += sorted((ROOT / "docs" / "running").glob("*.md"))
PEOPLE = 4_000  # of the table that `pets demo` invents here
FENCE = re.compile(r"(?:<!-- (noisy|not run) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[-−]?\d[\d,]*(\.\d+)?(e-?\d+)?")


@dataclass(frozen=True)
class Block:
    mark: str
    kind: str
    text: str
    line: int
    span: tuple[int, int]


def blocks(page: str) -> Iterator[Block]:
    for found in FENCE.finditer(page):
        yield Block(found[1] or "", found[2], found[3], page.count("\n", 0, found.start(3)), found.span(3))


def printed(block: Block, names: dict[str, Any], label: str) -> str:
    """What a block prints (both streams: a reader of a terminal sees both)."""
    stream = io.StringIO(newline="")  # as written: carriage returns kept
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        if block.kind == "python":
            # padded, so that a traceback names the line of the page
            exec(compile("\n" * block.line + block.text, label, "exec"), names)
        else:
            for line in block.text.replace("\\\n", " ").splitlines():
                if line.startswith("pets "):
                    code = main.run(shlex.split(line, comments=True)[1:])
                    assert code == 0, f"{label}, line {block.line}: {line} gave {code}: {stream.getvalue()}"
    return shown(stream.getvalue())


def shown(text: str) -> str:
    """What stays on a terminal: a progress bar writes over itself and is gone in the end."""
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.split("\n"))


def run(path: Path) -> Iterator[tuple[Block, str]]:
    """Each block of expected output, with what was printed."""
    before = None
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(path.read_text("utf-8")):
        if block.kind in ("python", "bash") and block.mark != "not run":
            before = printed(block, names, path.name)
        elif block.kind == "text" and block.mark != "not run" and before is not None:
            yield block, before
            before = None


def plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def masked(text: str) -> str:
    """The words, with every number as #."""
    return " ".join(NUMBER.sub("#", text).split())


@pytest.fixture
def page(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "PEOPLE", PEOPLE)
    path: Path = request.param
    return path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name, indirect=True)
def test_a_page_does_what_it_says(page: Path) -> None:
    for block, said in run(page):
        where = f"{page.name}, line {block.line}"
        if block.mark == "noisy":
            assert masked(said) == masked(block.text), where
        else:
            assert plain(said) == plain(block.text), where


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere_and_no_path_of_a_machine_is_shown(path: Path) -> None:
    text = path.read_text("utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", text):
        assert (path.parent / target).exists(), target
    assert not re.search(r"/work/|/root/|/home/|/tmp/[a-z]*\d", text)
    assert all(len(line) <= 120 or line.startswith(("|", "    ")) for line in FENCE.sub("", text).splitlines())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_heading_stands_alone(path: Path) -> None:
    text = FENCE.sub("", path.read_text("utf-8"))
    assert not re.findall(r"^.*[^#\n`|]#{2,6} \w.*$|^[^#\n].*\n#{1,6} .*$", text, re.MULTILINE)


def test_the_checker_bites(tmp_path: Path) -> None:
    def first(text: str) -> tuple[Block, str]:
        path = tmp_path / "page.md"
        path.write_text(text, "utf-8")
        return next(run(path))

    block, said = first("```python\nprint('a', 1)\n```\n\n```text\na 2\n```\n")
    assert plain(said) != plain(block.text)
    block, said = first("```python\nprint('a', 1)\n```\n<!-- noisy -->\n```text\na 2\n```\n")
    assert masked(said) == masked(block.text) and masked(said) != masked("b 2")
    with pytest.raises(AssertionError, match="gave 2"):
        first("```bash\npets nonsense\n```\n```text\n```\n")
    with pytest.raises(NameError):
        first("```python\nunknown\n```\n```text\n```\n")


def refresh(path: Path) -> None:
    """Write each page's outputs anew."""
    text, shift = path.read_text("utf-8"), 0
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for block, said in run(path):
                new = plain(said) + "\n"
                start, end = (place + shift for place in block.span)
                text, shift = text[:start] + new + text[end:], shift + len(new) - len(block.text)
        finally:
            os.chdir(here)
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    demo.PEOPLE = PEOPLE
    for name in sys.argv[1:]:
        refresh(Path(name).resolve())
