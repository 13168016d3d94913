"""How Sphinx builds the site: `make docs`.

The source folder is the whole project. So README, RESULTS and CONTRIBUTING are pages too, and links between
them are checked. The pages load nothing from other sites: no fonts, no scripts.
"""

from importlib import metadata

project = "pg2"
author = "The pg2 authors"
copyright = "The pg2 authors"
release = metadata.version("pg2")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md"]
exclude_patterns = [".*", "build", "data", "dist", "out", "runs", "src", "tests"]

# Links to headings, as GitHub names them.
myst_heading_anchors = 4
highlight_language = "sh"

# Docstrings have single backticks around code.
default_role = "code"
# Attributes that are listed in a class's docstring may be properties with a docstring of their own.
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80

html_theme = "furo"
html_title = "pg2"
html_favicon = "../src/pg2/serving/web/icon.svg"
html_extra_path = ["site"]
html_copy_source = False
html_show_sphinx = False
