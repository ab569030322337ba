"""Solving: a search that lies, dies or comes too late never makes a number proved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pets.sdc.compare import Known, Sum
from pets.session.disclosure import solving
from pets.session.disclosure.solving import ATTACK, PROVED, UNDECIDED, Question, solved

ALL, FIRST = Sum((0, 1), "all"), Sum((0,), "the first")
KNOWN = (Known(ALL, 8, 12),)
QUESTION = Question(2, KNOWN, (FIRST,), 3, np.array([4, 6]), 10.0)


def reply(monkeypatch: pytest.MonkeyPatch, found: Any) -> Any:
    monkeypatch.setattr(solving, "_replies", lambda question: found)
    return solved(QUESTION)


def test_a_pair_that_holds_is_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = reply(monkeypatch, [{"state": PROVED, "pair": [[2, 6], [5, 6]]}])
    assert one.state == PROVED and one.pair == ((2, 6), (5, 6)) and one.sum is FIRST


@pytest.mark.parametrize(
    "pair",
    [
        [[2, 6], [4, 6]],  # not far enough apart
        [[2, 5], [5, 6]],  # 7 people are fewer than was told
        [[2, 6], [7, 6]],  # and 13 are more
        [[-1, 9], [3, 6]],  # nobody is fewer than nobody
        [[2, 6, 0], [5, 6, 0]],  # another number of atoms
        [[2, 6], "ab"],
        None,
    ],
)
def test_a_pair_that_does_not_hold_proves_nothing(monkeypatch: pytest.MonkeyPatch, pair: Any) -> None:
    assert [one.state for one in reply(monkeypatch, [{"state": PROVED, "pair": pair}])] == [UNDECIDED]


@pytest.mark.parametrize("found", [None, [], [{}], [{"state": "sure"}], [{"state": ATTACK}], ["?"], [{}, {}]])
def test_what_is_no_reply_is_undecided(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    assert [one.state for one in reply(monkeypatch, found)] == [UNDECIDED]


TOLD = Question(2, (Known(ALL, 8, 8), Known(Sum((1,), "the second"), 5, 5)), (FIRST,), 3, None, 10.0)
DERIVED: Any = {"lo": 3, "hi": 3, "lower": [[0, "1"], [1, "-1"]], "upper": [[0, "1"], [1, "-1"]]}


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, ATTACK),
        ({"lo": 4, "hi": 4}, UNDECIDED),  # 8 less 5 are 3
        ({"upper": [[0, "1"]]}, UNDECIDED),  # all are 8 at most, and so is the first
        ({"lower": [[0, "1"], [1, "-1/0"]]}, UNDECIDED),
        ({"lower": [[7, "1"]]}, UNDECIDED),
        ({"lo": 0, "hi": 9}, UNDECIDED),  # that leaves it open
    ],
)
def test_a_derivation_is_added_up_again(monkeypatch: pytest.MonkeyPatch, change: Any, state: str) -> None:
    told = [{"state": ATTACK, "attack": DERIVED | change, "sentence": "8 less 5"}]
    monkeypatch.setattr(solving, "_replies", lambda question: told)
    (one,) = solved(TOLD)
    assert one.state == state
    if state == ATTACK:
        assert (one.low, one.high, one.sentence) == (3, 3, "8 less 5")


def test_a_question_survives_the_way_between_processes() -> None:
    back = Question.from_json(QUESTION.to_json())
    assert back.to_json() == QUESTION.to_json() and back.system.rows == QUESTION.system.rows == 1


@pytest.mark.chance(0)
def test_the_process_of_its_own_answers_and_prints_nothing_else() -> None:
    question = Question(2, (Known(ALL, 7, 7), Known(FIRST, 3, 3)), (Sum((1,), "the second"),), 3, None, 20.0)
    (one,) = solved(question)
    assert (one.state, one.low, one.high) == (ATTACK, 4, 4)
