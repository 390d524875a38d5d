"""Options that cannot be used: one line, exit code 2, and nothing written."""

import subprocess
import sys
from pathlib import Path

import pytest

from bdfa_np.cli.outcome import one_line

BAD_VALUES = [
    ("--gradient hebb", "--gradient hebb: unknown rule 'hebb': choose from bp, fa, dfa, bfa, bdfa, "),
    ("--dataset imagenet", "'imagenet' is not one of"),
    ("-network my.lua", "/Models/my.py"),
    ("--nonlin swish", "'swish' is not one of"),
    ("--criterion hinge", "'hinge' is not one of"),
    ("--optimization lbfgs", "--optimization lbfgs is not carried over from Torch's optim: choose from sgd, nag, "),
    ("--bias maybe", "'maybe' is not a valid boolean"),
    ("--lr fast", "'fast' is not a valid float"),
    ("--epochs 1.5", "'1.5' is not a valid integer"),
    ("--lr -1", "--lr must be a finite number greater than 0, not -1"),
    ("-LR 0", "--lr must be a finite number greater than 0, not 0"),
    ("--lr nan", "--lr must be a finite number greater than 0, not nan"),
    ("--lr inf", "--lr must be a finite number greater than 0, not inf"),
    ("--lr-decay -1", "--lr-decay must be a finite number of 0 or more"),
    ("--weight-decay nan", "--weight-decay must be a finite number of 0 or more"),
    ("--optimization sgd --momentum 1", "--momentum must be at least 0 and less than 1"),
    ("--optimization sgd --momentum nan", "--momentum must be at least 0 and less than 1"),
    ("--rfb-mag -0.1", "--rfb-mag must be at least 0 and at most 1e6"),
    ("--feedback-lr -1", "--feedback-lr must be a finite number of 0 or more"),
    ("--feedback-alpha inf", "--feedback-alpha must be a finite number of 0 or more"),
    ("--num-layers -1", "--num-layers must be a whole number from 0 to 1000, not -1"),
    ("--num-layers 0", "--num-layers 0 has no hidden layer"),
    ("--num-hidden 0", "--num-hidden must be a whole number from 1 to 1000000, not 0"),
    ("--num-hidden -5", "--num-hidden must be"),
    ("--batch-size 0", "--batch-size must be a whole number of 1 or more"),
    ("--epochs 0", "--epochs must be 1 or more, or -1"),
    ("--epochs -2", "--epochs must be"),
    ("--epoch-step -2", "--epoch-step must be"),
    ("--seed -1", "--seed must be"),
    ("--threads 0", "--threads must be"),
    ("--device -1", "--device must be a whole number of 0 or more"),
    ("--gpu-memory 0", "--gpu-memory must be at least 0.001 and at most 1e6, not 0"),
    ("--gpu-memory lots", "'lots' is not a valid float"),
    ("--train-limit 0", "--train-limit must be"),
    ("--test-limit -3", "--test-limit must be"),
    ("--train-limit 4001", "--train-limit 4001 is not possible"),
]

NOT_TOGETHER = [
    ("--gradient bfa --feedback-lr 1e-3", "--feedback-lr has no part in --gradient bfa"),
    ("--gradient dfa --feedback-lr 1e-3", "--feedback-lr has no part in --gradient dfa"),
    ("--gradient fa --feedback-target label", "--feedback-target has no part in --gradient fa"),
    ("--gradient bdfa --feedback-output linear", "--feedback-output has no part in --gradient bdfa"),
    ("--gradient bp --rfb-mag 0.1", "--rfb-mag has no part in --gradient bp"),
    ("--feedback-target label --feedback-alpha 0.5", "--feedback-alpha has no part in --feedback-target label"),
    ("--momentum 0.9", "--optimization rmsprop has no --momentum"),
    ("--optimization adam --momentum 0.9", "--optimization adam has no --momentum"),
    ("--lr-decay 0.1", "--optimization rmsprop has no --lr-decay"),
    ("--resume --force", "--resume and --force exclude each other"),
    ("--resume --dry-run", "--resume and --dry-run exclude each other"),
]

UNKNOWN = [
    ("--frobnicate", "No such option '--frobnicate'"),
    ("--num-hiden 20", "No such option '--num-hiden'"),
    ("-droput 1", "No such option '-droput'"),
    ("-learningRate 0.1", "No such option '-learningRate'"),
    ("surplus", "unexpected extra argument (surplus)"),
    ("--lr", "Option '--lr' requires an argument"),
]


@pytest.mark.parametrize(("options", "message"), BAD_VALUES + NOT_TOGETHER + UNKNOWN)
def test_an_option_that_cannot_be_used_is_refused_before_anything_is_written(bdfa, options, message):
    line = bdfa.refused("train", "--dataset", "mnist-5k", "--save", "run", *options.split())
    assert message in line
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("trian", "No such command 'trian'"),
        ("train --resume", "--resume needs --save RUN"),
        ("evaluate", "Missing argument 'RUN'"),
        ("evaluate nowhere", "there is no run in nowhere"),
        ("evaluate nowhere --split train", "'train' is not one of"),
        ("completion tcsh", "'tcsh' is not one of"),
        ("info --verbose", "No such option '--verbose'"),
        ("--dataset mnist-5k", "No such option '--dataset'"),
    ],
)
def test_a_command_that_cannot_be_understood_is_refused(bdfa, arguments, message):
    assert message in bdfa.refused(*arguments.split())


@pytest.mark.parametrize("arguments", ["--debug train --lr -1", "train --lr -1 --debug", "train --foo --debug"])
def test_debug_shows_the_traceback_and_keeps_the_exit_code(bdfa, arguments):
    outcome = bdfa(*arguments.split())
    assert outcome.code == 2
    assert outcome.err.startswith("Traceback")


def test_a_net_that_no_memory_can_hold_is_refused_in_one_line(bdfa, tiny):
    line = bdfa.refused("train", *tiny, "--num-hidden", 1000000, "--num-layers", 1000, "--save", "run")
    assert "not enough memory" in line
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("limit", "advice"),
    [
        ("", "): choose a smaller net, batch or data set"),
        (
            ", limit set to: 53,687,091 bytes",
            "): give more by --gpu-memory, or choose a smaller net, batch or data set",
        ),
    ],
)
def test_memory_that_was_limited_may_be_given_more(limit, advice):
    error = MemoryError(f"Out of memory allocating 29,781,504 bytes (allocated so far: 33,556,992 bytes{limit}).")
    assert one_line(error, "train").endswith(advice)


def test_a_mistake_in_a_child_ends_it_with_one_line_and_code_2(bdfa):
    outcome = bdfa.child("train", "--lr", "-1")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "bdfa: error: --lr must be a finite number greater than 0, not -1.0\n"


def test_the_program_alone_prints_its_help_and_ends_with_code_2(bdfa):
    outcome = bdfa()
    assert outcome.code == 2
    assert "Usage: bdfa" in outcome.err + outcome.out


def test_help_of_the_program_loads_no_numpy(tmp_path):
    code = (
        "import sys; from bdfa_np.cli.group import bdfa; from bdfa_np.cli.outcome import run; run(bdfa, ['--help']);"
        "run(bdfa, ['train', '--help']); sys.exit('numpy' in sys.modules or 'h5py' in sys.modules)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    assert subprocess.run(command, cwd=tmp_path, check=False, stdout=subprocess.DEVNULL).returncode == 0
