"""Every transport passes the same suite, and none that is in process opens a socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pets.federated import Site
from pets.federated.transport import InProcess
from tests.conformance import SUITE, Connect


class Threads:
    """All sites at once, answers in whatever order they come."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._one = [InProcess([site]) for site in sites]

    def exchange(self, messages: Mapping[int, bytes], heard: Callable[[int], None]) -> Mapping[int, bytes]:
        with ThreadPoolExecutor(4) as pool:
            calls = {s: pool.submit(self._one[s].exchange, {0: m}, lambda _: None) for s, m in messages.items()}
            found = {site: call.result() for site, call in reversed(calls.items())}
        replies = {site: reply[0] for site, reply in found.items() if 0 in reply}
        for site in replies:
            heard(site)
        return replies


@pytest.mark.parametrize("connect", [InProcess, Threads])
@pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
def test_conformance(check: Callable[[Connect], None], connect: Any) -> None:
    check(connect)


def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbidden)
    SUITE[0](InProcess)
    with pytest.raises(AssertionError):
        socket.socket()
