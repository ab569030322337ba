"""ACRO's results: a folder that SACRO-Viewer opens, so that a checker there sees what was found here, cell by cell.

The fields are those of ACRO 1.0.2's ``results.json``, which that version alone loads again; classes and checks have the
names of the statbarns ontology. Checksums lie beside: without one the viewer holds a file for unverified and marks none
of its cells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pets.common.codec import Json
from pets.common.files import make_folder, replace_file
from pets.errors import UserError
from pets.sdc.exports.output import Output, Released, outputs
from pets.sdc.tables.findings import Verdict
from pets.sdc.tables.result import TableCheck

VERSION = "1.0.2"
ONTOLOGY = "https://w3id.org/statbarnsdc#"

CHECKS = {
    "small": "MinimumThresholdCheck",
    "unrounded": "MinimumThresholdCheck",
    "few": "MinimumThresholdCheck",
    "size": "MinimumThresholdCheck",
    "digits": "MinimumThresholdCheck",
    "zero": "PresenceOfZeroCheck",
    "dominance": "NKCheck",
    "p_percent": "PPercentCheck",
    "derived": "PresenceOfLinkedTableCheck",
    "difference": "PresenceOfLinkedTableCheck",
    "undecided": "PresenceOfLinkedTableCheck",
    "contradiction": "PresenceOfLinkedTableCheck",
}
"""By a finding's reason, the check of the ontology that it belongs to."""

OF_MEANS = frozenset({"few", "digits", "size", "dominance", "p_percent"})
"""Reasons that are of means and sums alone; one that is fine says nothing of a count."""

CLASSES: dict[str, Json] = {
    "FrequencyTable": {
        "statbarn": "Frequencies",
        "risks": ["ClassDisclosure", "Differencing", "LowCount"],
        "checks_needed": ["MinimumThresholdCheck", "PresenceOfZeroCheck", "PresenceOfLinkedTableCheck"],
        "common_mitigations": ["Rounding", "Suppression"],
    },
    "Mean": {
        "statbarn": "LinearAggregations",
        "risks": ["Differencing", "Dominance", "LowCount"],
        "checks_needed": ["MinimumThresholdCheck", "NKCheck", "PPercentCheck", "PresenceOfLinkedTableCheck"],
        "common_mitigations": ["Rounding", "Suppression"],
    },
}
"""By analysis, what the ontology says of it."""


def export(given: Sequence[TableCheck | Released], folder: str | Path, *, at: str) -> Path:
    """Write a folder for SACRO-Viewer: the tables, ``results.json``, ``config.json``, and a checksum of each.

    Args:
        given: results of :func:`pets.sdc.check`, and releases.
        folder: a new folder.
        at: when, in ISO form.

    Raises:
        UserError: where the folder is there, or cannot be written.
    """
    out = Path(folder)
    made = outputs(given)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{str(out)!r} is there already; name a new folder, so that no other results are among these")
    files = {f"output_{place}_0.csv": one.csv() for place, one in enumerate(made)}
    records = {f"output_{place}": record(f"output_{place}", one, at) for place, one in enumerate(made)}
    files["results.json"] = _json({"version": VERSION, "results": records})
    files["config.json"] = _json(_appetite([one for one in given if isinstance(one, TableCheck)]))
    try:
        make_folder(out.absolute())
        make_folder((out / "checksums").absolute())
        for name, content in files.items():
            replace_file(out / name, content)
            replace_file(out / "checksums" / f"{name}.txt", hashlib.sha256(content).hexdigest().encode())
    except OSError as error:
        raise UserError(f"{str(out)!r} cannot be written ({error.strerror})") from None
    return out


def record(uid: str, one: Output, at: str) -> Json:
    """One output as ACRO keeps it, field by field."""
    cells: dict[str, list[list[int]]] = {}
    outcome: dict[str, dict[str, str]] = {name: {row[0]: "" for row in one.rows} for name in one.header[1:]}
    for found in one.findings:
        if found.verdict is Verdict.PASS or found.row is None or found.column is None:
            continue
        check = CHECKS[found.reason]
        place = [found.row, found.column]
        if place not in cells.setdefault(check, []):
            cells[check].append(place)
        name, row = one.header[1 + found.column], one.rows[found.row][0]
        if check not in outcome[name][row]:
            outcome[name][row] += f"{check}; "
    outcome = {name: {row: text or "ok" for row, text in texts.items()} for name, texts in outcome.items()}
    fair = _fair(one)
    for check in fair["check_status"]:
        cells.setdefault(check, [])  # a check that found nothing is named, too
    summary = {check: len(places) for check, places in cells.items()}
    comments = [found.derivation for found in one.findings if found.verdict is not Verdict.PASS and found.derivation]
    return {
        "uid": uid,
        "status": one.status.value,
        "type": "table",
        "properties": {"method": "crosstab", "mitigation": one.mitigation, "round_base": one.base},
        "files": [{"name": f"{uid}_0.csv", "sdc": {"summary": summary, "cells": cells}}],
        "outcome": outcome,
        "command": one.command,
        "summary": one.summary,
        "timestamp": at,
        "comments": list(dict.fromkeys(comments)),
        "exception": "",
        "fair": fair,
    }


def _fair(one: Output) -> Json:
    """What the ontology says of a table, with the state of each check that it needs.

    One with means has the class of means, as ACRO gives a table of several analyses that of the last; its checks are
    those of both.
    """
    means = any(found.reason in OF_MEANS or (found.reason == "large" and found.low is None) for found in one.findings)
    known = [CLASSES[name] for name in ("FrequencyTable", *(["Mean"] if means else []))]
    needed = list(dict.fromkeys(check for each in known for check in each["checks_needed"]))
    risks = sorted({risk for each in known for risk in each["risks"]})
    worst: dict[str, str] = {}
    for check in needed:
        states = {found.verdict for found in one.findings if CHECKS.get(found.reason) == check}
        worst[check] = next((state.value for state in (Verdict.FAIL, Verdict.REVIEW) if state in states), "pass")
        if not one.findings:
            worst[check] = "review"
    found = {"context": ONTOLOGY, **known[-1], "risks": risks, "checks_needed": needed, "check_status": worst}
    return found | {"dependent": [], "independent": list(one.keys)}


def _appetite(checks: Sequence[TableCheck]) -> Json:
    """The risk appetite, with ACRO's names; the strictest of all checks."""
    small = max((one.small for one in checks), default=0)
    base = max((one.base for one in checks), default=1)
    return {
        "safe_threshold": small + 1,
        "safe_dof_threshold": 10,
        "safe_nk_n": 2,
        "safe_nk_k": 0.9,
        "safe_pratio_p": 0.1,
        "check_missing_values": False,
        "survival_safe_threshold": 10,
        "zeros_are_disclosive": any(one.hides_zero for one in checks),
        "safe_round_base": base,
    }


def _json(form: Json) -> bytes:
    return json.dumps(form, indent=4, ensure_ascii=False).encode()
