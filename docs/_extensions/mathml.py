r"""Formulas as MathML, which browsers draw by themselves: no script, and nothing from elsewhere.

latex2mathml reads the LaTeX. What it leaves to do is done here: environments that it does not know by a name that it
does, a warning where it does not know a command (it would print it), alignment of columns and bold letters as MathML
Core has them, and the number of an equation that ``\tag`` gives.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element, fromstring, register_namespace, tostring

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
register_namespace("", NAMESPACE.strip("{}"))
SAME_AS = {"align": "align*", "aligned": "align*", "gathered": "displaylines", "gather": "displaylines"}
"""Environments, and those by which they are drawn."""
ENVIRONMENT = re.compile(r"\\(begin|end)\{(\w+)\}")
BEHIND = re.compile(r"[^\s(]+")
TAG = re.compile(r"\\tag\{([^{}]*)\}")
BOLD_ITALIC = {0x41: 0x1D468, 0x61: 0x1D482, 0x391: 0x1D71C, 0x3B1: 0x1D736}
"""Where runs of letters begin, and the same in bold italic."""

BARS = ("|", "\u2016")
PRIMES = ("\u2032", "\u2033", "\u2034")


def bold_italic(letter: str) -> str:
    """Return a Latin or Greek letter's bold italic form, or what it is where there is none."""
    for first, bold in BOLD_ITALIC.items():
        if first <= ord(letter) < first + (26 if first < 0x100 else 25):
            return chr(bold + ord(letter) - first)
    return letter


def align(math: Element) -> None:
    """Name the side of each column's cells, and tables whose columns touch, for the style sheet."""
    for cell in math.iter(NAMESPACE + "mtd"):
        side = cell.attrib.pop("columnalign", None)
        if side is not None:
            cell.set("class", side)
    for table in math.iter(NAMESPACE + "mtable"):
        if table.attrib.pop("columnspacing", "").startswith("0em"):
            table.set("class", "aligned")
        table.attrib.pop("rowspacing", None)


def set_letters(math: Element) -> None:
    """Write bold italic letters as such, bars as tall as a letter, and primes as far up as their signs are drawn."""
    for letter in math.iter(NAMESPACE + "mi"):
        if letter.get("mathvariant") == "bold-italic" and letter.text:
            letter.text = "".join(bold_italic(one) for one in letter.text)
            del letter.attrib["mathvariant"]
    for bar in math.iter(NAMESPACE + "mo"):
        if bar.text in BARS and "stretchy" not in bar.attrib:
            bar.set("stretchy", "false")
    for raised in math.iter(NAMESPACE + "msup"):
        if raised[1].text in PRIMES:
            prime = Element(NAMESPACE + "mo", {"lspace": "0", "rspace": "0"})
            prime.text = raised[1].text
            raised.tag = NAMESPACE + "mrow"
            raised[1] = prime


def mathml(latex: str, display: str) -> str:
    r"""Return LaTeX as MathML.

    Parameters
    ----------
    latex : str
        A formula, without the signs around it.
    display : {"inline", "block"}
        Within a line, or on a line of its own.

    Returns
    -------
    str
        One ``<math>`` element.

    Raises
    ------
    ValueError
        For a command that is not known, and for brackets ``{`` and ``}`` that do not pair.
    """
    bare = re.sub(r"\\[{}]", "", latex)
    if bare.count("{") != bare.count("}"):
        raise ValueError("its brackets { and } do not pair")
    known = ENVIRONMENT.sub(lambda found: rf"\{found[1]}{{{SAME_AS.get(found[2], found[2])}}}", latex)
    math = fromstring(convert(known, display=display))  # noqa: S314 (the sources are this folder's)
    unknown = next((text for text in math.itertext() if text.startswith("\\") and len(text) > 1), None)
    if unknown is not None:
        raise ValueError(f"there is no {unknown}")
    align(math)
    set_letters(math)
    return tostring(math, encoding="unicode")


def write(writer: Any, node: nodes.Element, latex: str, display: str) -> None:
    """Add a formula to a page; where it cannot be read, warn."""
    try:
        writer.body.append(mathml(latex, display))
    except Exception as error:  # latex2mathml's own have no ancestor in common
        logger.warning("formula %r: %s", latex, error or repr(error), location=node, type="mathml")


def visit_inline(writer: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    write(writer, node, node.astext().strip(), "inline")
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, with its number and the link to it."""
    tag = TAG.search(node.astext())
    writer.body.append(writer.starttag(node, "div", CLASS="formula", tabindex="0"))  # it may scroll
    write(writer, node, TAG.sub("", node.astext()).strip(), "block")
    number = tag[1] if tag else node["number"]
    if number:
        writer.body.append(f'<span class="eqno">({number})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise nodes.SkipNode


class Joined(SphinxTransform):
    """Keep a formula and the comma, bracket or letters behind it on one line: browsers would break there."""

    default_priority = 700

    def apply(self, **_: Any) -> None:
        """Wrap them in a span of the class ``joined``."""
        for formula in list(self.document.findall(nodes.math)):
            behind = formula.next_node(descend=False, siblings=True)
            if isinstance(behind, nodes.Text) and (joined := BEHIND.match(behind)):
                parent, place = formula.parent, formula.parent.index(formula)
                span = nodes.inline("", "", formula, nodes.Text(joined[0]), classes=["joined"])
                parent[place : place + 2] = [span, nodes.Text(behind[joined.end() :])]


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer ``mathml``."""
    app.add_transform(Joined)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
