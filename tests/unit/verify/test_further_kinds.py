"""Random releases of each further kind hold, and random signed lies about them are refused but those on the list.

People, released keys, models, synthetic tables and several sites; answers to ordinary questions are test_check's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.federated import glm, kaplan_meier
from pets.verify.check import CannotCheck, Refused, check
from tests.unit.federated.analyst.test_models import ROWS as TRIAL
from tests.unit.federated.analyst.test_models import SCHEMA as TRIALS
from tests.unit.ledger.log.test_verifier import edited, leaves
from tests.unit.rows.test_people import SCHEMA as LINKED
from tests.unit.session.synthesis.test_synthesise import opened
from tests.unit.session.test_people import frames
from tests.unit.verify import test_sharing
from tests.unit.verify.test_check import moved
from tests.unit.verify.test_check_keys import ROWS as CODED
from tests.unit.verify.test_check_keys import SCHEMA as CODES
from tests.unit.verify.test_made import World

Lie = tuple[Any, Any]
Signer = Callable[[Any, Any], bytes]
Found = tuple[Any, Any, Signer, bytes]
"""A form, its certificate's predicate (nothing of several sites), who signs anything, and the public key."""

RICH = pets.Budget(5_000, 1e-5, 1e-6)
FREE = {"values", "notes", "rows", "people", "id", "snapshot", "issued_at", "budget", "request_id", "other_releases"}
"""Parts that may say anything, or that only the log knows better: numbers, names, times; each kind's test names its."""
CERTIFIED = {"assumptions", "engine_versions", "service", "log", "budget", "request_id", "other_releases", "issued_at"}


def asked(fate: random.Random) -> pets.DP:
    """Some protection."""
    number = fate.choice([0.5, 1, 2, 0.33])
    ways = [{"epsilon": number}, {"rho": number}, {"epsilon": number, "delta": 1e-7}]
    return pets.DP(**fate.choice(ways))  # type: ignore[arg-type]


