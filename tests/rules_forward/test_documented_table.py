"""The table of all rules in the documentation says what the rules say."""

from pathlib import Path

import pytest

from bdfa_np.rules import GROUPS, RULES
from bdfa_np.rules.description import describe_rule

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
TABLE = PAGE.split("## The rules of the package")[1].split("\n## ")[0]
ROWS = [line for line in TABLE.splitlines() if line.startswith("| `")]


def row(name):
    """Return a rule's row; in a table of Markdown a bar ends a cell, and ``<`` begins what is not shown."""
    of = describe_rule(name)
    words = [text.replace("<", "\\<") for text in (of.trains, of.errors_from, of.source)]
    cells = [f"`{name}`", f"`{of.formula}`", *words]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


@pytest.mark.parametrize("name", RULES)
def test_each_rule_has_its_row(name):
    assert row(name) in ROWS


def test_the_rows_are_all_rules_in_the_order_of_their_groups():
    wanted = [name for group in GROUPS for name, rule in RULES.items() if rule.group == group]
    assert [line.split("`")[1] for line in ROWS] == wanted


def test_what_they_come_to_is_said_of_all_rules_in_the_same_order():
    results = PAGE.split("## What they come to")[1].split("## Rules of your own")[0].splitlines()
    assert [line.split("`")[1] for line in results if line.startswith("| `")] == [line.split("`")[1] for line in ROWS]
