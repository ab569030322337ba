"""A query that ends without an answer says where it may have been charged: never a site too few."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pets.errors import ReleaseFailedError, UserError
from pets.federated.analyst.transport import InProcess
from pets.federated.messages.errors import Refused
from pets.federated.site.policy import SitePolicy
from tests.unit.federated.site.test_site import BY_AGE, HALF, federation, spent
from tests.unit.session.test_session import SCHEMA

NOBODY = "no site had opened its data, so nothing stays charged"
ALL = "data may have been opened at s0, s1, s2: what that cost stays charged there"


class Breaks:
    """A line that breaks in one round, before its messages arrive or after."""

    def __init__(self, inner: InProcess, number: int, arrives: bool) -> None:
        self.inner, self.number, self.arrives = inner, number, arrives

    def exchange(self, messages: Mapping[int, bytes], heard: Any) -> Mapping[int, bytes]:
        self.number -= 1
        broken = self.number == -1
        if not broken or self.arrives:
            replies = self.inner.exchange(messages, heard)
        if broken:
            raise UserError("the federation's server broke off")
        return replies


@pytest.mark.parametrize(
    ("secure", "number", "arrives", "told"),
    [
        ("masked", 0, True, NOBODY),
        ("masked", 1, True, NOBODY),
        ("masked", 2, False, ALL),
        ("masked", 2, True, ALL),
        ("masked", 4, True, ALL),
        ("local", 0, True, ALL),
        ("encrypted", 0, True, ALL),
    ],
)
def test_a_broken_line_ends_the_query_and_says_where_it_may_be_charged(
    secure: str, number: int, arrives: bool, told: str
) -> None:
    many = federation(people=60)
    many._transport = Breaks(InProcess(tuple(many.sites.values())), number, arrives)
    with pytest.raises(ReleaseFailedError) as error:
        many.release(BY_AGE, HALF, secure=secure)
    assert str(error.value) == f"the query ended without an answer: the federation's server broke off; {told}"
    charged = [loss > 0 for loss in spent(many)]
    assert charged == [told == ALL and arrives] * 3


def test_a_site_that_refused_was_not_charged() -> None:
    many = federation(people=60)
    many.sites["s1"].policy = SitePolicy(tables={}, min_sites=3)
    with pytest.raises(Refused) as error:
        many.release(BY_AGE, HALF, secure="local")
    assert str(error.value).endswith("data may have been opened at s0, s2: what that cost stays charged there")
    assert [loss > 0 for loss in spent(many)] == [True, False, True]
    other = federation(people=60, rules=SitePolicy.open(SCHEMA))
    other.sites["s1"].policy = SitePolicy(tables={}, min_sites=3)
    with pytest.raises(Refused, match=NOBODY):
        other.release(BY_AGE, HALF)
    assert spent(other) == [0, 0, 0]
