"""The cell magic: after ``%load_ext pets``, a cell that begins with ``%%pets`` asks a session in SQL."""

from __future__ import annotations

import argparse
import shlex
from typing import Any, NoReturn, Protocol

from pets.errors import UserError, did_you_mean, shown

_HELP = "write %%pets session --epsilon 0.5 above the SELECT, or %%pets session --dummy"


class Shell(Protocol):
    """What is needed of IPython's shell."""

    user_ns: dict[str, Any]

    def register_magic_function(self, func: Any, magic_kind: str, magic_name: str) -> None:
        """Make a function a magic of notebooks."""


class _Line(argparse.ArgumentParser):
    """The words after ``%%pets``; what is wrong with them is an error of pets, and ends no process."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"%%pets: {message}; {_HELP}")


def _line() -> _Line:
    parser = _Line(prog="%%pets", add_help=False, allow_abbrev=False)
    parser.add_argument("session", nargs="?")
    for name in ("epsilon", "delta", "rho", "within", "confidence"):
        parser.add_argument(f"--{name}", type=float)
    for name in ("pure", "dummy", "quote", "explain"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--to", metavar="NAME")
    return parser


def register(shell: Shell) -> None:
    """Teach a shell the cell magic ``%%pets``."""

    def pets(line: str, cell: str) -> Any:
        """Ask a session (or a connection, or a federation) the SELECT in this cell.

        %%pets session --epsilon 0.5 --to answer    releases it, and keeps it as the variable answer
        %%pets session --dummy                      answers on invented rows, at no cost
        %%pets session --epsilon 0.5 --quote        says what it would cost (--explain: what is measured)
        %%pets session                              gives the query alone
        """
        return ask(line, cell, shell.user_ns)

    shell.register_magic_function(pets, magic_kind="cell", magic_name="pets")


def ask(line: str, cell: str, names: dict[str, Any]) -> Any:
    """What a cell gives: a query, a quote, an explanation or a release.

    Raises :class:`UserError` for words that it does not know, and the errors of :func:`pets.sql` and of the verbs.
    """
    from pets.protection.protection import DP, Exact
    from pets.query_model.sql.reading import sql

    try:
        said = _line().parse_args(shlex.split(line))
    except ValueError:
        raise UserError(f"%%pets: a quotation mark is not closed; {_HELP}") from None
    if said.to is not None and not said.to.isidentifier():
        raise UserError(f"--to takes the name of a variable, such as --to answer, not {shown(said.to)}")
    asker = _asker(said.session, names)
    query = sql(cell, asker.schema)
    settings = {name: getattr(said, name) for name in ("epsilon", "delta", "rho", "within", "confidence")}
    given = {name: value for name, value in settings.items() if value is not None}
    protection = DP(**given, pure=said.pure) if given else None
    made: Any = query
    if said.explain:
        from pets.session.explain import explain

        made = explain(query, asker.schema, protection)
    elif said.quote:
        made = asker.quote(query, _needed(protection))
    elif said.dummy:
        made = asker.dummy().release(query, protection or Exact())
    elif protection is not None:
        made = asker.release(query, protection)
    if said.to is not None:
        names[said.to] = made
    return made


def _needed(protection: Any) -> Any:
    if protection is None:
        raise UserError("a quote needs --epsilon (or --rho, or --within)")
    return protection


def _asker(name: str | None, names: dict[str, Any]) -> Any:
    """The session, connection or federation that is meant: by its variable's name, or the only one that there is."""
    from pets.federated.analyst.federation import Federation
    from pets.session.verbs.analyst_verbs import AnalystVerbs

    kinds = (AnalystVerbs, Federation)
    askers = {key: value for key, value in names.items() if isinstance(value, kinds) and key[:1] != "_"}
    if name is None:
        found = {id(value): value for value in askers.values()}
        if len(found) == 1:
            return next(iter(found.values()))
        raise UserError(f"%%pets needs the name of a session{did_you_mean('', askers)}; {_HELP}")
    if name not in askers:
        raise UserError(f"{shown(name)} is no session in this notebook{did_you_mean(name, askers)}")
    return askers[name]
