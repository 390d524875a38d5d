"""Preparing data sets: what comes out, by whose statistics, and when it is found again."""

import json
from dataclasses import fields, replace

import h5py
import numpy as np
import pytest
from PIL import Image

from bdfa_np.data import Batches, load_dataset, prepare
from bdfa_np.data.cache.store import Cache
from bdfa_np.data.recipe import Recipe
from bdfa_np.errors import ConfigError, DataError

COUNT = 60


@pytest.fixture
def own(tmp_path):
    """Give the function that writes a data set of the user's own."""

    def write(name="own.npz", dtype=np.uint8, shape=(4, 4, 3), seed=0):
        generator = np.random.default_rng(seed)
        images = generator.integers(0, 256, (COUNT + 20, *shape)).astype(dtype)
        labels = np.arange(COUNT + 20) % 2
        path = tmp_path / name
        np.savez(
            path,
            train_images=images[:COUNT],
            train_labels=labels[:COUNT],
            test_images=images[COUNT:],
            test_labels=labels[COUNT:],
        )
        return path, images.astype(np.float64)

    return write


@pytest.fixture
def make(tmp_path):
    """Give the function that prepares into a folder of the test's own, and collects notes."""

    def call(dataset, **options):
        notes = []
        prepared = prepare(Recipe(str(dataset), **options), cache_dir=tmp_path / "prepared", note=notes.append)
        return prepared, notes

    call.folder = tmp_path / "prepared"
    return call


def whitened(train, images, epsilon=1e-5, raw=None):
    """Return ZCA by its definition, in float64: ε is of values 255 wide, and directions without variance are 0."""
    x, y = train.reshape(len(train), -1), images.reshape(len(images), -1)
    variances, V = np.linalg.eigh(np.cov(x, rowvar=False))
    epsilon = epsilon * (np.ptp(train if raw is None else raw) / 255) ** 2
    way = np.where(variances > 1e-9 * variances[-1], (np.abs(variances) + epsilon) ** -0.5, 0)
    return ((y - x.mean(0)) @ (V * way) @ V.T).reshape(images.shape)


def close(a, b):
    return np.abs(a - b).max() <= 2e-5 * np.abs(b).max()


def ready(prepared, part):
    """Return all images of a part as a net would see them."""
    images, labels = prepared.parts[part]
    batches = Batches(images, labels, 7, normalization=prepared.normalization)
    return np.concatenate([x.copy() for x, _ in batches.epoch(0)])


def test_whitening_is_by_the_training_images_alone_and_is_kept_ready(own, make):
    path, images = own()
    prepared, _ = make(path, whiten=True)
    assert prepared.normalization is None
    assert prepared.parts["train"][0].dtype == np.float32
    assert close(prepared.parts["train"][0], whitened(images[:COUNT], images[:COUNT]))
    assert close(prepared.parts["test"][0], whitened(images[:COUNT], images[COUNT:]))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(
    ("kind", "axes"), [("simple", (0, 1, 2, 3)), ("channel", (0, 1, 2)), ("image", (0,)), ("scale", None)]
)
def test_each_normalization_is_by_the_training_images_alone(own, make, dtype, kind, axes):
    path, images = own(dtype=dtype)
    prepared, _ = make(path, normalization=kind)
    train = images[:COUNT]
    if kind == "scale":
        expected = (images - train.min()) / np.ptp(train)
    else:
        expected = (images - train.mean(axes)) / train.std(axes)
    assert close(ready(prepared, "train"), expected[:COUNT])
    assert close(ready(prepared, "test"), expected[COUNT:])
    # Bytes stay bytes, a quarter of the memory; floating-point numbers are normalised once.
    assert (prepared.normalization is None) == (dtype != np.uint8)


