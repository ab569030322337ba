"""Outputs at a service: an analyst hands files in, and a checker, whom the login names, looks and votes."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from pets.airlock.findings import Preflight
from pets.common.arguments import plain_arguments
from pets.common.codec import Json
from pets.common.signing import SigningKey
from pets.errors import UserError, shown
from pets.ledger.review.manifest import Manifest, check_names
from pets.ledger.review.output import Comment, Output, Rules
from pets.ledger.review.votes import OF_OUTPUTS, Decision, OutputState, OutputVote, known_decision
from pets.service.client.transport import Transport
from pets.service.wire.harmless import harmless
from pets.session.airlock.airlock import Files, check_output, gathered
from pets.session.airlock.shown import OutputList, OutputView

Key = SigningKey | str | Path | None
"""A checker's own key, or its file."""


class ServiceAirlock:
    """Files that one takes out through a service, and those of others about which one votes; ``connection.airlock``.

    The verbs are those of :class:`pets.session.airlock.airlock.AnalystAirlock`, and for whoever has the role
    ``reviewer`` those of a checker. The service's login says who acts; a checker may sign with a key of their own, too.
    """

    def __init__(self, transport: Transport, dataset: str, who: str) -> None:
        self._transport, self._dataset, self._who = transport, dataset, who

    def __repr__(self) -> str:
        return f"<Airlock of dataset {self._dataset!r}>"

    @plain_arguments(UserError, "check", "write check('folder')")
    def check(self, files: Files, *, context: str | None = None, controls: str | None = None) -> Preflight:
        """What a checker would ask about files, each with what to do; nothing is sent."""
        return check_output(files, context=context, controls=controls)

    @plain_arguments(UserError, "submit", "write submit('folder', context='…', controls='…')")
    def submit(self, files: Files, *, context: str | None = None, controls: str | None = None) -> OutputView:
        """Ask that files may be taken out; other people decide.

        Raises:
            UserError: for what :meth:`check` says must be mended, or too many outputs that wait.
        """
        body = _sent(files, context, controls)
        return _view(self._transport.post("datasets", self._dataset, "airlock", body=body))

    @plain_arguments(UserError, "resubmit", "write resubmit('the id', 'folder')")
    def resubmit(
        self, output: str, files: Files, *, context: str | None = None, controls: str | None = None
    ) -> OutputView:
        """Hand in a returned output anew; nobody has voted about it then."""
        return self._act(output, "resubmit", **_sent(files, context, controls))

    @plain_arguments(UserError, "withdraw", "write withdraw('the id')")
    def withdraw(self, output: str) -> OutputView:
        """Take it back for good; raises :class:`~pets.errors.HeldError` where it was decided."""
        return self._act(output, "withdraw")

    @plain_arguments(UserError, "comment", "write comment('the id', 'the smallest group has 24 people')")
    def comment(self, output: str, words: str) -> OutputView:
        """Write about it, as its author or as a checker; the log has the digest of the words alone."""
        return self._act(output, "comment", words=words)

    def outputs(self) -> OutputList:
        """What one has submitted, the newest first."""
        return OutputList(self._listed("outputs"))

    def waiting(self) -> OutputList:
        """For reviewers: the outputs of others that wait for votes, the next due first."""
        return OutputList(self._listed("waiting"))

    @plain_arguments(UserError, "look", "write look('the id')")
    def look(self, output: str) -> OutputView:
        """One output: for its reviewers with its files, for its author once it is released.

        Raises:
            NotFoundError: for another's, unless one is a reviewer of its dataset.
        """
        return _view(self._transport.get("airlock", _id(output)))

    @plain_arguments(UserError, "decide", "write decide(airlock.look('the id'), 'approve')")
    def decide(
        self, output: OutputView, decision: str, *, reason: str | None = None, note: str = "", key: Key = None
    ) -> OutputView:
        """Vote about an output that :meth:`look` has shown: ``approve``, ``return`` or ``reject``.

        Args:
            output: as it was looked at; where it is another by now, the vote is refused.
            reason: of :data:`pets.ledger.review.votes.REASONS`; the log has it once all votes are in.
            note: words of one's own; the log has their digest alone.
            key: the file of one's own key, which signs the vote here, where the custodians trust it (``pets review key
                trust``). It never leaves this machine: the service is sent the signature, about the files that were
                looked at here. Left out, the login alone says who votes.

        Raises:
            ForbiddenError: for who may not decide about it, and for a key that is not trusted for them.
            HeldError: where it waits for no vote, or is another output by now.
        """
        if not isinstance(output, OutputView):
            raise UserError("a vote is about an output that was looked at; write decide(airlock.look('the id'), …)")
        if decision not in ("approve", "return", "reject"):
            raise UserError(f"a decision is approve, return or reject, not {shown(decision)}")
        more: Json = {"note": note} if decision == "approve" else {"note": note, "reason": reason}
        signed = self._signed(output, decision, more.get("reason"), key, at_once=False)
        return self._act(output.id, decision, digest=output.digest, signed=signed, **more)

    @plain_arguments(UserError, "send_back", "write send_back(output, reason='missing-context')")
    def send_back(self, output: OutputView, *, reason: str, note: str = "", key: Key = None) -> OutputView:
        """Return it at once, before all votes are in; those of the turn count no more. Errors as of :meth:`decide`."""
        if not isinstance(output, OutputView):
            raise UserError("what is returned was looked at; write send_back(airlock.look('the id'), …)")
        signed = self._signed(output, "return", reason, key, at_once=True)
        return self._act(output.id, "send-back", digest=output.digest, reason=reason, note=note, signed=signed)

    def _signed(self, output: OutputView, decision: str, reason: str | None, key: Key, *, at_once: bool) -> Json | None:
        """The vote as one's own key signs it, about files that were held against their digest here."""
        if key is None:
            return None
        from pets.ledger.review.own_key import sign

        if not output.files:
            raise UserError("a vote is signed about files that were looked at; write decide(airlock.look('the id'), …)")
        given, why = known_decision(decision, reason, OF_OUTPUTS)
        which: Json = {"output": output.id, "turn": output.turn, "digest": output.digest, "by": self._who}
        return sign(key, **which, decision=given, reason=why, at_once=at_once).to_json()

    def _act(self, output: str, act: str, **more: Any) -> OutputView:
        sent = {name: value for name, value in more.items() if value is not None}
        return _view(self._transport.post("airlock", _id(output), body={"act": act} | sent))

    def _listed(self, which: str) -> list[Output]:
        told = self._transport.get("airlock", limit=1000).get(which)
        return [_output(one) for one in told] if isinstance(told, list) else []


