"""Job: what carries messages at the server and at the sites, as classes that NVFlare runs."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Mapping
from typing import Any

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

from pets.federated.deployment import lifeline
from pets.federated.deployment.gateway import hand_in

TOPIC = "pets"
BODY = "body"
SLICE = 2.0
"""Seconds that one admin command waits for replies; a round takes as many commands as it needs."""
ASK = 5.0
"""Seconds in which a site says that it is there."""


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
