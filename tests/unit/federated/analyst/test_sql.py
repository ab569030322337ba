"""A federation in SQL: the fluent form's query, in Python and in a notebook's cell."""

from __future__ import annotations

import pytest

import pets
from pets.cli.notebook import magic
from pets.errors import SqlError
from tests.unit.federated.site.test_site import HALF, federation, spent

TEXT = "SELECT age, COUNT(*) AS n FROM stays WHERE days > 3 GROUP BY age"


def test_a_federation_is_asked_in_sql() -> None:
    many = federation(people=60)
    asked = many.sql(TEXT)
    assert asked.digest == pets.sql(TEXT, many.schema).digest
    with pytest.raises(SqlError, match="QUANTILE_DISC"):
        many.sql("SELECT MAX(days) FROM stays")
    assert spent(many) == [0] * 3
    release = magic.ask("many --epsilon 0.5 --to answer", TEXT, {"many": many})
    assert release.query.digest == asked.digest
    assert release.epsilon == pytest.approx(many.quote(asked, HALF).epsilon)
