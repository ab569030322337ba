"""New rows: what a model is asked about, as numbers by the schema's public domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pets.common.integers import Floats
from pets.errors import UserError, did_you_mean, shown
from pets.schema.cells import Texts
from pets.schema.domain import Category, Domain
from pets.schema.numeric import Numeric

if TYPE_CHECKING:
    import pandas as pd


def frame_of(data: Any) -> pd.DataFrame:
    """A data frame, or a mapping of columns, as a data frame; raises :class:`UserError` for anything else."""
    import pandas as pd

    try:
        return data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
    except (TypeError, ValueError, OverflowError):
        raise UserError(
            "rows to predict are a data frame, or a mapping of columns of plain values and one length; write such as "
            "{'age': [30, 80]}"
        ) from None


def column_of(frame: pd.DataFrame, name: str) -> Any:
    """A column of new rows; raises :class:`UserError` where there is none."""
    if name not in frame.columns:
        raise UserError(f"the rows to predict have no column {name!r}{did_you_mean(name, list(frame.columns))}")
    return frame[name]


def numbers(name: str, domain: Domain, values: Any, listed: bool = False) -> Floats:
    """A column of new rows: numbers between their bounds, and codes of what is no number; NaN without a value.

    What the schema declares to mean null is no value here either.

    Args:
        listed: whether a number is taken as a category of its values.

    Raises:
        UserError: for what is no number, a value that the schema does not list, and several columns of one name.
    """
    import pandas as pd

    if getattr(values, "ndim", 1) > 1:
        raise UserError(f"there are several columns {name!r}; leave one of them")
    none = _none(domain, values)
    values = values.mask(none) if none.any() else values
    if isinstance(domain, Numeric) and not listed:
        low, high = float(domain.origin), float(domain.origin + domain.spacing * (domain.cells - 1))
        try:
            if values.dtype.kind in "mMc":  # pandas makes nanoseconds of days, and drops what is imaginary
                raise TypeError("no numbers")
            found: Floats = pd.to_numeric(values).to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError, OverflowError):
            raise UserError(
                f"column {name!r} of the rows to predict holds something other than numbers; give numbers"
            ) from None
        return np.clip(found, low, high)
    known = {domain.decode(code): code for code in range(domain.cells)}
    out = np.full(len(values), np.nan)
    for place, value in enumerate(values):
        alone = pd.api.types.is_scalar(value)
        if not alone or not pd.isna(value):
            if not alone or value not in known:
                kind = "categories" if isinstance(domain, Category) else "values"
                raise UserError(
                    f"column {name!r} of the rows to predict holds {shown(value)}, which is not one of its {kind}"
                    f"{did_you_mean(value, list(known)) if alone else ''}"
                )
            out[place] = known[value]
    return out


def _none(domain: Domain, values: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    """Where a value is one that the schema declares to mean null, as a cell of a table is read."""
    if not domain.null:
        return np.zeros(len(values), dtype=np.bool_)
    texts, nulls = Texts(domain), {*domain.null}

    def means_null(value: object) -> bool:
        try:
            return texts.of(value) in nulls
        except ValueError:  # of floats that have lost digits
            return False

    return np.array([means_null(value) for value in values], dtype=np.bool_)


def outcome_beside(frame: pd.DataFrame, name: str, outcome: Any) -> pd.DataFrame:
    """New rows with their outcomes: a column of theirs, or given beside them, one for each row.

    Raises:
        UserError: for neither, and for another number of outcomes.
    """
    import pandas as pd

    if outcome is None:
        if name not in frame.columns:
            raise UserError(
                f"the rows to judge by have no column {name!r}, the outcome; give it in them, or beside them as in "
                "fit.score(rows, outcome)"
            )
        return frame
    given = np.asarray(outcome, dtype=object)
    given = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    if given.shape != (len(frame),):
        raise UserError(f"there are {len(frame):,} rows and not as many outcomes; give one for each row")
    return pd.DataFrame({name: pd.Series(given).infer_objects()})
