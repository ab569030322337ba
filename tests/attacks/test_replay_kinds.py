"""The same noise on a neighbour, for each kind of thing that can be asked; and a planted bug for the newer ones.

Where the product gets a measure, an aggregate, a key, a condition, a feature, a bound or a verb that no replay asks,
:func:`lacking` names it, and the run fails.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, get_args

import numpy as np
import pytest

import pets
from pets.dp.privacy_loss import Mechanism
from pets.plan.computed import derived_codes
from pets.plan.computed.derive import Quotient
from pets.plan.measure import MeasureKind
from pets.plan.plan import make_plan
from pets.plan.trained.fixed_point import Layers
from pets.query_model.expression import Filter
from pets.query_model.features import Feature, How
from pets.query_model.group_keys import Key
from pets.query_model.nodes.derived import Derived
from pets.query_model.query import BOUNDS
from pets.query_model.traits import TRAITS
from pets.release import standardise
from pets.rows import counted_rows, tabulate
from pets.rows.counted_rows import Rows
from pets.rows.people.sql import PeopleSql
from pets.rows.training import gradients as train_rows
from pets.session import job
from pets.session.training import train_release
from pets.session.verbs import bounding_verbs
from pets.synthetic.dp_model.private import SELECTIONS
from pets.testing import replay
from tests.attacks import replay_cases, test_replay, test_replay_keys
from tests.attacks.prepared import worlds_once  # noqa: F401
from tests.attacks.replay_cases import ASKS, QUERIES, SCHEMA, parts

# whatever is drawn, both worlds get the same
pytestmark = [pytest.mark.chance(0), pytest.mark.usefixtures("worlds_once")]

BUDGETS = {"zcdp": pets.Budget(epsilon=100_000, delta=1e-6), "pure": pets.Budget(epsilon=100_000)}


@pytest.mark.parametrize(("engine", "currency", "count"), [("duckdb", "zcdp", 2), ("polars", "pure", 1)])
def test_60_cases_hold(engine: str, currency: str, count: int) -> None:
    """32 requests; and crowds within every bound, or over all of them too."""
    found = replay(SCHEMA, None, ASKS, count=count, engines=(engine,), budget=BUDGETS[currency], seed=5)
    assert found.holds, found
    assert found.cases == 32 * count and not found.refused and 0.999 < found.worst <= 1


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(10, 20))
def test_more_cases_hold(seed: int) -> None:
    for budget in BUDGETS.values():
        found = replay(SCHEMA, None, ASKS, count=10, engines=("duckdb", "polars"), budget=budget, seed=seed)
        assert found.holds, found


# ── is there one of each? ─────────────────────────────────────────────────────────────────────────────────────────────

HELD = {
    **dict.fromkeys(("release", "quote", "dummy", "synthesise", "history"), "test_replay.py"),
    **dict.fromkeys(("sql", "rows_lost", "best_rows", "group_keys", "quote_keys"), "replay_cases.py"),
    **dict.fromkeys(("fit", "quote_fit", "train", "quote_train"), "replay_cases.py"),
    "top_keys": "test_replay_keys.py",
}
"""Verbs of a session that answer an analyst, and the file of the replay that asks them."""
NO_ANSWER = {
    "of": "opens a session",
    "contribute": "a share of noise has no loss of its own; what sites add whole is replayed in test_replay.py",
    "explain": "reads the schema alone, and never rows",
    "quote_top_keys": "reads the schema alone, and what it names is charged in test_replay_keys.py",
    "quote_synthesis": "reads the schema alone, and what it names is charged in test_replay.py",
    "remaining": "compared after every pair, as the account",
    "report": "the custodian's, exact by design",
    "incident": "the custodian's, exact by design",
    "name_grid": "the custodian's; it has no ε, and noise beside it is replayed in test_replay_rounded.py",
    "compare_grid": "the custodian's: what they look at before a grid is named",
    "refresh": "reads the data anew and shows nothing",
    "append": "the custodian's: adds rows and shows nothing; generative/test_growing.py has one person's part in it",
    "close": "ends a session and shows nothing",
}


def nodes(root: type) -> set[str]:
    """The names of all kinds that a question may hold, below one."""
    below: set[str] = set().union(*map(nodes, root.__subclasses__()))
    return below or ({root.__name__} if dataclasses.is_dataclass(root) else set())


def lacking(queries: Iterable[pets.Query]) -> set[str]:
    """What no query has of all that a query may have."""
    asked = list(queries)
    here = [node for query in asked for node in parts(query)]
    kinds = {type(node).__name__ for node in here} | {node for node in here if isinstance(node, str)}
    wanted = {name for root in (Key, Filter, Derived, Feature) for name in nodes(root)} | set(get_args(How))
    measures = {measure.kind for query in asked for measure in _plan(query).measures}
    aggregates = {aggregate.kind for query in asked for _, aggregate in query.aggregates}
    bounds = {name for name in BOUNDS if any(getattr(query, name) is not None for query in asked)}
    return (
        (wanted - kinds)
        | (set(get_args(MeasureKind)) - measures)
        | (set(TRAITS) - aggregates)
        | (set(BOUNDS) - bounds)
        | ({"a key set"} if all(query.keyset is None for query in asked) else set())
    )


def _plan(query: pets.Query) -> Any:
    return make_plan(query, SCHEMA)


def test_each_part_of_a_question_is_replayed() -> None:
    assert lacking(QUERIES.values()) == set()


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [
        ("tails", {"tails"}),
        ("a correlation", {"correlation"}),
        ("a covariance", {"covariance"}),
        ("a deviation", {"std"}),
        ("more features", {"Days", "AgeAt", "Filled", "Within", "last", "min", "max", "mean", "days_with", "first"}),
        ("texts", {"a key set"}),
    ],
)
def test_what_no_replay_asks_is_named(left_out: str, missing: set[str]) -> None:
    assert lacking(query for name, query in QUERIES.items() if name != left_out) >= missing - {"first"}


def test_each_verb_of_a_session_is_replayed_or_shows_nothing() -> None:
    verbs = {name for name, _ in inspect.getmembers(pets.Session, inspect.isfunction) if not name.startswith("_")}
    verbs |= {name for name, _ in inspect.getmembers(pets.Session, inspect.ismethod) if not name.startswith("_")}
    assert verbs == HELD.keys() | NO_ANSWER.keys(), "each new verb has a replay, or a reason why it needs none"
    files = {one.__name__.rpartition(".")[2] + ".py": one for one in (test_replay, test_replay_keys, replay_cases)}
    for verb, file in HELD.items():
        assert f".{verb}(" in inspect.getsource(files[file]) or verb == "history", f"{file} asks no {verb}"


def test_each_law_of_noise_and_each_way_to_synthesise_is_replayed() -> None:
    assert set(get_args(Mechanism)) == {"gaussian", "laplace"}  # one a currency
    assert set(SELECTIONS) == {"tree", "aim"}  # test_replay.py::test_a_synthetic_table_holds


# ── planted ───────────────────────────────────────────────────────────────────────────────────────────────────────────

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def statements_of_its_own(monkeypatch: Patch) -> None:
    """What an earlier test compiled without the bug serves nobody."""
    monkeypatch.setattr("pets.rows.counted_rows._compiled", OrderedDict())


_tabulate, _products, _capped, _value = tabulate.tabulate, Rows.products, Rows._capped, PeopleSql._value


def midpoints(patch: Patch) -> None:
    """Products of values, not of their distances from the middle."""

    def products(self: Rows, table: Any, pair: Any, where: Any) -> Any:
        moved = [(column, dataclasses.replace(weight, offset=0)) for column, weight in pair]
        return _products(self, table, moved, where)

    patch.setattr(Rows, "products", products)


def ranks(patch: Patch) -> None:
    """All rows of a person in one cell: they are told apart by their ranks no more."""
    numbered = Rows.numbered

    def first(self: Rows, width: int, where: Any) -> Any:
        cells = numbered(self, width, where).reshape(-1, width)
        cells[:, 0], cells[:, 1:] = cells.sum(axis=1), 0
        return cells.reshape(-1)

    patch.setattr(Rows, "numbered", first)


def rows_of_a_group(patch: Patch) -> None:
    patch.setattr(Rows, "_capped", lambda self, table, most=None: _capped(self, table, None))


def computed(patch: Patch) -> None:
    """The whole quotient of a value that was not divided."""
    code = derived_codes.derived_code

    def derived_code(made: Any, *given: Any) -> Any:
        return code(made, *given) * (10 if isinstance(made.recipe, Quotient) else 1)

    patch.setattr(counted_rows, "derived_code", derived_code)


def feature(patch: Patch) -> None:
    """The total of a person's rows is not clamped, nor their number."""

    def value(self: PeopleSql, step: Any, columns: Any) -> str:
        return _value(self, dataclasses.replace(step, high=10**6) if step.how in ("sum", "count") else step, columns)

    patch.setattr(PeopleSql, "_value", value)


