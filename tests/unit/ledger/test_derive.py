"""What is made of answers alone has an entry of its own, which costs nothing and changes no account."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pets.common.codec import canonical, digest
from pets.errors import VerificationError
from pets.ledger.derive import Derived, enter
from pets.ledger.log import verifier
from pets.ledger.log.audit import Audit
from pets.ledger.log.records import record
from pets.ledger.publish import export
from pets.ledger.publish.read_log import published
from pets.release.certificate import Certificate
from tests.ledgers import Place, account, ask, audit, opened, request

MADE = Derived("d", ("p", "a"), "t", "a synthetic table by tree", {"kind": "dp", "epsilon": 1}, False, "0" * 64)
FORM = {"pets": "derived", "kind": "synthetic"}


def predicate(rows: str = "real") -> dict[str, object]:
    data = {"id": "d", "table": "t", "snapshot_id": "", "rows": rows}
    return {
        "derived": "synthetic",
        "release_id": "r",
        "dataset": data,
        "project_id": "p",
        "agent_id": "a",
        "what": MADE.what,
        "protection": MADE.protection,
        "guarantee": "none",
        "issued_at": "2026-01-01T00:00:00+00:00",
        "dp": {},
    }


def test_what_was_made_of_answers_costs_nothing(place: Place, tmp_path: Path) -> None:
    with opened(place) as ledger:
        asker = account(ledger)
        ask(asker, request("q"))
        before = asker.standing()
        signed = enter(ledger, MADE, FORM, predicate())
        said = Certificate(json.loads(signed))
        assert said.subject == digest(FORM)
        entry = json.loads(said.predicate["log"]["entry"])
        assert (entry["event"], entry["loss"], entry["delta"], entry["unbounded"]) == ("derived", 0, 0, False)
        assert asker.standing() == before and said.predicate["budget"]["charged"] == 0
        assert said.predicate["budget"]["before"] == said.predicate["budget"]["after"] == before.spent.loss
        assert published(ledger).history.others == ()
        ask(asker, request("later"))
        audit(ledger)
        export.write(ledger, tmp_path / "log", public=True)
        assert export.verify(tmp_path / "log", key=ledger.key).accounts[0].dataset == "d"
        assert verifier.verify(signed, ledger.key.raw).startswith("Genuine: ")
        with ledger.reading() as tx:
            bodies = [body for body, _, _ in tx.entries()]
    place_ = next(n for n, body in enumerate(bodies) if b'"event":"derived"' in body)
    for changed in ({"loss": 1}, {"delta": 1}, {"table": "other"}, {"dataset": "other"}, {"analyst": ""}, {"what": ""}):
        lie = {name: part for name, part in json.loads(bodies[place_]).items() if name != "sealed"} | changed
        found = Audit(said.predicate["log"]["origin"], ledger.key, seals=False)
        for body in bodies[:place_]:
            found.hear(body)
        with pytest.raises(VerificationError):
            found.hear(record(lie, {}).body)


def test_a_form_that_was_edited_is_not_the_one(place: Place) -> None:
    with opened(place) as ledger:
        ask(account(ledger), request("q"))
        signed = json.loads(enter(ledger, MADE, FORM, predicate()))
        whole = canonical(FORM | {"certificate": signed})
        assert verifier.verify(whole, ledger.key.raw).startswith("Genuine: ")
        with pytest.raises(verifier.Unverified, match="not the one that was certified"):
            verifier.verify(canonical(FORM | {"kind": "other", "certificate": signed}), ledger.key.raw)
