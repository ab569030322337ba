"""Sealed keys: a key set that was paid for, with its certificate: what all kinds of them share.

They are public from then on: a question may group by them like by any other list.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cached_property
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pets.common import codec, html_table
from pets.common.codec import Json, canonical
from pets.common.files import reading, replace_file, writing
from pets.errors import PetsError, UserError, shown
from pets.query_model.group_keys import MAX_KEYS, KeySet
from pets.release.certificate import Certificate

if TYPE_CHECKING:
    import pandas as pd

DUMMY = "dummy"
NONE = "these are no keys as pets released them: ask for the original file"
_SHOWN = 10


class SealedKeys(KeySet):
    """A :class:`pets.KeySet` that was released. Every property and method here costs nothing: it is public.

    Attributes:
        certificate: the ledger's signed statement about exactly these bytes (``None``: not yet signed).
    """

    FORM: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1
    PARTS: ClassVar[tuple[str, ...]] = ()

    certificate: Certificate | None
    _form: Json

    def __init__(self, form: Json, certificate: Certificate | None = None) -> None:
        rows = tuple(tuple(row) for row in form["rows"])
        wrong = set(form) != set(self.PARTS) or (form["pets"], form["version"]) != (self.FORM, self.VERSION)
        wrong = wrong or len(rows) > MAX_KEYS or len(set(rows)) != len(rows) or not self._fits(form, rows)
        if wrong or (certificate is not None and certificate.subject != codec.digest(form)):
            raise UserError(NONE)
        held = _copied(form)
        named = (("columns", self._columns(form)), ("rows", rows), ("_form", held), ("certificate", certificate))
        for name, value in named:
            object.__setattr__(self, name, value)
        if rows:  # no key of enough people is an answer, but it is no key set
            super().__post_init__()

    @classmethod
    def _columns(cls, form: Json) -> tuple[str, ...]:
        """The columns of the keys."""
        raise NotImplementedError

    @classmethod
    def _fits(cls, form: Json, rows: tuple[tuple[Any, ...], ...]) -> bool:
        """Whether keys and numbers of a form belong together."""
        raise NotImplementedError

    @property
    def table(self) -> pd.DataFrame:
        """A fresh data frame of the keys (``missing`` for rows without a value), with what else was released."""
        raise NotImplementedError

    @property
    def _told(self) -> str:
        """What was released, in a sentence."""
        raise NotImplementedError

    def named(self) -> dict[str, list[Any]]:
        """The keys by column; ``missing`` for rows without a value."""
        return {name: [_label(row[i]) for row in self.rows] for i, name in enumerate(self.columns)}

    def beside(self, name: str) -> str:
        """The name of what is shown beside the keys: with a number, where a column of theirs has it."""
        free = (one for one in chain([name], (f"{name}_{i}" for i in count(2))) if one not in self.columns)
        return next(free)

    @property
    def form(self) -> Json:
        """The sealed release in canonical form: a copy."""
        return _copied(self._form)

    @property
    def id(self) -> str:
        """The release's random public name."""
        return str(self._form["id"])

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
    def signed(self) -> Json:
        """The sealed form, its digest and its certificate: what is saved, and what goes over a wire."""
        signed = {} if self.certificate is None else {"certificate": dict(self.certificate)}
        return self.form | {"digest": self.digest} | signed

    def save(self, path: str | Path) -> Path:
        """Write the release with its certificate as JSON, which :meth:`load` reads."""
        with writing("the keys", path, "keys.json"):
            target = Path(path)
            if target.suffix.lower() != ".json":
                raise UserError(f"released keys are written to a .json file, not to {shown(str(path))}")
            replace_file(target, canonical(self.signed))
        return target

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read keys that were saved; raises :class:`UserError` for a file that is missing, edited or something else.

        Of real rows it holds its digest and its certificate. Whether the signature is genuine is for ``pets verify``.
        """
        with reading("the keys", path, "keys.json"):
            given = json.loads(Path(path).read_bytes())
            made = cls.sealed(given)
        if made.form["data"] != DUMMY and not ("digest" in given and made.certificate is not None):
            raise UserError(
                f"{str(path)!r} lacks the digest or the certificate with which pets saves released keys, so nothing "
                "tells that it holds them; ask for the original file, or list keys that are public in a KeySet"
            )
        return made

    @classmethod
    def sealed(cls, given: Mapping[str, Any], certificate: Json | None = None) -> Self:
        """The keys of a sealed form, as the ledger keeps it or as it is saved; raises as :meth:`load`."""
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
        return self.digest == other.digest if isinstance(other, SealedKeys) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self._form, self.certificate))

    def __repr__(self) -> str:
        lines = [*self._said, *(f"  {line}" for line in self.table.head(_SHOWN).to_string(index=False).splitlines())]
        lines = lines if self.rows else lines[: len(self._said)]
        more = len(self.rows) - _SHOWN
        return "\n".join([*lines, *([f"  … and {more:,} more keys"] if more > 0 else [])])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        body = [tuple(line) for line in self.table.head(_SHOWN).itertuples(index=False, name=None)]
        header = tuple(self.table.columns)
        caption = f"{len(self.rows):,} keys" + (f", the first {_SHOWN}" if len(self.rows) > _SHOWN else "")
        shown_rows = html_table.table(caption, header, body, numbers=tuple(range(len(self.columns), len(header))))
        alarm = self._form["data"] == DUMMY
        return html_table.block(*(html_table.sentence(said, alarm=alarm) for said in self._said), shown_rows)

    @property
    def _said(self) -> list[str]:
        dummy = "DUMMY DATA: invented rows. " if self._form["data"] == DUMMY else ""
        return [dummy + self._told, self.guarantee]


def order(row: tuple[Any, ...]) -> tuple[tuple[bool, Any], ...]:
    """The order of keys: by value, those without one last."""
    return tuple((value is None, "" if value is None else value) for value in row)


def _copied(form: Json) -> Json:
    """A form that shares no list with this one."""
    many = {"rows": [list(row) for row in form["rows"]]}
    many |= {"people": list(form["people"])} if "people" in form else {}
    return copy.deepcopy({name: part for name, part in form.items() if name not in many}) | many


def _label(value: Any) -> Any:
    return "missing" if value is None else value
