"""Datasets: those that somebody may ask about, and what is public of one: its tables, columns, budget and rules."""

from __future__ import annotations

from pets.common.codec import Json
from pets.protection.policy import Policy
from pets.schema.domain import Category
from pets.schema.schema import Schema
from pets.schema.schema_text import described
from pets.service.console.page import Html, Page, Visit
from pets.service.console.pages.analyst.budget import left

_VALUES = 40  # of a category, that are shown


def _datasets(visit: Visit) -> Html:
    told = visit.ask("GET", "/datasets")
    several = [one | {"left": left(visit, one["dataset"])} for one in told["datasets"]]
    return Html("analyst/datasets.html", {"datasets": several, "told": told})


def _schema(visit: Visit) -> Html:
    dataset = visit.path["dataset"]
    told = visit.ask("GET", "/datasets/{dataset}/schema", path={"dataset": dataset})
    schema = Schema.from_json(told["schema"])
    tables = [_table(schema, name, told) for name in schema.tables]
    values = {"dataset": dataset, "tables": tables, "policy": _rules(told["policy"]), "left": left(visit, dataset)}
    return Html("analyst/schema.html", values)


def _table(schema: Schema, name: str, told: Json) -> Json:
    """What the page shows of a table; every column, also identifiers, which no question may name."""
    table = schema.table(name)
    columns = []
    for column, domain in schema.fields(name).items():
        values = domain.values if isinstance(domain, Category) else ()
        columns.append(
            {
                "name": column,
                "type": domain.kind,
                "holds": domain.describe(),
                "values": list(values[:_VALUES]),
                "more": max(0, len(values) - _VALUES),
                "missing": domain.nullable,
                "from": "" if column in table.columns else table.person_table,
                "asked": domain.kind != "identifier",
            }
        )
    return {
        "name": name,
        "served": name in told["tables"],
        "unit": described(table.unit, table.columns),
        "who": "each row is one person" if table.unit.column is None else f"a person, by {table.unit.column}",
        "columns": columns,
    }


_RULES = {
    "approval": "A second person approves",
    "max_numbers": "Numbers in one answer, at most",
    "max_conditions": "Conditions in one question, at most",
    "allow_unbounded": "Exact totals, without a guarantee",
    "max_denials": "Refusals of one analyst that the log enters in an hour",
    "output_votes": "People who must approve what is taken out of the airlock",
    "output_days": "Days in which they decide",
    "output_same_project": "Such people of the author's own project",
    "output_logins": "Their votes count only after a login",
}
_APPROVAL = {"before": "before an answer is made", "after": "after an answer is made, before it is shown"}


def _rules(policy: Json) -> list[tuple[str, str]]:
    """What the policy says, one line each; a rule that has no words here yet is called by its name."""
    said = vars(Policy.from_json(policy))
    return [(_RULES.get(name, name.replace("_", " ")), _said(said[name])) for name in sorted(said, key=_place)]


def _place(name: str) -> int:
    return [*_RULES].index(name) if name in _RULES else len(_RULES)


def _said(value: object) -> str:
    if value is None:
        return "no"
    if isinstance(value, bool):
        return "allowed" if value else "not allowed"
    return f"{value:,}" if isinstance(value, int) else _APPROVAL.get(str(value), str(value))


PAGES = (
    Page("GET", "/", _datasets, nav="Datasets"),
    Page("GET", "/datasets/{dataset}", _schema),
)
