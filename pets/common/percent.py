"""Percent: a share, for people. (What a register says of a budget is rounded otherwise: ledger/publish/wording.py.)"""

from __future__ import annotations


def percent(share: float) -> str:
    """A chosen share, such as a confidence, with no more digits than it has.

    >>> percent(0.95), percent(0.999)
    ('95 %', '99.9 %')
    """
    return f"{share * 100:.10g} %"


def budget_percent(share: float) -> str:
    """A share of a budget, with a digit after the point, and neither 0 nor 100 unless it is.

    >>> budget_percent(0), budget_percent(0.00001), budget_percent(0.25), budget_percent(0.99999), budget_percent(1)
    ('0 %', '0.1 %', '25.0 %', '99.9 %', '100 %')
    """
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    return f"{100 * min(max(share, 0.001), 0.999):.1f} %"
