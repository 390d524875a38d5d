"""Options from a file, what ``--dry-run`` shows, weights from another run, and the curves."""

import re
import struct
import sys
import tomllib
import zlib
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from bdfa_np.runs.checkpoint import read_checkpoint
from bdfa_np.runs.folder import CURVES
from bdfa_np.system.extras import install_command

CONV = ["--dataset", "cifar10", "--network", "conv", "--dry-run"]


@pytest.fixture
def run(bdfa):
    """Give a run whose options are none of the defaults."""
    options = "--lr 1e-3 --nonlin sigm --gradient bdfa --feedback-target label --batch-size 32 --batchnorm 1 --seed 3"
    bdfa.train("run", "--epochs", 2, *options.split(), "--dropout", 1)
    return Path("run")


def write(**options):
    """Write a file of options and return its name."""
    Path("options.toml").write_text(tomli_w.dumps(options))
    return "options.toml"


def shown(out):
    """Return the cells of the printed tables, by the first of each row."""
    rows = [
        [cell.strip() for cell in line.strip("│┃ ").split("│")] for line in out.splitlines() if line.startswith("│")
    ]
    return {first: rest for first, *rest in rows}


def test_the_config_of_a_run_brings_the_same_bits_again(bdfa, run, result):
    outcome = bdfa("train", "--config", run / "config.toml", "--save", "again")
    assert (outcome.code, outcome.err) == (0, "")
    assert result(Path("again")) == result(run)
    before, after = (tomllib.loads((folder / "config.toml").read_text()) for folder in (run, Path("again")))
    assert before == after


def test_the_command_line_goes_before_the_file_and_the_file_before_the_default(bdfa, tiny, result):
    file = write(num_hidden=7, lr=0.5, epochs=9)
    options = [*tiny, "--config", file, "--epochs", 1]
    rows = shown(bdfa("train", *options, "--dry-run").out)
    assert rows["--num-hidden"] == ["20", "command line"]
    assert rows["--epochs"] == ["1", "command line"]
    assert rows["--lr"] == ["0.5", file]
    assert rows["--batch-size"] == ["64", "default"]
    assert rows["--feedback-lr"] == ["5e-05", "follows from the others"]
    assert bdfa("train", *options, "--save", "run").code == 0
    bdfa.train("wanted", "--lr", 0.5, "--epochs", 1)
    assert result(Path("run")) == result(Path("wanted"))


@pytest.mark.parametrize("table", [{"options": {"num-hidden": 9}}, {"num-hidden": 9}, {"num_hidden": 9}])
def test_a_file_has_a_table_of_options_or_nothing_else_in_either_spelling(bdfa, table):
    assert shown(bdfa("train", "--config", write(**table), "--dry-run").out)["--num-hidden"][0] == "9"


NOTE = "goes with another choice than yours: left out"


