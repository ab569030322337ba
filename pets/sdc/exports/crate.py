"""Five Safes RO-Crate 0.4: a bag in a ZIP file, after its disclosure phase; what failed is not in it.

The crate is plain JSON in a BagIt folder with SHA-512 manifests. It says who checked, with what, and with what result;
programs read the status, and the names are for people alone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pets.common import yamlfile
from pets.common.codec import Json
from pets.common.entropy import random_uuid
from pets.common.files import replace_file
from pets.common.version import __version__
from pets.errors import UserError, did_you_mean, shown
from pets.sdc.exports.output import Output, Released, outputs
from pets.sdc.tables.findings import Verdict
from pets.sdc.tables.result import TableCheck

PROFILE = "https://w3id.org/5s-crate/0.4"
CONTEXT = "https://w3id.org/ro/crate/1.2/context"
DISCLOSURE = "https://w3id.org/shp#DisclosureCheck"
CHECK_VALUE = "https://w3id.org/shp#GenerateCheckValue"
STATUS = {
    Verdict.PASS: "http://schema.org/CompletedActionStatus",
    Verdict.REVIEW: "http://schema.org/PotentialActionStatus",
    Verdict.FAIL: "http://schema.org/FailedActionStatus",
}
SOFTWARE, CHECK, PROJECT, PLACE = "#pets", "#disclosure-rules", "#project", "#tre"


@dataclass(frozen=True)
class CrateFacts:
    """What a crate says and a check cannot know.

    Attributes:
        workflow: the address of the Workflow RO-Crate that made the tables.
        person, name, affiliation: who asked: an address such as an ORCID, a name, and an organisation.
        project: the project's name.
        tre: the name of the environment that checked, and publishes.
        licence: the address of the licence of what is published.
        started, ended: when the tables were made, in ISO form with a zone.
    """

    workflow: str
    person: str
    name: str
    affiliation: str
    project: str
    tre: str
    licence: str
    started: str
    ended: str

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) or not value.strip():
                raise UserError(f"the crate's facts need {field.name!r}: {_EXAMPLES[field.name]}")
        for name in ("started", "ended"):
            try:
                zoned = dt.datetime.fromisoformat(getattr(self, name)).tzinfo is not None
            except ValueError:
                zoned = False
            if not zoned:
                raise UserError(f"{name!r} must be a time with its zone, such as {_EXAMPLES[name]}")

    @classmethod
    def load(cls, path: str | Path) -> CrateFacts:
        """The facts of a YAML file, one line each.

        Raises:
            UserError: naming what is missing or unknown.
        """
        parsed, name = yamlfile.read(path, "crate facts")
        if not isinstance(parsed, Mapping):
            raise UserError(f"{name}: the crate's facts are lines such as 'project: Asthma in winter'")
        known = [field.name for field in fields(cls)]
        for key in parsed:
            if key not in known:
                raise UserError(f"{name}: {shown(key)} is none of a crate's facts{did_you_mean(key, known)}")
        given = {key: value.isoformat() if isinstance(value, dt.datetime) else value for key, value in parsed.items()}
        return cls(**{key: given.get(key, "") for key in known})


_EXAMPLES = {
    "workflow": "'https://workflowhub.eu/workflows/289?version=1'",
    "person": "'https://orcid.org/0000-0001-9842-9718'",
    "name": "'Amina Rahman'",
    "affiliation": "'Riverside University'",
    "project": "'Asthma in winter'",
    "tre": "'Riverside Trusted Research Environment'",
    "licence": "'https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/'",
    "started": "'2026-03-01T09:00:00+00:00'",
    "ended": "'2026-03-01T09:05:00+00:00'",
}


def export(
    given: Sequence[TableCheck | Released],
    path: str | Path,
    facts: CrateFacts,
    *,
    at: str,
    identifier: str | None = None,
) -> Path:
    """Write a crate: a ZIP file with one BagIt folder.

    Args:
        given: results of :func:`pets.sdc.check`, and releases.
        path: the file, ``.zip``.
        facts: what the check cannot know.
        at: when it was checked, in ISO form with a zone.
        identifier: of the crate, a UUID; left out, a new one.

    Raises:
        UserError: for another ending, or where the file cannot be written.
    """
    out = Path(path)
    if out.suffix.lower() != ".zip":
        raise UserError(f"a crate is a .zip file, not {out.name!r}")
    bag = files(given, facts, at=at, identifier=identifier or random_uuid())
    moment = dt.datetime.fromisoformat(at)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in bag.items():
            info = zipfile.ZipInfo(f"crate/{name}", moment.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    try:
        replace_file(out, buffer.getvalue())
    except OSError as error:
        raise UserError(f"{str(out)!r} cannot be written ({error.strerror})") from None
    return out


def files(given: Sequence[TableCheck | Released], facts: CrateFacts, *, at: str, identifier: str) -> dict[str, bytes]:
    """The files of the bag, by name: its manifests last."""
    made = outputs(given)
    states = {one.status for one in made}
    verdict = next((one for one in (Verdict.FAIL, Verdict.REVIEW) if one in states), Verdict.PASS)
    kept = {f"outputs/output_{place}.csv": one for place, one in enumerate(made) if verdict is not Verdict.FAIL}
    payload = {f"data/{name}": one.csv() for name, one in kept.items()}
    payload["data/ro-crate-metadata.json"] = _json(metadata(kept, made, verdict, facts, at=at))
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"External-Identifier: urn:uuid:{identifier}\nBagging-Date: {at[:10]}\n".encode(),
        "manifest-sha512.txt": _manifest(payload),
    }
    return payload | tags | {"tagmanifest-sha512.txt": _manifest(tags)}


def metadata(
    kept: Mapping[str, Output], made: Sequence[Output], verdict: Verdict, facts: CrateFacts, *, at: str
) -> Json:
    """What ``ro-crate-metadata.json`` holds."""
    actions = [] if verdict is Verdict.FAIL else [_execution(kept, facts)]
    actions += [_assessment(place, one, at) for place, one in enumerate(made)]
    published = verdict is Verdict.PASS
    if published:
        actions.append(_manifests(at))
    root: Json = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Tables of {facts.project}",
        "description": f"Tables of {facts.project}, after the disclosure check of {facts.tre}.",
        "conformsTo": {"@id": PROFILE},
        "mainEntity": {"@id": facts.workflow},
        "sourceOrganization": {"@id": PROJECT},
        "mentions": [{"@id": one["@id"]} for one in actions],
        "hasPart": [{"@id": facts.workflow}, *({"@id": name} for name in kept)],
        # of the crate, whatever is in it: RO-Crate 1.2 asks for both; the profile's own words are for what passed
        "datePublished": at,
        "license": {"@id": facts.licence},
    }
    if published:
        root |= {"publisher": {"@id": PLACE}, "licence": {"@id": facts.licence}}
    graph: list[Json] = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.2"},
            "about": {"@id": "./"},
        },
        root,
        {
            "@id": facts.workflow,
            "@type": "Dataset",
            "name": "The workflow that made the tables",
            "conformsTo": {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
        },
        *actions,
        *(_file(name, one) for name, one in kept.items()),
        {"@id": PROFILE, "@type": ["CreativeWork", "Profile"], "name": "Five Safes RO-Crate", "version": "0.4"},
        _person(facts),
        {"@id": PROJECT, "@type": "Project", "name": facts.project, "member": [{"@id": "#affiliation"}]},
        {"@id": "#affiliation", "@type": "Organization", "name": facts.affiliation},
        {"@id": PLACE, "@type": "Organization", "name": facts.tre},
        _software(),
        {"@id": CHECK, "@type": "DefinedTerm", "name": "; ".join(dict.fromkeys(one.summary for one in made))},
        {"@id": DISCLOSURE, "@type": "DefinedTerm", "name": "Disclosure check"},
    ]
    graph.append({"@id": facts.licence, "@type": "CreativeWork", "name": "The licence"})
    if published:
        graph.append({"@id": CHECK_VALUE, "@type": "DefinedTerm", "name": "Generate check value"})
    return {"@context": CONTEXT, "@graph": graph}


def _execution(kept: Mapping[str, Output], facts: CrateFacts) -> Json:
    return {
        "@id": "#execution",
        "@type": "CreateAction",
        "name": "The tables were made",
        "instrument": {"@id": facts.workflow},
        "agent": {"@id": facts.person},
        "object": [],
        "result": [{"@id": name} for name in kept],
        "actionStatus": STATUS[Verdict.PASS],
        "startTime": facts.started,
        "endTime": facts.ended,
    }


def _assessment(place: int, one: Output, at: str) -> Json:
    said = {Verdict.PASS: "passed", Verdict.REVIEW: "waits for a person", Verdict.FAIL: "failed"}[one.status]
    form: Json = {
        "@id": f"#disclosure-{place}",
        "@type": "AssessAction",
        "additionalType": {"@id": DISCLOSURE},
        "name": f"Disclosure check of output {place}: {said}",
        "startTime": at,
        "object": {"@id": "./"},
        "agent": {"@id": SOFTWARE},
        "instrument": {"@id": CHECK},
        "actionStatus": STATUS[one.status],
    }
    return form if one.status is Verdict.REVIEW else form | {"endTime": at}


def _manifests(at: str) -> Json:
    return {
        "@id": "#manifests",
        "@type": "UpdateAction",
        "additionalType": {"@id": CHECK_VALUE},
        "name": "SHA-512 manifests were written",
        "object": {"@id": "./"},
        "agent": {"@id": SOFTWARE},
        "actionStatus": STATUS[Verdict.PASS],
        "startTime": at,
        "endTime": at,
    }


def _person(facts: CrateFacts) -> Json:
    return {
        "@id": facts.person,
        "@type": "Person",
        "name": facts.name,
        "affiliation": {"@id": "#affiliation"},
        "memberOf": [{"@id": PROJECT}],
    }


def _software() -> Json:
    return {
        "@id": SOFTWARE,
        "@type": "SoftwareApplication",
        "name": "pets",
        "url": f"pkg:pypi/pets-privacy@{__version__}",  # a package URL (ECMA-427): no address that may lead elsewhere
        "version": __version__,
        "softwareVersion": __version__,
        "provider": {"@id": PLACE},
    }


def _file(name: str, one: Output) -> Json:
    content = one.csv()
    return {
        "@id": name,
        "@type": "File",
        "name": one.title,
        "encodingFormat": "text/csv",
        "contentSize": str(len(content)),
        "sha512": hashlib.sha512(content).hexdigest(),
    }


def _manifest(named: Mapping[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha512(content).hexdigest()}  {name}" for name, content in sorted(named.items()))
    return "".join(f"{line}\n" for line in lines).encode()


def _json(form: Any) -> bytes:
    return json.dumps(form, indent=2, ensure_ascii=False).encode()
