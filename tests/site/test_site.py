"""The documentation site, built once without running its notebooks: what a reader meets who has no network."""

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from built_pages import Page, elsewhere, styled, target_of

from bdfa_np.cli.group import HEADINGS, bdfa

pytest.importorskip("sphinx", reason="the site is built with the extra 'docs'")

from bdfa_np.cli.manual import contexts

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOSTS = {
    "arxiv.org",
    "codh.rois.ac.jp",
    "cs.stanford.edu",
    "distributed.dask.org",
    "docs.python.org",
    "doi.org",
    "github.com",
    "jinja.palletsprojects.com",
    "jobqueue.dask.org",
    "keepachangelog.com",
    "keras.io",
    "kubernetes.dask.org",
    "matplotlib.org",
    "numpy.org",
    "semver.org",
    "ufldl.stanford.edu",
    "www.cs.toronto.edu",
    "www.nist.gov",
    "www.sphinx-doc.org",
}
"""Hosts that pages link to. Add one that exists, and of which the reader has something."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the site; return its folder, and what was said of it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-D", "nb_execution_mode=off"]
    said = subprocess.run([*command, DOCS, folder], check=False, capture_output=True, text=True)
    assert (folder / "searchindex.js").is_file(), said.stderr
    return folder, said


@pytest.fixture(scope="module")
def site(built):
    """Return the site's folder."""
    return built[0]


@pytest.fixture(scope="module")
def pages(site):
    """Read the pages, each by its file."""
    return {path: Page(path) for path in sorted(site.rglob("*.html")) if path.parent.name != "_static"}


def names_of(stub):
    """Return the public names that a package's stub lists."""
    return re.findall(r" as (\w+)$", stub.read_text(encoding="utf-8"), re.MULTILINE)


def test_it_is_built_without_a_warning(built):
    _, said = built
    assert (said.stderr, said.stdout, said.returncode) == ("", "", 0)


def test_every_page_of_docs_is_a_page_of_the_site(site):
    sources = [path.relative_to(DOCS) for path in DOCS.rglob("*.md") if "_inventories" not in path.parts]
    assert len(sources) > 80
    assert not [str(path) for path in sources if not (site / path.with_suffix(".html")).is_file()]


def test_nothing_is_excused_from_the_check_of_references():
    settings = (DOCS / "conf.py").read_text(encoding="utf-8")
    assert re.search(r"^nitpicky = True$", settings, re.MULTILINE)
    assert "suppress_warnings" not in settings
    assert "nitpick_ignore" not in settings


def test_no_page_and_no_style_sheet_loads_anything_from_elsewhere(site, pages):
    loaded = [(path, address) for path, page in pages.items() for address in page.loaded]
    loaded += [(path, address) for path in site.rglob("*.css") for address in styled(path.read_text(encoding="utf-8"))]
    assert len(loaded) > 1000
    assert not [(str(path), address) for path, address in loaded if elsewhere(address)]


def test_what_a_page_or_a_style_sheet_loads_is_there(site, pages):
    loaded = [(path, address) for path, page in pages.items() for address in page.loaded]
    loaded += [
        (path, address)
        for path in (site / "_static").glob("*.css")
        for address in styled(path.read_text(encoding="utf-8"))
    ]
    files = {target_of(path, address)[0]: path for path, address in loaded if not address.startswith(("data:", "#"))}
    assert {path.suffix for path in files} >= {".css", ".js", ".png", ".svg", ".woff2"}
    assert not [(str(file), str(path)) for file, path in files.items() if not file.is_file()]


def test_every_link_within_the_site_leads_to_a_page_and_to_a_place_on_it(site, pages):
    links = {(path, address) for path, page in pages.items() for address in page.linked if not elsewhere(address)}
    assert len(links) > 2000
    lost = []
    for path, address in links:
        file, anchor = target_of(path, address)
        there = file.is_relative_to(site.resolve()) and file.is_file()
        if not there or (
            anchor and file.suffix == ".html" and anchor not in pages[site / file.relative_to(site)].anchors
        ):
            lost.append((str(path.relative_to(site)), address))
    assert not lost


def test_links_to_other_hosts_are_to_those_that_are_known(pages):
    hosts = {
        re.sub(r"^\w+://([^/]*).*", r"\1", address)
        for page in pages.values()
        for address in page.linked
        if elsewhere(address)
    }
    assert hosts <= HOSTS


