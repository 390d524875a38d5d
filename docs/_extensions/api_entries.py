"""Pages of the API: entries from the names alone, and single backticks of docstrings.

The directive ``entries`` takes a package and the names of some of its public objects; it shows them in a table, and
below it each one's docstring. A name between single backticks is a link where it has an entry, and else code.
"""

import inspect
import re
from importlib import import_module
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.ext.autodoc.mock import mock
from sphinx.util.docutils import SphinxDirective

PACKAGES = ("bdfa_np", "bdfa_np.data", "bdfa_np.errors", "bdfa_np.figures", "bdfa_np.sklearn")
"""Where a docstring's names are looked for."""
LONE_STAR = re.compile(r"(?<=[ (])\*(?=\w+[,)])")
"""As in a shape, ``(N, *sample)``."""


def named(_: str, raw: str, text: str, *__: Any) -> tuple[list[nodes.Node], list[Any]]:
    """Make a link of a name between single backticks, which `link_or_code` leads to its entry."""
    code = nodes.literal(raw, text, classes=["xref", "py", "py-obj"])
    return [addnodes.pending_xref("", code, refdomain="py", reftype="obj", reftarget=text, named=True)], []


def link_or_code(app: Any, env: Any, node: addnodes.pending_xref, code: nodes.literal) -> nodes.Node | None:
    """Return a link to the entry of a docstring's name, or code where it has none; None of other references."""
    if "named" not in node:
        return None
    python = env.domains.python_domain
    for full in (f"{package}.{node['reftarget']}" for package in PACKAGES):
        if full in python.objects:
            link: nodes.Node = python.resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, code)
            return link
    code["classes"] = []
    return code


def escape_stars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Let a star in a shape be a star."""
    lines[:] = [LONE_STAR.sub(r"\*", line) for line in lines]


class Entries(SphinxDirective):
    """Names of a package's public objects: a table, then each one's entry."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return what autosummary and autodoc make of the names."""
        (package,) = self.arguments
        lines = ["```{eval-rst}", f".. currentmodule:: {package}", "", ".. autosummary::", ""]
        lines += [f"   {name}" for name in self.content] + [""]
        with mock(self.config.autodoc_mock_imports):
            module = import_module(package)
        for name in self.content:
            a_class = inspect.isclass(getattr(module, name))
            lines += [
                f".. auto{'class' if a_class else 'function'}:: {name}",
                *(["   :members:"] if a_class else []),
                "",
            ]
        container = nodes.container()
        self.state.nested_parse(StringList([*lines, "```"], source=self.get_source_info()[0]), 0, container)
        return container.children


def setup(app: Any) -> dict[str, bool]:
    """Add the directive and the role, which is what single backticks of docstrings mean."""
    app.add_directive("entries", Entries)
    app.add_role("named", named)
    app.connect("missing-reference", link_or_code)
    app.connect("autodoc-process-docstring", escape_stars, priority=600)  # after numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