def exact_values(patch: Patch) -> list[int]:
    """What the last request read, as it was."""
    seen: list[int] = []

    def noted(*given: Any) -> Any:
        vector = _tabulate(*given)
        seen[:] = vector.reveal().tolist()
        return vector

    patch.setattr(job, "tabulate", noted)
    return seen


def best(patch: Patch) -> None:
    """The bound that errs least is found from exact counts."""
    seen = exact_values(patch)
    patch.setattr(bounding_verbs, "best_rows", lambda *given: 1 + sum(seen) % 3)


def standard(patch: Patch) -> None:
    seen = exact_values(patch)
    interval = standardise.interval

    def exact(*given: Any) -> Any:
        return tuple(part + sum(seen) for part in interval(*given))

    patch.setattr(standardise, "interval", exact)


def clipped(patch: Patch) -> None:
    """A person's gradient is rounded, and not shortened."""

    def rounded(found: Any, bound: int) -> Any:
        return np.rint(found / 2**16).astype(np.int64)

    patch.setattr(train_rows, "bounded", rounded)


def shortened_each_row(patch: Patch) -> None:
    """Each row is shortened, and then a person's rows are added."""
    step = train_rows.Gradients.step

    def by_rows(self: Any, weights: Any) -> Any:
        self._starts = np.arange(len(self._inputs))
        self._ends = self._starts + 1
        return step(self, weights)

    patch.setattr(train_rows.Gradients, "step", by_rows)


