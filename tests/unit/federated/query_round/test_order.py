"""What an analyst asks of all sites: whatever the form holds, a site ignores it in one sentence."""

from __future__ import annotations

import pytest

import pets
from pets.common.entropy import random_id
from pets.federated.messages.errors import ProtocolError
from pets.federated.query_round.order import Order
from tests.unit.query_model.people_remedies import compared_with


def test_a_question_nested_too_deeply_is_ignored() -> None:
    question = pets.query("stays").agg(n=pets.count())
    form = Order(random_id(), "0" * 64, "0" * 64, "a", question, pets.Total(), "masked", None).to_json()
    assert Order.from_json(form).query == question
    for levels in (12, 200, 220):
        where = {"filter": "versus", "column": "a", "op": "==", "feature": compared_with(levels, "versus")}
        with pytest.raises(ProtocolError, match="not in the form that pets writes"):
            Order.from_json({**form, "query": {**question.to_json(), "where": where}})
