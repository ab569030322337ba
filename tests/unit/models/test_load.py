"""Whatever was saved is read by one call, and what it is not is told by what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.errors import UserError
from pets.models.fit import Fit
from pets.models.glm.fit import GlmFit
from pets.models.saving import SAVED
from pets.models.survival.curves import Curves
from pets.models.trained import Trained
from pets.release.release import Release

SCHEMA = pets.Schema(
    {
        "t": pets.Table(
            pets.Unit(None),
            {
                "x": pets.Integer(0, 9, nullable=False),
                "b": pets.Boolean(nullable=False),
                "s": pets.Category(["u", "v"], nullable=False),
            },
        )
    }
)
COUNT = 400
ROWS = pd.DataFrame(
    {
        "x": [at % 10 for at in range(COUNT)],
        "b": [at % 3 == 0 for at in range(COUNT)],
        "s": ["uv"[at % 7 > 2] for at in range(COUNT)],
    }
)
KINDS: dict[str, Any] = {
    "fit": pets.linear("x", ["b"], data="t"),
    "glm fit": pets.logistic("b", ["x"], data="t"),
    "survival curves": pets.kaplan_meier("x", "b", data="t", edges=[0, 5, 10]),
    "log-rank test": pets.log_rank("x", "b", "s", data="t", edges=[0, 5, 10]),
    "hazard ratios": pets.cox("x", "b", ["s"], data="t", edges=[0, 5, 10]),
    "margins": pets.logistic("b", ["s"], data="t"),
    "trained": pets.classifier("b", ["x"], data="t", steps=2),
    "trained over sites": pets.classifier("b", ["x"], data="t", steps=2),
    "release": pets.query("t").agg(n=pets.count()),
}
OWN: list[Any] = [Fit, GlmFit, Curves, Trained, Release]


def saved(kind: str, folder: Path) -> tuple[Any, Path]:
    session = pets.Session(SCHEMA, ROWS, budget=pets.Budget(epsilon=100, delta=1e-6), progress=False)
    model, dp = KINDS[kind], pets.DP(epsilon=4)
    many = pets.Federation([session.dummy(99, seed) for seed in range(3)], sites_per_person=1, progress=False)
    own = {"trained": session.train, "release": session.release, "trained over sites": many.train}
    ask = own.get(kind, session.fit)
    made = ask(model, dp)
    if kind == "margins":
        made = made.margins("s")
    return made, made.save(folder / "any.json")


@pytest.mark.parametrize("kind", [kind for kind in SAVED if kind != "quiz"])  # that of a lesson: its own tests
def test_what_was_saved_is_read_whatever_it_was(kind: str, tmp_path: Path) -> None:
    made, path = saved(kind, tmp_path)
    again = pets.load(path)
    assert type(again) is type(made) and again.save(tmp_path / "b.json").read_bytes() == path.read_bytes()
    for other in OWN:
        if type(made) is not other and other in (Fit, GlmFit, Curves):
            called = SAVED[kind][2]
            with pytest.raises(UserError, match=f"this is {called}, and not .*pets.load") as caught:
                other.load(path)
            assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("kind", ["fit", "glm fit", "trained"])
def test_a_fit_s_file_ends_in_json_and_nothing_else_is_written(kind: str, tmp_path: Path) -> None:
    made, _ = saved(kind, tmp_path)
    for name in ("fit.csv", "fit", "fit.json.txt", ".json"):
        with pytest.raises(
            UserError, match=r"saved as JSON, so its file's name ends in \.json, such as '\w+\.json'; .*"
        ):
            made.save(tmp_path / name)
        assert not (tmp_path / name).exists()
    if kind != "trained":
        made.table.to_csv(tmp_path / "fit.csv")
    assert pets.load(made.save(tmp_path / "FIT.JSON")) is not None


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"pets": "other"}', '{"pets": []}', "null", '{"pets": "fit"}'])
def test_what_is_none_of_them_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "any.json"
    path.write_text(content, "utf-8")
    with pytest.raises(UserError, match=r"edited or damaged.*ask for the original file"):
        pets.load(path)


def test_an_edited_one_of_its_own_kind_is_called_damaged(tmp_path: Path) -> None:
    _, path = saved("fit", tmp_path)
    form = json.loads(path.read_bytes())
    path.write_text(json.dumps(form | {"version": 2}), "utf-8")
    for read in (pets.load, Fit.load):
        with pytest.raises(UserError, match="not a fit as pets wrote it: it was edited or damaged"):
            read(path)  # type: ignore[operator]
    with pytest.raises(UserError, match="cannot be read"):
        pets.load(tmp_path / "none.json")
    with pytest.raises(UserError, match=r"write pets\.load"):
        pets.load()  # type: ignore[call-arg]
