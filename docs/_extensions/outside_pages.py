"""Links to Markdown files outside ``docs`` lead to the pages that include them.

On a code host ``../SECURITY.md`` is a file; in the site it is the page ``project/security``. Links to other files, as
tables and sources, are left to Sphinx, which copies what they name.
"""

from pathlib import Path
from typing import Any

from sphinx import addnodes
from sphinx.transforms import SphinxTransform


class OutsidePages(SphinxTransform):
    """Give links to a file that ``outside_pages`` lists its page for a target."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Change the links of one page."""
        root = Path(self.env.srcdir).parent
        # MyST names a document by its path without the suffix, and one outside of the source folder by the whole path;
        # what a file that is included links to beside itself, it does not find.
        pages = {str((root / file).with_suffix("")): page for file, page in self.config.outside_pages.items()}
        pages |= self.config.outside_pages
        for link in self.document.findall(addnodes.pending_xref):
            if link.get("reftype") == "myst" and link["reftarget"] in pages:
                link["reftarget"] = pages[link["reftarget"]]
                link["refdomain"] = "doc"
                link["reftargetid"] = link.get("reftargetid")


def setup(app: Any) -> dict[str, bool]:
    """Add the setting ``outside_pages``: a file, from the top of the checkout, and its page."""
    app.add_config_value("outside_pages", {}, "env", types=(dict,))
    app.add_transform(OutsidePages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
