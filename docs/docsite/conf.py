# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation site: the guides of docs/ beside what antsibull-docs makes of modules, filters and roles (tests/docs.sh)."""

project = "realip.toa"
author = "The realip.toa authors"
copyright = "2026, " + author

extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
html_theme_options = {"display_version": False, "topbar_links": {}}
html_show_sphinx = False
html_title = project

# Headings of the guides may be linked to, as on a code forge.
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
# Guides stand by themselves in the repository too, so they link to files that are no pages. Labels of Ansible's own documentation would
# have to be fetched.
suppress_warnings = ["myst.xref_missing", "myst.header", "misc.highlighting_failure", "ref.ref"]
# Nothing is fetched while building.
intersphinx_mapping: dict[str, tuple[str, None]] = {}
nitpicky = False
