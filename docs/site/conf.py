"""Sphinx's settings for the site. `make docs` gathers its pages (tests/docs/site.py) and builds it in build/site."""

from __future__ import annotations

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
nb_execution_mode = "off"  # the notebooks are run by `make test`

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": False}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_use_ivar = True

smartquotes = False  # "--flag" is a flag, not a dash
suppress_warnings = ["misc.highlighting_failure"]
