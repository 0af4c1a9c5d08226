"""Sphinx configuration. The page of each metric is written from its SPEC before a build."""

import sys
from pathlib import Path

from sphinx.errors import ExtensionError

import stotmetrics

sys.path.insert(0, str(Path(__file__).parent))

import metric_pages

project = "stotmetrics"
author = "The stotmetrics developers"
copyright = author
version = release = stotmetrics.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = False

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"stotmetrics {release}"


def setup(app):
    app.connect("builder-inited", write_metric_pages)
    app.connect("env-updated", refuse_undocumented_names)


def write_metric_pages(app):
    metric_pages.write(Path(app.srcdir) / "metrics")


def refuse_undocumented_names(app, env):
    documented = {name for name, *_ in env.get_domain("py").get_objects()}
    missing = [name for name in stotmetrics.__all__ if f"stotmetrics.{name}" not in documented]
    if missing:
        raise ExtensionError(f"public names without a place in api.md: {', '.join(missing)}")