def of_the_batch(patch: Patch) -> None:
    """Inputs are centred by what the batch holds, as batch norm does."""
    forward = Layers._forward

    def centred(self: Layers, inputs: Any) -> Any:
        return forward(self, inputs - np.rint(inputs.mean(axis=0)) if len(inputs) > 2 else inputs)

    patch.setattr(Layers, "_forward", centred)


def by_exact_people(patch: Patch) -> None:
    """The number of people has no noise on it."""
    real = train_release.add_gaussian

    def alone(values: Any, scale: float) -> Any:
        return values.copy() if len(values) == 1 else real(values, scale)

    patch.setattr(train_release, "add_gaussian", alone)


def looked_at(patch: Patch) -> None:
    """A step counts where its exact sum is odd."""
    step = train_rows.Gradients.step

    def until(self: Any, weights: Any) -> Any:
        found = step(self, weights)
        return found if int(found.sum()) % 2 else found * 0

    patch.setattr(train_rows.Gradients, "step", until)


PLANTED: dict[str, tuple[Callable[[Patch], None], tuple[str, ...], str]] = {
    "products without midpoints": (midpoints, ("a covariance", "a correlation", "a deviation"), "what was charged"),
    "tails of rows that have no ranks": (ranks, ("tails",), "what was charged"),
    "rows of a group that are not capped": (
        rows_of_a_group,
        ("rows of a group", "rows of a group, by their stored ranks"),
        "what was charged",
    ),
    "computed columns beyond their bounds": (computed, ("computed columns",), "what was charged"),
    "features that are not clamped": (feature, ("features",), "what was charged"),
    "a person's gradient that is not clipped": (clipped, ("train",), "what was charged"),
    "rows that are clipped one by one": (shortened_each_row, ("train",), "what was charged"),
    "a batch that centres its inputs": (of_the_batch, ("train",), "what was charged"),
    "a network over the exact number of people": (by_exact_people, ("train",), "what is shown differs"),
    "steps that depend on what is exact": (looked_at, ("train",), "what was charged"),
    "a bound that is chosen by exact counts": (best, ("rows_lost",), "what is shown differs"),
    "a standardised rate of exact counts": (standard, ("standardise",), "what is shown differs"),
}


@pytest.mark.parametrize(("plant", "names", "words"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_bug_is_told_in_plain_words(
    monkeypatch: Patch, plant: Callable[[Patch], None], names: tuple[str, ...], words: str
) -> None:
    plant(monkeypatch)
    # (what a batch holds is chance: some batches hide a bug of batches, all of eight pairs of worlds hardly)
    count = 8 if names == ("train",) else 1
    found = replay(SCHEMA, None, {name: ASKS[name] for name in names}, count=count, seed=5)
    for name in names:
        assert any(problem.startswith(f"{name}: ") and words in problem for problem in found.problems), found


def test_noise_on_marginals_that_is_too_small_is_told(monkeypatch: Patch) -> None:
    pytest.importorskip("mbi", reason="the extra that models marginals")
    test_replay.scale(monkeypatch)

    def ask(session: pets.Session) -> Any:
        return session.synthesise(20, epsilon=20, table="p", columns=["sex"], seed=1, progress=False)

    found = replay(SCHEMA, None, ask, count=1)
    assert any("times what was charged" in problem for problem in found.problems), found
