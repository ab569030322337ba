"""Planted faults as tasks: which rows bear each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pets.synthetic.quiz.key import PlainKey
from pets.synthetic.quiz.quiz import Quiz
from pets.synthetic.quiz.task import Task


def fault_quiz(answers: Iterable[Mapping[str, Any]], title: str) -> Quiz:
    """A quiz about an answer key: a task for each fault, with hints to its table, its columns and its rule.

    >>> line = {"fault": "twice", "table": "stays", "row": 7, "column": "(whole row)", "check": "keys are unique"}
    >>> quiz = fault_quiz([line | {"lesson": "Count once."}], "stays")
    >>> quiz.answer("twice", [5]), quiz.answer("twice", [7])
    (twice: 0 % (attempt 1). Hint: look at the table stays, twice: right, 100 % (attempt 2). Count once.)
    """
    faults: dict[str, list[Mapping[str, Any]]] = {}
    for line in answers:
        faults.setdefault(line["fault"], []).append(line)
    tasks, keys = [], {}
    for name, lines in faults.items():
        first, columns = lines[0], dict.fromkeys(line["column"] for line in lines)
        hints = (
            f"look at the table {first['table']}",
            f"look at {' and '.join(columns)} of {first['table']}",
            f"a rule of {first['table']} is broken: {first['check']}",
        )
        question = f"Which rows of {first['table']} bear this fault?"
        tasks.append(Task(name, "rows", question, hints, first["lesson"]))
        keys[name] = PlainKey(frozenset(str(line["row"]) for line in lines))
    return Quiz(tasks, keys, title)
