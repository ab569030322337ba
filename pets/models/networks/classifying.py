"""Classifying: what a trained network does with new rows, whoever trained it: an estimator that is not fitted again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

from pets.common import html_table
from pets.common.integers import Floats
from pets.dp.train_noise import drowned, loudness, membership
from pets.errors import UserError
from pets.models.new_rows import column_of, frame_of, numbers, outcome_beside
from pets.plan.networks.wiring import GRADIENT, two_valued
from pets.plan.trained.descent import split
from pets.plan.trained.fixed_point import INPUT, ROOT_TWO, WEIGHT, Layers
from pets.plan.trained.train_plan import TrainPlan
from pets.query_model.trained.network import Network
from pets.release.text import DUMMY

if TYPE_CHECKING:
    import pandas as pd

Marks = npt.NDArray[np.bool_]
NOISE = "A step of this training is mostly noise: do not use these predictions; take more epsilon or fewer steps"
FIXED = (
    "a trained network is not fitted again: train another with session.train, judge this one with "
    "trained.score(data, outcome), or give scikit-learn FrozenEstimator(trained), which leaves it as it is"
)
AT_ONCE = 2**16  # rows that are predicted at a time


class Classifies(ABC):
    """A network with its weights. All here is public; nothing here costs anything."""

    _estimator_type: ClassVar[str] = "classifier"

    @property
    @abstractmethod
    def network(self) -> Network:
        """What was trained."""

    @property
    @abstractmethod
    def plan(self) -> TrainPlan:
        """What each step measured, and how far one person moves it."""

    @property
    @abstractmethod
    def _flat(self) -> Sequence[int]:
        """The weights in one row, as whole numbers of 2^-16."""

    @property
    @abstractmethod
    def people(self) -> int:
        """How many people it was trained on, counted with noise."""

    @property
    @abstractmethod
    def _data(self) -> str:
        """``"real"`` or ``"dummy"``."""

    @property
    @abstractmethod
    def guarantee(self) -> str:
        """The promise, as a sentence."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""

    @property
    @abstractmethod
    def card(self) -> str:
        """The model card: what it is, what it promises, what it cost, and how well membership can be told from it."""

    def _card(self, charged: str, at: tuple[float, float], scale: float, where: str = "") -> str:
        """The card; ``scale``: σ on each number of a step, in its whole numbers; ``at``: ε and δ.

        Args:
            where: a person adds no more than the clip.
        """
        plan, network = self.plan, self.network
        layers = " → ".join([f"{plan.widths[0]} inputs", *(f"{w} {name}" for w, name in network.hidden)])
        right, found = membership(*at)
        loud = loudness(scale, plan.size, plan.bound, max(1, self.people))
        lines = [
            f"Network: {network.outcome} by {', '.join(network.columns)}",
            f"Data: {plan.plan.dataset}, {plan.plan.table}; about {max(0, self.people):,} people",
            f"Layers: {layers} → {plan.widths[-1]} ({plan.size:,} weights)",
            f"Guarantee: {self.guarantee}",
        ]
        if drowned(loud):
            lines.append(NOISE)
        if self._data == "dummy":
            return "\n".join([DUMMY, *lines, *self.notes])
        lines += [
            f"Charged: {charged}",
            f"Steps: T = {network.steps}, clip C = {network.clip:g}, noise σ = {scale / GRADIENT:.4g} on each number "
            f"of a step, in whole numbers of 1/{GRADIENT}; what one person adds{where} is at most C in L2, looked at "
            "in whole numbers",
            f"Noise of one step: {loud:.2g} of the most that about {self.people:,} people could add up to together (a "
            "tenth is fine, 1 is noise alone)",
            f"Membership: whoever wants to tell whether a person took part is right at most {right:.1%} of the time "
            f"where both are as likely, and finds at most {found:.1%} of those who did with one false alarm in a "
            "hundred (Kairouz, Oh and Viswanath 2015; Humphries et al. 2023): a bound that ε and δ give for every "
            "attack, and no attack was tried",
        ]
        return "\n".join([*lines, *self.notes])

    def __repr__(self) -> str:
        made = "DUMMY DATA, " if self._data == "dummy" else ""
        told = f"{self.network.outcome} by {', '.join(self.network.columns)}"
        return f"<{type(self).__name__}: {made}{told}; its card says more>"

    def __str__(self) -> str:
        return self.card

    def _repr_html_(self) -> str:
        alarm = self._data == "dummy"
        return html_table.block(*(html_table.sentence(line, alarm=alarm) for line in self.card.splitlines()))

    @cached_property
    def weights(self) -> list[Floats]:
        """Of each layer a row a unit: a weight for each input, and last the one of what is always 1."""
        flat = np.array(self._flat, dtype=np.float64)
        return [one / WEIGHT for one in split(flat, self.plan.widths)]

    @property
    def feature_names_in_(self) -> Any:
        """The columns that it tells the outcome by."""
        return np.array(self.network.columns, dtype=object)

    @property
    def n_features_in_(self) -> int:
        """How many they are."""
        return len(self.network.columns)

    @cached_property
    def classes_(self) -> Any:
        """The values of the outcome, in the order of :meth:`predict_proba`."""
        domain = self.plan.domain(self.network.outcome)
        return np.array([domain.decode(code) for code in range(domain.cells)])

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, *data: Any, **more: Any) -> NoReturn:
        """A trained network is not fitted again.

        Raises:
            UserError: always, as :meth:`__sklearn_clone__` does; scikit-learn asks for a method of this name.
        """
        raise UserError(FIXED)

    def __sklearn_clone__(self) -> NoReturn:
        raise UserError(FIXED)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        tags = ClassifierTags(multi_class=self.plan.classes > 2)
        inputs = InputTags(two_d_array=False, categorical=True, allow_nan=True)
        return Tags("classifier", TargetTags(required=True), classifier_tags=tags, input_tags=inputs)

    # what is done with it ---------------------------------------------------------------------------------------------

    def predict_proba(self, data: Any) -> Floats:
        """Of each new row the chance of each class, in the order of ``classes_``; NaN where a column has no value.

        Args:
            data: a data frame, or a mapping, with the columns of the network; numbers are moved between the schema's
                bounds first. Values of a column that the network's question computed are to be given.

        Raises:
            UserError: for a column that is missing, or a value that the schema does not list.
        """
        frame, plan = frame_of(data), self.plan
        natural = {name: numbers(name, plan.domain(name), column_of(frame, name)) for name in self.network.columns}
        inputs = np.stack([self._input(natural[name], name, code) for name, code in plan.inputs], axis=1)
        lacking: Marks = np.asarray(np.isnan(inputs).any(axis=1))
        layers = Layers([one * WEIGHT for one in self.weights], tuple(name for _, name in self.network.hidden))
        out = np.full((len(frame), plan.classes), np.nan)
        for start in range(0, len(frame), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            found = layers.chances(np.where(lacking[some, None], 0.0, inputs[some])) / WEIGHT
            both = np.concatenate([1 - found, found], axis=1) if plan.classes == 2 else found
            out[some] = both / both.sum(axis=1, keepdims=True)
        out[lacking] = np.nan
        return out

    def _input(self, values: Floats, name: str, code: int | None) -> Floats:
        domain = self.plan.domain(name)
        if code is not None:
            return np.where(np.isnan(values), np.nan, np.where(values == code, float(ROOT_TWO), 0.0))
        if two_valued(domain):
            return np.where(np.isnan(values), np.nan, np.where(values > 0, float(INPUT), -float(INPUT)))
        origin, spacing = float(getattr(domain, "origin")), float(getattr(domain, "spacing"))  # noqa: B009
        top = float(domain.cells - 1)
        return np.rint(((values - origin) / spacing * 2 - top) * INPUT / top)

    def predict(self, data: Any) -> Any:
        """Of each new row the likeliest class; ``None`` where a column has no value. As :meth:`predict_proba`."""
        chances = self.predict_proba(data)
        lacking: Marks = np.asarray(np.isnan(chances).any(axis=1))
        found = self.classes_[np.where(lacking[:, None], 0.0, chances).argmax(axis=1)]
        return np.where(lacking, None, found) if lacking.any() else found

    def score(self, data: Any, outcome: Any = None) -> float:
        """The share of new rows whose class is told right; a row without a value in a column counts as told wrong.

        Args:
            outcome: of each row; left out, the column of that name in ``data``.

        Raises:
            UserError: as :meth:`predict`; and for outcomes that are none, unlisted, or not one for each row.
        """
        frame, name = frame_of(data), self.network.outcome
        chances = self.predict_proba(frame)
        codes = numbers(name, self.plan.domain(name), outcome_beside(frame, name, outcome)[name])
        if np.isnan(codes).any():
            raise UserError("a row without an outcome cannot be judged; leave such rows out")
        lacking: Marks = np.asarray(np.isnan(chances).any(axis=1))
        told = np.where(lacking[:, None], 0.0, chances).argmax(axis=1)
        return float(np.mean((told == codes) & ~lacking)) if len(codes) else 0.0

    @property
    def coefficients(self) -> pd.DataFrame:
        """Of logistic regression (no hidden layers): a row an input, a column a class told (of two, the second).

        Inputs lie from -1 to 1: a number by its public bounds, a column of two values at either end; a category's value
        is √2 where a row has it. There are no intervals: shortening to the clip moves weights, by how much nobody
        outside may know.

        Raises:
            UserError: for a network with hidden layers, whose weights mean nothing one by one.
        """
        import pandas as pd

        if self.network.hidden:
            raise UserError("weights of a network with hidden layers mean nothing one by one; look at predict_proba")
        names = [name if code is None else f"{name}[{self._value(name, code)}]" for name, code in self.plan.inputs]
        told = self.classes_[1:] if self.plan.classes == 2 else self.classes_
        return pd.DataFrame(self.weights[0].T, index=[*names, "intercept"], columns=[str(one) for one in told])

    def _value(self, name: str, code: int) -> Any:
        return self.plan.domain(name).decode(code)
