"""What SDV is told about tables: from the schema alone, never detected from rows.

SDV's own detection stores the least and greatest values and rare categories that it saw (``facts``: even "anonymised"
metadata keeps them). Here nothing but kinds is told; bounds are the schema's, applied to what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.common.codec import Json
from pets.schema.clock.time_of_day import Time
from pets.schema.dates import Calendar, Date
from pets.schema.domain import Boolean, Category, Domain, Identifier
from pets.schema.numeric import Integer, Numeric
from pets.schema.text_column import Text

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]

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
    if isinstance(domain, Calendar):
        return {"sdtype": "datetime", "datetime_format": "%Y-%m-%d %H:%M:%S"}
    return {"sdtype": "numerical"} if isinstance(domain, (Numeric, Time)) else {"sdtype": "categorical"}


def modelled_fields(fields: Mapping[str, Domain]) -> dict[str, Domain]:
    """The columns that an engine learns: all but identifiers (invented), look-ups (computed) and texts (not listed)."""
    return {
        name: domain
        for name, domain in fields.items()
        if not isinstance(domain, (Identifier, Text))
        and not (isinstance(domain, Category) and domain.lookup is not None)
    }


def decoded(codes: Mapping[str, Any], fields: Mapping[str, Domain]) -> dict[str, pd.Series[Any]]:
    """Values from a snapshot's codes, for an engine to learn from. They are real rows."""
    import pandas as pd

    out = {}
    for name, domain in fields.items():
        column = np.asarray(codes[name])
        if isinstance(domain, Time):  # (its order is what an engine shall learn, not 1,440 names)
            out[name] = pd.Series(np.where(column == domain.cells, np.nan, column), dtype="float64")
            continue
        known = {code: None if code == domain.cells else domain.decode(code) for code in np.unique(column).tolist()}
        values: pd.Series[Any] = pd.Series([known[code] for code in column.tolist()], dtype=object)
        out[name] = values.map(str, na_action="ignore") if isinstance(domain, Calendar) else values
        if isinstance(domain, Numeric):
            out[name] = pd.to_numeric(values).astype("float64")
    return out


def coded(values: pd.Series[Any], domain: Domain) -> Ints:
    """What an engine made, as codes of the domain: clamped to public bounds, rounded to steps; unknown is null."""
    import pandas as pd

    if isinstance(domain, (Numeric, Calendar, Time)):
        if isinstance(domain, Calendar):
            moments = pd.to_datetime(values, errors="coerce", format="mixed")
            # (astype: a column without any value comes as another kind)
            places = ((moments - pd.Timestamp(domain.lo)) / pd.Timedelta(domain.width)).astype("float64").to_numpy()
            places = np.floor(places)
        else:
            numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            start, step = (0, 1) if isinstance(domain, Time) else (float(domain.origin), float(domain.spacing))
            places = np.rint((numbers - start) / step)
        gaps = ~np.isfinite(places)
        inside = np.clip(np.where(gaps, 0, places), 0, domain.cells - 1).astype(np.int64)
        return np.where(gaps, domain.cells, inside)
    assert isinstance(domain, (Boolean, Category))
    if isinstance(domain, Boolean):
        known: dict[Any, int] = {True: 1, False: 0, "True": 1, "False": 0}
    else:
        known = {value: code for code, value in enumerate(domain.values)}
    found: Ints = np.array([known.get(value, domain.cells) for value in values.astype(object).tolist()], dtype=np.int64)
    return found


def rendered(codes: Ints, domain: Domain) -> pd.Series[Any]:
    """Codes as the values that a data set holds; ``None`` where there is none."""
    import pandas as pd

    known = {code: _value(code, domain) for code in np.unique(codes).tolist()}
    made: pd.Series[Any] = pd.Series([known[code] for code in codes.tolist()], dtype=object)
    # (numbers as numbers; but whole ones with gaps would become 3.0)
    plain = isinstance(domain, Numeric) and not (isinstance(domain, Integer) and domain.cells in known)
    return made.infer_objects() if plain else made


def _value(code: int, domain: Domain) -> Any:
    if code == domain.cells:
        return None
    value = domain.decode(code)
    return str(value) if isinstance(domain, Calendar) else value
