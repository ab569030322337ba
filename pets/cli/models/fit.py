"""``pets fit``: regressions, survival curves, their comparison and hazard ratios; intervals hold the noise."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pets.cli.flags import Protect, Purse, SchemaFile, Source, load_schema
from pets.cli.models.flags import Asked, Dummy, Kept, Key, Quote, Rows, names
from pets.errors import QueryError, did_you_mean, shown

if TYPE_CHECKING:
    from pets.models.model import Model
    from pets.query_model.query import Query
    from pets.schema.schema import Schema

REGRESSIONS, SURVIVAL = ("linear", "logistic", "poisson"), ("kaplan-meier", "log-rank", "cox")
TAKES = {
    **dict.fromkeys(REGRESSIONS, ("formula", "weights")),
    "poisson": ("formula", "weights", "exposure"),
    **dict.fromkeys(SURVIVAL, ("time", "event", "by", "edges", "bins")),
    "cox": ("time", "event", "terms", "edges", "bins", "reference"),
}
"""By model, the flags that it takes; the first, and of survival the first two, it needs."""
LISTED = 1000
"""Whole numbers up to which one may be a reference; a model takes far fewer."""
_FORMULA = '"cost ~ age + C(region)": the outcome, and the columns that explain it.'
_WEIGHTS = "R² of a regression's row weights, or none; left out, what suits the noise."


@dataclass(frozen=True)
class Explained:
    """What a model explains by what."""

    formula: Annotated[str | None, typer.Option("--formula", metavar="TEXT", help=_FORMULA)] = None
    weights: Annotated[str | None, typer.Option("--weights", metavar="NUMBER", help=_WEIGHTS)] = None
    exposure: Annotated[
        str | None, typer.Option("--exposure", metavar="COLUMN", help="poisson: what a mean is proportional to.")
    ] = None
    time: Annotated[
        str | None, typer.Option("--time", metavar="COLUMN", help="Survival: how long a row was followed.")
    ] = None
    event: Annotated[
        str | None, typer.Option("--event", metavar="COLUMN", help="Survival: whether it ended in the event.")
    ] = None
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMNS", help="kaplan-meier, log-rank: the groups, arm,sex.")
    ] = None
    terms: Annotated[
        str | None, typer.Option("--terms", metavar="TEXT", help='cox: covariates, arm,sex or "arm * sex".')
    ] = None
    edges: Annotated[
        str | None, typer.Option("--edges", metavar="NUMBERS", help="Survival: the ends of bins of time, 0,30,90.")
    ] = None
    bins: Annotated[int | None, typer.Option("--bins", metavar="WHOLE", help="Survival: how many bins (24).")] = None
    reference: Annotated[
        list[str] | None,
        typer.Option(
            "--reference",
            metavar="TEXT",
            help="cox: arm=old, the value that a column's others are against; repeatable.",
            show_default=False,
        ),
    ] = None

    def build(self, kind: str, data: "Query", schema: "Schema") -> "Model[Any]":
        """The model; raises :class:`QueryError` for a flag that it does not take, or lacks."""
        if kind not in TAKES:
            raise QueryError(f"there is no model {kind!r}{did_you_mean(kind, TAKES)}; there are: {', '.join(TAKES)}")
        given = [one.name for one in fields(self) if getattr(self, one.name) not in (None, [])]
        if wrong := [name for name in given if name not in TAKES[kind]]:
            takes = ", ".join(f"--{name}" for name in TAKES[kind])
            raise QueryError(f"{kind} takes no --{wrong[0]}; leave it out (it takes {takes})")
        needed = {"cox": 3, "log-rank": 3}.get(kind, 1 if kind in REGRESSIONS else 2)
        if lacking := [name for name in TAKES[kind][:needed] if name not in given]:
            raise QueryError(f"{kind} needs --{lacking[0]}, such as {_EXAMPLES[lacking[0]]}")
        return self._regression(kind, data) if kind in REGRESSIONS else self._survival(kind, data, schema)

    def _regression(self, kind: str, data: "Query") -> "Model[Any]":
        import pets

        more: dict[str, Any] = {} if self.exposure is None else {"exposure": self.exposure}
        if self.weights is not None:
            more["weights"] = None if self.weights == "none" else self.weights
        model: Model[Any] = getattr(pets, kind)(self.formula, data=data, **more)
        return model

    def _survival(self, kind: str, data: "Query", schema: "Schema") -> "Model[Any]":
        import pets

        time, event = str(self.time), str(self.event)
        more: dict[str, Any] = {"data": data, "bins": self.bins}
        more["edges"] = None if self.edges is None else names(self.edges)
        if kind == "cox":
            terms = str(self.terms)
            plain = "," in terms or terms.isidentifier()
            pairs = [_reference(text, data, schema) for text in self.reference or ()]
            more["reference"] = dict(pairs)
            if len(more["reference"]) < len(pairs):
                raise QueryError("a column has one --reference, and here two are given; leave one out")
            return pets.cox(time, event, names(terms) if plain else terms, **more)
        by = names(self.by)
        if self.by is not None and not by and kind != "log-rank":
            raise QueryError(
                f"--by is columns, such as --by arm, not {shown(self.by)}; leave it out for all rows together"
            )
        if kind == "log-rank":
            return pets.log_rank(time, event, by, **more)
        return pets.kaplan_meier(time, event, by or None, **more)


def _reference(text: str, data: "Query", schema: "Schema") -> tuple[str, Any]:
    """A column and its value, as the schema has it, of a flag's text; what is no value of it the model refuses."""
    from pets.plan.plan import make_plan
    from pets.query_model.aggregate import count
    from pets.schema.domain import Boolean, Category
    from pets.schema.numeric import Integer

    name, equals, said = (part.strip() for part in text.partition("="))
    if not equals or not name or not said:
        raise QueryError(f"--reference is a column and its value, such as --reference arm=old, not {shown(text)}")
    domain = make_plan(data.agg(n=count()), schema).fields.get(name)
    if isinstance(domain, Boolean):
        return name, {"true": True, "false": False}.get(said.lower(), said)
    if isinstance(domain, Category) or (isinstance(domain, Integer) and domain.cells <= LISTED):
        return name, next((one for one in map(domain.decode, range(domain.cells)) if str(one) == said), said)
    return name, said


