"""Display: how the answer to a question is shown, outside the question: names of bins, which groups, which order.

A display is post-processing of what was released, and no part of a query's digest: one question asked with two displays
is one question, charged once. SQL writes it as CASE labels, HAVING, ORDER BY and LIMIT.
"""

from __future__ import annotations

from dataclasses import dataclass

from pets.query_model.expression import And, Between, Compare, Filter, IsIn, IsNull, Not, Or


@dataclass(frozen=True)
class Order:
    """One column of the answer to sort by: a key by its value, a measure by its noisy value.

    A key that holds texts is sorted as SQL sorts texts, letter by letter, not in the schema's order.

    Attributes:
        name: the key or the measure.
        descending: the largest first.
        nulls_first: groups without a value stand first, not last.
    """

    name: str
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True)
class Display:
    """How an answer is shown.

    Attributes:
        labels: by key, (the key's own label, what is shown for it).
        having: only groups whose released (noisy) measures meet this condition on the answer's columns.
        order: sorted by these, the first one first; empty: the public order of the keys.
        limit: at most so many groups, after ``offset`` were skipped.
    """

    labels: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    having: Filter | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0

    def shown(self, key: str) -> dict[str, str]:
        """What is shown for the labels of a key."""
        return {own: text for name, pairs in self.labels if name == key for own, text in pairs}

    def names(self) -> list[str]:
        """Every column of the answer that it names."""
        found = [name for name, _ in self.labels] + [order.name for order in self.order]
        left = [] if self.having is None else [self.having]
        while left:
            one = left.pop()
            left += one.terms if isinstance(one, (And, Or)) else (one.term,) if isinstance(one, Not) else ()
            found += [one.column] if isinstance(one, (Compare, IsIn, Between, IsNull)) else []
        return found
