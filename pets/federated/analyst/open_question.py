"""Open questions: asked in encrypted envelopes, and answered by each site on a day of its own.

An envelope is a site's one message, so sites need not be there together. The coordinator keeps the signed order and the
replies that came, in bytes that are good after any restart: messages are made anew alike, since nothing in them is
drawn. A site is charged when it answers, once. When every site has answered, or the question's time is over and enough
have, the total is made; where sites are missing, those that are in sign so, and the key holder opens it.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pets.common.codec import Json
from pets.errors import QueryError, UserError, shown
from pets.federated.analyst.transport import Transport
from pets.federated.messages.message import Kind, parse
from pets.federated.messages.roster import Roster
from pets.federated.query_round.coordinator import Relay, plain
from pets.federated.query_round.order import Order, time_of
from pets.federated.site.waiting.kept_replies import GRACE

MIN_WAIT, MAX_WAIT = dt.timedelta(minutes=1), dt.timedelta(days=30)


@dataclass(frozen=True)
class OpenQuestion:
    """A question under way, as the coordinator keeps it.

    Attributes:
        order, signed: what was asked, and the body of the message that asks.
        asked: when.
        replies: by round, each site's reply by its number.
        closed: whether the envelopes are decided upon: those that come later are in no total.
    """

    order: Order
    signed: bytes
    asked: str
    replies: tuple[Mapping[int, bytes], ...] = ({},)
    closed: bool = False

    @property
    def id(self) -> str:
        """The query's."""
        return self.order.id

    @property
    def until(self) -> dt.datetime:
        """When it ends."""
        found = time_of(self.order.until)
        assert found is not None
        return found

    def to_json(self) -> Json:
        """What is kept of it."""
        return {
            "pets": "open-question",
            "version": 1,
            "signed": base64.b64encode(self.signed).decode(),
            "order": self.order.to_json(),
            "asked": self.asked,
            "closed": self.closed,
            "replies": [
                {str(site): base64.b64encode(data).decode() for site, data in sorted(one.items())}
                for one in self.replies
            ],
        }

    @classmethod
    def from_json(cls, form: Any) -> OpenQuestion:
        """The inverse of :meth:`to_json`; raises :class:`UserError` for anything else."""
        try:
            order = Order.from_json(form["order"])
            if form["pets"] != "open-question" or form["version"] != 1 or time_of(order.until) is None:
                raise ValueError("another form")
            replies = tuple(
                {int(site): base64.b64decode(data, validate=True) for site, data in one.items()}
                for one in form["replies"]
            )
            return cls(order, base64.b64decode(form["signed"]), str(form["asked"]), replies, bool(form["closed"]))
        except (LookupError, TypeError, ValueError, AttributeError):
            raise UserError("this is no open question as pets writes it") from None


@dataclass
class Progress:
    """How far an open question is.

    Attributes:
        question: as it is to be kept.
        relay: its messages; done where the total is known.
        waiting: the numbers of the sites that have not answered yet, in this round.
    """

    question: OpenQuestion
    relay: Relay
    waiting: frozenset[int] = field(default_factory=frozenset)


def advanced(
    question: OpenQuestion,
    relay: Relay,
    transport: Transport,
    here: Collection[int],
    holder: bool,
    now: dt.datetime,
    keep: Callable[[OpenQuestion], None],
) -> Progress:
    """Go on with a question as far as it goes now: ask whom it waits for and who is there, and add what came.

    Args:
        relay: made anew from the question's order.
        here: the sites that are in touch.
        holder: whether the key holder is.
        keep: writes the question down; it is called before anything follows from what came.

    Raises:
        Refused, ReleaseFailedError: where it is over without an answer.
    """
    while not relay.done:
        came = dict(question.replies[relay.number]) if relay.number < len(question.replies) else {}
        frozen = relay.number == 0 and question.closed
        asked = (
            {} if frozen else {site: data for site, data in relay.outbox.items() if site in here and site not in came}
        )
        if asked:
            came |= transport.exchange(asked, lambda site: None)
            question = replace(question, replies=(*question.replies[: relay.number], came))
            keep(question)
        for site, data in came.items():
            relay.take(site, data)
        waiting = frozenset(relay.outbox) - frozenset(came)
        late = question.until if relay.number == 0 else question.until + GRACE
        if waiting and not frozen and now <= late and not relay.hopeless:
            return Progress(question, relay, waiting)
        if relay.number == 0 and not question.closed:
            question = replace(question, closed=True)
            keep(question)
        if not holder and (relay.enough or waiting):  # without whom nothing is opened, and nothing lost meanwhile
            return Progress(question, relay, waiting)
        relay.close()
    return Progress(question, relay)


def standing(question: OpenQuestion, roster: Roster) -> dict[str, str]:
    """By site, what came of it so far, for a person."""
    out = {}
    for site, member in enumerate(roster.members):
        data = question.replies[0].get(site)
        if data is None:
            out[member.name] = "not heard in time" if question.closed else "not heard yet"
            continue
        message = parse(data)
        said = {Kind.ROUND: "answered, and charged", Kind.REFUSED: f"refused: {plain(message.body)}"}
        out[member.name] = said.get(message.kind, "withheld, and charged")
    return out


def check_open(secure: object) -> None:
    """Refuse ways to combine that need all sites at once; raises :class:`QueryError`."""
    if secure != "encrypted":
        raise QueryError(
            f"secure={shown(secure)} needs all sites at once, round by round; a question that stays open is asked with "
            "--secure encrypted (a federation with a key holder), of which each site sends one envelope"
        )


def wait_of(text: object) -> dt.timedelta:
    """A time that a question may stay open, such as ``"7d"``, ``"36h"`` or ``"90m"``.

    >>> wait_of("7d").days, wait_of("36h").total_seconds()
    (7, 129600.0)
    """
    if isinstance(text, dt.timedelta):
        found: dt.timedelta | None = text
    else:
        said = str(text).strip() if isinstance(text, str) else ""
        units = {"d": "days", "h": "hours", "m": "minutes"}
        found = None
        if said[:-1].isdecimal() and len(said) < 8 and said[-1:] in units:
            found = dt.timedelta(**{units[said[-1]]: int(said[:-1])})
    if found is None or not MIN_WAIT <= found <= MAX_WAIT:
        raise QueryError(f"a question stays open from one minute to 30 days, such as 7d, 36h or 90m, not {shown(text)}")
    return found


def load(text: bytes) -> OpenQuestion:
    """A question that was kept."""
    try:
        return OpenQuestion.from_json(json.loads(text))
    except ValueError:
        raise UserError("this is no open question as pets writes it") from None
