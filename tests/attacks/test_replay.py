"""The same noise on a neighbour, through whole sessions: 500 cases that hold, and planted bugs that do not.

Each planted bug is one that an audit of other libraries found, or that once passed our own tests.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import pets
from pets import KeySet, col, count, count_units, dummy, histogram, mean, quantile, query, rate, variance
from pets.dp import mechanism
from pets.dp.noise import gaussian_rho
from pets.federated import Site, SitePolicy
from pets.protection.budget import Cost
from pets.rows.counted_rows import Rows
from pets.session import job
from pets.session.custody import Custody
from pets.testing import ReplayReport, replay
from tests.attacks.prepared import worlds_once  # noqa: F401

# whatever is drawn, both worlds get the same
pytestmark = [pytest.mark.chance(0), pytest.mark.usefixtures("worlds_once")]

COLUMNS: dict[str, Any] = {
    "id": pets.Identifier(),
    "g": pets.Category(["a", "b", "c"], nullable=False),
    "h": pets.Category(["u", "v"]),
    "x": pets.Integer(0, 400),
    "y": pets.Real("-5", "60", "0.25", nullable=False),
    "day": pets.Date("2020-01-01", "2020-12-31"),
}
SCHEMA = pets.Schema(
    {
        "t": pets.Table(pets.Unit("id", max_rows=4, rows=3), COLUMNS, person_table="p"),
        "p": pets.Table(
            pets.Unit("pid", max_rows=1),
            {"pid": pets.Identifier(), "sex": pets.Category(["F", "M"]), "age": pets.Integer(0, 120)},
        ),
    }
)
T = query("t")
BY = T.group_by("g")

QUERIES: dict[str, Any] = {
    "rows": T.agg(n=count()),
    "rows by group": BY.agg(n=count()),
    "rows that meet a condition": BY.where(~(col("x") == 0)).agg(n=count(), m=count(where=col("h") == "u")),
    "rows, capped": BY.agg(n=count()).bound(groups=1),
    "fewer rows": BY.agg(n=count(), u=count_units()).bound(rows=1),
    "people": BY.agg(u=count_units()),
    "people, capped": T.group_by("g", "h").agg(u=count_units()).bound(groups=2),
    "a sum, clipped above": T.agg(s=pets.sum("x", clip=(0, 20))),
    "a sum, clipped below": BY.agg(n=count(), s=pets.sum("x", clip=(380, 400))),
    "a sum of reals": T.where(col("h").isin(["u", "v"])).agg(s=pets.sum("y")),
    "means": BY.agg(m=mean("x"), l=mean("y", clip=(0, 1))),
    "a variance": T.agg(v=variance("x", clip=(100, 400))),
    "a variance in steps": BY.agg(v=variance("x", step=10)),
    "a rate": BY.agg(r=rate(col("y") > 10)),
    "a histogram": T.agg(h=histogram("x", [0, 1, 50, 399, 400])),
    "a quantile": T.agg(q=quantile("y")),
    "months": T.group_by(col("day").month()).agg(n=count()),
    "a key set": T.group_by(KeySet.product({"g": ["a", "c"]})).agg(n=count(), s=pets.sum("x")),
    "the person table": T.group_by("sex").where(col("age") > 40).agg(n=count(), a=mean("age")),
    "the person table, capped": T.group_by("sex", "g").agg(n=count(), a=pets.sum("age")).bound(groups=1),
}


def released(asked: Any, protection: pets.DP = pets.DP(epsilon=1)) -> Callable[[pets.Session], Any]:  # noqa: B008
    return lambda session: session.release(asked, protection)


def several(session: pets.Session) -> Any:
    """Two at once, one of them again at no cost; a quote, an answer on invented rows, a refusal."""
    asked = [QUERIES["rows"], QUERIES["people"]]
    shown = [session.release(asked, pets.DP(within=40)), session.release(asked[0], pets.DP(within=40))]
    shown += [session.quote(asked[1], pets.DP(epsilon=1)), session.dummy(100, 3).release(asked[0], pets.Exact())]
    with pytest.raises(pets.UserError) as refused:
        session.release(asked[0], pets.DP(epsilon=50_000))
    return [*shown, str(refused.value), repr(session)]


FEDERATED = ("rows, capped", "means")
NETWORK = pets.classifier("g", ["x", "y"], data="t", hidden=(2,), steps=2, clip=0.5)
ASKS = {name: released(asked) for name, asked in QUERIES.items()} | {"several": several}
BUDGETS = {"zcdp": pets.Budget(epsilon=10_000, delta=1e-6), "pure": pets.Budget(epsilon=10_000)}


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize("currency", ["zcdp", "pure"])
def test_504_cases_hold(currency: str, engine: str) -> None:
    """21 requests, 6 pairs, 2 engines, 2 currencies; and every request loses all that is charged in some pair."""
    seed = [("zcdp", "duckdb"), ("zcdp", "polars"), ("pure", "duckdb"), ("pure", "polars")].index((currency, engine))
    found = replay(SCHEMA, None, ASKS, count=6, engines=(engine,), budget=BUDGETS[currency], seed=seed)
    assert found.holds, found
    assert found.cases == 126 and found.draws > 126
    assert 0.999 < found.worst <= 1


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(10, 30))
def test_more_cases_hold(seed: int) -> None:
    for budget in BUDGETS.values():
        found = replay(SCHEMA, None, ASKS, count=15, engines=("duckdb", "polars"), budget=budget, seed=seed)
        assert found.holds, found


def test_a_synthetic_table_holds() -> None:
    """Its rows are drawn from noisy marginals alone: bit by bit the same ones."""
    pytest.importorskip("mbi", reason="the extra that models marginals")

    def made(selection: str) -> Callable[[pets.Session], Any]:
        settings: dict[str, Any] = {"columns": ["g", "h", "y"], "bins": {"y": 4}, "selection": selection, "seed": 1}
        return lambda session: session.synthesise(50, epsilon=20, table="t", progress=False, **settings)

    def people(session: pets.Session) -> Any:
        somebody = pets.people(n=pets.events("t").count(max=4), any=pets.events("u").exists()).where(col("n") > 0)
        return session.synthesise(50, epsilon=20, table=somebody, seed=1, progress=False)

    def tables(session: pets.Session) -> Any:
        wanted: dict[str, Any] = {"columns": {"t": ["g"], "p": ["sex"]}, "order": "day", "bound": 2}
        return session.synthesise(50, epsilon=20, tables=["p", "t"], seed=1, progress=False, **wanted)

    asks = {name: made(name) for name in ("tree", "aim")} | {"people": people, "tables": tables}
    found = replay(SCHEMA, None, asks, count=2, seed=3)
    assert found.holds, found
    assert found.draws >= 18 and 0.1 < found.worst <= 1


def test_an_answer_of_several_sites_holds() -> None:
    """Each adds the whole noise by itself; two sites are the same in both worlds."""

    def others() -> list[Site]:
        made = [
            pets.Session(SCHEMA, dummy(SCHEMA, rows=30, seed=i), budget=BUDGETS["zcdp"], progress=False) for i in (1, 2)
        ]
        return [Site(one, policy=SitePolicy.open(SCHEMA), name=f"site {i}") for i, one in enumerate(made, start=1)]

    def ask(session: pets.Session) -> Any:
        sites = [Site(session, policy=SitePolicy.open(SCHEMA), name="site 0"), *others()]
        many = pets.Federation(sites, sites_per_person=1, progress=False)
        answers = [many.release(QUERIES[name], pets.DP(epsilon=1), secure="local") for name in FEDERATED]
        made = many.train(NETWORK, pets.DP(epsilon=1), secure="local")
        answers += made.releases
        told = [(one.values.tolist(), one.guarantee, one.notes, one.table, one.cost) for one in answers]
        return [*told, made.card, made.predict_proba({"x": [0, 400], "y": [1, 2]}).tolist()]

    found = replay(SCHEMA, None, ask, count=3, seed=2)
    assert found.holds, found
    assert found.draws >= 18 and 0.1 < found.worst <= 1


# ── planted ───────────────────────────────────────────────────────────────────────────────────────────────────────────

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def statements_of_its_own(monkeypatch: Patch) -> None:
    """What an earlier test compiled without the bug serves nobody."""
    monkeypatch.setattr("pets.rows.counted_rows._compiled", OrderedDict())


ASKED = BY.agg(n=count(), s=pets.sum("x", clip=(0, 20)))
_tabulate, _measure = job.tabulate, job.measure


def sensitivity(patch: Patch) -> None:
    patch.setattr("pets.dp.calibrate.gaussian_rho", lambda square, scale: gaussian_rho(max(1, square // 4), scale))


def clip(patch: Patch) -> None:
    patch.setattr(Rows, "_clips", lambda self, column, weight: weight.low > 0)


def person(patch: Patch) -> None:
    patch.setattr(Rows, "counted", Rows.kept)


def shape(patch: Patch) -> None:
    def measure(plan: Any, values: Any, noise: Any) -> Any:
        noisy, some = values.copy(), values % 2 == 0
        noisy[some] = mechanism.add_gaussian(values[some], max(noise.scales))
        return noisy

    patch.setattr(job, "measure", measure)


def order(patch: Patch) -> None:
    def measure(plan: Any, values: Any, noise: Any) -> Any:
        noisy = values.copy()
        for i in (0, 1) if values.sum() % 2 else (1, 0):
            noisy[plan.blocks[i]] = mechanism.add_gaussian(values[plan.blocks[i]], noise.scales[i])
        return noisy

    patch.setattr(job, "measure", measure)


def law(patch: Patch) -> None:
    """Noise that grows with the answer."""

    def measure(plan: Any, values: Any, noise: Any) -> Any:
        return _measure(plan, values, replace(noise, scales=tuple(s + abs(int(values.sum())) for s in noise.scales)))

    patch.setattr(job, "measure", measure)


def log_line(patch: Patch) -> None:
    def tabulate(*given: Any) -> Any:
        vector = _tabulate(*given)
        logging.getLogger("pets").warning("%s rows and values", vector.reveal().sum())
        return vector

    patch.setattr(job, "tabulate", tabulate)


def failure(patch: Patch) -> None:
    def tabulate(*given: Any) -> Any:
        vector = _tabulate(*given)
        assert int(vector.reveal()[2]) % 2 == 0
        return vector

    patch.setattr(job, "tabulate", tabulate)


def cost(patch: Patch) -> None:
    ready = Custody.job

    def dearer(self: Custody, *given: Any, **more: Any) -> Any:
        made = ready(self, *given, **more)
        noise = made.noise
        rows = self.report("t").rows_kept
        return replace(made, noise=replace(noise, cost=Cost(noise.cost.currency, noise.cost.loss + rows)))

    patch.setattr(Custody, "job", dearer)


def twice(patch: Patch) -> None:
    def measure(*given: Any) -> Any:
        return (_measure(*given) + _measure(*given)) // 2

    patch.setattr(job, "measure", measure)


def until_it_looks_good(patch: Patch) -> None:
    def measure(plan: Any, values: Any, noise: Any) -> Any:
        for _ in range(8):
            noisy = _measure(plan, values, noise)
            if (np.abs(noisy - values) < noise.scales[0]).all():
                break
        return noisy

    patch.setattr(job, "measure", measure)


def kept_value(patch: Patch) -> None:
    kept: dict[str, Any] = {}
    patch.setattr(job, "tabulate", lambda plan, *given: kept.setdefault(plan.digest, _tabulate(plan, *given)))


def kept_scale(patch: Patch) -> None:
    """A scale from the first rows that a session saw, kept for the questions after."""
    kept: dict[Any, int] = {}

    def measure(plan: Any, values: Any, noise: Any) -> Any:
        largest = kept.setdefault(noise.cost, int(values.max()))
        return _measure(plan, values, replace(noise, scales=tuple(scale + largest for scale in noise.scales)))

    def fresh(self: Custody, *given: Any, **more: Any) -> None:
        kept.clear()
        made(self, *given, **more)

    made = Custody.__init__
    patch.setattr(Custody, "__init__", fresh)
    patch.setattr(job, "measure", measure)


def numpys_noise(patch: Patch) -> None:
    def measure(plan: Any, values: Any, noise: Any) -> Any:
        return values + np.rint(np.random.default_rng(5).normal(0, noise.scales[0], values.size)).astype(np.int64)

    patch.setattr(job, "measure", measure)


def scale(patch: Patch) -> None:
    add = mechanism.add_gaussian
    patch.setattr(mechanism, "add_gaussian", lambda values, scale: add(values, scale / 1.1))


PLANTED: dict[str, tuple[Callable[[Patch], None], str]] = {
    "a sensitivity of half": (sensitivity, "times what was charged"),
    "an upper clip that is not enforced": (clip, "times what was charged"),
    "a person whose rows all count": (person, "times what was charged"),
    "noise on cells that rows choose": (shape, "has another shape"),
    "an order of blocks that depends on rows": (order, "has another law"),
    "noise that grows with the answer": (law, "has another law"),
    "a log line with an exact number": (log_line, "what is shown differs"),
    "a failure that depends on rows": (failure, "without"),
    "a cost that depends on rows": (cost, "units with that person"),
    "noise that is drawn twice": (twice, "times what was charged"),
    "noise that is drawn until it looks good": (until_it_looks_good, "times what was charged"),
    "an exact value that outlives its rows": (kept_value, "nobody moved an exact value"),
    "a scale that follows from the first rows": (kept_scale, "has another law"),
    "noise that is not OpenDP's": (numpys_noise, "what is shown differs"),
    "a scale that is a tenth too small": (scale, "times what was charged"),
}


def asked_of(patch: Patch | None, plant: Callable[[Patch], None] | None = None) -> ReplayReport:
    if patch is not None and plant is not None:
        plant(patch)
    return replay(SCHEMA, None, released(ASKED), count=6, seed=4)


def test_the_planted_ones_are_told_from_the_real_one() -> None:
    assert asked_of(None).holds


@pytest.mark.parametrize(("plant", "words"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_bug_is_told_in_plain_words(monkeypatch: Patch, plant: Callable[[Patch], None], words: str) -> None:
    found = asked_of(monkeypatch, plant)
    assert not found.holds
    assert any(words in problem for problem in found.problems), found


def test_noise_in_the_wrong_currency_is_told(monkeypatch: Patch) -> None:
    """A Gaussian has no pure ε."""
    monkeypatch.setattr(mechanism, "add_laplace", mechanism.add_gaussian)
    found = replay(SCHEMA, None, released(ASKED), count=2, budget=BUDGETS["pure"])
    assert any("no price in this ledger's currency" in problem for problem in found.problems), found


def test_the_cap_on_groups_needs_a_crowd_within_it(monkeypatch: Patch) -> None:
    """Where everybody is over the cap, nobody's group is left to be taken away with another's."""

    def capped(self: Any, table: Any, most: int | None = None) -> Any:
        plan, names = self._plan, self._dimension_names
        if plan.group_cap is None:
            return table
        keyed = table.mutate(**{f"d{i}": self._slot(table, d) for i, d in enumerate(plan.layout.dimensions)})
        groups = keyed.group_by(["person", *names]).agg(first=keyed["rank"].min())
        last = groups.group_by("person").agg(cut=groups["first"].min())
        over = groups.join(last, "person")
        return keyed.anti_join(over.filter(over["first"] > over["cut"]).select("person", *names), [*names])

    monkeypatch.setattr(Rows, "_capped", capped)
    found = replay(SCHEMA, None, released(QUERIES["rows, capped"]), count=6)
    assert any("times what was charged" in p and "within every bound" in p for p in found.problems), found
    assert not any("over every bound" in p for p in found.problems), found
