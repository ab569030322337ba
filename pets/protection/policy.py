"""Policy: what the custodian allows, whatever the budget would pay for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from pets.common.arguments import plain_fields
from pets.common.codec import Json, digest, python_value, whole
from pets.errors import PolicyError, shown
from pets.protection.sdc import OWN, SDC, WIDTH, allowed_names
from pets.query_model.expression import comparisons
from pets.query_model.query import Query

APPROVALS = ("before", "after")
"""When a second person may have to approve."""

_LIMITS = (
    *("max_numbers", "max_conditions", "max_denials", "sdc_width", "sdc_tables", "sdc_seconds", "sdc_atoms"),
    *("output_votes", "output_days"),
)
_CHOICES = {"sdc_filters": ("bins", "any"), "sdc_review": ("never", "always")}
_SWITCHES = ("output_same_project", "output_logins")


@plain_fields(PolicyError)
@dataclass(frozen=True)
class Policy:
    """The custodian's rules for one session.

    Attributes:
        allow_unbounded: whether releases without a finite guarantee (``pets.Total()``: exact totals of real rows) may
            leave. They are then named on every later release of the same dataset.
        max_numbers: numbers in the answers to one request (groups times measures; a histogram's bins are several).
        max_conditions: conditions on a column that one question is made of; a list of values (``isin``) is one.
        max_denials: requests over the budget that the log enters of one analyst in an hour. Beyond them a request is
            refused all the same, and leaves no entry.
        approval: when a second person must approve what is asked through the service: ``"before"`` its answer is made
            (what is refused costs nothing), or ``"after"`` (it stays charged; the reviewer sees the protected answer
            alone, and nobody else sees it before). ``None``: nobody need.
        sdc: the rules of disclosure control by which counts may leave without noise: names of presets
            (``"hes"``, …), and ``"own"`` for rules that are none. They are then named on every later release.
        sdc_width: how many whole numbers beside the true one each small count must leave open; a rule of less is
            refused.
        sdc_atoms: the cells that a dataset's grid may have, and the groups into which tables that are compared may cut
            the people.
        sdc_review: what becomes of tables that are no sums of the grid's cells: they are refused (``"never"``), or
            each waits for another person, who looks at what it would tell (``"always"``). None leaves by itself.
        sdc_filters: what such a table's conditions, and its keys of the grid's columns, may take: whole steps of the
            grid (``"bins"``) or any values (``"any"``; ranges whose ends move give single values away).
        sdc_tables: such tables that one project may ever ask for, whatever becomes of them.
        sdc_seconds: for the check of one of them; what is not decided then is undecided.
        output_votes: people who must approve an output that an analyst takes out of the airlock; never its author.
        output_days: in which it is to be decided.
        output_same_project: whether they may be of the author's project.
        output_logins: whether their votes count only where a login says who votes, or a key of their own signs them,
            and not on the word of whoever keeps the ledger.
    """

    allow_unbounded: bool = False
    max_numbers: int = 200_000
    max_conditions: int = 2_000
    max_denials: int = 100
    approval: str | None = None
    sdc: tuple[str, ...] = ()
    sdc_width: int = WIDTH
    sdc_filters: str = "bins"
    sdc_tables: int = 50
    sdc_seconds: int = 60
    sdc_atoms: int = 20_000
    sdc_review: str = "never"
    output_votes: int = 2
    output_days: int = 7
    output_same_project: bool = False
    output_logins: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "allow_unbounded", python_value(self.allow_unbounded))
        if not isinstance(self.allow_unbounded, bool):
            raise PolicyError(f"allow_unbounded must be True or False, not {shown(self.allow_unbounded)}")
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise PolicyError(f"{name} must be True or False, not {shown(getattr(self, name))}")
        for name in _LIMITS:
            try:
                value = whole(getattr(self, name))
            except ValueError:
                value = 0
            if value < 1:
                raise PolicyError(f"{name} must be a whole number above 0, not {shown(getattr(self, name))}")
            object.__setattr__(self, name, value)
        if self.approval is not None and self.approval not in APPROVALS:
            raise PolicyError(f"approval must be 'before' or 'after', or left out, not {shown(self.approval)}")
        object.__setattr__(self, "sdc", allowed_names(self.sdc))
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                said = " or ".join(map(repr, choices))
                raise PolicyError(f"{name} must be {said}, not {shown(getattr(self, name))}")

    def check_sdc(self, asked: SDC) -> None:
        """Refuse a rule of disclosure control that is not allowed to release; raises :class:`PolicyError`."""
        asked.check_releases()
        if asked.name not in self.sdc:
            also = f", or {', '.join(f'pets.SDC({name!r})' for name in self.sdc if name != OWN)}" if self.sdc else ""
            raise PolicyError(
                f"pets.SDC has no finite guarantee and this custodian's policy does not allow {asked.name!r}; use "
                f"pets.DP(epsilon=…){also.removesuffix(', or ')}"
            )
        self.check_width(asked)

    def check_width(self, asked: SDC) -> None:
        """Refuse a rule that leaves less open than is asked for; raises :class:`PolicyError`."""
        if asked.width < self.sdc_width:
            raise PolicyError(
                f"width={asked.width} leaves small counts less open than this custodian's policy asks for; use "
                f"width={self.sdc_width}"
            )

    def check_conditions(self, query: Query) -> None:
        """Refuse a question of more conditions than are allowed, before any work; raises :class:`PolicyError`."""
        filters = [query.condition, *(getattr(aggregate, "where", None) for _, aggregate in query.aggregates)]
        count = sum(comparisons(one) for one in filters if one is not None)
        count += 0 if query.people is None else query.people.comparisons
        if count > self.max_conditions:
            raise PolicyError(
                f"the question is made of {count:,} conditions and this custodian's policy allows "
                f"{self.max_conditions:,}; put values of one column in a list, with isin"
            )

    def check_numbers(
        self, count: int, instead: str = "group by fewer columns, use coarser bins, or ask for fewer measures"
    ) -> None:
        """Refuse a request whose answers hold more numbers than are allowed; raises :class:`PolicyError`.

        ``instead``: what to do.
        """
        if count > self.max_numbers:
            raise PolicyError(
                f"the answer would hold {count:,} numbers and this custodian's policy allows {self.max_numbers:,}; "
                f"{instead}"
            )

    def to_json(self) -> Json:
        """The canonical form; what is as usual, but for ``allow_unbounded``, is left out of it."""
        usual = {field.name: field.default for field in fields(self)}
        limits = {n: getattr(self, n) for n in (*_LIMITS, *_CHOICES, *_SWITCHES) if getattr(self, n) != usual[n]}
        asked = {} if self.approval is None else {"approval": self.approval}
        rules = {"sdc": list(self.sdc)} if self.sdc else {}
        return {"allow_unbounded": self.allow_unbounded} | limits | asked | rules

    @classmethod
    def from_json(cls, form: Any) -> Policy:
        """The inverse of :meth:`to_json`; raises :class:`PolicyError` for anything else."""
        if not isinstance(form, dict) or not set(form) <= {field.name for field in fields(cls)}:
            raise PolicyError(f"{shown(form)} is not a policy as pets writes it; ask its custodian for it")
        return cls(**form)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form."""
        return digest(self.to_json())
