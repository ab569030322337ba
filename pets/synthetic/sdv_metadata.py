"""What SDV is told about tables: from the schema alone, never detected from rows.

SDV's own detection stores the least and greatest values and rare categories that it saw (``facts``: even "anonymised"
metadata keeps them). Here nothing but kinds is told; bounds are the schema's, applied to what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pets.codec import Json
from pets.domain import Boolean, Category, Date, Domain, Identifier
from pets.numeric import Integer, Numeric

if TYPE_CHECKING:
    import pandas as pd

PERSON = "pets_person"
"""The key that joins a person's rows while an engine learns; invented anew in what comes out."""


def kinds(fields: Mapping[str, Domain]) -> dict[str, Json]:
    """SDV's name for each column's kind."""
    return {name: _kind(domain) for name, domain in fields.items()}


def _kind(domain: Domain) -> Json:
    if isinstance(domain, Boolean):
        return {"sdtype": "boolean"}
    if isinstance(domain, Date):
        return {"sdtype": "datetime", "datetime_format": "%Y-%m-%d"}
    return {"sdtype": "numerical"} if isinstance(domain, Numeric) else {"sdtype": "categorical"}


def modelled_fields(fields: Mapping[str, Domain]) -> dict[str, Domain]:
    """The columns that an engine learns: all but identifiers (invented) and look-ups (computed)."""
    return {
        name: domain
        for name, domain in fields.items()
        if not isinstance(domain, Identifier) and not (isinstance(domain, Category) and domain.lookup is not None)
    }


def constraints(fields: Mapping[str, Domain]) -> Sequence[Json]:
    """SDV's constraints from the schema's rules, as ``{"class": name in sdv.cag, "parameters": {…}}``.

    The seam for rules (``admitted <= discharged`` and the like): schemas state none yet, so there are none. Whoever
    adds rules to schemas maps them here; :mod:`pets.synthetic.sdv_engine` applies whatever is listed.
    """
    return ()


def decoded(codes: Mapping[str, Any], fields: Mapping[str, Domain]) -> dict[str, pd.Series[Any]]:
    """Values from a snapshot's codes, for an engine to learn from. They are real rows."""
    import pandas as pd

    out = {}
    for name, domain in fields.items():
        column = np.asarray(codes[name])
        known = {code: None if code == domain.cells else domain.decode(code) for code in np.unique(column).tolist()}
        values: pd.Series[Any] = pd.Series([known[code] for code in column.tolist()], dtype=object)
        out[name] = values.map(lambda day: day.isoformat(), na_action="ignore") if isinstance(domain, Date) else values
        if isinstance(domain, Numeric):
            out[name] = pd.to_numeric(values).astype("float64")
    return out


def within(values: pd.Series[Any], domain: Domain) -> pd.Series[Any]:
    """What an engine made, put back into the domain: clamped to public bounds, rounded to steps; unknown is null."""
    import pandas as pd

    if isinstance(domain, Numeric):
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        low, step = float(domain.origin), float(domain.spacing)
        gaps = ~np.isfinite(numbers)
        places = np.clip(np.rint((np.where(gaps, low, numbers) - low) / step), 0, domain.cells - 1).astype(np.int64)
        known = {place: domain.decode(place) for place in np.unique(places).tolist()}
        made: list[Any] = [known[place] for place in places.tolist()]
        if gaps.any():
            made = [None if gap else value for value, gap in zip(made, gaps.tolist(), strict=True)]
        found: pd.Series[Any] = pd.Series(made, dtype=object)
        return found.infer_objects() if not isinstance(domain, Integer) or not gaps.any() else found
    if isinstance(domain, Date):
        days = pd.to_datetime(values, errors="coerce").dt.date
        return days.map(lambda day: min(max(day, domain.lo), domain.hi).isoformat(), na_action="ignore")
    if isinstance(domain, Boolean):
        said = {True: True, False: False, "True": True, "False": False}
        return values.map(lambda value: said.get(value), na_action="ignore").astype(object)
    assert isinstance(domain, Category)
    known_values = set(domain.values)
    return values.map(lambda value: value if value in known_values else None, na_action="ignore").astype(object)
