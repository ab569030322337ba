"""No error of questions, schemas, plans, rows and sessions names a remedy that nobody has tried.

Every statement that raises an error for people is passed by a case of ``test_remedies.py`` in its folder (where the
remedy is applied, and works), or stands in the list below, with the reason.
"""

from __future__ import annotations

import importlib
import re

import pytest

from tests.remedies import FOLDERS, Site, passed, refused, sites

pytestmark = pytest.mark.chance(0)

PERSONS = {
    # file and a part of the statement: what a person does outside of pets, or why there is nothing to apply
    "pets/rows/report.py: make the snapshot again": "as for every damaged snapshot: there is a case of that",
    "pets/rows/sources.py: check its permissions": "who may read a file is its owner's act",
    "pets/rows/sources.py: check that it is complete": "the last resort for what no engine has said before",
    "pets/rows/sources.py: the line breaks the CSV rules": "what is broken is known to the line's author",
    "pets/rows/sources.py: free some space": "space on a disk is the administrator's act",
    "pets/rows/sources.py: raise memory": "the machine must have it: test_snapshot.py reads more than memory",
    "pets/rows/engine/stopping.py: no time is left": "a part of a finding: door/test_in_time.py has it",
    "pets/rows/spark/making.py: worker.OTHER_VERSION": "what workers have is the administrator's act",
    "pets/rows/spark/making.py: the workers of Spark lack": "what workers have is the administrator's act",
    "pets/rows/spark/making.py: Spark could not read": "what Spark could not read is known to its own log",
    "pets/rows/spark/sources.py: raise DataError(NOT_HERE)": "it needs a Spark: spark/test_making.py has it",
    "pets/rows/spark/sources.py: cannot be opened by Spark": "it needs a Spark: spark/test_making.py has it",
    "pets/rows/spark/sources.py: and not in all of them": "it needs a Spark: spark/test_changing.py has it",
    "pets/rows/spark/sources.py: is half written": "it needs a Spark: spark/test_changing.py has it",
    "pets/rows/spark/sources.py: is not read on Spark": "it needs a Spark: spark/test_making.py has it",
    "pets/rows/spark/spark_session.py: NO_JAVA": "what is installed is the administrator's act",
    "pets/rows/spark/spark_session.py: raise UserError(STOPPED)": "it needs a Spark: spark/test_ended.py has it",
    "pets/rows/spark/spark_session.py: Spark Connect": "where a program runs is the administrator's act",
    "pets/rows/spark/staged.py: all workers reach": "what workers reach is the administrator's act",
    "pets/rows/spark/staged.py: of a type that is not read": "it needs a Spark, and a type that Arrow lacks",
    "pets/rows/spark/worker.py: raise RuntimeError(OTHER_VERSION)": "in a worker: making.py gives its sentence",
    "pets/rows/spark/worker.py: raise RuntimeError(NOT_THERE)": "in a worker: making.py gives its sentence",
    "pets/rows/spark/worker.py: raise RuntimeError(failed)": "in a worker: making.py gives its sentence",
    "pets/rows/sql_url.py: install it with": "what is installed is the administrator's act",
    "pets/schema/domain.py: an identifier has no public list": "a rule of pets: nothing mends it",
    "pets/schema/domain.py: an identifier may not appear": "a rule of pets: nothing mends it",
    "pets/query_model/condition.py: {text} {what}": "it gives others' sentences, which have cases",
    "pets/query_model/sql/parsing.py: this cannot be read as SQL": "a mistake of the library's own; none is known",
    "pets/query_model/sql/parsing.py: cannot be read as the SQL of DuckDB": "where the library notes no place",
    "pets/query_model/sql/parsing.py: a question is one SELECT": "for statements in brackets that are none",
    "pets/query_model/sql/refusal.py: SqlError(sentence": "it shows a place: sql/test_reading.py has them all",
    "pets/query_model/sql/people/scope.py: people's columns would be": "at a place: sql/people/test_reading.py has it",
    "pets/query_model/sql/reading.py: raise QueryError(_DEEP)": "as in parsing.py: there is a case of that",
    "pets/plan/layout.py: is not a group key": "for classes of keys that pets does not have",
    "pets/plan/computed/derive.py: is not a derived column that can be planned": "for classes that pets does not have",
    "pets/plan/measures.py: is not an aggregate that can be planned": "for classes that pets does not have",
    "pets/session/batch.py: was refreshed while": "a race with the custodian's refresh: ask again is what it says",
    "pets/session/batch.py: another course": "another machine's arithmetic, which one machine cannot show",
    "pets/session/door/checking.py: raise TimeoutError": "a part of a finding: door/test_in_time.py has it",
    "pets/session/grid/answers.py: the invented rows could not be counted": "invented rows always can be",
    "pets/session/grid/naming.py: the grid could not be counted": "the custodian looks the incident up",
    "pets/session/custody.py: a custody holds data": "open it again, as for a session: there is a case of that",
    "pets/session/synthesis/engine.py: (why)": "it gives others' sentences",
    "pets/session/answering.py: release_failed(": "the custodian looks the incident up",
}


def untried() -> list[Site]:
    """The statements that no case has passed, by its lines or (where an error is raised anew) by its sentence."""
    lines: set[tuple[str, int]] = set()
    texts: list[str] = []
    for folder in FOLDERS:
        for case in importlib.import_module(f"tests.unit.{folder}.test_remedies").CASES:
            error = refused(case)
            lines |= set(passed(error))
            texts.append(str(error))

    def tried(site: Site) -> bool:
        if any((site.file, line) in lines for line in range(site.first, site.last + 1)):
            return True
        return bool(site.says) and any(re.search(site.says, text) for text in texts)

    return [site for site in sites() if not tried(site)]


def named(entry: str, site: Site) -> bool:
    file, _, part = entry.partition(": ")
    return site.file == file and part in site.text


def test_every_remedy_is_tried() -> None:
    assert len(sites()) > 300
    left = untried()
    assert [f"{site.file}:{site.first} {site.text}" for site in left if not any(named(e, site) for e in PERSONS)] == []
    # and nothing stands in the list that is gone, or is tried by now
    assert [entry for entry in PERSONS if not any(named(entry, site) for site in left)] == []
