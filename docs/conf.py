"""Sphinx configuration. The page of each metric is written from its SPEC before a build, the gallery by running it."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from sphinx.errors import ExtensionError

import stotmetrics

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "_ext")]

import benchmark_page  # noqa: E402
import metric_pages  # noqa: E402

project = "stotmetrics"
author = "The stotmetrics developers"
copyright = author
version = release = stotmetrics.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "notfound.extension",
    "mathml",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "gallery", "metrics/_*"]
templates_path = ["_templates"]
nitpicky = False

autosummary_generate = True
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 80
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"stotmetrics {release}"
html_static_path = ["_static"]
html_favicon = "_static/icon.svg"
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sourcelink = True
html_copy_source = True
# Where the sources can be edited, once they have a public home.
html_theme_options = {}
if repository := os.environ.get("STOTMETRICS_REPOSITORY"):
    html_theme_options |= {"source_repository": repository, "source_branch": "main", "source_directory": "docs/"}
notfound_urls_prefix = os.environ.get("STOTMETRICS_DOCS_PREFIX", "/")

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# A page whose host is not installed is shown, and not run.
NEEDS = {"plot_sta_loss": "torch", "plot_mne": "mne", "plot_tslearn": "tslearn"}
absent = [page for page, module in NEEDS.items() if find_spec(module) is None]
ORDER = (
    *("plot_tiot_alignments", "plot_tiot_delhi", "plot_tiot_epsilon", "plot_tiot_errors"),
    *("plot_sta_images", "plot_sta_shift", "plot_sta_brain", "plot_sta_letters"),
    *("plot_softdtw_divergence", "plot_choosing", "plot_barycenters", "plot_neighbor_explained", "plot_irregular"),
    *("plot_aot", "plot_tslearn", "plot_sta_loss", "plot_mne", "plot_plugin"),
)


def place(file):
    """Pages in the order above, others after them."""
    name = file.removesuffix(".py")
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["auto_gallery"],
    "filename_pattern": r"/plot_(?!" + "|".join(f"{page.removeprefix('plot_')}\\." for page in [*absent, "-"]) + ")",
    "ignore_pattern": r"(^|/)(?!plot_)[^/]*\.py$",
    "within_subsection_order": "conf.place",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("stotmetrics",),
    "min_reported_time": 1,
    "download_all_examples": False,
    "show_memory": False,
    # That page asks for scripts from elsewhere.
    "write_computation_times": False,
    "show_signature": False,
    "abort_on_example_error": False,
    "only_warn_on_example_error": False,
    "matplotlib_animations": False,
    "image_scrapers": ("matplotlib",),
    "capture_repr": (),
    "remove_config_comments": True,
}


def setup(app):
    # Before the gallery and the summaries look for their files.
    app.connect("builder-inited", write_pages, priority=100)
    app.connect("env-updated", refuse_undocumented_names)


def write_pages(app):
    metric_pages.write(Path(app.srcdir) / "metrics")
    benchmark_page.write(Path(app.srcdir))


def refuse_undocumented_names(app, env):
    documented = {name for name, *_ in env.get_domain("py").get_objects()}
    missing = [name for name in stotmetrics.__all__ if f"stotmetrics.{name}" not in documented]
    if missing:
        raise ExtensionError(f"public names without a place in api.md: {', '.join(missing)}")
