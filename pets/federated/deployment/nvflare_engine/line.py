"""Line: the coordinator's way to the sites, over the federation's running server."""

from __future__ import annotations

import base64
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from nvflare.fuel.flare_api.api_spec import (
    AuthenticationError,
    AuthorizationError,
    InternalError,
    InvalidTarget,
    JobNotRunning,
    NoClientsAvailable,
    NoConnection,
    NoReply,
)
from nvflare.fuel.flare_api.flare_api import Session, new_secure_session

from pets.errors import UserError
from pets.federated.deployment.nvflare_engine.job import ASK, TOPIC
from pets.federated.deployment.nvflare_engine.quiet import quiet

HEAVY = 60.0
"""Seconds in which the server takes a round's messages, which may be many megabytes."""
START = 45.0
"""Seconds in which the job starts at the sites."""


class Line:
    """A :class:`pets.federated.analyst.transport.Transport` over the federation's running server.

    Args:
        kit: the coordinator's startup kit.
        user: the name in it.
        sites: the sites' names, by number.
        job: the folder of the job that carries messages.
        patience: seconds after which a site that says nothing is lost for the query.

    Raises:
        UserError: where the server cannot be reached or does not know the kit.
    """

    def __init__(self, kit: Path, user: str, sites: Sequence[str], job: Path, patience: float) -> None:
        self._sites, self._job, self._patience = tuple(sites), job, patience
        self._id, self._round = "", 0
        # what NVFlare logs goes where the caller's logging sends it, and not to the screen where there is none
        logging.getLogger("nvflare").addHandler(logging.NullHandler())
        with quiet(), plainly():
            self._session: Session = new_secure_session(
                user, str(kit.absolute()), timeout=HEAVY, command_timeout=2 * ASK, auto_login_max_tries=10
            )

    def close(self) -> None:
        """End the admin session; the job stays for the next one."""
        with contextlib.suppress(Exception), quiet():
            self._session.close()

    def _processes(self) -> tuple[str, ...]:
        """The sites whose NVFlare process answers now; whether there is a gate behind it, only the gate can say."""
        with quiet(), plainly():
            self._session.set_timeout(ASK)
            known = {one.name for one in self._session.get_connected_client_list()} & set(self._sites)
        # one by one: a site that has just died, or is on its way back, must not hide the others
        there = {name for name in known if self._answers(name)}
        return self._named(there)

    def _answers(self, site: str) -> bool:
        try:
            with quiet():
                said = self._session.get_client_job_status([site])
        except (InternalError, InvalidTarget, NoClientsAvailable, NoConnection, NoReply, RuntimeError):
            return False
        return any(row["status"] not in ("no_reply", "error") for row in said or ())

    def prepare(self) -> tuple[str, ...]:
        """The job runs at every site that answers; it is begun anew where one came (back) after it had started.

        Returns:
            Those sites, of which there may be none.
        """
        here = set(self._processes())
        if not here:
            return ()
        with quiet(), plainly():
            running = [job.job_id for job in self._session.get_system_info().job_info]
            for job in running:
                if here <= self._answering(job, here):
                    self._id = job
                    return self._named(here)
            for job in running:
                self._session.abort_job(job)
            self._id = self._session.submit_job(str(self._job.absolute()))
            late = time.monotonic() + START
            while not here <= (there := self._answering(self._id, here)):
                if time.monotonic() > late:
                    if there:  # whoever is not there by now is lost for the query, and the roster says what follows
                        return self._named(there)
                    raise UserError("the sites did not begin to listen; look at nvflare.log in their folders")
                time.sleep(0.3)
        return self._named(here)

    def _named(self, sites: Set[str]) -> tuple[str, ...]:
        return tuple(site for site in self._sites if site in sites)

    def _answering(self, job: str, sites: Set[str]) -> set[str]:
        try:
            return set(self._session.do_app_command(job, TOPIC, {"ask": sorted(sites)})["here"])
        except (JobNotRunning, NoReply, InternalError, RuntimeError):  # not yet, or no longer
            return set()

    def exchange(
        self, messages: Mapping[int, bytes], heard: Callable[[int], None], patience: float | None = None
    ) -> Mapping[int, bytes]:
        """Send each site its message, and give the replies that came."""
        if not messages:
            return {}
        self._round += 1
        names = {self._sites[number]: number for number in messages}
        body = {self._sites[number]: base64.b64encode(data).decode() for number, data in messages.items()}
        command: dict[str, Any] = {"round": f"{id(self)}.{self._round}"}
        first = command | {"messages": body, "patience": patience or self._patience}
        replies: dict[int, bytes] = {}
        with quiet(), plainly():
            self._session.set_timeout(HEAVY)
            said = self._session.do_app_command(self._id, TOPIC, first)
            while True:
                for name, reply in said["replies"].items():
                    replies[names[name]] = base64.b64decode(reply)
                    heard(names[name])
                if said["done"]:
                    return replies
                said = self._session.do_app_command(self._id, TOPIC, command)


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """NVFlare's errors in a sentence."""
    try:
        yield
    except NoConnection:
        raise UserError(
            "the federation's server cannot be reached; start it with pets federation serve, or check its address"
        ) from None
    except (AuthenticationError, AuthorizationError):
        raise UserError("the federation's server does not know this kit; use the one that was made with it") from None
    except Exception as error:  # NVFlare's have no base of their own, and more come than its API names
        if not isinstance(error, (RuntimeError, OSError)) and not type(error).__module__.startswith("nvflare."):
            raise
        raise UserError(
            f"the federation's server broke off ({type(error).__name__}); ask again, and look at its nvflare.log"
        ) from None
