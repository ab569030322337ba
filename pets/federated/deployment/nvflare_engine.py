"""NVIDIA FLARE (NVFlare 2.9) as a transport: the only file that imports it.

One job runs as long as the federation's server does. Its part at the server (:class:`Post`) takes one round of messages
from the coordinator's admin session and hands each to its site; its part at a site (:class:`Carrier`) hands a message
to the gate (:mod:`pets.federated.deployment.gateway`) and returns the reply. Neither can read, alter or forge anything
that another party would accept, and neither has data, a ledger or a key of pets.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pets.errors import UserError, missing_extra
from pets.federated.deployment import lifeline
from pets.federated.deployment.authority import Authority
from pets.federated.deployment.gateway import hand_in

try:
    from nvflare.apis.controller_spec import ClientTask
    from nvflare.apis.event_type import EventType
    from nvflare.apis.executor import Executor
    from nvflare.apis.fl_constant import ReturnCode
    from nvflare.apis.fl_context import FLContext
    from nvflare.apis.impl.controller import Controller
    from nvflare.apis.shareable import Shareable, make_reply
    from nvflare.apis.signal import Signal
    from nvflare.app_common.job_launcher.client_process_launcher import ClientProcessJobLauncher
    from nvflare.app_common.job_launcher.server_process_launcher import ServerProcessJobLauncher
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
    from nvflare.lighter.constants import CtxKey, ParticipantType
    from nvflare.lighter.impl.cert import CertBuilder
    from nvflare.lighter.provision import prepare_builders, prepare_project
    from nvflare.lighter.provisioner import Provisioner
except ImportError:
    raise missing_extra("NVIDIA FLARE", "federated") from None

_ROOT, _ROOT_KEY = CtxKey.ROOT_CERT, CtxKey.ROOT_PRI_KEY
TOPIC = "pets"
BODY = "body"
SLICE = 2.0
"""Seconds that one admin command waits for replies; a round takes as many commands as it needs."""
ASK = 5.0
"""Seconds in which a site says that it is there."""
HEAVY = 60.0
"""Seconds in which the server takes a round's messages, which may be many megabytes."""
START = 45.0
"""Seconds in which the job starts at the sites."""


class SiteLauncher(ClientProcessJobLauncher):  # type: ignore[misc]
    """At a site: a job's process is tied to the one that serves (:mod:`pets.federated.deployment.lifeline`)."""

    def get_command(self, job_meta: Any, fl_ctx: FLContext) -> str:
        """NVFlare's command, run by the module that ties it."""
        return _tied(super().get_command(job_meta, fl_ctx))


class ServerLauncher(ServerProcessJobLauncher):  # type: ignore[misc]
    """The same at the server."""

    def get_command(self, job_meta: Any, fl_ctx: FLContext) -> str:
        """NVFlare's command, run by the module that ties it."""
        return _tied(super().get_command(job_meta, fl_ctx))


def _tied(command: str) -> str:
    return command.replace(" -m nvflare.", f" -m {lifeline.MODULE} nvflare.", 1)


class Carrier(Executor):  # type: ignore[misc]
    """At a site: a message to the gate, and its reply back. It knows nothing but where the gate is."""

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Listen for messages from the start of the job on."""
        if event_type == EventType.START_RUN:
            fl_ctx.get_engine().register_aux_message_handler(TOPIC, self._carry)

    def execute(self, task_name: str, shareable: Shareable, fl_ctx: FLContext, abort_signal: Signal) -> Shareable:
        """There are no tasks."""
        return make_reply(ReturnCode.TASK_UNKNOWN)

    def _carry(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        body = request.get(BODY)
        reply = hand_in(body) if isinstance(body, bytes) else None
        out = make_reply(ReturnCode.OK)
        if reply is not None:
            out[BODY] = reply
        return out


class Post(Controller):  # type: ignore[misc]
    """At the server: rounds of messages come in as commands of the job, and leave for their sites all at once."""

    def __init__(self) -> None:
        super().__init__()
        self._rounds: dict[str, _Round] = {}

    def start_controller(self, fl_ctx: FLContext) -> None:
        """Take commands from now on."""
        fl_ctx.get_engine().register_app_command(TOPIC, self._command)

    def control_flow(self, abort_signal: Signal, fl_ctx: FLContext) -> None:
        """Stay until the job is aborted."""
        while not abort_signal.triggered:
            time.sleep(0.2)

    def stop_controller(self, fl_ctx: FLContext) -> None:
        """Nothing is kept."""

    def process_result_of_unknown_task(
        self, client: Any, task_name: str, client_task_id: str, result: Shareable, fl_ctx: FLContext
    ) -> None:
        """There are no tasks."""

    def process_task_request(self, client_task: ClientTask, fl_ctx: FLContext) -> None:
        """There are no tasks."""

    def _command(self, topic: str, given: Any, fl_ctx: FLContext) -> dict[str, Any]:
        """``{"ask": [site, …]}``: who answers. ``{"round": id, "messages": {site: base64}, "patience": s}``: a round
        begins; each later call with its id collects."""
        if "ask" in given:
            asked = fl_ctx.get_engine().send_aux_request(given["ask"], TOPIC, Shareable(), ASK, fl_ctx, optional=True)
            return {"here": [site for site, reply in (asked or {}).items() if reply.get_return_code() == ReturnCode.OK]}
        number = str(given["round"])
        if "messages" in given:
            self._rounds = {number: _Round(given["messages"], float(given["patience"]), fl_ctx)}
        current = self._rounds.get(number)
        return {"replies": {}, "done": True} if current is None else current.collect(SLICE)


class _Round:
    """One message to each of several sites, and the replies as they come."""

    def __init__(self, messages: Mapping[str, str], patience: float, fl_ctx: FLContext) -> None:
        self._news = threading.Condition()
        self._replies: dict[str, str] = {}
        self._open = set(messages)
        for site, body in messages.items():
            threading.Thread(target=self._send, args=(site, body, patience, fl_ctx), daemon=True).start()

    def _send(self, site: str, body: str, patience: float, fl_ctx: FLContext) -> None:
        reply = None
        try:
            request = Shareable()
            request[BODY] = base64.b64decode(body)
            replies = fl_ctx.get_engine().send_aux_request([site], TOPIC, request, patience, fl_ctx, optional=True)
            reply = (replies or {}).get(site)
        finally:
            with self._news:
                if reply is not None and isinstance(reply.get(BODY), bytes):
                    self._replies[site] = base64.b64encode(reply[BODY]).decode()
                self._open.discard(site)
                self._news.notify_all()

    def collect(self, wait: float) -> dict[str, Any]:
        """What came since the last call; waits a little for something to come."""
        with self._news:
            self._news.wait_for(lambda: self._replies or not self._open, wait)
            replies, self._replies = self._replies, {}
            return {"replies": replies, "done": not self._open}


# the coordinator's end --------------------------------------------------------------------------------------------


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
        with _quiet(), _plain():
            self._session: Session = new_secure_session(
                user, str(kit.absolute()), timeout=HEAVY, command_timeout=2 * ASK, auto_login_max_tries=10
            )

    def close(self) -> None:
        """End the admin session; the job stays for the next one."""
        with contextlib.suppress(Exception), _quiet():
            self._session.close()

    def _processes(self) -> tuple[str, ...]:
        """The sites whose NVFlare process answers now; whether there is a gate behind it, only the gate can say."""
        with _quiet(), _plain():
            self._session.set_timeout(ASK)
            known = {one.name for one in self._session.get_connected_client_list()} & set(self._sites)
        # one by one: a site that has just died, or is on its way back, must not hide the others
        there = {name for name in known if self._answers(name)}
        return self._named(there)

    def _answers(self, site: str) -> bool:
        try:
            with _quiet():
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
        with _quiet(), _plain():
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
        with _quiet(), _plain():
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
def _plain() -> Iterator[None]:
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


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """NVFlare prints as it works; what is printed here is for whoever asked."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


