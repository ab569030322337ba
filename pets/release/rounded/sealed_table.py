"""Sealed table: counts of people as a rule of disclosure control shows them, with their certificate.

It holds rounded whole numbers and the rule, and no exact count. What is shown is computed from these on request.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from pets.common import codec, html_table
from pets.common.codec import Json, canonical
from pets.common.files import reading, replace_file, writing
from pets.common.integers import Floats
from pets.errors import PetsError, UserError, shown
from pets.plan.plan import Plan, make_plan
from pets.protection.rounding import Rounding
from pets.query_model.query import Query
from pets.release.certificate import Certificate
from pets.release.rounded.counts import Counts
from pets.release.rounded.verbs import RoundedVerbs
from pets.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

DUMMY = "dummy"
NONE = "this is no table as pets rounded it: ask for the original file"
STAR = "*"
_SHOWN = 30


class SealedTable(RoundedVerbs):
    """Counts of people under a rule of disclosure control, sealed; every property and method here costs nothing.

    Guarantee: the sentence in ``guarantee``. It is not differential privacy.

    Attributes:
        certificate: the ledger's signed statement about exactly these bytes (``None``: not yet signed).
    """

    FORM: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1
    PARTS: ClassVar[tuple[str, ...]] = ()
    COMMON: ClassVar[tuple[str, ...]] = (
        *("pets", "version", "id", "dataset", "table", "query", "schema", "plan", "rule", "protection", "snapshot"),
        *("data", "cost", "guarantee", "budget", "issued_at", "project", "analyst", "notes"),
    )

    certificate: Certificate | None
    plan: Plan
    rule: Rounding

    def __init__(self, form: Json, certificate: Certificate | None = None) -> None:
        wrong = set(form) != {*self.COMMON, *self.PARTS} or (form["pets"], form["version"]) != (self.FORM, self.VERSION)
        if wrong or (certificate is not None and certificate.subject != codec.digest(form)):
            raise UserError(NONE)
        self._form, self.certificate = copy.deepcopy(form), certificate
        self.rule = Rounding.from_json(form["rule"])
        self.plan = make_plan(Query.from_json(form["query"]), Schema.from_json(form["schema"]))
        if (self.plan.digest, self.plan.table, self.plan.dataset) != (form["plan"], form["table"], form["dataset"]):
            raise UserError(NONE)
        self._check()

    def _check(self) -> None:
        """Raise :class:`UserError` where the numbers are none of the rule's."""
        raise NotImplementedError

    def counts(self) -> tuple[tuple[Counts, ...], ...]:
        """Of each output: its count, or a rate's numerator and denominator."""
        raise NotImplementedError

    # what it says -----------------------------------------------------------------------------------------------

    @property
    def table(self) -> pd.DataFrame:
        """A fresh data frame: the keys, then for each output ``name``, ``name_low`` and ``name_high``.

        ``name`` is the sum of the grid's cells as they are shown, in which a hidden cell counts as the middle of its
        interval; it is missing where only hidden cells have people, and for a rate where any cell is hidden. Between
        ``name_low`` and ``name_high`` lies the exact number: the sums of the ends of the cells' intervals.
        """
        import pandas as pd

        out: dict[str, Any] = dict(self.plan.layout.columns())
        for output, parts in zip(self.plan.outputs, self.counts(), strict=True):
            if len(parts) == 1:
                (one,) = parts
                out[output.name] = pd.array(one.shown, dtype="Int64")
                out[output.name][one.starred(self.rule)] = pd.NA
                out[f"{output.name}_low"], out[f"{output.name}_high"] = one.low.copy(), one.high.copy()
            else:
                out[output.name], out[f"{output.name}_low"], out[f"{output.name}_high"] = _rate(*parts)
        return pd.DataFrame(out)

    @property
    def mask(self) -> pd.DataFrame:
        """A fresh data frame: the keys, and for each output whether a hidden cell is part of it."""
        import pandas as pd

        hidden = {
            output.name: np.logical_or.reduce([one.hidden > 0 for one in parts])
            for output, parts in zip(self.plan.outputs, self.counts(), strict=True)
        }
        return pd.DataFrame(dict(self.plan.layout.columns()) | hidden)

    @property
    def id(self) -> str:
        """The release's random public name."""
        return str(self._form["id"])

    @property
    def guarantee(self) -> str:
        """What it is and is not, in words."""
        return str(self._form["guarantee"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        return tuple(self._form["notes"])

    @property
    def protection(self) -> Json:
        """The protection's canonical form."""
        return dict(self._form["protection"])

    @property
    def snapshot_id(self) -> str:
        """The public name of the snapshot whose people were counted."""
        return str(self._form["snapshot"])

    @property
    def data(self) -> str:
        """``"real"``, or ``"dummy"`` for invented rows."""
        return str(self._form["data"])

    # its canonical form -----------------------------------------------------------------------------------------

    @property
    def form(self) -> Json:
        """The sealed table in canonical form: a copy."""
        return copy.deepcopy(self._form)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the sealed form."""
        return codec.digest(self._form)

    def to_json(self) -> Json:
        """The sealed form, its digest and its certificate: what is saved, and what goes over a wire."""
        signed = {} if self.certificate is None else {"certificate": dict(self.certificate)}
        return self.form | {"digest": self.digest} | signed

    def save(self, path: str | Path) -> Path:
        """Write it as the ending says: ``.json``, which :meth:`load` reads and ``pets verify`` checks, or ``.csv``.

        Raises :class:`UserError` for another ending, or where the file cannot be written.
        """
        with writing("the table", path):
            target = Path(path)
            if target.suffix.lower() not in (".json", ".csv"):
                raise UserError(f"a rounded table is written to a .json or .csv file, not to {shown(str(path))}")
            bare = target.suffix.lower() == ".csv"
            replace_file(target, self.table.to_csv(index=False).encode() if bare else canonical(self.to_json()))
        return target

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a table that was saved; raises :class:`UserError` for a file that is missing, edited or another."""
        with reading("the table", path):
            return cls.sealed(json.loads(Path(path).read_bytes()))

    @classmethod
    def sealed(cls, given: Mapping[str, Any], certificate: Json | None = None) -> Self:
        """The table of a sealed form, as the ledger keeps it or as it is saved; raises as :meth:`load`."""
        try:
            form = {name: part for name, part in given.items() if name not in ("digest", "certificate")}
            signed = given.get("certificate") if certificate is None else certificate
            made = cls(form, None if signed is None else Certificate(signed))
            if given.get("digest", made.digest) != made.digest:
                raise ValueError("edited")
        except (LookupError, TypeError, ValueError, AttributeError, PetsError):
            raise UserError(NONE) from None
        return made

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, SealedTable) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._form, self.certificate))

    # how it is shown --------------------------------------------------------------------------------------------

    @property
    def _texts(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Heading and first groups, as texts: ``25 [23, 27]``, and ``* [1, 7]`` where no number is shown."""
        frame, keys = self.table.head(_SHOWN), self.plan.layout.columns()
        columns = [[str(label) for label in frame[name]] for name in keys]
        columns += [_cells(frame, output.name) for output in self.plan.outputs]
        header = (*keys, *(output.name for output in self.plan.outputs))
        return header, list(zip(*columns, strict=True))

    @property
    def _said(self) -> list[str]:
        dummy = "DUMMY DATA: invented rows. " if self.data == DUMMY else ""
        return [f"{dummy}{self._told}", self.guarantee, *self.notes]

    @property
    def _told(self) -> str:
        """What it is, in a sentence."""
        raise NotImplementedError

    def __repr__(self) -> str:
        header, rows = self._texts
        keys, every = len(self.plan.layout.dimensions), [header, *rows]
        widths = [max(len(row[i]) for row in every) for i in range(len(header))]
        told, *rest = self._said
        lines = [told, ""]
        for row in every:
            cells = [
                text.ljust(w) if i < keys else text.rjust(w)
                for i, (text, w) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        more = self.plan.groups - len(rows)
        return "\n".join(
            [*lines, *([f"… and {more:,} more groups (.table has all of them)"] if more else []), "", *rest]
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        header, rows = self._texts
        more = self.plan.groups - len(rows)
        caption = f"{self.plan.groups:,} groups" + (f", the first {len(rows)}" if more else "")
        numbers = tuple(range(len(self.plan.layout.dimensions), len(header)))
        body = html_table.table(caption, header, rows, numbers=numbers)
        told, *rest = self._said
        top = html_table.sentence(told, alarm=self.data == DUMMY)
        return html_table.block(top, body, *(html_table.sentence(one) for one in rest))


def _cells(frame: pd.DataFrame, name: str) -> list[str]:
    """One output's cells, as texts."""
    import pandas as pd

    out = []
    for value, low, high in zip(frame[name], frame[f"{name}_low"], frame[f"{name}_high"], strict=True):
        missing = pd.isna(value)
        write = "{:,}".format if isinstance(low, (int, np.integer)) else "{:.3f}".format
        ends = "" if low != low else f" [{write(low)}, {write(high)}]"
        out.append(f"{STAR if missing else write(value)}{ends}")
    return out


def _rate(above: Counts, below: Counts) -> tuple[Floats, Floats, Floats]:
    """The quotients of two shown counts, hidden where a part is; and the ends that they leave open, within 0 and 1."""
    known = (above.hidden == 0) & (below.hidden == 0) & (below.shown > 0)
    value = np.where(known, above.shown / np.maximum(below.shown, 1), np.nan)
    some = below.high > 0  # else nobody is there
    low = np.where(some, above.low / np.maximum(below.high, 1), np.nan)
    high = np.where(some, np.minimum(1.0, above.high / np.maximum(below.low, 1)), np.nan)
    return np.minimum(value, 1.0), np.minimum(low, 1.0), np.where(some & (below.low == 0), 1.0, high)
