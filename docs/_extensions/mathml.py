"""Formulas as MathML, which browsers draw by themselves: no script, no fonts, nothing from elsewhere."""

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

logger = logging.getLogger(__name__)


def mathml(node: nodes.Element, display: str) -> str:
    """Return a node's LaTeX as MathML.

    Parameters
    ----------
    node : docutils.nodes.math or docutils.nodes.math_block
        A formula.
    display : {"inline", "block"}
        Within a line, or on a line of its own.

    Returns
    -------
    str
        One ``<math>`` element; where the LaTeX cannot be read, nothing, after a warning.
    """
    try:
        return convert(node.astext().strip(), display=display)
    except Exception as error:  # its own classes have no ancestor in common
        logger.warning("formula %r cannot be read: %r", node.astext(), error, location=node, type="mathml")
        return ""


def visit_inline(writer: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    writer.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, with its number and the link to it."""
    writer.body.append(writer.starttag(node, "div", CLASS="formula", tabindex="0"))
    writer.body.append(mathml(node, "block"))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({node["number"]})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
