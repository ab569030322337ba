"""A code list as a condition: the codes themselves, so that the question means the same when the file has changed.

Real lists are long and hold codes that a schema has not; those are ignored, and how many they are is told.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from pets.common.arguments import plain_fields
from pets.common.codec import Json
from pets.common.literals import name as name_of
from pets.common.literals import text
from pets.errors import QueryError, shown
from pets.query_model.expression import MAX_VALUES, READERS, Filter, IsIn
from pets.schema.domain import Category, Domain
from pets.schema.text_column import Text, undotted


@plain_fields(QueryError)
@dataclass(frozen=True)
class InCodelist(Filter):
    """``column`` is one of the codes of a list; codes that it cannot hold are ignored.

    Attributes:
        codes: each once, in order.
    """

    column: str
    codes: tuple[str, ...]
    kind: ClassVar[str] = "codelist"

    def __post_init__(self) -> None:
        name_of("a condition's column", self.column)
        if not isinstance(self.codes, (tuple, list)) or not all(isinstance(code, str) for code in self.codes):
            raise QueryError(f"the codes of a list are texts, such as ['I21', 'I22'], not {shown(self.codes)}")
        codes = sorted({text(code) for code in self.codes})
        if not 1 <= len(codes) <= MAX_VALUES:
            raise QueryError(f"a code list has from 1 to {MAX_VALUES:,} codes, and this one has {len(codes):,}")
        object.__setattr__(self, "codes", tuple(codes))

    def to_json(self) -> Json:
        return {"filter": self.kind, "column": self.column, "codes": list(self.codes)}

    def known(self, domain: Domain) -> IsIn:
        """The codes that a column can hold, as a condition; raises :class:`QueryError` where there is none."""
        found = held_codes(self.codes, domain)
        if not found:
            raise QueryError(
                f"none of the {len(self.codes):,} codes of the list is a value of it, such as {shown(self.codes[0])}; "
                f"{_remedy(self.codes[0], domain)}, choose another column, or name that of the codes: "
                "in_codelist(file, column=…)"
            )
        return IsIn(self.column, tuple(sorted(set(found.values()))))


def held_codes(codes: tuple[str, ...], domain: Domain) -> dict[str, str]:
    """Each code that a column of these can hold, with the value that it is; the others are left out.

    A code that a category does not list is taken without dots and in upper case, where that is one of its values alone:
    ``i21.4`` is ``I214``. Code and schema decide that. Raises :class:`QueryError` for a column that holds no codes.
    """
    if isinstance(domain, Category):
        values, plain = frozenset(domain.values), Counter(map(undotted, domain.values))
        alone = {key: value for value in domain.values if plain[key := undotted(value)] == 1}
        found = {code: code if code in values else alone.get(undotted(code)) for code in codes}
        return {code: value for code, value in found.items() if value is not None}
    if not isinstance(domain, Text):
        raise QueryError(f"it holds {domain.describe()}, which are no codes; use isin([…]) or between")
    held = {}
    for code in codes:
        with contextlib.suppress(QueryError):
            domain.spelt(code)
            held[code] = code
    return held


def _remedy(code: str, domain: Domain) -> str:
    """How the codes of a list come to be values of a column."""
    if not isinstance(domain, Category):
        return "write codes of that form"
    if any(value.startswith(code) for value in domain.values):
        return f"ask for all that begin so with startswith({shown(code)})"
    return f"write the codes as the schema does, such as {shown(domain.values[0])}"


READERS[InCodelist.kind] = lambda form, _, __: InCodelist(form["column"], form["codes"])
