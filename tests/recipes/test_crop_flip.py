"""``--augment crop-flip``: crops by hand and by PyTorch's functions, what is black, and what is drawn."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bdfa_np import Config, build_model
from bdfa_np.backend.cpu.backend import NumpyBackend
from bdfa_np.data import CropFlip, Normalization
from bdfa_np.data.preprocess.preprocessing import Preprocessing
from bdfa_np.data.preprocess.raw_values import RawValues
from bdfa_np.data.preprocess.yuv import to_yuv
from bdfa_np.data.preprocess.zca import ZCA
from bdfa_np.errors import ConfigError, DataError
from bdfa_np.model import Model
from bdfa_np.random_streams import Streams

RAW = np.random.default_rng(0).integers(0, 256, (60, 9, 7, 3), dtype=np.uint8)


class Recorder(NumpyBackend):
    """NumPy, and the draws of the last batch."""

    def shift_and_mirror(self, images, blank, top, left, mirrored, out):
        self.draws = top, left, mirrored
        return super().shift_and_mirror(images, blank, top, left, mirrored, out)


def make(shape=(9, 7, 3), seed=0, **options):
    backend = Recorder()
    return CropFlip(backend, Streams(seed), shape, **options), backend


def padded_and_cropped(images, draws, padding=4):
    """Do as the literature's recipe says, image by image: pad by 0, crop, mirror."""
    _, H, W, _ = images.shape
    expected = np.empty_like(images)
    for n, (top, left, mirrored) in enumerate(zip(*draws, strict=True)):
        framed = np.pad(images[n], ((padding, padding), (padding, padding), (0, 0)))
        crop = framed[padding + top : padding + top + H, padding + left : padding + left + W]
        expected[n] = crop[:, ::-1] if mirrored else crop
    return expected


def test_a_shift_and_a_mirror_image_are_those_worked_by_hand():
    image = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    blank = -np.arange(1.0, 10).reshape(3, 3, 1)

    def shifted(top, left, mirrored):
        draws = np.array([top]), np.array([left]), np.array([mirrored])
        return NumpyBackend("float64").shift_and_mirror(image, blank, *draws, np.empty_like(image))[0, :, :, 0].tolist()

    assert shifted(0, 0, False) == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert shifted(0, 0, True) == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]
    assert shifted(1, 0, False) == [[4, 5, 6], [7, 8, 9], [-7, -8, -9]]
    assert shifted(0, -1, False) == [[-1, 1, 2], [-4, 4, 5], [-7, 7, 8]]
    assert shifted(-1, 2, True) == [[-1, -2, -3], [-4, -5, 3], [-7, -8, 6]]
    assert shifted(4, 0, False) == blank[:, :, 0].tolist()


@pytest.mark.parametrize("shape", [(9, 7, 3), (32, 32, 3), (28, 28, 1), (3, 2, 1), (1, 1, 2)])
def test_each_image_is_padded_by_4_cropped_and_mirrored(shape):
    augmentation, backend = make(shape)
    images = np.random.default_rng(1).random((50, *shape), np.float32)
    np.testing.assert_array_equal(augmentation(images, 3, 5), padded_and_cropped(images, backend.draws))


def preprocessing(kind=None, images=RAW, fmt="rgb", raw=None):
    """Fit what a run does to images."""
    raw = RawValues.of(images) if raw is None else raw
    coloured = to_yuv(images) if fmt == "yuv" else images
    fitted = {"whitening": ZCA.fit(coloured)} if kind is None else {"normalization": Normalization.fit(kind, coloured)}
    return Preprocessing(images.shape[1:], ("a", "b"), raw, format=fmt, **fitted)


@pytest.mark.parametrize("fmt", ["rgb", "yuv"])
@pytest.mark.parametrize("kind", ["scale", "simple", "channel"])
def test_where_all_places_are_normalised_alike_it_is_the_recipe_on_raw_images(kind, fmt):
    done = preprocessing(kind, fmt=fmt)
    augmentation, backend = make(blank=done.blank())
    found = augmentation(done.apply(RAW), 1, 1)
    np.testing.assert_allclose(found, done.apply(padded_and_cropped(RAW, backend.draws)), rtol=0, atol=1e-6)
    black = done.apply(np.zeros_like(RAW[:1]))[0]
    assert black.any() == (kind != "scale" or fmt == "yuv")  # scaled bytes: 0; else somewhere below the mean


