"""Airlock: what an analyst does to take files out, and what their keeper and the checkers do about them, in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pets.airlock.findings import Preflight
from pets.airlock.preflight import preflight, read_folder
from pets.common.arguments import plain_arguments
from pets.common.files import make_folder, replace_file
from pets.common.signing import load_public
from pets.errors import NotFoundError, UserError, shown
from pets.ledger.change import Change, apply, draft
from pets.ledger.ledger import Ledger
from pets.ledger.review.output import Output, Rules
from pets.ledger.review.outputs import Outputs
from pets.ledger.review.votes import OutputState
from pets.ledger.review.voting import OwnKey, Voting
from pets.protection.policy import Policy
from pets.session.airlock.shown import OutputList, OutputView

Files = str | Path | Mapping[str, bytes]
"""A folder, or the bytes of each file by its name."""


def rules_of(policy: Policy) -> Rules:
    """By what an output is decided under a custodian's policy."""
    names = (policy.output_votes, policy.output_same_project, policy.output_logins, policy.output_days)
    return Rules(*names)


def gathered(files: Files, context: str | None, controls: str | None) -> tuple[dict[str, bytes], str, str]:
    """The files, and what is said of them; a folder says it itself where it is not said."""
    if isinstance(files, Mapping):
        return dict(files), context or "", controls or ""
    found, said_context, said_controls = read_folder(files)
    return found, context or said_context, controls or said_controls


def check_output(
    files: Files, *, context: str | None = None, controls: str | None = None, small: int = 10
) -> Preflight:
    """What a checker would ask about files before they are submitted, each with what to do. It reads these files alone.

    Args:
        files: a folder (whose ``CONTEXT.md`` and ``CONTROLS.md`` say what they say), or the bytes of each file by name.
        context: what they are, of whom and for what.
        controls: what was done so that they disclose nothing.
        small: counts of fewer people than this are small.

    Raises:
        UserError: where there is no such folder, or more in it than an output may hold.
    """
    return preflight(*gathered(files, context, controls), small=small)


class AnalystAirlock:
    """What one analyst of one project takes out; :attr:`pets.AnalystSession.airlock`.

    An output leaves once as many other people as the custodian's policy says have approved it, each without the others'
    votes. Every act is a signed entry of the log; the files lie in the custodian's owner-only folder until then.
    """

    def __init__(self, ledger: Ledger, dataset: str, project: str, analyst: str, policy: Policy) -> None:
        self._all, self._rules = Outputs(ledger), rules_of(policy)
        self._dataset, self._scope = dataset, (project, analyst)

    def __repr__(self) -> str:
        return f"<Airlock of {self._scope[1]}, project {self._scope[0]}, on dataset {self._dataset!r}>"

    @plain_arguments(UserError, "check", "write check('folder')")
    def check(self, files: Files, *, context: str | None = None, controls: str | None = None) -> Preflight:
        """See :func:`check_output`. Nothing is submitted, and nothing is entered in the log."""
        return check_output(files, context=context, controls=controls)

    @plain_arguments(UserError, "submit", "write submit('folder', context='…', controls='…')")
    def submit(self, files: Files, *, context: str | None = None, controls: str | None = None) -> OutputView:
        """Ask that files may be taken out; other people decide. Arguments as of :meth:`check`.

        Raises:
            UserError: for what :meth:`check` says must be mended, or too many outputs that wait.
        """
        found = gathered(files, context, controls)
        project, analyst = self._scope
        whose: dict[str, Any] = {"dataset": self._dataset, "project": project, "analyst": analyst, "rules": self._rules}
        return OutputView(self._all.submit(found[0], context=found[1], controls=found[2], **whose))

    @plain_arguments(UserError, "resubmit", "write resubmit('the id', 'folder')")
    def resubmit(
        self, output: str, files: Files, *, context: str | None = None, controls: str | None = None
    ) -> OutputView:
        """Hand in a returned output anew; nobody has voted about it then.

        Raises:
            HeldError: where it was not returned.
            UserError: as :meth:`submit`, and where nothing has changed.
        """
        self._mine(output)
        found = gathered(files, context, controls)
        made = self._all.resubmit(output, found[0], context=found[1], controls=found[2], by=self._scope[1])
        return OutputView(made)

    @plain_arguments(UserError, "withdraw", "write withdraw('the id')")
    def withdraw(self, output: str) -> OutputView:
        """Take it back for good; raises :class:`~pets.errors.HeldError` where it was decided."""
        self._mine(output)
        return OutputView(self._all.withdraw(output, by=self._scope[1]))

    @plain_arguments(UserError, "comment", "write comment('the id', 'the smallest group has 24 people')")
    def comment(self, output: str, words: str) -> OutputView:
        """Write to whoever decides about it; the log has the digest of the words alone."""
        self._mine(output)
        return OutputView(self._all.comment(output, words, by=self._scope[1]))

    def outputs(self) -> OutputList:
        """What one has submitted, the newest first, with the votes and comments of turns that have ended."""
        return OutputList(self._all.listed(self._dataset, scope=self._scope))

    @plain_arguments(UserError, "output", "write output('the id')")
    def output(self, output: str) -> OutputView:
        """One of them; raises :class:`~pets.errors.NotFoundError` for another's."""
        return OutputView(self._mine(output))

    def _mine(self, output: str) -> Output:
        found = self._all.find(output, by=self._scope[1], dataset=self._dataset)
        if (found.project, found.analyst) != self._scope:
            raise NotFoundError(f"there is no output {shown(output)}; look at the list of those there are")
        return found


