"""Help pages: of every command, as wide as a terminal, and asked for in either way."""

import re

import click
import pytest

from bdfa_np.cli.command import folded
from bdfa_np.cli.group import bdfa as group


def walk():
    """Yield the words that lead to each command."""

    def below(command, words):
        yield words
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                yield from below(command.get_command(context, name), [*words, name])

    yield from below(group, [])


PAGES = list(walk())


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_every_help_page_fits_80_columns_without_raw_marks(bdfa, words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = bdfa(*words, "--help").out
    assert out.startswith(" ".join(["Usage: bdfa", *words]))
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert "\\b" not in out
    assert "\b" not in out
    assert [line for line in out.splitlines() if re.search(r"\w-$", line)] == []
    assert "\N{NON-BREAKING HYPHEN}" not in out


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_is_a_command_too(bdfa, words):
    outcome = bdfa("help", *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == bdfa(*words, "--help").out


def test_help_for_what_is_no_command_is_refused(bdfa):
    line = bdfa.refused("help", "train", "mnist")
    assert line == "bdfa help: error: bdfa train has no commands of its own: leave out mnist"
    assert "No such command 'frob'" in bdfa.refused("help", "frob")


def test_values_that_do_not_fit_a_line_go_on_in_the_next_between_two_of_them():
    values = "|".join(f"number{n}" for n in range(20))
    lines = folded(f"-o, --option [{values}]", 80).splitlines()
    assert lines[0] == "-o, --option"
    assert all(line.startswith("      ") and len(line) <= 76 for line in lines[1:])
    assert "".join(line.strip() for line in lines[1:]) == f"[{values}]"
    assert folded("-o, --option [a|b]", 80) == "-o, --option [a|b]"


def test_each_option_is_shown_with_all_its_values(bdfa, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = bdfa("train", "--help").out
    joined = "".join(line.strip() for line in out.splitlines())
    for param in group.get_command(click.Context(group), "train").params:
        if isinstance(param.type, click.Choice) and not param.hidden and param.name != "dataset":
            assert f"[{'|'.join(map(str, param.type.choices))}" in joined, param.name
