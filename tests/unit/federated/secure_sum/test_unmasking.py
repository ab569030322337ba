"""The coordinator's side alone: it, too, counts who is left, whatever the sites would say."""

from __future__ import annotations

import pytest

from pets.federated.messages.errors import ProtocolError
from tests.parties import Room


@pytest.mark.parametrize("number", range(4))
def test_the_coordinator_itself_counts_who_is_left(number: int) -> None:
    room = Room(5, dropouts=1)
    room.run(rounds=number)
    replies = {site: room.reply(site, number, body) for site, body in room.out.items()}
    few = {site: replies[site] for site in (0, 2, 4)}
    with pytest.raises(ProtocolError, match="4 sites are needed for an answer and 3 are left; nothing was revealed"):
        room.collector.close(number, few)
    assert not room.collector.total.any()