_EXAMPLES = {
    "formula": '--formula "cost ~ age + sex"',
    "time": "--time days",
    "event": "--event died",
    "by": "--by arm",
    "terms": "--terms arm,sex",
}


def fit(
    model: Annotated[str, typer.Argument(help="linear, logistic, poisson, kaplan-meier, log-rank or cox.")],
    schema: SchemaFile,
    explained: Explained,
    rows: Rows,
    source: Source,
    protect: Protect,
    purse: Purse,
    kept: Kept,
    key: Key = None,
    quote: Quote = False,
    dummy: Dummy = False,
) -> None:
    """A model with errors, intervals and p-values that contain the noise. A person has one row in it (--rows 1); in a
    straight line several, whose errors are then by person.

    \b
    pets fit linear --schema stays.yaml --data stays.csv --formula "length_of_stay ~ age + sex" --rows 1 --epsilon 1
    pets fit logistic --schema stays.yaml --snapshots ready --ledger ledger.db --formula "died ~ age + C(sex)" \\
        --rows 1 --epsilon 1 --out fit.json
    pets fit kaplan-meier --schema stays.yaml --data stays.csv --time days --event died --by arm --edges 0,30,90 \\
        --rows 1 --epsilon 1
    pets fit cox --schema stays.yaml --time days --event died --terms arm,sex --reference arm=old --rows 1 \\
        --epsilon 1 --quote
    """
    known = load_schema(schema)
    built = explained.build(model, rows.build(known), known)

    def made(session: Any, protection: Any) -> tuple[Any, Any]:
        found = session.fit(built, protection, key=key)
        return found, found.answers

    Asked(lambda session, protection: session.quote_fit(built, protection), lambda price: price.price.cost, made).run(
        known, protect, purse, source, kept, quote=quote, dummy=dummy, exact=True
    )
