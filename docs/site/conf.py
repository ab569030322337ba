"""Sphinx's settings for the site. `make docs` gathers its pages (tests/docs/site.py) and builds it in build/site."""

from __future__ import annotations

import os
from typing import Any

from pets import __version__

project = "pets"
author = "the pets authors"
version = release = __version__
html_title = f"pets {__version__}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"
html_theme = "furo"
html_show_sphinx = False
html_copy_source = False
html_show_copyright = False
templates_path: list[str] = []

# Nothing that a page loads lies on another host: no fonts, no widgets, no formulas drawn by a script from elsewhere.
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
myst_enable_extensions: list[str] = []
myst_heading_anchors = 4
nb_execution_mode = "force"  # the repository's notebooks hold no answers
nb_execution_excludepatterns = [name for name in os.environ.get("PETS_SITE_NOT_RUN", "").split(",") if name]
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_show_tb = True
nb_output_stderr = "remove"  # progress lines

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": False}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_use_ivar = True

smartquotes = False  # "--flag" is a flag, not a dash
suppress_warnings = ["misc.highlighting_failure"]


def _titles(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """The side bar lists pages, all on one level: it need not copy every heading of each for each, to leave them out.

    Half of a build was that. How many levels are copied stands with each page, which keeps its own contents.
    """
    if not (toctree := context.get("toctree")):
        return

    def titles(**given: Any) -> Any:
        kept = {name: dict(about) for name, about in app.env.metadata.items()}
        try:
            for name in app.env.all_docs:
                app.env.metadata[name]["tocdepth"] = 1
            return toctree(**given)
        finally:
            app.env.metadata.clear()
            app.env.metadata.update(kept)

    context["toctree"] = titles


def setup(app: Any) -> None:
    """Before the theme, which asks at the usual priority of 500."""
    app.connect("html-page-context", _titles, priority=400)
