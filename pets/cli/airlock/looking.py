"""Looking: an output as a checker sees it on a terminal, with the beginning of each file and a pre-flight."""

from __future__ import annotations

from pathlib import Path

from pets.common.files import make_folder, replace_file
from pets.errors import UserError
from pets.ledger.ledger import Ledger
from pets.ledger.review.outputs import Outputs
from pets.session.airlock.shown import OutputView

WAY = """\
Then, by your own eyes: pets review approve {id} --by YOU --digest {short} --ledger LEDGER
or: pets review return {id} --by YOU --digest {short} --reason CODE --note TEXT --ledger LEDGER
(or reject; return … --now sends it back at once)"""


def look(ledger: Ledger, output: str, by: str | None, out: str | None) -> None:
    """Print it, and write its files for this person alone where ``out`` names a folder."""
    every = Outputs(ledger)
    print_out(OutputView(every.find(output, by=by), every.files(output)), out, WAY)


def print_out(found: OutputView, out: str | None, way: str) -> None:
    """An output on the terminal, and its files in a folder; ``way``: how to vote about it."""
    print(found)
    for name in found.files:
        print(f"\n--- {name}\n{found.text(name)}")
    if out is not None:
        for name, data in found.files.items():
            path = Path(out, name)
            try:
                make_folder(path.parent)
                replace_file(path, data, owner_only=True)
            except OSError:
                raise UserError(f"the folder {out!r} cannot be written; name another one") from None
    print("\n" + way.format(id=found.id, short=found.digest[:12]))
