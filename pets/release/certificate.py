"""Certificate: the signed statement of what a release is, what it cost, and where in the log it stands.

An in-toto Statement v1 in a DSSE envelope. This file reads it; the ledger signs it, and ``pets verify`` checks it.
"""

from __future__ import annotations

import base64
import html
import json
from functools import cached_property
from pathlib import Path
from typing import Any

from pets.common.codec import Json, canonical
from pets.common.files import replace_file, writing
from pets.errors import UserError

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:pets:release:v1"


class Certificate(dict[str, Any]):
    """A DSSE envelope, as the JSON that is saved; its properties read it, and check nothing.

    Whether it is genuine is for ``pets verify`` to say, with the public key of the ledger.
    """

    @cached_property
    def statement(self) -> Json:
        """The in-toto statement inside; raises :class:`UserError` for an envelope without one."""
        try:
            found = json.loads(base64.b64decode(self["payload"], validate=True))
            if found["predicateType"] != PREDICATE or found["_type"] != STATEMENT:
                raise ValueError("another statement")
        except (LookupError, TypeError, ValueError, RecursionError):
            raise UserError("this is no certificate of a pets release; ask for the original file") from None
        return dict(found)

    @property
    def predicate(self) -> Json:
        """What it states: data set, protection, cost, budget, place in the log, assumptions."""
        return dict(self.statement["predicate"])

    @property
    def subject(self) -> str:
        """The SHA-256 digest of the release that it is about."""
        return str(self.statement["subject"][0]["digest"]["sha256"])

    @property
    def key_id(self) -> str:
        """The public name of the key that signed."""
        return str(self["signatures"][0]["keyid"])

    def save(self, path: str | Path) -> Path:
        """Write it to a file, for ``pets verify``."""
        with writing("the certificate", path, "certificate.json"):
            target = Path(path)
            replace_file(target, canonical(dict(self)))
        return target

    def __str__(self) -> str:
        said = self.predicate
        log, budget, data = said["log"], said["budget"], said["dataset"]
        share = f"{100 * budget['charged'] / max(1, budget['cap']):.3g} %"
        spent = f"{share} of budget {budget['epoch'] + 1}, of which {budget['after']} are spent"
        lines = [
            f"Certificate of release {said['release_id']}, {said['issued_at']}",
            f"  data      {data['id']}, table {data['table']}, snapshot {data['snapshot_id']}",
            f"  asked     {said['what']} (project {said['project_id']}, analyst {said['agent_id']})",
            f"  promise   {said['guarantee']}",
            f"  budget    {budget['charged']} of {budget['cap']} units, {spent}",
            f"  log       entry {log['seq']} of {log['origin']}",
            f"  signed    by key {self.key_id}",
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
