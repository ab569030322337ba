"""Packs: declarations of linked, invented tables, in YAML files: those beside this module, and anybody's own folder.

A pack says what each field means, where that is written, which codes it takes and how it is made; the engine in
``pets.synthetic.packs.generator`` only interprets it. Every name, code and formula is checked when the pack is read,
and an error names the file and the line.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

from pets.errors import SchemaError, UserError, did_you_mean, shown
from pets.synthetic.packs import grammar
from pets.synthetic.packs.codelists import CodeList, calendar, code_list, weighed
from pets.synthetic.packs.declared import LINKS, Fault, Pack, PackTable, Product
from pets.synthetic.packs.grammar import MADE
from pets.synthetic.packs.reading.lint import Known
from pets.synthetic.packs.reading.place import PackFile
from pets.synthetic.packs.reading.products import read_product
from pets.synthetic.packs.reading.tables import checked, read_fault, read_table

HOME = Path(__file__).parent


def packs() -> list[str]:
    """The names of the packs of pets itself."""
    return sorted(path.parent.name for path in HOME.glob("*/pack.yaml"))


def is_pack(given: object) -> TypeGuard[str | Path]:
    """Whether a pack is meant: its name, a folder, or the head of one; any other path is a schema's.

    >>> is_pack("nhs"), is_pack("my_pack/"), is_pack("stays.yaml")
    (True, True, False)
    """
    if not isinstance(given, (str, Path)):
        return False
    path = Path(given)
    return not path.suffix or path.name == "pack.yaml" or _has_head(path)


def _has_head(folder: Path) -> bool:
    try:
        return (folder / "pack.yaml").is_file()
    except (OSError, ValueError):  # no path that a system allows
        return False


def load_pack(name: str | Path, link: str | None = None, products: Collection[str] | str | None = None) -> Pack:
    """A pack by its name, or one's own by its folder.

    ``link`` says how its tables name people: by NHS number, or by pseudonym as extracts do; left out, as the pack says.
    ``products`` are those whose tables it has; left out, its usual ones; ``"all"``, every one.

    Raises :class:`UserError` for a name that is not there, :class:`SchemaError` with file and line for a wrong pack.

    >>> load_pack("nhs").schema.dataset
    'nhs-like'
    """
    if products is None and isinstance(name, str) and name in packs():
        return _usual(name, link)
    return whole_pack(name, link).of(products)


def whole_pack(name: str | Path, link: str | None = None) -> Pack:
    """A pack with the tables of all its products; else as :func:`load_pack`."""
    if link is not None and link not in LINKS:
        raise UserError(f"link must be one of {', '.join(LINKS)}, not {shown(link)}{did_you_mean(link, LINKS)}")
    if isinstance(name, str) and name in packs():
        return _own(name, link)
    folder = Path(name)
    if folder.name == "pack.yaml":
        folder = folder.parent
    if not _has_head(folder) and (str(name) == folder.name or len(str(name)) > 1_000 or not str(name).isprintable()):
        raise UserError(
            f"there is no pack {shown(name)}{did_you_mean(str(name), packs())}; one's own is a folder with a "
            "pack.yaml, which the command pets pack new begins"
        )
    return read_pack(folder, link)


@lru_cache(maxsize=8)
def _usual(name: str, link: str | None) -> Pack:
    return whole_pack(name, link).of(None)


@lru_cache(maxsize=8)
def _own(name: str, link: str | None) -> Pack:
    return read_pack(HOME / name, link, own=True)


def read_pack(folder: Path, link: str | None = None, *, own: bool = False) -> Pack:
    """The pack that a folder declares; ``own``: one of pets itself.

    Raises :class:`SchemaError`: ``my_pack/visits.yaml:12: …``.
    """
    head = PackFile(folder, "pack.yaml")
    head.mapping(head.tree, grammar.HEAD)
    files = [head, *(PackFile(folder, f"{name}.yaml") for name in _parts(head))]
    for part in files[1:]:
        part.mapping(part.tree, grammar.PART)
    lists: dict[str, CodeList] = {}
    sources = _sources(head)
    for file, parent, name, form in _entries(files, "codes"):
        lists[name] = _code_list(file, parent, name, form, lists)
    for file, parent, name, _ in _entries(files, "codes"):
        with file.at(parent, name):
            _cited(lists[name].source, sources)
    pack = _head(head, link, sources, lists)
    tables: dict[str, PackTable] = {}
    known = Known(lists, pack.calendars, {})
    for file, parent, name, form in _entries(files, "tables"):
        with file.at(parent, name):
            _once(name, tables)
        tables[name] = read_table(file, parent, name, form, tables, known, pack)
    written = {one.name: [name for _, name in one.visible()] + ["PERSON"] for one in tables.values() if not one.hidden}
    known = replace(known, columns=written)
    with head.at():
        if not tables:
            raise SchemaError("the pack has no table; write them under 'tables', or name their files under 'parts'")
    for file, _, name, form in _entries(files, "tables"):
        tables[name] = checked(file, tables[name], form, tables, known)
    faults: dict[str, Fault] = {}
    for file, parent, name, form in _entries(files, "faults"):
        with file.at(parent, name):
            grammar.text(name, "a fault's name", 60)
            _once(name, faults)
            faults[name] = read_fault(file, parent, name, form, tables, known, pack.link)
    products: dict[str, Product] = {}
    for file, parent, name, form in _entries(files, "products"):
        with file.at(parent, name):
            _once(name, products)
        products[name] = read_product(file, parent, name, form, tables)
    home = pack.name if own else f"{folder.resolve()}/"
    made = replace(pack, tables=tables, faults=tuple(faults.values()), home=home, products=products)
    with head.at():
        assert made.schema
    return made


def _parts(head: PackFile) -> list[str]:
    with head.at(head.tree, "parts"):
        given = head.tree.get("parts") or []
        plain = isinstance(given, list) and all(isinstance(p, str) and re.fullmatch(r"[\w-]{1,60}", p) for p in given)
        if not plain or len(set(given)) < len(given) or "pack" in given or len(given) > 100:
            raise SchemaError("parts must be a list of the names of other files, each once, such as [codes, visits]")
        return list(given)


def _entries(files: list[PackFile], section: str) -> Iterator[tuple[PackFile, Any, str, Any]]:
    for file in files:
        for parent, name, form in file.entries(section):
            yield file, parent, name, form


def _once(name: str, others: Any) -> None:
    if name in others:
        raise SchemaError(f"{shown(name)} is there twice; rename one")


def _cited(source: str, sources: Any) -> None:
    if source not in sources:
        raise SchemaError(f"there is no source {shown(source)}{did_you_mean(source, sources)}")


def _sources(head: PackFile) -> dict[str, str]:
    given = head.tree.get("sources")
    with head.at(head.tree, "sources"):
        grammar.named(given, "sources")
    out = {MADE: "made up for this pack"}
    for key, value in (given or {}).items():
        with head.at(given, key):
            out[key] = grammar.text(value, f"source {shown(key)}")
    return out


def _code_list(file: PackFile, parent: Any, name: str, form: Any, others: Any) -> CodeList:
    with file.at(parent, name):
        grammar.text(name, "a code list's name", 60)
        _once(name, others)
    file.mapping(form, grammar.CODES, parent, name)
    values = form.get("values")
    for code, given in values.items() if isinstance(values, dict) else ():
        with file.at(values, code):
            weighed(name, code, given, form.get("form"))
    with file.at(parent, name):
        return code_list(name, form)


def _head(head: PackFile, link: str | None, sources: dict[str, str], lists: dict[str, CodeList]) -> Pack:
    tree = head.tree
    with head.at(tree, "pack"):
        name = grammar.text(tree["pack"], "pack", 60)
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
            raise SchemaError(f"a pack's name is of small letters, digits, - and _, not {shown(name)}")
    with head.at(tree, "title"):
        title = grammar.text(tree.get("title", name), "title")
    with head.at(tree, "version"):
        version = grammar.text(tree.get("version", "1"), "version", 60)
    with head.at(tree, "window"):
        window = _window(tree["window"])
    with head.at(tree, "link"):
        usual = tree.get("link", LINKS[0])
        if usual not in LINKS:
            raise SchemaError(f"link must be one of {', '.join(LINKS)}, not {shown(usual)}")
    with head.at(tree, "calendars"):
        given = grammar.named(tree.get("calendars"), "calendars")
    calendars = {}
    for key, form in given.items():
        head.mapping(form, grammar.CALENDAR, given, key)
        with head.at(given, key):
            calendars[key] = calendar(key, form)
    return Pack(name, version, title, link or usual, window, sources, lists, calendars, {}, ())


def _window(given: object) -> tuple[dt.date, dt.date]:
    try:
        start, end = (dt.date.fromisoformat(day) for day in str(given).split(".."))
    except ValueError:
        raise SchemaError(f"window is two days, such as 2023-01-01..2023-12-31, not {shown(given)}") from None
    if not dt.date(1000, 1, 1) <= start <= end <= dt.date(3000, 1, 1):
        raise SchemaError("window goes from an earlier to a later day of the years 1000 to 3000; mend it")
    return start, end
