"""Serving: a site or a federation's server, kept running until it is stopped."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.errors import UserError, missing_extra
from pets.federated.deployment import lifeline
from pets.federated.deployment.federation_folder import FederationFolder
from pets.federated.deployment.gateway import VARIABLE, Gate, listening
from pets.federated.deployment.health import watched
from pets.federated.deployment.keyholder_folder import KeyHolderFolder
from pets.federated.deployment.notices import Notices, Observed
from pets.federated.deployment.processes import alone, running
from pets.federated.deployment.site_folder import SiteFolder
from pets.federated.keyholder.gate import NAME
from pets.federated.site.site import Site
from pets.ledger.incidents import Incidents

AGAIN, SOON = 5.0, 60.0
"""Seconds before a process is begun again, at most, that ended so soon after its start; half of one the first time."""
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
    notices = Notices(folder.path, say)
    with _stoppable(), alone(folder.path, kit, notices.note):
        site = folder.site
        site.notice = notices.note
        say(f"Site {folder.name!r} serves; Ctrl-C stops it. NVFlare's own log is {folder.path / 'nvflare.log'}.")
        note_left_out(site, notices)
        gate = Observed(Rejoining(folder, site, notices), notices, site.session.ledger.incidents.note)
        _keep(Place(folder.path, kit, folder.name, folder.take), notices, gate)


def note_left_out(site: Site, notices: Notices) -> None:
    """Notice of which tables too many rows are left out; how many, ``pets site status`` tells its custodian."""
    for lost in site.session.custody.left_out:
        notices.note(f"WARNING: {lost.noted}.")


class Rejoining:
    """A site that takes up the rosters that it joins while it serves.

    Args:
        folder, site: the site's; the site knows the rosters that the folder has now.
        notices: where its custodian is told.
    """

    def __init__(self, folder: SiteFolder, site: Site, notices: Notices) -> None:
        self._folder, self._site, self._notices = folder, site, notices
        self._known = {roster.digest for roster in folder.rosters}
        self._files = folder.roster_files
        self._lock = threading.Lock()

    def handle(self, data: bytes) -> bytes:
        """As the site does."""
        with self._lock:
            if (files := self._folder.roster_files) != self._files:
                self._files = files
                self._take_up()
        return self._site.handle(data)

    def _take_up(self) -> None:
        for roster in self._folder.rosters:
            if roster.digest in self._known:
                continue
            self._known.add(roster.digest)
            try:
                self._folder.pin(roster, self._site)
            except UserError as error:
                self._notices.note(f"A roster that was joined meanwhile is not answered: {error}.")
            else:
                self._notices.note(f"The roster {roster.digest[:16]}, joined meanwhile, is answered from now on.")


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
    notices = Notices(folder.path, say)
    with _stoppable(), alone(folder.path, kit, notices.note):
        gate = Observed(folder.open(passphrase, notices.note), notices, Incidents(folder.path / "incidents").note)
        say(f"The key holder serves; Ctrl-C stops it. NVFlare's own log is {folder.path / 'nvflare.log'}.")
        _keep(Place(folder.path, kit, NAME, folder.take), notices, gate)


def serve_federation(folder: FederationFolder, say: Say) -> None:
    """The server that passes messages on, and sees what the coordinator sees; until interrupted."""
    _engine()
    facts = folder.facts
    notices, kit = Notices(folder.path, say), folder.path / "server"
    with _stoppable(), alone(folder.path, kit, notices.note):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", facts.port))
            except OSError as error:
                raise UserError(
                    f"port {facts.port} cannot be listened on ({error.strerror}); does another program listen there?"
                ) from None
        say(f"The server listens on {facts.host}:{facts.port}; Ctrl-C stops it.")
        _keep(Place(folder.path, kit, "", folder.take), notices)


@dataclass(frozen=True)
class Place:
    """Where a party's processes run: its folder, NVFlare's working folder, its name there (none for the server), and
    the command with which it takes a renewed kit."""

    folder: Path
    kit: Path
    party: str
    take: str

    @property
    def certificate(self) -> bytes:
        """The certificate on disk: another one than before is a renewed kit."""
        file = self.kit / "startup" / ("client.crt" if self.party else "server.crt")
        with contextlib.suppress(OSError):
            return file.read_bytes()
        return b""


def _keep(place: Place, notices: Notices, gate: Gate | None = None) -> None:
    """Begin NVFlare again whenever it ends: a site outlives its server, and the other way round."""
    log = place.folder / "nvflare.log"
    with contextlib.ExitStack() as held:
        environment = {lifeline.VARIABLE: held.enter_context(lifeline.held())}
        if gate is not None:
            environment[VARIABLE] = held.enter_context(listening(gate))
        held.enter_context(watched(place.folder, place.kit, place.take, notices))
        wait = AGAIN / 10
        while True:
            certificate, begun = place.certificate, time.monotonic()
            with running(place.kit, place.party, log, environment) as process:
                while process.poll() is None and place.certificate in (certificate, b""):
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(1)
                ended = process.poll()
            if ended is None:
                notices.note("The kit was renewed; NVFlare is begun again with it.")
                continue
            notices.note(f"NVFlare ended ({ended}) and is begun again. Its log is {log}.")
            if time.monotonic() - begun < SOON:
                threading.Event().wait(wait)
                wait = min(2 * wait, AGAIN)
            else:
                wait = AGAIN / 10


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
