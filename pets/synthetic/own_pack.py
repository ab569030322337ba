"""A pack of one's own is begun from one that works, and tells what it declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pets.common.files import make_folder, replace_file
from pets.errors import UserError, did_you_mean, shown
from pets.synthetic.packs.declared import Pack
from pets.synthetic.packs.pack import HOME, packs
from pets.synthetic.packs.render import dictionary


def begin(folder: Path, like: str = "dental") -> list[Path]:
    """Copy a pack of pets into a folder that is not there yet, under the folder's name; gives the files.

    Raises :class:`UserError` where something is there already, or the folder cannot be written.
    """
    if like not in packs():
        raise UserError(f"there is no pack {shown(like)} to begin from{did_you_mean(like, packs())}")
    name = re.sub(r"[^a-z0-9_-]+", "_", folder.resolve().name.lower())
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,59}", name):
        raise UserError(f"a pack's folder begins with a letter, such as eye_clinic, not {shown(str(folder))}")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"the folder {str(folder)!r} is not empty; name one that is not there yet")
        make_folder(folder)
        out = []
        for path in sorted((HOME / like).glob("*.yaml"), key=lambda path: (path.name != "pack.yaml", path.name)):
            text = path.read_text("utf-8")
            if path.name == "pack.yaml":
                text = re.sub(rf"(?m)^pack: {like}$", f"pack: {name}", text)
            replace_file(folder / path.name, text.encode("utf-8"))
            out.append(folder / path.name)
        return out
    except OSError as error:
        raise UserError(f"the folder {str(folder)!r} cannot be written ({error.strerror}); choose another") from None


def described(pack: Pack, table: str | None = None) -> Iterator[str]:
    """What a pack declares, line by line: its tables, or the columns of one.

    Raises :class:`UserError` for a table that it has not.
    """
    known = [one.name for one in pack.files]
    if table is not None:
        if table not in known:
            raise UserError(f"the pack {pack.name} has no table {shown(table)}{did_you_mean(table, known)}")
        for row in dictionary(pack).to_pylist():
            if row["table"] == table:
                yield f"{row['column']}: {row['meaning']} ({row['type']}; {row['source']})"
                yield f"    {row['values']}" if len(row["values"]) < 110 else f"    {row['values'][:109]}…"
        return
    yield f"{pack.title} ({pack.name} {pack.version}): {pack.window[0]} to {pack.window[1]}, people by {pack.link}"
    for one in pack.files:
        yield f"{one.name}: {one.title}; {len(one.visible())} columns, {len(one.checks)} checks"
    working = [one.name for one in pack.tables.values() if one.hidden]
    if working:
        yield f"working tables, in no file: {', '.join(working)}"
    for product in pack.products.values():
        made = ", ".join(product.tables) or "no table"
        usual = "" if product.usual or not product.tables else "; made where it is asked for"
        yield f"product {product.name}, {product.title}: {made}{usual}"
    if pack.faults:
        yield f"faults: {', '.join(fault.name for fault in pack.faults)}"
