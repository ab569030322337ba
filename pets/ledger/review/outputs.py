"""Outputs: the airlock's state machine. What an analyst wants to take out leaves once enough other people approve it.

The states and rules are those of OpenSAFELY's airlock (SUBMITTED … RELEASED; two reviewers, never the author, who vote
independently), with one difference: nothing is hidden from the log. Each act is one transaction with its signed entry;
the bytes lie beside the ledger before an entry tells of them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pets.common.codec import digest
from pets.common.entropy import random_id
from pets.common.literals import printable
from pets.errors import ForbiddenError, HeldError, LedgerError, UserError, did_you_mean, shown
from pets.ledger.db import outputs
from pets.ledger.db.row_types import text
from pets.ledger.db.transaction import Transaction
from pets.ledger.failpoint import failpoint
from pets.ledger.ledger import Ledger
from pets.ledger.review.acts import check_next, digests, found, move, own_words, say, seen
from pets.ledger.review.checkers import check_checker
from pets.ledger.review.file_store import FileStore
from pets.ledger.review.manifest import Manifest
from pets.ledger.review.output import DAY, Output, Rules, same_person
from pets.ledger.review.votes import GONE, OutputState

MAX_OPEN = 20
"""Outputs of one analyst of one project that may wait at once."""


class Outputs:
    """What analysts want to take out of a ledger's datasets; safe from threads and processes."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.store = FileStore(ledger)

    # the author ---------------------------------------------------------------------------------------------------

    def submit(
        self,
        files: Mapping[str, bytes],
        *,
        dataset: str,
        project: str,
        analyst: str,
        context: str,
        controls: str,
        rules: Rules | None = None,
    ) -> Output:
        """Ask that files may be taken out.

        Raises:
            UserError: for what a pre-flight stops, or too many outputs that wait.
            LedgerError: for a dataset that the ledger does not know, or a folder that cannot be written.
        """
        scope = printable("project", project), printable("analyst", analyst)
        manifest = Manifest.of(files, context, controls)
        with self.ledger.reading() as tx:
            self._check_open(tx, dataset, scope)  # what is refused fills no store
        self._keep(files, manifest)
        made, rules = random_id(), rules or Rules()
        with self._entering(files, manifest) as (tx, now):
            self._check_open(tx, dataset, scope)
            row = {"id": made, "dataset": dataset, "project": scope[0], "analyst": scope[1]}
            row["rules"] = text(rules.to_json())
            outputs.add(tx.connection, row | self._turn(1, manifest, rules, tx, now))
            self._say_submitted(tx, outputs.by_id(tx.connection, made), now)
        return self._done(made, scope[1])

    @staticmethod
    def _check_open(tx: Transaction, dataset: str, scope: tuple[str, str]) -> None:
        if tx.dataset(dataset) is None:
            raise LedgerError(f"the ledger has no dataset {shown(dataset)}{did_you_mean(dataset, tx.dataset_names())}")
        if len(outputs.waiting_of(tx.connection, scope)) >= MAX_OPEN:
            raise UserError(f"{MAX_OPEN} outputs of yours wait already; wait until they are decided, or withdraw one")

    def resubmit(self, output: str, files: Mapping[str, bytes], *, context: str, controls: str, by: str) -> Output:
        """Hand in a returned output anew: another turn, in which nobody has voted.

        Raises as :meth:`submit`, :class:`HeldError` where it was not returned, and :class:`UserError` where nothing has
        changed.
        """
        manifest = Manifest.of(files, context, controls)
        with self.ledger.reading() as tx:
            self._check_returned(tx, output, by, manifest)  # nobody else fills the store
        self._keep(files, manifest)
        with self._entering(files, manifest) as (tx, now):
            row = self._check_returned(tx, output, by, manifest)
            turn = self._turn(row.turn + 1, manifest, Rules(**json.loads(row.rules)), tx, now)
            move(tx, row, OutputState.SUBMITTED, **turn)
            self._say_submitted(tx, outputs.by_id(tx.connection, output), now)
        made = self._done(output, by)
        self.store.forget(digests(row))
        return made

    def _check_returned(self, tx: Transaction, output: str, by: str, manifest: Manifest) -> Any:
        row = self._own(tx, output, by)
        if row.state == OutputState.RETURNED.value and manifest.digest == row.digest:
            raise UserError("nothing has changed since it was returned; change what was asked for, or withdraw it")
        check_next(row, OutputState.SUBMITTED)
        return row

    def withdraw(self, output: str, *, by: str) -> Output:
        """Take one's own output back for good; its files are deleted. :class:`HeldError`: it was decided."""
        with self.ledger.writing() as (tx, now):
            row = self._own(tx, output, by)
            move(tx, row, OutputState.WITHDRAWN)
            say(tx, "output-withdrawn", row, now, by=by)
        made = self._done(output, by)
        self.store.forget(digests(row))
        return made

    def _keep(self, files: Mapping[str, bytes], manifest: Manifest) -> None:
        for one in manifest.files:
            self.store.put(files[one.name])
        failpoint("output-stored")

    @contextlib.contextmanager
    def _entering(self, files: Mapping[str, bytes], manifest: Manifest) -> Iterator[tuple[Transaction, float]]:
        """A transaction that enters a turn: its files are there at the end; of one that is refused none is left."""
        try:
            with self.ledger.writing() as (tx, now):
                yield tx, now
                for one in manifest.files:
                    if not self.store.has(one.sha256):  # another output's, deleted since
                        self.store.put(files[one.name])
        except UserError:
            self.store.forget(one.sha256 for one in manifest.files)
            raise

    def _turn(self, turn: int, manifest: Manifest, rules: Rules, tx: Transaction, now: float) -> dict[str, Any]:
        row = {"state": OutputState.SUBMITTED.value, "turn": turn, "manifest": text(manifest.to_json())}
        return row | {"digest": manifest.digest, "at": now, "due": now + rules.days * DAY, "seq": tx.head.size}

    def _say_submitted(self, tx: Transaction, row: Any, now: float) -> None:
        """The entry of a turn: its private part has the digests, since those of small tables could be guessed."""
        files = [[one["sha256"], one["bytes"]] for one in json.loads(row.manifest)["files"]]
        rules = json.loads(row.rules)
        also = {"project": row.project, "analyst": row.analyst, "needed": rules["needed"]}
        also |= {"logins": True} if rules["logins"] else {}
        say(tx, "output", row, now, **also, hidden={"digest": row.digest, "files": files})

    def _own(self, tx: Transaction, output: str, by: str) -> Any:
        row = found(tx, output, None)
        if not same_person(printable("by", by), row.analyst):
            raise ForbiddenError("this output is another analyst's; only who submitted it changes it or takes it back")
        return row

    # who looks ----------------------------------------------------------------------------------------------------

    def waiting(self, dataset: str | None = None, *, by: str | None = None, limit: int = 100) -> list[Output]:
        """The outputs of a dataset (left out: of all) that wait for votes, the next due first, as ``by`` sees them."""
        with self.ledger.reading() as tx:
            return [seen(tx, row, by) for row in outputs.open_(tx.connection, dataset, limit)]

    def listed(
        self,
        dataset: str | None = None,
        *,
        scope: tuple[str, str] | None = None,
        states: tuple[OutputState, ...] = (),
        limit: int = 100,
    ) -> list[Output]:
        """Those in these states (none: in any), of an analyst of a project, or of all; the newest first."""
        names = [one.value for one in states]
        by = None if scope is None else scope[1]
        with self.ledger.reading() as tx:
            return [seen(tx, row, by) for row in outputs.listed(tx.connection, dataset, scope, names, limit)]

    def find(self, output: str, *, by: str | None = None, dataset: str | None = None) -> Output:
        """One output as ``by`` may see it; raises :class:`NotFoundError`."""
        with self.ledger.reading() as tx:
            return seen(tx, found(tx, output, dataset), by)

    def check_checker(self, output: str, by: str, *, project: str | None = None, login: bool = False) -> None:
        """Raises :class:`ForbiddenError` for who may not decide about an output, and so may not take its files."""
        with self.ledger.reading() as tx:
            check_checker(tx, found(tx, output, None), printable("by", by), project=project, login=login)

    def known(self, output: str) -> bool:
        """Whether there is an output of this id."""
        with self.ledger.aside(writes=False) as (connection, _):
            return outputs.by_id(connection, output) is not None

    def file(self, output: str, name: str, *, dataset: str | None = None) -> bytes:
        """The bytes of one file of the present turn, as they were submitted: for whoever decides about it."""
        one = self.find(output, dataset=dataset)
        if one.state in GONE:
            raise HeldError(f"this output is {one.state.value}, and its files are deleted; nothing of it leaves")
        return self.store.get(one.manifest.file(name).sha256)

    def files(self, output: str, *, dataset: str | None = None) -> dict[str, bytes]:
        """Every file of the present turn; none of an output that was withdrawn or rejected, whose files are deleted."""
        one = self.find(output, dataset=dataset)
        return {} if one.state in GONE else {file.name: self.store.get(file.sha256) for file in one.manifest.files}

    def comment(self, output: str, words: str, *, by: str, dataset: str | None = None) -> Output:
        """Write about an output: its author, or whoever may decide about it. The log has the digest of the words alone.

        What a reviewer writes before all votes are in, the other reviewers see afterwards, and the author at the end
        of the turn.
        """
        by, words = printable("by", by), own_words("a comment", words)
        if not words:
            raise UserError("a comment is a text of at least one letter; write what is to be said")
        with self.ledger.writing() as (tx, now):
            row = found(tx, output, dataset)
            if not same_person(by, row.analyst):
                check_checker(tx, row, by)
            kept = {"output": output, "seq": tx.head.size, "turn": row.turn, "author": by, "text": words, "at": now}
            outputs.add_comment(tx.connection, kept)
            say(tx, "output-comment", row, now, by=by, hidden={"words": digest(words)})
        return self._done(output, by)

    # who lets it out ----------------------------------------------------------------------------------------------

    def release(self, output: str, *, by: str, dataset: str | None = None) -> dict[str, bytes]:
        """Let an approved output out: the log tells the digest of every file before anybody is given it.

        Said again it gives the same files, at no other entry.

        Args:
            by: who takes it out of the airlock.

        Raises:
            HeldError: where it is not approved.
            LedgerError: where its files are not what was approved.
        """
        by = printable("by", by)
        with self.ledger.writing() as (tx, now):
            row = found(tx, output, dataset)
            fresh = OutputState(row.state) is not OutputState.RELEASED
            if fresh:
                move(tx, row, OutputState.RELEASED)
            files = self._bytes(row)
            if fresh:
                told = [{"sha256": one["sha256"], "bytes": one["bytes"]} for one in json.loads(row.manifest)["files"]]
                say(tx, "output-released", row, now, by=by, files=told, hidden={"digest": row.digest})
        self._done(output, by)
        return files

    def _bytes(self, row: Any) -> dict[str, bytes]:
        """Exactly what was voted about."""
        manifest = Manifest.from_json(json.loads(row.manifest))
        if manifest.digest != row.digest:
            raise LedgerError("the output was altered in the ledger's tables; restore the newest copy of the ledger")
        return {one.name: self.store.get(one.sha256) for one in manifest.files}

    # steps --------------------------------------------------------------------------------------------------------

    def _done(self, output: str, by: str) -> Output:
        failpoint("output-committed")
        self.ledger.catch_up()
        return self.find(output, by=by)
