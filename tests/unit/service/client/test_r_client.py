"""The client in R, against the service itself: the same numbers as in Python, and none that the key did not sign."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.common.codec import Json, canonical
from pets.release.noise_quantiles import half_width
from tests import http_services

R = Path(__file__).parents[4] / "clients" / "r" / "R"
NEEDED = "all(sapply(c('httr2', 'jsonlite', 'openssl'), requireNamespace, quietly = TRUE))"
SQL = "SELECT sex, COUNT(*) AS n, COUNT(DISTINCT patient) AS people FROM stays GROUP BY sex"
PROGRAM = """
for (file in sort(list.files(folder, full.names = TRUE))) source(file, encoding = "UTF-8")
said <- function(act) tryCatch({ act; "nothing" }, error = function(e) conditionMessage(e))
c1 <- pets_connect(url, token = "t", key = key)
quote <- pets_quote(c1, sql, 0.5)
answer <- pets_query(c1, sql, 0.5)
again <- pets_query(c1, sql, 0.5)
other <- pets_query(c1, "SELECT MEDIAN(days) AS d FROM stays", 0.5)
tables <- lapply(statements, function(one) pets_query(c1, one, 5)$table)
shown <- paste(capture.output(print(answer), print(quote), print(c1)), collapse = "\\n")
out <- list(
  table = answer$table, text = answer$text, same = identical(answer$text, again$text), shown = shown,
  error = quote$errors$error, more = quote$more, other = is.null(other$table), other_text = other$text,
  tables = tables,
  laws = lapply(laws, function(one) pets_sum_width(one[[1]], unlist(one[[2]]), unlist(one[[3]]), 0.05)),
  large = pets_half_width("gaussian", 50000, 0.05), laplace = pets_half_width("laplace", 7.5, 0.05),
  sql = said(pets_query(c1, "SELECT patient FROM stays", 0.5)), budget = said(pets_query(c1, sql, 5000)),
  pin = said(pets_connect(url, token = "t", key = strrep("ab", 32))),
  http = said(pets_connect("http://elsewhere.example", token = "t"))
)
out$other_versions <- lapply(c("newer", "older"), function(how) {
  said(pets_connect(paste0(url, "/edit/", how), token = "t", key = key))
})
out$held <- said(pets_query(pets_connect(paste0(url, "/edit/held"), token = "t", key = key), sql, 0.5))
failed <- function(act) tryCatch({ act; "nothing" }, error = function(e) paste(class(e)[1], conditionMessage(e)))
out$nobody <- failed(pets_connect(paste0(url, "/edit/nobody"), token = ""))
out$wrong <- failed(pets_connect(paste0(url, "/edit/nobody"), token = "t"))
out$down <- failed(pets_connect("http://127.0.0.1:1", token = "t"))
edits <- c("value", "digest", "unsigned", "signature", "other")
out$edited <- lapply(edits, function(how) {
  said(pets_query(pets_connect(paste0(url, "/edit/", how), token = "t", key = key), sql, 0.5))
})
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = NA, na = "null"))
"""

STATEMENTS = [
    "SELECT sex, SUM(days) AS d FROM stays GROUP BY sex",
    "SELECT AVG(days) AS m, SUM(days) AS d, COUNT(*) AS n, COUNT(DISTINCT patient) AS p FROM stays",
    "SELECT urgent, sex, AVG(cost) AS m, COUNT(*) AS n FROM stays GROUP BY urgent, sex",
    "SELECT SUM(CLIP(cost, 1.1, 50.3)) AS c, AVG(CLIP(cost, 1.1, 50.3)) AS a FROM stays WHERE days > 3",
    "SELECT sex, SUM(cost) AS c, AVG(age) AS a, SUM(age) AS s FROM stays GROUP BY sex",
    "SELECT SUM(offset_) AS o, AVG(offset_) AS a FROM stays",
    "SELECT urgent, AVG(days) AS m FROM stays WHERE sex = 'F' AND days > 28 GROUP BY urgent",
]
"""Sums and means of columns with and without nulls, of several steps and origins, whose counts are shared or not."""
LAWS = [
    ["gaussian", [1, 15], [3.2, 0.7]],
    ["gaussian", [0.5, 0.25], [40.0, 300.5]],
    ["gaussian", [0.01, 500], [90000.0, 12.5]],
    ["laplace", [1, 15], [3.2, 0.7]],
    ["laplace", [0.01, 50], [9000.0, 70.5]],
]

if shutil.which("Rscript") is None:
    pytest.skip("R is not installed here (apt-get install r-cran-httr2 r-cran-openssl)", allow_module_level=True)

pytestmark = pytest.mark.chance(0)


def edited(form: Json, how: str) -> Any:
    """A release as a service that lies would send it."""
    made = json.loads(canonical(form))
    if how in ("value", "digest"):
        made["values"][0] += 100
    if how == "digest":
        body = {name: part for name, part in made.items() if name not in ("digest", "certificate")}
        made["digest"] = pets.release.release.codec.digest(body)  # type: ignore[attr-defined]
    if how == "unsigned":
        del made["certificate"]
    if how == "signature":
        signed = made["certificate"]["signatures"][0]
        signed["sig"] = ("B" if signed["sig"][0] == "A" else "A") + signed["sig"][1:]
    return made


@contextmanager
def listening(reply: Callable[[str, str, Json, bytes], tuple[int, Json, bytes]]) -> Iterator[str]:
    """A server on a free port of this machine; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            code, headers, content = reply(self.command, self.path, dict(self.headers), body)
            self.send_response(code)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wide(folder: Path) -> pets.Custodian:
    """The usual rows, with more columns of numbers."""
    rows, schema = http_services.rows(), copy.deepcopy(http_services.SCHEMA)
    number = np.arange(len(rows))
    more = {
        "cost": number * 1.37 % 100,
        "age": number % 90 + 18,
        "offset_": number * 0.3 % 7,
        "urgent": number % 2 == 0,
    }
    schema["tables"]["stays"]["columns"] |= {
        "cost": {"type": "real", "min": 0, "max": 100, "step": "0.25"},
        "age": {"type": "integer", "min": 18, "max": 107, "nullable": False},
        "offset_": {"type": "real", "min": "0.05", "max": "7.05", "step": "0.1"},
        "urgent": {"type": "boolean", "nullable": False},
    }
    budget = pets.Budget(epsilon=50, delta=1e-4)
    data, ledger = {"stays": rows.assign(**more)}, folder / "ledger.db"
    return pets.Custodian(schema, data, budget=budget, ledger=ledger, progress=False)


