"""The mapping form of a schema (what YAML and JSON hold) to domains, tables and units.

Values may be Python natives or the texts of a file; both give the same schema and the same digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pets.common.codec import whole as exact_whole
from pets.common.yamlfile import Place
from pets.errors import SchemaError, did_you_mean, shown
from pets.schema import dates, numeric, settings
from pets.schema import domain as kinds
from pets.schema.clock.time_of_day import Time
from pets.schema.domain import Domain, Lookup
from pets.schema.settings import Part
from pets.schema.text_column import Text


def only(given: Mapping[str, Any], part: Part) -> None:
    """Refuse keys that nobody reads: a misspelt key must never be silently ignored."""
    for key in given:
        if key not in part.names:
            raise SchemaError(f"{shown(key)} is not a setting of {part.what}{did_you_mean(key, part.names)}")


def flag(value: object, name: str) -> bool:
    """A yes-or-no setting from a native boolean or the text true/false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise SchemaError(f"{name} must be true or false, not {shown(value)}")


def whole(value: object, name: str) -> int:
    """A whole-number setting from an int or its text."""
    try:
        return int(value) if isinstance(value, str) and len(value) <= 30 else exact_whole(value)
    except ValueError:
        raise SchemaError(f"{name} must be a whole number, not {shown(value)}") from None


def text(value: object, name: str) -> str:
    """A text setting; a number stands for its digits."""
    if isinstance(value, str):
        return value
    try:
        return str(exact_whole(value))
    except ValueError:
        raise SchemaError(f"{name} must be a text, not {shown(value)}") from None


def mapping(value: object, what: str) -> Mapping[str, Any]:
    """The value itself when it is a mapping."""
    if not isinstance(value, Mapping):
        raise SchemaError(f"{what} must be a mapping of names to settings, not {shown(value)}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(text(item, "each null text") for item in value)
    return (text(value, "null"),)


def _need(given: Mapping[str, Any], key: str, kind: str) -> Any:
    if given.get(key) is None:
        raise SchemaError(f"a column of type {kind} needs {key!r}")
    return given[key]


def _lookup(value: object, folder: Path | None) -> Lookup:
    given = mapping(value, "lookup")
    only(given, settings.LOOKUP)
    column = _need(given, "column", "category with a look-up")
    if ("map" in given) == ("file" in given):
        raise SchemaError("a look-up needs either 'map' (pairs) or 'file' (a CSV with columns 'key' and 'value')")
    if "map" in given:
        return Lookup(text(column, "column"), mapping(given["map"], "map"))
    if folder is None:
        raise SchemaError(
            "a look-up file is read only where the schema itself is loaded from a file; here give the pairs in 'map'"
        )
    return Lookup(text(column, "column"), _pairs(given, folder))


def _pairs(given: Mapping[str, Any], folder: Path) -> dict[str, str]:
    import csv

    key, value = text(given.get("key", "key"), "key"), text(given.get("value", "value"), "value")
    path = folder / text(given["file"], "file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            names = rows.fieldnames or []
            for name in (key, value):
                if name not in names:
                    raise SchemaError(
                        f"the look-up file {path.name!r} has no column {shown(name)}{did_you_mean(name, names)}"
                    )
            pairs: dict[str, str] = {}
            for row in rows:
                if row[key] is None or row[value] is None:
                    raise SchemaError(f"the look-up file {path.name!r} has a row that is too short; fill it")
                if row[key] in pairs and pairs[row[key]] != row[value]:
                    raise SchemaError(
                        f"the look-up file {path.name!r} maps {shown(row[key])} twice; keep one row per key"
                    )
                pairs[row[key]] = row[value]
            return pairs
    except (OSError, ValueError, csv.Error):
        raise SchemaError(f"the look-up file {shown(str(path))} cannot be read as UTF-8 CSV; check the path") from None


def _category(given: Mapping[str, Any], common: dict[str, Any], folder: Path | None) -> Domain:
    values = _need(given, "values", "category")
    found = _lookup(given["lookup"], folder) if given.get("lookup") is not None else None
    spelt = {name: given[name] for name in ("case", "map") if given.get(name) is not None}
    if given.get("trim") is not None:
        spelt["trim"] = flag(given["trim"], "trim")
    return kinds.Category(values, lookup=found, **spelt, **common)


def _of_day(**given: Any) -> Time:
    return Time(given.pop("min", "00:00"), given.pop("max", None), **given)


_BUILDERS: dict[str, Callable[..., Domain]] = {
    "integer": numeric.Integer,
    "real": numeric.Real,
    "date": dates.Date,
    "datetime": dates.DateTime,
    "time": _of_day,
    "boolean": kinds.Boolean,
    "text": Text,
    "identifier": kinds.Identifier,
}
"""What makes a column of each type from its needed settings, in their order; a category is made apart."""


def domain(value: object, folder: Path | None = None) -> Domain:
    """One column's domain from its mapping form, such as ``{type: integer, min: 1, max: 14}``."""
    given = mapping({"type": value} if isinstance(value, str) else value, "a column")
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in settings.KINDS:
        raise SchemaError(f"column type {shown(kind)} does not exist{did_you_mean(kind, settings.KINDS)}")
    common: dict[str, Any] = {}
    if given.get("nullable") is not None:
        common["nullable"] = flag(given["nullable"], "nullable")
    if given.get("null") is not None:
        common["null"] = _texts(given["null"])
    only(given, settings.KINDS[kind])
    if kind == "category":
        return _category(given, common, folder)
    part = settings.KINDS[kind]
    spelt = {name: given[name] for name in part.optional if given.get(name) is not None}
    return _BUILDERS[kind](*(_need(given, name, kind) for name in part.needed), **spelt, **common)


def columns(value: object, place: Place, folder: Path | None) -> dict[str, Domain]:
    """Every column of a table, errors naming the column and its line."""
    given = mapping(value, "columns")
    out: dict[str, Domain] = {}
    for name, column in given.items():
        try:
            out[name] = domain(column, folder)
        except SchemaError as error:
            raise place.error(SchemaError(f"column {shown(name)}: {error}"), given, name) from None
    return out
