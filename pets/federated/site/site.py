"""Site: one custodian's data behind a gate. Bytes in, bytes out.

A query's life: its order is verified and let in by the gate, the cost is reserved in the site's own ledger, the rounds
of the way to combine go by, and in one of them the data is opened, once: the charge becomes final, the vector is made,
the site's share of noise is added, the entry is sealed in the log, and only then does anything leave.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

from pets.common import signing
from pets.common.arguments import plain_arguments
from pets.common.entropy import random_id
from pets.common.signing import SigningKey
from pets.errors import LedgerError, PetsError, PolicyError, UsedKeyError, UserError, shown
from pets.federated.messages.errors import ProtocolError, Refused, Withheld
from pets.federated.messages.hello import hello_reply
from pets.federated.messages.message import COORDINATOR, Channel, Kind, Message, context_of, parse, verified
from pets.federated.messages.roster import Member, Roster
from pets.federated.query_round.coordinator import MAX_REASON
from pets.federated.query_round.envelopes import agreed, box_of
from pets.federated.query_round.evidence import unpacked
from pets.federated.query_round.order import Order
from pets.federated.secure_sum.interface import Encryptor, Task, Words
from pets.federated.secure_sum.registry import party
from pets.federated.site.account_request import account_reply
from pets.federated.site.active import LIFE, Active
from pets.federated.site.entry import check_entries, request_of
from pets.federated.site.fit import check_step
from pets.federated.site.gate import Admission, Desk, admit
from pets.federated.site.membership import lists, to_allow
from pets.federated.site.policy import SitePolicy
from pets.federated.site.policy_file import PolicyFile
from pets.federated.site.rounded.grid_part import Source, place_of, source_of
from pets.federated.site.sealing import seal_part
from pets.federated.site.vector import vector
from pets.federated.site.waiting.kept_replies import KeptReplies, KeptReply
from pets.federated.site.waiting.later import later_reply, reply_lost
from pets.he.keys.public_key import PublicKey
from pets.ledger.change import Change, apply, draft
from pets.ledger.failpoint import failpoint
from pets.ledger.states import Grant
from pets.plan.vector import Ints
from pets.release.certificate import Certificate
from pets.session.guard import guarded
from pets.session.session import Session


class Site:
    """One site of a federation.

    Args:
        session: the site's own data, budget and ledger.
        policy: what others may ask: a :class:`SitePolicy`, or its YAML file, whose changes hold from then on. Left out,
            nothing may be asked.
        key: the site's signing key, or the file that keeps it (made on first use). Left out, it lasts one process.
        name: as the roster knows it.
        kept: a folder for replies to questions that stay open, which must outlast a restart; left out, they last one
            process.

    Attributes:
        notice: told, in a line for the custodian that quotes no row, what went wrong here.

    Raises:
        UserError: for what is no session, policy or key.
    """

    @plain_arguments(UserError, "Site", "write pets.federated.Site(session, policy='policy.yaml', name='north')")
    def __init__(
        self,
        session: Session,
        *,
        policy: SitePolicy | str | Path | None = None,
        key: SigningKey | str | Path | None = None,
        name: str = "site",
        kept: str | Path | None = None,
    ) -> None:
        if not isinstance(session, Session):
            raise UserError(f"a site is made of a pets.Session, not {shown(session)}")
        self.session = session
        rules = SitePolicy() if policy is None else policy
        self._file = PolicyFile(Path(rules), session.schema) if isinstance(rules, (str, Path)) else None
        if self._file is None and not isinstance(rules, SitePolicy):
            raise PolicyError(f"a site's policy is a SitePolicy or its file, not {shown(policy)}")
        self.policy: SitePolicy = rules if self._file is None else self._file.policy  # type: ignore[assignment]
        self.policy.check(session.schema)
        self._key = signing.load_or_make(Path(key)) if isinstance(key, (str, Path)) else key or signing.ephemeral()
        if not isinstance(self._key, SigningKey):
            raise UserError("a site's key is a SigningKey or the path of its file")
        self.name = name
        self.certificates: dict[str, Certificate] = {}
        self.notice: Callable[[str], None] = lambda line: None
        self._box = box_of(self._key)
        self._rosters: dict[str, Roster] = {}
        self._holders: dict[str, PublicKey] = {}
        self._active: dict[bytes, Active] = {}
        self._seen: set[bytes] = set()
        self._refusals: dict[bytes, bytes] = {}
        self._incidents: dict[str, str] = {}
        self._kept = KeptReplies(None if kept is None else Path(kept))
        self._openings: dict[str, bytes] = {}
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<Site {self.name!r} on dataset {self.session.schema.dataset!r}>"

    def __reduce__(self) -> NoReturn:
        raise UserError("a site holds data and keys and is never pickled; open it again where it is needed")

    # what others know --------------------------------------------------------------------------------------------

    @property
    def member(self) -> Member:
        """The site's entry for a roster, as it is now: all of it public."""
        return replace(self._entry, totals=lists(self.session.custody.account, self._rosters))

    @property
    def _entry(self) -> Member:
        """What of the entry a roster must have; the totals that left may be more by now."""
        budget = self.session.budget
        return Member(
            self.name,
            self._key.public.raw.hex(),
            self.session.schema.digest,
            self.policy.digest,
            budget.currency,
            budget.conversion_delta,
            self.session.custody.kind,
            self._box,
        )

    def join(self, roster: Roster, public_key: PublicKey | None = None) -> None:
        """Pin a roster: from now on its orders are considered.

        Args:
            roster: whose orders.
            public_key: for encrypted envelopes, the key of the key holder that the roster names.

        Raises:
            PolicyError: where this site is not on it as it is, or the key is not the one that it names.
        """
        if not isinstance(roster, Roster) or not isinstance(public_key, PublicKey | None):
            raise PolicyError("a site joins a Roster, and for encrypted envelopes pins a pets.he.PublicKey")
        if public_key is not None and public_key.id != roster.key_holder:
            raise PolicyError("the roster names another key holder than this public key's; compare their ids")
        if not self.is_on(roster):
            raise PolicyError(
                f"the roster does not have site {self.name!r} as it is (name, key, schema, policy, budget's delta); "
                "send the coordinator its entry again"
            )
        self._rosters[roster.digest] = roster
        if public_key is not None:
            self._holders[roster.digest] = public_key

    def is_on(self, roster: Roster) -> bool:
        """Whether a roster has this site as it is: its name, key, schema, policy and ledger's delta."""
        return self._entry in [replace(member, totals=()) for member in roster.members]

    def leave(self, roster: Roster) -> None:
        """No longer consider a roster's orders; its queries under way end, and what they started stays charged."""
        if not isinstance(roster, Roster):
            raise PolicyError(f"a site leaves a Roster, not {shown(roster)}")
        self._rosters.pop(roster.digest, None)
        self._holders.pop(roster.digest, None)
        for query in [query for query, active in self._active.items() if active.channel.roster.digest == roster.digest]:
            self._end(query)

    def allow_roster(self, roster: Roster, *, reason: str, by: Sequence[str], several: bool = False) -> str:
        """Let exact totals over a roster's sites leave beside those over others: a signed change in the ledger.

        Args:
            roster: whose orders of exact totals were refused, or would be.
            reason: why, for the public log.
            by: the two people, or more, who decided.
            several: where totals left over more than one other list, that the roster is to stand beside all of them.

        Returns:
            What somebody learns by it who asks the same of both lists of sites; the ledger's entry says so, too.

        Raises:
            PolicyError, LedgerError, VerificationError: where there is nothing to allow, or more than was said, the
                roster does not have this site, or signatures are missing.
        """
        change = self.to_allow(roster, reason=reason, by=by, several=several)
        apply(self.session.ledger, draft(change))
        return str(change.details["tells"])

    def to_allow(self, roster: Roster, *, reason: str, by: Sequence[str], several: bool = False) -> Change:
        """The change of :meth:`allow_roster`, for approvers to sign; nothing is changed yet."""
        return to_allow(roster, self.session.custody.account, self._rosters, self._entry.key, reason, by, several)

    def incident(self, number: str) -> str:
        """For the custodian only: why nothing left in answer to a query. It may quote values of real rows."""
        known = self._incidents.get(number) if isinstance(number, str) else None
        return self.session.ledger.incidents.read(number) if known is None else known

    # bytes in, bytes out -----------------------------------------------------------------------------------------

    def handle(self, data: bytes) -> bytes:
        """Answer one message.

        Raises:
            ProtocolError: for anything forged, replayed or out of turn, which changes nothing; and for what must not be
                asked, which ends the query (what it had started stays charged).
        """
        message = parse(data)
        if message.kind is Kind.HELLO:  # without the lock: a site that counts is there all the same
            pinned = tuple(self._rosters.values())
            return hello_reply(message, pinned, self._seen, self._place, self._key, self.notice)
        with self._lock:
            self._sweep()
            if self._file is not None and (rules := self._file.latest(self.notice)) is not None:
                self.policy = rules
            if message.kind is Kind.ORDER:
                return self._order(message, data)
            if message.kind is Kind.ACCOUNT_REQUEST:
                return account_reply(message, self._rosters.values(), self._seen, self._key, self.policy, self.session)
            active = self._active.get(message.query)
            if active is None:
                where = (self._kept, self._rosters, self._holders, self._key, self.session.schema)
                return later_reply(message, data, *where)
            if hmac.compare_digest(active.last[0], hashlib.sha256(data).digest()):
                return active.last[1]  # the same request again, after a lost connection: the same reply, not a new one
            if message.kind is Kind.ABORT:
                active.channel.read(data, message.round, COORDINATOR, Kind.ABORT)
                self._end(message.query)
                return active.channel.write(Kind.ABORT, message.round, b"")
            read = active.channel.read(data, active.next, COORDINATOR)
            return self._round(active, read, data)

    def _order(self, message: Message, data: bytes) -> bytes:
        roster = next((r for r in self._rosters.values() if verified(message, r, context_of(r))), None)
        if roster is None or message.sender != COORDINATOR or message.round != 0:
            raise ProtocolError("the order is not from the coordinator of a roster that this site has pinned")
        kept = self._kept.get(message.query)
        if kept is not None and (reply := kept.answer(data)) is not None:
            return reply  # in their own time sites are asked again until they are heard
        known = self._active.get(message.query)
        if known is not None and hmac.compare_digest(known.last[0], hashlib.sha256(data).digest()):
            return known.last[1]
        body, evidence = unpacked(message.body)
        order = Order.read(body, roster)
        if bytes.fromhex(order.id) != message.query:
            raise ProtocolError("the order's id is not its message's; it was ignored")
        if (refusal := self._refusals.get(message.query)) is not None:
            return refusal
        if message.query in self._seen and not order.until:
            raise ProtocolError("the order was seen before; a query's id is used once")
        self._seen.add(message.query)
        me = self._place(roster)
        channel = Channel(roster, message.query, context_of(roster, order.form), me, self._key)
        if order.until and reply_lost(order, self.session.custody.account, self._noted, self.notice):
            return channel.write(Kind.WITHHELD, 0, b"")
        session = self.session
        desk = Desk(roster.members[me], session.schema, self.policy, session.policy, session.budget, self._entry.data)
        try:
            admission = admit(order, roster, desk)
            account, totals = session.custody.account, self.policy.totals
            check_step(admission, evidence, roster, session.schema, totals, account, me, self._key)
            check_entries(admission, roster, totals, account, self._rosters, self._entry.key)
            encryptor = self._agreed(admission, roster)
            snapshot = source_of(admission, session.custody)
            grant = self._reserve(admission, snapshot)
        except ProtocolError:
            raise
        except LedgerError as error:  # (it may name a file of this site: it is for the custodian alone)
            why = f"this site's ledger took no entry (incident {self._noted(error)})"
            if order.until:  # no refusal: the ledger may be back when the question is asked again
                raise ProtocolError(why) from None
            return channel.write(Kind.REFUSED, 0, why.encode())
        except PetsError as error:
            refusal = channel.write(Kind.REFUSED, 0, str(error).encode()[:MAX_REASON])
            if order.until:  # asked again, where this was lost on its way, it is not taken up until the site restarts
                self._refusals[message.query] = refusal
            return refusal
        active = Active(admission, channel, grant, snapshot, time.monotonic())
        active.party = party(
            order.secure,
            Task(channel, admission.size, admission.everyone, encryptor=encryptor),
            lambda: self._contribute(active),
        )
        self._active[message.query] = active
        return self._round(active, message, data)

    def _place(self, roster: Roster) -> int:
        """This site's number on a roster that has it."""
        return roster.keys.index(self._key.public)

    def _agreed(self, admission: Admission, roster: Roster) -> Encryptor | None:
        """For encrypted envelopes: this site's half of the round, checked before anything is reserved."""
        if admission.order.secure != "encrypted":
            return None
        holder = self._holders.get(roster.digest)
        return agreed(admission.order, roster, admission.plan, self.session.schema, self._key, holder)

    def _reserve(self, admission: Admission, snapshot: Source) -> Grant:
        request = request_of(admission, snapshot.id, self._entry.data)
        wait = 0.0 if admission.order.until else LIFE  # of an open question the data is opened at once
        try:
            grant: Grant | None = self.session.custody.account.reserve([request], start=False, again=True, wait=wait)[0]
        except UsedKeyError:
            grant = None
        if grant is None or grant.sealed is not None:
            raise ProtocolError("the order's id is in this site's ledger already; a query's id is used once")
        return grant

    def _noted(self, why: object) -> str:
        """The number under which the custodian finds why."""
        number = random_id()[:12]
        self._note(number, str(why))
        self.notice(f"The ledger took no entry, and nothing left (incident {number}): {why}.")
        return number

    def _note(self, number: str, why: str) -> None:
        self._incidents[number] = why
        self.session.ledger.incidents.note(number, why)

    def _round(self, active: Active, message: Message, data: bytes) -> bytes:
        number = message.round
        try:
            body = active.party.answer(number, b"" if message.kind is Kind.ORDER else message.body)
            reply = active.channel.write(Kind.ROUND, number, body)
        except Withheld:
            reply = active.channel.write(Kind.WITHHELD, number, b"")
        except PolicyError as error:  # before the data was opened: what was reserved is given back
            self._end(message.query)
            return active.channel.write(Kind.REFUSED, number, str(error).encode()[:MAX_REASON])
        except LedgerError as error:
            # the entry was not written, so nothing leaves; what was started stays charged, and the others go on
            self._noted(error)
            reply = active.channel.write(Kind.WITHHELD, number, b"")
        except BaseException:
            self._end(message.query)
            raise
        active.next = number + 1
        active.last = (hashlib.sha256(data).digest(), reply)
        if until := active.admission.order.until:  # one message, and what follows may be days away
            self._end(message.query)
            try:
                self._kept.keep(message.query, KeptReply(data, reply, until))
            except LedgerError as error:  # what could be lost, and never made again, does not leave
                self._noted(error)
                return active.channel.write(Kind.WITHHELD, number, b"")
        return reply

    def _end(self, query: bytes) -> None:
        """Forget a query and its secrets; what it reserved and did not start is given back."""
        active = self._active.pop(query, None)
        if active is not None:
            with contextlib.suppress(LedgerError):  # a ledger that cannot be written closes it when its lease is over
                self.session.custody.account.close([active.grant])

    def _sweep(self) -> None:
        late = time.monotonic() - LIFE
        for query in [query for query, active in self._active.items() if active.since < late]:
            self._end(query)
        self._kept.sweep(dt.datetime.now(dt.UTC))

    # the data is opened here, and nowhere else --------------------------------------------------------------------

    def _contribute(self, active: Active) -> Words:
        account, grant, admission = self.session.custody.account, active.grant, active.admission
        if active.channel.roster.members[active.channel.sender].policy != self.policy.digest:
            raise Refused("the site's policy has changed since the roster was made; exchange a new roster")
        # (again: other queries may have been entered since this one was let in)
        given = admission, active.channel.roster, self.policy.totals, account, self._rosters, self._entry.key
        check_entries(*given)
        account.start([grant])
        with account.closing([grant]):  # which renews the lease, however long the counting takes
            check_entries(*given, own=grant.id)  # (who has this ledger open, too, may have begun something since)
            failpoint("data-opened")
            values, incident = guarded(partial(self._vector, admission, active.snapshot))
            if values is None or isinstance(values, str):
                number = grant.id[:12]
                self._note(number, incident if values is None else values)
                self.notice(f"Nothing left in answer to a query, which stays charged (incident {number}).")
                account.close([grant])
                raise Withheld(f"nothing leaves this site in answer to the query (incident {number})")
            failpoint("measured")
            where = place_of(active.snapshot, self.name, self._entry.data)
            opening, certificate = seal_part(admission, active.channel.roster, grant, values, where, self.session)
            self._openings[admission.order.id], self.certificates[admission.order.id] = opening, certificate
            return values.view(np.uint64)

    def _vector(self, admission: Admission, snapshot: Source) -> Ints | str:
        """The numbers that leave; or why they may not, which may depend on rows."""
        return vector(admission, snapshot, self.session.custody, self.policy.totals)
