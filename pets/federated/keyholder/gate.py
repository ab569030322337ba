"""Key holder: who opens the totals of encrypted envelopes, as a party of its own. Bytes in, bytes out.

===== ================================================ =====================================================
kind  from the coordinator                             from the key holder
===== ================================================ =====================================================
KEY   what is asked, and with which noise: signed by   the round, signed: exactly the sites, threshold and
      an analyst on the roster                         assumptions of the roster that it has pinned itself
OPEN  the total of that round, with its parts and,     its numbers, once; of the one grid that it names
      where sites are missing, what the others signed  itself, what its rule shows of them, and nothing else
===== ================================================ =====================================================

It has the secret key and the record of opened rounds, and no rows. It never sees an envelope: only totals of at least
the roster's threshold, each signed for by the sites that are in it. It is told of a query before the sites are, and
never asks them anything.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.common.codec import Json
from pets.errors import PetsError, PolicyError, SchemaError
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.hello import hello_reply
from pets.federated.messages.message import COORDINATOR, Channel, Kind, Message, context_of, parse, verified
from pets.federated.messages.roster import Roster
from pets.federated.messages.signed_form import SignedForm
from pets.federated.query_round.coordinator import MAX_REASON
from pets.federated.query_round.envelopes import grid_round_of, of_roster, round_of
from pets.he.keys.record import RecordError
from pets.he.secret_key import SecretKey
from pets.he.totals.shown_grid import ShownGrid
from pets.he.totals.total import Consent, Total
from pets.protection.protection import DP, Exact, Protection
from pets.protection.protection import Total as ExactTotal
from pets.protection.sdc import SDC
from pets.query_model.query import Query
from pets.schema.schema import Schema
from pets.session import guarantee_text

HOLDER = 0xFFFE
"""The key holder's number as a sender."""
KNOWN = b"grid "
"""What a reply begins with that is no round, but the grid that this key has shown before."""
NAME = "key-holder"
"""The key holder's name on the line; no site has it."""
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class RoundRequest(SignedForm):
    """A round that an analyst wants. Its sites, threshold and assumptions are not said: the key holder has pinned them.

    Attributes:
        id: 16 random bytes in hex, of this request alone; the round has an id of its own.
        roster: the digest of the roster that it is about.
        analyst: who asks, as the roster knows them.
        query, schema: what is asked of what.
        noise: of all shares together: ``DP(rho=…)``, or none; ``SDC(…)``: none, for the key holder's own grid.
        preset: the parameter set that the range needs.
    """

    DOMAIN = b"pets.federated.key.v1\x00"
    CALLED = "the request for a round"

    id: str
    roster: str
    analyst: str
    query: Query
    schema: Schema
    noise: Protection
    preset: str

    def to_json(self) -> Json:
        """The canonical form."""
        return {
            "pets": "federated-key",
            "version": 1,
            "id": self.id,
            "roster": self.roster,
            "analyst": self.analyst,
            "query": self.query.to_json(),
            "schema": self.schema.to_json(),
            "noise": self.noise.to_json(),
            "preset": self.preset,
        }

    @classmethod
    def from_json(cls, given: Any) -> RoundRequest:
        """The inverse of :meth:`to_json`; raises for anything else."""
        texts = {name: given[name] for name in ("id", "roster", "analyst", "preset")}
        if not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("another form")
        return cls(
            query=Query.from_json(given["query"]),
            schema=Schema.from_json(given["schema"]),
            noise=Protection.from_json(given["noise"]),
            **texts,
        )


