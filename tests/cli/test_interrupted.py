"""Runs that are interrupted, terminated or killed, and go on as if nothing had happened."""

import random
import signal
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from bdfa_np.cli.display import Display
from bdfa_np.runs.checkpoint import read_checkpoint, write_checkpoint

VARIANTS = [
    "--gradient bp --optimization sgd --momentum 0.9 --lr 1e-3",
    "--gradient fa --optimization adam --lr-decay 0.01",
    "--gradient dfa --rfb-mag 0.1 --weight-decay 1e-3",
    "--gradient bfa --epoch-step 2",
    "--gradient bdfa --validate",
    "--gradient bdfa --feedback-target label --epoch-step 0 --criterion ce",
    "--gradient bfa --dropout 1 --batchnorm 1 --optimization nag --momentum 0.5",
    "--gradient dfa --dropout 1 --batchnorm 1 --eps 0.05 --acc-gradient 1 --max-in-norm 2 --optimization adadelta",
    "--gradient bp --criterion mse --clip-norm 0.5 --optimization adamw --weight-decay 0.1 --init orthogonal",
    "--gradient bdfa --augment crop-flip --normalization channel --criterion mse",
    "--gradient bfa --criterion mse --clip-norm 0.5 --init kaiming",
    "--gradient fa --optimization sgd --momentum 0.9 --dampening 0 --clip-norm 0.1 --init xavier",
    "--gradient fa --dropout 2 --const-batch-size --nonlin relu --optimization asgd",
]


def epochs_done(folder):
    return read_checkpoint(folder / "checkpoint.h5").progress.epoch


@pytest.mark.parametrize("options", VARIANTS)
def test_a_run_resumed_after_epoch_3_equals_one_in_one_go(bdfa, result, tmp_path, options):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    bdfa.train(whole, *options.split(), "--epochs", 6)
    bdfa.train(parts, *options.split(), "--epochs", 3)
    assert epochs_done(parts) == 3
    assert "resumed after epoch 3" in bdfa.resume(parts, "--epochs", 6).out
    assert result(parts) == result(whole)


@pytest.mark.parametrize("rule", ["bp", "fa", "dfa", "bfa", "bdfa"])
def test_a_run_of_conv_resumed_half_way_equals_one_in_one_go(bdfa, result, tmp_path, monkeypatch, rule):
    monkeypatch.setattr("bdfa_np.networks.conv.CHANNELS", (4, 5, 6))  # narrow: in-process runs of a few seconds
    monkeypatch.setattr("bdfa_np.networks.conv.UNITS", (11, 10))
    options = (
        "--dataset mnist-5k --network conv --train-limit 200 --test-limit 50 --dropout 1 --batchnorm 1 --threads 1"
    )
    call = ("train", *options.split(), "--gradient", rule)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert bdfa(*call, "--save", whole, "--epochs", 4).code == 0
    assert bdfa(*call, "--save", parts, "--epochs", 2).code == 0
    bdfa.resume(parts, "--epochs", 4)
    assert result(parts) == result(whole)


def interrupt_at(monkeypatch, epoch, step):
    """Press Ctrl-C after a training step."""
    started = []
    epoch_begins = Display.epoch_begins

    def remember(self, number, *rest):
        started.append(number)
        epoch_begins(self, number, *rest)

    def press(_self, done):
        if (started[-1], done) == (epoch, step):
            raise KeyboardInterrupt

    monkeypatch.setattr(Display, "epoch_begins", remember)
    monkeypatch.setattr(Display, "step", press)


