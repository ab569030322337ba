"""What holds of every page of the console: its headers, its words as nothing but words, and who may see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi import FastAPI

import pets
from pets.service.access.identity import Identity
from pets.service.app import create_app
from pets.service.console import rendering
from pets.service.console.guard import POLICY
from pets.service.console.page import Page
from pets.service.console.site import PAGES
from pets.session.custodian import Custodian
from tests.http_services import AtOnce, TestClient, by_name, custodian

ALL = {"who": "amina/asthma/analyst+reviewer+auditor+custodian"}
HOSTILE = "<script>alert(1)<!--\"'><img src=x onerror=alert(2)>&amp;{{7*7}}"
WRONG = (r"\|\s*safe", r"autoescape", r"<style", r"\sstyle=", r"\son\w+=", r"<script(?! src=)", "javascript:")
TEMPLATES = sorted((rendering.FOLDER / "templates").rglob("*.html"))


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Custodian:
    return custodian(tmp_path_factory.mktemp("frame"))


@pytest.fixture(scope="module")
def browser(keeper: Custodian) -> Iterator[TestClient]:
    app = create_app(keeper, auth=by_name, supervisor=AtOnce(keeper))
    with TestClient(app, follow_redirects=False, raise_server_exceptions=False) as client:
        yield client


def path_of(page: Page, **names: str) -> str:
    return "/console" + re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "f" * 32), page.path)


def test_every_reply_has_the_headers_that_keep_a_browser_to_this_site(browser: TestClient) -> None:
    asked = [(page.method, path_of(page, dataset="stays"), ALL) for page in PAGES]
    asked += [("GET", path_of(page, dataset="stays"), {"who": ""}) for page in PAGES]
    asked += [("GET", f"/console/static/{name}", {"who": ""}) for name in rendering.statics()]
    asked += [("GET", "/console/no/such/page", ALL), ("PUT", "/console/uses", ALL), ("GET", "/console", ALL)]
    seen = set()
    for method, path, who in asked:
        reply = browser.request(method, path, headers=who, data={"a": "b"} if method == "POST" else None)
        seen.add(reply.status_code)
        policy = reply.headers["content-security-policy"]
        if path == "/console/register" and reply.status_code == 200:
            assert re.fullmatch(
                r"default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'",
                policy,
            )
        else:
            assert policy == POLICY, path
        assert "unsafe" not in policy and "*" not in policy and "http" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        static = path.startswith("/console/static/") and reply.status_code == 200
        assert reply.headers["cache-control"] == ("public, max-age=31536000, immutable" if static else "no-store")
    assert {200, 303, 401, 403, 404} <= seen and 500 not in seen


def test_no_template_has_a_style_a_script_or_a_value_that_is_not_escaped() -> None:
    assert len(TEMPLATES) >= 15
    for path in TEMPLATES:
        text = path.read_text("utf-8")
        for wrong in (
            r"\|\s*safe",
            r"autoescape",
            r"<style",
            r"\sstyle=",
            r"\son\w+=",
            r"<script(?! src=)",
            "javascript:",
        ):
            assert not re.search(wrong, text, re.IGNORECASE), (path.name, wrong)
        assert not re.search(r"\s[\w-]+=\s*\{[{%]", text), f"{path.name}: an attribute without quotes"
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), f"{path.name} names another host"
        # every form that changes something sends back what its page was given
        for form in re.findall(r'<form method="post".*?</form>', text, re.DOTALL):
            assert 'name="csrf" value="{{ csrf }}"' in form, path.name


class Seen(HTMLParser):
    """The elements of a page, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_names_that_are_marks_stay_words_on_every_page(tmp_path: Path) -> None:
    """Of a dataset, a table, a column, an analyst, a project, and in addresses and forms."""
    kind = {"type": "category", "values": ["<u>", "'\"&"]}
    table = {"unit": {"column": "p", "max_rows": 1}, "columns": {"p": {"type": "identifier"}, "<i>x</i>": kind}}
    schema = {"dataset": HOSTILE, "tables": {"t<b>": table}}
    kept = pets.Custodian(
        schema,
        {"t<b>": pd.DataFrame({"p": ["a", "b"], "<i>x</i>": ["<u>", "'\"&"]})},
        budget=pets.Budget(epsilon=3, delta=1e-6),
        ledger=tmp_path / "ledger.db",
        policy=pets.Policy(approval="before"),
        progress=False,
    )
    project, analyst = HOSTILE[:100], HOSTILE[:110]
    roles = frozenset({"analyst", "reviewer", "auditor", "custodian"})
    who = Identity(analyst, project=project, roles=roles, projects=frozenset({project, "<p>"}))
    asker = Identity(f"b{analyst}", project=project)
    with TestClient(create_app(kept, auth=lambda request: asker), raise_server_exceptions=False) as client:
        query = {"table": "t<b>", "by": ["<i>x</i>"], "agg": [["<n>", {"agg": "count"}]]}
        told = client.post(
            f"/datasets/{rendering.part(HOSTILE)}/queries",
            json={"queries": [query], "protection": {"kind": "dp", "epsilon": "0.5"}},
        )
    with TestClient(
        create_app(kept, auth=lambda request: who), follow_redirects=False, raise_server_exceptions=False
    ) as browser:
        job = told.json()["job"]["id"] if told.status_code == 202 else "f" * 32
        shown = 0
        for page in PAGES:
            if page.method != "GET":
                continue
            for value in (HOSTILE, project):
                names = {"dataset": rendering.part(value), "project": rendering.part(value), "job": job}
                reply = browser.get(
                    f"{path_of(page, **names)}?analyst={rendering.part(HOSTILE)}&project={rendering.part(project)}"
                )
                assert reply.status_code < 500, (page.path, reply.text)
                if "text/html" not in reply.headers.get("content-type", ""):
                    continue
                seen = Seen(reply.text)
                shown += HOSTILE[:25] in seen.text
                check_harmless(seen, page.path)
        assert shown > 8  # they were there to be seen


