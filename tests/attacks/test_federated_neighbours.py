"""One person more or less at a site: under DP nothing but the noisy numbers differs, in what any message shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import PetsError
from pets.federated import Federation, Site, SitePolicy, TableRule
from pets.federated.messages.message import parse
from tests.attacks.test_federated_replay import Wire
from tests.unit.federated.site.test_site import HALF, N, parts, spent, states
from tests.unit.session.test_session import SCHEMA

RARE = (col("days") == 3) & (col("cost") < 2)  # nobody, or one person
QUESTIONS: tuple[pets.Query, ...] = (
    N,
    N.where(RARE),
    pets.query("stays").group_by("age", "days").agg(n=pets.count(), people=pets.count_units(), c=pets.mean("cost")),
    pets.query("stays").where(RARE).group_by("age").agg(q=pets.quantile("cost", 0.5), v=pets.variance("days")),
    pets.query("stays").agg(s=pets.sum("cost")),  # the policy refuses it
)


def federation(change: Callable[[pd.DataFrame], pd.DataFrame], secret: pets.he.SecretKey) -> Federation:
    rule = TableRule(aggregates=("count", "count_units", "mean", "quantile", "variance"))
    policy = SitePolicy(tables={"stays": rule}, secure=("masked", "local", "encrypted"))
    sites = []
    for number, rows in enumerate(parts(3, 30)):
        own = change(rows) if number == 1 else rows
        budget = pets.Budget(epsilon=3, delta=1e-6)
        session = pets.Session(SCHEMA, {"stays": own}, budget=budget, progress=False)
        sites.append(Site(session, policy=policy, name=f"s{number}"))
    return Federation(sites, sites_per_person=1, key_holder=secret, progress=False)


def seen(many: Federation, query: pets.Query, secure: str) -> Any:
    """All that anybody but the reader of the numbers can see of a query."""
    wire = Wire(many)
    try:
        release = many.release(query, HALF, secure=secure)
        said: Any = (release.notes, release.guarantee, release.scales, release.cost, list(release.table.columns))
    except PetsError as error:
        said = (type(error), str(error))
    many._transport = wire.inner
    shapes = [
        {site: (parse(data).kind, parse(data).round, len(data)) for site, data in replies.items()}
        for replies in wire.replies
    ]
    return said, shapes, dict(many.lost), spent(many), states(many)


@pytest.mark.parametrize("secure", ["masked", "local", "encrypted"])
def test_neighbours_cannot_be_told_apart_but_by_numbers(secure: str) -> None:
    def without(rows: pd.DataFrame) -> pd.DataFrame:
        return rows[rows["id"] != rows["id"].iloc[0]]

    def nobody(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.iloc[:0]

    def strange(rows: pd.DataFrame) -> pd.DataFrame:
        more = {"id": "new", "age": "young", "days": 3, "cost": 1.0, "day": "2024-02-02", "urgent": "perhaps"}
        return pd.concat([rows, pd.DataFrame([more, more | {"days": None, "cost": float("nan")}, more | {"day": "?"}])])

    wanted, secret = None, pets.he.keygen()[1]
    for change in (lambda rows: rows, without, nobody, strange):
        many = federation(change, secret)
        found = [seen(many, query, secure) for query in QUESTIONS]
        if secure == "encrypted":  # a ciphertext is packed by bytes that chance gave: sizes differ by a few
            for _, shapes, *_ in found:
                for replies in shapes:
                    replies.update({site: (kind, at, round(size, -4)) for site, (kind, at, size) in replies.items()})
        wanted = found if wanted is None else wanted
        assert found == wanted
