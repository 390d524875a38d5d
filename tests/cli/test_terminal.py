"""Terminals, pipes and shells around ``bdfa``."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")


@pytest.fixture
def training(tiny):
    return ["train", *tiny, "--epochs", "2", "--save", "run", "--backend", "numpy"]


def test_without_a_terminal_there_are_plain_lines_alone(bdfa, training):
    outcome = bdfa.child(*training)
    assert (outcome.code, outcome.err) == (0, "")
    assert ESCAPE not in outcome.out
    assert "\r" not in outcome.out
    starts = ["mnist-5k: ", "28x28x1, ", "mlp ", "rmsprop ", "run folder: ", "mean: ", " ", " "]
    starts += ["epoch 1/2: ", "epoch 2/2: ", "done: "]
    *lines, seconds = outcome.out.splitlines()
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))
    assert re.fullmatch(r"\d+\.\d s in all, run folder: run", seconds)


def test_a_terminal_shows_a_bar_that_counts_the_batches_and_the_same_lines(bdfa, training):
    code, sent = bdfa.on_a_terminal(*training)
    assert code == 0
    assert "━" in sent
    assert re.search(r"5/5", sent)
    assert re.search(r"epoch 1/2: +\d", sent)
    assert COLOUR.search(sent)
    assert re.search(r"epoch 1/2: +\d", Path("run/Log.txt").read_text())
    assert ESCAPE not in Path("run/Log.txt").read_text()


def test_no_color_is_respected(bdfa, training):
    code, sent = bdfa.on_a_terminal(*training, NO_COLOR="1")
    assert code == 0
    assert "━" in sent
    assert not COLOUR.search(sent)


def test_a_dumb_terminal_gets_no_escapes(bdfa, training):
    code, sent = bdfa.on_a_terminal(*training, TERM="dumb")
    assert code == 0
    assert ESCAPE not in sent
    assert "done: test error" in sent


def test_an_error_on_a_terminal_is_one_line_too(bdfa):
    code, sent = bdfa.on_a_terminal("train", "--lr", "-1")
    assert code == 2
    assert sent == "bdfa: error: --lr must be a finite number greater than 0, not -1.0\r\n"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_an_output_encoding_without_greek_letters_ends_nothing(bdfa, encoding):
    outcome = bdfa.child("train", "--help", env={"PYTHONIOENCODING": encoding}, encoding=encoding)
    assert (outcome.code, outcome.err) == (0, "")
    assert "--feedback-alpha" in outcome.out


def test_a_name_that_looks_like_an_emoji_is_printed_as_it_is(bdfa):
    assert "run folder: :smile:[red]\n" in bdfa.train(":smile:[red]", "--epochs", 1).out


def test_a_reader_that_goes_away_ends_the_run_which_says_how_it_can_go_on(bdfa, tiny):
    with bdfa.start("train", *tiny, "--epochs", "-1", "--save", "run") as child:
        bdfa.read_until(child, "epoch 1:")
        child.stdout.close()
        said = child.stderr.read()
        child.wait(timeout=60)
    assert child.returncode == 141
    assert re.fullmatch(r"stopped, since nobody reads .*; go on with: bdfa train --save run --resume\n", said)
    bdfa.resume("run", "--epochs", 2)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_what_its_shell_can_read(bdfa, shell):
    outcome = bdfa("completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    assert "_BDFA_COMPLETE" in outcome.out
    assert "bdfa" in outcome.out
    program = shutil.which(shell)
    if program:
        check = subprocess.run([program, "-n"], input=outcome.out, text=True, capture_output=True, check=False)
        assert (check.returncode, check.stderr) == (0, "")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("bdfa ", {"train", "evaluate", "info", "completion"}),
        ("bdfa train --gradient ", {"bp", "fa", "dfa", "bfa", "bdfa"}),
        ("bdfa train --dataset mn", {"mnist", "mnist-5k"}),
        ("bdfa train --optimization ", {"sgd", "rmsprop", "adam"}),
        ("bdfa train --num", {"--num-layers", "--num-hidden"}),
        ("bdfa evaluate run --split ", {"test", "validation"}),
    ],
)
def test_a_shell_completes_commands_options_and_values(bdfa, typed, offered):
    words = typed.split()
    position = len(words) if typed.endswith(" ") else len(words) - 1
    environment = {"_BDFA_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(position)}
    outcome = bdfa.child(env=environment)
    assert (outcome.code, outcome.err) == (0, "")
    found = {line.split(",", 1)[1] for line in outcome.out.splitlines()}
    assert offered <= found
    assert not any(name.startswith("-") for name in found) or typed.endswith("--num")
