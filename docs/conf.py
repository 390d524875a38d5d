"""Settings of the documentation site: ``python -m sphinx -b html docs build/site``."""

import sys
from pathlib import Path

import bdfa_np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "bdfa-np"
author = "the bdfa-np developers"
copyright = author  # noqa: A001 (Sphinx's own name for it)
release = version = bdfa_np.__version__
language = "en"

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_click",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "accessible",
    "api_entries",
    "command_pages",
    "mathml",
    "outside_pages",
]
exclude_patterns = ["_*"]
nitpicky = True

# Pages are MyST Markdown, notebooks too; they read well on a code host.
myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
smartquotes = False  # an option in plain text keeps its two hyphens
outside_pages = {
    "README.md": "project/readme",
    "CONTRIBUTING.md": "project/contributing",
    "CHANGELOG.md": "project/changelog",
    "SECURITY.md": "project/security",
    "data/mnist_5k.md": "project/mnist-5k",
}

# Notebooks are kept without outputs and run when the site is built, once for each change of theirs.
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # none of ours has widgets, whose scripts would come from elsewhere

bibtex_bibfiles = ["references.bib"]

# Signatures without types: these stand in the docstrings, with shapes and units.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = False  # the pages in api/ hold the entries themselves
default_role = "named"
autodoc_mock_imports = ["sklearn"]  # it is large, and only the base of one class
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# Of other projects' inventories, the names that are referred to: a build needs no network. They are in version 1
# of the format, which is text: an address is the page, with the name as its anchor.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", "_inventories/python.txt"),
    "numpy": ("https://numpy.org/doc/stable/", "_inventories/numpy.txt"),
    "scipy": ("https://docs.scipy.org/doc/scipy/", "_inventories/scipy.txt"),
    "h5py": ("https://docs.h5py.org/en/stable/", "_inventories/h5py.txt"),
    "click": ("https://click.palletsprojects.com/en/stable/", "_inventories/click.txt"),
    "matplotlib": ("https://matplotlib.org/stable/", "_inventories/matplotlib.txt"),
}

# The types in docstrings: these words are links, and others are words.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    **{name: f"bdfa_np.{name}" for name in bdfa_np.__all__},
    **{name: f":data:`python:{name}`" for name in ("None", "True", "False")},
    **{name: f":class:`python:{name}`" for name in ("bool", "dict", "float", "int", "list", "str", "tuple")},
    **{
        name.lower(): f":class:`{name.lower()} <collections.abc.{name}>`"
        for name in ("Iterable", "Mapping", "Sequence")
    },
    "callable": ":func:`python:callable`",
    "pathlib.Path": ":class:`pathlib.Path`",
    "Path": ":class:`Path <pathlib.Path>`",
    "array": ":class:`array <numpy.ndarray>`",
    "ndarray": ":class:`ndarray <numpy.ndarray>`",
    "array-like": ":data:`array-like <numpy.typing.ArrayLike>`",
    "array_like": ":data:`array_like <numpy.typing.ArrayLike>`",
    "matplotlib.axes.Axes": ":class:`matplotlib.axes.Axes`",
}

html_theme = "pydata_sphinx_theme"
html_title = f"bdfa-np {release}"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
templates_path = ["_templates"]
html_context = {"default_mode": "auto"}
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "primary_sidebar_end": [],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "collapse_navigation": True,
    "back_to_top_button": False,
}