@pytest.mark.parametrize(
    ("file", "options", "left_out"),
    [
        (
            {"rfb_mag": 0.1, "feedback_lr": 1e-3, "feedback_target": "torch", "feedback_alpha": 0.5},
            "--gradient bp",
            "all",
        ),
        ({"feedback_lr": 1e-3, "rfb_mag": 0.1}, "--gradient dfa", ["feedback_lr"]),
        ({"gradient": "bfa", "feedback_output": "linear"}, "--gradient fa", ["feedback_output"]),
        ({"feedback_alpha": 0.5}, "--feedback-target label", "all"),
        ({"feedback_alpha": 0.5}, "--feedback-target torch", []),
        ({"feedback_alpha": 0.5}, "--gradient bfa", "all"),
        ({"feedback_target": "torch", "feedback_alpha": 0.5}, "--gradient bfa", "all"),
        ({"feedback_target": "mixed", "feedback_alpha": 0.5}, "--gradient bfa", []),
        ({"gradient": "bfa", "feedback_target": "label"}, "--gradient bdfa", ["feedback_target"]),
        ({"gradient": "bdfa", "feedback_target": "centred"}, "--gradient bfa", ["feedback_target"]),
        ({"gradient": "bdfa", "feedback_target": "torch"}, "--gradient bdfa", []),
        ({"optimization": "sgd", "momentum": 0.9, "lr_decay": 0.1}, "--optimization rmsprop", ["lr_decay", "momentum"]),
        ({"weight_decay": 0.1, "epoch_step": 3}, "--optimization rprop", "all"),
        ({"lr": 1e-4}, "--optimization adadelta", "all"),
        ({"lr": 2e-4}, "--optimization adadelta", []),
        ({"lr": 1e-4}, "--optimization adam", []),
        ({"num_hidden": 9, "num_layers": 1, "bias": False}, "--network conv", ["num_hidden", "num_layers"]),
        ({"network": "conv", "batchnorm": 2}, "--network mlp", ["batchnorm"]),
        ({"eps": 0.1, "acc_gradient": True}, "--eps 0", ["acc_gradient"]),
        ({"device": 1}, "--backend numpy", "all"),
        ({"device": 1}, "-type float", "all"),
        ({"momentum": 0.0, "feedback_lr": 1e-3}, "--gradient bdfa --optimization adam", []),
    ],
)
def test_what_a_choice_on_the_command_line_has_no_use_for_is_left_out_with_a_note(bdfa, file, options, left_out):
    outcome = bdfa("train", "--config", write(**file), *options.split(), "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    notes = [line for line in outcome.out.splitlines() if line.startswith("note: ")]
    assert [re.match(r"note: (\w+) = .* of options.toml (.*)", line).groups() for line in notes] == [
        (name, NOTE) for name in sorted(file if left_out == "all" else left_out)
    ]


def test_a_note_stands_in_the_log_too(bdfa, tiny):
    outcome = bdfa("train", *tiny, "--config", write(rfb_mag=0.1), "--gradient", "bp", "--epochs", 1, "--save", "run")
    line = f"note: rfb_mag = 0.1 of options.toml {NOTE}"
    assert line in outcome.out.splitlines()
    assert line in Path("run/Log.txt").read_text().splitlines()


BAD_FILES = {
    "no TOML": (b"lr: 3", "is not a TOML file"),
    "binary": (b"\x89HDF\r\n\x1a\n\0\xff", "is not a TOML file"),
    "endless number": (b"seed = 1" + b"0" * 5000, "is not a TOML file"),
    "endless nesting": (b"lr = " + b"[" * 5000 + b"]" * 5000, "is not a TOML file"),
    "unknown option": (b"learning_rate = 0.1", "unknown option 'learning_rate'"),
    "another table": (b"[run]\nlr = 0.1", "unknown option 'run'"),
    "wrong type": (b'lr = "fast"', "option 'lr' has a value of the wrong type: 'fast'"),
    "float for a whole number": (b"epochs = 1.0", "option 'epochs' has a value of the wrong type"),
    "number for a switch": (b"bias = 1", "option 'bias' has a value of the wrong type"),
    "options no table": (b"options = 3", "[options] must be a table"),
    "huge rate": (b"lr = 1" + b"0" * 400, "option 'lr' has more digits than any option takes"),
    "huge seed": (b"seed = 1" + b"0" * 40, "option 'seed' has more digits than any option takes"),
    "null character": (b'datapath = "a\\u0000b"', "option 'datapath' holds a null character"),
    "nan": (b"lr = nan", "--lr must be a finite number greater than 0, not nan"),
    "infinity": (b"eps = inf", "--eps must be a finite number of 0 or more, not inf"),
    "out of range": (b"epochs = 0", "--epochs must be 1 or more"),
    "no choice": (b'gradient = "hebb"', "--gradient hebb: unknown rule 'hebb': choose from"),
    "not together": (b'gradient = "bp"\nrfb_mag = 0.1', "--rfb-mag has no part in --gradient bp"),
    **{name: (f'{name} = "x"'.encode(), f"unknown option '{name}'") for name in ("save", "load", "config")},
    **{name: (f"{name} = true".encode(), f"unknown option '{name}'") for name in ("resume", "force", "dry_run")},
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_in_one_line_before_anything_is_written(bdfa, content, message):
    Path("bad.toml").write_bytes(content)
    for options in (["--save", "run"], ["--dry-run"]):
        assert message in bdfa.refused("train", "--config", "bad.toml", *options)
    assert [path.name for path in Path().iterdir()] == ["bad.toml"]


@pytest.mark.parametrize(
    ("name", "message"), [("none.toml", "--config none.toml: cannot be read: No such"), (".", "is a folder")]
)
def test_a_file_that_is_none_is_refused(bdfa, name, message):
    assert message in bdfa.refused("train", "--config", name)


@pytest.mark.parametrize("dataset", ["mnist", "mnist-5k"])
def test_a_dry_run_reads_no_data_trains_nothing_and_writes_nothing(bdfa, monkeypatch, dataset):
    for name in ("bdfa_np.data.load_dataset", "bdfa_np.trainer.Trainer.run"):
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("a dry run did something"))
    outcome = bdfa("train", "--dataset", dataset, "--dry-run", "--save", "run")
    assert (outcome.code, outcome.err) == (0, "")
    assert list(Path().iterdir()) == []


def test_the_layer_table_of_mlp_has_the_numbers_worked_out_by_hand(bdfa):
    rows = shown(bdfa("train", "--dataset", "mnist", "--gradient", "dfa", "--dry-run").out)
    assert rows["linear1"] == ["800", "628,000", "0", "627,200"]  # 784·800 + 800
    assert rows["linear2"] == ["800", "640,800", "0", "640,000"]
    assert rows["feedback2"] == ["800", "0", "8,000", "0"]  # 10·800
    assert rows["linear3"] == ["10", "8,010", "0", "8,000"]
    assert rows["all"] == ["", "1,276,810", "16,000", "1,275,200"]
    rows = shown(bdfa("train", "--dataset", "mnist", "--gradient", "fa", "--bias", 0, "--dry-run").out)
    assert rows["linear2"] == ["800", "640,000", "640,000", "640,000"]
    assert rows["all"] == ["", "1,275,200", "648,000", "1,275,200"]


def test_the_layer_table_of_conv_has_the_numbers_worked_out_by_hand(bdfa):
    rows = shown(bdfa("train", *CONV).out)
    assert rows["conv1"] == ["32x32x96", "7,296", "0", "7,372,800"]  # 5·5·3·96 + 96; ·32·32
    assert rows["conv2"] == ["15x15x128", "307,328", "0", "69,120,000"]
    assert rows["pool3"] == ["3x3x256", "0", "0", "0"]
    assert rows["feedback1"] == ["15x15x96", "0", "216,000", "0"]
    assert rows["all"] == ["", "10,071,562", "342,720", "125,566,976"]


def test_a_path_is_shown_whole_whatever_it_looks_like(bdfa):
    path = f"/[/b][red]:smile:/{'long' * 40}"
    out = bdfa("train", "--datapath", path, "--dry-run").out
    cells = [line.split("│")[2].strip() for line in out.splitlines() if line.startswith("│")]
    assert path in "".join(cells)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(("spelling", "source"), [("--load", "run"), ("-load", "run/checkpoint.h5")])
def test_a_run_starts_from_the_weights_and_averages_of_another(bdfa, spelling, source):
    # At this rate nothing moves but the averages, by a tenth of the way to those of the one batch.
    options = (
        "--config run/config.toml --epochs 1 --lr 1e-30 --feedback-lr 0 --train-limit 32 --optimization sgd --seed 5"
    )
    outcome = bdfa("train", *options.split(), spelling, source, "--save", "new")
    assert (outcome.code, outcome.err) == (0, "")
    assert "loaded run/checkpoint.h5: weights and feedback after epoch 2" in outcome.out
    before, after = (read_checkpoint(Path(name) / "checkpoint.h5") for name in ("run", "new"))
    for group in ("weights", "feedback"):
        for name, array in getattr(before, group).items():
            np.testing.assert_allclose(getattr(after, group)[name], array, rtol=0, atol=1e-25)
    assert after.steps == 1
    for name in ("batchnorm1.running_mean", "batchnorm1.running_variance"):
        kept = 0.9 * before.layers[name]
        assert np.abs(after.layers[name] - kept).max() < 0.3 * np.abs(kept).max()


@pytest.mark.parametrize(
    ("rule", "taken"), [("bdfa", True), ("dfa", True), ("fa", False), ("bfa", False), ("bp", False)]
)
def test_feedback_is_taken_over_only_where_the_other_run_has_the_same(bdfa, rule, taken):
    bdfa.train("old", "--gradient", "bdfa", "--epochs", 1)
    still = ["--optimization", "sgd", "--lr", "1e-30", "--seed", 9, "--gradient", rule, "--epochs", 1]
    rate = ["--feedback-lr", 0] if rule == "bdfa" else []
    out = bdfa.train("new", *still, *rate, "--load", "old").out
    assert f"weights{' and feedback' if taken else ''} after epoch 1" in out
    before, after = (read_checkpoint(Path(name) / "checkpoint.h5").feedback for name in ("old", "new"))
    same = before.keys() == after.keys() and all((before[name] == after[name]).all() for name in before)
    assert same is taken


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--num-hidden 30 --load old", "--load old holds the weights of another net: linear1.W has the shape"),
        ("--num-layers 3 --load old", "holds the weights of another net: missing: linear4.W, linear4.b"),
        ("--batchnorm 1 --load old", "holds the weights of another net: missing: batchnorm1"),
        ("--load nowhere", "--load nowhere: there is no file nowhere"),
        ("--load empty", "--load empty: there is no file empty/checkpoint.h5"),
        ("--load old/config.toml", "old/config.toml is damaged"),
        ("--load cut.h5", "cut.h5 is damaged"),
    ],
)
def test_weights_that_cannot_be_loaded_are_refused_before_anything_is_written(bdfa, tiny, options, message):
    bdfa.train("old", "--epochs", 1)
    Path("empty").mkdir()
    content = Path("old/checkpoint.h5").read_bytes()
    Path("cut.h5").write_bytes(content[: len(content) // 2])
    assert message in bdfa.refused("train", *tiny, *options.split(), "--save", "run")
    assert not Path("run").exists()


def test_a_run_may_be_replaced_by_one_from_its_own_weights(bdfa):
    bdfa.train("run", "--epochs", 2)
    out = bdfa.train("run", "--epochs", 1, "--force", "--load", "run").out
    assert "after epoch 2" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-nGPU 2 --devices 0,2", "--devices 0,2 contradicts the Torch program's option"),
        ("-type float --backend cupy", "--backend cupy contradicts the Torch program's option"),
        ("-devid 2 --device 0", "--device 0 contradicts the Torch program's option"),
        ("-devid 0", "0 is not in the range"),
        ("-type double", "'double' is not one of"),
    ],
)
def test_the_torch_programs_choice_of_a_machine_is_refused_where_it_has_no_meaning(bdfa, options, message):
    assert message in bdfa.refused("train", *options.split())


