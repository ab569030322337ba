"""Asked: a question to a service in canonical form, there and back, and how a session answers it.

One form for each kind, whoever reads it: what a client sends, what waits in the queue, what a child process answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pets.common.codec import Json, fraction
from pets.errors import InternalError, UserError, did_you_mean, shown
from pets.protection.protection import Protection
from pets.query_model.expression import filter_from_json
from pets.query_model.query import Query
from pets.query_model.trained.network import Network
from pets.release.release_form import plain

if TYPE_CHECKING:
    from pets.session.verbs.analyst_session import AnalystSession

_NEEDED = object()
_KINDS: dict[str, dict[str, Any]] = {
    "release": {"queries": _NEEDED, "protection": _NEEDED, "again": False},
    "dummy": {"queries": _NEEDED, "protection": _NEEDED, "rows": 1000, "seed": 0},
    "group_keys": {
        **{"table": _NEEDED, "by": _NEEDED, "protection": _NEEDED},
        **{"where": None, "groups": None, "delta": None, "again": False},
    },
    "top_keys": {"query": _NEEDED, "k": _NEEDED, "protection": _NEEDED, "again": False},
    "rows_lost": {"table": _NEEDED, "protection": _NEEDED, "by": None, "again": False},
    "synthesise": {"rows": None, "settings": _NEEDED},
    "train": {"network": _NEEDED, "protection": _NEEDED, "again": False},
}
"""By kind, its arguments and what each is where it is left out."""

KINDS = tuple(_KINDS)


def arguments(kind: str) -> dict[str, bool]:
    """By name, the arguments of a kind, and whether each may be left out."""
    return {name: usual is not _NEEDED for name, usual in _KINDS[kind].items()}


@dataclass(frozen=True)
class Asked:
    """A question of one of :data:`KINDS`, its arguments by name as the verb of a session takes them.

    Raises:
        UserError: for an unknown kind, or an argument that is unknown or missing.
    """

    kind: str
    arguments: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in _KINDS:
            raise UserError(f"there is no kind of question {shown(self.kind)}{did_you_mean(self.kind, _KINDS)}")
        usual = _KINDS[self.kind]
        for name in self.arguments:
            if name not in usual:
                raise UserError(f"a question of kind {self.kind!r} has no {shown(name)}{did_you_mean(name, usual)}")
        for name, value in usual.items():
            if value is _NEEDED and name not in self.arguments:
                raise UserError(f"a question of kind {self.kind!r} needs {name!r}; send it with the others")
        object.__setattr__(self, "arguments", usual | dict(self.arguments))

    def to_json(self) -> Json:
        """The canonical form of the arguments."""
        form: Json = {}
        for name, value in self.arguments.items():
            try:
                form[name] = _WRITTEN.get(name, plain)(value)
            except (InternalError, ValueError, AttributeError, TypeError):
                raise UserError(f"{name} cannot be sent: {shown(value)} is none of its values") from None
        return form

    @classmethod
    def read(cls, kind: Any, form: Any) -> Asked:
        """The inverse of :meth:`to_json`.

        Raises:
            UserError: for what is no form of that kind; QueryError, BudgetError: for a part that is none.
        """
        if not isinstance(form, dict):
            raise UserError(f"a question is an object with its arguments by name, not {shown(form)}")
        named = cls(kind, form).arguments  # unknown and missing names are refused before any part is read
        return cls(kind, {name: _READ.get(name, _same)(value) for name, value in named.items()})

    def ask(self, session: AnalystSession, key: str | None = None) -> Json:
        """A session's answer in the form in which it goes over a wire; raises what the session's verb raises."""
        return _ASKED[self.kind](session, key, **self.arguments)


# the parts there and back -------------------------------------------------------------------------------------------


def _same(value: Any) -> Any:
    return value


def _queries(value: Any) -> list[Query]:
    if not isinstance(value, list):
        raise UserError(f"queries must be a list, not {shown(value)}")
    return [Query.from_json(one) for one in value]


def _number(value: Any) -> Any:
    """A number that travelled as decimal text; any other text (a date, a period) as it is."""
    try:
        return float(fraction(value)) if isinstance(value, str) else value
    except (ValueError, OverflowError):
        return value


def _setting(value: Any) -> Any:
    """A question in the place of a table's name (:meth:`pets.Session.synthesise`) goes in its form."""
    return value.to_json() if isinstance(value, Query) else plain(value)


def _settings(value: Any) -> Json:
    if not isinstance(value, dict):
        raise UserError(f"settings must be an object with each setting by name, not {shown(value)}")
    read = dict(value)
    if "epsilon" in read:
        read["epsilon"] = _number(read["epsilon"])
    if isinstance(read.get("table"), dict):
        read["table"] = Query.from_json(read["table"])
    if isinstance(read.get("bins"), dict):
        bins = read["bins"].items()
        read["bins"] = {name: [*map(_number, cut)] if isinstance(cut, list) else cut for name, cut in bins}
    return read


_WRITTEN: dict[str, Callable[[Any], Any]] = {
    "queries": lambda value: [one.to_json() for one in value],
    "query": lambda value: value.to_json(),
    "network": lambda value: value.to_json(),
    "protection": lambda value: value.to_json(),
    "where": lambda value: None if value is None else value.to_json(),
    "settings": lambda value: {name: _setting(part) for name, part in value.items() if name != "progress"},
}
_READ: dict[str, Callable[[Any], Any]] = {
    "queries": _queries,
    "query": Query.from_json,
    "network": Network.from_json,
    "protection": Protection.from_json,
    "where": lambda value: None if value is None else filter_from_json(value),
    "delta": _number,
    "settings": _settings,
}

# how a session answers ----------------------------------------------------------------------------------------------


def _release(session: AnalystSession, key: str | None, queries: list[Query], protection: Any, again: Any) -> Json:
    answers = session.release(queries, protection, again=again, key=key)
    return {"releases": [answer.to_json() for answer in answers]}


def _dummy(session: AnalystSession, key: str | None, rows: Any, seed: Any, queries: Any, protection: Any) -> Json:
    answers = session.dummy(rows, seed).release(queries, protection)
    return {"releases": [answer.to_json() for answer in answers]}


def _group_keys(session: AnalystSession, key: str | None, table: Any, **settings: Any) -> Json:
    return {"keys": session.group_keys(table, key=key, **settings).signed}


def _top_keys(session: AnalystSession, key: str | None, query: Query, k: Any, protection: Any, again: Any) -> Json:
    return {"top": session.top_keys(query, k, protection, again=again, key=key).signed}


def _rows_lost(session: AnalystSession, key: str | None, table: Any, protection: Any, by: Any, again: Any) -> Json:
    return {"rows_lost": session.rows_lost(table, protection, by, again=again, key=key).release.to_json()}


def _synthesise(session: AnalystSession, key: str | None, rows: Any, settings: Json) -> Json:
    from pets.synthetic.synthetic_form import form_of

    return {"synthetic": form_of(session.synthesise(rows, "dp", **settings, progress=False))}


def _train(session: AnalystSession, key: str | None, network: Network, protection: Any, again: Any) -> Json:
    return {"trained": session.train(network, protection, again=again, key=key).signed}


_ASKED: dict[str, Callable[..., Json]] = {
    "release": _release,
    "dummy": _dummy,
    "group_keys": _group_keys,
    "top_keys": _top_keys,
    "rows_lost": _rows_lost,
    "synthesise": _synthesise,
    "train": _train,
}
