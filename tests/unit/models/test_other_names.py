"""What other libraries call the parts of a fit is answered by what they are called here; scores take either shape."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

import pets
from pets.errors import NoSuchNameError, UserError
from pets.models.reading.other_names import NAMES
from tests.unit.models.test_glm import BIG, EXACT, session

MODELS: dict[str, Any] = {
    "line": pets.linear("cost ~ age + sick", data="p"),
    "odds": pets.logistic("died ~ age + sick", data="p"),
    "curves": pets.kaplan_meier("days", "died", data="p"),
    "hazards": pets.cox("days", "died", ["sick"], data="p"),
}


@cache
def fitted(kind: str) -> Any:
    return session(BIG).fit(MODELS[kind], pets.DP(epsilon=3))


@pytest.mark.parametrize("kind", list(MODELS))
def test_each_name_says_what_there_is_in_its_place(kind: str) -> None:
    fit = fitted(kind)
    for name, (attribute, written) in NAMES.items():
        if hasattr(type(fit), name):
            continue
        assert not hasattr(fit, name) and getattr(fit, name, 3) == 3
        with pytest.raises(NoSuchNameError) as caught:
            getattr(fit, name)
        if hasattr(type(fit), attribute):
            assert str(caught.value) == f"a fit has no .{name}; here it is fit.{written}"
    for name, said in {
        "fit": "session.fit",
        "resid": "it holds none",
        "aic": "does not follow from the sums",
        "sumary": "did you mean 'summary'",
        "xyz": "there are: ",
    }.items():
        with pytest.raises(AttributeError, match=said):
            getattr(fit, name)


def test_what_is_written_there_works() -> None:
    fit = fitted("odds")
    for written in ("coefficients['intercept']", "table['error']", "table['p']", "table[['low', 'high']]"):
        assert eval(f"fit.{written}", {"fit": fit}) is not None
    assert eval("fit.table['ratio']", {"fit": fit}).loc["sick[True]"] > 0
    for name in ("predict_survival_function", "predict_partial_hazard"):
        assert not eval(f"fit.{NAMES[name][1]}", {"fit": fitted("hazards"), "rows": {"sick": [True]}}).empty


def test_a_fit_is_copied_and_a_property_s_own_error_stays() -> None:
    fit = fitted("line")
    assert copy.copy(fit).table.equals(fit.table) and not hasattr(fit, "__wrapped__") and not hasattr(fit, "_repr_x_")
    assert pickle.loads(pickle.dumps(fit)).table.equals(fit.table)

    class Broken(type(fit)):  # type: ignore[misc]
        @property
        def line(self) -> Any:
            return {}.rows  # type: ignore[attr-defined]

    broken = object.__new__(Broken)
    with pytest.raises(AttributeError, match="'dict' object has no attribute 'rows'"):
        broken.line  # noqa: B018


def test_scores_take_a_table_with_outcomes_or_beside_it() -> None:
    whole = BIG.dropna(subset=["age", "sick", "died", "cost"]).head(2000)
    rows = whole[["age", "sick"]]
    line, odds = fitted("line"), fitted("odds")
    assert line.score(whole) == line.score(rows, whole["cost"]) == line.score(rows, whole[["cost"]])
    assert line.score(whole) == pytest.approx(r2_score(whole["cost"].astype(float), line.predict(rows)))
    assert odds.score(whole) == odds.score(rows, whole["died"]) == odds.score(rows, list(whole["died"]))
    assert odds.score(whole) == accuracy_score(whole["died"].astype(bool), odds.predict(rows).astype(bool))
    network = session(BIG).train(pets.classifier("died", ["age", "sick"], data="p", steps=5), pets.DP(epsilon=3))
    assert network.score(whole) == network.score(rows, whole["died"])
    for fit in (line, odds, network):
        with pytest.raises(UserError, match=r"no column .*, the outcome; give it in them"):
            fit.score(rows)
        with pytest.raises(UserError, match="not as many outcomes"):
            fit.score(rows, [True])
    with pytest.raises(UserError, match="no variance to explain"):
        line.score(rows.head(3), [7, 7, 7])
    with pytest.raises(UserError, match="no row has an outcome"):
        line.score(rows.head(2), [None, None])


def test_remedies_of_exact_fits_speak_of_no_epsilon() -> None:
    separated = session(BIG.assign(died=BIG.age > 60), policy=EXACT)
    said = separated.fit(pets.logistic("died ~ age + sick", data="p"), pets.Total()).notes[0]
    assert "separates the outcomes" in said and "Take the term out" in said and "epsilon" not in said
    few = session(BIG.head(2), policy=EXACT).fit(MODELS["line"], pets.Total()).notes[0]
    assert "Take fewer terms or more rows." in few and "epsilon" not in few and "charged" not in few


def test_how_far_a_mean_may_go_is_said_from_coefficients_and_their_errors() -> None:
    fit = session(BIG).fit(pets.poisson("falls ~ age + C(region)", data="p"), pets.DP(epsilon=5))
    progress, found = fit._progress, fit._found
    # 1, age, and three regions, of which a row has one or none: the greatest is 1, 1, and the best region above 0
    ends = np.array([1.0, 1, 0, 1, 0])
    error = float(np.sqrt(ends @ (found.noise + found.sampling) @ ends))

    def told(start: float, size: float) -> list[str]:
        moved = replace(found, coefficients=np.array([start, size, -0.2, 0.3, 0.1]))
        progress.__dict__["found"] = moved
        return list(fit.notes)

    top = float(np.log(30)) - 0.3
    assert any("may pass 30" in note for note in told(top - 1 - error, 1.0))
    assert not any("may pass 30" in note for note in told(top - 1 - 3 * error, 1.0))
    assert any("may pass 30" in note for note in told(top - 1 - error, -1.0))
    # from the least (the other end of age, and the least region) to the greatest
    assert any("varies 270-fold" in note for note in told(0.0, 2.55)) and np.exp(2 * 2.55 + 0.5).round() == 270
    assert not any("-fold" in note for note in told(0.0, 2.45))
