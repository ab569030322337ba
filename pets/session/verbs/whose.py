"""Whose a verb is: a session or a custodian that lacks one says who has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from pets.errors import NoSuchNameError, did_you_mean

_CUSTODIANS = (
    "report",
    "check",
    "refresh",
    "append",
    "incident",
    "ledger",
    "custody",
    "reused",
    "name_grid",
    "compare_grid",
    "attack",
    "look",
)


class SessionNames:
    """A session that lacks a verb says whose it is; ``hasattr`` is false of it all the same."""

    if not TYPE_CHECKING:  # a type checker knows what there is

        def __getattr__(self, name: str) -> NoReturn:
            if name in _CUSTODIANS:
                raise NoSuchNameError(
                    f"a session of an analyst has no .{name}, which is the custodian's alone: whoever opened the data "
                    f"writes custodian.{name}"
                )
            _missing(self, "a session", name)


class CustodianNames:
    """A custodian that lacks an analyst's verb says where it is."""

    _sessions: ClassVar[type]
    """What a session of an analyst is."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            if not name.startswith("_") and hasattr(self._sessions, name):
                raise NoSuchNameError(
                    f"a custodian has no .{name}, which is an analyst's: write "
                    f"custodian.session(analyst='amina', project='stroke-2026').{name}"
                )
            _missing(self, "a custodian", name)


def _missing(of: object, kind: str, name: str) -> NoReturn:
    if name.startswith("_"):
        raise AttributeError(name)  # what Python and notebooks look for themselves
    known = [one for one in dir(type(of)) if not one.startswith("_")]
    raise NoSuchNameError(f"{kind} has no .{name}{did_you_mean(name, known)}")