def test_a_link_to_a_file_outside_of_docs_leads_to_its_page(pages, site):
    inside = {"CONTRIBUTING": "contributing", "README": "readme", "SECURITY": "security", "data/mnist_5k": "mnist-5k"}
    links = [
        (source.stem, f"project/{inside[file]}.html{anchor}")
        for source in DOCS.glob("*.md")
        for file, anchor in re.findall(r"\]\(\.\./([\w/]+)\.md(#[\w-]+)?\)", source.read_text(encoding="utf-8"))
    ]
    assert len(links) >= 2
    assert not [(page, link) for page, link in links if link not in pages[site / f"{page}.html"].linked]
    assert "../rules.html" in pages[site / "project" / "contributing.html"].linked


def test_every_page_has_one_heading(pages):
    assert not [str(path) for path, page in pages.items() if len(page.headings) != 1 and path.stem != "genindex"]


@pytest.mark.parametrize("package", ["bdfa_np", "bdfa_np.data", "bdfa_np.figures"])
def test_every_public_name_has_an_entry(package, pages, site):
    module = import_module(package)
    names = names_of(Path(module.__file__).with_suffix(".pyi"))
    assert len(names) >= 10
    anchors = {anchor for path, page in pages.items() if path.parent == site / "api" for anchor in page.anchors}
    assert not [name for name in names if name != "figures" and not {f"{package}.{name}", f"bdfa_np.{name}"} & anchors]


def test_every_error_of_a_user_has_an_entry(pages, site):
    errors = import_module("bdfa_np.errors")
    names = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)}
    assert names <= {anchor.removeprefix("bdfa_np.errors.") for anchor in pages[site / "api" / "errors.html"].anchors}


def test_every_command_is_shown_with_its_options_and_its_examples(pages, site):
    page = pages[site / "commands.html"]
    shown = list(contexts(bdfa))
    assert len(shown) > 25
    for context in shown:
        anchor = context.command_path.replace(" ", "-")
        assert anchor in page.anchors, context.command_path
        for option in context.command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert f"cmdoption-{anchor}-{option.opts[-1].lstrip('-').replace('_', '-')}".lower() in {
                    one.lower().replace("_", "-") for one in page.anchors
                }, (context.command_path, option.opts)
        for line in (context.command.epilog or "").splitlines():
            if line.startswith("  bdfa "):
                assert " ".join(line.split()) in page.text


def test_options_of_training_stand_under_the_headings_of_the_help(pages, site):
    text = pages[site / "commands.html"].text
    there = [text.index(f" {heading} ", text.index("bdfa train [OPTIONS]")) for heading in ("Data", "Net", "Machine")]
    assert there == sorted(there)


def test_a_search_finds_words_of_pages_and_names_of_the_api(site):
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert {"index", "data", "maths/bfa", "commands", "api/rules", "results/README"} <= set(index["docnames"])

    def found(word):
        numbers = [index[terms].get(word, []) for terms in ("terms", "titleterms")]  # a single page is no list
        return {index["docnames"][one] for some in numbers for one in (some if isinstance(some, list) else [some])}

    assert "data" in found("stl10")
    assert "maths/bfa" in found("bfa")
    assert "commands" in found("zca")
    assert any("alignment_angle" in str(entries) for entries in index["objects"].values())


def test_formulas_are_drawn_without_a_script_and_with_a_font_of_the_site(site, pages):
    text = (site / "maths" / "bfa.html").read_text(encoding="utf-8")
    assert text.count("<math ") > 5
    assert not [address for page in pages.values() for address in page.loaded if "mathjax" in address.lower()]
    assert (site / "_static" / "stix-two-math.woff2").is_file()
    raw = [str(path) for path, page in pages.items() if re.search(r"\$\$|\\(frac|begin|odot|top)\b", page.text)]
    assert not raw


def test_the_page_of_commands_has_the_headings_of_the_help():
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    under = {}
    for title, entries in re.findall(r"^## ([^\n]*)$(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE):
        under[title] = tuple(dict.fromkeys(re.findall(r":prog: bdfa ([\w-]+)", entries)))
    assert under == HEADINGS
