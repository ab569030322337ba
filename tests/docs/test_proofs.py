"""Written proofs: each measure and each law of noise has a page, and what a page rests on is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from pets.dp.privacy_loss import Mechanism
from pets.plan.measure import MeasureKind
from pets.query_model.features import AgeAt, Case, Computed, Days, Filled, How
from pets.query_model.nodes.derived import Derived

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
        "top_keys",
        "rounded",
    )
    kinds += ("secure_sum", "refinement", "post_processing")
    assert missing(kinds, PAGES) == set()
    assert missing(kinds, [page for page in PAGES if page.stem != "tree"]) == {"tree"}


def test_every_kind_that_the_checker_knows_is_on_a_page() -> None:
    files = {f"kinds/{path.name}" for path in (ROOT / "pets" / "verify" / "kinds").glob("[a-z]*.py")}
    named = re.findall(r"`(kinds/\w+\.py)`", (FOLDER / "certificate.md").read_text("utf-8"))
    assert sorted(named) == sorted(files) and len(files) > 12
    lines = [file for page in PAGES for file, _ in LINE.findall(page.read_text("utf-8"))]
    assert {f"pets/verify/{file}" for file in files} <= set(lines)


LAWS = {
    "make_gaussian": "gaussian",
    "make_laplace": "laplace",
    "make_gaussian_threshold": "group_keys",
    "make_noisy_top_k": "top_keys",
}
"""Each measurement of OpenDP that something here draws from, and the page of its law."""
EXACT = {"tabulate": "setting", "key_counts": "group_keys", "codes": "setting", "gradients": "training"}
"""Each door through which exact values leave the folder of rows, and the page of how far one person moves them."""


def laws(sources: list[str]) -> set[str]:
    """The measurements of OpenDP that are made."""
    return {name for source in sources for name in re.findall(r"\bopendp\.measurements\.(\w+)", source)}


def branches(source: str) -> set[str]:
    """What a tabulation tells apart: the texts that ``kind`` is compared with, and tuples of them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "kind":
            found |= {str(one.value) for one in ast.walk(node) if isinstance(one, ast.Constant)}
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_SUMS":
            found |= set(ast.literal_eval(node.value))
    return found


def doors(source: str) -> set[str]:
    """The public functions of a module."""
    named = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {name for name in named if not name.startswith("_")}


TABULATE = (ROOT / "pets/rows/tabulate.py").read_text("utf-8")


def test_every_law_that_is_drawn_from_has_a_page() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "pets").rglob("*.py")]
    assert laws(sources) == set(LAWS) and missing(tuple(LAWS.values()), PAGES) == set()
    assert laws(["opendp.measurements.make_noisy_max(domain)"]) == {"make_noisy_max"}


def test_every_branch_of_tabulation_has_a_page() -> None:
    """Of the vector, and of whatever else leaves the rows."""
    assert branches(TABULATE) == set(get_args(MeasureKind)) and missing(tuple(branches(TABULATE)), PAGES) == set()
    assert branches(TABULATE.replace('"units"', '"ranks"')) >= {"ranks"}
    assert doors(TABULATE) == set(EXACT) and missing(tuple(EXACT.values()), PAGES) == set()


def test_every_feature_and_every_computed_column_is_in_its_proof() -> None:
    people, derived = ((FOLDER / f"{name}.md").read_text("utf-8") for name in ("people", "derived"))
    steps = re.findall(r"^\| ([\w, ]+) \|.*\|$", people.replace("column of the person table", "column"), re.MULTILINE)
    named = {name for row in steps for name in row.split(", ")}
    kinds = {kind.kind for kind in (Case, Computed, Days, AgeAt, Filled)}
    assert {*get_args(How), *kinds} - named == set()
    words = {"Linear": "weighted sum", "Least": "least", "Greatest": "greatest", "Age": "whole years"}
    words |= {"Floor": "quotient", "Mapped": "a map", "Prefix": "first characters"}
    assert set(words) == {one.__name__ for one in _leaves(Derived)}
    assert [name for name, said in words.items() if said not in derived] == []


def _leaves(kind: type[Derived]) -> list[type[Derived]]:
    return [leaf for one in kind.__subclasses__() for leaf in (_leaves(one) or [one])]


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