def _id(output: object) -> str:
    if not isinstance(output, str) or not output:
        raise UserError(f"an output is named by its id, as airlock.outputs() lists it, not by {shown(output)}")
    return output


def _sent(files: Files, context: str | None, controls: str | None) -> Json:
    """Checked here first: what cannot be submitted is not sent."""
    found, context, controls = gathered(files, context, controls)
    Manifest.of(found, context, controls)
    coded = {name: base64.b64encode(data).decode() for name, data in found.items()}
    return {"files": coded, "context": context, "controls": controls}


def _view(told: Json) -> OutputView:
    """What a service says of an output; files are shown where they are what its manifest says."""
    found = _output(told.get("output"))
    files = {}
    given = told.get("files")
    for name, text in given.items() if isinstance(given, dict) else ():
        try:
            files[name] = base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise _unread() from None
    if files:
        said = found.manifest
        check_names(files)  # whoever looks may have them written into a folder
        if Manifest.listing(files) != said.files or said.digest != found.digest:
            raise UserError("the service shows other files than the output has; tell whoever runs it, and do not vote")
    return OutputView(found, files)


def _output(form: Any) -> Output:
    try:
        manifest = Manifest.from_json(form)
        told = harmless(form)
        votes = tuple(
            OutputVote(one["by"], "", Decision(one["decision"]), one["reason"], one["note"], "told")
            for one in told["votes"]
        )
        comments = tuple(Comment(one["by"], one["words"], one["turn"], float(one["at"]), 0) for one in told["comments"])
        names = ("id", "dataset", "project", "analyst")
        parts: Json = {name: str(told[name]) for name in names} | {"state": OutputState(told["state"])}
        parts |= {"turn": int(told["turn"]), "rules": Rules(int(told["needed"])), "voted": int(told["voted"])}
        parts |= {"at": float(told["at"]), "due": float(told["due"]), "digest": str(form["digest"])}
        return Output(**parts, manifest=manifest, votes=votes, comments=comments)
    except (LookupError, TypeError, ValueError, OverflowError, UserError):
        raise _unread() from None


def _unread() -> UserError:
    return UserError("the service tells of an output in a form that is none; install the version of pets that it has")