class KeyHolderGate:
    """The secret key behind a gate of its own.

    Args:
        secret: what opens totals, with its record of opened rounds.
        totals: whether exact totals, without noise, may be opened at all.
        grid: the one question whose counts it shows by a rule, with that rule; none, unless it names one.
        schema: the digest of the schema that the grid was named of, whose values are its cells; left out: any.
        say: told, in a line, what was asked and what was opened.
    """

    def __init__(
        self,
        secret: SecretKey,
        *,
        totals: bool = False,
        grid: tuple[Query, SDC] | None = None,
        schema: str | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._secret, self._totals, self._say = secret, totals, say
        self._grid, self._schema = grid, schema
        self._rosters: dict[str, Roster] = {}
        self._seen: set[bytes] = set()
        self._last: tuple[bytes, bytes] = (b"", b"")
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<KeyHolderGate of {self._secret.public!r}, on {len(self._rosters)} rosters>"

    def join(self, roster: Roster) -> None:
        """Pin a roster; raises :class:`PolicyError` where it names another key than this."""
        check_named(roster, self._secret.public.id)
        self._rosters[roster.digest] = roster

    def handle(self, data: bytes) -> bytes:
        """Answer one message; raises :class:`ProtocolError` for anything forged, replayed or out of turn."""
        message = parse(data)
        if message.kind is Kind.HELLO:
            pinned = tuple(self._rosters.values())
            return hello_reply(message, pinned, self._seen, lambda roster: HOLDER, self._secret, self._say)
        with self._lock:
            if hmac.compare_digest(self._last[0], hashlib.sha256(data).digest()):
                return self._last[1]  # the same request again, after a lost connection: the same reply
            roster = next((r for r in self._rosters.values() if verified(message, r, context_of(r))), None)
            if roster is None or message.sender != COORDINATOR or message.round != 0:
                raise ProtocolError("the message is not from the coordinator of a roster that is pinned here")
            if message.kind is Kind.KEY:
                act, kind = self._round, Kind.KEY
            elif message.kind is Kind.OPEN:
                act, kind = self._open, Kind.OPEN
            else:
                raise ProtocolError("a key holder makes rounds and opens totals; the message was ignored")
            channel = Channel(roster, message.query, context_of(roster, message.body), HOLDER, self._secret)
            try:
                reply = channel.write(kind, 0, act(message, roster))
            except ProtocolError:
                raise
            except RecordError as error:  # it names a file of this machine
                self._say(f"Refused: {error}.")
                reply = channel.write(Kind.REFUSED, 0, b"its record of opened rounds cannot be written just now")
            except PetsError as error:
                self._say(f"Refused: {error}.")
                reply = channel.write(Kind.REFUSED, 0, str(error).encode()[:MAX_REASON])
            self._last = (hashlib.sha256(data).digest(), reply)
            return reply

    def _round(self, message: Message, roster: Roster) -> bytes:
        wanted = RoundRequest.read(message.body, roster)
        if message.query.hex() != wanted.id or message.query in self._seen:
            raise ProtocolError("the request was seen before, or its id is not its message's; it was ignored")
        self._seen.add(message.query)
        self._check(wanted.noise, roster, wanted.query, wanted.schema)
        if any(member.schema != wanted.schema.digest for member in roster.members):
            raise SchemaError("the round is wanted for another schema than the roster's; compare the schema files")
        asked = roster, wanted.query, wanted.schema
        if isinstance(wanted.noise, SDC):
            found = grid_round_of(self._secret, *asked, wanted.noise, wanted.preset)
            if isinstance(found, ShownGrid):
                self._say(f"The grid was given to {wanted.analyst!r} as it was shown before.")
                return KNOWN + found.to_bytes()
            made = found
        else:
            made = round_of(self._secret, *asked, wanted.noise, wanted.preset)
        self._say(
            f"Round {made.id[:12]}, wanted by {wanted.analyst!r}, of {roster.size} sites: "
            f"{guarantee_text.what(wanted.query)}; {wanted.noise!r}."
        )
        return made.to_bytes()

    def _open(self, message: Message, roster: Roster) -> bytes:
        total, consents = unpacked(message.body)
        if message.query.hex() != total.round.id or not of_roster(total.round, roster):
            raise ProtocolError("the total is not of a round of this roster; it was ignored")
        self._check(total.round.noise, roster, total.round.query, total.round.schema)
        if isinstance(total.round.noise, SDC):
            found = self._secret.grid(total)
            self._say(f"Round {total.round.id[:12]}: the grid of {len(total.parts)} sites was shown by its rule, once.")
            return found.to_bytes()
        numbers = self._secret.numbers(total, consents)
        self._say(f"Round {total.round.id[:12]}: the total of {len(total.parts)} sites was opened, once for all.")
        return numbers_to_bytes(numbers)

    def _check(self, noise: Protection, roster: Roster, query: Query, schema: Schema) -> None:
        """Refuse what this key holder opens for nobody; the noise itself is for each site to judge."""
        if isinstance(noise, SDC):
            if self._grid is None or (self._grid[0].digest, self._grid[1]) != (query.digest, noise):
                named = "none" if self._grid is None else f"{guarantee_text.what(self._grid[0])}, {self._grid[1]!r}"
                raise PolicyError(
                    f"this key holder shows the counts of the one grid that it has named ({named}); ask for that grid "
                    "by that rule, or use secure='masked', where each site rounds its own"
                )
            if self._schema not in (None, schema.digest):  # the same words, of other values, are other cells
                raise PolicyError(
                    "this key holder named its grid of another schema than the roster's, and so of other cells; ask "
                    "over the sites with that schema, or use secure='masked', where each site rounds its own"
                )
            return
        if isinstance(noise, ExactTotal) and not self._totals:
            raise PolicyError("this key holder opens no exact totals; ask with pets.DP(epsilon=…)")
        dummy = isinstance(noise, Exact) and roster.members[0].data == "dummy"
        if not isinstance(noise, (DP, ExactTotal)) and not dummy:
            raise PolicyError("this key holder opens totals with noise, and exact totals where it allows them")


def check_named(roster: Roster, public: str) -> None:
    """Refuse a roster that names another key."""
    if not roster.key_holder:
        raise PolicyError("the roster names no key holder; make the federation with --key-holder FILE")
    if roster.key_holder != public:
        raise PolicyError("the roster names another key holder than this one; compare the public keys' first digits")


# what goes to and fro -------------------------------------------------------------------------------------------------


def packed(total: bytes, consents: Sequence[bytes]) -> bytes:
    """A total, and what the sites that are in it signed."""
    return b"".join(_LENGTH.pack(len(part)) + part for part in (total, *consents))


def unpacked(body: bytes) -> tuple[Total, list[Consent]]:
    """The inverse of :func:`packed`; raises :class:`ProtocolError` for anything else."""
    try:
        total, *consents = _parts(body)
        return Total.from_bytes(total), [Consent.from_bytes(one) for one in consents]
    except (PetsError, ValueError, struct.error):
        raise ProtocolError("this is no total as envelopes make it; it was ignored") from None


def _parts(body: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(body):
        (length,) = _LENGTH.unpack_from(body, start)
        start += _LENGTH.size
        if start + length > len(body):
            raise ValueError("cut")
        yield body[start : start + length]
        start += length


def numbers_to_bytes(numbers: Any) -> bytes:
    """Whole numbers: how many bytes each has, then each, little-endian and signed.

    >>> numbers_from_bytes(numbers_to_bytes([-1, 2**70])).tolist()
    [-1, 1180591620717411303424]
    """
    found = np.asarray(numbers)
    if found.dtype == np.int64:
        return b"\x08" + found.astype("<i8").tobytes()
    return b"\x10" + b"".join(int(number).to_bytes(16, "little", signed=True) for number in found)


def numbers_from_bytes(data: bytes) -> Any:
    """The inverse of :func:`numbers_to_bytes`; raises :class:`ProtocolError` for anything else."""
    width, body = data[:1], data[1:]
    if width not in (b"\x08", b"\x10") or len(body) % width[0]:
        raise ProtocolError("the key holder's numbers are not in the form that pets writes; they were ignored")
    if width == b"\x08":
        return np.frombuffer(body, dtype="<i8").astype(np.int64)
    whole = [int.from_bytes(body[at : at + 16], "little", signed=True) for at in range(0, len(body), 16)]
    return np.array(whole, dtype=object)