@pytest.mark.parametrize("epoch", [1, 3])
def test_ctrl_c_in_mid_epoch_says_in_one_line_how_to_go_on_from_the_last_whole_one(bdfa, result, tiny, epoch):
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, epoch, 2)
        outcome = bdfa("train", *tiny, "--epochs", 4, "--save", "my run")
    assert outcome.code == 130
    assert outcome.err == (
        f"interrupted: my run holds {epoch - 1} whole epochs; go on with: bdfa train --save 'my run' --resume\n"
    )
    assert epochs_done(Path("my run")) == epoch - 1
    bdfa.resume("my run")
    bdfa.train("whole", "--epochs", 4)
    assert result(Path("my run")) == result(Path("whole"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_child_with_one_line_and_nothing_is_lost(bdfa, result, tiny, number):
    options = [*tiny, "--train-limit", 4000, "--seed", 3]
    with bdfa.start("train", *options, "--epochs", -1, "--save", "run") as child:
        bdfa.read_until(child, "epoch 2:")
        child.send_signal(number)
        try:
            _, err = child.communicate(timeout=20)
        finally:
            child.kill()  # it has no bound of its own
    done = epochs_done(Path("run"))
    assert child.returncode == 130
    epochs = "1 whole epoch" if done == 1 else f"{done} whole epochs"
    assert err == f"interrupted: run holds {epochs}; go on with: bdfa train --save run --resume\n"
    bdfa.resume("run", "--epochs", done + 1)
    bdfa.train("whole", *options, "--epochs", done + 1)
    assert result(Path("run")) == result(Path("whole"))


def test_a_run_killed_at_any_moment_again_and_again_comes_to_the_same_bits(bdfa, result, tiny):
    moments = random.Random(0)
    run = Path("run")
    arguments = options = [*tiny, "--gradient", "bdfa", "--seed", 5]
    for _ in range(4):
        with bdfa.start("train", *arguments, "--epochs", -1, "--save", run) as child:
            bdfa.read_until(child, "run folder:")
            with pytest.raises(TimeoutExpired):
                child.wait(moments.uniform(0, 0.3))
            child.kill()
        # With all options: on a busy machine the first may be killed before there is a run to go on with.
        arguments = [*options, "--resume"]
    done = epochs_done(run)
    assert done > 0
    bdfa.resume(run, "--epochs", done + 1)
    bdfa.train("whole", "--seed", 5, "--epochs", done + 1)
    assert result(run) == result(Path("whole"))
    assert not list(run.glob(".*.partial"))


def test_what_a_kill_left_half_written_is_cleaned_up_and_nothing_else(bdfa, tmp_path):
    run = tmp_path / "run"
    bdfa.train(run, "--epochs", 1)
    (run / ".checkpoint.h5.partial").write_bytes(b"half")
    (run / ".thesis.partial").write_text("not ours")
    bdfa.resume(run, "--epochs", 2)
    assert [path.name for path in run.glob(".*.partial")] == [".thesis.partial"]


def test_figures_older_than_the_checkpoint_are_written_anew_on_resume(bdfa, result, tmp_path):
    run, whole = tmp_path / "run", tmp_path / "whole"
    bdfa.train(run, "--epochs", 1)
    old = {name: (run / name).read_bytes() for name in ("metrics.csv", "ErrorRate.log", "confusion.csv")}
    bdfa.resume(run, "--epochs", 2)
    for name, content in old.items():  # as if killed between the checkpoint and what follows from it
        (run / name).write_bytes(content)
    (run / "Log.txt").write_bytes(b"\xff\xfe half a line")
    bdfa.resume(run)
    bdfa.train(whole, "--epochs", 2)
    assert result(run) == result(whole)


def test_a_loss_that_is_no_number_says_at_which_step_and_keeps_the_untrained_net(bdfa, tiny):
    line = bdfa.refused("train", *tiny, "--lr", "1e38", "--epochs", 3, "--save", "run")
    assert "the loss is nan at step 2 of epoch 1 (step 2 of the run)" in line
    assert epochs_done(Path("run")) == 0
    assert bdfa("evaluate", "run").code == 0


def test_a_loss_that_is_no_number_later_keeps_the_last_good_checkpoint(bdfa, tmp_path):
    run = tmp_path / "run"
    bdfa.train(run, "--epochs", 2)
    before = bdfa("evaluate", run).out
    checkpoint = read_checkpoint(run / "checkpoint.h5")
    checkpoint.learning_rate = 1e300
    write_checkpoint(run / "checkpoint.h5", checkpoint)
    kept = (run / "checkpoint.h5").read_bytes()
    line = bdfa.refused("train", "--save", run, "--resume", "--epochs", 4)
    assert "the loss is nan at step 2 of epoch 3 (step 12 of the run)" in line
    assert (run / "checkpoint.h5").read_bytes() == kept
    assert bdfa("evaluate", run).out == before
