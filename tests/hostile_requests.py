"""Requests that nobody should send: made of what the page of the protocol lists, and of junk."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pets.service.http.limits import Limits
from tests.asgi import Header
from tests.http_services import ASKED, DP, NETWORK, QUERY

LIMITS = Limits(per_minute=10_000_000, max_waiting=10_000_000, max_dummies=10_000_000, max_dummy_rows=1000)
OUTPUT: dict[str, Any] = {
    "files": {"stays.csv": "cmVnaW9uLG4KTm9ydGgsMTIwCg=="},
    "context": "Stays by region, for table 1 of the paper.",
    "controls": "Counts below 10 are hidden, the rest rounded to 5.",
}
SIGNED = {"key": "0a" * 32, "salt": "1b" * 16, "nonce": "2c" * 16, "signature": "3d" * 64}
ACTS: list[dict[str, Any]] = [
    {"act": "approve", "digest": "5e884898da28", "note": "added up"},
    {"act": "return", "digest": "5e884898da28", "reason": "unclear", "note": ""},
    {"act": "approve", "digest": "5e884898da28", "note": "", "signed": SIGNED},
    {"act": "send-back", "digest": "5e884898da28", "reason": "unclear", "signed": SIGNED | {"nonce": ""}},
    {"act": "comment", "words": "which year?"},
    {"act": "resubmit"} | OUTPUT,
    {"act": "withdraw"},
]
"""What is done to an output."""
GOOD: dict[str, dict[str, Any]] = {
    "quote": ASKED,
    "explain": {"query": QUERY, "protection": DP},
    "sql": {"sql": "SELECT sex, COUNT(*) AS n FROM stays GROUP BY sex"},
    "dummy": {"queries": [QUERY], "protection": {"kind": "exact"}, "rows": 10, "seed": 1},
    "queries": ASKED | {"kind": "release", "again": False},
    "queries?": {
        "kind": "group_keys",
        "table": "stays",
        "by": ["ward"],
        "protection": DP,
        "groups": 2,
        "delta": "1e-8",
    },
    "queries??": {"kind": "top_keys", "query": QUERY, "k": 1, "protection": DP},
    "queries???": {"kind": "rows_lost", "table": "stays", "protection": DP, "by": ["sex"]},
    "airlock": OUTPUT,
    "queries?????": {"kind": "train", "network": NETWORK, "protection": DP, "again": False},
    "queries????": {"kind": "synthesise", "rows": 10, "settings": {"columns": ["sex", "days"], "epsilon": "1"}},
}
JUNK: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        10**30,
        -(10**150),
        1e300,
        "",
        "x",
        "0.1",
        "1e9999",
        "NaN",
        "a\x00b",
        "\u202e",
        "é" * 99,
    ),
    *(
        [],
        [[]],
        {},
        {"kind": "dp"},
        {"": None},
        {"agg": "count"},
        [None] * 50,
        "'; DROP TABLE pets_log; --",
        "../../etc",
    ),
    *("<script>alert(1)</script>", "stays", "sex", ["sex"], {"table": "stays"}, "SELECT", {"epsilon": {}}),
]
TOKENS = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"NaN", b"1e999", b'"\\ud800"', b"\xff", b"\x00", b"null", b" "]


def places(form: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    parts = form.items() if isinstance(form, dict) else enumerate(form) if isinstance(form, list) else ()
    for name, part in parts:
        yield from places(part, (*at, name))


def mutated(form: Any, draw: random.Random) -> Any:
    """One or two parts replaced, left out, repeated, or wrapped."""
    form = copy.deepcopy(form)
    for _ in range(draw.choice((1, 1, 2))):
        at = draw.choice(list(places(form)))
        if not at:
            return copy.deepcopy(draw.choice(JUNK)) if draw.random() < 0.2 else form
        owner = form
        for step in at[:-1]:
            owner = owner[step]
        match draw.randrange(5):
            case 0 if isinstance(owner, dict):
                del owner[at[-1]]
            case 1 if isinstance(owner, dict):
                owner[str(draw.choice(JUNK))] = copy.deepcopy(owner[at[-1]])
            case 2:
                owner[at[-1]] = [copy.deepcopy(owner[at[-1]]) for _ in range(draw.choice((1, 2, 30)))]
            case 3:
                owner[at[-1]] = {"agg": owner[at[-1]], "kind": copy.deepcopy(draw.choice(JUNK))}
            case _:
                owner[at[-1]] = copy.deepcopy(draw.choice(JUNK))
    return form


def corrupted(body: bytes, draw: random.Random) -> bytes:
    """The text of a body, cut or with something in it."""
    at = draw.randrange(len(body) + 1)
    return draw.choice((body[:at], body[:at] + draw.choice(TOKENS) + body[at:], body[at:], draw.choice(TOKENS) * 200))


NAMES = ("births", "stays%00", "..%2f..%2fetc", "%F0%9F%92", "' OR 1=1", "a" * 300, "")
VALUES = ("0.001", "nan", "-1", "1e9", "", "5", "31", "true", "TRUE", "%00", "%0a", "٣", "x" * 200, "99999999999999")
PEOPLE = (
    *(("amina/asthma/analyst",) * 15),
    *("li/sleep/analyst+reviewer", "vera/audit/auditor", "boss/keeping/custodian+auditor", "", "mo/x/reviewer"),
)
KINDS = ("application/json; charset=utf-16", "text/plain", "", "application/json;", "multipart/form-data")


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent."""

    method: str
    path: str
    headers: tuple[Header, ...]
    body: bytes


