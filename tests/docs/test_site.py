"""The site: it builds without a warning, holds every page and every public name, and loads nothing from elsewhere.

It is built once for all processes of a test run. ``python -m tests.docs.site`` builds it for people.
"""

from __future__ import annotations

import fcntl
import importlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.browser import Browser
from tests.docs import site
from tests.extras import needs

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at

needs("sphinx")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built by the first process that asks."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if shared.name.startswith("popen-") else shared  # pytest-xdist: one folder a process
    out = shared / "site"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "index.html").exists():
            site.build(shared / "making" / "site", run=["hidden_cells"])  # test_notebooks runs them all
            shutil.move(shared / "making" / "site", out)
    return out


def pages() -> list[str]:
    return ["index", *(page for part in site.CONTENTS.values() for page in part)]


# ── everything is there ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_page_of_the_repository_is_on_the_site(built: Path) -> None:
    assert [page for page in pages() if not (built / f"{page}.html").exists()] == []
    listed = {f"{page}.md" for page in pages()} | {f"{page}.ipynb" for page in pages()}
    found = [*site.ROOT.glob("*.md"), *site.ROOT.glob("docs/**/*.md"), *site.ROOT.glob("notebooks/*.ipynb")]
    assert {str(path.relative_to(site.ROOT)) for path in found} - listed == {"README.md"}  # which is the index


@pytest.mark.parametrize("package", site.PACKAGES)
def test_every_public_name_is_in_the_reference(built: Path, package: str) -> None:
    text = (built / "api" / f"{package}.html").read_text("utf-8")
    headings = set(re.findall(r"<h2>([\w.]+)<a", text))
    names = site.public_names(importlib.import_module(package))
    assert headings == set(names) and len(names) >= 4
    signatures = re.findall(r'descname"><span class="pre">(\w+)</span>', text)
    assert set(names) <= set(signatures)


def test_a_notebook_is_shown_with_its_answers(built: Path) -> None:
    text = (built / "notebooks" / "hidden_cells.html").read_text("utf-8")
    assert "cell (East, 0-17) is 8: 89 − 23 − 33 − 25" in text  # printed
    assert '<table border="1" class="dataframe">' in text  # a table
    assert len(re.findall(r'<img[^>]+src="\.\./_images/\w+\.svg"', text)) == 1  # a chart


def test_a_reference_shows_docstrings_and_types(built: Path) -> None:
    text = (built / "api" / "pets.html").read_text("utf-8")
    assert "Begin a question about a table." in text
    assert 'id="pets.Session.release"' in text and 'id="pets.DP"' in text
    commands = (built / "docs" / "command_reference.html").read_text("utf-8")
    assert "or with --party those of a party" in commands  # two dashes stay two dashes


# ── nothing is loaded from another host ───────────────────────────────────────────────────────────────────────────────

ELSEWHERE = r"(?:https?:|wss?:|ftp:)?//[\w\[]"
LOADS = re.compile(
    rf"@import\s*(?:url\(\s*)?[\"']?\s*{ELSEWHERE}"
    rf"|url\(\s*[\"']?\s*{ELSEWHERE}"
    rf"|\b(?:fetch|import|importScripts|Worker|EventSource|WebSocket|sendBeacon)\s*\(\s*[\"'`]\s*{ELSEWHERE}"
    rf"|\bimport\s+(?:[\w*{{}},\s]+\sfrom\s+)?[\"']\s*{ELSEWHERE}"
    rf"|\.open\s*\(\s*[\"'`]\w+[\"'`]\s*,\s*[\"'`]\s*{ELSEWHERE}"
    rf"|\.(?:src|href)\s*=\s*[\"'`]\s*{ELSEWHERE}",
    re.IGNORECASE,
)
"""What style sheets and scripts load."""
LOADING = ("src", "srcset", "poster", "data", "action", "background", "xlink:href", "ping", "manifest")
LINKS = ("a", "area")  # where a person goes, by a click; nothing is loaded for them