def test_what_is_held_out_and_what_a_limit_leaves_out_have_no_part_in_the_statistics(own, make):
    path, images = own()
    prepared, _ = make(path, whiten=True, zca_epsilon=1.0, validate=True)
    train, held_out = images[:48], images[48:COUNT]
    assert close(prepared.parts["train"][0], whitened(train, train, 1.0))
    assert close(prepared.parts["validation"][0], whitened(train, held_out, 1.0))
    assert close(prepared.parts["test"][0], whitened(train, images[COUNT:], 1.0))
    limited, _ = make(path, whiten=True, zca_epsilon=1.0, train_limit=10, seed=3)
    kept = limited.zca().undo(limited.parts["train"][0], np.empty((10, 4, 4, 3), np.float32))
    places = [int(np.abs(images - image).sum((1, 2, 3)).argmin()) for image in kept]
    assert close(limited.parts["test"][0], whitened(images[places], images[COUNT:], 1.0))
    assert limited.split().description == f"own: 10 of {COUNT} training images and 20 test images"


def test_the_split_is_the_held_out_part_where_there_is_one(own, make):
    path, _ = own()
    prepared, _ = make(path, validate=True)
    split = prepared.split(test_limit=6)
    assert (len(split.train_labels), len(split.test_labels)) == (48, 6)
    assert split.description == "own: 48 training images and 6 of 12 validation images"
    assert "validation" not in make(path)[0].parts


def test_yuv_comes_before_everything_else(own, make):
    path, images = own()
    yuv = images @ np.array([[0.299, -0.14713, 0.615], [0.587, -0.28886, -0.51499], [0.114, 0.436, -0.10001]])
    prepared, _ = make(path, format="yuv", whiten=True)
    assert close(prepared.parts["test"][0], whitened(yuv[:COUNT], yuv[COUNT:], raw=images[:COUNT]))
    scaled, _ = make(path, format="yuv")
    assert scaled.normalization is None
    assert (scaled.parts["train"][0].min(), scaled.parts["train"][0].max()) == (0, 1)


def test_images_are_resized_when_they_are_read(own, make):
    path, _ = own(shape=(6, 4, 1))
    prepared, _ = make(path, resize=3)
    assert prepared.parts["train"][0].shape == (COUNT, 3, 3, 1)


def test_the_second_time_it_is_found_with_the_same_bits(own, make):
    path, _ = own()
    first, _ = make(path, whiten=True)
    second, notes = make(path, whiten=True)
    assert (first.hit, second.hit, notes) == (False, True, [])
    assert first.path == second.path
    for part, (images, labels) in first.parts.items():
        assert images.tobytes() == second.parts[part][0].tobytes()
        assert labels.tolist() == second.parts[part][1].tolist()
    assert (first.class_names, first.checksums) == (second.class_names, second.checksums)


def test_a_copy_in_another_place_is_the_same_and_an_altered_file_is_not(own, make, tmp_path):
    path, _ = own()
    make(path)
    (tmp_path / "elsewhere").mkdir()
    moved = path.rename(tmp_path / "elsewhere" / path.name)
    assert make(moved)[0].hit
    own(seed=1)
    assert not make(path)[0].hit


# Each changes what is prepared; the seed has a part only where something is drawn.
OPTIONS = {
    "resize": {"resize": 3},
    "format": {"format": "yuv"},
    "normalization": {"normalization": "image"},
    "whiten": {"whiten": True},
    "zca_epsilon": {"whiten": True, "zca_epsilon": 1e-3},
    "validate": {"validate": True},
    "train_limit": {"train_limit": 40},
    "seed": {"train_limit": 40, "seed": 1},
}
OF_UNDIVIDED = {"label", "test_fraction"}
"""Options of tables and of what has no test part; see tests/data/own."""


def test_another_recipe_is_another_file(own, make):
    path, _ = own()
    assert {"dataset", "extra", *OPTIONS, *OF_UNDIVIDED} == {item.name for item in fields(Recipe)}
    files = {make(path)[0].path, *(make(path, **options)[0].path for options in OPTIONS.values())}
    assert len(files) == 1 + len(OPTIONS)
    assert make(path, seed=5)[0].hit
    assert make(path, normalization="scale")[0].hit
    assert make(path, whiten=True, zca_epsilon=1e-5)[0].hit


