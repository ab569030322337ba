"""The settings of a schema file: what the table of settings says of each is what the reader does."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pets.errors import SchemaError
from pets.schema.rules import Rule
from pets.schema.schema import Schema
from pets.schema.settings import KINDS, LOOKUP, RULE, SCHEMA, TABLE, UNIT, Part
from tests.docs.schema_reference import EXAMPLE, HOUSES

Route = tuple[str | int, ...]


def at(tree: Any, route: Route) -> Any:
    for step in route:
        tree = tree[step]
    return tree


WHOLE = yaml.load(EXAMPLE, Loader=yaml.BaseLoader)
"""The example, every scalar as a text, as the reader of files has it."""


def example() -> Any:
    return copy.deepcopy(WHOLE)


def parts() -> Iterator[tuple[Part, Route]]:
    """Each mapping of the example, and where it lies."""
    yield SCHEMA, ()
    for name, table in example()["tables"].items():
        home: Route = ("tables", name)
        yield TABLE, home
        yield UNIT, (*home, "unit")
        for column, settings in table["columns"].items():
            yield KINDS[settings["type"]], (*home, "columns", column)
            if "lookup" in settings:
                yield LOOKUP, (*home, "columns", column, "lookup")
        for place in range(len(table.get("rules", ()))):
            yield RULE, (*home, "rules", place)


def load(tree: Any, folder: Path) -> Schema:
    (folder / "houses.csv").write_text(HOUSES, "utf-8")
    (folder / "schema.yaml").write_text(json.dumps(tree), "utf-8")
    return Schema.load(folder / "schema.yaml")


def test_the_example_shows_every_setting() -> None:
    shown: dict[str, set[str]] = {}
    for part, route in parts():
        shown.setdefault(part.what, set()).update(at(example(), route))
    assert shown == {part.what: set(part.names) for part in (SCHEMA, TABLE, UNIT, *KINDS.values(), LOOKUP, RULE)}
    assert {rule["column"] for rule in example()["tables"]["stays"]["rules"] if "column" in rule}
    assert len(Rule.__subclasses__()) == 4  # a new rule needs its settings, and a line in the example


@pytest.mark.parametrize(
    ("part", "route"), [pytest.param(part, route, id=".".join(map(str, route)) or "file") for part, route in parts()]
)
def test_each_setting_does_what_its_row_says(part: Part, route: Route, tmp_path: Path) -> None:
    whole = load(example(), tmp_path)
    here = at(example(), route)

    wrong = copy.deepcopy(example())
    at(wrong, route)["nonsense"] = "1"
    with pytest.raises(SchemaError, match="'nonsense' is not a"):
        load(wrong, tmp_path)

    for setting in part.settings if part is not RULE else ():
        if setting.name not in here:
            continue
        without = copy.deepcopy(example())
        del at(without, route)[setting.name]
        if setting.needed:
            with pytest.raises(SchemaError):
                load(without, tmp_path)
        elif not str(setting.default).startswith("("):  # the default is YAML: written out, it says the same
            explicit = copy.deepcopy(without)
            at(explicit, route)[setting.name] = default = yaml.load(str(setting.default), Loader=yaml.BaseLoader)
            assert outcome(explicit, tmp_path) == outcome(without, tmp_path)
            if here[setting.name] != default:  # the setting is read
                assert outcome(without, tmp_path) != whole.digest


def outcome(tree: Any, folder: Path) -> str:
    """The digest of a schema, or why there is none."""
    try:
        return load(tree, folder).digest
    except SchemaError as error:
        return str(error).partition(": ")[2]


def test_a_query_counts_all_kept_rows_where_a_unit_does_not_say(tmp_path: Path) -> None:
    tree = example()
    del tree["tables"]["stays"]["unit"]["rows"]
    assert load(tree, tmp_path).table("stays").unit.default_rows == 20
    assert load(example(), tmp_path).table("stays").unit.default_rows == 3
