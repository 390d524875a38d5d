"""What Sphinx and its extensions write that a screen reader stumbles over, mended in each page."""

from typing import Any

MENDED = (
    # A cell above a column of names heads nothing.
    ('<th class="head"><p></p></th>', "<td></td>"),
    # Its text, "Show code cell content", is its name.
    ('<summary aria-label="Toggle hidden content">', "<summary>"),
    # A list may hold only items, and the role of an entry is one that is given up.
    ('<div role="list" class="citation-list">', '<div class="citation-list">'),
    (' role="doc-biblioentry"', ""),
)


def mend(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Replace these in the body of a page."""
    for written, better in MENDED:
        if written in context.get("body", ""):
            context["body"] = context["body"].replace(written, better)


def setup(app: Any) -> dict[str, bool]:
    """Listen to pages that are about to be written."""
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
