"""Deployment: one dataset's entry for the registry of differential privacy deployments (OpenDP and NIST).

Of its 37 fields the ledger fills what it knows, pets what is the same wherever it runs, and the custodian the rest, in
a YAML file; what nobody gave is listed, not guessed. Numbers are those of the public log, so that anybody can reckon
them again. Fields: opendp/deployments-registry-data, schemas/deployments-schema.yaml, 3e9c812.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common import yamlfile
from pets.common.codec import Json
from pets.common.version import __version__
from pets.errors import UserError, did_you_mean, shown
from pets.ledger.publish import wording
from pets.ledger.publish.read_log import Dataset, Published
from pets.protection.budget import UNIT

LEVELS: dict[str, dict[str, int]] = {
    "basic": {
        "name": 1,
        "data_curators": 1,
        "intended_use": 1,
        "data_product_type": 1,
        "data_product_region": 1,
        "description": 1,
        "publication_date": 1,
        "data_product_sector": 1,
    },
    "dp_variant": {"variant_name": 2, "data_domain": 3, "unprotected_quantities": 3},
    "privacy_loss": {
        "privacy_unit": 2,
        "privacy_unit_details": 3,
        "privacy_parameters": 2,
        "privacy_parameters_details": 3,
    },
    "deployment_model": {
        "model_name": 2,
        "model_name_details": 3,
        "actors": 3,
        "release_type": 2,
        "release_type_details": 3,
        "data_source_type": 2,
        "data_source_type_details": 3,
        "access_type": 2,
        "access_type_details": 3,
    },
    "accounting": {"post_processing": 3, "composition": 3},
    "implementation": {"preprocessing_and_hyperparameter_tuning": 3, "mechanisms": 3, "justification": 3},
    "administrative": {"sources": 1, "notes": 1, "registry_authors": 1},
}
"""By part, the fields and the tier from which they are wanted."""

GIVEN = (
    *("name", "data_curators", "intended_use", "data_product_region", "data_product_sector", "description"),
    *("justification", "registry_authors"),
)
"""What only the custodian knows."""
LISTS = ("data_curators", "registry_authors")
SECTORS = ("Technology", "Healthcare", "Education", "Government", "Energy", "Finance")

FIXED = {
    "model_name": "Central",
    "model_name_details": "The custodian's process computes on the rows and adds noise before anything leaves.",
    "actors": "Custodian: trusted with rows, noise and the ledger's key. Analysts and readers: not trusted, and "
    "assumed to collude with each other. Administrator of the database: not trusted with the history, "
    "which is chained, signed and may be witnessed. Nobody may collude with the custodian.",
    "release_type": "Many releases",
    "access_type": "Interactive",
    "post_processing": "Means and rates are quotients of noisy whole numbers; intervals state the noise; nothing is "
    "clamped or rounded before it is sealed.",
    "preprocessing_and_hyperparameter_tuning": "Values are clamped to public bounds; rows of a person beyond the bound "
    "are left out by a keyed random order (or, where the schema says so, in their order of arrival); rows without an "
    "id are dropped. Accuracy was planned with quotes, which read no rows.",
    "notes": "Exported by pets from the ledger; every number can be reckoned again from its public log.",
}
"""What is the same wherever pets runs (docs/guarantees.md)."""


@dataclass(frozen=True)
class Deployment:
    """One dataset's entry.

    Attributes:
        form: as the registry's files have it.
        unfilled: the custodian's fields that nobody gave; the registry does not take an entry without the first six.
    """

    form: Json
    unfilled: tuple[str, ...]

    @property
    def tier(self) -> int:
        """How complete it is: the highest tier of which no field is empty (at least 1)."""
        return int(self.form["tier"])

    def to_yaml(self) -> str:
        """The file; dates are quoted, as the registry wants them."""
        import yaml

        return str(yaml.safe_dump(self.form, sort_keys=False, allow_unicode=True, width=118))


def deployment(public: Published, dataset: str, facts: Mapping[str, Any] | None = None) -> Deployment:
    """A dataset's entry, from the public view of a ledger and what the custodian adds (:func:`read_given`).

    Raises:
        LedgerError: for a dataset that the ledger does not know.
        UserError: where nothing has left yet: there is no deployment then.
    """
    known = public.history.dataset(dataset)
    if not known.releases:
        raise UserError(f"nothing was released of {dataset!r} yet, so there is no deployment to register")
    found: dict[str, Any] = FIXED | _told(public, known) | dict(facts or {})
    parts = {
        part: {name: found[name] for name in names if found.get(name) not in (None, "", [])}
        for part, names in LEVELS.items()
    }
    empty = {tier for names in LEVELS.values() for name, tier in names.items() if found.get(name) in (None, "", [])}
    tier = next((level - 1 for level in (2, 3) if level in empty or 1 in empty), 3)
    year = known.releases[0].at[:4]
    form: Json = {
        "url_slug": f"{re.sub('[^a-z0-9]+', '_', dataset.lower()).strip('_') or 'dataset'}_{year}",
        "status": "Draft",
        "tier": max(1, tier),
        "deployment": {part: names for part, names in parts.items() if names},
    }
    return Deployment(form, tuple(name for name in GIVEN if not found.get(name)))


def _told(public: Published, known: Dataset) -> dict[str, Any]:
    """What the ledger knows."""
    story, budget, units = public.history, known.now.budget, sorted(set(known.units.values()))
    zcdp, finite = budget.currency == "zcdp", [one for one in known.releases if not one.unbounded]
    charged = wording.epsilon(budget, known.cost(known.now.charged))
    renewals = [event for event in known.events if event.kind == "renew"]
    who = " or ".join(f"all rows of any one `{name}`" if name else "any one row (a person)" for name in units)
    exact = wording.bare(known.unbounded) if known.unbounded else ""
    synthetic = bool(finite) and all(one.what.startswith("a synthetic table") for one in finite)
    askers = {(one.project, one.analyst) for one in known.asked.values()}
    snapshots = {name for epoch in known.epochs for name in epoch.snapshots}
    tables = ", ".join(f"`{name}`" for name in sorted(known.units))
    parameters: dict[str, Any] = {"epsilon": float(budget.epsilon)}
    if zcdp:
        parameters |= {"delta": float(budget.delta), "rho": budget.cap.loss / UNIT}
    told = {
        "data_product_type": "Synthetic data" if synthetic else "Interactive API",
        "publication_date": known.releases[0].at[:10],
        "variant_name": "Zero-concentrated DP" if zcdp else "Pure DP",
        "data_domain": f"Tables {tables} with the columns of a published schema. Bounds, values and group keys are "
        "public and were not read from the rows.",
        "unprotected_quantities": f"{exact} without a finite guarantee."
        if exact
        else "None. Names of columns, group keys, bounds and the number of requests are public. No release without a "
        "finite guarantee has left this dataset.",
        "privacy_unit": "person" if units != [""] else "row",
        "privacy_unit_details": f"Two datasets are adjacent if one is the other with {who} added or removed. At most "
        "as many rows of a person count as each release states.",
        "privacy_parameters": parameters,
        "privacy_parameters_details": f"The cap for all analysts together, in budget {known.now.number + 1}. Charged "
        f"so far: {charged}, by {wording.counted(len(finite), 'release')}; over the dataset's life "
        f"{wording.epsilon(budget, known.cost(known.lifetime))}.",
        "release_type_details": "No refresh: the budget is for the life of the dataset."
        if not renewals
        else f"The budget was renewed {wording.times(len(renewals))}, each time signed by two people and for new data; "
        "the loss over the dataset's life counts on.",
        "data_source_type": "Dynamic" if len(snapshots) > 1 else "Static",
        "data_source_type_details": f"{wording.counted(len(snapshots), 'snapshot')} admitted by signed changes."
        if snapshots
        else "The budget was not renewed for other data.",
        "access_type_details": "One budget for all analysts, who are assumed to collude; projects and analysts may "
        f"have smaller caps of their own ({len(known.caps)} have). Analysts so far: {len({one for _, one in askers})}, "
        f"projects: {len({one for one, _ in askers})}.",
        "composition": "Sequential and adaptive, as a privacy filter: losses add up in whole units of 1e-12, costs "
        "rounded up and caps down"
        + ("; converted to (ε, δ) by Canonne, Kamath and Steinke 2020, Corollary 13." if zcdp else "."),
        "mechanisms": f"{'Discrete Gaussian' if zcdp else 'Discrete Laplace'} noise on whole numbers by OpenDP (exact "
        f"sampler, no floating point), in pets {__version__}. Prices and errors do not depend on rows; running time is "
        "not protected. Every charge is durable before data is opened.",
        "sources": f"Public log of ledger {story.origin}, {story.size} entries, up to {story.at}, key {public.key.id}",
    }
    return {name: text.replace("\u00a0", " ") if isinstance(text, str) else text for name, text in told.items()}


def read_given(path: str | Path) -> dict[str, Any]:
    """The custodian's part in a YAML file: a text or a list of texts for each of :data:`GIVEN`, in any order.

    Raises :class:`UserError`, naming the line, for anything else.
    """
    parsed, name = yamlfile.read(path, "facts")
    if not isinstance(parsed, dict):
        raise UserError(f"{name}: the facts are lines such as 'intended_use: Planning of wards'")
    place, out = yamlfile.Place(name), dict[str, Any]()
    for key, value in parsed.items():
        try:
            out[key] = _given(key, value)
        except UserError as error:
            raise UserError(str(place.error(error, parsed, key))) from None
    return out


def _given(key: str, value: Any) -> Any:
    if key not in GIVEN:
        raise UserError(f"{shown(key)} is not a field that a custodian fills{did_you_mean(key, GIVEN)}")
    if key in LISTS:
        found = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(one, str) and one.strip() for one in found):
            raise UserError(f"{key!r} is a list of texts")
        return found
    if value is not None and not isinstance(value, str):
        raise UserError(f"{key!r} is one text; write it on one line, or in quotes")
    text = " ".join((value or "").split())
    if key == "data_product_sector" and text and text not in SECTORS:
        raise UserError(f"{key!r} is one of {', '.join(SECTORS)}, not {shown(text)}")
    return text
