"""Charts as pictures: in a notebook, in a file and in a page they load nothing from another host."""

from __future__ import annotations

import base64
import copy
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair
import pytest

import pets
from pets.errors import MissingExtraError
from pets.release import html, picture
from tests.browser import Browser
from tests.hosts import named
from tests.sample_releases import ASKED, release

QUERIES = {
    "no key": ASKED.agg(n=pets.count()),
    "one key": ASKED.group_by("age").agg(n=pets.count()),
    "panels": ASKED.group_by("emergency", "age", "sex").agg(n=pets.count(), days=pets.mean("days")),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_in_a_notebook_a_chart_is_svg_and_png(query: pets.Query) -> None:
    bundle = release(query).plot()._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml", "image/png"}
    assert bundle["image/svg+xml"].startswith("<svg")
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert named(bundle["image/svg+xml"] + bundle["text/plain"]) == []


def test_a_chart_changed_by_hand_stays_as_it_is_shown() -> None:
    chart = release(QUERIES["one key"]).plot()
    assert isinstance(chart, altair.LayerChart)
    for made in (
        chart.properties(width=100),
        chart.configure_axis(grid=False),
        chart.copy(),
        copy.deepcopy(chart),
        pickle.loads(pickle.dumps(chart)),
    ):
        assert "image/svg+xml" in made._repr_mimebundle_()
    assert chart.properties(width=123).to_dict()["width"] == 123
    with altair.renderers.enable("mimetype"):  # the reader's own choice stands
        assert any(kind.startswith("application/vnd.vegalite") for kind in chart._repr_mimebundle_()[0])


def test_two_pictures_on_one_page_share_no_id() -> None:
    first, second = (picture.svg(release(QUERIES[name]).plot()) for name in ("one key", "panels"))
    ids = [set(re.findall(r'id="([^"]+)"', one)) for one in (first, second)]
    assert not ids[0] & ids[1]
    for one, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", one)) <= own


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_a_saved_page_draws_itself_without_a_network(query: pets.Query, tmp_path: Path, browser: Browser) -> None:
    path = tmp_path / "chart.html"
    release(query).plot().save(str(path))
    browser.open(path)
    browser.run("new Promise(done => setTimeout(done, 500))")
    assert [url for url in browser.requests() if not url.startswith(("file:", "data:", "blob:"))] == []
    assert browser.complaints() == []
    marks = browser.run("document.querySelectorAll('canvas.marks, svg.marks').length")
    assert marks == 1
    assert browser.run("document.querySelector('.marks').getBoundingClientRect().width") > 100
    # the menu sends nothing to an editor elsewhere
    assert browser.run("[...document.querySelectorAll('.vega-actions a')].map(a => a.textContent).join()") == (
        "Save as SVG,Save as PNG"
    )


def test_altairs_own_page_is_blank_here(tmp_path: Path, browser: Browser) -> None:
    """What the tests above would see in a page that needs another host."""
    path = tmp_path / "chart.html"
    altair.Chart(altair.Data(values=[{"a": 1}])).mark_bar().encode(x="a:Q").save(str(path))
    browser.open(path)
    assert [url for url in browser.requests() if url.startswith("https:")]
    assert browser.run("document.querySelectorAll('.marks').length") == 0


def test_pages_and_fragments_name_no_other_host() -> None:
    for query in QUERIES.values():
        sample = release(query)
        for text in (html.page(sample, "Stays"), sample._repr_html_(), repr(sample)):
            assert named(text) == []
        assert "<svg" in html.page(sample, "Stays")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<script src="https://cdn.jsdelivr.net/npm/vega@6"></script>', ["https://cdn.jsdelivr.net"]),
        ("<link rel=stylesheet href=//fonts.example/a.css>", ["//fonts.example"]),
        ("background:url(http://x.example/a.png)", ["http://x.example"]),
        ('new WebSocket("wss://x.example")', ["wss://x.example"]),
        ('<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">', []),
        ("a // b, 1//2 and /a/b", []),
        ('{"$schema": "https://vega.github.io/schema/vega-lite/v6.4.1.json"}', []),
        ("https://vega.github.io/editor/", ["https://vega.github.io"]),
    ],
)
def test_the_scan_bites(text: str, found: list[str]) -> None:
    assert named(text) == found


def test_without_the_converter_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chart: Any = release(QUERIES["one key"]).plot()
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert "pip install" in chart._repr_mimebundle_()["text/plain"]
    with pytest.raises(MissingExtraError, match="pip install"):
        chart.save(str(tmp_path / "a.html"))
    with pytest.raises(MissingExtraError, match="pip install"):
        chart.to_html()
