"""Draft: a question as it stands on the page, before it is asked: its parts, its SQL, its protection and its key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

from pets.common.codec import Json, canonical
from pets.common.entropy import random_id
from pets.errors import BudgetError, UserError, did_you_mean, shown
from pets.service.console.page import Visit

FIELDS = ("what", "of", "low", "high", "name", "by", "cut", "period", "if", "is", "value")
"""What the form's rows of parts send, each name with the row's number behind it."""

HOW = {
    "epsilon": "ε, the strength of the protection",
    "pure": "ε by Laplace noise, for a question asked once",
    "within": "the error that I can live with (±)",
}
"""How the protection is said: by which setting of :class:`pets.DP`."""

_EPSILON = "0.1"
_FIRST = {"what0": "count"}
_MOST = 20_000  # letters of all parts


@dataclass(frozen=True)
class Draft:
    """A question on the page.

    Attributes:
        parts: the fields of the form; what they say stands in ``sql`` once it was written from them.
        how, amount: the protection, of :data:`HOW`, and its number as text.
        page: a number that nobody else has, of the page as it was opened first. The same question of the same page is
            one request, however often it is sent.
    """

    dataset: str
    table: str
    parts: Mapping[str, str] = field(default_factory=dict)
    sql: str = ""
    how: str = "epsilon"
    amount: str = _EPSILON
    page: str = ""

    @property
    def packed(self) -> str:
        """The parts as one text, which the other form of the page carries along."""
        return urlencode({name: value for name, value in self.parts.items() if value})

    @property
    def protection(self) -> Json:
        """The protection's form; raises :class:`BudgetError` where it is none yet."""
        if self.how not in HOW:
            raise BudgetError(f"there is no protection by {shown(self.how)}{did_you_mean(self.how, HOW)}")
        if not self.amount:
            raise BudgetError("the protection has no number yet; fill in ε, such as 0.1")
        if self.how == "pure":
            return {"kind": "dp", "epsilon": self.amount, "pure": True}
        return {"kind": "dp", self.how: self.amount}

    def key(self, body: Json) -> str:
        """The idempotency key of a request: the same for the same question of the same page.

        Raises:
            UserError: where the form did not send the page's number: it could then not be told from a second request.
        """
        if not self.page:
            raise UserError("the form came without its number, so that it might be charged twice; open the page again")
        return f"console-{hashlib.sha256(self.page.encode() + canonical(body)).hexdigest()}"


def opened(visit: Visit, tables: list[str]) -> Draft:
    """A new question: of a table, or of SQL that was asked before (to change it)."""
    given = visit.query
    table = given.get("table", "")
    made = Draft(visit.path["dataset"], table if table in tables else tables[0], sql=given.get("sql", "")[:_MOST])
    return replace(made, parts={} if made.sql else _FIRST, page=random_id())


def sent(visit: Visit, tables: list[str]) -> Draft:
    """The question that a form sent."""
    form = visit.form
    table = form.get("table", "")
    try:
        packed = dict(parse_qsl(form.get("parts", "")[:_MOST], max_num_fields=200))
    except ValueError:
        packed = {}
    parts = {name: value for name, value in (packed | dict(form)).items() if name[:-1] in FIELDS and name[-1].isdigit()}
    return Draft(
        visit.path["dataset"],
        table if table in tables else tables[0],
        parts,
        form.get("sql", "").replace("\r\n", "\n"),
        form.get("how", "epsilon"),
        form.get("amount", "").strip(),
        form.get("page", "")[:64],
    )