def of_people(fate: random.Random, session: pets.Session) -> pets.Release:
    stays, drugs = pets.events("stays"), pets.events("drugs")
    first = stays.first("day", by="day")
    after = (
        drugs.where(col("day") >= first) if fate.random() < 0.5 else drugs.where(col("day").within(first, days=(0, 9)))
    )
    made = {
        "first": first,
        "n": after.count(max=fate.randint(2, 9)),
        "gap": (stays.max("day") - first).days(0, fate.randint(5, 90)),
        "cost": stays.bound(rows=fate.randint(1, 9)).sum("cost", clip=(0, fate.randint(2, 20))),
        "any": drugs.exists(),
        "load": stays.count(max=fate.randint(1, 9)) * fate.choice([2, -3])
        + drugs.count(max=4) // fate.choice([2, 0.5]),
        "level": pets.case((col("first") < "2020-01-05", "early"), (col("sex") == "F", "woman"), default=None),
    }
    kept = {"first": first} | {name: made[name] for name in fate.sample(sorted(made), 4)}
    query = pets.people(of=fate.choice(["p", "stays", None]), **kept).where(~col("first").is_null())
    if whole := [name for name in ("n", "cost", "load") if name in kept]:
        ways = [col(whole[0]) * 2 - 1, pets.max_of(*map(col, whole), 1), col(whole[0]) // 2]
        query = query.with_columns(more=fate.choice(ways), age=col("first").age_at("2024-02-29"))
    keys = ["sex", *(["level"] if "level" in kept else [])]
    query = query.group_by(*keys) if fate.random() < 0.5 else query
    measures: dict[str, Any] = {"k": pets.count()}
    measures |= {name: pets.sum(name) for name in ("n", "gap", "cost", "load") if name in kept}
    measures |= {"more": pets.mean("more"), "age": pets.sum("age")} if whole else {}
    return session.release(query.agg(**measures), asked(fate), again=True)


def of_keys(fate: random.Random, session: pets.Session) -> Any:
    by = fate.sample(["code", "sex", "day", "n", "ok"], fate.randint(1, 3))
    where = fate.choice([None, col("n") > 0, ~(col("code") == "K35")])
    wish: dict[str, Any] = {"where": where, "groups": fate.randint(1, 3), "delta": fate.choice([None, 1e-10])}
    return session.group_keys("apc", by=by, protection=asked(fate), again=True, **wish)


def of_models(fate: random.Random, session: pets.Session) -> Any:
    where = col("days") > fate.randint(0, 5)
    if fate.random() < 0.4:
        protection = fate.choice([pets.Total(), asked(fate)])
        return kaplan_meier(session, "trial", "days", "died", protection, where=where, again=True)
    family = fate.choice(["binomial", "gaussian", "poisson"])
    outcome = {"binomial": "died", "gaussian": "score", "poisson": "visits"}[family]
    covariates = fate.choice([["arm"], ["arm", "age"], ["age"], []])
    return glm(session, "trial", outcome, covariates, family, pets.Total(), where=where)  # type: ignore[arg-type]


def of_tables(fate: random.Random, session: pets.Session) -> Any:
    columns = fate.choice([["sex", "ward"], ["sex"], ["ward"]])
    return session.synthesise(
        epsilon=fate.choice([1, 2]), columns=columns, rows=10, progress=False, seed=fate.randint(1, 99)
    )


def found(kind: str, fate: random.Random, count: int) -> Iterator[Found]:
    """So many of a kind, with the ledger that can sign them again."""
    settings: Any = {"budget": RICH, "progress": False}
    if kind == "sites":
        for number in range(count):
            sites = test_sharing.World(*test_sharing.WAYS[number % len(test_sharing.WAYS)])
            yield sites.form, None, lambda form, _, sites=sites: sites.signed(form), sites.key  # type: ignore[misc]
        return
    if kind == "models":
        settings["policy"] = pets.Policy(allow_unbounded=True)
    begin: Callable[[], pets.Session] = {
        "people": lambda: pets.Session(LINKED, frames(), **settings),
        "keys": lambda: pets.Session(CODES, {"apc": CODED}, **settings),
        "models": lambda: pets.Session(TRIALS, {"trial": TRIAL}, **settings),
        "tables": lambda: opened(RICH),
    }[kind]
    make = {"people": of_people, "keys": of_keys, "models": of_models, "tables": of_tables}[kind]
    for number in range(count):
        if number % 50 == 0:  # a fresh ledger: its δ for thresholds is spent by a hundred
            world = World(session := begin())
        made: Any = make(fate, session)
        form = made.derived if kind in ("models", "tables") else made.form
        yield form, made.certificate.predicate, lambda *lie, world=world: canonical(world.signed(*lie)), world.key


def free(kind: str, path: tuple[Any, ...]) -> bool:
    """Whether a part of a form may say anything."""
    if kind in ("models", "tables"):
        return path[0] in ("tables", "manifest")  # test_made has the list of a manifest's parts
    of_roster = path[-1] in ("policy", "schema", "box", "delta") and "members" in path
    return path[0] in FREE or path[:2] in (("sharing", "certificates"), ("sharing", "coordinator")) or of_roster


def lies(kind: str, form: Any, said: Any) -> list[tuple[str, Lie]]:
    """One part of either side, or of both alike."""
    out = [(f"form {path}", (edited(form, path, moved), said)) for path in leaves(form) if not free(kind, path)]
    if said is not None:
        paths = [path for path in leaves(said) if path[0] not in CERTIFIED]
        out += [(f"said {path}", (form, edited(said, path, moved))) for path in paths if said["form"]]
        # (another protection on both sides shows against the log: its entry of the request has it)
        both = [path for path in paths if path[0] in ("query", "keys", "cost") and path[0] in form]
        out += [(f"both {path}", (edited(form, path, moved), edited(said, path, moved))) for path in both]
    return out


def tried(kind: str, count: int, most: int, seed: int) -> tuple[int, int, list[str]]:
    """How many held, how many lies were told, and which of them were believed."""
    fate, held, told, believed = random.Random(f"{kind} {seed}"), 0, 0, []
    for form, said, sign, key in found(kind, fate, count):
        words = check(sign(form, said), key)
        assert words.startswith(form.get("guarantee", said and said["guarantee"]))
        held += 1
        all_of_them = lies(kind, form, said)
        for name, lie in fate.sample(all_of_them, min(len(all_of_them), -(-most // count))):
            told += 1
            try:
                check(sign(*lie), key)
            except (Refused, CannotCheck):
                continue
            believed.append(f"{kind} {name}")
    return held, told, believed


KINDS = {"people": (3, 40), "keys": (5, 40), "models": (5, 40)}
"""Releases and lies in every run, of kinds that are quick; a hundred times as many in ``make soak``, and of all."""


@pytest.mark.chance(0)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_random_ones_hold_and_lies_do_not(kind: str) -> None:
    count, most = KINDS[kind]
    held, told, believed = tried(kind, count, most, 1)
    assert believed == [] and held == count and told >= most * 0.9


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.chance(0)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("kind", "count"), [("people", 400), ("keys", 500), ("models", 500), ("tables", 20), ("sites", 40)]
)
def test_many_hold_and_lies_do_not(kind: str, count: int) -> None:
    held, told, believed = tried(kind, count, 4 * count if count > 100 else 400, 2)
    print(kind, held, told)
    assert believed == [] and held == count and told >= 400
