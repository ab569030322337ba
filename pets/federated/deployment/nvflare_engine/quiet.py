"""Quiet: NVFlare prints as it works; what is printed here is for whoever asked."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing that is printed in the block is shown."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
