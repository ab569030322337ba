"""Replay: the same noise on a neighbour. What then differs depends on one person's rows without noise.

A guarantee says that one person hardly changes how likely each outcome is. So where all that OpenDP draws is kept
in a world with that person, and given again in a world without, everything else must be alike: how often noise is drawn
and of which law, every byte of the answer, each error, each cost. And how far the exact values differ is priced by
OpenDP's own map, which must stay within the charge.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import zip_longest
from types import ModuleType
from typing import Any

from pets.common import entropy
from pets.errors import UserError
from pets.errors import shown as named
from pets.protection.budget import DELTA_UNIT, UNIT, Budget, Cost, Currency
from pets.protection.policy import Policy
from pets.rows.tabulate import ENGINES
from pets.schema.schema import Schema
from pets.session.session import Session
from pets.testing.keys_in_order import keyed
from pets.testing.neighbours import Pair, pairs
from pets.testing.replay_report import ReplayReport
from pets.testing.shown_text import Shown, shown, text_of
from pets.testing.tape import Draw, Player, Recorder, in_currency, tapped

Ask = Callable[[Session], Any]

ACCOUNT = "the account afterwards"


def replay(
    schema: Schema | Any,
    data: Any,
    ask: Ask | Mapping[str, Ask],
    *,
    count: int = 15,
    engines: Sequence[str] = ("duckdb",),
    budget: Budget | None = None,
    policy: Policy | None = None,
    person: Any = None,
    seed: int = 0,
) -> ReplayReport:
    """Ask with a person and without, under the same noise, and compare all that can be seen.

    Guarantee: none, and it protects nobody: it reads exact values. It finds violations, and proves nothing: what no
    pair shows may be there. It cannot see time and memory, the law of OpenDP's noise, or what another process draws;
    shares of noise that several parties add (``secure="masked"``) have no loss of their own to compare. A key that
    nobody listed and that one world alone has is counted against δ; where it shows, what is shown is not compared.

    Args:
        schema: a schema, or a path to one.
        data: a small source for each table (a few hundred rows), or ``None``: everybody is invented then.
        ask: what a session is asked: any function of it that gives what it shows, with as many requests in it as you
            like (release, synthesise, a fit, a service's handler). Several by name are compared one by one, in order,
            in one session: that is quicker, and no loss hides behind another request's charge.
        count: pairs of data sets, for each engine. Crowds are the given rows, people within every bound and people over
            all of them, in turn.
        engines: which compute the sums.
        budget: of the session; left out, one in ρ that never ends.
        policy: of the session.
        person: the id of somebody in ``data``, who leaves in the first pair.
        seed: other people are invented for another one.

    Raises:
        UserError: for an argument that is none of these.

    Example::

        table = pets.Table(pets.Unit("id", max_rows=2), {"id": pets.Identifier(), "days": pets.Integer(1, 14)})
        query = pets.query("stays").agg(days=pets.sum("days"))
        schema = pets.Schema({"stays": table})
        print(pets.testing.replay(schema, None, lambda session: session.release(query, pets.DP(epsilon=1)), count=3))
        # 3 cases, 3 draws of noise; the greatest loss is 1.000000 of its charge. Nothing was found.
    """
    known = schema if isinstance(schema, Schema) else Schema.load(schema)
    asks = dict(ask) if isinstance(ask, Mapping) else {"": ask}
    if not asks or not all(callable(one) for one in asks.values()):
        raise UserError("ask must be a function of a session, such as lambda session: session.release(query, …)")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise UserError(f"count must be a whole number of at least 1, not {named(count)}")
    if isinstance(engines, str) or not engines or any(engine not in ENGINES for engine in engines):
        raise UserError(f"engines must be some of {', '.join(ENGINES)}, not {named(engines)}")
    money = Budget(epsilon=100_000, delta=1e-6) if budget is None else budget
    found = _Found()
    for pair in pairs(known, data, count, person=person, seed=seed):
        for engine in engines:

            def opened(source: Any, engine: str = engine) -> Session:
                return Session(known, source, budget=money, policy=policy, engine=engine, progress=False)

            _compare(pair, engine, asks, opened, found)
    return found.report(asks)


@dataclass
class _Found:
    """All pairs together."""

    cases: int = 0
    draws: int = 0
    worst: Fraction = Fraction(0)
    problems: list[str] = field(default_factory=list)
    drew: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    charged: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    def report(self, asks: Mapping[str, Ask]) -> ReplayReport:
        still = [name for name in asks if name in self.drew - self.moved]
        problems = [
            f"{_title(name)}nobody moved an exact value in any pair: either the one person never meets its conditions "
            "(give data= with people who do, or person=), or a value outlives the rows that it was computed from"
            for name in still
        ]
        silent = [name for name in asks if name in self.charged - self.drew]
        problems += [f"{_title(name)}it was charged and drew no noise, in every pair: it failed" for name in silent]
        refused = tuple(f"{_title(name)}{said}" for name, said in self.refused.items() if name not in self.answered)
        return ReplayReport(self.cases, self.draws, self.worst, (*self.problems, *problems), refused)


@dataclass
class _World:
    """One ask in the first world."""

    draws: list[Draw]
    seen: Shown
    cost: Cost


def _compare(pair: Pair, engine: str, asks: Mapping[str, Ask], opened: Callable[[Any], Session], found: _Found) -> None:
    first: dict[str, _World] = {}
    with _fresh(pair.key):
        session = opened(dict(pair.larger))
        for name, ask in asks.items():
            recorder = Recorder()
            before = session.custody.standing().lifetime
            with tapped(recorder), keyed(recorder), shown(lambda ask=ask: ask(session)) as seen:  # type: ignore[misc]
                first[name] = _World(recorder.draws, seen, _since(before, session))
        account = text_of(_account(session))
    with _fresh(pair.key):
        session = opened(dict(pair.smaller))
        currency = session.budget.currency
        for name, ask in asks.items():
            world, player = first[name], Player(first[name].draws)
            before = session.custody.standing().lifetime
            with tapped(player), keyed(player), shown(lambda ask=ask: ask(session)) as seen:  # type: ignore[misc]
                player.end()
                wrong = [*player.differences, *_differences(world, seen, _since(before, session))]
            wrong = [] if player.apart else wrong
            wrong += _overspent(player, world.cost, currency, found)
            found.cases += 1
            found.draws += len(world.draws)
            if world.draws:
                found.drew.add(name)
            if world.cost.loss:
                found.charged.add(name)
            if world.seen.failed:
                found.refused[name] = world.seen.text.partition("\n")[0]
            else:
                found.answered.add(name)
            if player.delta or any(amount for _, amount in player.losses):
                found.moved.add(name)
            found.problems += [f"{_title(name)}{one} ({engine}; {pair.story})" for one in wrong]
        if account != text_of(_account(session)) and not any(p.startswith(ACCOUNT) for p in found.problems):
            where = _first_difference(account, text_of(_account(session)))
            found.problems.append(f"{ACCOUNT} reads otherwise: {where} ({engine}; {pair.story})")


def _title(name: str) -> str:
    return f"{name}: " if name else ""


def _since(before: Cost, session: Session) -> Cost:
    after = session.custody.standing().lifetime
    return Cost(after.currency, after.loss - before.loss, after.delta - before.delta)


def _account(session: Session) -> Any:
    columns = ["what", "state", "epsilon", "unbounded", "table", "protection", "question"]
    return [str(session.remaining()), session.history()[columns]]


def _differences(world: _World, seen: Shown, cost: Cost) -> Iterator[str]:
    """What is seen otherwise: the end, the cost, the text."""
    if world.seen.failed != seen.failed:
        yield f"it ends in {world.seen.failed or 'an answer'} with that person, in {seen.failed or 'an answer'} without"
    elif world.seen.text != seen.text:
        yield f"what is shown differs: {_first_difference(world.seen.text, seen.text)}"
    if world.cost != cost:
        yield f"it costs {world.cost.loss:,} units with that person, and {cost.loss:,} without"


def _first_difference(one: str, other: str) -> str:
    for a, b in zip_longest(one.splitlines(), other.splitlines(), fillvalue=""):
        if a != b:
            place = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
            start = max(0, place - 30)
            return f"{a[start : place + 30]!r} with that person, {b[start : place + 30]!r} without"
    return "the ends of lines"


def _overspent(player: Player, cost: Cost, currency: Currency, found: _Found) -> Iterator[str]:
    lost = in_currency(player.losses, currency)
    if lost is None:
        yield "noise was drawn that has no price in this ledger's currency"
    elif lost:
        ratio = lost * UNIT / cost.loss if cost.loss else None
        if ratio is None or ratio > 1:
            more = "nothing was charged" if ratio is None else f"{float(ratio):.4g} times what was charged"
            yield f"it loses {float(lost):.4g}, {more}"
        if ratio is not None:
            found.worst = max(found.worst, ratio)
    if cost.delta:
        found.worst = max(found.worst, player.delta * DELTA_UNIT / cost.delta)
    if player.delta * DELTA_UNIT > cost.delta:
        yield f"a key of that person alone may show with a δ of {float(player.delta):.4g}, more than was charged"


@contextmanager
def _fresh(key: int) -> Iterator[None]:
    """A world of its own: no answer that Python keeps from another one, and this key for which rows are kept."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("pets.")]
    _forget(modules)
    real = entropy.rank_key
    users = [module for module in modules if getattr(module, "rank_key", None) is real]
    for module in users:
        module.rank_key = lambda: key  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in users:
            module.rank_key = real  # type: ignore[attr-defined]


def _forget(modules: Sequence[ModuleType]) -> None:
    """Empty what ``functools`` keeps of earlier calls, as in a new process."""
    for module in modules:
        for value in list(vars(module).values()):
            clear = getattr(value, "cache_clear", None)
            if callable(clear) and getattr(value, "__module__", "") == module.__name__:
                clear()
