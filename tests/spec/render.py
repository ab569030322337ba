"""The manual: every chapter and spec, as Markdown. Run ``python -m tests.spec.render`` to write it."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.spec.book import Chapter, Spec, lines
from tests.spec.toc import CHAPTERS, ROUNDED

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "manual.md"

OPENING = """\
# The manual: what every query means

<!-- Written by `python -m tests.spec.render` from tests/spec; edit the specs, not this file. -->

Each example below is a small table, a query and the exact answer before any noise. Every one of them is run on every
engine by the tests, so what is written here is what happens. The answers are for people who learn or check pets: on
real records only a protection's noisy release leaves the house.

In the tables an empty cell has no value; quotes keep the blanks of a text; `–` in an answer means that there is no
value to give (the mean of no rows).
"""


def manual() -> str:
    """The whole text."""
    every = CHAPTERS + ROUNDED
    contents = [f"* [{chapter.title}](#{anchor(chapter.title)})" for chapter in every]
    parts = [OPENING, "\n".join(contents) + "\n", *(_chapter(chapter) for chapter in every)]
    return "\n".join(parts)


def anchor(title: str) -> str:
    """The address that Markdown gives a heading."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _chapter(chapter: Chapter) -> str:
    parts = [f"## {chapter.title}\n", textwrap.dedent(chapter.text).strip() + "\n"]
    if chapter.schema:
        parts.append(f"```yaml\n{_clean(chapter.schema)}\n```\n")
    if chapter.tables is not None:
        parts += [_data(name, text) for name, text in chapter.tables.items()]
    return "\n".join([*parts, *(_spec(spec) for spec in chapter.specs)])


def _spec(spec: Spec) -> str:
    parts = [f"### {spec.title}\n"]
    if spec.why:
        parts.append(textwrap.dedent(spec.why).strip() + "\n")
    if spec.schema is not None:
        parts.append(f"```yaml\n{_clean(spec.schema)}\n```\n")
    if spec.tables is not None:
        parts += [_data(name, text) for name, text in spec.tables.items()]
    parts.append(f"```python\n{_clean(spec.query)}\n```\n")
    if spec.rule:
        parts.append(f"released with `pets.SDC({spec.rule!r})`:\n")
    parts.append(_table(spec.answer))
    return "\n".join(parts)


def _clean(text: str) -> str:
    return textwrap.dedent(text).strip("\n").rstrip()


def _data(name: str, text: str) -> str:
    return f"`{name}`:\n\n{_table(text)}"


def _table(text: str) -> str:
    """An ASCII table as a Markdown table."""
    head, *rows = [[cell.replace("'", "`") for cell in line] for line in lines(text)]
    if not any(head):
        return ""
    out = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(row) + " |\n" for row in out)


if __name__ == "__main__":
    MANUAL.parent.mkdir(exist_ok=True)
    MANUAL.write_text(manual(), "utf-8")
    print(f"{MANUAL.name}: {sum(len(chapter.specs) for chapter in CHAPTERS)} specs")
