"""``bdfa data prepare``: what it stores, and that no accident leaves half of it behind."""

import errno
import os
import random
import signal
import sys
import time
from pathlib import Path
from subprocess import TimeoutExpired

import numpy as np
import pytest

from bdfa_np.data.sources.registry import dataset_names

SMALL = ["data", "prepare", "mnist-5k", "--whiten", "--resize", "7", "--train-limit", "60", "--threads", "1"]
WHOLE = ["data", "prepare", "mnist-5k", "--whiten", "--threads", "1"]

LIMITED = """
import resource, sys
from bdfa_np.cli.group import bdfa
from bdfa_np.cli.outcome import run

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
sys.exit(run(bdfa, sys.argv[1:]))
"""


@pytest.fixture
def cache():
    """Give the folder that prepared files go to, which is not there yet."""
    return Path(os.environ["BDFA_CACHE_DIR"])


@pytest.fixture
def own(tmp_path):
    """Give a data set of the user's own, of 30 training and 12 test images in colour."""
    images = np.random.default_rng(0).integers(0, 256, (42, 6, 5, 3), dtype=np.uint8)
    labels = np.arange(42) % 3
    arrays = {"train_images": images[:30], "train_labels": labels[:30]}
    np.savez(tmp_path / "own.npz", **arrays, test_images=images[30:], test_labels=labels[30:])
    return tmp_path / "own.npz"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def check_nothing_is_left(cache):
    assert names(cache) == [".locks"]


def test_it_says_how_many_of_what_are_stored_where_and_the_second_time_that_they_were_there(bdfa, cache, own):
    first = bdfa("data", "prepare", own, "--validate")
    assert (first.code, first.err) == (0, "")
    counts, stored = first.out.splitlines()
    assert counts == "own: 24 training, 6 validation, 12 test samples of 6x5x3"
    (path,) = cache.glob("*.h5")
    assert stored.startswith("prepared and stored 4 kB of pixels in ")
    assert stored.endswith(f" s, {path}")
    before = path.read_bytes()
    second = bdfa("data", "prepare", own, "--validate")
    assert second.out.splitlines()[0] == counts
    assert second.out.splitlines()[1].startswith("cache hit: read 4 kB of pixels in ")
    assert path.read_bytes() == before
    assert names(cache) == [".locks", path.name]


def test_training_with_the_same_options_finds_what_was_prepared(bdfa, cache, own):
    options = ["--whiten", "--validate", "--seed", 3, "--train-limit", 20]
    assert bdfa("data", "prepare", own, *options).code == 0
    outcome = bdfa("train", "--dataset", own, *options, "--epochs", 1, "--num-hidden", 5, "--save", "run")
    assert (outcome.code, outcome.err) == (0, "")
    assert "\ncache hit: read " in outcome.out
    assert Path("run/Log.txt").read_text().endswith(outcome.out)
    assert len(list(cache.glob("*.h5"))) == 1


def test_a_data_set_is_the_same_from_another_folder_by_another_path(bdfa, own, tmp_path, monkeypatch):
    assert "prepared and stored" in bdfa("data", "prepare", "own.npz").out
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    assert "cache hit" in bdfa("data", "prepare", "../own.npz").out
    assert "cache hit" in bdfa("data", "prepare", own).out


def test_every_option_that_changes_the_data_changes_the_file(bdfa, cache, own):
    choices = ["", "--resize 4", "--format yuv", "--normalization simple", "--normalization channel", "--whiten"]
    choices += ["--whiten --zca-epsilon 1", "--validate", "--train-limit 20", "--train-limit 20 --seed 1"]
    for number, options in enumerate(choices):
        outcome = bdfa("data", "prepare", own, *options.split())
        assert (outcome.code, outcome.err) == (0, "")
        assert "prepared and stored" in outcome.out
        assert len(list(cache.glob("own-*.h5"))) == number + 1
    for options in ("--seed 1", "--threads 1", "--normalization scale", "--format rgb"):
        assert "cache hit" in bdfa("data", "prepare", own, *options.split()).out


def test_bundled_digits_that_gain_nothing_from_it_are_not_stored(bdfa, cache):
    outcome = bdfa("data", "prepare", "MNIST-5K", "--normalization", "channel")
    assert outcome.code == 0
    assert outcome.out.splitlines()[1] == "it comes with the package and needs no prepared file as it is"
    assert not cache.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("mnist-5k --whiten --normalization scale", "--whiten takes the place of --normalization scale"),
        ("mnist-5k --zca-epsilon 1", "--zca-epsilon has no part in what is done without --whiten"),
        ("mnist-5k --whiten --zca-epsilon 0", "--zca-epsilon must be"),
        ("mnist-5k --whiten --zca-epsilon nan", "--zca-epsilon must be"),
        ("mnist-5k --resize 0", "--resize must be a whole number from 1 to 1024, not 0"),
        ("mnist-5k --resize 1025", "--resize must be a whole number from 1 to 1024, not 1025"),
        ("mnist-5k --resize x", "'x' is not a valid integer"),
        ("mnist-5k --format yuv", "--format yuv needs images of three colours"),
        ("mnist-5k --format hsv", "'hsv' is not one of 'rgb', 'yuv'"),
        ("mnist-5k --train-limit 4001", "--train-limit 4001 is not possible"),
        ("mnist-5k --whiten --train-limit 1", "whiten"),
        ("mnist-5k --no-extra", "--no-extra has no part"),
        ("mnist-5k --epochs 3", "No such option '--epochs'"),
        ("stl10 --whiten", "--resize 52 or less"),
        ("stl10 --whiten --resize 53", "--resize 52 or less"),
        ("own.npz --no-extra", "--no-extra has no part in --dataset "),
        ("own.npz --whiten --resize 60", "--resize 52 or less"),
    ],
)
@pytest.mark.usefixtures("own")
def test_what_cannot_be_done_is_one_line_before_any_download_and_leaves_nothing(
    bdfa, cache, options, message, monkeypatch
):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    assert message in bdfa.refused("data", "prepare", *options.split())
    assert not cache.exists() or names(cache) == [".locks"]


