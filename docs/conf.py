"""Sphinx's settings: `make docs` builds the site from this folder."""

from __future__ import annotations

import sys
from pathlib import Path

from anomalist._version import __version__

sys.path.insert(0, str(Path(__file__).parent / "tools"))

project = "anomalist"
author = "The anomalist developers"
project_copyright = "2026, the anomalist developers"
version = release = __version__

extensions = [
    "myst_nb",  # Markdown pages and notebooks
    "sphinx.ext.autodoc",  # the API reference from docstrings
    "sphinx.ext.napoleon",  # docstrings in Google's style
    "sphinx.ext.viewcode",
    "sphinx_design",  # cards on the front page
    "sphinx_copybutton",
    "mathml",  # docs/tools/mathml.py
]
exclude_patterns = ["_build", "tools", "measured/README.md"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3  # links to `page.md#heading` are checked
nb_execution_mode = "off"  # notebooks keep their outputs; the tests execute them
html_math_renderer = "mathml"
copybutton_exclude = ".linenos, .gp, .go"  # copy commands, not prompts and output

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "exclude-members": "model_config, model_post_init",  # of pydantic
}
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes appear once, as fields of their class
napoleon_attr_annotations = False
python_use_unqualified_type_names = True

html_theme = "pydata_sphinx_theme"
html_title = "anomalist"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "getting_started": [], "glossary": [], "citing": []}
