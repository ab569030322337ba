"""Written proofs: each measure and each law of noise has a page, and what a page rests on is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from pets.dp.privacy_loss import Mechanism
from pets.plan.measure import MeasureKind

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "proofs"
PAGES = sorted(FOLDER.glob("*.md"))
PARTS = ("## Definition", "## Lemma", "**Proof.**", "## The line", "## Shown by", "## Source")
LINE = re.compile(r"^\* `(pets/[\w/]+\.py)`: `(.+)`$", re.MULTILINE)
TEST = re.compile(r"^\* `(tests/[\w/]+\.py)::(\w+)`$", re.MULTILINE)
WORDS = 150  # fewer are no proof


def missing(kinds: tuple[str, ...], pages: list[Path]) -> set[str]:
    """Kinds without a page."""
    return set(kinds) - {page.stem for page in pages}


def test_every_measure_and_every_law_has_a_page() -> None:
    kinds = (
        *get_args(MeasureKind),
        *get_args(Mechanism),
        "composition",
        "setting",
        "plan",
        "certificate",
        "group_keys",
    )
    kinds += ("secure_sum", "refinement", "post_processing")
    assert missing(kinds, PAGES) == set()
    assert missing(kinds, [page for page in PAGES if page.stem != "tree"]) == {"tree"}


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_is_whole_and_what_it_rests_on_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    places = [text.find(part) for part in PARTS]
    assert -1 not in places and places == sorted(places), "a page has all of its parts, in order"
    assert len(text.split()) >= WORDS
    lines, tests = LINE.findall(text), TEST.findall(text)
    assert lines and tests
    for file, line in lines:
        assert line in (ROOT / file).read_text("utf-8"), f"{file} no longer holds {line!r}: does the proof still hold?"
    for file, name in tests:
        assert f"def {name}(" in (ROOT / file).read_text("utf-8"), f"{file} has no test {name}"
    part = text.partition("## The line")[2].partition("## Source")[0]
    assert len([row for row in part.splitlines() if row.startswith("* ")]) == len(lines) + len(tests)


def test_every_page_is_in_the_first_ones_table() -> None:
    listed = set(re.findall(r"\]\((\w+)\.md\)", (FOLDER / "setting.md").read_text("utf-8").partition("## Def")[0]))
    assert listed == {page.stem for page in PAGES} - {"setting"}


def test_the_features_of_opendp_are_those_of_its_page() -> None:
    found = {
        (str(path.relative_to(ROOT)), feature)
        for path in (ROOT / "pets").rglob("*.py")
        for feature in re.findall(r"enable_features\(([^)]*)\)", path.read_text("utf-8"))
    }
    assert found == {("pets/dp/noise.py", '"contrib"')}
    assert "| `contrib` | yes, in `pets/dp/noise.py` alone |" in (ROOT / "docs" / "opendp.md").read_text("utf-8")