@pytest.mark.parametrize("kind", ["image", None], ids=["image", "whiten"])
def test_where_each_place_has_statistics_of_its_own_the_border_is_what_black_is_where_it_lies(kind):
    done = preprocessing(kind)
    augmentation, backend = make(blank=done.blank())
    prepared = done.apply(RAW)
    found = augmentation(prepared, 1, 1)
    black = done.apply(np.zeros_like(RAW[:1]))[0]
    outside = padded_and_cropped(np.ones_like(prepared), backend.draws) == 0
    assert outside.any()
    np.testing.assert_array_equal(found[outside], np.broadcast_to(black, found.shape)[outside])
    np.testing.assert_array_equal(found[~outside], padded_and_cropped(prepared, backend.draws)[~outside])


def test_black_is_the_smallest_value_of_images_that_are_no_bytes():
    images = np.random.default_rng(2).random((20, 4, 4, 1), np.float32) * 2 - 1
    assert np.abs(preprocessing("scale", images).blank()).max() < 1e-6


def test_places_are_uniform_over_nine_by_nine_and_independent_of_the_mirroring_of_half():
    augmentation, backend = make((2, 2, 1))
    augmentation(np.zeros((9000, 2, 2, 1), np.float32), 1, 1)
    top, left, mirrored = backend.draws
    table = np.zeros((81, 2))
    np.add.at(table, ((top + 4) * 9 + left + 4, mirrored.astype(int)), 1)
    assert stats.chisquare(table.sum(axis=1)).pvalue > 1e-3
    assert stats.chi2_contingency(table).pvalue > 1e-3
    assert stats.binomtest(int(mirrored.sum()), 9000).pvalue > 1e-3


def test_what_is_drawn_depends_on_seed_epoch_and_step_alone():
    images = np.random.default_rng(3).random((20, 9, 7, 3), np.float32)
    augmentation, _ = make()
    augmentation(images, 7, 7)
    again = augmentation(images, 2, 3).tobytes()
    assert again == make()[0](images, 2, 3).tobytes()
    others = [make(seed=1)[0](images, 2, 3), make()[0](images, 3, 3), make()[0](images, 2, 4)]
    assert all(other.tobytes() != again for other in others)


def test_what_does_not_fit_is_refused_in_one_line():
    with pytest.raises(ConfigError, match="augmentation needs images of shape"):
        make((20,))
    with pytest.raises(DataError, match=r"a blank image of shape \(9, 7, 1\) does not fit images of shape \(9, 7, 3\)"):
        make(blank=np.zeros((9, 7, 1)))
    with pytest.raises(ConfigError, match="--augment flip: choose from crop-flip"):
        Config(augment="flip").resolve()


def test_a_run_pads_with_what_its_own_normalization_makes_of_black(bdfa, monkeypatch):
    made = []
    augment = Model._augment
    monkeypatch.setattr(Model, "_augment", lambda self: made.append(augment(self)) or made[-1])
    bdfa.train("run", "--augment", "crop-flip", "--normalization", "simple", "--epochs", 1)
    (blank,) = {float(value) for value in made[0]._blank.ravel()}
    assert -0.45 < blank < -0.4  # MNIST's mean over its deviation
    assert 'augment = "crop-flip"\n' in Path("run/config.toml").read_text()
    assert ", normalization simple, augmented (crop-flip)" in Path("run/Log.txt").read_text()


@pytest.mark.parametrize(("text", "kind"), [("augment = true", "Augmentation"), ('augment = "crop-flip"', "CropFlip")])
def test_true_in_a_file_means_what_it_always_did(bdfa, tiny, text, kind):
    Path("run.toml").write_text(text)
    assert bdfa("train", *tiny, "--config", "run.toml", "--epochs", 1, "--save", "run").code == 0
    model = build_model(Config(augment=True if kind == "Augmentation" else "crop-flip"), (9, 7, 3), 3)
    assert type(model._augment()).__name__ == kind


@pytest.mark.oracle
def test_pytorchs_padding_and_cropping_give_the_same():
    torch = pytest.importorskip("torch", reason="PyTorch is in the extra named oracle")
    augmentation, backend = make()
    images = np.random.default_rng(1).random((50, 9, 7, 3), np.float32)
    found = augmentation(images, 1, 1)
    framed = torch.nn.functional.pad(torch.tensor(images).permute(0, 3, 1, 2), (4, 4, 4, 4))
    for n, (top, left, mirrored) in enumerate(zip(*backend.draws, strict=True)):
        crop = framed[n, :, 4 + top : 13 + top, 4 + left : 11 + left]
        expected = (crop.flip(2) if mirrored else crop).permute(1, 2, 0)
        np.testing.assert_array_equal(found[n], expected.numpy())
