"""Training with prepared data: the cache, resuming, evaluating, and data sets of the user's own."""

import csv
import re
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest

WHITEN = ["--whiten", "--resize", 7, "--zca-epsilon", 1]
PRINTED = 6e-5  # a printed percentage has two decimals


def save_own(path, shape=(6, 5, 3), seed=0):
    """Write a data set of the user's own, of 60 training and 20 test samples in 3 classes."""
    samples = np.random.default_rng(seed).integers(0, 256, (80, *shape), dtype=np.uint8)
    labels = np.arange(80) % 3
    parts = {"train": slice(60), "test": slice(60, None)}
    arrays = {f"{name}_images": samples[part] for name, part in parts.items()}
    np.savez(path, **arrays, **{f"{name}_labels": labels[part] for name, part in parts.items()})
    return path


def train_own(bdfa, dataset, save, *options):
    call = ["train", "--dataset", dataset, "--num-hidden", 8, "--batch-size", 16, "--threads", 1]
    return bdfa(*call, "--save", save, *options)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """Give the folder that prepared files go to, which is not there yet."""
    monkeypatch.setenv("BDFA_CACHE_DIR", str(tmp_path / "prepared"))
    return tmp_path / "prepared"


def options_of(run):
    return tomllib.loads((run / "config.toml").read_text())["options"]


def last_test_error(run):
    with (run / "metrics.csv").open(newline="") as file:
        *_, row = csv.DictReader(file)
    return float(row.get("validation_error") or row["test_error"])


def printed_error(outcome):
    assert (outcome.code, outcome.err) == (0, "")
    return float(re.search(r"^error ([\d.]+)%", outcome.out, re.MULTILINE)[1]) / 100


def test_the_second_run_finds_the_prepared_data_and_comes_to_the_same_bits(bdfa, cache, result):
    first, second = Path("first"), Path("second")
    lines = [bdfa.train(run, *WHITEN, "--epochs", 2).out.splitlines()[1] for run in (first, second)]
    assert lines[0].startswith("prepared and stored ")
    assert lines[1].startswith("cache hit: read ")
    (path,) = cache.glob("*.h5")
    for run, line in zip((first, second), lines, strict=True):
        assert line.endswith(str(path))
        assert line in (run / "Log.txt").read_text().splitlines()
    assert result(first) == result(second)


RESUMED = [
    "--whiten --resize 7",
    "--whiten --resize 7 --zca-epsilon 1 --validate --augment --gradient bdfa",
    "--augment",
    "--augment --dropout 1 --normalization image --resize 7",
    "--normalization simple --gradient bfa",
    "--normalization channel --validate",
]


@pytest.mark.parametrize("options", RESUMED)
def test_a_resumed_run_equals_one_in_one_go_and_evaluates_to_its_last_error(bdfa, tmp_path, result, options):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    bdfa.train(whole, *options.split(), "--epochs", 4)
    bdfa.train(parts, *options.split(), "--epochs", 2)
    bdfa.resume(parts, "--epochs", 4)
    assert result(parts) == result(whole)
    assert printed_error(bdfa("evaluate", parts)) == printed_error(bdfa("evaluate", whole))


def test_evaluate_gives_the_runs_own_error_also_with_another_cache_folder(bdfa, cache, tmp_path):
    run, elsewhere = Path("run"), tmp_path / "elsewhere"
    options = ["--dataset", "mnist-5k", "--train-limit", 300, "--num-hidden", 20, "--threads", 1]
    assert bdfa("train", *options, *WHITEN, "--epochs", 2, "--save", run).code == 0
    there = printed_error(bdfa("evaluate", run))
    assert there == pytest.approx(last_test_error(run), abs=PRINTED)
    assert printed_error(bdfa("evaluate", run, "--cache-dir", elsewhere)) == there
    names = {path.name for path in cache.glob("*.h5")}
    assert names == {path.name for path in elsewhere.glob("*.h5")}


def test_a_run_goes_on_when_its_prepared_data_are_gone(bdfa, cache, tmp_path, result):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    bdfa.train(whole, *WHITEN, "--epochs", 4)
    bdfa.train(parts, *WHITEN, "--epochs", 2)
    assert bdfa("data", "clear", "--yes").code == 0
    assert not list(cache.glob("*.h5"))
    bdfa.resume(parts, "--epochs", 4, "--cache-dir", tmp_path / "elsewhere")
    assert result(parts) == result(whole)