def test_the_torch_programs_devices_count_from_1(bdfa):
    rows = shown(bdfa("train", "-devid", 3, "--dry-run").out)
    assert rows["--device"] == ["2", "command line"]
    rows = shown(bdfa("train", "-devid", 2, "-nGPU", 3, "--dry-run").out)
    assert rows["--devices"] == ["1,2,3", "command line"]


def test_without_matplotlib_curves_are_refused_before_training_starts(bdfa, tiny, monkeypatch):
    bdfa.train("old", "--epochs", 1, "--visualize", 1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for options in ([*tiny, "--visualize", 1, "--save", "run"], ["--save", "old", "--resume", "--epochs", 2]):
        assert f"install it with {install_command('plot')}" in bdfa.refused("train", *options)
    assert not Path("run").exists()
    assert len(read_checkpoint(Path("old/checkpoint.h5")).history) == 1


def chunks(png):
    """Return the kinds of a PNG's chunks, each of which must have its checksum."""
    kinds, place = [], 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        body = png[place + 4 : place + 8 + length]
        assert png[place + 8 + length : place + 12 + length] == struct.pack(">I", zlib.crc32(body))
        kinds.append(body[:4])
        place += 12 + length
    return kinds


def test_curves_are_a_whole_png_after_every_epoch_and_are_replaced_in_one_step(bdfa, tmp_path):
    pytest.importorskip("matplotlib", reason="curves are drawn with matplotlib, the extra plot")
    (tmp_path / "Models").mkdir()
    # What a title must not take for a formula.
    source = "from bdfa_np.networks.mlp import build"
    (tmp_path / "Models" / "a$b$.py").write_text(source)
    (tmp_path / "Models" / "$\\frac$.py").write_text(source)
    for name in ("a$b$", "$\\frac$"):
        bdfa.train("run", "--epochs", 1, "--visualize", 1, "--network", name, "--force")
    first, held = (tmp_path / "run" / CURVES).read_bytes(), (tmp_path / "run" / CURVES).open("rb")
    bdfa.resume("run", "--epochs", 2)
    with held:
        assert held.read() == first
    second = (tmp_path / "run" / CURVES).read_bytes()
    assert second != first
    for png in (first, second):
        kinds = chunks(png)
        assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")
        assert b"IDAT" in kinds


def test_a_run_on_a_cuda_device_is_evaluated_and_resumed_on_the_cpu_by_naming_its_backend(bdfa):
    bdfa.train("run", "--epochs", 1)
    config = Path("run/config.toml")
    config.write_text(config.read_text().replace("device = 0", "device = 1"))
    assert bdfa("evaluate", "run", "--backend", "numpy").code == 0
    bdfa.resume("run", "--backend", "numpy", "--epochs", 2)
    assert "device = 0" in config.read_text()


def test_a_dry_run_says_whether_the_weights_to_start_from_fit(bdfa):
    bdfa.train("run", "--epochs", 1)
    again = ("train", "--config", "run/config.toml", "--load", "run", "--dry-run")
    same = bdfa(*again)
    assert "loaded run/checkpoint.h5: weights and feedback after epoch 1" in same.out
    assert "another net" in bdfa.refused(*again, "--num-hidden", 7)
