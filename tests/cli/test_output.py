"""What ``bdfa`` prints and writes when all goes well."""

import csv
import re
import tomllib
from pathlib import Path

import click
import numpy as np
import pytest

import bdfa_np
from bdfa_np.cli.commands.train import train
from bdfa_np.data import load_dataset, split
from bdfa_np.data.sources.registry import ENTRIES
from bdfa_np.data.stratified import stratified
from bdfa_np.options.catalogue import OPTIONS
from bdfa_np.options.config import Config
from bdfa_np.random_streams import Streams

TEXTS = {"config.toml", "metrics.csv", "ErrorRate.log", "confusion.csv", "Log.txt"}
FILES = {*TEXTS, "checkpoint.h5", "history.bin", "preprocessing.h5", "result.toml"}
COLUMNS = "epoch,lr,train_loss,train_error,train_error_mean,test_loss,test_error,seconds"
NOTE = "note: dfa keeps its feedback fixed"


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def matrix(path):
    with path.open(newline="") as file:
        return np.array([line[1:] for line in csv.reader(file)][1:], int)


@pytest.fixture
def run(bdfa):
    bdfa.train(Path("run"), "--epochs", 3, "--lr", "1e-3")
    return Path("run")


def test_the_torch_programs_command_line_works(bdfa):
    options = (
        "-dataset mnist-5k -network mlp.lua -LR 1e-4 -epoch 1 -batchSize 32 -num_layers 1 -num_hidden 20 -bias 0 "
        "-gradient dfa -nonlin sigm -criterion ce -rfb_mag 0.1 -optimization sgd -momentum 0.9 -LRDecay 0.1 "
        "-weightDecay 1e-4 -epoch_step -1 -threads 1 -validate -save run"
    )
    outcome = bdfa("train", *options.split())
    assert (outcome.code, outcome.err) == (0, "")
    written = tomllib.loads(Path("run/config.toml").read_text())["options"]
    wanted = {"network": "mlp", "lr": 1e-4, "epochs": 1, "batch_size": 32, "num_layers": 1, "num_hidden": 20}
    wanted |= {"bias": False, "gradient": "dfa", "nonlin": "sigm", "criterion": "ce", "rfb_mag": 0.1}
    wanted |= {"optimization": "sgd", "momentum": 0.9, "lr_decay": 0.1, "weight_decay": 1e-4, "validate": True}
    assert {name: written[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("options", "times"), [(["-gradient", "dfa"], 1), (["--gradient", "dfa"], 0), (["-gradient", "bp"], 0), ([], 0)]
)
def test_only_the_torch_program_s_own_spelling_is_told_once_that_dfa_keeps_its_feedback(bdfa, options, times):
    assert bdfa.train("run", "--epochs", 1, *options).out.count(NOTE) == times


@pytest.mark.parametrize(
    "declared", [option for name, option in OPTIONS.items() if name != "rule_options"], ids=lambda option: option.name
)
def test_every_option_of_a_run_is_on_the_command_line_with_the_same_default(declared):
    option = next(param for param in train.params if param.name == declared.name)
    names, text = option.get_help_record(click.Context(train))
    assert declared.flag in names
    assert option.type_cast_value(click.Context(train), option.default) == declared.default
    if declared.default is not None and not declared.is_flag:
        default = int(declared.default) if isinstance(declared.default, bool) else declared.default
        assert f"[default: {default}" in text
    if declared.torch:
        assert declared.torch in names


def test_every_torch_spelling_of_the_original_is_taken():
    spellings = {spelling for param in train.params for spelling in param.opts}
    original = "network criterion nonlin num_layers num_hidden bias rfb_mag LR LRDecay weightDecay momentum batchSize"
    original += " optimization epoch epoch_step gradient threads save dataset datapath validate"
    assert {f"-{name}" for name in original.split()} <= spellings


@pytest.mark.parametrize("command", [[], ["train"], ["evaluate"], ["info"], ["doctor"], ["completion"]])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_a_help_page(bdfa, command, option):
    if command and option == "-h":
        assert bdfa(*command, "-h").out == bdfa(*command, "--help").out
    outcome = bdfa(*command, option)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(" ".join(["Usage: bdfa", *command]))


def test_version_is_the_packages(bdfa):
    assert bdfa("--version").out == f"bdfa {bdfa_np.__version__}\n"


def test_info_names_versions_blas_backends_and_folders(bdfa, monkeypatch, tmp_path):
    monkeypatch.setenv("BDFA_DATA_DIR", str(tmp_path / "digits"))
    outcome = bdfa("info")
    assert (outcome.code, outcome.err) == (0, "")
    for line in (
        rf"bdfa-np +{re.escape(bdfa_np.__version__)}",
        rf"numpy +{re.escape(np.__version__)}",
        r"python +3\.",
        r"h5py +\d",
        r"BLAS +.*\d+ threads?",
        r"cores +\d+ usable",
        r"numpy +backend works; elementwise loops .+",
        r"cupy +backend (works|missing: .+)",
        r"data sets +mnist, mnist-5k",
        rf"data +{re.escape(str(tmp_path / 'digits'))} \(BDFA_DATA_DIR\)",
    ):
        assert re.search(rf"^{line}", outcome.out, re.MULTILINE), line


def test_a_run_folder_holds_the_documented_files_and_no_others(run):
    assert {path.name for path in run.iterdir()} - {".lock"} == FILES


def test_metrics_has_the_documented_columns_and_a_row_an_epoch(run):
    assert (run / "metrics.csv").read_text().splitlines()[0] == COLUMNS
    found = rows(run / "metrics.csv")
    assert [row["epoch"] for row in found] == ["1", "2", "3"]
    mean = 1.0
    for row in found:
        mean = 0.75 * mean + 0.25 * float(row["train_error"])
        assert float(row["train_error_mean"]) == mean
        assert 0 <= float(row["test_error"]) <= 1
        assert float(row["lr"]) == 1e-3


def test_error_rate_log_is_written_as_torchs_logger_did(run):
    wanted = "Training Error\tTest Error\t\n"
    for row in rows(run / "metrics.csv"):
        wanted += "%11.4e\t%11.4e\t\n" % (float(row["train_error"]), float(row["test_error"]))  # noqa: UP031 - Torch's
    assert (run / "ErrorRate.log").read_bytes() == wanted.encode()


def test_the_printed_figures_are_those_of_metrics_and_the_log_holds_what_was_printed(bdfa):
    out = bdfa.train(Path("run"), "--epochs", 3).out
    assert Path("run/Log.txt").read_text().endswith(out)
    lines = [line for line in out.splitlines() if line.startswith("epoch ")]
    for line, row in zip(lines, rows(Path("run/metrics.csv")), strict=True):
        assert line.startswith(f"epoch {row['epoch']}/3: ")
        errors = [f"{float(row[name]):.2%}" for name in ("train_error", "train_error_mean", "test_error")]
        train_loss, test_loss = (f"{float(row[name]):.4f}" for name in ("train_loss", "test_loss"))
        others = [f"{float(row['lr']):.3g}", f"{float(row['seconds']):.1f}"]
        assert line.split()[2:] == [*errors[:2], train_loss, errors[2], test_loss, *others]


def test_config_holds_every_resolved_option_versions_backend_and_data(bdfa):
    options = {"dataset": "mnist-5k", "num_hidden": 20, "train_limit": 300, "test_limit": 100, "threads": 1}
    bdfa.train(Path("run"), "--epochs", 1, "--gradient", "bfa", "--seed", 7)
    written = tomllib.loads(Path("run/config.toml").read_text())
    resolved = Config(**options, epochs=1, gradient="bfa", seed=7).resolve()
    assert written["options"] == resolved.to_mapping()
    assert written["options"]["feedback_output"] == "sigmoid"
    assert written["run"]["backend"] == "numpy"
    assert {"python", "bdfa-np", "numpy", "scipy", "h5py"} <= written["versions"].keys()
    assert written["data"]["checksums"] == {"mnist_5k.h5": ENTRIES["mnist-5k"].publications[0].bundled.sha256_content}
    assert written["data"]["parts"] == "mnist-5k: 300 of 4000 training images and 100 of 1000 test images"


def test_limits_take_every_class_in_its_proportion(run):
    assert matrix(run / "confusion.csv").sum(axis=1).tolist() == [10] * 10
    data = load_dataset("mnist-5k")
    wanted = stratified(data.train_labels, 300, Streams(0).generator("subset", "train"))
    assert (split(data, train_limit=300).train_labels == data.train_labels[wanted]).all()


def figures(out):
    """Return the error, each class's error and the confusion matrix that ``bdfa evaluate`` printed."""
    lines = [line for line in out.splitlines() if not line.startswith("note: ")]
    error = float(re.match(r"error ([\d.]+)%", lines[2])[1]) / 100
    table = [line.split() for line in lines[5:]]
    return error, np.array([row[1:-1] for row in table], int), [float(row[-1].rstrip("%")) / 100 for row in table]


@pytest.mark.parametrize(("options", "part", "images"), [([], "test", 1000), (["--validate"], "validation", 800)])
def test_evaluate_finds_the_runs_last_error_and_every_class_of_it(bdfa, options, part, images):
    run = Path("run")
    assert bdfa("train", "--dataset", "mnist-5k", "--num-hidden", 20, "--epochs", 2, "--save", run, *options).code == 0
    outcome = bdfa("evaluate", run, "--split", part)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"run after 2 epochs, on {images:,} {part} images of mnist-5k" in outcome.out
    error, confusion, class_errors = figures(outcome.out)
    assert (confusion == matrix(run / "confusion.csv")).all()
    assert error == pytest.approx(float(rows(run / "metrics.csv")[-1][f"{part}_error"]), abs=6e-5)
    assert class_errors == pytest.approx(1 - confusion.diagonal() / confusion.sum(axis=1), abs=6e-5)


def test_evaluate_uses_the_real_and_whole_test_set_however_the_run_was_limited(bdfa):
    bdfa.train(Path("run"), "--epochs", 1, "--validate")
    _, confusion, _ = figures(bdfa("evaluate", "run").out)
    assert confusion.sum(axis=1).tolist() == [100] * 10
    _, confusion, _ = figures(bdfa("evaluate", "run", "--split", "validation").out)
    assert confusion.sum() == 800


def test_evaluate_has_no_validation_part_of_a_run_without_one(bdfa, run):
    assert "trained without --validate" in bdfa.refused("evaluate", run, "--split", "validation")


def test_a_run_without_a_name_gets_a_folder_of_its_own_under_runs(bdfa, tiny):
    for _ in range(2):
        assert bdfa("train", *tiny, "--epochs", 1).code == 0
    assert len(list(Path("runs").iterdir())) == 2


def test_a_net_learns_the_digits(bdfa):
    options = "--dataset mnist-5k --num-hidden 50 --epochs 3 --lr 1e-3 --save run"
    assert bdfa("train", *options.split()).code == 0
    assert float(rows(Path("run/metrics.csv"))[-1]["test_error"]) < 0.2
