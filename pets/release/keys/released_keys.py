"""Released keys: a key set that was paid for. Public from then on: a question may group by it like by any other.

The keys that enough people have, each with its noisy count of people, the scale of the noise and the threshold; nothing
else is known of keys, so those that do not show may have people or none.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cached_property
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pets.common import codec, html_table
from pets.common.codec import Json, canonical, fraction, whole
from pets.common.files import replace_file
from pets.errors import PetsError, QueryError, UserError, shown
from pets.query_model.group_keys import MAX_KEYS, KeySet
from pets.release.certificate import Certificate

if TYPE_CHECKING:
    import pandas as pd

FORM = "keys"
VERSION = 1
PARTS = (
    *("pets", "version", "id", "dataset", "table", "keys", "schema", "plan", "rows", "people", "scale", "threshold"),
    *("protection", "snapshot", "data", "cost", "epsilon", "delta", "rho", "guarantee", "budget", "issued_at"),
    *("project", "analyst", "notes"),
)
PEOPLE = "people"
DUMMY = "dummy"
_SHOWN = 10


class ReleasedKeys(KeySet):
    """A :class:`pets.KeySet` of released keys, sorted; :meth:`pets.Session.group_keys` makes it.

    Grouping by it, and every property and method here, costs nothing: it is public.

    Attributes:
        certificate: the ledger's signed statement about exactly these bytes (``None``: not yet signed).
    """

    certificate: Certificate | None
    _form: Json

    def __init__(self, form: Json, certificate: Certificate | None = None) -> None:
        columns, rows = tuple(form["keys"]["by"]), tuple(tuple(row) for row in form["rows"])
        people = form["people"]
        wrong = set(form) != set(PARTS) or (form["pets"], form["version"]) != (FORM, VERSION)
        wrong = wrong or len(rows) > MAX_KEYS or len(people) != len(rows) or list(rows) != sorted(set(rows), key=order)
        wrong = wrong or any(whole(noisy) < form["threshold"] for noisy in people)
        if wrong or (certificate is not None and certificate.subject != codec.digest(form)):
            raise UserError("these are no keys as pets released them: ask for the original file")
        held = _copied(form)
        for name, value in (("columns", columns), ("rows", rows), ("_form", held), ("certificate", certificate)):
            object.__setattr__(self, name, value)
        if rows:  # no key of enough people is an answer, but it is no key set
            super().__post_init__()

    @property
    def form(self) -> Json:
        """The sealed release in canonical form: a copy."""
        return _copied(self._form)

    @property
    def id(self) -> str:
        """The release's random public name."""
        return str(self._form["id"])

    @property
    def threshold(self) -> int:
        """The least noisy count of people that shows."""
        return int(self._form["threshold"])

    @property
    def scale(self) -> float:
        """Of the discrete Gaussian noise on every count of people."""
        return float(fraction(self._form["scale"]))

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
        """``currency``, ``loss`` and ``delta`` in the ledger's exact units."""
        return dict(self._form["cost"])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the sealed form."""
        return codec.digest(self._form)

    @property
    def table(self) -> pd.DataFrame:
        """A fresh data frame: the keys (``missing`` for rows without a value), and the noisy ``people`` of each.

        Where a column of the keys has that name, the counts are in ``people_2``.

        That a key shows says that its noise was not far down, so small counts are rather too high than too low.
        """
        import pandas as pd

        named = {name: [_label(row[i]) for row in self.rows] for i, name in enumerate(self.columns)}
        return pd.DataFrame(named | {self._count: list(self._form["people"])})

    @property
    def _count(self) -> str:
        """The name of the counts beside the keys."""
        free = (name for name in chain([PEOPLE], (f"{PEOPLE}_{i}" for i in count(2))) if name not in self.columns)
        return next(free)

    def top(self, k: int) -> KeySet:
        """The k keys of most noisy people, largest first among equals by key: a free view of what was released.

        Raises :class:`QueryError` for a k that is no whole number above 0, or where no key was released.
        """
        try:
            most = whole(k)
        except ValueError:
            most = 0
        if most < 1:
            raise QueryError(f"top takes a whole number above 0, not {shown(k)}")
        ranked = sorted(zip(self._form["people"], self.rows, strict=True), key=lambda pair: (-pair[0], order(pair[1])))
        return KeySet(self.columns, tuple(sorted((row for _, row in ranked[:most]), key=order)))

    def plain(self) -> KeySet:
        """The keys alone, as any list of them: what a question holds.

        Raises :class:`QueryError` where no key reached the threshold.
        """
        if not self.rows:
            raise QueryError(
                f"no key reached the threshold of {self.threshold:,} people, so there is nothing to group by; release "
                "keys with a larger epsilon, fewer groups= or fewer columns"
            )
        return KeySet(self.columns, self.rows)

    def save(self, path: str | Path) -> Path:
        """Write the release with its certificate as JSON, which :meth:`load` reads."""
        signed = {} if self.certificate is None else {"certificate": dict(self.certificate)}
        try:
            target = Path(path)
            if target.suffix.lower() != ".json":
                raise UserError(f"released keys are written to a .json file, not to {shown(str(path))}")
            replace_file(target, canonical(self._form | {"digest": self.digest} | signed))
        except OSError as error:
            raise UserError(f"the keys cannot be written to {str(path)!r} ({error.strerror})") from None
        except (TypeError, ValueError):
            raise UserError(f"keys are written to a path such as 'keys.json', not to {shown(path)}") from None
        return target

    @classmethod
    def load(cls, path: str | Path) -> ReleasedKeys:
        """Read keys that were saved; raises :class:`UserError` for a file that is missing, edited or something else.

        Of real rows it holds its digest and its certificate. Whether the signature is genuine is for ``pets verify``.
        """
        try:
            given = json.loads(Path(path).read_bytes())
            made = cls.sealed(given)
        except OSError as error:
            raise UserError(f"the keys cannot be read from {str(path)!r} ({error.strerror})") from None
        except (TypeError, ValueError, RecursionError):
            raise UserError(f"keys are read from a file such as 'keys.json', and {shown(path)} is none") from None
        if made.form["data"] != DUMMY and not ("digest" in given and made.certificate is not None):
            raise UserError(
                f"{str(path)!r} lacks the digest or the certificate with which pets saves released keys, so nothing "
                "tells that it holds them; ask for the original file, or list keys that are public in a KeySet"
            )
        return made

    @classmethod
    def sealed(cls, given: Mapping[str, Any], certificate: Json | None = None) -> ReleasedKeys:
        """The keys of a sealed form, as the ledger keeps it or as it is saved; raises as :meth:`load`."""
        try:
            form = {name: part for name, part in given.items() if name not in ("digest", "certificate")}
            signed = given.get("certificate") if certificate is None else certificate
            made = cls(form, None if signed is None else Certificate(signed))
            if given.get("digest", made.digest) != made.digest:
                raise ValueError("edited")
        except (LookupError, TypeError, ValueError, AttributeError, PetsError):
            raise UserError("these are no keys as pets released them: ask for the original file") from None
        return made

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, ReleasedKeys) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (ReleasedKeys, (self._form, self.certificate))

    def __repr__(self) -> str:
        lines = [*self._said, *(f"  {line}" for line in self.table.head(_SHOWN).to_string(index=False).splitlines())]
        lines = lines if self.rows else lines[: len(self._said)]
        more = len(self.rows) - _SHOWN
        return "\n".join([*lines, *([f"  … and {more:,} more keys"] if more > 0 else [])])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        body = [tuple(line) for line in self.table.head(_SHOWN).itertuples(index=False, name=None)]
        header = (*self.columns, self._count)
        caption = f"{len(self.rows):,} keys" + (f", the first {_SHOWN}" if len(self.rows) > _SHOWN else "")
        shown_rows = html_table.table(caption, header, body, numbers=(len(self.columns),))
        alarm = self._form["data"] == DUMMY
        return html_table.block(*(html_table.sentence(said, alarm=alarm) for said in self._said), shown_rows)

    @property
    def _said(self) -> list[str]:
        dummy = "DUMMY DATA: invented rows. " if self._form["data"] == DUMMY else ""
        what = (
            f"{len(self.rows):,} keys of {', '.join(self.columns)} that at least about {self.threshold:,} people have"
        )
        return [f"{dummy}{what} (noise of scale {self.scale:.4g} on every count).", self.guarantee]


def order(row: tuple[Any, ...]) -> tuple[tuple[bool, Any], ...]:
    """The order of keys: by value, those without one last."""
    return tuple((value is None, "" if value is None else value) for value in row)


def _copied(form: Json) -> Json:
    """A form that shares no list with this one."""
    many = {"rows": [list(row) for row in form["rows"]], "people": list(form["people"])}
    return copy.deepcopy({name: part for name, part in form.items() if name not in many}) | many


def _label(value: Any) -> Any:
    return "missing" if value is None else value
