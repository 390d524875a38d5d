"""What a built page holds: the addresses that it loads and links to, its anchors, and its words."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("image", "href"),
    ("img", "src"),
    ("img", "srcset"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("use", "href"),
    ("video", "poster"),
    ("video", "src"),
}
"""Where an address stands that a browser loads with the page; of a ``link`` it depends on what it is."""
NAMED_ONLY = {"author", "canonical", "index", "next", "prev", "search"}
"""What a ``link`` may be without being loaded."""
IN_STYLES = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


@dataclass
class Page(HTMLParser):
    """A page of the site.

    Parameters
    ----------
    path : pathlib.Path
        Its file.
    """

    path: Path
    loaded: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    headings: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    inline_styles: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and not NAMED_ONLY & set(given.get("rel", "").split()):
            self.loaded.append(given["href"])
        self.loaded += [value for name, value in given.items() if (tag, name) in LOADED]
        self.loaded += styled(given.get("style", ""))
        if tag == "a" and "href" in given:
            self.linked.append(given["href"])
        if tag == "form":
            self.linked.append(given.get("action", ""))
        self.anchors |= {given[name] for name in ("id", "name") if name in given and (name == "id" or tag == "a")}
        if tag == "h1":
            self.headings.append(tag)
        self.inline_styles = tag == "style"

    def handle_data(self, data: str) -> None:
        """Note the words, and what a style sheet within the page loads."""
        self.words.append(data)
        if self.inline_styles:
            self.loaded += styled(data)

    @property
    def text(self) -> str:
        """Its words, with single spaces."""
        return " ".join("".join(self.words).split())


def styled(styles: str) -> list[str]:
    """Return the addresses that style sheets load."""
    return [one or other for one, other in IN_STYLES.findall(styles)]


def elsewhere(address: str) -> bool:
    """Return whether an address is one of another host; those of data within the page are none."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def target_of(page: Path, address: str) -> tuple[Path, str]:
    """Return the file and the anchor that a page's link leads to."""
    parts = urlsplit(address)
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
    return file, unquote(parts.fragment)
