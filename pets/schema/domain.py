"""Column domains: the public set of values a column may hold, and their integer codes.

A code is a whole number from 0 to ``cells - 1``; the code ``cells`` stands for null. Nothing here is read from
rows: a domain is what the custodian publishes about a column before anyone asks a question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json, python_value
from pets.common.literals import name as name_of
from pets.common.literals import text as text_of
from pets.errors import QueryError, SchemaError, did_you_mean, shown
from pets.schema.reading import BLANKS, EXACT_TEXT, CategoryText

MISSING = "missing"
"""The label of the slot that holds rows whose group column is null."""

MAX_VALUES = 1_000_000
"""No category may list more values than this."""

MAX_CELLS = 2**62
"""No domain may have more values than this: codes and their sums stay inside 64 bits."""


def _text(what: str, value: object) -> str:
    """A text, or a whole number as one."""
    value = python_value(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**100:
        return str(int(value))
    if not isinstance(value, str):
        raise SchemaError(f"{what} must be a text, not {shown(value)}; write it in quotes")
    return text_of(value, SchemaError)


@dataclass(frozen=True)
class Domain:
    """What every column states: whether it may be null, and which texts in the data mean null.

    Attributes:
        nullable: ``False`` declares that no row lacks a value; a row that breaks the declaration is left out of
            the snapshot and counted in the custodian's report.
        null: texts that mean "no value" (beside the empty text and SQL null).
    """

    nullable: bool = field(default=True, kw_only=True)
    null: tuple[str, ...] = field(default=(), kw_only=True)
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        given: object = (self.null,) if isinstance(self.null, str) else self.null
        if not isinstance(given, (list, tuple)):
            raise SchemaError(f"null must be a list of texts, such as ['NA', '-9'], not {shown(given)}")
        object.__setattr__(self, "null", tuple(_text("a null text", token) for token in given))
        object.__setattr__(self, "nullable", python_value(self.nullable))
        if not isinstance(self.nullable, bool):
            raise SchemaError(f"nullable must be true or false, not {shown(self.nullable)}")

    @property
    def cells(self) -> int:
        """How many values the domain has, null not counted."""
        raise NotImplementedError

    @property
    def codes(self) -> int:
        """How many codes a stored value may have: the values, and null where the column is nullable."""
        return self.cells + int(self.nullable)

    def encode(self, value: object) -> int:
        """The code of one public value; raises :class:`QueryError` for a value outside the domain."""
        raise NotImplementedError

    def decode(self, code: int) -> Any:
        """The public value of a code; the null code gives ``"missing"``."""
        return MISSING if code == self.cells else self._value(code)

    def _value(self, code: int) -> Any:
        raise NotImplementedError

    def to_json(self) -> Json:
        """The canonical form: only what differs from the defaults."""
        out: Json = {"type": self.kind}
        if not self.nullable:
            out["nullable"] = False
        if self.null:
            out["null"] = list(self.null)
        return out

    def describe(self) -> str:
        """The domain in a few words, for people."""
        raise NotImplementedError


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Lookup:
    """A public many-to-one look-up: this column's value is a function of another column's code."""

    column: str
    mapping: Mapping[str, str]

    def __post_init__(self) -> None:
        name_of("a look-up's column", self.column, SchemaError)
        if not isinstance(self.mapping, Mapping) or not self.mapping:
            raise SchemaError(
                f"the look-up on column {self.column!r} needs a mapping with at least one pair of texts, such as "
                f"{{'Berlin': 'East'}}, not {shown(self.mapping)}"
            )
        pairs = {_text("a look-up key", k): _text("a look-up value", v) for k, v in self.mapping.items()}
        object.__setattr__(self, "mapping", MappingProxyType(dict(sorted(pairs.items()))))

    def __hash__(self) -> int:
        return hash((self.column, tuple(self.mapping.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Lookup, (self.column, dict(self.mapping)))

    def to_json(self) -> Json:
        """The canonical form."""
        return {"column": self.column, "map": dict(self.mapping)}


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Category(Domain):
    """A closed list of values, compared as exact text unless ``trim``, ``case="fold"`` or ``map`` say otherwise.

    >>> Category(["Female", "Male"], trim=True, map={"m": "Male"}).encode("Male")
    1
    """

    values: Sequence[str] = ()
    lookup: Lookup | None = None
    reading: CategoryText = field(default=EXACT_TEXT, repr=False)
    kind: ClassVar[str] = "category"

    def __init__(
        self,
        values: Sequence[object],
        *,
        lookup: Lookup | None = None,
        trim: bool = False,
        case: str | None = None,
        map: Mapping[str, str] | None = None,
        nullable: bool = True,
        null: Sequence[str] = (),
    ) -> None:
        if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or len(values) == 0:
            raise SchemaError("a category needs a list of at least one value, such as values: [Female, Male]")
        if len(values) > MAX_VALUES:
            raise SchemaError(f"a category may list at most {MAX_VALUES:,} values, not {len(values):,}")
        texts = tuple(_text("a category value", value) for value in values)
        if lookup is not None and not isinstance(lookup, Lookup):
            raise SchemaError(f"lookup must be pets.Lookup(column, {{value: value}}), not {shown(lookup)}")
        object.__setattr__(self, "values", texts)
        object.__setattr__(self, "lookup", lookup)
        object.__setattr__(self, "reading", CategoryText.of(trim, case, map))
        object.__setattr__(self, "nullable", nullable)
        object.__setattr__(self, "null", null)
        super().__post_init__()
        index: dict[str, int] = {}
        for code, text in enumerate(texts):
            if text in index:
                raise SchemaError(f"category value {shown(text)} is listed twice; list each value once")
            if text == "" or text in self.null:
                raise SchemaError(f"category value {shown(text)} also means null; take it out of one of the two lists")
            index[text] = code
        if self.nullable and MISSING in index:
            raise SchemaError("the value 'missing' is the name of the null slot; rename it or set nullable: false")
        if lookup is not None:
            for target in lookup.mapping.values():
                if target not in index:
                    raise SchemaError(
                        f"the look-up's value {shown(target)} is not a value{did_you_mean(target, texts)}"
                    )
        object.__setattr__(self, "_index", index)
        self._check_reading(index)

    def _check_reading(self, index: Mapping[str, int]) -> None:
        """Every spelling means one thing."""
        reading = self.reading
        if self.lookup is not None and reading != EXACT_TEXT:
            raise SchemaError("a look-up reads no cells; set trim, case or map on the column that it looks at")
        padded = next((text for text in self.values if reading.trim and text != text.strip(BLANKS)), None)
        if padded is not None:
            raise SchemaError(f"no trimmed text is {shown(padded)}; write the value without blanks around it")
        means: dict[str, str] = {}
        for token in self.null:
            means[reading.plain(token)] = token
        for text in self.values:
            alike = means.setdefault(reading.plain(text), text)
            if alike != text:
                raise SchemaError(f"{shown(text)} and {shown(alike)} are one text under trim or case: fold; keep one")
        for spelling, value in reading.map:
            if value not in index:
                raise SchemaError(f"map's value {shown(value)} is not a value{did_you_mean(value, self.values)}")
            if not reading.plain(spelling):
                raise SchemaError("the empty text always means null; take it out of map")
            if means.setdefault(reading.plain(spelling), value) != value:
                raise SchemaError(f"map's spelling {shown(spelling)} already means something else; take it out")

    @property
    def cells(self) -> int:
        return len(self.values)

    def encode(self, value: object) -> int:
        index: dict[str, int] = self._index  # type: ignore[attr-defined]
        value = python_value(value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**100:
            value = str(value)
        if not isinstance(value, str) or value not in index:
            raise QueryError(f"{shown(value)} is not one of its values{did_you_mean(value, self.values)}")
        return index[value]

    def _value(self, code: int) -> str:
        return self.values[code]

    def to_json(self) -> Json:
        out = super().to_json() | {"values": list(self.values)} | self.reading.to_json()
        if self.lookup is not None:
            out["lookup"] = self.lookup.to_json()
        return out

    def describe(self) -> str:
        return f"one of {self.cells} categories"


def ordered(low: Any, high: Any, cells: int) -> None:
    """Refuse a range that is reversed or has more values than codes can count."""
    if high < low:
        raise SchemaError(f"min {low} is greater than max {high}; swap them")
    if cells > MAX_CELLS:
        raise SchemaError(f"the range from {low} to {high} has more than 2^62 values; narrow it or use a coarser step")


YES = ("true", "t", "yes", "y", "1")
NO = ("false", "f", "no", "n", "0")


def truth(text: str) -> str:
    """``true`` or ``false`` where a text says it, else the text itself.

    >>> [truth(text) for text in ("Y", " no", "1.0", "ja")]
    ['true', 'false', 'true', 'ja']
    """
    bare = re.sub(r"^([01])\.0+$", r"\1", text.strip(BLANKS).lower())
    return "true" if bare in YES else "false" if bare in NO else text


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Boolean(Domain):
    """Yes or no. Data may write true/false, t/f, yes/no, y/n or 1/0, in any case; 1.0 and 0.0 are 1 and 0."""

    kind: ClassVar[str] = "boolean"

    @property
    def cells(self) -> int:
        return 2

    def encode(self, value: object) -> int:
        value = python_value(value)
        if not isinstance(value, bool):
            raise QueryError(f"{shown(value)} is not one of its values; there are: True, False")
        return int(value)

    def _value(self, code: int) -> bool:
        return bool(code)

    def describe(self) -> str:
        return "true or false"


@plain_fields(SchemaError)
@dataclass(frozen=True)
class Identifier(Domain):
    """Names a person or a record. It is compared as exact text and never appears in a query."""

    kind: ClassVar[str] = "identifier"

    @property
    def cells(self) -> int:
        raise SchemaError("an identifier has no public list of values")

    def encode(self, value: object) -> int:
        raise QueryError("an identifier may not appear in a query")

    def describe(self) -> str:
        return "an identifier, never shown"
