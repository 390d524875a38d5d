"""A run of these rules that is resumed comes to the bits of one that never stopped, and keeps what its rule holds."""

from pathlib import Path

import numpy as np
import pytest

from bdfa_np import load_run
from bdfa_np.runs.checkpoint import read_checkpoint

RUNS = {
    "ifa": ["--dropout", 1, "--batchnorm", 1],
    "fdfa": ["--dropout", 1, "--nonlin", "relu"],
    "fdfa by adam": ["--feedback-optimizer", "adam", "--feedback-lr", 0.01],
    "ebd": ["--ebd-lambda", 0.9, "--criterion", "ce"],
}


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_comes_to_the_same_bits(bdfa, result, name):
    options = ["--gradient", name.split()[0], "--lr", "1e-2", *RUNS[name]]
    bdfa.train("whole", *options, "--epochs", 2)
    bdfa.train("parts", *options, "--epochs", 1)
    early = read_checkpoint(Path("parts/checkpoint.h5"))
    bdfa.resume("parts", "--epochs", 2)
    assert result(Path("parts")) == result(Path("whole"))
    whole, parts = (read_checkpoint(Path(run) / "checkpoint.h5") for run in ("whole", "parts"))
    for group in ("weights", "feedback", "rule"):
        kept, expected = getattr(parts, group), getattr(whole, group)
        assert kept.keys() == expected.keys()
        assert all(kept[key].tobytes() == expected[key].tobytes() for key in kept)
    assert bool(whole.rule) == (name == "fdfa by adam")
    for key, B in whole.feedback.items():
        assert np.array_equal(B, early.feedback[key]) == (name == "ifa")  # the others learn


def test_a_run_that_is_loaded_has_its_rule_with_its_options_and_feedback(bdfa):
    bdfa.train("run", "--gradient", "fdfa", "--feedback-lr", 0.5, "--epochs", 1)
    rule, kept = load_run("run").rule, read_checkpoint(Path("run/checkpoint.h5")).feedback
    assert rule.learning_rate == 0.5
    np.testing.assert_array_equal(rule.feedback.state()["feedback1.B"], kept["feedback1.B"])
    assert rule.B["feedback1"].any()
