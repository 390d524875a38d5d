"""What pages say beside their code is so: numbers are those of their tables, files are there, links lead somewhere."""

import re
from pathlib import Path

import numpy as np
import pytest

import bdfa_np
from bdfa_np import BP, DFA, SGD, BinaryCrossEntropy, ErrorFeedback, Linear, Sequential, Tanh
from bdfa_np.study.description import load_study

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FAQ, RULES, RELIABILITY = (
    (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("faq", "rules", "reliability")
)
PAGES = [ROOT / "README.md", *sorted((DOCS / "how-to").glob("*.md"))]
PAGES += [
    DOCS / f"{name}.md" for name in ("install", "first-five-minutes", "from-torch", "faq", "reliability", "design")
]


def test_errors_that_are_quoted_from_the_table_of_rules_stand_in_it():
    (section,) = re.findall(r"## Why does direct feedback do badly.*?\n(.*?)\n## ", FAQ, re.DOTALL)
    quoted = re.findall(r"`(\w+)`(?: comes to| to|:) (\d\.\d\d) %", section)
    assert {rule for rule, _ in quoted} == {"dfa", "bp", "usf", "kp"}
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| (\d+\.\d\d) \(", RULES, re.MULTILINE))  # of lenet
    assert dict(quoted) == {rule: rows[rule] for rule, _ in quoted}


def test_errors_that_are_quoted_from_the_paper_are_those_of_its_study():
    published = {cell.name: cell.published for cell in load_study("luo-mnist").cells}
    (quoted,) = re.findall(
        r"FA's error rises from (\S+) .*?to (\S+)\s+with three.*?from (\S+) to (\S+)\. ", FAQ, re.DOTALL
    )
    cells = ("1x400/fa", "3x400/fa", "1x400/bp", "3x400/bp")
    assert [float(value) for value in quoted] == [float(str(published[cell])) for cell in cells]


@pytest.mark.parametrize("rule", [DFA, BP])
def test_from_zero_weights_a_direct_rule_learns_from_below_and_back_propagation_at_the_top_alone(rule):
    layers = [Linear(5), Tanh(), ErrorFeedback(), Linear(5), Tanh(), ErrorFeedback(), Linear(3)]
    network = Sequential(layers, (4,), rng=0)
    network.weights.values[...] = 0
    learner, loss = rule(network), BinaryCrossEntropy(network.backend)
    optimizer = SGD(learner.trained, 0.1)
    rng, moved = np.random.default_rng(0), []
    for _ in range(3):
        network.forget_gradients()
        learner.backward(loss(network.forward(rng.normal(size=(6, 4)).astype(np.float32)), np.arange(6) % 3))
        optimizer.step()
        moved.append([bool(network[f"linear{number}"].W.any()) for number in (1, 2, 3)])
    learnt = [[True, False, False], [True, True, True], [True, True, True]]
    assert moved == (learnt if rule is DFA else [[False] * 3] * 3)


def test_each_file_that_reliability_names_is_there():
    named = set(re.findall(r"`(?:python )?(tests/[\w/.]+)", RELIABILITY))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    for name in ("random_kills.py", "kill_at_each_write.py"):
        assert name in RELIABILITY
        assert (ROOT / "tests" / "kills" / name).is_file()


def test_the_page_on_citing_names_this_version():
    page = (DOCS / "cite.md").read_text(encoding="utf-8")
    assert re.findall(r"version = \{(.*)\}", page) == [bdfa_np.__version__]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_each_link_leads_to_a_file_and_a_heading_in_it(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith("http"):
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            if not file.is_file() or (anchor and anchor not in anchors(file)):
                broken.append(target)
    assert broken == []


def anchors(file):
    """Return what headings of a file are linked by, as code hosts and MyST have it."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
