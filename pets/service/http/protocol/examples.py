"""Examples: what endpoints answer, for the page of the protocol; tests hold each against an answer that was given."""

from __future__ import annotations

from typing import Any

from pets.common.codec import Json

_ID = "5f0c3a9e7d1b4c2a8e6f0d1c2b3a4958"
_QUERY: Json = {"table": "stays", "agg": [["n", {"agg": "count"}]], "by": [{"key": "column", "column": "sex"}]}
_CERTIFICATE: Json = {
    "payload": "eyJfdHlwZSI6…",
    "payloadType": "application/vnd.in-toto+json",
    "signatures": [{"keyid": "1c6f…", "sig": "q83v…"}],
}
_RELEASE: Json = {
    "pets": "release",
    "version": 1,
    "query": _QUERY,
    "protection": {"kind": "dp", "epsilon": "0.5"},
    "values": [512, 488],
    "scales": ["4.2"],
    "mechanism": "gaussian",
    "guarantee": "…",
    "certificate": _CERTIFICATE,
}
_AMOUNT: Json = {"loss": 125000000000, "delta": 0}


def _job(state: str, **more: Any) -> Json:
    return {"id": _ID, "kind": "release", "state": state, "dataset": "stays", "at": 1764374400} | more


ANSWER: Json = {"job": _job("done"), "releases": [_RELEASE]}
WAITING: Json = {"job": _job("waiting")}

_OUTPUT: Json = {
    "id": _ID,
    "dataset": "stays",
    "project": "stroke-2026",
    "analyst": "amina",
    "turn": 1,
    "digest": "5e884898da28…",
    "voted": 0,
    "state": "submitted",
    "needed": 2,
    "at": 1764374400,
    "due": 1764979200,
    "files": [{"name": "stays.csv", "sha256": "1c6f…", "bytes": 19}],
    "context": "Stays by region, for table 1 of the paper.",
    "controls": "Counts below 10 are hidden, the rest rounded to 5.",
    "votes": [],
    "comments": [],
}

_GRANT: Json = {"project": "stroke-2026", "analyst": "amina", "roles": ["analyst"], "seq": 12}

REPLIES: dict[tuple[str, str], Json] = {
    ("GET", "/healthz"): {"ok": True},
    ("GET", "/readyz"): {"ready": True},
    ("GET", "/version"): {"protocol": 1, "pets": "0.1.0"},
    ("GET", "/login"): {
        "login": {
            "issuer": "https://login.example.org/realms/research",
            "client": "pets-client",
            "scope": "openid offline_access",
            "resource": None,
        }
    },
    ("GET", "/key"): {"key": "8f2d…", "origin": "pets-ledger/5b3b6a9cc1430e80"},
    ("GET", "/log/checkpoint"): {"checkpoint": "pets-ledger/5b3b6a9cc1430e80\n42\nq83v…\n\n— …\n"},
    ("GET", "/log/proof"): {"proof": {"path": ["1c6f…", "8f2d…"]}},
    ("GET", "/datasets/{dataset}/log"): {"entries": [{"seq": 0, "body": "{…}", "hash": "1c6f…"}], "size": 42},
    ("GET", "/datasets"): {
        "analyst": "amina",
        "project": "stroke-2026",
        "roles": ["analyst"],
        "datasets": [{"dataset": "stays", "tables": ["stays"]}],
    },
    ("GET", "/datasets/{dataset}/schema"): {
        "schema": {"dataset": "stays", "tables": {"stays": {"unit": {"column": "patient"}, "columns": {}}}},
        "policy": {"allow_unbounded": False},
        "engine": "duckdb",
        "tables": ["stays"],
        "snapshots": {"stays": "b1946ac92492d234"},
    },
    ("GET", "/datasets/{dataset}/budget"): {"remaining": {"spent": _AMOUNT, "left": _AMOUNT}},
    ("GET", "/datasets/{dataset}/history"): {"history": {"columns": ["at", "analyst", "state"], "rows": []}},
    ("POST", "/datasets/{dataset}/quote"): {"quote": {"epsilon": "0.5", "delta": "0.000001", "fits": True, "more": 5}},
    ("POST", "/datasets/{dataset}/explain"): {"text": "Who is protected: …"},
    ("POST", "/datasets/{dataset}/sql"): {"query": _QUERY, "remarks": []},
    ("POST", "/datasets/{dataset}/dummy"): {
        "job": _job("done", kind="dummy"),
        "releases": [{name: part for name, part in _RELEASE.items() if name != "certificate"}],
    },
    ("POST", "/datasets/{dataset}/queries"): ANSWER,
    ("GET", "/queries/{job}"): ANSWER,
    ("DELETE", "/queries/{job}"): {"job": _job("cancelled")},
    ("GET", "/queries"): {"jobs": [_job("done"), _job("waiting")], "next": _ID},
    ("GET", "/queries/{job}/certificate"): {"certificates": [_CERTIFICATE]},
    ("GET", "/datasets/{dataset}/grants"): {"grants": [_GRANT], "open": False},
    ("POST", "/datasets/{dataset}/grants"): {"grant": _GRANT, "open": False},
    ("DELETE", "/datasets/{dataset}/grants"): {"grants": [_GRANT], "open": False},
    ("GET", "/datasets/{dataset}/account"): {
        "remaining": {"left": _AMOUNT},
        "answering": True,
        "scopes": [],
        "asked": [{"project": "stroke-2026", "analyst": "amina", "committed": 3, "denied": 1}],
        "denials": [],
        "waiting": 0,
        "held": 0,
    },
    ("GET", "/datasets/{dataset}/incidents"): {"incidents": [], "faults": []},
    ("GET", "/datasets/{dataset}/events"): {"since": 1764374400, "counts": {"committed": 3, "denied": 1}},
    ("GET", "/reviews"): {
        "reviews": [
            {
                "id": _ID,
                "kind": "release",
                "stage": "after",
                "dataset": "stays",
                "project": "stroke-2026",
                "analyst": "amina",
                "at": 1764374400,
            }
        ]
    },
    ("GET", "/reviews/{job}"): {
        "review": {
            "id": _ID,
            "kind": "release",
            "stage": "after",
            "dataset": "stays",
            "project": "stroke-2026",
            "analyst": "amina",
            "at": 1764374400,
            "asked": {"queries": [_QUERY], "protection": {"kind": "dp", "epsilon": "0.5"}, "again": False},
        },
        "releases": [_RELEASE],
    },
    ("POST", "/reviews/{job}"): {"job": {"id": _ID, "state": "done", "dataset": "stays"}},
    ("POST", "/reviews/{job}/look"): {
        "job": _job("done") | {"kind": "look"},
        "table": {"request": _ID, "done": "look"},
    },
    ("POST", "/datasets/{dataset}/airlock"): {"output": _OUTPUT},
    ("GET", "/airlock"): {"outputs": [_OUTPUT], "waiting": []},
    ("GET", "/airlock/{job}"): {"output": _OUTPUT, "files": {"stays.csv": "cmVn…"}, "findings": []},
    ("POST", "/airlock/{job}"): {"output": _OUTPUT},
}
"""By method and address; ``…`` stands for more of the same."""

PROBLEM: Json = {
    "type": "urn:pets:problem:budget",
    "title": "This cannot be asked",
    "status": 422,
    "detail": "this costs ε = 2 and ε = 1.5 is left; ask for less, and nothing was spent",
    "code": "budget",
}