def test_what_was_held_out_and_the_test_set_are_both_evaluated(bdfa):
    run = Path("run")
    options = ["--dataset", "mnist-5k", "--train-limit", 300, "--num-hidden", 20, "--threads", 1]
    assert bdfa("train", *options, *WHITEN, "--validate", "--epochs", 2, "--save", run).code == 0
    validation, test = (bdfa("evaluate", run, "--split", split) for split in ("validation", "test"))
    assert "on 800 validation images" in validation.out
    assert "on 1,000 test images" in test.out
    assert printed_error(validation) == pytest.approx(last_test_error(run), abs=PRINTED)
    assert printed_error(test) != printed_error(validation)
    bdfa.train("without", *WHITEN, "--epochs", 1)
    assert "trained without --validate" in bdfa.refused("evaluate", "without", "--split", "validation")


@pytest.mark.parametrize(
    ("options", "output"),
    [
        ("", "sigmoid"),
        ("--normalization scale", "sigmoid"),
        ("--normalization simple", "linear"),
        ("--whiten --resize 7", "linear"),
        ("--whiten --resize 7 --feedback-output sigmoid", "sigmoid"),
    ],
)
def test_bfas_reconstruction_fits_the_range_of_its_inputs(bdfa, options, output):
    bdfa.train(Path("run"), "--gradient", "bfa", "--epochs", 1, *options.split())
    assert options_of(Path("run"))["feedback_output"] == output


def test_ones_own_data_are_trained_on_resumed_from_another_folder_and_evaluated(bdfa, tmp_path, result, monkeypatch):
    save_own(tmp_path / "own.npz")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train_own(bdfa, "own.npz", whole, "--whiten", "--epochs", 4).code == 0
    assert train_own(bdfa, "./own.npz", parts, "--whiten", "--epochs", 2).code == 0
    assert options_of(parts)["dataset"] == str(tmp_path / "own.npz")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    bdfa.resume(parts, "--epochs", 4)
    assert result(parts) == result(whole)
    outcome = bdfa("evaluate", parts)
    assert printed_error(outcome) == pytest.approx(last_test_error(parts), abs=PRINTED)
    assert "on 20 test images" in outcome.out
    assert list(elsewhere.iterdir()) == []


