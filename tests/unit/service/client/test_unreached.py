"""What listens at the address speaks otherwise than the address says: that is told, with what to write instead."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pets.errors import UserError
from pets.service.client.transport import Transport, exchange
from pets.service.wire.errors import ServiceDownError


class Quiet(BaseHTTPRequestHandler):
    """It answers nothing that a service says."""

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A handshake that comes to nothing is what is tried here."""


@contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server on this machine, by TLS where there is a context."""
    server = Server(("127.0.0.1", 0), Quiet)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """Of a certificate that nobody else has signed."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(1))
    file = tmp_path / "server.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *form)
        + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def said(url: str) -> tuple[str, int]:
    """What a request there comes to, and how often it was sent again."""
    pauses: list[float] = []
    line = Transport(url, None, None, 20.0, sleep=pauses.append)
    with pytest.raises(ServiceDownError) as caught:
        line.get("datasets")
    line.close()
    return str(caught.value), len(pauses)


def test_https_at_a_port_that_speaks_none() -> None:
    with listening() as port:
        told, again = said(f"https://127.0.0.1:{port}")
    assert f"the service at https://127.0.0.1:{port} cannot be reached: what listens there does not speak TLS" in told
    assert "give the address of the proxy that does, or write http:// where" in told and again == 0


def test_http_at_a_port_that_speaks_tls(tls: ssl.SSLContext) -> None:
    with listening(tls) as port:
        told, _ = said(f"http://127.0.0.1:{port}")
    assert "cannot be reached (" in told and "; if that port speaks TLS, write https:// in its address; else " in told


def test_a_certificate_that_nobody_here_believes(tls: ssl.SSLContext) -> None:
    with listening(tls) as port:
        told, again = said(f"https://127.0.0.1:{port}")
        with pytest.raises(ServiceDownError, match=r"logins at 127\.0\.0\.1 cannot be reached: its certificate"):
            exchange(f"https://127.0.0.1:{port}", timeout=20.0)
    assert "its certificate is not believed here (self" in told and "in SSL_CERT_FILE" in told and again == 0


@pytest.mark.parametrize(
    ("url", "status", "hint"),
    [("http://127.0.0.1:9", 400, True), ("http://127.0.0.1:9", 404, False), ("https://data.example", 400, False)],
)
def test_a_proxy_that_refuses_what_is_plain(url: str, status: int, hint: bool) -> None:
    carried = httpx.MockTransport(
        lambda _: httpx.Response(status, text="The plain HTTP request was sent to HTTPS port")
    )
    with pytest.raises(UserError, match="is no service of pets; check the address") as caught:
        Transport(url, None, None, 5.0, sent_by=carried).get("datasets")
    assert ("speaks TLS, write https://" in str(caught.value)) == hint


def test_nobody_listens() -> None:
    told, again = said("http://127.0.0.1:9")
    assert told.endswith("cannot be reached (ConnectError); check the address and the network, and ask again")
    assert again == 4