def check_harmless(seen: Seen, path: str) -> None:
    for tag, attributes in seen.elements:
        assert tag not in ("u", "i", "b", "n", "embed", "object", "iframe", "base"), (path, tag)
        assert not [name for name in attributes if name.startswith("on")], (path, tag, attributes)
        if tag == "script":
            assert str(attributes.get("src")).startswith("/console/static/"), (path, attributes)
        if tag == "img":
            assert str(attributes.get("src")).startswith(("/console/static/", "data:image/svg+xml")), (path, attributes)
        for name in ("href", "src", "action"):
            assert not str(attributes.get(name, "")).lower().startswith(("javascript:", "http", "//")), (
                path,
                attributes,
            )
    assert "49" not in seen.text.split("{{7*7}}")[0][-40:]


def test_a_page_is_for_the_roles_that_it_names(browser: TestClient) -> None:
    for role in ("analyst", "reviewer", "auditor", "custodian"):
        who = {"who": f"amina/asthma/{role}"}
        listed = Seen(browser.get("/console/nowhere", headers=who).text)
        nav = {attributes.get("href") for tag, attributes in listed.elements if tag == "a"}
        for page in PAGES:
            allowed = not page.roles or role in page.roles
            if page.nav:
                assert (f"/console{page.path}" in nav) is allowed, (role, page.path)
            if not allowed:
                reply = browser.request(page.method, path_of(page, dataset="stays"), headers=who)
                assert reply.status_code == 403, (role, page.path)


def test_below_the_address_of_a_host_every_link_begins_with_it(keeper: Custodian) -> None:
    host = FastAPI()
    host.mount("/pets", create_app(keeper, auth=by_name))
    with TestClient(host, follow_redirects=False) as browser:
        assert browser.get("/pets/console", headers=ALL).headers["location"] == "/pets/console/"
        seen = Seen(browser.get("/pets/console/uses", headers=ALL).text)
        named = [str(value) for _, attributes in seen.elements for name, value in attributes.items()
                 if name in ("href", "src", "action") and value != "#main"]  # fmt: skip
        assert len(named) > 5 and all(one.startswith("/pets/console/") for one in named), named
        for one in named:
            if "/static/" in one:
                assert browser.get(one).status_code == 200


def test_what_nobody_foresaw_is_a_number_and_says_nothing_else(
    browser: TestClient, keeper: Custodian, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pets.service.console.register import Register

    def fails(self: Any) -> Any:
        raise RuntimeError("a secret of row 7")

    monkeypatch.setattr(Register, "published", fails)
    reply = browser.get("/console/uses", headers=ALL)
    assert reply.status_code == 500 and "secret" not in reply.text
    found = re.search(r"incident ([0-9a-f]{12})", reply.text)
    assert found is not None and "a secret of row 7" in keeper.ledger.incidents.read(found[1])


def test_without_a_console_there_are_the_endpoints_alone(keeper: Custodian) -> None:
    with TestClient(create_app(keeper, auth=by_name, console=False)) as browser:
        assert browser.get("/console/uses", headers=ALL).json()["code"] == "not-found"
        assert browser.get("/datasets", headers=ALL).status_code == 200
    with TestClient(create_app(keeper, auth=by_name)) as browser:
        assert not [path for path in browser.get("/openapi.json").json()["paths"] if "console" in path]


@pytest.mark.usefixtures("no_minute_passes")
def test_the_console_asks_as_any_request_and_is_counted_as_one(keeper: Custodian) -> None:
    limits = pets.service.Limits(per_minute=5)
    with TestClient(create_app(keeper, auth=by_name, limits=limits)) as browser:
        got = [browser.get("/console/uses", headers=ALL) for _ in range(6)]
        assert [one.status_code for one in got] == [200] * 5 + [429]
        assert int(got[-1].headers["retry-after"]) >= 1 and "requests in a minute" in got[-1].text
        assert browser.get("/datasets", headers=ALL).status_code == 429
