"""Log-rank tests without noise are those of lifelines on the same times; with noise, it is in χ² and in p."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import multivariate_logrank_test  # type: ignore[import-untyped]

import pets
from pets.errors import UserError
from pets.models.survival.comparison import Comparison
from tests.unit.models.survival.data_sets import SETS, followed
from tests.unit.models.survival.test_curves import MANY, arms, binned, exactly, near, session

GROUPED = [name for name, (*_, by, _) in SETS.items() if by]
MODEL = pets.log_rank("days", "died", "arm", data="t", edges=range(0, 101, 10))


@pytest.mark.parametrize("name", GROUPED)
def test_it_is_lifelines_to_twelve_digits(name: str) -> None:
    data = followed(name)
    assert data.by is not None
    whole = data.schema.fields("t")["time"].cells <= 1000
    for bins in (1000, 12) if whole else (12,):
        found = data.session().fit(pets.log_rank("time", "event", data.by, data="t", bins=bins), pets.Total())
        rows = binned(data, exactly(data, bins=bins))
        wanted = multivariate_logrank_test(rows.start, rows.arm, rows.event)
        assert near(found.statistic, wanted.test_statistic), name
        assert found.p == pytest.approx(wanted.p_value, rel=1e-9)
        assert found.freedom == rows.arm.nunique() - 1 and found.noise_share == 0
        assert near(found.table.events, rows.groupby("arm").event.sum()) and near(found.table.difference.sum(), 0)


def test_with_noise_it_holds_both() -> None:
    asked = session(MANY, policy=pets.Policy(allow_unbounded=True))
    found, truth = asked.fit(MODEL, pets.DP(epsilon=1)), asked.fit(MODEL, pets.Total())
    told, exact = found.table, truth.table
    noise = told.error * np.sqrt(told.noise_share)
    assert (np.abs(told.difference - exact.difference) < 5 * noise).all()
    assert (told.noise_share > 0.02).all() and (told.noise_share < 0.9).all()
    assert np.allclose(told.error * np.sqrt(1 - told.noise_share), exact.error, rtol=0.2)
    assert found.statistic != truth.statistic and found.p < 0.01 and "noise" in found.summary()
    assert found.certificate is not None and "χ²" in found._repr_html_()


def test_scores_add_up_to_nothing_and_their_noise_is_the_derivative_s() -> None:
    """By moving each count a little: the noise on the scores is what the covariance of the counts makes of that."""
    from dataclasses import replace

    from pets.models.survival.scores import scores

    three = [arms(400, seed=seed) for seed in range(3)]
    columns: dict[str, Any] = {
        "days": pets.Integer(0, 119, nullable=False),
        "died": pets.Boolean(nullable=False),
        "arm": pets.Category(["a", "b", "c"], nullable=False),
    }
    rows = pd.concat([one.assign(arm=name) for name, one in zip("abc", three, strict=True)])
    schema = pets.Schema({"t": pets.Table(pets.Unit(None), columns, people=20_000)})
    asked = pets.Session(schema, {"t": rows}, budget=pets.Budget(epsilon=9, delta=1e-6), progress=False)
    model = pets.log_rank("days", "died", "arm", data="t", edges=range(0, 101, 20))
    left = asked.fit(model, pets.DP(epsilon=1)).streams
    found = scores(left)
    assert np.allclose((found.observed - found.expected).sum(), 0) and np.allclose(found.noise.sum(axis=0), 0)
    noise = np.zeros((3, 3))
    for at, one in enumerate(left):
        for name in ("events", "others"):
            counts, moved = getattr(one, name), []
            for place in range(len(counts)):
                step = np.zeros(len(counts))
                step[place] = 1e-4
                ends = []
                for sign in (1, -1):
                    beside = [*left[:at], replace(one, **{name: counts + sign * step}), *left[at + 1 :]]
                    there = scores(beside)
                    ends.append(there.observed - there.expected)
                moved.append((ends[0] - ends[1]) / 2e-4)
            slope = np.array(moved).T
            noise += slope @ one.covariance(len(counts)) @ slope.T
    assert np.allclose(noise, found.noise, rtol=1e-5, atol=1e-6 * noise.max())


def test_what_tells_nothing_apart_is_said() -> None:
    allowed = pets.Policy(allow_unbounded=True)
    none = session(MANY.assign(died=False), policy=allowed).fit(MODEL, pets.Total())
    assert np.isnan(none.statistic) and np.isnan(none.p) and "No test" in none.notes[0] and none.summary()
    alone = session(MANY[MANY.arm == "old"], policy=allowed).fit(MODEL, pets.Total())
    assert np.isnan(alone.statistic) and "No test" in alone.notes[0]
    few = session(arms(150)).fit(MODEL, pets.DP(epsilon=0.3))
    assert few.noise_share > 0.5 and "may well be missed" in few.notes[0]


def test_saved_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    found = session(MANY).fit(MODEL, pets.DP(epsilon=1))
    again = Comparison.load(found.save(tmp_path / "test.json"))
    assert again.statistic == found.statistic and again.table.equals(found.table) and again.model == found.model
    form = json.loads(Path(tmp_path / "test.json").read_text())
    for edited in ({"pets": "survival curves"}, {"version": 2}, {"model": form["model"] | {"bins": 3}}):
        with pytest.raises(UserError, match="not a log-rank test"):
            Comparison.from_json(form | edited)


def test_a_quote_is_that_of_the_counts() -> None:
    asked: Any = session(MANY)
    curves = pets.kaplan_meier("days", "died", by="arm", data="t", edges=range(0, 101, 10))
    assert str(asked.quote_fit(MODEL, pets.DP(epsilon=1))) == str(asked.quote_fit(curves, pets.DP(epsilon=1)))
