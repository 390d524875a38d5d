"""The page on studies: its examples are studies, and it knows those of the package."""

import re
from pathlib import Path

import pytest

from bdfa_np.study.description import load_study, published_names

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "studies.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.S)


def test_the_file_that_it_explains_has_the_cells_that_it_names(tmp_path):
    (tmp_path / "two.toml").write_text(EXAMPLES[0], encoding="utf-8")
    study = load_study(tmp_path / "two.toml")
    sentence = re.search(r"This file has four cells: (.*?)\.\n", PAGE, re.S)
    assert sentence
    assert [cell.name for cell in study.cells] == re.findall(r"`(.*?)`", sentence[1])
    assert study.seeds == (0, 1, 2)


def test_the_search_that_it_shows_is_one(tmp_path):
    (tmp_path / "searched.toml").write_text(EXAMPLES[1], encoding="utf-8")
    assert load_study(tmp_path / "searched.toml").search["trials"] == 20


def test_it_names_every_study_of_the_package():
    table = PAGE[PAGE.index("## The studies of the package") :]
    named = " ".join(re.findall(r"^\| (`.*?) \|", table, re.M))
    assert sorted(re.findall(r"`([a-z0-9-]+)`", named)) == published_names()


@pytest.mark.parametrize("page", ["studies.md", "results/README.md"])
def test_the_pages_that_it_links_to_are_there(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (DOCS / page).parent.joinpath(target).is_file(), target
