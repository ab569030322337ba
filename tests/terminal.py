"""What a terminal shows at last."""

from __future__ import annotations


def left(text: str) -> str:
    """The text without a bar, which a busy machine shows: it writes over itself, line by line.

    >>> left("reading [00:01]\\r               \\rpets: done\\n")
    'pets: done\\n'
    """
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.split("\n"))
