"""The checker of rounded counts over sites: what three sites made holds, and no lie does, whoever signs it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import pets
from pets.common.codec import canonical
from pets.errors import VerificationError
from pets.federated import check_sharing
from pets.federated.analyst.sharing import signature
from pets.release.rounded.rounded_sum import RoundedSum
from pets.verify.check import CannotCheck, Refused, check
from tests.unit.federated.site.test_rounded import BY_G, GRID, HES, over, sites
from tests.unit.ledger.log.test_verifier import edited, leaves
from tests.unit.verify.test_check import moved

FREE = {"notes", "issued_at"}
"""Parts that may say anything: nothing follows from them. (A site's certificate is held against the rest.)"""


class World:
    """A federation whose coordinator can sign again."""

    def __init__(self) -> None:
        self.sites = over(sites())
        self.release: RoundedSum = self.sites.release(BY_G, HES)
        self.form = self.release.form
        self.key = bytes.fromhex(self.form["sharing"]["roster"]["coordinator"])

    def signed(self, form: Any) -> bytes:
        form = copy.deepcopy(form)
        form["sharing"].pop("coordinator", None)
        form["sharing"]["coordinator"] = signature(form, self.sites._coordinator)
        return canonical(form)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_it_holds(world: World) -> None:
    said = check(canonical(world.release.to_json()), world.key)
    assert said.startswith(world.release.guarantee) and "3 of 3 sites answered" in said
    assert "cells of 3 of 3 grids counted again" in said and "not checked, since" in said
    assert check(world.signed(world.form), world.key) == said
    with pytest.raises(Refused, match="another key signed it"):
        check(canonical(world.release.to_json()), bytes(32))


def test_without_the_sites_certificates_less_is_counted(world: World) -> None:
    form = copy.deepcopy(world.form)
    form["sharing"]["certificates"].pop("s1")
    assert "cells of 2 of 3 grids counted again" in check(world.signed(form), world.key)
    form["counts"][0][0]["cells"] = [1, 3, 3]
    form["counts"][0][0] |= {"shown": [0, 18, 45], "hidden": [0, 2, 0], "low": [0, 10, 41], "high": [0, 26, 49]}
    with pytest.raises(Refused, match="another number of cells"):
        check(world.signed(form), world.key)


def test_signed_lies_are_refused(world: World) -> None:
    missed, tried = [], 0
    places = [path for path in leaves(world.form) if path[0] not in FREE and path[:2] != ("sharing", "certificates")]
    for path in [*(one for one in places if one[0] == "counts"), *places[:: max(1, len(places) // 60)]]:
        if path[:2] == ("sharing", "coordinator"):
            continue
        tried += 1
        try:
            check(world.signed(edited(world.form, path, moved)), world.key)
        except (Refused, CannotCheck):
            continue
        missed.append(path)
    free = [path for path in missed if path[-1] in ("policy", "schema", "box", "delta") and "members" in path]
    assert [path for path in missed if path not in free] == [] and tried > 40


def _counts(**parts: list[int]) -> Callable[[Any], None]:
    return lambda form: form["counts"][0][0].update(parts)


LIES: list[tuple[Callable[[Any], Any], str]] = [
    (_counts(low=[10, 10, 41]), "no sum of what its rule can show"),  # narrower than the sites' rounding leaves it
    (_counts(high=[18, 26, 49]), "no sum of what its rule can show"),
    (_counts(shown=[15, 18, 45]), "no sum of what its rule can show"),
    (_counts(hidden=[0, 2, 0]), "no sum of what its rule can show"),
    (_counts(hidden=[4, 2, 0]), "more cells than there are"),
    (_counts(cells=[4, 3, 3]), "another number of cells"),
    (lambda f: f["protection"].update(preset="opensafely"), "edited, or another key"),
    (lambda f: f["rule"].update(threshold=3), "something else than follows"),
    (lambda f: f.update(guarantee=f["guarantee"].replace("3 sites", "4 sites")), "something else than follows"),
    (lambda f: f["cost"].update(loss=1), "something else than follows"),
    (lambda f: f["sharing"]["answered"].pop(), "fewer sites answered"),
    (lambda f: f["sharing"]["signatures"].clear(), "too few"),
    (lambda f: f["sharing"]["certificates"].update(s0=f["sharing"]["certificates"]["s1"]), "of something else"),
    (lambda f: f["sharing"].update(noise={}), "other parts"),
    (lambda f: f.update(values=[1]), "other parts"),
    (lambda f: f["query"].update(GRID.to_json()), "edited, or another key|plan"),
]


@pytest.mark.parametrize("number", range(len(LIES)))
def test_lies_that_fit_together(world: World, number: int) -> None:
    change, why = LIES[number]
    form = copy.deepcopy(world.form)
    change(form)
    with pytest.raises(Refused, match=why):
        check(world.signed(form), world.key)


def test_another_sites_answer_fits_no_certificate(world: World) -> None:
    """A certificate of another question, or of one grid twice."""
    other = World()
    form = copy.deepcopy(world.form)
    form["sharing"]["certificates"] = other.form["sharing"]["certificates"]
    with pytest.raises(Refused, match="of something else"):
        check(world.signed(form), world.key)
    with pytest.raises(VerificationError):
        check_sharing(RoundedSum.sealed(form))


def test_what_pets_itself_reads_is_held_against_what_was_signed(world: World) -> None:
    assert check_sharing(world.release).digest == world.sites.roster.digest
    for change in (_counts(low=[8, 10, 41]), lambda f: f.update(issued_at="2020-01-01T00:00:00+00:00")):
        form = copy.deepcopy(world.form)
        change(form)
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(RoundedSum.sealed(form))
    for change in (_counts(hidden=[4, 2, 0]), _counts(cells=[3, 3]), lambda f: f.pop("sharing")):
        form = copy.deepcopy(world.form)
        change(form)
        with pytest.raises(pets.UserError, match="no table as pets rounded it"):
            RoundedSum.sealed(form)


def test_a_later_form_is_not_called_false(world: World) -> None:
    for change in ({"wording": 3}, {"secure": "local"}, {"version": 2}):
        form = copy.deepcopy(world.form)
        form["sharing"].update(change)
        with pytest.raises(CannotCheck, match="find a newer one"):
            check(world.signed(form), world.key)
