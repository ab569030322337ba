"""``pets witness``: look whether another's log only grows, and sign what was seen. It needs no data and no ledger."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from pathlib import Path
from typing import Annotated

import typer

from pets.cli.command import interruptible, verb
from pets.cli.flags import written
from pets.common.files import replace_file
from pets.errors import UserError, VerificationError

app = typer.Typer(
    name="witness",
    help="Look whether another's log only grows, and sign what was seen: nobody is shown another log then.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the witness keeps its key and what it saw.")]
STOPPED = "stopped; what was seen is kept"


def open_(
    folder: Folder,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="For ever: such as hospital.example/w1.")],
) -> None:
    """Make a witness, and print its public key for others' policies.

    \b
    pets witness open w1 --name riverside.example/w1
    """
    from pets.ledger.witness.witness import Witness

    print(Witness.open(folder, name).key)


verb(app)(open_)


@verb(app)
def trust(
    folder: Folder,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The log's, as pets log key prints it.")],
) -> None:
    """Know one more log: its checkpoints will be signed.

    \b
    pets witness trust w1 "$(pets log key --ledger ledger.db)"
    """
    from pets.ledger.witness.witness import Witness

    found = Witness(folder).trust(key)
    print(f"The log {found.name} is known now.")


@verb(app)
def sign(
    folder: Folder,
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="As pets log cosign --request wrote it.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The signature to send back.")],
) -> None:
    """Sign a checkpoint that came as a file, where the log only grew since the last one.

    \b
    pets witness sign w1 request.txt --out signature.txt
    """
    from pets.ledger.witness.witness import Witness

    try:
        text = request.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        raise VerificationError(f"{str(request)!r} cannot be read; ask for the file again") from None
    reply = Witness(folder).add_checkpoint(text)
    if reply.status == 409 and reply.kind == "text/x.tlog.size":
        size = reply.body.strip()
        raise UserError(f"this witness saw {size} entries; write the request with --old {size}")
    if reply.status != 200:
        raise VerificationError(f"nothing was signed: {reply.body.strip()}")
    with written(out):
        replace_file(out, reply.body.encode())
    print(f"Written to {out}.")


@verb(app, STOPPED)
def serve(
    folder: Folder,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="And the port.")] = 8470,
) -> None:
    """Sign what logs post, until it is stopped. Put it behind the web server that has the certificate for HTTPS.

    \b
    pets witness serve w1 --port 8470
    """
    from pets.ledger.witness.server import serving
    from pets.ledger.witness.witness import Witness

    witness = Witness(folder)
    with serving(witness, host, port) as server, interruptible(STOPPED):
        print(f"Witness {witness.name} serves on http://{host}:{port}; Ctrl-C stops it.", flush=True)
        server.serve_forever()
