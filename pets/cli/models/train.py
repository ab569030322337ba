"""``pets train``: logistic regression, or a network of named layers, in noisy steps that are charged whole."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from typing import Annotated, Any

import typer

from pets.cli.flags import Protect, Purse, SchemaFile, Source, load_schema
from pets.cli.models.flags import Asked, Dummy, Kept, Key, Quote, Rows, names
from pets.errors import QueryError, UserError, shown


def train(
    schema: SchemaFile,
    outcome: Annotated[str, typer.Option("--outcome", metavar="COLUMN", help="A boolean or a category: what is told.")],
    columns: Annotated[str, typer.Option("--columns", metavar="COLUMNS", help="What it is told by: age,sex.")],
    rows: Rows,
    source: Source,
    protect: Protect,
    purse: Purse,
    kept: Kept,
    hidden: Annotated[
        str | None, typer.Option("--hidden", metavar="WIDTHS", help="Hidden layers: 16, or 32,16 (none).")
    ] = None,
    activation: Annotated[
        str | None, typer.Option("--activation", help="After each hidden layer: tanh or relu (tanh).")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="WHOLE", help="Noisy steps (100; 200 with hidden layers).")
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", metavar="NUMBER", help="How far a step moves (100 over the steps).")
    ] = None,
    clip: Annotated[float, typer.Option("--clip", metavar="NUMBER", help="The most a person moves a step by.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", metavar="WHOLE", help="Of the first weights, which are public.")] = 0,
    key: Key = None,
    quote: Quote = False,
    dummy: Dummy = False,
) -> None:
    """A classifier, trained in noisy steps that are one entry of the account; prints its model card.

    \b
    pets train --schema stays.yaml --outcome emergency --columns age,sex --epsilon 1 --quote
    pets train --schema stays.yaml --snapshots ready --ledger ledger.db --outcome emergency --columns age,sex \\
        --hidden 16 --epsilon 1 --out network.json
    pets train --schema stays.yaml --outcome emergency --columns age,sex --epsilon 1 --dummy
    """
    from pets.query_model.trained.network import classifier

    if kept.releases is not None:
        raise UserError("a network is one release, which --out writes and pets verify reads; leave --releases out")
    known = load_schema(schema)
    widths = names(hidden)
    if (hidden is not None and not widths) or not all(width.isdecimal() and len(width) < 10 for width in widths):
        raise QueryError(f"--hidden is widths of layers, such as --hidden 32,16, not {shown(hidden)}")
    if activation is not None and not widths:
        raise QueryError("--activation comes after hidden layers, and there are none; add --hidden 16, or leave it out")
    settings: dict[str, Any] = {"steps": steps, "rate": rate, "clip": clip, "seed": seed}
    about: dict[str, Any] = {"hidden": [int(width) for width in widths], "activation": activation or "tanh"}
    network = classifier(outcome, names(columns), data=rows.build(known), **about, **settings)

    def made(session: Any, protection: Any) -> tuple[Any, Any]:
        return session.train(network, protection, key=key), ()

    Asked(
        lambda session, protection: session.quote_train(network, protection), lambda price: price.noise.cost, made
    ).run(known, protect, purse, source, kept, quote=quote, dummy=dummy, exact=False)