VERSIONS = {
    "preprocess.normalization": {},
    "preprocess.zca": {"whiten": True},
    "preprocess.yuv": {"format": "yuv"},
    "preprocess.resizing": {"resize": 3},
    "splits": {"validate": True},
}


@pytest.mark.parametrize("transform", VERSIONS)
def test_a_transform_of_another_version_makes_the_file_anew_and_leaves_what_it_has_no_part_in(
    own, make, monkeypatch, transform
):
    path, _ = own()
    for options in ({"train_limit": 40}, *VERSIONS.values()):
        make(path, **options)
    monkeypatch.setattr(f"bdfa_np.data.{transform}.VERSION", 99)
    prepared, notes = make(path, **VERSIONS[transform])
    assert not prepared.hit
    assert len(notes) == 1
    assert f"was prepared by other versions of the code, and {prepared.path.name} takes its place" in notes[0]
    hits = {name for name, options in VERSIONS.items() if make(path, **options)[0].hit}
    # Whatever is not whitened is normalised.
    made_anew = set(VERSIONS) - {"preprocess.zca"} if transform == "preprocess.normalization" else {transform}
    assert hits == set(VERSIONS) - made_anew | {transform}
    assert make(path, train_limit=40)[0].hit == (transform not in ("splits", "preprocess.normalization"))


def test_another_pillow_makes_resized_images_anew_and_no_others(own, make, monkeypatch):
    path, _ = own()
    for options in ({}, {"resize": 3}):
        make(path, **options)
    monkeypatch.setattr("PIL.__version__", "99")
    assert make(path)[0].hit
    assert not make(path, resize=3)[0].hit


def test_a_file_from_before_versions_were_kept_is_said_and_made_anew(own, make):
    path, _ = own()
    first, _ = make(path, whiten=True)
    old = first.path.rename(first.path.with_name("own-0123456789abcdef.h5"))
    with h5py.File(old, "r+") as file:
        specification = json.loads(file.attrs["specification"])
        del specification["versions"]
        file.attrs["format"] = 1
        file.attrs["specification"] = np.bytes_(json.dumps(specification))
    [entry] = Cache(make.folder).entries()
    assert (entry.state, entry.specification["dataset"]) == ("old format", "own")
    second, notes = make(path, whiten=True)
    assert not second.hit
    assert notes == [f"{old} has an old format, and {second.path.name} takes its place: removing it"]
    assert [entry.path for entry in Cache(make.folder).entries()] == [second.path]


def test_a_file_says_what_is_in_it_to_anybody(own, make):
    path, _ = own()
    prepared, _ = make(path, whiten=True)
    with h5py.File(prepared.path) as file:
        text = " ".join(f"{name}={value!r}" for name, value in file.attrs.items())
        assert {"train", "test", "zca"} <= set(file)
        np.testing.assert_allclose(file["zca/P"][...] @ file["zca/P_inverse"][...], np.eye(48), atol=1e-8)
    for said in ("own", "zca_epsilon", "own.npz", prepared.checksums["own.npz"]):
        assert said in text


def test_the_bundled_digits_are_stored_only_where_there_is_something_to_gain(make):
    prepared, _ = make("mnist-5k", normalization="channel")
    assert prepared.path is None
    assert not make.folder.exists()
    images = load_dataset("mnist-5k").train_images / 1.0
    assert close(ready(prepared, "train"), (images - images.mean()) / images.std())
    assert make("mnist-5k", whiten=True)[0].path is not None


def test_matrices_are_there_where_images_were_whitened(own, make):
    path, images = own()
    zca = make(path, whiten=True, zca_epsilon=0.5)[0].zca()
    assert zca.epsilon == 0.5
    np.testing.assert_allclose(zca.mean, images[:COUNT].mean(0).ravel())
    with pytest.raises(DataError, match="prepared without --whiten"):
        make(path)[0].zca()