class Maker:
    """Requests from a seed, to all addresses of an OpenAPI page; a part of them is as it should be.

    Args:
        page: the page.
        good: the share of bodies that are left as they should be.
    """

    def __init__(self, page: Any, seed: int, good: float = 0.2) -> None:
        self._draw, self._good = random.Random(seed), good
        self._found = [(method, path, form) for path, of in page["paths"].items() for method, form in of.items()]
        self._jobs: list[str] = ["0" * 32]

    @property
    def addresses(self) -> set[tuple[str, str]]:
        """All that are asked."""
        return {(method.upper(), path) for method, path, _ in self._found}

    def heard(self, body: Any) -> None:
        """What a reply told of: jobs and outputs that there are."""
        for name in ("job", "output"):
            found = body.get(name) if isinstance(body, dict) else None
            if isinstance(found, dict) and found["id"] not in self._jobs:
                self._jobs = [*self._jobs[-30:], found["id"]]

    def make(self) -> Request:
        """The next one."""
        draw = self._draw
        method, path, form = draw.choice(self._found)
        if draw.random() < 0.5:  # the addresses that take most
            asking = [one for one in self._found if "requestBody" in one[2] and "/airlock" not in one[1]]
            method, path, form = draw.choice(asking)
        headers: list[Header] = [(b"host", b"localhost"), (b"who", draw.choice(PEOPLE).encode())]
        body = self._body(path) if "requestBody" in form else draw.choice((b"", b"", b"{}"))
        if body or "requestBody" in form:
            headers.append((b"content-type", self._seldom(KINDS, "application/json").encode()))
        where, asked = path, []
        for one in form.get("parameters", ()):
            name = one["name"]
            match one["in"]:
                case "path":
                    given = self._seldom(NAMES, "stays", 0.1) if name == "dataset" else self._job()
                    where = where.replace(f"{{{name}}}", given or "%20")
                case "query":
                    if draw.random() < 0.4:
                        asked.append(f"{name}={self._seldom(VALUES, self._value(name), 0.3)}")
                case _:
                    if draw.random() < 0.07:
                        given = draw.choice(("k1", "k2", "k" * 200, "a\tb", "job:1", "k#0", "asthma", "sleep", "\xe9"))
                        headers.append((name.lower().encode(), given.encode("latin-1")))
        asked += [f"{draw.choice(('x', 'wait', 'last'))}=1"] if draw.random() < 0.03 else []
        if draw.random() < 0.02:
            headers.append(draw.choice(((b"content-encoding", b"gzip"), (b"content-length", b"9" * 14))))
        method = self._seldom(("PUT", "PATCH", "HEAD", "OPTIONS", "BREW"), method.upper(), 0.02)
        where = self._seldom(("/", "//", "/metrics", "/.env", f"{where}/", where.upper()), where, 0.03)
        return Request(method, where + ("?" + "&".join(asked) if asked else ""), tuple(headers), body)

    def _seldom(self, junk: tuple[str, ...], usual: str, share: float = 0.05) -> str:
        return self._draw.choice(junk) if self._draw.random() < share else usual

    def _job(self) -> str:
        return self._seldom(("x", "%00", "' OR 1=1", "f" * 32, "F" * 32), self._draw.choice(self._jobs), 0.3)

    def _value(self, name: str) -> str:
        known = {"wait": "0.001", "limit": "5", "last": "7", "after": self._draw.choice(self._jobs), "all": "true"}
        return known.get(name, self._draw.choice(("0", "1", "3")))

    def _body(self, path: str) -> bytes:
        """A form for that address, changed unless it may be as it is."""
        last, draw = path.rpartition("/")[2], self._draw
        others = ACTS if "/airlock/" in path else [{}] if last == "look" else [DECISION, LET_OUT]
        forms = [form for name, form in GOOD.items() if name.rstrip("?") == last] or others
        form = copy.deepcopy(draw.choice([*forms, *forms[:1] * 3]))  # a release more often than another question
        if draw.random() < self._good:
            self._freshen(form)
            return json.dumps(form).encode()
        sent = json.dumps(mutated(form, draw)).encode()
        return corrupted(sent, draw) if draw.random() < 0.2 else sent

    def _freshen(self, form: Any) -> None:
        """Another question than before, so that it is really answered."""
        if "protection" in form and form["protection"].get("kind") == "dp":
            form["protection"] = {"kind": "dp", "epsilon": f"0.{self._draw.randrange(1, 10**6):06d}"}


DECISION: dict[str, Any] = {"decision": "refuse", "reason": "may-disclose", "note": "a cell of one ward"}
LET_OUT: dict[str, Any] = {"decision": "approve", "finding": "5e884898da28", "anyway": "both consented", "note": ""}
