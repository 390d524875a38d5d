"""The rules and nets that the documentation shows, from training to use in Python."""

from pathlib import Path

import numpy as np
import pytest

from bdfa_np import Rule, alignment_angle, load_run
from bdfa_np.rules import RULES
from bdfa_np.runs.checkpoint import read_checkpoint

LEARNS = ["--dataset", "mnist-5k", "--num-hidden", 100, "--lr", "1e-3", "--threads", 1]


@pytest.mark.parametrize("name", ["drtp", "signs"])
def test_a_rule_of_ones_own_learns_is_interrupted_resumed_evaluated_and_used_from_python(bdfa, rules, result, name):
    file = rules / f"{name}.py"
    whole = bdfa("train", *LEARNS, "--gradient", file, "--epochs", 6, "--save", "whole")
    assert (whole.code, whole.err) == (0, "")
    assert float(whole.out.split("done: test error ")[1].split("%")[0]) < 12
    with bdfa.start("train", *LEARNS, "--gradient", f"{name}.py", "--epochs", 6, "--save", "parts") as process:
        bdfa.read_until(process, "epoch 2/6")
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with: bdfa train --save parts --resume" in err
    bdfa.resume("parts")
    assert result(Path("parts")) == result(Path("whole"))
    assert "error " in bdfa("evaluate", "whole").out
    model = load_run("whole")
    assert isinstance(model.rule, Rule)
    assert model.rule.name == name
    x = np.random.default_rng(0).random((5, 28, 28, 1), dtype=np.float32)
    deltas = model.rule.deltas(model.loss(model.network.forward(x), np.arange(5)))
    assert deltas["linear1"].shape == (5, 100)


def test_documented_feedback_that_learns_comes_to_the_weights_and_resumes(bdfa, tmp_path, documented, result):
    (tmp_path / "kp.py").write_text(documented["KolenPollack"])
    options = ["--gradient", "kp.py", "--num-layers", 2, "--optimization", "sgd", "--lr", "1e-2"]
    bdfa.train("whole", *options, "--epochs", 6)
    bdfa.train("parts", *options, "--epochs", 1)
    rule, names = load_run("parts").rule, ("linear2", "linear3")
    before = [alignment_angle(rule.B[name], rule.network[name].W) for name in names]
    bdfa.resume("parts", "--epochs", 6)
    assert result(Path("parts")) == result(Path("whole"))
    rule = load_run("parts").rule
    assert all(
        alignment_angle(rule.B[name], rule.network[name].W) < old for name, old in zip(names, before, strict=True)
    )


def test_a_documented_option_beside_inherited_ones_has_its_part(bdfa, tmp_path, documented):
    (tmp_path / "scaled.py").write_text(documented["Scaled"])
    for name, options in {"half": ["-O", "scale=0.5"], "same": ["-O", "scale=1.0"]}.items():
        bdfa.train(name, "--gradient", "scaled.py", "--rfb-mag", 0.5, *options, "--epochs", 1)
    bdfa.train("dfa", "--gradient", "dfa", "--rfb-mag", 0.5, "--epochs", 1)
    half, same, dfa = (
        read_checkpoint(Path(name) / "checkpoint.h5").weights["linear1.W"] for name in ("half", "same", "dfa")
    )
    assert same.tobytes() == dfa.tobytes() != half.tobytes()


NOT_THERE = ("bfa", "ifa", "sdfa", "drtp", "frozen")
"""Rules that refuse a container, that want units with a bound, or that learn less in three epochs."""


@pytest.mark.parametrize("gradient", [name for name in RULES if name not in NOT_THERE])
def test_the_documented_net_with_a_container_learns_by_every_rule(bdfa, tmp_path, documented, gradient):
    (tmp_path / "damped.py").write_text(documented["Damped"])
    options = ["--network", "damped.py", "--gradient", gradient, "--epochs", 3, "--save", "run"]
    assert bdfa("train", *LEARNS[:2], *LEARNS[4:], *options).code == 0
    assert load_run("run").network["damped1.linear2"].W.shape == (100, 100)
    assert "error " in bdfa("evaluate", "run").out
    assert read_checkpoint(Path("run/checkpoint.h5")).history[-1].test_error < 0.2


def test_the_documented_net_with_a_container_is_refused_by_bfa_which_needs_a_chain(bdfa, tmp_path, documented):
    (tmp_path / "damped.py").write_text(documented["Damped"])
    line = bdfa.refused("train", *LEARNS[:2], "--network", "damped.py", "--gradient", "bfa")
    assert "--gradient bfa cannot train --network" in line
    assert "damped1" in line
