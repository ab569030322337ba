"""The version of pets: written once, for the package, its wheel and everything that says what it was made with."""

from __future__ import annotations

__version__ = "0.1.0"
