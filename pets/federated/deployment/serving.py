"""Serving: a site or a federation's server, kept running until it is stopped."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pets.errors import UserError, missing_extra
from pets.federated.deployment import startup_kit as kits
from pets.federated.deployment.federation_folder import FederationFolder
from pets.federated.deployment.gateway import VARIABLE, listening
from pets.federated.deployment.keyholder_folder import KeyHolderFolder
from pets.federated.deployment.site_folder import SiteFolder
from pets.federated.keyholder.gate import NAME

AGAIN = 5.0
"""Seconds before a process that ended is begun again."""
Say = Callable[[str], None]


def serve_site(folder: SiteFolder, say: Say) -> None:
    """The gate in this process, NVFlare in another that has neither data nor keys of pets; until interrupted.

    Raises:
        UserError: where the site joined nothing, or has no startup kit.
    """
    if not folder.joined:
        raise UserError(
            "the site is on no roster as it is; send its entry to the coordinator (pets site status FOLDER --entry "
            "FILE), and join the new roster with pets site join"
        )
    kit = folder.kit
    if kit is None:
        raise UserError("the site has no startup kit; join with --kit FILE, which the coordinator hands out")
    _engine()
    folder.site.notice = say
    with _stoppable(), listening(folder.site) as address:
        say(f"Site {folder.name!r} serves; Ctrl-C stops it. NVFlare's own log is {folder.path / 'nvflare.log'}.")
        _keep(kit, folder.name, folder.path / "nvflare.log", {VARIABLE: address}, say)


def serve_keyholder(folder: KeyHolderFolder, passphrase: str | None, say: Say) -> None:
    """The key holder in this process, NVFlare in another that has no key of pets; until interrupted.

    Raises:
        UserError: where it joined nothing, has no startup kit, or the secret key does not open.
    """
    if not folder.rosters:
        raise UserError("the key holder is on no roster; join one with pets keyholder join")
    kit = folder.kit
    if kit is None:
        raise UserError("the key holder has no startup kit; join with --kit FILE, which the coordinator hands out")
    _engine()
    if importlib.util.find_spec("tenseal") is None:
        raise missing_extra("opening encrypted totals", "he")
    with _stoppable(), listening(folder.open(passphrase, say)) as address:
        say(f"The key holder serves; Ctrl-C stops it. NVFlare's own log is {folder.path / 'nvflare.log'}.")
        _keep(kit, NAME, folder.path / "nvflare.log", {VARIABLE: address}, say)


def serve_federation(folder: FederationFolder, say: Say) -> None:
    """The server that passes messages on, and sees what the coordinator sees; until interrupted."""
    _engine()
    facts = folder.facts
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", facts.port))
        except OSError as error:
            raise UserError(
                f"port {facts.port} cannot be listened on ({error.strerror}); is it served already?"
            ) from None
    with _stoppable():
        say(f"The server listens on {facts.host}:{facts.port}; Ctrl-C stops it.")
        _keep(folder.path / "server", "", folder.path / "nvflare.log", {}, say)


def _keep(kit: Path, party: str, log: Path, environment: Mapping[str, str], say: Say) -> None:
    """Begin the process again whenever it ends: a site outlives its server, and the other way round."""
    while True:
        with kits.running(kit, party, log, environment) as process:
            process.wait()
        say(f"NVFlare ended ({process.returncode}); it is begun again in {AGAIN:g} s. Its log is {log}.")
        threading.Event().wait(AGAIN)


def _engine() -> None:
    if importlib.util.find_spec("nvflare") is None:
        raise missing_extra("serving real sites (NVIDIA FLARE)", "federated")


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM stops as Ctrl-C does, so that no child process stays behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