class CustodianAirlock:
    """What a dataset's keeper does about outputs, also on the word of checkers; :attr:`pets.Custodian.airlock`.

    Whoever keeps the ledger vouches for who a checker is (``by``); the log says so. A checker may sign with a key of
    their own instead (``key``), which the custodians trust by a signed change. Where the policy has
    ``output_logins=True``, votes are given through the service, whose login says who votes, or with such a key.
    """

    def __init__(self, ledger: Ledger, dataset: str) -> None:
        self._all, self._voting, self._dataset = Outputs(ledger), Voting(ledger), dataset

    def __repr__(self) -> str:
        return f"<Airlock of dataset {self._dataset!r}>"

    def waiting(self, *, by: str | None = None) -> OutputList:
        """The outputs that wait for votes, the next due first; ``by``: as this checker sees them."""
        return OutputList(self._all.waiting(self._dataset, by=by))

    def outputs(self, *states: str) -> OutputList:
        """Those in these states (none: in any), the newest first."""
        return OutputList(self._all.listed(self._dataset, states=tuple(_state(one) for one in states)))

    @plain_arguments(UserError, "look", "write look('the id', by='jo@hospital')")
    def look(self, output: str, *, by: str | None = None) -> OutputView:
        """One output, with its files and what a pre-flight says of them, as this checker sees it.

        Raises:
            NotFoundError: where there is no such output of this dataset.
            LedgerError: where a file is not what was submitted.
        """
        found = self._all.find(output, by=by, dataset=self._dataset)
        return OutputView(found, self._all.files(output, dataset=self._dataset))

    @plain_arguments(UserError, "decide", "write decide(output, 'approve', by='jo@hospital')")
    def decide(
        self,
        output: OutputView,
        decision: str,
        *,
        by: str,
        reason: str | None = None,
        note: str = "",
        key: OwnKey = None,
    ) -> OutputView:
        """Vote about an output that :meth:`look` has shown: ``approve``, ``return`` or ``reject``.

        Args:
            output: as it was looked at; where it is another by now, the vote is refused.
            by: who votes: never its author, and nobody of the author's project unless the policy allows that.
            reason: of :data:`pets.ledger.review.votes.REASONS`; the log has it once all votes are in.
            note: words of their own; the log has their digest alone.
            key: the file of the checker's own key, which signs the vote, where the custodians trust it (``pets review
                key trust``); left out, it counts on the word of whoever keeps the ledger.

        Raises:
            ForbiddenError: for who may not decide about it, and for a key that is not trusted for them.
            HeldError: where it waits for no vote, or is another output by now.
        """
        if not isinstance(output, OutputView):
            raise UserError("a vote is about an output that was looked at; write decide(airlock.look('the id'), …)")
        given: dict[str, Any] = {"by": by, "reason": reason, "note": note, "dataset": self._dataset, "key": key}
        return OutputView(self._voting.decide(output.id, decision, digest=output.digest, **given))

    @plain_arguments(UserError, "send_back", "write send_back(output, by='jo@hospital', reason='missing-context')")
    def send_back(
        self, output: OutputView, *, by: str, reason: str | None = None, note: str = "", key: OwnKey = None
    ) -> OutputView:
        """Return it at once, before all votes are in; arguments and errors as of :meth:`decide`."""
        if not isinstance(output, OutputView):
            raise UserError("what is returned was looked at; write send_back(airlock.look('the id'), …)")
        given: dict[str, Any] = {"by": by, "reason": reason, "note": note, "dataset": self._dataset, "key": key}
        return OutputView(self._voting.send_back(output.id, digest=output.digest, **given))

    @plain_arguments(UserError, "trust_key", "write trust_key('jo.pub', checker='jo', reason='…', by=['A', 'B'])")
    def trust_key(self, key: str | Path, *, checker: str, reason: str, by: Sequence[str]) -> None:
        """Trust a checker's own key to sign their votes: a signed change of the ledger, which its log tells.

        Args:
            key: the file of its public half (``.pub``).
            checker: whose it is, as they vote.
            reason: why, for the public log.
            by: the two people, or more, who decided.

        Raises:
            LedgerError, VerificationError: where it was trusted before, names or the approvers' signatures are missing
                (``pets review key trust --draft`` writes it down for them).
        """
        self._change_key(key, checker, reason, by, trusted=True)

    @plain_arguments(UserError, "revoke_key", "write revoke_key('jo.pub', checker='jo', reason='…', by=['A', 'B'])")
    def revoke_key(self, key: str | Path, *, checker: str, reason: str, by: Sequence[str]) -> None:
        """Trust a checker's key no more, for good; what it signed before stands. As :meth:`trust_key`."""
        self._change_key(key, checker, reason, by, trusted=False)

    def _change_key(self, key: str | Path, checker: str, reason: str, by: Sequence[str], *, trusted: bool) -> None:
        ledger, details = self._all.ledger, {"checker": checker, "key": load_public(Path(key)).raw.hex()}
        wanted = Change(ledger.origin, self._dataset, "checker", details | {"trusted": trusted}, reason, tuple(by))
        apply(ledger, draft(wanted))

    @plain_arguments(UserError, "comment", "write comment('the id', 'which wards?', by='jo@hospital')")
    def comment(self, output: str, words: str, *, by: str) -> OutputView:
        """Write about it, as a checker; the log has the digest of the words alone."""
        return OutputView(self._all.comment(output, words, by=by, dataset=self._dataset))

    @plain_arguments(UserError, "release", "write release('the id', 'folder', by='vera')")
    def release(self, output: str, folder: str | Path, *, by: str) -> list[Path]:
        """Write an approved output's files into a folder; the log has the digest of each before.

        Said again it writes the same files, without another entry.

        Raises:
            HeldError: where it is not approved.
            LedgerError: where its files are not what was approved.
            UserError: where the folder cannot be written, or has other files of these names.
        """
        return write_out(self._all, output, folder, by=by, dataset=self._dataset)


def write_out(every: Outputs, output: str, folder: str | Path, *, by: str, dataset: str | None = None) -> list[Path]:
    """See :meth:`CustodianAirlock.release`."""
    place = Path(folder)
    wanted = every.files(output, dataset=dataset)
    for name, data in wanted.items():
        path = place / name
        if path.exists() and not (path.is_file() and path.read_bytes() == data):
            raise UserError(f"the folder has another file named {shown(name)}; name a folder that is empty")
    files = every.release(output, by=by, dataset=dataset)
    written = []
    try:
        for name, data in files.items():
            make_folder((place / name).parent)
            replace_file(place / name, data)
            written.append(place / name)
    except OSError:
        raise UserError(
            f"the output is released, and its files cannot be written into {shown(str(folder))}; name another folder, "
            "at no other entry"
        ) from None
    return written


def _state(name: str) -> OutputState:
    known = [one.value for one in OutputState]
    if name not in known:
        raise UserError(f"{shown(name)} is no state of an output; there are: {', '.join(known)}")
    return OutputState(name)
