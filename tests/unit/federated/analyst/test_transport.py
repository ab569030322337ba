"""Every transport passes the same suite, and none that is in process opens a socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pets.errors import UserError
from pets.federated import Site
from pets.federated.analyst.transport import InProcess
from pets.federated.deployment import processes, startup_kit
from pets.federated.deployment.gateway import VARIABLE, hand_in, listening
from pets.federated.messages.errors import ProtocolError
from tests.conformance import SUITE, Connect
from tests.trial import free_port, listens, until

pytestmark = pytest.mark.chance(0)  # processes; none of their numbers is looked at


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


class Slot:
    """A gate behind which another site can be put."""

    site: Any = None

    def handle(self, data: bytes) -> bytes:
        return bytes(self.site.handle(data))


@pytest.fixture
def nvflare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """Real NVFlare processes on loopback: a server, and four sites whose gates are in this process."""
    from pets.federated.deployment.federation_folder import ADMIN
    from pets.federated.deployment.nvflare_engine import Line, provision

    root, names, port = tmp_path_factory.mktemp("n"), ["a", "b", "c", "d"], free_port()
    made, _ = provision("pets", "localhost", port, names, ADMIN, root / "work")
    slots = [Slot() for _ in names]
    with contextlib.ExitStack() as stack:

        def start(party: str, environment: dict[str, str]) -> None:
            folder: Path = root / f"run-{party}"
            startup_kit.unpack(startup_kit.of(made / (party or "localhost"), party, "pets", "localhost", port), folder)
            stack.enter_context(processes.running(folder, party, root / f"{party}.log", environment))

        start("", {})
        for name, slot in zip(names, slots, strict=True):
            start(name, {VARIABLE: stack.enter_context(listening(slot))})  # type: ignore[arg-type]
        until(lambda: listens(port))
        job = startup_kit.write_job(root)
        lines: list[Line] = []

        def connected() -> bool:
            with contextlib.suppress(UserError):  # a server that listens may break off while it is starting
                lines.append(Line(made / ADMIN, ADMIN, names, job, 8.0))
            return bool(lines)

        until(connected)
        line = lines[0]
        stack.callback(line.close)
        until(lambda: len(line.prepare()) == 4)

        def connect(sites: Sequence[Site]) -> Line:
            for slot, site in zip(slots, sites, strict=False):
                slot.site = site
            return line

        yield connect


@pytest.mark.timeout(1800)
def test_conformance_of_nvflare(nvflare: Connect) -> None:
    for check in SUITE:  # one test, so that processes of pytest do not each start a federation
        check(nvflare)


def test_the_gateway_gives_bytes_or_nothing() -> None:
    slot = Slot()
    with listening(slot) as address:  # type: ignore[arg-type]
        assert Path(address).parent.stat().st_mode & 0o077 == 0
        slot.site = _Says(lambda data: data + b"!")
        assert hand_in(b"message", address) == b"message!"
        assert hand_in(b"", address) == b"!"

        def refuse(data: bytes) -> bytes:
            raise ProtocolError("forged")

        slot.site = _Says(refuse)
        assert hand_in(b"message", address) is None

        def broken(data: bytes) -> bytes:
            raise ValueError("a value of a row")

        slot.site = _Says(broken)
        assert hand_in(b"message", address) is None
        slot.site = _Says(lambda data: b"again")
        assert hand_in(b"message", address) == b"again"
    assert hand_in(b"message", address) is None
    assert not Path(address).parent.exists()


class _Says:
    def __init__(self, handle: Callable[[bytes], bytes]) -> None:
        self.handle = handle


def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbidden)
    SUITE[0](InProcess)
    with pytest.raises(AssertionError):
        socket.socket()
