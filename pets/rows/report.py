"""The custodian's report: what became of every row while a snapshot was made.

Its numbers are exact counts of real rows. It is for the custodian alone: it is stored beside the snapshot, with the
same owner-only permissions, and no release, message or log may carry any of it. One thing of it is said aloud, to
whoever opens the data and is the custodian: :class:`pets.rows.remarks.LeftOut`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from pets.common.codec import Json
from pets.errors import DataError
from pets.rows.remarks import SHARE, remarks

if TYPE_CHECKING:
    import pandas as pd

WARNING = "For the custodian only: exact counts of real rows."

_SHOWN = 12  # lines of the cuts that the text form shows


@dataclass(frozen=True)
class ColumnReport:
    """What became of one column's cells, over the rows that have a person.

    Attributes:
        null: cells that hold no value (or, for a look-up, whose source is null or unmapped).
        out_of_domain: values outside the declared domain; they became null.
        unparsable: cells that cannot be read as the column's type, NaN and infinity among them; they became null.
        clamped: numbers outside the bounds; they became the nearer bound.
        dropped: rows that lack a value although the schema says ``nullable: false``; they were left out.
        rows: the column's cells, whatever became of them.
        kind: the column's type in the schema.
    """

    null: int = 0
    out_of_domain: int = 0
    unparsable: int = 0
    clamped: int = 0
    dropped: int = 0
    rows: int = 0
    kind: str = ""

    def counts(self) -> dict[str, int]:
        """Each fate by its name, and how many cells met it."""
        return {name: getattr(self, name) for name in FATES}


FATES = ("null", "out_of_domain", "unparsable", "clamped", "dropped")


@dataclass(frozen=True)
class Report:
    """The fate of every row. Exact counts of real rows: for the custodian only.

    Attributes:
        rows_read: rows in the source.
        rows_without_person: rows dropped because the id is null or empty.
        rows_dropped: rows dropped because a column declared ``nullable: false`` has no value.
        people: people with at least one valid row.
        rows_kept: rows in the snapshot.
        kept_per_k: for K = 1 to ``max_rows``, how many rows have rank at most K: what a query that counts K rows sees.
        columns: counts for each column; those of a person table count that table's rows.
        people_unattached: people without a row in the person table (0 where there is no person table).
        people_disagreeing: people with several rows in the person table that are not all the same, over all rows of
            that table; one of them counts, the same one everywhere (reports of the person table say it, too).
    """

    rows_read: int
    rows_without_person: int
    rows_dropped: int
    people: int
    rows_kept: int
    kept_per_k: tuple[int, ...]
    columns: Mapping[str, ColumnReport] = field(default_factory=dict)
    people_unattached: int = 0
    people_disagreeing: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))

    @property
    def rows_valid(self) -> int:
        """Rows that have a person and every value that the schema demands: the rows that were ranked."""
        return self.rows_read - self.rows_without_person - self.rows_dropped

    def plus(self, later: Report, people: int) -> Report:
        """The report of these rows and of later ones, which have so many people together."""
        both = {n: getattr(self, n) + getattr(later, n) for n in ("rows_read", "rows_without_person", "rows_dropped")}
        cuts = tuple(a + b for a, b in zip(self.kept_per_k, later.kept_per_k, strict=True))
        columns = {
            name: replace(fates, **{n: getattr(fates, n) + getattr(later.columns[name], n) for n in (*FATES, "rows")})
            for name, fates in self.columns.items()
        }
        return Report(
            **both, people=people, rows_kept=self.rows_kept + later.rows_kept, kept_per_k=cuts, columns=columns
        )

    def table(self) -> pd.DataFrame:
        """One line per column: null, out_of_domain, unparsable, clamped, dropped."""
        import pandas as pd

        lines = [{"column": name} | fates.counts() for name, fates in self.columns.items()]
        return pd.DataFrame(lines, columns=["column", *FATES])

    def remarks(self, share: float = SHARE) -> tuple[str, ...]:
        """A line, with the remedy, for each column of which more than a share did not survive its reading.

        ``share`` is of the column's cells: unreadable, out of domain or clamped. Raises :class:`DataError` for a share
        that is none.
        """
        return remarks(self.columns, share)

    def cuts(self) -> pd.DataFrame:
        """One line per K: rows kept, and their share of all valid rows (1.0 where there are none)."""
        import pandas as pd

        ks = range(1, len(self.kept_per_k) + 1)
        shares = [n / self.rows_valid if self.rows_valid else 1.0 for n in self.kept_per_k]
        return pd.DataFrame({"K": list(ks), "rows kept": list(self.kept_per_k), "share kept": shares})

    def to_json(self) -> Json:
        """The stored form."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "columns"}
        out["kept_per_k"] = list(self.kept_per_k)
        out["columns"] = {name: asdict(counts) for name, counts in self.columns.items()}
        return out

    @classmethod
    def from_json(cls, given: Json) -> Report:
        """Read the stored form; raises :class:`DataError` when it is not one."""
        try:
            columns = {str(name): ColumnReport(**counts) for name, counts in given["columns"].items()}
            given = {"people_disagreeing": 0} | dict(given)  # reports of earlier versions do not say it
            rest = {name: given[name] for name in cls.__dataclass_fields__ if name not in ("columns", "kept_per_k")}
            return cls(**rest, columns=columns, kept_per_k=tuple(int(n) for n in given["kept_per_k"]))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DataError("the snapshot's stored report cannot be read; make the snapshot again") from None

    def _summary(self) -> dict[str, int]:
        return {
            "rows read": self.rows_read,
            "rows without a person": self.rows_without_person,
            "rows without a required value": self.rows_dropped,
            "rows ranked": self.rows_valid,
            "people": self.people,
            "people without a row in the person table": self.people_unattached,
            "people whose rows in it disagree": self.people_disagreeing,
            "rows kept": self.rows_kept,
        }

    def __str__(self) -> str:
        return self.text()

    def text(self, share: float = SHARE) -> str:
        """The whole report, its :meth:`remarks` first."""
        lines = "\n".join(f"{label + ':':<42} {count:>14,}" for label, count in self._summary().items())
        cuts = self.cuts().head(_SHOWN).to_string(index=False)
        more = f"\n… and {len(self.kept_per_k) - _SHOWN} more" if len(self.kept_per_k) > _SHOWN else ""
        told = "".join(f"{remark}\n" for remark in self.remarks(share))
        return f"{WARNING}\n{told}{lines}\n\n{self.table().to_string(index=False)}\n\n{cuts}{more}"

    def _repr_html_(self) -> str:
        lines = "".join(
            f"<tr><td>{html.escape(label)}</td><td>{count:,}</td></tr>" for label, count in self._summary().items()
        )
        return (
            f"<p><strong>{WARNING}</strong></p>"
            f"{''.join(f'<p>{html.escape(remark)}</p>' for remark in self.remarks())}<table>{lines}</table>"
            f"{self.table().to_html(index=False)}{self.cuts().to_html(index=False)}"
        )

    def __repr__(self) -> str:
        # a repr ends up in logs and tracebacks, so it holds no count
        return "Report(for the custodian only; print it to see it)"
