"""Every spec on Spark, in few jobs: one by one they would take many times as long."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from pets.testing import exact, exact_answers
from tests.sparks import batched
from tests.spec import book, test_spec
from tests.spec.test_spec import ALL, IDS

pytest.importorskip("pyspark", reason="the spark extra")


def test_every_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("snapshot", "linked"):
        monkeypatch.setattr(exact_answers, name, partial(test_spec._once, getattr(exact_answers, name)))

    def asked(chapter: Any, spec: Any) -> Any:
        data = test_spec.rows(tuple(chapter.tables_of(spec).items()))
        return partial(exact, book.schema(chapter.schema_of(spec)), data, book.asked(spec.query), engine="spark")

    found = batched([asked(chapter, spec) for chapter, spec in ALL])
    wrong = {
        name: table for name, (_, spec), table in zip(IDS, ALL, found, strict=True) if book.mistakes(spec.answer, table)
    }
    assert not wrong, f"{len(wrong)} of {len(ALL)} differ, such as {next(iter(wrong.items()))}"
