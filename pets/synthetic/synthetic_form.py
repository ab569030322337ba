"""The form in which a synthetic data set goes over a wire, there and back.

Its rows travel as Parquet, which keeps their types; that they are those which were signed is checked as they are read.
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

from pets.common.codec import Json, fraction, whole
from pets.errors import PetsError, UserError
from pets.release.certificate import Certificate
from pets.release.release import Release
from pets.release.release_form import plain
from pets.schema.schema import Schema
from pets.synthetic.synthetic_release import PEOPLE, Misfit, SyntheticRelease

FORM = "synthetic"
_SAME = ("method", "level", "dataset", "guarantee", "settings", "issued_at", "project", "analyst", "enough")
_FLOATS = ("epsilon", "delta", "rho")


def form_of(made: SyntheticRelease) -> Json:
    """The form of a data set that a session made; raises :class:`UserError` for one that nobody signed."""
    if made.derived is None or made.certificate is None:
        raise UserError("this data set has no certificate of one ledger, and is sent by nobody; save it as files")
    rows = {name: base64.b64encode(_parquet(frame)).decode() for name, frame in made.frames.items()}
    return {
        "pets": FORM,
        "version": 1,
        "rows": rows,
        "derived": made.derived,
        "certificate": dict(made.certificate),
        "certified": made.certified,
        "misfits": [plain(vars(one)) for one in made.misfits],
        "releases": [one.to_json() for one in made.releases],
    }


def read_form(form: Any) -> SyntheticRelease:
    """The data set whose form this is, its rows held against what was signed.

    Raises:
        UserError: when it was edited, is damaged, or is no data set. Whether the signature is genuine is for
            ``pets verify`` to say.
    """
    try:
        made = _read(form)
        same = made.csv_digest(made.table_name) is not None
        same = same and {name: made.csv_digest(name) for name in made.frames} == form["derived"]["tables"]
    except (PetsError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, OSError, binascii.Error):
        same = False
    if not same:
        raise UserError("this is no synthetic data set as pets made it: it was edited or damaged; ask for it again")
    return made


def _read(form: Any) -> SyntheticRelease:
    import pandas as pd

    if form["pets"] != FORM or form["version"] != 1:
        raise ValueError("another form")
    derived, said = form["derived"], form["derived"]["manifest"]
    frames = {
        name: pd.read_parquet(io.BytesIO(base64.b64decode(form["rows"][name], validate=True)))
        for name in said["tables"]
    }
    numbers: dict[str, Any] = {name: None if said[name] is None else float(fraction(said[name])) for name in _FLOATS}
    return SyntheticRelease(
        id=said["synthetic"],
        frames=frames,
        schema_digest=said["schema"],
        data=said["made_from"],
        releases=tuple(Release.from_json(one) for one in form["releases"]),
        cost=dict(said["cost"]),
        misfits=tuple(map(_misfit, form["misfits"])),
        notes=tuple(said["notes"]),
        certified=form["certified"],
        schema=None if PEOPLE in said["settings"] else Schema.from_json(derived["schema"]),
        certificate=Certificate(form["certificate"]),
        derived=derived,
        **{name: said[name] for name in _SAME},
        **numbers,
    )


def _parquet(frame: Any) -> bytes:
    into = io.BytesIO()
    frame.to_parquet(into, index=False)
    return into.getvalue()


def _misfit(form: Any) -> Misfit:
    sigma, error, noise = (float(fraction(form[name])) for name in ("sigma", "error", "noise"))
    return Misfit(tuple(form["columns"]), whole(form["cells"]), sigma, error, noise, form["held"] is True)
