"""How Sphinx makes the documentation a site: `make docs`."""

from localreg import __version__

project = "localreg"
author = "The localreg authors"
release = __version__
extensions = ["myst_parser"]
exclude_patterns = ["_site"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_js_files = ["tables.js"]
html_title = f"localreg {release}"
html_copy_source = False
html_show_copyright = False
# Headings can be linked to, down to this level, and a link to one that is not there is an error.
myst_heading_anchors = 3
