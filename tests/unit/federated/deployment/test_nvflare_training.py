"""Models over NVFlare's real line: three sites on loopback train one network, step by step, and fit one line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pets
from pets.cli import main
from pets.errors import BudgetError
from pets.federated import connect
from pets.federated.deployment.remote import RemoteFederation
from pets.federated.deployment.site_folder import SiteFolder
from tests.trial import SITES, Trial, documented, serving, until
from tests.unit.session.training.train_cases import ROWS, SCHEMA

pytestmark = [pytest.mark.chance(0), pytest.mark.timeout(1800)]  # processes; noise that is 0 but once in e^100 times

PAGE = Path(__file__).parents[4] / "docs" / "federation_from_nothing.md"
POLICY = "tables: {t: {}}\ntell: [budget, history, certificates]\n"
KEYED = ("--key-holder", "--public-key")  # no part of this needs a key holder
QUIET = pets.DP(rho=40_000)  # of steps that a person moves by 4 at most: the noise is rounded away
NET = pets.classifier("y", ["x", "b", "c"], data="t", steps=5, rate=100, clip=0.001)
LOUD = pets.DP(epsilon=0.5)
FITS = [pets.linear("x ~ b", data="t"), pets.logistic("b ~ x", data=pets.query("t").bound(rows=1))]
SPELLED = {"north": {True: "True", False: "False"}, "east": {True: "1", False: "0"}, "west": {True: "yes", False: "no"}}
"""How each site's file writes a boolean."""


def _commands() -> list[list[str]]:
    made = [one for one in documented(PAGE) if one[1] in ("init", "join") and one[0] != "keyholder"]
    for command in made:
        for flag in set(KEYED) & {*command}:
            at = command.index(flag)
            del command[at : at + 2]
        if "--budget-epsilon" in command:
            command[command.index("--budget-epsilon") + 1] = "300000"
    return made


@pytest.fixture
def trial(tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> Iterator[Trial]:
    """The documentation's federation, whose sites write their columns in other orders and booleans in other words."""
    made = Trial(tmp_path_factory.mktemp("n"))
    for place, name in enumerate(SITES):
        rows = ROWS[ROWS.id % 3 == place].copy()
        rows["b"] = rows["b"].map(SPELLED[name])
        rows[list(rows.columns)[:: (-1) ** place]].to_csv(made.root / f"{name}.csv", index=False)
    (made.root / "schema.yaml").write_text(json.dumps(SCHEMA.to_json()), "utf-8")
    (made.root / "policy.yaml").write_text(POLICY, "utf-8")
    made.make(_commands())
    with serving(made, *SITES):
        _in_touch(made)
        capsys.readouterr()
        yield made
    assert made.stop() == []


def _in_touch(trial: Trial) -> None:
    with connect(trial.trial) as many:
        until(lambda: many.connected() == SITES)


def _spent(trial: Trial) -> list[int]:
    return [SiteFolder(trial.folder(name)).site.session.remaining().spent.loss for name in SITES]


class _Cut:
    """A line that is cut off at one of its messages: as when whoever asks stops, or a site dies."""

    def __init__(self, many: RemoteFederation, at: int, cut: Callable[[], None]) -> None:
        self.inner, self.at, self.cut, self.sent = many.line, at, cut, 0
        many._line = self  # type: ignore[assignment]

    def exchange(self, messages: Mapping[int, bytes], *given: Any) -> Mapping[int, bytes]:
        self.sent += 1
        if self.sent == self.at:
            self.cut()
        return self.inner.exchange(messages, *given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def _stopped() -> None:
    raise KeyboardInterrupt


ROUNDS = 6
"""Messages of a masked question: five rounds, and one that asks for certificates. Before the first, budgets are."""


def test_models_of_several_questions_go_over_the_real_line(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    root = trial.root
    pooled = pets.Session(SCHEMA, {"t": ROWS}, budget=pets.Budget(epsilon=300_000, delta=1e-6), progress=False)
    alone = pooled.train(NET, QUIET)
    assert any(any(one) for one in alone.form["sums"])

    # broken off in its third question, once before the data is opened and once before the answer is kept
    with connect(trial.trial, progress=False) as many:
        price = many.quote_train(NET, QUIET).noise
        first, each = price.losses
        for at, paid in ((1 + 2 * ROUNDS + 2, first + each), (1 + ROUNDS, first + 2 * each)):
            cut = _Cut(many, at, _stopped)
            with pytest.raises(KeyboardInterrupt):
                many.train(NET, QUIET)
            many._line = cut.inner
            assert _spent(trial) == [paid] * 3
            assert "Stopped: 2 answers are kept" in capsys.readouterr().err

    # elsewhere the same network goes on: one question was answered for nothing, and all others are paid for once
    with connect(trial.trial, progress=False) as many:
        made = many.train(NET, QUIET)
        assert _spent(trial) == [price.cost.loss + each] * 3 and made.cost["loss"] == price.cost.loss
        assert list(made._flat) == list(alone._flat) and made.people == alone.people
        assert [one.values.tolist() for one in made.releases[1:]] == alone.form["sums"]
        assert all({*many.certificates(one)} == {*SITES} for one in made.releases)
    with connect(trial.trial, progress=False) as many:
        assert many.train(NET, QUIET) == made
        with pytest.raises(BudgetError, match=r"6 questions of this training .* site 'north' has room for"):
            many.train(NET, pets.DP(rho=299_000))
    assert _spent(trial) == [price.cost.loss + each] * 3
    saved = made.save(root / "network.json")
    (root / "coordinator.pub").write_text(many.roster.coordinator, "ascii")
    assert main.run(["verify", str(saved), "--key", str(root / "coordinator.pub")]) == 0
    assert "5 steps of 5 numbers, each checked alone" in capsys.readouterr().out

    # fits of several questions are the pooled ones, and are paid for once
    for model in FITS:
        before = _spent(trial)
        with connect(trial.trial, progress=False) as many:
            quote, fit = many.quote_fit(model, QUIET).price.cost.loss, many.fit(model, QUIET)
            assert many.fit(model, QUIET).table.equals(fit.table)
        cost = sum(one.cost["loss"] for one in fit.answers)
        assert [after - spent for after, spent in zip(_spent(trial), before, strict=True)] == [cost] * 3
        assert 0 <= quote - cost <= 1e-4 * quote
        told, wanted = fit.table, pooled.fit(model, QUIET).table
        away = np.abs(told["coefficient"] - wanted["coefficient"])
        # (of one row a person, each place chooses by a chance of its own)
        assert (away < (1e-2 if model is FITS[0] else 5) * told["error"]).all()
        assert np.allclose(told["error"], wanted["error"], rtol=1e-2 if model is FITS[0] else 0.2)

    # a site dies on the way: it is named, and the others' people go on
    short = dataclasses.replace(NET, steps=2, seed=1, clip=1.0)
    with connect(trial.trial, patience=6, progress=False) as many:
        _Cut(many, 1 + ROUNDS + 2, lambda: trial.kill("west"))
        late = many.train(short, LOUD)
    assert "Site 'west' is missing in 2 of 3 answers, in which its people did not pull." in late.notes
    assert [{*one.sharing["answered"]} for one in late.releases if one.sharing] == [{*SITES}, *[{"north", "east"}] * 2]
    assert main.run(["verify", str(late.save(saved)), "--key", str(root / "coordinator.pub")]) == 0
