"""What is asked back where an option or a command is not there: by its meaning, in names that there are."""

import re

import click
import pytest

from bdfa_np.cli.commands.train import train
from bdfa_np.cli.group import COMMANDS
from bdfa_np.cli.group import bdfa as group
from bdfa_np.options.hints import COMMANDS as OTHER_COMMANDS
from bdfa_np.options.hints import OPTIONS as OTHER_OPTIONS
from bdfa_np.options.hints import meant

SPELLINGS = {spelling for param in train.params for spelling in param.opts}


def offered(line):
    return re.findall(r"'([^']+)'", line.partition("Did you mean ")[2])


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("--learning-rate", "--lr"),
        ("--learning_rate", "--lr"),
        ("-learningRate", "--lr"),
        ("--gpu", "--backend cupy"),
        ("--batchsize", "--batch-size"),
        ("--batch_size", "--batch-size"),
        ("--epoch", "--epochs"),
        ("--optimizer", "--optimization"),
        ("--hidden", "--num-hidden"),
        ("--layers", "--num-layers"),
        ("--model", "--network"),
        ("--rule", "--gradient"),
        ("--loss", "--criterion"),
        ("--num-hiden", "--num-hidden"),
        ("-droput", "--dropout"),
    ],
)
def test_an_option_is_known_by_what_it_is_called_elsewhere_and_by_its_letters(bdfa, typed, wanted):
    line = bdfa.refused("train", typed, 1)
    assert f"No such option '{typed}'. Did you mean" in line
    assert offered(line) == [wanted]


def test_what_is_asked_back_can_be_given(bdfa, tiny):
    assert offered(bdfa.refused("train", "--cpu")) == ["--backend numpy"]
    assert bdfa("train", *tiny, "--epochs", 1, *["--backend", "numpy"]).code == 0


def test_an_option_like_no_other_is_refused_without_a_question(bdfa):
    assert bdfa.refused("train", "--frobnicate").endswith("No such option '--frobnicate'.")


def test_a_suggestion_names_only_what_the_command_has(bdfa):
    names = [name for others in OTHER_OPTIONS.values() for name in others]
    found = [offer for name in names for offer in offered(bdfa.refused("train", f"--{name}"))]
    assert len(found) > 100
    assert {offer.split()[0] for offer in found} <= SPELLINGS | {"--help"}
    assert offered(bdfa.refused("evaluate", "run", "--learning-rate", 1)) == []
    assert offered(bdfa.refused("evaluate", "run", "--gpu")) == ["--backend cupy"]
    context = click.Context(group)
    names = [name for others in OTHER_COMMANDS.values() for name in others if name not in COMMANDS]
    for offer in (offer for name in names for offer in offered(bdfa.refused(name))):
        first, *rest = offer.split()
        command = group.get_command(context, first)
        assert command is not None, offer
        if rest and isinstance(command, click.Group):
            assert command.get_command(click.Context(command), rest[0]) is not None, offer
        elif rest:
            assert rest[0] in {spelling for param in command.params for spelling in param.opts}, offer


def test_one_that_is_not_there_yet_is_asked_for_once_it_is():
    assert meant("--early-stopping", OTHER_OPTIONS, {"--lr": "--lr"}) == ""
    assert meant("--early-stopping", OTHER_OPTIONS, {"--patience": "--patience"}) == " Did you mean '--patience'?"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("trian", "train"),
        ("Train", "train"),
        ("run", "train"),
        ("test", "evaluate"),
        ("eval", "evaluate"),
        ("draw", "plot"),
        ("man", "help"),
        ("download", "data fetch"),
        ("data ls", "list"),
        ("data remove", "clear"),
        ("data fecth", "fetch"),
        ("help trian", "train"),
    ],
)
def test_a_command_is_known_by_what_it_is_called_elsewhere_and_by_its_letters(bdfa, typed, wanted):
    line = bdfa.refused(*typed.split())
    assert f"No such command '{typed.split()[-1]}'." in line
    assert offered(line) == [wanted]


@pytest.mark.parametrize(
    ("device", "backend"), [("cuda", "cupy"), ("cuda:1", "cupy"), ("GPU", "cupy"), ("cpu", "numpy")]
)
def test_a_kind_of_device_is_answered_with_the_option_for_it(bdfa, device, backend):
    line = bdfa.refused("train", "--device", device)
    assert line.endswith(f"'{device}' is not a valid integer; where to compute is --backend {backend}")


def test_several_devices_are_answered_with_the_option_for_them_where_there_is_one(bdfa):
    assert bdfa.refused("train", "--device", "0,1").endswith("'0,1' is not a valid integer; several are --devices 0,1")
    assert bdfa.refused("evaluate", "run", "--device", "0,1").endswith("'0,1' is not a valid integer")


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("--gpus", ["--devices"]), ("--nproc", ["--processes"]), ("--distributed", ["--devices", "--processes"])],
)
def test_several_devices_or_processes_are_known_by_what_they_are_called_elsewhere(bdfa, typed, wanted):
    assert offered(bdfa.refused("train", typed, 2)) == wanted


@pytest.mark.parametrize("typed", ["init", "create"])
def test_a_new_study_is_known_by_what_that_is_called_elsewhere(bdfa, typed):
    assert offered(bdfa.refused("study", typed, "sweep.toml")) == ["new"]


def test_jobs_are_workers_where_there_are_some(bdfa):
    assert offered(bdfa.refused("study", "run", "--jobs", 2)) == ["--workers", "--threads"]
    assert offered(bdfa.refused("train", "--jobs", 2)) == ["--threads"]
