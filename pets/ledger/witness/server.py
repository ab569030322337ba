"""The door of a witness: one POST, ``/add-checkpoint`` (c2sp.org/tlog-witness). It needs no login: only a log's own
signature moves what the witness has seen of that log, and only forwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pets.errors import UserError
from pets.ledger.witness.witness import Reply, Witness

MAX_BODY = 1_000_000
PATIENCE = 10.0
"""Seconds that a connection may be silent."""


@contextmanager
def serving(witness: Witness, host: str = "127.0.0.1", port: int = 0) -> Iterator[ThreadingHTTPServer]:
    """A server that is bound, and serves when ``serve_forever`` is called; port 0 takes a free one.

    Raises:
        UserError: where the address cannot be had.
    """

    class Handler(BaseHTTPRequestHandler):
        """One connection."""

        timeout = PATIENCE
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "pets-witness", ""

        def do_POST(self) -> None:
            """The one verb."""
            if self.path != "/add-checkpoint":
                self.answer(Reply(404, "a witness has one door: /add-checkpoint\n"))
                return
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length[:9]) > MAX_BODY:
                self.answer(Reply(413 if length.isdigit() else 411, "a request says its length, at most 1 MB\n"))
                return
            try:
                text = self.rfile.read(int(length)).decode()
            except UnicodeDecodeError:
                self.answer(Reply(400, "this is no request to a witness\n"))
                return
            try:
                self.answer(witness.add_checkpoint(text))
            except (UserError, OSError):  # what was seen cannot be read or kept: nothing was signed
                self.answer(Reply(500, "the witness cannot keep what it saw\n"))

        def answer(self, reply: Reply) -> None:
            """Send a reply; the connection ends unless all was read."""
            body = reply.body.encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(body)))
            if reply.status in (404, 411, 413):
                self.close_connection = True
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is written down of who asks."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(f"the witness cannot listen on {host}:{port} ({why}); give another --host or --port") from None
    server.daemon_threads = True
    try:
        yield server
    finally:
        server.server_close()
