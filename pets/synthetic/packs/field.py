"""One field of a pack's table: its type, its formula, its meaning; and the domain that it has in the schema."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pets.errors import SchemaError, did_you_mean, shown
from pets.schema.dates import Date
from pets.schema.domain import Boolean, Category, Domain, Identifier
from pets.schema.numeric import Integer, Real
from pets.synthetic.packs.codelists import CodeList
from pets.synthetic.packs.formula import Formula, read
from pets.synthetic.packs.functions import FUNCTIONS, GROUPED
from pets.synthetic.packs.grammar import KINDS, OPTIONS

MAX_SLOTS = 99
"""Columns of a family at most."""

_SLOTS = re.compile(r"(.+)_\[(\d+)-(\d+)\]")
_NUMBER = r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?"
_DETAIL = {
    "person": r"",
    "id": r"(?:[1-9][0-9]?)?",
    "codes": r"\S+(?: \S+)*",
    "values": r"\S+(?: \S+)*",
    "day": r"(?:[0-9-]{10}\.\.[0-9-]{10})?",
    "whole": r"-?[0-9]{1,15}\.\.-?[0-9]{1,15}",
    "real": rf"{_NUMBER}\.\.{_NUMBER} {_NUMBER}",
    "truth": r"",
    "text": r"",
}


@dataclass(frozen=True)
class Field:
    """A field, or a family of numbered ones (``DIAG_4_[01-20]``).

    Attributes:
        name: the field's name, or the family's pattern.
        kind: one of ``grammar.KINDS``; empty for a working column, which no file holds (its name begins with ``_``).
        detail: what the kind needs: names of code lists, values, bounds.
        formula: how it is made.
        about: what it means.
        source: the key of the document that describes it.
        blank: the text that stands where there is no value, as the published data have it; ``None`` for empty.
        tokens: further texts that mean "no value" in real extracts.
        distinct: whether the slots of a family hold different values, without gaps.
    """

    name: str
    kind: str
    detail: tuple[str, ...]
    formula: Formula
    about: str = ""
    source: str = ""
    blank: str | None = None
    tokens: tuple[str, ...] = ()
    distinct: bool = False

    @property
    def hidden(self) -> bool:
        """Whether no file holds it."""
        return self.name.startswith("_")

    @property
    def names(self) -> tuple[str, ...]:
        """The field's name, or those of its family."""
        found = _SLOTS.fullmatch(self.name)
        if found is None:
            return (self.name,)
        first, last = int(found[2]), int(found[3])
        return tuple(f"{found[1]}_{i:0{len(found[2])}d}" for i in range(first, last + 1))

    @property
    def family(self) -> str | None:
        """What a family's names begin with, which formulas write as ``DIAG_4[slot]``."""
        found = _SLOTS.fullmatch(self.name)
        return None if found is None else found[1]

    def domain(self, lists: Mapping[str, CodeList], window: tuple[dt.date, dt.date]) -> Domain:
        """What a schema says of the field."""
        null = [token for token in (self.blank, *self.tokens) if token is not None]
        if self.kind in ("person", "id", "text"):
            return Identifier(null=tuple(null))
        if self.kind == "truth":
            return Boolean(null=tuple(null))
        if self.kind == "day":
            low, high = self.detail[0].split("..") if self.detail else window
            return Date(low, high, null=null)
        if self.kind in ("whole", "real"):
            low, high = self.detail[0].split("..")
            return Integer(low, high, null=null) if self.kind == "whole" else Real(low, high, self.detail[1], null=null)
        values = self.detail if self.kind == "values" else [code for name in self.detail for code in lists[name].codes]
        return Category([value for value in dict.fromkeys(values) if value not in null], null=null)


def on_steps(domain: Real, numbers: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Numbers as a domain keeps them: each on its nearest step, halves up; nothing is moved to a bound.

    >>> on_steps(Real(50, 700, 5), np.array([378.436524, 52.5, 900])).tolist()
    [380.0, 55.0, 900.0]
    """
    origin, step = float(domain.origin), float(domain.spacing)
    places = max(_places(domain.origin), _places(domain.spacing))
    return np.asarray(np.round(origin + np.floor((numbers - origin) / step + 0.5) * step, places), dtype=np.float64)


def _places(exact: Fraction) -> int:
    """Decimal places that a number is written with: pets reads at most nine."""
    return next((places for places in range(10) if (exact * 10**places).denominator == 1), 12)


def family(names: Iterable[str], family: str) -> list[str]:
    """The numbered names of a family among others.

    >>> family(["DIAG_4_01", "DIAG_4_02", "DIAG_4_X", "DIAG_COUNT"], "DIAG_4")
    ['DIAG_4_01', 'DIAG_4_02']
    """
    return [name for name in names if name.startswith(f"{family}_") and name[len(family) + 1 :].isdigit()]


def field(name: str, text: Any, source: str, lists: Mapping[str, CodeList]) -> Field:
    """A field from its line ``"type | formula | meaning"``, or ``"type | formula | meaning | source"``.

    A working column is its formula alone. The type may end in ``blank=…`` (what stands where there is no value),
    ``nulls=a,b`` (further texts for that) and ``distinct``. Without a formula a code is drawn from the type's list.

    >>> sex = field("SEX", "values 1 2 blank=9 | pick('sex') | Sex of patient", "HES", {})
    >>> sex.kind, sex.detail, sex.blank
    ('values', ('1', '2'), '9')
    """
    if not isinstance(text, str):
        raise SchemaError(f"field {name!r} needs a line 'type | formula | meaning', not {shown(text)}")
    if name.startswith("_"):
        return Field(name, "", (), read(text, FUNCTIONS, GROUPED))
    if text.count("|") > 3:
        raise SchemaError(f"field {name!r} has more than 'type | formula | meaning | source'; a | ends each part")
    kind, formula, about, *rest = [part.strip() for part in text.split("|")] + [""] * max(0, 2 - text.count("|"))
    word, *detail = kind.split() or [""]
    if word not in KINDS:
        raise SchemaError(f"field {name!r}: there is no type {shown(word)}{did_you_mean(word, KINDS)}")
    options = {key: value for key, _, value in (part.partition("=") for part in detail if "=" in part)}
    plain = tuple(part for part in detail if "=" not in part and part != "distinct")
    if re.fullmatch(_DETAIL[word], " ".join(plain)) is None:
        raise SchemaError(f"field {name!r} has the type {shown(kind)}; write it as in {KINDS[word][0]!r}")
    found = _SLOTS.fullmatch(name)
    if found is not None and not 1 <= int(found[3][:9]) - int(found[2][:9]) + 1 <= MAX_SLOTS:
        raise SchemaError(
            f"field {name!r} is a family of 1 to {MAX_SLOTS} columns, such as DIAG_[01-20]; mend its range"
        )
    if word == "codes":
        for listed in plain:
            if listed not in lists:
                raise SchemaError(f"field {name!r}: there is no code list {listed!r}{did_you_mean(listed, lists)}")
    if not formula and (word != "codes" or not plain):
        raise SchemaError(f"field {name!r} needs a formula")
    if not about:
        raise SchemaError(f"field {name!r} needs its meaning, after a second |")
    for key in options:
        if key not in OPTIONS:
            raise SchemaError(f"field {name!r}: {shown(key)} is not a setting{did_you_mean(key, OPTIONS)}")
    return Field(
        name,
        word,
        plain,
        read(formula or f"pick({plain[0]!r})", FUNCTIONS, GROUPED),
        about,
        rest[0] if rest else source,
        options.get("blank"),
        tuple(options["nulls"].split(",")) if "nulls" in options else (),
        "distinct" in detail,
    )
