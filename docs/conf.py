"""Settings of the site; `tools.site` makes the parts that other files of the project declare."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import toolkit  # noqa: E402

project = "logprob toolkit"
author = "the authors of the logprob toolkit"
copyright = author
version = release = toolkit.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "tools.site.extension",
]
exclude_patterns = ["_templates"]
templates_path = ["_templates"]
keep_warnings = False
nitpicky = True
# Types of parameters are prose ("array-like of float"), and names in docstrings may be parameters.
nitpick_ignore_regex = [("py:(class|obj)", ".*")]

# Docstrings
default_role = "py:obj"
add_module_names = False
toc_object_entries_show_parents = "hide"
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = True

# Markdown; quotes stay as they are written, because people copy them
smartquotes_action = "D"
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3

# Pages: they load nothing from other hosts, and search needs no server.
html_theme = "pydata_sphinx_theme"
html_title = "logprob toolkit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_search_summary = False  # it would fetch every page that was found
html_sidebars = {
    name: [] for name in ("index", "start", "tour", "metrics", "tables", "gallery", "search")
}
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
