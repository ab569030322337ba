"""Addresses: which ones nobody on the way can read or change what goes to and comes from."""

from __future__ import annotations

from urllib.parse import urlsplit

LOCAL = ("localhost", "127.0.0.1", "::1")
"""This machine, as an address names it."""


def private(url: object) -> bool:
    """Whether it is an address by https, or by http on this machine alone, without a name and password in it.

    >>> [private(one) for one in ("https://a.example/x", "http://127.0.0.1:80", "http://a.example", "https://a:b@c")]
    [True, True, False, False]
    """
    try:
        parts = urlsplit(url) if isinstance(url, str) and url.isascii() and url.isprintable() else None
        host = None if parts is None else parts.hostname
    except ValueError:
        return False
    if parts is None or not host or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOCAL)