def test_a_dry_run_shows_the_layers_for_ones_own_data_and_writes_nothing(bdfa, cache):
    save_own(Path("own.npz"))
    outcome = bdfa("train", "--dataset", "own.npz", "--num-hidden", 8, "--whiten", "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    assert "mlp for own" in outcome.out
    assert re.search(rf"│ 8 +│ +{6 * 5 * 3 * 8 + 8} │", outcome.out)
    assert re.search(rf"│ 3 +│ +{8 * 3 + 3} │", outcome.out)
    assert not cache.exists()
    assert "nowhere.npz: cannot be read" in bdfa.refused("train", "--dataset", "nowhere.npz", "--dry-run")


def test_altered_data_of_ones_own_are_refused_by_name(bdfa):
    save_own(Path("own.npz"))
    assert train_own(bdfa, "own.npz", "run", "--epochs", 1).code == 0
    checkpoint = Path("run/checkpoint.h5").read_bytes()
    save_own(Path("own.npz"), seed=1)
    for command in (["train", "--resume", "--epochs", 2, "--save", "run"], ["evaluate", "run"]):
        line = bdfa.refused(*command)
        assert "the data differ from those of run: own.npz (SHA-256)" in line
    Path("own.npz").unlink()
    missing = f"the data of run are not in {Path('own.npz').resolve()}: say where they are with --dataset PATH"
    assert missing in bdfa.refused("evaluate", "run")
    assert Path("run/checkpoint.h5").read_bytes() == checkpoint


def test_vectors_are_trained_on_whitened_and_evaluated(bdfa):
    save_own(Path("vectors.npz"), (7,))
    for number, options in enumerate([[], ["--whiten"], ["--normalization", "image", "--validate"]]):
        outcome = train_own(bdfa, "vectors.npz", f"run{number}", "--epochs", 1, *options)
        assert (outcome.code, outcome.err) == (0, "")
        assert "\n7 columns, 3 classes, " in outcome.out
        assert bdfa("evaluate", f"run{number}").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--network conv", "conv"),
        ("--augment", "--augment needs images"),
        ("--resize 4", "--resize needs images"),
        ("--normalization channel", "--normalization channel needs images"),
        ("--format yuv", "--format yuv needs images of three colours"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_needs_images_is_refused_for_vectors_in_one_line(bdfa, options, message, dry):
    save_own(Path("vectors.npz"), (7,))
    line = bdfa.refused("train", "--dataset", "vectors.npz", *options.split(), "--save", "run", *dry)
    assert message in line
    assert "7" in line or "three colours" in line
    assert not Path("run").exists()


def damage(path):
    """Invert a byte in the middle of the images."""
    with h5py.File(path) as file:
        place = file["train/images"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place + 20] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil", [damage, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"x" * 99)]
)
def test_a_damaged_prepared_file_is_one_note_and_the_run_goes_on_with_the_same_data(bdfa, cache, tiny, result, spoil):
    whole, noted = Path("whole"), Path("noted")
    bdfa.train(whole, *WHITEN, "--epochs", 1)
    (path,) = cache.glob("*.h5")
    before = path.read_bytes()
    spoil(path)
    outcome = bdfa("train", *tiny, *WHITEN, "--epochs", 1, "--save", noted)
    assert outcome.code == 0
    assert re.fullmatch(rf"note: {re.escape(str(path))} is damaged \(.+\): preparing it anew\n", outcome.err)
    assert "\nprepared and stored " in outcome.out
    assert result(noted) == result(whole)
    assert path.read_bytes() == before


def test_a_prepared_file_of_a_later_version_is_refused_and_left_alone(bdfa, cache, tiny):
    bdfa.train(Path("run"), *WHITEN, "--epochs", 1)
    (path,) = cache.glob("*.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 99
    before = path.read_bytes()
    for command in (["train", *tiny, *WHITEN, "--save", "new"], ["train", "--save", "run", "--resume", "--epochs", 2]):
        line = bdfa.refused(*command)
        assert str(path) in line
        assert "later" in line
    assert path.read_bytes() == before
    assert not Path("new").exists()


def test_whitening_on_the_command_line_goes_before_a_files_normalization_with_a_note(bdfa, tiny):
    Path("file.toml").write_text('normalization = "simple"\nepochs = 1\n')
    outcome = bdfa("train", *tiny, *WHITEN, "--config", "file.toml", "--save", "run")
    assert (outcome.code, outcome.err) == (0, "")
    assert "note: normalization = simple of file.toml goes with another choice than yours: left out\n" in outcome.out
    options = options_of(Path("run"))
    assert options["whiten"]
    assert "normalization" not in options or not options["normalization"]
    line = bdfa.refused("train", *tiny, "--whiten", "--normalization", "simple")
    assert "--whiten takes the place of --normalization simple" in line


def test_a_runs_own_configuration_starts_the_same_run_again(bdfa, result):
    save_own(Path("own.npz"))
    assert train_own(bdfa, "own.npz", "first", "--whiten", "--gradient", "bfa", "--epochs", 2).code == 0
    outcome = bdfa("train", "--config", "first/config.toml", "--save", "second")
    assert (outcome.code, outcome.err) == (0, "")
    assert result(Path("first")) == result(Path("second"))


def test_a_normalization_on_the_command_line_goes_before_a_files_whitening_with_notes(bdfa):
    save_own(Path("own.npz"))
    options = ["--whiten", "--zca-epsilon", 1, "--gradient", "bfa", "--epochs", 1]
    assert train_own(bdfa, "own.npz", "first", *options).code == 0
    outcome = bdfa("train", "--config", "first/config.toml", "--normalization", "scale", "--save", "second")
    assert (outcome.code, outcome.err) == (0, "")
    for said in ("whiten = True", "zca_epsilon = 1.0"):
        assert f"note: {said} of first/config.toml goes with another choice than yours: left out\n" in outcome.out
    found = options_of(Path("second"))
    assert (found["whiten"], found["normalization"], found["feedback_output"]) == (False, "scale", "sigmoid")


def test_a_run_folder_says_what_it_was_trained_on(bdfa):
    path = save_own(Path("own.npz"))
    assert train_own(bdfa, path, "run", "--validate", "--train-limit", 30, "--epochs", 1).code == 0
    data = tomllib.loads(Path("run/config.toml").read_text())["data"]
    assert data["input_shape"] == [6, 5, 3]
    assert data["class_names"] == ["0", "1", "2"]
    assert list(data["checksums"]) == ["own.npz"]
    assert data["parts"] == "own: 30 of 48 training images and 12 validation images"
