"""The checker of regressions that asked sites step by step: their last step bears them out, and lies do not."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.federated import Federation, glm
from pets.federated.analyst.fits.last_step import DOMAIN
from pets.federated.analyst.models import Fit
from pets.verify.check import CannotCheck, Refused, check
from tests.unit.federated.analyst.test_glm import COVARIATES, many
from tests.unit.ledger.log.test_verifier import edited, leaves
from tests.unit.verify.test_check import FOLDER, moved

FAMILIES: dict[str, tuple[Any, str]] = {
    "a line": ("gaussian", "score"),
    "odds": ("binomial", "died"),
}


@pytest.fixture(scope="module")
def sites() -> Federation:
    return many()


@pytest.fixture(scope="module")
def fits(sites: Federation) -> dict[str, Fit]:
    return {
        name: glm(sites, "trial", outcome, COVARIATES, family, pets.Total())
        for name, (family, outcome) in FAMILIES.items()
    }


def signed(sites: Federation, form: Any) -> bytes:
    """The file of a model whose step the coordinator signs again."""
    (step,) = form["from"]
    sharing = {name: part for name, part in step["sharing"].items() if name != "coordinator"}
    mark = sites._coordinator.sign(DOMAIN + canonical(step | {"sharing": sharing})).hex()
    return canonical(form | {"from": [step | {"sharing": sharing | {"coordinator": mark}}]})


@pytest.mark.chance(0)
def test_a_fit_is_worked_out_again_from_its_last_step(sites: Federation, fits: dict[str, Fit], tmp_path: Path) -> None:
    key = sites.roster.coordinator_key.raw
    for fit in fits.values():
        assert fit.derived is not None and fit.release is None and fit.certificate is None
        file = fit.save(tmp_path / "fit.json").read_bytes()
        said = check(file, key)
        assert said.startswith("No guarantee: these are exact totals of real rows over all sites")
        assert f"from the sums of step {fit.ids[-1]}: {fit.family}, 5 coefficients and their errors, {fit.rows}" in said
        assert "3 of 3 sites signed its last step" in said and "schema: as the custodian says" in said
        assert signed(sites, fit.derived) == file
        with pytest.raises(Refused, match="another"):
            check(file, bytes(32))
    twin = sites.dummy(rows=300)
    invented = glm(twin, "trial", "visits", ["age", "bmi"], "poisson", pets.Exact())
    said = check(canonical(invented.to_check), twin.roster.coordinator_key.raw)
    assert said.startswith("Dummy data") and "poisson, 3 coefficients" in said
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "key.pub").write_text(key.hex())
    command = [sys.executable, "-I", "check.py", "fit.json", "key.pub"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0 and "binomial, 5 coefficients" in done.stdout


@pytest.mark.chance(0)
def test_every_signed_lie_is_refused(sites: Federation, fits: dict[str, Fit]) -> None:
    """All but single units of the sums: those are the coordinator's word, as the numbers of any release are."""
    missed, tried, key = [], 0, sites.roster.coordinator_key.raw
    for fit in fits.values():
        form: Any = fit.derived
        places = [path for path in leaves(form) if "schema" not in path and path[2:3] != ("sums",)]
        places += [path for path in leaves(form) if "schema" in path][::25]
        for path in places[:: 1 if fit.family == "gaussian" else 4]:
            if path[-1] == "coordinator" and path[-2] == "sharing":
                continue
            tried += 1
            try:
                check(signed(sites, edited(form, path, moved)), key)
            except (Refused, CannotCheck):
                continue
            missed.append(path)
    assert missed == [] and tried > 100


LIES = [
    (lambda form: form["made"]["coefficients"].__setitem__(2, "0.1"), "not those of its last step"),
    (lambda form: form["made"]["errors"].reverse(), "standard errors are not"),
    (lambda form: form["made"].update(dispersion="9"), "its dispersion"),
    (lambda form: form["from"][0]["sums"].__setitem__(0, form["from"][0]["sums"][0] - 1), "number of rows"),
    (lambda form: form["from"][0]["sums"].__setitem__(-3, 2**45), "not those of the released sums"),
    (lambda form: form["from"][0]["sums"].__setitem__(3, form["from"][0]["sums"][3] * 4), "standard errors are not"),
    (lambda form: form["from"][0]["sums"].__setitem__(-1, form["from"][0]["sums"][-1] * 2), "its dispersion"),
    (lambda form: form["from"][0]["sums"].pop(), "number of sums"),
    (lambda form: form["from"][0]["step"]["beta"].__setitem__(0, "0x1.0p+0"), "edited"),
    (lambda form: form["from"][0]["sharing"]["signatures"].pop("s1"), "too few sites"),
    (lambda form: form["from"][0].update(protection={"kind": "exact"}), "its protection"),
    (lambda form: form["from"][0]["query"].update(by=[]), "edited|a step goes with"),
    (lambda form: form.update(id="0" * 32), "something else than its release"),
]


@pytest.mark.chance(0)
@pytest.mark.parametrize(("change", "why"), LIES, ids=[f"{n} {why}" for n, (_, why) in enumerate(LIES)])
def test_numbers_that_the_last_step_does_not_bear_out(
    sites: Federation, fits: dict[str, Fit], change: Any, why: str
) -> None:
    form = copy.deepcopy(fits["a line"].derived)
    change(form)
    with pytest.raises(Refused, match=why):
        check(signed(sites, form), sites.roster.coordinator_key.raw)


@pytest.mark.chance(0)
def test_it_is_bound_to_its_own_step(sites: Federation, fits: dict[str, Fit]) -> None:
    key, line, odds = sites.roster.coordinator_key.raw, fits["a line"].derived, fits["odds"].derived
    assert line is not None and odds is not None
    for change, why in (
        ({"from": odds["from"]}, "something else than its release"),
        ({"from": odds["from"], "id": odds["id"]}, "another family|number of rows"),
        ({"from": line["from"] * 2}, "other parts"),
        ({"kind": "survival"}, "other parts"),
    ):
        with pytest.raises(Refused, match=why):
            check(canonical(line | change), key)
    step = line["from"][0]
    with pytest.raises(Refused, match="edited"):  # the coordinator's signature is on the sums
        check(canonical(line | {"from": [step | {"sums": [number + 1 for number in step["sums"]]}]}), key)
    for later in ({"version": 2}, {"sharing": step["sharing"] | {"secure": "trustees"}}):
        with pytest.raises(CannotCheck, match="does not know"):
            check(signed(sites, line | {"from": [step | later]}), key)
