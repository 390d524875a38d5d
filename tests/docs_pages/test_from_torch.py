"""The page on moving over has each option of the Torch program, and names none of ours that does not exist."""

import re
from pathlib import Path

import click
import pytest

from bdfa_np.cli.group import bdfa
from bdfa_np.options.catalogue import OPTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "from-torch.md").read_text(encoding="utf-8")
TABLE = PAGE.split("## Each option")[1].split("\n## ")[0]
ROWS = [
    [cell.strip() for cell in row.strip("| ").split(" | ")] for row in re.findall(r"^\| `-.*$", TABLE, re.MULTILINE)
]

DATA = "dataset datapath preProcDir normalization format whiten augment validate"
NET = "modelsFolder network nonlin num_layers num_hidden dropout batchnorm bias"
LEARNING = "gradient rfb_mag criterion optimization LR LRDecay weightDecay momentum"
TRAINING = "maxInNorm maxOutNorm eps accGradient batchSize constBatchSize epoch epoch_step load save"
MACHINE = "threads type devid nGPU visualize"
TORCH = " ".join([DATA, NET, LEARNING, TRAINING, MACHINE]).split()
"""What ``th Main.lua`` takes, typed from its README and, of two that are not in it, from its code."""
OTHER_NAME = {"-type": "--backend", "-devid": "--device", "-nGPU": "--devices"}
"""Those that stand for an option of another kind, or for none."""


@pytest.fixture(scope="module")
def spellings():
    """Give, for each spelling that ``bdfa train`` takes, all those of the same option."""
    with click.Context(bdfa) as context:
        train = bdfa.get_command(context, "train")
    return {one: parameter.opts for parameter in train.params for one in parameter.opts}


def test_each_option_of_the_torch_program_has_its_row():
    assert sorted(row[0] for row in ROWS) == sorted(f"`-{name}`" for name in TORCH)


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip("`") for row in ROWS])
def test_it_is_taken_as_it_was_spelt_and_is_the_option_beside_it(row, spellings):
    there, here = row[0].strip("`"), row[1].strip("`")
    assert there in spellings
    assert here == OTHER_NAME[there] if there in OTHER_NAME else here in spellings[there]


def test_no_option_is_named_that_does_not_exist(spellings):
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", PAGE))
    assert len(named) > 40
    assert named - spellings.keys() == set()


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip("`") for row in ROWS])
def test_a_default_is_the_one_that_is_told(row):
    name = row[1].removeprefix("`--").rstrip("`").replace("-", "_")
    default = OPTIONS[name].default if name in OPTIONS else None
    told = row[2].split("here ")[-1].split(",")[0].split(" (")[0].strip("`").lower().removesuffix(".lua")
    if isinstance(default, bool) and OPTIONS[name].is_flag:
        assert (default, told) == (False, "off")
    elif default is not None:
        told = told.removesuffix(": off")
        assert told == str(default).lower() or float(told) == float(default)


def test_what_is_said_to_be_refused_is_refused_and_said_to_be_left_out():
    gone = {"cg", "lbfgs", "fista", "cmaes", "de"}
    (told,) = (set(re.findall(r"`(\w+)`", row[3])) for row in ROWS if row[0] == "`-optimization`")
    assert gone == set(OPTIONS["optimization"].absent)
    assert told - gone == set(OPTIONS["optimization"].choices) - {"rmsprop"}  # the default, in its own column
