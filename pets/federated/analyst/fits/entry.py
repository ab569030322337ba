"""The signed entry that binds a regression or a survival curve, number by number, to the release that it was made of.

A session's ledger enters it at no cost, as it does a synthetic table (:mod:`pets.session.synthesis.attest`): what is
done with a release keeps its promise. The form holds the release itself, so that a reader can do the arithmetic again.

A federation has no ledger, and needs none here: its release is signed by the coordinator and the sites, and every part
of the form follows from it. So the form of a federation's model has no certificate, and nothing in it that anybody
could state otherwise. A regression that asked once for each iteration follows from its last step, which is signed
likewise (:mod:`pets.federated.analyst.fits.last_step`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from pets.common.clock import now
from pets.common.codec import Json, canonical
from pets.common.entropy import random_id
from pets.common.files import replace_file, writing
from pets.errors import UserError
from pets.ledger.derive import Derived, enter
from pets.release.certificate import Certificate
from pets.release.release import Release
from pets.session import guarantee_text
from pets.session.session import Session

Kind = Literal["fit", "survival"]
WHAT: dict[Kind, str] = {"fit": "a regression of released counts", "survival": "a survival curve of released counts"}
"""What the public log says of it: no constant."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Signed:
    """A model's signed entry.

    Attributes:
        certificate: the ledger's signed statement that these very numbers were made of this release; ``None`` for a
            federation's, which has no ledger of its own: there the release carries what its sites signed.
        derived: the canonical form that the certificate is about: the model's numbers, and the release, or the last
            step of a regression that asked a federation once for each iteration; ``None`` where there is neither.
    """

    certificate: Certificate | None = None
    derived: Json | None = None

    @property
    def to_check(self) -> Json | None:
        """The certificate with all that it is about; ``pets verify`` checks it, and does the arithmetic again."""
        if self.derived is None or self.certificate is None:
            return self.derived
        return self.derived | {"certificate": dict(self.certificate)}

    def save(self, path: str | Path) -> Path:
        """Write :attr:`to_check` to a file, for ``pets verify``.

        Raises:
            UserError: where nothing signed is beneath it, and for a path that cannot be written.
        """
        if self.to_check is None:
            raise UserError(
                "nothing that is signed is beneath this model, so nobody could check it; save one that glm or "
                "kaplan_meier gave"
            )
        with writing("the model", path, "fit.json"):
            target = Path(path)
            replace_file(target, canonical(self.to_check))
        return target


Model = TypeVar("Model", bound=Signed)


def of_steps(model: Model, made: Json, step: Json) -> Model:
    """A regression that was fitted step by step, with the form of which it follows; ``step``: its last one's record."""
    form: Json = {"pets": "derived", "version": 1, "kind": "fit", "id": step["id"], "schema": step["schema"]}
    return replace(model, derived=form | {"made": made, "from": [step]})


def signed(source: object, kind: Kind, model: Model, made: Json, release: Release) -> Model:
    """The model with its certificate, where a session's ledger signed the release; of a federation's, its form alone.

    Raises:
        LedgerError: where it cannot be entered; the release itself can be asked again at no cost.
    """
    schema = release.schema
    form: Json = {
        "pets": "derived",
        "version": 1,
        "kind": kind,
        "id": release.id if release.sharing is not None else random_id(),
        "schema": schema.to_json(),
        "made": made,
        "from": [release.to_json()],
    }
    if release.sharing is not None:
        return replace(model, derived=form)
    if not isinstance(source, Session) or release.certificate is None:
        return model
    custody, answer = source.custody, release.certificate.predicate
    table = release.table_name
    told = guarantee_text.derived(kind, schema, table, release.data, custody.engine, now())
    told |= {"release_id": form["id"], "project_id": custody.account.scope[0], "agent_id": custody.account.scope[1]}
    told |= {name: answer[name] for name in ("protection", "guarantee", "cost", "notes", "dp")} | {"what": WHAT[kind]}
    said = Derived(
        dataset=schema.dataset,
        scope=custody.account.scope,
        table=table,
        what=WHAT[kind],
        protection=told["protection"],
        unbounded=told["dp"] is None and release.data == "real",
        schema_digest=schema.digest,
    )
    certificate = Certificate(json.loads(enter(custody.account.ledger, said, form, told)))
    return replace(model, certificate=certificate, derived=form)
