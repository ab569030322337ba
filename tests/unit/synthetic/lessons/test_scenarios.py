"""Scenarios: what happened to the rows is what the file says, and a text is marked by its rubric."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pets
from pets.errors import UserError
from pets.synthetic.lessons.changes import Change, changed
from pets.synthetic.lessons.draws import values_of
from pets.synthetic.lessons.lesson import lessons, load_lesson
from pets.synthetic.lessons.making import hand_out, own_secret, prepare, rows_of
from pets.synthetic.lessons.marking import mark
from pets.synthetic.packs.formula import read
from pets.synthetic.packs.functions import FUNCTIONS
from pets.synthetic.packs.pack import load_pack
from pets.synthetic.quiz.secret import Secret
from tests.lessons import run

PACK = load_pack("dental")
SCENARIOS = [taught.name for taught in lessons() if taught.rubric]
SECRET = Secret(bytes(range(32)))


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    return dict(pets.dummy("dental", people=300, seed=4).tables)


def change(kind: str, column: str = "", value: str = "", where: str | None = None, share: float = 1) -> Change:
    formula = None if where is None else read(where, FUNCTIONS)
    return Change("it", kind, "visits", column, formula, share, value)


def test_a_value_is_set_multiplied_or_taken_away_where_the_condition_holds(tables: dict[str, Any]) -> None:
    before = tables["visits"].to_pandas()
    young = before.age < 40
    some = changed(PACK, tables, [change("scale", "minutes_late", "0.5", "age < 40")], 1)["visits"].to_pandas()
    assert (some.minutes_late - before.minutes_late / 2).abs()[young].max() <= 0.5 and young.any()
    assert (some.minutes_late < before.minutes_late)[young].sum() > 20
    assert some.minutes_late[~young].equals(before.minutes_late[~young]) and (~young).any()
    emptied = changed(PACK, tables, [change("empty", "pain", where="minutes_late > 10")], 1)["visits"].to_pandas()
    assert emptied.pain[before.minutes_late > 10].isna().all()
    assert emptied.pain[before.minutes_late <= 10].equals(before.pain[before.minutes_late <= 10])
    reasons = sorted(before.reason.unique())
    whole = changed(PACK, tables, [change("set", "reason", reasons[0], "age >= 40")], 1)["visits"].to_pandas()
    assert set(whole.reason[before.age >= 40]) == {reasons[0]}
    assert whole.reason[before.age < 40].tolist() == before.reason[before.age < 40].tolist()


def test_rows_are_taken_out_or_given_to_others_in_their_share(tables: dict[str, Any]) -> None:
    before = tables["visits"].to_pandas()
    thin = changed(PACK, tables, [change("thin", where="age >= 40", share=0.5)], 1)["visits"].to_pandas()
    assert (thin.age < 40).sum() == (before.age < 40).sum()
    assert 0.4 < (thin.age >= 40).sum() / (before.age >= 40).sum() < 0.6
    moved = changed(PACK, tables, [change("mislink", where="age >= 40")], 1)["visits"].to_pandas()
    old = before.age >= 40
    assert Counter(moved.patient[old]) == Counter(before.patient[old])  # nobody is invented, nobody lost
    assert (moved.patient[old] != before.patient[old]).mean() > 0.9
    assert moved.patient[~old].equals(before.patient[~old])
    assert moved.drop(columns="patient").equals(before.drop(columns="patient"))
    again = changed(PACK, tables, [change("mislink", where="age >= 40")], 1)["visits"].to_pandas()
    other = changed(PACK, tables, [change("mislink", where="age >= 40")], 2)["visits"].to_pandas()
    assert again.equals(moved) and not other.equals(moved)


def test_what_cannot_happen_is_refused(tables: dict[str, Any]) -> None:
    for one, words in (
        (change("set", "reason", "no reason of the pack"), "what the schema of the pack does not allow"),
        (change("scale", "minutes_late", "100000"), "what the schema of the pack does not allow"),
        (change("set", "reasn", "x"), "no column 'reasn'"),
        (change("thin", where="ages > 3"), "no column 'ages'"),
        (replace(change("thin"), table="visit"), "no table 'visit'"),
        (change("thin", where="age"), "is no condition"),
    ):
        with pytest.raises(UserError, match=f"the change 'it': .*{words}"):
            changed(PACK, tables, [one], 1)
    for kind, column, value, words in (
        ("sets", "reason", "x", "one kind of set, empty"),
        ("set", "", "x", "is of a column"),
        ("thin", "reason", "", "is of whole rows"),
        ("set", "reason", "", "has a value"),
        ("empty", "reason", "x", "has no value"),
    ):
        with pytest.raises(UserError, match=words):
            change(kind, column, value)


def drawn(name: str, student: str, secret: Secret = SECRET) -> dict[str, str]:
    taught = load_lesson(name)
    return values_of(taught.draws, own_secret(taught, secret, student))


@pytest.mark.parametrize("student", ["s01", "s02"])
def test_two_trusts_merge_and_the_sites_stay(student: str) -> None:
    one = drawn("merger", student)
    gone, into, day = one["gone"], one["into"], f"{one['month']}-01"
    made = rows_of(load_lesson("merger"), SECRET, student)["apc"]
    late = day <= made.ADMIDATE
    assert not (made.PROCODE3[late] == gone).any() and (made.PROCODE3[~late] == gone).any() and gone != into
    assert (made.PROCODE5.str[:3] == made.PROCODE3).all()
    assert ((into == made.PROCODE3) & (made.SITETRET.str[:3] == gone))[late].any()


def test_what_happened_differs_between_students_and_the_lesson_does_not_say_it() -> None:
    for name in SCENARIOS:
        every = [drawn(name, f"s{number}") for number in range(40)]
        assert every == [drawn(name, f"s{number}") for number in range(40)]
        assert every != [drawn(name, f"s{number}", Secret(b"another secret 16")) for number in range(40)]
        for key in every[0]:
            of = Counter(one[key] for one in every)
            assert len(of) >= 3 and of.most_common(1)[0][1] <= 20, (name, key, of)  # what a guess finds


@pytest.mark.parametrize("student", ["w1", "w2"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_solution_finds_what_happened_to_other_students(name: str, student: str, tmp_path: Path) -> None:
    hand_out(load_lesson(name), tmp_path / student, SECRET, student, solutions=True)
    quiz = run(tmp_path / student)["quiz"]
    assert quiz.score == 100, (drawn(name, student), quiz)


SCENARIO = """
lesson: fewer
title: Fewer visits
about: Visits that are not there.
minutes: 5
draws:
  reason: check pain
  strong: 1 2 3
