"""Steps of a fit are nobody's choice: an analyst with chosen coefficients could solve for exact counts of people."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets import col
from pets.errors import QueryError, ReleaseFailedError
from pets.federated import Federation, Site, SitePolicy, TableRule, Totals
from pets.federated.analyst.models import glm
from pets.federated.messages.errors import ProtocolError, Refused
from pets.federated.messages.message import Channel, context_of
from pets.federated.query_round.evidence import _joined, _parts, attested, unpacked
from pets.federated.query_round.next_step import next_step, solved
from pets.federated.query_round.order import Order
from pets.federated.query_round.regression_step import Model, Step
from pets.federated.site.own_part import part_in

TOTAL = pets.Total()
AGES = 83
QUERY = pets.query("t").agg(n=pets.count())
WOMEN = QUERY.where(col("sex").isin([True]))


def schema() -> pets.Schema:
    columns = {
        "id": pets.Identifier(),
        "age": pets.Real(18, 18 + AGES - 1, step=1, nullable=False),
        "died": pets.Boolean(nullable=False),
        "sex": pets.Boolean(nullable=False),
    }
    return pets.Schema({"t": pets.Table(pets.Unit("id", max_rows=1), columns, people=2**12)}, dataset="fits")


def rows(count: int = 1200) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    age = 18 + rng.integers(0, AGES, count)
    died = rng.random(count) < 1 / (1 + np.exp(3 - age / 20))
    sex = rng.random(count) < 0.5
    return pd.DataFrame({"id": [f"p{i}" for i in range(count)], "age": age, "died": died, "sex": sex})


ROWS = rows()


def many(n: int = 3, **totals: Any) -> Federation:
    rule = TableRule(aggregates=("count", "glm"), keys=(), filters=("sex",))
    rules = SitePolicy(tables={"t": rule}, totals=Totals(**{"allow": True, "min_cohort": 1} | totals))
    sites = []
    for number in range(n):
        session = pets.Session(
            schema(),
            {"t": ROWS.iloc[number::n]},
            budget=pets.Budget(epsilon=1, delta=1e-6),
            policy=pets.Policy(allow_unbounded=True),
            progress=False,
        )
        sites.append(Site(session, policy=rules, name=f"s{number}"))
    return Federation(sites, sites_per_person=1, progress=False)


def model(*beta: float, before: str = "") -> Model:
    return Model(Step("binomial", "died", ("age",), beta or (0.0, 0.0), before), schema().fields("t"))


def after(step: Model, found: tuple[str, Any]) -> Model:
    return replace(step, step=next_step(step.step, found[1], found[0], step.bits(2**12)))


def entries(sites: Federation) -> list[int]:
    return [len(site.session.history()) for site in sites.sites.values()]


def test_sixty_chosen_steps_give_nothing() -> None:
    """Steep curves at sixty places told every age's exact count; now not one is answered, and nothing is entered."""
    sites = many(4)
    for place in np.linspace(-0.95, 0.95, 60):
        with pytest.raises(Refused, match="every coefficient at zero"):
            sites.iterate(QUERY, model(-19.0 * float(place), 19.0), TOTAL)
    assert entries(sites) == [0] * 4


def test_no_step_but_the_one_that_follows_is_let_in() -> None:
    sites = many()
    first = sites.iterate(QUERY, model(), TOTAL)
    right, before, kept = after(model(), first), entries(sites), dict(sites._evidence)
    hair = (right.step.beta[0], float(np.nextafter(right.step.beta[1], 9.0)))
    for change in ({"beta": (-9.0, 9.0)}, {"beta": hair}, {"before": "0" * 32}, {"before": ""}):
        with pytest.raises(Refused, match=r"follow|at zero"):
            sites.iterate(QUERY, replace(right, step=replace(right.step, **change)), TOTAL)
    with pytest.raises(Refused, match="does not follow"):  # on other rows than the step before
        sites.iterate(WOMEN, right, TOTAL)
    assert sites._evidence == kept
    assert entries(sites) == before == [1] * 3
    sites.iterate(QUERY, right, TOTAL)
    assert entries(sites) == [2] * 3
    certificate = next(iter(sites.sites["s0"].certificates.values()))
    assert "nobody chose them, but a site that colludes" in certificate.predicate["notes"][-1]


