"""Lifeline: processes of a transport end with the process that serves, however that one ended.

The process that serves holds one end of a socket in the file system (:func:`held`); each process of the transport holds
the other, and a thread in it waits for the end of file (:func:`tie`). The kernel closes the socket of a process that
was killed, for want of memory too, so nothing is left to be done by the dying. It is ``python -m`` this module, with
the name of the module to run: the environment says where the socket is, so a process that the transport starts in its
turn is tied as well, in whatever session or group it runs.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import shutil
import socket
import sys
import threading
from collections.abc import Iterator

from pets.federated.deployment.socket_folder import socket_folder

VARIABLE = "PETS_LIFELINE"
"""The environment variable in which a process finds the other end."""
MODULE = "pets.federated.deployment.lifeline"
CUT = 75
"""The exit code of a process whose lifeline was cut."""


@contextlib.contextmanager
def held() -> Iterator[str]:
    """This process's end, until the block is over; gives the address for :data:`VARIABLE`."""
    folder = socket_folder("pets-life-")
    lines: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "line"))
        door.listen(64)

        def hold() -> None:
            while True:
                try:
                    lines.append(door.accept()[0])
                except OSError:  # closed: the block is over
                    return

        threading.Thread(target=hold, daemon=True).start()
        try:
            yield str(folder / "line")
        finally:
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)  # wakes accept()
            for line in lines:
                line.close()
            shutil.rmtree(folder, ignore_errors=True)


def tie(address: str) -> None:
    """End this process at once when the other end closes, or is closed already."""
    line = socket.socket(socket.AF_UNIX)
    try:
        line.connect(address)
    except OSError:
        os._exit(CUT)

    def wait() -> None:
        with contextlib.suppress(OSError):
            while line.recv(1):
                pass
        os._exit(CUT)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Run the module that the first argument names, as ``python -m`` would, tied to whoever began it."""
    if address := os.environ.get(VARIABLE):
        tie(address)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