def test_r_shows_the_numbers_of_python_and_none_that_is_not_certified(tmp_path: Path) -> None:
    ready = subprocess.run(["Rscript", "-e", f"quit(status = !{NEEDED})"], capture_output=True, timeout=300)
    assert ready.returncode == 0, (
        "R is here without httr2, jsonlite and openssl: apt-get install r-cran-httr2 r-cran-openssl"
    )
    keeper = wide(tmp_path)
    session = keeper.session(analyst="amina", project="asthma")
    with http_services.served(keeper) as client:

        def reply(method: str, path: str, headers: Json, body: bytes) -> tuple[int, Json, bytes]:
            _, _, rest = path.partition("/edit/")
            how, _, rest = rest.partition("/")
            if how == "nobody":
                problem = {"code": "unauthenticated", "detail": "say who asks"}
                return 401, {"Pets-Protocol": "1"}, canonical(problem)
            kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "authorization")}
            found = client.request(method, f"/{rest}" if how else path, headers=kept, content=body)
            content = found.content
            if how not in ("", "held") and b'"releases"' in content:
                told = json.loads(content)
                told["releases"] = [edited(one, how) for one in told["releases"]]
                if how == "other":
                    other = pets.query("stays").group_by("sex").agg(n=pets.count())
                    told["releases"] = [session.release(other, pets.DP(epsilon=0.5)).to_json()]
                content = canonical(told)
            if how == "held" and b'"releases"' in found.content:
                content = canonical({"job": {"id": "ab12\x1b[2J", "state": "held"}})
            spoken = {"newer": "2", "older": "0"}.get(how, found.headers["pets-protocol"])
            return found.status_code, {"Pets-Protocol": spoken}, content

        with listening(reply) as url:
            given = {"url": url, "sql": SQL, "key": keeper.ledger.key.raw.hex(), "folder": str(R)}
            lines = [f"{name} <- {json.dumps(value)}" for name, value in given.items()]
            for name, several in (("statements", STATEMENTS), ("laws", LAWS)):
                text = json.dumps(json.dumps(several))
                lines.append(f"{name} <- jsonlite::fromJSON({text}, simplifyVector = FALSE)")
            (tmp_path / "program.R").write_text("\n".join([*lines, PROGRAM]), "utf-8")
            done = subprocess.run(
                ["Rscript", "--vanilla", str(tmp_path / "program.R")],
                capture_output=True,
                text=True,
                timeout=600,
                env={**os.environ, "http_proxy": "http://127.0.0.1:9", "no_proxy": ""},  # nobody is there
            )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    release = session.release(session.sql(SQL), pets.DP(epsilon=0.5))
    assert pets.Release.from_json(told["text"]) == release and told["same"] is True
    assert told["table"] == json.loads(release.table.to_json(orient="records"))
    assert "Differentially private" in told["shown"] and "Cost: epsilon = 0.5" in told["shown"]
    quote = session.quote(session.sql(SQL), pets.DP(epsilon=0.5))
    assert told["error"] == [error.half_width for error in quote.errors[0]] and told["more"] > 0
    assert told["other"] is True and pets.Release.from_json(told["other_text"]).certificate is not None
    for statement, table in zip(STATEMENTS, told["tables"], strict=True):
        right = session.release(session.sql(statement), pets.DP(epsilon=5)).table
        right = right.assign(**{name: right[name].astype(str) for name in ("urgent",) if name in right})
        assert [*pd.DataFrame(table).columns] == [*right.columns], statement
        pd.testing.assert_frame_equal(pd.DataFrame(table), right, check_dtype=False, rtol=1e-9, obj=statement)
    for (law, coefficients, scales), width in zip(LAWS, told["laws"], strict=True):
        right = half_width(law, tuple(zip(coefficients, scales, strict=True)), 0.95)
        assert width == pytest.approx(right, rel=1e-9), (law, coefficients, scales)
    assert told["laplace"] == pets.release.noise_quantiles.half_width("laplace", ((1.0, 7.5),), 0.95)  # type: ignore[attr-defined]
    assert told["large"] == pets.release.noise_quantiles.half_width("gaussian", ((1.0, 50000.0),), 0.95)  # type: ignore[attr-defined]
    assert "patient" in told["sql"] and "nothing was spent" in told["budget"]
    assert "another key than was pinned" in told["pin"] and "could be read on its way" in told["http"]
    newer, older = told["other_versions"]
    assert "speaks protocol 2 and this client 1; install a newer pets where this client is" in newer
    assert "install a newer pets where the service is" in older
    assert "has the question (ab12?[2J)" in told["held"] and "second person approves it" in told["held"]
    assert told["nobody"] == (
        "pets_unauthenticated say who asks; here it goes in the variable PETS_TOKEN, or in token="
    )
    assert told["wrong"] == "pets_unauthenticated say who asks"
    assert told["down"].startswith("pets_service-down the service at http://127.0.0.1:1 cannot be reached; check the")
    said = [
        "about another release",
        "about another release",
        "nobody has signed it",
        "another key signed it",
        "by its query",
    ]
    assert [part in sentence for part, sentence in zip(said, told["edited"], strict=True)] == [True] * 5, told["edited"]