def test_sums_that_the_sites_did_not_sign_are_no_evidence() -> None:
    """The coordinator is the analyst: it can state any sums, and cannot make signatures."""
    sites = many()
    first, other = (sites.iterate(QUERY, model(), TOTAL) for _ in range(2))
    good, right, before = sites._evidence[other[0]], after(model(), other), entries(sites)
    rng = np.random.default_rng(0)
    forged = [b"", good[:-1], good + b"\0", good + good]
    for place in rng.integers(0, len(good), 24).tolist():
        forged.append(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    for evidence in forged:
        sites._evidence = {other[0]: evidence}
        with pytest.raises(Refused, match="does not follow"):
            sites.iterate(QUERY, right, TOTAL)
    sites._evidence = {first[0]: good}  # of another query
    with pytest.raises(Refused, match="does not follow"):
        sites.iterate(QUERY, after(model(), first), TOTAL)
    assert entries(sites) == before
    sites._evidence = {other[0]: good}
    assert sites.iterate(QUERY, right, TOTAL)[1][0] == len(ROWS)


def test_evidence_gives_the_very_total_and_names_each_site_once() -> None:
    sites = many()
    name, sums = sites.iterate(QUERY, model(), TOTAL)
    site, evidence = sites.sites["s1"], sites._evidence[name]
    found = part_in(name, site.session.custody.account)
    assert found is not None
    order = Order.from_json(json.loads(found.release)["order"])
    channel = Channel(sites.roster, bytes.fromhex(name), context_of(sites.roster, order.form), 1, site._key)
    total = attested(evidence, channel, 1 + model().size, everyone=True)
    assert total.tolist() == [len(ROWS), *sums.tolist()]
    for wrong in (evidence + evidence, evidence[:-1], b""):
        with pytest.raises(ProtocolError):
            attested(wrong, channel, 1 + model().size, everyone=True)
    rounds = list(_parts(evidence))
    first = list(_parts(rounds[0]))
    for listed in ([*first, first[0]], [first[0], first[0], *first[2:]]):
        with pytest.raises(ProtocolError, match="names a site twice"):
            attested(_joined([_joined(listed), *rounds[1:]]), channel, 1 + model().size, everyone=True)
    with pytest.raises(ProtocolError, match="cut off"):
        unpacked(b"\x01\xff\xff\xff\xff")


def test_steps_and_fits_are_limited_in_number_whatever_the_condition() -> None:
    sites, step = many(max_steps=3), model()
    for _ in range(3):
        step = after(step, sites.iterate(QUERY, step, TOTAL))
    with pytest.raises(Refused, match="allows 3 steps of a regression"):
        sites.iterate(QUERY, step, TOTAL)
    assert entries(sites) == [3] * 3
    sites = many(max_fits=2, max_steps=2)
    for query in (QUERY, WOMEN):
        first = sites.iterate(query, model(), TOTAL)
    with pytest.raises(Refused, match="allows 2 regressions of 'died'"):
        sites.iterate(QUERY.where(~col("sex").isin([True])), model(), TOTAL)
    for _ in range(2):  # the same step asked again and again counts, too
        sites._evidence = dict(sites._evidence)
        evidence = dict(sites._evidence)
        sites.iterate(WOMEN, after(model(), first), TOTAL)
        sites._evidence = evidence
    with pytest.raises(Refused, match="allows 2 regressions"):
        sites.iterate(WOMEN, after(model(), first), TOTAL)


def test_a_fit_that_was_withheld_counts_like_one_that_left() -> None:
    """Else the cap would tell a stranger which were withheld, and each more would be one more bit about rows."""
    sites = many(max_fits=2, max_steps=2, min_cohort=250)  # of 400 rows a site, about half are women's
    for _ in range(2):
        with pytest.raises(ReleaseFailedError, match="withheld"):
            sites.iterate(WOMEN, model(), TOTAL)
    assert {state for site in sites.sites.values() for state in site.session.history()["state"]} == {"forfeited"}
    with pytest.raises(Refused, match="allows 2 regressions of 'died'"):
        sites.iterate(QUERY, model(), TOTAL)
    sites = many(max_fits=2, max_steps=2, min_cohort=250)
    with pytest.raises(ReleaseFailedError, match="withheld"):
        sites.iterate(WOMEN, model(), TOTAL)
    first = sites.iterate(QUERY, model(), TOTAL)
    for _ in range(2):
        evidence = dict(sites._evidence)
        sites.iterate(QUERY, after(model(), first), TOTAL)
        sites._evidence = evidence
    with pytest.raises(Refused, match="allows 2 regressions"):  # four steps in all: one of them was withheld
        sites.iterate(QUERY, after(model(), first), TOTAL)


def test_what_was_refused_before_the_data_was_opened_counts_nowhere() -> None:
    sites = many(max_fits=1, max_steps=1)
    for _ in range(3):
        with pytest.raises(Refused, match="at zero"):
            sites.iterate(QUERY, model(-9.0, 9.0), TOTAL)
    assert sites.iterate(QUERY, model(), TOTAL)


def test_fits_that_were_let_in_together_do_not_pass_each_other() -> None:
    sites = many(max_fits=1)
    inner, other = sites._transport.exchange, Federation(list(sites.sites.values()), sites_per_person=1, progress=False)

    def between(messages: Any, heard: Any) -> Any:
        if messages[0][2] == 1:  # this fit was let in, and its data is not opened yet
            sites._transport.exchange = inner  # type: ignore[method-assign]
            other.iterate(QUERY, model(), TOTAL)
        return inner(messages, heard)

    sites._transport.exchange = between  # type: ignore[method-assign]
    with pytest.raises(Refused, match="allows 1 regressions"):
        sites.iterate(WOMEN, model(), TOTAL)
    assert [sorted(site.session.history()["state"]) for site in sites.sites.values()] == [["committed", "voided"]] * 3


def test_a_fit_is_that_of_the_pooled_rows() -> None:
    found = glm(many(), "t", "died", ["age"], "binomial", TOTAL)
    x = np.column_stack([np.ones(len(ROWS)), ROWS["age"]]).astype(float)
    beta = np.zeros(2)
    for _ in range(50):
        mean = 1 / (1 + np.exp(-(x @ beta)))
        beta += np.linalg.solve(x.T @ (x * (mean * (1 - mean))[:, None]), x.T @ (ROWS["died"].to_numpy() - mean))
    assert np.abs(np.array(found.coefficients) - beta).max() < 1e-9


def test_dummy_data_follow_the_same_rule() -> None:
    dummy = many().dummy(rows=200)
    first = dummy.iterate(QUERY, model(), pets.Exact())
    with pytest.raises(Refused, match="does not follow"):
        dummy.iterate(QUERY, model(-9.0, 9.0, before=first[0]), pets.Exact())
    assert dummy.iterate(QUERY, after(model(), first), pets.Exact())[1][0] > 0


def test_the_next_coefficients_are_exact() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 6))
    square, right = np.rint(x.T @ x * 2**30).astype(int).tolist(), np.rint(rng.normal(size=6) * 2**30).astype(int)
    found = solved(square, right.tolist())
    for row, value in zip(square, right.tolist(), strict=True):
        assert sum(number * part for number, part in zip(row, found, strict=True)) == value
    assert solved([[0, 2], [3, 1]], [4, 5]) == [1, 2]  # where a row must first change places
    with pytest.raises(QueryError, match="one best fit"):
        solved([[1, 2], [2, 4]], [1, 2])
    start = Step("poisson", "n", (), (0.0,))
    sums = np.array([10, 10 << 3, 20 << 3, 0])
    assert next_step(start, sums, "a" * 32, 3).beta == (1151978 / 2**20,)  # log 3
    with pytest.raises(QueryError, match="outcomes are the same"):
        next_step(start, sums - [0, 0, 30 << 3, 0], "a" * 32, 3)