# startup kits -----------------------------------------------------------------------------------------------------


class Certificates(CertBuilder):  # type: ignore[misc]
    """NVFlare's certificates, which hold from a day before they are made: a slow clock is then named, and not shut out.

    Sites' hold for a year, the authority's for ten, so that the same authority signs renewed ones. A server keeps its
    key (PEM): it signed the tokens with which sites that are in touch go on.
    """

    EARLY = dt.timedelta(days=1)

    def __init__(self, root_valid_days: int, server_key: str = "") -> None:
        super().__init__(root_valid_days)
        self.server_key = load_pem_private_key(server_key.encode("ascii"), None) if server_key else None

    def get_pri_key_cert(self, participant: Any) -> tuple[Any, Any]:
        """A key and its certificate, for a party; a fresh key where it has none to keep."""
        key, certificate = super().get_pri_key_cert(participant)
        if participant.type != ParticipantType.SERVER or self.server_key is None:
            return key, certificate
        again = self._generate_cert(
            participant.subject,
            participant.org,
            self.issuer,
            self.pri_key,
            self.server_key.public_key(),
            server=participant,
            not_valid_after=certificate.not_valid_after_utc,
        )
        return self.server_key, again

    def _generate_cert(self, *given: Any, not_valid_before: dt.datetime | None = None, **more: Any) -> Any:
        begins = (not_valid_before or dt.datetime.now(dt.UTC)) - self.EARLY
        return super()._generate_cert(*given, not_valid_before=begins, **more)


def provision(
    name: str,
    host: str,
    port: int,
    sites: Sequence[str],
    user: str,
    work: Path,
    authority: Authority | None = None,
    server_key: str = "",
) -> tuple[Path, Authority]:
    """Fresh certificates and startup kits: the folder with one folder for each party, and what signed them.

    Args:
        authority, server_key: what signs them, and the server's key (PEM), where there are some.
    """
    state = work / name / "state" / "cert.json"
    if authority is not None:
        state.parent.mkdir(parents=True)
        state.write_text(json.dumps({_ROOT: authority.certificate, _ROOT_KEY: authority.key}), "ascii")
    org = {"org": "pets"}
    parties = [
        {"name": host, "type": "server", "fed_learn_port": port, "admin_port": port, "host_names": [host], **org},
        *({"name": site, "type": "client", **org} for site in sites),
        {"name": user, "type": "admin", "role": "lead", **org},
    ]
    lighter, own = "nvflare.lighter.impl.", f"{__name__}.{Certificates.__name__}"
    builders = [
        (f"{lighter}workspace.WorkspaceBuilder", {"template_file": ["master_template.yml"]}),
        (f"{lighter}static_file.StaticFileBuilder", {"config_folder": "config"}),
        (own, {"root_valid_days": 3650, "server_key": server_key}),
        (f"{lighter}signature.SignatureBuilder", {}),
    ]
    form = {
        "api_version": 3,
        "name": name,
        "participants": parties,
        "builders": [{"path": path, "args": args} for path, args in builders],
    }
    with _quiet():
        made = Provisioner(str(work), prepare_builders(form)).provision(prepare_project(form))
    if made.get("build_error"):
        raise UserError("NVFlare could not make the startup kits; check the host's name and the sites' names")
    kept = json.loads(state.read_bytes())
    return work / name / "prod_00", Authority(kept[_ROOT], kept[_ROOT_KEY])
