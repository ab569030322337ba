"""Nothing that somebody wrote is read as a part of a page: names, values, notes, SQL, errors."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest

import pets
from pets.service.access.identity import Identity
from pets.session.custodian import Custodian
from tests.console import Pages, console

EVIL = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>"""
NAME = EVIL.replace("/", "")  # (an address has no slash within a dataset's name)
PATH = quote(NAME, safe="")


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    folder: Path = tmp_path_factory.mktemp("evil")
    columns = {"id": {"type": "identifier"}, EVIL: {"type": "category", "values": [EVIL, "b"]}}
    schema = {"dataset": NAME, "tables": {EVIL: {"unit": {"column": "id", "max_rows": 1}, "columns": columns}}}
    rows = pd.DataFrame({"id": [f"p{n}" for n in range(50)], EVIL: [EVIL, "b"] * 25})
    budget = pets.Budget(epsilon=9, delta=1e-6)
    keeper = pets.Custodian(schema, {EVIL: rows}, budget=budget, ledger=folder / "ledger.db", progress=False)
    who = Identity(EVIL, project=EVIL, roles=frozenset({"analyst"}))
    from tests.http_services import AtOnce

    with console(keeper, auth=lambda _: who, supervisor=AtOnce(keeper)) as made:
        assert isinstance(keeper, Custodian)
        yield made


def _clean(page: str) -> None:
    """No letter of what is evil stands as a mark of the page, in its text or in an attribute."""
    assert "<script>" not in page and "<img src=x" not in page
    for tag in re.findall(r"<[a-zA-Z][^>]*>", page):
        assert "onerror=alert(2)" not in re.sub(r'="[^"]*"', "", tag), tag
    assert html.escape(NAME)[:20] in page or "&lt;script&gt;" in page or "&#39;" in page


def test_every_page_escapes_what_it_was_given(evil: Pages) -> None:
    ask = f"/datasets/{PATH}/ask"
    for path in ("/", f"/datasets/{PATH}", ask, f"{ask}?sql={PATH}&table={PATH}", f"/datasets/{PATH}/history", "/jobs"):
        evil.client.get(f"/console{path}")
        assert evil.client.get(f"/console{path}").status_code in (200, 422)
        _clean(evil.client.get(f"/console{path}").text)
    fields = {
        "what0": "count",
        "name0": "n" + EVIL,
        "by0": EVIL,
        "if0": EVIL,
        "is0": "!=",
        "value0": EVIL,
        "do": "write",
    }
    made = evil.send(ask, evil.get(ask), form="parts", **fields)
    _clean(made)
    (written,) = re.findall(r"<textarea[^>]*>([^<]*)</textarea>", made)
    asked = {"sql": html.unescape(written), "how": "epsilon", "amount": "1"}
    for do in ("price", "dummy", "release"):
        found = evil.send(ask, made, form="sql", **asked, do=do)
        _clean(found)
        assert ("<article" in found) == (do != "price")
    _clean(evil.get("/jobs"))
    _clean(evil.get(f"/datasets/{PATH}/history"))


def test_errors_escape_what_they_quote(evil: Pages) -> None:
    ask = f"/datasets/{PATH}/ask"
    page = evil.get(ask)
    for fields in (
        {"sql": f"SELECT COUNT(*) AS n FROM x WHERE {EVIL}"},
        {"sql": f'SELECT "{EVIL.replace(chr(34), "")}x" FROM t'},
        {"amount": EVIL},
        {"how": EVIL},
        {"table": EVIL, "page": EVIL},
    ):
        sent = {"sql": "SELECT 1", "how": "epsilon", "amount": "1", "do": "price"} | fields
        _clean(evil.send(ask, page, form="sql", status=422, **sent))
    _clean(evil.send(ask, page, form="parts", status=422, what0=EVIL, do="write"))
    for path in (f"/datasets/{PATH}x/ask", f"/jobs/{PATH}"):
        reply = evil.client.get(f"/console{path}")
        assert reply.status_code == 404 and "<script>" not in reply.text
