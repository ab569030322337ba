"""Trained: a network whose weights follow from released noisy sums by public arithmetic, with what it promises.

It predicts like a fitted estimator of scikit-learn, and is not fitted again. It is saved as JSON: numbers, and no code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pets.common import codec
from pets.common.codec import Json, canonical, fraction, whole
from pets.common.files import reading
from pets.errors import PetsError, UserError
from pets.models import saving
from pets.models.networks.classifying import Classifies
from pets.plan.trained.descent import trained
from pets.plan.trained.train_plan import TrainPlan, make_train_plan
from pets.query_model.trained.network import Network
from pets.release.certificate import Certificate
from pets.schema.schema import Schema

NONE = "this is no trained network as pets released it: ask for the original file"


class Trained(Classifies):
    """A trained network, made by :meth:`pets.Session.train`. All here is public; nothing here costs anything.

    Attributes:
        certificate: the ledger's signed statement about exactly these numbers (``None``: not signed).
    """

    FORM: ClassVar[str] = "trained"
    VERSION: ClassVar[int] = 1
    PARTS: ClassVar[tuple[str, ...]] = (
        *("pets", "version", "id", "dataset", "table", "network", "query", "schema", "plan", "people", "sums"),
        *(
            "weights",
            "mechanism",
            "scales",
            "losses",
            "protection",
            "snapshot",
            "data",
            "cost",
            "epsilon",
            "delta",
            "rho",
        ),
        *("guarantee", "budget", "issued_at", "project", "analyst", "notes"),
    )

    def __init__(self, form: Json, certificate: Certificate | None = None) -> None:
        named = (form["pets"], form["version"]) == (self.FORM, self.VERSION) and set(form) == set(self.PARTS)
        if not named or (certificate is not None and certificate.subject != codec.digest(form)):
            raise UserError(NONE)
        self._form: Json = json.loads(canonical(form))
        self.certificate = certificate
        network, plan = self.network, self.plan
        sums = form["sums"]
        right = plan.digest == form["plan"] and len(sums) == network.steps
        right = right and all(len(one) == plan.size for one in sums) and len(form["weights"]) == plan.size
        if not right or any(type(value) is not int for one in (*sums, form["weights"]) for value in one):
            raise UserError(NONE)
        made = trained(plan.widths, whole(form["people"]), sums, network.steps, network.rate, network.seed)
        if made != form["weights"] or not self.card:  # which reads all that is told of it
            raise UserError(NONE)

    # what it is -------------------------------------------------------------------------------------------------------

    @cached_property
    def network(self) -> Network:
        """What was trained."""
        return Network.from_json(self._form["network"])

    @cached_property
    def plan(self) -> TrainPlan:
        """What each step measured, and how far one person moves it."""
        return make_train_plan(self.network, Schema.from_json(self._form["schema"]))

    @property
    def _flat(self) -> Sequence[int]:
        found: list[int] = self._form["weights"]
        return found

    @property
    def _data(self) -> str:
        return str(self._form["data"])

    @property
    def people(self) -> int:
        """How many people it was trained on, counted with noise."""
        return int(self._form["people"])

    # what it promises -------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The release's random public name."""
        return str(self._form["id"])

    @property
    def guarantee(self) -> str:
        """The promise, as a sentence."""
        return str(self._form["guarantee"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        return tuple(self._form["notes"])

    @property
    def cost(self) -> Json:
        """``currency``, ``loss`` and ``delta`` in the ledger's exact units, of all steps together."""
        return dict(self._form["cost"])

    @property
    def card(self) -> str:
        """The model card: what it is, what it promises, what it cost, and how well membership can be told from it."""
        form = self._form
        epsilon, delta, rho = (float(fraction(form[name])) for name in ("epsilon", "delta", "rho"))
        charged = f"ρ = {rho:.4g} (ε = {epsilon:.6g} at δ = {delta:g}), for all steps, before the first"
        return self._card(charged, (epsilon, delta), float(fraction(form["scales"][1])))

    @property
    def form(self) -> Json:
        """The sealed release in canonical form: a copy."""
        copied: Json = json.loads(canonical(self._form))
        return copied

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the sealed form."""
        return codec.digest(self._form)

    @property
    def signed(self) -> Json:
        """The sealed form, its digest and its certificate: what is saved."""
        signed = {} if self.certificate is None else {"certificate": dict(self.certificate)}
        return self.form | {"digest": self.digest} | signed

    def save(self, path: str | Path) -> Path:
        """Write it as JSON, which :meth:`load` and ``pets verify`` read; raises :class:`UserError` where it cannot."""
        return saving.save(self.signed, path, "the network", "network.json", "its card is a text: trained.card")

    @classmethod
    def load(cls, path: str | Path) -> Trained:
        """Read a network that was saved; raises :class:`UserError` for one that is missing, edited or something else.

        Its weights are worked out anew from its sums. Whether the signature is genuine is for ``pets verify``.
        """
        with reading("the network", path, "network.json"):
            return cls.sealed(json.loads(Path(path).read_bytes()))

    @classmethod
    def sealed(cls, given: Mapping[str, Any], certificate: Json | None = None) -> Trained:
        """The network of a sealed form, as the ledger keeps it or as it is saved; raises as :meth:`load`."""
        try:
            form = {name: part for name, part in given.items() if name not in ("digest", "certificate")}
            signed = given.get("certificate") if certificate is None else certificate
            made = cls(form, None if signed is None else Certificate(signed))
            if given.get("digest", made.digest) != made.digest:
                raise ValueError("edited")
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, PetsError):
            raise UserError(NONE) from None
        return made

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Trained) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._form, self.certificate))
