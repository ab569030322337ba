"""What ``pets ledger export`` writes: entries for registers, from the public log and the custodian's facts."""

# no "from __future__ import annotations": as in all files of commands

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pets.cli.flags import Books, written
from pets.common.files import replace_file
from pets.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from pets.ledger.publish.read_log import Published


def of_project(books: Books, project: str | None, facts: str | None, out: Path) -> None:
    """A project's entry for a data use register (HDR UK's fields)."""
    from pets.ledger.publish.read_log import published
    from pets.ledger.publish.register import FIELDS, data_use, read_facts

    if project is None:
        raise UserError("a data use register is about one project; name it: --project NAME")
    given = None if facts is None else read_facts(facts)
    entry = data_use(published(books.open()), project, given)
    text = entry.to_csv() if out.suffix.lower() == ".csv" else json.dumps(entry.to_json(), indent=2, ensure_ascii=False)
    _write(out, text)
    print(f"Written to {out}: {len(entry.fields)} of {len(FIELDS)} fields are filled.")
    _lacking(entry.unfilled)


def of_dataset(books: Books, dataset: str | None, facts: str | None, out: Path) -> None:
    """A dataset's entry for the registry of deployments (OpenDP, NIST)."""
    from pets.ledger.publish.deployment import deployment, read_given
    from pets.ledger.publish.read_log import published

    if not re.fullmatch(r"[a-z0-9_]+\.yaml", out.name):
        raise UserError(f"the registry's files have names such as stays_2026.yaml (a-z, 0-9 and _), not {out.name!r}")
    given = None if facts is None else read_given(facts)
    public = published(books.open())
    entry = deployment(public, _dataset(public, dataset), given)
    _write(out, entry.to_yaml())
    print(f"Written to {out}: a draft of tier {entry.tier}. The registry: opendp/deployments-registry-data.")
    _lacking(entry.unfilled)


def evidence(books: Books, dataset: str | None, what: str, out: Path) -> None:
    """Answers to NIST SP 800-226's questions, or evidence for SATRE's items."""
    from pets.ledger.publish import evidence as shown
    from pets.ledger.publish.read_log import published

    public = published(books.open())
    made = shown.satre if what == "--satre" else shown.sp800_226
    form = made(public, _dataset(public, dataset))
    _write(out, json.dumps(form, indent=2, ensure_ascii=False))
    yours = sum(one["who"] == shown.YOURS for one in form["items"])
    print(f"Written to {out}: {len(form['items'])} items, of which {yours} are yours to answer.")


def _dataset(public: "Published", name: str | None) -> str:
    """The dataset that is meant; left out, the ledger's only one."""
    known = list(public.history.datasets)
    if name is None:
        if len(known) != 1:
            raise UserError(f"say which dataset: --dataset {known[0] if known else 'NAME'}")
        return known[0]
    if name not in known:
        raise UserError(f"the ledger has no dataset {name!r}{did_you_mean(name, known)}")
    return name


def _write(out: Path, text: str) -> None:
    with written(out):
        replace_file(out, f"{text.rstrip()}\n".encode())


def _lacking(names: tuple[str, ...]) -> None:
    if names:
        print(f"Nobody filled: {', '.join(names)}. Give them in a YAML file with --facts.")
