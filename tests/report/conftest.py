"""A study of two rules and two seeds on data whose names are hostile, and the page that was made of it."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
import pytest

from bdfa_np import write_report
from bdfa_np.study.description import load_study
from bdfa_np.study.laboratory import run_study

CLASSES = ['<b>"zero"</b> & $x$', "</script><script>alert(1)</script>", "{{ 7 * 7 }}"]
STUDY = """title = "Two rules <b>&amp; $y$</b>"
source = "Some_body, J. of #1, https://example.org/a?b=1&c=2; and more"
notes = ["A note with <script>alert(2)</script> in it."]
seeds = [3, 5]
report = ["last", "test"]
[base]
dataset = "./letters.npz"
test_fraction = 0.5
validate = 10
num_layers = 1
num_hidden = 6
epochs = 2
lr = 1e-2
track = "alignment,feedback"
[grid.rule]
bp = { gradient = "bp" }
'fa </script>"&$x$' = { gradient = "fa" }
[published]
bp = 30.25
"""
VOID = {"meta", "link", "input", "img", "br", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict
    parent: "Element | None" = None
    inside: list = field(default_factory=list)

    def all(self, tag=None, **wanted):
        """Yield the elements of a tag inside, in their order."""
        for one in self.inside:
            if isinstance(one, Element):
                if tag in (None, one.tag) and all(one.attributes.get(name) == value for name, value in wanted.items()):
                    yield one
                yield from one.all(tag, **wanted)

    def one(self, tag, **wanted):
        (found,) = self.all(tag, **wanted)
        return found

    @property
    def text(self):
        return " ".join("".join(one if isinstance(one, str) else one.text for one in self.inside).split())


class Tree(HTMLParser):
    """Makes a tree, and fails where a tag is not closed."""

    def __init__(self, text):
        super().__init__()
        self.top = self.at = Element("", {})
        self.feed(text)
        self.close()
        assert self.at is self.top

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs), self.at)
        self.at.inside.append(element)
        if tag not in VOID:
            self.at = element

    def handle_endtag(self, tag):
        assert self.at.tag == tag, (self.at.tag, tag)
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.inside.append(data)


def images(count=90):
    """Return images in which a class can be seen, and their classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % len(CLASSES)
    found = rng.integers(0, 90, (count, 6, 6))
    found[np.arange(count), labels] += 120
    return found.astype("uint8"), labels


@pytest.fixture(scope="session")
def swept(tmp_path_factory):
    """Give the folder in which a study was run, with its data beside it."""
    folder = tmp_path_factory.mktemp("reported")
    x, y = images()
    np.savez(folder / "letters.npz", x=x, y=y, class_names=np.array(CLASSES))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "sweep.toml").write_text(STUDY)
        run_study(load_study("sweep.toml"), folder / "studies" / "sweep")
    return folder


@pytest.fixture(scope="session")
def text(swept):
    """Give the page's text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(swept)
        return write_report("sweep", "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(text):
    """Give the page's elements."""
    return Tree(text).top


@pytest.fixture
def section(page):
    """Give the function that returns a section."""
    return lambda key: page.one("section", id=key)


@pytest.fixture
def rows_of():
    """Give the function that returns a table's rows as texts, the headings first."""
    return lambda table: [[cell.text for cell in row.all() if cell.tag in ("th", "td")] for row in table.all("tr")]


@pytest.fixture
def addresses():
    """Give the function that returns all attributes of a tree that a browser may fetch or follow."""
    names = re.compile("src|href|action|formaction|data|poster|srcset|xlink:href|background|ping|cite")
    return lambda element: [
        (one.tag, value) for one in element.all() for name, value in one.attributes.items() if names.fullmatch(name)
    ]
