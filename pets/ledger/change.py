"""Change: what a custodian may alter about a dataset after it was opened — only signed, and only in the open.

A renewal gives a dataset a new budget for new data; what its people have already lost stays in the lifetime odometer.
Every change names a reason and two people, is signed by the ledger's key and by as many approvers as the dataset asks
for, applies once, and stands in the public log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pets.common import literals
from pets.common.codec import Json, canonical
from pets.common.entropy import random_id
from pets.common.signing import SigningKey, VerifyingKey
from pets.errors import BudgetError, LedgerError, UserError, VerificationError, did_you_mean, shown
from pets.ledger.db.row_types import ROOT, moment, parsed, text
from pets.ledger.db.transaction import Transaction
from pets.ledger.failpoint import failpoint
from pets.ledger.ledger import Ledger
from pets.ledger.log import dsse
from pets.ledger.log.cleared import person
from pets.ledger.root import registered
from pets.protection.budget import Budget

PAYLOAD = "application/vnd.pets.change+json"
KINDS = ("renew", "snapshots", "budget", "cap", "table", "unit", "source", "approvers", "roster", "checker")
_NEEDS = {
    "renew": {"budget", "snapshots", "epoch"},
    "snapshots": {"snapshots"},
    "budget": {"budget"},
    "cap": {"project", "analyst", "budget"},
    "table": {"table", "unit"},
    "unit": {"table", "unit"},
    "source": {"table", "source"},
    "approvers": {"keys", "needed"},
    "roster": {"sites", "membership", "beside", "tells"},
    "checker": {"checker", "key", "trusted"},
}


@dataclass(frozen=True)
class Change:
    """One alteration of one dataset, to be signed.

    Attributes:
        origin: the ledger's public name: a change applies there and nowhere else.
        dataset: its name.
        kind: ``renew`` (a new budget for new snapshots), ``snapshots`` (more of them, for the same budget), ``budget``
            (another cap), ``cap`` (a project's or an analyst's own cap; none where its budget is ``None``), ``table``
            (one more, of the same people), ``unit`` (another column names the person), ``source`` (data that was
            registered elsewhere), ``approvers`` (whose signatures changes need), ``roster`` (exact totals over other
            sites of a federation, beside earlier ones), ``checker`` (a checker's own key, trusted or revoked).
        details: what the kind needs, as JSON.
        reason: why, for the public log.
        by: the two people, or more, who decided.

    Raises:
        LedgerError: in one sentence, where a part is missing or wrong.
    """

    origin: str
    dataset: str
    kind: str
    details: Json
    reason: str
    by: tuple[str, ...]
    id: str = field(default_factory=random_id)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise LedgerError(f"{shown(self.kind)} is not a kind of change{did_you_mean(self.kind, KINDS)}")
        object.__setattr__(self, "by", tuple(self.by))
        for label, value in (("reason", self.reason), *(("name", name) for name in self.by)):
            if not isinstance(value, str) or not value.strip() or len(value) > 500 or not value.isprintable():
                raise LedgerError(f"a change needs a {label} of 1 to 500 printable characters, not {shown(value)}")
        if len({name.strip().casefold() for name in self.by}) < 2:
            raise LedgerError("a change is decided by two different people; name both (--by NAME --by NAME)")
        if set(self.details) != _NEEDS[self.kind]:
            raise LedgerError(f"a change of kind {self.kind!r} needs {', '.join(sorted(_NEEDS[self.kind]))}")

    def to_json(self) -> Json:
        """The canonical form."""
        return {
            "pets": "change",
            "id": self.id,
            "origin": self.origin,
            "dataset": self.dataset,
            "kind": self.kind,
            "details": self.details,
            "reason": self.reason,
            "by": list(self.by),
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Change:
        """The inverse of :meth:`to_json`; raises :class:`LedgerError` for anything else."""
        names = ("origin", "dataset", "kind", "details", "reason", "by", "id")
        if not isinstance(form, Mapping) or set(form) != {"pets", *names} or form["pets"] != "change":
            raise LedgerError("this file holds no policy change; make it with pets ledger renew --draft")
        return cls(**{name: form[name] for name in names})


def draft(change: Change, *keys: SigningKey) -> Json:
    """The change in an envelope that others may add their signatures to."""
    return dsse.envelope(PAYLOAD, canonical(change.to_json()), *keys)


def countersigned(envelope: Mapping[str, Any], key: SigningKey) -> Json:
    """The envelope with one more signature."""
    payload, _ = dsse.opened(envelope, PAYLOAD)
    others = [dict(s) for s in envelope["signatures"] if s["keyid"] != key.public.id]
    return {**envelope, "signatures": others + dsse.envelope(PAYLOAD, payload, key)["signatures"]}


def change_in(envelope: Mapping[str, Any]) -> Change:
    """The change in an envelope, whoever signed it."""
    payload, _ = dsse.opened(envelope, PAYLOAD)
    try:
        return Change.from_json(json.loads(payload))
    except (ValueError, RecursionError, TypeError):
        raise LedgerError("this file holds no policy change; make it with pets ledger renew --draft") from None


def apply(ledger: Ledger, envelope: Mapping[str, Any]) -> Change:
    """Make a signed change; the ledger's own key adds its signature. Nothing is changed where anything is amiss.

    Raises:
        LedgerError, BudgetError: with the reason.
        VerificationError: where a signature is missing or wrong.
    """
    change = change_in(envelope)
    full = countersigned(envelope, ledger.signer)
    with ledger.writing() as (tx, now):
        row = tx.dataset(change.dataset)
        if change.origin != ledger.origin:
            raise LedgerError(f"this change is for the ledger {change.origin}, not for {ledger.origin}")
        if row is None:
            known = did_you_mean(change.dataset, tx.dataset_names())
            raise LedgerError(f"the ledger has no dataset {change.dataset!r}{known}")
        if tx.applied(change.id):
            raise LedgerError("this change was applied before; draft a new one")
        signers = set(_signers(parsed(row.approvers), full, ledger.key))
        if (former := _former(tx, change)) is not None:  # both datasets' approvers: one of them loses its data
            signers |= set(_signers(parsed(former.approvers), full, ledger.key))
        said = _APPLY[change.kind](tx, row, change)
        tx.add_change(change.id, change.dataset, moment(now), canonical(full))
        public = {
            "dataset": change.dataset,
            "change": change.kind,
            "id": change.id,
            "reason": change.reason,
            "by": list(change.by),
            "signers": [ledger.key.id, *sorted(signers - {ledger.key.id})],
        }
        tx.append("change", now, public | said, {"envelope": full})
        failpoint("change-logged")
    failpoint("change-committed")
    ledger.publish()
    return change


def made(ledger: Ledger, dataset: str, kind: str) -> tuple[Change, ...]:
    """The changes of one kind to a dataset that this ledger's own key signed, oldest first."""
    with ledger.reading() as tx:
        envelopes = [json.loads(envelope) for envelope in tx.changes(dataset)]
    found = [Change.from_json(json.loads(dsse.verified(one, PAYLOAD, ledger.key))) for one in envelopes]
    return tuple(one for one in found if one.kind == kind)


def _former(tx: Transaction, change: Change) -> Any:
    """The dataset that a source is taken from; ``None`` where it is registered nowhere else."""
    source = change.details.get("source") if change.kind == "source" else None
    known = registered(tx, source) if isinstance(source, str) else None
    return None if known is None or known.dataset == change.dataset else tx.dataset(known.dataset)


def _signers(approvers: Json, envelope: Mapping[str, Any], own: VerifyingKey) -> list[str]:
    """Whose valid signatures the envelope carries; raises where they are too few."""
    payload, signatures = dsse.opened(envelope, PAYLOAD)
    message = dsse.encoding(PAYLOAD, payload)
    keys = {key.id: key for key in (own, *(VerifyingKey(bytes.fromhex(raw)) for raw in approvers["keys"]))}
    valid = {name for name, signature in signatures if name in keys and keys[name].verifies(signature, message)}
    given = sorted(valid - {own.id})
    if own.id not in valid or len(given) < approvers["needed"]:
        raise VerificationError(
            f"this dataset's changes need the signatures of {approvers['needed']} approvers, and {len(given)} valid "
            "ones are there; each approver runs: pets ledger sign FILE --key KEY"
        )
    return [own.id, *given]


def _budget(form: Any, currency: str) -> Budget:
    budget = Budget.from_json(form)
    if budget.currency != currency:
        raise BudgetError(
            f"a ledger counts one currency for ever: this dataset's is {currency}, so its budget needs "
            f"{'a delta above 0' if currency == 'zcdp' else 'delta=0'}"
        )
    return budget


def _renew(tx: Transaction, row: Any, change: Change) -> Json:
    budget, snapshots = _budget(change.details["budget"], row.currency), change.details["snapshots"]
    if change.details["epoch"] != row.epoch:
        raise LedgerError(f"this renewal was drafted for epoch {change.details['epoch']}, and it is {row.epoch}")
    for name in _named(snapshots):
        if tx.asked(row.name, name):
            raise LedgerError(
                f"snapshot {shown(name)} was asked under the present budget; a renewal needs one of new data, which "
                "nobody asked about yet"
            )
    if tx.under_way(row.name):
        raise LedgerError("requests are under way; renew when they have ended (or run: pets ledger recover)")
    cap = (budget.cap.loss, budget.cap.delta)
    tx.new_epoch(row.name)
    tx.set_cap(row.name, ROOT, cap)
    tx.change_dataset(row.name, budget=text(budget.to_json()), epoch=row.epoch + 1, snapshots=text(snapshots))
    life = [row.lifetime_loss, row.lifetime_delta]
    told: Json = {"budget": budget.to_json(), "loss": cap[0], "delta": cap[1], "epoch": row.epoch + 1, "lifetime": life}
    return told | {"snapshots": list(snapshots)}


def _admit(tx: Transaction, row: Any, change: Change) -> Json:
    admitted = parsed(row.snapshots)
    if not admitted:
        raise LedgerError("this budget was never renewed, and so is open to every snapshot; nothing is to be admitted")
    more = [*admitted, *(name for name in _named(change.details["snapshots"]) if name not in admitted)]
    tx.change_dataset(row.name, snapshots=text(more))
    return {"snapshots": more, "epoch": row.epoch}


def _named(snapshots: Any) -> list[str]:
    if not isinstance(snapshots, list) or not snapshots or not all(isinstance(n, str) and n for n in snapshots):
        raise LedgerError("a renewal is for new data: name the new snapshot's id (pets snapshot prints it)")
    return list(snapshots)


def _rebudget(tx: Transaction, row: Any, change: Change) -> Json:
    budget = _budget(change.details["budget"], row.currency)
    cap = (budget.cap.loss, budget.cap.delta)
    _holds(tx, row, ROOT, cap)
    tx.set_cap(row.name, ROOT, cap)
    tx.change_dataset(row.name, budget=text(budget.to_json()))
    return {"budget": budget.to_json(), "loss": cap[0], "delta": cap[1], "epoch": row.epoch}


def _recap(tx: Transaction, row: Any, change: Change) -> Json:
    project, analyst, form = (change.details[name] for name in ("project", "analyst", "budget"))
    if not isinstance(project, str) or not isinstance(analyst, str) or not project:
        raise LedgerError("a cap is a project's, or an analyst's in a project; name the project")
    cap = None
    if form is not None:
        found = _budget(form, row.currency).cap
        cap = (found.loss, found.delta)
    tx.scopes(row.name, (project, analyst))  # made, where they are new
    if cap is not None:
        _holds(tx, row, (project, analyst), cap)
    tx.set_cap(row.name, (project, analyst), cap)
    parts = {"loss": None, "delta": None} if cap is None else {"loss": cap[0], "delta": cap[1]}
    return {"project": project, "analyst": analyst, "budget": form, **parts}


def _holds(tx: Transaction, row: Any, scope: tuple[str, str], cap: Sequence[int]) -> None:
    here = next(s for s in tx.all_scopes(row.name) if (s.project, s.analyst) == scope)
    charged = [reserved + spent for reserved, spent in zip(here.reserved, here.spent, strict=True)]
    if any(amount > most for amount, most in zip(charged, cap, strict=True)):
        raise BudgetError("more than that is spent already; give a cap that holds it")


def _join(tx: Transaction, row: Any, change: Change) -> Json:
    table, unit, units = change.details["table"], change.details["unit"], parsed(row.units)
    if table in units:
        raise LedgerError(f"table {table!r} is in the dataset already; --unit changes who is protected in it")
    literals.name("a table's name", table, LedgerError)
    _check_unit(unit)
    tx.change_dataset(row.name, units=text(units | {table: unit}))
    return {"table": table, "unit": unit}


def _check_unit(unit: Any) -> None:
    if not isinstance(unit, str):
        raise LedgerError("a unit is the name of the column that names a person, or '' where each row is one")


def _reunit(tx: Transaction, row: Any, change: Change) -> Json:
    table, unit, units = change.details["table"], change.details["unit"], parsed(row.units)
    if table not in units:
        raise LedgerError(f"the ledger knows no table {shown(table)} of this dataset{did_you_mean(table, units)}")
    _check_unit(unit)
    tx.change_dataset(row.name, units=text(units | {table: unit}))
    for source in tx.all_sources():
        if (source.dataset, source.tbl) == (row.name, table):
            tx.put_source(source.id, row.name, table, unit)
    return {"table": table, "unit": unit, "before": units[table]}


def _resource(tx: Transaction, row: Any, change: Change) -> Json:
    table, source, units = change.details["table"], change.details["source"], parsed(row.units)
    if table not in units:
        raise LedgerError(f"the ledger knows no table {shown(table)} of this dataset{did_you_mean(table, units)}")
    if not isinstance(source, str) or not source.startswith(("file:", "url:")):
        raise LedgerError(f"a source is a path or a URL, not {shown(source)}")
    known = registered(tx, source)
    if known is not None:
        if known.unit != units[table]:
            raise LedgerError("that data is registered with another unit protected; change the unit first")
        tx.drop_source(known.id)
    tx.put_source(source, row.name, table, units[table])
    return {"table": table, "from": None if known is None else known.dataset}


def _approve(tx: Transaction, row: Any, change: Change) -> Json:
    keys, needed = change.details["keys"], change.details["needed"]
    if not isinstance(keys, list) or not isinstance(needed, int) or not 0 <= needed <= len(set(map(str, keys))):
        raise LedgerError("approvers are a list of public keys, and how many of them must sign")
    for raw in keys:
        try:
            VerifyingKey(bytes.fromhex(raw))
        except (ValueError, TypeError):
            raise LedgerError("an approver's public key has 64 hex digits; it stands in their .pub file") from None
    tx.change_dataset(row.name, approvers=text({"keys": sorted(set(keys)), "needed": needed}))
    return {"keys": sorted(set(keys)), "needed": needed}


def _roster(tx: Transaction, row: Any, change: Change) -> Json:
    details = change.details
    lists = (details["sites"], details["beside"])
    if not all(isinstance(one, list) and one and all(isinstance(text, str) for text in one) for one in lists):
        raise LedgerError("name the sites of the roster, and beside which others its exact totals may leave")
    if not isinstance(details["membership"], str) or not isinstance(details["tells"], str):
        raise LedgerError("a roster is known by a digest, and the change says what is told by it")
    return dict(details)


def _checker(tx: Transaction, row: Any, change: Change) -> Json:
    name, key, trusted = (change.details[part] for part in ("checker", "key", "trusted"))
    literals.printable("checker", name)
    if not isinstance(trusted, bool) or not _is_key(key):
        raise LedgerError("a checker's public key has 64 hex digits, as in their .pub file, and is trusted or revoked")
    mine = [one.details for one in map(_signed_before, tx.changes(row.name)) if one.kind == "checker"]
    before = next((one for one in reversed(mine) if one["key"] == key), None)
    if trusted and before is not None:
        raise LedgerError(
            "this key was trusted for this dataset before; a key is one person's, and revoked for good: make another, "
            "with pets review key new"
        )
    if not trusted and (before is None or not before["trusted"] or person(before["checker"]) != person(name)):
        raise LedgerError(f"this key is not trusted to sign votes of {shown(name)}; look at pets review key list")
    return {"checker": name, "key": key, "trusted": trusted}


def _signed_before(body: bytes) -> Change:
    return change_in(json.loads(body))


def _is_key(key: Any) -> bool:
    try:
        return bool(VerifyingKey(bytes.fromhex(key)).raw.hex() == key)
    except (ValueError, TypeError, UserError):
        return False


_APPLY = {
    "renew": _renew,
    "snapshots": _admit,
    "budget": _rebudget,
    "cap": _recap,
    "table": _join,
    "unit": _reunit,
    "source": _resource,
    "approvers": _approve,
    "roster": _roster,
    "checker": _checker,
}
