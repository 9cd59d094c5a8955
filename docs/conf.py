"""Sphinx: the site is the Markdown of the repository, as GitHub shows it too."""

from invopt import __version__

project = "invopt"
copyright = "The invopt authors, Apache License 2.0"
release = __version__
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE.md",
                    "docs/*.md", "docs/**/*.md", "k8s/README.md"]  # fmt: skip
exclude_patterns = ["docs/adr/0000-template.md"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header"]
html_theme = "furo"
html_title = "invopt"
html_show_sphinx = False
html_copy_source = False
