"""Charts as pictures, and charts that load nothing from elsewhere. Needs the ``plot`` extra (Altair, vl-convert).

A secure room has no internet: a chart of pets shows itself as SVG and PNG, and its HTML carries the programs that it
needs. It is an Altair chart all the same.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from pets.common.files import created
from pets.errors import MissingExtraError, missing_extra

_SCALE = 2.0
"""Pixels of a PNG for each of the chart's, so that it is sharp on any screen."""
# the menu's other entries show a chart's source, or send it to an editor on another host
_MENU = {"actions": {"export": True, "source": False, "compiled": False, "editor": False}}


def altair() -> Any:
    """Altair, or the error that says what to install."""
    try:
        import altair as alt
    except ImportError:
        raise missing_extra("plotting", "plot") from None
    return alt


def _converter() -> Any:
    try:
        import vl_convert
    except ImportError:
        raise missing_extra("drawing a chart", "plot") from None
    return vl_convert


def needed() -> None:
    """Raises :class:`MissingExtraError` where a chart could not be drawn."""
    altair()
    _converter()


def svg(chart: Any) -> str:
    """The chart as SVG, whose ids are its own wherever it stands."""
    drawn = str(_converter().vegalite_to_svg(chart.to_json()))
    return _own_ids(drawn, f"p{hashlib.sha256(drawn.encode()).hexdigest()[:8]}")


def png(chart: Any) -> bytes:
    """The chart as PNG."""
    return bytes(_converter().vegalite_to_png(chart.to_json(), scale=_SCALE))


def inline(picture: str, label: str, number: int) -> str:
    """An SVG that may stand in a page beside others: described, and with ids of its own."""
    picture = _own_ids(picture[picture.index("<svg") :], f"c{number}")
    return picture.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)


def _own_ids(picture: str, name: str) -> str:
    picture = re.sub(r'\bid="([\w-]+)"', rf'id="{name}-\1"', picture)
    return re.sub(r"url\(#([\w-]+)\)", rf"url(#{name}-\1)", picture)


class _Offline:
    """What an Altair chart does otherwise here."""

    def _repr_mimebundle_(self: Any, *args: Any, **kwds: Any) -> Any:
        if altair().renderers.active not in ("default", "html"):
            return super()._repr_mimebundle_(*args, **kwds)  # type: ignore[misc]  # the reader's own choice
        said = {"text/plain": f"<chart: {self.to_dict().get('description', 'Altair')}>"}
        try:
            return said | {"image/svg+xml": svg(self), "image/png": base64.b64encode(png(self)).decode()}
        except MissingExtraError as error:
            return {"text/plain": f"{said['text/plain']} {error}"}

    def save(self: Any, *args: Any, **kwds: Any) -> None:
        """Write the chart (html, svg, png, pdf, json); HTML carries all that it needs, and opens without a network."""
        _converter()
        named = next(iter(args), kwds.get("fp"))
        if isinstance(named, (str, Path)) and Path(named).parent.is_dir() and not Path(named).exists():
            created(Path(named))
        super().save(*args, **{"inline": True, "embed_options": _MENU} | kwds)  # type: ignore[misc]

    def to_html(self: Any, *args: Any, **kwds: Any) -> Any:
        """HTML that carries all that it needs."""
        _converter()
        return super().to_html(*args, **{"inline": True, "embed_options": _MENU} | kwds)  # type: ignore[misc]

    def __reduce__(self: Any) -> Any:
        return (_again, (self.to_dict(),))


def _again(form: dict[str, Any]) -> Any:
    return offline(altair().Chart.from_dict(form))


@cache
def _kind(kind: Any) -> type:
    return type(kind.__name__, (_Offline, kind), {"__doc__": kind.__doc__, "__module__": kind.__module__})


def offline(chart: Any) -> Any:
    """The same chart, which loads nothing from elsewhere: for charts of your own, too.

    In a notebook it is SVG and PNG, unless you enabled one of Altair's renderers (``alt.renderers.enable``).
    """
    if not isinstance(chart, _Offline):
        # object's own: Altair takes what is set on a chart for a part of its specification
        object.__setattr__(chart, "__class__", _kind(chart.__class__))
    return chart
