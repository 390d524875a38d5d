"""The pages on the maths: one for each rule, which say what the code says."""

import re
from pathlib import Path

import pytest

import bdfa_np
from bdfa_np import Config, build_model
from bdfa_np.declaration import flag
from bdfa_np.errors import ConfigError
from bdfa_np.extensions import file_of
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.rules import RULES

DOCS = Path(__file__).parents[2] / "docs"
PAGES = DOCS / "maths"
SECTIONS = ["Formulas", "Where weights start", "Options", "Nets", "What to expect", "Pitfalls", "Source and code"]
OF_COMMANDS = {"--track", "--what"}
"""Flags that are no settings of a run."""
BIBLIOGRAPHY = (DOCS / "references.bib").read_text(encoding="utf-8")
ENTRIES = {entry.split(",")[0]: entry for entry in re.split(r"^@\w+\{", BIBLIOGRAPHY, flags=re.MULTILINE)[1:]}

every_rule = pytest.mark.parametrize("name", RULES)


def page(name):
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def section(name, title):
    """Return the text under a heading of a page, on one line."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", page(name), re.DOTALL | re.MULTILINE)
    assert found, f"{name} has no section '{title}'"
    return " ".join(found[1].split())


def test_each_rule_has_a_page_in_the_list_and_in_the_table_and_no_other_has():
    index = page("index")
    listed = re.search(r"```\{toctree\}\n:hidden:\n\n(.*?)```", index, re.DOTALL)[1].split()
    told = re.findall(r"^\| \[`([\w-]+)`\]\(([\w-]+)\.md\) \|", index, re.MULTILINE)
    assert listed == [name for name, _ in told] == [file for _, file in told]
    assert sorted(listed) == sorted(RULES) == sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "index")


@every_rule
def test_a_page_is_of_its_rule_and_has_all_that_is_asked_of_one(name):
    assert page(name).startswith(f"# `{name}`: ")
    assert re.findall(r"^## (.*)$", page(name), re.MULTILINE) == SECTIONS
    assert re.search(rf"^!\[Paths of {name}: .{{30,}}\.\]\(paths/{name}\.svg\)$", page(name), re.MULTILINE)
    assert "$$" in section(name, "Formulas")


@every_rule
def test_a_page_names_the_class_its_file_and_its_source(name):
    told = section(name, "Source and code")
    assert f"Class `{RULES[name].__name__}` in [" in told
    first = re.search(r"\]\(([^)]+\.py)\)", told)[1]
    package = Path(bdfa_np.__file__).parent  # the clone's, or the one that is installed
    assert (PAGES / first).resolve().relative_to(DOCS.parent / package.name) == file_of(RULES[name]).relative_to(
        package
    )
    assert all((PAGES / link).resolve().is_file() for link in re.findall(r"\]\(([^)]+\.py)\)", told))
    assert f"Source: {' '.join(RULES[name].source.split())}" in told


@every_rule
def test_what_a_page_cites_is_in_the_bibliography_with_the_number_that_the_rule_names(name):
    cited = [key for keys in re.findall(r"\{cite\}`([^`]+)`", page(name)) for key in keys.split(",")]
    assert set(cited) <= set(ENTRIES)
    numbers = set(re.findall(r"\d{4}\.\d{5}|10\.\d{4}/\S+", RULES[name].source))
    assert numbers <= {number for number in numbers for key in cited if number in ENTRIES[key]}
    assert bool(cited) == (name != "frozen")


@every_rule
def test_the_options_of_a_page_exist_and_none_of_the_rule_is_left_out(name):
    told = {f"--{word}" for word in re.findall(r"`--([\w-]+)", page(name))}
    assert told - OF_COMMANDS <= {flag(option) for option in OPTIONS}
    own = {flag(option.name) for option in RULES[name].options}
    assert own <= {f"--{word}" for word in re.findall(r"`--([\w-]+)", section(name, "Options"))}
    if not own:
        assert "None of its own" in section(name, "Options")


@every_rule
def test_the_numbers_that_a_page_has_for_defaults_are_those_of_the_options(name):
    rows = re.findall(r"^\| `--([\w-]+)[^`]*` \| (.*?) \|$", page(name), re.MULTILINE)
    for word, text in rows:
        option = next((one for one in RULES[name].options if flag(one.name) == f"--{word}"), None)
        number = re.search(r"(\d[\d.e-]*) by default", text)
        if option is None or number is None:
            continue
        default = option.default if option.follows is None else option.follows
        assert float(number[1]) == (default(Config(gradient=name)) if callable(default) else default)


@every_rule
def test_a_page_says_whether_weights_may_start_at_zero(name):
    said = "may start at zero" if RULES[name].starts_at_zero else "must not start at zero"
    assert f"Weights {said}" in section(name, "Where weights start")


@pytest.mark.parametrize("name", ["bfa", "ifa"])
def test_the_nets_that_a_page_says_are_refused_are(name):
    refused = {
        "bfa": {"lenet5", "resnet20", "mlp-mixer"},  # and resnet56, which is built as resnet20 is
        "ifa": {"lenet", "lenet5", "resnet20", "mlp-mixer"},
    }[name]
    told = section(name, "Nets")
    assert ("All others of the package are refused" in told) == (name == "ifa")
    for net in ("mlp", "lenet", "lenet5", "resnet20", "mlp-mixer"):
        options = {"num_hidden": 4} if net == "mlp" else {}
        config = Config(network=net, gradient=name, **options)
        if net in refused:
            with pytest.raises(ConfigError, match=f"--gradient {name} cannot train --network {net}"):
                build_model(config, (32, 32, 1), 3)
        else:
            build_model(config, (32, 32, 1), 3)
    if name == "bfa":
        kept, thrown = told.split("`vgg9`.")
        assert [re.findall(r"`([\w-]+)`", part) for part in (kept, thrown)] == [
            ["mlp", "conv", "lenet"],
            ["lenet5", "resnet20", "resnet56", "mlp-mixer"],
        ]


def test_terms_of_the_glossary_stand_in_order_once_each():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    block = re.search(r"```\{glossary\}\n:sorted:\n\n(.*?)```", text, re.DOTALL)[1]
    terms = re.findall(r"^(\S.*)$", block, re.MULTILINE)
    assert terms == sorted(set(terms), key=str.lower)
    assert len(terms) > 40
    assert block.count("\n  ") >= len(terms)
