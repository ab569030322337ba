"""Kinds: which files may be taken out, by their endings, and what to take out in place of the others.

A file is allowed where a person can see all that it holds. Pictures of lines (SVG), Stata graphs, pickles, tables of
records and archives hold more than they show; OpenSAFELY's airlock and SACRO refuse the same ones.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType


class Kind(Enum):
    """What a file is."""

    TABLE = "table"
    TEXT = "text"
    PICTURE = "picture"
    NOTEBOOK = "notebook"
    MODEL = "model"
    CODE = "code"


KINDS = MappingProxyType(
    {
        Kind.TABLE: (".csv", ".tsv"),
        Kind.TEXT: (".txt", ".md", ".log"),
        Kind.PICTURE: (".png", ".jpg", ".jpeg"),
        Kind.NOTEBOOK: (".ipynb",),
        Kind.MODEL: (".json", ".yaml", ".yml"),
        Kind.CODE: (".py", ".r", ".sql", ".do", ".jl"),
    }
)
"""By kind, its endings; a model is its coefficients, written as text."""

_PICTURE = "save the picture as .png: this kind keeps the numbers it was drawn from"
_RECORDS = "write the table that you need as .csv, which a person can read"
_PICKLE = "write the model's coefficients as .json: this kind keeps rows, and runs code when it is opened"
_ARCHIVE = "submit the files themselves, so that a person can read each"
_PAPER = "submit the text as .md and its tables and pictures beside it: this kind hides what it was made from"

REMEDIES = MappingProxyType(
    {
        **dict.fromkeys((".svg", ".gph", ".fig", ".eps", ".pdf"), _PICTURE),
        **dict.fromkeys((".parquet", ".feather", ".arrow", ".orc", ".dta", ".sav", ".sas7bdat", ".xpt"), _RECORDS),
        **dict.fromkeys((".xlsx", ".xls", ".ods", ".db", ".sqlite", ".duckdb"), _RECORDS),
        **dict.fromkeys((".pkl", ".pickle", ".joblib", ".rds", ".rdata", ".rda", ".npy", ".npz"), _PICKLE),
        **dict.fromkeys((".pt", ".pth", ".h5", ".hdf5", ".onnx", ".mat"), _PICKLE),
        **dict.fromkeys((".zip", ".gz", ".tar", ".tgz", ".7z", ".bz2", ".xz", ".zst"), _ARCHIVE),
        **dict.fromkeys((".html", ".htm", ".docx", ".doc", ".pptx"), _PAPER),
    }
)
"""By an ending that is not allowed, what to do instead."""

_BY_ENDING = {ending: kind for kind, endings in KINDS.items() for ending in endings}

# how files begin that somebody gave another name to, and those that must begin so
_BEGINNINGS = {
    b"PAR1": ".parquet",
    b"PK\x03\x04": ".zip",
    b"\x1f\x8b": ".gz",
    b"SQLite format 3\x00": ".sqlite",
    b"\x89HDF": ".h5",
    b"%PDF": ".pdf",
    b"ARROW1": ".arrow",
    b"\x93NUMPY": ".npy",
    b"\x80\x04": ".pickle",
    b"\x80\x05": ".pickle",
    b"<stata_dta>": ".dta",
    b"<svg": ".svg",
}
_PICTURES = {".png": b"\x89PNG\r\n\x1a\n", ".jpg": b"\xff\xd8\xff", ".jpeg": b"\xff\xd8\xff"}


def ending(name: str) -> str:
    """The last ending of a file's name, in small letters; '' where it has none."""
    stem, dot, last = name.rpartition("/")[2].rpartition(".")
    return f".{last.lower()}" if dot and stem else ""


def kind_of(name: str) -> Kind | None:
    """The kind of a file by its name; ``None`` where it may not be taken out."""
    return _BY_ENDING.get(ending(name))


def allowed() -> str:
    """Every ending that is allowed, for a sentence."""
    return ", ".join(one for endings in KINDS.values() for one in endings)


def remedy(name: str) -> str:
    """What to submit in place of a file that is not allowed."""
    return REMEDIES.get(ending(name), f"write it as one of {allowed()}")


def betrays(name: str, data: bytes) -> str:
    """The ending that a file's beginning tells, where that is another than its name's; '' where they agree."""
    own, begins = ending(name), data[:1024].lstrip(b"\xef\xbb\xbf \r\n\t")
    if own in _PICTURES:
        return "" if data.startswith(_PICTURES[own]) else "another kind of file"
    for beginning, other in _BEGINNINGS.items():
        if begins.startswith(beginning) or (beginning == b"<svg" and b"<svg" in begins and begins.startswith(b"<?xml")):
            return other
    return "binary data" if b"\x00" in data[:65536] else ""