def test_an_unknown_data_set_is_refused_with_all_names_and_a_word_on_paths(bdfa):
    line = bdfa.refused("data", "prepare", "digits")
    assert all(f"'{name}'" in line for name in dataset_names())
    assert "by a path, as in ./digits" in line


@pytest.mark.parametrize("place", ["afile", "afile/below", "/proc/nobody"])
def test_a_cache_folder_that_is_a_file_or_cannot_be_made_is_one_line(bdfa, monkeypatch, place):
    Path("afile").write_text("kept")
    assert place in bdfa.refused(*SMALL, "--cache-dir", place)
    monkeypatch.setenv("BDFA_CACHE_DIR", place)
    line = bdfa.refused(*SMALL)
    assert place in line
    assert "--cache-dir" in line
    assert Path("afile").read_text() == "kept"


def test_a_folder_in_place_of_the_prepared_file_is_one_line(bdfa, cache):
    assert bdfa(*SMALL).code == 0
    (path,) = cache.glob("*.h5")
    path.unlink()
    path.mkdir()
    assert f"{path} cannot be read: it is a folder" in bdfa.refused(*SMALL)
    assert path.is_dir()


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_a_file_larger_than_is_allowed_is_one_line_and_leaves_nothing(bdfa, cache):
    script, bdfa.script = bdfa.script, sys.executable
    outcome = bdfa.child("-c", LIMITED, *SMALL)
    bdfa.script = script
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "File too large: make room, or name another folder with --cache-dir" in outcome.err
    check_nothing_is_left(cache)
    assert "prepared and stored" in bdfa.child(*SMALL).out


def test_a_full_disk_is_one_line_that_says_what_helps_here_and_leaves_nothing(bdfa, cache, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        line = bdfa.refused(*SMALL)
    assert f"{cache}/mnist-5k-" in line
    assert line.endswith("No space left on device: make room, or name another folder with --cache-dir")
    check_nothing_is_left(cache)


def wait_for_partial(cache, child):
    """Wait until a child has begun to write."""
    while child.poll() is None and not (cache.exists() and list(cache.glob(".*.partial"))):
        time.sleep(0.005)
    assert child.poll() is None


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_with_one_line_and_leaves_no_partial_file(bdfa, cache, number):
    with bdfa.start(*WHOLE) as child:
        wait_for_partial(cache, child)
        child.send_signal(number)
        _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (130, "interrupted\n")
    check_nothing_is_left(cache)


def test_a_command_killed_at_any_moment_leaves_nothing_wrong_for_the_next(bdfa, cache, tmp_path):
    undisturbed = tmp_path / "undisturbed"
    start = time.perf_counter()
    assert bdfa.child(*WHOLE, "--cache-dir", undisturbed).code == 0
    seconds = time.perf_counter() - start
    (expected,) = undisturbed.glob("*.h5")
    moments, killed = random.Random(0), 0
    for quarter in range(4):
        with bdfa.start(*WHOLE) as child:
            try:
                child.wait((quarter + moments.random()) * seconds / 4)
            except TimeoutExpired:
                child.kill()
                killed += 1
        found = cache / expected.name
        if found.exists():
            assert found.read_bytes() == expected.read_bytes()
            found.unlink()
        if cache.exists():
            assert set(names(cache)) <= {".locks", f".{expected.name}.partial"}
    assert killed > 1
    assert bdfa.child(*WHOLE).code == 0
    assert names(cache) == [".locks", expected.name]
    assert names(cache / ".locks") == [f"{expected.name}.lock"]
    assert (cache / expected.name).read_bytes() == expected.read_bytes()


def test_of_two_commands_at_once_one_prepares_and_both_succeed(bdfa, cache):
    with bdfa.start(*WHOLE) as first:
        wait_for_partial(cache, first)
        with bdfa.start(*WHOLE) as second:
            outputs = [child.communicate(timeout=60) for child in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "\nprepared and stored " in outputs[0][0]
    assert "\ncache hit: read " in outputs[1][0]
    assert outputs[0][1].startswith("note: whitening makes test values of up to ")
    assert outputs[1][1].replace("note: waiting for another process that prepares mnist-5k\n", "") == outputs[0][1]
    assert len(list(cache.glob("*.h5"))) == 1
