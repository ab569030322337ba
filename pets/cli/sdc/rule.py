"""Rule: by which rule counts are shown, and how many whole numbers each small one must leave open; for federations."""

# no "from __future__ import annotations": typer and spread read the annotations when this file loads

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pets.errors import UserError

if TYPE_CHECKING:
    from pets.protection.sdc import SDC

Width = Annotated[
    int | None,
    typer.Option(
        "--width",
        metavar="WHOLE",
        help="Whole numbers beside the true one that the rule leaves open for each small count, as all name it. (3)",
    ),
]


@dataclass(frozen=True)
class Rule:
    """A rule that must be named."""

    sdc: Annotated[str, typer.Option("--sdc", metavar="PRESET", help="The rule that its cells are shown by: hes, …")]
    width: Width = None

    def build(self) -> "SDC":
        """The protection; raises :class:`pets.errors.BudgetError` for a rule that is none, or has no such width."""
        from pets.protection.sdc import SDC

        return SDC(self.sdc) if self.width is None else SDC(self.sdc, width=self.width)


@dataclass(frozen=True)
class MaybeRule:
    """A rule, where counts are rounded."""

    sdc: Annotated[
        str | None,
        typer.Option("--sdc", metavar="PRESET", help="The rule that counts are rounded by, such as hes."),
    ] = None
    width: Width = None

    def build(self) -> "SDC | None":
        """The protection; ``None`` where no rule is named. Raises as :meth:`Rule.build`."""
        if self.sdc is not None:
            return Rule(self.sdc, self.width).build()
        if self.width is not None:
            raise UserError("--width is of a rule that counts are rounded by; name it, too: --sdc hes")
        return None
