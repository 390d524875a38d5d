"""Flags that may be given a value: `--held-out`, and `--held-out 5000`."""

import click
import pytest
from click.testing import CliRunner

from bdfa_np.cli.command import Command
from bdfa_np.cli.options import _config_option
from bdfa_np.declaration import Option, positive

COUNT = Option("held_out", False, "Hold some out.", torch="-heldOut", is_flag=True, also=(int, float), check=positive)
KIND = Option("altered", False, "Alter them.", is_flag=True, also=(str,), choices=("crop", "flip"))


@click.command(cls=Command)
@_config_option(COUNT, "Data")
@_config_option(KIND, "Data")
@click.option("--epochs", type=int)
def command(held_out, altered, epochs):
    click.echo(repr((held_out, altered, epochs)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", (False, False, None)),
        ("--held-out", (True, False, None)),
        ("--held-out --epochs 3", (True, False, 3)),
        ("-heldOut --altered", (True, True, None)),
        ("--held-out 1", (1, False, None)),
        ("--held-out=5000 --altered crop", (5000, "crop", None)),
        ("--held-out 0.25", (0.25, False, None)),
        ("--held-out true", (True, False, None)),
        ("--held-out FALSE", (False, False, None)),
    ],
)
def test_a_flag_stands_alone_or_takes_a_value_of_the_first_type_that_fits(arguments, expected):
    outcome = CliRunner().invoke(command, arguments.split())
    assert outcome.output.strip() == repr(expected)  # True is not the number 1


def test_a_value_of_no_type_that_it_has_is_refused():
    outcome = CliRunner().invoke(command, ["--held-out", "many"])
    assert outcome.exit_code == 2
    assert "'many' is not a valid bool or int or float" in outcome.output


def test_the_help_shows_that_a_value_may_be_left_out():
    text = CliRunner().invoke(command, ["--help"]).output
    assert "-heldOut, --held-out [N]" in text
    assert "--altered [crop|flip]" in text


def test_what_it_may_be_in_a_file_follows_too():
    assert [COUNT.fits(value) for value in (True, 5, 0.5, "5", None)] == [True, True, True, False, False]
    assert [KIND.fits(value) for value in (True, "crop", 1)] == [True, True, False]
    assert KIND.problem(True) is None
    assert KIND.problem("crop") is None
    assert KIND.problem("turn") == "turn: choose from crop, flip"
    assert COUNT.problem(-1) == "must be a finite number greater than 0, not -1"


def test_what_is_a_text_on_the_command_line_may_be_a_number_in_a_file_too():
    every = Option("every", "1", "How often.", also=(int,))
    assert [every.fits(value) for value in ("5", 5, "5steps", True, 0.5)] == [True, True, True, False, False]
