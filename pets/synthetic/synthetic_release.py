"""A synthetic data set as it leaves: its tables, what they promise, and where they came from.

It stands beside :class:`pets.release.release.Release` rather than being one: a release is noisy whole numbers laid out
by one plan, and a data set is rows drawn from a model of many such releases (or, without a guarantee, from an engine
that saw the rows). It has the same verbs: ``table``, ``plot``, ``save``, ``guarantee``, ``certificate``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pets.common import html_table
from pets.common.codec import Json, canonical
from pets.common.files import created, make_folder, replace_file
from pets.common.version import __version__
from pets.errors import UserError, did_you_mean, shown
from pets.release.certificate import Certificate
from pets.release.release import Release
from pets.release.release_form import plain
from pets.schema.numeric import Numeric
from pets.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

MARKER = "SYNTHETIC"
RECORD = "synthetic_id"
"""The column that names each row. Its values are invented: a row is a record, not a person."""

PEOPLE = "people"
"""What rows of features are called, one a person; settings hold the question that they are of under this name, too."""

ENDINGS = (".csv", ".parquet")


class _Hashed(io.RawIOBase):
    """A file that keeps the SHA-256 of what is written to it, and nothing else."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        """It is only written to."""
        return True

    def write(self, data: Any) -> int:
        """Hash some bytes more."""
        self.hash.update(data)
        return len(data)


@dataclass(frozen=True)
class Misfit:
    """How far a model lies from one noisy marginal. (How far it lies from the exact one, nobody outside may know.)

    Attributes:
        columns: of the marginal.
        cells: in it.
        sigma: the standard deviation of the noise on each cell.
        error: total variation distance between the model and the noisy marginal, 0 to 1.
        noise: what the noise alone does to that distance on average; an error near it is as good as can be told.
        held: whether the model was fitted to it; of others, the error is that of 200,000 rows drawn from the model.
    """

    columns: tuple[str, ...]
    cells: int
    sigma: float
    error: float
    noise: float
    held: bool

    def to_json(self) -> Json:
        """The canonical form."""
        form: Json = plain(
            {
                "columns": self.columns,
                "cells": self.cells,
                "sigma": float(f"{self.sigma:.6g}"),
                "error": round(self.error, 6),
                "noise": round(self.noise, 6),
                "held": self.held,
            }
        )
        return form


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SyntheticRelease:
    """Invented rows in the shape of a real table.

    Guarantee: the sentence in ``guarantee``. Whatever is done with the rows keeps it.

    Attributes:
        id: the random public name of this data set.
        frames: each table's rows, the first being the one asked for.
        method: how the rows were made: ``"dp"``, or the name of an engine without a guarantee.
        dataset, schema_digest: whose shape they have.
        data: ``"real"``, or ``"dummy"`` where the model was made from invented rows.
        releases: the protected answers that the model was made from; none without a guarantee.
        epsilon, delta, rho: of all of them together (``None``: does not apply).
        cost: of all of them together, in the ledger's exact units.
        misfits: the model's error against the noisy measurements.
        settings: what was asked for, and what was made of it.
        level: on the spectrum of the Office for National Statistics (2019), from *structural* to *replica*.
        notes: what a reader must know.
        certified: the signed certificate of all releases together, where they were charged as one.
        question: the digest of what was asked then, which that certificate is about with the releases.
        certificate: the ledger's signed statement that these very tables were made of these releases; ``None`` for a
            federation's, which has no ledger of its own: each of its releases carries what its sites signed.
        derived: the canonical form that the certificate is about: manifest, schema, tables' digests and the releases'
            certificates.
        schema: of the tables; a CSV file is written as it says, so that the same schema reads it (``None``: of people,
            whose features no schema reads).
        enough: whether the real table had rows enough for its noise, in one sentence (``""`` without a guarantee).
    """

    id: str
    frames: Mapping[str, pd.DataFrame]
    method: str
    dataset: str
    schema_digest: str
    data: Literal["real", "dummy"]
    releases: tuple[Release, ...]
    guarantee: str
    epsilon: float | None
    delta: float | None
    rho: float | None
    cost: Json
    misfits: tuple[Misfit, ...]
    settings: Json
    level: str
    issued_at: str
    project: str
    analyst: str
    notes: tuple[str, ...] = ()
    certified: Json | None = None
    question: str | None = None
    enough: str = ""
    schema: Schema | None = None
    certificate: Certificate | None = None
    derived: Json | None = None

    @property
    def table_name(self) -> str:
        """The table that was asked for."""
        return next(iter(self.frames))

    @property
    def table(self) -> pd.DataFrame:
        """A fresh data frame of the table that was asked for: one invented record a row."""
        return self.frames[self.table_name].copy()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Fresh data frames of all tables."""
        return {name: frame.copy() for name, frame in self.frames.items()}

    @property
    def error(self) -> pd.DataFrame:
        """The model's error against each noisy marginal, largest first; empty where nothing was measured."""
        import pandas as pd

        rows = [vars(one) | {"columns": " × ".join(one.columns)} for one in self.misfits]
        frame = pd.DataFrame(rows, columns=["columns", "cells", "sigma", "error", "noise", "held"])
        return frame.sort_values("error", ascending=False, ignore_index=True)

    @property
    def manifest(self) -> Json:
        """What the rows are, for whoever finds the file: it is written beside every file that :meth:`save` writes."""
        return {
            "marker": MARKER,
            "what": "Invented records. One row is a record with an invented id, not a person.",
            "enough": self.enough,
            "synthetic": self.id,
            "method": self.method,
            "level": self.level,
            "dataset": self.dataset,
            "schema": self.schema_digest,
            "made_from": self.data,
            "tables": {name: {"rows": len(frame), "columns": list(frame)} for name, frame in self.frames.items()},
            "guarantee": self.guarantee,
            "epsilon": plain(self.epsilon),
            "delta": plain(self.delta),
            "rho": plain(self.rho),
            "cost": plain(self.cost),
            "settings": plain(self.settings),
            "marginals": [one.to_json() for one in self.misfits],
            "notes": list(self.notes),
            "issued_at": self.issued_at,
            "project": self.project,
            "analyst": self.analyst,
            "made_with": f"pets {__version__}",
        }

    @property
    def to_check(self) -> Json | None:
        """What :meth:`save` writes as ``<name>.certificate.json``: the certificate with all that it is about.

        ``pets verify`` checks it, and with ``--table`` that a CSV file is the one that was signed.
        """
        return None if self.derived is None else self.derived | {"certificate": dict(self.certificate or {})}

    def csv_digest(self, name: str) -> str | None:
        """SHA-256 of a table's CSV file, as :meth:`save` writes it; ``None`` where its encoding lacks its letters."""
        into = _Hashed()
        frame, encoding = self._spelt(name)
        try:
            frame.to_csv(into, index=False, encoding=encoding, mode="wb")
        except UnicodeEncodeError:
            return None
        return into.hash.hexdigest()

    def plot(self, column: str | None = None) -> Any:
        """An Altair chart of one column (left out: the first modelled): rows of the data set in each of its slots.

        Where the column was measured, the noisy counts that the model was fitted to stand beside them.

        Raises :class:`MissingExtraError` without the ``plot`` extra, :class:`UserError` for an unknown column.
        """
        from pets.synthetic import charts

        names = [str(name) for name in self.frames[self.table_name] if name != RECORD]
        if column is not None and column not in names:
            raise UserError(f"there is no column {shown(column)}{did_you_mean(column, names)}")
        return charts.column(self, names[0] if column is None else column)

    def save(self, path: str | Path) -> Path:
        """Write the rows as CSV or Parquet, and the manifest beside them as ``<name>.manifest.json``.

        The certificate, where there is one, goes beside them as ``<name>.certificate.json``, for ``pets verify``. With
        several tables ``path`` is a folder, with one CSV a table. Nothing is left half-written: files appear under
        their names when they are complete.

        Raises:
            UserError: for a path that cannot be written, or another kind of file.
        """
        try:
            target = Path(path)
            if len(self.frames) > 1:
                make_folder(target)
                for name in self.frames:
                    self._write(name, target / f"{name}.csv")
            else:
                self._write(self.table_name, target)
        except OSError as error:
            why = error.strerror or "there is no such folder"  # (pyarrow and pandas give errors without a reason)
            raise UserError(f"the data set cannot be written to {str(path)!r} ({why})") from None
        except UnicodeEncodeError:
            raise UserError(
                "the data set has texts that its schema's encoding does not; mend the schema, or write Parquet"
            ) from None
        except (TypeError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"a data set is written to a path such as 'synthetic.csv', not to {shown(path)}") from None
        return target

    def _spelt(self, name: str) -> tuple[pd.DataFrame, str]:
        """A table with the decimal marks of its schema, and the encoding of its file."""
        frame = self.frames[name]
        told = None if self.schema is None else self.schema.tables.get(name)
        if told is None:
            return frame, "utf-8"
        for column, domain in told.columns.items():
            mark = domain.reading.decimal if isinstance(domain, Numeric) else "."
            if mark != "." and column in frame and frame[column].dtype.kind == "f":
                texts = frame[column].map(lambda value: repr(float(value)), na_action="ignore")
                frame = frame.assign(**{column: texts.str.replace(".", mark, regex=False)})
        return frame, told.encoding

    def _write(self, name: str, target: Path) -> None:
        if target.suffix not in ENDINGS:
            raise UserError(f"a data set is written as {' or '.join(ENDINGS)}, not as {target.name!r}")
        new = target.with_name(f".{target.name}.{os.getpid()}.new")
        beside = target.with_name(f"{target.stem}.manifest.json")
        private = self.epsilon is None and self.data == "real"  # an engine's rows may be somebody's
        try:
            created(new, owner_only=private)
            if target.suffix == ".csv":
                frame, encoding = self._spelt(name)
                frame.to_csv(new, index=False, encoding=encoding)
            else:
                self.frames[name].to_parquet(new, index=False)
            about = self.manifest | {
                "file": target.name,
                "table": name,
                "sha256": hashlib.sha256(new.read_bytes()).hexdigest(),
            }
            if (signed := self.to_check) is not None:
                whole = target.with_name(f"{target.stem}.certificate.json")
                replace_file(whole, canonical(signed), owner_only=private)
            # the manifest first: rows never lie about without one
            text = json.dumps(about, indent=1, ensure_ascii=False)
            replace_file(beside, text.encode(), owner_only=private)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)

    def _repr_html_(self) -> str:
        rows = [(name, f"{len(frame):,}", html_table.few(frame.columns)) for name, frame in self.frames.items()]
        first = [html_table.sentence(self.enough, alarm=self.enough.startswith("NOT"))] if self.enough else []
        return html_table.block(
            *first,
            html_table.sentence(f"{MARKER} DATA ({self.method}): a row is a record, not a person", alarm=True),
            html_table.table(f"Made for {self.dataset}", ("table", "rows", "columns"), rows, numbers=(1,)),
            html_table.sentence(self.guarantee),
            *(html_table.sentence(note) for note in self.notes if note != self.enough),
        )

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}: {len(frame):,} rows" for name, frame in self.frames.items())
        notes = [note for note in self.notes if note != self.enough]
        first = [self.enough] if self.enough else []
        return "\n".join([*first, f"{MARKER} data ({self.method}), {counts}", self.guarantee, *notes])
