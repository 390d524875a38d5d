"""``bdfa data info`` and ``bdfa data show-zca``: what they say and draw of a data set."""

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bdfa_np.data import lettering, load_dataset
from bdfa_np.data.sources.registry import ENTRIES


def save_own(path, shape=(6, 5, 3), dtype=np.uint8):
    """Write a data set of the user's own, of 30 training and 12 test samples in 3 classes."""
    samples = np.random.default_rng(0).integers(0, 256, (42, *shape)).astype(dtype)
    labels = np.arange(42) % 3
    parts = {"train": slice(30), "test": slice(30, None)}
    arrays = {f"{name}_images": samples[part] for name, part in parts.items()}
    np.savez(path, **arrays, **{f"{name}_labels": labels[part] for name, part in parts.items()})
    return path


def counts(out):
    """Return the table of classes."""
    rows = re.findall(r"^(\S+) +([\d,]+) +([\d,]+) *$", out, re.MULTILINE)
    return {name: tuple(int(count.replace(",", "")) for count in found) for name, *found in rows}


@pytest.fixture
def real():
    """Give the function that returns the folder of real data sets; wanted before ``bdfa``, which hides it."""
    folder = os.environ.get("BDFA_DATA_DIR", "")

    def find(name):
        if not folder or not list(Path(folder).glob(name)):
            pytest.skip(f"BDFA_DATA_DIR names no folder with {name}")
        return folder

    return find


def test_info_counts_mnists_classes_as_they_are_published(real, bdfa):
    outcome = bdfa("data", "info", "mnist", "--datapath", real("mnist/*"))
    assert (outcome.code, outcome.err) == (0, "")
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert counts(outcome.out) == {str(digit): pair for digit, pair in enumerate(zip(train, test, strict=True))}
    assert "60,000 training and 10,000 test samples of 28x28x1 uint8, 10 classes" in outcome.out
    # The mean and deviation of all pixels in 0..1 are known as 0.1307 and 0.3081.
    mean, deviation = map(float, re.search(r"mean ([\d.]+), standard deviation ([\d.]+)", outcome.out).groups())
    assert (round(mean / 255, 4), round(deviation / 255, 4)) == (0.1307, 0.3081)


def test_info_counts_cifar10s_classes_as_they_are_published(real, bdfa):
    outcome = bdfa("data", "info", "cifar10", "--datapath", real("cifar-10-batches-bin/*.bin"), "--png", "all.png")
    assert (outcome.code, outcome.err) == (0, "")
    names = "airplane automobile bird cat deer dog frog horse ship truck"
    assert counts(outcome.out) == dict.fromkeys(names.split(), (5000, 1000))
    means = re.findall(r"mean ([\d.]+)", outcome.out)
    assert [round(float(mean) / 255, 4) for mean in means] == [0.4914, 0.4822, 0.4465]
    with Image.open("all.png") as picture:
        assert picture.width > 10 * 32
        assert picture.height > 10 * 32


def test_info_says_what_is_known_of_a_data_set_and_of_its_pixels(bdfa):
    out = bdfa("data", "info", "MNIST-5k").out
    entry, data = ENTRIES["mnist-5k"], load_dataset("mnist-5k")
    bundled = Path(load_dataset.__code__.co_filename).with_name("mnist_5k.h5").read_bytes()
    pixels = data.train_images.astype(np.float64)
    assert f"licence: {entry.licence}\n" in out
    assert f"citation: {entry.citation}\n" in out
    assert f"SHA-256 {hashlib.sha256(bundled).hexdigest()}  mnist_5k.h5\n" in out
    assert f"0 to 255, mean {pixels.mean():.4f}, standard deviation {pixels.std():.4f}\n" in out


def test_info_of_ones_own_data_has_a_line_a_channel_and_its_size_after_resizing(bdfa):
    path = save_own(Path("own.npz"))
    out = bdfa("data", "info", path).out
    assert "own: 30 training and 12 test samples of 6x5x3 uint8, 3 classes\n" in out
    assert f"SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}  own.npz\n" in out
    with np.load(path) as file:
        for channel in range(3):
            values = file["train_images"][..., channel].astype(np.float64)
            wanted = f"{values.min():g} to {values.max():g}, mean {values.mean():.4f}, standard dev"
            assert f"channel {channel} of the training images: {wanted}" in out
    assert "citation" not in out
    assert "samples of 4x4x3 uint8" in bdfa("data", "info", path, "--resize", 4).out


def test_info_notes_what_is_left_out_of_a_folder_and_what_was_done_to_images(bdfa, tmp_path):
    for name in ("train/cat", "train/dog", "test/cat"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.fromarray(np.full((4, 4), 0x1234, np.uint16)).save(tmp_path / "pets" / name / "1.tif")
    (tmp_path / "pets/train/cat/1.gif").write_bytes(b"")
    assert bdfa("data", "info", "./pets").err.splitlines() == [
        "note: 1 file left out: 1 .gif",
        "note: 3 images of 16 bits, of which the upper 8 are kept: train/cat/1.tif, ...",
        "note: 2 of 2 classes have a single training sample: cat, dog",
        "note: 1 of 2 classes has no test sample: dog",
    ]


def test_info_draws_samples_and_replaces_a_picture_in_one_step(bdfa, monkeypatch):
    Path("sheet.png").write_text("old")
    outcome = bdfa("data", "info", "mnist-5k", "--png", "sheet.png")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith("samples of the training images: sheet.png\n")
    with Image.open("sheet.png") as picture:
        assert picture.format == "PNG"
        assert 10 * 56 < picture.width < 12 * 70
        assert 10 * 56 < picture.height < 12 * 70
    before = Path("sheet.png").read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    assert "No space left on device" in bdfa.refused("data", "info", "mnist-5k", "--png", "sheet.png")
    assert Path("sheet.png").read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["sheet.png"]


@pytest.mark.parametrize("command", ["info", "show-zca"])
@pytest.mark.parametrize("place", ["folder", "missing/a.png", "/proc/a.png"])
def test_a_picture_that_cannot_be_written_is_one_line(bdfa, command, place):
    Path("folder").mkdir()
    path = save_own(Path("own.npz"), (4, 4, 1))
    assert place in bdfa.refused("data", command, path, "--png", place)


@pytest.mark.parametrize("command", ["info", "show-zca"])
def test_vectors_cannot_be_drawn(bdfa, command):
    line = bdfa.refused("data", command, save_own(Path("own.npz"), (7,)), "--png", "a.png")
    assert "(7,) cannot be drawn" in line
    assert not Path("a.png").exists()


def test_show_zca_draws_images_above_their_whitened_versions_prepared_or_not(bdfa):
    path = save_own(Path("own.npz"), (8, 8, 1))
    outcome = bdfa("data", "show-zca", path, "--png", "zca.png", "--images", 5)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "5 test images, each beside its whitened version: zca.png\n"
    with np.load(path) as file, Image.open("zca.png") as picture:
        left, top = 4 + lettering.width("whitened") + 8, 4 + 20  # below the title
        first = np.asarray(picture.convert("L"), float)[top : top + 48, left : left + 48]
        expected = np.kron(file["test_images"][0, ..., 0].astype(float), np.ones((6, 6)))
        assert picture.height < 4 * 52
    assert np.corrcoef(first.ravel(), expected.ravel())[0, 1] > 0.99
    assert "cache hit" not in bdfa("data", "prepare", path, "--whiten").out
    assert "12 test images" in bdfa("data", "show-zca", path, "--png", "zca.png", "--images", 100).out
