"""The form in which a synthetic data set goes over a wire, there and back.

Its rows travel as Parquet, which keeps their types. All that is read is bound to what was signed with the rows: they
themselves by their digest, every answer by its certificate, and the rest stands in the signed manifest.
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

from pets.common.codec import Json, digest, fraction, whole
from pets.errors import PetsError, UserError
from pets.release.certificate import Certificate
from pets.release.release import Release
from pets.release.release_form import work_form
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
        "question": made.question,
        "releases": [one.to_json() for one in made.releases],
    }


def read_form(form: Any) -> SyntheticRelease:
    """The data set whose form this is, its rows and answers held against what was signed.

    Raises:
        UserError: when it was edited, is damaged, or is no data set. Whether the signatures are genuine is for
            ``pets verify`` to say.
    """
    try:
        made = _read(form)
        same = made.csv_digest(made.table_name) is not None
        same = same and {name: made.csv_digest(name) for name in made.frames} == form["derived"]["tables"]
        same = same and _of_these_answers(made, form["derived"]["from"])
    except (PetsError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, OSError, binascii.Error):
        same = False
    except RecursionError:
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
        name: _plainly(pd.read_parquet(io.BytesIO(base64.b64decode(form["rows"][name], validate=True))))
        for name in _in_order(said)
    }
    numbers: dict[str, Any] = {name: None if said[name] is None else float(fraction(said[name])) for name in _FLOATS}
    return SyntheticRelease(
        id=said["synthetic"],
        frames=frames,
        schema_digest=said["schema"],
        data=said["made_from"],
        releases=tuple(Release.from_json(one) for one in form["releases"]),
        cost=dict(said["cost"]),
        misfits=tuple(map(_misfit, said["marginals"])),
        notes=tuple(said["notes"]),
        certified=None if form["question"] is None else dict(derived["from"][0]),
        question=form["question"],
        schema=None if said["tables"].keys() == {PEOPLE} else Schema.from_json(derived["schema"]),
        certificate=Certificate(form["certificate"]),
        derived=derived,
        **{name: said[name] for name in _SAME},
        **numbers,
    )


def _in_order(said: Json) -> list[str]:
    """The tables, that of people first (a form has its names in alphabetical order)."""
    person = said["settings"].get(PEOPLE, {}).get("people", {}).get("of")
    return sorted(said["tables"], key=lambda name: name != person)


def _of_these_answers(made: SyntheticRelease, certificates: Any) -> bool:
    """Whether the answers are those that the rows were signed with: each one's numbers, and all of them."""
    if made.question is None:
        each = [Certificate(one.certificate or {}) for one in made.releases]
        fits = all(signed.subject == one.digest for signed, one in zip(each, made.releases, strict=True))
        return fits and list(map(dict, each)) == certificates
    together = digest(work_form(made.question, [one.form for one in made.releases]))
    alone = all(one.certificate is None for one in made.releases)
    return alone and len(certificates) == 1 and Certificate(certificates[0]).subject == together


def _plainly(frame: Any) -> Any:
    """The columns alone: no index, list of categories or remark, which are in no CSV file and so in no digest."""
    import pandas as pd

    if any(isinstance(kind, pd.CategoricalDtype) for kind in frame.dtypes):
        raise ValueError("a list of categories")
    return pd.DataFrame({name: part.reset_index(drop=True) for name, part in frame.items()})


def _parquet(frame: Any) -> bytes:
    into = io.BytesIO()
    frame.to_parquet(into, index=False)
    return into.getvalue()


def _misfit(form: Any) -> Misfit:
    sigma, error, noise = (float(fraction(form[name])) for name in ("sigma", "error", "noise"))
    return Misfit(tuple(form["columns"]), whole(form["cells"]), sigma, error, noise, form["held"] is True)