data:
  pack: dental
  people: 60
  changes:
    thinner:
      kind: thin
      table: visits
      where: reason == "{reason}"
      share: 0.5
    later:
      kind: set
      table: visits
      column: pain
      where: reason == "{reason}"
      value: "{strong}"
tasks:
  visits:
    kind: number
    question: How many visits?
    sql: SELECT count(*) FROM visits
  others:
    kind: number
    question: How many visits are of other reasons?
    sql: SELECT CAST(getvariable('visits') AS INT) - count(*) FROM visits WHERE reason = '{reason}'
rubric:
  says how many:
    points: 4
    look_for: The number of visits for {reason}.
"""


def test_a_text_is_marked_by_its_rubric(tmp_path: Path) -> None:
    secret = Secret(bytes([1] * 32))  # under which other things happen to s02 than to s01
    folder, out, key = tmp_path / "fewer", tmp_path / "out", tmp_path / "key"
    folder.mkdir()
    (folder / "lesson.yaml").write_text(SCENARIO, "utf-8")
    (folder / "lesson.md").write_text("# Fewer\n", "utf-8")
    taught = load_lesson(str(folder))
    prepare(taught, ["s01", "s02"], secret, out, key)
    assert not (out / "rubric.csv").exists() and (key / "rubric.csv").stat().st_mode & 0o077 == 0
    assert [line.task for line in mark(out, key).lines] == ["visits", "others"] * 2  # nothing filled in yet
    with (key / "rubric.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["student"], row["criterion"], row["of"]) for row in rows] == [
        ("s01", "says how many", "4"),
        ("s02", "says how many", "4"),
    ]
    for name, row in zip(("s01", "s02"), rows, strict=True):
        own = own_secret(taught, secret, name)
        one = values_of(taught.draws, own)
        made = rows_of(taught, secret, name)["visits"]
        assert (one["reason"], one["strong"]) == {"s01": ("pain", "2"), "s02": ("check", "3")}[name]
        assert row["look_for"] == f"The number of visits for {one['reason']}."
        assert set(made.pain[made.reason == one["reason"]]) == {one["strong"]}
        told = [task["answer"] for task in json.loads((key / f"{name}.json").read_text("utf-8"))["tasks"]]
        assert told == [[str(len(made))], [str((made.reason != one["reason"]).sum())]]
    text = (key / "rubric.csv").read_text("utf-8")
    (key / "rubric.csv").write_text(text.replace("s01,says how many,,", "s01,says how many,3,"), "utf-8")
    lines = {(line.student, line.task): line for line in mark(out, key).lines}
    assert lines["s01", "rubric: says how many"].score == 75
    assert lines["s02", "rubric: says how many"].note == "no brief.md was handed in"
    (out / "s02" / "brief.md").write_text("Many.", "utf-8")  # and the trainer has not got that far
    assert [line.task for line in mark(out, key).lines if line.student == "s02"] == ["visits", "others"]
    assert mark(out, key).totals() == {"s01": 25, "s02": 0}
    (key / "rubric.csv").write_text(text.replace("s01,says how many,,", "s01,says how many,5,"), "utf-8")
    with pytest.raises(UserError, match="the rubric gives s01 '5' points of '4'"):
        mark(out, key)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: thin", "kind: thinner", "lesson.yaml:13: a change is of one kind"),
        ("share: 0.5", "share: half", "lesson.yaml:13: "),
        ("share: 0.5", "shares: 0.5", "lesson.yaml:17: 'shares' is no setting of it; did you mean 'share'"),
        ("points: 4", "points: many", "points is a whole number"),
        (
            "{strong}",
            "{strange}",
            "yaml:23: {strange} is drawn nowhere; name it under draws; did you mean 'strong'",
        ),
        (
            "How many visits?",
            "How many for {reason}?",
            "is the same for all students; take {reason} out of it",
        ),
        ("strong: 1 2 3", "strong: 1", "lesson.yaml:8: a draw of strong is among more different values than names"),
        ("strong: 1 2 3", "strong: 1 1 2", "lesson.yaml:8: a draw of strong is among more different values"),
        ("strong: 1 2 3", "strong reason: 1 2 3", "lesson.yaml:8: {reason} is drawn twice"),
        ("strong: 1 2 3", "Strong: 1 2 3", "lesson.yaml:8: what is drawn is named by small letters"),
        ("  changes:", "  faults:\n    treated-twice: 0.1\n  changes:", "no faults beside its changes"),
    ],
)
def test_what_is_wrong_in_a_scenario_is_said_with_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "lesson.yaml").write_text(SCENARIO.replace(old, new, 1), "utf-8")
    with pytest.raises(UserError) as wrong:
        load_lesson(str(tmp_path))
    assert words in str(wrong.value), str(wrong.value)
