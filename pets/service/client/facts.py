"""Facts: what is public of a service's dataset, and all that a question's terms follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pets.errors import PetsError, UserError
from pets.protection.policy import Policy
from pets.schema.schema import Schema
from pets.service.client.transport import Transport
from pets.service.wire.harmless import harmless
from pets.session.quoting.quote import Remaining
from pets.session.quoting.terms import PublicTerms


@dataclass(frozen=True)
class Facts:
    """What a service tells of a dataset.

    Attributes:
        terms: its schema, policy and budget.
        engine: what computes there.
        tables: those that have data.
        snapshots: by table, the public id of the rows that are asked now.
    """

    terms: PublicTerms
    engine: str
    tables: tuple[str, ...]
    snapshots: Mapping[str, str]

    @classmethod
    def of(cls, transport: Transport, dataset: str) -> Facts:
        """As the service tells them now; raises :class:`UserError` for what is none."""
        told = transport.get("datasets", dataset, "schema")
        remaining = Remaining.from_json(transport.get("datasets", dataset, "budget").get("remaining"))
        try:
            return cls._read(told, remaining)
        except (PetsError, LookupError, TypeError, ValueError, AttributeError):
            raise UserError(
                f"the service's description of {dataset!r} is none that this version of pets reads; install the "
                "version of pets that the service has"
            ) from None

    @classmethod
    def _read(cls, told: Any, remaining: Remaining) -> Facts:
        terms = PublicTerms(Schema.from_json(told["schema"]), Policy.from_json(told["policy"]), remaining.budget)
        said = harmless({name: told[name] for name in ("engine", "tables", "snapshots")})
        snapshots = {str(name): str(one) for name, one in said["snapshots"].items()}
        return cls(terms, str(said["engine"]), tuple(map(str, said["tables"])), snapshots)
