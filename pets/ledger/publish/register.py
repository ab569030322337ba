"""Register: one project's entry for a data use register, with the fields of HDR UK's, by the Five Safes.

The ledger knows what left, how it was protected and at what cost; the rest are facts that the custodian gives. What
nobody gave is listed, not guessed. Fields: HDR UK Innovation Gateway, data use (``Dur``), August 2026.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pets.common import yamlfile
from pets.common.codec import Json
from pets.common.csv_cell import no_formula
from pets.errors import LedgerError, UserError, did_you_mean, shown
from pets.ledger.publish import wording
from pets.ledger.publish.read_log import Asked, Dataset, Published

SAFES = {
    "people": (
        "organisation_name",
        "organisation_id",
        "organisation_sector",
        "non_gateway_applicants",
        "funders_and_sponsors",
        "accredited_researcher_status",
        "sublicence_arrangements",
    ),
    "project": (
        "project_id_text",
        "project_title",
        "lay_summary",
        "public_benefit_statement",
        "technical_summary",
        "request_category_type",
        "other_approval_committees",
        "project_start_date",
        "project_end_date",
        "latest_approval_date",
    ),
    "data": (
        "datasets",
        "non_gateway_datasets",
        "data_sensitivity_level",
        "legal_basis_for_data_article6",
        "legal_basis_for_data_article9",
        "duty_of_confidentiality",
        "national_data_optout",
        "request_frequency",
        "dataset_linkage_description",
        "confidential_data_description",
        "access_date",
    ),
    "setting": ("access_type", "privacy_enhancements"),
    "outputs": ("non_gateway_outputs", "gateway_outputs_papers", "gateway_outputs_tools"),
}
FIELDS = tuple(name for names in SAFES.values() for name in names)
LISTS = frozenset(
    {
        "non_gateway_applicants",
        "funders_and_sponsors",
        "other_approval_committees",
        "datasets",
        "non_gateway_datasets",
        "non_gateway_outputs",
        "gateway_outputs_papers",
        "gateway_outputs_tools",
    }
)
DATES = frozenset(name for name in FIELDS if name.endswith("_date"))
FORM = "HDR UK data use register"
BY_NUMBER = "datasets"
"""The Gateway names its own data sets by their numbers, which a ledger does not know."""

Value = str | list[str]


@dataclass(frozen=True)
class DataUse:
    """One project's entry.

    Attributes:
        project: its name in the ledger.
        fields: by name, a text or a list of texts; only those that somebody filled.
        from_ledger: the fields that the ledger filled, wholly or in part.
        ledger: what the entry was made from, so that it can be checked.
    """

    project: str
    fields: Mapping[str, Value]
    from_ledger: tuple[str, ...]
    ledger: Json

    @property
    def unfilled(self) -> tuple[str, ...]:
        """What nobody gave."""
        return tuple(name for name in FIELDS if name not in self.fields)

    @property
    def row(self) -> Json:
        """The row as the Gateway takes it: the filled fields side by side, dates with a time of day."""
        return {
            name: f"{value}T00:00:00" if name in DATES else value
            for name, value in self.fields.items()
            if name != BY_NUMBER
        }

    def to_json(self) -> Json:
        """Every field by its Safe, ``None`` where nobody filled it; and the :attr:`row`."""
        safes = {safe: {name: self.fields.get(name) for name in names} for safe, names in SAFES.items()}
        return {
            "register": FORM,
            "project_in_the_ledger": self.project,
            **safes,
            "row": self.row,
            "unfilled": list(self.unfilled),
            "filled_from_the_ledger": list(self.from_ledger),
            "ledger": self.ledger,
        }

    def to_csv(self) -> str:
        """A line of heads, and a line of values; lists are parted by lines. No value is taken for a formula."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([*FIELDS, "unfilled", "ledger"])
        cells = [self.fields.get(name, "") for name in FIELDS]
        cells += [list(self.unfilled), json.dumps(self.ledger, sort_keys=True)]
        writer.writerow([no_formula("\n".join(cell) if isinstance(cell, list) else cell) for cell in cells])
        return out.getvalue()


