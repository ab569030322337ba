"""Assess: all scores of one synthetic table, and the page and the JSON that hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pets.common.arguments import plain_arguments
from pets.common.clock import now
from pets.common.codec import Json, digest, whole
from pets.common.files import written_together
from pets.common.progress import bar
from pets.errors import UserError, shown
from pets.schema.schema import Schema
from pets.synthetic.assess.fidelity import Fidelity, fidelity
from pets.synthetic.assess.learning import detectability, one_thread, target_place, utility
from pets.synthetic.assess.matches import Fold, copies, singling_out
from pets.synthetic.assess.nearness import by_nearness
from pets.synthetic.assess.page import page
from pets.synthetic.assess.score import WARNING, Score
from pets.synthetic.assess.tables import Tables, manifest_of, prepare
from pets.synthetic.synthetic_release import SyntheticRelease

if TYPE_CHECKING:
    import pandas as pd

CROSS_FITTED = 500
"""Rows kept out below which each of them plays either part in turn: the released table's, and that of the targets."""

PROTECTION: Json = {"kind": "assessment"}


class Custody(Protocol):
    """What is read of a session's custody."""

    schema: Schema

    def unbounded(self, table: str, what: str, question: str, protection: Json) -> AbstractContextManager[object]:
        """Enters what has no finite guarantee before it is made, or refuses it."""


class Custodian(Protocol):
    """What is read of a session."""

    @property
    def custody(self) -> Custody:
        """What decides, and keeps the account."""


@dataclass(frozen=True, eq=False, repr=False)
class Assessment:
    """What a synthetic table keeps, loses and risks. It holds exact statistics of real rows.

    Attributes:
        scores: each between the shuffled table (floor) and real rows kept out (ceiling).
        tables: what was compared.
        detail: what the pictures of fidelity show.
        target: the column that learners were to tell.
        about: the synthetic table's own manifest, where it has one.
        seed: of every choice by chance.
    """

    scores: tuple[Score, ...]
    tables: Tables
    detail: Fidelity
    target: str
    about: Json
    seed: int
    made_at: str

    @property
    def flags(self) -> tuple[str, ...]:
        """What the custodian must look at before the table leaves."""
        return tuple(f"{score.name}: {score.flagged}" for score in self.scores if score.flagged)

    @property
    def table(self) -> pd.DataFrame:
        """All scores as a fresh data frame."""
        import pandas as pd

        return pd.DataFrame([score.to_json() for score in self.scores]).drop(columns="meaning")

    def __getitem__(self, name: str) -> Score:
        for score in self.scores:
            if score.name == name:
                return score
        raise UserError(f"there is no score {shown(name)}; there are: {', '.join(s.name for s in self.scores)}")

    def to_json(self) -> Json:
        """Everything but the pictures."""
        return {
            "pets": "assessment",
            "version": 1,
            "warning": WARNING,
            "made_at": self.made_at,
            "seed": self.seed,
            "rows": {
                "real": len(self.tables.real),
                "synthetic": len(self.tables.synthetic),
                "holdout": len(self.tables.holdout),
            },
            "columns": self.tables.names,
            "left_out": dict(self.tables.left_out),
            "target": self.target,
            "flags": list(self.flags),
            "scores": [score.to_json() for score in self.scores],
            "distance_of_columns": {
                name: round(value, 6) for name, value in zip(self.tables.names, self.detail.single, strict=True)
            },
            "synthetic": self.about,
        }

    @plain_arguments(UserError, "save", "write save('page.html', session)")
    def save(self, path: str | Path, session: Custodian) -> Path:
        """Write the page (``.html``) and, beside it, the JSON: a release without a finite guarantee.

        Both hold exact statistics of real rows, so the session's account gets an ``unbounded`` entry before anything
        is written, and every later answer about the dataset says that there was one. What a notebook or a terminal
        shows is for the custodian's eyes, and is not entered; a notebook that is passed on must be cleared first.

        Args:
            path: of the page.
            session: the custodian's session on the real rows, whose policy and account decide. On dummy data nothing
                is entered.

        Raises:
            PolicyError: where the policy allows no release without a finite guarantee; nothing is written.
            UserError: for a path that cannot be written; nothing is left half-written.
        """
        target = page_path(path)
        if not hasattr(session, "custody"):
            raise UserError(
                "an assessment holds exact statistics of real rows, and writing it is entered in an account; say whose "
                "with save(path, session)"
            )
        texts = {
            target.with_suffix(".json"): json.dumps(self.to_json(), indent=1, ensure_ascii=False),
            target: page(self),
        }
        custody = session.custody
        tables = custody.schema.tables
        table = next((name for name in self.about.get("tables", ()) if name in tables), next(iter(tables)))
        what = "an assessment of a synthetic table: exact statistics of real rows"
        try:
            with written_together() as files, custody.unbounded(table, what, digest(self.to_json()), PROTECTION):
                files.write(texts)
        except OSError as error:
            raise UserError(f"the assessment cannot be written to {str(target)!r} ({error.strerror})") from None
        return target

    def __reduce__(self) -> Any:
        raise UserError("an assessment holds real rows and is never pickled; write its page with save(path, session)")

    def __repr__(self) -> str:
        lines = [
            f"{score.group:<14} {score.name:<34} {score.value:>9.3f}   floor {score.floor:>8.3f}   "
            f"ceiling {score.ceiling:>8.3f}{'   FLAG' if score.flagged else ''}"
            for score in self.scores
        ]
        return "\n".join([*lines, *(f"FLAG {flag}." for flag in self.flags), WARNING])


