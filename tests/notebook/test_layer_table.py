"""The layer table belongs to the network: as text, as HTML, in a dry run."""

import xml.etree.ElementTree as ET

import pytest

from bdfa_np import (
    BFA,
    BP,
    DFA,
    Conv2d,
    ErrorFeedback,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Tanh,
)
from bdfa_np.data.sources.find import find_source


def rows(html: str) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in ET.fromstring(html).iter("tr")]


@pytest.fixture
def network() -> Sequential:
    layers = [Conv2d(4, 3), ReLU(), MaxPool2d(2), ErrorFeedback(), Flatten(), Linear(10)]
    return Sequential(layers, (28, 28, 1))


def test_a_network_shows_its_layers_with_the_numbers_worked_out_by_hand(network):
    # 3·3·1·4 + 4 = 40; 26·26·4·9 = 24,336; 13·13·4 = 676; 676·10 + 10 = 6,770
    assert repr(network) == (
        "Sequential(28x28x1 → 10, 6,810 parameters, numpy float32)\n"
        "layer      output   parameters  multiply-adds\n"
        "conv1      26x26x4          40         24,336\n"
        "relu1      26x26x4           0              0\n"
        "pool1      13x13x4           0              0\n"
        "feedback1  13x13x4           0              0\n"
        "flatten1   676               0              0\n"
        "linear1    10            6,770          6,760\n"
        "all                      6,810         31,096"
    )


def test_a_notebook_shows_the_same_as_html(network):
    text = [line.split() for line in repr(network).splitlines()[1:]]
    assert [[cell for cell in row if cell] for row in rows(network._repr_html_())] == text
    assert ET.fromstring(network._repr_html_()).findtext("caption") == repr(network).splitlines()[0]


def test_a_rules_feedback_has_a_column_and_a_sum(network):
    table = network.table(DFA(network).B, title="under dfa")
    feedback = {row[0]: row[3] for row in table.rows}
    assert table.columns[3] == "feedback"
    assert feedback == {**dict.fromkeys(feedback, 0), "feedback1": 10 * 676}
    assert list(table.footer) == ["all", "", 6810, 6760, 31096]
    assert str(table).startswith("under dfa\n")
    assert {row[0]: row[3] for row in network.table(BFA(network).B).rows}["conv1"] == 36
    assert list(network.table(BP(network).B).footer)[3] == 0


def test_what_is_inside_of_a_container_has_its_own_rows_and_is_counted_once():
    network = Sequential([Residual([Linear(6), Residual([Tanh(), Linear(6)])]), Linear(2)], (6,))
    table = network.table()
    assert [row[0] for row in table.rows] == [
        "residual1",
        "residual1.linear1",
        "residual1.residual1",
        "residual1.residual1.tanh1",
        "residual1.residual1.linear1",
        "linear1",
    ]
    assert [row[2] for row in table.rows] == [0, 42, 0, 0, 42, 14]
    assert list(table.footer) == ["all", "", 98, 84]
    assert table.footer[2] == network.weights.values.size


def test_layers_deep_inside_of_others_fit_80_columns_without_losing_a_letter():
    layer = Residual([Linear(6)])
    for _ in range(8):
        layer = Residual([layer])
    network = Sequential([layer, Linear(2)], (6,))
    lines = repr(network).splitlines()
    assert max(map(len, lines)) <= 80
    name = network.tree()[-2].name
    assert len(name) > 80
    assert name in "".join(line[:50].split(" ")[0] for line in lines)


def test_a_dry_run_draws_the_networks_own_table(bdfa, network, tmp_path):
    source = tmp_path / "net.py"
    source.write_text(
        "from bdfa_np import Conv2d, ErrorFeedback, Flatten, Linear, MaxPool2d, ReLU, Sequential\n"
        "def build(config, input_shape, num_classes, rng, backend):\n"
        "    layers = [Conv2d(4, 3), ReLU(), MaxPool2d(2), ErrorFeedback(), Flatten(), Linear(num_classes)]\n"
        "    return Sequential(layers, input_shape, backend=backend, rng=rng)\n"
    )
    assert find_source("mnist-5k").input_shape == network.input_shape
    done = bdfa("train", "--dry-run", "--dataset", "mnist-5k", "--network", source, "--gradient", "dfa")
    drawn = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.out.splitlines() if "│" in line]
    table = network.table(DFA(network).B)
    wanted = table.text_rows()
    assert [row for row in drawn if len(row) == 5] == wanted
