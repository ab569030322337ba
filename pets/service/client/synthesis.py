"""Synthesis: a service's synthetic table, held against what the ledger signed and against what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pets.common.codec import Json
from pets.common.signing import VerifyingKey
from pets.plan.plan import make_plan
from pets.service.client.reading import another, certified, same

if TYPE_CHECKING:
    from pets.session.quoting.terms import PublicTerms
    from pets.session.synthesis.request import SynthesisRequest
    from pets.synthetic.synthetic_release import SyntheticRelease


def request_of(terms: PublicTerms, rows: int | None, settings: Json) -> SynthesisRequest:
    """What is asked, as public facts settle it; raises what :meth:`pets.Session.synthesise` raises before it spends."""
    from pets.session.synthesis.request import SynthesisRequest, check_settings
    from pets.session.synthesis.synthesise import DP_SETTINGS

    check_settings("synthesise(method='dp')", settings, DP_SETTINGS)
    given: Json = {"epsilon": None} | settings | {"rows": rows, "here": False}
    return SynthesisRequest(terms.schema, terms.budget.currency, terms.budget.conversion_delta, **given)


def synthetic(form: Any, key: VerifyingKey, own: Json, asked: SynthesisRequest | None = None) -> SyntheticRelease:
    """A synthetic data set: its rows and each of its answers are the signed ones, and of what was asked.

    Args:
        form: as :mod:`pets.synthetic.synthetic_form` writes it.
        key: the ledger's.
        own: what must stand in it: dataset, project, analyst, and that it was made of real rows.
        asked: ``None`` where it is not known any more.

    Raises:
        UserError, VerificationError: for anything else; no number of it is shown.
    """
    from pets.synthetic.synthetic_form import read_form

    found = read_form(form)  # which holds the answers against the certificates that the rows were signed with
    certified(found.to_check, key, {f"{name}.csv": str(found.csv_digest(name)) for name in found.frames})
    for release in found.releases if found.question is None else ():
        certified(release.to_json(), key)
    told = {"dataset": found.dataset, "project": found.project, "analyst": found.analyst, "data": found.data}
    if found.method != "dp" or not same(told, own) or not (asked is None or _as_asked(found, asked)):
        raise another()
    return found


def _as_asked(found: SyntheticRelease, asked: SynthesisRequest) -> bool:
    """Whether the signed settings, and the questions of the signed answers, are those that were asked."""
    settings = found.settings
    told = [found.epsilon, {*found.frames}, settings["selection"], settings["seed"]]
    if told != [asked.epsilon, {*asked.made_tables}, asked.selection, asked.seed]:
        return False
    if any(settings.get(name) != asked.told.get(name) for name in ("people", "histories")):
        return False
    if asked.rows is not None and not _as_many(found, asked, asked.rows):
        return False
    if asked.selection == "aim":  # later questions follow from answers; the first ones and the settings decide them
        return found.question == asked.question
    questions = [query for query, _ in asked.questions()]
    plans = [make_plan(query, asked.schema).digest for query in questions]
    return [(one.query, one.plan_digest) for one in found.releases] == [*zip(questions, plans, strict=True)]


def _as_many(found: SyntheticRelease, asked: SynthesisRequest, rows: int) -> bool:
    """Whether so many rows were made; of linked tables so many people, with no rows but theirs."""
    linked = asked.histories
    if linked is None:
        return len(found.table) == rows
    ids = [frame[found.schema.table(name).unit.column] for name, frame in found.frames.items() if found.schema]
    people = set[str]().union(*ids)
    return len(people) == rows and (linked.person is None or len(found.frames[linked.person]) == rows)
