"""Bounds: how many rows of a person a query counts, in how many groups, and how far that lets them move the vector."""

from __future__ import annotations

from dataclasses import dataclass

from pets.plan.layout import Layout
from pets.plan.measure import Sensitivity


@dataclass(frozen=True)
class Bounds:
    """The contribution bounds of a query: what the sensitivities follow from.

    The caps hold in this order: rows of a rank of at most ``rows``; the query's condition; a person's first
    ``group_cap`` groups, in the order of their rows' ranks; in each of these the first ``group_rows`` rows.

    Attributes:
        layout: of the group key.
        rows: K, rows of a person that count.
        kept_rows: rows of a person that the snapshot keeps.
        group_cap: groups that a person may fall in (``None``: no cap).
        group_rows: rows of a person that count in each group (``None``: no cap but K).
        people: the public bound on people.
    """

    layout: Layout
    rows: int
    kept_rows: int
    group_cap: int | None
    group_rows: int | None
    people: int

    @property
    def in_group(self) -> int:
        """Rows of a person that may count in one group."""
        return self.rows if self.group_rows is None else self.group_rows

    @property
    def in_groups(self) -> int:
        """Groups, among those that are reported, in which a person may count."""
        groups = self.layout.groups
        return groups if self.group_cap is None else min(self.group_cap, groups)

    def per_row(self, weight: int, cells: int, repeats: int = 1) -> Sensitivity:
        """A sum over a person's counted rows, each adding at most ``weight`` to one cell in each repeat.

        With r rows a group in q groups m = min(K, q·r) rows count; a sum of squares is greatest where as many groups as
        can be hold r rows of them, and one more the rest.
        """
        r, w = self.in_group, weight
        m = min(self.rows, self.in_groups * r)
        q, rest = divmod(m, r)
        l0 = min(m, self.in_groups * (cells // self.layout.groups))
        return Sensitivity(l0 * repeats, m * w * repeats, (q * r**2 + rest**2) * w**2 * repeats, r * w)

    def per_vector(self, of_row: Sensitivity, width: int) -> Sensitivity:
        """A list of sums a group, to which each of a person's counted rows adds a vector of at most these norms.

        Norms of a sum are at most the sum of the norms: in a group of r rows, r times one row's.
        """
        rows = self.per_row(1, self.layout.groups)
        return Sensitivity(
            min(rows.l1 * of_row.l0, rows.l0 * width),
            rows.l1 * of_row.l1,
            rows.l2_squared * of_row.l2_squared,
            rows.linf * of_row.linf,
        )

    def per_group(self, of_person: Sensitivity) -> Sensitivity:
        """A list of numbers a group, to which a person whose rows count there adds a vector of at most these norms."""
        groups = self.per_row(1, self.layout.groups).l0
        one = of_person
        return Sensitivity(groups * one.l0, groups * one.l1, groups * one.l2_squared, one.linf)

    def per_person(self) -> Sensitivity:
        """A person counted once in each group they are in."""
        l0 = min(self.kept_rows, self.layout.groups, self.group_cap or self.kept_rows)
        return Sensitivity(l0, l0, l0, 1)

    def by_rank(self) -> Sensitivity:
        """A person's kept rows, each in a cell of its own: no two of them have one rank."""
        return Sensitivity(self.kept_rows, self.kept_rows, self.kept_rows, 1)

    @property
    def counted(self) -> str:
        """How many rows of a person count, in words."""
        many = f"at most {rows_text(self.rows)} of a person count"
        if self.group_rows is None:
            return many
        capped = "" if self.group_cap is None else f", in at most {self.in_groups} groups"
        return f"{many}{capped}, at most {self.group_rows} in each group"

    def all_in(self, cell: str) -> str:
        """What may happen where nothing caps a group's rows, as the end of a sentence."""
        return f", and all may fall in one{cell}" if self.group_rows is None else ""


def chosen(arrival: str | None) -> str:
    """Which of a person's rows count, in words.

    >>> chosen(None), chosen("delivery")
    ('chosen at random', "the first to arrive (by 'delivery')")
    """
    return "chosen at random" if arrival is None else f"the first to arrive (by {arrival!r})"


def rows_text(k: int) -> str:
    """So many rows.

    >>> rows_text(1), rows_text(3)
    ('1 row', '3 rows')
    """
    return "1 row" if k == 1 else f"{k} rows"
