"""The checker of regressions and survival curves: they are worked out again, and lies are refused."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pets
from pets import col
from pets.common.codec import canonical
from pets.errors import UserError
from pets.federated import glm, kaplan_meier
from pets.federated.analyst.models import Fit
from pets.ledger.log import verifier
from pets.ledger.publish import export
from pets.verify.check import CannotCheck, Refused, check
from tests.unit.federated.analyst.test_models import ROWS, SCHEMA, many
from tests.unit.ledger.log.test_verifier import edited, leaves
from tests.unit.verify.test_check import FOLDER, moved
from tests.unit.verify.test_made import World, refused

__all__ = ["many"]  # the federation of those tests

FREE = {"assumptions", "engine_versions", "service"}
"""Parts of the certificate that may say anything."""


def opened(rows: Any = ROWS) -> pets.Session:
    policy = pets.Policy(allow_unbounded=True)
    budget = pets.Budget(epsilon=9, delta=1e-6)
    return pets.Session(SCHEMA, {"trial": rows}, budget=budget, policy=policy, progress=False)


@pytest.fixture(scope="module")
def world() -> World:
    return World(opened())


@pytest.fixture(scope="module")
def made(world: World) -> dict[str, Any]:
    def fitted(outcome: str, family: Any, **more: Any) -> Any:
        return glm(world.session, "trial", outcome, ["arm", "age"], family, pets.Total(), **more)

    return {
        "binomial": fitted("died", "binomial"),
        "gaussian": fitted("score", "gaussian", where=col("days") > 3),
        "poisson": fitted("visits", "poisson"),
        "curve": kaplan_meier(world.session, "trial", "days", "died", pets.Total()),
        "noisy": kaplan_meier(world.session, "trial", "days", "died", pets.DP(epsilon=0.1)),
    }


@pytest.mark.chance(0)
def test_they_hold_and_are_worked_out_again(world: World, made: dict[str, Any], tmp_path: Path) -> None:
    for name, model in made.items():
        file = model.save(tmp_path / f"{name}.json").read_bytes()
        said = check(file, world.key)
        assert said.startswith(model.release.guarantee)
        assert f"worked out again from release {model.release.id}" in said and "not checked, since" in said
        assert verifier.verify(file, world.key).startswith("Genuine: ")
        assert json.loads(model.certificate.predicate["log"]["entry"])["unbounded"] is (name != "noisy")
        assert model.certificate.predicate["budget"]["charged"] == 0
    ledger = world.session.ledger
    with ledger.reading() as tx:
        lines = [export.line(body, None, chain) for body, _, chain in tx.entries()]
        (tmp_path / "log").write_bytes(export.header("public", ledger.key, ledger.checkpoint(tx)) + b"".join(lines))
    assert export.verify(tmp_path / "log", key=ledger.key).accounts[0].unbounded == 4  # the releases, and no model


SITES_LIES = [
    (lambda form: form["made"]["coefficients"].__setitem__(1, "0"), "coefficients are not"),
    (lambda form: form["made"]["errors"].reverse(), "standard errors"),
    (lambda form: form["made"].update(more=1), "other parts"),
    (lambda form: form.update(id="0" * 32), "something else than its release"),
    (lambda form: form["schema"].update(dataset="another"), "something else than its release"),
    (lambda form: form.update(kind="survival"), "other parts|another question"),
    (lambda form: form.update({"from": form["from"] * 2}), "other parts"),
    (lambda form: form.update(more=1), "other parts"),
    (lambda form: form["from"][0]["values"].__setitem__(0, 1), "edited"),
    (lambda form: form["from"][0]["sharing"]["signatures"].clear(), "edited"),
    (lambda form: form["from"][0].update(guarantee="none"), "edited"),
]


@pytest.mark.chance(0)
def test_one_session_fits_what_a_federation_fits_and_its_sites_signed_what_it_is_made_of(
    many: Any, made: dict[str, Any], tmp_path: Path
) -> None:
    found = glm(many, "trial", "died", ["arm", "age"], "binomial", pets.Total())
    assert found.coefficients == pytest.approx(made["binomial"].coefficients, rel=1e-9)
    assert found.certificate is None and found.derived is not None and found.release is not None
    key, file = many.roster.coordinator_key.raw, found.save(tmp_path / "fit.json").read_bytes()
    said = check(file, key, schema=canonical(SCHEMA.to_json()))
    assert said.startswith(found.release.guarantee) and "3 of 3 sites answered" in said
    assert "worked out again from this release, so that nobody need sign it: binomial, 3 coefficients" in said
    assert said.count("schema: ") == 1 and "schema: the published one" in said
    with pytest.raises(Refused, match="not the published one"):
        check(file, key, schema=canonical(SCHEMA.to_json() | {"dataset": "another"}))
    with pytest.raises(Refused, match="another"):
        check(file, bytes(32))
    for change, why in SITES_LIES:
        form = copy.deepcopy(found.derived)
        change(form)
        with pytest.raises(Refused, match=why):
            check(canonical(form), key)
    with pytest.raises(CannotCheck, match="does not know"):
        check(canonical(found.derived | {"version": 2}), key)
    with pytest.raises(CannotCheck, match="no log, witness or table"):
        check(file, key, tables={"rows.csv": "0" * 64})
    for model in made.values():  # a ledger's, without its certificate: nobody signed that
        with pytest.raises(CannotCheck, match="nobody has signed it"):
            check(canonical(model.derived), key)
    curve = kaplan_meier(many, "trial", "days", "died", pets.DP(epsilon=0.5))
    assert "at the first" in check(canonical(curve.to_check), key)
    curve.derived["made"]["survival"][2] = "0.5"  # type: ignore[index]
    with pytest.raises(Refused, match="its curve"):
        check(canonical(curve.derived), key)


@pytest.mark.chance(0)
def test_dummy_rows_and_a_model_that_nothing_signed_is_beneath(tmp_path: Path) -> None:
    alone = Fit("binomial", ("intercept",), (0.0,), (1.0,), 9, 1.0, 3, None, ("a" * 32,))
    assert alone.to_check is None
    with pytest.raises(UserError, match="nothing that is signed is beneath this model"):
        alone.save(tmp_path / "fit.json")
    twin = opened().dummy(rows=400)
    curve = kaplan_meier(twin, "trial", "days", "died", pets.Exact())
    assert check(canonical(curve.to_check), twin.ledger.key.raw).startswith("Dummy data")


@pytest.mark.chance(0)
def test_every_signed_lie_is_refused_but_those_on_the_list(world: World, made: dict[str, Any]) -> None:
    missed, tried = [], 0
    for name in ("gaussian", "binomial", "noisy"):
        form, said = made[name].derived, made[name].certificate.predicate
        places = [("form", path) for path in leaves(form) if path[0] not in ("schema", "from")]
        places += [("form", path) for path in list(leaves(form))[::17] if path[0] in ("schema", "from")]
        places += [("said", path) for path in leaves(said) if path[0] not in ("log", *FREE)]
        for where, path in places[:: 1 if name == "gaussian" else 3]:
            lie = (edited(form, path, moved), said) if where == "form" else (form, edited(said, path, moved))
            tried += 1
            try:
                check(canonical(world.signed(*lie)), world.key)
            except (Refused, CannotCheck):
                continue
            missed.append((name, where, *path))
    # the log knows these (and nobody held it against this), and when a model was made is anybody's word
    told = ("request_id", "other_releases", "budget")
    assert [one for one in missed if one[2] not in told] == [] and tried > 150


LIES = [
    ("gaussian", lambda made: made["errors"].reverse(), "standard errors"),
    ("gaussian", lambda made: made.update(dispersion="1.5"), "dispersion"),
    ("binomial", lambda made: made.update(family="poisson"), "another question|coefficients"),
    ("binomial", lambda made: made["terms"].reverse(), "its terms"),
    ("binomial", lambda made: made.update(rows=1), "number of rows"),
    ("binomial", lambda made: made["coefficients"].pop(), "one coefficient for each term"),
    ("poisson", lambda made: made["coefficients"].__setitem__(2, "0.05"), "coefficients are not"),
    ("curve", lambda made: made["events"].__setitem__(0, 0), "its counts"),
    ("curve", lambda made: made["survival"].__setitem__(3, "0.99"), "its curve"),
    ("curve", lambda made: made["error"].__setitem__(3, None), "its error"),
    ("noisy", lambda made: made["error"].__setitem__(3, "0.1"), "an error that nobody knows"),
]


@pytest.mark.chance(0)
@pytest.mark.parametrize(("name", "change", "why"), LIES, ids=[f"{name} {why}" for name, _, why in LIES])
def test_numbers_that_the_release_does_not_bear_out(
    world: World, made: dict[str, Any], name: str, change: Any, why: str
) -> None:
    form = copy.deepcopy(made[name].derived)
    change(form["made"])
    with pytest.raises(Refused, match=why):
        check(canonical(world.signed(form, made[name].certificate.predicate)), world.key)


@pytest.mark.chance(0)
def test_it_is_bound_to_its_own_release(world: World, made: dict[str, Any]) -> None:
    form, said = made["curve"].derived, made["curve"].certificate.predicate
    lie = form | {"from": made["binomial"].derived["from"]}  # its groups are no times
    assert "another question" in refused(world.signed(lie, said), world.key)
    lie = form | {"from": made["noisy"].derived["from"]}
    assert "younger than what was made of it" in refused(world.signed(lie, said), world.key)
    said = made["noisy"].certificate.predicate
    lie = made["noisy"].derived | {"from": form["from"]}
    assert "promises something else" in refused(world.signed(lie, said), world.key)
    several: Any
    for several in ([], form["from"] * 2):
        assert refused(world.signed(form | {"from": several}, said), world.key)
    with pytest.raises(Refused, match="not one that this key signed"):
        check(canonical(made["curve"].to_check), bytes(32))
    alone = opened()  # another ledger's release
    other = kaplan_meier(alone, "trial", "days", "died", pets.Total())
    assert refused(world.signed(made["curve"].derived | {"from": other.derived["from"]}, said), world.key)  # type: ignore[index]


@pytest.mark.chance(0)
def test_what_cannot_be_checked(world: World, made: dict[str, Any]) -> None:
    form, said = made["curve"].derived, made["curve"].certificate.predicate
    for changed in (form | {"kind": "forecast"}, form | {"version": 2}):
        with pytest.raises(CannotCheck, match="made in a way that this checker does not know"):
            check(canonical(world.signed(changed, said)), world.key)


@pytest.mark.chance(0)
def test_it_runs_alone(world: World, made: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    made["gaussian"].save(tmp_path / "fit.json")
    (tmp_path / "ledger.pub").write_text(world.key.hex() + "\n")
    command = [sys.executable, "-I", "check.py", "fit.json", "ledger.pub"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0 and "gaussian, 3 coefficients" in done.stdout
