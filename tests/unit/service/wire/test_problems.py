from __future__ import annotations

import pytest

from pets.errors import (
    BusyError,
    HeldError,
    InProgressError,
    InternalError,
    LedgerDownError,
    PetsError,
    SqlError,
    UserError,
)
from pets.service.wire.problems import STATUS, TYPE, error_of, outward, problem
from tests.unit.test_error_codes import every


def made(kind: type[PetsError]) -> PetsError:
    if kind.code in ("in-progress", "busy"):
        return kind("a sentence; and a remedy", 7.0)  # type: ignore[call-arg]
    return SqlError("a sentence; and a remedy", "SELECT *\n       ^") if kind is SqlError else kind("a remedy; so")


def test_every_code_has_a_status_and_no_status_is_for_a_code_that_is_not() -> None:
    assert sorted(STATUS) == sorted(kind.code for kind in every())
    assert all(400 <= found < 600 for found in STATUS.values())
    # what is a fault of ours, or of what we stand on; everything else is for whoever asks to mend
    assert {code for code, found in STATUS.items() if found == 500} == {"error", "internal"}
    assert {code for code, found in STATUS.items() if found == 503} == {
        "ledger",
        "ledger-down",
        "commit-unknown",
        "service-down",
    }


@pytest.mark.parametrize("kind", every(), ids=lambda kind: kind.code)
def test_an_error_is_the_same_at_the_other_end(kind: type[PetsError]) -> None:
    error = made(kind)
    body = problem(error)
    assert (
        body["type"] == TYPE + kind.code
        and body["detail"] == outward(kind.code, str(error))
        and body["status"] == STATUS[kind.code]
    )
    assert ("retry_after" in body) == (error.retry_after is not None)
    again = error_of(body)
    # (an error that makes its own sentence comes back as the kind that it is one of)
    expected = LedgerDownError if kind.code == "commit-unknown" else kind
    assert type(again) is expected and str(again) == body["detail"] and again.retry_after == error.retry_after
    if isinstance(again, SqlError):
        assert (again.sentence, again.excerpt) == ("a sentence; and a remedy", "SELECT *\n       ^")


def test_only_what_may_name_places_of_the_service_is_said_in_other_words() -> None:
    path = "the ledger /srv/pets/ledger.db is held by another program"
    kept = {kind.code for kind in every() if outward(kind.code, path) != path}
    assert kept == {"ledger", "ledger-down", "commit-unknown", "data"}
    assert not any("/" in outward(code, path) or "ledger" in outward(code, path) for code in kept)


def test_a_failed_job_tells_the_same_in_its_own_words() -> None:
    found = error_of({"code": "in-progress", "message": "still; wait", "retry_after": 3})
    assert isinstance(found, InProgressError) and found.retry_after == 3.0 and str(found) == "still; wait"
    assert isinstance(error_of({"code": "busy", "message": "full; wait"}), BusyError)


def test_which_request_is_held_goes_with_it() -> None:
    error = error_of(problem(HeldError.of("it waits; look later", "5f0c")))
    assert isinstance(error, HeldError) and error.id == "5f0c" and str(error) == "it waits; look later"
    none = error_of(problem(HeldError("it waits; look later")))
    assert isinstance(none, HeldError) and none.id is None and "request" not in problem(none)
    told = error_of({"code": "held", "message": "it waits", "request": ["5f0c"]})
    assert isinstance(told, HeldError) and told.id is None


@pytest.mark.parametrize("after", [10**400, float("nan"), float("inf"), -1, True, "5", None, [5]])
def test_a_wait_that_is_none_is_not_believed(after: object) -> None:
    found = error_of({"code": "ledger-down", "message": "down; wait", "retry_after": after})
    assert found.retry_after == LedgerDownError.retry_after
    assert error_of({"code": "busy", "message": "full; wait", "retry_after": after}).retry_after == 1.0


def test_what_another_machine_says_cannot_steer_a_terminal() -> None:
    assert str(error_of({"detail": "a\x1b[2J\r\x9b\u202eb; \u00e9\u00a0\u2009c"})) == (
        r"a\x1b[2J\r\x9b\u202eb; " + "\u00e9\u00a0\u2009c"
    )
    found = error_of({"code": "sql", "detail": "a sentence\nSELECT \x07"})
    assert isinstance(found, SqlError) and found.excerpt == r"SELECT \x07"


@pytest.mark.parametrize("body", [None, [], "no", {}, {"detail": 3}, {"detail": ""}, {"code": "query"}])
def test_what_is_no_problem_is_said_to_be_none(body: object) -> None:
    assert isinstance(error_of(body), InternalError)


def test_a_code_of_a_later_version_is_a_plain_error_with_its_sentence() -> None:
    found = error_of({"code": "new-kind", "detail": "a sentence; a remedy"})
    assert type(found) is UserError and str(found) == "a sentence; a remedy"
