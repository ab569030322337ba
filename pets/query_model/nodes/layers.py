"""Layers: the closed list that networks are made of, and the ranges of their settings."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pets.common.codec import fraction, whole
from pets.errors import QueryError, did_you_mean, shown

ACTIVATIONS = ("relu", "tanh")
MAX_HIDDEN, MAX_WIDTH, MAX_COLUMNS, MAX_STEPS = 4, 1024, 200, 10_000
MAX_RATE, MAX_CLIP = 100, 64
LARGEST, MAX_SIZE = 64 * 2**16, 200_000
"""No weight, in units of 2^-16, passes the first; a network has no more of them than the second."""

Hidden = tuple[tuple[int, str], ...]
"""Of each hidden layer its width, and the activation after it."""

_APART = "its gradients are not per person: each row's depend on all others in its batch"
_NOT = {
    "batchnorm": _APART,
    "dropout": "it draws chance of its own on rows; the noise that protects people is there already",
}


def whole_of(name: str, value: object, least: int, most: int) -> int:
    """A whole number in a range; raises :class:`QueryError` for anything else."""
    try:
        found = whole(value)
    except ValueError:
        found = least - 1
    if not least <= found <= most:
        raise QueryError(f"{name} must be a whole number from {least} to {most:,}, not {shown(value)}")
    return found


def number_of(name: str, value: object, most: int) -> float:
    """A number from 0.001 on; raises :class:`QueryError` for anything else."""
    try:
        found = fraction(value)
    except ValueError:
        found = Fraction(0)
    if not Fraction(1, 1000) <= found <= most:
        raise QueryError(f"{name} must be a number from 0.001 to {most}, such as 1, not {shown(value)}")
    return float(found)


def hidden_of(given: Any) -> Hidden:
    """The hidden layers; raises :class:`QueryError` for too many, or one that is none."""
    if not isinstance(given, (tuple, list)) or len(given) > MAX_HIDDEN:
        raise QueryError(f"a network has at most {MAX_HIDDEN} hidden layers; take fewer, such as hidden=(16,)")
    return tuple((whole_of("a layer's width", width, 1, MAX_WIDTH), activation_of(name)) for width, name in given)


def activation_of(name: object) -> str:
    """The name of an activation; raises :class:`QueryError` for any other."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        hint = did_you_mean(name, ACTIVATIONS) if isinstance(name, str) else ""
        raise QueryError(f"the activation after a hidden layer is 'tanh' or 'relu', not {shown(name)}{hint}")
    return name


def layer_of(given: Any) -> tuple[str, int | None]:
    """A layer's kind and its width; of a layer of torch these two alone are taken, never its code or its weights."""
    kind, width = given, None
    if isinstance(given, Mapping):
        kind, width = given.get("layer"), given.get("out")
    elif isinstance(given, (tuple, list)) and len(given) == 2:
        kind, width = given
    elif type(given).__module__.startswith("torch.nn.modules."):
        kind, width = type(given).__name__.lower(), getattr(given, "out_features", None)
        if getattr(given, "bias", True) is None:
            raise QueryError(
                "each layer of a network has a bias, and a layer without one would get it; make it with bias=True"
            )
    plain = kind.lower() if isinstance(kind, str) else ""
    why = next((why for start, why in _NOT.items() if plain.startswith(start)), None)
    if why is not None:
        raise QueryError(f"a network has no layer {shown(kind)}: {why}; leave it out")
    if plain not in ("linear", *ACTIVATIONS) or (width is not None and plain != "linear"):
        raise QueryError(
            f"a network is made of ('linear', width), 'tanh' and 'relu' alone, and {shown(given)} is none of them: a "
            "module of your own is code that would run on people's rows; name layers of this list"
        )
    return plain, None if width is None else whole_of("a layer's width", width, 1, MAX_WIDTH)
