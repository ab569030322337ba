"""WITH: each name of a statement's sub-queries as the sub-query that it stands for."""

from __future__ import annotations

from sqlglot import exp

from pets.query_model.sql.refusal import Refusal, only
from pets.query_model.sql.scope import matched

MAX_NODES = 20_000


def written_out(select: exp.Select) -> exp.Select:
    """The statement without WITH: its sub-queries stand where they are named."""
    with_ = select.args.get("with_")
    if with_ is None:
        return select
    only(with_, "expressions")
    bodies: dict[str, exp.Select] = {}
    used: set[str] = set()
    for cte in with_.expressions:
        only(cte, "this", "alias")
        only(cte.args["alias"], "this")
        name, body = str(cte.alias), cte.this
        if not isinstance(body, exp.Select) or body.args.get("with_"):
            raise Refusal(cte, "WITH names sub-queries, each one SELECT over one table")
        if name.casefold() in {one.casefold() for one in bodies}:
            raise Refusal(cte, f"two sub-queries are called {name[:60]!r}; give one another name")
        if any(table.name.casefold() == name.casefold() for table in body.find_all(exp.Table)):
            raise Refusal(cte, f"{name[:60]!r} would read itself; give the sub-query another name")
        bodies[name] = _replaced(body, bodies, used)
    select.set("with_", None)
    out = _replaced(select, bodies, used)
    for name, body in bodies.items():
        if name not in used:
            raise Refusal(body, f"{name[:60]!r} is not used; leave it out")
    return out


def _replaced(select: exp.Select, bodies: dict[str, exp.Select], used: set[str]) -> exp.Select:
    size = sum(1 for _ in select.walk())
    for table in list(select.find_all(exp.Table)):
        plain = isinstance(table.this, exp.Identifier) and not table.args.get("db")
        name = matched(table.this, bodies) if plain else None
        if name is None:
            continue
        only(table, "this", "alias")
        used.add(name)
        size += sum(1 for _ in bodies[name].walk())
        if size > MAX_NODES:
            raise Refusal(table, "the sub-queries of WITH are too large, written out; ask several questions")
        alias = table.args.get("alias") or exp.TableAlias(this=table.this.copy())
        table.replace(exp.Subquery(this=bodies[name].copy(), alias=alias.copy()))
    return select
