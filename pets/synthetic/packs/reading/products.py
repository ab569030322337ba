"""A pack's products, from their entries in its files."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pets.errors import SchemaError, did_you_mean, shown
from pets.synthetic.packs import grammar
from pets.synthetic.packs.declared import Product
from pets.synthetic.packs.reading.place import PackFile

_TOLD = {"yes": True, "true": True, "no": False, "false": False}


def read_product(file: PackFile, parent: Any, name: str, form: Any, tables: Collection[str]) -> Product:
    """A product from its entry; raises :class:`SchemaError` with its line for a table that is not there."""
    with file.at(parent, name):
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name):
            raise SchemaError(f"a product's name is of small letters, digits and _, not {shown(name)}")
    file.mapping(form, grammar.PRODUCT, parent, name)
    with file.at(form, "tables"):
        given = form.get("tables", [])
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise SchemaError(f"tables is a list of names such as [visits, treatments], not {shown(given)}")
        for one in given:
            if one not in tables or one.startswith("_"):
                raise SchemaError(f"product {shown(name)}: there is no table {shown(one)}{did_you_mean(one, tables)}")
    with file.at(form, "usual"):
        usual = _TOLD.get(str(form.get("usual", "yes")).lower())
        if usual is None:
            raise SchemaError(f"usual is yes or no, not {shown(form['usual'])}")
    with file.at(form, "title"):
        title = grammar.text(form["title"], "title")
    with file.at(form, "about"):
        about = "" if form.get("about") is None else grammar.text(form["about"], "about")
    with file.at(parent, name):
        if not given and not about:
            raise SchemaError(f"product {shown(name)} has no table; say in 'about' why")
    return Product(name, title, tuple(given), about, usual)
