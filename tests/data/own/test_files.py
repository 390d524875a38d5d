"""Files and folders of one part or two: what their arrays may be called, and how those without a test part are read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from bdfa_np.data import Recipe, load_dataset, prepare
from bdfa_np.data.sources.find import find_source
from bdfa_np.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (12, 4, 5, 3), np.uint8)
Y = np.arange(12) % 3


def write_npz(folder: Path, arrays: dict[str, Any]) -> Path:
    np.savez(folder / "pets.npz", **arrays)
    return folder / "pets.npz"


def write_h5(folder: Path, arrays: dict[str, Any]) -> Path:
    with h5py.File(folder / "pets.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = np.char.encode(values, "utf-8") if np.asarray(values).dtype.kind == "U" else values
    return folder / "pets.h5"


@pytest.fixture(params=[write_npz, write_h5])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    return lambda **arrays: request.param(tmp_path, arrays)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("x", ["x", "X"])
def test_keras_names_will_do(write, x):
    data = load_dataset(write(**{f"{x}_train": X[:8], "y_train": Y[:8], f"{x}_test": X[8:], "y_test": Y[8:]}))
    np.testing.assert_array_equal(data.train_images, X[:8], strict=True)
    np.testing.assert_array_equal(data.test_images, X[8:], strict=True)
    assert data.test_labels.tolist() == Y[8:].tolist()


@pytest.mark.parametrize("names", ["train_images train_labels", "x_train y_train", "images labels", "x y", "X y"])
def test_a_file_without_a_test_part_is_divided_as_it_is_asked_for(write, names):
    path = write(**dict(zip(names.split(), (X, Y), strict=True)))
    data = load_dataset(path, test_fraction=0.25)
    assert np.bincount(data.test_labels).tolist() == [1, 1, 1]
    both = np.concatenate([data.train_images, data.test_images])
    assert sorted(image.tobytes() for image in both) == sorted(image.tobytes() for image in X)
    assert "has no test part: add --test-fraction 0.2" in refusal(path)


def test_a_file_with_a_test_part_is_not_divided(write):
    path = write(x_train=X, y_train=Y, x_test=X, y_test=Y)
    assert "has a test part of its own: leave out --test-fraction" in refusal(path, test_fraction=0.2)


def test_half_a_test_part_is_refused(write):
    assert refusal(write(x_train=X, y_train=Y, x_test=X)).startswith("holds no array y_test: ")


def test_of_two_sets_of_names_the_fuller_one_is_read(write):
    data = load_dataset(write(x=X * 0, y=Y, x_train=X, y_train=Y, x_test=X, y_test=Y))
    np.testing.assert_array_equal(data.train_images, X)


def test_what_an_archive_holds_is_told_where_nothing_fits(tmp_path):
    assert refusal(write_npz(tmp_path, {"data": X, "target": Y})).endswith("; it holds data, target")


@pytest.mark.parametrize("labels", [np.array(["cat", "dog", "emu"])[Y], np.eye(3)[Y], np.eye(3, dtype=bool)[Y]])
def test_words_and_one_hot_rows_are_labels(write, labels):
    data = load_dataset(write(x=X, y=labels), test_fraction=0.25)
    assert data.class_names == (("cat", "dog", "emu") if labels.ndim == 1 else ("0", "1", "2"))
    places = {image.tobytes(): place for place, image in enumerate(X)}
    assert [Y[places[image.tobytes()]] for image in data.train_images] == data.train_labels.tolist()


def test_labels_from_1_are_classes_by_their_numbers_and_it_is_noted_each_time(write, tmp_path):
    path = write(x=X, y=Y + 1)
    notes: list[str] = []
    recipe = Recipe(str(path), test_fraction=0.25)
    for hit in (False, True):
        prepared = prepare(recipe, cache_dir=tmp_path / "cache", note=notes.append)
        assert (prepared.class_names, prepared.hit) == (("1", "2", "3"), hit)
    assert notes == ["the labels run from 1 to 3, not from 0: each of the 3 numbers is a class of that name"] * 2


def test_objects_are_refused_with_advice_that_works(tmp_path):
    y = np.array([("cat", "dog", "emu")[k] for k in Y], object)
    line = refusal(write_npz(tmp_path, {"x": X, "y": y}), test_fraction=0.25)
    assert line == "y holds Python objects, which are not read: store numpy.array(y, dtype=str)"
    path = write_npz(tmp_path, {"x": X, "y": np.array(y, dtype=str)})
    assert load_dataset(path, test_fraction=0.25).class_names == ("cat", "dog", "emu")
    x = np.empty(12, object)
    x[:] = list(X)
    line = refusal(write_npz(tmp_path, {"x": x, "y": Y}), test_fraction=0.25)
    assert line.endswith("store numpy.stack(x).astype('float32')")
    np.testing.assert_array_equal(np.stack(x).astype("float32"), X)


def test_texts_of_varying_length_are_refused_with_advice_that_works(tmp_path):
    words = ["Bär", "dog", "emu"] * 4
    with h5py.File(tmp_path / "pets.h5", "w") as file:
        file["x"], file["y"] = X, words
    line = refusal(tmp_path / "pets.h5", test_fraction=0.25)
    assert line.endswith("store numpy.char.encode(numpy.array(y, dtype=str), 'utf-8')")
    path = write_h5(tmp_path, {"x": X, "y": np.char.encode(np.array(words, dtype=str), "utf-8")})
    assert load_dataset(path, test_fraction=0.25).class_names == ("Bär", "dog", "emu")


def test_vectors_of_large_integers_become_float32_and_small_ones_stay_bytes(write):
    x = X.reshape(12, -1).astype(np.int64)
    assert load_dataset(write(x=x, y=Y), test_fraction=0.25).train_images.dtype == np.uint8
    data = load_dataset(write(x=1000 * x, y=Y), test_fraction=0.25)
    assert data.train_images.dtype == np.float32
    assert data.train_images.sum(dtype=float) + data.test_images.sum(dtype=float) == 1000 * x.sum()
    both = load_dataset(write(x_train=x, y_train=Y, x_test=1000 * x, y_test=Y))
    assert (both.train_images.dtype, both.test_images.dtype) == (np.float32, np.float32)


def test_channels_before_rows_are_noticed_at_any_size(write):
    line = refusal(write(x=np.zeros((12, 3, 32, 48), np.uint8), y=Y), test_fraction=0.25)
    assert line.startswith("x have the shape (12, 3, 32, 48), the channels before the rows")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for place, image in enumerate(X):
        folder = tmp_path / "pets" / ("cat", "dog", "emu")[Y[place]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{place:02}.png")
    return tmp_path / "pets"


def test_a_folder_of_classes_is_divided_as_it_is_asked_for(pets):
    data = load_dataset(pets, test_fraction=0.25)
    assert (data.name, data.class_names, data.input_shape) == ("pets", ("cat", "dog", "emu"), (4, 5, 3))
    assert np.bincount(data.test_labels).tolist() == [1, 1, 1]
    places = {image.tobytes(): place for place, image in enumerate(X)}
    assert [Y[places[image.tobytes()]] for image in data.train_images] == data.train_labels.tolist()
    assert data.checksums == find_source(pets).checksums()
    assert "has no test part: add --test-fraction 0.2" in refusal(pets)


def test_a_folder_that_is_divided_is_not_divided_again(pets, tmp_path):
    for part in ("train", "test"):
        (tmp_path / "both").mkdir(exist_ok=True)
        (tmp_path / "both" / part).symlink_to(pets)
    assert len(load_dataset(tmp_path / "both").test_labels) == 12
    assert "has a test part of its own" in refusal(tmp_path / "both", test_fraction=0.2)


def test_a_picture_beside_the_classes_is_refused_and_a_text_noted(pets):
    (pets / "readme.txt").write_text("pets")
    assert load_dataset(pets, test_fraction=0.25).notes == ("1 file left out: 1 .txt",)
    Image.fromarray(X[0]).save(pets / "stray.png")
    with pytest.raises(DataError, match=r"stray\.png: lies outside the folders of the classes"):
        load_dataset(pets, test_fraction=0.25)


def test_another_fraction_seed_or_column_is_another_prepared_file(flowers, tmp_path):
    recipes = [
        Recipe(str(flowers), test_fraction=0.2),
        Recipe(str(flowers), test_fraction=0.3),
        Recipe(str(flowers), test_fraction=0.2, seed=1),
        Recipe(str(flowers), test_fraction=0.2, label="kind", normalization="column"),
    ]
    files = {prepare(recipe, cache_dir=tmp_path / "cache").path for recipe in recipes}
    assert len(files) == 4
    assert prepare(recipes[0], cache_dir=tmp_path / "cache").hit
    first, other = (
        prepare(recipe, cache_dir=tmp_path / "cache").parts["test"][0] for recipe in (recipes[0], recipes[2])
    )
    assert not np.array_equal(first, other)
