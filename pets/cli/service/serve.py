"""``pets serve``: the query service, from a file, or with one command for one machine."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.cli.flags import DATA
from pets.common.files import make_folder
from pets.errors import DataError, UserError, missing_extra

if TYPE_CHECKING:
    from pets.ledger.ledger import Ledger
    from pets.service.config import Config

_DAYS = 30  # that a token of this machine lasts, should it not be taken back when the service stops


def serve(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="service.yaml; docs/service.md shows one.")
    ] = None,
    schema: Annotated[
        str | None, typer.Option("--schema", metavar="FILE", help="Without a --config: the schema.")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", metavar="[TABLE=]FILE", help=DATA, show_default=False)
    ] = None,
    budget_epsilon: Annotated[
        float | None, typer.Option("--budget-epsilon", help="ε of the whole budget, for a new account (1).")
    ] = None,
    budget_delta: Annotated[
        float | None, typer.Option("--budget-delta", help="Its δ (1e-6); 0 makes a pure budget.")
    ] = None,
    folder: Annotated[
        Path,
        typer.Option("--folder", metavar="FOLDER", help="Where account and snapshots are kept, without a --config."),
    ] = Path("pets-service"),
    host: Annotated[
        str | None, typer.Option("--host", help="Where to listen: this machine alone, unless said.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="0: any free one. (8470)")] = None,
) -> None:
    """Answer analysts over HTTP: with a file, or for one machine with a schema and its data, until Ctrl-C.

    \b
    pets serve --schema stays.yaml --data stays.csv
    pets serve --config service.yaml
    """
    from pets.service.config import Config

    if (config is None) == (schema is None):
        raise UserError("say what to serve: --config service.yaml, or --schema FILE with --data FILE")
    try:
        import pets.service.http.serving  # noqa: F401  (whether the optional part is there, before anything is made)
    except ModuleNotFoundError:
        raise missing_extra("the query service", "service") from None
    if config is not None:
        if data or budget_epsilon is not None or budget_delta is not None:
            raise UserError(
                "--data and the budget of a service with a --config stand in that file; leave them out here"
            )
        _run(Config.load(config), host, port, local=False)
        return
    assert schema is not None
    _run(_embedded(schema, data, (budget_epsilon, budget_delta), folder), host, port, local=True)


def _embedded(schema: str, data: list[str] | None, budget: tuple[float | None, float | None], folder: Path) -> "Config":
    """One machine, one dataset, an account and snapshots in a folder."""
    from pets.cli.flags import Source, load_schema
    from pets.protection.budget import Budget
    from pets.service.config import Config
    from pets.service.opening import Opening

    known = load_schema(schema)
    snapshots, ledger = folder / "snapshots", folder / "ledger.db"
    sources = Source(data).sources(known)
    if not snapshots.is_dir():
        if not sources:
            raise DataError("no data was given; add --data FILE, the rows that are to be served")
        make_folder(folder)
        _prepared(schema, data or [], snapshots)
    elif sources:
        print(
            f"The tables in {snapshots} are served as they were made ready, and --data is not read again; to renew "
            f"them, run pets snapshot with --out {snapshots}, or serve from another --folder."
        )
    new = not ledger.exists() or budget != (None, None)
    usual = (1.0, 1e-6)
    parts = [other if part is None else part for part, other in zip(budget, usual, strict=True)]
    made = Budget(*parts).to_json() if new else None
    opening = Opening(schema, str(ledger), sources, snapshots=str(snapshots), budget=made)
    return Config((opening,))


def _prepared(schema: str, data: list[str], snapshots: Path) -> None:
    """Make the tables ready, in a process of its own: the one that listens never reads rows."""
    flags = [word for one in data for word in ("--data", one)]
    command = [sys.executable, "-m", "pets", "snapshot", "--schema", schema, *flags, "--out", str(snapshots)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    print(done.stdout, end="", flush=True)
    if done.returncode:
        raise typer.Exit(done.returncode)  # it has said why


def _run(config: "Config", host: str | None, port: int | None, *, local: bool) -> None:
    from pets.service.access.bearer import Bearer
    from pets.service.access.code_flow import CodeFlow
    from pets.service.access.tokens import ServiceTokens
    from pets.service.answering.presence import Presence
    from pets.service.answering.supervisor import Supervisor
    from pets.service.app import create_app
    from pets.service.http.serving import listening
    from pets.service.http.serving import serve as served

    sock = listening(config.host if host is None else host, config.port if port is None else port)
    custodians = [one.listening() for one in config.openings]
    ledger = custodians[0].ledger
    supervisor: Any = None
    if config.processes:
        supervisor = Supervisor(
            config.openings, ledger, processes=config.processes, timeout=config.timeout, memory=config.memory
        )
    app = create_app(
        custodians,
        auth=Bearer(ServiceTokens(ledger), config.login),
        limits=config.limits,
        supervisor=supervisor,
        public_log=config.public_log,
        console=config.console,
        public_register=config.public_register,
        login=CodeFlow(config.login, config.client) if config.login is not None and config.client is not None else None,
        metrics=config.metrics,
    )
    named = ", ".join(repr(one.schema.dataset) for one in custodians)
    shown, at = sock.getsockname()[:2]
    url = f"http://{f'[{shown}]' if ':' in shown else shown}:{at}"

    def ready(secret: str = "") -> None:
        print(f"Serving {named} at {url}. Stop with Ctrl-C.")
        if secret:
            print(f'Token, for this run: {secret}\nFrom Python: pets.connect("{url}", token="{secret}")')
            print(f"In a browser: {url}/console (log in with that token)")
        if not config.processes and not Presence(ledger).here():
            print("No process answers yet: start pets answer with the same --config.")
        sys.stdout.flush()

    try:
        if local:
            with _local_token(ledger) as secret:
                served(app, sock, lambda: ready(secret))
        else:
            served(app, sock, ready)
    finally:
        if supervisor is not None:
            supervisor.close()
    print("Stopped.")


@contextmanager
def _local_token(ledger: "Ledger") -> Iterator[str]:
    """A token for whoever started the service; it ends with it."""
    from pets.ledger.tokens import Tokens

    tokens = Tokens(ledger)
    roles = ("analyst", "auditor", "custodian")
    for one in tokens.all():  # of a service that was killed, and could not take its own back
        if (one.subject, one.project, one.roles, one.revoked) == ("local", "default", roles, None):
            tokens.revoke(one.id)
    secret, token = tokens.create("local", "default", roles, expires=time.time() + _DAYS * 86_400)
    try:
        yield secret
    finally:
        tokens.revoke(token.id)