def test_a_damaged_file_is_said_and_prepared_anew(own, make):
    path, _ = own()
    first, _ = make(path, whiten=True)
    content = bytearray(first.path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    first.path.write_bytes(content[:-50])
    second, notes = make(path, whiten=True)
    assert not second.hit
    (note,) = notes
    assert str(first.path) in note
    assert "damaged" in note
    assert second.parts["train"][0].tobytes() == first.parts["train"][0].tobytes()


def test_what_was_done_to_images_and_what_is_left_out_is_noted_each_time(make, tmp_path):
    pets = tmp_path / "pets"
    for name in ("train/cat", "train/dog", "test/cat"):
        (pets / name).mkdir(parents=True)
        Image.new("RGBA", (4, 4), (0, 0, ord(name[-1]), 128)).save(pets / name / "1.png")
    on_white = "3 images of one colour once put on white: "
    for count in range(3):
        prepared, notes = make(pets)
        assert notes[count > 0 :][0].startswith(on_white)
        assert notes[:-1] == [f"{count} file{'s' if count > 1 else ''} left out: {count} .txt"][: count > 0]
        assert prepared.hit == (count > 0)
        (pets / "train" / f"{count}.txt").write_text("")


def test_notes_come_before_an_error_that_they_are_the_reason_of(make, tmp_path):
    for name in ("train/cat", "train/dog", "test/cat"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("RGBA", (4, 4), (0, 0, ord(name[-1]), 0)).save(tmp_path / "pets" / name / "1.png")
    notes = []
    with pytest.raises(DataError, match="all 2 training images are the same once they are read"):
        prepare(Recipe(str(tmp_path / "pets")), cache_dir=tmp_path / "prepared", note=notes.append)
    assert len(notes) == 1
    assert "of one colour once put on white" in notes[0]


def test_data_that_change_while_they_are_read_are_not_stored_under_the_old_sum(own, make, monkeypatch):
    path, _ = own()
    monkeypatch.setattr("bdfa_np.data.sources.own.Own.checksums", lambda _: {"own.npz": "0" * 64})
    with pytest.raises(DataError, match="own: its files changed while they were read: try again"):
        make(path)
    assert Cache(make.folder).entries() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "hsv"}, "--format hsv: choose from rgb, yuv"),
        ({"normalization": "none"}, "--normalization none: choose from scale, simple, channel, image"),
        ({"whiten": True, "normalization": "scale"}, "--whiten takes the place of --normalization scale"),
        ({"zca_epsilon": 1e-5}, "--zca-epsilon has no part in what is done without --whiten"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Recipe("mnist", **options)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((7,), {"normalization": "channel"}, "--normalization channel needs images"),
        ((7,), {"resize": 3}, "--resize needs images"),
        ((7,), {"format": "yuv"}, "--format yuv needs images of three colours"),
        ((4, 4, 1), {"format": "yuv"}, "--format yuv needs images of three colours"),
        ((64, 64, 3), {"whiten": True}, "--resize 52"),
    ],
)
def test_preprocessing_that_the_samples_cannot_have_is_refused_and_leaves_nothing(own, make, shape, options, message):
    path, _ = own(shape=shape)
    with pytest.raises(ConfigError, match=message):
        make(path, **options)
    assert Cache(make.folder).entries() == []


def test_a_known_set_that_is_too_large_to_whiten_is_refused_before_anything_is_downloaded(make):
    with pytest.raises(ConfigError, match=r"96 x 96 x 3 values have d = 27648.*--resize 52 or less"):
        make("stl10", whiten=True)


def test_vectors_can_be_whitened(own, make):
    path, images = own(shape=(5,), dtype=np.float64)
    prepared, _ = make(path, whiten=True)
    assert close(prepared.parts["test"][0], whitened(images[:COUNT], images[COUNT:]))


def test_a_recipe_is_resolved_where_it_is_made():
    assert Recipe("mnist").normalization == "scale"
    white = Recipe("mnist", whiten=True)
    assert (white.normalization, white.zca_epsilon) == (None, 1e-5)
    assert replace(white) == white
