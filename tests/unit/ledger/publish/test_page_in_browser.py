"""The public page in a real browser: nothing is fetched, nothing complains, all of it is read on any screen.

``axe`` looks through it for the rules of WCAG 2.1 A and AA; what it cannot judge is looked at here.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pets.ledger.publish.page import Cover, page
from pets.ledger.publish.read_log import published
from tests.browser import Browser
from tests.sample_ledger import HOSTILE, Past, eventful

SCREENS = [(width, dark) for width in (320, 1280) for dark in (False, True)]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]

# every element that holds text of its own: its text, its size, its colour and the one behind it
LOOK = """
[...document.querySelectorAll('body *')].filter(e => !['STYLE', 'TITLE', 'DESC', 'title', 'desc'].includes(e.tagName)
    && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
  const style = getComputedStyle(e), box = e.getBoundingClientRect(), svg = e instanceof SVGElement;
  let behind = 'rgba(0, 0, 0, 0)';
  for (let up = e; up && behind === 'rgba(0, 0, 0, 0)'; up = up.parentElement)
    behind = getComputedStyle(up).backgroundColor;
  return {text: e.textContent.trim().slice(0, 80), tag: e.tagName, left: box.left, right: box.right,
          height: box.height, shown: e.checkVisibility(), colour: svg ? style.fill : style.color, behind,
          inside: svg && e.classList.contains('on') ? getComputedStyle(e.previousElementSibling).fill : null,
          size: parseFloat(style.fontSize) * (svg ? e.ownerSVGElement.getBoundingClientRect().width
                                                    / e.ownerSVGElement.viewBox.baseVal.width : 1)};
})
"""


@pytest.fixture(scope="module")
def past() -> Past:
    return eventful()


@pytest.fixture(scope="module")
def path(past: Past, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page") / "page.html"
    made.write_text(
        page(published(past.ledger), Cover(custodian="Riverside Hospitals", contact="a@b.example")), "utf-8"
    )
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_it_loads_without_a_request_or_a_complaint(browser: Browser, path: Path, width: int, dark: bool) -> None:
    browser.look(width, dark=dark)
    browser.open(path)
    assert browser.requests() == [path.as_uri()]
    assert browser.complaints() == []
    assert browser.run("document.title") == "Public record of releases"
    assert browser.run("document.compatMode") == "CSS1Compat"
    assert browser.run("getComputedStyle(document.querySelector('.figures')).display") == "grid"  # the policy let it in


def test_the_policy_lets_no_script_in(browser: Browser, path: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    text = path.read_text("utf-8").replace(
        "</main>", "<script>window.ran = 1</script><p style='color:red'>x</p></main>"
    )
    bad.write_text(text, "utf-8")
    browser.open(bad)
    assert browser.run("window.ran") is None and len(browser.complaints()) >= 2


@pytest.mark.parametrize(("width", "dark"), [*SCREENS, (801, False)])  # the narrowest with tables as tables
def test_all_of_its_text_is_read_on_any_screen(browser: Browser, path: Path, width: int, dark: bool) -> None:
    browser.look(width, dark=dark)
    browser.open(path)
    assert browser.run("document.documentElement.scrollWidth") <= width
    found: list[dict[str, Any]] = browser.run(LOOK)
    shown = [one for one in found if one["shown"] and one["right"] > 0]
    seen = " ".join(one["text"] for one in shown)
    for text in (
        "What does “privacy budget” mean?",
        "Failed",
        "Refused",
        "1 release had no privacy guarantee",
        HOSTILE,
    ):
        assert text in seen
    for one in shown:
        assert one["left"] >= 0 and one["right"] <= width, one
        assert one["height"] > 0 and one["size"] >= 11.5, one
        assert _contrast(one["colour"], one["inside"] or one["behind"]) >= 4.5, one
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (_luminance(paper) < 0.2) == dark


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_axe_finds_nothing(browser: Browser, path: Path, width: int, dark: bool) -> None:
    spec = importlib.util.find_spec("axe_core_python")
    if spec is None or spec.origin is None:
        pytest.skip("the dev extra carries axe: pip install -e '.[dev]'")
    browser.look(width, dark=dark)
    browser.open(path)
    browser.run(f"{(Path(spec.origin).parent / 'axe.min.js').read_text('utf-8')};0")
    options = json.dumps({"runOnly": RULES})
    found = browser.run(
        f"axe.run(document, {options}).then(r => ({{passes: r.passes.length, unsure: r.incomplete.map(v => v.id), "
        "wrong: r.violations.map(v => [v.id, v.nodes.map(n => n.target.join(' '))])}))"
    )
    assert found["wrong"] == [] and found["passes"] > 30
    assert set(found["unsure"]) <= {"color-contrast"}  # of text in pictures; judged above


def test_its_tables_are_tables_to_a_screen_reader_on_a_phone(browser: Browser, path: Path) -> None:
    browser.look(320)
    browser.open(path)
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node.get("ignored")]
    assert roles.count("table") == path.read_text("utf-8").count("<table")
    assert roles.count("rowheader") > 10 and roles.count("cell") > 40 and roles.count("columnheader") > 10
    for landmark in ("banner", "main", "navigation", "contentinfo"):
        assert roles.count(landmark) == 1, landmark
    pictures = [node["name"]["value"] for node in nodes if node.get("role", {}).get("value") in ("img", "image")]
    assert len(pictures) == 3 and all(len(name) > 20 for name in pictures)


def test_the_keyboard_reaches_the_record_first(browser: Browser, path: Path) -> None:
    browser.look(1280)
    browser.open(path)
    for kind in ("keyDown", "keyUp"):
        browser.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left >= 0")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_it_prints_on_white_paper(browser: Browser, path: Path) -> None:
    browser.look(1280, dark=True, media="print")
    browser.open(path)
    assert browser.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert len(browser.ask("Page.printToPDF", printBackground=False)["data"]) > 10_000
