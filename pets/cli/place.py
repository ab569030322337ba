"""Place: what the status of every party of a federation says of its own place."""

from __future__ import annotations

from pathlib import Path


def place(folder: Path, kit: Path | None, take: str, notices: int = 5) -> str:
    """Whether it is served, until when its certificate holds, what is wrong there, and what went wrong last.

    Args:
        folder, kit: the party's, and NVFlare's working folder, where there is one.
        take: the command with which it takes a renewed kit.
        notices: how many to show.
    """
    from pets.errors import UserError
    from pets.federated.deployment.health import Term, troubles
    from pets.federated.deployment.notices import FILE, last
    from pets.federated.deployment.processes import server_of

    process = server_of(folder)
    lines = ["Serves: no process does now." if process is None else f"Serves: process {process} does."]
    if kit is None:
        lines.append("Kit: none yet; join with --kit FILE.")
    else:
        try:
            lines.append(f"Kit: its certificate holds until {Term.of(kit).ends:%Y-%m-%d}.")
        except UserError as error:
            lines.append(f"Kit: {error}.")
    lines += [f"TROUBLE: {trouble}" for trouble in troubles(folder, kit, take)]
    if noted := last(folder, notices):
        lines += [f"Notices, the newest last (all of them: {folder / FILE}):", *(f"  {line}" for line in noted)]
    return "\n".join(lines)
