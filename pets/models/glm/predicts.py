"""Predicts: what a logistic or a Poisson regression says of new rows, from what was released of it alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from pets.common.integers import Floats
from pets.errors import UserError
from pets.models.new_rows import frame_of
from pets.models.predicting import judged, summed, values_of
from pets.plan.fitted.design import Design


class Predicts:
    """Predictions for new rows, and how well they do."""

    model: Any

    @property
    def estimable(self) -> bool:
        """Whether there are coefficients."""
        raise NotImplementedError

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        raise NotImplementedError

    @property
    def design(self) -> Design:
        """The columns of the regression."""
        raise NotImplementedError

    @property
    def _given(self) -> Floats:
        """The coefficients that are given; NaN for the others."""
        raise NotImplementedError

    def predict_mean(self, data: Any) -> Floats:
        """The mean outcome of new rows, such as the chance that it is true.

        ``data``: a data frame, or a mapping, with the columns of the terms, and of the exposure where there is one.
        Numbers are moved between the schema's bounds first, as those of the fit were. A row without a value in one of
        them has NaN; so have rows that a coefficient which is not given enters: all, where that is the intercept.

        Raises:
            UserError: for a column that is missing, or a value that the schema does not list.
        """
        if not self.estimable:
            raise UserError(f"this fit has no coefficients, so it predicts nothing: {self.notes[0]}")
        frame, name = frame_of(data), self.model.exposure
        eta = summed(self.design, self._given, frame)
        if self.model.kind == "logistic":
            return np.asarray(1 / (1 + np.exp(-eta)))
        mean = np.exp(eta)
        return np.asarray(mean if name is None else mean * values_of(name, self.design, frame))

    def predict_proba(self, data: Any) -> Floats:
        """Of a logistic regression, the chances of false and of true, a row each, as :meth:`predict_mean` has them."""
        if self.model.kind != "logistic":
            raise UserError("a Poisson regression has no chances of two outcomes; ask predict")
        mean = self.predict_mean(data)
        return np.column_stack([1 - mean, mean])

    def predict(self, data: Any) -> Any:
        """Of a logistic regression whether true is more likely than not; of a Poisson regression the mean.

        Of rows whose mean is NaN nothing is said: ``pd.NA``, in an array of nullable booleans, or NaN.
        """
        mean = self.predict_mean(data)
        if self.model.kind != "logistic":
            return mean
        import pandas as pd

        known = ~np.isnan(mean)
        return pd.array([bool(one >= 0.5) if told else pd.NA for one, told in zip(mean, known, strict=True)], "boolean")

    def score(self, data: Any, outcome: Any = None) -> float:
        """How well it predicts rows with an outcome: the share that is right, or of the deviance that is explained.

        Args:
            outcome: of each row; left out, the column of that name in ``data``. Rows without one do not count.
        """
        frame = frame_of(data)
        y, mean, known = judged(self.design, frame, outcome, self.predict_mean(frame))
        if self.model.kind == "logistic":
            return float(np.mean((mean >= 0.5) == (y >= 0.5)))
        named = self.model.exposure
        exposed = np.ones(len(y)) if named is None else values_of(named, self.design, frame)[known]
        alone = exposed * y.sum() / exposed.sum()
        return float(1 - _deviance(y, mean) / _deviance(y, alone))


def _deviance(y: Floats, mean: Floats) -> float:
    """Of Poisson's law."""
    logs = np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / mean), 0.0)
    return float(2 * np.sum(logs - (y - mean)))
