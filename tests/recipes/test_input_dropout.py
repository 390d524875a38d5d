"""Dropout of the input: what each net drops, and runs that were begun when conv dropped nothing."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Config, build_model, load_run
from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint

CONV = "--dataset mnist-5k --network conv --train-limit 100 --test-limit 50 --dropout 1 --threads 1"


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (4, 5, 6))
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (11, 10))


def network(**options):
    return build_model(Config(**options), (20, 20, 3), 4).network


def dropped(net):
    """Return the share that each dropout layer drops, by what stands before it."""
    layers = [None, *net.layers]
    return [
        (before and before.kind, layer.probability)
        for before, layer in zip(layers, net.layers, strict=False)
        if layer.kind == "dropout"
    ]


def test_conv_drops_a_tenth_of_its_input_under_dropout_1_alone():
    hidden = [("tanh", 0.25), ("tanh", 0.25), ("tanh", 0.5), ("tanh", 0.5), ("tanh", 0.5)]
    assert dropped(network(network="conv", dropout=1)) == [(None, 0.1), *hidden]
    assert dropped(network(network="conv", dropout=2)) == hidden[:2]
    assert dropped(network(network="conv")) == []


def test_mlp_drops_what_it_always_did():
    assert dropped(network(dropout=1)) == [("flatten", 0.1), ("tanh", 0.5), ("tanh", 0.5)]
    assert dropped(network(dropout=2)) == [("flatten", 0.1)]
    assert dropped(network()) == []


@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_the_share_may_be_given_by_itself(name):
    assert dropped(network(network=name, input_dropout=0.3))[0][1] == 0.3
    assert len(dropped(network(network=name, dropout=1))) == 1 + len(
        dropped(network(network=name, dropout=1, input_dropout=0.0))
    )


def test_the_first_convolution_sees_an_image_with_a_tenth_missing_in_training_and_all_of_it_in_use():
    net = network(network="conv", dropout=1)
    x = np.random.default_rng(0).random((50, 20, 20, 3), np.float32) + 1
    net.forward(x)
    seen = net["conv1"].x
    kept = seen != 0
    assert 0.89 < kept.mean() < 0.91
    np.testing.assert_allclose(seen[kept], x[kept] / 0.9, rtol=1e-6)
    net.forward(x, train=False)
    np.testing.assert_array_equal(net["conv1"].x, x)


def begun_before(folder):
    """Make a run one that was written when there was no option for what is dropped of the input."""
    config, checkpoint = Path(folder, "config.toml"), Path(folder, "checkpoint.h5")
    write_checkpoint(checkpoint, replace(read_checkpoint(checkpoint), record=""))  # which there was not either
    text = config.read_text()
    assert re.search("^input_dropout = ", text, re.MULTILINE)
    config.write_text(re.sub("^input_dropout = .*\n", "", text, flags=re.MULTILINE))


def test_a_run_begun_when_conv_kept_its_input_goes_on_so_and_says_so(bdfa, result):
    keeps = [*CONV.split(), "--input-dropout", "0", "--gradient", "dfa"]
    assert bdfa("train", *keeps, "--epochs", 4, "--save", "whole").code == 0
    assert bdfa("train", *keeps, "--epochs", 2, "--save", "parts").code == 0
    begun_before("parts")
    assert load_run("parts").network.layers[0].kind == "conv"
    assert bdfa("evaluate", "parts", "--threads", 1).code == 0
    note = "note: the run was started when conv dropped nothing of its input: it goes on so\n"
    assert note in bdfa.resume("parts", "--epochs", 3).out
    assert note not in bdfa.resume("parts", "--epochs", 4).out  # config.toml says so by now
    assert result(Path("parts")) == result(Path("whole"))


@pytest.mark.parametrize("options", ["--dropout 1", "--dropout 2", ""])
def test_a_run_of_mlp_begun_before_goes_on_as_it_is(bdfa, result, options):
    bdfa.train("whole", *options.split(), "--epochs", 2)
    bdfa.train("parts", *options.split(), "--epochs", 1)
    begun_before("parts")
    assert "of its input" not in bdfa.resume("parts", "--epochs", 2).out
    assert result(Path("parts")) == result(Path("whole"))


def test_a_new_run_drops_and_its_folder_says_so(bdfa):
    assert bdfa("train", *CONV.split(), "--epochs", 1, "--save", "run").code == 0
    assert "input_dropout = 0.1\n" in Path("run/config.toml").read_text()
    assert load_run("run").network.layers[0].kind == "dropout"


def test_a_share_that_is_none_is_refused(bdfa):
    line = bdfa.refused("train", "--dataset", "mnist-5k", "--input-dropout", "1")
    assert "--input-dropout must be at least 0 and less than 1, not 1.0" in line