def page_path(path: str | Path) -> Path:
    """Where a page may be written; raises :class:`UserError` otherwise. Asked before minutes of work, too."""
    try:
        target = Path(path)
    except TypeError:
        raise UserError(f"an assessment is written to a path such as 'assess.html', not to {shown(path)}") from None
    if target.suffix != ".html":
        raise UserError(f"an assessment is written as .html (with .json beside it), not as {target.name!r}")
    if not target.absolute().parent.is_dir():
        raise UserError(f"the assessment cannot be written to {str(path)!r} (there is no such folder)")
    return target


@plain_arguments(UserError, "assess", "write pets.assess(real, synthetic, holdout)")
def assess(
    real: Any,
    synthetic: Any,
    holdout: Any,
    *,
    schema: Schema | str | Path | Mapping[str, Any] | None = None,
    table: str | None = None,
    target: str | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Assessment:
    """What a synthetic table keeps, loses and risks: a custodian's tool, which reads real rows.

    Guarantee: none. The result holds exact statistics of real rows.

    Args:
        real: the rows that the synthetic table was made from (a data frame, or the path of a CSV or Parquet file).
        synthetic: the table, or what :meth:`pets.Session.synthesise` gave.
        holdout: real rows that it was *not* made from: what the rest of the world is like. At least 50; below 500 the
            attacks are cross-fitted, and every interval is wider.
        schema: says what the columns are and which are identifiers, or the path of its YAML; left out, the real rows
            tell.
        table: which of the schema's tables.
        target: the column that learners are to tell; left out, the last one that can be told.
        seed: of every choice by chance.
        progress: whether a bar is shown when it takes over a second.

    Raises:
        UserError, DataError: naming the table or the column and the remedy.
    """
    if not isinstance(progress, bool):
        raise UserError(f"progress must be True or False, not {shown(progress)}")
    try:
        seed = whole(seed)
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**32:
        raise UserError("seed must be a whole number from 0 to 4,294,967,295")
    known = schema if schema is None or isinstance(schema, Schema) else Schema.load(schema)
    tables = prepare(real, synthetic, holdout, known, table)
    random = np.random.default_rng([seed, 4])
    learnt = target_place(tables, target)
    # attackers of kept-out rows need two parts: one plays a table that was released, one people who were kept out
    parts = np.array_split(random.permutation(len(tables.holdout)), 2)
    ceiling, control = (tables.holdout.take(part) for part in parts)
    floor = tables.real.shuffled(random)
    released = {"value": tables.synthetic, "floor": floor, "ceiling": ceiling}
    folds = [Fold(released, control, tables.real)]
    if len(tables.holdout) < CROSS_FITTED:
        first, second = (tables.real.take(part) for part in np.array_split(random.permutation(len(tables.real)), 2))
        folds = [Fold(released, control, first), Fold(released | {"ceiling": control}, ceiling, second)]
    with bar(5, "assessing", show=progress) as moved:
        detail = fidelity(tables, floor, random)
        moved.update()
        with one_thread():
            scores = [*detail.scores, *utility(tables, floor, target, seed)]
            moved.update()
            scores += detectability(tables, floor, seed)
        moved.update()
        scores += copies(tables, released, control)
        scores.append(singling_out(tables, folds, random))
        moved.update()
        scores += by_nearness(tables, folds, random)
        moved.update()
    about = synthetic.manifest if isinstance(synthetic, SyntheticRelease) else manifest_of(synthetic)
    return Assessment(tuple(scores), tables, detail, tables.names[learnt], _plain(about), seed, now())


def _plain(about: Mapping[str, Any]) -> Json:
    """A manifest without its long list of marginals."""
    return {name: value for name, value in about.items() if name != "marginals"}
