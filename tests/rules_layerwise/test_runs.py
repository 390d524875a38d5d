"""The layerwise rules from the command line and in Python: options, what a run keeps and says, and that it learns."""

from pathlib import Path

import numpy as np
import pytest

from bdfa_np import PFA, USF, Config, Linear, Sequential, build_model, load_run
from bdfa_np.errors import ConfigError
from bdfa_np.layers.base import ParameterSpec
from bdfa_np.rules import RULES
from bdfa_np.runs.checkpoint import read_checkpoint

NAMES = ["usf", "brsf", "frsf", "kp", "wm", "pfa"]
LEARNS = ["--dataset", "mnist-5k", "--num-hidden", 40, "--num-layers", 2, "--threads", 1, "--epochs", 1, "--lr", "3e-3"]


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_learns(bdfa, name):
    outcome = bdfa("train", *LEARNS, "--gradient", name, "--save", "run")
    assert (outcome.code, outcome.err) == (0, "")
    assert read_checkpoint(Path("run/checkpoint.h5")).history[-1].test_error < 0.6


def test_a_run_of_mirrors_says_after_each_epoch_how_long_feedback_is_beside_the_weights(bdfa):
    outcome = bdfa.train("run", "--gradient", "wm", "--epochs", 2)
    for text in (outcome.out, Path("run/Log.txt").read_text()):
        lines = text.splitlines()
        for number in (1, 2):
            (place,) = (place for place, line in enumerate(lines) if line.startswith(f"epoch {number}/2"))
            assert lines[place + 1].startswith("  ‖B‖/‖W‖, from the lowest layer up: ")
    model = load_run("run")
    lengths = [np.linalg.norm(a) for name, B in model.rule.B.items() for a in (B, model.network[name].W)]
    assert lines[place + 1].endswith(" ".join(f"{b / w:.3g}" for b, w in zip(*[iter(lengths)] * 2, strict=True)))
    assert "‖B‖" not in bdfa.train("other", "--gradient", "kp", "--epochs", 1).out


def test_a_note_of_many_layers_is_broken_into_lines_of_eighty_columns():
    from bdfa_np.runs.lines import rule_lines

    lines = rule_lines(["‖B‖/‖W‖, from the lowest layer up: " + " ".join(["0.123"] * 30), "short"])
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "  short"


OPTIONS = {
    "usf": {"sign_scale": "weights"},
    "brsf": {"sign_scale": "weights"},
    "frsf": {"sign_scale": "weights"},
    "kp": {"rfb_mag": 0.3},
    "wm": {"rfb_mag": 0.3, "mirror_lr": 0.5, "mirror_decay": 0.25},
    "pfa": {"feedback_expansion": 3},
}


@pytest.mark.parametrize("name", NAMES)
def test_options_reach_the_rule_and_are_shown_by_it(name):
    model = build_model(Config(gradient=name, num_hidden=8, **OPTIONS[name]), (4, 4, 1), 3)
    assert model.config.initial == "uniform"
    for argument, value in (("scale", "weights"), ("magnitude", 0.3), ("mirror_lr", 0.5), ("expansion", 3)):
        if hasattr(model.rule, argument):
            assert getattr(model.rule, argument) == value
            assert f"{argument}={value!r}" in repr(model.rule)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--gradient usf --sign-scale mine", "'mine' is not one of 'xavier', 'weights'"),
        ("--gradient kp --sign-scale weights", "--sign-scale has no part in --gradient kp, only in usf, brsf, frsf"),
        ("--gradient usf --rfb-mag 0.1", "--rfb-mag has no part in --gradient usf"),
        ("--gradient kp --mirror-lr 1", "--mirror-lr has no part in --gradient kp, only in wm"),
        ("--gradient wm --mirror-lr -1", "--mirror-lr must be a finite number of 0 or more, not -1"),
        ("--gradient wm --mirror-lr nan", "--mirror-lr must be a finite number of 0 or more, not nan"),
        ("--gradient wm --mirror-decay 1", "--mirror-decay must be at least 0 and less than 1, not 1"),
        ("--gradient pfa --feedback-expansion 0", "--feedback-expansion must be a whole number from 1 to 1000, not 0"),
        ("--gradient bp --feedback-expansion 2", "--feedback-expansion has no part in --gradient bp, only in pfa"),
        *((f"--gradient {name} --init zero", f"--init zero has no part in --gradient {name}") for name in NAMES),
    ],
)
def test_what_a_rule_cannot_use_is_refused_in_one_line(bdfa, options, line):
    assert line in bdfa.refused("train", "--dataset", "mnist-5k", *options.split())


def test_a_rule_in_python_refuses_what_it_cannot_use(backend):
    def network(last):
        return Sequential([Linear(3), last], (3,), backend=backend)

    with pytest.raises(ValueError, match=r"^unknown sign scale 'mine': choose from xavier, weights$"):
        USF(network(Linear(2)), scale="mine")
    with pytest.raises(ValueError, match=r"^an expansion must be 1 or more, not 0$"):
        PFA(network(Linear(2)), expansion=0)
    with pytest.raises(ValueError, match="the weights of linear2 start without a spread: --sign-scale xavier"):
        USF(network(Linear(2, initial="zero")), scale="weights")
    assert USF(network(Linear(2, initial="zero"))).s


def test_the_deviation_of_what_is_drawn_is_that_of_its_interval():
    assert ParameterSpec((7,), bound=0.6, constant=5).standard_deviation == pytest.approx(0.6 / 3**0.5)
    assert ParameterSpec((3, 5, 4), orthogonal=True).standard_deviation == pytest.approx(15**-0.5)


def test_the_same_in_a_file_and_in_python_comes_to_the_same_configuration(bdfa, tmp_path):
    (tmp_path / "wm.toml").write_text('gradient = "wm"\nmirror_lr = 0.5\nmirror_decay = 0.25\n')
    bdfa.train("run", "--config", "wm.toml", "--epochs", 1)
    config = load_run("run").config
    assert (config.gradient, config.mirror_lr, config.mirror_decay, config.sign_scale) == ("wm", 0.5, 0.25, None)
    resolved = Config(gradient="wm").resolve()
    assert (resolved.mirror_lr, resolved.mirror_decay) == (0.01, 0.001)
    with pytest.raises(ConfigError, match="no part in --gradient bp"):
        Config(gradient="bp", mirror_lr=0.5).resolve()


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_says_what_it_is(name):
    rule = RULES[name]
    assert rule.group == "layerwise"
    assert rule.errors_from == "the layer above"
    assert all((rule.summary, rule.formula, rule.trains, rule.source))
    assert not rule.starts_at_zero
    assert rule.__doc__.splitlines()[0].startswith("``δ_l = ")
