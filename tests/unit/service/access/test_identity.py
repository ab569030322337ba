from __future__ import annotations

import pytest

from pets.errors import ForbiddenError, UserError
from pets.service.access.identity import Identity


def test_a_person_is_within_one_project_at_a_time() -> None:
    amina = Identity("amina", project="asthma", projects=frozenset({"stroke"}))
    assert amina.within(None) is amina and amina.within("asthma") is amina
    assert amina.within("stroke").project == "stroke" and amina.within("stroke").subject == "amina"
    assert amina.within("stroke").within("asthma").project == "asthma"
    with pytest.raises(ForbiddenError, match="projects asthma, stroke, and not for 'cancer'"):
        amina.within("cancer")
    assert amina.within("asthma").within("stroke")  # as the message says: a project of theirs, or none


def test_roles_and_datasets() -> None:
    amina = Identity("amina", roles=frozenset({"auditor"}), datasets=frozenset({"stays"}))
    assert amina.sees("stays") and not amina.sees("births") and Identity("b").sees("births")
    amina.require("auditor", "custodian")
    with pytest.raises(ForbiddenError, match="role analyst, and your login has auditor"):
        amina.require("analyst")


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": ""},
        {"subject": " "},
        {"subject": "a\nb"},
        {"subject": "x" * 129},
        {"subject": 3},
        {"project": ""},
        {"roles": {"admin"}},
        {"roles": 3},
        {"datasets": [1]},
        {"projects": {"a\x00"}},
    ],
)
def test_what_is_no_identity_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError):
        Identity(**{"subject": "amina"} | wrong)  # type: ignore[arg-type]


def test_a_misspelt_role_is_told_what_there_is() -> None:
    with pytest.raises(UserError, match="did you mean 'analyst'"):
        Identity("amina", roles=frozenset({"analist"}))
