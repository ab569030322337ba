"""Opening: how a process of the service opens a custodian, as text that another process can be given."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pets.common.codec import Json
from pets.errors import BudgetError, DataError, PolicyError, UserError, did_you_mean, shown
from pets.ledger.ledger import Ledger
from pets.protection.budget import Budget
from pets.protection.policy import Policy
from pets.session.custodian import Custodian


@dataclass(frozen=True)
class Opening:
    """What a :class:`pets.Custodian` is opened with: the same in the processes that listen and in those that answer.

    Attributes:
        schema: the path of its file.
        ledger: a file, or the URL of a database.
        data: by table, where its rows are (a path, or the URL of a database).
        snapshots: the folder of the prepared tables.
        keys: the folder of the ledger's keys, where they lie elsewhere.
        budget: of a dataset that the ledger does not know yet: a :class:`pets.Budget`, or what ``service.yaml`` says of
            one, such as ``{"epsilon": 3, "delta": 1e-6}``. It is kept in its canonical form.
        policy: what is allowed: a :class:`pets.Policy`, or its parts by name, such as ``{"approval": "before"}``.
        engine, memory, threads: as for :class:`pets.Custodian`.

    Raises:
        BudgetError: for what is no budget.
        PolicyError: for what is no policy.
    """

    schema: str
    ledger: str
    data: Mapping[str, str] = field(default_factory=dict)
    snapshots: str | None = None
    keys: str | None = None
    budget: Budget | Mapping[str, Any] | None = None
    policy: Policy | Mapping[str, Any] = field(default_factory=dict)
    engine: str = "duckdb"
    memory: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.budget is not None:
            object.__setattr__(self, "budget", _budget(self.budget).to_json())
        if isinstance(self.policy, Policy):
            object.__setattr__(self, "policy", self.policy.to_json())
        elif isinstance(self.policy, Mapping):
            Policy(**self.policy)
        else:
            raise PolicyError(f"a policy is pets.Policy(…), or its parts by name, not {shown(self.policy)}")

    def custodian(self, *, progress: bool = False) -> Custodian:
        """Open it; raises what :class:`pets.Custodian` raises."""
        with warnings.catch_warnings(action="ignore"):  # that stored snapshots are used is what they are for
            return Custodian(
                self.schema,
                dict(self.data),
                budget=None if self.budget is None else Budget.from_json(self.budget),
                ledger=Ledger(self.ledger, keys=self.keys),
                policy=Policy.from_json(self.policy),
                engine=self.engine,
                snapshots=self.snapshots,
                memory=self.memory,
                threads=self.threads,
                progress=progress,
            )

    def listening(self) -> Custodian:
        """Open it in a process that listens, which reads no rows: from stored snapshots alone.

        Raises:
            DataError: where a table is not ready there; else as :meth:`custodian`.
        """
        told = f"the tables of {self.schema!r} are not ready in {self.snapshots!r}, and whoever listens reads no rows"
        remedy = f"make them ready first: pets snapshot --schema {self.schema} --data FILE --out {self.snapshots}"
        if self.snapshots is None:
            raise DataError("whoever listens reads no rows; give snapshots= a folder that pets snapshot has made")
        try:
            found = replace(self, data={}).custodian()
        except DataError:
            raise DataError(f"{told}; {remedy}") from None
        if not set(self.data) <= set(found.tables):
            raise DataError(f"{told}; {remedy}")
        return found

    def to_json(self) -> Json:
        """As text for another process; it may hold the password of a database."""
        return asdict(self)

    @classmethod
    def from_json(cls, form: Any) -> Opening:
        """The inverse of :meth:`to_json`; raises :class:`UserError` for anything else."""
        known = [one.name for one in fields(cls)]
        if not isinstance(form, dict):
            raise UserError(f"how a custodian is opened is an object, not {shown(form)}")
        for name in form:
            if name not in known:
                raise UserError(f"a custodian is not opened with {shown(name)}{did_you_mean(name, known)}")
        return cls(**form)


def _budget(given: Any) -> Budget:
    if isinstance(given, Budget):
        return given
    if not isinstance(given, Mapping):
        raise BudgetError(f"a budget is pets.Budget(epsilon=3, delta=1e-6), or its parts by name, not {shown(given)}")
    canonical = all(isinstance(part, (int, str)) for part in given.values()) and len(given) == len(fields(Budget))
    return Budget.from_json(given) if canonical else Budget(**given)
