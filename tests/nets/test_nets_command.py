"""``bdfa nets``: which nets there are, how large they are, and what one is made of."""

import re
from pathlib import Path

import pytest

from bdfa_np.cli.commands import nets
from bdfa_np.errors import ExtensionError
from bdfa_np.networks import NETWORKS, find_network


def test_every_net_has_a_row_with_its_figures(bdfa):
    outcome = bdfa("nets")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("nets for 32x32x3 and 10 classes\n")
    for name in NETWORKS:
        assert f"\n{name} " in outcome.out
    # 3072·800 + 800·800 + 800·10 products; as many weights, and 800 + 800 + 10 biases
    (row,) = (line for line in outcome.out.splitlines() if line.startswith("mlp "))
    assert row.split()[-2:] == ["3,107,210", "3,105,600"]
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_a_net_that_does_not_fit_says_so_in_its_row(bdfa):
    out = " ".join(bdfa("nets", "--input", "28x28x1", "--classes", 3).out.split())
    assert "nets for 28x28x1 and 3 classes" in out
    assert "lenet does not fit: images of 32x32 pixels or more are wanted: give --resize 32 lenet5" in out
    # its advice works
    assert "does not fit" not in bdfa("nets", "--input", "28x28x1", "--resize", 32).out


def test_a_table_has_columns_and_no_pixels(bdfa):
    out = bdfa("nets", "--input", 13, "--classes", 1).out
    assert "nets for 13 and 1 class\n" in out
    assert out.count("does not fit: it takes images") == len(NETWORKS) - 1
    assert "--resize is for images" in bdfa.refused("nets", "--input", 13, "--resize", 32)


def test_a_data_set_says_what_the_input_is(bdfa):
    assert "nets for 28x28x1 and 47 classes" in bdfa("nets", "--dataset", "emnist-balanced").out
    assert "nets for 32x32x1 and 10 classes" in bdfa("nets", "--dataset", "mnist-5k", "--resize", 32).out
    assert "leave out --input and --classes" in bdfa.refused("nets", "--dataset", "mnist", "--classes", 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_net_shows_its_source_file_options_and_layers(name, bdfa):
    outcome = bdfa("nets", name)
    assert (outcome.code, outcome.err) == (0, "")
    module = find_network(name)
    assert f"file: {module.__file__}\n" in outcome.out
    assert f"source: {module.SOURCE}\n" in outcome.out
    for option in module.OPTIONS:
        assert f"\n--{option.name.replace('_', '-')} " in outcome.out
    assert "\nall " in outcome.out
    assert max(len(line) for line in outcome.out.splitlines() if not line.startswith("file: ")) <= 80


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["lent"], "--network lent: there is no built-in net of this name, and no file"),
        (["./lent.py"], "--network ./lent.py: there is no built-in net of this name, and no file"),
        (["lenet", "--input", "28x28x1"], "are wanted: give --resize 32"),
        (["--input", "28x28"], "write rows x columns x channels, as in 32x32x3, or a number of columns"),
        (["--input", "0x28x1"], "write rows x columns x channels"),
        (["--classes", "0"], "0 is not in the range"),
        (["mlp", "--input", "99999x99999x3"], "not enough memory"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(arguments, line, bdfa):
    assert line in bdfa.refused("nets", *arguments)


NET = """
from bdfa_np import Flatten, Linear, Sequential
def build(config, input_shape, num_classes, rng, backend):
    return Sequential([Flatten(), Linear(num_classes)], input_shape, backend=backend, rng=rng)
"""


def test_a_net_of_ones_own_is_shown_with_its_layers(bdfa):
    Path("mine.py").write_text(NET)
    outcome = bdfa("nets", "./mine.py", "--input", "4x5x1", "--classes", 3)
    assert (outcome.code, outcome.err) == (0, "")
    assert "file: mine.py\n" in outcome.out
    assert "Sequential(4x5x1 → 3, 63 parameters, numpy float32)" in outcome.out
    Path("mine.py").write_text(NET.replace("num_classes)]", "1 / 0)]"))
    assert "mine.py, line 4" in bdfa.refused("nets", "./mine.py")


def test_nets_of_other_distributions_have_rows_too_and_a_broken_one_says_why(bdfa, monkeypatch):
    def broken(name, *_):
        raise ExtensionError(f"{name}: no such module")

    monkeypatch.setattr(nets, "offered", lambda _: ["theirs"])
    built = nets.built
    monkeypatch.setattr(nets, "built", lambda name, *rest: (built if name in NETWORKS else broken)(name, *rest))
    (row,) = (line for line in bdfa("nets").out.splitlines() if line.startswith("theirs "))
    assert row.split(maxsplit=1)[1] == "theirs: no such module"


def test_the_page_on_nets_has_a_row_for_each(bdfa):
    page = (Path(__file__).parents[2] / "docs" / "nets.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \|.* (\S+) \|$", page, re.MULTILINE))
    assert list(rows) == list(NETWORKS)
    lines = bdfa("nets").out.splitlines()
    for name, parameters in rows.items():
        assert next(line for line in lines if line.startswith(f"{name} ")).split()[-2] == parameters


def test_names_of_nets_are_completed(bdfa):
    complete = {"_BDFA_COMPLETE": "bash_complete"}
    for words in ("bdfa nets vg", "bdfa train --network vg"):
        out = bdfa.child(env={**complete, "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}).out
        assert out == "plain,vgg9\n"
