"""The client in R, against the service itself: the same counts as in Python, and none that the key did not sign."""

from __future__ import annotations

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

import pytest

import pets
from pets.common.codec import Json, canonical
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
mean <- pets_query(c1, "SELECT AVG(days) AS d FROM stays", 0.5)
shown <- paste(capture.output(print(answer), print(quote), print(c1)), collapse = "\\n")
out <- list(
  table = answer$table, text = answer$text, same = identical(answer$text, again$text), shown = shown,
  error = quote$errors$error, more = quote$more, mean = is.null(mean$table), mean_text = mean$text,
  large = pets_half_width("gaussian", 50000, 0.05), laplace = pets_half_width("laplace", 7.5, 0.05),
  sql = said(pets_query(c1, "SELECT patient FROM stays", 0.5)), budget = said(pets_query(c1, sql, 5000)),
  pin = said(pets_connect(url, token = "t", key = strrep("ab", 32))),
  http = said(pets_connect("http://elsewhere.example", token = "t"))
)
out$held <- said(pets_query(pets_connect(paste0(url, "/edit/held"), token = "t", key = key), sql, 0.5))
edits <- c("value", "digest", "unsigned", "signature", "other")
out$edited <- lapply(edits, function(how) {
  said(pets_query(pets_connect(paste0(url, "/edit/", how), token = "t", key = key), sql, 0.5))
})
cat(jsonlite::toJSON(out, auto_unbox = TRUE, digits = NA))
"""

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


def test_r_shows_the_counts_of_python_and_none_that_is_not_certified(tmp_path: Path) -> None:
    ready = subprocess.run(["Rscript", "-e", f"quit(status = !{NEEDED})"], capture_output=True, timeout=300)
    assert ready.returncode == 0, (
        "R is here without httr2, jsonlite and openssl: apt-get install r-cran-httr2 r-cran-openssl"
    )
    keeper = http_services.custodian(tmp_path)
    session = keeper.session(analyst="amina", project="asthma")
    with http_services.served(keeper) as client:

        def reply(method: str, path: str, headers: Json, body: bytes) -> tuple[int, Json, bytes]:
            _, _, rest = path.partition("/edit/")
            how, _, rest = rest.partition("/")
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
            return found.status_code, {"Pets-Protocol": found.headers["pets-protocol"]}, content

        with listening(reply) as url:
            given = {"url": url, "sql": SQL, "key": keeper.ledger.key.raw.hex(), "folder": str(R)}
            lines = [f"{name} <- {json.dumps(value)}" for name, value in given.items()]
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
    assert told["mean"] is True and pets.Release.from_json(told["mean_text"]).certificate is not None
    assert told["laplace"] == pets.release.noise_quantiles.half_width("laplace", ((1.0, 7.5),), 0.95)  # type: ignore[attr-defined]
    assert told["large"] == pets.release.noise_quantiles.half_width("gaussian", ((1.0, 50000.0),), 0.95)  # type: ignore[attr-defined]
    assert "patient" in told["sql"] and "nothing was spent" in told["budget"]
    assert "another key than was pinned" in told["pin"] and "could be read on its way" in told["http"]
    assert "has the question (ab12?[2J)" in told["held"] and "second person approves it" in told["held"]
    said = [
        "about another release",
        "about another release",
        "nobody has signed it",
        "another key signed it",
        "by its query",
    ]
    assert [part in sentence for part, sentence in zip(said, told["edited"], strict=True)] == [True] * 5, told["edited"]
