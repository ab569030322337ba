"""Config: ``service.yaml``, read strictly; every mistake is one sentence with its line and its remedy.

Paths are read from the folder of the file. A value ``$NAME`` is taken from the environment, so that no password needs
to stand in a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pets.common import yamlfile
from pets.common.codec import fraction
from pets.common.yamlfile import Place
from pets.errors import UserError, did_you_mean, shown
from pets.protection.budget import Budget
from pets.protection.policy import Policy
from pets.service.access.code_flow import Client
from pets.service.access.oidc import CLAIMS, Oidc
from pets.service.answering.memory import size
from pets.service.http.limits import Limits
from pets.service.opening import Opening

TIMEOUT = 300.0
PORT = 8470


@dataclass(frozen=True)
class Config:
    """What a service is run with.

    Attributes:
        openings: how each dataset is opened; all with one ledger.
        host, port: where it listens: behind a proxy that speaks TLS, or for this machine alone.
        processes: that answer, started by this one; 0: they run elsewhere (``pets answer``). A file that says nothing
            has one, or, where the ledger is in PostgreSQL and there is a second core, two.
        timeout: seconds that one answer may take.
        memory: that one answering process may take, such as ``"4GB"``; ``None``: no limit of its own.
        limits: what is refused before any charge.
        login: the provider of logins; ``None``: the service's own tokens alone.
        client: what the console is to that provider; ``None``: people log in to it with a token.
        public_log: whether whoever is logged in may read the log's entries.
        console: whether there are pages for a browser.
        public_register: whether anybody may read the console's record of all releases.
        metrics: whether there is an address for Prometheus.
    """

    openings: tuple[Opening, ...]
    host: str = "127.0.0.1"
    port: int = PORT
    processes: int = 1
    timeout: float = TIMEOUT
    memory: str | None = None
    limits: Limits = field(default_factory=Limits)
    login: Oidc | None = None
    client: Client | None = None
    public_log: bool = False
    console: bool = True
    public_register: bool = False
    metrics: bool = False

    def __post_init__(self) -> None:
        if not self.openings:
            raise UserError("there is no dataset to serve; name at least one, with its schema")
        if len({one.ledger for one in self.openings}) > 1:
            raise UserError("all datasets of a service keep their account in one ledger; name one ledger")
        if len({one.schema for one in self.openings}) < len(self.openings):
            raise UserError("the same schema is served twice; name each dataset once")
        if not 0 < self.port < 65536:
            raise UserError(f"port must be from 1 to 65535, not {self.port}")
        if not 0 <= self.processes <= 64:
            raise UserError(f"processes must be from 0 to 64, not {self.processes}")
        if not 1 <= self.timeout <= 86_400:
            raise UserError(f"timeout must be from 1 to 86400 seconds, not {self.timeout:g}")

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """Read a file; raises :class:`UserError` with the line of a mistake and what to write instead."""
        form, name = yamlfile.read(path, "service")
        return _Reader(Path(path).absolute().parent, Place(name)).config(form)


class _Reader:
    """Reads the parts of a file; each mistake names its line."""

    def __init__(self, folder: Path, place: Place) -> None:
        self._folder, self._place = folder, place

    def config(self, form: Any) -> Config:
        flags = ("public_log", "console", "public_register", "metrics")
        known = ("datasets", "ledger", "keys", "listen", "answering", "limits", "login", *flags)
        self._mapping(form, "a service", known, ("datasets", "ledger"))
        ledger = self._read(form, "ledger", self._address)
        keys = self._read(form, "keys", self._path) if "keys" in form else None
        listen = self._part(form, "listen", ("host", "port"))
        answering = self._part(form, "answering", ("processes", "timeout", "memory", "threads"))
        threads = self._given(answering, threads=_count).get("threads")
        openings = tuple(self._dataset(one, ledger, keys, threads) for one in self._list(form, "datasets"))
        settings = self._given(listen, host=_text, port=_whole)
        settings |= {"processes": _usual(ledger)}
        settings |= self._given(answering, processes=_whole, timeout=_number, memory=_size)
        settings |= self._given(form, **dict.fromkeys(flags, _flag))
        limits = self._part(form, "limits", tuple(Limits.__dataclass_fields__))
        numbers = self._given(limits, **dict.fromkeys(limits, _whole))
        most = self._made(form, "limits", lambda: Limits(**numbers)) if limits else Limits()
        login = self._login(form)
        client = self._client(form["login"]) if login is not None and "client" in form["login"] else None
        try:
            return Config(openings, limits=most, login=login, client=client, **settings)
        except UserError as error:
            raise UserError(f"{self._place.name}: {error}") from None

    def _dataset(self, form: Any, ledger: str, keys: str | None, threads: int | None) -> Opening:
        known = ("schema", "data", "snapshots", "budget", "policy", "engine", "memory")
        self._mapping(form, "a dataset", known, ("schema", "snapshots"))
        budget = self._part(form, "budget", ("epsilon", "delta", "threshold_delta"))
        policy = self._part(form, "policy", tuple(Policy.__dataclass_fields__))
        data = form.get("data") or {}
        if not isinstance(data, Mapping):
            raise self._error(form, "data", f"data names each table's source, as 'stays: stays.csv', not {shown(data)}")
        kinds: dict[str, Callable[[Any], Any]] = {"allow_unbounded": _flag, "approval": _text, "sdc": _names}
        kinds |= {"sdc_filters": _text, "sdc_review": _text, "output_same_project": _flag, "output_logins": _flag}
        rules = self._given(policy, **{name: kinds.get(name, _whole) for name in policy})
        return Opening(
            schema=self._read(form, "schema", self._path),
            ledger=ledger,
            data={table: self._read(data, table, self._address) for table in data},
            snapshots=self._read(form, "snapshots", self._path),
            keys=keys,
            budget=self._budget(form, budget) if budget else None,
            policy=self._made(form, "policy", lambda: Policy(**rules).to_json()) if policy else {},
            threads=threads,
            **self._given(form, engine=_text, memory=_text),
        )

    def _budget(self, form: Any, budget: Any) -> Any:
        numbers = self._given(budget, epsilon=_number, delta=_number, threshold_delta=_number)
        if "epsilon" not in numbers:
            raise self._error(form, "budget", "a budget needs its epsilon; write 'budget: {epsilon: 3, delta: 1e-6}'")
        return self._made(form, "budget", lambda: Budget(**numbers).to_json())

    def _login(self, form: Any) -> Oidc | None:
        known = ("issuer", "audience", "jwks", "algorithms", "claims", "device", "client")
        login = self._part(form, "login", known)
        if form.get("login") is None:
            return None
        if not login:
            raise self._error(form, "login", "a login needs 'issuer'; add it, or leave the login out")
        self._mapping(login, "a login", known, ("issuer", "audience", "jwks"))
        more: dict[str, Any] = {}
        if "algorithms" in login:
            more["algorithms"] = tuple(self._list(login, "algorithms"))
        if "claims" in login:
            more["claims"] = dict(self._part(login, "claims", tuple(CLAIMS)))
        if login.get("device") is not None:
            device = self._part(login, "device", ("client", "scope", "resource"))
            more["device"] = {name: self._read(device, name, _text) for name in device}
        texts = {name: self._read(login, name, _text) for name in ("issuer", "audience", "jwks")}
        found: Oidc = self._made(form, "login", lambda: Oidc(**texts, **more))
        return found

    def _client(self, login: Any) -> Client:
        known = tuple(Client.__dataclass_fields__)
        told = self._part(login, "client", known)
        if "id" not in told:
            raise self._error(login, "client", "the client of a login needs 'id'; add it, as the provider gives it")
        texts = self._given(told, **dict.fromkeys(known, _text))
        made: Client = self._made(login, "client", lambda: Client(**texts))
        return made

    # parts ------------------------------------------------------------------------------------------------------

    def _mapping(self, form: Any, what: str, known: tuple[str, ...], needed: tuple[str, ...] = ()) -> None:
        if not isinstance(form, Mapping):
            raise UserError(f"{self._place.name}: {what} is written as names with values, not as {shown(form)}")
        for name in form:
            if name not in known:
                raise self._error(form, name, f"{what} has no {shown(name)}{did_you_mean(name, known)}")
        for name in needed:
            if form.get(name) is None:
                raise self._error(form, next(iter(form), ""), f"{what} needs {name!r}; add it")

    def _part(self, form: Any, name: str, known: tuple[str, ...]) -> Any:
        found = form.get(name)
        if found is None:
            return {}
        if not isinstance(found, Mapping):
            raise self._error(form, name, f"{name} is written as names with values, not as {shown(found)}")
        self._mapping(found, name, known)
        return found

    def _list(self, form: Any, name: str) -> list[Any]:
        if not isinstance(form[name], list):
            raise self._error(form, name, f"{name} is a list, each entry after a dash, not {shown(form[name])}")
        return list(form[name])

    def _given(self, form: Any, **kinds: Callable[[str], Any]) -> dict[str, Any]:
        """The settings that the file gives, each read as its kind."""
        return {name: self._read(form, name, kind) for name, kind in kinds.items() if form.get(name) is not None}

    def _read(self, form: Any, name: str, kind: Callable[[str], Any]) -> Any:
        return self._made(form, name, lambda: kind(self._environment(form[name])))

    def _made(self, form: Any, name: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except UserError as error:
            raise self._error(form, name, str(error)) from None
        except (ValueError, TypeError, KeyError):
            raise self._error(
                form, name, f"{name} cannot be {shown(form[name])}; {_EXAMPLES.get(name, _ANY)}"
            ) from None

    def _error(self, form: Any, name: str, sentence: str) -> UserError:
        return UserError(str(self._place.error(UserError(sentence), form, name)))

    def _environment(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith("$"):
            return value
        name = value.removeprefix("$").removeprefix("{").removesuffix("}")
        if name not in os.environ:
            raise UserError(f"the environment has no {shown(name)}; set it, or write the value itself")
        return os.environ[name]

    def _path(self, value: str) -> str:
        return str(self._folder / _text(value))

    def _address(self, value: str) -> str:
        """A file, or the URL of a database."""
        return value if "://" in _text(value) else self._path(value)


def _usual(ledger: str) -> int:
    """Processes that answer where a file does not say how many."""
    return min(2, os.cpu_count() or 1) if ledger.startswith("postgresql") else 1


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\x00" in value:
        raise ValueError("no text")
    return value


def _names(value: Any) -> list[str]:
    return [_text(one) for one in (value if isinstance(value, list) else [value])]


def _whole(value: Any) -> int:
    if not (_text(value).isascii() and value.removeprefix("-").isdigit()):
        raise ValueError("no whole number")
    return int(value)


def _count(value: Any) -> int:
    found = _whole(value)
    if found < 1:
        raise ValueError("none")
    return found


def _size(value: Any) -> str:
    size(_text(value))
    return str(value)


def _number(value: Any) -> float:
    return float(fraction(_text(value)))


def _flag(value: Any) -> bool:
    return {"true": True, "false": False, "yes": True, "no": False}[_text(value).lower()]


_ANY = "see docs/service.md for an example"
_EXAMPLES = {
    "port": f"write a number such as {PORT}",
    "public_log": "write true or false",
    "console": "write true or false",
    "public_register": "write true or false",
    "metrics": "write true or false",
    "allow_unbounded": "write true or false",
    "output_logins": "write true or false",
    "output_same_project": "write true or false",
    "sdc": "write a list of rules, such as [hes]",
    "timeout": "write seconds, such as 300",
    "threads": "write a number of at least 1, or leave it out",
    "processes": "write a number such as 2, or 0 where 'pets answer' runs elsewhere",
    "epsilon": "write a number such as 3",
    "delta": "write a number such as 1e-6",
}
