"""Health: what is wrong at a party's place now, or soon will be: its disk, its clock, its certificate."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pets.errors import UserError
from pets.federated.deployment.notices import Notices
from pets.federated.messages.hello import skew

WARN = 60
"""Days before its end from which a certificate is named."""
LOW = 256 * 2**20
"""Bytes of disk below which there is too little: a ledger that cannot be written answers nothing."""
EVERY = 60.0
"""Seconds between two looks."""
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: whose clock is wrong is what is to be found out
RENEW = "ask the coordinator for a renewed kit (pets federation renew), and take it with {take}"


@dataclass(frozen=True)
class Term:
    """From when to when a kit's certificate holds."""

    begins: dt.datetime
    ends: dt.datetime

    @classmethod
    def of(cls, kit: Path) -> Term:
        """Of NVFlare's working folder; raises :class:`UserError` where its certificate cannot be read."""
        from cryptography import x509

        try:
            (file,) = (file for name in ("client", "server") if (file := kit / "startup" / f"{name}.crt").is_file())
            found = x509.load_pem_x509_certificate(file.read_bytes())
        except (OSError, ValueError):
            raise UserError(f"the certificate in {str(kit)!r} cannot be read; join with the kit again") from None
        return cls(found.not_valid_before_utc, found.not_valid_after_utc)


def troubles(folder: Path, kit: Path | None, take: str, at: dt.datetime | None = None) -> tuple[str, ...]:
    """In sentences, what is wrong at a place, or soon will be.

    Args:
        folder, kit: the party's folder, and NVFlare's working folder, where there is one.
        take: the command with which this party takes a renewed kit.
        at: the time; left out, what this machine's clock says.
    """
    found = []
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < LOW:
            found.append(
                f"The disk of {str(folder)!r} has less than {LOW // 2**20} MB left; make room, since what cannot be "
                "written down is not answered."
            )
    if kit is not None:
        found += _of_certificate(kit, take, dt.datetime.now(dt.UTC) if at is None else at)
    return tuple(found)


def _of_certificate(kit: Path, take: str, at: dt.datetime) -> list[str]:
    try:
        term = Term.of(kit)
    except UserError as error:
        return [f"{error}."]
    renew, here = RENEW.format(take=take), f"this machine's clock says {at:%Y-%m-%d %H:%M} UTC"
    if at < term.begins:
        clock = _against_server(kit, at)
        return [
            f"The kit's certificate begins on {term.begins:%Y-%m-%d %H:%M} UTC, and {here}{clock}: until then the line "
            "cannot be made; set the clock, or ask the coordinator to set theirs and to renew the kit."
        ]
    if at > term.ends:
        clock = _against_server(kit, at)
        return [
            f"The kit's certificate ended on {term.ends:%Y-%m-%d %H:%M} UTC, and {here}{clock}: the line cannot be "
            f"made; set the clock if it is wrong, or {renew}."
        ]
    days = (term.ends - at).days
    if days < WARN:
        return [f"The kit's certificate ends on {term.ends:%Y-%m-%d}, in {days} days; {renew}."]
    return []


def _against_server(kit: Path, at: dt.datetime) -> str:
    """How this clock stands against the server's, as far as that can be found out; empty where it cannot."""
    there = server_time(kit)
    said = "" if there is None else skew(at, there)
    return f", which is {said} against the server's" if said else ""


def server_time(kit: Path) -> dt.datetime | None:
    """What the clock of the federation's server says, over mutual TLS with the kit's certificate; ``None``: unknown.

    The times in certificates are not looked at, since one of the two clocks is wrong; who signed them is.
    """
    import json

    startup = kit / "startup"
    try:
        form = json.loads((startup / "fed_client.json").read_bytes())["servers"][0]
        host, _, port = form["service"]["target"].rpartition(":")
        context = ssl.create_default_context(cafile=str(startup / "rootCA.pem"))
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
        context.load_cert_chain(startup / "client.crt", startup / "client.key")
        with (
            socket.create_connection((host, int(port)), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=host) as line,
        ):
            line.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = line.recv(4096).decode("latin-1")
        date = next(one.split(":", 1)[1] for one in head.splitlines() if one.lower().startswith("date:"))
        return email.utils.parsedate_to_datetime(date.strip()).astimezone(dt.UTC)
    except (OSError, ValueError, LookupError, StopIteration, TypeError):
        return None


@contextlib.contextmanager
def watched(folder: Path, kit: Path, take: str, notices: Notices) -> Iterator[None]:
    """Give notice of each trouble when it begins, until the end of the block."""
    over, known = threading.Event(), set[str]()

    def look() -> None:
        nonlocal known
        while True:
            now = set(troubles(folder, kit, take))
            for trouble in sorted(now - known):
                notices.note(trouble)
            known = now
            if over.wait(EVERY):
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
