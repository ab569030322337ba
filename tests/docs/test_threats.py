"""The page of threats: each of the 22 has an answer, and each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "threats.md"
THREATS = 22
TEST = re.compile(r"^\* `(tests/[\w/]+\.py)::(\w+)`$", re.MULTILINE)


def threats(page: str) -> dict[int, str]:
    """By number, what stands under a threat's heading."""
    parts = re.split(r"^## (?:(\d+)\. )?", page, flags=re.MULTILINE)
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True) if number}


def wrong(page: str) -> list[str]:
    """What a page of threats lacks."""
    found = threats(page)
    said = [f"threat {number} is missing" for number in range(1, THREATS + 1) if number not in found]
    for number, text in found.items():
        answer, _, shown = text.partition("Shown by:")
        tests = TEST.findall(shown)
        if len(answer.split()) < 12 or not tests:
            said.append(f"threat {number} has no answer, or no test")
        if len(tests) != len(re.findall(r"^\* ", shown, re.MULTILINE)):
            said.append(f"threat {number} names something that is no test")
        for file, name in tests:
            path = ROOT / file
            source = path.read_text("utf-8") if path.exists() else ""
            if not re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE):
                said.append(f"threat {number}: there is no {file}::{name}")
            elif re.search(rf"^@pytest\.mark\.(?:soak|skip)\b.*\n(?:@.*\n)*def {name}\(", source, re.MULTILINE):
                said.append(f"threat {number}: {name} is left out of the usual run")
    return said


def test_each_threat_has_an_answer_and_tests_that_exist() -> None:
    assert wrong(PAGE.read_text("utf-8")) == []


def test_the_check_bites() -> None:
    page = PAGE.read_text("utf-8")
    assert wrong(page.replace("## 22. ", "## 23. ")) == ["threat 22 is missing"]
    assert wrong(page.replace("::test_an_old_backup`", "::test_a_new_backup`")) == [
        "threat 3: there is no tests/attacks/test_ledger_faults.py::test_a_new_backup"
    ]
    long = "test_50_000_replies_are_as_the_page_says_and_show_no_row"
    assert wrong(page.replace("test_every_reply_is_as_the_page_says_and_shows_no_row", long)) == [
        f"threat 14: {long} is left out of the usual run"
    ]
    lines = page.splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if line.startswith("## 17."))
    bare = "".join(line for n, line in enumerate(lines) if not (start < n < start + 9 and line.startswith("* ")))
    assert wrong(bare) == ["threat 17 has no answer, or no test"]
