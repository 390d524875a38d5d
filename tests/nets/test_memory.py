"""What ``--dry-run`` says of the memory that training takes, beside what is counted and what is measured."""

import os
import re
import sys

import pytest

from bdfa_np import Config, build_model
from bdfa_np.runs import memory
from bdfa_np.runs.memory import TrainingMemory, kept_arrays, megabytes, saving_memory, training_memory, trial_steps

SMALL = {"num_hidden": 20, "num_layers": 2}
WEIGHTS = 4 * 20 + 20 + 20 * 20 + 20 + 20 * 3 + 3
FEEDBACK = 2 * 3 * 20


def model_of(shape=(4,), classes=3, **options):
    return build_model(Config(**options), shape, classes)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"gradient": "bp", "optimization": "sgd"}, 2 * WEIGHTS),  # and gradients
        ({"gradient": "bp", "optimization": "sgd", "momentum": 0.9}, 3 * WEIGHTS),
        ({"gradient": "bp", "optimization": "adam"}, 4 * WEIGHTS),
        ({"gradient": "dfa", "optimization": "rmsprop"}, 3 * WEIGHTS + FEEDBACK),
        ({"gradient": "bdfa", "optimization": "rmsprop"}, 3 * WEIGHTS + FEEDBACK),  # it follows outputs, no gradient
        # W and B of all layers but the lowest, with what an optimizer keeps of them
        ({"gradient": "kp", "optimization": "rmsprop"}, 3 * (WEIGHTS + 20 * 20 + 20 * 3)),
        # γ and β, and the running mean and variance, of 20 units twice
        ({"gradient": "bp", "optimization": "sgd", "batchnorm": 1}, 2 * (WEIGHTS + 80) + 80),
    ],
    ids=str,
)
def test_what_lasts_from_step_to_step_is_counted_to_the_byte(options, numbers):
    model = model_of(**SMALL, **options)
    assert sum(array.nbytes for array in kept_arrays(model)) == 4 * numbers
    assert training_memory(model, data=0, program=0).weights == 4 * numbers


def test_a_checkpoint_takes_copies_of_weights_and_feedback_and_the_file():
    model = model_of(gradient="bdfa", optimization="adam", **SMALL)
    assert saving_memory(model) == 4 * ((WEIGHTS + FEEDBACK) + (3 * WEIGHTS + FEEDBACK))


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"network": "lenet", "gradient": "dfa"}, (32, 32, 1)),
        ({"network": "mlp", "gradient": "bp", "eps": 0.1, **SMALL}, (40, 40, 1)),
    ],
    ids=str,
)
def test_buffers_of_a_whole_batch_follow_from_those_of_few_samples(options, shape, monkeypatch):
    _, whole = trial_steps(model_of(shape, batch_size=64, **options))
    monkeypatch.setattr(memory, "LARGEST_TRIAL", 0.4 * whole[-1])
    sizes, _ = trial_steps(model_of(shape, batch_size=64, **options))
    assert sizes[-1] < 64
    told = training_memory(model_of(shape, batch_size=64, **options), data=0, program=0).step
    assert told == pytest.approx(whole[-1], rel=0.15)


def test_buffers_hold_at_least_what_a_pass_must_keep():
    # of lenet: outputs of three convolutions and two poolings, in float32
    per_sample = 4 * (28 * 28 * 6 + 14 * 14 * 6 + 10 * 10 * 16 + 5 * 5 * 16 + 120)
    sizes, buffers = trial_steps(model_of((32, 32, 1), network="lenet", gradient="bp", batch_size=48))
    assert sizes == [1, 2, 4, 8, 16, 32, 48]
    assert 48 * per_sample < buffers[-1] < 6 * 48 * per_sample


def test_the_sum_and_its_parts_are_told_in_lines_of_80_columns():
    told = TrainingMemory(200_000_000, 3_000_000, 89_400_000, 1_256_000_000, 500)
    assert told.lines(64) == [
        "memory: about 1.5 GB for training:",
        "  Python and libraries 200 MB, data 3 MB, weights and what trains them 89 MB,",
        "  batch of 64 1.3 GB, saving 0 kB",
    ]
    assert [megabytes(size) for size in (1_499, 999_999, 1e6, 999.4e6, 12e9)] == [
        "1 kB",
        "1000 kB",
        "1 MB",
        "999 MB",
        "12.0 GB",
    ]


def test_a_run_that_does_not_fit_is_noted_before_it_begins(bdfa, tiny):
    out = bdfa("train", *tiny, "--dry-run", "--batch-size", 10**9).out
    (note,) = (line for line in out.splitlines() if line.startswith("note: training would need "))
    assert re.fullmatch(r"note: .* GB of memory, and .* GB: choose a smaller --batch-size or net", note)
    assert "note:" not in bdfa("train", *tiny, "--dry-run").out


def test_a_mistake_in_a_step_of_a_rule_of_ones_own_is_told_as_theirs(bdfa, tmp_path):
    rule = "import bdfa_np\n\nclass Mine(bdfa_np.Rule):\n    def visit(self, *_):\n        return 1 / 0\n"
    (tmp_path / "mine.py").write_text(rule)
    line = bdfa.refused("train", "--dataset", "mnist-5k", "--dry-run", "--gradient", tmp_path / "mine.py")
    assert "mine.py, line 5" in line


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the peak of a child is told by POSIX systems")
@pytest.mark.parametrize(
    "options",
    [
        "--network mlp --num-hidden 1500 --gradient dfa --optimization adam",
        "--network lenet --resize 32 --gradient bp",
        "--network resnet20 --gradient bp --batch-size 32 --train-limit 1600",
        "--network conv --gradient bp --train-limit 2560",
        "--network conv --gradient fa --train-limit 2560 --batch-size 32",
    ],
)
def test_what_is_told_is_what_a_run_takes(options, bdfa):
    # More than a hundred steps, after which loops are compiled; one process each, whose peak is its own.
    arguments = ["train", "--dataset", "mnist-5k", "--threads", "1", "--epochs", "1", *options.split()]
    told = re.search(r"memory: about ([\d.]+) (MB|GB)", bdfa.child(*arguments, "--dry-run").out)
    assert told is not None
    process = bdfa.start(*arguments, "--save", "run", stdout=None)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert float(told[1]) * {"MB": 1e6, "GB": 1e9}[told[2]] == pytest.approx(peak, rel=0.15)
