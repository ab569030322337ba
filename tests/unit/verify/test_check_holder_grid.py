"""The independent checker on sums of the key holder's grid: what it derives, and the lies that a coordinator signs."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import pets
from pets import he
from pets.common.codec import canonical
from pets.errors import VerificationError
from pets.federated import Federation, check_sharing
from pets.federated.analyst.rounded.holder_grid import unsigned
from pets.federated.analyst.sharing import signature
from pets.he.totals.shown_grid import ShownGrid
from pets.release.rounded.rounded_sum import RoundedSum
from pets.verify import check
from tests.unit.federated.site.test_holder_grid import ask, some
from tests.unit.federated.site.test_rounded import ALL, BY_G, HES, SCHEMA, over

Form = dict[str, Any]


@pytest.fixture(scope="module")
def many() -> Federation:
    made = over(some(), key_holder=he.keygen()[1])
    made.name_grid(BY_G, HES)
    return made


def signed(many: Federation, form: Form) -> bytes:
    """As a coordinator signs it, whatever it says."""
    sharing = {name: part for name, part in form["sharing"].items() if name != "coordinator"}
    bare = form | {"sharing": sharing}
    return canonical(bare | {"sharing": sharing | {"coordinator": signature(bare, many._coordinator)}})


def checked(many: Federation, form: Form) -> str:
    return check.check(signed(many, form), many._coordinator.public.raw)


def test_every_number_is_added_up_again(many: Federation) -> None:
    for answer, cells in ((many.name_grid(BY_G, HES), 3), (ask(many, ALL), 3)):
        found = checked(many, answer.form)
        assert f"each number is the sum of the {cells} cells that the key holder signed" in found
        assert "3 of 3 sites signed their envelopes" in found and "3 certificate(s) carried" in found
        assert "no proof is claimed" in found and answer.guarantee in found
    twin = many.dummy(rows=60)
    twin.name_grid(BY_G, HES)
    assert "Dummy data" in checked(twin, ask(twin, ALL).form)


def _set(*path: Any, to: Any) -> Callable[[Form], None]:
    def change(form: Form) -> None:
        for name in path[:-1]:
            form = form[name]
        form[path[-1]] = to(form[path[-1]]) if callable(to) else to

    return change


GRID, COUNT = ("sharing", "grid"), ("counts", 0, 0)
LIES: dict[str, tuple[Callable[[Form], None], str]] = {
    "a number is another": (_set(*COUNT, "shown", 0, to=80), "not the sum of the key holder's cells"),
    "its ends are narrower": (_set(*COUNT, "low", 0, to=lambda n: n + 1), "not the sum of the key holder's cells"),
    "a hidden cell is not told": (_set(*COUNT, "hidden", 0, to=1), "not the sum of the key holder's cells"),
    "a cell is another": (_set(*GRID, "shown", 0, to=15), "another key signed it"),
    "the grid is of invented rows": (_set(*GRID, "data", to="dummy"), "another key signed it"),
    "its round asks something else": (_set(*GRID, "round", "least", to=2), "another key signed it"),
    "a site did not sign its envelope": (_set(*GRID, "parts", 1, "payload", to="0" * 64), "another key signed it"),
    "a site is left out": (_set("sharing", "answered", to=lambda names: names[:2]), "not in it"),
    "it promises more": (_set("guarantee", to="Nobody can be found."), "promises something else"),
    "it promises a proof": (_set("guarantee", to=lambda s: s.replace("No proof is", "A proof is")), "something else"),
    "it is made of other rows": (_set("snapshot", to="federated 00"), "promises something else"),
    "it cost something": (_set("cost", "loss", to=5), "promises something else"),
    "another rule": (_set("protection", to={"kind": "sdc", "preset": "midpoint6"}), "its grid differs"),
    "another question": (_set("query", "by", to=[{"key": "column", "column": "ill", "label": ""}]), ""),
    "one part more": (_set("sharing", "found", to="x"), "other parts"),
    "another key holder": (_set("sharing", "key_holder", to="0" * 64), "something else of its roster"),
}


@pytest.mark.parametrize("name", sorted(LIES))
def test_what_a_coordinator_signs_all_the_same_is_refused(name: str, many: Federation) -> None:
    change, why = LIES[name]
    form = copy.deepcopy(ask(many, ALL).form)
    change(form)
    with pytest.raises(check.Refused) as refused:
        checked(many, form)
    assert why in str(refused.value)


def test_a_grid_that_another_key_signed_over_its_own_round_is_not_of_these_sites(many: Federation) -> None:
    other = over(some((30, 30, 30), (30, 30, 30), (30, 30, 30)))
    other.name_grid(BY_G, HES)
    answer = ask(many, ALL)
    for source, fits in ((many, True), (other, False)):
        grid = ShownGrid(ask(source, ALL).sharing["grid"])
        form = unsigned(grid, answer.plan, many._keyed, SCHEMA, many.analyst, {})
        if fits:
            assert "3 of 3 sites" in checked(many, form)
        else:
            with pytest.raises(check.Refused, match="its round is of something else"):
                checked(many, form)


def test_a_grid_over_sites_that_share_people_is_refused(many: Federation) -> None:
    """What the key holder and the sites signed says nothing of that; the roster that the coordinator names does."""
    answer = ask(many, ALL)
    for most in (1, 2):
        roster = replace(many._keyed, sites_per_person=most)
        form = unsigned(ShownGrid(answer.sharing["grid"]), answer.plan, roster, SCHEMA, many.analyst, {})
        if most == 1:
            assert "3 of 3 sites" in checked(many, form)
            check_sharing(RoundedSum(json.loads(signed(many, form))))
            continue
        with pytest.raises(check.Refused, match="sites that share some"):
            checked(many, form)
        with pytest.raises(VerificationError, match="does not follow"):
            check_sharing(RoundedSum(json.loads(signed(many, form))))


def test_certificates_are_of_this_grid(many: Federation) -> None:
    form = copy.deepcopy(ask(many, ALL).form)
    certificates = form["sharing"]["certificates"]
    certificates["s0"], certificates["s1"] = certificates["s1"], certificates["s0"]
    with pytest.raises(check.Refused, match="is of something else"):
        checked(many, form)
    later = many.release(ALL, pets.DP(epsilon=0.1))
    form["sharing"]["certificates"] = {"s0": dict(many.certificates(later)["s0"])}
    with pytest.raises(check.Refused, match="is of something else"):
        checked(many, form)
