"""Trained over sites: a network whose steps several sites answered together, each as a question of its own.

Its weights follow from their releases, and so do its promise and its price. Nothing else is in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pets.common.codec import Json
from pets.errors import PetsError, UserError
from pets.models import saving
from pets.models.glm.stepping import snapshots_of
from pets.models.margins.together import together
from pets.models.networks.classifying import Classifies
from pets.plan.trained.descent import Descent, descended
from pets.plan.trained.train_plan import TrainPlan, make_train_plan
from pets.protection.budget import UNIT, Cost, described, rounded_up
from pets.query_model.nodes.gradient import Gradient
from pets.query_model.query import Query
from pets.query_model.trained.network import Network
from pets.release.release import Release

VERSION = 1
FORM = "trained over sites"
STEP = "step"


def asked(network: Network, at: Sequence[int] | None) -> Query:
    """The question of a step at some weights; without weights, of how many people it is."""
    norm: Any = network.clip
    step = Gradient(
        outcome=network.outcome,
        inputs=network.columns,
        hidden=network.hidden,
        norm=norm,
        at=None if at is None else tuple(at),
    )
    return network.data.agg(**{STEP: step})


def begun(plan: TrainPlan, people: int) -> Descent:
    """The weights before the first step; ``people``: the noisy count."""
    network = plan.network
    return Descent(plan.widths, people, network.steps, network.rate, network.seed)


class TrainedOverSites(Classifies):
    """A trained network, made by :meth:`pets.Federation.train`. All here is public; nothing here costs anything.

    Attributes:
        releases: how many people there are, and then each step's sum, in order, with what the sites signed.
    """

    def __init__(self, network: Network, releases: Sequence[Release]) -> None:
        self._network, self.releases = network, tuple(releases)
        wrong = UserError("a network is trained by federation.train(network, protection), of the releases of its steps")
        if not isinstance(network, Network) or len(self.releases) != network.steps + 1:
            raise wrong
        schema, sharing = self.releases[0].schema, self.releases[0].sharing
        self._plan = make_train_plan(network, schema)
        left: Iterator[Release] = iter(self.releases)

        def answer(at: Sequence[int] | None) -> Release:
            release = next(left)
            told = release.sharing
            alike = release.schema == schema and release.data == self._data
            alike = alike and told is not None and sharing is not None
            alike = alike and all((told or {})[name] == (sharing or {})[name] for name in ("roster_sha256", "secure"))
            if not alike or release.query.digest != asked(network, at).digest or release.mechanism != "gaussian":
                raise wrong
            return release

        descent = begun(self._plan, int(answer(None).values[0]))
        descended(descent, network.steps, lambda now: answer(now.at).values)
        self._weights = descent.final

    @property
    def network(self) -> Network:
        """What was trained."""
        return self._network

    @property
    def plan(self) -> TrainPlan:
        """What each step measured, and how far one person moves it."""
        return self._plan

    @property
    def _flat(self) -> Sequence[int]:
        return self._weights

    @property
    def _data(self) -> str:
        return self.releases[0].data

    @property
    def people(self) -> int:
        """How many people it was trained on, counted with noise."""
        return int(self.releases[0].values[0])

    @property
    def cost(self) -> Json:
        """``currency``, ``loss`` and ``delta`` in the ledgers' exact units, of all releases, at each site."""
        first = self.releases[0].cost
        sums = {name: sum(release.cost[name] for release in self.releases) for name in ("loss", "delta")}
        return {"currency": first["currency"]} | sums

    @cached_property
    def _meaning(self) -> tuple[float, float, float]:
        """ρ, ε and δ of all releases together."""
        stated = sum(round((one.rho or 0) * UNIT) for one in self.releases)  # (invented rows cost nothing)
        cost = Cost("zcdp", self.cost["loss"] or stated)
        epsilon, delta = described(cost, float(self.releases[0].delta or 0.0))
        return cost.loss / UNIT, epsilon, delta

    @property
    def guarantee(self) -> str:
        """What all its releases promise together."""
        return self.releases[0].guarantee if self._data == "dummy" else together(self.releases)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        missing = Counter[str]()
        for release in self.releases:
            sharing = release.sharing or {"roster": {"members": []}, "answered": []}
            missing.update({one["name"] for one in sharing["roster"]["members"]} - set(sharing["answered"]))
        out = [
            f"Site {name!r} is missing in {count} of {len(self.releases)} answers, in which its people did not pull."
            for name, count in sorted(missing.items())
        ]
        rows = {named for one in self.releases for named in snapshots_of(one).items()}
        out += [
            f"Site {name!r} answered of {count} snapshots: its rows changed on the way, and no one choice of rows has "
            "this network; train it with again=True for one of the rows as they are."
            for name, count in sorted(Counter(name for name, _ in rows).items())
            if count > 1
        ]
        out.append(
            "Rows without a value in one of the columns do not count. What one person adds to a step is shortened to "
            "the clip, so people whom a network tells badly pull less than they would."
        )
        return tuple(dict.fromkeys((*out, *(note for one in self.releases for note in one.notes))))

    @property
    def card(self) -> str:
        """The model card: what it is, what it promises, what it cost, and how well membership can be told from it."""
        rho, epsilon, delta = self._meaning
        charged = (
            f"ρ = {rho:.4g} (ε = {rounded_up(epsilon)} at δ = {delta:g}) at each site, in {len(self.releases)} "
            "releases, each before its data was opened"
        )
        return self._card(charged, (epsilon, delta), max(one.scales[0] for one in self.releases[1:]), " at a site")

    # its canonical form ---------------------------------------------------------------------------------------------

    def to_json(self) -> Json:
        """The canonical form: the network and the releases; every number follows from them."""
        releases = [release.to_json() for release in self.releases]
        return {"pets": FORM, "version": VERSION, "network": self.network.to_json(), "releases": releases}

    @classmethod
    def from_json(cls, form: Mapping[str, Any] | str | bytes) -> TrainedOverSites:
        """The network whose canonical form this is; raises :class:`UserError` for one that was edited, or is none."""
        try:
            given = json.loads(form) if isinstance(form, (str, bytes)) else form
            if given["pets"] != FORM or given["version"] != VERSION or len(given) != 4:
                raise ValueError("another form")
            return cls(Network.from_json(given["network"]), tuple(map(Release.from_json, given["releases"])))
        except (PetsError, LookupError, TypeError, ValueError, AttributeError):
            raise saving.broken(form, FORM, "a network that several sites trained") from None

    def save(self, path: str | Path) -> Path:
        """Write :meth:`to_json` to a file, which :meth:`load` and ``pets verify`` read.

        Raises:
            UserError: where the path cannot be written.
        """
        return saving.save(self.to_json(), path, "the network", "network.json", "its card is a text: trained.card")

    @classmethod
    def load(cls, path: str | Path) -> TrainedOverSites:
        """Read one that was saved; raises :class:`UserError` when it is missing, was edited, or is none.

        Its weights are worked out anew. Whether the signatures are genuine is for ``pets verify``.
        """
        return cls.from_json(saving.load(path))

    def __eq__(self, other: object) -> bool:
        return self.to_json() == other.to_json() if isinstance(other, TrainedOverSites) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(release.id for release in self.releases))