class Attributes(HTMLParser):
    """What the elements of a page load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        for name, value in given.items():
            if name in LOADING or (name == "href" and tag not in LINKS):
                taken = value
            elif name == "content" and given.get("http-equiv", "").lower() == "refresh":
                taken = value.partition("=")[2]
            else:
                continue
            if re.match(rf"\s*{ELSEWHERE}", taken, re.IGNORECASE) or re.search(rf",\s*{ELSEWHERE}", taken):
                self.found.append(f"{tag} {name}={taken}")


def loads(text: str, kind: str) -> list[str]:
    """What a file of the site loads from another host."""
    found = [match[0] for match in LOADS.finditer(text)]
    if kind == ".html":
        parser = Attributes()
        parser.feed(text)
        found += parser.found
    return found


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (".html", '<script src="https://cdn.example/x.js"></script>'),
        (".html", "<script src=//cdn.example/x.js></script>"),
        (".html", '<link rel="stylesheet" href="https://fonts.example/css">'),
        (".html", '<link rel="preconnect" href=" //fonts.example">'),
        (".html", '<img alt="" srcset="a.png 1x, https://a.example/b.png 2x">'),
        (".html", '<iframe src="HTTP://a.example"></iframe>'),
        (".html", '<svg><use xlink:href="https://a.example/i.svg#x"/></svg>'),
        (".html", '<meta http-equiv="refresh" content="0; url=https://a.example">'),
        (".html", "<style>@import 'https://a.example/x.css'</style>"),
        (".html", '<p style="background: url(//a.example/x.png)">'),
        (".html", "<script>fetch('https://a.example/x.json')</script>"),
        (".css", "@import url(https://a.example/x.css);"),
        (".css", "src: url( 'https://a.example/x.woff2' )"),
        (".js", 'import("https://a.example/x.js")'),
        (".js", 'import {a, b} from "https://a.example/x.js"'),
        (".js", "r.open('GET', 'https://a.example')"),
        (".js", "s.src = 'https://a.example/x.js'"),
        (".js", 'new WebSocket("wss://a.example")'),
    ],
)
def test_the_scan_bites(kind: str, text: str) -> None:
    assert loads(text, kind)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (".html", '<a href="https://opendp.org">OpenDP</a> <img src="../_static/x.png" alt="">'),
        (".html", '<link rel="stylesheet" href="_static/x.css"><code>fetch(url)</code>'),
        (".html", '<svg xmlns="http://www.w3.org/2000/svg"></svg>'),
        (".css", "/* https://a.example */ background: url(data:image/svg+xml;charset=utf-8,<svg/>)"),
        (".js", "// see https://a.example\nimport('./x.js')"),
    ],
)
def test_the_scan_leaves_the_innocent_alone(kind: str, text: str) -> None:
    assert loads(text, kind) == []


def test_no_file_of_the_site_loads_anything_from_another_host(built: Path) -> None:
    files = [path for path in built.rglob("*") if path.suffix in (".html", ".css", ".js", ".svg")]
    assert len(files) > 30
    found = {str(path.relative_to(built)): loads(path.read_text("utf-8"), path.suffix) for path in files}
    assert {name: what for name, what in found.items() if what} == {}


def test_a_browser_without_a_network_misses_nothing(built: Path) -> None:
    with Browser() as browser:
        browser.ask(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        for page in ("index", "docs/guide", "api/pets", "notebooks/first_private_table", "docs/command_reference"):
            for width in (1300, 390):
                browser.look(width)
                browser.open(built / f"{page}.html")
                assert [url for url in browser.requests() if not url.startswith(("file:", "data:"))] == []
                assert [one for one in browser.events if one.get("method") == "Network.loadingFailed"] == []
                assert browser.complaints() == []
                assert browser.run("document.documentElement.scrollWidth") <= width  # nothing sticks out
                assert browser.run("getComputedStyle(document.querySelector('.sidebar-brand-text')).color") != ""
        browser.open(built / "search.html")
        browser.run("document.querySelector('input[name=q]').value = 'budget'")
        assert browser.run("typeof Search") == "object"


def test_a_browser_that_misses_something_is_noticed(built: Path, tmp_path: Path) -> None:
    planted = tmp_path / "planted.html"
    planted.write_text('<link rel="stylesheet" href="https://fonts.invalid/x.css"><p>x</p>', "utf-8")
    with Browser() as browser:
        browser.ask(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        browser.open(planted)
        assert [url for url in browser.requests() if not url.startswith("file:")] == ["https://fonts.invalid/x.css"]
        assert [one for one in browser.events if one.get("method") == "Network.loadingFailed"]
