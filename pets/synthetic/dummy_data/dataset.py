"""Invented tables, with what is to be said about them, in memory and in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.common import html_table
from pets.common.codec import Json
from pets.errors import UserError, did_you_mean, shown
from pets.schema.schema import Schema
from pets.synthetic.dummy_data.files import Bundle, check_key, write, write_key
from pets.synthetic.dummy_data.packed import Tables, as_held
from pets.synthetic.quiz.fault_tasks import fault_quiz
from pets.synthetic.quiz.quiz import Quiz

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Dummy(Mapping[str, "pd.DataFrame"]):
    """Invented tables by name: ``dummy["stays"]`` is a data frame, and ``pets.Session(schema, dummy, …)`` reads it.

    Attributes:
        schema: the public description that the rows keep.
        tables: the same rows as Arrow tables.
        manifest: that the rows are invented, from what, and where they stand on the ONS spectrum.
        dictionary: what each column means and which values it takes; ``None`` where the schema alone says it.
        answers: the faults that were planted, one a row; ``None`` where none were. No folder of tables holds them.
    """

    schema: Schema
    tables: Mapping[str, Any]
    manifest: Json
    dictionary: Any = None
    answers: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", Tables(self.tables))

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self.tables:
            raise UserError(f"table {shown(name)} is not among the invented ones{did_you_mean(name, self.tables)}")
        table = frame(self.tables[name])
        table.attrs["synthetic"] = self.manifest["notice"]
        return table

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __contains__(self, name: object) -> bool:
        return name in self.tables

    def __len__(self) -> int:
        return len(self.tables)

    @property
    def _held(self) -> Mapping[str, Any]:
        return as_held(self.tables)

    def __repr__(self) -> str:
        held = ", ".join(f"{name} ({table.num_rows:,} rows)" for name, table in self._held.items())
        return f"<Dummy, invented from {self.manifest['made_from']}: {held}>"

    def _repr_html_(self) -> str:
        rows = [(name, f"{table.num_rows:,}", html_table.few(table.column_names)) for name, table in self._held.items()]
        return html_table.block(
            html_table.sentence("DUMMY DATA: invented rows", alarm=True),
            html_table.table(
                f"Invented from {self.manifest['made_from']}", ("table", "rows", "columns"), rows, numbers=(1,)
            ),
        )

    def save(self, folder: str | Path, format: str = "csv", *, key: str | Path | None = None) -> list[Path]:
        """Write every table, its manifest, its schema and its dictionary into a folder; gives the files.

        ``format`` is ``"csv"`` or ``"parquet"`` (the same seed gives the same bytes), or ``"duckdb"`` (the same rows in
        the same order: ``rows_sha256`` of the manifest is a digest of them in every format). Every table gets a last
        column ``SYNTHETIC``. ``"fhir"`` writes the tables of OMOP (``products=["fhir"]``) as resources of FHIR R4:
        Patient, Encounter, Condition and Observation, a line each, all tagged as test data. Nothing is left
        half-written. The key to planted faults is written only where ``key`` names a file for it, which does not lie in
        the folder, and which its owner alone reads.
        """
        if key is not None:
            check_key(self.answers, key, folder)
        files = write(Bundle(self.schema, self._held, self.manifest, self.dictionary), folder, format)
        return files if key is None else [*files, write_key(self.answers, key)]

    def quiz(self) -> Quiz:
        """Mark answers about the planted faults, by their names: ``quiz.answer("duplicated-episodes", [3, 17])``.

        It gives a score and hints, and never tells a row. Whoever has these rows in memory has the key as well: what is
        handed out for marking is made by ``pets learn prepare``, from a secret.

        Raises:
            UserError: no fault was planted.
        """
        if self.answers is None:
            raise UserError("nothing was planted here to ask about; say pets.dummy('nhs', people=1000, faults=True)")
        return fault_quiz(self.answers.to_pylist(), str(self.manifest["made_from"]))


def frame(table: Any) -> pd.DataFrame:
    """An Arrow table as a data frame: whole numbers stay whole beside nulls, dates are dates."""
    import pandas as pd
    import pyarrow as pa

    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype(), pa.float64(): pd.Float64Dtype()}

    def types(kind: Any) -> Any:
        return nullable.get(kind)

    holes = [field.name for field, column in zip(table.schema, table.columns, strict=True) if column.null_count]
    whole = table.to_pandas(types_mapper=types, date_as_object=False)
    plain = {
        name: whole[name].dtype.numpy_dtype
        for name in whole.columns
        if name not in holes and hasattr(whole[name].dtype, "numpy_dtype")
    }
    out: pd.DataFrame = whole.astype(plain)
    return out
