"""Gateway: the door between a site's gate and what carries its messages, on one machine: a socket in the file system.

The gate's process has the data, the ledger and the key. The process of the transport has none of them: it hands the
bytes of a message in here and gets the bytes of the reply, or nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Client, Connection, Listener
from typing import Protocol

from pets.federated.deployment.socket_folder import socket_folder
from pets.federated.messages.message import MAX_MESSAGE

VARIABLE = "PETS_GATE"
"""The environment variable in which a transport's process finds the gate. The site sets it; no job can."""


class Gate(Protocol):
    """A site, or a key holder."""

    def handle(self, data: bytes) -> bytes:
        """Answer one message."""


_REPLY, _NOTHING = b"\x01", b"\x00"


@contextlib.contextmanager
def listening(gate: Gate) -> Iterator[str]:
    """The gate, open to processes of this user alone for as long as the block lasts; gives the socket's address."""
    folder = socket_folder("pets-gate-")
    address = str(folder / "gate")
    listener = Listener(address, family="AF_UNIX", backlog=16)
    open_ = threading.Event()
    open_.set()

    def serve() -> None:
        while open_.is_set():
            try:
                connection = listener.accept()
            except OSError:  # such as too many open files: later, again
                time.sleep(0.1)
                continue
            threading.Thread(target=_answer, args=(gate, connection), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        open_.clear()
        with contextlib.suppress(OSError):
            Client(address, family="AF_UNIX").close()  # wakes accept()
        thread.join(5)
        listener.close()
        shutil.rmtree(folder, ignore_errors=True)


def _answer(gate: Gate, connection: Connection) -> None:
    """Messages of one connection, one after the other; whatever goes wrong, no word of it leaves."""
    with connection:
        while True:
            try:
                data = connection.recv_bytes(MAX_MESSAGE + 1)
            except (EOFError, OSError):
                return
            try:
                reply = _REPLY + gate.handle(data)
            except Exception:  # a refusal, or a bug: the same nothing, since a bug's text could quote a row
                reply = _NOTHING
            try:
                connection.send_bytes(reply)
            except OSError:
                return


def hand_in(data: bytes, address: str | None = None) -> bytes | None:
    """A message to this machine's gate; ``None`` where there is no gate, or it says nothing."""
    address = address or os.environ.get(VARIABLE, "")
    try:
        with Client(address, family="AF_UNIX") as connection:
            connection.send_bytes(data)
            reply = connection.recv_bytes(MAX_MESSAGE + 1)
    except (OSError, EOFError, ValueError):
        return None
    return reply[1:] if reply[:1] == _REPLY else None
