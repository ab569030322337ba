"""Exit model: what models of survival have in common: a time, whether it ended in the event, bins, and groups."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, Self

from pets.common.codec import Json
from pets.common.literals import name as name_of
from pets.errors import QueryError, shown
from pets.models.model import Ask, Model, R_co, check_rows
from pets.models.survival.forecast import ExitForecast
from pets.plan.fitted.exits import exit_bins
from pets.plan.plan import Plan, make_plan
from pets.protection.budget import Budget
from pets.protection.protection import Protection
from pets.query_model.nodes.bin_edges import cut_json
from pets.query_model.nodes.exits import Exits
from pets.query_model.query import Query
from pets.release.release import Release
from pets.schema.domain import MISSING
from pets.schema.schema import Schema

VERSION = 1
NAME = "fit"
"""What the counts are called in the answer to the model's question."""
MAX_GROUPS = 50
"""Groups whose survival one model tells apart."""

_KINDS: dict[str, type[ExitModel[Any]]] = {}


@dataclass(frozen=True)
class ExitModel(Model[R_co]):
    """Who leaves when, with the event or without it, in each group.

    Attributes:
        data: the question that chooses the rows and computes columns; it has no measure and no groups of its own.
        time: how long each row was followed: a number, from 0 on.
        event: whether that ended in the event: a boolean.
        by: the columns that tell groups apart.
        edges, bins: as of :class:`pets.query_model.nodes.exits.Exits`.
    """

    data: Query
    time: str
    event: str
    by: tuple[str, ...] = ()
    edges: tuple[Fraction, ...] | None = None
    bins: int | None = None
    kind: ClassVar[str] = ""
    called: ClassVar[str] = ""
    """What it is called in a sentence, with its article."""
    fewest: ClassVar[int] = 1
    """Groups that it needs."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        _KINDS[cls.kind] = cls

    def __post_init__(self) -> None:
        data = check_rows(self.data)
        given: Any = (self.by,) if isinstance(self.by, str) else () if self.by is None else self.by
        if isinstance(given, (bytes, Mapping)) or not isinstance(given, (tuple, list)):
            raise QueryError(f"by is a column or a list of columns, such as by='arm', not {shown(given)}")
        for name in given:
            name_of("a column of by", name)
            if name in (self.time, self.event):
                raise QueryError(f"column {name!r} is in by and is the time or the event; take it out of by")
        object.__setattr__(self, "by", tuple(given))
        object.__setattr__(self, "data", data.shown_as(None))
        counted = self.counted
        for name in ("time", "event", "edges", "bins"):
            object.__setattr__(self, name, getattr(counted, name))
        if len(self.by) < self.fewest - 1:
            raise QueryError(f"{self.called} compares groups; name a column that tells them apart, such as 'arm'")

    @cached_property
    def counted(self) -> Exits:
        """What is counted."""
        return Exits(self.time, self.event, self.edges, self.bins)

    @cached_property
    def query(self) -> Query:
        """The question whose answer the model is fitted to: two lists of counts a group, whatever protects it."""
        grouped = self.data.group_by(*self.by) if self.by else self.data
        return grouped.agg(**{NAME: self.counted})

    def check(self, schema: Schema) -> None:
        """Refuse what is no time, no event or too many groups; raises :class:`QueryError`."""
        groups = len(places(make_plan(self.query, schema)))
        names = " and ".join(map(repr, self.by))
        if groups > MAX_GROUPS:
            raise QueryError(
                f"{names} makes {groups:,} groups, and {self.called} is of at most {MAX_GROUPS}; group its values "
                "first with map, a number's with such as with_columns(band=pets.col('age') // 20), or "
                "take another column"
            )
        if groups < self.fewest:
            raise QueryError(f"{self.called} compares groups, and {names} has one value only; take another column")

    def remarks(self, plan: Plan) -> list[str]:
        """What the given edges do with the largest times of the schema."""
        if self.edges is None:
            return []
        bins = exit_bins(self.counted, plan.fields, plan.table)
        last, largest = (cut_json(one) for one in (self.edges[-1], bins.largest))
        if len(bins.breaks) > len(bins.edges):
            return [f"Events from {last} on, the last edge, do not count; the schema allows times up to {largest}."]
        if bins.values[-1] is not None or not getattr(self, "actuarial", False):
            return []
        return [
            f"{largest} is the largest time of the schema and lies inside the last bin: who is followed that long "
            f"counts half at risk in it, so where many are the curve ends too low; make {largest} an edge."
        ]

    def forecast(self, schema: Schema, protection: Protection, budget: Budget) -> ExitForecast:
        """The noise that there will be at some numbers of rows."""
        plan = make_plan(self.query, schema)
        found = ExitForecast.of(plan, len(places(plan)), protection, budget)
        return replace(found, remarks=tuple(self.remarks(plan)))

    @abstractmethod
    def of(self, release: Release) -> R_co:
        """The fit that follows from the answer."""

    def fitted(self, ask: Ask, protection: Protection) -> R_co:
        """The fit, of the answer to :attr:`query`."""
        return self.of(ask(self.query, protection))

    @property
    def settings(self) -> Json:
        """What its canonical form has besides."""
        return {}

    @classmethod
    def _more(cls, form: Any) -> dict[str, Any]:
        """What of :attr:`settings` is not what a form has."""
        return {}

    @property
    def formula(self) -> str:
        """What the groups are by, in words."""
        return ", ".join(self.by)

    def to_json(self) -> Json:
        """The canonical form."""
        said = {name: part for name, part in self.counted.to_json().items() if name != "agg"}
        form: Json = {"model": self.kind, "version": VERSION, **said, **self.settings}
        form |= {"by": [{"column": name} for name in self.by]} if self.by else {}
        return form | {"data": {name: part for name, part in self.data.to_json().items() if name != "agg"}}

    @classmethod
    def from_json(cls, form: Any) -> Self:
        """The model whose canonical form this is; raises :class:`QueryError` for anything else."""
        try:
            if form["model"] != cls.kind or form["version"] != VERSION:
                raise ValueError("another model")
            parts = {name: form[name] for name in form if name not in ("model", "version", "data", "by")}
            parts |= {name: parts[name]["column"] for name in ("time", "event")}
            parts |= cls._more(form)
            by = tuple(one["column"] for one in form.get("by", ()))
            made = cls(Query.from_json({**form["data"], "agg": []}), by=by, **parts)
            if made.to_json() != form:
                raise ValueError("not canonical")
        except (LookupError, TypeError, ValueError, AttributeError):
            raise QueryError(
                f"this is no model of {cls.called} as pets writes it; build it with pets.{cls.kind}"
            ) from None
        return made


def exit_model_of(kind: str, form: Any) -> ExitModel[Any]:
    """The model of this kind whose canonical form this is; raises :class:`QueryError` for anything else."""
    return _KINDS[kind].from_json(form)


def places(plan: Plan) -> list[int]:
    """The groups that have a value in each column of ``by``."""
    columns = plan.layout.columns()
    null = {one.name for one in plan.layout.dimensions if plan.fields[one.column].nullable}
    return [
        place
        for place in range(plan.groups)
        if not any(name in null and labels[place] == MISSING for name, labels in columns.items())
    ]
