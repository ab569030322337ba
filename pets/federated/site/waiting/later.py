"""Later: what follows on a question that stays open, maybe days after the site's reply, maybe after a restart.

The site needs no memory but its kept reply: its half of the round is in its key, and the envelope that it sent is in
the reply. It signs for one total of a query, ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pets.common.signing import SigningKey
from pets.errors import LedgerError
from pets.federated.messages.errors import ProtocolError
from pets.federated.messages.message import COORDINATOR, Channel, Kind, Message, context_of, parse, verified
from pets.federated.messages.roster import Roster
from pets.federated.query_round.envelopes import agreed
from pets.federated.query_round.evidence import unpacked
from pets.federated.query_round.order import Order
from pets.federated.site.own_part import was_opened
from pets.federated.site.waiting.kept_replies import KeptReplies
from pets.he.keys.public_key import PublicKey
from pets.ledger.account import Account
from pets.plan.plan import make_plan
from pets.schema.schema import Schema


def later_reply(
    message: Message,
    data: bytes,
    kept: KeptReplies,
    rosters: Mapping[str, Roster],
    holders: Mapping[str, PublicKey],
    key: SigningKey,
    schema: Schema,
) -> bytes:
    """The reply to a message about a query that is not under way; from the replies that are kept.

    Raises:
        ProtocolError: where none is kept, or the message asks for what is never given twice.
    """
    found = kept.get(message.query)
    if found is None:
        raise ProtocolError("no such query is under way at this site; it was over, or never begun")
    if (reply := found.answer(data)) is not None:
        return reply
    asked = parse(found.order)
    roster = next((one for one in rosters.values() if verified(asked, one, context_of(one))), None)
    if roster is None:
        raise ProtocolError("the question is of a roster that this site has left")
    order = Order.read(unpacked(asked.body)[0], roster)
    me = roster.keys.index(key.public)
    channel = Channel(roster, message.query, context_of(roster, order.form), me, key)
    if message.kind is Kind.ABORT:
        channel.read(data, message.round, COORDINATOR, Kind.ABORT)
        kept.drop(message.query)
        return channel.write(Kind.ABORT, message.round, b"")
    read = channel.read(data, 1, COORDINATOR)
    if found.signed:
        raise ProtocolError("this site signed for another total of the query; it signs for one, ever")
    half = agreed(order, roster, make_plan(order.query, schema), schema, key, holders.get(roster.digest))
    reply = channel.write(Kind.ROUND, 1, half.resumed(parse(found.reply).body).consent(read.body))
    kept.signed(message.query, data, reply)
    return reply


def reply_lost(order: Order, account: Account, noted: Callable[[object], str], notice: Callable[[str], None]) -> bool:
    """Whether this site was charged for an open question, and its reply is not kept: it ended in between.

    Then none ever leaves: counted again, and with other noise, the same charge would pay for two answers. The analyst
    is told that it stays charged, as often as it is asked, and the custodian, too.

    Args:
        noted: gives the number under which the custodian finds why something went wrong.
        notice: told what the custodian must know.

    Raises:
        ProtocolError: where the ledger cannot be read just now; the question may be asked again.
    """
    try:
        if not was_opened(order.id, account):
            return False
    except LedgerError as error:
        raise ProtocolError(f"this site's ledger cannot be read just now (incident {noted(error)})") from None
    notice(f"Query {order.id[:12]} was charged, and its reply lost when this site ended; the analyst is told so.")
    return True
