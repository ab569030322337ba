"""The pages of ``docs/`` that are made from code. Run ``python -m tests.docs.render`` to write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.docs import architecture, audits, command_reference, pack_reference, products, schema_reference, what_is_true
from tests.spec import render as manual

ROOT = Path(__file__).resolve().parents[2]

PAGES: dict[str, Callable[[], str]] = {
    "architecture.md": architecture.page,
    "audits.md": audits.page,
    "manual.md": manual.manual,
    "pack_reference.md": pack_reference.page,
    "products.md": products.page,
    "what_is_true.md": what_is_true.page,
    "schema_reference.md": schema_reference.page,
    "command_reference.md": command_reference.page,
}


def main() -> None:
    """Write each page."""
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), "utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
