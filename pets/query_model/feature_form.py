"""Features from their canonical form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pets.common.literals import literal_from
from pets.errors import QueryError, shown
from pets.query_model.expression import READERS, filter_from_json
from pets.query_model.features import (
    MAX_DEPTH,
    AgeAt,
    Case,
    Computed,
    Days,
    Feature,
    Filled,
    Reading,
    Rows,
    Versus,
    Within,
)
from pets.query_model.nodes.derived import derived_from_json


def feature_from_json(form: Any, inside: int = 0) -> Feature:
    """The feature whose canonical form this is, ``inside`` so many; raises :class:`QueryError` for anything else."""
    kind = form.get("feature") if isinstance(form, Mapping) else None
    if not isinstance(kind, str) or not isinstance(form, Mapping):
        raise QueryError(f"a feature is a mapping with 'feature', not {shown(form)}")
    if inside >= MAX_DEPTH:
        raise QueryError(f"a feature is nested too deeply, more than {MAX_DEPTH} deep; ask two questions")
    build = _FORMS.get(kind, _reading)
    try:
        return build(form, inside + 1)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise QueryError(f"the feature {shown(kind)} lacks a part or has a wrong one") from None


def _only(form: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in form:
        if name not in names:
            raise QueryError(f"{shown(name)} is no part of a feature")
    return form


def _rows(form: Any, inside: int) -> Rows:
    given = _only(form, "table", "where", "rows")
    where = None if given.get("where") is None else filter_from_json(given["where"], inside)
    return Rows(given["table"], where, given.get("rows"))


_READ = ("column", "by", "clip", "most", "gap", "nth")


def _reading(form: Mapping[str, Any], inside: int) -> Feature:
    given = _only(form, "feature", "rows", *_READ)
    rest = {name: given[name] for name in _READ if name in given}
    return Reading(given["feature"], _rows(given["rows"], inside), **rest)


def _days(form: Mapping[str, Any], inside: int) -> Feature:
    given = _only(form, "feature", "later", "earlier", "between")
    later, earlier = (feature_from_json(given[end], inside) for end in ("later", "earlier"))
    return Days(later, earlier, *given["between"])


def _filled(form: Mapping[str, Any], inside: int) -> Feature:
    given = _only(form, "feature", "of", "value")
    return Filled(feature_from_json(given["of"], inside), literal_from(given["value"]))


def _age(form: Mapping[str, Any], inside: int) -> Feature:
    given = _only(form, "feature", "column", "at")
    return AgeAt(given["column"], feature_from_json(given["at"], inside))


def _computed(form: Mapping[str, Any], inside: int) -> Feature:
    given = _only(form, "feature", "as", "of")
    return Computed(derived_from_json(given["as"]), tuple(feature_from_json(one, inside) for one in given["of"]))


def _case(form: Mapping[str, Any], inside: int) -> Feature:
    given = _only(form, "feature", "when", "default")
    arms = tuple(
        (filter_from_json(arm["if"], inside), arm["name"]) for arm in given["when"] if _only(arm, "if", "name")
    )
    return Case(arms, given.get("default"))


_FORMS: dict[str, Callable[[Mapping[str, Any], int], Feature]] = {
    Days.kind: _days,
    Filled.kind: _filled,
    AgeAt.kind: _age,
    Computed.kind: _computed,
    Case.kind: _case,
}

READERS["versus"] = lambda form, _, inside: Versus(
    form["column"], form["op"], feature_from_json(form["feature"], inside)
)
READERS["within"] = lambda form, _, inside: Within(
    form["column"], feature_from_json(form["feature"], inside), *form["days"]
)
