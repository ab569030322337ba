"""``pets keyholder``: who opens the totals of encrypted envelopes, on a machine of its own."""

# no "from __future__ import annotations": typer reads the annotations when this file loads

from pathlib import Path
from typing import Annotated

import typer

from pets.cli.command import verb
from pets.cli.flags import Passphrase, Question, load_schema, passphrase
from pets.cli.sdc.rule import Rule

app = typer.Typer(
    name="keyholder",
    help="The key holder of a federation: make its key, join, and open encrypted totals, once each.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
STOPPED = "interrupted; nothing was made"
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The key holder's folder.")]


@verb(app, STOPPED)
def init(
    folder: Folder,
    allow_total: Annotated[
        bool, typer.Option("--allow-total", help="Open exact totals, too, where every site's policy allows them.")
    ] = False,
    passphrase_file: Passphrase = None,
) -> None:
    """Make a key holder: its folder gets a fresh secret key, the record of what was opened, and the public key.

    \b
    pets keyholder init holder
    """
    from pets.federated.deployment.keyholder_folder import KeyHolderFolder

    made = KeyHolderFolder.create(folder, totals=allow_total, passphrase=passphrase(passphrase_file))
    print(f"{folder}: a key holder. It holds the secret key: keep it where neither coordinator nor analyst can read.")
    print(f"{folder / 'public.key'}: for the coordinator and every site. It begins with {made.public.id[:16]}.")


@verb(app, STOPPED)
def grid(
    folder: Folder,
    question: Question,
    schema: Annotated[str, typer.Option("--schema", metavar="FILE", help="The schema that all sites share.")],
    rule: Rule,
) -> None:
    """Name the one grid over all sites whose counts this key holder shows, each by the rule; the exact ones never.

    Sites send it the counts of that grid where their policies list the rule under sdc_encrypted. What it shows is kept
    beside the key, and given alike whenever it is asked for. Serve anew after it.

    \b
    pets keyholder grid holder --schema stays.yaml --by sex --by age --count people --sdc hes
    pets keyholder grid holder --schema stays.yaml --by sex --by age --count people --sdc hes --width 4
    """
    from pets.federated.deployment.keyholder_folder import KeyHolderFolder

    known, shown = load_schema(schema), rule.build()
    cells = KeyHolderFolder(folder).name_grid(question.build(known), known, shown)
    print(f"The grid of {known.dataset}, {cells:,} cells: {shown.rule}. It is shown once, when first asked for.")


@verb(app, STOPPED)
def join(
    folder: Folder,
    roster: Annotated[Path, typer.Option("--roster", metavar="FILE", help="The roster, from the coordinator.")],
    kit: Annotated[
        Path | None, typer.Option("--kit", metavar="FILE", help="The key holder's startup kit, from the coordinator.")
    ] = None,
) -> None:
    """Join a federation: pin its roster, so that totals of its sites, and of no others, are opened.

    \b
    pets keyholder join holder --roster roster.json --kit key-holder.kit
    """
    from pets.federated.deployment.keyholder_folder import KeyHolderFolder

    pinned = KeyHolderFolder(folder).join(roster, kit)
    print(f"The key holder joined the roster {pinned.described}")
    print("Compare the roster's first digits, and the public key's, with every site before you serve.")


@verb(app, "interrupted; the kit may have to be taken again")
def renew(
    folder: Folder,
    kit: Annotated[Path, typer.Option("--kit", metavar="FILE", help="The renewed kit, from the coordinator.")],
) -> None:
    """Take a renewed startup kit. A process that serves goes on with it by itself.

    \b
    pets keyholder renew holder --kit key-holder.kit
    """
    from pets.cli.place import place
    from pets.federated.deployment.keyholder_folder import KeyHolderFolder

    holder = KeyHolderFolder(folder)
    holder.renew(kit)
    print(place(folder, holder.kit, holder.take, notices=0))


@verb(app, "stopped; totals that were not opened stay closed")
def serve(folder: Folder, passphrase_file: Passphrase = None) -> None:
    """Open the federation's totals until Ctrl-C, each once; the secret key stays in this process.

    \b
    pets keyholder serve holder
    """
    from pets.federated.deployment.keyholder_folder import KeyHolderFolder
    from pets.federated.deployment.serving import serve_keyholder

    serve_keyholder(KeyHolderFolder(folder), passphrase(passphrase_file), lambda line: print(line, flush=True))


@verb(app, "interrupted; nothing was changed")
def status(folder: Folder) -> None:
    """Which key it is, what it opens, whose totals, and what is wrong at its place.

    \b
    pets keyholder status holder
    """
    from pets.cli.place import place
    from pets.federated.deployment.keyholder_folder import KeyHolderFolder
    from pets.session.guarantee_text import what

    holder = KeyHolderFolder(folder)
    print(f"Key holder of public key {holder.public.id[:16]}.")
    print("It opens totals with noise" + (", and exact totals." if holder.totals else ", and no exact totals."))
    if holder.grid is not None:
        print(f"Of one grid it shows the counts by {holder.grid[1]!r}: {what(holder.grid[0])}.")
    for roster in holder.rosters:
        print(f"Roster {roster.described}")
    if not holder.rosters:
        print("Roster: none yet; join one with pets keyholder join.")
    print(place(folder, holder.kit, holder.take))
