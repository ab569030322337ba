"""Unreached: why a request came to nothing, as far as that can be told, and what to do about it."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from pets.service.wire.errors import ServiceDownError

_HTTPS = "if that port speaks TLS, write https:// in its address"


def unreached(what: str, url: str, error: Exception) -> ServiceDownError:
    """The error to raise in place of one of the network's.

    Args:
        what: what was asked, and where, such as ``the service at https://host/pets``.
        url: its address.
        error: the library's. A secret is in none of its causes, and nothing of them is shown but what they are.
    """
    parts, causes = urlsplit(url), list(_causes(error))
    if parts.scheme == "https":
        refused = next((one for one in causes if isinstance(one, ssl.SSLCertVerificationError)), None)
        if refused is not None:
            return _at_once(
                f"{what} cannot be reached: its certificate is not believed here ({refused.verify_message}); check the "
                "host in the address, or name the file of your organisation's authority in SSL_CERT_FILE"
            )
        if any(isinstance(one, ssl.SSLError) and not isinstance(one, ssl.SSLEOFError) for one in causes):
            return _at_once(
                f"{what} cannot be reached: what listens there does not speak TLS, or not as this machine does; give "
                "the address of the proxy that does, or write http:// where the service runs on this very machine"
            )
    told = f"{what} cannot be reached ({type(error).__name__})"
    if parts.scheme == "http" and type(error).__name__ in ("RemoteProtocolError", "ReadError"):
        # it took the connection, and hung up on a plain request
        return ServiceDownError(f"{told}; {_HTTPS}; else see that the service runs, and ask again")
    return ServiceDownError(f"{told}; check the address and the network, and ask again")


def stranger(url: str, status: int = 200) -> str:
    """What to say where something else than a service answers, with that status."""
    # (so nginx and others answer a plain request at a port of theirs that speaks TLS)
    other = f"; {_HTTPS}" if status == 400 and urlsplit(url).scheme == "http" else ""
    return f"what answers at {url} is no service of pets; check the address{other}"


def _at_once(sentence: str) -> ServiceDownError:
    """What asking again does not mend."""
    made = ServiceDownError(sentence)
    made.retry_after = None
    return made


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and len(found) < 10:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