def data_use(public: Published, project: str, facts: Mapping[str, Value] | None = None) -> DataUse:
    """A project's entry, from the public view of a ledger and what the custodian adds.

    Raises :class:`LedgerError` for a project that the ledger does not know.
    """
    known = public.history.datasets.values()
    of = {one.name: [asked for asked in one.asked.values() if asked.project == project] for one in known}
    if not any(of.values()):
        names = dict.fromkeys(asked.project for one in known for asked in one.asked.values())
        raise LedgerError(
            f"in this ledger, no project {shown(project)} has asked anything{did_you_mean(project, names)}"
        )
    mine = [one for one in known if of[one.name]]
    released = [(one, asked) for one in mine for asked in of[one.name] if asked.left]
    told: dict[str, Value] = {
        "privacy_enhancements": " ".join(_enhancements(public, one, of[one.name]) for one in mine),
        "non_gateway_outputs": [_output(one, asked) for one, asked in released],
    }
    found: dict[str, Value] = {"project_id_text": project, "non_gateway_datasets": [one.name for one in mine]}
    opened = [asked.at[:10] for one in mine for asked in of[one.name] if asked.state.opened]
    found |= {"access_date": min(opened)} if opened else {}
    from_ledger = [name for name in FIELDS if told.get(name) or (name in found and name not in (facts or {}))]
    found |= facts or {}
    for name, value in told.items():
        before = found.get(name)
        if isinstance(value, list):
            found[name] = [*(before if isinstance(before, list) else []), *value]
        else:
            found[name] = f"{before} {value}" if before else value
    fields = {name: found[name] for name in FIELDS if found.get(name)}
    return DataUse(project, fields, tuple(from_ledger), _source(public))


def _source(public: Published) -> Json:
    story = public.history
    return {
        "origin": story.origin,
        "entries": story.size,
        "as_of": story.at,
        "key_id": public.key.id,
        "checkpoint": public.checkpoint,
    }


def _enhancements(public: Published, known: Dataset, asked: list[Asked]) -> str:
    """How the releases from one dataset were protected, and what they cost."""
    released = [one for one in asked if one.left]
    bare = [one for one in asked if one.unbounded and one.state.opened]
    finite = sum(not one.unbounded for one in released)
    charged = [one for one in asked if one.state.charged]
    cost = (sum(one.cost[0] for one in charged), sum(one.cost[1] for one in charged))
    budget = known.now.budget
    said = [
        f"Dataset {known.name}: {wording.counted(finite, 'release')} with differential privacy "
        f"(protected: {wording.people(known)}); no rows of data were released.",
        f"This project's requests used {wording.epsilon(budget, known.cost(cost))}; all projects together used "
        f"{wording.epsilon(budget, known.cost(known.lifetime))} since the dataset was opened, and the present budget "
        f"of all is {wording.epsilon(budget, budget.cap)}.",
    ]
    if bare:
        said.append(f"{wording.bare(bare)} without a finite guarantee (exact or rounded figures, without noise).")
    said.append(f"The account is in the tamper-evident ledger {public.history.origin}.")
    return " ".join(said).replace("\u00a0", " ")


def _output(known: Dataset, one: Asked) -> str:
    """A release, as one line."""
    budget = known.epochs[one.epoch].budget
    cost = "no finite guarantee" if one.unbounded else wording.epsilon(budget, known.cost(one.cost))
    text = f"{one.at[:10]}: {wording.asked(one.what)} Table {one.table} of {known.name}; {cost}; request {one.id}."
    return text.replace("\u00a0", " ")


# what the custodian gives -----------------------------------------------------------------------------------------


def read_facts(path: str | Path) -> dict[str, Value]:
    """The facts in a YAML file: the register's fields, in any order, each a text or a list of texts.

    Raises :class:`UserError`, naming the line, for anything else.
    """
    parsed, name = yamlfile.read(path, "project facts")
    if not isinstance(parsed, dict):
        raise UserError(f"{name}: the project's facts are lines such as 'project_title: Asthma in winter'")
    place = yamlfile.Place(name)
    out: dict[str, Value] = {}
    for key, value in parsed.items():
        try:
            found = _fact(key, value)
        except UserError as error:
            raise UserError(str(place.error(error, parsed, key))) from None
        if found:
            out[key] = found
    return out


def _fact(key: str, value: Any) -> Value:
    if key not in FIELDS:
        raise UserError(f"{shown(key)} is not a field of the register{did_you_mean(key, FIELDS)}")
    if key in LISTS:
        found = [] if value is None else value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) and one.strip() for one in found):
            raise UserError(f"{key!r} is a list of texts")
        return found
    if value is not None and not isinstance(value, str):
        raise UserError(f"{key!r} is one text; write it on one line, or in quotes")
    text = " ".join((value or "").split())
    if text and key in DATES:
        try:
            dt.date.fromisoformat(text)
        except ValueError:
            raise UserError(f"{key!r} is a date such as 2026-01-31, not {shown(text)}") from None
    return text
