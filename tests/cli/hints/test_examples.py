"""What a newcomer reads first: every help page has examples, and they are ones that work."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from bdfa_np.cli.command import Command
from bdfa_np.cli.group import COMMANDS, HEADINGS
from bdfa_np.cli.group import bdfa as group


def walk(command=group, words=()):
    """Yield each command and the words that lead to it."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*words, name))


PAGES = dict(walk())


def examples(command):
    """Return the lines of a command's examples, without what is said of them and what a shell adds."""
    _, _, written = (command.epilog or "").partition("Examples:\n")
    written = written.partition("\n\n")[0]
    lines = [re.split(r"\s{2,}", line.strip())[0] for line in written.splitlines() if line.startswith("  ")]
    return [re.split(r"\s[|>]", line)[0] for line in lines]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_every_help_page_has_examples_of_its_command(words):
    found = examples(PAGES[words])
    own = [line for line in found if f"bdfa {' '.join(words)}".rstrip() in line]
    assert 2 <= len(found) <= 8
    assert len(own) >= 2


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_every_example_is_understood(words, bdfa):
    for line in examples(PAGES[words]):
        program, *arguments = (word for word in shlex.split(line) if not word.startswith("BDFA_DATA_DIR="))
        assert program == "bdfa"
        bdfa.understood(*arguments)


def test_every_command_stands_under_one_heading():
    below = click.Context(group)
    assert len({*COMMANDS}) == len(COMMANDS) == sum(map(len, HEADINGS.values()))
    assert all(group.get_command(below, name).name == name for name in COMMANDS)


def test_the_program_s_help_tells_in_one_whole_line_what_each_command_does(bdfa, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for words, command in PAGES.items():
        if isinstance(command, click.Group):
            lines = bdfa(*words, "--help").out.splitlines()
            for title, names in command.headings.items():
                start = lines.index(f"{title}:") + 1
                shown = [line.split(maxsplit=1) for line in lines[start : start + len(names)]]
                assert [name for name, _ in shown] == [*names]
                assert all(told.endswith(".") and not told.endswith("..") for _, told in shown)
                assert [*lines, ""][start + len(names)] == ""


def test_a_shell_completes_the_same_commands_in_the_same_order():
    found = ShellComplete(group, {}, "bdfa", "_BDFA_COMPLETE").get_completions([], "")
    assert [item.value for item in found] == [*COMMANDS]


def test_the_site_has_each_command_under_the_same_heading():
    page = Path(__file__).parents[3] / "docs" / "commands.md"
    if not page.exists():
        pytest.skip("the documentation is not beside the tests")
    found = {}
    for part in page.read_text(encoding="utf-8").split("\n## ")[1:]:
        shown = re.findall(r":prog: bdfa (.+)", part)
        found[part.partition("\n")[0]] = {name.partition(" ")[0] for name in shown}
        assert all(tuple(name.split()) in PAGES for name in shown)
    assert found == {title: {*names} for title, names in HEADINGS.items()}
    assert len(re.findall(":prog:", page.read_text(encoding="utf-8"))) == len(PAGES)


def test_exit_codes_are_shown_where_a_command_has_more_to_say_of_them(bdfa):
    assert "\n    1    some runs have failed\n    2    an error you can mend" in bdfa("study", "run", "--help").out
    assert "\n    130  interrupted: go on with --resume\n" in bdfa("train", "--help").out
    assert "Exit codes" not in bdfa("runs", "--help").out
    shown = {words for words, command in PAGES.items() if isinstance(command, Command) and 1 in command.exit_codes}
    assert shown == {("doctor",), ("study", "run")}
