"""``CITATION.cff``: how the project is cited, in version 1.2.0 of the format; and no address that it does not have."""

import re
import tomllib
from pathlib import Path

import pytest

import bdfa_np

ROOT = Path(__file__).parents[2]
CITATION = ROOT / "CITATION.cff"

pytestmark = pytest.mark.skipif(not CITATION.is_file(), reason="the sources are not beside the tests")


def at_the_top(name: str) -> str:
    """Return a scalar that stands at the top of the file, out of its quotes."""
    (value,) = re.findall(rf'^{name}: "?([^"\n]*)"?$', CITATION.read_text(encoding="utf-8"), re.MULTILINE)
    return value


def test_it_names_this_package_and_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert at_the_top("cff-version") == "1.2.0"
    assert at_the_top("title") == project["name"]
    assert at_the_top("version") == bdfa_np.__version__
    assert at_the_top("license") == project["license"]


@pytest.mark.oracle
def test_it_is_yaml_with_what_the_format_demands():
    yaml = pytest.importorskip("yaml")
    read = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= read.keys()
    assert read["authors"] == project["authors"]
    assert read["version"] == bdfa_np.__version__
    for reference in read["references"]:
        assert {"type", "title", "authors"} <= reference.keys()
        assert all(author.keys() <= {"family-names", "name"} for author in reference["authors"])
        if "url" in reference:
            (identifier,) = reference["identifiers"]
            assert reference["url"] == "https://arxiv.org/abs/" + identifier["value"].removeprefix("arXiv:")


def test_a_source_distribution_has_it():
    assert CITATION.name in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").split()


def test_no_file_makes_up_an_address_of_the_project():
    named = [ROOT / name for name in ("pyproject.toml", "CITATION.cff", "README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    for folder, kinds in (("bdfa_np", "*.py"), ("cli", "*.py"), ("data", "*.py"), ("docs", "*.md")):
        named += sorted((ROOT / folder).rglob(kinds))
    made_up = re.compile(r"https?://[^\s)\"'>]*bdfa[-_]np|repository-code|\[project\.urls\]")
    assert [str(path) for path in named if made_up.search(path.read_text(encoding="utf-8"))] == []
