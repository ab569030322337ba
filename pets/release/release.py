"""Release: a sealed answer — raw noisy integers, the scale of their noise, and where they came from.

Everything shown (tables, intervals, charts, pages) is computed from these on request; a release holds no row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from pets.common import codec
from pets.common.arguments import plain_arguments
from pets.common.codec import Json, canonical, fraction
from pets.common.files import reading
from pets.common.integers import Ints
from pets.errors import InternalError, PetsError, QueryError, UserError, missing_extra, shown
from pets.plan.plan import Plan, make_plan
from pets.query_model.display import Display
from pets.query_model.query import Query
from pets.release.certificate import Certificate
from pets.release.estimate import Estimates, Mechanism, estimated, noise_of
from pets.release.release_form import form_of, mismatch, parts_of, plain
from pets.release.tables.verbs import Tables
from pets.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from pets.release.views import RowsCounted

_SEAL = object()
"""What shows that a release comes from a protection.

A convention that stops accidents, not attacks: no Python object can stop its own process. Whether a release is genuine
is for the signed certificate and the ledger to say.
"""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Release(Tables):
    """A protected answer. Only a protection can make one; it can be saved, loaded, shown and post-processed.

    Guarantee: the sentence in ``guarantee``. Post-processing (every property and method here) keeps it.

    Attributes:
        id: the release's random public name.
        query, schema: what was asked of what: enough to plan again.
        plan_digest: of the plan that was measured.
        values: the vector as it left, read-only.
        mechanism, scales: whose noise is on it, and its parameter for each measure (all 0 for ``"none"``).
        protection: the protection's canonical form.
        snapshot_id: the random public name of the snapshot.
        data: ``"real"``, or ``"dummy"`` for invented rows.
        cost: ``currency``, ``loss`` and ``delta`` in the ledger's exact units.
        epsilon, delta, rho: the cost, for people (``None``: does not apply).
        guarantee: the promise, as a sentence.
        budget: the ledger after it: ``currency``, ``cap``, ``spent`` (exact units), ``epsilon_cap`` and so on.
        issued_at: ISO 8601.
        notes: what a reader must know.
        sharing: of a federation's answer: who took part under which assumptions, the shares of noise, what each
            measure loses, and who signed that (``None`` for any other answer).
        certificate: the ledger's signed statement about exactly these bytes (``pets verify`` checks it).
        display: how the table is shown, where SQL says so; no part of what is sealed or saved, which hold every group.
        rows_lost: what bounds leave out of the table, beside which this one is shown; no part of what is sealed.

    Raises :class:`InternalError` when it is not made by a protection, or its parts do not fit together.
    """

    id: str
    query: Query
    schema: Schema
    plan_digest: str
    values: Ints
    mechanism: Mechanism
    scales: tuple[float, ...]
    protection: Json
    snapshot_id: str
    data: Literal["real", "dummy"]
    cost: Json
    epsilon: float | None
    delta: float | None
    rho: float | None
    guarantee: str
    budget: Json | None
    issued_at: str
    project: str
    analyst: str
    notes: tuple[str, ...] = ()
    sharing: Json | None = None
    certificate: Certificate | None = None
    display: Display | None = None
    rows_lost: RowsCounted | None = None
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise InternalError("only a protection can make a release")
        for name in ("protection", "cost", "budget", "sharing"):
            object.__setattr__(self, name, plain(getattr(self, name)))
        object.__setattr__(self, "scales", tuple(float(scale) for scale in self.scales))
        object.__setattr__(self, "notes", tuple(self.notes))
        for name in ("epsilon", "delta", "rho"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else float(value))
        frozen = np.array(self.values, copy=True)
        frozen.setflags(write=False)
        object.__setattr__(self, "values", frozen)
        wrong = mismatch(self)
        if wrong is not None:
            raise InternalError(f"a release's parts do not fit together: {wrong}")

    # what it says ---------------------------------------------------------------------------------------------

    @property
    def dataset(self) -> str:
        """The dataset's name: the root of its ledger."""
        return self.schema.dataset

    @property
    def table_name(self) -> str:
        """The table that was asked."""
        return self.query.table

    @property
    def plan(self) -> Plan:
        """What was measured, and how far one person can move it."""
        return make_plan(self.query, self.schema)

    @property
    def confidence(self) -> float:
        """Of every interval: the chance that it holds the exact bounded answer."""
        return float(fraction(self.protection.get("confidence", "0.95")))

    @cached_property
    def estimates(self) -> Estimates:
        """The outputs as arrays, with their intervals."""
        return estimated(self.plan, self.values, noise_of(self, self.confidence))

    @property
    def table(self) -> pd.DataFrame:
        """A fresh data frame: the keys, then for each output ``name``, ``name_low`` and ``name_high``.

        The ends are of the interval that holds the exact bounded answer with the release's confidence (95 % unless
        asked otherwise); exact releases have none. NaN means not estimable: too few rows for the noise. A histogram's
        cells are lists, one count a bin; :meth:`histogram` makes them long. Counts may be negative: noise was added to
        a small number, and cutting it off would bias sums (see :meth:`view`).
        """
        from pets.release import views

        return views.frame(self)

    def histogram(self, name: str) -> pd.DataFrame:
        """A histogram output in long form: the keys, ``bin``, ``count``, ``low``, ``high``.

        Raises :class:`QueryError` when there is no histogram of that name.
        """
        from pets.release import views

        return views.histogram(self, name)

    def view(self, *, nonnegative: bool = False, whole: bool = False) -> pd.DataFrame:
        """The table, made easier to read; the sealed release keeps its raw numbers.

        Args:
            nonnegative: counts, and sums of values that cannot be negative, are at least 0. This biases small cells
                upwards: do not add such cells up; :meth:`total` adds raw parts.
            whole: outputs that are whole numbers before noise are rounded to whole numbers.
        """
        from pets.release import views

        for name, value in (("nonnegative", nonnegative), ("whole", whole)):
            if not isinstance(value, bool):
                raise QueryError(f"{name} must be True or False, not {shown(value)}")
        return views.adjusted(self, nonnegative=nonnegative, whole=whole)

    def total(self, output: str, by: str | Sequence[str] = ()) -> pd.DataFrame:
        """One output over all groups that share the keys ``by`` (none: over all groups), from sums of raw parts.

        Totals agree with their cells, and their intervals are those of the added noise: about √m times one cell's for
        m cells. A mean's total is the mean over all the rows, not the mean of means. For ``count_units`` a person
        counts once in each group they are in; the column ``<output>_counts`` says so.

        Raises :class:`QueryError` when there is no such output or key.
        """
        from pets.release import views

        kept = (by,) if isinstance(by, str) else by
        if not isinstance(kept, (tuple, list)) or not all(isinstance(key, str) for key in kept):
            raise QueryError(f"by must be a list of the release's keys, such as ['age'], not {shown(by)}")
        return views.total(self, output, kept, self.confidence)

    @plain_arguments(QueryError, "plot")
    def plot(
        self,
        output: str | None = None,
        *,
        x: str | None = None,
        facet: str | Sequence[str] | None = None,
        colour: str | None = None,
    ) -> Any:
        """An Altair chart of one output (left out: the first) with its intervals; it needs no internet.

        Args:
            output: which one.
            x: the key along the axis (left out: a key with an order, time first).
            facet: the key, or the keys, whose values have a panel each (left out: those that find no other place).
            colour: the key that is told by colour (left out: one with few values).

        Raises :class:`MissingExtraError` without the ``plot`` extra, :class:`QueryError` for an unknown output or key.
        """
        from pets.release import plot

        return plot.chart(self, output, x=x, facet=facet, colour=colour)

    def certified(self, envelope: bytes) -> Release:
        """The same release with its signed certificate, as the ledger stored it."""
        return self._copy(certificate=Certificate(json.loads(envelope)))

    def shown_as(self, display: Display | None) -> Release:
        """The same release, its table shown in another way; ``None``: every group, in the order of the keys."""
        return self if display == self.display else self._copy(display=display)

    def beside(self, lost: RowsCounted | None) -> Release:
        """The same release, shown with the share of rows that its K counts, as ``session.rows_lost`` released it."""
        return self._copy(rows_lost=lost)

    def _copy(self, **changed: Any) -> Release:
        made = object.__new__(Release)
        made.__dict__.update(self.__dict__ | changed)  # the parts are checked already, and so are their cached forms
        return made

    # its canonical form ---------------------------------------------------------------------------------------

    def to_json(self) -> Json:
        """The canonical form, with its own digest and its certificate: what is saved, and what goes over a wire."""
        signed = {} if self.certificate is None else {"certificate": dict(self.certificate)}
        return self.form | {"digest": self.digest} | signed

    @cached_property
    def form(self) -> Json:
        """The canonical form without digest and certificate: the bytes that the digest is of."""
        return form_of(self)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form (without the digest itself)."""
        return codec.digest(self.form)

    def save(self, path: str | Path) -> Path:
        """Write the release as the file's ending says: .json, .html, .csv, .xlsx, .parquet, .png or .svg.

        ``.json`` is the canonical form with its certificate (the same release always gives the same bytes), which
        :meth:`load` reads; ``.html`` a page with charts; ``.png`` and ``.svg`` are charts of the first output; the
        others hold the table. ``.xlsx`` needs the ``excel`` extra, pictures the ``plot`` extra.

        Raises :class:`UserError` for another ending, or where the file cannot be written.
        """
        from pets.release import files

        return files.save(self, path)

    def to_pandas(self) -> pd.DataFrame:
        """:attr:`table`, as a fresh pandas data frame."""
        return self.table

    def to_arrow(self) -> pa.Table:
        """The table as Arrow; its metadata say what the release promises."""
        from pets.release import views

        return views.arrow(self)

    def to_polars(self) -> Any:
        """The table as a polars data frame; raises :class:`MissingExtraError` without the ``polars`` extra."""
        try:
            import polars
        except ImportError:
            raise missing_extra("a polars data frame", "polars") from None
        return polars.from_arrow(self.to_arrow())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The table for whoever reads Arrow's stream interface: ``polars.DataFrame(release)``, ``pyarrow.table``."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __getitem__(self, name: object) -> NoReturn:
        known = [output.name for output in self.plan.outputs]
        name = name if name in known else known[0]
        raise QueryError(f"an answer is read from its table, a data frame; write release.table[{name!r}]")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """One mapping a group, which is how ``pandas.DataFrame(release)`` reads it."""
        table = self.table
        return (dict(zip(map(str, table), row, strict=True)) for row in table.itertuples(index=False, name=None))

    @classmethod
    def load(cls, path: str | Path) -> Release:
        """Read a release that was saved.

        Raises :class:`UserError` when the file is missing, was edited, or is no release.
        """
        with reading("the release", path):
            return cls.from_json(Path(path).read_bytes())

    @classmethod
    def from_json(cls, form: Mapping[str, Any] | str | bytes) -> Release:
        """The release whose canonical form this is.

        It is planned again from its own query and schema, and every part is checked against that plan. The digest shows
        accidents and careless edits; a forger could compute a new one, which is what the signed certificate is for.

        Raises :class:`UserError` when it was edited, is damaged, or is no release.
        """
        try:
            given = json.loads(form) if isinstance(form, (str, bytes)) else dict(form)
            made = sealed_release(**parts_of(given))
            if "certificate" in given:
                made = made.certified(canonical(given["certificate"]))
            # as the ledger keeps it, or as it is saved; a certificate must be about these very bytes
            same = canonical(given) in (canonical(made.form), canonical(made.to_json()))
            same = same and (made.certificate is None or made.certificate.subject == made.digest)
        except (PetsError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError):
            same = False
        if not same:
            raise UserError(
                "this is not a release as pets wrote it: it was edited or damaged; ask for the original file"
            )
        return made

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Release) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Release.from_json, (self.to_json(),))

    def __repr__(self) -> str:
        from pets.release import text

        return text.plain(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from pets.release import html

        return html.fragment(self)


def sealed_release(*, dataset: str, table: str, **parts: Any) -> Release:
    """A new release: for protections alone (a test lists who may import this name).

    Raises :class:`InternalError` when dataset and table, as the protection knows them, are not those of the parts.
    """
    made = Release(**parts, seal=_SEAL)
    if (dataset, table) != (made.dataset, made.table_name):
        raise InternalError("a release's parts do not fit together: dataset or table")
    return made
